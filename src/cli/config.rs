//! `nodelift config print|check`.

use std::path::PathBuf;

use clap::Subcommand;
use color_eyre::eyre::Result;

use super::Exit;
use super::secrets::Secrets;
use super::site::read_inventory;
use super::ways::{Transports, line};
use crate::config::settings::{DEFAULT, Settings};
use crate::input::DEFAULT as KEYS;

/// An inventory with every key explained.
const EXAMPLE: &str = include_str!("../../config/inventory.example.toml");

#[derive(Debug, Subcommand)]
pub enum Config {
    /// The settings in force
    Print {
        /// Every setting with its default and what it does, instead
        #[arg(long, group = "file")]
        default: bool,
        /// Every key and what it does, instead
        #[arg(long, group = "file")]
        keys: bool,
        /// An example of an inventory, instead
        #[arg(long, group = "file")]
        inventory: bool,
    },
    /// Check the settings, and an inventory where one is named
    Check {
        /// Inventory to check
        #[arg(short, long, value_name = "FILE")]
        inventory: Option<PathBuf>,
    },
}

impl Config {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        match self {
            Config::Print { default: true, .. } => print!("{DEFAULT}"),
            Config::Print { keys: true, .. } => print!("{KEYS}"),
            Config::Print { inventory: true, .. } => print!("{EXAMPLE}"),
            Config::Print { .. } => print!("{}", settings.print()),
            Config::Check { inventory } => {
                println!("settings: no mistake found");
                if let Some(path) = inventory {
                    let (inventory, plan) =
                        match read_inventory(&path, settings, None, &super::site::Given::default()) {
                            Ok(pair) => pair,
                            Err(exit) => return Ok(exit),
                        };
                    println!(
                        "{}: no mistake found: {}, {} nodes{}, runbook {}, target {}",
                        path.display(),
                        inventory.cluster,
                        inventory.nodes.len(),
                        inventory
                            .coordinator
                            .as_ref()
                            .map_or(String::new(), |c| format!(", coordinator {}", c.name)),
                        plan.runbook.id,
                        plan.target.version,
                    );
                    let machines: Vec<_> = inventory.machines().cloned().collect();
                    if machines.iter().any(|m| m.login.asks_ssh_config() || m.through.is_some()) {
                        let ways =
                            Transports::start(&machines)?.decide(&machines, &Secrets::default(), &inventory)?;
                        machines.iter().zip(&ways).for_each(|(m, w)| println!("  {}", line(m, w)));
                    }
                }
            }
        }
        Ok(Exit::Succeeded)
    }
}
