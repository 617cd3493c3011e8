//! A check is added from TOML and PowerShell text alone, as docs/runbooks.md says: no Rust knows of it, and it is looked at,
//! read, judged, fixed and shown.

#[cfg(unix)]
#[path = "support/pty.rs"]
mod pty;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use nodelift::cli::imitated;
use nodelift::core::command::Command;
use nodelift::core::event::{EngineInfo, Outcome, VerdictKey};
use nodelift::core::run::Phase;
use nodelift::core::state::State;
use nodelift::core::watch::Clocking;
use nodelift::engine::{self, Clock, Peer, Setup, Vault};
use nodelift::input::Keymap;
use nodelift::journal::Journal;
use nodelift::link::{self, FromEngine, PROTOCOL, Reader, ToEngine, Writer};
use nodelift::logs::Logs;
use nodelift::remote::sim::World;
use nodelift::runbook::Library;
use nodelift::theme::{Depth, Theme, UNICODE, built_in};
use nodelift::ui::{self, Model, Msg};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The section that a new author follows.
fn guide() -> &'static str {
    let text = include_str!("../docs/runbooks.md");
    let start = text.find("## How to add a check in five minutes").expect("the guide");
    text[start..].split("\n## ").next().expect("its end")
}

/// The files of the guide, as they stand there: path and text, in order.
fn files() -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    for piece in guide().split("`runbooks/azure-local-powershell/").skip(1) {
        let Some((name, rest)) = piece.split_once("`\n\n```") else { continue };
        let text = rest.split_once('\n').expect("a block").1.split("```").next().expect("its end");
        out.push((name, text.to_owned()));
    }
    out
}

/// Writes the first files of the guide below a folder.
fn follow(folder: &Path, count: usize) {
    let mine = folder.join("runbooks/azure-local-powershell");
    std::fs::create_dir_all(&mine).unwrap();
    for (name, text) in &files()[..count] {
        std::fs::write(mine.join(name), text).unwrap();
    }
}

/// The line that gives the check its fix.
fn add_fix(folder: &Path) {
    let line = guide().lines().find(|l| l.starts_with("fix = ")).expect("the line");
    let path = folder.join("runbooks/azure-local-powershell/extra.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{text}{line}\n")).unwrap();
}

/// What the command line of the guide says in that folder, and how it ends.
fn says(folder: &Path, command: &str) -> (Option<i32>, String) {
    assert!(guide().contains(&format!("    {command}\n")), "{command} does not stand in the guide");
    let words = command.split_whitespace().skip(1);
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_nodelift"));
    let program = program.args(words).current_dir(folder).env("HOME", folder).env("NODELIFT_STATE", folder);
    let output = program.env_remove("NODELIFT_RUNBOOKS").output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

const LINT: &str = "nodelift runbook lint --folder runbooks";

#[test]
fn the_guide_works_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    follow(folder.path(), 2);
    let (code, said) = says(folder.path(), LINT);
    assert!(code == Some(0) && guide().contains(&format!("It says `{}`", said.trim())), "{said}");
    // The slip, and what is said of it.
    let script = folder.path().join("runbooks/azure-local-powershell/time-service.ps1");
    let right = std::fs::read_to_string(&script).unwrap();
    std::fs::write(&script, right.replace("Get-Service", "gsv")).unwrap();
    let (code, said) = says(folder.path(), LINT);
    assert!(code == Some(0) && guide().contains(&format!("```text\n{said}```")), "{said}");
    std::fs::write(&script, right).unwrap();
    // With its fix.
    follow(folder.path(), files().len());
    add_fix(folder.path());
    let (code, said) = says(folder.path(), LINT);
    assert!(code == Some(0) && said == "no mistake found in 3 files\n", "{said}");
}

#[cfg(unix)]
#[test]
fn the_demonstration_judges_checks_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    follow(folder.path(), 3);
    assert!(guide().contains("    NODELIFT_RUNBOOKS=runbooks nodelift demo\n"));
    let open = || {
        let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_nodelift"));
        command.arg("demo");
        command.cwd(folder.path());
        command.env("HOME", folder.path());
        command.env("NODELIFT_STATE", folder.path());
        command.env("NODELIFT_RUNBOOKS", "runbooks");
        pty::Terminal::open(command, pty::size(120, 40))
    };
    let mut terminal = open();
    terminal.shows("BLOCKED");
    terminal.press("2G");
    terminal.wait("the check, passed", |t| {
        let row = t.text().lines().find(|l| l.contains("Time service keeps its time")).map(str::to_owned);
        row.is_some_and(|row| row.contains("4 of 4"))
    });
    terminal.press("q");
    terminal.ends();
    // As the guide makes it fail.
    let extra = folder.path().join("runbooks/azure-local-powershell/extra.toml");
    let text = std::fs::read_to_string(&extra).unwrap();
    std::fs::write(&extra, text.replace("== 'Automatic'", "== 'Manual'")).unwrap();
    let mut terminal = open();
    terminal.shows("Time service keeps its time");
    terminal.press("q");
    terminal.ends();
    // A mistake is said before the screen opens.
    let answer = folder.path().join("runbooks/azure-local-powershell/time-service.sim.toml");
    std::fs::write(answer, "answr = '1'").unwrap();
    let mut terminal = open();
    terminal.shows("unknown field `answr`");
    terminal.ends();
}

