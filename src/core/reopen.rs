//! A run that has ended, and what was left for later in it: weeks afterwards it is opened again for one step, and ends once more.

use super::command::Refusal;
use super::plan::{Step, StepKind};
use super::run::RunVerdict;
use super::state::{CommitState, State};

impl State {
    /// The steps that were left for later, in their order.
    pub fn deferred(&self) -> impl Iterator<Item = &Step> {
        let run = self.run.as_ref();
        let left =
            move |s: &&Step| matches!(run.and_then(|r| r.commits.get(&s.id)), Some(CommitState::Deferred { .. }));
        self.plan.steps.iter().filter(left)
    }
}

/// Whether an ended run can be opened again for a step.
///
/// # Errors
/// The refusal, with its reason.
pub fn reopenable(state: &State, step: &str) -> Result<(), Refusal> {
    let no = |why: String| Err(Refusal(why));
    let Some(planned) = state.plan.step(step) else {
        let all: Vec<&str> = state.deferred().map(|s| s.id.as_str()).collect();
        let there = match all.as_slice() {
            [] => "nothing was left for later in this run".to_owned(),
            all => format!("left for later: {}", all.join(", ")),
        };
        return no(format!("there is no step {step}; {there}"));
    };
    let Some(run) = state.run.as_ref() else { return no("this run was never started".into()) };
    if !state.phase.is_terminal() {
        return no(format!("the run has not ended, it is {}: nodelift run goes on with it", state.phase.word()));
    }
    match run.commits.get(step) {
        Some(CommitState::Deferred { .. }) => {}
        Some(CommitState::Done { message, .. }) => return no(format!("{step} is done: {message}")),
        Some(CommitState::Failed { message, .. }) => {
            return no(format!("{step} failed, and was not left for later: {message}"));
        }
        Some(CommitState::Intended { .. }) => {
            return no(format!("{step} was sent, and nobody knows what became of it: look first"));
        }
        None => return no(format!("{step} was not left for later")),
    }
    let good = matches!(state.verdict, Some(RunVerdict::Succeeded | RunVerdict::SucceededWithIssues));
    if !good && !planned.always {
        return no(format!("the run did not come to its end ({}): begin another one", state.phase_why));
    }
    // What one step needs of the others is in its proof; what a person does outside needs nothing.
    match planned.kind {
        StepKind::Commit | StepKind::Person | StepKind::Do => Ok(()),
        _ => no(format!("{step} moves nodes or looks at them: that is a run of its own")),
    }
}
