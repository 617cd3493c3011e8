//! The gates before a node that follow from facts: they hold where we move the nodes, and are observed where another driver does.

use nodelift::core::command::Command;
use nodelift::core::event::{Event, VerdictKey};
use nodelift::core::gate_rules::waivable;
use nodelift::core::gates::evaluate;
use nodelift::core::run::UnitState;
use serde_json::json;

use crate::pump::{Pump, world};
use crate::{node, refused, started, unit};

const PENDING: &str = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending";

fn restart_is_pending(p: &Pump, name: &str) {
    p.site.change(|w, _| w.machine_mut(name)["registry"][PENDING] = json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_node_waits_for_a_gate_until_it_is_waived_by_its_item() {
    let direct = [("driving", json!("direct")), ("media_path", json!(r"C:\ClusterUpgrade\2503"))];
    let mut p = Pump::with_settings(world("ready"), &direct, |_| {});
    p.start().await;
    restart_is_pending(&p, "HCI-N1");
    let gate = "node-ready.restart";
    p.until("the closed gate", |s| {
        s.gates.iter().flat_map(|j| &j.items).any(|i| !i.holds && i.gate.as_deref() == Some(gate))
    })
    .await;
    let (state, why) = unit(&p, "HCI-N1");
    assert_eq!(
        (state, why.as_str()),
        (UnitState::Gate, "waits until: The node has no restart pending: a restart is pending")
    );
    let waive = |gate: &str| Command::Waive {
        key: VerdictKey::of_gate(gate),
        reason: "it restarts anyway in a moment".into(),
        hours: 4,
    };
    assert_eq!(waivable(p.state(), p.now()), [VerdictKey::of_gate(gate)]);
    assert!(refused(&p, &waive("quorum.nodes")).contains("can never be waived"));
    p.command(waive(gate));
    p.until("the drain", |s| s.unit(&node("HCI-N1")).is_some_and(|u| u.state == UnitState::Draining)).await;
    let seen =
        p.state().gates.as_ref().expect("judged").of("node-ready").map(|(i, _)| i.clone()).collect::<Vec<_>>();
    let told = seen.iter().find(|i| i.gate.as_deref() == Some(gate)).expect("the item");
    assert_eq!(told.why.as_deref(), Some("a restart is pending; waived by operator"), "what was seen stays told");
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_begins_a_node_whose_observed_gate_is_closed_is_marked() {
    let mut p = started(&[]).await;
    p.until("open gates", |s| s.gates.as_ref().is_some_and(|j| j.twice)).await;
    let opened: Vec<bool> = p
        .events
        .iter()
        .filter_map(|e| match &e.event {
            Event::GateJudged { twice, .. } => Some(*twice),
            _ => None,
        })
        .collect();
    assert_eq!(opened, [false, true], "one look, another one, and nothing more while nothing changes");
    restart_is_pending(&p, "HCI-N1");
    p.until("the closed gate", |s| s.gates.as_ref().is_some_and(|j| j.items.iter().any(|i| !i.holds))).await;
    let gate = evaluate(p.state(), p.now()).into_iter().find(|g| g.id == "node-ready").expect("a gate");
    assert_eq!((gate.open, gate.why.as_str()), (false, "a restart is pending"));
    p.until("the mark", |s| s.run.as_ref().is_some_and(|r| !r.violations.is_empty())).await;
    let mark = &p.state().run.as_ref().expect("a run").violations[0];
    assert_eq!(mark.node, node("HCI-N1"));
    assert!(mark.gates.iter().any(|i| i.gate.as_deref() == Some("node-ready.restart")), "{:?}", mark.gates);
}
