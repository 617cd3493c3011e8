//! Fix all over the lab: values set, four nodes restarted one by one behind gates, the program killed on the way, and nothing twice.
#![cfg(unix)]

#[path = "lab/trial.rs"]
mod trial;

use std::collections::BTreeMap;

use nodelift::core::event::Event;
use serde_json::json;
use trial::{NODES, Trial, events};

const FILE_SYSTEM: &str = r"HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem";

#[test]
fn fix_all_restarts_four_nodes_one_by_one_and_outlives_the_program() {
    let trial = Trial::start("ready", 300.0, |world| {
        for node in NODES {
            world["machines"][node]["registry"][FILE_SYSTEM]["RefsEnableMetadataValidation"]["value"] = json!(1);
        }
    });
    let Some(trial) = trial else { return };
    let minutes = |site: f64| trial.minutes(site);

    let mut t = trial.run(&[]);
    t.wait_for(minutes(30.0), "a blocker", |t| t.text().contains("BLOCKED   1 to fix"));
    t.press("F");
    t.shows("Rolling restart, one after the other: HCI-N1, HCI-N2, HCI-N3, HCI-N4");
    t.press("y");
    t.wait_for(minutes(60.0), "the second node", |t| t.text().contains("RESTARTING   1 of 4"));
    // Killed while a node is out of service, if it is: whatever it was doing is found again.
    t.wait_for(minutes(60.0), "its restart", |t| t.text().contains("HCI-N2  Restart"));
    trial.kill_engine();
    t.shows("The engine has left");
    t.press("q");
    assert_eq!(t.ends().exit_code(), 4, "{}", t.text());

    let mut t = trial.run(&[]);
    t.shows("PAUSED recovered");
    t.press("u");
    t.shows("Go on: Rolling restart");
    t.press("y");
    t.wait_for(minutes(300.0), "the end", |t| t.text().contains("READY"));
    t.press("2/restarted after the reg\r");
    let green = |l: &str| l.contains("✔ Restarted after the registry change") && l.contains("✔✔✔✔   4 of 4");
    t.wait("all four of them", |t| t.text().lines().any(green));
    t.press("q");
    assert_eq!(t.ends().exit_code(), 0, "{}", t.text());
    in_order(&trial);
}

/// By the journal: each node was drained and restarted once, behind gates that held, never two at a time.
fn in_order(trial: &Trial) {
    // The second program goes on with the run of the first.
    let events = events(&trial.the_run());
    let mut operations: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut at: Option<String> = None;
    let mut open = false;
    for e in &events {
        match &e.event {
            Event::GateSeen { action, items, .. } if action == "before" => open = items.iter().all(|i| i.holds),
            Event::ActionIntended { node, action, op, .. } => {
                if action == "drain" {
                    assert!(open, "{node} was drained before its gate held");
                    assert_eq!(at, None, "{node} was drained while another one was away");
                    at = Some(node.to_string());
                }
                operations.entry((node.to_string(), action.clone())).or_default().push(op.to_string());
            }
            Event::ActionEnded { action, .. } if action == "resync" => {
                at = None;
                open = false;
            }
            _ => {}
        }
    }
    for node in NODES {
        for action in ["drain", "restart", "resume"] {
            let mut ops = operations.remove(&(node.to_owned(), action.to_owned())).unwrap_or_default();
            // The same operation may have been sent once more by the second program; another one never.
            ops.dedup();
            assert_eq!(ops.len(), 1, "{action} of {node}: {ops:?}");
        }
    }
}
