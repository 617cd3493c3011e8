//! A rehearsal: the driver drains, restarts and resumes every node, and no OS is changed (azure-local-upgrade 1.1, B7). Which script does
//! that, and how, is the runbook's; here is what follows from it.

use serde_json::Value as Json;

use super::plan::{Class, Plan, Step, StepKind};

/// Setting of a runbook that can be rehearsed; true = this run is one.
pub const REHEARSAL: &str = "rehearsal";

impl Plan {
    /// This run only rehearses.
    pub fn rehearses(&self) -> bool {
        self.settings.get(REHEARSAL) == Some(&Json::Bool(true))
    }
}

/// The steps of a rehearsal: up to those that move the nodes, the proof, and clean-ups. What comes after an upgrade has no place there, and
/// what cannot be undone least of all, whatever the runbook says.
pub fn steps(all: &[Step]) -> Vec<Step> {
    let moved = all.iter().rposition(|s| s.kind.moves_nodes()).unwrap_or(0);
    let kept = |(i, s): &(usize, &Step)| {
        let stays = *i <= moved || s.always || s.kind == StepKind::Verify;
        stays && s.class != Class::Irreversible && s.kind != StepKind::Commit
    };
    all.iter().enumerate().filter(kept).map(|(_, s)| s.clone()).collect()
}
