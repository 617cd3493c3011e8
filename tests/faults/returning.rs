//! What a node has lost when it is back, and nodes that do not come back.

use std::time::Duration;

use nodelift::core::advice::advice;
use nodelift::core::command::{Command, allowed, lost};
use nodelift::core::cures::{cure, fault};
use nodelift::core::event::{ENGINE, Event, Outcome};
use nodelift::core::plan::Fault;
use nodelift::core::run::{PauseReason, Phase, UnitState};
use serde_json::json;

use crate::{at_rest, key, node, once, started, unit};

const FILE_SYSTEM: &str = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem";

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

#[tokio::test(start_paused = true)]
async fn a_node_that_never_returns_is_a_persons_decision_and_nothing_is_forced() {
    let mut p = started(&[once("reboot", "HCI-N1", json!({"never_returns": true}))]).await;
    p.until("it is away", |s| s.unit(&node("HCI-N1")).is_some_and(|u| u.state == UnitState::Offline)).await;
    let sent = p.sent.len();
    let said = advice(p.state(), p.now());
    assert!(!said.urgent && said.text.ends_with("Nothing to do."), "{said:?}");
    // The limit of the runbook for a restart.
    p.wait(Duration::from_secs(91 * 60)).await;
    assert_eq!(p.state().phase, Phase::Running, "{}", p.state().phase_why);
    assert_eq!(unit(&p, "HCI-N1").0, UnitState::Offline);
    let said = advice(p.state(), p.now());
    assert!(said.urgent && said.text.starts_with("HCI-N1 "), "{said:?}");
    assert!(
        said.text.ends_with(" Nothing was stopped.") || said.text.ends_with("; nothing was stopped."),
        "{said:?}"
    );
    assert_eq!(p.sent.len(), sent, "nothing was sent because of it");
    // Cluster-Aware Updating gives the node up by its own limit, and no other one is begun.
    p.until("rest", at_rest).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::Budget), "{}", p.state().phase_why);
    let (state, why) = unit(&p, "HCI-N1");
    assert_eq!(state, UnitState::Failed);
    assert!(why.contains("The timeout limit (04:00:00) was reached"), "{why}");
    assert!(["HCI-N2", "HCI-N3", "HCI-N4"].iter().all(|n| !unit(&p, n).0.is_final()), "{}", p.units());
    let since = p.sent[sent..].iter().map(|(op, _)| op.as_str());
    assert!(since.clone().all(|op| op.starts_with("driver-stop-")), "{:?}", p.sent);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_back_without_ssh_has_not_failed_and_tells_how_to_bring_it_back() {
    let mut p = started(&[once("reboot", "HCI-N1", json!({"no_ssh": true}))]).await;
    p.until("it is back", |s| s.unit(&node("HCI-N1")).is_some_and(|u| u.state == UnitState::Returning)).await;
    // So long an SSH server may take to come up.
    assert!(!advice(p.state(), p.now()).urgent);
    p.wait(Duration::from_secs(15 * 60)).await;
    assert_eq!(p.state().phase, Phase::Running, "{}", p.state().phase_why);
    assert_eq!(unit(&p, "HCI-N1").0, UnitState::Returning, "{}", p.units());
    assert_eq!(fault(p.state(), &node("HCI-N1")), Some(Fault::NoSsh));
    let said = advice(p.state(), p.now());
    assert!(said.urgent, "{said:?}");
    assert!(said.text.starts_with("HCI-N1 is back in the cluster, its SSH server does not answer: "), "{said:?}");
    assert!(said.text.ends_with("It has not failed; nothing is sent there."), "{said:?}");
    let lines = cure(p.state(), &node("HCI-N1")).expect("repair lines").commands;
    assert!(lines.iter().all(|l| l.starts_with("Invoke-Command -ComputerName HCI-N1 {")), "{lines:?}");
    assert!(lines[0].contains("Start-Service sshd"), "{lines:?}");
    // Somebody brings it back: the proof is read, and it is a node like the others.
    p.site.change(|w, _| {
        w.machine_mut("HCI-N1")["no_ssh"] = json!(false);
        w.machine_mut("HCI-N1")["reachable"] = json!(true);
    });
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert_eq!(fault(p.state(), &node("HCI-N1")), None);
    assert_eq!(unit(&p, "HCI-N1").0, UnitState::Done);
}
