//! What a person can do about a node that does not go on by itself: the words are the runbook's (run-safety-model 12,
//! azure-local-upgrade 4.3).

use super::name::NodeName;
use super::plan::{Cure, Fault};
use super::run::UnitState;
use super::state::State;

/// What keeps a node from going on, where that is something for which runbooks have words.
pub fn fault(state: &State, node: &NodeName) -> Option<Fault> {
    let unit = state.unit(node)?;
    if unit.drain_failed() {
        return Some(Fault::DrainFailed);
    }
    let machine = state.machines.get(node)?;
    let seen = machine.cluster.as_ref().is_some_and(|c| c.value.state != "Down");
    (unit.state == UnitState::Returning && seen && !machine.connection.is_ready()).then_some(Fault::NoSsh)
}

/// What the runbook says about it, with the node's name.
pub fn cure(state: &State, node: &NodeName) -> Option<Cure> {
    let cure = state.plan.driver.cures.get(&fault(state, node)?)?;
    let named = |lines: &[String]| lines.iter().map(|l| l.replace("{node}", node.as_str())).collect();
    Some(Cure { say: named(&cure.say), commands: named(&cure.commands) })
}
