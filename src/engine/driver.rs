//! The loop: one task takes inputs one after the other, decides, writes down, and only then lets happen what follows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::clock::Clock;
use super::effects::Executor;
use super::output::Output;
use super::vault::Vault;
use super::viewers::{FromViewer, ViewerId, Viewers};
use crate::core::command::Command;
use crate::core::decide::{Decider, Effect, Observation, Turn};
use crate::core::event::{Durability, EngineInfo, Event, Sealed, Stamped};
use crate::core::keeping::Keeping;
use crate::core::log::{LogLine, Which};
use crate::core::name::NodeName;
use crate::core::narrate::narrate;
use crate::core::plan::Plan;
use crate::core::run::Phase;
use crate::core::state::State;
use crate::journal::{Durable, Journal, RunFolder};
use crate::link::{FromEngine, Hello, PROTOCOL, Role, ToEngine};
use crate::logs::Logs;
use crate::remote::Host;

/// Answers that may wait for the loop.
const OBSERVATIONS: usize = 1024;
/// Log lines that may wait for the loop.
const LINES: usize = 4096;
/// Time between two looks at the space that the journal has (run-safety-model 7.4).
const SPACE_EVERY: Duration = Duration::from_secs(60);
/// At the end, how long the disk may take for what the machines printed last.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// What an engine needs to run.
pub struct Setup {
    pub plan: Arc<Plan>,
    pub plan_sha256: String,
    /// Events of the run so far: empty for a new one.
    pub history: Vec<Stamped>,
    pub journal: Journal,
    pub logs: Logs,
    pub hosts: BTreeMap<NodeName, Arc<dyn Host>>,
    pub vault: Vault,
    pub clock: Clock,
    pub info: EngineInfo,
    pub run_id: String,
    /// Which engine process: another one after every start.
    pub instance: String,
    /// Rises with every engine that takes the run over.
    pub epoch: u64,
    /// Who the viewer of this process is.
    pub actor: String,
    /// Refuse every command that changes something.
    pub read_only: bool,
    /// Start with the readiness checks.
    pub check_first: bool,
    /// The run's folder, where there is one: locked for as long as the engine lives.
    pub folder: Option<RunFolder>,
}

/// Runs an engine until it is told to quit. Gives the last state.
pub async fn run(setup: Setup, mut viewers_in: mpsc::Receiver<FromViewer>) -> State {
    let (observed, mut observations) = mpsc::channel(OBSERVATIONS);
    let (say, mut lines) = mpsc::channel(LINES);
    let executor = Executor::new(
        setup.plan.clone(),
        setup.hosts.clone(),
        setup.vault.clone(),
        setup.clock,
        setup.run_id.clone(),
        setup.epoch,
        observed,
        say,
        setup.folder.as_ref().map(RunFolder::raw),
    );
    let output = output(&setup);
    let mut engine = Engine::new(setup, executor.clone());
    let mut durable = engine.journal.durable();
    engine.begin();
    executor.open();
    let mut space = tokio::time::interval(SPACE_EVERY);
    loop {
        let now = engine.clock.now();
        let due = engine.decider.next_due(now).map(|at| engine.clock.instant(at));
        let timer = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(from) = viewers_in.recv() => if engine.viewer(from) { break },
            Ok(()) = durable.changed() => engine.synced(&mut durable),
            Some(observation) = observations.recv() => engine.observe(observation),
            Some(line) = lines.recv() => engine.line(line),
            _ = space.tick() => engine.journal.look(),
            () = timer => engine.tick(),
        }
    }
    executor.close().await;
    if let Some(output) = output {
        let closed = tokio::task::spawn_blocking(move || output.close());
        let _ = tokio::time::timeout(LAST_WRITES, closed).await;
    }
    engine.viewers.tell(&FromEngine::Bye { why: "the engine was ended".into() });
    engine.told
}

/// Keeps what the machines print, where there is a folder for it.
fn output(setup: &Setup) -> Option<Output> {
    let folder = setup.folder.as_ref().filter(|f| f.raw_limit() > 0)?;
    match Output::start(folder.raw(), folder.raw_limit(), setup.vault.clone()) {
        Ok(output) => {
            setup.hosts.iter().for_each(|(node, host)| host.listen(output.of(node)));
            Some(output)
        }
        Err(e) => {
            tracing::warn!("what the machines print is not kept: {e}");
            None
        }
    }
}

