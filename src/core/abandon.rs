//! Giving a run up: nothing more is sent, to any machine, and what it leaves behind is said before and after (run-safety-model 3).

use super::owed::undone;
use super::state::State;

/// What stays behind when the run is given up now, what matters most first.
pub fn left_behind(state: &State) -> Vec<String> {
    let Some(run) = &state.run else { return Vec::new() };
    let driver = &state.plan.driver.name;
    let mut out = Vec::new();
    if let Some(own) = state.own_run() {
        out.push(format!(
            "{driver} goes on, driven by {}: it is not stopped, and takes every node that is left",
            own.orchestrator
        ));
    }
    for node in &state.plan.nodes {
        let Some(unit) = run.units.get(node) else { continue };
        let paused = state.machines[node].cluster.as_ref().is_some_and(|c| c.value.state == "Paused");
        if unit.state.in_work() {
            out.push(format!("{node} is left as it is: {}, {}", unit.state.word(), unit.why));
        }
        if paused {
            out.push(format!("{node} is out of service: Resume-ClusterNode -Name {node} -Failback Immediate"));
        }
    }
    if let Some((sequence, plan)) = state.open_sequence()
        && let Some(node) = sequence.in_work()
    {
        let begun = plan.actions.iter().filter(|a| sequence.on(node, &a.id).is_some_and(|k| k.attempt > 0));
        out.extend(begun.filter_map(|a| a.leaves.as_ref()).next_back().map(|l| format!("{node}: {l}")));
    }
    out.extend(undone(state).iter().map(|item| format!("{}: not done, do it by hand", item.what())));
    let left = run.units.values().filter(|u| !u.state.is_good()).count();
    if left > 0 {
        out.push(format!("{left} of {} nodes are not done", state.plan.nodes.len()));
    }
    out
}
