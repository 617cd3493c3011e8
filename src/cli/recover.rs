//! `nodelift recover`: an engine for a run that lost its own. What was under way is looked at, never sent again; then the run is
//! paused until a person says go on (run-safety-model 8).

use std::io::IsTerminal;

use clap::Args;
use color_eyre::eyre::Result;

use super::begin::{Order, cluster_folder};
use super::launch::launch;
use super::runs::{Found, find};
use super::{Exit, attach, secrets};
use crate::config::settings::Settings;

#[derive(Debug, Args)]
pub struct Recover {
    /// The cluster, the beginning of a run's name, or its folder
    run: Option<String>,
}

impl Recover {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        match find(settings, self.run.as_deref()) {
            Ok(found) => recover(&found, settings),
            Err(why) => {
                eprintln!("nodelift: {why}");
                Ok(Exit::Usage)
            }
        }
    }
}

/// Gives a run an engine again.
pub fn recover(found: &Found, settings: &Settings) -> Result<Exit> {
    let cluster = &found.state.plan.cluster;
    if found.live {
        eprintln!("nodelift: the run of {cluster} has an engine: nodelift attach {cluster}");
        return Ok(Exit::Locked);
    }
    if !found.state.needs_engine() {
        let phase = found.state.phase.word();
        eprintln!("nodelift: nothing of {cluster} is under way, the run is {phase}: there is nothing to recover.");
        return Ok(Exit::NothingToDo);
    }
    let order = match Order::of(&found.folder) {
        Ok(order) => Order { new: false, read_only: false, ..order },
        Err(why) => {
            eprintln!("nodelift: {why}");
            eprintln!("What the run was begun with is not known: nodelift run -i INVENTORY goes on with it.");
            return Ok(Exit::Usage);
        }
    };
    let (inventory, _) = match order.resolve(settings) {
        Ok(pair) => pair,
        Err(exit) => return Ok(exit),
    };
    let secrets = match secrets::gather(&inventory, secrets::Need::Run) {
        Ok(s) => s,
        Err(exit) => return Ok(exit),
    };
    let run = match launch(order, &secrets, settings, &cluster_folder(settings, cluster))? {
        Ok(run) => run,
        Err(exit) => return Ok(exit),
    };
    if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
        return attach::look(&run, settings, false);
    }
    println!("{cluster}: recovered. It looks what became of the run, and waits until somebody says go on:");
    println!("  nodelift attach {cluster}");
    Ok(Exit::NeedsPerson)
}
