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

/// What the runbook says about it, with the node's name. A line that names its console is left out where none is known.
pub fn cure(state: &State, node: &NodeName) -> Option<Cure> {
    let cure = state.plan.driver.cures.get(&fault(state, node)?)?;
    let console = state.plan.consoles.get(node);
    let known = |l: &&String| console.is_some() || !l.contains("{console}");
    let console = console.map_or("", String::as_str);
    let named = |l: &String| l.replace("{node}", node.as_str()).replace("{console}", console);
    let all = |lines: &[String]| lines.iter().filter(known).map(named).collect();
    Some(Cure { say: all(&cure.say), commands: all(&cure.commands) })
}
