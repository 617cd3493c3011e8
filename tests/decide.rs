//! The rules, fed by hand: every effect is answered from a small imitated site, time is a number.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use nodelift::core::command::Command;
use nodelift::core::connection::{Connection, Hello, Trouble, TroubleKind};
use nodelift::core::decide::{Decider, Effect, Observation, Turn};
use nodelift::core::event::{Answer, Event, Failure, FailureKind, Outcome, Stamped, VerdictKey};
use nodelift::core::name::NodeName;
use nodelift::core::plan::Plan;
use nodelift::core::run::{PauseReason, Phase, RunVerdict, UnitState};
use nodelift::core::state::State;
use nodelift::core::view::OpView;
use nodelift::runbook::{Library, Runbook, Site};
use serde_json::{Value as Json, json};

const RUNBOOK: &str = r#"
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

fn runbook() -> Runbook {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    std::fs::create_dir_all(&small).unwrap();
    std::fs::write(small.join("runbook.toml"), RUNBOOK).unwrap();
    for s in ["run", "report", "nodes", "os", "gate", "value", "level", "fix", "go", "stop", "raise"] {
        std::fs::write(small.join(format!("{s}.ps1")), format!("# {s}\n")).unwrap();
    }
    Library::new(Some(folder.path().to_owned())).load("small").unwrap_or_else(|e| panic!("{e}"))
}

fn plan() -> Arc<Plan> {
    let nodes = ["A", "B"].map(NodeName::new).to_vec();
    Arc::new(runbook().plan(&Site { cluster: "CL".into(), nodes, ..Site::default() }).unwrap())
}

/// An imitated site, and the rules under test.
struct World {
    decider: Decider,
    now: Timestamp,
    events: Vec<Stamped>,
    effects: VecDeque<Effect>,
    values: BTreeMap<NodeName, i64>,
    build: BTreeMap<NodeName, u64>,
    boot: BTreeMap<NodeName, i64>,
    cluster: BTreeMap<NodeName, &'static str>,
    run: Json,
    report: Json,
    level: i64,
    op: OpView,
    /// Answers of these scripts are lost.
    lost: Vec<&'static str>,
    sent: Vec<String>,
}

