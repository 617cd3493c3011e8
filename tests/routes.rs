//! The ways to the same end, over the simulator under a virtual clock: media, the direct target, and a rehearsal before the run.

#[path = "support/pump.rs"]
mod pump;

use nodelift::core::advice::advice;
use nodelift::core::command::Command;
use nodelift::core::event::{Event, Outcome, VerdictKey};
use nodelift::core::name::NodeName;
use nodelift::core::pace;
use nodelift::core::plan::{Plan, Stage, StepKind};
use nodelift::core::progress;
use nodelift::core::run::{PauseReason, Phase, RunVerdict, UnitState};
use nodelift::core::state::State;
use nodelift::core::summary::{Usual, eta, usual};
use nodelift::core::survival::survival;
use pump::{Pump, world};
use serde_json::{Value as Json, json};

const MEDIA: &str = r"C:\ClusterUpgrade\2503";

/// The plug-in's arguments of the run that is going on.
fn arguments(p: &Pump) -> Json {
    p.site.look(|w| w.run()["arguments"].clone())
}

fn builds(p: &Pump) -> Vec<u64> {
    p.site.look(|w| w.nodes().iter().filter_map(|n| w.machine(n)["os"]["build"].as_u64()).collect())
}

fn is_running(s: &State) -> bool {
    s.driver.as_ref().is_some_and(|d| d.value.is_running())
}

async fn committed(p: &mut Pump) {
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    p.command(Command::Defer);
    p.until("the end", |s| s.phase.is_terminal()).await;
}

#[tokio::test(start_paused = true)]
async fn media_on_every_node_upgrade_without_windows_update() {
    let offline = |w: &mut Json| w["update_service"]["reachable"] = json!(false);
    let mut p = Pump::of("azure-local-powershell", world("ready"), offline, |site| {
        site.settings.insert("media_path".into(), json!(MEDIA));
    });
    p.start().await;
    p.until("the run", is_running).await;
    // Nothing else: the functional level least of all.
    assert_eq!(arguments(&p), json!({"WuConnected": "false", "PathToSetupMedia": MEDIA}));
    committed(&mut p).await;
    assert_eq!(builds(&p), [25398; 4]);
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
}

