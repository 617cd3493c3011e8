//! `nodelift demo`: a whole upgrade in two minutes, on four imitated nodes.

use std::io::IsTerminal;
use std::sync::Arc;

use clap::Args;
use color_eyre::eyre::{Result, eyre};
use jiff::Timestamp;

use super::{Exit, imitated, screen, session, site::DEFAULT_RUNBOOK};
use crate::config::settings::Settings;
use crate::core::event::EngineInfo;
use crate::engine::{Clock, Setup, Vault};
use crate::journal::Journal;
use crate::logs::Logs;
use crate::remote::sim::World;
use crate::runbook::{Library, Runbook};

#[derive(Debug, Args)]
pub struct Demo {
    /// Seconds of the imitated cluster in one real second
    #[arg(long, default_value_t = SPEED)]
    speed: f64,
}

/// An upgrade of hours takes two to three minutes.
const SPEED: f64 = 120.0;

impl Default for Demo {
    fn default() -> Self {
        Self { speed: SPEED }
    }
}

impl Demo {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            eprintln!("nodelift: demo opens a screen and needs a terminal.");
            return Ok(Exit::Usage);
        }
        let speed = self.speed.clamp(1.0, 2_000.0);
        // Mistakes in a folder of the user's are said before the screen opens.
        let runbook = match Library::new(settings.runbooks.clone()).load(DEFAULT_RUNBOOK) {
            Ok(runbook) => runbook,
            Err(why) => {
                eprintln!("{}", why.to_string().trim_end());
                return Ok(Exit::Usage);
            }
        };
        let problems = imitated::answers(&runbook).map_or_else(|why| vec![why.to_string()], |a| a.problems());
        if !problems.is_empty() {
            eprintln!("nodelift: {}", problems.join("\n"));
            return Ok(Exit::Usage);
        }
        let (engine, stream) = session::start(move || setup(&runbook, speed, Timestamp::now()))?;
        screen::show(screen::Way::Own(stream), settings, None)?;
        engine.join()?;
        Ok(Exit::Succeeded)
    }
}

/// An engine over the imitated site, from that time on.
fn setup(runbook: &Runbook, speed: f64, start: Timestamp) -> Result<Setup> {
    let world = World::parse(imitated::DEMO).map_err(|e| eyre!(e))?;
    let plan = imitated::plan(runbook, &world)?;
    let clock = Clock::new(start, speed);
    Ok(Setup {
        plan_sha256: crate::journal::sha256(&serde_json::to_vec(&plan)?),
        hosts: imitated::hosts(runbook, world, clock)?,
        plan: Arc::new(plan),
        history: Vec::new(),
        journal: Journal::in_memory(),
        logs: Logs::in_memory(),
        vault: Vault::default(),
        clock,
        info: EngineInfo {
            version: env!("CARGO_PKG_VERSION").into(),
            host: session::host(),
            user: session::actor(),
            scale: speed,
            imitated: true,
        },
        run_id: "demo".into(),
        instance: "demo".into(),
        epoch: 1,
        read_only: false,
        check_first: true,
        folder: None,
    })
}
