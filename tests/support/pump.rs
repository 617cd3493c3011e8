//! Everything that an engine would be, without a journal: decider, simulator and a virtual clock.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nodelift::core::command::Command;
use nodelift::core::decide::{Decider, Effect, Followed, Observation, Turn};
use nodelift::core::event::{Answer, EngineInfo, Event, Failure, FailureKind, ReadKey, Stamped};
use nodelift::core::hooks::HookEnd;
use nodelift::core::keeping::Keeping;
use nodelift::core::name::{NodeName, OpId};
use nodelift::core::plan::Plan;
use nodelift::core::progress::percent_in;
use nodelift::core::run::Phase;
use nodelift::core::state::State;
use nodelift::remote::remoting::{RemotingConfig, RemotingHost, RemotingTimes};
use nodelift::remote::sim::{Answers, SimHost, Site, World};
use nodelift::remote::{Host, Reply, Request, detached};
use nodelift::runbook::{Library, Site as Place};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

const RUN: &str = "0199-simulated";

/// Everything that an engine would be.
pub struct Pump {
    pub decider: Decider,
    pub plan: Arc<Plan>,
    pub site: Site,
    /// Every event so far.
    pub events: Vec<Stamped>,
    hosts: BTreeMap<NodeName, Arc<dyn Host>>,
    pub start: Timestamp,
    origin: Instant,
    inbox: mpsc::Receiver<Observation>,
    outbox: mpsc::Sender<Observation>,
    pub asked: usize,
    /// Size of a followed file at the last look.
    sizes: Arc<Mutex<BTreeMap<NodeName, u64>>>,
    /// Every changing operation that was sent, with the number of events that were written by then.
    pub sent: Vec<(OpId, usize)>,
    /// When each read last gave an answer.
    pub answered: BTreeMap<ReadKey, Timestamp>,
    /// Where the engine ends by itself, once.
    pub ends: Option<Ends>,
}

/// An engine that ends right after a record was written.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub after: u64,
    /// What follows from the record was sent, and nobody heard what became of it; or it was not sent.
    pub sent: bool,
}

/// Site seconds in one real second. The clock is virtual, so any would do.
const SCALE: f64 = 1.0;

impl Pump {
    pub fn new(world: Json, change: impl FnOnce(&mut Json)) -> Self {
        Self::of("azure-local-powershell", world, change, |_| {})
    }

    /// With settings of the runbook that differ from its own.
    pub fn with_settings(world: Json, settings: &[(&str, Json)], change: impl FnOnce(&mut Json)) -> Self {
        let given = settings.iter().map(|(k, v)| ((*k).to_owned(), v.clone()));
        Self::of("azure-local-powershell", world, change, |place| place.settings.extend(given))
    }

    /// The same by another runbook, where something else than its own target and settings is wanted.
    pub fn of(runbook: &str, world: Json, change: impl FnOnce(&mut Json), want: impl FnOnce(&mut Place)) -> Self {
        let runbook = Library::new(None).load(runbook).unwrap_or_else(|e| panic!("{e}"));
        let mut answers = Answers::embedded().expect("embedded answers");
        for (path, answer) in &runbook.answers {
            answers.add(path, &runbook.scripts[path].text, answer).unwrap_or_else(|e| panic!("{e}"));
        }
        let mut world = world;
        change(&mut world);
        let world = World::new(world).expect("a world");
        let start: Timestamp = "2026-02-01T20:00:00Z".parse().expect("a time");
        let origin = Instant::now();
        let clock = move || start + SignedDuration::try_from(origin.elapsed().mul_f64(SCALE)).expect("short");
        let site = Site::new(world, answers, Arc::new(clock), SCALE);
        let (nodes, coordinator) = site.look(|w| {
            let outside = |k: &&String| w.machine(k)["role"] == "coordinator";
            (w.nodes(), w.machines().iter().find(outside).cloned())
        });
        let mut place = Place {
            cluster: site.look(|w| w.top("cluster")["name"].as_str().unwrap_or_default().to_owned()),
            nodes: nodes.iter().map(|n| NodeName::new(n)).collect(),
            coordinator: coordinator.map(|c| NodeName::new(&c)),
            settings: [("task_account".to_owned(), json!("CORP\\upgradeadmin"))].into(),
            ..Place::default()
        };
        want(&mut place);
        let plan = Arc::new(runbook.plan(&place).expect("a plan"));
        let own = |n: &str| Arc::new(SimHost::new(&site, n).expect("there"));
        let host = |n: &NodeName| -> Arc<dyn Host> {
            match site.look(|w| w.machine(n.as_str())["no_ssh"] == json!(true)) {
                // From the start without an SSH server: by remoting.
                true => Arc::new(RemotingHost::new(remoting(n.as_str()), own("COORD01"))),
                false => own(n.as_str()),
            }
        };
        let hosts: BTreeMap<NodeName, Arc<dyn Host>> = plan.machines().map(|n| (n.clone(), host(n))).collect();
        let (outbox, inbox) = mpsc::channel(1024);
        let decider = Decider::new(State::new(plan.clone()), RUN);
        let events = Vec::new();
        let pump = Self {
            decider,
            plan,
            site,
            events,
            hosts,
            start,
            origin,
            inbox,
            outbox,
            asked: 0,
            sizes: Arc::default(),
            sent: Vec::new(),
            answered: BTreeMap::new(),
            ends: None,
        };
        pump.watch();
        pump
    }