#[tokio::test(start_paused = true)]
async fn media_that_one_node_lacks_stand_in_the_way() {
    let lacks = |w: &mut Json| {
        w["media"].as_array_mut().expect("media").retain(|m| m["machine"] != "HCI-N3");
    };
    let mut p = Pump::of("azure-local-powershell", world("ready"), lacks, |site| {
        site.settings.insert("media_path".into(), json!(MEDIA));
    });
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.command(Command::CheckAll);
    p.until("checks", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
    assert_eq!(p.state().phase, Phase::Blocked);
    let bad = p.verdicts();
    assert!(bad.contains("install-media on HCI-N3: fail, folder absent"), "{bad}");
    assert!(bad.contains("install-media-same: "), "{bad}");
    assert!(!bad.contains("scan"), "{bad}");
}

fn to_24h2(w: &mut Json) {
    w["update_service"]["feature_update"] = json!({
        "id": "8c0d9a11-02b7-4c7e-9a0e-6d3f5b2a7e10", "title": "Feature update to Azure Stack HCI, version 24H2",
        "target_build": 26100, "target_ubr": 4061, "display_version": "24H2"
    });
    for m in w["media"].as_array_mut().expect("media") {
        (m["build"], m["ubr"], m["path"]) = (json!(26100), json!(4061), json!(r"C:\ClusterUpgrade\24H2"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_direct_target_is_reached_by_update_and_by_media() {
    for path in ["", r"C:\ClusterUpgrade\24H2"] {
        let mut p = Pump::of("azure-local-powershell", world("ready"), to_24h2, |site| {
            site.target = Some("24H2".into());
            site.settings.insert("media_path".into(), json!(path));
        });
        assert_eq!(p.plan.runbook.short, "22H2 → 24H2 by PowerShell");
        p.start().await;
        committed(&mut p).await;
        assert_eq!(builds(&p), [26100; 4], "{path}");
        assert_eq!(
            p.state().verdict,
            Some(RunVerdict::Succeeded),
            "{path}: {}\n{}",
            p.state().phase_why,
            p.verdicts()
        );
        assert!(p.state().phase_why.starts_with("4 of 4 nodes at 24H2, proved"), "{}", p.state().phase_why);
    }
}

fn rehearsal(world: Json, change: impl FnOnce(&mut Json)) -> Pump {
    Pump::of("azure-local-powershell", world, change, |site| {
        site.settings.insert("rehearsal".into(), json!(true));
    })
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_restarts_every_node_and_upgrades_none() {
    let mut p = rehearsal(world("ready"), |_| {});
    let kinds: Vec<StepKind> = p.plan.steps.iter().map(|s| s.kind).collect();
    assert!(!kinds.contains(&StepKind::Commit) && kinds.contains(&StepKind::Verify), "{kinds:?}");
    let boots = |p: &Pump| -> Vec<Json> {
        p.site.look(|w| w.nodes().iter().map(|n| w.machine(n)["boot"]["time"].clone()).collect())
    };
    let before = boots(&p);
    // What stands in for Setup has to be written first.
    p.start().await;
    let written = p.site.look(|w| w.machine("HCI-N4")["rehearsal_script"].clone());
    assert_eq!(written[1], "exit 0");
    p.until("the run", is_running).await;
    let script = r"C:\Windows\nodelift\rehearsal.ps1";
    assert_eq!(arguments(&p), json!({"WuConnected": "false", "PathToSetupMedia": script, "MockSetup": "true"}));
    p.until("the end", |s| s.phase.is_terminal()).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
    assert!(p.state().phase_why.contains("nothing was upgraded"), "{}", p.state().phase_why);
    let run = p.state().run.as_ref().expect("a run");
    assert!(run.units.values().all(|u| u.state == UnitState::Done && u.boots == 1), "{}", p.units());
    assert_eq!(builds(&p), [20349; 4]);
    assert!(boots(&p).iter().zip(&before).all(|(now, then)| now != then));
    // No step that cannot be undone was even asked for.
    assert!(!p.events.iter().any(|e| matches!(e.event, Event::CommitIntended { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_that_changes_a_build_has_failed() {
    let mut p = rehearsal(world("ready"), |_| {});
    p.start().await;
    let n1 = NodeName::new("HCI-N1");
    p.until("the restart", |s| s.unit(&n1).is_some_and(|u| u.state == UnitState::Offline)).await;
    p.site.change(|w, _| w.machine_mut("HCI-N1")["os"]["build"] = json!(25398));
    p.until("what it says", |s| s.unit(&n1).is_some_and(|u| u.state.is_final())).await;
    let unit = p.state().unit(&n1).expect("a unit");
    assert_eq!(unit.state, UnitState::Failed);
    assert_eq!(unit.why, "a rehearsal changes nothing, but it runs build 25398 now and ran 20349");
}

#[tokio::test(start_paused = true)]
async fn what_a_rehearsal_took_is_what_the_run_expects() {
    let mut p = rehearsal(world("ready"), |_| {});
    p.start().await;
    p.until("the end", |s| s.phase.is_terminal()).await;
    let learned = pace::learned(p.state());
    // Drain, restart, resume and resync are as in an upgrade; nothing was downloaded or installed.
    for stage in [Stage::Draining, Stage::Restarting, Stage::Resuming] {
        let l = learned.get(&stage).unwrap_or_else(|| panic!("{stage:?}: {learned:?}"));
        assert!(l.rehearsal && l.least <= l.usual && l.usual <= l.most && l.least > 0, "{l:?}");
    }
    assert!(!learned.contains_key(&Stage::Installing) && !learned.contains_key(&Stage::Staging), "{learned:?}");

    let mut p = Pump::new(world("ready"), |_| {});
    let mut plan = (*p.plan).clone();
    let by_runbook = plan.expected(Stage::Restarting);
    plan.learned = learned.clone();
    // It is sealed with the plan, and read back from there.
    let text = serde_json::to_string(&plan).expect("a plan");
    p.seal(serde_json::from_str(&text).expect("the same plan"));
    p.start().await;
    p.until("the run", is_running).await;
    let restart = &learned[&Stage::Restarting];
    assert_ne!(restart.usual, by_runbook);
    assert_eq!(usual(p.state(), Stage::Restarting), Usual::Earlier(restart.clone()));
    assert_eq!(usual(p.state(), Stage::Installing), Usual::Plan(p.plan.expected(Stage::Installing)));
    let width = |s: &State| {
        let (first, last) = eta(s, p.now()).expect("a forecast");
        last.duration_since(first).as_secs()
    };
    let mut without = p.state().clone();
    without.plan = std::sync::Arc::new(Plan { learned: Default::default(), ..(*p.plan).clone() });
    assert!(width(p.state()) < width(&without), "what was seen here is surer");
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    // What this run saw itself counts more.
    assert!(matches!(usual(p.state(), Stage::Restarting), Usual::Sibling(..)));
}

/// Stalls of a run: the node, and what went quiet; nothing = it moves again.
fn stalls(p: &Pump) -> Vec<(String, Vec<String>)> {
    let quiet = |e: &nodelift::core::event::Stamped| match &e.event {
        Event::UnitStalled { node, quiet } => {
            Some((node.to_string(), quiet.iter().map(|q| q.source.clone()).collect()))
        }
        _ => None,
    };
    p.events.iter().filter_map(quiet).collect()
}

#[tokio::test(start_paused = true)]
async fn real_measures_are_seen_and_an_ordinary_run_never_stalls() {
    let mut p = Pump::new(world("ready"), |_| {});
    p.start().await;
    let n1 = NodeName::new("HCI-N1");
    let percent = |s: &State| s.unit(&n1).and_then(progress::percent);
    p.until("a percent", |s| percent(s).is_some_and(|p| p > 10)).await;
    let here = percent(p.state()).expect("a percent");
    assert_eq!(p.state().unit(&n1).map(|u| u.state), Some(UnitState::Executing));
    p.until("more of it", |s| percent(s).is_none_or(|p| p > here)).await;
    assert!(percent(p.state()).is_some_and(|p| p > here), "it goes up");
    p.until("the restart", |s| s.unit(&n1).is_some_and(|u| u.state == UnitState::Offline)).await;
    assert_eq!(percent(p.state()), None, "nothing says how far a dark node has come");
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    let roles = |e: &nodelift::core::event::Stamped| {
        matches!(e.event, Event::UnitProgressed { measure: progress::Measure::RolesLeft(_), .. })
    };
    assert!(p.events.iter().any(roles), "roles are counted while a node is drained");
    assert_eq!(stalls(&p), [], "dark, resyncing or slow is no stall");
}

#[tokio::test(start_paused = true)]
async fn a_drain_where_nothing_moves_is_flagged_by_its_quiet_sources_and_only_watched() {
    let hangs = json!([{"on": "drain", "machine": "HCI-N1", "times": 1, "do": {"hang": true}}]);
    let mut p = Pump::new(world("ready"), |w| w["faults"] = hangs);
    p.start().await;
    let n1 = NodeName::new("HCI-N1");
    let stalled = |s: &State| s.unit(&n1).is_some_and(|u| u.progress.stalled.is_some());
    p.until("the stall", stalled).await;
    let unit = p.state().unit(&n1).expect("a unit");
    assert_eq!(unit.state, UnitState::Draining, "{}", unit.why);
    let all = stalls(&p);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(
        all[0].1.iter().any(|s| s == "roles left") && all[0].1.iter().any(|s| s.ends_with("status")),
        "{all:?}"
    );
    let quiet = &unit.progress.stalled.as_ref().expect("stalled").value;
    let silent = p.now().duration_since(quiet[0].since).as_secs();
    assert!((1200..1300).contains(&silent), "{silent} s: as long as the runbook allows");
    // The screen says so, and that nothing was done about it.
    let said = advice(p.state(), p.now()).text;
    assert!(
        said.starts_with("HCI-N1 draining: nothing has changed for 20m (")
            && said.ends_with("Nothing was stopped."),
        "{said}"
    );
    assert_eq!(p.state().phase, Phase::Running);
    let stops = |e: &nodelift::core::event::Stamped| {
        matches!(e.event, Event::PauseRequested { .. } | Event::StopIntended { .. })
    };
    assert!(!p.events.iter().any(stops));
}

#[tokio::test(start_paused = true)]
async fn what_survives_is_told_from_votes_and_copies() {
    // Two nodes and a witness: while one is in work, nothing else may fail; with four and three copies one more may.
    for (name, votes, copies) in [("two-node", 0, 0), ("ready", 1, 1)] {
        let mut p = Pump::new(world(name), |w| {
            for m in w["machines"].as_object_mut().expect("machines").values_mut() {
                m["reboot_pending"] = json!({"cbs": false, "wu": false, "rename": false});
            }
        });
        p.start().await;
        p.until("a node in work", |s| survival(s).is_some()).await;
        let s = survival(p.state()).expect("a node in work");
        assert_eq!((s.votes, s.copies), (Some(votes), Some(copies)), "{name}: {s:?}");
        assert_eq!(s.another_may_fail(), votes > 0 && copies > 0);
    }
}

/// What else is installed on a node, by the ids of its knowledge base.
fn has(p: &Pump, node: &str, kb: &str) -> bool {
    p.site.look(|w| w.machine(node)["hotfixes"].as_array().is_some_and(|h| h.contains(&json!(kb))))
}

fn further() -> [(&'static str, Json); 1] {
    [("further_updates", json!("install"))]
}

#[tokio::test(start_paused = true)]
async fn further_updates_are_installed_once_every_node_is_there() {
    let mut p = Pump::with_settings(world("ready"), &further(), |w| {
        // The second restart takes the value away once more.
        w["faults"] = json!([{"on": "reboot", "machine": "HCI-N2", "skip": 1, "times": 1, "do": {"reverts_registry": true}}]);
    });
    p.start().await;
    p.until("the second run", |s| s.current_step() == Some("further-updates") && s.own_run().is_some()).await;
    assert_eq!(p.state().foreign_run(), None);
    assert!(p.state().run.as_ref().unwrap().units.values().all(|u| u.state.is_good()), "{}", p.units());
    p.until("the end of it", |s| matches!(s.phase, Phase::AwaitingCommit | Phase::Paused(_))).await;
    assert_eq!(p.state().phase, Phase::AwaitingCommit, "{}\n{}", p.state().phase_why, p.verdicts());
    for node in ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"] {
        assert!(has(&p, node, "KB5060118"), "{node}");
    }
    let proof = p.state().verdict_of(&VerdictKey { check: "proof-further".into(), node: None }).expect("a proof");
    assert_eq!((proof.value.outcome, proof.value.observed.as_deref()), (Outcome::Pass, Some("none")));
    let key = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem";
    let value =
        p.site.look(|w| w.machine("HCI-N2")["registry"][key]["RefsEnableMetadataValidation"]["value"].clone());
    assert_eq!(value, json!(0), "it is watched in this run too");
    let began = |id: &str| {
        p.events.iter().filter(|e| matches!(&e.event, Event::StepIntended { step, .. } if step == id)).count()
    };
    assert_eq!((began("cau-run"), began("further-updates")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn further_updates_that_fail_are_told_and_an_engine_that_ends_meanwhile_asks_for_them_once() {
    let mut p = Pump::with_settings(world("ready"), &further(), |w| {
        w["faults"] = json!([{"on": "drain", "machine": "HCI-N3", "skip": 1, "times": 2, "do": {"fail": "a resource has locked status"}}]);
    });
    p.start().await;
    p.until("the second run", |s| s.current_step() == Some("further-updates") && s.own_run().is_some()).await;
    p.engine_restarts();
    p.until("what became of it", |s| s.phase == Phase::Paused(PauseReason::Recovered)).await;
    assert!(p.state().phase_why.contains("goes on, driven by COORD01"), "{}", p.state().phase_why);
    p.command(Command::Resume);
    p.until("the words", |s| s.phase == Phase::Paused(PauseReason::NeedsDecision)).await;
    let why = p.state().phase_why.clone();
    assert!(
        why.starts_with("Cluster-Aware Updating ended with PartiallyFailed; HCI-N3")
            && why.contains("locked status"),
        "{why}"
    );
    let began = |p: &Pump| {
        p.events
            .iter()
            .filter(|e| matches!(&e.event, Event::StepIntended { step, .. } if step == "further-updates"))
            .count()
    };
    assert_eq!(began(&p), 1);
    p.command(Command::Resume);
    p.until("the end of it", |s| s.phase == Phase::AwaitingCommit).await;
    assert_eq!(began(&p), 2);
    assert!(has(&p, "HCI-N3", "KB5060118") && has(&p, "HCI-N4", "KB5060118"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_where_nothing_is_offered() {
    let mut p =
        Pump::with_settings(world("ready"), &further(), |w| w["update_service"]["quality_updates"] = json!([]));
    p.start().await;
    p.until("the end of it", |s| matches!(s.phase, Phase::AwaitingCommit | Phase::Paused(_))).await;
    let step = p.state().run.as_ref().unwrap().steps["further-updates"].ended.clone().expect("an end").value;
    assert_eq!((step.ok, step.message.as_str()), (true, "there is nothing to do"));
    assert_eq!(p.site.look(|w| w.top("cau")["history"].as_array().map(Vec::len)), Some(1));
}
