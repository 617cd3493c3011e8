//! `nodelift prepare`: the script that gives nodes an SSH server. Printed for a person to review; run only when asked to.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use color_eyre::eyre::Result;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::secrets::{self, Secrets};
use super::ways::{Transports, Way};
use super::{Exit, out, site};
use crate::config::diagnose::did_you_mean;
use crate::config::inventory::{Inventory, Machine, Transport};
use crate::config::settings::Settings;
use crate::core::command::plural;
use crate::core::connection::{Connection, Trouble};
use crate::core::event::{Failure, FailureKind};
use crate::remote::kept::trouble::once;
use crate::remote::remoting::PREPARE;
use crate::remote::ssh::public_key;
use crate::remote::{Host, Request};

/// Windows may download the server first.
const PATIENCE: Duration = Duration::from_secs(40 * 60);

#[derive(Debug, Args)]
pub struct Prepare {
    /// The inventory of the cluster
    #[arg(short, long, value_name = "FILE", default_value = "inventory.toml")]
    inventory: PathBuf,
    /// Only these nodes; where none is named, those with transport = "remoting", else all
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// The public key that may log in, where it is not the one beside the inventory's key
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Run it on the nodes, over PowerShell remoting, after you typed yes
    #[arg(long)]
    run: bool,
}

/// What the script answers.
#[derive(Deserialize)]
struct Prepared {
    did: Vec<String>,
    service: String,
}

impl Prepare {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let inventory = match site::read_inventory(&self.inventory, settings, None, &site::Given::default()) {
            Ok((inventory, _)) => inventory,
            Err(exit) => return Ok(exit),
        };
        let chosen = choose(&inventory, &self.nodes);
        let keyed = chosen.and_then(|chosen| {
            let with = |m: Machine| Ok((key_of(&m, self.public_key.as_deref())?, m));
            chosen.into_iter().map(with).collect::<Result<Vec<(String, Machine)>, String>>()
        });
        let keyed = match keyed {
            Ok(keyed) => keyed,
            Err(why) => {
                eprintln!("nodelift: {why}");
                return Ok(Exit::Usage);
            }
        };
        if self.run { self.run_there(&inventory, keyed) } else { self.show(&keyed) }
    }

    fn show(&self, keyed: &[(String, Machine)]) -> Result<Exit> {
        let mut by_key = BTreeMap::<&str, Vec<&str>>::new();
        for (key, machine) in keyed {
            by_key.entry(key).or_default().push(&machine.name);
        }
        for (key, names) in by_key {
            print!("{}", script(key, &names));
        }
        eprintln!(
            "{}",
            out::wrap(
                &format!(
                    "Nothing was run. Review it, then run it there as an administrator, in Windows PowerShell; or let nodelift \
                     do it over PowerShell remoting: nodelift prepare -i {} --run",
                    self.inventory.display()
                ),
                0
            )
        );
        Ok(Exit::Succeeded)
    }

    fn run_there(&self, inventory: &Inventory, keyed: Vec<(String, Machine)>) -> Result<Exit> {
        if !std::io::stdin().is_terminal() {
            eprintln!(
                "nodelift: nothing was run: there is no terminal to ask on. Without --run the script is printed."
            );
            return Ok(Exit::Usage);
        }
        let secrets = match secrets::gather(inventory, secrets::Need::Login) {
            Ok(secrets) => secrets,
            Err(exit) => return Ok(exit),
        };
        let transports = Transports::start(&inventory.machines().cloned().collect::<Vec<_>>())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut hosts = Vec::new();
            for (key, machine) in keyed {
                let way = match way(&transports, &machine, &secrets, inventory).await? {
                    Ok(way) => way,
                    Err(why) => {
                        eprintln!("nodelift: {why}");
                        return Ok(Exit::Usage);
                    }
                };
                hosts.push((machine.name, key, transports.host(way)?));
            }
            let exit = self.ask_and_run(&mut hosts).await;
            for (.., host) in &hosts {
                host.close().await;
            }
            exit
        })
    }

    async fn ask_and_run(&self, hosts: &mut Vec<(String, String, Arc<dyn Host>)>) -> Result<Exit> {
        hosts.iter().for_each(|(.., host)| host.open());
        let mut reached = Vec::new();
        for (name, key, host) in &*hosts {
            match settled(&**host).await {
                Ok(via) => {
                    println!("{name}: {via}");
                    reached.push((name.clone(), key.clone(), host.clone()));
                }
                Err(trouble) => {
                    let trouble = once(trouble);
                    let text = format!("{name} cannot be prepared: {}. {}", trouble.message, trouble.remedy);
                    eprintln!("{}", out::wrap(&text, 0));
                }
            }
        }
        if reached.is_empty() {
            return Ok(Exit::Unreachable);
        }
        let names: Vec<&str> = reached.iter().map(|(name, ..)| name.as_str()).collect();
        println!(
            "\nOn {} this installs OpenSSH Server, starts it with Windows, opens TCP port 22, and lets",
            names.join(", ")
        );
        let keys: std::collections::BTreeSet<&str> = reached.iter().map(|(_, key, _)| key.as_str()).collect();
        for key in keys {
            println!("  {key}");
        }
        println!("log in as an administrator. `nodelift prepare` without --run shows every line of it.");
        print!("Run it on {}? Type yes: ", plural(reached.len(), "node"));
        std::io::stdout().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if answer.trim() != "yes" {
            println!("Nothing was run.");
            return Ok(Exit::NeedsPerson);
        }
        println!("It may take minutes where Windows downloads the server first.");
        let all = hosts.len();
        let mut tasks = JoinSet::new();
        for (name, key, host) in reached.iter().cloned() {
            tasks.spawn(async move { (name, run_on(&*host, &key).await) });
        }
        let (mut done, mut failed) = (0, 0);
        while let Some(ended) = tasks.join_next().await {
            let (name, result) = ended?;
            match result {
                Ok(p) if p.did.is_empty() => {
                    println!("{name}: nothing to do, it was so already; sshd is {}", p.service)
                }
                Ok(p) => println!("{name}: {}; sshd is {}", p.did.join(", "), p.service),
                Err(failure) => {
                    failed += 1;
                    eprintln!("{}", out::wrap(&format!("{name}: {}", failed_there(&failure)), 0));
                    continue;
                }
            }
            done += 1;
        }
        println!("\n{done} of {} prepared", plural(all, "node"));
        if done > 0 {
            let file = self.inventory.display();
            println!("Next: take transport = \"remoting\" of them out of {file}, then review their host keys:");
            println!("  nodelift trust -i {file}");
        }
        Ok(match (failed, all - done) {
            (0, 0) => Exit::Succeeded,
            (0, _) => Exit::Unreachable,
            _ => Exit::Blocked,
        })
    }
}

