//! The rules, fed by hand.

mod steps;
mod world;

use nodelift::core::command::Command;
use nodelift::core::connection::{Connection, Trouble, TroubleKind};
use nodelift::core::decide::{Decider, Effect};
use nodelift::core::event::{Event, Outcome, VerdictKey};
use nodelift::core::run::{PauseReason, Phase, RunVerdict, UnitState};
use nodelift::core::state::State;
use serde_json::json;
use world::{World, plan};

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
    let mut state = State::new(plan(world::RUNBOOK));
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
        let mut state = State::new(plan(world::RUNBOOK));
        w.events[..n].iter().for_each(|e| state.apply(e));
        assert_eq!(state.seq, n as u64);
        // Whatever was folded, it can be looked at.
        nodelift::core::advice::advice(&state, w.now);
        nodelift::core::summary::eta(&state, w.now);
        nodelift::core::gates::evaluate(&state, w.now);
    }
}
