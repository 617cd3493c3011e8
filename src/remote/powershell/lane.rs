//! A queue of requests with a worker behind it, which is started, replaced and ended as needed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::orphan::{Ledger, Running};
use super::process::{Ending, Launch, Limits};
use super::words::failure;
use super::worker::{Greeting, Outcome, StartFailure, Worker};
use crate::core::event::{Failure, FailureKind};
use crate::remote::{Reply, Request, Said};

/// Requests that may wait in front of one worker.
pub const QUEUE: usize = 64;
/// Scripts in a row without an end, after which what waits behind them is not tried: a machine that hangs would take the
/// time-out of each.
const HANGS: u32 = 2;

/// A request on its way. Its script is stopped when the receiver of `reply` is dropped.
#[derive(Debug)]
pub struct Job {
    pub request: Request,
    pub said: mpsc::Sender<Said>,
    pub reply: oneshot::Sender<Reply>,
}

/// What a lane works with.
#[derive(Clone)]
pub struct Means {
    pub launch: Arc<dyn Launch>,
    pub limits: Limits,
    pub ledger: Ledger,
    /// True: everything that runs is to be ended.
    pub closing: watch::Receiver<bool>,
}

/// Serves requests until all senders are gone, beginning with a worker that is up already. One that dies without a request is
/// replaced at once, so that a machine counts as ready only while its PowerShell answers; each new one is told to `greetings`.
///
/// # Errors
/// No worker comes up any more.
pub async fn quick(
    means: Means,
    mut jobs: mpsc::Receiver<Job>,
    first: Worker,
    greetings: watch::Sender<Greeting>,
) -> Result<(), StartFailure> {
    let running = Running::new(&greetings.borrow());
    let mut crew = Crew { means, overdue: 0, worker: Some((first, running)), greetings: Some(greetings) };
    let result = crew.serve_always(&mut jobs).await;
    crew.refuse_all(jobs, result.as_ref().err());
    crew.end().await;
    result
}

/// Serves requests until all senders are gone; the worker is started by the first one and ends when idle for long. A worker
/// that does not come up is the failure of that one request.
pub async fn slow(means: Means, mut jobs: mpsc::Receiver<Job>) {
    let mut crew = Crew { means, overdue: 0, worker: None, greetings: None };
    crew.serve_at_times(&mut jobs).await;
    crew.refuse_all(jobs, None);
    crew.end().await;
}

struct Crew {
    means: Means,
    /// Scripts in a row that did not end in time.
    overdue: u32,
    worker: Option<(Worker, Running)>,
    greetings: Option<watch::Sender<Greeting>>,
}

impl Crew {
    async fn serve_always(&mut self, jobs: &mut mpsc::Receiver<Job>) -> Result<(), StartFailure> {
        loop {
            let worker = self.fresh().await?;
            let job = tokio::select! {
                biased;
                () = worker.idle() => {
                    self.end().await;
                    continue;
                }
                job = jobs.recv() => job,
            };
            let Some(job) = job else { return Ok(()) };
            self.serve(job).await?;
            self.give_up(jobs);
        }
    }

    async fn serve_at_times(&mut self, jobs: &mut mpsc::Receiver<Job>) {
        loop {
            let idle = self.means.limits.slow_idle;
            let job = match &mut self.worker {
                None => jobs.recv().await,
                Some((worker, _)) => tokio::select! {
                    biased;
                    () = worker.idle() => {
                        self.end().await;
                        continue;
                    }
                    job = tokio::time::timeout(idle, jobs.recv()) => match job {
                        Ok(job) => job,
                        Err(_) => {
                            self.end().await;
                            continue;
                        }
                    },
                },
            };
            let Some(job) = job else { return };
            let _ = self.serve(job).await;
            self.give_up(jobs);
        }
    }

    /// Answers everything that waits on a machine that hangs; what comes later is tried again.
    fn give_up(&mut self, jobs: &mut mpsc::Receiver<Job>) {
        if self.overdue < HANGS {
            return;
        }
        self.overdue = 0;
        while let Ok(job) = jobs.try_recv() {
            let message = format!("not sent: {HANGS} scripts in a row before it did not end in time");
            let end = Err(failure(FailureKind::TimedOut, message));
            let _ = job.reply.send(Reply { results: Vec::new(), end, took: Duration::ZERO });
        }
    }

    /// The worker, up and not due.
    async fn fresh(&mut self) -> Result<&mut Worker, StartFailure> {
        if self.worker.as_ref().is_some_and(|(w, _)| w.is_due(&self.means.limits)) {
            self.end().await;
        }
        if self.worker.is_none() {
            let (worker, greeting) = Worker::start(&*self.means.launch, &self.means.limits).await?;
            self.worker = Some((worker, Running::new(&greeting)));
            if let Some(greetings) = &self.greetings {
                greetings.send_replace(greeting);
            }
        }
        match &mut self.worker {
            Some((worker, _)) => Ok(worker),
            None => Err(StartFailure::Refused("no worker".into())),
        }
    }

