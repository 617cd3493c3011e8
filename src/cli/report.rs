//! `nodelift report`: what a run's journal says of the run, or of readiness, without connecting to anything.

use std::path::PathBuf;

use clap::Args;
use color_eyre::eyre::Result;

use super::documents::Documents;
use super::{Exit, readiness, recorded, told};
use crate::config::settings::Settings;
use crate::core::state::State;
use crate::report::{self, Only, RunReport};

#[derive(Debug, Args)]
pub struct Report {
    /// The folder of a run, or its journal
    run: PathBuf,
    /// Show everything: the timeline of a run, passed checks of readiness
    #[arg(short, long)]
    all: bool,
    /// Of readiness as it was at the start, not of the run
    #[arg(long)]
    readiness: bool,
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
        let told = RunReport::of(&run.plan, &run.events).filter(|_| !self.readiness);
        let mut state = State::new(run.plan);
        for event in &run.events {
            state.apply(event);
        }
        let report = report::Report::of(&state, Only::default()).of_journal(run.head.as_deref());
        if let Some(told) = told {
            let told = told.of_journal(run.head.as_deref(), run.flaw.as_deref());
            self.documents.write_run(&told, &report)?;
            if !self.documents.take_standard_output() {
                told::print(&told.document(), self.all);
            }
            return Ok(Exit::Succeeded);
        }
        self.documents.write(&report, false)?;
        if !self.documents.take_standard_output() {
            readiness::print(&report, self.all, false, None);
        }
        Ok(Exit::Succeeded)
    }
}
