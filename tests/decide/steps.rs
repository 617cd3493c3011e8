//! Steps that are a script, steps that a person does, and clean-ups.

use nodelift::core::command::Command;
use nodelift::core::connection::{Connection, Trouble, TroubleKind};
use nodelift::core::decide::Decider;
use nodelift::core::event::{EngineInfo, Event};
use nodelift::core::run::{PauseReason, Phase, RunVerdict};
use nodelift::core::state::State;

use crate::world::{RUNBOOK, World};

const AROUND: &str = r#"
[[step]]
id = "on"
title = "Flag on"
kind = "do"
class = "write"
on = "each-node"
script = "on.ps1"
probe = { facts = "flag", done = "flag.on" }
expected = 5
budget = 300
safe_point = "always"
tier = "t1"
"#;

const AFTER: &str = r#"
[[step]]
id = "off"
title = "Flag off"
kind = "do"
class = "write"
on = "each-node"
script = "off.ps1"
probe = { facts = "flag", done = "!flag.on" }
expected = 5
budget = 300
safe_point = "always"
tier = "t1"
always = true
undoes = "on"
[[step]]
id = "hardware"
title = "Hardware updates"
kind = "person"
class = "read"
on = "any-node"
ask = "Are the updates of the vendor installed?"
expected = 5
budget = 300
safe_point = "always"
tier = "t1"
"#;

/// The small runbook with a step before the driver, and a clean-up and a person after the proof.
fn around() -> World {
    let (head, rest) = RUNBOOK.split_once("[[step]]").expect("a step");
    let (steps, commit) = rest.split_once("[[step]]\nid = \"level\"").expect("a commit");
    World::of(&format!("{head}{AROUND}[[step]]{steps}{AFTER}[[step]]\nid = \"level\"{commit}"))
}

fn started() -> World {
    let mut w = around();
    w.ready();
    w.command(Command::Start).unwrap();
    w.pass(30);
    w
}

fn upgraded(w: &mut World) {
    w.driver(&[("A", "Staging"), ("B", "Staging")], &[]);
    w.upgrade("A", &[("B", "Waiting")], &[]);
    w.upgrade("B", &[], &[("A", "Succeeded")]);
    w.idle("Succeeded", &[("A", "Succeeded"), ("B", "Succeeded")]);
}

fn current(w: &World) -> Option<&str> {
    w.decider.state().current_step()
}

/// What a step said when it ended.
fn said(w: &World, step: &str) -> String {
    let run = w.decider.state().run.as_ref().expect("a run");
    run.steps[step].ended.as_ref().expect("an end").value.message.clone()
}

fn restart(w: &mut World) {
    let plan = w.decider.state().plan.clone();
    let mut state = State::new(plan);
    w.events.iter().for_each(|e| state.apply(e));
    w.decider = Decider::new(state, "0199-run");
    w.effects.clear();
    let info = EngineInfo { version: "0".into(), host: "b".into(), user: "o".into(), scale: 1.0, imitated: true };
    let turn = w.decider.record(Event::EngineStarted(info), w.now);
    w.took(turn);
    let turn = w.decider.record(Event::PhaseChanged { to: Phase::Recovering, why: "restart".into() }, w.now);
    w.took(turn);
    for n in ["A", "B"] {
        w.connect(n);
    }
}

#[test]
fn a_script_is_run_once_on_each_machine_before_the_driver() {
    let w = started();
    assert_eq!(w.count("on.ps1"), 2);
    assert_eq!(current(&w), Some("go"));
    assert_eq!(w.count("go.ps1"), 1);
    let first = |k: &str| w.sent.iter().position(|s| s.ends_with(k));
    assert!(first("on.ps1") < first("go.ps1"));
}

#[test]
fn what_is_so_already_is_not_done_and_not_taken_back() {
    let mut w = around();
    w.flags.values_mut().for_each(|f| *f = true);
    w.ready();
    w.command(Command::Start).unwrap();
    w.pass(30);
    assert_eq!((w.count("on.ps1"), said(&w, "on").as_str()), (0, "it was so already"));
    upgraded(&mut w);
    assert_eq!((w.count("off.ps1"), said(&w, "off").as_str()), (0, "left out: there is nothing to take back"));
}

#[test]
fn a_run_goes_through_clean_up_and_person_to_the_steps_that_cannot_be_undone() {
    let mut w = started();
    upgraded(&mut w);
    assert_eq!(w.count("off.ps1"), 2);
    assert!(w.flags.values().all(|f| !f));
    assert_eq!((w.phase(), current(&w)), (Phase::AwaitingCommit, Some("hardware")));
    let early = w.command(Command::Prove { step: "level".into() });
    assert_eq!(early.unwrap_err(), "first: Hardware updates");
    w.command(Command::Confirm { step: "hardware".into(), note: "SUM 2026.1".into() }).unwrap();
    assert_eq!(said(&w, "hardware"), "confirmed by j.doe: SUM 2026.1");
    assert_eq!((w.phase(), current(&w)), (Phase::AwaitingCommit, Some("level")));
    w.command(Command::Defer).unwrap();
    w.pass(5);
    assert_eq!(w.phase(), Phase::Succeeded);
}