struct Engine {
    decider: Decider,
    /// The state as it was told to viewers and logs, event by event.
    told: State,
    history: Vec<Stamped>,
    journal: Journal,
    logs: Logs,
    viewers: Viewers,
    executor: Executor,
    /// Effects that wait until the journal is safe up to a number.
    held: VecDeque<(u64, Effect)>,
    safe: u64,
    clock: Clock,
    plan_sha256: String,
    info: EngineInfo,
    run_id: String,
    instance: String,
    actor: String,
    read_only: bool,
    check_first: bool,
    /// The plan as it was sealed: viewers fold the revisions themselves.
    sealed: Arc<Plan>,
    folder: Option<RunFolder>,
}

impl Engine {
    fn new(setup: Setup, executor: Executor) -> Self {
        let mut state = State::new(setup.plan.clone());
        for event in &setup.history {
            state.apply(event);
        }
        executor.revise(state.plan.clone());
        Self {
            decider: Decider::new(state.clone(), &setup.run_id),
            told: state,
            history: setup.history,
            journal: setup.journal,
            logs: setup.logs,
            viewers: Viewers::default(),
            executor,
            held: VecDeque::new(),
            safe: 0,
            clock: setup.clock,
            plan_sha256: setup.plan_sha256,
            info: setup.info,
            run_id: setup.run_id,
            instance: setup.instance,
            actor: setup.actor,
            read_only: setup.read_only,
            check_first: setup.check_first,
            sealed: setup.plan,
            folder: setup.folder,
        }
    }

    fn begin(&mut self) {
        let now = self.clock.now();
        let fresh = self.history.is_empty();
        let started = self.decider.record(Event::EngineStarted(self.info.clone()), now);
        self.take(started);
        if !fresh
            && matches!(self.told.phase, Phase::Acquiring | Phase::Running | Phase::Pausing | Phase::Stopping)
        {
            let why = "looking what became of what was under way".to_owned();
            let turn = self.decider.record(Event::PhaseChanged { to: Phase::Recovering, why }, now);
            self.take(turn);
        }
        if fresh {
            let plan = self.told.plan.clone();
            let sealed = Sealed {
                rehearsal: self.told.plan.rehearses(),
                plan_sha256: self.plan_sha256.clone(),
                runbook: plan.runbook.id.clone(),
                cluster: plan.cluster.clone(),
                nodes: plan.nodes.clone(),
            };
            let turn = self.decider.record(Event::PlanSealed(sealed), now);
            self.take(turn);
        }
        if self.check_first && self.told.phase == Phase::Draft {
            self.command(None, &Command::CheckAll, now);
        }
    }

    fn observe(&mut self, observation: Observation) {
        let turn = self.decider.observe(observation, self.clock.now());
        self.take(turn);
    }

    fn tick(&mut self) {
        let turn = self.decider.tick(self.clock.now());
        self.take(turn);
    }

    /// What a turn led to: written, told, and then let happen.
    fn take(&mut self, turn: Turn) {
        let sync = turn.events.iter().any(|e| e.event.durability() == Durability::Sync);
        let last = turn.events.last().map(|e| e.seq);
        if !turn.events.is_empty() {
            self.journal.append(turn.events.clone());
        }
        for event in turn.events {
            for line in narrate(&self.told, &event) {
                self.line(line);
            }
            self.told.apply(&event);
            if matches!(event.event, Event::PlanRevised { .. }) {
                self.revised();
            }
            self.viewers.tell(&FromEngine::Event(Box::new(event.clone())));
            self.history.push(event);
        }
        for pulse in turn.pulses {
            self.viewers.tell(&FromEngine::Pulse(pulse));
        }
        let wait_for = last.filter(|_| sync).unwrap_or(0);
        let lost = matches!(self.told.keeping, Keeping::Lost { .. });
        for effect in turn.effects {
            if lost && effect.changes() {
                continue;
            }
            if lost || wait_for <= self.safe {
                self.executor.carry_out(effect);
            } else {
                self.held.push_back((wait_for, effect));
            }
        }
    }

    /// From now on by another plan. Its text lies beside the sealed one, for people: the journal alone tells what it is.
    fn revised(&mut self) {
        let plan = self.told.plan.clone();
        if let Some(folder) = &self.folder
            && let Err(e) = folder.keep_revision(self.told.revision, &plan)
        {
            tracing::error!("the revised plan could not be written: {e}");
        }
        self.executor.revise(plan);
    }

