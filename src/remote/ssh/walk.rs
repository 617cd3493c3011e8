//! One connection, made once and looked at from all sides: nothing is tried again, nothing runs by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::config::SshConfig;
use super::dial::dial;
use super::trail::{Leg, Trail};
use crate::core::connection::Trouble;
use crate::core::event::Failure;
use crate::remote::Chunk;
use crate::remote::kept::trouble;
use crate::remote::kept::{Limiter, Line};
use crate::remote::powershell::process::{Launch, Limits, Process, StartError};
use crate::remote::powershell::worker::{Greeting, Worker};
use crate::remote::sanitise::clean_short;

/// What is kept of a command's answer, in bytes.
const ANSWER: u64 = 4 << 10;

/// A connection that is logged in. It ends when this is dropped.
pub struct Walked {
    line: Arc<dyn Line>,
    /// Host and port.
    at: String,
    limits: Limits,
}

impl Walked {
    pub(in crate::remote) fn new(line: Arc<dyn Line>, at: String, limits: Limits) -> Walked {
        Walked { line, at, limits }
    }

    /// Starts a command line in the login shell.
    ///
    /// # Errors
    /// The machine starts nothing, or the connection is gone.
    pub async fn start(&self, command: &str) -> Result<Process, StartError> {
        self.line.start(command.to_owned()).await
    }

    /// Runs a command line in the login shell. Gives what it says on both outputs, cleaned, as one line.
    ///
    /// # Errors
    /// It could not be started, or said nothing in time.
    pub async fn ask_shell(&self, command: &str, within: Duration) -> Result<String, String> {
        let ask = async {
            let process = self.start(command).await.map_err(|e| e.to_string())?;
            drop(process.stdin);
            let (mut out, mut errors) = (Vec::new(), Vec::new());
            let (mut stdout, mut stderr) = (process.stdout.take(ANSWER), process.stderr.take(ANSWER));
            let _ = tokio::join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut errors));
            out.extend_from_slice(&errors);
            let words: Vec<String> =
                String::from_utf8_lossy(&out).split_whitespace().map(|w| clean_short(w, 200)).collect();
            Ok(clean_short(&words.join(" "), 400))
        };
        timeout(within, ask).await.unwrap_or_else(|_| Err(format!("no answer within {} s", within.as_secs())))
    }

    /// Starts a PowerShell.
    ///
    /// # Errors
    /// What a person should know.
    pub async fn powershell(&self) -> Result<(Worker, Greeting), Trouble> {
        let launch: &dyn Launch = &*self.line;
        let started = Worker::start(launch, &self.limits).await;
        started.map_err(|why| trouble::once(trouble::powershell(&self.at, &why)))
    }

    /// Ends a process that does not end by itself.
    ///
    /// # Errors
    /// What the machine said.
    pub async fn kill(&self, pid: u32) -> Result<(), String> {
        self.line.kill(pid).await
    }

    /// Reads a piece of a file over SFTP.
    ///
    /// # Errors
    /// No SFTP there (`sftp:Refused`), no such file, or the connection is gone.
    pub async fn read(&self, path: &str, max: usize) -> Result<Chunk, Failure> {
        self.line.read(path.to_owned(), 0, max).await
    }

    /// Times and sizes of its PowerShells.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Walks the whole way once; each leg is told when it is behind us.
///
/// # Errors
/// What stopped it: the leg that was not told.
pub(super) async fn walk(
    config: SshConfig,
    limiter: &Limiter,
    legs: mpsc::UnboundedSender<Leg>,
) -> Result<Walked, Trouble> {
    let dialled = dial(&config, limiter, &Trail::new(legs)).await.map_err(trouble::once)?;
    Ok(Walked::new(dialled.line, config.target.to_string(), config.limits))
}
