//! The lab itself: real SSH servers that come and go with their machines, and a worker that answers behind each.
#![cfg(unix)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "support/said.rs"]
mod said;

use std::process::Stdio;
use std::time::{Duration, Instant};

use lab::{Engine, Lab, Options, Worker, worker};
use nodelift::config::inventory::Inventory;
use nodelift::remote::detached;
use nodelift::remote::powershell::bootstrap::command_line;
use nodelift::runbook::{Library, Runbook};
use serde_json::{Value as Json, json};

/// Longest wait for anything: reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A lab, or nothing with the reason said.
fn lab(world: &str, options: Options) -> Option<Lab> {
    if let Err(why) = Lab::is_possible() {
        said::skipped(&why);
        return None;
    }
    let lab = Lab::start(world, options).unwrap_or_else(|e| panic!("{e}"));
    said::say(&format!("{} answers", lab.engine().name()));
    Some(lab)
}

fn runbook() -> Runbook {
    Library::new(None).load("azure-local-powershell").unwrap_or_else(|e| panic!("{e}"))
}

fn worker(lab: &Lab, machine: &str) -> Worker {
    Worker::start(lab.ssh(machine).arg(command_line())).expect("ssh starts")
}

/// Runs a script of the runbook.
fn run(runbook: &Runbook, worker: &mut Worker, path: &str, args: &Json) -> Result<Json, String> {
    worker.run(&runbook.scripts[path].text, args, PATIENCE).record()
}

fn wait(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "it takes too long until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_machine_answers_and_a_fix_is_kept() {
    let Some(lab) = lab("needs-work", Options::default()) else { return };
    let text = std::fs::read_to_string(lab.inventory()).expect("written");
    for (name, port) in lab.machines() {
        assert!(text.contains(&format!("name = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\n")), "{text}");
    }
    let inventory = Inventory::read(&lab.inventory()).unwrap_or_else(|e| panic!("{e}"));
    assert!(inventory.lab && inventory.nodes.len() + 1 == lab.machines().len());
    let runbook = runbook();
    for (name, _) in lab.machines() {
        let mut worker = worker(&lab, name);
        let hello = worker.hello(PATIENCE).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((hello["host"].as_str(), hello["v"].as_i64()), (Some(name.as_str()), Some(1)), "{hello}");
        assert!(hello["pid"].as_u64().is_some_and(|p| p > 0) && hello["lang"].is_string(), "{hello}");
        let os = run(&runbook, &mut worker, "azure-local/facts/os.ps1", &json!({}));
        assert_eq!(os.as_ref().map(|o| o["computer"].as_str()), Ok(Some(name.as_str())), "{os:?}");
    }
    let mut on = worker(&lab, "HCI-N3");
    let facts = "azure-local/facts/registry.ps1";
    let before = run(&runbook, &mut on, facts, &json!({})).expect("an answer");
    assert_eq!(before["refs_metadata_validation"], Json::Null);
    run(&runbook, &mut on, "azure-local/fixes/registry.ps1", &json!({})).expect("it is allowed");
    // Another session sees what this one changed.
    let after = run(&runbook, &mut worker(&lab, "HCI-N3"), facts, &json!({})).expect("an answer");
    assert_eq!(after["refs_metadata_validation"], json!(0));
}

