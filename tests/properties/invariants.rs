//! What must hold of every run, by its journal and by the site as it is.

use std::collections::{BTreeMap, BTreeSet};

use nodelift::core::apply::rebooted;
use nodelift::core::event::{Event, Stamped};
use nodelift::core::name::{NodeName, OpId};
use nodelift::core::plan::StepKind;
use nodelift::core::run::{Phase, RunVerdict, UnitState};
use nodelift::core::state::State;
use nodelift::remote::sim::Site;
use serde_json::{Value as Json, json};

use crate::pump::Pump;

/// All of them.
pub fn hold(p: &Pump) {
    let mut state = State::new(p.plan.clone());
    for event in &p.events {
        if let Event::UnitChanged { node, to: UnitState::Done, .. } = &event.event {
            done_is_proved(&state, node, event);
        }
        state.apply(event);
    }
    assert_eq!(&state, p.state(), "the journal folds to another state");
    sent_after_its_intent(p);
    one_operation_at_a_time(p);
    one_run_an_intent(p);
    the_end_is_true(p);
    given_up_is_left_alone(p);
}

/// I10: once a run was given up nothing more is sent that changes anything.
fn given_up_is_left_alone(p: &Pump) {
    let Some(at) = p.events.iter().position(|e| matches!(e.event, Event::RunAbandoned { .. })) else { return };
    let later: Vec<&OpId> = p.sent.iter().filter(|(_, written)| *written > at).map(|(op, _)| op).collect();
    assert!(later.is_empty(), "I10: {later:?} were sent after the run was given up");
}

/// I1: no byte without an intent that was written before it.
fn sent_after_its_intent(p: &Pump) {
    for (op, written) in &p.sent {
        let intent = p.events[..*written].iter().any(|e| intended(&e.event) == Some(op));
        assert!(intent, "I1: {op} was sent without an intent");
    }
}

/// The operation that an event announces.
fn intended(event: &Event) -> Option<&OpId> {
    use Event::*;
    match event {
        FixIntended { op, .. } | ActionIntended { op, .. } | StepIntended { op, .. } => Some(op),
        PauseRequested { op, .. } | StopIntended { op } | CommitIntended { op, .. } => Some(op),
        _ => None,
    }
}

/// I2: at most one node is out of service, as the site really is.
pub fn one_node_at_a_time(site: &Site) {
    let away: Vec<String> = site.look(|w| {
        let out = |n: &String| w.machine(n)["state"] != json!("Up");
        w.nodes().into_iter().filter(out).collect()
    });
    assert!(away.len() <= 1, "I2: {away:?} are out of service at once");
}

/// I2: at most one operation that must not happen twice is under way on a machine.
fn one_operation_at_a_time(p: &Pump) {
    let mut open: BTreeMap<&NodeName, &OpId> = BTreeMap::new();
    for event in &p.events {
        use Event::*;
        let begun = match &event.event {
            ActionIntended { node, op, .. } | StepIntended { node, op, .. } | CommitIntended { node, op, .. } => {
                Some((node, op))
            }
            // What became of it is looked at before anything else is sent.
            EngineStarted(_) => {
                open.clear();
                None
            }
            _ => None,
        };
        if let Some((node, op)) = begun {
            let other = open.insert(node, op).filter(|o| *o != op);
            assert!(other.is_none(), "I2: {op} was sent to {node} while {other:?} was under way");
        } else if let Some(op) = event.event.op() {
            open.retain(|_, o| *o != op);
        } else if let StepEnded { .. } | StepDone { .. } | ActionEnded { .. } | SequencePaused(_) = &event.event {
            open.clear();
        }
    }
}

/// I3: the driver never ran more often than it was asked to.
fn one_run_an_intent(p: &Pump) {
    let steps = &p.plan.steps;
    let drives = |step: &String| steps.iter().any(|s| &s.id == step && s.kind == StepKind::Delegate);
    let intents: BTreeSet<&OpId> = p
        .events
        .iter()
        .filter_map(|e| match &e.event {
            Event::StepIntended { step, op, .. } if drives(step) => Some(op),
            _ => None,
        })
        .collect();
    let ran = runs_of_the_driver(p);
    assert!(ran <= intents.len(), "I3: {ran} runs for {} intents", intents.len());
}

fn runs_of_the_driver(p: &Pump) -> usize {
    p.site.look(|w| {
        let cau = w.top("cau");
        let ended = cau["history"].as_array().map_or(0, Vec::len);
        // One whose coordinator died leaves no report.
        ended + usize::from(cau["run"].is_object())
    })
}

/// I4, I5: what counts as done was started anew, runs the target build, takes its part, and storage was in sync; and all of that
/// was seen a short while ago.
fn done_is_proved(state: &State, node: &NodeName, event: &Stamped) {
    let run = state.run.as_ref().expect("a run");
    let machine = &state.machines[node];
    let host = machine.host.as_ref().expect("I5: nothing is known of the host");
    assert!(host.value.build >= state.plan.target.build, "I4: {node} is done on build {}", host.value.build);
    assert!(rebooted(&run.baseline[node], &host.value), "I4: {node} is done and was not started anew");
    assert!(!host.value.windeploy, "I4: {node} is done while Setup is in it");
    let cluster = machine.cluster.as_ref().expect("I5: the cluster said nothing");
    assert!(cluster.value.is_up(), "I4: {node} is done and {}", cluster.value.state);
    let storage = state.storage.as_ref().expect("I5: nothing is known of the storage");
    assert!(storage.value.in_sync(), "I4: {node} is done and storage is not in sync");
    let back = run.units[node].track.iter().map(|t| t.from).max();
    assert!(Some(event.at) >= back, "I4: time goes backwards");
}

/// What the journal says in the end is so.
fn the_end_is_true(p: &Pump) {
    let state = p.state();
    let target = state.plan.target.build;
    let proved = state.phase == Phase::AwaitingCommit
        || matches!(state.verdict, Some(RunVerdict::Succeeded | RunVerdict::SucceededWithIssues));
    let unit = |n: &NodeName| state.unit(n).map(|u| u.state);
    for node in &state.plan.nodes {
        let build = p.site.look(|w| build_of(w.machine(node.as_str())));
        if proved || unit(node) == Some(UnitState::Done) {
            assert!(build >= target, "{node} is called done and runs build {build}");
        }
    }
    let level = p.site.look(|w| w.top("cluster")["functional_level"].clone());
    assert_eq!(level, json!(11), "nobody raised the functional level");
}

fn build_of(machine: &Json) -> u64 {
    let build = &machine["os"]["build"];
    build.as_u64().or_else(|| build.as_str()?.parse().ok()).expect("a build")
}

/// What was begun so far: runs of the driver, and the level.
pub fn touched(p: &Pump) -> (usize, Json) {
    (runs_of_the_driver(p), p.site.look(|w| w.top("cluster")["functional_level"].clone()))
}

/// I10: nothing new was begun after that. A run of the driver that was being started may have begun once.
pub fn nothing_more(p: &Pump, before: &(usize, Json)) {
    let started = p.sent.iter().filter(|(op, _)| op.as_str().contains("cau-run")).count();
    let (runs, level) = touched(p);
    assert!(runs <= before.0.max(started), "I10: {runs} runs, {started} were asked for");
    assert_eq!(level, before.1, "I10: the level was raised");
}
