//! From an order to an engine: the unfinished run of the cluster, or a new one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, WrapErr};
use serde::{Deserialize, Serialize};

use super::secrets::Secrets;
use super::{Exit, earlier, hosts, session, site};
use crate::config::settings::Settings;
use crate::core::event::{EngineInfo, Stamped};
use crate::core::plan::Plan;
use crate::core::state::State;
use crate::engine::Setup;
use crate::journal::{self, ClusterFolder, Ending, Journal, RunFolder, Writer};
use crate::logs::Logs;

/// What a run is begun with, without its secrets: kept in its folder, so that it can be recovered by its name alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Where the inventory lies; absolute.
    pub inventory: PathBuf,
    /// Another runbook than the inventory's.
    pub runbook: Option<String>,
    /// What differs from the inventory for this once.
    pub given: site::Given,
    pub rehearse: bool,
    /// Begin anew where a run was left unfinished.
    pub new: bool,
    /// Every command that changes something is refused.
    pub read_only: bool,
}

/// Its name in the folder of a run.
const ORDER: &str = "order.json";

impl Order {
    /// What a run was begun with.
    ///
    /// # Errors
    /// It is not there, or unreadable: in words.
    pub fn of(run: &Path) -> Result<Self, String> {
        let path = run.join(ORDER);
        let text = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn keep(&self, run: &Path) -> std::io::Result<()> {
        std::fs::write(run.join(ORDER), serde_json::to_vec_pretty(self)?)
    }

    /// Reads the inventory and resolves the runbook. Mistakes are printed.
    pub fn resolve(&self, settings: &Settings) -> Result<(crate::config::inventory::Inventory, Arc<Plan>), Exit> {
        let read = if self.rehearse { site::read_rehearsal } else { site::read_inventory };
        read(&self.inventory, settings, self.runbook.as_deref(), &self.given)
    }
}

/// Where the runs of a cluster lie.
pub fn cluster_folder(settings: &Settings, cluster: &str) -> PathBuf {
    settings.state.join("runs").join(cluster.replace(['/', '\\'], "_"))
}

/// Everything that an engine needs, with both folders locked.
pub struct Begun {
    pub cluster: ClusterFolder,
    /// The folder of the run.
    pub run: PathBuf,
    /// Makes the engine's setup: inside its runtime, for clocks start there.
    pub setup: Box<dyn FnOnce() -> Result<Setup> + Send>,
}

/// Opens the run that an order asks for. `say`: what a person is told meanwhile.
///
/// # Errors
/// The exit code; why was said.
pub fn begin(
    order: Order,
    secrets: Secrets,
    settings: &Settings,
    say: &mut dyn FnMut(String),
) -> Result<Begun, Exit> {
    let (inventory, plan) = order.resolve(settings)?;
    let path = cluster_folder(settings, &inventory.cluster);
    if let Err(why) = journal::suitable(&path) {
        say(format!("nodelift: {why}"));
        return Err(Exit::JournalUnusable);
    }
    // One engine a cluster on this machine: two would drain two nodes.
    let cluster = match alone_in(&path) {
        Ok(folder) => folder,
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
            let name = &inventory.cluster;
            say(format!("nodelift: another engine holds {name} here: nodelift attach {name}"));
            return Err(Exit::Locked);
        }
        Err(e) => {
            say(format!("nodelift: {}: {e}", path.display()));
            return Err(Exit::JournalUnusable);
        }
    };
    // Runtimes of their own: not inside the engine's.
    let hosts = hosts::all(&inventory, &secrets).map_err(|e| {
        say(format!("nodelift: {e:#}"));
        Exit::Internal
    })?;
    let opened = open(&cluster, &plan, order.new, inventory.lab, say)?;
    let run = opened.folder.path().to_owned();
    if let Err(e) = order.keep(&run) {
        say(format!("nodelift: {}: {e}", run.display()));
        return Err(Exit::JournalUnusable);
    }
    let raw_limit = settings.raw_megabytes.saturating_mul(1 << 20);
    let setup = Box::new(move || {
        let (scale, imitated) = (inventory.scale, inventory.lab);
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
            read_only: order.read_only,
            check_first: true,
            folder: Some(folder.with_raw_limit(raw_limit)),
        })
    });
    Ok(Begun { cluster, run, setup })
}

