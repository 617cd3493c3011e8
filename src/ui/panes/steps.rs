//! Steps of the run: sign and words.

use jiff::Timestamp;

use crate::core::event::ProofItem;
use crate::core::plan::{Class, Step, StepKind};
use crate::core::run::Phase;
use crate::core::state::{CommitState, State};
use crate::core::summary::duration;
use crate::theme::{Glyphs, Role};
use crate::ui::signs::Sign;
use crate::ui::time;

/// What a step looks like.
pub fn sign(g: &Glyphs, state: &State, step: &Step) -> Sign {
    let Some(run) = &state.run else { return (g.waiting, Role::Waiting) };
    match run.commits.get(&step.id) {
        Some(CommitState::Done { .. }) => return (g.done, Role::Done),
        Some(CommitState::Failed { .. }) => return (g.failed, Role::Failed),
        Some(CommitState::Intended { .. }) => return (g.running, Role::Running),
        Some(CommitState::Deferred { .. }) => return (g.paused, Role::Paused),
        None => {}
    }
    let known = run.steps.get(&step.id);
    match known.and_then(|s| s.ended.as_ref()) {
        Some(end) if end.value.ok => return (g.done, Role::Done),
        Some(_) => return (g.failed, Role::Failed),
        None => {}
    }
    let current = state.current_step() == Some(step.id.as_str());
    match (&state.phase, step.kind) {
        (Phase::AwaitingCommit, StepKind::Commit) if current => (g.attention, Role::Attention),
        (Phase::Paused(_), _) if current && known.is_some() => (g.paused, Role::Paused),
        (p, _) if current && known.is_some() && !p.is_terminal() => (g.running, Role::Running),
        _ => (g.waiting, Role::Waiting),
    }
}

/// One condition that was judged, in words.
pub fn judged(g: &Glyphs, item: &ProofItem) -> (Sign, String) {
    let why = item.why.as_ref().map_or_else(String::new, |w| format!(": {w}"));
    let sign = if item.holds { (g.done, Role::Done) } else { (g.failed, Role::Failed) };
    (sign, format!("{}{why}", item.title))
}

/// Where a step stands, in words.
pub fn said(state: &State, step: &Step, now: Timestamp) -> String {
    let expected =
        if step.expected > 0 { format!(", usually {}", duration(step.expected as i64)) } else { String::new() };
    let Some(run) = &state.run else { return format!("waits{expected}") };
    match run.commits.get(&step.id) {
        Some(CommitState::Done { at, message }) => return format!("done at {}: {message}", time::short(*at, now)),
        Some(CommitState::Failed { at, message }) => {
            return format!("failed at {}: {message}", time::short(*at, now));
        }
        Some(CommitState::Intended { at, .. }) => return format!("under way for {}", time::ago(*at, now)),
        Some(CommitState::Deferred { .. }) => return "left for later".into(),
        None => {}
    }
    let known = run.steps.get(&step.id);
    if let Some((s, end)) = known.and_then(|s| Some((s, s.ended.as_ref()?))) {
        let took =
            s.intended_at.map_or_else(String::new, |at| format!(" in {}", duration(time::since(at, end.at))));
        return match end.value.ok {
            true => format!("done{took}: {}", end.value.message),
            false => format!("failed{took}: {}", end.value.message),
        };
    }
    let current = state.current_step() == Some(step.id.as_str());
    match known.and_then(|s| s.intended_at) {
        _ if state.phase.is_terminal() => "not done".into(),
        Some(at) if current => format!("{}{expected}", time::ago(at, now)),
        _ if step.class == Class::Irreversible && current && state.phase == Phase::AwaitingCommit => {
            "waits for you: cannot be undone".into()
        }
        _ if step.class == Class::Irreversible => "cannot be undone: asks first".into(),
        _ => format!("waits{expected}"),
    }
}

/// The conditions of a step's proof, with what the last one said.
pub fn proof(g: &Glyphs, state: &State, step: &Step) -> Vec<(Sign, String)> {
    let proof = state.proofs.get(&step.id);
    let taken = proof.and_then(|p| p.taken.as_ref());
    let open = proof.is_some_and(|p| p.asked_at.is_some());
    step.proof
        .iter()
        .map(|p| match taken.and_then(|t| t.value.iter().find(|i| i.title == p.title)) {
            Some(item) => judged(g, item),
            None if open => ((g.running, Role::Running), p.title.clone()),
            None => ((g.waiting, Role::Waiting), p.title.clone()),
        })
        .collect()
}
