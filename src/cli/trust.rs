//! `nodelift trust`: unknown host keys are reviewed once, in one table, and then strict for ever.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use color_eyre::eyre::{Result, WrapErr};

use super::ways::{Transports, Way, line};
use super::{Exit, secrets::Secrets, site};
use crate::config::inventory::{Inventory, Machine};
use crate::config::settings::Settings;
use crate::remote::ssh::Scanned;
use crate::remote::ssh::known_hosts::{Verdict, append};

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
    let (ways, scanned) = scan(inventory, machines)?;
    let mut exit = Exit::Succeeded;
    let mut unknown: Vec<(&Way, &Scanned)> = Vec::new();
    let a = machines.iter().map(|m| m.name.chars().count()).max().unwrap_or(0).max(7);
    let b = ways.iter().map(|w| w.at.chars().count()).max().unwrap_or(0).max(7);
    for (machine, way) in machines.iter().zip(&ways).filter(|(_, w)| w.why.is_some()) {
        println!("{}", line(machine, way));
    }
    println!("{:<8} {:<a$} {:<b$} {:<8} fingerprint", "now", "machine", "address", "key");
    for ((machine, way), result) in machines.iter().zip(&ways).zip(&scanned) {
        let address = &way.at;
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
                    _ => unknown.push((way, s)),
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
    let mut files = BTreeMap::<&Path, Vec<&str>>::new();
    for (way, s) in &unknown {
        let file = way.known_hosts.as_deref();
        let file = file.ok_or_else(|| color_eyre::eyre::eyre!("the inventory names no known_hosts file"))?;
        files.entry(file).or_default().push(&s.line);
    }
    let names: Vec<String> = files.keys().map(|f| f.display().to_string()).collect();
    println!("\nCompare each fingerprint with the one at the machine's own console:");
    println!("  ssh-keygen -lf C:\\ProgramData\\ssh\\ssh_host_ed25519_key.pub");
    if !std::io::stdin().is_terminal() {
        println!("Nothing was written: there is no terminal to ask on.");
        return Ok(Exit::Usage);
    }
    print!(
        "Write {} to {}? Type yes: ",
        crate::core::command::plural(unknown.len(), "new key"),
        names.join(" and ")
    );
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() != "yes" {
        println!("Nothing was written.");
        return Ok(Exit::NeedsPerson);
    }
    for (file, lines) in files {
        for line in lines {
            append(file, line).wrap_err_with(|| format!("cannot write {}", file.display()))?;
        }
    }
    println!("Written.");
    Ok(exit)
}

type Looked = std::result::Result<Scanned, crate::core::connection::Trouble>;

fn scan(inventory: &Inventory, machines: &[Machine]) -> Result<(Vec<Way>, Vec<Looked>)> {
    let transports = Transports::start(machines)?;
    let ways = transports.decide(machines, &Secrets::default(), inventory)?;
    let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scanned = waiting.block_on(async {
        let mut out = Vec::new();
        for way in &ways {
            out.push(transports.scan(way.clone()).await);
        }
        out
    });
    Ok((ways, scanned))
}
