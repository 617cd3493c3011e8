//! The nodes of a run: where each stands, how long each stage took against what is usual, and what is not as it was.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::core::baseline::unexplained_on;
use crate::core::plan::Stage;
use crate::core::state::{State, Unit};
use crate::core::summary::spent;

/// One node.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    pub name: String,
    /// Where it stands, in a word, and why.
    pub state: &'static str,
    pub why: String,
    /// It ended as wanted.
    pub good: bool,
    pub build_before: Option<u64>,
    pub build: Option<u64>,
    /// Starts of the system seen since the run began.
    pub boots: u32,
    /// From its first stage to its last.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub stages: Vec<Spent>,
    /// What is not as it was, and nobody explained.
    pub unexplained: Vec<Found>,
    pub accepted: Vec<Accepted>,
    /// How many changes were expected, by why they are.
    pub expected_changes: BTreeMap<String, u32>,
    /// It was compared with what it was before.
    pub compared: bool,
}

/// Time in one stage.
#[derive(Clone, Debug, Serialize)]
pub struct Spent {
    pub stage: Stage,
    pub seconds: u64,
    /// Seconds that earlier runs of the cluster took, else what the runbook expects; and after which a person should look. 0 where
    /// nobody says.
    pub usual: u64,
    pub limit: u64,
}

/// A change that is not explained.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    pub text: String,
    /// What it is known as, and what to do.
    pub known: Option<String>,
    pub remedy: Option<String>,
}

/// Changes that a person accepted.
#[derive(Clone, Debug, Serialize)]
pub struct Accepted {
    pub at: Timestamp,
    pub by: String,
    pub reason: String,
    pub changes: Vec<String>,
}

/// Every node, in the order of the plan.
pub fn all(state: &State) -> Vec<Node> {
    let Some(run) = &state.run else { return Vec::new() };
    let one = |name| {
        let unit = run.units.get(name)?;
        let known = run.configurations.get(name);
        let rules = state.plan.baseline.as_ref();
        let found = unexplained_on(state, name).into_iter().map(|c| {
            let known = c.known.as_ref().and_then(|id| rules?.known(id));
            Found {
                text: c.text(),
                known: known.map(|k| k.title.clone()),
                remedy: known.map(|k| k.remedy.clone()),
            }
        });
        let accepted = known.into_iter().flat_map(|c| &c.accepted).map(|a| Accepted {
            at: a.at,
            by: a.by.clone(),
            reason: a.reason.clone(),
            changes: a.changes.iter().map(crate::core::baseline::Change::text).collect(),
        });
        let compared = known.and_then(|c| c.compared.as_ref());
        Some(Node {
            name: name.to_string(),
            state: unit.state.word(),
            why: unit.why.clone(),
            good: unit.state.is_good(),
            build_before: run.baseline.get(name).map(|b| b.build),
            build: state.machines.get(name).and_then(|m| m.build()),
            boots: unit.boots,
            from: unit.track.first().map(|p| p.from),
            to: unit.track.last().and_then(|p| p.to),
            stages: stages(state, unit),
            unexplained: found.collect(),
            accepted: accepted.collect(),
            expected_changes: compared.map(|c| c.value.expected.clone()).unwrap_or_default(),
            compared: compared.is_some(),
        })
    };
    state.plan.nodes.iter().filter_map(one).collect()
}

fn stages(state: &State, unit: &Unit) -> Vec<Spent> {
    let passed = Stage::TRACK.iter().filter(|s| unit.track.iter().any(|p| p.stage == **s));
    let one = |stage: &Stage| {
        let seconds = spent(unit, *stage)?;
        let limit = state.plan.stages.get(stage).map_or(0, |b| b.limit);
        Some(Spent { stage: *stage, seconds, usual: state.plan.usual(*stage), limit })
    };
    passed.filter_map(one).collect()
}
