//! Keeps one machine connected, from `open` to `close`: attempts, waits, lanes, and what failures mean.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::Backoff;
use super::host::{Control, Live, Shared};
use super::{Dialled, Line, trouble};
use crate::core::connection::{Connection, Hello, Trouble, TroubleKind};
use crate::remote::powershell::lane::{self, Means};
use crate::remote::powershell::orphan::{Ledger, end_orphans};
use crate::remote::powershell::worker::{Greeting, StartFailure, Worker};
use crate::remote::sanitise::clean_short;

/// Logins that a machine which worked before may refuse in a row: after that a person is asked (powershell-over-ssh 15).
const MAX_REFUSALS: u32 = 3;

/// Handshakes that break off until it is taken for what it looks like.
const MAX_DOUBTS: u32 = 6;
/// Longest wait for the workers of a connection to end; later ones end by themselves.
const FAREWELL: Duration = Duration::from_secs(15);
/// How often an old connection is looked at for being idle.
const RECYCLE_LOOK: Duration = Duration::from_secs(30);

/// How an attempt to connect ended.
enum Attempt {
    Up(Box<Up>),
    Failed(Trouble),
    Close(Option<oneshot::Sender<()>>),
}

/// Why a connection that was up is up no more.
enum Over {
    /// And the trouble has been told.
    Lost,
    /// Replaced because of its age.
    Aged,
    Close(Option<oneshot::Sender<()>>),
}

/// What to do next.
enum Next {
    Connect,
    /// Wait for a person.
    Rest,
    Close(Option<oneshot::Sender<()>>),
}

/// Keeps one machine connected, from `open` to `close`.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    control: mpsc::Receiver<Control>,
    /// Over all connections: scripts whose end was not seen.
    ledger: Ledger,
}

/// A connection with its lanes.
struct Up {
    dialled: Dialled,
    first: (Worker, Greeting),
}

impl Keeper {
    pub fn new(shared: Arc<Shared>, control: mpsc::Receiver<Control>) -> Keeper {
        Keeper { shared, control, ledger: Ledger::default() }
    }

    /// Until the host is dropped.
    pub async fn keep(mut self) {
        let mut next = Next::Rest;
        loop {
            next = match next {
                Next::Rest => match self.control.recv().await {
                    Some(Control::Open) => Next::Connect,
                    Some(Control::Close(done)) => Next::Close(Some(done)),
                    None => return,
                },
                Next::Connect => {
                    self.shared.tell(Connection::Connecting);
                    self.stay_connected().await
                }
                Next::Close(done) => {
                    self.shared.tell(Connection::Idle);
                    match done {
                        Some(done) => drop(done.send(())),
                        None => return,
                    }
                    Next::Rest
                }
            };
        }
    }

    /// Connects again and again, until it is closed or a person is needed.
    async fn stay_connected(&mut self) -> Next {
        let times = self.shared.way.times().clone();
        let mut backoff = Backoff::new(&times.backoff);
        let (mut worked_before, mut refusals, mut doubts) = (false, 0, 0);
        loop {
            let up = match self.attempt().await {
                Attempt::Up(up) => up,
                Attempt::Close(close) => return Next::Close(close),
                Attempt::Failed(trouble) => {
                    let trouble = judge(trouble, worked_before, &mut refusals);
                    // A machine that restarts in the middle of a handshake looks as if it shared no cipher, or spoke no SSH. Nothing
                    // was offered that could lock an account, so it is tried some more while a person is already told.
                    let doubt = matches!(trouble.kind, TroubleKind::NoCommonAlgorithm | TroubleKind::Garbage);
                    doubts += u32::from(doubt);
                    let doubtful = doubt && doubts < MAX_DOUBTS;
                    let stop = trouble.kind.needs_person() && !doubtful;
                    tracing::info!(host = self.shared.way.name(), kind = ?trouble.kind, "{}", trouble.message);
                    self.shared.tell(Connection::Trouble(trouble));
                    if stop {
                        return Next::Rest;
                    }
                    if let Some(close) = self.wait(backoff.next_wait()).await {
                        return Next::Close(close);
                    }
                    continue;
                }
            };
            (worked_before, refusals, doubts) = (true, 0, 0);
            let since = Instant::now();
            let over = self.serve(*up).await;
            if since.elapsed() >= times.steady {
                backoff.reset();
            }
            match over {
                Over::Close(close) => return Next::Close(close),
                Over::Aged => {}
                Over::Lost => {
                    if let Some(close) = self.wait(backoff.next_wait()).await {
                        return Next::Close(close);
                    }
                }
            }
        }
    }

    /// Waits before the next attempt; a person who asks for it cuts that short. `Some`: it was closed.
    async fn wait(&mut self, wait: Duration) -> Option<Option<oneshot::Sender<()>>> {
        tokio::select! {
            () = sleep(wait) => None,
            order = self.control.recv() => match order {
                Some(Control::Open) => None,
                Some(Control::Close(done)) => Some(Some(done)),
                None => Some(None),
            },
        }
    }

    /// One attempt, which closing ends.
    async fn attempt(&mut self) -> Attempt {
        let (shared, ledger) = (self.shared.clone(), self.ledger.clone());
        let mut attempt = pin!(async {
            let way = &shared.way;
            let dialled = way.clone().dial().await?;
            let (launch, limits) = (shared.launch(&dialled.line), way.limits());
            let mut first = Worker::start(&*launch, limits)
                .await
                .map_err(|failure| trouble::powershell(&way.at(), &failure))?;
            end_orphans(&mut first.0, &ledger, &*launch, limits).await;
            Ok::<_, Trouble>(Up { dialled, first })
        });
        loop {
            tokio::select! {
                result = &mut attempt => return match result {
                    Ok(up) => Attempt::Up(Box::new(up)),
                    Err(trouble) => Attempt::Failed(trouble),
                },
                order = self.control.recv() => match order {
                    Some(Control::Open) => {}
                    Some(Control::Close(done)) => return Attempt::Close(Some(done)),
                    None => return Attempt::Close(None),
                },
            }
        }
    }

