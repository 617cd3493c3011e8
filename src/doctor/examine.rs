//! Walks the way to one machine, once, and tries what is needed there.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::judge;
use super::step::{Examination, Finding, Outcome, Step, StepId};
use crate::core::event::{Failure, FailureKind};
use crate::remote::Request;
use crate::remote::openssh::{OpenSsh, OpenSshConfig};
use crate::remote::powershell::worker::{Greeting, Outcome as Ran, Worker};
use crate::remote::probes::{self, Hop, Identity, Parsed, TaskRan};
use crate::remote::sanitise::clean_short;
use crate::remote::ssh::{Leg, Passed, SshConfig, SshRuntime, Walked};

/// How long the login shell may take to say its name: a cold `cmd.exe` on a busy machine.
const SHELL: Duration = Duration::from_secs(30);
/// Questions whose time is taken.
const ROUND_TRIPS: usize = 5;

/// A machine to be examined.
#[derive(Clone, Debug)]
pub struct Subject {
    pub name: String,
    /// `node` or `coordinator`.
    pub role: &'static str,
    /// Host and port.
    pub address: String,
    pub config: SshConfig,
    /// It is reached by the system's ssh instead.
    pub system: Option<(Arc<OpenSsh>, OpenSshConfig)>,
    /// A computer that it must be able to speak with; `None` = none.
    pub reaches: Option<String>,
    /// The run works under an account with credentials of its own.
    pub has_account: bool,
    pub task: Task,
    /// Every script that may be sent there: name and text.
    pub scripts: Arc<Vec<(String, Arc<str>)>>,
}

/// Whether a task is tried.
#[derive(Clone, Debug)]
pub enum Task {
    /// Not on this machine, and why.
    Elsewhere(String),
    /// It would change something, and nobody asked for it.
    NotAsked,
    /// As this account; empty = SYSTEM.
    Try { user: String, password: Option<SecretString> },
}

/// Examines one machine; each step is told when it begins.
pub async fn examine(subject: &Subject, ssh: &SshRuntime, tell: impl Fn(StepId)) -> Examination {
    let began = Instant::now();
    let mut chart = Chart { steps: Vec::new(), blocked: String::new(), tell };
    if let Some(walked) = way(subject, ssh, &mut chart).await {
        inside(subject, &walked, &mut chart).await;
    }
    Examination {
        machine: subject.name.clone(),
        role: subject.role,
        address: subject.address.clone(),
        steps: chart.complete(),
        took: began.elapsed(),
    }
}

/// What was found so far.
struct Chart<F> {
    steps: Vec<Step>,
    /// Why what is missing was not reached.
    blocked: String,
    tell: F,
}

impl<F: Fn(StepId)> Chart<F> {
    fn begin(&self, id: StepId) -> Instant {
        (self.tell)(id);
        Instant::now()
    }

    fn note(&mut self, id: StepId, at: impl Into<String>, took: Option<Duration>, finding: Finding) {
        self.steps.push(Step { id, finding, took, at: at.into() });
    }

    /// What comes after this one is not reached.
    fn block(&mut self, id: StepId) {
        self.blocked = format!("{} failed", id.title());
    }

    fn complete(mut self) -> Vec<Step> {
        for id in StepId::ALL {
            if !self.steps.iter().any(|s| s.id == id) {
                let said = format!("not reached: {}", self.blocked);
                let finding = Finding { outcome: Outcome::NotReached, said, remedy: None };
                self.note(id, "", None, finding);
            }
        }
        // Machines on the way stay in their order.
        self.steps.sort_by_key(|s| s.id);
        self.steps
    }
}

/// From the name to the login, through every machine on the way.
async fn way<F: Fn(StepId)>(subject: &Subject, ssh: &SshRuntime, chart: &mut Chart<F>) -> Option<Walked> {
    if let Some((openssh, config)) = &subject.system {
        return system_way(subject, openssh, config, chart).await;
    }
    let config = &subject.config;
    let mut way = Way { config, hops: 0, jump: Duration::ZERO, passed: None };
    let (to, mut legs) = mpsc::unbounded_channel();
    let mut walk = pin!(ssh.walk(config.clone(), to));
    let mut since = chart.begin(way.next());
    let walked = loop {
        tokio::select! {
            biased;
            Some(leg) = legs.recv() => {
                way.take(leg, chart);
                since = chart.begin(way.next());
            }
            walked = &mut walk => break walked,
        }
    };
    while let Ok(leg) = legs.try_recv() {
        way.take(leg, chart);
        since = Instant::now();
    }
    match walked {
        Ok(walked) => Some(walked),
        Err(trouble) => {
            let id = way.next();
            let finding = Finding::failed(trouble.message, trouble.remedy);
            chart.note(id, way.place(), Some(since.elapsed()), finding);
            chart.block(id);
            None
        }
    }
}

