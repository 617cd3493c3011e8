//! What is left for people to do: nodes, steps, clean-ups, changes, and what waits for somebody.

use serde::Serialize;

use crate::core::baseline::{missing, unexplained};
use crate::core::command::{is_bad, keys_of};
use crate::core::owed::owed;
use crate::core::plan::{Moment, StepKind};
use crate::core::state::{CommitState, State};

/// One thing to do.
#[derive(Clone, Debug, Serialize)]
pub struct Left {
    pub what: String,
    /// Why it is left, or how it is done.
    pub why: String,
}

/// Everything that is left, what matters most first.
pub fn all(state: &State) -> Vec<Left> {
    let Some(run) = &state.run else { return Vec::new() };
    let mut out = Vec::new();
    let mut add = |what: String, why: String| out.push(Left { what, why });
    let over = state.phase.is_terminal();
    if !over {
        add(format!("The run is {}", state.phase.word()), state.phase_why.clone());
    }
    for line in &run.left_behind {
        add("The run was given up".to_owned(), line.clone());
    }
    for item in owed(state) {
        let why = match (item.why, item.left) {
            (why, true) => format!("{}: do it by hand", why.unwrap_or("not done")),
            _ if over => "it was not done when the run ended: do it by hand".to_owned(),
            (Some(why), false) => format!("{why}: it is tried again until it is done"),
            (None, false) => "it is done before the run ends".to_owned(),
        };
        add(item.what(), why);
    }
    for node in &state.plan.nodes {
        if let Some(unit) = run.units.get(node).filter(|u| !u.state.is_good()) {
            add(format!("{node} is not done"), format!("{}: {}", unit.state.word(), unit.why));
        }
    }
    for (node, change) in unexplained(state) {
        let known = change.known.as_ref().and_then(|id| state.plan.baseline.as_ref()?.known(id));
        let why = known.map_or_else(|| "not explained: mend it or accept it".to_owned(), |k| k.remedy.clone());
        add(format!("{node}: {}", change.text()), why);
    }
    for node in missing(state) {
        add(
            format!("{node} was not compared with what it was"),
            "look at its adapters, services and drivers".to_owned(),
        );
    }
    for step in state.plan.steps.iter().filter(|s| !s.always) {
        let ended = run.steps.get(&step.id).and_then(|s| s.ended.as_ref()).is_some_and(|e| e.value.ok);
        match run.commits.get(&step.id) {
            Some(CommitState::Deferred { at }) => {
                let since = at.strftime("%F %H:%M UTC");
                add(step.title.clone(), format!("left for later at {since}"));
            }
            Some(CommitState::Failed { message, .. }) => add(step.title.clone(), format!("failed: {message}")),
            Some(CommitState::Intended { .. }) => {
                add(step.title.clone(), "it was sent, and nobody knows what became of it: look first".to_owned());
            }
            None if over && step.kind == StepKind::Commit && !ended => {
                add(step.title.clone(), "not reached".to_owned());
            }
            _ => {}
        }
    }
    for (node, text) in state.persons_awaited() {
        add(format!("{node} waits for a person"), text.to_owned());
    }
    if let Some((_, sequence)) = state.open_sequence() {
        add(sequence.title.clone(), "it has not ended".to_owned());
    }
    for key in keys_of(state, Moment::After) {
        let Some(check) = state.plan.check(&key.check) else { continue };
        if let Some(verdict) = state.verdict_of(&key).filter(|v| is_bad(v.value.outcome)) {
            let place = key.node.as_ref().map_or_else(String::new, |n| format!(" ({n})"));
            let saw = verdict.value.observed.as_ref().or(verdict.value.why.as_ref());
            let saw = saw.map_or_else(String::new, |s| format!("{s}. "));
            add(
                format!("{}{place}: {}", check.title, verdict.value.outcome.word()),
                format!("{saw}{}", check.remedy),
            );
        }
    }
    out
}
