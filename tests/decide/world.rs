//! A small imitated site: every effect is answered from it, time is a number.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use nodelift::core::command::Command;
use nodelift::core::connection::{Connection, Hello, Trouble, TroubleKind};
use nodelift::core::decide::{Decider, Effect, Observation, Turn};
use nodelift::core::event::{Answer, Failure, FailureKind, Stamped};
use nodelift::core::name::NodeName;
use nodelift::core::plan::Plan;
use nodelift::core::run::{Phase, UnitState};
use nodelift::core::state::State;
use nodelift::core::view::OpView;
use nodelift::runbook::{Library, Runbook, Site};
use serde_json::{Value as Json, json};

pub const RUNBOOK: &str = r#"
id = "small"
title = "Small"
short = "1 → 2"
source = "a document"
default_target = "2"
[targets.2]
build = 200
from_version = "1"
from_build = 100
[driver]
mode = "delegated"
name = "Driver"
state = "run"
report = "report"
cluster = "nodes"
host = "os"
storage = "gate"
stop = "stop.ps1"
every = 10
idle_every = 60
[driver.words]
Waiting = "waiting"
Staging = "staging"
Suspending = "draining"
Installing = "installing"
Restarting = "restarting"
Resuming = "resuming"
[stages.installing]
expected = 600
limit = 1200
[[facts]]
id = "run"
title = "Run"
on = "any-node"
script = "run.ps1"
[[facts]]
id = "report"
title = "Report"
on = "any-node"
script = "report.ps1"
[[facts]]
id = "nodes"
title = "Nodes"
on = "any-node"
script = "nodes.ps1"
[[facts]]
id = "os"
title = "System"
on = "each-node"
script = "os.ps1"
[[facts]]
id = "gate"
title = "Storage"
on = "any-node"
script = "gate.ps1"
[[facts]]
id = "value"
title = "Value"
on = "each-node"
script = "value.ps1"
[[facts]]
id = "level"
title = "Level"
on = "any-node"
script = "level.ps1"
[[facts]]
id = "flag"
title = "Flag"
on = "each-node"
script = "flag.ps1"
[[check]]
id = "value"
title = "Value is 0"
area = "A"
scope = "each-node"
severity = "blocker"
waivable = true
facts = ["value"]
pass = "value.v == 0"
expect = "0"
remedy = "set it"
fix = { script = "fix.ps1", class = "write", changes = "sets it" }
source = "x"
[[check]]
id = "proof"
title = "At the target"
area = "A"
scope = "each-node"
severity = "blocker"
moment = "after"
waivable = false
facts = ["os"]
pass = "int(os.build) >= target.build"
expect = "200"
remedy = "look"
source = "x"
[[step]]
id = "go"
title = "Go"
kind = "delegate"
class = "once"
on = "any-node"
script = "go.ps1"
detached = true
expected = 10
budget = 100
safe_point = "after a node"
tier = "t2"
[[step]]
id = "verify"
title = "Verify"
kind = "verify"
class = "read"
on = "any-node"
expected = 10
budget = 100
safe_point = "always"
tier = "t0"
[[step]]
id = "level"
title = "Raise the level"
kind = "commit"
class = "irreversible"
on = "any-node"
script = "raise.ps1"
expected = 10
budget = 100
safe_point = "before"
tier = "t3"
probe = { facts = "level", done = "level.level == 2" }
[[step.proof]]
title = "Nobody runs"
facts = ["run"]
pass = "run.state == 'RunNotInProgress'"
"#;

pub fn runbook(text: &str) -> Runbook {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    std::fs::create_dir_all(&small).unwrap();
    std::fs::write(small.join("runbook.toml"), text).unwrap();
    for s in [
        "run", "report", "nodes", "os", "gate", "value", "level", "fix", "go", "stop", "raise", "flag", "on",
        "off",
    ] {
        std::fs::write(small.join(format!("{s}.ps1")), format!("# {s}\n")).unwrap();
    }
    Library::new(Some(folder.path().to_owned())).load("small").unwrap_or_else(|e| panic!("{e}"))
}

pub fn plan(text: &str) -> Arc<Plan> {
    let nodes = ["A", "B"].map(NodeName::new).to_vec();
    Arc::new(runbook(text).plan(&Site { cluster: "CL".into(), nodes, ..Site::default() }).unwrap())
}

/// An imitated site, and the rules under test.
pub struct World {
    pub decider: Decider,
    pub now: Timestamp,
    pub events: Vec<Stamped>,
    pub effects: VecDeque<Effect>,
    pub values: BTreeMap<NodeName, i64>,
    pub flags: BTreeMap<NodeName, bool>,
    /// Scripts that throw.
    pub throws: Vec<&'static str>,
    pub build: BTreeMap<NodeName, u64>,
    pub boot: BTreeMap<NodeName, i64>,
    pub cluster: BTreeMap<NodeName, &'static str>,
    pub run: Json,
    pub report: Json,
    pub level: i64,
    pub op: OpView,
    /// Answers of these scripts are lost.
    pub lost: Vec<&'static str>,
    pub sent: Vec<String>,
}

