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

/// The steps of a rehearsal: up to the driver's, and the proof. What comes after an upgrade has no place there, and what cannot be
/// undone least of all, whatever the runbook says.
pub fn steps(all: &[Step]) -> Vec<Step> {
    let driver = all.iter().position(|s| s.kind == StepKind::Delegate).unwrap_or(0);
    let kept = |(i, s): &(usize, &Step)| {
        s.class != Class::Irreversible
            && s.kind != StepKind::Commit
            && (*i <= driver || s.kind == StepKind::Verify)
    };
    all.iter().enumerate().filter(kept).map(|(_, s)| s.clone()).collect()
}