    /// Another plan than the one it was made with, before anything has happened.
    pub fn seal(&mut self, plan: Plan) {
        assert!(self.events.is_empty(), "only before anything has happened");
        self.plan = Arc::new(plan);
        self.decider = Decider::new(State::new(self.plan.clone()), RUN);
    }

    /// Hears of every connection, as it is and as it changes.
    fn watch(&self) {
        for (node, host) in &self.hosts {
            host.open();
            let (node, mut changes, out) = (node.clone(), host.connection(), self.outbox.clone());
            tokio::spawn(async move {
                loop {
                    let connection = changes.borrow_and_update().clone();
                    let seen = Observation::Connection { node: node.clone(), connection };
                    if out.send(seen).await.is_err() || changes.changed().await.is_err() {
                        return;
                    }
                }
            });
        }
    }

    /// The engine ends here, with whatever was under way, and another one goes on from what was written.
    pub fn engine_restarts(&mut self) {
        let mut state = State::new(self.plan.clone());
        self.events.iter().for_each(|e| state.apply(e));
        self.decider = Decider::new(state, RUN);
        (self.outbox, self.inbox) = mpsc::channel(1024);
        self.watch();
        let now = self.now();
        let info = EngineInfo {
            version: "0".into(),
            host: "box".into(),
            user: "operator".into(),
            scale: 1.0,
            imitated: true,
        };
        let turn = self.decider.record(Event::EngineStarted(info), now);
        self.carry_out(turn);
        use Phase::{Acquiring, Pausing, Running, Stopping};
        if matches!(self.state().phase, Acquiring | Running | Pausing | Stopping) {
            let why = "looking what became of what was under way".to_owned();
            let turn = self.decider.record(Event::PhaseChanged { to: Phase::Recovering, why }, now);
            self.carry_out(turn);
        }
    }

    /// The engine ends here, and no other one comes.
    pub fn engine_is_gone(&mut self) {
        (self.outbox, self.inbox) = mpsc::channel(1);
    }

    /// It looks less often, and nobody reads the logs of the machines: for many runs.
    pub fn looks_seldom(&mut self, seconds: u64) {
        let mut plan = (*self.plan).clone();
        plan.logs.clear();
        (plan.driver.every, plan.driver.idle_every) = (seconds, seconds * 2);
        self.plan = Arc::new(plan);
        self.decider = Decider::new(State::new(self.plan.clone()), RUN);
    }

