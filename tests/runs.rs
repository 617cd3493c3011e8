//! Whole runs through the engine, the link and the simulator, under a virtual clock: what a viewer sees, from the first
//! check to the last irreversible step; and runs whose journal's disk fails under them.

#[path = "support/shaky.rs"]
mod shaky;

use std::sync::Arc;

use jiff::Timestamp;
use nodelift::cli::imitated;
use nodelift::core::command::{Command, allowed};
use nodelift::core::event::{EngineInfo, Event, Outcome, Stamped};
use nodelift::core::keeping::Keeping;
use nodelift::core::log::Which;
use nodelift::core::plan::{Moment, StepKind};
use nodelift::core::run::{PauseReason, Phase, UnitState};
use nodelift::core::state::State;
use nodelift::engine::{self, Clock, Peer, Recording, Setup, Vault, play};
use nodelift::journal::{Disk, Ending, Journal, Writer as JournalWriter, read};
use nodelift::link::{self, FromEngine, PROTOCOL, Reader, ToEngine, Writer};
use nodelift::logs::Logs;
use nodelift::remote::sim::World;
use nodelift::runbook::Library;
use serde_json::Value as Json;
use shaky::Shaky;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};

/// A viewer that folds what it is told.
struct Viewer {
    from: Reader<ReadHalf<DuplexStream>>,
    to: Writer<WriteHalf<DuplexStream>>,
    state: Option<State>,
    events: Vec<Stamped>,
    lines: u64,
    asked: u64,
}

impl Viewer {
    async fn new(stream: DuplexStream) -> Self {
        let (read, write) = tokio::io::split(stream);
        let mut to = Writer::new(write);
        to.send(&ToEngine::Hello { protocol: PROTOCOL, looks_only: false }).await.unwrap();
        Self { from: Reader::new(read), to, state: None, events: Vec::new(), lines: 0, asked: 0 }
    }

    fn state(&self) -> &State {
        self.state.as_ref().expect("the engine greeted")
    }

    /// Takes messages until one of them makes this true.
    async fn until(&mut self, what: &str, holds: impl Fn(&State) -> bool) {
        let mut seen = 0;
        while !self.state.as_ref().is_some_and(&holds) {
            seen += 1;
            if seen > 100_000 {
                let s = self.state();
                let units: Vec<_> = s
                    .run
                    .iter()
                    .flat_map(|r| &r.units)
                    .map(|(n, u)| format!("{n} {:?} {}", u.state, u.why))
                    .collect();
                let bad: Vec<_> = s
                    .checks
                    .iter()
                    .filter_map(|(k, c)| Some((k, c.current.as_ref()?)))
                    .filter(|(_, v)| v.value.outcome >= Outcome::CouldNotTell)
                    .map(|(k, v)| format!("{} {:?} {:?}", k.check, v.value.observed, v.value.why))
                    .collect();
                panic!(
                    "{what}: it never comes: {:?}, {}, {:?}\n{}\n{}",
                    s.phase,
                    s.phase_why,
                    s.at,
                    units.join("\n"),
                    bad.join("\n")
                );
            }
            let message = self.from.next::<FromEngine>().await.unwrap_or_else(|e| {
                let s = self.state.as_ref();
                panic!("{what}: {e}; {:?} {:?}", s.map(|s| &s.phase), s.map(|s| &s.phase_why))
            });
            match message {
                FromEngine::Hello(h) => self.state = Some(*h.state),
                FromEngine::Event(e) => {
                    self.state.as_mut().expect("hello comes first").apply(&e);
                    self.events.push(*e);
                }
                FromEngine::LogLength { which: Which::All, lines } => self.lines = lines,
                FromEngine::Answer { refused: Some(r), .. } => panic!("{what}: refused: {}", r.0),
                _ => {}
            }
        }
    }

    async fn command(&mut self, command: Command) {
        self.asked += 1;
        self.to.send(&ToEngine::Command { id: self.asked, command }).await.unwrap();
    }
}

fn world(change: impl FnOnce(&mut Json)) -> World {
    let mut json: Json = serde_json::from_str(imitated::DEMO).unwrap();
    change(&mut json);
    World::new(json).unwrap()
}

