//! `nodelift run`: the screen on a cluster.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use color_eyre::eyre::Result;

use super::begin::{Order, cluster_folder};
use super::launch::{launch, live};
use super::{Exit, attach, headless, secrets, site};
use crate::config::settings::Settings;
use crate::journal;

#[derive(Debug, Args)]
pub struct Run {
    /// The inventory of the cluster
    #[arg(short, long, value_name = "FILE", default_value = "inventory.toml")]
    inventory: PathBuf,
    /// Another runbook than the inventory's
    #[arg(long, value_name = "ID")]
    runbook: Option<String>,
    #[command(flatten)]
    given: site::Given,
    /// Look only: every command that changes something is refused
    #[arg(long)]
    read_only: bool,
    /// Begin a new run even where one was left unfinished
    #[arg(long)]
    new: bool,
    /// Rehearse: every node is drained, restarted and taken back into service, and none is upgraded
    #[arg(long)]
    rehearse: bool,
    #[command(flatten)]
    headless: headless::Options,
}

impl Run {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let read = if self.rehearse { site::read_rehearsal } else { site::read_inventory };
        let (inventory, _) = match read(&self.inventory, settings, self.runbook.as_deref(), &self.given) {
            Ok(pair) => pair,
            Err(exit) => return Ok(exit),
        };
        let watched = !self.headless.is_headless();
        if watched && (!std::io::stdout().is_terminal() || !std::io::stdin().is_terminal()) {
            eprintln!(
                "nodelift: run opens a screen and needs a terminal: --headless works without, --yes starts there."
            );
            return Ok(Exit::Usage);
        }
        let order = Order {
            inventory: std::path::absolute(&self.inventory).unwrap_or_else(|_| self.inventory.clone()),
            runbook: self.runbook.clone(),
            given: self.given.clone(),
            rehearse: self.rehearse,
            new: self.new,
            read_only: self.read_only,
        };
        let cluster = cluster_folder(settings, &inventory.cluster);
        let run = match live(&cluster) {
            Some(run) => match self.may_join(&inventory.cluster, &run) {
                Ok(()) => run,
                Err(exit) => return Ok(exit),
            },
            None => {
                let secrets = match secrets::gather(&inventory, secrets::Need::Run) {
                    Ok(s) => s,
                    Err(exit) => return Ok(exit),
                };
                match launch(order, &secrets, settings, &cluster)? {
                    Ok(run) => run,
                    Err(exit) => return Ok(exit),
                }
            }
        };
        if watched {
            attach::look(&run, settings, self.read_only)
        } else {
            let end = headless::follow(&run, &self.headless)?;
            attach::leave(&run, end == headless::End::Interrupted)
        }
    }

    /// Whether what is under way is what was asked for.
    fn may_join(&self, cluster: &str, run: &Path) -> Result<(), Exit> {
        let rehearsed = journal::read_plan(run).is_ok_and(|(plan, _)| plan.rehearses());
        if self.new || self.rehearse != rehearsed {
            let what = if rehearsed { "a rehearsal" } else { "a run" };
            eprintln!("nodelift: {what} of {cluster} has an engine: look at it first, nodelift attach {cluster}");
            return Err(Exit::Locked);
        }
        eprintln!("Looking at the run of {cluster}, which has an engine.");
        Ok(())
    }
}
