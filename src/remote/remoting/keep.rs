//! Keeps a machine behind another one connected: greets it whenever that one is there, and asks from time to time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::answer::{Broken, Stage};
use super::host::Shared;
use super::{greeting, trouble};
use crate::core::connection::{Connection, Hello, Trouble};
use crate::core::event::{Failure, FailureKind};
use crate::remote::Request;
use crate::remote::kept::backoff::Backoff;
use crate::remote::kept::trouble::passing;
use crate::remote::powershell::words::skew;
use crate::remote::sanitise::clean_short;

/// Refusals in a row of a machine that worked before, after which a person is asked: a domain controller may be away for a
/// moment, but an account may be locked.
const MAX_REFUSALS: u32 = 3;

/// What `GREET` answers.
#[derive(Deserialize)]
struct Greeting {
    host: String,
    ps: String,
    lang: String,
    pid: u32,
    utc: Option<String>,
    boot: Option<String>,
}

/// Why nobody answered.
enum Deaf {
    /// No session, or it broke.
    Session(Broken),
    /// Another failure, on the way or there.
    Failed(Failure),
}

/// What was so far.
struct Course {
    waits: Backoff,
    worked: bool,
    refusals: u32,
    boot: Option<String>,
}

/// Until it is given up.
pub async fn keep(shared: Arc<Shared>) {
    let mut way = shared.through.connection();
    let waits = Backoff::new(&shared.config.times.backoff);
    let mut course = Course { waits, worked: false, refusals: 0, boot: None };
    loop {
        let there = way.borrow_and_update().clone();
        let next = match there {
            Connection::Ready(_) => shared.look(&mut course).await,
            Connection::Trouble(t) => {
                shared.tell(Connection::Trouble(trouble::away(&shared.config, &t)));
                None
            }
            Connection::Idle | Connection::Connecting => {
                // What was wrong stays until something better is known.
                if !matches!(*shared.connection.borrow(), Connection::Trouble(_)) {
                    shared.tell(Connection::Connecting);
                }
                None
            }
        };
        let pause = async {
            match next {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = way.changed() => if changed.is_err() { return },
            () = shared.look.notified() => {}
            () = pause => {}
        }
    }
}

impl Shared {
    /// Looks whether it lives. Gives when to look again; `None`: when somebody asks for it.
    async fn look(&self, course: &mut Course) -> Option<Duration> {
        let times = &self.config.times;
        let ready = self.connection.borrow().is_ready();
        let suspect = self.suspect.swap(false, Ordering::Relaxed);
        if ready && !suspect && self.busy.load(Ordering::Relaxed) > 0 {
            // The answer to what is under way tells.
            return Some(times.ping);
        }
        let within = if ready { times.dead } else { times.hello };
        match self.hello(within, !ready).await {
            Ok((hello, boot)) => {
                if course.boot.is_some() && boot.is_some() && course.boot != boot {
                    tracing::info!(host = self.config.name, ?boot, "it started again");
                }
                course.waits.reset();
                (course.worked, course.refusals, course.boot) = (true, 0, boot);
                if !ready {
                    self.tell(Connection::Ready(hello));
                }
                Some(times.ping)
            }
            Err(deaf) => {
                if !self.through.connection().borrow().is_ready() {
                    // That one is away: its own words come next.
                    return None;
                }
                let trouble = self.judge(deaf, course);
                tracing::info!(host = self.config.name, kind = ?trouble.kind, "{}", trouble.message);
                let stop = trouble.kind.needs_person();
                self.tell(Connection::Trouble(trouble));
                (!stop).then(|| course.waits.next_wait())
            }
        }
    }

    fn judge(&self, deaf: Deaf, course: &mut Course) -> Trouble {
        let trouble = match deaf {
            Deaf::Session(broken) => trouble::session(&self.config, &broken, course.worked),
            Deaf::Failed(f) if matches!(f.kind, FailureKind::Threw | FailureKind::Misshapen) => {
                trouble::greeting(&self.config, &f)
            }
            Deaf::Failed(f) => trouble::silent(&self.config, &f, course.worked),
        };
        if !trouble.kind.needs_person() || !course.worked {
            return trouble;
        }
        course.refusals += 1;
        if course.refusals >= MAX_REFUSALS { trouble } else { passing(trouble) }
    }

    /// Asks who is there; twice where the first answer waited for a session, which tells no time.
    async fn hello(&self, within: Duration, twice: bool) -> Result<(Hello, Option<String>), Deaf> {
        if twice {
            match self.greet(within).await {
                // What was kept from before a restart is found broken once: then it is opened anew.
                Ok(_) | Err(Deaf::Session(Broken { stage: Stage::Run, .. })) => {}
                Err(deaf) => return Err(deaf),
            }
        }
        let before = Timestamp::now();
        let found = self.greet(within).await?;
        let skew_ms = found.utc.as_deref().and_then(|utc| skew(utc, before, Timestamp::now())).unwrap_or(0);
        let hello = Hello {
            host: clean_short(&found.host, 64),
            ps: clean_short(&found.ps, 40),
            language: clean_short(&found.lang, 40),
            pid: found.pid,
            skew_ms,
            via: self.config.via(),
            second_hop: false,
        };
        Ok((hello, found.boot))
    }

    async fn greet(&self, timeout: Duration) -> Result<Greeting, Deaf> {
        let request = Request { timeout, ..greeting() };
        let (said, _) = mpsc::channel(1);
        let heard = self.ask(&request, said).await;
        if let Some(broken) = heard.broken {
            return Err(Deaf::Session(broken));
        }
        let record = heard.reply.record().map_err(Deaf::Failed)?;
        serde_json::from_value(record).map_err(|e| {
            let message = format!("its greeting cannot be read: {e}");
            Deaf::Failed(Failure { kind: FailureKind::Misshapen, id: None, message, at: None })
        })
    }
}
