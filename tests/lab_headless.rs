//! A whole upgrade without a screen: the real program over real SSH servers, from a check that fails to the end, with what was
//! agreed to beforehand.
#![cfg(unix)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "support/said.rs"]
mod said;

use std::process::{Command, Stdio};

use lab::{Engine, Lab, Options};
use serde_json::json;

const FILE_SYSTEM: &str = r"HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem";

fn nodelift(lab: &Lab, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodelift"));
    command.args(["run", "--headless"]).args(arguments).arg("-i").arg(lab.inventory());
    command.current_dir(lab.folder()).env("HOME", lab.folder()).stdin(Stdio::null());
    command.env("XDG_CONFIG_HOME", lab.folder().join("config")).env("NODELIFT_STATE", lab.folder().join("state"));
    command
}

fn ran(mut command: Command) -> (Option<i32>, String) {
    let out = command.output().expect("it runs");
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code(), text)
}

#[test]
fn an_upgrade_runs_to_its_end_without_a_screen() {
    if let Err(why) = Lab::is_possible() {
        said::skipped(&why);
        return;
    }
    let rate = if matches!(Engine::find(), Ok(Engine::StandIn(_))) { 600.0 } else { 120.0 };
    let options = Options {
        rate,
        change: Box::new(|world| {
            world["machines"]["HCI-N3"]["registry"][FILE_SYSTEM]["RefsEnableMetadataValidation"]["value"] =
                json!(1);
        }),
        ..Options::default()
    };
    let lab = Lab::start("ready", options).unwrap_or_else(|e| panic!("{e}"));

    // Nothing is changed without a word.
    let (code, said) = ran(nodelift(&lab, &[]));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("HCI-CL1: blocked"), "{said}");

    let (code, said) = ran(nodelift(&lab, &["--fix", "--yes"]));
    assert_eq!(code, Some(0), "{said}");
    for wanted in ["HCI-N3", "succeeded", "4 of 4 nodes at 23H2, proved", "left for later"] {
        assert!(said.contains(wanted), "{wanted}\n{said}");
    }
    assert!(!said.contains('\x1b'), "no escape sequence is printed");
}
