//! The upgrade as Windows Admin Center makes it, over the simulator under a virtual clock: the cluster updates itself, CredSSP is on
//! for the run and off again, and the role starts nothing of its own.

#[path = "support/pump.rs"]
mod pump;

use nodelift::core::command::{Command, allowed};
use nodelift::core::event::{Event, Outcome};
use nodelift::core::name::NodeName;
use nodelift::core::run::{PauseReason, Phase, RunVerdict, UnitState};
use nodelift::core::state::State;
use nodelift::runbook::{Library, Site};
use pump::{Pump, world};
use serde_json::{Value as Json, json};

const RUNBOOK: &str = "azure-local-wac";
const NODES: [&str; 4] = ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"];

fn pump(change: impl FnOnce(&mut Json)) -> Pump {
    Pump::of(RUNBOOK, world("ready"), change, |site| {
        site.coordinator = None;
        site.settings.insert("credssp".into(), json!(true));
    })
}

fn rests(s: &State) -> bool {
    matches!(s.phase, Phase::Ready | Phase::Blocked)
}

/// Checked, mended and confirmed, so that it can start.
async fn ready(p: &mut Pump) {
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.command(Command::CheckAll);
    p.until("checks", rests).await;
    if allowed(p.state(), &Command::FixAll, p.now()).is_ok() {
        p.command(Command::FixAll);
        p.until("fixes", |s| s.fixes.values().all(|f| f.answer.is_some()) && s.open_sequence().is_none()).await;
        p.until("checks again", rests).await;
        // Test-CauSetup looks at the role too, and was read before it was there.
        if allowed(p.state(), &Command::RetryFailed, p.now()).is_ok() {
            p.command(Command::RetryFailed);
            p.until("checks once more", |s| rests(s) && !s.reads.values().any(|r| r.is_open())).await;
        }
    }
    let now = p.now();
    let asks = |s: &State, c: &str| s.plan.check(c).is_some_and(|c| c.attest.is_some());
    let open: Vec<_> = p
        .state()
        .checks
        .keys()
        .filter(|k| asks(p.state(), &k.check) && p.state().blocks(k, now))
        .cloned()
        .collect();
    for key in open {
        p.command(Command::Attest { key, note: "looked at it".into() });
    }
    p.until("ready", |s| {
        s.phase == Phase::Ready || s.phase == Phase::Blocked && !s.reads.values().any(|r| r.is_open())
    })
    .await;
    assert_eq!(p.state().phase, Phase::Ready, "{}", p.verdicts());
}

fn credssp(p: &Pump, node: &str) -> bool {
    p.site.look(|w| {
        let c = &w.machine(node)["credssp"];
        c["server"] == json!(true) || c["client"].as_array().is_some_and(|c| !c.is_empty())
    })
}

fn all_off(p: &Pump) -> bool {
    NODES.iter().all(|n| !credssp(p, n))
}

fn history(p: &Pump) -> Vec<Json> {
    p.site.look(|w| w.top("cau")["history"].as_array().cloned().unwrap_or_default())
}

fn role(p: &Pump) -> Json {
    p.site.look(|w| w.top("cau")["role"].clone())
}

/// How often each step was sent.
fn sent(p: &Pump, step: &str) -> usize {
    p.events.iter().filter(|e| matches!(&e.event, Event::StepIntended { step: s, .. } if s == step)).count()
}

async fn to_the_end(p: &mut Pump) {
    p.until("every node", |s| s.phase == Phase::AwaitingCommit || s.phase.is_terminal()).await;
    assert_eq!(p.state().phase, Phase::AwaitingCommit, "{}", p.state().phase_why);
    p.command(Command::Defer);
    p.until("the end", |s| s.phase.is_terminal()).await;
}

