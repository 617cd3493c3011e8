//! `nodelift run`: the screen on a cluster.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use color_eyre::eyre::{Result, WrapErr};

use super::{Exit, earlier, headless, hosts, screen, secrets, session, site};
use crate::config::settings::Settings;
use crate::core::event::{EngineInfo, Stamped};
use crate::core::plan::Plan;
use crate::core::run::{Phase, RunVerdict};
use crate::core::state::State;
use crate::engine::Setup;
use crate::journal::{self, ClusterFolder, Ending, Journal, RunFolder, Writer};
use crate::logs::Logs;

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
        let (inventory, plan) = match read(&self.inventory, settings, self.runbook.as_deref(), &self.given) {
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
        let path = settings.state.join("runs").join(inventory.cluster.replace(['/', '\\'], "_"));
        if let Err(why) = journal::suitable(&path) {
            eprintln!("nodelift: {why}");
            return Ok(Exit::JournalUnusable);
        }
        // One engine a cluster on this machine: two would drain two nodes.
        let cluster = match ClusterFolder::open(&path) {
            Ok(folder) => folder,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                let cluster = &inventory.cluster;
                eprintln!(
                    "nodelift: {cluster} is open in another nodelift here. Go on in that one, or leave it first: q."
                );
                return Ok(Exit::Locked);
            }
            Err(e) => {
                eprintln!("nodelift: {}: {e}", path.display());
                return Ok(Exit::JournalUnusable);
            }
        };
        let opened = match open(&cluster, &plan, self.new, inventory.lab) {
            Ok(o) => o,
            Err(exit) => return Ok(exit),
        };
        let secrets = match secrets::gather(&inventory, secrets::Need::Run) {
            Ok(s) => s,
            Err(exit) => return Ok(exit),
        };
        let hosts = hosts::all(&inventory, &secrets)?;
        let (scale, imitated, read_only) = (inventory.scale, inventory.lab, self.read_only);
        let raw_limit = settings.raw_megabytes.saturating_mul(1 << 20);
        let place = opened.folder.path().to_owned();
        let (engine, stream) = session::start(move || {
            let Opened { folder, plan, plan_sha256, history, epoch, previous, next_segment, run_id, .. } = opened;
            let instance = uuid::Uuid::now_v7().to_string();
            let writer = Writer { epoch, instance: instance.clone() };
            let journal = Journal::open(&folder.journal(), writer, next_segment, previous)
                .wrap_err("the journal cannot be opened")?;
            let logs = Logs::open(&folder.logs()).wrap_err("the logs cannot be opened")?;
            Ok(Setup {
                plan,
                plan_sha256,
                history,
                journal,
                logs,
                hosts,
                vault: secrets.vault(),
                clock: site::clock(&inventory),
                info: EngineInfo {
                    version: env!("CARGO_PKG_VERSION").into(),
                    host: session::host(),
                    user: session::actor(),
                    scale,
                    imitated,
                },
                run_id,
                instance,
                epoch,
                actor: session::actor(),
                read_only,
                check_first: true,
                folder: Some(folder.with_raw_limit(raw_limit)),
            })
        })?;
        let mut end = headless::End::Itself;
        if watched {
            screen::show(stream, settings, screen::Leaving::EndsEngine, Some(place))?;
        } else {
            end = headless::follow(stream, &self.headless)?;
        }
        let state = engine.join()?;
        drop(cluster);
        if end == headless::End::Interrupted {
            eprintln!("Interrupted. What was begun on the machines goes on by itself.");
            farewell(&state, &self.inventory);
            return Ok(Exit::Interrupted);
        }
        Ok(farewell(&state, &self.inventory))
    }
}

/// A run's folder, and what it holds so far.
struct Opened {
    folder: RunFolder,
    plan: Arc<Plan>,
    plan_sha256: String,
    history: Vec<Stamped>,
    epoch: u64,
    previous: Option<String>,
    next_segment: u32,
    run_id: String,
    /// What was under way before a start, in words.
    left: Option<String>,
}

/// The unfinished run of this cluster, or a new one.
fn open(cluster: &ClusterFolder, plan: &Arc<Plan>, new: bool, imitated: bool) -> Result<Opened, Exit> {
    let said = |why: String, exit: Exit| {
        eprintln!("nodelift: {why}");
        exit
    };
    for path in cluster.runs().iter().take(LOOKED_AT) {
        let found = match found(path) {
            Ok(found) => found,
            // Whoever begins anew has seen what is wrong with it.
            Err(_) if new => break,
            Err((why, exit)) => return Err(said(why, exit)),
        };
        match found {
            Found::Looked => {}
            Found::Over => break,
            Found::Unfinished(opened) if new => {
                let what = opened.left.as_deref().unwrap_or("an upgrade");
                eprintln!("Beginning anew. The run of {} was left unfinished: {what}.", opened.run_id);
                break;
            }
            Found::Unfinished(opened) if plan.rehearses() && !opened.plan.rehearses() => {
                let why = format!(
                    "the run of {} was left unfinished: end it before a rehearsal, or begin anew with --new",
                    opened.run_id
                );
                return Err(said(why, Exit::NeedsPerson));
            }
            Found::Unfinished(opened) => {
                let what = if opened.plan.rehearses() { "rehearsal" } else { "run" };
                eprintln!("Going on with the {what} of {}.", opened.run_id);
                if opened.plan.rehearses() && !plan.rehearses() {
                    eprintln!("When it has ended, nodelift run begins the upgrade.");
                } else if (Plan { learned: BTreeMap::new(), ..(*opened.plan).clone() }) != **plan {
                    eprintln!(
                        "The inventory or the runbook has changed since: this run goes on as it was begun. --new begins another."
                    );
                }
                return Ok(*opened);
            }
        }
    }
    let run_id = uuid::Uuid::now_v7().to_string();
    let path = cluster.path().join(&run_id);
    let cannot =
        |e: std::io::Error| said(format!("{} cannot be made: {e}", path.display()), Exit::JournalUnusable);
    let folder = RunFolder::open(&path).map_err(cannot)?;
    let learned = earlier::times(&cluster.runs(), imitated);
    let plan = Arc::new(Plan { learned, ..(**plan).clone() });
    let plan_sha256 = folder.seal(&plan).map_err(cannot)?;
    Ok(Opened {
        folder,
        plan,
        plan_sha256,
        history: Vec::new(),
        epoch: 1,
        previous: None,
        next_segment: 1,
        run_id,
        left: None,
    })
}

