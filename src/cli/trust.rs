//! `nodelift trust`: unknown host keys are reviewed once, in one table, and then strict for ever; a changed one is a decision of
//! its own.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use color_eyre::eyre::{Result, WrapErr};

use super::takeover::{self, Outcome};
use super::ways::{Transports, Way, line};
use super::{Exit, secrets::Secrets, site};
use crate::config::diagnose::suggest;
use crate::config::inventory::{Inventory, Machine};
use crate::config::settings::Settings;
use crate::core::command::plural;
use crate::remote::ssh::Scanned;
use crate::remote::ssh::known_hosts::{Verdict, append};

#[derive(Debug, Args)]
pub struct Trust {
    /// The inventory of the cluster
    #[arg(short, long, value_name = "FILE", default_value = "inventory.toml")]
    inventory: PathBuf,
    /// Only this machine; may be given several times
    #[arg(long = "node", value_name = "NAME")]
    nodes: Vec<String>,
}

impl Trust {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let (inventory, _) = match site::read_inventory(&self.inventory, settings, None, &site::Given::default()) {
            Ok(pair) => pair,
            Err(exit) => return Ok(exit),
        };
        match self.machines(&inventory) {
            Ok(machines) => review(&inventory, &machines),
            Err(why) => {
                eprintln!("nodelift: {why}");
                Ok(Exit::Usage)
            }
        }
    }

    fn machines(&self, inventory: &Inventory) -> Result<Vec<Machine>, String> {
        let is = |m: &Machine, name: &String| m.name.eq_ignore_ascii_case(name);
        for name in &self.nodes {
            let names: Vec<&str> = inventory.machines().map(|m| m.name.as_str()).collect();
            match inventory.machines().find(|m| is(m, name)) {
                None => return Err(format!("--node {name}: there is no such machine: {}", suggest(name, names))),
                Some(Machine { through: Some(through), .. }) => {
                    return Err(format!(
                        "--node {name}: it is reached through {through} and shows no key of its own"
                    ));
                }
                Some(_) => {}
            }
        }
        // What is reached through another machine shows no key of its own.
        let direct = inventory.machines().filter(|m| m.through.is_none());
        Ok(direct.filter(|m| self.nodes.is_empty() || self.nodes.iter().any(|n| is(m, n))).cloned().collect())
    }
}

/// What the table found, to be asked about.
#[derive(Default)]
struct Found<'a> {
    unknown: Vec<(&'a Way, &'a Scanned)>,
    changed: Vec<(&'a Machine, &'a Way, &'a Scanned)>,
    /// A machine shows a revoked key, or none.
    hopeless: bool,
}

/// Shows the keys of machines in a table, and writes down the unknown ones when a person says so; then asks for each changed one.
pub fn review(inventory: &Inventory, machines: &[Machine]) -> Result<Exit> {
    let (ways, scanned) = scan(inventory, machines)?;
    let found = table(machines, &ways, &scanned);
    if found.unknown.is_empty() && found.changed.is_empty() {
        println!("\nNo new key to review.");
    } else if !std::io::stdin().is_terminal() {
        println!("\nNothing was written: there is no terminal to ask on.");
        return Ok(if found.changed.is_empty() { Exit::Usage } else { Exit::Unreachable });
    }
    let declined = !found.unknown.is_empty() && !learn(&found.unknown)?;
    let mut left = found.hopeless;
    for (machine, way, scanned) in &found.changed {
        let outcome = takeover::offer(&machine.name, &way.at, scanned, &mut std::io::stdin().lock())?;
        left |= outcome != Outcome::Taken;
    }
    Ok(match (left, declined) {
        (true, _) => Exit::Unreachable,
        (false, true) => Exit::NeedsPerson,
        (false, false) => Exit::Succeeded,
    })
}

fn table<'a>(machines: &'a [Machine], ways: &'a [Way], scanned: &'a [Looked]) -> Found<'a> {
    let mut found = Found::default();
    let a = machines.iter().map(|m| m.name.chars().count()).max().unwrap_or(0).max(7);
    let b = ways.iter().map(|w| w.at.chars().count()).max().unwrap_or(0).max(7);
    for (machine, way) in machines.iter().zip(ways).filter(|(_, w)| w.why.is_some()) {
        println!("{}", line(machine, way));
    }
    println!("{:<8} {:<a$} {:<b$} {:<8} fingerprint", "now", "machine", "address", "key");
    for ((machine, way), result) in machines.iter().zip(ways).zip(scanned) {
        let address = &way.at;
        let s = match result {
            Ok(s) => s,
            Err(trouble) => {
                println!("{:<8} {:<a$} {address:<b$} {}", "no key", machine.name, trouble.message);
                found.hopeless = true;
                continue;
            }
        };
        let said = match &s.verdict {
            Verdict::Trusted { .. } => "known",
            Verdict::Changed { .. } | Verdict::OtherTypeKnown { .. } => "CHANGED",
            Verdict::Revoked { .. } => "REVOKED",
            Verdict::Unknown { .. } => "new",
        };
        println!("{said:<8} {:<a$} {address:<b$} {:<8} {}", machine.name, s.key.short_kind(), s.fingerprint);
        match &s.verdict {
            Verdict::Trusted { .. } => {}
            Verdict::Changed { .. } | Verdict::OtherTypeKnown { .. } => found.changed.push((machine, way, s)),
            // Never taken over: somebody said that it is in wrong hands.
            Verdict::Revoked { .. } => found.hopeless = true,
            Verdict::Unknown { .. } => found.unknown.push((way, s)),
        }
    }
    found
}

/// Writes unknown keys down, all at once, where a person says so; whether they did.
fn learn(unknown: &[(&Way, &Scanned)]) -> Result<bool> {
    let mut files = BTreeMap::<&Path, Vec<&str>>::new();
    for (way, s) in unknown {
        let file = way.known_hosts.as_deref();
        let file = file.ok_or_else(|| color_eyre::eyre::eyre!("the inventory names no known_hosts file"))?;
        files.entry(file).or_default().push(&s.line);
    }
    let names: Vec<String> = files.keys().map(|f| f.display().to_string()).collect();
    println!("\nCompare each new fingerprint with the one at the machine's own console:");
    println!("  ssh-keygen -lf C:\\ProgramData\\ssh\\ssh_host_ed25519_key.pub");
    print!("Write {} to {}? Type yes: ", plural(unknown.len(), "new key"), names.join(" and "));
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() != "yes" {
        println!("Nothing was written.");
        return Ok(false);
    }
    for (file, lines) in files {
        for line in lines {
            append(file, line).wrap_err_with(|| format!("cannot write {}", file.display()))?;
        }
    }
    println!("Written.");
    Ok(true)
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