impl World {
    pub fn new() -> Self {
        Self::of(RUNBOOK)
    }

    pub fn of(runbook: &str) -> Self {
        let nodes = ["A", "B"].map(NodeName::new);
        let each = |v| nodes.iter().cloned().map(|n| (n, v)).collect();
        let mut w = Self {
            decider: Decider::new(State::new(plan(runbook)), "0199-run"),
            now: "2025-06-14T08:00:00Z".parse().unwrap(),
            events: Vec::new(),
            effects: VecDeque::new(),
            values: nodes.iter().cloned().map(|n| (n, 0)).collect(),
            flags: nodes.iter().cloned().map(|n| (n, false)).collect(),
            throws: Vec::new(),
            build: nodes.iter().cloned().map(|n| (n, 100)).collect(),
            boot: nodes.iter().cloned().map(|n| (n, 0)).collect(),
            cluster: each("Up"),
            run: json!({ "state": "RunNotInProgress", "run": null }),
            report: json!({ "present": false }),
            level: 1,
            op: OpView { claim: true, alive: Some(true), same_boot: Some(true), exit: None, task: None },
            lost: Vec::new(),
            sent: Vec::new(),
        };
        for n in ["A", "B"] {
            w.connect(n);
        }
        w
    }

    pub fn took(&mut self, turn: Turn) {
        self.events.extend(turn.events);
        self.effects.extend(turn.effects);
    }

    pub fn connect(&mut self, node: &str) {
        let hello = Hello {
            host: node.into(),
            ps: "5.1".into(),
            language: "FullLanguage".into(),
            pid: 1,
            skew_ms: 0,
            via: "test".into(),
            second_hop: true,
        };
        self.connection(node, Connection::Ready(hello));
    }

    pub fn connection(&mut self, node: &str, connection: Connection) {
        let turn = self.decider.observe(Observation::Connection { node: node.into(), connection }, self.now);
        self.took(turn);
    }

    pub fn command(&mut self, command: Command) -> Result<(), String> {
        let turn = self.decider.command("j.doe", &command, self.now).map_err(|r| r.0)?;
        self.took(turn);
        Ok(())
    }

    pub fn facts(&self, script: &str, node: &NodeName) -> Json {
        let iso = |s: i64| Timestamp::from_second(1_749_000_000 + s).unwrap().to_string();
        match script {
            "small/value.ps1" => json!({ "v": self.values[node] }),
            "small/os.ps1" => json!({
                "computer": node, "build": self.build[node].to_string(), "ubr": 1, "display_version": "x",
                "caption": "W", "boot_utc": iso(self.boot[node]), "now_utc": iso(9_000_000), "windeploy": false,
            }),
            "small/nodes.ps1" => {
                let rows: Vec<Json> = self.cluster.iter().map(|(n, s)| {
                    json!({ "name": n, "state": s, "drain": "NotInitiated", "status": "Normal", "build": self.build[n] })
                }).collect();
                json!({ "nodes": rows })
            }
            "small/gate.ps1" => {
                json!({ "open": true, "jobs": [], "bytes_left": 0, "virtual_disks": [], "units": [], "nodes_not_up": [] })
            }
            "small/run.ps1" => self.run.clone(),
            "small/report.ps1" => self.report.clone(),
            "small/flag.ps1" => json!({ "on": self.flags[node] }),
            "small/level.ps1" => json!({ "level": self.level }),
            _ => json!({ "ok": true }),
        }
    }

    /// Answers everything that was asked, then lets time pass, until that much has.
    pub fn pass(&mut self, seconds: i64) {
        let end = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        loop {
            while let Some(effect) = self.effects.pop_front() {
                self.answer(effect);
            }
            let due = self.decider.next_due(self.now).filter(|d| *d <= end);
            let Some(due) = due else { break };
            self.now = due.max(self.now.checked_add(SignedDuration::from_millis(100)).unwrap());
            let turn = self.decider.tick(self.now);
            self.took(turn);
        }
        self.now = end;
        let turn = self.decider.tick(self.now);
        self.took(turn);
        while let Some(effect) = self.effects.pop_front() {
            self.answer(effect);
        }
    }