impl World {
    fn new() -> Self {
        let nodes = ["A", "B"].map(NodeName::new);
        let each = |v| nodes.iter().cloned().map(|n| (n, v)).collect();
        let mut w = Self {
            decider: Decider::new(State::new(plan()), "0199-run"),
            now: "2025-06-14T08:00:00Z".parse().unwrap(),
            events: Vec::new(),
            effects: VecDeque::new(),
            values: nodes.iter().cloned().map(|n| (n, 0)).collect(),
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

    fn took(&mut self, turn: Turn) {
        self.events.extend(turn.events);
        self.effects.extend(turn.effects);
    }

    fn connect(&mut self, node: &str) {
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

    fn connection(&mut self, node: &str, connection: Connection) {
        let turn = self.decider.observe(Observation::Connection { node: node.into(), connection }, self.now);
        self.took(turn);
    }

    fn command(&mut self, command: Command) -> Result<(), String> {
        let turn = self.decider.command("j.doe", &command, self.now).map_err(|r| r.0)?;
        self.took(turn);
        Ok(())
    }

    fn facts(&self, script: &str, node: &NodeName) -> Json {
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
            "small/level.ps1" => json!({ "level": self.level }),
            _ => json!({ "ok": true }),
        }
    }

    /// Answers everything that was asked, then lets time pass, until that much has.
    fn pass(&mut self, seconds: i64) {
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

    fn answer(&mut self, effect: Effect) {
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
                match script.as_str() {
                    "small/fix.ps1" => {
                        self.values.insert(node, 0);
                    }
                    "small/raise.ps1" => self.level = 2,
                    "small/stop.ps1" => {}
                    other => panic!("{other}"),
                }
                let answer = if lost(self, &script) {
                    Answer::Failed(gone())
                } else {
                    Answer::Facts(json!({ "ok": true }))
                };
                Observation::Ran { op, took_ms: 5, answer }
            }
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

    fn phase(&self) -> Phase {
        self.decider.state().phase.clone()
    }

    fn unit(&self, node: &str) -> UnitState {
        self.decider.state().unit(&node.into()).unwrap().state
    }

    fn driver(&mut self, working: &[(&str, &str)], finished: &[(&str, &str)]) {
        let working: Vec<Json> =
            working.iter().map(|(n, s)| json!({ "node": n, "status": s, "time_utc": null })).collect();
        let finished: Vec<Json> =
            finished.iter().map(|(n, s)| json!({ "node": n, "status": s, "error": null })).collect();
        self.run = json!({ "state": "RunInProgress", "run": {
            "id": "r", "started_utc": self.now, "orchestrator": "A", "cancel_pending": false, "working": working, "finished": finished,
        }});
        self.pass(30);
    }

    fn idle(&mut self, status: &str, nodes: &[(&str, &str)]) {
        self.run = json!({ "state": "RunNotInProgress", "run": null });
        let nodes: Vec<Json> =
            nodes.iter().map(|(n, s)| json!({ "node": n, "status": s, "error": "it failed" })).collect();
        self.report = json!({ "present": true, "run_id": "r", "status": status, "started_utc": self.now, "error_id": null, "nodes": nodes });
        self.pass(60);
    }

    fn ready(&mut self) {
        self.command(Command::CheckAll).unwrap();
        self.pass(5);
        assert_eq!(self.phase(), Phase::Ready);
    }

    fn running(&mut self) {
        self.ready();
        self.command(Command::Start).unwrap();
        self.pass(5);
        assert_eq!(self.phase(), Phase::Running);
        self.driver(&[("A", "Staging"), ("B", "Staging")], &[]);
    }

    /// One node from drain to done.
    fn upgrade(&mut self, node: &str, rest: &[(&str, &str)], before: &[(&str, &str)]) {
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

    fn count(&self, script: &str) -> usize {
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

#[test]
fn a_whole_run_ends_succeeded() {
    let mut w = World::new();
    w.running();
    w.upgrade("A", &[("B", "Waiting")], &[]);
    w.upgrade("B", &[], &[("A", "Succeeded")]);
    w.idle("Succeeded", &[("A", "Succeeded"), ("B", "Succeeded")]);
    assert_eq!(w.phase(), Phase::AwaitingCommit);

    // The irreversible step: proof first, the name typed, a reason given.
    let commit = |typed: &str, reason: &str| Command::Commit {
        step: "level".into(),
        typed: typed.into(),
        reason: reason.into(),
    };
    assert_eq!(w.command(commit("cl", "all nodes are done")), Err("type the cluster's name: CL".into()));
    assert_eq!(w.command(commit("CL", "because")), Err("the reason needs 15 characters".into()));
    w.command(Command::Prove { step: "level".into() }).unwrap();
    w.pass(90);
    // The proof is older than a minute: the confirmation takes a new one before anything is sent.
    w.command(commit("CL", "all nodes are done")).unwrap();
    assert_eq!(w.count("raise.ps1"), 0);
    w.pass(5);
    assert_eq!(w.phase(), Phase::Succeeded);
    assert_eq!(w.decider.state().verdict, Some(RunVerdict::Succeeded));
    assert_eq!((w.count("go.ps1"), w.count("raise.ps1")), (1, 1));
}

#[test]
fn what_cannot_be_proved_is_not_done() {
    let mut w = World::new();
    w.running();
    w.upgrade("A", &[("B", "Waiting")], &[]);
    w.upgrade("B", &[], &[("A", "Succeeded")]);
    w.idle("Succeeded", &[("A", "Succeeded"), ("B", "Succeeded")]);
    w.run = json!({ "state": "RunInProgress", "run": null });
    let commit = Command::Commit { step: "level".into(), typed: "CL".into(), reason: "all nodes are done".into() };
    w.command(commit.clone()).unwrap();
    w.pass(5);
    assert_eq!((w.phase(), w.count("raise.ps1")), (Phase::AwaitingCommit, 0));
    assert_eq!(w.command(commit.clone()), Err("not proved: Nobody runs".into()));
    w.run = json!({ "state": "RunNotInProgress", "run": null });
    w.pass(90);
    w.command(commit).unwrap();
    w.pass(5);
    assert_eq!((w.phase(), w.count("raise.ps1")), (Phase::Succeeded, 1));
}

#[test]
fn a_blocker_is_fixed_and_checked_again() {
    let mut w = World::new();
    w.values.insert("B".into(), 1);
    w.command(Command::CheckAll).unwrap();
    w.pass(5);
    assert_eq!(w.phase(), Phase::Blocked);
    let key = VerdictKey { check: "value".into(), node: Some("B".into()) };
    assert_eq!(w.command(Command::Start), Err("1 blocker in the way".into()));
    assert_eq!(
        w.command(Command::Fix { key: VerdictKey { node: Some("A".into()), ..key.clone() } }),
        Err("nothing to fix: the check has not failed here".into())
    );
    w.command(Command::Fix { key: key.clone() }).unwrap();
    w.pass(5);
    assert_eq!(w.phase(), Phase::Ready);
    assert_eq!(w.decider.state().checks[&key].history.len(), 1, "the first verdict is kept");
    // Only what the check needs was read again.
    let reads = w
        .events
        .iter()
        .filter(|e| matches!(&e.event, Event::FactsRead { key, .. } if key.node == Some("A".into())))
        .count();
    assert_eq!(reads, 1);
}

#[test]
fn a_waived_blocker_does_not_block_and_the_waiver_ends() {
    let mut w = World::new();
    w.values.insert("B".into(), 1);
    w.command(Command::CheckAll).unwrap();
    w.pass(5);
    let key = VerdictKey { check: "value".into(), node: Some("B".into()) };
    let waive = |reason: &str| Command::Waive { key: key.clone(), reason: reason.into(), hours: 1 };
    assert_eq!(w.command(waive("short")), Err("the reason needs 15 characters".into()));
    w.command(waive("the owner accepts this risk")).unwrap();
    assert_eq!(w.phase(), Phase::Ready);
    w.pass(3700);
    assert_eq!(w.phase(), Phase::Blocked, "an expired waiver blocks again");
}

#[test]
fn what_cannot_be_told_blocks() {
    let mut w = World::new();
    w.lost.push("value.ps1");
    w.command(Command::CheckAll).unwrap();
    w.pass(5);
    assert_eq!(w.phase(), Phase::Blocked);
    let key = VerdictKey { check: "value".into(), node: Some("A".into()) };
    let verdict = &w.decider.state().verdict_of(&key).unwrap().value;
    assert_eq!(verdict.outcome, Outcome::CouldNotTell);
    assert!(verdict.why.as_deref().unwrap().contains("the connection ended"));
    w.lost.clear();
    w.command(Command::RetryFailed).unwrap();
    w.pass(5);
    assert_eq!(w.phase(), Phase::Ready);
}

#[test]
fn a_machine_that_stays_away_ends_the_waiting_with_could_not_tell() {
    let mut w = World::new();
    let away =
        Trouble { kind: TroubleKind::Unreachable, message: "B: connection refused".into(), remedy: "".into() };
    w.connection("B", Connection::Trouble(away));
    w.command(Command::CheckAll).unwrap();
    w.pass(10);
    assert_eq!(w.phase(), Phase::Checking, "it is waited for");
    w.pass(20);
    assert_eq!(w.phase(), Phase::Blocked);
    let key = VerdictKey { check: "value".into(), node: Some("B".into()) };
    assert_eq!(w.decider.state().verdict_of(&key).unwrap().value.outcome, Outcome::CouldNotTell);
}

/// What a person puts right works without a new start: connecting again reads what was missed.
#[test]
fn a_machine_that_waits_for_a_person_is_connected_again_when_asked() {
    for asks in [Command::Connect, Command::CheckAll, Command::RetryFailed] {
        let mut w = World::new();
        assert_eq!(w.command(Command::Connect), Err("no machine is in trouble".into()));
        let refused = |message: &str| {
            let kind = TroubleKind::LoginRefused;
            Connection::Trouble(Trouble { kind, message: message.into(), remedy: "".into() })
        };
        w.connection("B", refused("key"));
        w.command(Command::CheckAll).unwrap();
        w.connection("B", refused("key"));
        w.pass(1);
        assert_eq!(w.phase(), Phase::Blocked);
        let now = w.now;
        w.connection("B", refused("password"));
        assert_eq!(w.decider.state().machines["B"].connection_since.map(|at| at < now), Some(true));
        w.command(asks).unwrap();
        assert_eq!(w.decider.state().connection(&"B".into()), &Connection::Connecting);
        let connects = |e: &Effect| matches!(e, Effect::Connect { node } if node.as_str() == "B");
        assert_eq!(w.effects.iter().filter(|e| connects(e)).count(), 1);
        w.pass(60);
        assert!(matches!(w.phase(), Phase::Blocked | Phase::Checking), "it waits for the connection");
        w.connect("B");
        w.pass(1);
        assert_eq!(w.phase(), Phase::Ready);
    }
}

#[test]
fn old_blockers_are_proved_again_before_the_start() {
    let mut w = World::new();
    w.ready();
    w.pass(700);
    w.command(Command::Start).unwrap();
    assert_eq!((w.phase(), w.count("go.ps1")), (Phase::Checking, 0));
    w.pass(5);
    assert_eq!((w.phase(), w.count("go.ps1")), (Phase::Running, 1));
    assert_eq!(w.decider.state().run.as_ref().unwrap().started_by, "j.doe");
}

#[test]
fn a_blocker_that_came_up_since_keeps_the_run_from_starting() {
    let mut w = World::new();
    w.ready();
    w.pass(700);
    w.values.insert("A".into(), 1);
    w.command(Command::Start).unwrap();
    w.pass(5);
    assert_eq!((w.phase(), w.count("go.ps1")), (Phase::Blocked, 0));
    w.values.insert("A".into(), 0);
    w.command(Command::RetryFailed).unwrap();
    w.pass(5);
    assert_eq!(w.phase(), Phase::Ready, "the wish to start is over");
}

#[test]
fn nothing_starts_beside_another_run() {
    let mut w = World::new();
    w.ready();
    w.run = json!({ "state": "RunInProgress", "run": { "id": "x", "started_utc": "2025-06-14T05:00:00Z", "orchestrator": "SOMEBODY",
        "cancel_pending": false, "working": [], "finished": [] }});
    w.command(Command::Start).unwrap();
    w.pass(5);
    assert_eq!(w.phase(), Phase::Paused(PauseReason::ForeignRun));
    assert!(w.decider.state().phase_why.contains("SOMEBODY"));
    assert_eq!(w.count("go.ps1"), 0);
    w.run = json!({ "state": "RunNotInProgress", "run": null });
    w.command(Command::Resume).unwrap();
    w.pass(5);
    assert_eq!((w.phase(), w.count("go.ps1")), (Phase::Running, 1));
}

#[test]
fn a_node_that_comes_back_on_the_old_build_is_rolled_back_whatever_else_looks_fine() {
    let mut w = World::new();
    w.running();
    w.driver(&[("A", "Restarting"), ("B", "Waiting")], &[]);
    w.boot.insert("A".into(), 5000);
    w.driver(&[("B", "Waiting")], &[("A", "Succeeded")]);
    assert_eq!(w.unit("A"), UnitState::RolledBack);
    w.idle("PartiallyFailed", &[("A", "Succeeded")]);
    assert_eq!(w.phase(), Phase::Paused(PauseReason::Budget));
    let first = w.decider.state().run.as_ref().unwrap().first_error.clone().unwrap();
    assert!(first.value.contains("old build 100"), "{}", first.value);
}

#[test]
fn a_failed_run_pauses_and_a_second_attempt_skips_what_is_done() {
    let mut w = World::new();
    w.running();
    w.upgrade("A", &[("B", "Waiting")], &[]);
    w.driver(&[], &[("A", "Succeeded"), ("B", "Failed")]);
    w.idle("PartiallyFailed", &[("A", "Succeeded"), ("B", "Failed")]);
    assert_eq!(w.phase(), Phase::Paused(PauseReason::Budget));
    w.pass(120);
    w.command(Command::Resume).unwrap();
    w.pass(5);
    assert_eq!(w.count("go.ps1"), 2);
    assert_eq!((w.unit("A"), w.unit("B")), (UnitState::Done, UnitState::Pending));
    w.upgrade("B", &[], &[("A", "Succeeded")]);
    assert_eq!(w.phase(), Phase::AwaitingCommit);
    w.command(Command::Defer).unwrap();
    w.pass(5);
    assert_eq!(w.phase(), Phase::Succeeded);
    assert!(w.decider.state().phase_why.contains("left for later"));
}

#[test]
fn pause_lets_the_driver_finish_and_stop_ends_the_run() {
    let mut w = World::new();
    w.running();
    w.driver(&[("A", "Installing"), ("B", "Waiting")], &[]);
    w.command(Command::Pause).unwrap();
    w.pass(5);
    assert_eq!((w.phase(), w.count("stop.ps1")), (Phase::Pausing, 1));
    w.build.insert("A".into(), 200);
    w.boot.insert("A".into(), 5000);
    w.idle("Canceled", &[("A", "Succeeded"), ("B", "Canceled")]);
    assert_eq!(w.phase(), Phase::Paused(PauseReason::Operator));
    assert_eq!((w.unit("A"), w.unit("B")), (UnitState::Done, UnitState::Pending));
    w.command(Command::Stop).unwrap();
    assert_eq!(w.phase(), Phase::Stopped);
    assert_eq!(w.decider.state().phase_why, "stopped with 1 of 2 nodes not done");
}

#[test]
fn a_start_whose_answer_was_lost_is_looked_for_and_never_sent_twice() {
    let mut w = World::new();
    w.ready();
    w.lost.push("go.ps1");
    w.command(Command::Start).unwrap();
    w.pass(60);
    assert_eq!(w.count("go.ps1"), 1);
    let run = w.decider.state().run.as_ref().unwrap();
    assert!(run.steps["go"].started_at.is_some(), "its files say that it runs");
}

#[test]
fn a_start_that_never_happened_is_sent_again_under_the_same_id() {
    let mut w = World::new();
    w.ready();
    w.lost.push("go.ps1");
    w.op.claim = false;
    w.op.alive = None;
    w.command(Command::Start).unwrap();
    w.pass(10);
    assert_eq!(w.count("go.ps1"), 2);
    let ops: std::collections::BTreeSet<_> = w
        .events
        .iter()
        .filter_map(|e| match &e.event {
            Event::StepIntended { op, .. } => Some(op.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(ops.len(), 1, "the claim on the node makes a double start impossible");
}

#[test]
fn without_any_word_a_node_in_work_becomes_unknown_and_fresh_words_end_that() {
    let mut w = World::new();
    w.running();
    w.driver(&[("A", "Installing"), ("B", "Waiting")], &[]);
    w.lost = vec!["run.ps1", "nodes.ps1"];
    w.pass(400);
    assert_eq!(w.unit("A"), UnitState::Unknown);
    w.lost.clear();
    w.pass(30);
    assert_eq!(w.unit("A"), UnitState::Executing);
}

#[test]
fn an_irreversible_step_whose_answer_was_lost_is_settled_by_reading() {
    let mut w = World::new();
    w.running();
    w.upgrade("A", &[("B", "Waiting")], &[]);
    w.upgrade("B", &[], &[("A", "Succeeded")]);
    w.idle("Succeeded", &[("A", "Succeeded"), ("B", "Succeeded")]);
    w.command(Command::Prove { step: "level".into() }).unwrap();
    w.pass(5);
    w.lost.push("raise.ps1");
    w.command(Command::Commit { step: "level".into(), typed: "CL".into(), reason: "all nodes are done".into() })
        .unwrap();
    w.pass(10);
    assert_eq!((w.phase(), w.count("raise.ps1")), (Phase::Succeeded, 1));
}

#[test]
fn a_restarted_engine_looks_first_and_waits_for_a_person() {
    let mut w = World::new();
    w.running();
    w.driver(&[("A", "Installing"), ("B", "Waiting")], &[]);
    // The engine ends; another one folds what it wrote.
    let mut state = State::new(plan());
    w.events.iter().for_each(|e| state.apply(e));
    w.decider = Decider::new(state, "0199-run");
    let recovering = Event::PhaseChanged { to: Phase::Recovering, why: "restarted".into() };
    let turn = w.decider.record(recovering, w.now);
    w.took(turn);
    w.pass(30);
    assert_eq!(w.phase(), Phase::Paused(PauseReason::Recovered));
    assert_eq!(w.count("go.ps1"), 1);
    assert_eq!(w.unit("A"), UnitState::Executing, "watching goes on by itself");
    w.command(Command::Resume).unwrap();
    w.pass(30);
    assert_eq!((w.phase(), w.count("go.ps1")), (Phase::Running, 1));
}

#[test]
fn every_prefix_of_a_run_folds() {
    let mut w = World::new();
    w.running();
    w.upgrade("A", &[("B", "Waiting")], &[]);
    for n in 0..=w.events.len() {
        let mut state = State::new(plan());
        w.events[..n].iter().for_each(|e| state.apply(e));
        assert_eq!(state.seq, n as u64);
        // Whatever was folded, it can be looked at.
        nodelift::core::advice::advice(&state, w.now);
        nodelift::core::summary::eta(&state, w.now);
        nodelift::core::gates::evaluate(&state);
    }
}