#[tokio::test(start_paused = true)]
async fn the_cluster_upgrades_itself_with_credssp_on_and_off_again() {
    let mut p = pump(|_| {});
    ready(&mut p).await;
    let scan = p.state().plan.check("scan").expect("a check").id.clone();
    assert_eq!(p.state().plan.step("update-now").expect("a step").review, [scan]);
    p.command(Command::Start);
    let installing = |s: &State| s.unit(&NodeName::new("HCI-N1")).is_some_and(|u| u.state == UnitState::Executing);
    p.until("the first node", installing).await;
    assert!(NODES.iter().all(|n| credssp(&p, n)), "on while the run is on");
    let why = &p.state().unit(&NodeName::new("HCI-N1")).expect("a unit").why;
    assert!(why.starts_with("Installing updates: "), "{why}");
    let run = p.site.look(|w| w.run().clone());
    assert_eq!(run["arguments"], json!({"WuConnected": "true"}));
    assert_eq!(run["options"]["reboot_timeout_minutes"], json!(240));
    assert_eq!(role(&p)["reboot_mode"], json!("FullReboot"));
    to_the_end(&mut p).await;
    assert!(matches!(p.state().verdict, Some(RunVerdict::Succeeded | RunVerdict::SucceededWithIssues)));
    let units = &p.state().run.as_ref().expect("a run").units;
    assert!(
        units.values().all(|u| u.state == UnitState::Done && u.why.starts_with("Succeeded: ")),
        "{}",
        p.units()
    );
    assert!(all_off(&p));
    assert_eq!(
        (role(&p)["status"].clone(), role(&p)["plugin"].clone()),
        (json!("Offline"), json!("Microsoft.WindowsUpdatePlugin"))
    );
    let history = history(&p);
    assert_eq!(history.len(), 1, "one run, by the role");
    assert_eq!(
        (&history[0]["status"], &history[0]["user"]),
        (&json!("Succeeded"), &json!("NT AUTHORITY\\SYSTEM"))
    );
    assert_eq!(sent(&p, "update-now"), 1);
    for step in ["credssp-on", "credssp-off"] {
        assert_eq!(sent(&p, step), 4, "{step}: once on each node");
    }
}