/// The program's readiness report of a site, how it ended, and what it printed.
fn check(lab: &Lab, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_nodelift"));
    command.args(["check", "-i"]).arg(lab.inventory()).args(arguments);
    command.env("NODELIFT_STATE", lab.folder().join("state")).stdin(Stdio::null());
    let output = command.output().expect("nodelift starts");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn readiness_is_reported_of_all_or_of_what_is_asked() {
    let Some(lab) = lab("needs-work", Options::default()) else { return };
    let junit = lab.folder().join("junit.xml");
    let (code, text) = check(&lab, &["--json", "--junit", &junit.display().to_string()]);
    assert_eq!(code, Some(3));
    let json: Json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(json["blockers"].as_u64() > Some(3) && json["reached"] == true && json["ready"] == false, "{text}");
    assert_eq!(json["machines"]["HCI-N2"]["language"], "FullLanguage");
    let junit = std::fs::read_to_string(junit).expect("it is written");
    assert!(roxmltree::Document::parse(&junit).is_ok() && junit.contains("<failure type=\"blocker\""), "{junit}");

    let one = ["--node", "HCI-N2", "--check", "secure-boot"];
    let (code, text) = check(&lab, &one);
    assert_eq!(code, Some(0), "what only warns is not in the way: {text}");
    assert!(text.contains("Only HCI-N2, secure-boot was looked at"), "{text}");
    assert_eq!(check(&lab, &[&one[..], &["--fail-on", "warning"]].concat()).0, Some(3));
    let (_, text) = check(&lab, &[&one[..], &["--json"]].concat());
    let json: Json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let names: Vec<&String> = json["machines"].as_object().expect("machines").keys().collect();
    assert_eq!(names, ["COORD01", "HCI-N2"], "no other was connected to");
}

#[test]
fn a_restart_takes_the_server_away_and_brings_it_back() {
    let Some(lab) = lab("ready", Options::default()) else { return };
    let runbook = runbook();
    let facts = "azure-local/facts/os.ps1";
    let mut old = worker(&lab, "HCI-N2");
    let before = run(&runbook, &mut old, facts, &json!({})).expect("an answer");
    let status = lab.ssh("HCI-N2").arg("shutdown.exe /r /t 0 /d p:4:1").stdin(Stdio::null()).status();
    assert!(status.expect("ssh starts").success());
    wait("the server is gone", || !lab.listens("HCI-N2"));
    assert!(lab.listens("HCI-N1"), "the others stay");
    wait("its worker went with it", || old.run("1", &json!({}), PATIENCE).end.is_null());
    wait("the server is back", || lab.listens("HCI-N2"));
    let mut new = worker(&lab, "HCI-N2");
    let hello = new.hello(PATIENCE).expect("an answer");
    assert_eq!(hello["host"], "HCI-N2");
    let after = run(&runbook, &mut new, facts, &json!({})).expect("an answer");
    assert!(
        after["boot_utc"].as_str() > before["boot_utc"].as_str(),
        "{} {}",
        before["boot_utc"],
        after["boot_utc"]
    );
}

#[test]
fn a_whole_run_restarts_every_node() {
    let engine = Engine::find();
    // A PowerShell process takes its time to start; the stand-in does not.
    let rate = if matches!(engine, Ok(Engine::StandIn(_))) { 1200.0 } else { 300.0 };
    let Some(lab) = lab("ready", Options { rate, ..Options::default() }) else { return };
    let runbook = runbook();
    let mut coordinator = worker(&lab, "COORD01");
    let args = json!({
        "cluster": "HCI-CL1", "max_failed_nodes": 0, "max_retries_per_node": 1, "reboot_timeout_minutes": 240,
        "suspend_timeout_minutes": 720, "warn_after_hours": 24, "stop_after_hours": 48, "failback_mode": "Immediate",
        "node_order": [], "require_all_nodes_online": true, "enable_firewall_rules": true, "media_path": "", "rehearsal": false, "rehearsal_script": "",
    });
    let script = &runbook.scripts["azure-local/steps/cau-run.ps1"].text;
    let start = detached::start("0199", "run-1", 1, script, args, "CORP\\upgradeadmin", Some("lab"));
    let begun = coordinator.run(&start.script, &start.args, PATIENCE).record();
    assert_eq!(begun.as_ref().map(|b| b["claimed"].clone()), Ok(json!(false)), "{begun:?}");
    let mut seen = std::collections::BTreeSet::new();
    let look = detached::observe("0199", "run-1");
    let end = Instant::now() + Duration::from_secs((20_000.0 / rate) as u64) + PATIENCE;
    let last = loop {
        for (name, _) in lab.machines() {
            if !lab.listens(name) {
                seen.insert(name.clone());
            }
        }
        let op = coordinator.run(&look.script, &look.args, PATIENCE).record().expect("an answer");
        if !op["exit"].is_null() || Instant::now() > end {
            break op;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(last["exit"]["code"], 0, "{last}");
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"]);
    wait("the last node is back", || lab.listens("HCI-N4"));
    let os =
        run(&runbook, &mut worker(&lab, "HCI-N4"), "azure-local/facts/os.ps1", &json!({})).expect("an answer");
    assert_eq!(os["build"], "25398");
    let log = detached::log_path("0199", "run-1").replacen("C:", "disk/COORD01/C", 1).replace('\\', "/");
    let log = std::fs::read_to_string(lab.folder().join(log)).expect("it said something");
    assert!(log.starts_with('\u{feff}') && log.contains("limit MaxFailedNodes = 0"), "{log}");
}

#[test]
fn what_the_stand_in_does_not_know_fails_as_in_powershell() {
    let Some(lab) = lab("ready", Options::default()) else { return };
    if matches!(lab.engine(), Engine::PowerShell(_)) {
        said::skipped("a PowerShell knows everything");
        return;
    }
    let line = format!("powershell.exe -NoProfile -EncodedCommand {}", worker::encoded("Get-Everything"));
    let out = lab.ssh("HCI-N1").arg(line).stdin(Stdio::null()).output().expect("ssh starts");
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).starts_with("#< CLIXML\r\n<Objs "), "{out:?}");
    let mut worker = worker(&lab, "HCI-N1");
    let answer = worker.run("Get-Everything", &json!({}), PATIENCE);
    assert_eq!(answer.end["id"], "SimulatorHasNoAnswer");
}
