//! `nodelift doctor`: the whole way to each machine, step by step. Changes nothing unless it is asked to try a task.

use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use color_eyre::eyre::{Result, WrapErr, eyre};
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::secrets::{self, Secrets};
use super::ways::{By, Transports, Way};
use super::{Exit, hosts, site};
use crate::config::diagnose::did_you_mean;
use crate::config::inventory::{Inventory, Machine};
use crate::config::settings::{self, Settings};
use crate::core::plan::{Place, Plan};
use crate::doctor::{
    Examination, Line, Paint, Report, Signs, StepId, Subject, Tally, Task, Through, block, examine,
};
use crate::remote::probes;
use crate::remote::ssh::SshRuntime;

/// Machines examined at once.
const AT_ONCE: usize = 8;

#[derive(Debug, Args)]
pub struct Doctor {
    /// The inventory of the cluster
    #[arg(short, long, value_name = "FILE")]
    inventory: PathBuf,
    /// Only this machine
    #[arg(value_name = "NODE")]
    node: Option<String>,
    /// Another runbook than the inventory's
    #[arg(long, value_name = "ID")]
    runbook: Option<String>,
    /// Also register a task, run it and remove it again, where detached operations run: the only step that changes something
    #[arg(long)]
    task: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let (inventory, plan) = match site::read_inventory(
            &self.inventory,
            settings,
            self.runbook.as_deref(),
            &site::Given::default(),
        ) {
            Ok(pair) => pair,
            Err(exit) => return Ok(exit),
        };
        let chosen = match choose(&inventory, self.node.as_deref()) {
            Ok(chosen) => chosen,
            Err(why) => {
                eprintln!("nodelift: {why}");
                return Ok(Exit::Usage);
            }
        };
        let home = at_home(&inventory, &plan);
        let tries = self.task && chosen.machines().any(|m| home.as_ref().is_ok_and(|h| h.contains(&m.name)));
        let secrets = match secrets::gather(
            &with_way(&inventory, &chosen),
            if tries { secrets::Need::Run } else { secrets::Need::Login },
        ) {
            Ok(s) => s,
            Err(exit) => return Ok(exit),
        };
        let machines: Vec<Machine> = chosen.machines().cloned().collect();
        let transports = Transports::start(&inventory.machines().cloned().collect::<Vec<_>>())?;
        let ways = transports.decide(&machines, &secrets, &inventory)?;
        let subjects = subjects(&inventory, &chosen, &plan, &secrets, &home, self.task, (&transports, ways))?;
        let show = Show { signs: signs(settings), colour: colour(), json: self.json, file: self.inventory };
        let (at, began) = (Timestamp::now(), Instant::now());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let all = runtime.block_on(examine_all(subjects, &show))?;
        let tally = Tally::of(&all);
        if show.json {
            let report = Report {
                format: 1,
                cluster: &inventory.cluster,
                inventory: show.file.display().to_string(),
                at,
                took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                tally,
                machines: all.iter().map(Into::into).collect(),
            };
            put(&format!("{}\n", serde_json::to_string_pretty(&report)?));
        } else {
            put(&format!("{}: {}\n", inventory.cluster, summary(tally)));
        }
        Ok(exit(tally))
    }
}

fn exit(tally: Tally) -> Exit {
    match tally {
        Tally { out_of_reach: 1.., .. } => Exit::Unreachable,
        Tally { with_problems: 1.., .. } => Exit::Blocked,
        _ => Exit::Succeeded,
    }
}

fn summary(tally: Tally) -> String {
    let parts = [
        (tally.well, "well"),
        (tally.with_caveats, "with caveats"),
        (tally.with_problems, "with problems"),
        (tally.out_of_reach, "out of reach"),
    ];
    let said: Vec<String> =
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let n = parts.iter().map(|(n, _)| n).sum();
    format!("{}: {}", crate::core::command::plural(n, "machine"), said.join(", "))
}

/// The inventory, with nothing but one machine where one is named.
fn choose(inventory: &Inventory, name: Option<&str>) -> Result<Inventory, String> {
    let mut chosen = inventory.clone();
    let Some(name) = name else { return Ok(chosen) };
    let short = name.split('.').next().unwrap_or(name);
    chosen.nodes.retain(|m| m.name.eq_ignore_ascii_case(short));
    chosen.coordinator = chosen.coordinator.filter(|m| m.name.eq_ignore_ascii_case(short));
    if chosen.machines().next().is_some() {
        return Ok(chosen);
    }
    let known: Vec<&str> = inventory.machines().map(|m| m.name.as_str()).collect();
    let meant =
        did_you_mean(name, known.iter().copied()).map(|k| format!(" Did you mean {k}?")).unwrap_or_default();
    let file = inventory.path.display();
    Err(format!("{file} has no machine `{name}`.{meant} There is: {}", known.join(", ")))
}

