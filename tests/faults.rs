//! What goes wrong while Cluster-Aware Updating drives: each fault ends in the state and in the words that a person needs. Whole runs
//! over the simulator under a virtual clock.

#[path = "support/pump.rs"]
mod pump;

use nodelift::core::command::{Command, allowed, lost};
use nodelift::core::event::{ENGINE, Event, Outcome, VerdictKey};
use nodelift::core::name::NodeName;
use nodelift::core::run::{Phase, UnitState};
use nodelift::core::state::State;
use pump::{Pump, world};
use serde_json::{Value as Json, json};

const FILE_SYSTEM: &str = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem";

fn once(on: &str, machine: &str, what: Json) -> Json {
    json!({"on": on, "machine": machine, "times": 1, "do": what})
}

/// A run over the ready cluster with these faults, started.
async fn started(faults: &[Json]) -> Pump {
    let mut p = Pump::new(world("ready"), |w| w["faults"] = json!(faults));
    p.start().await;
    p
}

fn at_rest(s: &State) -> bool {
    matches!(s.phase, Phase::AwaitingCommit | Phase::Paused(_)) || s.phase.is_terminal()
}

fn node(name: &str) -> NodeName {
    NodeName::new(name)
}

fn key(check: &str, name: &str) -> VerdictKey {
    VerdictKey { check: check.into(), node: Some(node(name)) }
}

fn unit(p: &Pump, name: &str) -> (UnitState, String) {
    let u = p.state().unit(&node(name)).expect("a unit");
    (u.state, u.why.clone())
}

#[tokio::test(start_paused = true)]
async fn a_registry_value_that_the_upgrade_takes_away_is_put_back_by_itself() {
    let mut p = started(&[once("reboot", "HCI-N2", json!({"reverts_registry": true}))]).await;
    p.until("rest", at_rest).await;
    assert_eq!(p.state().phase, Phase::AwaitingCommit, "{}\n{}", p.state().phase_why, p.units());
    let value =
        p.site.look(|w| w.machine("HCI-N2")["registry"][FILE_SYSTEM]["RefsEnableMetadataValidation"].clone());
    assert_eq!(value["value"], json!(0));
    // Looked at first, then the intent, then what became of it, then looked at again: all before the node counts as done.
    let told: Vec<String> = p
        .events
        .iter()
        .filter_map(|e| match &e.event {
            Event::CheckJudged { key: k, verdict } if *k == key("back-registry", "HCI-N2") => {
                Some(format!("{:?}", verdict.outcome))
            }
            Event::FixIntended { key: k, node, .. } if k.check == "back-registry" => {
                Some(format!("{} on {node}", e.actor))
            }
            Event::FixEnded { .. } => Some("answered".to_owned()),
            Event::UnitChanged { node: n, to: UnitState::Done, .. } if *n == node("HCI-N2") => {
                Some("done".to_owned())
            }
            _ => None,
        })
        .collect();
    let first_pass = told.iter().position(|t| t == "Pass").expect("it is judged again");
    let intent = format!("{ENGINE} on HCI-N2");
    assert_eq!(told[..=first_pass], ["Fail", intent.as_str(), "answered", "Pass"], "{told:?}");
    assert_eq!(told.iter().filter(|t| **t == intent).count(), 1, "{told:?}");
    assert!(told.iter().position(|t| t == "done") > Some(first_pass), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_stays_offline_after_the_upgrade_is_offered_its_toggle() {
    let mut p =
        started(&[once("reboot", "HCI-N1", json!({"refs_offline": true, "reverts_registry": true}))]).await;
    p.until("the offer", |s| lost(s).contains(&key("back-volumes", "HCI-N1"))).await;
    // The value is put back by itself; the toggle is a person's decision.
    p.until("the value", |s| {
        s.verdict_of(&key("back-registry", "HCI-N1")).is_some_and(|v| v.value.outcome == Outcome::Pass)
    })
    .await;
    assert!(
        p.events
            .iter()
            .all(|e| !matches!(&e.event, Event::FixIntended { key, .. } if key.check == "back-volumes"))
    );
    let fix = Command::Fix { key: key("back-volumes", "HCI-N1") };
    assert_eq!(allowed(p.state(), &fix, p.now()), Ok(()));
    p.command(fix);
    p.until("volumes", |s| {
        s.verdict_of(&key("back-volumes", "HCI-N1")).is_some_and(|v| v.value.outcome == Outcome::Pass)
    })
    .await;
    assert!(p.site.look(|w| w.top("cluster")["csvs"].as_array().unwrap().iter().all(|v| v["state"] == "Online")));
    p.until("rest", at_rest).await;
    assert_eq!(p.state().phase, Phase::AwaitingCommit, "{}\n{}", p.state().phase_why, p.verdicts());
    assert_eq!(unit(&p, "HCI-N1").0, UnitState::Done);
}