#[tokio::test(start_paused = true)]
async fn without_need_credssp_is_not_touched() {
    let mut p = Pump::of(RUNBOOK, world("ready"), |_| {}, |site| site.coordinator = None);
    ready(&mut p).await;
    p.command(Command::Start);
    to_the_end(&mut p).await;
    assert!(all_off(&p));
    assert!(!p.plan.steps.iter().any(|s| s.id.starts_with("credssp")));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_missing_is_added_with_a_schedule_beyond_the_run() {
    let mut p = pump(|w| w["cau"]["role"] = Json::Null);
    ready(&mut p).await;
    let start =
        p.site.look(|w| w.top("cau")["role"]["start_date"].as_str().map(str::to_owned)).expect("a schedule");
    let hours = start.parse::<jiff::Timestamp>().expect("a time").duration_since(p.now()).as_hours();
    assert!(hours > 72, "{start}");
    p.command(Command::Start);
    to_the_end(&mut p).await;
}

#[tokio::test(start_paused = true)]
async fn the_third_tuesday_passes_and_only_our_run_was_made() {
    // The engine's clock begins at 2026-02-01, a Sunday at 20:00. Started late on Monday the 16th, the run is on at the time of the
    // schedule, 03:00 on Tuesday the 17th, and days pass after it.
    let schedule = |w: &mut Json| {
        w["cau"]["role"]["days_of_week"] = json!(4);
        w["cau"]["role"]["weeks_of_month"] = json!([3]);
        w["cau"]["role"]["start_date"] = json!("2025-06-01T03:00:00Z");
    };
    let week = |days: i64| jiff::SignedDuration::from_hours(24 * days);
    // Left alone, it starts.
    let mut p = pump(schedule);
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    tokio::time::sleep(week(17).unsigned_abs()).await;
    p.site.change(|_, _| {});
    let began = |p: &Pump| history(p).len() + usize::from(p.site.look(|w| w.run().is_object()));
    assert_eq!(began(&p), 1, "the simulator keeps schedules");
    // Moved beyond the run, it does not.
    let mut p = pump(schedule);
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    tokio::time::sleep((week(15) + jiff::SignedDuration::from_hours(3)).unsigned_abs()).await;
    ready(&mut p).await;
    p.command(Command::Start);
    p.until("the run", |s| s.driver.as_ref().is_some_and(|d| d.value.is_running())).await;
    assert!(p.now() < "2026-02-17T03:00:00Z".parse().expect("a time"), "{}", p.now());
    to_the_end(&mut p).await;
    assert!(p.now() > "2026-02-17T03:00:00Z".parse().expect("a time"), "{}", p.now());
    tokio::time::sleep(week(60).unsigned_abs()).await;
    p.site.change(|_, _| {});
    assert_eq!(began(&p), 1, "{:?}", history(&p));
}

#[tokio::test(start_paused = true)]
async fn the_orchestrator_moves_and_stays_ours() {
    let mut p = pump(|_| {});
    ready(&mut p).await;
    p.command(Command::Start);
    to_the_end(&mut p).await;
    let mut drivers: Vec<String> = Vec::new();
    for e in &p.events {
        if let Event::DriverSeen { view } = &e.event
            && let Some(run) = &view.run
            && drivers.last() != Some(&run.orchestrator)
        {
            drivers.push(run.orchestrator.clone());
        }
    }
    assert!(drivers.len() > 1, "{drivers:?}");
    let paused = |e: &Event| matches!(e, Event::PhaseChanged { to: Phase::Paused(_), .. });
    assert!(!p.events.iter().any(|e| paused(&e.event)), "never taken for another run");
}

#[tokio::test(start_paused = true)]
async fn media_are_refused_with_the_way_out() {
    let runbook = Library::new(None).load(RUNBOOK).unwrap_or_else(|e| panic!("{e}"));
    let settings = [("media_path".to_owned(), json!("C:\\iso"))].into();
    let why = runbook.plan(&Site { settings, ..Site::default() }).expect_err("refused");
    assert!(why.contains("media_path") && why.contains("azure-local-powershell"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_run_of_somebody_else_is_only_watched() {
    let mut p = pump(|_| {});
    ready(&mut p).await;
    // Begun in Windows Admin Center after the last look, before the start.
    p.site.change(|w, now| {
        w.json_mut()["cau"]["role"]["plugin"] = json!("Microsoft.RollingUpgradePlugin");
        w.update_now(now);
    });
    p.command(Command::Start);
    p.until("a pause", |s| matches!(s.phase, Phase::Paused(_)) || s.phase == Phase::Blocked).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::ForeignRun), "{}", p.state().phase_why);
    assert!(all_off(&p) && sent(&p, "role-options") == 0 && sent(&p, "update-now") == 0);
    let at = |s: &State| s.driver.as_ref().and_then(|d| d.value.run.clone()).map(|r| r.finished.len());
    p.until("its progress is seen", |s| at(s) == Some(2)).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::ForeignRun));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_never_begins_is_not_asked_for_again() {
    // The cmdlet answers, and nothing comes of it: as with the cluster's full name.
    let mut p = pump(|w| {
        w["faults"] =
            json!([{"on": "Start-Sleep", "machine": null, "times": null, "do": {"return": {"asked": "HCI-CL1"}}}]);
    });
    ready(&mut p).await;
    p.command(Command::Start);
    p.until("a pause", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::NeedsDecision));
    assert!(p.state().phase_why.contains("nothing goes on there"), "{}", p.state().phase_why);
    assert_eq!(sent(&p, "update-now"), 1);
    p.site.change(|w, _| w.json_mut()["faults"] = json!([]));
    p.command(Command::Resume);
    to_the_end(&mut p).await;
    assert_eq!((sent(&p, "update-now"), all_off(&p)), (2, true));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_ends_anywhere_leaves_credssp_off_and_one_run() {
    let own = |e: &Event| {
        matches!(
            e,
            Event::StepIntended { .. }
                | Event::StepAnswered { .. }
                | Event::StepStarted { .. }
                | Event::StepDone { .. }
                | Event::StepEnded { .. }
        )
    };
    let mut whole = pump(|_| {});
    ready(&mut whole).await;
    whole.command(Command::Start);
    to_the_end(&mut whole).await;
    // From then on it waits for persons; what that is about changes no CredSSP.
    let waits = |e: &Event| matches!(e, Event::PhaseChanged { to: Phase::AwaitingCommit, .. });
    let before = whole.events.iter().take_while(|e| !waits(&e.event));
    let places = before.filter(|e| own(&e.event)).count();
    assert!(places > 25, "{places}");
    // One place, or "all" of them; every ninth where nothing is said.
    let wanted = std::env::var("NODELIFT_PLACES").unwrap_or_default();
    let chosen = |p: &usize| wanted == "all" || wanted == p.to_string() || (wanted.is_empty() && p % 9 == 1);
    for place in (1..=places).filter(chosen) {
        println!("the engine ends at place {place} of {places}");
        let mut p = pump(|_| {});
        ready(&mut p).await;
        p.command(Command::Start);
        let mut seen = 0;
        while seen < place {
            let (known, at) = (p.events.len(), p.state().seq);
            p.until("one more", |s| s.seq > at).await;
            seen += p.events[known..].iter().filter(|e| own(&e.event)).count();
        }
        p.engine_restarts();
        let stands =
            |s: &State| matches!(s.phase, Phase::Paused(_) | Phase::AwaitingCommit) || s.phase.is_terminal();
        p.until("a stand", stands).await;
        if matches!(p.state().phase, Phase::Paused(_)) {
            assert_eq!(
                p.state().phase,
                Phase::Paused(PauseReason::Recovered),
                "place {place}: {}",
                p.state().phase_why
            );
            p.command(Command::Resume);
        }
        to_the_end(&mut p).await;
        assert!(all_off(&p), "place {place}");
        assert_eq!(history(&p).len(), 1, "place {place}");
        assert_eq!(role(&p)["status"], json!("Offline"), "place {place}");
    }
}

#[tokio::test(start_paused = true)]
async fn credssp_that_cannot_be_switched_off_stays_open_until_it_is() {
    let refused = |n: u64| {
        json!([{"on": "Disable-WSManCredSSP", "machine": "HCI-N3", "times": n, "do": {"throw": "Access is denied.",
            "id": "System.InvalidOperationException,Microsoft.WSMan.Management.DisableWSManCredSSPCommand"}}])
    };
    let mut p = pump(|w| w["faults"] = refused(1000));
    ready(&mut p).await;
    p.command(Command::Start);
    p.until("the refusal", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert!(
        p.state().phase_why.contains("HCI-N3") && p.state().phase_why.contains("Access is denied"),
        "{}",
        p.state().phase_why
    );
    assert_eq!(NODES.map(|n| credssp(&p, n)), [false, false, true, false]);
    // Ended all the same: it is not over before that is done.
    p.command(Command::Stop);
    p.until("its end", |s| s.phase == Phase::Finalising).await;
    let advice = nodelift::core::advice::advice(p.state(), p.now());
    assert!(
        advice.urgent && advice.text.contains("CredSSP off again") && advice.text.contains("HCI-N3"),
        "{}",
        advice.text
    );
    p.site.change(|w, _| w.json_mut()["faults"] = json!([]));
    p.until("the end", |s| s.phase.is_terminal()).await;
    assert!(all_off(&p));
    assert_eq!(p.state().phase, Phase::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_leaves_nothing_switched_on() {
    let mut p = pump(|_| {});
    ready(&mut p).await;
    p.command(Command::Start);
    let installing = |s: &State| s.unit(&NodeName::new("HCI-N1")).is_some_and(|u| u.state == UnitState::Executing);
    p.until("the first node", installing).await;
    p.command(Command::Stop);
    p.until("the end", |s| s.phase.is_terminal()).await;
    assert_eq!(p.state().phase, Phase::Stopped, "{}", p.state().phase_why);
    assert!(all_off(&p));
    assert_eq!(role(&p)["status"], json!("Offline"));
    assert_eq!(history(&p).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_fails_pauses_with_its_first_error_and_can_go_on() {
    let mut p = pump(|w| {
        w["faults"] = json!([{"on": "install", "machine": "HCI-N1", "times": 2, "do": {"fail": "0x80240034"}}]);
    });
    ready(&mut p).await;
    p.command(Command::Start);
    p.until("a pause", |s| matches!(s.phase, Phase::Paused(_))).await;
    let unit = p.state().unit(&NodeName::new("HCI-N1")).expect("a unit");
    assert!(unit.why.starts_with("Couldn't install updates: ") && unit.why.contains("0x80240034"), "{}", unit.why);
    p.command(Command::Resume);
    to_the_end(&mut p).await;
    assert_eq!((sent(&p, "update-now"), all_off(&p)), (2, true));
    let proof = p.state().checks.iter().find(|(k, _)| k.check == "proof-credssp");
    assert_eq!(proof.and_then(|(_, c)| c.current.as_ref()).map(|v| v.value.outcome), Some(Outcome::Pass));
}

#[tokio::test(start_paused = true)]
async fn further_updates_are_a_second_run_of_the_role_while_credssp_is_still_on() {
    let mut p = Pump::of(
        RUNBOOK,
        world("ready"),
        |_| {},
        |site| {
            site.coordinator = None;
            site.settings.extend([("credssp".into(), json!(true)), ("further_updates".into(), json!("install"))]);
        },
    );
    ready(&mut p).await;
    p.command(Command::Start);
    p.until("the second run", |s| s.current_step() == Some("further-updates") && s.own_run().is_some()).await;
    assert!(NODES.iter().all(|n| credssp(&p, n)), "it may need it");
    p.until("the end of it", |s| matches!(s.phase, Phase::AwaitingCommit | Phase::Paused(_))).await;
    assert_eq!(p.state().phase, Phase::AwaitingCommit, "{}\n{}", p.state().phase_why, p.verdicts());
    let plugins: Vec<Json> = history(&p).iter().map(|r| r["plugin"].clone()).collect();
    assert_eq!(plugins, [json!("Microsoft.RollingUpgradePlugin"), json!("Microsoft.WindowsUpdatePlugin")]);
    assert!(all_off(&p));
    assert_eq!(role(&p)["status"], "Offline");
}