/// The nodes that are meant.
fn choose(inventory: &Inventory, names: &[String]) -> Result<Vec<Machine>, String> {
    if names.is_empty() {
        let without = |m: &&Machine| m.login.transport == Transport::Remoting;
        let some: Vec<Machine> = inventory.nodes.iter().filter(without).cloned().collect();
        return Ok(if some.is_empty() { inventory.nodes.clone() } else { some });
    }
    let mut out: Vec<Machine> = Vec::new();
    for name in names {
        let short = name.split('.').next().unwrap_or(name);
        let Some(machine) = inventory.nodes.iter().find(|m| m.name.eq_ignore_ascii_case(short)) else {
            let known: Vec<&str> = inventory.nodes.iter().map(|m| m.name.as_str()).collect();
            let meant = did_you_mean(name, known.iter().copied())
                .map(|k| format!(" Did you mean {k}?"))
                .unwrap_or_default();
            let file = inventory.path.display();
            return Err(format!("{file} has no node `{name}`.{meant} There is: {}", known.join(", ")));
        };
        if !out.contains(machine) {
            out.push(machine.clone());
        }
    }
    Ok(out)
}

/// The public key that may log in to a machine: never anything of the private one.
fn key_of(machine: &Machine, given: Option<&Path>) -> Result<String, String> {
    let path = given.or(machine.login.key.as_deref()).ok_or_else(|| {
        format!(
            "which public key may log in to {}? The inventory names no key file. --public-key FILE says it; \
             `ssh-add -L` lists those of an agent.",
            machine.name
        )
    })?;
    public_key(path)
        .map_err(|why| format!("no public key in {}: {why}. --public-key FILE names another one.", path.display()))
}

/// The script as a person runs it: the key is the one thing that was put in.
fn script(key: &str, names: &[&str]) -> String {
    let body = PREPARE.text.replace("\r\n", "\n");
    format!(
        "# For {}: run it there as an administrator, in Windows PowerShell.\n$arg = @{{ public_key = '{}' }}\n\n{body}",
        names.join(", "),
        key.replace('\'', "''"),
    )
}

/// By remoting, from where the inventory says, else from the coordinator.
async fn way(
    transports: &Transports,
    machine: &Machine,
    secrets: &Secrets,
    inventory: &Inventory,
) -> Result<Result<Way, String>> {
    let coordinator = inventory.coordinator.as_ref().map(|c| c.name.as_str());
    let Some(through) = machine.through.as_deref().or(coordinator) else {
        return Ok(Err(format!(
            "{} has no machine to reach {} from: add a [coordinator], or run the printed script there by hand",
            inventory.path.display(),
            machine.name
        )));
    };
    transports.behind(machine, through, secrets, inventory).await.map(Ok)
}