/// The chosen machines, and those that they are reached through: whoever logs in there is asked for its secrets too.
fn with_way(inventory: &Inventory, chosen: &Inventory) -> Inventory {
    let mut out = chosen.clone();
    for through in chosen.machines().filter_map(|m| m.through.as_deref()) {
        match inventory.machine(through).filter(|_| out.machine(through).is_none()) {
            Some(m) if inventory.coordinator.as_ref() == Some(m) => out.coordinator = Some(m.clone()),
            Some(m) => out.nodes.push(m.clone()),
            None => {}
        }
    }
    out
}

/// Names of the machines that run detached operations, or why there is none.
fn at_home(inventory: &Inventory, plan: &Plan) -> Result<Vec<String>, String> {
    let names = |machines: &mut dyn Iterator<Item = &Machine>| machines.map(|m| m.name.clone()).collect();
    let detached = plan.steps.iter().find(|s| s.detached).map(|s| s.on);
    match detached {
        None => Err("not needed: this runbook runs nothing detached".into()),
        Some(Place::Coordinator) => match &inventory.coordinator {
            Some(c) => Ok(vec![c.name.clone()]),
            None => Err("detached operations run on the coordinator, and the inventory names none".into()),
        },
        Some(Place::AnyNode | Place::EachNode) => Ok(names(&mut inventory.nodes.iter())),
        Some(Place::Everywhere) => Ok(names(&mut inventory.machines())),
    }
}

fn subjects(
    inventory: &Inventory,
    chosen: &Inventory,
    plan: &Plan,
    secrets: &Secrets,
    home: &Result<Vec<String>, String>,
    task: bool,
    (transports, ways): (&Transports, Vec<Way>),
) -> Result<Vec<Subject>> {
    let own = plan.scripts.iter().map(|(path, s)| (path.clone(), s.text.clone()));
    let transport = probes::of_the_transport().into_iter().map(|(name, text)| (name.to_owned(), Arc::from(text)));
    let scripts: Arc<Vec<(String, Arc<str>)>> = Arc::new(own.chain(transport).collect());
    let account = inventory.task.as_ref().map(|t| t.user.clone());
    let subject = |(m, way): (&Machine, Way)| {
        let plain = || hosts::config(m, secrets, inventory);
        let (config, system, through) = match way.by {
            By::Ssh(config) => (config, None, None),
            By::OpenSsh(system) => (plain(), transports.openssh().map(|o| (o, system)), None),
            By::Remoting(config, first) => {
                (plain(), None, Some(Through { first: transports.host(*first)?, config }))
            }
        };
        let is_coordinator = inventory.coordinator.as_ref().is_some_and(|c| c.name == m.name);
        Ok(Subject {
            name: m.name.clone(),
            role: if is_coordinator { "coordinator" } else { "node" },
            address: way.at,
            config,
            system,
            through,
            reaches: inventory.nodes.first().filter(|_| is_coordinator).map(|n| n.name.clone()),
            has_account: account.is_some(),
            task: match home {
                Err(why) => Task::Elsewhere(why.clone()),
                Ok(names) if !names.contains(&m.name) => {
                    Task::Elsewhere(format!("not needed here: detached operations run on {}", names.join(", ")))
                }
                Ok(_) if !task => Task::NotAsked,
                Ok(_) => Task::Try { user: account.clone().unwrap_or_default(), password: secrets.task.clone() },
            },
            scripts: scripts.clone(),
        })
    };
    chosen.machines().zip(ways).map(subject).collect()
}

/// How things are shown.
struct Show {
    signs: Signs,
    colour: bool,
    json: bool,
    /// The inventory, as it was named.
    file: PathBuf,
}

/// Several at a time; shown in the order of the inventory, each as soon as it is its turn.
async fn examine_all(subjects: Vec<Subject>, show: &Show) -> Result<Vec<Examination>> {
    let ssh = Arc::new(SshRuntime::start().wrap_err("cannot start the thread for SSH")?);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let (tell, mut told) = mpsc::unbounded_channel::<(usize, StepId)>();
    let names: Vec<String> = subjects.iter().map(|s| s.name.clone()).collect();
    let mut tasks = JoinSet::new();
    for (i, subject) in subjects.into_iter().enumerate() {
        let (ssh, places, tell) = (ssh.clone(), places.clone(), tell.clone());
        tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            let step = |step| {
                let _ = tell.send((i, step));
            };
            (i, examine(&subject, &ssh, step).await)
        });
    }
    drop(tell);
    let mut all: Vec<Option<Examination>> = names.iter().map(|_| None).collect();
    let (mut shown, mut progress) = (0, Progress::new());
    loop {
        tokio::select! {
            biased;
            Some((i, step)) = told.recv() => {
                let done = all.iter().flatten().count();
                progress.say(&format!("{done} of {} done; {}: {}", names.len(), names[i], step.title()));
            }
            ended = tasks.join_next() => {
                let Some(ended) = ended else { break };
                let (i, mut e) = ended.map_err(|e| eyre!("an examination broke off: {e}"))?;
                name_file(&mut e, show);
                all[i] = Some(e);
                while let Some(Some(e)) = all.get(shown) {
                    if !show.json {
                        progress.clear();
                        print(&block(e, show.signs), show.colour);
                    }
                    shown += 1;
                }
            }
        }
    }
    progress.clear();
    Ok(all.into_iter().flatten().collect())
}