/// An engine over an imitated site; time is tokio's, paused.
async fn start(world: World) -> (tokio::task::JoinHandle<State>, Viewer) {
    start_on(world, Journal::in_memory()).await
}

async fn start_on(world: World, journal: Journal) -> (tokio::task::JoinHandle<State>, Viewer) {
    let runbook = Library::new(None).load("azure-local-powershell").unwrap_or_else(|e| panic!("{e}"));
    let plan = imitated::plan(&runbook, &world).unwrap();
    let clock = Clock::new("2025-06-14T08:00:00Z".parse().unwrap(), 1.0);
    let setup = Setup {
        plan_sha256: "sealed".into(),
        hosts: imitated::hosts(&runbook, world, clock).unwrap(),
        plan: Arc::new(plan),
        history: Vec::new(),
        journal,
        logs: Logs::in_memory(),
        vault: Vault::default(),
        clock,
        info: EngineInfo {
            version: "0".into(),
            host: "box".into(),
            user: "j.doe".into(),
            scale: 1.0,
            imitated: true,
        },
        run_id: "0199-demo".into(),
        instance: "a".into(),
        epoch: 1,
        read_only: false,
        check_first: true,
        folder: None,
    };
    let (ours, theirs) = link::pair();
    let (to, viewers) = tokio::sync::mpsc::channel(8);
    engine::attach(1, theirs, Peer::own("j.doe"), to);
    (tokio::spawn(engine::run(setup, viewers)), Viewer::new(ours).await)
}

/// Check, fix, start, and every irreversible step to the end.
async fn whole_run(v: &mut Viewer) {
    v.until("the first checks", |s| matches!(s.phase, Phase::Blocked | Phase::Ready)).await;
    if v.state().phase == Phase::Blocked {
        v.command(Command::FixAll).await;
        v.until("the fixes", |s| s.phase == Phase::Ready).await;
    }
    v.command(Command::Start).await;
    v.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    loop {
        let waits = |s: &State| {
            let step = s.current_step().and_then(|id| s.plan.step(id));
            step.filter(|s| matches!(s.kind, StepKind::Commit | StepKind::Person)).map(|s| (s.id.clone(), s.kind))
        };
        v.until("a person, or the end", |s| s.phase.is_terminal() || waits(s).is_some()).await;
        let Some((step, kind)) = waits(v.state()) else { break };
        if kind == StepKind::Person {
            v.command(Command::Confirm { step: step.clone(), note: "looked at".into() }).await;
        } else {
            v.command(Command::Prove { step: step.clone() }).await;
            v.until("the proof", |s| s.proofs.get(&step).is_some_and(|p| p.taken.is_some())).await;
            let typed = v.state().plan.cluster.clone();
            let reason = "the change was agreed on".to_owned();
            v.command(Command::Commit { step: step.clone(), typed, reason }).await;
        }
        v.until("the step", |s| s.phase.is_terminal() || s.current_step().is_some_and(|c| c != step)).await;
    }
    v.until("the end", |s| s.phase.is_terminal()).await;
}

#[tokio::test(start_paused = true)]
async fn the_demonstration_ends_proved() {
    let (engine, mut v) = start(world(|_| {})).await;
    whole_run(&mut v).await;
    let s = v.state();
    assert_eq!(s.phase, Phase::Succeeded, "{}", s.phase_why);
    for node in &s.plan.nodes {
        assert_eq!(s.unit(node).unwrap().state, UnitState::Done);
        assert_eq!(s.machines[node].build(), Some(s.plan.target.build));
    }
    // A node is done when it is proved, not when the run is over: before the next one goes dark.
    let when = |node: &str, state: UnitState| {
        let is = |e: &&Stamped| matches!(&e.event, Event::UnitChanged { node: n, to, .. } if n.as_str() == node && *to == state);
        v.events.iter().find(is).map(|e| e.seq).unwrap_or_else(|| panic!("{node} was never {state:?}"))
    };
    assert!(when("HCI-N1", UnitState::Done) < when("HCI-N2", UnitState::Offline));
    assert!(when("HCI-N3", UnitState::Done) < when("HCI-N4", UnitState::Offline));
    let after = s.plan.checks.iter().filter(|c| c.moment == Moment::After).flat_map(|c| s.verdict_keys(&c.id));
    for key in after {
        let outcome = s.verdict_of(&key).map(|v| v.value.outcome);
        // What was not asked for has nothing to prove.
        let asked = key.check != "proof-further";
        let expected = if asked { Outcome::Pass } else { Outcome::NotApplicable };
        assert_eq!(outcome, Some(expected), "{key:?}");
    }
    assert!(v.lines > 50, "it is narrated");
    v.to.send(&ToEngine::Quit).await.unwrap();
    assert_eq!(&engine.await.unwrap(), v.state(), "the viewer folded what the engine knows");
}

