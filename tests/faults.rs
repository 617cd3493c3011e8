//! What goes wrong while Cluster-Aware Updating drives: each fault ends in the state and in the words that a person needs. Whole runs
//! over the simulator under a virtual clock.

#[path = "support/pump.rs"]
mod pump;

use nodelift::core::command::{Command, allowed, lost};
use nodelift::core::event::{ENGINE, Event, Outcome, VerdictKey};
use nodelift::core::gates::{REGARDLESS, evaluate};
use nodelift::core::name::NodeName;
use nodelift::core::run::{PauseReason, Phase, UnitState};
use nodelift::core::state::State;
use nodelift::core::view::OpVerdict;
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

fn recover(typed: &str) -> Command {
    Command::Recover { typed: typed.into(), reason: "the coordinator was shut down".into() }
}

/// Why a command would be refused now.
fn refused(p: &Pump, command: &Command) -> String {
    allowed(p.state(), command, p.now()).expect_err("a refusal").0
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
    let gate = evaluate(p.state()).into_iter().find(|g| g.id == "foreign").expect("a gate");
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
    let mark = evaluate(p.state()).into_iter().find(|g| g.id == REGARDLESS).expect("a mark");
    assert!(mark.why.starts_with("HCI-N2 was begun while a gate was closed: storage ("), "{}", mark.why);
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert_eq!(p.state().run.as_ref().unwrap().violations.len(), 1, "it is told once, and kept");
}
