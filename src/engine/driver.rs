//! The loop: one task takes inputs one after the other, decides, writes down, and only then lets happen what follows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::clock::Clock;
use super::effects::Executor;
use super::output::Output;
use super::vault::Vault;
use super::viewers::{FromViewer, Viewers};
use crate::core::command::{Command, Refusal};
use crate::core::control::{self, Control, Handover, Role, Seat, ViewerId};
use crate::core::decide::{Decider, Effect, Observation, Turn};
use crate::core::digest::FORM;
use crate::core::event::{Durability, EngineInfo, Event, Sealed, Stamped};
use crate::core::keeping::Keeping;
use crate::core::log::{LogLine, Which};
use crate::core::name::NodeName;
use crate::core::narrate::narrate;
use crate::core::plan::Plan;
use crate::core::run::Phase;
use crate::core::state::State;
use crate::journal::{Durable, Journal, RunFolder};
use crate::link::{FromEngine, Hello, PROTOCOL, ToEngine};
use crate::logs::Logs;
use crate::remote::Host;

/// Answers that may wait for the loop.
const OBSERVATIONS: usize = 1024;
/// Log lines that may wait for the loop.
const LINES: usize = 4096;
/// Time between two looks at the space that the journal has (run-safety-model 7.4).
const SPACE_EVERY: Duration = Duration::from_secs(60);
/// Records between two hashes of the state in the journal.
const HASH_EVERY: u64 = 500;
/// At the end, how long the disk may take for what the machines printed last.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// How long viewers may take to hear that the engine leaves.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Without anything under way: how long it stays for a viewer that did not mean to leave.
const GRACE: Duration = Duration::from_secs(600);
/// Lines of a log that are given at once.
const LINES_AT_ONCE: u64 = 2000;

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
    /// Refuse every command that changes something.
    pub read_only: bool,
    /// Start with the readiness checks.
    pub check_first: bool,
    /// The run's folder, where there is one: locked for as long as the engine lives.
    pub folder: Option<RunFolder>,
}

