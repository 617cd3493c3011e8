//! A run outlives whoever looks at it: terminals that close, screens that stop, an engine that is killed; and nothing of its secrets
//! lies anywhere.
#![cfg(unix)]

#[path = "lab/trial.rs"]
mod trial;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nodelift::core::event::{Event, Stamped};
use nodelift::link::{FromEngine, PROTOCOL, Reader, ToEngine, Writer, socket};
use rustix::process::Signal;
use serde_json::Value as Json;
use trial::{Trial, count, events};

/// What the task's account logs in with.
const SECRET: &str = "Tr0ub4dor-and-3";

#[test]
fn a_run_goes_on_whoever_leaves_and_is_found_again() {
    let Some(trial) = Trial::start("ready", 600.0, |_| {}) else { return };
    trial.inventory(|own| own.replace("[\"echo\", \"lab\"]", &format!("[\"echo\", \"{SECRET}\"]")));

    let mut t = trial.run(&[]);
    t.wait_for(trial.minutes(30.0), "the checks", |t| t.text().contains("READY"));
    t.press("sy");
    t.wait_for(trial.minutes(30.0), "the run", |t| t.text().contains("RUNNING"));
    let run = trial.the_run();
    let before = events(&run).last().map_or(0, |e| e.seq);

    // The terminal closes: the screen ends at once, the run does not notice.
    let closed = Instant::now();
    t.signal(Signal::HUP);
    t.ends();
    assert!(closed.elapsed() < Duration::from_secs(1), "{:?}", closed.elapsed());
    assert_eq!(trial.engines().len(), 1);
    let gone = |e: &Stamped| e.seq > before && matches!(e.event, Event::ViewerGone { .. });
    soon("viewer.gone", || events(&run).iter().any(gone));
    let said: Json = serde_json::from_str(&said(&trial, &["status", "--json"])).expect("JSON");
    assert_eq!(
        (&said["phase"], &said["engine"], &said["controller"]),
        (&"running".into(), &"live".into(), &Json::Null)
    );
    assert!(self::said(&trial, &["ls"]).contains("HCI-CL1  running"));
    assert!(self::said(&trial, &["glance"]).starts_with("HCI-CL1 "));

    // Whoever comes first has control; a second one only until the first gives it away; a third one only looks.
    let mut anna = trial.nodelift(&["attach"]);
    anna.shows("RUNNING");
    let mut ben = trial.nodelift(&["attach", "HCI-CL1"]);
    ben.shows("HAS CONTROL");
    ben.press("S");
    ben.shows("has control, from");
    let mut cleo = trial.nodelift(&["attach", "--read-only"]);
    cleo.shows("READ-ONLY");
    cleo.press("p");
    cleo.shows("read-only");
    ben.press("T");
    ben.wait("control", |t| !t.text().contains("HAS CONTROL"));
    anna.shows("HAS CONTROL");

    // A screen that stands still, and a hundred that come and go, cost the engine nothing.
    cleo.signal(Signal::STOP);
    let memory = resident(trial.engines()[0]);
    (0..100).for_each(|_| come_and_go(&run));
    let grown = resident(trial.engines()[0]).saturating_sub(memory);
    assert!(grown < 20 << 20, "{grown} bytes more");
    cleo.signal(Signal::CONT);
    nothing_of_the_secret(&trial, &run);

    // The engine is killed: what the cluster does goes on, and it is found again by the run's name alone.
    trial.kill_engine();
    for t in [&mut anna, &mut ben, &mut cleo] {
        t.shows("The engine has left");
        t.press("q");
        assert_eq!(t.ends().exit_code(), 4);
    }
    assert!(self::said(&trial, &["ls"]).contains("dormant"));
    let mut t = trial.nodelift(&["attach"]);
    t.shows("The run of HCI-CL1 is dormant");
    t.press("r");
    t.wait_for(trial.minutes(10.0), "what became of it", |t| t.text().contains("PAUSED recovered"));
    let resumed = self::said(&trial, &["resume", "--yes"]);
    assert!(resumed.contains("HCI-CL1: goes on"), "{resumed}");
    t.wait_for(trial.minutes(720.0), "every node", |t| t.text().contains("AWAITING COMMIT   4 of 4"));
    assert!(!t.text().contains("CONTROL"), "it came back from the one that resumed: {}", t.text());
    t.press("d");
    t.shows("End the run without the steps");
    t.press("y");
    t.wait_for(trial.minutes(60.0), "the end", |t| t.text().contains("SUCCEEDED"));
    t.press("\x1bq");
    assert_eq!(t.ends().exit_code(), 0, "{}", t.text());
    soon("the engine's end", || trial.engines().is_empty());
    let all = events(&run);
    assert_eq!(count(&all, |e| matches!(e, Event::StepIntended { step, .. } if step == "cau-run")), 1);
    nothing_of_the_secret(&trial, &run);
}

/// What the program prints for these words.
fn said(trial: &Trial, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodelift"));
    command.args(arguments).envs(trial.home()).stdin(Stdio::null());
    let out = command.output().expect("it runs");
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[track_caller]
fn soon(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A viewer that is greeted, and gone again.
fn come_and_go(run: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = socket::connect(run).await.expect("an engine");
        let (read, write) = tokio::io::split(stream);
        let mut to = Writer::new(write);
        to.send(&ToEngine::Hello { protocol: PROTOCOL, looks_only: true }).await.expect("it listens");
        let first = Reader::new(read).next::<FromEngine>().await.expect("it answers");
        assert!(matches!(first, FromEngine::Hello(_)), "{first:?}");
    });
}

/// Bytes of memory of a process.
fn resident(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).expect("a process");
    text.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number") * 4096
}

/// Not in any file of the state folder, nor where others could see it: environment and arguments.
fn nothing_of_the_secret(trial: &Trial, run: &Path) {
    let mut files = vec![trial.lab.folder().join("state")];
    let mut looked = 0;
    while let Some(path) = files.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => files.extend(entries.flatten().map(|e| e.path())),
            Err(_) => {
                let text = fs::read(&path).unwrap_or_default();
                assert!(!has(&text), "{}", path.display());
                looked += 1;
            }
        }
    }
    assert!(looked > 10, "{looked} files of {}", run.display());
    for pid in trial.engines() {
        for what in ["environ", "cmdline"] {
            let text = fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            assert!(!text.is_empty() && !has(&text), "{what}");
        }
    }
}

fn has(text: &[u8]) -> bool {
    text.windows(SECRET.len()).any(|w| w == SECRET.as_bytes())
}
