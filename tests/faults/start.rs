//! What keeps a run from starting.

use nodelift::core::advice::advice;
use nodelift::core::command::{Command, blockers};
use nodelift::core::event::Outcome;
use nodelift::core::run::Phase;
use serde_json::{Value as Json, json};

use crate::pump::{Pump, world};
use crate::{key, refused};

/// A ready cluster but for this, checked.
async fn checked(change: impl FnOnce(&mut Json)) -> Pump {
    let mut p = Pump::new(world("ready"), change);
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.command(Command::CheckAll);
    p.until("checks", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
    p
}

#[tokio::test(start_paused = true)]
async fn nodes_that_are_not_offered_the_same_update_are_not_started() {
    let p = checked(|w| w["machines"]["HCI-N4"]["wua"]["offered"] = json!([])).await;
    assert_eq!(p.state().phase, Phase::Blocked, "{}", p.verdicts());
    assert_eq!(blockers(p.state(), p.now()), 1, "{}", p.verdicts());
    let scan = nodelift::core::event::VerdictKey { check: "scan".into(), node: None };
    let verdict = &p.state().verdict_of(&scan).expect("a verdict").value;
    assert_eq!(verdict.outcome, Outcome::Fail);
    assert!(verdict.detail.iter().any(|d| d == "HCI-N4: nothing"), "{verdict:?}");
    let title = &p.state().plan.check("scan").expect("a check").title;
    let said = advice(p.state(), p.now());
    assert!(said.text.starts_with(&format!("1 blocker before Start. {title}: ")), "{said:?}");
    let why = refused(&p, &Command::Start);
    assert!(why.contains("1 blocker"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_policy_points_to_wsus_is_not_started() {
    let p = checked(|w| {
        let policy = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate";
        let keys = &mut w["machines"]["HCI-N2"]["registry"];
        keys[policy] = json!({"WUServer": {"type": "String", "value": "https://wsus.corp.example:8531"}});
        keys[format!("{policy}\\AU")] = json!({"UseWUServer": {"type": "DWord", "value": 1}});
    })
    .await;
    assert_eq!(p.state().phase, Phase::Blocked, "{}", p.verdicts());
    let verdict = &p.state().verdict_of(&key("update-source", "HCI-N2")).expect("a verdict").value;
    assert_eq!(verdict.outcome, Outcome::Fail);
    assert_eq!(verdict.observed.as_deref(), Some("WSUS https://wsus.corp.example:8531"));
    let others = ["HCI-N1", "HCI-N3", "HCI-N4"].map(|n| key("update-source", n));
    assert!(others.iter().all(|k| p.state().verdict_of(k).is_some_and(|v| v.value.outcome == Outcome::Pass)));
    let said = advice(p.state(), p.now());
    assert!(said.text.contains("Updates come from Windows Update"), "{said:?}");
    let why = refused(&p, &Command::Start);
    assert!(why.contains("1 blocker"), "{why}");
}
