//! Whole upgrades over the simulator under a virtual clock: runbook, scripts' answers, physics and decider together.

#[path = "simulated/after.rs"]
mod after;
#[path = "support/pump.rs"]
mod pump;
#[path = "simulated/vms.rs"]
mod vms;

use std::collections::BTreeMap;

use nodelift::core::command::Command;
use nodelift::core::name::NodeName;
use nodelift::core::run::{PauseReason, Phase, RunVerdict, UnitState};
use nodelift::core::state::State;
use pump::{Pump, demo, world};
use serde_json::{Value as Json, json};

#[tokio::test(start_paused = true)]
async fn a_ready_cluster_is_upgraded_and_committed() {
    let real = std::time::Instant::now();
    let mut p = Pump::new(world("ready"), |_| {});
    p.start().await;
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert!(p.state().run.as_ref().unwrap().units.values().all(|u| u.state == UnitState::Done), "{}", p.units());
    p.commit("functional-level").await;
    p.commit("storage-pool").await;
    p.commit("vm-version").await;
    p.until("the drivers", |s| s.phase == Phase::AwaitingCommit).await;
    p.command(Command::Confirm { step: "vendor-drivers".into(), note: "compared".into() });
    p.until("the end", |s| s.phase.is_terminal()).await;
    println!(
        "{} of site time, {} requests, {} ms",
        p.site.now().duration_since(p.start).as_secs() / 60,
        p.asked,
        real.elapsed().as_millis()
    );
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
    assert_eq!(p.site.look(|w| w.top("cluster")["functional_level"].clone()), json!(12));
    assert_eq!(p.site.look(|w| w.top("storage")["pool"]["version"].clone()), json!("Windows Server 2025"));
    // Those that are off are of the new version, one of them was moved and came back, and what follows was done in its order.
    let versions = |w: &nodelift::remote::sim::World| {
        w.top("vms").as_array().expect("machines").iter().map(|v| v["version"].clone()).collect::<Vec<_>>()
    };
    assert!(p.site.look(versions).iter().all(|v| *v != json!("10.0")));
    let run = p.state().run.as_ref().expect("a run");
    let said = |id: &str| run.steps[id].ended.as_ref().map(|e| e.value.message.clone()).expect("ended");
    assert!(
        said("move-test").contains("live false") && said("move-test").contains("vm "),
        "{}",
        said("move-test")
    );
    for id in ["test-cluster", "vendor-drivers", "sync-azure", "start-vms"] {
        assert!(run.steps[id].ended.as_ref().is_some_and(|e| e.value.ok), "{id}: {}", said(id));
    }
}

