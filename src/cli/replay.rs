//! `nodelift replay`: a finished run, in the same screen.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use color_eyre::eyre::Result;

use super::{Exit, recorded, screen};
use crate::config::settings::Settings;
use crate::engine::{Recording, play};
use crate::link;
use crate::logs::Logs;

#[derive(Debug, Args)]
pub struct Replay {
    /// The folder of a run, or its journal
    path: PathBuf,
    /// Seconds of the run in one real second
    #[arg(long, default_value_t = 120.0)]
    speed: f64,
    /// Wait for a key before anything is played
    #[arg(long)]
    paused: bool,
    /// Begin at the end
    #[arg(long)]
    end: bool,
}

impl Replay {
    /// Shows a run's folder as it was at the end.
    pub fn at_the_end(folder: &Path) -> Self {
        Self { end: true, ..Self::of(folder) }
    }

    /// Plays a run's folder at the usual speed.
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.to_owned(), speed: 120.0, paused: false, end: false }
    }

    pub fn run(self, settings: &Settings) -> Result<Exit> {
        if !self.path.exists() {
            eprintln!("nodelift: {}: there is no such folder.", self.path.display());
            eprintln!("Runs lie in {}, by cluster, one folder each.", settings.state.join("runs").display());
            return Ok(Exit::Usage);
        }
        let recording = match recording(&self.path, self.speed, self.paused, self.end) {
            Ok(r) => r,
            Err(why) => {
                eprintln!("nodelift: {}: {why}", self.path.display());
                return Ok(Exit::JournalUnusable);
            }
        };
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            eprintln!("nodelift: replay opens a screen and needs a terminal.");
            return Ok(Exit::Usage);
        }
        let (ours, theirs) = link::pair();
        let player = std::thread::Builder::new().name("replay".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(play(recording, theirs)).map_err(color_eyre::Report::from)
        })?;
        screen::show(screen::Way::Own(ours), settings, Some(self.path))?;
        player.join().map_err(|_| color_eyre::eyre::eyre!("the player ended in a panic"))??;
        Ok(Exit::Succeeded)
    }
}

/// Reads everything that a replay needs.
fn recording(path: &Path, speed: f64, paused: bool, end: bool) -> Result<Recording, String> {
    let run = recorded::read(path)?;
    if let Some(flaw) = &run.flaw {
        eprintln!("{flaw}. It is played up to there.");
    }
    let logs = run.folder.join("logs");
    let logs = if logs.is_dir() { Logs::read(&logs) } else { Ok(Logs::in_memory()) };
    let run_id = run.folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let logs = logs.map_err(|e| format!("the logs cannot be read: {e}"))?;
    Ok(Recording { plan: run.plan, events: run.events, logs, run_id, speed, paused, end })
}
