//! Which gates a person may take upon themselves, and what lets a run begin at all (run-safety-model 9.1).

use jiff::Timestamp;

use super::command::Refusal;
use super::event::VerdictKey;
use super::state::State;
use super::terms::{WINDOW, window};

/// What stands before the id of a gate where a check could stand.
const GATE: &str = "gate:";

impl VerdictKey {
    /// A gate, in the place of a check: what a waiver is about.
    pub fn of_gate(gate: &str) -> Self {
        Self { check: format!("{GATE}{gate}"), node: None }
    }

    /// The gate that it is, where it is one.
    pub fn gate(&self) -> Option<&str> {
        self.check.strip_prefix(GATE)
    }
}

/// What a verdict or a waiver is about, in words.
pub fn title<'a>(state: &'a State, key: &'a VerdictKey) -> &'a str {
    match key.gate() {
        Some(WINDOW) => "Maintenance window",
        Some(gate) => gate,
        None => state.plan.check(&key.check).map_or(&key.check, |c| &c.title),
    }
}

/// Whether a gate is taken upon somebody now.
pub fn is_waived(state: &State, gate: &str, now: Timestamp) -> bool {
    state.waiver(&VerdictKey::of_gate(gate), now).is_some()
}

/// Gates that are in the way now and that a person may take upon themselves.
pub fn waivable(state: &State, now: Timestamp) -> Vec<VerdictKey> {
    let closed = !state.phase.is_terminal()
        && window(state, now).is_some_and(|w| !w.open)
        && !is_waived(state, WINDOW, now);
    closed.then(|| VerdictKey::of_gate(WINDOW)).into_iter().collect()
}

/// Why a gate cannot be waived.
pub(super) fn may_waive(state: &State, gate: &str, now: Timestamp) -> Result<(), Refusal> {
    match waivable(state, now).iter().any(|k| k.gate() == Some(gate)) {
        true => Ok(()),
        false => Err(Refusal("this gate is not in the way, or it can never be waived".into())),
    }
}

/// What was agreed on about the cluster lets a run begin: there is a change number where one is asked for, and a node fits into the window.
pub(super) fn agreed_on(state: &State, now: Timestamp) -> Result<(), Refusal> {
    let terms = &state.plan.terms;
    if terms.change_required && terms.change.is_none() {
        let why = "a change number is asked for here: write `change` into the inventory, or give --change";
        return Err(Refusal(why.into()));
    }
    match window(state, now).filter(|w| !w.open && !is_waived(state, WINDOW, now)) {
        Some(closed) => Err(Refusal(format!("outside the maintenance window: {}", closed.why))),
        None => Ok(()),
    }
}

/// How many gates are taken upon somebody now.
pub fn waived(state: &State, now: Timestamp) -> usize {
    state.waivers.iter().filter(|w| w.key.gate().is_some() && w.expires > now).count()
}
