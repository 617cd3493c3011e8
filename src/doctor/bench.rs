//! A PowerShell that is tried out, wherever it runs.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::sync::mpsc;

use crate::core::event::{Failure, FailureKind};
use crate::remote::Request;
use crate::remote::powershell::worker::{Outcome as Ran, Worker};
use crate::remote::ssh::Walked;

/// Questions whose time is taken.
pub const ROUND_TRIPS: usize = 5;

/// Takes one script after the other.
pub trait Asks: Send {
    /// It can be asked once more.
    fn is_up(&self) -> bool;

    /// The record of a script.
    fn record(&mut self, request: Request) -> impl Future<Output = Result<Json, Failure>> + Send;

    /// From a question to its answer, some times, sorted; what is not answered any more is missing.
    fn round_trips(&mut self) -> impl Future<Output = Vec<Duration>> + Send;
}

/// The record of a script, in the shape that it has.
///
/// # Errors
/// It failed, or has another shape.
pub async fn ask<T: DeserializeOwned>(bench: &mut impl Asks, request: Request) -> Result<T, Failure> {
    let name = request.name.clone();
    serde_json::from_value(bench.record(request).await?)
        .map_err(|e| failure(FailureKind::Misshapen, format!("{name}: its answer cannot be read: {e}")))
}

/// A PowerShell of our own, on a connection of our own.
pub struct Bench<'a> {
    walked: &'a Walked,
    /// `None` = it ended, or cannot be trusted any more.
    worker: Option<Worker>,
    pid: u32,
}

impl<'a> Bench<'a> {
    pub fn new(walked: &'a Walked, worker: Worker, pid: u32) -> Self {
        Self { walked, worker: Some(worker), pid }
    }

    pub async fn close(mut self) {
        if let Some(worker) = &mut self.worker {
            worker.close().await;
            let _ = worker.end(self.walked.limits().idle_grace).await;
        }
    }
}

impl Asks for Bench<'_> {
    fn is_up(&self) -> bool {
        self.worker.is_some()
    }

    async fn record(&mut self, request: Request) -> Result<Json, Failure> {
        let limits = self.walked.limits();
        let Some(worker) = &mut self.worker else {
            return Err(failure(FailureKind::NotSent, "PowerShell has ended".into()));
        };
        // Nobody listens to what it says meanwhile.
        let (said, _) = mpsc::channel(1);
        let ended = match worker.run(&request, &said, limits, std::future::pending()).await {
            Ran::Done(reply) => return reply.record(),
            Ran::Exited(reply) => reply.end.err(),
            Ran::Died(failure) => Some(failure),
            Ran::Overdue(_) | Ran::Dropped | Ran::TooMuch => {
                let _ = self.walked.kill(self.pid).await;
                let seconds = request.timeout.as_secs();
                Some(failure(FailureKind::TimedOut, format!("{} did not end within {seconds} s", request.name)))
            }
        };
        self.worker = None;
        Err(ended.unwrap_or_else(|| failure(FailureKind::Indeterminate, "PowerShell ended".into())))
    }

    async fn round_trips(&mut self) -> Vec<Duration> {
        let limits = self.walked.limits();
        let mut out = Vec::new();
        while let Some(worker) = self.worker.as_mut().filter(|_| out.len() < ROUND_TRIPS) {
            match worker.round_trip(limits).await {
                Ok(took) => out.push(took),
                Err(_) => self.worker = None,
            }
        }
        out.sort();
        out
    }
}

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, id: None, message, at: None }
}
