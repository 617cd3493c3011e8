//! The upgrade as Windows Admin Center makes it, over real SSH servers and by keys alone: the cluster updates itself, the program is
//! killed on the way, and CredSSP is off again at the end.
#![cfg(unix)]

#[path = "lab/trial.rs"]
mod trial;

use nodelift::core::event::Event;
use serde_json::json;
use trial::{NODES, Trial, by_the_cluster_itself, count, events, role_may_install};

#[test]
fn the_cluster_upgrades_itself_and_credssp_is_off_at_the_end() {
    let Some(trial) = Trial::start("ready", 600.0, role_may_install) else { return };
    let minutes = |site: f64| trial.minutes(site);
    trial.inventory(by_the_cluster_itself);

    let mut t = trial.run(&[]);
    t.wait_for(minutes(60.0), "the checks", |t| t.text().contains("READY"));
    t.press("s");
    t.shows("HCI-N4: Feature update to Azure Stack HCI, version 23H2");
    t.press("y");
    t.wait_for(minutes(60.0), "a node in work", |t| t.text().contains("Installing updates"));
    for node in NODES {
        assert!(credssp(&trial, node), "{node}: on while the run is on");
    }
    trial.kill_engine();
    t.shows("The engine has left");
    t.press("q");
    assert_eq!(t.ends().exit_code(), 4, "{}", t.text());

    let mut t = trial.run(&[]);
    t.wait_for(minutes(10.0), "what became of it", |t| t.text().contains("PAUSED recovered"));
    t.press("u");
    t.shows("Go on with the upgrade");
    t.press("y");
    t.wait_for(minutes(720.0), "every node", |t| t.text().contains("AWAITING COMMIT"));
    for node in NODES {
        assert!(!credssp(&trial, node), "{node}: off again");
    }
    t.press("d");
    t.shows("End the run without the steps that cannot be undone");
    t.press("y");
    t.wait_for(minutes(60.0), "the end", |t| t.text().contains("SUCCEEDED"));
    t.press("\x1bq");
    assert_eq!(t.ends().exit_code(), 0, "{}", t.text());
    let world = trial.world();
    assert_eq!(world["cau"]["role"]["status"], "Offline");
    assert_eq!(world["cau"]["history"].as_array().map(Vec::len), Some(1));
    asked_once(&trial);
}

fn credssp(trial: &Trial, node: &str) -> bool {
    let c = trial.world()["machines"][node]["credssp"].clone();
    c["server"] == json!(true) && c["client"].as_array().is_some_and(|c| !c.is_empty())
}

/// By the journal: the role was asked to run once, and every step once on its machines. The second program goes on with the run of
/// the first.
fn asked_once(trial: &Trial) {
    let events = events(&trial.the_run());
    let sent = |id: &str| count(&events, |e| matches!(e, Event::StepIntended { step, .. } if step == id));
    assert_eq!((sent("update-now"), sent("credssp-on"), sent("credssp-off")), (1, 4, 4));
}
