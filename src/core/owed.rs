//! What is owed: clean-ups that must be done however the run ends, while nothing else goes on or after a person left them open.

use super::name::NodeName;
use super::plan::{Place, Step};
use super::run::Phase;
use super::state::State;

/// A clean-up that is not done.
#[derive(Clone, Debug, PartialEq)]
pub struct Owed<'a> {
    pub step: &'a Step,
    /// Machines it is not done on, where it is done on each of them.
    pub on: Vec<&'a NodeName>,
    /// What is left of it, where it is about things on the machines.
    pub things: Vec<&'a str>,
    /// Why not, where it was tried.
    pub why: Option<&'a str>,
    /// A person left it open: it is not tried any more.
    pub left: bool,
}

impl Owed<'_> {
    /// "CredSSP off again on HCI-N3".
    pub fn what(&self) -> String {
        if !self.things.is_empty() {
            return format!("{}: {}", self.step.title, self.things.join(", "));
        }
        let on: Vec<&str> = self.on.iter().map(|n| n.as_str()).collect();
        if on.is_empty() { self.step.title.clone() } else { format!("{} on {}", self.step.title, on.join(", ")) }
    }
}

/// Every clean-up that is owed, in the order of the plan. While the run is at work nothing is owed yet.
pub fn owed(state: &State) -> Vec<Owed<'_>> {
    let rests = matches!(state.phase, Phase::Paused(_) | Phase::AwaitingCommit | Phase::Finalising);
    if rests || state.phase.is_terminal() { undone(state) } else { Vec::new() }
}

/// Every clean-up that would be owed if the run ended now.
pub fn undone(state: &State) -> Vec<Owed<'_>> {
    let Some(run) = &state.run else { return Vec::new() };
    let item = |step, left| -> Owed<'_> {
        let step: &Step = step;
        let known = run.steps.get(&step.id);
        let things = state.things_left(step);
        let each = step.items.is_none() && matches!(step.on, Place::EachNode | Place::Everywhere);
        let done = |n: &&NodeName| known.and_then(|s| s.on.get(*n)).is_some_and(|p| p.done.is_some());
        let on = state.plan.machines().filter(|n| each && !done(n)).collect();
        let why = known.and_then(|s| s.ended.as_ref()).map(|e| e.value.message.as_str());
        Owed { step, on, things, why, left }
    };
    let open = state.cleanups().map(|s| item(s, false));
    open.chain(state.left_open().map(|s| item(s, true))).collect()
}
