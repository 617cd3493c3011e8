//! `nodelift report`: what a run's journal says of readiness, without connecting to anything.

use std::path::PathBuf;

use clap::Args;
use color_eyre::eyre::Result;

use super::documents::Documents;
use super::{Exit, readiness, recorded};
use crate::config::settings::Settings;
use crate::core::state::State;
use crate::report::{self, Only};

#[derive(Debug, Args)]
pub struct Report {
    /// The folder of a run, or its journal
    run: PathBuf,
    /// Show passed checks as well
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    documents: Documents,
}

impl Report {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        if !self.run.exists() {
            eprintln!("nodelift: {}: there is no such folder.", self.run.display());
            eprintln!("Runs lie in {}, by cluster, one folder each.", settings.state.join("runs").display());
            return Ok(Exit::Usage);
        }
        if let Err(why) = self.documents.check() {
            eprintln!("nodelift: {why}");
            return Ok(Exit::Usage);
        }
        let run = match recorded::read(&self.run) {
            Ok(run) => run,
            Err(why) => {
                eprintln!("nodelift: {}: {why}", self.run.display());
                return Ok(Exit::JournalUnusable);
            }
        };
        if let Some(flaw) = &run.flaw {
            eprintln!("{flaw}. The report ends there.");
        }
        let mut state = State::new(run.plan);
        for event in &run.events {
            state.apply(event);
        }
        let report = report::Report::of(&state, Only::default()).of_journal(run.head.as_deref());
        self.documents.write(&report, false)?;
        if !self.documents.take_standard_output() {
            readiness::print(&report, self.all, false, None);
        }
        Ok(Exit::Succeeded)
    }
}
