//! Roles that do not leave their node.

use nodelift::core::cures::{cure, fault};
use nodelift::core::event::Event;
use nodelift::core::plan::Fault;
use nodelift::core::run::{PauseReason, Phase, UnitState};
use serde_json::json;

use crate::{at_rest, node, once, started, unit};

#[tokio::test(start_paused = true)]
async fn a_drain_that_hangs_is_told_then_pauses_the_run_and_nothing_is_forced() {
    let mut p = started(&[once("drain", "HCI-N1", json!({"hang": true}))]).await;
    p.until("the hang", |s| s.unit(&node("HCI-N1")).is_some_and(|u| u.state == UnitState::DrainFailed)).await;
    assert_eq!(unit(&p, "HCI-N1").1, "its drain has not ended in 1h 00m: look at the roles that are still there");
    assert_eq!(p.state().phase, Phase::Running, "{}", p.state().phase_why);
    p.until("the limit", |s| s.phase == Phase::Pausing).await;
    assert_eq!(p.state().phase_why, "1 failed, 0 may: HCI-N1");
    let asked =
        p.events.iter().filter(|e| matches!(&e.event, Event::PauseRequested { reason: PauseReason::Budget, .. }));
    assert_eq!(asked.count(), 1, "the driver is asked once");
    // A person frees it: the node is put back, and no other one is begun.
    p.site.change(|w, now| w.machine_mut("HCI-N1")["drain_until"] = json!(now.to_string()));
    p.until("the pause", at_rest).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::Budget), "{}", p.state().phase_why);
    assert_eq!(p.site.look(|w| w.machine("HCI-N1")["state"].clone()), json!("Up"));
    assert!(["HCI-N2", "HCI-N3", "HCI-N4"].iter().all(|n| unit(&p, n).0 == UnitState::Pending), "{}", p.units());
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_fails_lists_the_roles_that_are_left_with_their_cure() {
    let locked = "The requested operation cannot be completed because a resource has locked status";
    let mut p =
        started(&[json!({"on": "drain", "machine": "HCI-N1", "times": null, "do": {"fail": locked}})]).await;
    p.until("the pause", at_rest).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::Budget), "{}", p.state().phase_why);
    let (state, why) = unit(&p, "HCI-N1");
    assert_eq!(state, UnitState::Failed);
    assert!(why.contains("locked status"), "{why}");
    p.until("what is left", |s| s.unit(&node("HCI-N1")).is_some_and(|u| !u.roles_left.is_empty())).await;
    // What the cluster itself says is there.
    let there: Vec<String> = p.site.look(|w| {
        let groups = w.top("cluster")["groups"].as_array().cloned().unwrap_or_default();
        let on = groups.iter().filter(|g| g["owner"] == "HCI-N1" && g["state"] != "Offline");
        on.map(|g| g["name"].as_str().unwrap_or_default().to_owned()).collect()
    });
    let left = p.state().unit(&node("HCI-N1")).expect("a unit").roles_left.clone();
    assert!(
        !there.is_empty() && there.iter().all(|g| left.iter().any(|l| l.starts_with(&format!("{g} (")))),
        "{left:?}"
    );
    assert_eq!(fault(p.state(), &node("HCI-N1")), Some(Fault::DrainFailed));
    let cure = cure(p.state(), &node("HCI-N1")).expect("a cure");
    assert!(cure.say.iter().any(|l| l.contains("locked status")), "{cure:?}");
    assert!(cure.commands[0].contains("-eq 'HCI-N1'"), "{cure:?}");
    assert!(["HCI-N2", "HCI-N3", "HCI-N4"].iter().all(|n| !unit(&p, n).0.is_final()), "{}", p.units());
}
