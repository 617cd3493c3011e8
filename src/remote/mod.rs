//! Machines: a request goes to one machine's PowerShell, its answer comes back. How it travels is the business of each
//! implementation; nothing above knows.

pub mod detached;
pub mod kept;
pub mod openssh;
pub mod powershell;
pub mod probes;
pub mod remoting;
pub mod sanitise;
pub mod sim;
pub mod ssh;
pub mod tap;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::{mpsc, watch};

use crate::core::connection::Connection;
use crate::core::event::{Failure, FailureKind};
pub use crate::core::log::Level;

/// A future that may be awaited on any thread.
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One script to run on one machine.
#[derive(Clone)]
pub struct Request {
    /// Path of the script in its runbook, for logs and messages.
    pub name: String,
    /// Prelude and body, ASCII.
    pub script: Arc<str>,
    /// What the script sees as `$arg`. It may hold secrets: it is never logged and does not print.
    pub args: Json,
    /// Real time after which the script is stopped and its answer is *could not tell*.
    pub timeout: Duration,
    /// Takes minutes: gets a channel of its own.
    pub slow: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("name", &self.name).field("slow", &self.slow).finish_non_exhaustive()
    }
}

/// What a script gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The objects it put out, in order.
    pub results: Vec<Json>,
    /// Whether it ran to its end.
    pub end: Result<(), Failure>,
    /// From the request being sent to its end.
    pub took: Duration,
}

impl Reply {
    /// The one record that every script of a runbook gives.
    ///
    /// # Errors
    /// It failed, or gave none, or several.
    pub fn record(self) -> Result<Json, Failure> {
        self.end?;
        let mut results = self.results;
        match results.len() {
            1 => Ok(results.remove(0)),
            n => Err(Failure {
                kind: FailureKind::Misshapen,
                id: None,
                message: format!("the script gave {n} objects instead of one record"),
                at: None,
            }),
        }
    }
}

/// What a machine says while a script runs, or by itself. Cleaned: no control characters, bounded length.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub level: Level,
    pub text: String,
}

/// Part of a file on a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub bytes: Vec<u8>,
    /// Size of the whole file when it was read.
    pub size: u64,
}

/// One machine that can be talked to. Cheap to clone behind an `Arc`; every call may be made from any task.
pub trait Host: Send + Sync {
    /// Starts connecting, and keeps the connection until `close`: lost ones are made again where that can help.
    fn open(&self);

    /// The connection, as it changes.
    fn connection(&self) -> watch::Receiver<Connection>;

    /// From the next connection on, everything that its PowerShells print goes there too, as it comes.
    fn listen(&self, to: Arc<dyn tap::Tap>) {
        // Nothing is printed where nothing runs.
        let _ = to;
    }

    /// Runs one script. Lines that it says go to `said` as they come; a full channel slows the script down, nothing is
    /// lost. Dropping the future stops the script where the transport can.
    fn run(&self, request: Request, said: mpsc::Sender<Said>) -> Boxed<Reply>;

    /// Reads at most `max` bytes of a file from an offset.
    fn read_file(&self, path: &str, offset: u64, max: usize) -> Boxed<Result<Chunk, Failure>>;

    /// Ends every worker and the connection.
    fn close(&self) -> Boxed<()>;
}
