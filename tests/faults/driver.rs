//! Cluster-Aware Updating itself: left runs, failed ones, runs of others, reports of earlier ones.

use nodelift::core::command::Command;
use nodelift::core::event::Event;
use nodelift::core::gates::evaluate;
use nodelift::core::run::{PauseReason, Phase, UnitState};
use nodelift::core::state::State;
use nodelift::core::view::OpVerdict;
use serde_json::{Value as Json, json};

use crate::pump::Pump;
use crate::{at_rest, node, refused, started};

fn recover(typed: &str) -> Command {
    Command::Recover { typed: typed.into(), reason: "the coordinator was shut down".into() }
}

fn attempts(p: &Pump) -> u32 {
    p.state().run.as_ref().expect("a run").steps["cau-run"].attempt
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_coordinator_process_died_is_cleared_by_force_once_that_is_proved() {
    let mut p = started(&[json!({"on": "orchestrator", "do": {"dies_after": 600}})]).await;
    let ended = |s: &State| {
        s.handed_over().and_then(|h| h.seen.as_ref()).is_some_and(|v| matches!(v.value, OpVerdict::Ended { .. }))
    };
    p.until("the end of its task", ended).await;
    assert_eq!(p.state().orphaned(p.now()), None, "it may still put its run away");
    p.wait(std::time::Duration::from_secs(180)).await;
    assert_eq!(p.state().orphaned(p.now()), Some(&node("COORD01")));
    let why = refused(&p, &recover("HCI-CL1"));
    assert!(why.contains("nothing has moved for 15m"), "{why}");
    p.wait(std::time::Duration::from_secs(16 * 60)).await;
    assert!(refused(&p, &recover("HCI-CL2")).contains("type the cluster's name"));
    assert!(!p.site.look(|w| w.run().is_null()), "the lock is still there");
    p.command(recover("HCI-CL1"));
    assert_eq!(refused(&p, &recover("HCI-CL1")), "it is being cleared");
    p.until("the pause", at_rest).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::NeedsDecision));
    assert_eq!(p.state().phase_why, "Cluster-Aware Updating is free again: 4 of 4 nodes not done");
    assert!(p.site.look(|w| w.run().is_null()));
    // The intent with its proof is written before the command, and the command was sent once.
    let intents = p.events.iter().filter_map(|e| match &e.event {
        Event::RecoveryIntended { proof, .. } => Some(proof.iter().all(|i| i.holds) && e.actor == "operator"),
        _ => None,
    });
    assert_eq!(intents.collect::<Vec<_>>(), [true]);
    p.command(Command::Resume);
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert_eq!(attempts(&p), 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_an_orphaned_run_left_paused_stands_in_the_way_of_the_recovery() {
    let mut p = started(&[]).await;
    p.until("the first install", |s| s.unit(&node("HCI-N1")).is_some_and(|u| u.state == UnitState::Executing))
        .await;
    p.site.change(|w, now| {
        let driver = w.run_mut()["orchestrator"].as_object_mut().expect("a driver");
        driver.insert("died".into(), json!(now.to_string()));
    });
    // The node in work ends its restart by itself and stays Paused.
    p.until("the node", |s| s.machines[&node("HCI-N1")].host.as_ref().is_some_and(|h| h.value.build >= 25398))
        .await;
    p.wait(std::time::Duration::from_secs(20 * 60)).await;
    let why = refused(&p, &recover("HCI-CL1"));
    assert_eq!(
        why,
        "not proved: every node is up (HCI-N1 is Paused: look at its storage and registry values, then resume it)"
    );
    p.site.change(|w, _| w.resume_node("HCI-N1", "Immediate"));
    p.wait(std::time::Duration::from_secs(16 * 60)).await;
    p.command(recover("HCI-CL1"));
    p.until("the pause", at_rest).await;
    p.command(Command::Resume);
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert_eq!(attempts(&p), 2);
}

#[tokio::test(start_paused = true)]
async fn run_failed_is_told_and_recovered() {
    let mut p = started(&[json!({"on": "orchestrator", "do": {"dies_after": 600, "state": "RunFailed"}})]).await;
    p.until("the pause", at_rest).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::NeedsDecision));
    assert_eq!(p.state().phase_why, "Cluster-Aware Updating says RunFailed: the run must be recovered");
    // It does not go away by itself, and nothing is started beside it.
    p.command(Command::Resume);
    p.until("the next pause", |s| s.phase == Phase::Paused(PauseReason::ForeignRun)).await;
    assert_eq!(p.state().phase_why, "Cluster-Aware Updating says RunFailed: its last run must be cleared first");
    assert_eq!(attempts(&p), 1);
    p.wait(std::time::Duration::from_secs(16 * 60)).await;
    p.command(recover("HCI-CL1"));
    p.until("it is free", |s| s.phase == Phase::Paused(PauseReason::NeedsDecision)).await;
    p.command(Command::Resume);
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert_eq!(attempts(&p), 2);
}

/// Somebody else begins a run, from a machine of theirs.
fn begin_elsewhere(p: &Pump) {
    p.site.change(|w, now| {
        let driver = json!({"machine": "ADMIN02", "user": "CORP\\\\somebody", "mode": "process", "pid": null, "died": null, "dies_at": null});
        w.start_run("Microsoft.WindowsUpdatePlugin", &json!({}), &json!({"max_failed_nodes": 0}), driver, now);
    });
}

