//! Runbooks are data: TOML, PowerShell and expressions become a plan. A mistake in them is found here, with its place,
//! never on a node.

mod baseline;
mod checked;
mod files;
pub mod lint;
mod load;
mod schema;
mod sequence;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value as Json;

pub use files::Files;

use crate::config::diagnose::{Diagnostics, suggest};
use crate::core::baseline::Baseline;
use crate::core::gate_rules::GateRule;
use crate::core::name::NodeName;
use crate::core::plan::{
    Check, Driver, FactGroup, LogSource, Plan, RunbookInfo, Script, ScriptId, Stage, StageBudget, Step, Target,
};
use crate::core::rehearsal;
use crate::core::sequence::Sequence;
use crate::core::terms::Terms;

/// Largest script, in bytes: it travels as one line (powershell-over-ssh 15).
const LARGEST_SCRIPT: usize = 900_000;

/// A runbook, checked and complete but for the site it is run on.
#[derive(Clone, Debug)]
pub struct Runbook {
    pub info: RunbookInfo,
    pub targets: BTreeMap<String, Target>,
    pub default_target: String,
    pub settings: BTreeMap<String, Json>,
    /// Settings that an inventory may not give here, and what to do instead.
    pub refused: BTreeMap<String, String>,
    pub facts: Vec<FactGroup>,
    pub checks: Vec<Check>,
    /// Every step, whatever the settings.
    pub steps: Vec<Step>,
    pub driver: Driver,
    pub logs: Vec<LogSource>,
    pub gates: Vec<GateRule>,
    pub sequences: Vec<Sequence>,
    pub baseline: Option<Baseline>,
    pub scripts: BTreeMap<ScriptId, Script>,
    pub stages: BTreeMap<Stage, StageBudget>,
    /// What the simulator answers: the text of `<script>.sim.toml` for every script that has one.
    pub answers: BTreeMap<ScriptId, Arc<str>>,
}

/// What a runbook is run on.
#[derive(Clone, Debug, Default)]
pub struct Site {
    pub cluster: String,
    pub nodes: Vec<NodeName>,
    pub coordinator: Option<NodeName>,
    /// Where a person gets at a machine that nothing else reaches, as text.
    pub consoles: BTreeMap<NodeName, String>,
    /// Name of the target; the runbook's own where absent.
    pub target: Option<String>,
    /// Settings that differ from the runbook's.
    pub settings: BTreeMap<String, Json>,
    /// Change number, maintenance window.
    pub terms: Terms,
}

impl Runbook {
    /// The plan of this runbook for a site.
    ///
    /// # Errors
    /// The target or a setting is not one of the runbook's: in words, with the probable one.
    pub fn plan(&self, site: &Site) -> Result<Plan, String> {
        let name = site.target.as_deref().unwrap_or(&self.default_target);
        let target = self.targets.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.targets.keys().map(String::as_str).collect();
            format!("runbook {} has no target `{name}`: {}", self.info.id, suggest(name, known))
        })?;
        let mut settings = self.settings.clone();
        for (key, value) in &site.settings {
            if let Some(instead) = self.refused.get(key) {
                return Err(format!("runbook {} does not take the setting `{key}`: {instead}", self.info.id));
            }
            let Some(known) = settings.get_mut(key) else {
                let known: Vec<&str> = self.settings.keys().map(String::as_str).collect();
                return Err(format!("runbook {} has no setting `{key}`: {}", self.info.id, suggest(key, known)));
            };
            *known = value.clone();
        }
        let rehearsed = settings.get(rehearsal::REHEARSAL) == Some(&Json::Bool(true));
        let steps = if rehearsed { rehearsal::steps(&self.steps) } else { self.steps.clone() };
        let mut stages = self.stages.clone();
        if rehearsed {
            // Nobody has said how long the mock of Setup takes.
            stages.retain(|s, _| !matches!(s, Stage::Staging | Stage::Installing));
        }
        let mut runbook = self.info.clone();
        runbook.short = runbook.short.replace("{from}", &target.from_version).replace("{to}", &target.version);
        let plan = Plan {
            runbook,
            cluster: site.cluster.clone(),
            nodes: site.nodes.clone(),
            coordinator: site.coordinator.clone(),
            consoles: site.consoles.clone(),
            target: target.clone(),
            settings,
            facts: self.facts.clone(),
            checks: self.checks.clone(),
            steps,
            left_out: Vec::new(),
            driver: self.driver.clone(),
            logs: self.logs.clone(),
            gates: self.gates.clone(),
            sequences: self.sequences.clone(),
            baseline: self.baseline.clone(),
            scripts: self.scripts.clone(),
            stages,
            learned: BTreeMap::new(),
            terms: site.terms.clone(),
        };
        let plan = plan.with(&BTreeMap::new());
        if !plan.steps.iter().any(|s| s.kind.moves_nodes())
            && let Some(out) = plan.left_out.iter().find(|l| l.step.kind.moves_nodes())
        {
            let known = |(name, _): (&String, &Json)| {
                let values = plan.left_out.iter().filter_map(|l| l.step.only.get(name));
                format!("{name} is {}: it may be {}", settings_text(plan.settings.get(name)), joined(values))
            };
            return Err(out.step.only.iter().map(known).collect::<Vec<_>>().join("; "));
        }
        Ok(plan)
    }
}

fn settings_text(value: Option<&Json>) -> String {
    value.map_or_else(|| "absent".to_owned(), Json::to_string)
}

fn joined<'a>(values: impl Iterator<Item = &'a Json>) -> String {
    values.map(Json::to_string).collect::<Vec<_>>().join(" or ")
}

/// Where runbooks are looked for: the built-in files, and over them a user's folder. A file there replaces the built-in one
/// of the same path; `<id>/extra.toml` adds facts and checks to a runbook.
#[derive(Clone, Debug)]
pub struct Library(Files);

impl Library {
    /// The built-in runbooks, and over them a folder where one is given.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self(Files::new(folder))
    }

    /// Ids of all runbooks, with where each comes from, in order.
    pub fn list(&self) -> Vec<(String, String)> {
        let place = |id: &String| self.0.name(&format!("{id}/runbook.toml"));
        self.0.runbooks().into_iter().map(|id| (id.clone(), place(&id))).collect()
    }

    /// Loads the runbook of that id.
    ///
    /// # Errors
    /// There is none, or every mistake in its files.
    pub fn load(&self, id: &str) -> Result<Runbook, LoadError> {
        let all = self.0.runbooks();
        if !all.iter().any(|r| r == id) {
            let known: Vec<&str> = all.iter().map(String::as_str).collect();
            return Err(LoadError::NoSuch(format!("there is no runbook `{id}`: {}", suggest(id, known))));
        }
        load::load(&self.0, &format!("{id}/runbook.toml")).map_err(LoadError::Wrong)
    }
}

/// Why a runbook cannot be used.
#[derive(Debug)]
pub enum LoadError {
    NoSuch(String),
    Wrong(Diagnostics),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LoadError::NoSuch(why) => f.write_str(why),
            LoadError::Wrong(d) => d.fmt(f),
        }
    }
}

impl std::error::Error for LoadError {}