/// Remedies name the inventory at hand.
fn name_file(e: &mut Examination, show: &Show) {
    for step in &mut e.steps {
        if let Some(remedy) = &mut step.finding.remedy {
            *remedy = remedy.replace("-i FILE", &format!("-i {}", show.file.display()));
        }
    }
}

/// One line on a terminal that says what is going on.
struct Progress {
    terminal: bool,
    said: bool,
}

impl Progress {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), said: false }
    }

    fn say(&mut self, text: &str) {
        if self.terminal {
            let text: String = text.chars().take(78).collect();
            eprint!("\r\x1b[2K{text}");
            let _ = std::io::stderr().flush();
            self.said = true;
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.said) {
            eprint!("\r\x1b[2K");
            let _ = std::io::stderr().flush();
        }
    }
}

fn print(lines: &[Line], colour: bool) {
    let mut out = String::new();
    for line in lines {
        for (paint, text) in line {
            match code(*paint).filter(|_| colour) {
                Some(code) => out.push_str(&format!("\x1b[{code}m{text}\x1b[0m")),
                None => out.push_str(text),
            }
        }
        out.push('\n');
    }
    out.push('\n');
    put(&out);
}

/// Writes to standard output; a reader that has left is no mistake of ours.
fn put(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Of the sixteen colours: the terminal's own palette decides how they look.
fn code(paint: Paint) -> Option<&'static str> {
    match paint {
        Paint::Plain => None,
        Paint::Strong => Some("1"),
        Paint::Quiet => Some("2"),
        Paint::Good => Some("32"),
        Paint::Attention => Some("33"),
        Paint::Bad => Some("31"),
    }
}

fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

fn signs(settings: &Settings) -> Signs {
    let ascii = match settings.glyphs {
        settings::Glyphs::Ascii => true,
        settings::Glyphs::Unicode => false,
        // A pipe or a file takes UTF-8.
        settings::Glyphs::Auto => {
            let env = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
            std::io::stdout().is_terminal() && crate::theme::Glyphs::from_env(env).ascii
        }
    };
    if ascii { Signs::ASCII } else { Signs::UNICODE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnose::Source;
    use std::path::Path;

    fn inventory() -> Inventory {
        let text = "[cluster]\nname = 'CL1'\n[coordinator]\nname = 'COORD01'\n[[node]]\nname = 'HCI-N1'\n[[node]]\nname = 'HCI-N2'\n\
                    [ssh]\nuser = 'CORP\\a'\n";
        Inventory::parse(&Source::new("site.toml", text), Path::new("site.toml")).unwrap()
    }

    #[test]
    fn a_wrong_name_gets_the_probable_one_and_the_list() {
        let names =
            |name| choose(&inventory(), name).map(|i| i.machines().map(|m| m.name.clone()).collect::<Vec<_>>());
        assert_eq!(names(None).unwrap(), ["HCI-N1", "HCI-N2", "COORD01"]);
        assert_eq!(names(Some("hci-n2.corp.example")).unwrap(), ["HCI-N2"]);
        assert_eq!(names(Some("coord01")).unwrap(), ["COORD01"]);
        let why = names(Some("hci-n22")).unwrap_err();
        assert!(
            why.contains("Did you mean HCI-N2?") && why.ends_with("There is: HCI-N1, HCI-N2, COORD01"),
            "{why}"
        );
        assert!(!names(Some("zzz")).unwrap_err().contains("Did you mean"));
    }

    #[test]
    fn codes_and_words_of_the_end() {
        let tally = Tally { well: 3, with_caveats: 1, ..Tally::default() };
        assert_eq!((exit(tally), &*summary(tally)), (Exit::Succeeded, "4 machines: 3 well, 1 with caveats"));
        assert_eq!(exit(Tally { with_problems: 1, ..tally }), Exit::Blocked);
        assert_eq!(exit(Tally { with_problems: 1, out_of_reach: 1, ..tally }), Exit::Unreachable);
    }
}
