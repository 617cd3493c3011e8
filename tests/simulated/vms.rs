//! Virtual machines: listed and agreed to, shut down, one that does not, kept, started again however the run ends.

use std::collections::BTreeMap;

use nodelift::core::command::{Command, allowed};
use nodelift::core::event::Event;
use nodelift::core::headless::{Agreed, Headless, Next};
use nodelift::core::items::Choice;
use nodelift::core::run::{Phase, RunVerdict};
use nodelift::core::state::State;
use serde_json::{Value as Json, json};

use crate::pump::{Pump, world};

/// The ready site with these machines running, on the nodes where they are.
fn running(names: &'static [&'static str]) -> impl Fn(&mut Json) {
    move |w| {
        for vm in w["vms"].as_array_mut().expect("machines") {
            if names.iter().any(|n| vm["name"] == *n) {
                vm["state"] = json!("Running");
            }
        }
        // The value of step 0 is there: they can be moved.
        for group in w["cluster"]["groups"].as_array_mut().expect("groups") {
            if names.iter().any(|n| group["name"] == *n) {
                group["state"] = json!("Online");
            }
        }
    }
}

fn of(settings: &[(&str, Json)], change: impl FnOnce(&mut Json)) -> Pump {
    Pump::of("azure-local-powershell", world("ready"), change, |site| {
        site.settings.extend(settings.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
    })
}

fn states(p: &Pump) -> Vec<String> {
    let row = |v: &Json| format!("{} {}", v["name"].as_str().unwrap_or("?"), v["state"].as_str().unwrap_or("?"));
    p.site.look(|w| w.top("vms").as_array().expect("machines").iter().map(row).collect())
}

fn asks(s: &State) -> bool {
    matches!(s.phase, Phase::Paused(_)) && s.undecided().is_some()
}

fn decide(all: &[(&str, Choice)]) -> Command {
    let choices: BTreeMap<String, Choice> = all.iter().map(|(n, c)| ((*n).to_owned(), *c)).collect();
    Command::Decide { step: "stop-vms".into(), choices }
}

async fn ended(p: &mut Pump) {
    p.until("every node", |s| matches!(s.phase, Phase::AwaitingCommit | Phase::Paused(_))).await;
    assert_eq!(p.state().phase, Phase::AwaitingCommit, "{}", p.state().phase_why);
    p.command(Command::Defer);
    p.until("the end", |s| s.phase.is_terminal()).await;
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_listed_shut_down_and_started_again_and_nothing_else() {
    let mut p = of(&[("vms_keep", json!(["web-vm3"]))], running(&["SQL-VM1", "WEB-VM3"]));
    p.start().await;
    p.until("the question", asks).await;
    let now = p.site.now();
    let noted: Vec<String> = p
        .state()
        .items("stop-vms")
        .iter()
        .map(|i| format!("{} {} {:?}", i.noted.name, i.noted.node, i.choice))
        .collect();
    assert_eq!(noted, ["SQL-VM1 HCI-N2 None", "WEB-VM3 HCI-N4 Some(Leave)"]);
    assert_eq!(states(&p), ["SQL-VM1 Running", "FILE-VM2 Off", "WEB-VM3 Running"]);
    // Whoever goes on without an answer is told so; nothing may be turned off that was not asked first.
    let refused = |c: &Command| allowed(p.state(), c, now).expect_err("refused").0;
    assert_eq!(refused(&Command::Resume), "decide first: Virtual machines are shut down");
    assert_eq!(refused(&decide(&[])), "decide about SQL-VM1");
    assert_eq!(refused(&decide(&[("SQL-VM1", Choice::Force)])), "SQL-VM1: that was not tried the gentle way yet");
    assert_eq!(refused(&decide(&[("NO-VM", Choice::Take)])), "there is no VM NO-VM in it");
    let mut alone = Headless::new(Agreed { start: true, ..Agreed::default() });
    assert_eq!(alone.next(p.state(), now), Next::Leave);
    p.command(decide(&[("SQL-VM1", Choice::Take)]));
    p.until("the run", |s| s.driver.as_ref().is_some_and(|d| d.value.is_running())).await;
    assert_eq!(states(&p), ["SQL-VM1 Off", "FILE-VM2 Off", "WEB-VM3 Running"]);
    ended(&mut p).await;
    assert_eq!(states(&p), ["SQL-VM1 Running", "FILE-VM2 Off", "WEB-VM3 Running"]);
    assert_eq!(p.state().run.as_ref().expect("a run").steps["start-vms"].items.as_ref().expect("noted").len(), 1);
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_stop_is_decided_on_by_itself() {
    let silent = |w: &mut Json| {
        running(&["SQL-VM1", "FILE-VM2"])(w);
        w["vms"][1]["guest_shutdown_ok"] = json!(false);
    };
    let mut p = of(&[("vms", json!("stop"))], silent);
    p.start().await;
    p.until("a decision", asks).await;
    assert_eq!(states(&p)[..2], ["SQL-VM1 Off", "FILE-VM2 Running"]);
    assert!(p.state().phase_why.starts_with("FILE-VM2: the guest cannot be asked"), "{}", p.state().phase_why);
    // Once more changes nothing; then the power is cut.
    p.command(decide(&[("FILE-VM2", Choice::Take)]));
    p.until("the same", asks).await;
    let now = p.site.now();
    assert!(allowed(p.state(), &decide(&[("SQL-VM1", Choice::Take), ("FILE-VM2", Choice::Take)]), now).is_err());
    p.command(decide(&[("FILE-VM2", Choice::Force)]));
    p.until("the run", |s| s.driver.as_ref().is_some_and(|d| d.value.is_running())).await;
    assert_eq!(states(&p)[..2], ["SQL-VM1 Off", "FILE-VM2 Off"]);
    let said = &p.state().run.as_ref().expect("a run").steps["stop-vms"].ended.as_ref().expect("ended").value;
    assert_eq!(said.message, "2 VMs, 1 of them by the choice to turn off: FILE-VM2");
    assert!(p.state().run.as_ref().expect("a run").first_error.is_none());
}

#[tokio::test(start_paused = true)]
async fn settings_decide_where_nobody_is_there() {
    for (value, wanted) in [("turn-off", "FILE-VM2 Off"), ("keep", "FILE-VM2 Running")] {
        let silent = |w: &mut Json| {
            running(&["FILE-VM2"])(w);
            w["vms"][1]["guest_shutdown_ok"] = json!(false);
        };
        let mut p = of(&[("vms", json!("stop")), ("vms_stuck", json!(value))], silent);
        p.start().await;
        p.until("the run", |s| s.driver.as_ref().is_some_and(|d| d.value.is_running())).await;
        assert_eq!(states(&p)[1], wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn they_are_started_again_when_the_run_is_stopped_and_what_does_not_start_is_left_by_a_person() {
    let change = |w: &mut Json| {
        running(&["SQL-VM1", "FILE-VM2"])(w);
        w["vms"][0]["does_not_start"] = json!(true);
    };
    let mut p = of(&[("vms", json!("stop"))], change);
    p.start().await;
    p.until("the run", |s| s.driver.as_ref().is_some_and(|d| d.value.is_running())).await;
    p.command(Command::Stop);
    p.until("what is left", |s| {
        let known = s.run.as_ref().and_then(|r| r.steps.get("start-vms")?.ended.as_ref());
        s.phase == Phase::Finalising && known.is_some_and(|e| !e.value.ok)
    })
    .await;
    assert_eq!(states(&p)[..2], ["SQL-VM1 Off", "FILE-VM2 Running"]);
    p.command(Command::Defer);
    p.until("the end", |s| s.phase.is_terminal()).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::Stopped));
    assert!(
        p.state().phase_why.contains("not done: Virtual machines are started again"),
        "{}",
        p.state().phase_why
    );
}

#[tokio::test(start_paused = true)]
async fn those_that_are_kept_need_somebody_who_answers_for_it() {
    let mut p = of(&[("vms", json!("keep"))], running(&["SQL-VM1"]));
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.command(Command::CheckAll);
    p.until("checks", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
    assert_eq!(p.state().phase, Phase::Blocked);
    assert!(p.verdicts().contains("vms-kept: could not tell"), "{}", p.verdicts());
    let mut p = of(&[("vms", json!("keep")), ("vms_accepted_by", json!("M. Roe"))], running(&["SQL-VM1"]));
    p.start().await;
    p.until("the run", |s| s.driver.as_ref().is_some_and(|d| d.value.is_running())).await;
    assert_eq!(states(&p)[0], "SQL-VM1 Running");
    assert!(p.state().plan.step("stop-vms").is_none() && p.state().plan.step("start-vms").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_and_done_is_in_the_journal_by_name() {
    let mut p = of(&[("vms", json!("stop"))], running(&["SQL-VM1"]));
    p.start().await;
    p.until("the run", |s| s.driver.as_ref().is_some_and(|d| d.value.is_running())).await;
    let told: Vec<String> = p
        .events
        .iter()
        .filter_map(|e| match &e.event {
            Event::ItemsNoted { items, .. } => {
                Some(format!("noted {} {} {}", items[0].name, items[0].node, items[0].state))
            }
            Event::ItemIntended { item, node, force, .. } => Some(format!("sent {item} {node} {force}")),
            Event::ItemDone { item, message, .. } => Some(format!("{item} {message}")),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["noted SQL-VM1 HCI-N2 Running", "sent SQL-VM1 HCI-N2 false", "SQL-VM1 Off"]);
}
