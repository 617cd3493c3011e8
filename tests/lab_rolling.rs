//! Fix all over the lab: values set, four nodes restarted one by one behind gates, the program killed on the way, and nothing twice.
#![cfg(unix)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/said.rs"]
mod said;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use lab::{Engine, Lab, Options};
use nodelift::core::event::Event;
use nodelift::journal;
use portable_pty::CommandBuilder;
use pty::Terminal;
use serde_json::json;

const FILE_SYSTEM: &str = r"HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem";
const NODES: [&str; 4] = ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"];

#[test]
fn fix_all_restarts_four_nodes_one_by_one_and_outlives_the_program() {
    if let Err(why) = Lab::is_possible() {
        said::skipped(&why);
        return;
    }
    let rate = if matches!(Engine::find(), Ok(Engine::StandIn(_))) { 300.0 } else { 60.0 };
    let options = Options {
        rate,
        change: Box::new(|world| {
            for node in NODES {
                world["machines"][node]["registry"][FILE_SYSTEM]["RefsEnableMetadataValidation"]["value"] =
                    json!(1);
            }
        }),
        ..Options::default()
    };
    let lab = Lab::start("ready", options).unwrap_or_else(|e| panic!("{e}"));
    said::say(&format!("{} answers", lab.engine().name()));
    let minutes = |site: f64| Duration::from_secs_f64(site * 60.0 / rate) + Duration::from_secs(120);

    let mut t = nodelift(&lab);
    t.wait_for(minutes(30.0), "a blocker", |t| t.text().contains("BLOCKED   1 to fix"));
    t.press("F");
    t.shows("Rolling restart, one after the other: HCI-N1, HCI-N2, HCI-N3, HCI-N4");
    t.press("y");
    t.wait_for(minutes(60.0), "the second node", |t| t.text().contains("RESTARTING   1 of 4"));
    // Killed while a node is out of service, if it is: whatever it was doing is found again.
    t.wait_for(minutes(60.0), "its restart", |t| t.text().contains("HCI-N2  Restart"));
    t.signal(rustix::process::Signal::KILL);
    t.ends();

    let mut t = nodelift(&lab);
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
    in_order(&lab);
}

/// By the journal: each node was drained and restarted once, behind gates that held, never two at a time.
fn in_order(lab: &Lab) {
    let runs = std::fs::read_dir(lab.folder().join("state/runs/HCI-CL1")).expect("a run").flatten();
    let runs: Vec<PathBuf> = runs.map(|r| r.path()).filter(|p| p.is_dir()).collect();
    assert_eq!(runs.len(), 1, "the second program goes on with the run of the first: {runs:?}");
    let read = journal::read(&runs[0].join("journal")).expect("a journal");
    let mut operations: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut at: Option<String> = None;
    let mut open = false;
    for e in &read.events {
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

fn nodelift(lab: &Lab) -> Terminal {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_nodelift"));
    command.args(["run", "-i", &lab.inventory().display().to_string()]);
    command.cwd(lab.folder());
    command.env("HOME", lab.folder());
    command.env("XDG_CONFIG_HOME", lab.folder().join("config"));
    command.env("NODELIFT_STATE", lab.folder().join("state"));
    Terminal::open(command, pty::size(120, 40))
}