/// The system's ssh goes the whole way in one leg, and says only how it ended.
async fn system_way<F: Fn(StepId)>(
    subject: &Subject,
    openssh: &OpenSsh,
    config: &OpenSshConfig,
    chart: &mut Chart<F>,
) -> Option<Walked> {
    let since = chart.begin(StepId::Login);
    let walked = openssh.walk(config.clone()).await;
    let took = Some(since.elapsed());
    match walked {
        Ok((walked, via)) => {
            for id in [StepId::Name, StepId::Connect, StepId::Handshake, StepId::HostKey] {
                chart.note(id, &subject.address, None, Finding::passed("by the system's ssh"));
            }
            chart.note(StepId::Login, &subject.address, took, Finding::passed(via));
            Some(walked)
        }
        Err(trouble) => {
            let finding = Finding::failed(trouble.message, trouble.remedy);
            chart.note(StepId::Login, &subject.address, took, finding);
            chart.block(StepId::Login);
            None
        }
    }
}

/// Where on the way we are.
struct Way<'a> {
    config: &'a SshConfig,
    /// Machines on the way that are behind us, and the time with the one before us.
    hops: usize,
    jump: Duration,
    /// The last leg to the target itself.
    passed: Option<StepId>,
}

impl Way<'_> {
    /// The step that comes next, or fails.
    fn next(&self) -> StepId {
        match self.passed {
            _ if self.hops < self.config.hops.len() => StepId::Jump,
            None if self.hops > 0 => StepId::Connect,
            None => StepId::Name,
            Some(StepId::Name) => StepId::Connect,
            Some(StepId::Connect) => StepId::Handshake,
            Some(StepId::Handshake) => StepId::HostKey,
            Some(_) => StepId::Login,
        }
    }

    fn place(&self) -> String {
        self.config.hops.get(self.hops).unwrap_or(&self.config.target).to_string()
    }

    fn take<F: Fn(StepId)>(&mut self, leg: Leg, chart: &mut Chart<F>) {
        let at = self.place();
        if let Some(hop) = leg.hop {
            self.jump += leg.took;
            if let Passed::LoggedIn { by, .. } = leg.passed {
                let user = self.config.hops.get(self.hops).map_or("", |h| &h.user);
                let finding = Finding::passed(format!("{user}@{hop}, {by}"));
                chart.note(StepId::Jump, at, Some(std::mem::take(&mut self.jump)), finding);
                self.hops += 1;
                if self.hops == self.config.hops.len() {
                    let finding = Finding::passed(format!("looked up by jump host {hop}"));
                    chart.note(StepId::Name, self.place(), None, finding);
                }
            }
            return;
        }
        let (id, said) = match leg.passed {
            Passed::Named(addresses) => {
                let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                (StepId::Name, all.join(", "))
            }
            Passed::Connected(address) => {
                (StepId::Connect, address.map_or("through the jump host".into(), |a| a.to_string()))
            }
            Passed::Shaken { server, algorithms } => (StepId::Handshake, format!("{server}; {algorithms}")),
            Passed::Trusted { key, place } => {
                (StepId::HostKey, format!("{} {}, known from {place}", key.fingerprint(), key.short_kind()))
            }
            Passed::LoggedIn { by, .. } => (StepId::Login, format!("{}, {by}", self.config.target.user)),
        };
        chart.note(id, at, Some(leg.took), Finding::passed(said));
        self.passed = Some(id);
    }
}

/// What is needed once we are logged in.
async fn inside<F: Fn(StepId)>(subject: &Subject, walked: &Walked, chart: &mut Chart<F>) {
    let since = chart.begin(StepId::Shell);
    let finding = judge::shell(&walked.ask_shell(judge::WHICH_SHELL, SHELL).await);
    chart.note(StepId::Shell, judge::WHICH_SHELL, Some(since.elapsed()), finding);

    let since = chart.begin(StepId::Powershell);
    match walked.powershell().await {
        Ok((worker, greeting)) => {
            let mut bench = Bench { walked, worker: Some(worker), pid: greeting.hello.pid };
            powershell(subject, &mut bench, &greeting, since, chart).await;
            bench.close().await;
        }
        Err(trouble) => {
            let finding = Finding::failed(trouble.message, trouble.remedy);
            chart.note(StepId::Powershell, "powershell.exe", Some(since.elapsed()), finding);
            chart.block(StepId::Powershell);
        }
    }
    // Last: a server for files that does not answer takes the connection with it.
    let since = chart.begin(StepId::Files);
    let read = walked.read(judge::FILE, 64).await;
    chart.note(StepId::Files, judge::FILE, Some(since.elapsed()), judge::files(&read));
}

