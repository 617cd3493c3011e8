//! The thread that all connections live on.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};

use super::config::SshConfig;
use super::dial::look;
use super::host::SshHost;
use super::hostkey::HostKey;
use super::known_hosts::{Verdict, line_for};
use super::limiter::Limiter;
use super::trail::Leg;
use super::walk::{Walked, walk};
use crate::core::connection::{Trouble, TroubleKind};

/// Threads for logins at most; the limiter lets fewer through.
const BLOCKING: usize = 64;
/// How long blocking calls may take to end with the runtime.
const FAREWELL: Duration = Duration::from_millis(500);

/// One thread with a runtime of its own: a slow screen or disk does not delay a connection, and no handshake delays a key.
///
/// It lives as long as this or one of its hosts, and then ends what still runs; close the hosts first, so that their workers end.
#[derive(Debug)]
pub struct SshRuntime {
    thread: Arc<Thread>,
    limiter: Arc<Limiter>,
}

/// Held by whoever needs it to run.
#[derive(Debug)]
pub(super) struct Thread {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    join: Option<JoinHandle<()>>,
}

/// What a machine shows at a first look.
#[derive(Clone, Debug, PartialEq)]
pub struct Scanned {
    pub key: HostKey,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// What to append to a known_hosts file to trust it.
    pub line: String,
    /// What the files say about it now.
    pub verdict: Verdict,
}

impl SshRuntime {
    /// # Errors
    /// The system gives no thread or no event queue.
    pub fn start() -> io::Result<SshRuntime> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(BLOCKING)
            .thread_keep_alive(Duration::from_secs(5))
            .thread_name("ssh login")
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let join = std::thread::Builder::new().name("ssh".into()).spawn(move || {
            let _ = runtime.block_on(stopped);
            runtime.shutdown_timeout(FAREWELL);
        })?;
        let thread = Arc::new(Thread { handle, stop: Some(stop), join: Some(join) });
        Ok(SshRuntime { thread, limiter: Arc::default() })
    }

    /// A machine; it connects when it is opened.
    pub fn host(&self, config: SshConfig) -> SshHost {
        SshHost::new(config, self.limiter.clone(), self.thread.clone())
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
            let line = line_for(&config.target.known_name(), &greeted.key);
            Ok(Scanned { fingerprint: greeted.key.fingerprint(), line, verdict, key: greeted.key })
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

impl Thread {
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.handle.spawn(task)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(join) = self.join.take() {
            let _ = join.join();
        }
    }
}