/// Folders that are looked at for a run that was left: most of them only checked.
const LOOKED_AT: usize = 50;

/// What an earlier folder holds.
enum Found {
    /// Nothing was changed by it.
    Looked,
    /// It did something, and it is over.
    Over,
    /// It touched nodes, or was about to, and has not ended.
    Unfinished(Box<Opened>),
}

fn found(path: &Path) -> Result<Found, (String, Exit)> {
    let Ok((plan, plan_sha256)) = journal::read_plan(path) else { return Ok(Found::Looked) };
    let Ok(read) = journal::read(&path.join("journal")) else { return Ok(Found::Looked) };
    let mut state = State::new(plan.clone());
    read.events.iter().for_each(|e| state.apply(e));
    // Before the start too something may be half done: a fix, or a node that was drained for a restart.
    let left = match state.open_sequence() {
        Some((run, sequence)) => Some(match run.in_work() {
            Some(node) => format!("{}, with {node} perhaps out of service", sequence.title),
            None => sequence.title.clone(),
        }),
        None => state.fixes.values().find(|f| f.answer.is_none()).map(|f| format!("a fix on {}", f.node)),
    };
    if state.run.is_none() && left.is_none() {
        return Ok(if state.sequence.is_some() { Found::Over } else { Found::Looked });
    }
    if state.phase.is_terminal() {
        return Ok(Found::Over);
    }
    if let Some(why) = &read.newer {
        let why = format!(
            "{}: this journal is of a newer nodelift ({why}). Go on with that one; `nodelift replay` shows what this one understands.",
            path.display()
        );
        return Err((why, Exit::JournalUnusable));
    }
    if let Ending::Corrupt { segment, line, why } = &read.ending {
        let why = format!(
            "{}:{line}: {why}. The run cannot go on from a damaged journal; look at it with `nodelift replay {}`, or begin \
             anew with --new after making sure that no update run is going on.",
            segment.display(),
            path.display()
        );
        return Err((why, Exit::JournalUnusable));
    }
    let folder = RunFolder::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::WouldBlock => {
            (format!("{e}. Go on in that nodelift, or leave it first: q."), Exit::Locked)
        }
        _ => (format!("{}: {e}", path.display()), Exit::JournalUnusable),
    })?;
    read.mend().map_err(|e| (format!("{}: {e}", path.display()), Exit::JournalUnusable))?;
    let run_id = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    Ok(Found::Unfinished(Box::new(Opened {
        left,
        folder,
        plan,
        plan_sha256,
        epoch: read.epoch + 1,
        previous: read.previous,
        next_segment: read.next_segment,
        history: read.events,
        run_id,
    })))
}

/// What is left to say after the screen, and the exit code.
fn farewell(state: &State, inventory: &Path) -> Exit {
    let again = format!("nodelift run -i {}", inventory.display());
    if let Some((run, sequence)) = state.open_sequence() {
        let at = run.in_work().map_or_else(String::new, |n| format!(" at {n}, which may be out of service"));
        println!("{}: {} was left{at}. Go on with: {again}", state.plan.cluster, sequence.title);
        return Exit::NeedsPerson;
    }
    match (&state.verdict, &state.phase) {
        (Some(RunVerdict::Succeeded), _) => {
            println!("{}: {}.", state.plan.cluster, state.phase_why);
            Exit::Succeeded
        }
        (Some(RunVerdict::SucceededWithIssues), _) => {
            println!("{}: {}.", state.plan.cluster, state.phase_why);
            Exit::WithIssues
        }
        (Some(_), _) => {
            println!("{}: {}.", state.plan.cluster, state.phase_why);
            Exit::Failed
        }
        (None, p) if p.is_under_way() || *p == Phase::AwaitingCommit => {
            let name = &state.plan.driver.name;
            println!(
                "{}: {}. {name} is not disturbed by this; look again with: {again}",
                state.plan.cluster,
                p.word()
            );
            Exit::NeedsPerson
        }
        (None, phase) => {
            for (node, trouble) in state.cut_off() {
                println!("{node}: {}. {}", trouble.message, trouble.remedy);
            }
            if *phase != Phase::Blocked {
                return Exit::Succeeded;
            }
            println!("{}: blocked, {}. Look again with: {again}", state.plan.cluster, state.phase_why);
            Exit::Blocked
        }
    }
}
