//! From files to a plan: an inventory and the runbook it is for.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Exit;
use crate::config::inventory::{self, Inventory};
use crate::config::settings::Settings;
use crate::core::hooks::{Hooks, When};
use crate::core::name::NodeName;
use crate::core::plan::Plan;
use crate::core::rehearsal::REHEARSAL;
use crate::core::terms::Terms;
use crate::core::watch::Clocking;
use crate::core::window::{Span, Window};
use crate::engine::Clock;
use crate::runbook::{Library, LoadError, Site};

/// The runbook that is taken where an inventory names none.
pub const DEFAULT_RUNBOOK: &str = "azure-local-powershell";

/// Settings of the runbook that differ for this once.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Serialize, Deserialize)]
pub struct Given {
    /// A setting of the runbook for this once, such as driving=direct; again for another
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, Json)>,
    /// Number of the change that this is done under, instead of the inventory's
    #[arg(long, value_name = "NUMBER", value_parser = change)]
    change: Option<String>,
}

fn change(text: &str) -> Result<String, String> {
    inventory::change_number(text.trim()).map(|()| text.trim().to_owned())
}

/// `name=value`; what is not JSON is a text.
fn setting(text: &str) -> Result<(String, Json), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Json::from(value));
    Ok((name.trim().to_owned(), value))
}

/// Reads an inventory and resolves its runbook. Mistakes are printed; the exit code is what is left to return.
pub fn read_inventory(
    path: &Path,
    settings: &Settings,
    runbook: Option<&str>,
    given: &Given,
) -> Result<(Inventory, Arc<Plan>), Exit> {
    read(path, settings, runbook, given, false)
}

/// The same, for a rehearsal.
pub fn read_rehearsal(
    path: &Path,
    settings: &Settings,
    runbook: Option<&str>,
    given: &Given,
) -> Result<(Inventory, Arc<Plan>), Exit> {
    read(path, settings, runbook, given, true)
}

fn read(
    path: &Path,
    settings: &Settings,
    runbook: Option<&str>,
    given: &Given,
    rehearse: bool,
) -> Result<(Inventory, Arc<Plan>), Exit> {
    let mut inventory = Inventory::read(path).map_err(|d| {
        eprint!("{d}");
        Exit::Usage
    })?;
    if let Some(change) = &given.change {
        inventory.change = Some(change.clone());
    }
    if rehearse {
        inventory.settings.insert(REHEARSAL.to_owned(), Json::Bool(true));
    }
    let plan = resolve(&inventory, settings, runbook, given).map_err(|why| {
        eprint!("{why}");
        if !why.ends_with('\n') {
            eprintln!();
        }
        Exit::Usage
    })?;
    Ok((inventory, plan))
}

/// The engine's clock: the system's, or a lab's.
pub fn clock(inventory: &Inventory) -> Clock {
    let now = Timestamp::now();
    let since = inventory.since.filter(|s| *s <= now).unwrap_or(now);
    let passed = now.duration_since(since).unsigned_abs();
    Clock::new(Clocking { now: since, scale: inventory.scale }.after(passed), inventory.scale)
}

fn resolve(
    inventory: &Inventory,
    settings: &Settings,
    runbook: Option<&str>,
    given: &Given,
) -> Result<Arc<Plan>, String> {
    let id = runbook.or(inventory.runbook.as_deref()).unwrap_or(DEFAULT_RUNBOOK);
    let runbook = Library::new(settings.runbooks.clone()).load(id).map_err(|e| match e {
        // The name stands in the inventory, unless it stands on the command line.
        LoadError::NoSuch(why) if runbook.is_none() => format!("{}: {why}", inventory.path.display()),
        e => e.to_string(),
    })?;
    if inventory.settings.contains_key(REHEARSAL) && !runbook.settings.contains_key(REHEARSAL) {
        return Err(format!("the runbook {} cannot be rehearsed", runbook.info.id));
    }
    let mut site = Site {
        cluster: inventory.cluster.clone(),
        nodes: inventory.nodes.iter().map(|n| NodeName::new(&n.name)).collect(),
        coordinator: inventory.coordinator.as_ref().map(|c| NodeName::new(&c.name)),
        consoles: inventory.consoles.iter().map(|(n, c)| (NodeName::new(n), c.clone())).collect(),
        target: inventory.target.clone(),
        settings: inventory.settings.clone(),
        terms: terms(inventory),
    };
    // A runbook whose run needs no coordinator has no account for its task.
    if let Some(task) = inventory.task.as_ref().filter(|_| runbook.settings.contains_key("task_account")) {
        site.settings.insert("task_account".into(), Json::from(task.user.as_str()));
    }
    site.settings.extend(given.settings.iter().cloned());
    let plan = runbook.plan(&site).map_err(|why| format!("{}: {why}", inventory.path.display()))?;
    Ok(Arc::new(plan))
}

/// What the inventory says was agreed on.
fn terms(inventory: &Inventory) -> Terms {
    let span = |s: &inventory::Span| match *s {
        inventory::Span::Weekly { from, to } => Span::Weekly { from, to },
        inventory::Span::Once { from, to } => Span::Once { from, to },
    };
    let window = inventory.window.as_ref().map(|w| Window {
        spans: w.spans.iter().map(span).collect(),
        zone: w.zone.clone(),
        zone_name: w.zone_name.clone(),
    });
    let hooks = inventory.hooks.as_ref().map(|h| {
        let commands = [(When::BeforeDrain, &h.before_drain), (When::AfterResume, &h.after_resume)];
        let commands = commands.into_iter().filter_map(|(when, c)| Some((when, c.clone()?))).collect();
        Hooks { commands, timeout: h.timeout, pause: h.on_failure == inventory::OnFailure::Pause }
    });
    let (change, change_required) = (inventory.change.clone(), inventory.change_required);
    Terms { change, change_required, window, hooks }
}
