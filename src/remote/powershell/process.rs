//! What a transport must be able to do for a worker: start a process with three pipes, and end one.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use crate::remote::Boxed;

/// A started process. Dropping it closes its pipes and does not end it (powershell-over-ssh 2.7).
pub struct Process {
    /// Shut down and dropped = end of input.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    /// Told once, after both outputs have ended.
    pub ending: oneshot::Receiver<Ending>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Process")
    }
}

/// How a process ended, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Exit code; `None` where none came. A hint, never a proof (powershell-over-ssh 0.3).
    pub code: Option<i32>,
    /// The connection to it broke, and why: the process itself may run on.
    pub lost: Option<String>,
}

/// Why a process could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The machine said no; the connection is fine.
    Refused(String),
    /// The connection is gone.
    Lost(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Refused(why) | StartError::Lost(why) => f.write_str(why),
        }
    }
}

/// A machine that processes can be started on.
pub trait Launch: Send + Sync {
    /// Starts a command line.
    fn start(&self, command: String) -> Boxed<Result<Process, StartError>>;

    /// Ends a process and all it started, by a way that does not depend on the worker. The error says what the machine said.
    fn kill(&self, pid: u32) -> Boxed<Result<(), String>>;
}

/// Times and sizes of workers (powershell-over-ssh 15).
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the start of PowerShell to its hello. Windows may need ten seconds for a cold start.
    pub hello: Duration,
    /// After its input was closed, the time an idle worker has to end by itself,
    pub idle_grace: Duration,
    /// and one that is stuck in a script.
    pub close_grace: Duration,
    /// After it was killed, the time until its end must have been seen.
    pub kill_grace: Duration,
    /// A worker is replaced after so many requests,
    pub max_requests: u32,
    /// or at this age.
    pub max_age: Duration,
    /// A worker for slow requests ends after so long without one.
    pub slow_idle: Duration,
    /// Most objects of one script.
    pub max_objects: u32,
    /// Most bytes of objects of one script.
    pub max_reply: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            hello: Duration::from_secs(60),
            idle_grace: Duration::from_secs(5),
            close_grace: Duration::from_millis(500),
            kill_grace: Duration::from_secs(5),
            max_requests: 2_000,
            max_age: Duration::from_secs(24 * 3600),
            // Who signed in to Azure there is signed in for as long as it lives: from the checks to the start of the run.
            slow_idle: Duration::from_secs(4 * 3600),
            max_objects: 50_000,
            max_reply: 64 << 20,
        }
    }
}
