//! What stands unexplained, and what waits for that.

use super::{Change, Configuration, What};
use crate::core::event::Answer;
use crate::core::gates::Gate;
use crate::core::name::NodeName;
use crate::core::state::State;

/// What is not as it was on nodes of the run, and what nobody accepted: in the order of the plan. A node whose configuration could not be
/// read before the run is among them; one that is not compared yet is not, see `missing`.
pub fn unexplained(state: &State) -> Vec<(&NodeName, Change)> {
    let nodes = state.plan.nodes.iter();
    nodes.flat_map(|n| unexplained_on(state, n).into_iter().map(move |c| (n, c))).collect()
}

/// The same of one node.
pub fn unexplained_on(state: &State, node: &NodeName) -> Vec<Change> {
    let Some(known) = configuration(state, node) else { return Vec::new() };
    let mut out: Vec<Change> = match (&known.before, &known.compared) {
        (_, Some(compared)) => compared.value.changes.clone(),
        (Some(before), None) if upgraded_here(state, node) => match &before.value {
            Answer::Failed(f) => vec![nothing_to_compare(&f.message)],
            Answer::Facts(_) => Vec::new(),
        },
        _ => Vec::new(),
    };
    out.retain(|c| !known.is_accepted(c));
    out
}

/// Nodes that are at the target by this run and were not compared yet.
pub fn missing(state: &State) -> Vec<&NodeName> {
    let nodes = state.plan.nodes.iter().filter(|n| state.unit(n).is_some_and(|u| u.state.is_good()));
    let open = |n: &&NodeName| {
        let known = configuration(state, n);
        let could = known.and_then(|c| c.before.as_ref()).is_some_and(|b| matches!(b.value, Answer::Facts(_)));
        could && known.is_some_and(|c| c.compared.is_none())
    };
    nodes.filter(|n| upgraded_here(state, n)).filter(open).collect()
}

/// The gate before the next node: no unexplained change on those that are done. None where the runbook compares nothing.
pub fn gate(state: &State) -> Option<Gate> {
    state.plan.baseline.as_ref()?;
    let open = unexplained(state);
    let missing = missing(state);
    let names = |nodes: &[&NodeName]| {
        let mut names: Vec<&str> = nodes.iter().map(|n| n.as_str()).collect();
        names.dedup();
        names.join(", ")
    };
    let why = match (open.as_slice(), missing.as_slice()) {
        ([], []) => "nothing that is not explained".to_owned(),
        ([], nodes) => format!("{} is not compared yet", names(nodes)),
        ([(node, change)], _) => format!("{node}: {}", change.text()),
        (several, _) => {
            let nodes: Vec<&NodeName> = several.iter().map(|(n, _)| *n).collect();
            format!("{} changes on {} are not explained", several.len(), names(&nodes))
        }
    };
    let since =
        state.run.iter().flat_map(|r| r.configurations.values()).filter_map(|c| Some(c.compared.as_ref()?.at));
    Some(Gate {
        id: "baseline".into(),
        title: "Configuration".into(),
        open: open.is_empty() && missing.is_empty(),
        known: !open.is_empty() || missing.is_empty(),
        why,
        since: since.max(),
    })
}

/// What is known of a node.
fn configuration<'a>(state: &'a State, node: &NodeName) -> Option<&'a Configuration> {
    state.run.as_ref()?.configurations.get(node)
}

/// It was below the target when the run began: what is at the target since then is compared. A rehearsal brings nothing to the target.
pub(in crate::core) fn upgraded_here(state: &State, node: &NodeName) -> bool {
    let baseline = state.run.as_ref().and_then(|r| r.baseline.get(node));
    !state.plan.rehearses() && baseline.is_some_and(|b| b.build < state.plan.target.build)
}

fn nothing_to_compare(why: &str) -> Change {
    let what = What::Unread(format!("could not be read before the run: {why}"));
    Change { kind: "configuration".to_owned(), name: String::new(), what, known: None }
}
