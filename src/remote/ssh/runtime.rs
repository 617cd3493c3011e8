//! Hosts over libssh2, and a first look at their keys.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::config::SshConfig;
use super::dial::{dial, look};
use super::hostkey::HostKey;
use super::known_hosts::{Known, Verdict, line_for};
use super::trail::{Leg, Trail};
use super::walk::{Walked, walk};
use crate::core::connection::{Trouble, TroubleKind};
use crate::remote::Boxed;
use crate::remote::kept::{Dialled, KeptHost, Limiter, Thread, Times, Way};
use crate::remote::powershell::process::Limits;

/// Makes hosts whose connections live on one thread.
#[derive(Debug)]
pub struct SshRuntime {
    thread: Arc<Thread>,
    limiter: Arc<Limiter>,
}

/// What a machine shows at a first look.
#[derive(Clone, Debug, PartialEq)]
pub struct Scanned {
    pub key: HostKey,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// What to append to a known_hosts file to trust it.
    pub line: String,
    /// What known_hosts files call the machine.
    pub name: String,
    /// What the files say about it now.
    pub verdict: Verdict,
    /// Other keys that they know the machine by.
    pub others: Vec<Known>,
}

impl SshRuntime {
    /// # Errors
    /// The system gives no thread or no event queue.
    pub fn start() -> io::Result<SshRuntime> {
        Ok(SshRuntime::on(Thread::start()?))
    }

    /// On a thread that others use too.
    pub fn on(thread: Arc<Thread>) -> SshRuntime {
        SshRuntime { thread, limiter: Arc::default() }
    }

    /// A machine; it connects when it is opened.
    pub fn host(&self, config: SshConfig) -> KeptHost {
        KeptHost::new(Arc::new(SshWay { config, limiter: self.limiter.clone() }), self.thread.clone())
    }

    /// Asks a machine for its host key, by a handshake without a login. Machines on the way are logged in to.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn scan(&self, config: SshConfig) -> Result<Scanned, Trouble> {
        let limiter = self.limiter.clone();
        let task = self.thread.spawn(async move {
            let greeted = look(&config, &limiter).await?;
            let verdict = greeted.verdict(&config.target);
            let name = config.target.known_name();
            let (line, others) = (line_for(&name, &greeted.key), greeted.others(&config.target));
            Ok(Scanned { fingerprint: greeted.key.fingerprint(), line, name, verdict, others, key: greeted.key })
        });
        task.await.unwrap_or_else(|e| Err(broken_off("look", &e)))
    }

    /// Connects and logs in, once; every leg is told as it is passed.
    ///
    /// # Errors
    /// What stopped it.
    pub async fn walk(&self, config: SshConfig, legs: mpsc::UnboundedSender<Leg>) -> Result<Walked, Trouble> {
        let limiter = self.limiter.clone();
        let task = self.thread.spawn(async move { walk(config, &limiter, legs).await });
        task.await.unwrap_or_else(|e| Err(broken_off("walk", &e)))
    }
}

fn broken_off(what: &str, e: &tokio::task::JoinError) -> Trouble {
    let message = format!("the {what} broke off ({e})");
    Trouble { kind: TroubleKind::Unreachable, message, remedy: "Try again.".to_owned() }
}

/// One machine and the way to it.
struct SshWay {
    config: SshConfig,
    limiter: Arc<Limiter>,
}

impl Way for SshWay {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn at(&self) -> String {
        self.config.target.to_string()
    }

    fn times(&self) -> &Times {
        &self.config.times
    }

    fn limits(&self) -> &Limits {
        &self.config.limits
    }

    fn dial(self: Arc<Self>) -> Boxed<Result<Dialled, Trouble>> {
        Box::pin(async move { dial(&self.config, &self.limiter, &Trail::default()).await })
    }
}
