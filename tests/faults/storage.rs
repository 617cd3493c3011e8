//! Storage while the run goes on.

use std::time::Duration;

use nodelift::core::advice::advice;
use nodelift::core::gates::{REGARDLESS, evaluate};
use nodelift::core::run::{Phase, UnitState};
use serde_json::json;

use crate::{node, once, started, unit};

#[tokio::test(start_paused = true)]
async fn a_detached_virtual_disk_ends_the_run_after_the_node_in_work() {
    let mut p = started(&[]).await;
    p.until("the first install", |s| s.unit(&node("HCI-N1")).is_some_and(|u| u.state == UnitState::Executing))
        .await;
    p.site.change(|w, _| {
        let disk = &mut w.top_mut("storage")["virtual_disks"][0];
        (disk["health"], disk["operational"]) = (json!("Unhealthy"), json!("Detached"));
    });
    p.until("the stop", |s| s.phase == Phase::Stopping).await;
    assert!(p.state().phase_why.starts_with("storage is in danger: "), "{}", p.state().phase_why);
    p.until("the end", |s| s.phase.is_terminal()).await;
    assert_eq!(p.state().phase, Phase::Failed);
    let why = &p.state().phase_why;
    assert!(why.starts_with("storage is in danger: ") && why.contains("Detached"), "{why}");
    assert!(["HCI-N2", "HCI-N3", "HCI-N4"].iter().all(|n| !unit(&p, n).0.is_good()), "{}", p.units());
    let first = p.state().run.as_ref().unwrap().first_error.as_ref().unwrap();
    assert!(first.value.contains("Detached"), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_goes_on_while_a_gate_is_closed_is_marked_and_that_is_kept() {
    let mut p = started(&[]).await;
    p.until("the second drain", |s| s.unit(&node("HCI-N2")).is_some_and(|u| u.state == UnitState::Draining)).await;
    assert!(p.state().run.as_ref().unwrap().violations.is_empty(), "the first node was begun in order");
    p.site.change(|w, now| {
        let ends = (now + jiff::SignedDuration::from_mins(40)).to_string();
        w.top_mut("storage")["jobs"] = json!([{"name": "Repair", "state": "Running", "virtual_disk": null, "node": "HCI-N1",
            "started": now.to_string(), "ends": ends, "total": 1_u64 << 40, "background": true}]);
    });
    p.until("the mark", |s| s.run.as_ref().is_some_and(|r| !r.violations.is_empty())).await;
    let mark = evaluate(p.state(), p.now()).into_iter().find(|g| g.id == REGARDLESS).expect("a mark");
    assert!(mark.why.starts_with("HCI-N2 was begun while a gate was closed: storage ("), "{}", mark.why);
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert_eq!(p.state().run.as_ref().unwrap().violations.len(), 1, "it is told once, and kept");
}

#[tokio::test(start_paused = true)]
async fn a_repair_that_lasts_half_a_day_is_shown_as_what_it_is_and_nothing_is_done_about_it() {
    // 900 seconds at this site: 11 h 45 min, below what Cluster-Aware Updating waits.
    let mut p = started(&[once("resync", "HCI-N1", json!({"slow": 47}))]).await;
    p.until("the resync", |s| s.unit(&node("HCI-N1")).is_some_and(|u| u.state == UnitState::Resyncing)).await;
    let sent = p.sent.len();
    for _ in 0..11 {
        p.wait(Duration::from_secs(3600)).await;
        assert_eq!(p.state().phase, Phase::Running, "{}", p.state().phase_why);
        assert_eq!(unit(&p, "HCI-N1").0, UnitState::Resyncing, "{}", p.units());
        assert_eq!(unit(&p, "HCI-N2").0, UnitState::Staged, "{}", p.units());
        let said = advice(p.state(), p.now());
        assert!(!said.urgent, "{said:?}");
        assert!(said.text.starts_with("Storage is not in sync yet: normal after a restart, "), "{said:?}");
        assert!(said.text.ends_with(" left. Do not remove drives or restart machines."), "{said:?}");
    }
    let gate = evaluate(p.state(), p.now()).into_iter().find(|g| g.id == "storage").expect("a gate");
    assert!(!gate.open && gate.why.contains("do not remove drives or restart machines"), "{gate:?}");
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert_eq!(p.sent.len(), sent, "nothing was sent because of it");
    assert!(p.state().run.as_ref().unwrap().first_error.is_none());
}