async fn powershell<F: Fn(StepId)>(
    subject: &Subject,
    bench: &mut Bench<'_>,
    greeting: &Greeting,
    since: Instant,
    chart: &mut Chart<F>,
) {
    let (hello, took) = (&greeting.hello, since.elapsed());
    chart.note(StepId::Language, "powershell.exe", None, judge::language(&hello.lang));
    chart.note(StepId::Clock, "powershell.exe", None, judge::clock(greeting.skew_ms));
    let mut version = judge::version(&hello.ps);

    let since = chart.begin(StepId::Elevation);
    let who = bench.ask::<Identity>(probes::identity(judge::TEXT)).await;
    let (id, elapsed) = (StepId::Elevation, Some(since.elapsed()));
    match who {
        Ok(who) => {
            version.said = format!("{}, {}", version.said, clean_short(&who.edition, 20));
            chart.note(id, "whoami.exe /groups", elapsed, judge::elevation(&who));
            chart.note(StepId::Text, probes::IDENTITY.name, None, judge::text(&who));
        }
        Err(failure) => {
            chart.note(id, probes::IDENTITY.name, elapsed, judge::script_failed(&failure));
            chart.block(id);
        }
    }
    chart.note(StepId::Powershell, "powershell.exe", Some(took), version);

    match &subject.reaches {
        None => {
            let said = "not needed: no other machine is reached through this one";
            chart.note(StepId::SecondHop, "", None, Finding::not_tried(said));
        }
        Some(to) if bench.is_up() => {
            let since = chart.begin(StepId::SecondHop);
            let hop = bench.ask::<Hop>(probes::hop(to)).await;
            let finding =
                hop.map_or_else(|f| judge::script_failed(&f), |h| judge::second_hop(&h, subject.has_account));
            bench.mark(StepId::SecondHop, chart);
            let at = format!("Get-CimInstance -ComputerName {to}");
            chart.note(StepId::SecondHop, at, Some(since.elapsed()), finding);
        }
        Some(_) => {}
    }
    task(&subject.task, bench, chart).await;

    if bench.is_up() {
        let since = chart.begin(StepId::Scripts);
        let all = subject.scripts.iter().map(|(name, text)| (name.as_str(), &**text));
        let parsed = bench.ask::<Parsed>(probes::parse(all)).await;
        let finding =
            parsed.map_or_else(|f| judge::script_failed(&f), |p| judge::scripts(&p, subject.scripts.len()));
        bench.mark(StepId::Scripts, chart);
        chart.note(StepId::Scripts, probes::PARSE.name, Some(since.elapsed()), finding);
    }
    if bench.is_up() {
        let since = chart.begin(StepId::RoundTrip);
        let finding = judge::round_trip(&bench.round_trips().await);
        chart.note(StepId::RoundTrip, "powershell.exe", Some(since.elapsed()), finding);
    }
}

async fn task<F: Fn(StepId)>(task: &Task, bench: &mut Bench<'_>, chart: &mut Chart<F>) {
    match task {
        Task::Elsewhere(why) => chart.note(StepId::Task, "", None, Finding::not_tried(why)),
        Task::NotAsked => {
            let said = "not tried, it changes something: --task registers a task here, runs and removes it";
            chart.note(StepId::Task, "", None, Finding::not_tried(said));
        }
        Task::Try { user, password } if bench.is_up() => {
            let since = chart.begin(StepId::Task);
            let id = uuid::Uuid::now_v7().simple().to_string();
            let request = probes::task(&id, user, password.as_ref().map(|p| p.expose_secret()));
            let name = format!("nodelift-doctor-{id}");
            let finding = match bench.ask::<TaskRan>(request).await {
                Ok(ran) => judge::task(&ran, &name, user),
                Err(failure) => judge::task_failed(&failure, user),
            };
            bench.mark(StepId::Task, chart);
            chart.note(StepId::Task, format!("\\{name}"), Some(since.elapsed()), finding);
        }
        Task::Try { .. } => {}
    }
}

/// The PowerShell that is tried out.
struct Bench<'a> {
    walked: &'a Walked,
    /// `None` = it ended, or cannot be trusted any more.
    worker: Option<Worker>,
    pid: u32,
}

impl Bench<'_> {
    fn is_up(&self) -> bool {
        self.worker.is_some()
    }

    /// What comes after a step in which PowerShell ended is not reached.
    fn mark<F: Fn(StepId)>(&self, id: StepId, chart: &mut Chart<F>) {
        if !self.is_up() {
            chart.block(id);
        }
    }

    async fn ask<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, Failure> {
        let limits = self.walked.limits();
        let Some(worker) = &mut self.worker else {
            return Err(failure(FailureKind::NotSent, "PowerShell has ended".into()));
        };
        // Nobody listens to what it says meanwhile.
        let (said, _) = mpsc::channel(1);
        let ended = match worker.run(&request, &said, limits, std::future::pending()).await {
            Ran::Done(reply) => {
                return reply.record().and_then(|record| {
                    let misshapen = |e: serde_json::Error| {
                        failure(
                            FailureKind::Misshapen,
                            format!("{}: its answer cannot be read: {e}", request.name),
                        )
                    };
                    serde_json::from_value(record).map_err(misshapen)
                });
            }
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

    /// Sorted; what PowerShell does not answer any more is missing.
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

    async fn close(mut self) {
        if let Some(worker) = &mut self.worker {
            worker.close().await;
            let _ = worker.end(self.walked.limits().idle_grace).await;
        }
    }
}

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, id: None, message, at: None }
}
