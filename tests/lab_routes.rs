//! The other routes over real OpenSSH servers, by keys: a rehearsal, then the run from media that expects what the rehearsal took.
#![cfg(unix)]

#[path = "lab/trial.rs"]
mod trial;

use nodelift::core::event::Event;
use nodelift::core::plan::{Mode, Stage};
use serde_json::json;
use trial::{MEDIA, NODES, Trial, asks_for_24h2, commit, count, events, plan, to_24h2};

#[test]
fn a_rehearsal_then_an_upgrade_from_media() {
    // Nothing may come from Windows Update.
    let trial = Trial::start("ready", 600.0, |world| world["update_service"]["reachable"] = json!(false));
    let Some(trial) = trial else { return };
    trial.inventory(|own| format!("{own}\n[settings]\nmedia_path = '{MEDIA}'\n"));
    let minutes = |site: f64| trial.minutes(site);

    let mut t = trial.run(&["--rehearse"]);
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
    trial.all_run(20349);
    let rehearsal = trial.the_run();
    assert_eq!(count(&events(&rehearsal), |e| matches!(e, Event::PlanSealed(s) if s.rehearsal)), 1);

    let mut t = trial.run(&[]);
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
    trial.all_run(25398);
    t.press("q");
    t.ends();
    let upgrade = trial.runs().into_iter().find(|r| *r != rehearsal).expect("another run");
    let plan = plan(&upgrade);
    assert!(plan.learned.get(&Stage::Restarting).is_some_and(|l| l.rehearsal), "{:?}", plan.learned);
    assert!(!plan.learned.contains_key(&Stage::Installing), "{:?}", plan.learned);
}

#[test]
fn every_node_by_windows_setup_to_24h2_and_committed() {
    let Some(trial) = Trial::start("ready", 600.0, to_24h2) else { return };
    trial.inventory(asks_for_24h2);
    let minutes = |site: f64| trial.minutes(site);
    let media = format!("media_path={MEDIA}");
    let mut t = trial.run(&["--set", "driving=direct", "--set", &media]);
    t.wait_for(minutes(60.0), "the checks", |t| t.text().contains("READY"));
    t.press("s");
    t.shows("Start the upgrade of HCI-CL1 to 24H2");
    t.shows("third-party tools to install upgrades");
    t.press("y");
    t.wait_for(minutes(60.0), "Setup at work", |t| t.text().contains("installing"));
    t.wait_for(minutes(720.0), "every node", |t| t.text().contains("AWAITING COMMIT   4 of 4"));
    trial.all_run(26100);
    commit(&mut t, minutes(30.0));
    t.wait_for(minutes(60.0), "the level", |t| t.text().contains("Next: Update the storage pool"));
    commit(&mut t, minutes(30.0));
    t.wait_for(minutes(60.0), "the pool", |t| t.text().contains("Next: Raise the version of virtual machines"));
    t.press("d");
    t.shows("End the run");
    t.press("y");
    t.wait_for(minutes(60.0), "the end", |t| t.text().contains("HCI-CL1 succeeded"));
    t.press("\x1b");
    t.press("q");
    assert_eq!(t.ends().exit_code(), 0, "{}", t.text());
    t.shows("HCI-CL1: 4 of 4 nodes at 24H2, proved; 2 steps left for later.");

    let run = trial.the_run();
    assert_eq!(plan(&run).driver.mode, Mode::Direct);
    let events = events(&run);
    let began = |id: &str| count(&events, |e| matches!(e, Event::ActionIntended { action, .. } if action == id));
    for action in ["drain", "stage", "restart", "resume"] {
        assert_eq!(began(action), NODES.len(), "{action}");
    }
    assert!(trial.world()["cau"]["run"].is_null() && trial.world()["cau"]["history"] == json!([]));
}
