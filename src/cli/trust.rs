//! `nodelift trust`: unknown host keys are reviewed once, in one table, and then strict for ever.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use color_eyre::eyre::{Result, WrapErr};

use super::{Exit, hosts, secrets::Secrets, site};
use crate::config::inventory::{Inventory, Machine};
use crate::config::settings::Settings;
use crate::remote::ssh::known_hosts::{Verdict, append};
use crate::remote::ssh::{Scanned, SshRuntime};

#[derive(Debug, Args)]
pub struct Trust {
    /// The inventory of the cluster
    #[arg(short, long, value_name = "FILE", default_value = "inventory.toml")]
    inventory: PathBuf,
}

impl Trust {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        match site::read_inventory(&self.inventory, settings, None) {
            Ok((inventory, _)) => review(&inventory, &inventory.machines().cloned().collect::<Vec<_>>()),
            Err(exit) => Ok(exit),
        }
    }
}

/// Shows the keys of machines in a table, and writes down the unknown ones when a person says so.
pub fn review(inventory: &Inventory, machines: &[Machine]) -> Result<Exit> {
    let scanned = scan(inventory, machines)?;
    let mut exit = Exit::Succeeded;
    let mut unknown: Vec<(&Machine, &Scanned)> = Vec::new();
    let address = |m: &Machine| format!("{}:{}", m.host, m.port);
    let widest = |of: &dyn Fn(&Machine) -> usize| machines.iter().map(of).max().unwrap_or(0).max(7);
    let (a, b) = (widest(&|m| m.name.chars().count()), widest(&|m| address(m).chars().count()));
    println!("{:<8} {:<a$} {:<b$} {:<8} fingerprint", "now", "machine", "address", "key");
    for (machine, result) in machines.iter().zip(&scanned) {
        let address = address(machine);
        match result {
            Ok(s) => {
                let said = match &s.verdict {
                    Verdict::Trusted { .. } => "known",
                    Verdict::Changed { .. } => "CHANGED",
                    Verdict::Revoked { .. } => "REVOKED",
                    _ => "new",
                };
                println!(
                    "{said:<8} {:<a$} {address:<b$} {:<8} {}",
                    machine.name,
                    s.key.short_kind(),
                    s.fingerprint
                );
                match &s.verdict {
                    Verdict::Trusted { .. } => {}
                    Verdict::Changed { .. } | Verdict::Revoked { .. } => exit = Exit::Unreachable,
                    _ => unknown.push((machine, s)),
                }
            }
            Err(trouble) => {
                println!("{:<8} {:<a$} {address:<b$} {}", "no key", machine.name, trouble.message);
                exit = Exit::Unreachable;
            }
        }
    }
    if exit == Exit::Unreachable {
        println!("\nA machine that shows another key than the known one is not trusted here. Only");
        println!("where it was installed anew: ssh-keygen -R takes its old key out.");
    }
    if unknown.is_empty() {
        println!("\nNo new key to review.");
        return Ok(exit);
    }
    let file = machines
        .iter()
        .find_map(|m| m.login.known_hosts.first())
        .cloned()
        .ok_or_else(|| color_eyre::eyre::eyre!("the inventory names no known_hosts file"))?;
    println!("\nCompare each fingerprint with the one at the machine's own console:");
    println!("  ssh-keygen -lf C:\\ProgramData\\ssh\\ssh_host_ed25519_key.pub");
    if !std::io::stdin().is_terminal() {
        println!("Nothing was written: there is no terminal to ask on.");
        return Ok(Exit::Usage);
    }
    print!("Write {} to {}? Type yes: ", crate::core::command::plural(unknown.len(), "new key"), file.display());
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() != "yes" {
        println!("Nothing was written.");
        return Ok(Exit::NeedsPerson);
    }
    for (_, s) in &unknown {
        append(&file, &s.line).wrap_err_with(|| format!("cannot write {}", file.display()))?;
    }
    println!("Written.");
    Ok(exit)
}

type Looked = std::result::Result<Scanned, crate::core::connection::Trouble>;

fn scan(inventory: &Inventory, machines: &[Machine]) -> Result<Vec<Looked>> {
    let runtime = SshRuntime::start().wrap_err("cannot start the thread for SSH")?;
    let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    waiting.block_on(async {
        let mut out = Vec::new();
        for machine in machines {
            let config = hosts::config(machine, &Secrets::default(), inventory);
            out.push(runtime.scan(config).await);
        }
        Ok(out)
    })
}