    /// Serves requests over a connection until it ends.
    async fn serve(&mut self, up: Up) -> Over {
        let Up { dialled: Dialled { line, via, second_hop }, first } = up;
        let shared = self.shared.clone();
        let (closing, is_closing) = watch::channel(false);
        let means = Means {
            launch: shared.launch(&line),
            limits: shared.way.limits().clone(),
            ledger: self.ledger.clone(),
            closing: is_closing,
        };
        let (first, greeting) = first;
        let present = |greeting: &Greeting| {
            let said = &greeting.hello;
            Connection::Ready(Hello {
                host: clean_short(said.host.as_deref().unwrap_or(shared.way.name()), 64),
                ps: clean_short(&said.ps, 64),
                language: clean_short(&said.lang, 64),
                pid: said.pid,
                skew_ms: greeting.skew_ms,
                via: via.clone(),
                second_hop,
            })
        };
        let (greetings, mut greeted) = watch::channel(greeting);
        let (quick, quick_jobs) = mpsc::channel(lane::QUEUE);
        let (slow, slow_jobs) = mpsc::channel(lane::QUEUE);
        let mut quick_lane = tokio::spawn(lane::quick(means.clone(), quick_jobs, first, greetings));
        let slow_lane = tokio::spawn(lane::slow(means, slow_jobs));
        shared.set_live(Some(Live { quick, slow, line: line.clone() }));
        tracing::info!(host = shared.way.name(), via, "connected");
        // A new worker has another process id, which belongs into the journal.
        let tell = async {
            loop {
                shared.tell(present(&greeted.borrow_and_update()));
                if greeted.changed().await.is_err() {
                    return std::future::pending::<Over>().await;
                }
            }
        };
        let over = tokio::select! {
            biased;
            over = self.until_over(&*line, &mut quick_lane) => over,
            over = tell => over,
        };

        shared.set_live(None);
        if let Over::Close(_) = &over {
            closing.send_replace(true);
        }
        drop(line);
        let lanes = async {
            if !quick_lane.is_finished() {
                let _ = (&mut quick_lane).await;
            }
            let _ = slow_lane.await;
        };
        let _ = timeout(FAREWELL, lanes).await;
        over
    }

    fn lose(&self, trouble: Trouble) -> Over {
        tracing::info!(host = self.shared.way.name(), kind = ?trouble.kind, "{}", trouble.message);
        self.shared.set_live(None);
        self.shared.tell(Connection::Trouble(trouble));
        Over::Lost
    }

    async fn until_over(&mut self, line: &dyn Line, quick: &mut JoinHandle<Result<(), StartFailure>>) -> Over {
        let at = self.shared.way.at();
        let mut lost = pin!(line.lost());
        let mut aged = pin!(sleep(self.shared.way.times().recycle));
        loop {
            tokio::select! {
                why = &mut lost => return self.lose(trouble::lost(&at, &why)),
                ended = &mut *quick => {
                    let trouble = match ended {
                        Ok(Err(StartFailure::Lost(why))) => trouble::lost(&at, &why),
                        Ok(Err(failure)) => trouble::passing(trouble::powershell(&at, &failure)),
                        Ok(Ok(())) | Err(_) => trouble::lost(&at, "its worker ended"),
                    };
                    return self.lose(trouble);
                }
                order = self.control.recv() => match order {
                    Some(Control::Open) => {}
                    Some(Control::Close(done)) => return Over::Close(Some(done)),
                    None => return Over::Close(None),
                },
                () = &mut aged => {
                    if self.shared.busy.load(Ordering::Relaxed) == 0 {
                        return Over::Aged;
                    }
                    aged.set(sleep(RECYCLE_LOOK));
                }
            }
        }
    }
}

/// What a failed attempt means. A machine that worked before may be restarting: then handshakes break off, logins are refused for
/// a while, and PowerShell does not start (powershell-over-ssh 7.4, 12), which is no reason to give up.
fn judge(trouble: Trouble, worked_before: bool, refusals: &mut u32) -> Trouble {
    use TroubleKind::*;
    if !worked_before {
        return trouble;
    }
    match trouble.kind {
        NoPowerShell | Garbage | NoCommonAlgorithm => trouble::passing(trouble),
        LoginRefused | CredentialUnusable => {
            *refusals += 1;
            if *refusals < MAX_REFUSALS { trouble::passing(trouble) } else { trouble }
        }
        _ => trouble,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_worked_may_refuse_twice() {
        let refused = Trouble { kind: TroubleKind::LoginRefused, message: "no".into(), remedy: "x".into() };
        let mut refusals = 0;
        assert_eq!(judge(refused.clone(), false, &mut refusals).kind, TroubleKind::LoginRefused);
        let kinds: Vec<_> = (0..3).map(|_| judge(refused.clone(), true, &mut refusals).kind).collect();
        assert_eq!(kinds, [TroubleKind::Lost, TroubleKind::Lost, TroubleKind::LoginRefused]);
        let changed = Trouble { kind: TroubleKind::HostKeyChanged, ..refused.clone() };
        assert_eq!(judge(changed, true, &mut refusals).kind, TroubleKind::HostKeyChanged);
        for kind in [TroubleKind::NoPowerShell, TroubleKind::NoCommonAlgorithm] {
            assert_eq!(judge(Trouble { kind, ..refused.clone() }, true, &mut refusals).kind, TroubleKind::Lost);
        }
    }
}
