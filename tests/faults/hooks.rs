//! Hooks around each node: when they run, and that none runs twice on doubt.

use std::collections::BTreeMap;

use nodelift::core::command::Command;
use nodelift::core::event::{Event, Stamped};
use nodelift::core::hooks::{Hooks, When};
use nodelift::core::run::{PauseReason, Phase, UnitState};
use nodelift::core::terms::Terms;
use serde_json::json;

use crate::pump::{Pump, world};
use crate::{node, unit};

fn terms(before: &str) -> Terms {
    let command = |program: &str| vec![program.to_owned(), "{node}".to_owned(), "{change}".to_owned()];
    let commands =
        BTreeMap::from([(When::BeforeDrain, command(before)), (When::AfterResume, command("unsilence"))]);
    let hooks = Some(Hooks { commands, timeout: 60, pause: true });
    Terms { change: Some("CHG1".into()), hooks, ..Terms::default() }
}

async fn started(terms: Terms, direct: bool) -> Pump {
    let mut p = Pump::of(
        "azure-local-powershell",
        world("ready"),
        |_| {},
        |place| {
            place.terms = terms;
            if direct {
                place.settings.insert("driving".into(), json!("direct"));
                place.settings.insert("media_path".into(), json!(r"C:\ClusterUpgrade\2503"));
            }
        },
    );
    p.start().await;
    p
}

fn at(p: &Pump, what: impl Fn(&Event) -> bool) -> Vec<usize> {
    p.events.iter().enumerate().filter(|(_, Stamped { event, .. })| what(event)).map(|(i, _)| i).collect()
}

fn hook(when: When) -> impl Fn(&Event) -> bool {
    move |e| matches!(e, Event::HookIntended { node: n, when: w, .. } if *w == when && n.as_str() == "HCI-N1")
}

#[tokio::test(start_paused = true)]
async fn a_node_of_ours_is_drained_after_its_hook_and_told_when_it_is_back() {
    let mut p = started(terms("silence"), true).await;
    p.until("the second node", |s| unit_of(s, "HCI-N2") == UnitState::Gate).await;
    let (before, after) = (at(&p, hook(When::BeforeDrain)), at(&p, hook(When::AfterResume)));
    let ended =
        at(&p, |e| matches!(e, Event::HookEnded { end, .. } if end.message == "silence HCI-N1 CHG1 ended"));
    let drained = at(&p, |e| matches!(e, Event::ActionIntended { action, .. } if action == "drain"));
    let resumed = at(&p, |e| matches!(e, Event::ActionEnded { action, .. } if action == "resume"));
    assert_eq!((before.len(), after.len(), ended.len()), (1, 1, 1));
    assert!(before[0] < ended[0] && ended[0] < drained[0] && resumed[0] < after[0]);
    for (op, written) in p.sent.iter().filter(|(op, _)| op.as_str().contains("hook")) {
        let intended = |e: &Event| matches!(e, Event::HookIntended { op: o, .. } if o == op);
        assert!(
            p.events[..*written].iter().any(|e| intended(&e.event)),
            "{op}: nothing is run before it is written"
        );
    }
}

fn unit_of(s: &nodelift::core::state::State, name: &str) -> UnitState {
    s.unit(&node(name)).map_or(UnitState::Pending, |u| u.state)
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_fails_before_a_node_asks_and_is_not_run_again() {
    let mut p = started(terms("failing"), true).await;
    p.until("the pause", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::NeedsDecision));
    let why = &p.state().phase_why;
    assert!(why.contains("the hook before_drain failed: failing HCI-N1 CHG1 ended"), "{why}");
    assert!(at(&p, |e| matches!(e, Event::ActionIntended { .. })).is_empty(), "nothing was done to the node");
    p.wait(std::time::Duration::from_secs(5)).await;
    p.command(Command::Resume);
    p.until("the drain", |s| unit_of(s, "HCI-N1") == UnitState::Draining).await;
    assert_eq!(at(&p, hook(When::BeforeDrain)).len(), 1, "to go on leaves it as it is");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_may_have_run_when_the_engine_ended_is_a_persons_decision() {
    let mut p = started(terms("silence"), true).await;
    p.until("the hook", |s| !s.hooks.is_empty()).await;
    p.engine_restarts();
    p.until("it was looked", |s| matches!(s.phase, Phase::Paused(_))).await;
    p.command(Command::Resume);
    p.until("the drain", |s| unit_of(s, "HCI-N1") == UnitState::Draining).await;
    assert_eq!(at(&p, hook(When::BeforeDrain)).len(), 1, "it is never run twice");
}

#[tokio::test(start_paused = true)]
async fn where_another_driver_moves_the_nodes_hooks_run_as_they_are_seen() {
    let mut p = started(terms("silence"), false).await;
    p.until("the first node", |s| unit_of(s, "HCI-N1") == UnitState::Done).await;
    let (before, after) = (at(&p, hook(When::BeforeDrain)), at(&p, hook(When::AfterResume)));
    let is = |to: UnitState| move |e: &Event| matches!(e, Event::UnitChanged { to: t, node, .. } if *t == to && node.as_str() == "HCI-N1");
    let draining = at(&p, is(UnitState::Draining));
    assert_eq!((before.len(), after.len()), (1, 1));
    assert!(draining[0] < before[0] && before[0] < after[0]);
    assert_eq!(unit(&p, "HCI-N1").0, UnitState::Done);
}
