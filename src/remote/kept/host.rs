//! A machine as its callers see it; `keeper` does what it takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::keeper::Keeper;
use super::{Line, Thread, Way};
use crate::core::connection::Connection;
use crate::core::event::{Failure, FailureKind};
use crate::remote::powershell::lane::Job;
use crate::remote::powershell::process::Launch;
use crate::remote::sanitise::clean_short;
use crate::remote::tap::{Tap, Tapped};
use crate::remote::{Boxed, Chunk, Host, Reply, Request, Said};

/// A `Host` that is kept connected. The connection ends when it is dropped.
pub struct KeptHost {
    shared: Arc<Shared>,
    control: mpsc::Sender<Control>,
    /// Where the connection lives.
    _thread: Arc<Thread>,
}

pub(super) enum Control {
    Open,
    Close(oneshot::Sender<()>),
}

pub(super) struct Shared {
    pub way: Arc<dyn Way>,
    pub connection: watch::Sender<Connection>,
    live: Mutex<Option<Live>>,
    /// Requests and reads under way.
    pub busy: AtomicUsize,
    /// Who listens to what its PowerShells print.
    tap: OnceLock<Arc<dyn Tap>>,
}

/// What requests need of a connection that is up.
#[derive(Clone)]
pub(super) struct Live {
    pub quick: mpsc::Sender<Job>,
    pub slow: mpsc::Sender<Job>,
    pub line: Arc<dyn Line>,
}

/// Counts a request as long as it is under way.
struct Busy(Arc<Shared>);

impl Busy {
    fn new(shared: &Arc<Shared>) -> Busy {
        shared.busy.fetch_add(1, Ordering::Relaxed);
        Busy(shared.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl KeptHost {
    /// It connects when it is opened.
    pub fn new(way: Arc<dyn Way>, thread: Arc<Thread>) -> KeptHost {
        let (control, orders) = mpsc::channel(8);
        let shared = Arc::new(Shared {
            way,
            connection: watch::Sender::new(Connection::Idle),
            live: Mutex::new(None),
            busy: AtomicUsize::new(0),
            tap: OnceLock::new(),
        });
        thread.spawn(Keeper::new(shared.clone(), orders).keep());
        KeptHost { shared, control, _thread: thread }
    }
}

impl Host for KeptHost {
    fn open(&self) {
        // From now on requests wait for it.
        self.shared.connection.send_if_modified(|now| {
            let rests = *now == Connection::Idle || now.needs_person();
            if rests {
                *now = Connection::Connecting;
            }
            rests
        });
        // A full queue holds an order to open already.
        let _ = self.control.try_send(Control::Open);
    }

    fn connection(&self) -> watch::Receiver<Connection> {
        self.shared.connection.subscribe()
    }

    fn listen(&self, to: Arc<dyn Tap>) {
        // The first who listens goes on listening.
        let _ = self.shared.tap.set(to);
    }

    fn run(&self, request: Request, said: mpsc::Sender<Said>) -> Boxed<Reply> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let started = Instant::now();
            let _busy = Busy::new(&shared);
            let fail = |why: &str| {
                let failure = not_sent(why);
                Reply { results: Vec::new(), end: Err(failure), took: started.elapsed() }
            };
            let live = match shared.live_within(request.timeout).await {
                Ok(live) => live,
                Err(why) => return fail(&why),
            };
            let name = request.name.clone();
            let lane = if request.slow { live.slow } else { live.quick };
            drop(live.line);
            let (reply, answer) = oneshot::channel();
            if lane.send(Job { request, said, reply }).await.is_err() {
                return fail("the connection was lost");
            }
            drop(lane);
            let reply = answer.await.unwrap_or_else(|_| fail("the connection was closed"));
            let failed = reply.end.as_ref().err().map(|f| f.message.as_str());
            tracing::debug!(host = shared.way.name(), script = name, took = ?reply.took, failed, "ran");
            reply
        })
    }

    fn read_file(&self, path: &str, offset: u64, max: usize) -> Boxed<Result<Chunk, Failure>> {
        let (shared, path) = (self.shared.clone(), path.to_owned());
        Box::pin(async move {
            let _busy = Busy::new(&shared);
            let live = shared.live_within(shared.way.times().file).await.map_err(|why| not_sent(&why))?;
            live.line.read(path, offset, max).await
        })
    }

    fn close(&self) -> Boxed<()> {
        let control = self.control.clone();
        Box::pin(async move {
            let (done, wait) = oneshot::channel();
            if control.send(Control::Close(done)).await.is_ok() {
                let _ = wait.await;
            }
        })
    }
}

fn not_sent(why: &str) -> Failure {
    Failure { kind: FailureKind::NotSent, id: None, message: clean_short(why, 500), at: None }
}

impl Shared {
    /// Where workers are started, listened to where somebody wants that.
    pub fn launch(&self, line: &Arc<dyn Line>) -> Arc<dyn Launch> {
        match self.tap.get() {
            Some(tap) => Arc::new(Tapped { launch: line.clone(), tap: tap.clone() }),
            None => line.clone(),
        }
    }

    fn live(&self) -> Option<Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_live(&self, live: Option<Live>) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = live;
    }

    /// The connection, waited for only while it is being made.
    async fn live_within(&self, patience: Duration) -> Result<Live, String> {
        let mut connection = self.connection.subscribe();
        let wait = async {
            loop {
                match &*connection.borrow_and_update() {
                    Connection::Idle => return Err("the machine is not connected".to_owned()),
                    Connection::Trouble(t) => return Err(format!("the machine is not connected: {}", t.message)),
                    Connection::Ready(_) => {
                        if let Some(live) = self.live() {
                            return Ok(live);
                        }
                    }
                    Connection::Connecting => {}
                }
                if connection.changed().await.is_err() {
                    return Err("the machine is not connected any more".to_owned());
                }
            }
        };
        timeout(patience, wait).await.unwrap_or_else(|_| Err("the machine was not connected in time".to_owned()))
    }

    pub fn tell(&self, connection: Connection) {
        self.connection.send_if_modified(|now| {
            let differs = *now != connection;
            if differs {
                *now = connection;
            }
            differs
        });
    }
}
