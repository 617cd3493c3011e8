//! The other routes over real OpenSSH servers, by keys: a rehearsal, then the run from media that expects what the rehearsal took.
#![cfg(unix)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/said.rs"]
mod said;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use lab::{Engine, Lab, Options};
use nodelift::core::event::Event;
use nodelift::core::plan::Stage;
use nodelift::journal;
use portable_pty::CommandBuilder;
use pty::Terminal;
use serde_json::json;

const MEDIA: &str = r"C:\ClusterUpgrade\2503";

#[test]
fn a_rehearsal_then_an_upgrade_from_media() {
    if let Err(why) = Lab::is_possible() {
        said::skipped(&why);
        return;
    }
    let rate = if matches!(Engine::find(), Ok(Engine::StandIn(_))) { 600.0 } else { 120.0 };
    let options = Options {
        rate,
        // Nothing may come from Windows Update.
        change: Box::new(|world| world["update_service"]["reachable"] = json!(false)),
        ..Options::default()
    };
    let lab = Lab::start("ready", options).unwrap_or_else(|e| panic!("{e}"));
    said::say(&format!("{} answers", lab.engine().name()));
    let inventory = fs::read_to_string(lab.inventory()).expect("an inventory");
    fs::write(lab.inventory(), format!("{inventory}\n[settings]\nmedia_path = '{MEDIA}'\n")).expect("written");
    let minutes = |site: f64| Duration::from_secs_f64(site * 60.0 / rate) + Duration::from_secs(120);

    let mut t = nodelift(&lab, &["--rehearse"]);
    t.wait_for(minutes(30.0), "one blocker", |t| t.text().contains("BLOCKED   1 to fix"));
    t.shows("REHEARSAL");
    t.press("F");
    t.shows("writes the script that stands in for Windows Setup");
    t.press("y");
    t.wait_for(minutes(30.0), "the checks", |t| t.text().contains("READY"));
    t.press("s");
    t.shows("Rehearse on HCI-CL1: every node restarts");
    t.shows("no OS is changed");
    t.press("y");
    t.wait_for(minutes(360.0), "the end", |t| t.text().contains("HCI-CL1 succeeded"));
    t.press("\x1b");
    t.press("q");
    assert_eq!(t.ends().exit_code(), 0, "{}", t.text());
    t.shows("nothing was upgraded");
    let build = |node: &str| lab.world().look(|w, _| w.machine(node)["os"]["build"].as_u64()).expect("a world");
    assert!(NODES.iter().all(|n| build(n) == Some(20349)));
    let rehearsal = runs(&lab).pop_first().expect("a run");
    let sealed = journal::read(&rehearsal.join("journal")).expect("a journal");
    assert!(sealed.events.iter().any(|e| matches!(&e.event, Event::PlanSealed(s) if s.rehearsal)));

    let mut t = nodelift(&lab, &[]);
    t.wait_for(minutes(30.0), "the checks", |t| t.text().contains("READY"));
    assert!(!t.text().contains("REHEARSAL"), "{}", t.text());
    t.press("s");
    t.shows("Start the upgrade of HCI-CL1 to 23H2");
    t.press("y");
    t.wait_for(minutes(60.0), "a node in work", |t| {
        t.text().contains("1 draining") || t.text().contains("installing")
    });
    t.shows("the rehearsal of");
    t.wait_for(minutes(720.0), "every node", |t| t.text().contains("AWAITING COMMIT   4 of 4"));
    assert!(NODES.iter().all(|n| build(n) == Some(25398)));
    t.press("q");
    t.ends();
    let upgrade = runs(&lab).into_iter().find(|r| *r != rehearsal).expect("another run");
    let (plan, _) = journal::read_plan(&upgrade).expect("a plan");
    assert!(plan.learned.get(&Stage::Restarting).is_some_and(|l| l.rehearsal), "{:?}", plan.learned);
    assert!(!plan.learned.contains_key(&Stage::Installing), "{:?}", plan.learned);
}

const NODES: [&str; 4] = ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"];

fn runs(lab: &Lab) -> BTreeSet<PathBuf> {
    let all = fs::read_dir(lab.folder().join("state/runs/HCI-CL1")).expect("runs").flatten();
    all.map(|r| r.path()).filter(|p| p.is_dir()).collect()
}

/// The program at 120×40, with a home of its own.
fn nodelift(lab: &Lab, more: &[&str]) -> Terminal {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_nodelift"));
    command.args(["run", "-i", &lab.inventory().display().to_string()]);
    command.args(more);
    command.cwd(lab.folder());
    command.env("HOME", lab.folder());
    command.env("XDG_CONFIG_HOME", lab.folder().join("config"));
    command.env("NODELIFT_STATE", lab.folder().join("state"));
    Terminal::open(command, pty::size(120, 40))
}