#[test]
fn a_step_that_throws_is_tried_three_times_and_then_a_person_decides() {
    let mut w = around();
    w.throws.push("on.ps1");
    w.ready();
    w.command(Command::Start).unwrap();
    w.pass(120);
    assert_eq!(w.phase(), Phase::Paused(PauseReason::NeedsDecision));
    assert_eq!(w.count("on.ps1"), 6, "three on each machine");
    assert_eq!(said(&w, "on"), "A: access denied; B: access denied");
    w.throws.clear();
    w.command(Command::Resume).unwrap();
    w.pass(60);
    assert_eq!((w.phase(), current(&w)), (Phase::Running, Some("go")));
    assert_eq!(w.count("on.ps1"), 8);
}

#[test]
fn an_answer_that_is_lost_is_settled_by_a_look() {
    let mut w = around();
    w.lost.push("on.ps1");
    w.ready();
    w.command(Command::Start).unwrap();
    w.pass(30);
    assert_eq!(w.count("on.ps1"), 2, "not sent again");
    assert_eq!(said(&w, "on"), "done, as read afterwards");
}

#[test]
fn an_engine_that_ended_before_the_answer_looks_and_does_not_send_again() {
    let mut w = around();
    w.ready();
    w.command(Command::Start).unwrap();
    // Until both intents are written; whether the bytes arrived nobody knows.
    while w.sent.len() < 2 {
        let effect = w.effects.pop_front().expect("something is asked");
        w.answer(effect);
        let turn = w.decider.tick(w.now);
        w.took(turn);
    }
    let answered = w.events.iter().position(|e| matches!(e.event, Event::StepAnswered { .. }));
    w.events.truncate(answered.expect("an answer"));
    restart(&mut w);
    w.pass(60);
    assert_eq!(w.phase(), Phase::Paused(PauseReason::Recovered));
    w.command(Command::Resume).unwrap();
    w.pass(60);
    assert_eq!(w.count("on.ps1"), 2);
    assert_eq!(current(&w), Some("go"));
}

#[test]
fn a_run_that_is_stopped_is_cleaned_up_before_it_ends() {
    let mut w = started();
    w.driver(&[("A", "Staging"), ("B", "Staging")], &[]);
    w.command(Command::Stop).unwrap();
    w.pass(5);
    w.idle("Canceled", &[("A", "Canceled"), ("B", "Canceled")]);
    w.pass(60);
    assert_eq!(w.decider.state().verdict, Some(RunVerdict::Stopped));
    assert!(w.flags.values().all(|f| !f));
}

#[test]
fn a_clean_up_that_cannot_be_done_keeps_the_run_open_until_it_is_or_a_person_leaves_it() {
    let mut w = started();
    w.driver(&[("A", "Staging"), ("B", "Staging")], &[]);
    w.command(Command::Stop).unwrap();
    w.pass(5);
    let lost = Trouble { kind: TroubleKind::Lost, message: "gone".into(), remedy: "wait".into() };
    w.connection("B", Connection::Trouble(lost));
    w.idle("Canceled", &[("A", "Canceled"), ("B", "Canceled")]);
    w.pass(900);
    assert_eq!(w.phase(), Phase::Finalising);
    assert_eq!(w.flags.values().filter(|f| **f).count(), 1);
    w.connect("B");
    w.pass(120);
    assert_eq!(w.decider.state().verdict, Some(RunVerdict::Stopped));
    assert!(w.flags.values().all(|f| !f));

    let mut w = started();
    upgraded_but_off_throws(&mut w);
    w.command(Command::Stop).unwrap();
    w.pass(120);
    assert_eq!(w.phase(), Phase::Finalising);
    w.command(Command::Defer).unwrap();
    w.pass(5);
    assert_eq!(w.decider.state().verdict, Some(RunVerdict::Stopped));
    let open: Vec<&str> = w.decider.state().left_open().map(|s| s.title.as_str()).collect();
    assert_eq!(open, ["Flag off"]);
    assert!(w.decider.state().run.as_ref().unwrap().message.ends_with("; not done: Flag off"));
}

fn upgraded_but_off_throws(w: &mut World) {
    w.throws.push("off.ps1");
    upgraded(w);
    w.pass(120);
    assert_eq!(w.phase(), Phase::Paused(PauseReason::NeedsDecision));
}

#[test]
fn a_pause_between_steps_needs_no_driver() {
    let mut w = around();
    w.ready();
    w.command(Command::Start).unwrap();
    w.command(Command::Pause).unwrap_err();
    while w.phase() != Phase::Running {
        let effect = w.effects.pop_front().expect("something is asked");
        w.answer(effect);
    }
    w.command(Command::Pause).unwrap();
    w.pass(60);
    assert_eq!(w.phase(), Phase::Paused(PauseReason::Operator));
    assert_eq!((w.count("stop.ps1"), w.count("go.ps1")), (0, 0));
    w.command(Command::Resume).unwrap();
    w.pass(60);
    assert_eq!(w.count("go.ps1"), 1);
}
