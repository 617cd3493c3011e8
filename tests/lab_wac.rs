//! The upgrade as Windows Admin Center makes it, over real SSH servers and by keys alone: the cluster updates itself, the program is
//! killed on the way, and CredSSP is off again at the end.
#![cfg(unix)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/said.rs"]
mod said;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use lab::{Engine, Lab, Options};
use nodelift::core::event::Event;
use nodelift::journal;
use portable_pty::CommandBuilder;
use pty::Terminal;
use serde_json::json;

const NODES: [&str; 4] = ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"];

#[test]
fn the_cluster_upgrades_itself_and_credssp_is_off_at_the_end() {
    if let Err(why) = Lab::is_possible() {
        said::skipped(&why);
        return;
    }
    let rate = if matches!(Engine::find(), Ok(Engine::StandIn(_))) { 600.0 } else { 120.0 };
    let options = Options {
        rate,
        change: Box::new(|world| {
            for node in NODES {
                world["machines"][node]["administrators"] = json!(["CORP\\upgradeadmin", "CORP\\CAUHCI-CL1x8$"]);
            }
        }),
        ..Options::default()
    };
    let lab = Lab::start("ready", options).unwrap_or_else(|e| panic!("{e}"));
    said::say(&format!("{} answers", lab.engine().name()));
    let minutes = |site: f64| Duration::from_secs_f64(site * 60.0 / rate) + Duration::from_secs(120);
    by_the_cluster_itself(&lab);

    let mut t = nodelift(&lab);
    t.wait_for(minutes(60.0), "the checks", |t| t.text().contains("READY"));
    t.press("s");
    t.shows("HCI-N4: Feature update to Azure Stack HCI, version 23H2");
    t.press("y");
    t.wait_for(minutes(60.0), "a node in work", |t| t.text().contains("Installing updates"));
    for node in NODES {
        assert!(credssp(&lab, node), "{node}: on while the run is on");
    }
    t.signal(rustix::process::Signal::KILL);
    t.ends();

    let mut t = nodelift(&lab);
    t.wait_for(minutes(10.0), "what became of it", |t| t.text().contains("PAUSED recovered"));
    t.press("u");
    t.shows("Go on with the upgrade");
    t.press("y");
    t.wait_for(minutes(720.0), "every node", |t| t.text().contains("AWAITING COMMIT"));
    for node in NODES {
        assert!(!credssp(&lab, node), "{node}: off again");
    }
    t.press("d");
    t.shows("End the run without the steps that cannot be undone");
    t.press("y");
    t.wait_for(minutes(60.0), "the end", |t| t.text().contains("SUCCEEDED"));
    t.press("\x1bq");
    assert_eq!(t.ends().exit_code(), 0, "{}", t.text());
    let world: serde_json::Value = world(&lab);
    assert_eq!(world["cau"]["role"]["status"], "Offline");
    assert_eq!(world["cau"]["history"].as_array().map(Vec::len), Some(1));
    asked_once(&lab);
}

/// The lab's inventory for this route: no coordinator, and credentials to hand on.
fn by_the_cluster_itself(lab: &Lab) {
    let own = fs::read_to_string(lab.inventory()).expect("an inventory");
    let (before, rest) = own.split_once("\n[coordinator]").expect("a coordinator");
    let nodes = rest.find("\n[[node]]").expect("nodes");
    let text = format!("{before}{}", &rest[nodes..]).replace("azure-local-powershell", "azure-local-wac");
    let given = "\n[credentials]\naccount = 'CORP\\upgradeadmin'\npassword_command = [\"echo\", \"lab\"]\n\n[settings]\ncredssp = true\n";
    fs::write(lab.inventory(), text + given).expect("written");
}

fn world(lab: &Lab) -> serde_json::Value {
    let path = lab.folder().join("world.json");
    serde_json::from_str(&fs::read_to_string(path).expect("a world")).expect("JSON")
}

fn credssp(lab: &Lab, node: &str) -> bool {
    let c = world(lab)["machines"][node]["credssp"].clone();
    c["server"] == json!(true) && c["client"].as_array().is_some_and(|c| !c.is_empty())
}

/// By the journal: the role was asked to run once, and every step once on its machines.
fn asked_once(lab: &Lab) {
    let runs = fs::read_dir(lab.folder().join("state/runs/HCI-CL1")).expect("a run").flatten();
    let runs: Vec<PathBuf> = runs.map(|r| r.path()).filter(|p| p.is_dir()).collect();
    assert_eq!(runs.len(), 1, "the second program goes on with the run of the first: {runs:?}");
    let read = journal::read(&runs[0].join("journal")).expect("a journal");
    let sent = |id: &str| {
        let is = |e: &Event| matches!(e, Event::StepIntended { step, .. } if step == id);
        read.events.iter().filter(|e| is(&e.event)).count()
    };
    assert_eq!((sent("update-now"), sent("credssp-on"), sent("credssp-off")), (1, 4, 4));
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
