//! The main job by keys alone: the real program in a terminal, real SSH servers, from a check that fails to a proved upgrade.
#![cfg(unix)]

#[path = "lab/trial.rs"]
mod trial;

use std::path::{Path, PathBuf};
use std::time::Duration;

use nodelift::core::event::Event;
use serde_json::json;
use trial::pty::Terminal;
use trial::{Trial, commit, count, events};

const FILE_SYSTEM: &str = r"HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem";

#[test]
fn from_a_failing_check_to_a_proved_upgrade_by_keys_alone() {
    let trial = Trial::start("ready", 600.0, |world| {
        let value =
            &mut world["machines"]["HCI-N3"]["registry"][FILE_SYSTEM]["RefsEnableMetadataValidation"]["value"];
        assert_eq!(*value, 0, "the world is ready but for this");
        *value = json!(1);
    });
    let Some(trial) = trial else { return };
    let minutes = |site: f64| trial.minutes(site);

    let mut t = trial.run(&[]);
    t.wait_for(minutes(30.0), "one blocker", |t| t.text().contains("BLOCKED   1 to fix"));
    assert!(t.text().contains("HCI-N3: value 1"), "{}", t.text());
    t.press("2f");
    t.shows("Fix: ReFS metadata validation is off");
    t.press("y");
    // The fix works after a restart only: so says the check that is selected now, and says it again when it is read again.
    t.wait_for(minutes(30.0), "the fix", |t| t.text().contains("✖ Restarted after the registry change"));
    t.press("gr");
    t.shows("reading again: Restarted after the registry change, by");
    t.wait_for(minutes(30.0), "the retry", |t| t.text().contains("BLOCKED   1 to fix"));
    t.press("F");
    t.shows("Rolling restart: HCI-N3");
    t.press("y");
    t.wait_for(minutes(30.0), "the restart", |t| t.text().contains("RESTARTING"));
    t.wait_for(minutes(180.0), "the end of it", |t| t.text().contains("READY"));

    t.press("s");
    t.shows("Start the upgrade of HCI-CL1 to 23H2");
    t.press("y");
    t.wait_for(minutes(30.0), "the run", |t| t.text().contains("RUNNING"));
    t.wait_for(minutes(720.0), "every node", |t| t.text().contains("AWAITING COMMIT   4 of 4"));
    let text = t.text();
    for node in ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"] {
        assert!(text.lines().any(|l| l.contains(&format!("{node} done         25398"))), "{node}\n{text}");
        assert!(text.lines().any(|l| l.contains(&format!("{node}  Up      25398."))), "{node}\n{text}");
    }

    t.press("m");
    t.shows("Raise the cluster functional level: cannot be undone");
    t.shows("✔ No Updating Run is going on");
    // Another name does nothing.
    t.press("HCI-CL2\tchange 4711 approved\t\t\r");
    t.shows("Raise: type the cluster's name: HCI-CL1");
    t.press("\x1b");
    t.wait("the dialog is gone", |t| !t.text().contains("Type HCI-CL1"));
    commit(&mut t, minutes(30.0));
    t.wait_for(minutes(60.0), "the level", |t| t.text().contains("level 12"));
    t.shows("Next: Update the storage pool");
    commit(&mut t, minutes(30.0));
    t.shows("Next: Raise the version of virtual machines");
    commit(&mut t, minutes(30.0));
    t.wait_for(minutes(120.0), "the drivers", |t| t.text().contains("confirms it; leaving it for later"));
    t.press("m");
    t.shows("Are the drivers on every node those of the vendor");
    t.press("compared\t\t\r");
    t.wait_for(minutes(60.0), "the end", |t| t.text().contains("HCI-CL1 succeeded"));
    t.press("\x1b");
    t.wait("the outcome is closed", |t| !t.text().contains("HCI-CL1 succeeded"));
    t.shows("SUCCEEDED");
    t.press("2g");
    let live = Frame::settled(&t);
    t.press("q");
    assert_eq!(t.ends().exit_code(), 0, "{}", t.text());
    t.shows("HCI-CL1: 4 of 4 nodes at 23H2, proved.");

    let run = trial.the_run();
    once_each(&run);
    the_task_was_followed(&run);
    the_output_was_kept(&run);
    let mut t = trial.nodelift(&["replay", "--paused", &run.display().to_string()]);
    t.shows("REPLAY paused");
    t.press(">");
    t.shows("SUCCEEDED");
    t.press("2g");
    let replayed = Frame::settled(&t);
    assert_eq!(replayed.text, live.text);
    for (i, (now, then)) in replayed.looks.iter().zip(&live.looks).enumerate() {
        assert_eq!(now, then, "row {}, column {}", i / 120, i % 120);
    }
    t.press("q");
    assert_eq!(t.ends().exit_code(), 0);
}

