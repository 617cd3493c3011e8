//! Gates that were closed when a node was taken out of service (run-safety-model 2): in a delegated run they only watch.

use jiff::Timestamp;
use serde::Serialize;

use crate::core::event::{Event, Stamped};
use crate::core::gate_rules::title;
use crate::core::gates::evaluate;
use crate::core::name::NodeName;
use crate::core::state::State;

/// A gate that was closed, and the node that went through.
#[derive(Clone, Debug, Serialize)]
pub struct Passed {
    pub at: Timestamp,
    pub node: String,
    pub gate: String,
    pub title: String,
    pub why: String,
}

/// Gates that were closed for the node that an event takes out of service. `before`: the state it met.
pub fn passed(before: &State, stamped: &Stamped) -> Vec<Passed> {
    let Event::UnitChanged { node, to, .. } = &stamped.event else { return Vec::new() };
    let from = before.unit(node).map(|u| u.state);
    // A node of which nothing was known for a while was taken out of service before.
    let begins = to.in_work() && from.is_some_and(|f| !f.in_work() && !f.is_bad());
    if !begins || before.unit(node).is_some_and(|u| u.boots > 0) {
        return Vec::new();
    }
    let closed = evaluate(&in_its_place(before, node), stamped.at).into_iter().filter(|g| !g.open && g.known);
    closed
        .map(|g| Passed {
            at: stamped.at,
            node: node.to_string(),
            gate: g.id.into_owned(),
            title: g.title.into_owned(),
            why: g.why,
        })
        .collect()
}

/// The state as it would be if the cluster had not begun with the node: that it is paused now is no closed gate.
fn in_its_place(state: &State, node: &NodeName) -> State {
    let mut state = state.clone();
    if let Some(cluster) = state.machines.get_mut(node).and_then(|m| m.cluster.as_mut()) {
        cluster.value.state = "Up".to_owned();
        cluster.value.status = "Normal".to_owned();
    }
    if let Some(storage) = state.storage.as_mut().filter(|s| s.value.in_sync()) {
        storage.value.units.clear();
        storage.value.nodes_not_up.clear();
        storage.value.open = true;
    }
    state
}

/// A waiver that was given.
#[derive(Clone, Debug, Serialize)]
pub struct Waived {
    /// The check or the gate, in words.
    pub what: String,
    pub node: Option<String>,
    pub by: String,
    pub reason: String,
    pub expires: Timestamp,
}

/// Every waiver of the run.
pub fn waived(state: &State) -> Vec<Waived> {
    let one = |w: &crate::core::event::Waiver| Waived {
        what: title(state, &w.key).to_owned(),
        node: w.key.node.as_ref().map(ToString::to_string),
        by: w.by.clone(),
        reason: w.reason.clone(),
        expires: w.expires,
    };
    state.waivers.iter().map(one).collect()
}