/// Runs an engine until nothing is left for it to do and nobody looks, or the viewer in its own process leaves. Gives the last
/// state.
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
            () = tokio::time::sleep_until(engine.alone_since + GRACE), if engine.is_idle() => break,
        }
        if engine.is_idle() && (engine.left || (engine.looked_at && engine.told.phase.is_terminal())) {
            break;
        }
    }
    engine.hash();
    executor.close().await;
    if let Some(output) = output {
        let closed = tokio::task::spawn_blocking(move || output.close());
        let _ = tokio::time::timeout(LAST_WRITES, closed).await;
    }
    let mut left = engine.viewers.end("the engine was ended");
    let _ = tokio::time::timeout(LAST_WORDS, async {
        while left > 0 {
            left -= usize::from(matches!(viewers_in.recv().await, None | Some(FromViewer::Left(_))));
        }
    })
    .await;
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
    /// Nothing was under way before this engine.
    fresh: bool,
    journal: Journal,
    logs: Logs,
    viewers: Viewers,
    executor: Executor,
    /// Effects that wait until the journal is safe up to a number.
    held: VecDeque<(u64, Effect)>,
    safe: u64,
    /// Number of the last record with a hash of the state.
    hashed: u64,
    clock: Clock,
    plan_sha256: String,
    info: EngineInfo,
    run_id: String,
    instance: String,
    read_only: bool,
    check_first: bool,
    folder: Option<RunFolder>,
    /// Since when nobody looks.
    alone_since: Instant,
    /// The last viewer meant to leave.
    left: bool,
    /// Somebody has looked: before that, whoever it was begun for is on the way.
    looked_at: bool,
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
            fresh: setup.history.is_empty(),
            journal: setup.journal,
            logs: setup.logs,
            viewers: Viewers::default(),
            executor,
            held: VecDeque::new(),
            safe: 0,
            hashed: 0,
            clock: setup.clock,
            plan_sha256: setup.plan_sha256,
            info: setup.info,
            run_id: setup.run_id,
            instance: setup.instance,
            read_only: setup.read_only,
            check_first: setup.check_first,
            folder: setup.folder,
            alone_since: Instant::now(),
            left: false,
            looked_at: false,
        }
    }

    fn begin(&mut self) {
        let now = self.clock.now();
        let fresh = self.fresh;
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
            // It is what an engine is begun for: nobody has to ask.
            let user = self.info.user.clone();
            let _ = self.command(&user, &Command::CheckAll, now);
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
            self.viewers.tell(&FromEngine::Event(Box::new(event)));
        }
        for pulse in turn.pulses {
            self.viewers.tell(&FromEngine::Pulse(pulse));
        }
        let wait_for = last.filter(|_| sync).unwrap_or(0);
        let lost = self.told.only_looks();
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
        if self.told.seq >= self.hashed + HASH_EVERY {
            self.hash();
        }
    }

    /// Writes down what was made of the records so far, where they are kept.
    fn hash(&mut self) {
        self.hashed = self.told.seq;
        if self.folder.is_some() {
            let event = Event::StateHashed { form: FORM, sha256: self.decider.state().digest() };
            let turn = self.decider.record(event, self.clock.now());
            self.take(turn);
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
        if self.told.only_looks() {
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
            FromViewer::Joined(id, viewer) => self.viewers.join(id, viewer),
            FromViewer::End => return true,
            FromViewer::Left(id) => return self.gone(id, false),
            FromViewer::Said(id, message) => match message {
                ToEngine::Hello { protocol, .. } if protocol != PROTOCOL => {
                    let version = &self.info.version;
                    let why = format!(
                        "this engine is nodelift {version} and speaks protocol {PROTOCOL}, this screen {protocol}: look with that version"
                    );
                    self.viewers.send(id, FromEngine::Bye { why });
                    self.viewers.leave(id);
                }
                ToEngine::Hello { looks_only, .. } => self.greet(id, looks_only),
                ToEngine::Replay(_) => {}
                ToEngine::Present => self.viewers.heard(id, self.clock.now()),
                ToEngine::Command { id: number, command } => {
                    let now = self.clock.now();
                    self.viewers.heard(id, now);
                    let seat = self.told.seats.seats.get(&id);
                    let role = seat.map_or(Role::Observer, |s| s.role);
                    let actor = self.viewers.get(id).map_or_else(String::new, |v| v.peer.who.clone());
                    let controller = self.told.seats.controller().map(|(_, s)| s);
                    let refused = match control::may(role, &command, controller) {
                        Ok(()) => self.command(&actor, &command, now).err(),
                        Err(refusal) => Some(refusal),
                    };
                    self.viewers.send(id, FromEngine::Answer { id: number, refused });
                }
                ToEngine::Control { id: number, control } => {
                    let refused = self.control(id, control).err();
                    self.viewers.heard(id, self.clock.now());
                    self.viewers.send(id, FromEngine::Answer { id: number, refused });
                }
                ToEngine::LogLines { which, from, count } => {
                    let lines = self.logs.lines(&which, from as usize, count.min(LINES_AT_ONCE) as usize);
                    self.viewers.send(id, FromEngine::LogLines { which, from, lines });
                }
                ToEngine::Quit => return self.gone(id, true),
            },
        }
        false
    }

    /// A viewer has gone; true = the engine is to end, for it lived in the viewer's process.
    fn gone(&mut self, id: ViewerId, meant: bool) -> bool {
        let own = self.viewers.get(id).is_some_and(|v| v.peer.own);
        // Who only asked whether an engine listens has not looked.
        if self.viewers.looks(id) {
            (self.left, self.alone_since) = (meant, Instant::now());
        }
        self.viewers.leave(id);
        if own {
            return true;
        }
        if let Some(seat) = self.told.seats.seats.get(&id).cloned() {
            self.record(Event::ViewerGone { viewer: id });
            // Somebody's other screen has what this one had.
            if let Some(to) = self.told.seats.heir(&seat) {
                self.record(Event::ControlMoved { to, how: Handover::Free });
            }
        }
        false
    }

    /// Nothing is under way, and nobody looks.
    fn is_idle(&self) -> bool {
        self.viewers.is_empty() && !self.told.needs_engine()
    }

    /// First words: a seat for whoever may change something, then everything there is.
    fn greet(&mut self, id: ViewerId, looks_only: bool) {
        let Some(viewer) = self.viewers.get(id).filter(|_| !self.told.seats.seats.contains_key(&id)) else {
            return;
        };
        let role = self.told.seats.role_for(looks_only || self.read_only);
        let now = self.clock.now();
        let seat = Seat { who: viewer.peer.who.clone(), from: viewer.peer.from.clone(), role, since: now };
        (self.left, self.looked_at) = (false, true);
        self.viewers.heard(id, now);
        if role > Role::Observer {
            self.record(Event::ViewerCame { viewer: id, seat });
        }
        let first = self.greeting(id);
        self.viewers.greet(id, first);
    }

    fn control(&mut self, id: ViewerId, control: Control) -> Result<(), Refusal> {
        let seats = &self.told.seats;
        let has = seats.controller().is_some_and(|(c, _)| c == id);
        let event = match control {
            Control::Take => {
                let now = self.clock.now();
                let silent_since =
                    seats.controller().and_then(|(c, _)| self.viewers.get(c)).map_or(now, |v| v.heard);
                Event::ControlMoved { to: id, how: seats.may_take(id, silent_since, now)? }
            }
            Control::Offer | Control::Keep if !has => {
                return Err(Refusal("you do not have control: there is nothing to offer".into()));
            }
            Control::Offer | Control::Keep => Event::ControlOffered { open: control == Control::Offer },
        };
        let who = self.viewers.get(id).map_or_else(String::new, |v| v.peer.who.clone());
        let turn = self.decider.record_by(&who, event, self.clock.now());
        self.take(turn);
        Ok(())
    }

    fn record(&mut self, event: Event) {
        let turn = self.decider.record(event, self.clock.now());
        self.take(turn);
    }

    fn command(&mut self, actor: &str, command: &Command, now: Timestamp) -> Result<(), Refusal> {
        let turn = self.decider.command(actor, command, now)?;
        self.take(turn);
        Ok(())
    }

    fn greeting(&self, id: ViewerId) -> Vec<FromEngine> {
        let hello = Hello {
            protocol: PROTOCOL,
            version: self.info.version.clone(),
            instance: self.instance.clone(),
            run_id: self.run_id.clone(),
            viewer: id,
            clock: self.clock.clocking(),
            imitated: self.info.imitated,
            state: Box::new(self.told.clone()),
            replay: None,
        };
        let logs = [Which::All, Which::Run]
            .into_iter()
            .chain(self.told.plan.machines().cloned().map(Which::Node))
            .map(|which| FromEngine::LogLength { lines: self.logs.len(&which) as u64, which });
        std::iter::once(FromEngine::Hello(Box::new(hello)))
            .chain(logs)
            .chain([FromEngine::Durable(self.safe), FromEngine::CaughtUp])
            .collect()
    }
}
