//! `nodelift journal verify|export|import`: is a run's journal whole and understood, and a run that moves to another machine.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use color_eyre::eyre::Result;

use super::{Exit, moving};
use crate::config::settings::Settings;
use crate::core::event::Event;
use crate::core::state::State;
use crate::journal::{self, Ending, Reading};

#[derive(Debug, Subcommand)]
pub enum Journal {
    /// Check every record of a run: checksums, chain, plan, and whether this nodelift understands it
    Verify {
        /// The folder of a run
        run: PathBuf,
    },
    /// Copy a run into a folder, verified, with a manifest: to keep it, or to take it to another machine
    Export {
        /// The folder of the run
        run: PathBuf,
        /// Where to; must not exist yet
        to: PathBuf,
    },
    /// Take in a run that was exported; it waits there until `nodelift run`
    Import {
        /// The folder that export wrote
        from: PathBuf,
    },
}

impl Journal {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        Ok(match self {
            Journal::Verify { run } => verify(&run),
            Journal::Export { run, to } => moving::export(&run, &to),
            Journal::Import { from } => moving::import(&from, &settings.state),
        })
    }
}

fn verify(run: &Path) -> Exit {
    match Findings::of(run) {
        Ok(found) => {
            found.lines.iter().for_each(|(what, says)| println!("{what:<10} {says}"));
            match &found.wrong {
                None => Exit::Succeeded,
                Some(what) => {
                    eprintln!("nodelift: {}: {what}", run.display());
                    Exit::JournalUnusable
                }
            }
        }
        Err(why) => {
            eprintln!("nodelift: {}: {why}", run.display());
            Exit::JournalUnusable
        }
    }
}

/// What was found in a run's folder.
pub struct Findings {
    pub cluster: String,
    /// Hash of the last good record, which all before it lead to.
    pub head: Option<String>,
    /// What is wrong, worst first: nothing goes on from there.
    pub wrong: Option<String>,
    lines: Vec<(&'static str, String)>,
}

impl Findings {
    /// Looks at everything that can be checked without a machine.
    ///
    /// # Errors
    /// It is no run, or cannot be read; in words.
    pub fn of(run: &Path) -> Result<Self, String> {
        let cannot = |what: &str, e: std::io::Error| match e.kind() {
            std::io::ErrorKind::NotFound => format!("there is no {what}: name the folder of a run"),
            _ => format!("{what} cannot be read: {e}"),
        };
        let (plan, sha256) = journal::read_plan(run).map_err(|e| cannot("plan.json", e))?;
        let read = journal::read(&run.join("journal")).map_err(|e| cannot("journal", e))?;
        let sealed = read.events.iter().find_map(|e| match &e.event {
            Event::PlanSealed(s) => Some(s.plan_sha256.clone()),
            _ => None,
        });
        let cluster = plan.cluster.clone();
        let mut state = State::new(plan);
        read.events.iter().for_each(|e| state.apply(e));
        let hashes = read.events.iter().filter(|e| matches!(e.event, Event::StateHashed { .. })).count();
        let of_plan = match &sealed {
            Some(s) if *s == sha256 => Ok(format!("plan.json is the one that was sealed, {}", &sha256[..12])),
            Some(_) => Err("plan.json is not the plan that this run was sealed with".to_owned()),
            None => Err("no plan was sealed: the journal ends before that".to_owned()),
        };
        let of_state = match (state.understood(), hashes) {
            (Err(why), _) => Err(why),
            (Ok(()), 0) => Ok("no hash of it was written yet".to_owned()),
            (Ok(()), n) => Ok(format!("understood: {n} hashes, the same here")),
        };
        let checks = [("records", records(&read)), ("end", ending(&read)), ("plan", of_plan), ("state", of_state)];
        let wrong = checks.iter().find_map(|(_, found)| found.as_ref().err().cloned());
        let mut lines: Vec<_> = checks
            .into_iter()
            .map(|(what, found)| (what, found.unwrap_or_else(|why| format!("✖ {why}"))))
            .collect();
        let phase =
            format!("{}{}", state.phase.word(), state.at.map_or_else(String::new, |at| format!(", {at:.0}")));
        lines.push(("run", format!("{cluster}: {phase}")));
        lines.extend(read.previous.iter().map(|head| ("head", head.clone())));
        Ok(Self { cluster, head: read.previous, wrong, lines })
    }
}

fn records(read: &Reading) -> Result<String, String> {
    if let Some(gap) = read.gap {
        return Err(format!("record {gap} does not follow the one before it"));
    }
    if let Some(why) = &read.newer {
        return Err(format!("this journal is of a newer nodelift: {why}"));
    }
    let mut out = format!("{} in {} segments, epoch {}", read.events.len(), read.segments, read.epoch);
    if read.repeated > 0 {
        out.push_str(&format!("; {} written twice, because a write had failed", read.repeated));
    }
    if read.unknown > 0 {
        out.push_str(&format!("; {} of kinds that this nodelift does not know", read.unknown));
    }
    Ok(out)
}

fn ending(read: &Reading) -> Result<String, String> {
    match &read.ending {
        Ending::Whole => Ok("whole: every checksum and the chain".to_owned()),
        Ending::Torn => {
            Ok("the last record is cut off, as a crash leaves it: what is before it is whole".to_owned())
        }
        Ending::Corrupt { segment, line, why } => {
            Err(format!("{}:{line}: {why}. Nothing after it is believed", segment.display()))
        }
    }
}
