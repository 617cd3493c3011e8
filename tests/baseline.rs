//! Nodes are compared with what they were: over the simulator, whole upgrades under a virtual clock.

#[path = "support/pump.rs"]
mod pump;

use nodelift::core::baseline::{What, gate, unexplained};
use nodelift::core::command::Command;
use nodelift::core::event::{Answer, Event};
use nodelift::core::name::NodeName;
use nodelift::core::run::{PauseReason, Phase, RunVerdict};
use nodelift::core::state::State;
use pump::{Pump, world};
use serde_json::{Value as Json, json};

const BMC: &str = "Remote NDIS Compatible Device";

/// The ready cluster with an adapter of the management controller, which the cluster leaves out by its description.
fn with_controller(w: &mut Json, faults: &Json) {
    for node in ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"] {
        let adapters = w["machines"][node]["adapters"].as_array_mut().expect("adapters");
        adapters.push(json!({
            "name": "BMC", "description": BMC, "status": "Up", "speed": 425_984_000, "vlan": null,
            "driver_version": "10.0.20348.1", "driver_provider": "Microsoft",
        }));
    }
    w["faults"] = faults.clone();
}

fn on(machine: &str, what: Json) -> Json {
    json!([{"on": "reboot", "machine": machine, "times": 1, "do": what}])
}

fn is_open(state: &State) -> bool {
    gate(state).is_some_and(|g| g.open)
}

#[tokio::test(start_paused = true)]
async fn what_an_upgrade_leaves_alone_is_compared_and_said() {
    let mut p = Pump::new(world("ready"), |w| with_controller(w, &json!([])));
    p.start().await;
    let is_read =
        |e: &Event| matches!(e, Event::FactsRead { key, answer: Answer::Facts(_), .. } if key.group == "baseline");
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    let first = |what: &dyn Fn(&Event) -> bool| p.events.iter().position(|e| what(&e.event)).expect("it happened");
    let before_intent = p.events[..first(&|e| matches!(e, Event::StepIntended { .. }))].iter();
    assert_eq!(before_intent.filter(|e| is_read(&e.event)).count(), 4, "each node, before anything is done");
    for node in &p.plan.nodes {
        let compared = p.events.iter().any(|e| {
            matches!(&e.event, Event::BaselineCompared { node: n, comparison } if n == node && comparison.changes.is_empty())
        });
        assert!(compared, "{node}");
    }
    assert!(is_open(p.state()) && unexplained(p.state()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_is_numbered_closes_the_gate_until_a_person_accepts_it() {
    let mut p =
        Pump::new(world("ready"), |w| with_controller(w, &on("HCI-N1", json!({"adapter_numbered": true}))));
    p.start().await;
    assert!(is_open(p.state()), "nothing is done yet");
    p.until("the change", |s| !unexplained(s).is_empty()).await;
    let n1 = NodeName::new("HCI-N1");
    let found = unexplained(p.state());
    let known: Vec<_> = found.iter().map(|(n, c)| (n.as_str(), c.known.as_deref().unwrap_or("?"))).collect();
    assert_eq!(known, [("HCI-N1", "adapter-numbered"), ("HCI-N1", "network-partitioned")]);
    assert_eq!(found[0].1.text(), format!("adapter BMC: description was \"{BMC}\", is \"{BMC} #2\""));
    let closed = gate(p.state()).expect("a gate");
    assert!(!closed.open && closed.known, "{closed:?}");
    assert_eq!(closed.why, "2 changes on HCI-N1 are not explained");
    assert!(nodelift::core::gates::evaluate(p.state(), p.now()).contains(&closed), "it is one of the gates");
    // The driver goes on regardless; without a person's word nothing is proved.
    let rests = |s: &State| matches!(s.phase, Phase::AwaitingCommit | Phase::Paused(_));
    p.until("rest", rests).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::NeedsDecision), "{}", p.state().phase_why);
    assert!(p.state().phase_why.contains("Node is set up as before (HCI-N1)"), "{}", p.state().phase_why);
    let reason = "the adapter belongs to the management controller";
    let short = Command::AcceptChanges { node: n1.clone(), reason: "fine".into() };
    let now = p.now();
    assert!(p.decider.command("operator", &short, now).is_err(), "a reason is a sentence");
    for node in p.plan.nodes.clone() {
        // The network is the cluster's: every node upgraded since sees it.
        if unexplained(p.state()).iter().any(|(n, _)| **n == node) {
            p.command(Command::AcceptChanges { node, reason: reason.into() });
        }
    }
    assert!(is_open(p.state()), "{:?}", gate(p.state()));
    p.command(Command::Resume);
    p.until("the proof", |s| s.phase == Phase::AwaitingCommit).await;
    p.commit("functional-level").await;
    p.commit("storage-pool").await;
    p.command(Command::Defer);
    p.until("the end", |s| s.phase.is_terminal()).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::SucceededWithIssues), "{}", p.state().phase_why);
    assert!(p.state().phase_why.contains("on nodes accepted"), "{}", p.state().phase_why);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_mends_opens_the_gate_by_itself() {
    let mut p = Pump::new(world("ready"), |w| with_controller(w, &on("HCI-N1", json!({"adapter_renamed": true}))));
    p.start().await;
    p.until("the change", |s| !unexplained(s).is_empty()).await;
    let found: Vec<String> = unexplained(p.state()).iter().map(|(_, c)| c.text()).collect();
    assert_eq!(
        found,
        ["adapter vEthernet (ConvergedSwitch(mgmt_compute)) is new", "adapter vManagement(mgmt_compute) is gone"]
    );
    assert!(!is_open(p.state()));
    p.site.change(|w, _| w.machine_mut("HCI-N1")["adapters"][0]["name"] = json!("vManagement(mgmt_compute)"));
    p.until("another look", is_open).await;
    assert!(unexplained(p.state()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_read_is_not_taken_for_unchanged() {
    let denied = json!([{"on": "Get-NetAdapter", "machine": "HCI-N2", "times": null, "do": {"throw": "denied", "id": "Denied"}}]);
    let mut p = Pump::new(world("ready"), |w| w["faults"] = denied);
    p.start().await;
    let n2 = NodeName::new("HCI-N2");
    let told = |s: &State| unexplained(s).iter().any(|(n, c)| **n == n2 && matches!(c.what, What::Unread(_)));
    p.until("the node is back", told).await;
    assert!(!is_open(p.state()));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_be_read_before_closes_the_gate_from_the_start() {
    let mute = json!([{"on": "Sort-Object", "machine": "HCI-N3", "times": null, "do": {"throw": "denied", "id": "Denied"}}]);
    let mut p = Pump::new(world("ready"), |_| {});
    p.start().await;
    p.site.change(|w, _| w.json_mut()["faults"] = mute);
    let intended = |s: &State| s.run.as_ref().is_some_and(|r| r.steps.contains_key("cau-run"));
    p.until("the driver starts", intended).await;
    let closed = gate(p.state()).expect("a gate");
    assert!(
        !closed.open && closed.why.starts_with("HCI-N3: configuration: could not be read before the run"),
        "{closed:?}"
    );
}