#[tokio::test(start_paused = true)]
async fn no_byte_leaves_before_its_intent_is_written() {
    let (_engine, mut v) = start(world(|_| {})).await;
    whole_run(&mut v).await;
    // Whatever changed something has an intent with a smaller number than its result.
    for e in &v.events {
        let Some(op) = e.event.op() else { continue };
        let first = v.events.iter().find(|x| x.event.op() == Some(op)).unwrap();
        let intent = matches!(
            first.event,
            Event::FixIntended { .. }
                | Event::ActionIntended { .. }
                | Event::StepIntended { .. }
                | Event::ItemIntended { .. }
                | Event::CommitIntended { .. }
                | Event::PauseRequested { .. }
                | Event::StopIntended { .. }
        );
        assert!(intent, "{op}: {first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_written_read_and_replayed_to_the_same_state() {
    let folder = tempfile::tempdir().unwrap();
    let writer = JournalWriter { epoch: 1, instance: "a".into() };
    let journal = Journal::over(Box::new(Disk::new(folder.path())), writer).unwrap();
    let (engine, mut v) = start_on(world(|_| {}), journal).await;
    whole_run(&mut v).await;
    v.to.send(&ToEngine::Quit).await.unwrap();
    engine.await.unwrap();
    let written = read(folder.path()).unwrap();
    assert_eq!(written.ending, Ending::Whole);
    assert!(written.events.ends_with(&v.events), "what a viewer is told is what is written");

    let (ours, theirs) = link::pair();
    let recording = Recording {
        plan: v.state().plan.clone(),
        events: written.events,
        logs: Logs::in_memory(),
        run_id: "0199".into(),
        speed: 1000.0,
        paused: false,
        end: false,
    };
    let playing = tokio::spawn(play(recording, theirs));
    let mut again = Viewer::new(ours).await;
    again.until("the end of the replay", |s| s.phase.is_terminal()).await;
    assert_eq!(again.state(), v.state());
    drop(again);
    playing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_rolls_back_stops_the_line_and_says_why_first() {
    let (_engine, mut v) = start(world(|w| {
        w["faults"] = serde_json::json!([{ "on": "reboot", "machine": "HCI-N2", "do": { "old_build": true } }]);
    }))
    .await;
    v.until("the first checks", |s| s.phase == Phase::Blocked).await;
    v.command(Command::FixAll).await;
    v.until("the fixes", |s| s.phase == Phase::Ready).await;
    v.command(Command::Start).await;
    v.until("a pause", |s| matches!(s.phase, Phase::Paused(_))).await;
    let s = v.state();
    let bad: Vec<_> = s.plan.nodes.iter().filter(|n| s.unit(n).unwrap().state == UnitState::RolledBack).collect();
    assert_eq!(bad.len(), 1);
    let first = &s.run.as_ref().unwrap().first_error.as_ref().unwrap().value;
    assert!(first.contains("old build"), "{first}");
    let advice = nodelift::core::advice::advice(s, s.at.unwrap_or(Timestamp::UNIX_EPOCH));
    assert!(advice.urgent && advice.text.contains("old build"), "{}", advice.text);
}

/// A run on this disk, with a node that the driver is upgrading.
async fn driven_on(disk: &Shaky) -> (tokio::task::JoinHandle<State>, Viewer) {
    let (engine, mut v) = start_on(world(|_| {}), disk.journal()).await;
    v.until("the first checks", |s| matches!(s.phase, Phase::Blocked | Phase::Ready)).await;
    v.command(Command::FixAll).await;
    v.until("the fixes", |s| s.phase == Phase::Ready).await;
    v.command(Command::Start).await;
    let installs =
        |s: &State| s.run.iter().flat_map(|r| r.units.values()).any(|u| u.state == UnitState::Executing);
    v.until("an install", installs).await;
    (engine, v)
}

fn why_not(v: &Viewer, command: &Command) -> String {
    let s = v.state();
    allowed(s, command, s.at.unwrap_or(Timestamp::UNIX_EPOCH)).expect_err("refused").0
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_written_any_more_leaves_only_looking() {
    let disk = Shaky::sound();
    let (engine, mut v) = driven_on(&disk).await;
    disk.floor().breaks(std::io::ErrorKind::Other);
    v.until("the pause", |s| s.phase == Phase::Paused(PauseReason::JournalUnwritable)).await;
    let (paused, tried) = (v.state().seq, disk.floor().operations);
    assert!(v.state().phase_why.contains("open the run again"), "{}", v.state().phase_why);
    let advice = nodelift::core::advice::advice(v.state(), v.state().at.unwrap());
    assert!(advice.urgent && advice.text.contains("goes on by itself: HCI-"), "{}", advice.text);
    for command in [Command::Resume, Command::Stop, Command::Defer] {
        assert!(why_not(&v, &command).contains("cannot be written"), "{command:?}");
    }
    // The driver goes on, and its nodes are still seen.
    let next =
        |s: &State| s.run.iter().flat_map(|r| r.units.values()).filter(|u| u.state == UnitState::Done).count();
    v.until("the node after it", |s| next(s) == 2).await;
    assert_eq!(v.state().phase, Phase::Paused(PauseReason::JournalUnwritable));
    let sent = v.events.iter().filter(|e| e.seq > paused && e.event.is_critical());
    assert_eq!(sent.map(|e| &e.event).collect::<Vec<_>>(), Vec::<&Event>::new());
    assert_eq!(disk.floor().operations, tried, "what failed is not tried again");
    v.to.send(&ToEngine::Quit).await.unwrap();
    engine.await.unwrap();
    // The next engine goes on from before: the run was under way.
    let read = disk.read();
    let mut state = State::new(v.state().plan.clone());
    read.events.iter().for_each(|e| state.apply(e));
    assert_eq!((read.ending, state.phase), (Ending::Whole, Phase::Running));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_pauses_the_run_on_paper_and_room_lets_it_go_on() {
    let disk = Shaky::sound();
    let (_engine, mut v) = driven_on(&disk).await;
    disk.floor().full = true;
    v.until("the request", |s| s.phase == Phase::Pausing).await;
    assert!(matches!(v.state().keeping, Keeping::Full { .. }));
    assert!(why_not(&v, &Command::FixAll).contains("make room there, at least 64 MiB"));
    v.until("the pause", |s| s.phase == Phase::Paused(PauseReason::JournalUnwritable)).await;
    assert!(why_not(&v, &Command::Resume).contains("make room there"));
    let mut kept = State::new(v.state().plan.clone());
    disk.read().events.iter().for_each(|e| kept.apply(e));
    assert_eq!(kept.phase, v.state().phase, "the last words are on the disk");
    disk.floor().full = false;
    v.until("room", |s| s.keeping == Keeping::Fine).await;
    v.command(Command::Resume).await;
    v.until("the second attempt", |s| s.phase == Phase::Running).await;
    assert_eq!(disk.read().ending, Ending::Whole);
}

#[tokio::test(start_paused = true)]
async fn little_space_is_said_and_too_little_begins_nothing() {
    let disk = Shaky::sound();
    disk.floor().free = Some(200 << 20);
    let (_engine, mut v) = start_on(world(|_| {}), disk.journal()).await;
    v.until("a word about it", |s| matches!(s.keeping, Keeping::Low { .. })).await;
    v.until("the first checks", |s| s.phase == Phase::Blocked).await;
    disk.floor().free = Some(60 << 20);
    v.until("the end of the space", |s| matches!(s.keeping, Keeping::Full { .. })).await;
    assert!(why_not(&v, &Command::FixAll).contains("60 MiB left"));
    assert!(allowed(v.state(), &Command::CheckAll, v.state().at.unwrap()).is_ok(), "looking stays open");
}
