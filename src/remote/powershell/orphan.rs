//! Scripts that outlived their connection.
//!
//! A cut connection does not stop a running script, and one that spins keeps a core for ever: the first thing after a
//! reconnect is to look for its process and end it (lab/reads/transport.md). A process id alone proves nothing after a
//! restart, so name and start time are compared first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::mpsc;

use super::process::{Launch, Limits};
use super::worker::{Greeting, Outcome, Worker};
use crate::remote::Request;

/// Gives name and start of a process.
pub const SCRIPT: &str = include_str!("../../../config/remote/process.ps1");
/// How far two readings of one process's start may lie apart.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(20);

/// A worker that has a script in hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    pub pid: u32,
    /// The machine's clock when the worker said hello; `None` where it could not be read.
    hello: Option<Timestamp>,
    /// How long it took to start.
    took: Duration,
}

impl Running {
    pub fn new(greeting: &Greeting) -> Running {
        Running { pid: greeting.hello.pid, hello: greeting.hello.utc.parse().ok(), took: greeting.took }
    }

    /// Whether the process with our id is ours: one that had the id at our hello began before it, and not long before.
    fn is(&self, name: &str, start: Timestamp) -> bool {
        let name = name.to_ascii_lowercase();
        let Some(hello) = self.hello else { return false };
        let took = SignedDuration::try_from(self.took).unwrap_or(SignedDuration::ZERO);
        matches!(name.as_str(), "powershell" | "pwsh")
            && start <= hello + TOLERANCE
            && start >= hello - took - SignedDuration::from_secs(30)
    }
}

/// The workers of one machine that have a script in hand, over all its connections.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Vec<Running>>>);

impl Ledger {
    fn with<T>(&self, f: impl FnOnce(&mut Vec<Running>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A script is about to be sent.
    pub fn began(&self, running: &Running) {
        self.with(|all| all.push(running.clone()));
    }

    /// Its end was seen.
    pub fn ended(&self, running: &Running) {
        self.with(|all| all.retain(|r| r != running));
    }

    /// Those whose end was not seen.
    pub fn open(&self) -> Vec<Running> {
        self.with(|all| all.clone())
    }
}

/// Looks for the processes whose end was not seen, through a worker that has just come up, and ends those that live.
pub async fn end_orphans(worker: &mut Worker, ledger: &Ledger, launch: &dyn Launch, limits: &Limits) {
    for running in ledger.open() {
        match is_alive(worker, &running, limits).await {
            Ok(false) => ledger.ended(&running),
            Ok(true) => match launch.kill(running.pid).await {
                Ok(()) => {
                    tracing::info!(pid = running.pid, "ended a script that had outlived its connection");
                    ledger.ended(&running);
                }
                Err(why) => {
                    tracing::warn!(pid = running.pid, why, "could not end a script that outlived its connection")
                }
            },
            Err(why) => tracing::warn!(pid = running.pid, why, "could not look for a script that may run on"),
        }
    }
}

async fn is_alive(worker: &mut Worker, running: &Running, limits: &Limits) -> Result<bool, String> {
    let request = Request {
        name: "process".into(),
        script: SCRIPT.replace("\r\n", "\n").into(),
        args: json!({ "pid": running.pid }),
        timeout: TIMEOUT,
        slow: false,
    };
    let (said, _) = mpsc::channel(1);
    let Outcome::Done(reply) = worker.run(&request, &said, limits, std::future::pending()).await else {
        return Err("the worker did not answer".into());
    };
    reply.end.map_err(|f| f.message)?;
    let Some(found) = reply.results.first() else { return Ok(false) };
    let name = found["name"].as_str().unwrap_or_default();
    let start = found["start"].as_str().and_then(|s| s.parse().ok()).ok_or("its start time cannot be read")?;
    Ok(running.is(name, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_process_is_ours() {
        let at = |s: &str| s.parse::<Timestamp>().expect("time");
        let ours = Running { pid: 7, hello: Some(at("2025-06-14T08:00:10Z")), took: Duration::from_secs(4) };
        assert!(ours.is("powershell", at("2025-06-14T08:00:06.1234567Z")));
        assert!(ours.is("PowerShell", at("2025-06-14T08:00:11Z")));
        assert!(!ours.is("lsass", at("2025-06-14T08:00:06Z")), "another program");
        assert!(!ours.is("powershell", at("2025-06-14T08:20:00Z")), "began after our hello");
        assert!(!ours.is("powershell", at("2025-06-14T07:00:00Z")), "began long before it");
        assert!(!Running { hello: None, ..ours }.is("powershell", at("2025-06-14T08:00:06Z")));
    }

    #[test]
    fn the_ledger_knows_what_is_open() {
        let ledger = Ledger::default();
        let one = Running { pid: 1, hello: None, took: Duration::ZERO };
        let two = Running { pid: 2, ..one.clone() };
        ledger.began(&one);
        ledger.began(&two);
        ledger.ended(&one);
        assert_eq!(ledger.open(), [two]);
    }

    #[test]
    fn the_script_is_powershell() {
        let mut parser = tree_sitter::Parser::new();
        parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("grammar");
        assert!(SCRIPT.is_ascii() && !parser.parse(SCRIPT, None).expect("tree").root_node().has_error());
    }
}