/// Waits until a machine is reached, and says how, or why not.
async fn settled(host: &dyn Host) -> std::result::Result<String, Trouble> {
    let mut connection = host.connection();
    loop {
        match &*connection.borrow_and_update() {
            Connection::Ready(hello) => return Ok(format!("{}, PowerShell {}", hello.via, hello.ps)),
            Connection::Trouble(t) => return Err(t.clone()),
            Connection::Idle | Connection::Connecting => {}
        }
        if connection.changed().await.is_err() {
            let kind = crate::core::connection::TroubleKind::Lost;
            return Err(Trouble { kind, message: "the connection ended".into(), remedy: "Try again.".into() });
        }
    }
}

async fn run_on(host: &dyn Host, key: &str) -> Result<Prepared, Failure> {
    let request = Request {
        name: PREPARE.name.to_owned(),
        script: PREPARE.text.into(),
        args: json!({ "public_key": key }),
        timeout: PATIENCE,
        slow: true,
    };
    let (said, _) = mpsc::channel(1);
    let record = host.run(request, said).await.record()?;
    serde_json::from_value(record).map_err(|e| Failure {
        kind: FailureKind::Misshapen,
        id: None,
        message: format!("its answer cannot be read: {e}"),
        at: None,
    })
}

/// What failed, and what to do.
fn failed_there(failure: &Failure) -> String {
    let said = failure.message.trim().trim_end_matches('.');
    let advice = if said.contains("0x800F0954") {
        "Its WSUS does not offer optional features: let it take them from Windows Update (group policy `Specify settings for \
         optional component installation`), or install OpenSSH Server from the Features on Demand media."
    } else if said.contains("0x800F09") || said.contains("0x8024") {
        "It does not get at Windows Update: look at its network and proxy, or install OpenSSH Server from the Features on Demand \
         media."
    } else if failure.kind == FailureKind::Indeterminate {
        "It may have run on there: run it once more, what is so already stays as it is."
    } else {
        "Run the printed script there by hand to see more: what is so already stays as it is."
    };
    format!("{said}. {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnose::Source;

    fn inventory(more: &str) -> Inventory {
        let text = format!(
            "[cluster]\nname = 'CL1'\n[coordinator]\nname = 'COORD01'\n[ssh]\nuser = 'CORP\\a'\n\
             [[node]]\nname = 'HCI-N1'\n[[node]]\nname = 'HCI-N2'\n{more}"
        );
        Inventory::parse(&Source::new("site.toml", text), Path::new("site.toml")).unwrap()
    }

    fn names(inventory: &Inventory, names: &[&str]) -> Result<Vec<String>, String> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        choose(inventory, &names).map(|m| m.into_iter().map(|m| m.name).collect())
    }

    #[test]
    fn nodes_without_an_ssh_server_are_meant_first() {
        assert_eq!(names(&inventory(""), &[]).unwrap(), ["HCI-N1", "HCI-N2"]);
        assert_eq!(names(&inventory("transport = 'remoting'\n"), &[]).unwrap(), ["HCI-N2"]);
        assert_eq!(names(&inventory(""), &["hci-n1.corp.example", "HCI-N1"]).unwrap(), ["HCI-N1"]);
        let why = names(&inventory(""), &["HCI-N11"]).unwrap_err();
        assert!(why.contains("has no node `HCI-N11`. Did you mean HCI-N1?"), "{why}");
        assert!(names(&inventory(""), &["COORD01"]).is_err(), "the coordinator has its server");
    }

    #[test]
    fn a_key_is_asked_for_where_none_is_named() {
        let why = key_of(&inventory("").nodes[0], None).unwrap_err();
        assert!(why.contains("--public-key FILE") && why.contains("ssh-add -L"), "{why}");
    }

    #[test]
    fn the_printed_script_is_powershell_and_quotes_the_key() {
        let text = script("ssh-ed25519 AAAA it's me", &["HCI-N1", "HCI-N2"]);
        assert!(text.is_ascii() && text.contains("'ssh-ed25519 AAAA it''s me'"), "{text}");
        assert!(text.starts_with("# For HCI-N1, HCI-N2: "));
        let mut parser = tree_sitter::Parser::new();
        parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("grammar");
        assert!(!parser.parse(&text, None).expect("tree").root_node().has_error());
    }

    #[test]
    fn known_codes_of_windows_get_advice() {
        let failure =
            |message: &str| Failure { kind: FailureKind::Threw, id: None, message: message.into(), at: None };
        assert!(failed_there(&failure("dism.exe ended with 0x800F0954")).contains("WSUS"));
        assert!(failed_there(&failure("no")).contains("printed script"));
    }
}
