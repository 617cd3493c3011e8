//! What earlier runs of a cluster took, from their journals: for the plan of the next one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::core::pace::{Learned, complete, learned};
use crate::core::plan::Stage;
use crate::core::state::State;
use crate::journal;

/// Folders that are looked at: most of them only checked.
const LOOKED_AT: usize = 50;

/// Times of every stage that one of the runs knows, the newest first. A run on imitated machines says nothing of real ones, and the
/// other way round; one that cannot be read says nothing.
pub fn times(runs: &[PathBuf], imitated: bool) -> BTreeMap<Stage, Learned> {
    let mut known = BTreeMap::new();
    for path in runs.iter().take(LOOKED_AT) {
        if known.len() == Stage::TRACK.len() {
            break;
        }
        let Ok((plan, _)) = journal::read_plan(path) else { continue };
        let Ok(read) = journal::read(&path.join("journal")) else { continue };
        let mut state = State::new(plan);
        read.events.iter().for_each(|e| state.apply(e));
        if state.engine.as_ref().is_some_and(|e| e.imitated == imitated) {
            complete(&mut known, learned(&state));
        }
    }
    known
}