    pub fn answer(&mut self, effect: Effect) {
        let lost = |this: &Self, script: &str| this.lost.iter().any(|l| script.ends_with(l));
        let gone = || Failure {
            kind: FailureKind::Indeterminate,
            id: None,
            message: "the connection ended".into(),
            at: None,
        };
        let observation = match effect {
            Effect::Read { key, attempt, node, script, .. } => {
                let answer = if lost(self, &script) {
                    Answer::Failed(gone())
                } else {
                    Answer::Facts(self.facts(&script, &node))
                };
                Observation::Read { key, attempt, node, took_ms: 5, answer }
            }
            Effect::Run { op, node, script, .. } => {
                self.sent.push(script.clone());
                let throws = self.throws.iter().any(|t| script.ends_with(t));
                match script.as_str() {
                    _ if throws => {}
                    "small/on.ps1" | "small/off.ps1" => {
                        self.flags.insert(node, script.ends_with("on.ps1"));
                    }
                    "small/fix.ps1" => {
                        self.values.insert(node, 0);
                    }
                    "small/raise.ps1" => self.level = 2,
                    "small/stop.ps1" => {}
                    other => panic!("{other}"),
                }
                let refused = || Failure { kind: FailureKind::Threw, message: "access denied".into(), ..gone() };
                let answer = match (throws, lost(self, &script)) {
                    (true, _) => Answer::Failed(refused()),
                    (_, true) => Answer::Failed(gone()),
                    _ => Answer::Facts(json!({ "ok": true })),
                };
                Observation::Ran { op, took_ms: 5, answer }
            }
            Effect::Hook { .. } => unreachable!("this site has no hooks"),
            Effect::Detach { op, script, .. } => {
                self.sent.push(script.clone());
                let answer = if lost(self, &script) { Answer::Failed(gone()) } else { Answer::Facts(json!({})) };
                Observation::Detached { op, took_ms: 5, answer }
            }
            Effect::Observe { op, .. } => Observation::Observed { op, answer: Ok(self.op.clone()) },
            Effect::Connect { node } => {
                let connection = self.decider.state().connection(&node).clone();
                Observation::Connection { node, connection }
            }
            Effect::Tail { source, node, .. } | Effect::Follow { source, node, .. } => {
                Observation::Tailed { source, node, next: None }
            }
        };
        let turn = self.decider.observe(observation, self.now);
        self.took(turn);
    }

    pub fn phase(&self) -> Phase {
        self.decider.state().phase.clone()
    }

    pub fn unit(&self, node: &str) -> UnitState {
        self.decider.state().unit(&node.into()).unwrap().state
    }

    pub fn driver(&mut self, working: &[(&str, &str)], finished: &[(&str, &str)]) {
        let working: Vec<Json> =
            working.iter().map(|(n, s)| json!({ "node": n, "status": s, "time_utc": null })).collect();
        let finished: Vec<Json> =
            finished.iter().map(|(n, s)| json!({ "node": n, "status": s, "error": null })).collect();
        self.run = json!({ "state": "RunInProgress", "run": {
            "id": "r", "started_utc": self.now, "orchestrator": "A", "cancel_pending": false, "working": working, "finished": finished,
        }});
        self.pass(30);
    }

    pub fn idle(&mut self, status: &str, nodes: &[(&str, &str)]) {
        self.run = json!({ "state": "RunNotInProgress", "run": null });
        let nodes: Vec<Json> =
            nodes.iter().map(|(n, s)| json!({ "node": n, "status": s, "error": "it failed" })).collect();
        self.report = json!({ "present": true, "run_id": "r", "status": status, "started_utc": self.now, "error_id": null, "nodes": nodes });
        self.pass(60);
    }

    pub fn ready(&mut self) {
        self.command(Command::CheckAll).unwrap();
        self.pass(5);
        assert_eq!(self.phase(), Phase::Ready);
    }

    pub fn running(&mut self) {
        self.ready();
        self.command(Command::Start).unwrap();
        self.pass(5);
        assert_eq!(self.phase(), Phase::Running);
        self.driver(&[("A", "Staging"), ("B", "Staging")], &[]);
    }

    /// One node from drain to done.
    pub fn upgrade(&mut self, node: &str, rest: &[(&str, &str)], before: &[(&str, &str)]) {
        let work = |s: &'static str| -> Vec<(&str, &str)> {
            [(node, s)].into_iter().chain(rest.iter().copied()).collect()
        };
        self.driver(&work("Suspending"), before);
        assert_eq!(self.unit(node), UnitState::Draining);
        self.driver(&work("Installing"), before);
        assert_eq!(self.unit(node), UnitState::Executing);
        self.cluster.insert(node.into(), "Down");
        let lost = Trouble { kind: TroubleKind::Lost, message: "gone".into(), remedy: "wait".into() };
        self.connection(node, Connection::Trouble(lost));
        self.driver(&work("Restarting"), before);
        assert_eq!(self.unit(node), UnitState::Offline);
        self.build.insert(node.into(), 200);
        self.boot.insert(node.into(), 5000);
        self.cluster.insert(node.into(), "Up");
        self.connect(node);
        self.driver(&work("Resuming"), before);
        assert_eq!(self.unit(node), UnitState::Resuming);
        let finished: Vec<(&str, &str)> = before.iter().copied().chain([(node, "Succeeded")]).collect();
        self.driver(rest, &finished);
        assert_eq!(self.unit(node), UnitState::Done);
    }

    pub fn count(&self, script: &str) -> usize {
        self.sent.iter().filter(|s| s.ends_with(script)).count()
    }
}

impl Drop for World {
    /// Whatever a test did: every prefix of its events folds, and the whole gives the same state.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut state = State::new(self.decider.state().plan.clone());
        for event in &self.events {
            state.apply(event);
        }
        assert_eq!(&state, self.decider.state());
    }
}