/// Nothing that changes the site was sent twice.
fn once_each(run: &Path) {
    let events = events(run);
    let count = |is: fn(&Event) -> bool| count(&events, is);
    assert_eq!(count(|e| matches!(e, Event::FixIntended { .. })), 1);
    assert_eq!(count(|e| matches!(e, Event::StartIntended { .. })), 1);
    assert_eq!(count(|e| matches!(e, Event::StepIntended { step, .. } if step == "cau-run")), 1);
    assert_eq!(count(|e| matches!(e, Event::CommitIntended { .. })), 3);
}

/// What the detached task said came over SFTP, as it was written.
fn the_task_was_followed(run: &Path) {
    let kept = std::fs::read_dir(run.join("raw")).expect("a folder").flatten().map(|f| f.path());
    let is_log =
        |p: &PathBuf| p.to_string_lossy().ends_with(".log") && !p.to_string_lossy().contains(".powershell.");
    let log = kept.filter(is_log);
    let log = log.max().map(|p| std::fs::read_to_string(p).expect("readable")).unwrap_or_default();
    assert!(log.starts_with('\u{feff}') && log.contains("limit MaxFailedNodes = 0\r\n"), "{log:?}");
}

/// What each PowerShell printed is there as it came: frames, from its hello on.
fn the_output_was_kept(run: &Path) {
    for machine in ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4", "COORD01"] {
        let path = run.join("raw").join(format!("{machine}.powershell.log"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let frames = text.lines().filter(|l| l.starts_with("#~")).count();
        assert!(
            text.lines().next().is_some_and(|l| l.contains("\"t\":\"hello\"")) && frames > 10,
            "{machine}: {frames}"
        );
    }
}

/// A frame without what tells a replay from a run: the footer, and the header's mark in the middle.
#[derive(PartialEq)]
struct Frame {
    text: String,
    looks: Vec<Option<Look>>,
}

/// Foreground, background; bold, dim, italic, underlined, inverse.
type Look = (vt100::Color, vt100::Color, [bool; 5]);

impl Frame {
    /// What the screen comes to rest at.
    fn settled(t: &Terminal) -> Self {
        t.shows("start-vms done");
        let mut last = Self::of(t);
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let next = Self::of(t);
            if next == last {
                return next;
            }
            last = next;
        }
    }

    fn of(t: &Terminal) -> Self {
        let screen = t.screen();
        let (rows, columns) = screen.size();
        let (mut text, mut looks) = (String::new(), Vec::new());
        for row in 0..rows - 1 {
            for column in 0..columns {
                let mark = row == 0 && (60..98).contains(&column);
                let cell = screen.cell(row, column).filter(|_| !mark);
                text.push_str(cell.map(|c| c.contents()).filter(|c| !c.is_empty()).unwrap_or(" "));
                looks.push(cell.map(|c| {
                    (c.fgcolor(), c.bgcolor(), [c.bold(), c.dim(), c.italic(), c.underline(), c.inverse()])
                }));
            }
            text.push('\n');
        }
        Self { text, looks }
    }
}