#[tokio::test(start_paused = true)]
async fn the_demonstration_is_blocked_fixed_and_done_in_minutes() {
    let mut p = Pump::new(demo(), |_| {});
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.command(Command::CheckAll);
    p.until("checks", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
    let first = p.verdicts();
    assert_eq!(p.state().phase, Phase::Blocked, "{first}");
    for wanted in [
        "refs-metadata-validation on HCI-N3: fail",
        "firewall-remote-shutdown on HCI-N4: fail",
        "secure-boot on HCI-N2: warn",
    ] {
        assert!(first.contains(wanted), "{wanted}\n{first}");
    }
    // What only a person can tell stays open, and blocks nothing.
    let open: Vec<&str> = first.lines().filter(|l| l.contains("could not tell")).collect();
    assert!(!open.is_empty() && open.iter().all(|l| l.ends_with('?')), "{first}");
    p.start().await;
    let mut resync = false;
    let seen = |s: &State, seen: &mut bool| *seen |= s.storage.as_ref().is_some_and(|v| !v.value.jobs.is_empty());
    p.until("every node", |s| {
        seen(s, &mut resync);
        s.phase == Phase::AwaitingCommit
    })
    .await;
    assert!(resync, "a storage repair is to be seen");
    p.commit("functional-level").await;
    p.commit("storage-pool").await;
    p.command(Command::Defer);
    p.until("the end", |s| s.phase.is_terminal()).await;
    let minutes = p.site.now().duration_since(p.start).as_secs() as f64 / 60.0 / 120.0;
    println!("{minutes:.1} min at 120 times the speed");
    assert!((1.5..3.0).contains(&minutes), "{minutes:.1} minutes at 120 times the speed");
}

fn fault(on: &str, machine: Option<&str>, what: Json) -> Json {
    json!({"on": on, "machine": machine, "times": 1, "do": what})
}

/// Runs until nothing goes on by itself any more, and gives where every node then stands.
async fn run_into(faults: &[Json]) -> (Pump, BTreeMap<String, UnitState>) {
    let mut p = Pump::new(world("ready"), |w| w["faults"] = json!(faults));
    p.start().await;
    let rests = |s: &State| matches!(s.phase, Phase::AwaitingCommit | Phase::Paused(_)) || s.phase.is_terminal();
    p.until("rest", rests).await;
    let run = p.state().run.as_ref().expect("a run");
    let units = run.units.iter().map(|(n, u)| (n.to_string(), u.state)).collect();
    (p, units)
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_fails_pauses_the_run() {
    let locked = "The requested operation cannot be completed because a resource has locked status";
    let always = json!({"on": "drain", "machine": "HCI-N1", "times": null, "do": {"fail": locked}});
    let (p, units) = run_into(&[always]).await;
    assert!(matches!(p.state().phase, Phase::Paused(_)), "{:?}", p.state().phase);
    assert_eq!(units["HCI-N1"], UnitState::Failed);
    assert!(p.units().contains("locked status"), "{}", p.units());
    assert!(units.iter().all(|(n, u)| n == "HCI-N1" || !u.is_final()), "{}", p.units());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_rolled_back_is_told_from_a_success() {
    let (p, units) = run_into(&[fault("reboot", Some("HCI-N1"), json!({"old_build": true}))]).await;
    assert_eq!(units["HCI-N1"], UnitState::RolledBack, "{}", p.units());
    assert!(matches!(p.state().phase, Phase::Paused(_)));
}

#[tokio::test(start_paused = true)]
async fn two_restarts_and_slow_steps_end_well() {
    let (p, units) = run_into(&[
        fault("reboot", Some("HCI-N1"), json!({"twice": true})),
        fault("install", Some("HCI-N2"), json!({"slow": 3})),
        json!({"on": "Get-CauRun", "skip": 40, "times": 5, "do": {
            "throw": "Unable to receive cluster object notifications: (Win32Exception) The cluster node is shutting down",
            "id": "ClusterUpdateException,Microsoft.ClusterAwareUpdating.Commands.GetCauRunCommand"}}),
    ])
    .await;
    assert!(units.values().all(|u| *u == UnitState::Done), "{}", p.units());
    assert_eq!(p.state().phase, Phase::AwaitingCommit);
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_ssh_stays_away_is_not_failed() {
    let mut p = Pump::new(world("ready"), |w| {
        w["faults"] = json!([fault("reboot", Some("HCI-N1"), json!({"no_ssh": true}))]);
    });
    p.start().await;
    let n1 = NodeName::new("HCI-N1");
    let others_done = |s: &State| {
        let done = |u: &nodelift::core::state::Unit| u.state == UnitState::Done;
        s.run.as_ref().is_some_and(|r| r.units.iter().all(|(n, u)| *n == n1 || done(u)))
    };
    p.until("the others", others_done).await;
    let unit = p.state().unit(&n1).expect("a unit").clone();
    assert!(!unit.state.is_final(), "{:?}: {}", unit.state, unit.why);
    // Somebody mends its SSH server.
    p.site.change(|w, _| {
        w.machine_mut("HCI-N1")["no_ssh"] = json!(false);
        w.machine_mut("HCI-N1")["reachable"] = json!(true);
    });
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
}

#[tokio::test(start_paused = true)]
async fn nodes_without_an_ssh_server_are_upgraded_like_the_others() {
    let mut p = Pump::new(world("ready"), |w| {
        for node in ["HCI-N2", "HCI-N3"] {
            let machine = &mut w["machines"][node];
            (machine["no_ssh"], machine["reachable"]) = (json!(true), json!(false));
        }
    });
    p.start().await;
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    let run = p.state().run.as_ref().expect("a run");
    assert!(run.units.values().all(|u| u.state == UnitState::Done), "{}", p.units());
}

#[tokio::test(start_paused = true)]
async fn as_system_without_network_credentials_nothing_starts() {
    let mut p = Pump::new(world("ready"), |_| {});
    let mut plan = (*p.plan).clone();
    plan.settings.insert("task_account".into(), json!(""));
    p.seal(plan);
    p.start().await;
    p.site.change(|w, _| w.machine_mut("COORD01")["second_hop"] = json!(false));
    p.until("a pause", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert!(p.state().phase_why.contains("Access is denied"), "{}", p.state().phase_why);
}

#[tokio::test(start_paused = true)]
async fn a_pause_takes_effect_after_the_node_in_work_and_resume_goes_on() {
    let mut p = Pump::new(world("ready"), |_| {});
    p.start().await;
    let installing = |s: &State| s.unit(&NodeName::new("HCI-N1")).is_some_and(|u| u.state == UnitState::Executing);
    p.until("the first install", installing).await;
    p.command(Command::Pause);
    p.until("the pause", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert_eq!(p.state().unit(&NodeName::new("HCI-N1")).map(|u| u.state), Some(UnitState::Done), "{}", p.units());
    p.command(Command::Resume);
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_restarts_leaves_an_orphan() {
    let mut p = Pump::new(world("ready"), |_| {});
    p.start().await;
    let staging = |s: &State| s.unit(&NodeName::new("HCI-N1")).is_some_and(|u| u.state == UnitState::Staging);
    p.until("staging", staging).await;
    p.site.change(|w, now| w.start_restart("COORD01", now, Some(300.0)));
    // Nobody reports any more: the lock goes away after an hour, and there is no report.
    p.until("the pause", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert!(p.site.look(|w| w.run().is_null()));
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::NeedsDecision));
    assert_eq!(
        p.state().phase_why,
        "Cluster-Aware Updating has lost its coordinator: its task on COORD01 ended without a word"
    );
    // It is started once more, and nothing is done twice.
    p.command(Command::Resume);
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert_eq!(p.state().run.as_ref().map(|r| r.steps["cau-run"].attempt), Some(2));
}

#[tokio::test(start_paused = true)]
async fn other_clusters_are_upgraded_as_well() {
    for name in ["two-node", "needs-work"] {
        let mut p = Pump::new(world(name), |w| {
            // What no fix can mend: a pending restart, and a repair that must end first.
            for m in w["machines"].as_object_mut().expect("machines").values_mut() {
                m["reboot_pending"] = json!({"cbs": false, "wu": false, "rename": false});
                let keys = m["registry"].as_object_mut().expect("keys");
                keys.retain(|k, _| !k.ends_with("RebootPending") && !k.ends_with("RebootRequired"));
            }
            w["storage"]["jobs"] = json!([]);
            // Nobody is asked about what does not run.
            for vm in w["vms"].as_array_mut().into_iter().flatten() {
                vm["state"] = json!("Off");
            }
        });
        p.start().await;
        p.until(name, |s| s.phase == Phase::AwaitingCommit).await;
    }
}
