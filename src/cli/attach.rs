//! `nodelift attach`: the screen on a run that has an engine; leaving it leaves the run as it is.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use color_eyre::eyre::{Result, eyre};

use super::begin::Order;
use super::launch::gone;
use super::runs::{Found, find};
use super::{Exit, recorded, recover, replay, screen};
use crate::config::settings::Settings;
use crate::core::run::{Phase, RunVerdict};
use crate::core::state::State;
use crate::link::socket;

#[derive(Debug, Args)]
pub struct Attach {
    /// The cluster, the beginning of a run's name, or its folder; left out: the run that is under way
    run: Option<String>,
    /// Look only: control stays with whoever has it
    #[arg(long)]
    read_only: bool,
}

impl Attach {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let found = match find(settings, self.run.as_deref()) {
            Ok(found) => found,
            Err(why) => {
                eprintln!("nodelift: {why}");
                return Ok(Exit::Usage);
            }
        };
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            eprintln!("nodelift: attach opens a screen and needs a terminal: nodelift status works without.");
            return Ok(Exit::Usage);
        }
        if found.live { look(&found.folder, settings, self.read_only) } else { dormant(&found, settings) }
    }
}

/// A run without an engine: its journal can be looked at, and it can be recovered.
fn dormant(found: &Found, settings: &Settings) -> Result<Exit> {
    let look = || replay::Replay::at_the_end(&found.folder).run(settings);
    if !found.state.needs_engine() {
        return look();
    }
    let (cluster, phase) = (&found.state.plan.cluster, found.state.phase.word());
    println!("The run of {cluster} is dormant: {phase}, and no engine drives it.");
    println!("  r  recover it: look what became of it, and go on when you say so");
    println!("  l  look at how it was, changing nothing");
    print!("Any other key leaves. ");
    std::io::stdout().flush()?;
    let key = crate::term::one_key()?;
    println!();
    match key {
        Some('r') => recover::recover(found, settings),
        Some('l') => look(),
        _ => Ok(Exit::NeedsPerson),
    }
}

/// Opens the screen on a run, and says what is left to say after it.
pub fn look(run: &Path, settings: &Settings, looks_only: bool) -> Result<Exit> {
    let way = screen::Way::Socket { folder: run.to_owned(), looks_only };
    screen::show(way, settings, Some(run.to_owned()))?;
    leave(run, false)
}

/// What is left to say of a run that is not looked at any more, and the exit code.
pub fn leave(run: &Path, interrupted: bool) -> Result<Exit> {
    let mut state = state(run)?;
    if !state.needs_engine() {
        gone(run);
        state = self::state(run)?;
    }
    let exit = farewell(&state, run, socket::is_live(run));
    Ok(if interrupted { Exit::Interrupted } else { exit })
}

/// The state of a run, by its journal.
fn state(run: &Path) -> Result<State> {
    let recorded = recorded::read(run).map_err(|why| eyre!("{}: {why}", run.display()))?;
    let mut state = State::new(recorded.plan);
    recorded.events.iter().for_each(|e| state.apply(e));
    Ok(state)
}

fn farewell(state: &State, run: &Path, live: bool) -> Exit {
    let cluster = &state.plan.cluster;
    let again = if live { "attach" } else { "recover" };
    if let Some((sequence, about)) = state.open_sequence().filter(|(s, _)| s.step.is_none()) {
        let at = sequence.in_work().map_or_else(String::new, |n| format!(", now at {n}"));
        let goes = if live { "goes on" } else { "was left" };
        println!("{cluster}: {} {goes}{at}. Look again with: nodelift {again} {cluster}", about.title);
        return Exit::NeedsPerson;
    }
    match (&state.verdict, &state.phase) {
        (Some(verdict), _) => {
            println!("{cluster}: {}.", state.phase_why);
            match verdict {
                RunVerdict::Succeeded => Exit::Succeeded,
                RunVerdict::SucceededWithIssues => Exit::WithIssues,
                _ => Exit::Failed,
            }
        }
        (None, p) if state.run.is_some() => {
            let goes = if live { "It goes on without this screen" } else { "No engine drives it" };
            println!("{cluster}: {}. {goes}; look again with: nodelift {again} {cluster}", p.word());
            Exit::NeedsPerson
        }
        (None, phase) => {
            for (node, trouble) in state.cut_off() {
                println!("{node}: {}. {}", trouble.message, trouble.remedy);
            }
            if *phase != Phase::Blocked {
                return Exit::Succeeded;
            }
            let inventory = Order::of(run).map_or_else(|_| PathBuf::from("inventory.toml"), |o| o.inventory);
            let again = format!("nodelift run -i {}", inventory.display());
            println!("{cluster}: blocked, {}. Look again with: {again}", state.phase_why);
            Exit::Blocked
        }
    }
}
