//! A whole upgrade without a screen: the real program over real SSH servers, from a check that fails to the end, with what was
//! agreed to beforehand.
#![cfg(unix)]

#[path = "lab/trial.rs"]
mod trial;

use serde_json::json;
use trial::{MEDIA, NODES, Trial, asks_for_24h2, by_the_cluster_itself, quick, role_may_install, to_24h2};

const FILE_SYSTEM: &str = r"HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem";

#[test]
fn an_upgrade_runs_to_its_end_without_a_screen() {
    let trial = Trial::start("ready", 600.0, |world| {
        world["machines"]["HCI-N3"]["registry"][FILE_SYSTEM]["RefsEnableMetadataValidation"]["value"] = json!(1);
    });
    let Some(trial) = trial else { return };

    // Nothing is changed without a word.
    let (code, said) = trial.headless(&[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("HCI-CL1: blocked"), "{said}");

    let (code, said) = trial.headless(&["--fix", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    for wanted in ["HCI-N3", "succeeded", "4 of 4 nodes at 23H2, proved", "left for later"] {
        assert!(said.contains(wanted), "{wanted}\n{said}");
    }
    assert!(!said.contains('\x1b'), "no escape sequence is printed");

    // Afterwards: what was left, one of it that needs another one first, and that other one.
    let inventory = trial.lab.inventory().display().to_string();
    let commit = |more: &[&str]| trial.ran(&[&["commit", "last"], more, &["-i", &inventory]].concat());
    let (code, said) = commit(&[]);
    assert_eq!(code, Some(0), "{said}");
    let hash = said.lines().find_map(|l| l.strip_prefix("plan ")).expect("a hash").to_owned();
    assert!(said.contains("functional-level") && said.contains("storage-pool"), "{said}");
    let agreed = ["--plan", &hash, "--reason", "change 4711 approved"];
    let (code, said) = commit(&[&["no-step"], &agreed[..]].concat());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there is no step no-step; left for later: functional-level, storage-pool"), "{said}");
    let (code, said) = commit(&["functional-level"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("nobody is there to type: agree with --plan"), "{said}");
    let (code, said) = commit(&[&["storage-pool"], &agreed[..]].concat());
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("FAILS  The functional level is raised"), "{said}");
    let (code, said) = commit(&[&["functional-level"], &agreed[..]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(trial.world()["cluster"]["functional_level"], 12);
    let (code, said) = commit(&[&["functional-level"], &agreed[..]].concat());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("functional-level is done: "), "{said}");
}

#[test]
fn a_rehearsal_and_then_24h2_from_media_without_a_screen() {
    let trial = Trial::start("ready", 600.0, |world| {
        to_24h2(world);
        world["update_service"]["reachable"] = json!(false);
    });
    let Some(trial) = trial else { return };
    trial.inventory(asks_for_24h2);
    let media = format!("media_path={MEDIA}");
    let asked = ["--set", &media, "--fix", "--yes"];
    let (code, said) = trial.headless(&[&asked[..], &["--rehearse"]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing was upgraded"), "{said}");
    trial.all_run(20349);
    let (code, said) = trial.headless(&asked);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 of 4 nodes at 24H2, proved"), "{said}");
    trial.all_run(26100);
}

#[test]
fn windows_setup_node_by_node_without_a_screen() {
    let Some(trial) = Trial::start("ready", 600.0, quick) else { return };
    let media = format!("media_path={MEDIA}");
    let (code, said) = trial.headless(&["--set", "driving=direct", "--set", &media, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 of 4 nodes at 23H2, proved"), "{said}");
    trial.all_run(25398);
}

#[test]
fn the_cluster_updates_itself_without_a_screen_and_media_are_refused() {
    let trial = Trial::start("ready", 600.0, |world| {
        quick(world);
        role_may_install(world);
    });
    let Some(trial) = trial else { return };
    trial.inventory(by_the_cluster_itself);
    let (code, said) = trial.headless(&["--set", &format!("media_path={MEDIA}"), "--yes"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("offline media are not available by Windows Admin Center"), "{said}");
    let (code, said) = trial.headless(&["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 of 4 nodes at 23H2, proved"), "{said}");
    let world = trial.world();
    for node in NODES {
        let credssp = &world["machines"][node]["credssp"];
        assert!(credssp["server"] != true, "{node}: off again: {credssp}");
    }
}