/// Locks the folder of a cluster. An engine that has just been left may need a moment to end.
fn alone_in(path: &Path) -> std::io::Result<ClusterFolder> {
    let since = Instant::now();
    loop {
        match ClusterFolder::open(path) {
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock && since.elapsed() < ENDS_WITHIN => {
                std::thread::sleep(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}

/// How long an engine that was left may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(3);

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
fn open(
    cluster: &ClusterFolder,
    plan: &Arc<Plan>,
    new: bool,
    imitated: bool,
    say: &mut dyn FnMut(String),
) -> Result<Opened, Exit> {
    for path in cluster.runs().iter().take(LOOKED_AT) {
        let found = match found(path) {
            Ok(found) => found,
            // Whoever begins anew has seen what is wrong with it.
            Err(_) if new => break,
            Err((why, exit)) => {
                say(format!("nodelift: {why}"));
                return Err(exit);
            }
        };
        match found {
            Found::Looked => {}
            Found::Over => break,
            Found::Unfinished(opened) if new => {
                let what = opened.left.as_deref().unwrap_or("an upgrade");
                say(format!("Beginning anew. The run of {} was left unfinished: {what}.", opened.run_id));
                break;
            }
            Found::Unfinished(opened) if plan.rehearses() && !opened.plan.rehearses() => {
                say(format!(
                    "nodelift: the run of {} was left unfinished: end it before a rehearsal, or begin anew with --new",
                    opened.run_id
                ));
                return Err(Exit::NeedsPerson);
            }
            Found::Unfinished(opened) => {
                let what = if opened.plan.rehearses() { "rehearsal" } else { "run" };
                say(format!("Going on with the {what} of {}.", opened.run_id));
                if opened.plan.rehearses() && !plan.rehearses() {
                    say("When it has ended, nodelift run begins the upgrade.".into());
                } else if (Plan { learned: BTreeMap::new(), ..(*opened.plan).clone() }) != **plan {
                    let why = "The inventory or the runbook has changed since: this run goes on as it was begun. --new begins another.";
                    say(why.into());
                }
                return Ok(*opened);
            }
        }
    }
    let run_id = uuid::Uuid::now_v7().to_string();
    let path = cluster.path().join(&run_id);
    let learned = earlier::times(&cluster.runs(), imitated);
    let plan = Arc::new(Plan { learned, ..(**plan).clone() });
    let made = RunFolder::open(&path).and_then(|folder| Ok((folder.seal(&plan)?, folder)));
    let (plan_sha256, folder) = match made {
        Ok(made) => made,
        Err(e) => {
            say(format!("nodelift: {} cannot be made: {e}", path.display()));
            return Err(Exit::JournalUnusable);
        }
    };
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
    let none = |e: &std::io::Error| e.kind() == std::io::ErrorKind::NotFound;
    // What cannot be read may be a run that goes on: another one beside it would drain two nodes.
    let unreadable = |e: std::io::Error| {
        let why = format!(
            "{}: {e}. Whether a run of it goes on cannot be told: make sure that none does, then begin anew with --new, or put \
             that folder elsewhere.",
            path.display()
        );
        (why, Exit::JournalUnusable)
    };
    let (plan, plan_sha256) = match journal::read_plan(path) {
        Ok(plan) => plan,
        Err(e) if none(&e) => return Ok(Found::Looked),
        Err(e) => return Err(unreadable(e)),
    };
    let read = match journal::read(&path.join("journal")) {
        Ok(read) => read,
        Err(e) if none(&e) => return Ok(Found::Looked),
        Err(e) => return Err(unreadable(e)),
    };
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
    let told = !matches!(read.ending, Ending::Corrupt { .. }) && read.newer.is_none();
    if state.run.is_none() && left.is_none() && told {
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
        std::io::ErrorKind::WouldBlock => (format!("{e}. Look at it: nodelift attach."), Exit::Locked),
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