    pub fn now(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.origin.elapsed().mul_f64(SCALE)).expect("short")
    }

    pub fn state(&self) -> &State {
        self.decider.state()
    }

    pub fn command(&mut self, command: Command) {
        let now = self.now();
        let turn = self.decider.command("operator", &command, now);
        let turn = turn.unwrap_or_else(|refusal| panic!("{command:?}: {}", refusal.0));
        self.carry_out(turn);
    }

    /// Lets the world go on until something holds; panics after four days.
    pub async fn until(&mut self, what: &str, mut holds: impl FnMut(&State) -> bool) {
        let limit = self.now() + SignedDuration::from_hours(24 * 4);
        while !holds(self.decider.state()) {
            let now = self.now();
            assert!(
                now < limit,
                "{what}: {:?}, {}\n{}{}",
                self.state().phase,
                self.state().phase_why,
                self.units(),
                self.sequence()
            );
            let due = self.decider.next_due(now).map(|at| {
                let wait = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO).div_f64(SCALE);
                Instant::now() + wait.max(Duration::from_millis(1))
            });
            let timer = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let turn = tokio::select! {
                biased;
                Some(seen) = self.inbox.recv() => {
                    let now = self.now();
                    if let Observation::Read { key, answer: Answer::Facts(_), .. } = &seen {
                        self.answered.insert(key.clone(), now);
                    }
                    self.decider.observe(seen, now)
                }
                () = timer => { let now = self.now(); self.decider.tick(now) }
            };
            self.carry_out(turn);
        }
    }

    /// The journal stands so from now on.
    pub fn journal(&mut self, keeping: Keeping) {
        self.record(Event::JournalSeen(keeping));
    }

    /// Something that happened outside the rules.
    pub fn record(&mut self, event: Event) {
        let now = self.now();
        let turn = self.decider.record(event, now);
        self.carry_out(turn);
    }

    /// Lets so much time pass.
    pub async fn wait(&mut self, how_long: Duration) {
        let end = self.now() + SignedDuration::try_from(how_long).expect("short");
        let origin = (self.start, self.origin);
        self.until("time to pass", |_| {
            origin.0 + SignedDuration::try_from(origin.1.elapsed().mul_f64(SCALE)).expect("short") >= end
        })
        .await;
    }

    /// Where a sequence is.
    pub fn sequence(&self) -> String {
        let Some(s) = &self.state().sequence else { return String::new() };
        let at = s.node().and_then(|n| Some((n, s.actions.get(n)?)));
        format!("node {} action {} paused {:?} ended {:?}\n{at:#?}", s.node, s.action, s.paused, s.ended)
    }

    pub fn units(&self) -> String {
        let run = self.state().run.iter().flat_map(|r| &r.units);
        run.map(|(n, u)| format!("{n}: {:?}, {}\n", u.state, u.why)).collect()
    }

    fn carry_out(&mut self, mut turn: Turn) {
        let ends = self.ends.take_if(|e| turn.events.iter().any(|x| x.seq == e.after));
        if let Some(ends) = ends {
            // What was not written did not happen, and effects follow from the whole of a turn.
            let whole = turn.events.last().is_some_and(|x| x.seq == ends.after);
            turn.events.retain(|x| x.seq <= ends.after);
            if !(ends.sent && whole) {
                turn.effects.clear();
            }
        }
        self.let_happen(turn);
        if ends.is_some() {
            self.engine_restarts();
        }
    }

    fn let_happen(&mut self, turn: Turn) {
        self.events.extend(turn.events);
        for effect in turn.effects {
            if let Effect::Run { op, .. } | Effect::Detach { op, .. } = &effect {
                self.sent.push((op.clone(), self.events.len()));
            }
            if let Effect::Hook { op, command, .. } = &effect {
                // The one that is called so fails.
                let ok = command[0] != "failing";
                self.sent.push((op.clone(), self.events.len()));
                let end = HookEnd { ok, message: format!("{} ended", command.join(" ")) };
                let _ = self.outbox.try_send(Observation::Hooked { op: op.clone(), end });
                continue;
            }
            if let Effect::Connect { node } = &effect {
                self.hosts[node].open();
                continue;
            }
            if let Effect::Follow { source, node, file } = effect {
                self.follow(source, node, file);
                continue;
            }
            self.asked += 1;
            let (node, request) = self.request(&effect);
            let (host, out) = (self.hosts[&node].clone(), self.outbox.clone());
            tokio::spawn(async move {
                let (said, mut lines) = mpsc::channel(64);
                let listen = async { while lines.recv().await.is_some() {} };
                let (reply, ()) = tokio::join!(host.run(request, said), listen);
                let _ = out.send(observation(effect, reply)).await;
            });
        }
    }

    /// Looks whether a file has grown, and how far it says that Setup has come.
    fn follow(&mut self, source: String, node: NodeName, file: Followed) {
        let Followed::File { path, percent: Some(mark), .. } = file else {
            let _ = self.outbox.try_send(Observation::Tailed { source, node, next: None });
            return;
        };
        let (host, out) = (self.hosts[&node].clone(), self.outbox.clone());
        let known = self.sizes.clone();
        tokio::spawn(async move {
            if let Ok(chunk) = host.read_file(&path, 0, 1 << 20).await {
                let grew =
                    known.lock().expect("one at a time").insert(node.clone(), chunk.size) != Some(chunk.size);
                let text = String::from_utf8_lossy(&chunk.bytes).into_owned();
                let percent = text.lines().rev().find_map(|l| percent_in(l, &mark));
                if grew {
                    let _ = out.send(Observation::Grew { node: node.clone(), percent }).await;
                }
            }
            let _ = out.send(Observation::Tailed { source, node, next: None }).await;
        });
    }

    fn request(&self, effect: &Effect) -> (NodeName, Request) {
        let plan = &self.decider.state().plan;
        let script = |path: &str, node: &NodeName| {
            let s = &plan.scripts[path];
            Request {
                name: path.to_owned(),
                script: s.text.clone(),
                args: plan.arguments(path, node),
                timeout: Duration::from_secs(s.timeout),
                slow: false,
            }
        };
        match effect {
            Effect::Connect { .. } | Effect::Follow { .. } | Effect::Hook { .. } => {
                unreachable!("it runs no script")
            }
            Effect::Read { node, script: s, .. } => (node.clone(), script(s, node)),
            Effect::Run { node, script: s, more, .. } => {
                let mut request = script(s, node);
                let Json::Object(args) = &mut request.args else { unreachable!("arguments are an object") };
                args.iter_mut().for_each(|(name, value)| *value = more.get(name).unwrap_or(value).clone());
                (node.clone(), request)
            }
            Effect::Tail { node, script: s, after, .. } => {
                let mut request = script(s, node);
                request.args["after"] = after.clone();
                (node.clone(), request)
            }
            Effect::Observe { op, node } => (node.clone(), detached::observe(RUN, op.as_str())),
            Effect::Detach { op, node, script: s, more, system } => {
                let mut inner = script(s, node);
                let Json::Object(args) = &mut inner.args else { unreachable!("arguments are an object") };
                args.iter_mut().for_each(|(name, value)| *value = more.get(name).unwrap_or(value).clone());
                let account = plan.settings["task_account"].as_str();
                let user = account.filter(|_| !system).unwrap_or_default();
                (node.clone(), detached::start(RUN, op.as_str(), 1, &inner.script, inner.args, user, Some("x")))
            }
        }
    }

    /// Checks, fixes what can be fixed, and starts.
    pub async fn start(&mut self) {
        self.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
        self.command(Command::CheckAll);
        self.until("checks", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
        if self.state().phase == Phase::Blocked {
            self.command(Command::FixAll);
            self.until("fixes", |s| s.phase == Phase::Checking || s.open_sequence().is_some()).await;
            self.until("restarts", |s| s.open_sequence().is_none()).await;
            self.until("checks again", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
        }
        // Test-CauSetup looks at the firewall too, and was read before the fix.
        if self.state().phase == Phase::Blocked {
            self.command(Command::RetryFailed);
            self.until("checks once more", |s| s.phase == Phase::Checking).await;
            self.until("their end", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
        }
        assert_eq!(self.state().phase, Phase::Ready, "{}", self.verdicts());
        self.command(Command::Start);
    }

    /// Every verdict that is not good.
    pub fn verdicts(&self) -> String {
        let bad = self.state().checks.iter().filter_map(|(k, c)| Some((k, &c.current.as_ref()?.value)));
        bad.filter(|(_, v)| v.outcome.word() != "pass" && v.outcome.word() != "n/a")
            .map(|(k, v)| {
                let node = k.node.as_ref().map_or_else(String::new, |n| format!(" on {n}"));
                let why = v.why.clone().or(v.observed.clone()).unwrap_or_default();
                format!("{}{node}: {}, {why}\n", k.check, v.outcome.word())
            })
            .collect()
    }

    pub async fn commit(&mut self, step: &str) {
        self.command(Command::Prove { step: step.into() });
        self.until("proof", |s| s.proofs.get(step).is_some_and(|p| p.taken.is_some())).await;
        let typed = self.plan.cluster.clone();
        self.command(Command::Commit { step: step.into(), typed, reason: "the change was approved".into() });
        let is = |s: &State| s.current_step() != Some(step) || s.phase.is_terminal();
        self.until(step, is).await;
    }
}

fn remoting(node: &str) -> RemotingConfig {
    RemotingConfig {
        name: node.into(),
        computer: node.into(),
        through: "COORD01".into(),
        user: "CORP\\upgradeadmin".into(),
        password: None,
        times: RemotingTimes::default(),
    }
}

fn observation(effect: Effect, reply: Reply) -> Observation {
    let took_ms = reply.took.as_millis() as u64;
    let answer = match reply.record() {
        Ok(json) => Answer::Facts(json),
        Err(failure) => Answer::Failed(failure),
    };
    match effect {
        Effect::Connect { .. } | Effect::Follow { .. } | Effect::Hook { .. } => {
            unreachable!("it is answered by nothing")
        }
        Effect::Read { key, attempt, node, .. } => Observation::Read { key, attempt, node, took_ms, answer },
        Effect::Run { op, .. } => Observation::Ran { op, took_ms, answer },
        Effect::Detach { op, .. } => Observation::Detached { op, took_ms, answer },
        Effect::Observe { op, .. } => {
            let misshapen =
                |message: String| Failure { kind: FailureKind::Misshapen, id: None, message, at: None };
            let answer = match answer {
                Answer::Facts(json) => serde_json::from_value(json).map_err(|e| misshapen(e.to_string())),
                Answer::Failed(f) => Err(f),
            };
            Observation::Observed { op, answer }
        }
        Effect::Tail { source, node, .. } => {
            let next = match answer {
                Answer::Facts(mut json) => json.get_mut("next").map(Json::take),
                Answer::Failed(_) => None,
            };
            Observation::Tailed { source, node, next }
        }
    }
}

/// A world of the lab.
pub fn world(name: &str) -> Json {
    let path = format!("{}/tests/lab/worlds/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the world is there")).expect("JSON")
}

/// The world of the demonstration.
pub fn demo() -> Json {
    serde_json::from_str(include_str!("../../config/demo.json")).expect("JSON")
}