    async fn serve(&mut self, mut job: Job) -> Result<(), StartFailure> {
        for last in [false, true] {
            if *self.means.closing.borrow() {
                refuse(job, None);
                return Ok(());
            }
            if job.reply.is_closed() {
                return Ok(());
            }
            if let Err(why) = self.fresh().await {
                refuse(job, Some(&why));
                return Err(why);
            }
            let Some((worker, running)) = &mut self.worker else { return Ok(()) };
            self.means.ledger.began(running);
            let mut closing = self.means.closing.clone();
            let cancel = async {
                tokio::select! {
                    () = job.reply.closed() => {}
                    _ = closing.wait_for(|c| *c) => {}
                }
            };
            let started = tokio::time::Instant::now();
            let outcome = worker.run(&job.request, &job.said, &self.means.limits, cancel).await;
            let reply = |results, end| Reply { results, end, took: started.elapsed() };
            let reply = match outcome {
                Outcome::Done(answer) => {
                    self.overdue = 0;
                    self.means.ledger.ended(running);
                    answer
                }
                Outcome::Exited(mut answer) => {
                    let code = self.end().await.and_then(|e| e.code);
                    if let (Some(code), Err(f)) = (code.filter(|c| *c != 0), &mut answer.end) {
                        f.message.push_str(&format!("; exit code {code}"));
                    }
                    answer
                }
                Outcome::Overdue(results) => {
                    self.overdue += 1;
                    let after = format!("did not end within {} s", job.request.timeout.as_secs_f32());
                    reply(results, Err(self.stop(&after, FailureKind::TimedOut).await))
                }
                Outcome::Dropped => {
                    reply(Vec::new(), Err(self.stop("was given up", FailureKind::Indeterminate).await))
                }
                Outcome::TooMuch => {
                    reply(Vec::new(), Err(self.stop("put out too much", FailureKind::Misshapen).await))
                }
                Outcome::Died(f) if f.kind == FailureKind::NotSent && !last => {
                    self.end().await;
                    continue;
                }
                Outcome::Died(f) => {
                    // A broken connection says nothing of the process: it stays in the ledger.
                    self.end().await;
                    reply(Vec::new(), Err(f))
                }
            };
            let _ = job.reply.send(reply);
            return Ok(());
        }
        Ok(())
    }

    /// Ends the worker under a running script, and says how that went.
    async fn stop(&mut self, what: &str, kind: FailureKind) -> Failure {
        let pid = self.worker.as_ref().map(|(w, _)| w.pid()).unwrap_or_default();
        match self.end_within(self.means.limits.close_grace).await {
            Some(ending) if ending.lost.is_none() => {
                failure(kind, format!("the script {what} and was stopped (process {pid})"))
            }
            Some(Ending { lost: Some(why), .. }) => failure(
                FailureKind::Indeterminate,
                format!("the script {what}; before it could be stopped the connection was lost: {why}"),
            ),
            _ => failure(
                FailureKind::Indeterminate,
                format!("the script {what} and could not be stopped: process {pid} may run on"),
            ),
        }
    }

    /// Ends a worker that has nothing to do.
    async fn end(&mut self) -> Option<Ending> {
        self.end_within(self.means.limits.idle_grace).await
    }

    /// Ends the worker: closes its input, then kills it. `None`: its end was not seen.
    async fn end_within(&mut self, grace: Duration) -> Option<Ending> {
        let (mut worker, running) = self.worker.take()?;
        let kill_grace = self.means.limits.kill_grace;
        worker.close().await;
        let mut ending = worker.end(grace).await;
        if ending.is_none() {
            if let Err(why) = self.means.launch.kill(worker.pid()).await {
                tracing::warn!(pid = worker.pid(), why, "could not end a worker");
            }
            ending = worker.end(kill_grace).await;
        }
        if ending.as_ref().is_some_and(|e| e.lost.is_none()) {
            self.means.ledger.ended(&running);
        }
        ending
    }

    fn refuse_all(&self, mut jobs: mpsc::Receiver<Job>, why: Option<&StartFailure>) {
        jobs.close();
        while let Ok(job) = jobs.try_recv() {
            refuse(job, why);
        }
    }
}

fn refuse(job: Job, why: Option<&StartFailure>) {
    let message = match why {
        None => "the connection was closed".to_owned(),
        Some(StartFailure::Lost(why)) => format!("the connection was lost: {why}"),
        Some(StartFailure::Refused(why)) => format!("PowerShell could not be started: {why}"),
        Some(StartFailure::Silent { .. }) => "PowerShell does not answer".to_owned(),
        Some(StartFailure::Garbage(seen)) => format!("not PowerShell: {seen}"),
    };
    let reply =
        Reply { results: Vec::new(), end: Err(failure(FailureKind::NotSent, message)), took: Duration::ZERO };
    let _ = job.reply.send(reply);
}
