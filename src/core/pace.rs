//! How long things took before: what earlier runs of a cluster say of the stages of the next one (run-safety-model 9.3).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::Stage;
use super::state::{State, Unit};
use super::summary::{Usual, duration, usual};

/// What a stage took on the nodes of one earlier run of this cluster, in seconds. Sealed into the plan of the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// The middle one of its nodes.
    pub usual: u64,
    /// The quickest and the slowest.
    pub least: u64,
    pub most: u64,
    /// When that run was started.
    pub started: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
}

impl Learned {
    /// Where it is from: `the rehearsal of 2026-02-01`.
    pub fn source(&self) -> String {
        let what = if self.rehearsal { "rehearsal" } else { "run" };
        format!("the {what} of {}", self.started.strftime("%F"))
    }
}

/// What a rehearsal does as an upgrade does it. It downloads and installs nothing, so that it says nothing of these.
fn is_real(stage: Stage, rehearsal: bool) -> bool {
    !rehearsal || !matches!(stage, Stage::Staging | Stage::Installing)
}

/// What a run says of the stages, by its nodes that ended well.
pub fn learned(state: &State) -> BTreeMap<Stage, Learned> {
    let Some(run) = &state.run else { return BTreeMap::new() };
    let rehearsal = state.plan.rehearses();
    let of = |stage: Stage| {
        let done = run.units.values().filter(|u| u.state.is_good());
        let mut took: Vec<u64> = done.filter_map(|u| spent(u, stage)).filter(|s| *s > 0).collect();
        took.sort_unstable();
        let (least, most) = (*took.first()?, *took.last()?);
        Some((stage, Learned { usual: took[took.len() / 2], least, most, started: run.started_at, rehearsal }))
    };
    Stage::TRACK.into_iter().filter(|s| is_real(*s, rehearsal)).filter_map(of).collect()
}

/// Adds what an older run says of stages that nothing is known of yet.
pub fn complete(known: &mut BTreeMap<Stage, Learned>, older: BTreeMap<Stage, Learned>) {
    for (stage, learned) in older {
        known.entry(stage).or_insert(learned);
    }
}

/// Where those that went before were after as long in the dark: for a node that says nothing itself.
pub fn placed(state: &State, unit: &Unit, now: Timestamp) -> Option<String> {
    let here = unit.track.last().filter(|p| p.to.is_none() && p.stage == Stage::Restarting)?;
    let passed = now.duration_since(here.from).as_secs().max(0) as u64;
    let about = |s: u64| duration(s as i64);
    match usual(state, Stage::Restarting) {
        Usual::Sibling(node, s) if passed <= s => Some(format!("{node} was dark for {} here", about(s))),
        Usual::Sibling(node, s) => Some(format!("{node} was back after {}", about(s))),
        Usual::Earlier(l) if passed <= l.most => {
            Some(format!("dark {} to {} before", about(l.least), about(l.most)))
        }
        Usual::Earlier(l) => Some(format!("back after {} at most before", about(l.most))),
        Usual::Plan(_) => None,
    }
}

/// Seconds a node spent in a stage that it has left.
pub fn spent(unit: &Unit, stage: Stage) -> Option<u64> {
    let passages = unit.track.iter().filter(|p| p.stage == stage);
    passages.map(|p| p.to.map(|to| to.duration_since(p.from).as_secs().max(0) as u64)).sum()
}
