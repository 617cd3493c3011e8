//! A check is added from TOML and PowerShell text alone: no Rust knows of it, and it is read, judged, fixed and shown.

use std::sync::Arc;

use jiff::Timestamp;
use nodelift::cli::imitated;
use nodelift::core::command::Command;
use nodelift::core::event::{EngineInfo, Outcome, VerdictKey};
use nodelift::core::run::Phase;
use nodelift::core::state::State;
use nodelift::core::watch::Clocking;
use nodelift::engine::{self, Clock, Setup, Vault};
use nodelift::input::Keymap;
use nodelift::journal::Journal;
use nodelift::link::{self, FromEngine, Reader, ToEngine, Writer};
use nodelift::logs::Logs;
use nodelift::remote::sim::World;
use nodelift::runbook::Library;
use nodelift::theme::{Depth, Theme, UNICODE, built_in};
use nodelift::ui::{self, Model, Msg};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const EXTRA: &str = r#"
[[facts]]
id = "time_service"
title = "Time service"
on = "each-node"
script = "time-service.ps1"

[[check]]
id = "time-service"
title = "Time service keeps its time"
area = "House rules"
scope = "each-node"
severity = "blocker"
waivable = true
facts = ["time_service"]
pass = "time_service.start == 'Automatic'"
observed = "'starts ' + lower(time_service.start)"
expect = "W32Time starts automatically"
remedy = "Set its start type to Automatic."
fix = { script = "time-service-fix.ps1", class = "write", changes = "makes the time service start by itself" }
source = "our own operations manual, page 12"
"#;

const SCRIPT: &str = r#"
$s = Get-Service -Name W32Time -ErrorAction Stop
@{ status = "$($s.Status)"; start = "$($s.StartType)" }
"#;

const SCRIPT_ANSWER: &str = r#"
answer = "{ 'status': machine.services.W32Time.status, 'start': machine.services.W32Time.start }"
"#;

const FIX: &str = r#"
Set-Service -Name W32Time -StartupType Automatic -ErrorAction Stop
@{ start = "$((Get-Service -Name W32Time -ErrorAction Stop).StartType)" }
"#;

const FIX_ANSWER: &str = r#"
answer = "{ 'start': 'Automatic' }"
[[do]]
set = ["machine", "services", "W32Time", "start"]
value = "'Automatic'"
"#;

#[tokio::test(start_paused = true)]
async fn a_check_is_added_from_toml_and_powershell_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("azure-local-powershell");
    std::fs::create_dir_all(&mine).unwrap();
    for (name, text) in [
        ("extra.toml", EXTRA),
        ("time-service.ps1", SCRIPT),
        ("time-service.sim.toml", SCRIPT_ANSWER),
        ("time-service-fix.ps1", FIX),
        ("time-service-fix.sim.toml", FIX_ANSWER),
    ] {
        std::fs::write(mine.join(name), text).unwrap();
    }
    let runbook = Library::new(Some(folder.path().to_owned()))
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
        actor: "j.doe".into(),
        read_only: false,
        check_first: true,
        folder: None,
    };
    let (ours, theirs) = link::pair();
    let (to, viewers) = tokio::sync::mpsc::channel(8);
    engine::attach(1, theirs, to);
    tokio::spawn(engine::run(setup, viewers));
    let (read, write) = tokio::io::split(ours);
    let (mut from, mut to) = (Reader::new(read), Writer::new(write));

    // The screen and a state beside it, fed from the same messages.
    let mut screen = Model::new(Keymap::default());
    screen.update(Msg::Resize { width: 120, height: 40 });
    let mut state: Option<State> = None;
    let key = VerdictKey { check: "time-service".into(), node: Some("HCI-N2".into()) };
    let mut fixing = false;
    loop {
        match from.next::<FromEngine>().await.unwrap() {
            FromEngine::Hello(h) => {
                state = Some(State::new(Arc::new((*h.plan).clone())));
                screen.update(Msg::Hello(Box::new(ui::Hello {
                    plan: h.plan,
                    run_id: h.run_id,
                    clocking: Clocking { now: Timestamp::UNIX_EPOCH, scale: 0.0 },
                    read_only: false,
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
