//! A run that nobody watches: what is asked for next, by the state alone. What a person agreed to beforehand is asked for, what
//! waits for a person is left for later where that harms nothing, and everything else ends the watching.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::command::{Command, allowed};
use super::plan::StepKind;
use super::run::{PauseReason, Phase, UnitState};
use super::state::{CommitState, State};

/// Seconds for which a clean-up is tried before it is left open.
const CLEAN_UP: i64 = 1800;

/// What was agreed to beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Start once every blocker passes.
    pub start: bool,
    /// Do every automatic fix once.
    pub fix: bool,
    /// Go on after the engine was restarted.
    pub resume: bool,
    /// Irreversible steps, each with the hash of the plan it is agreed to for (run-safety-model 10).
    pub commits: BTreeMap<String, String>,
}

/// What was asked for so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Once {
    Fix,
    Retry,
    Start,
    Resume,
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Something goes on by itself.
    Wait,
    Ask(Command),
    /// Nothing goes on without a person, or it has ended.
    Leave,
}

/// A run that is taken along.
#[derive(Clone, Debug, Default)]
pub struct Headless {
    agreed: Agreed,
    asked: BTreeSet<Once>,
}

impl Headless {
    /// With what was agreed to.
    pub fn new(agreed: Agreed) -> Self {
        Self { agreed, asked: BTreeSet::new() }
    }

    /// What follows from a state.
    pub fn next(&mut self, state: &State, now: Timestamp) -> Next {
        match &state.phase {
            Phase::Blocked => self.blocked(state, now),
            Phase::Ready if !self.agreed.start => Next::Leave,
            Phase::Ready => self.once(Once::Start, Command::Start),
            Phase::Paused(PauseReason::Recovered) if self.agreed.resume && !has_unknown(state) => {
                self.once(Once::Resume, Command::Resume)
            }
            // A test after the upgrade that fails keeps nothing from its end.
            Phase::Paused(_) if self.agreed.start && state.left_for_later().is_some() => Next::Ask(Command::Defer),
            Phase::Paused(_) => Next::Leave,
            Phase::AwaitingCommit => self.waits(state),
            Phase::Finalising => clean_up(state, now),
            p if p.is_terminal() => Next::Leave,
            _ => Next::Wait,
        }
    }

    fn blocked(&mut self, state: &State, now: Timestamp) -> Next {
        match state.open_sequence() {
            Some((run, _)) if run.paused.is_some() => return Next::Leave,
            Some(_) => return Next::Wait,
            None if state.fixes.values().any(|f| f.answer.is_none()) => return Next::Wait,
            None => {}
        }
        if !self.agreed.fix {
            return Next::Leave;
        }
        if allowed(state, &Command::FixAll, now).is_ok() && !self.asked.contains(&Once::Fix) {
            return self.once(Once::Fix, Command::FixAll);
        }
        // A check that was read before the fix of another one may hold now.
        self.once(Once::Retry, Command::RetryFailed)
    }

    /// Asked for once; the second time it did not help.
    fn once(&mut self, what: Once, command: Command) -> Next {
        if self.asked.insert(what) { Next::Ask(command) } else { Next::Leave }
    }

    fn waits(&self, state: &State) -> Next {
        let Some(step) = state.current_step().and_then(|s| state.plan.step(s)) else { return Next::Wait };
        let known = state.run.as_ref().and_then(|r| r.commits.get(&step.id));
        match known {
            _ if state.commit_asked.is_some() => return Next::Wait,
            Some(CommitState::Intended { .. }) => return Next::Wait,
            Some(CommitState::Failed { .. }) => return Next::Leave,
            _ => {}
        }
        let agreed = |id: &str| self.agreed.commits.get(id) == state.plan_sha256.as_ref();
        if step.kind == StepKind::Commit && self.agreed.commits.contains_key(&step.id) && agreed(&step.id) {
            return Next::Ask(Command::Commit {
                step: step.id.clone(),
                typed: state.plan.cluster.clone(),
                reason: "agreed to on the command line, for this plan".into(),
            });
        }
        let done = |id: &String| {
            matches!(state.run.as_ref().and_then(|r| r.commits.get(id)), Some(CommitState::Done { .. }))
        };
        // What was agreed to cannot be done before what a person has to do.
        if self.agreed.commits.keys().any(|id| !done(id)) {
            return Next::Leave;
        }
        Next::Ask(Command::Defer)
    }
}

fn has_unknown(state: &State) -> bool {
    state.run.iter().flat_map(|r| r.units.values()).any(|u| u.state == UnitState::Unknown)
}

fn clean_up(state: &State, now: Timestamp) -> Next {
    let long = state.phase_since.is_some_and(|since| now.duration_since(since).as_secs() > CLEAN_UP);
    match allowed(state, &Command::Defer, now) {
        Ok(()) if long => Next::Ask(Command::Defer),
        _ => Next::Wait,
    }
}
