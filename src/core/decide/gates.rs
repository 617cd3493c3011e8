//! The gates before a node is taken out of service that follow from the run and not from facts: what the nodes before it left, and the
//! maintenance window.

use jiff::Timestamp;

use super::sequence::Turned;
use super::{Decider, Turn};
use crate::core::event::{ENGINE, Event, ProofItem};
use crate::core::gates::{Gate, window};
use crate::core::run::{PauseReason, Phase};
use crate::core::state::Unit;
use crate::core::terms::WINDOW;

impl Decider {
    /// What else must hold before the node of a sequence is begun.
    pub(super) fn beside_the_facts(&self, at: &Turned, now: Timestamp) -> Vec<ProofItem> {
        if at.run.action > 0 {
            return Vec::new();
        }
        let before = crate::core::baseline::gate(&self.state).filter(|_| at.run.step.is_some());
        before.into_iter().chain(window(&self.state, now)).map(item).collect()
    }

    /// Nothing is missing but the window: to wait for it is no failure, however long it takes.
    pub(super) fn waits_for_window(&self, at: &Turned, now: Timestamp) -> bool {
        at.run.action == 0 && window(&self.state, now).is_some_and(|w| !w.open)
    }

    /// While somebody else drives: a window that is too short for one more node ends the attempt after the node in work.
    pub(super) fn mind_window(&mut self, turn: &mut Turn, now: Timestamp) {
        let waits = |u: &Unit| u.state.stage() <= crate::core::plan::Stage::Staging && !u.state.is_good();
        let more = self.state.run.as_ref().is_some_and(|r| r.units.values().any(waits));
        let goes_on = self.state.own_run().is_some_and(|r| !r.cancel_pending);
        let closed = window(&self.state, now).filter(|w| !w.open && w.id == WINDOW);
        let Some(closed) = closed.filter(|_| more && goes_on && self.state.phase == Phase::Running) else {
            return;
        };
        let reason = PauseReason::Window;
        self.ask_driver_to_stop(turn, ENGINE, |op| Event::PauseRequested { op, reason }, now);
        let name = self.state.plan.driver.name.clone();
        let why = format!("the maintenance window: {}. {name} finishes the node in work first", closed.why);
        self.phase(turn, ENGINE, Phase::Pausing, &why, now);
    }
}

fn item(gate: Gate) -> ProofItem {
    let why = (!gate.open).then_some(gate.why);
    ProofItem { title: gate.title.to_owned(), holds: gate.open, why }
}