    /// The journal is safe further than before: what waited for it may happen.
    fn synced(&mut self, durable: &mut watch::Receiver<Durable>) {
        let d = durable.borrow_and_update().clone();
        self.safe = d.seq;
        while self.held.front().is_some_and(|(seq, _)| *seq <= self.safe) {
            if let Some((_, effect)) = self.held.pop_front() {
                self.executor.carry_out(effect);
            }
        }
        self.viewers.tell(&FromEngine::Durable(self.safe));
        let keeping = match d.failed {
            Some(why) => Keeping::Lost { why },
            None => Keeping::of(d.free, d.squeezed),
        };
        if keeping.differs(&self.told.keeping) {
            let turn = self.decider.record(Event::JournalSeen(keeping), self.clock.now());
            self.take(turn);
            self.let_go();
        }
    }

    /// Nothing can be written any more: what would change a machine is never sent, and whatever only looks waits for nothing.
    fn let_go(&mut self) {
        if matches!(self.told.keeping, Keeping::Lost { .. }) {
            for (_, effect) in std::mem::take(&mut self.held) {
                if !effect.changes() {
                    self.executor.carry_out(effect);
                }
            }
        }
    }

    fn line(&mut self, mut line: LogLine) {
        self.executor.redact(&mut line);
        if let Err(e) = self.logs.add(&line) {
            tracing::error!("a log line could not be written: {e}");
            return;
        }
        let mut which = vec![Which::All, Which::Run];
        if let Some(node) = line.node {
            which[1] = Which::Node(node);
        }
        for which in which {
            let lines = self.logs.len(&which) as u64;
            self.viewers.tell(&FromEngine::LogLength { which, lines });
        }
    }

    /// Something from a viewer; true = the engine is to end.
    fn viewer(&mut self, from: FromViewer) -> bool {
        match from {
            FromViewer::Joined(id, viewer) => {
                let first = self.greeting();
                self.viewers.join(id, viewer, first);
            }
            FromViewer::Left(id) => self.viewers.leave(id),
            FromViewer::Said(id, message) => match message {
                ToEngine::Hello { protocol } if protocol != PROTOCOL => {
                    let why = format!("this engine speaks protocol {PROTOCOL}, the viewer {protocol}");
                    self.viewers.send(id, FromEngine::Bye { why });
                    self.viewers.leave(id);
                }
                ToEngine::Hello { .. } | ToEngine::Replay(_) => {}
                ToEngine::Command { id: number, command } => {
                    self.command(Some((id, number)), &command, self.clock.now());
                }
                ToEngine::LogLines { which, from, count } => {
                    let lines = self.logs.lines(&which, from as usize, count as usize);
                    self.viewers.send(id, FromEngine::LogLines { which, from, lines });
                }
                ToEngine::Quit => return true,
            },
        }
        false
    }

    fn command(&mut self, asked_by: Option<(ViewerId, u64)>, command: &Command, now: Timestamp) {
        // To connect changes nothing on a machine.
        let harmless = *command == Command::Connect;
        let outcome = if self.read_only && asked_by.is_some() && !harmless {
            Err(crate::core::command::Refusal("this is a read-only session".into()))
        } else {
            self.decider.command(&self.actor, command, now)
        };
        let refused = match outcome {
            Ok(turn) => {
                self.take(turn);
                None
            }
            Err(refusal) => Some(refusal),
        };
        if let Some((viewer, id)) = asked_by {
            self.viewers.send(viewer, FromEngine::Answer { id, refused });
        }
    }

    fn greeting(&self) -> Vec<FromEngine> {
        let hello = Hello {
            protocol: PROTOCOL,
            version: self.info.version.clone(),
            instance: self.instance.clone(),
            run_id: self.run_id.clone(),
            role: if self.read_only { Role::Observer } else { Role::Controller },
            clock: self.clock.clocking(),
            imitated: self.info.imitated,
            plan: Box::new((*self.sealed).clone()),
            replay: None,
        };
        let logs = [Which::All, Which::Run]
            .into_iter()
            .chain(self.told.plan.machines().cloned().map(Which::Node))
            .map(|which| FromEngine::LogLength { lines: self.logs.len(&which) as u64, which });
        std::iter::once(FromEngine::Hello(Box::new(hello)))
            .chain(self.history.iter().map(|e| FromEngine::Event(Box::new(e.clone()))))
            .chain(logs)
            .chain([FromEngine::Durable(self.safe), FromEngine::CaughtUp])
            .collect()
    }
}