#[tokio::test(start_paused = true)]
async fn a_foreign_run_is_only_observed() {
    let mut p = started(&[]).await;
    begin_elsewhere(&p);
    p.until("the pause", at_rest).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::ForeignRun));
    let why = &p.state().phase_why;
    assert!(
        why.starts_with("Cluster-Aware Updating: another run, driven by ADMIN02: 0 of 4 nodes ended"),
        "{why}"
    );
    assert!(p.state().own_run().is_none() && p.state().foreign_run().is_some());
    // Its progress is shown, and nothing of it is taken for ours.
    let gate = evaluate(p.state(), p.now()).into_iter().find(|g| g.id == "foreign").expect("a gate");
    assert!(!gate.open && gate.why.contains("ADMIN02"), "{gate:?}");
    assert!(
        p.state().run.as_ref().unwrap().units.values().all(|u| u.state == UnitState::Pending),
        "{}",
        p.units()
    );
    assert_eq!(refused(&p, &recover("HCI-CL1")), "no run of ours was left by Cluster-Aware Updating");
    p.command(Command::Resume);
    p.until("it is looked at again", at_rest).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::ForeignRun));
    assert!(p.events.iter().all(|e| !matches!(e.event, Event::StepIntended { .. } | Event::StopIntended { .. })));
    p.site.change(|w, _| w.top_mut("cau")["run"] = Json::Null);
    p.command(Command::Resume);
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_starts_again_adopts_its_run_wherever_it_was_and_starts_no_other() {
    for at in [UnitState::Pending, UnitState::Draining, UnitState::Offline] {
        let mut p = started(&[]).await;
        p.until("there", |s| {
            let asked = s.handed_over().is_some_and(|h| h.op.is_some());
            asked && s.unit(&node("HCI-N1")).is_some_and(|u| u.state == at)
        })
        .await;
        let before = p.site.look(|w| w.run()["id"].clone());
        p.engine_restarts();
        p.until("the pause", |s| matches!(s.phase, Phase::Paused(_))).await;
        assert_eq!(p.state().phase, Phase::Paused(PauseReason::Recovered), "{at:?}: {}", p.state().phase_why);
        // The run goes on under it and is watched; a person says that the line goes on.
        p.command(Command::Resume);
        p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
        assert_eq!(attempts(&p), 1, "{at:?}");
        // Where it was ended between intent and answer it looks, and sends the same operation, which claims itself once.
        let ops: std::collections::BTreeSet<_> = p.sent.iter().map(|(op, _)| op.as_str()).collect();
        assert_eq!(ops.len(), 1, "{at:?}: {ops:?}");
        assert!(at == UnitState::Pending || p.sent.len() == 1, "{at:?}: {:?}", p.sent);
        let history = p.site.look(|w| {
            w.top("cau")["history"].as_array().map(|h| h.iter().map(|r| r["run_id"].clone()).collect::<Vec<_>>())
        });
        let history = history.expect("reports");
        assert_eq!(history.len(), 1, "{at:?}");
        assert!(before.is_null() || history[0] == before, "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_canceled_after_one_that_failed_tells_the_first_error() {
    let mut p = started(&[]).await;
    p.until("staging", |s| s.unit(&node("HCI-N1")).is_some_and(|u| u.state == UnitState::Staging)).await;
    // While nobody looked: the run failed, it was started again from elsewhere, and that one was canceled.
    p.site.change(|w, now| {
        let minutes = |m: i64| (now + jiff::SignedDuration::from_mins(m)).to_string();
        let row = |status: &str, error: Option<&str>| {
            json!({"name": "HCI-N1", "status": status, "error": error, "attempts": 1, "transient": false, "upgrade": null,
                "installs": [], "suspended_at": null, "suspended_seconds": null, "timing": {}, "rebooted": false})
        };
        let report = |n: u32, status: &str, from: i64, node: Json| {
            json!({"run_id": format!("00000000-0000-0000-0000-00000000000{n}"), "cluster": "HCI-CL1",
                "plugin": "Microsoft.RollingUpgradePlugin", "arguments": {}, "orchestrator": "COORD01", "user": "x",
                "status": status, "started": minutes(from), "finished": minutes(from + 1), "functional_level": "Skipped",
                "error": null, "canceled": 0, "nodes": [node]})
        };
        let before = report(1, "Failed", -3000, row("Failed", Some("a story of last week")));
        let failed = report(2, "Failed", 0, row("Failed", Some("a resource has locked status")));
        let canceled = report(3, "Canceled", 2, row("Canceled", None));
        let cau = w.top_mut("cau");
        (cau["history"], cau["run"]) = (json!([before, failed, canceled]), Json::Null);
    });
    p.until("the pause", at_rest).await;
    let first = p.state().run.as_ref().unwrap().first_error.as_ref().expect("an error").value.clone();
    assert!(
        first.starts_with("HCI-N1: ") && first.contains("a resource has locked status (report of the run of "),
        "{first}"
    );
    let why = &p.state().phase_why;
    assert!(why.starts_with("Cluster-Aware Updating ended with Canceled; first error: HCI-N1: "), "{why}");
    assert!(!why.contains("last week"), "{why}");
}