#[tokio::test(start_paused = true)]
async fn a_check_is_added_from_toml_and_powershell_alone() {
    let folder = tempfile::tempdir().unwrap();
    follow(folder.path(), files().len());
    add_fix(folder.path());
    let runbook = Library::new(Some(folder.path().join("runbooks")))
        .load("azure-local-powershell")
        .unwrap_or_else(|e| panic!("{e}"));
    let mut world: serde_json::Value = serde_json::from_str(imitated::DEMO).unwrap();
    world["machines"]["HCI-N2"]["services"]["W32Time"]["start"] = "Manual".into();
    let world = World::new(world).unwrap();
    let plan = Arc::new(imitated::plan(&runbook, &world).unwrap());
    let clock = Clock::new("2025-06-14T08:00:00Z".parse().unwrap(), 1.0);
    let setup = Setup {
        plan_sha256: "sealed".into(),
        hosts: imitated::hosts(&runbook, world, clock).unwrap(),
        plan,
        history: Vec::new(),
        journal: Journal::in_memory(),
        logs: Logs::in_memory(),
        vault: Vault::default(),
        clock,
        info: EngineInfo {
            version: "0".into(),
            host: "box".into(),
            user: "j.doe".into(),
            scale: 1.0,
            imitated: true,
        },
        run_id: "extend".into(),
        instance: "a".into(),
        epoch: 1,
        read_only: false,
        check_first: true,
        folder: None,
    };
    let (ours, theirs) = link::pair();
    let (to, viewers) = tokio::sync::mpsc::channel(8);
    engine::attach(1, theirs, Peer::own("j.doe"), to);
    tokio::spawn(engine::run(setup, viewers));
    let (read, write) = tokio::io::split(ours);
    let (mut from, mut to) = (Reader::new(read), Writer::new(write));
    to.send(&ToEngine::Hello { protocol: PROTOCOL, looks_only: false }).await.unwrap();

    // The screen and a state beside it, fed from the same messages.
    let mut screen = Model::new(Keymap::default());
    screen.update(Msg::Resize { width: 120, height: 40 });
    let mut state: Option<State> = None;
    let key = VerdictKey { check: "time-service".into(), node: Some("HCI-N2".into()) };
    let mut fixing = false;
    loop {
        match from.next::<FromEngine>().await.unwrap() {
            FromEngine::Hello(h) => {
                state = Some((*h.state).clone());
                screen.update(Msg::Hello(Box::new(ui::Hello {
                    state: h.state,
                    viewer: h.viewer,
                    run_id: h.run_id,
                    clocking: Clocking { now: Timestamp::UNIX_EPOCH, scale: 0.0 },
                    replay: None,
                    imitated: true,
                    own_engine: false,
                })));
            }
            FromEngine::Event(e) => {
                state.as_mut().unwrap().apply(&e);
                screen.update(Msg::Event(e));
            }
            FromEngine::CaughtUp => {
                screen.update(Msg::CaughtUp);
            }
            _ => {}
        }
        let Some(state) = &state else { continue };
        let outcome = state.verdict_of(&key).map(|v| v.value.outcome);
        if state.phase == Phase::Blocked && outcome == Some(Outcome::Fail) && !fixing {
            let shown = draw(&screen);
            assert!(shown.contains("Time service keeps its time"), "{shown}");
            assert!(shown.contains("HCI-N2: starts manual"), "{shown}");
            to.send(&ToEngine::Command { id: 1, command: Command::Fix { key: key.clone() } }).await.unwrap();
            fixing = true;
        }
        if fixing && outcome == Some(Outcome::Pass) {
            break;
        }
    }
}

fn draw(model: &Model) -> String {
    let area = Rect::new(0, 0, 120, 40);
    let mut buffer = Buffer::empty(area);
    let theme = Theme::new(&built_in("default").unwrap(), Depth::Mono, &UNICODE);
    ui::draw(model, &theme, area, &mut buffer);
    (0..area.height).map(|y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>() + "\n").collect()
}
