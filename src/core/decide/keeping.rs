//! What can not be written down is not begun: a run pauses where the journal's disk is full, or where it cannot be written at all
//! (run-safety-model 7.4).

use jiff::Timestamp;

use super::{Decider, Turn};
use crate::core::event::{ENGINE, Event};
use crate::core::keeping::Keeping;
use crate::core::run::{PauseReason, Phase};

impl Decider {
    pub(super) fn settle_keeping(&mut self, turn: &mut Turn, now: Timestamp) {
        let Some(why) = self.state.keeping.closed() else { return };
        match (&self.state.keeping, &self.state.phase) {
            (_, Phase::Paused(_)) => {}
            // Not even the driver can be asked to stop: whatever goes on is only looked at.
            (Keeping::Lost { .. }, phase)
                if phase.is_under_way() || matches!(phase, Phase::AwaitingCommit | Phase::Finalising) =>
            {
                self.phase(turn, ENGINE, Phase::Paused(PauseReason::JournalUnwritable), &why, now);
            }
            (_, Phase::Running) if self.state.own_run().is_some_and(|r| !r.cancel_pending) => {
                let reason = PauseReason::JournalUnwritable;
                self.ask_driver_to_stop(turn, ENGINE, |op| Event::PauseRequested { op, reason }, now);
                self.phase(turn, ENGINE, Phase::Pausing, &why, now);
            }
            _ => {}
        }
    }

    /// Something that must not happen twice is about to be begun, and could not be written down: the run pauses instead.
    pub(super) fn cannot_be_kept(&mut self, turn: &mut Turn, now: Timestamp) -> bool {
        let Some(why) = self.state.keeping.closed() else { return false };
        if matches!(self.state.phase, Phase::Acquiring | Phase::Running | Phase::Pausing | Phase::Stopping) {
            self.phase(turn, ENGINE, Phase::Paused(PauseReason::JournalUnwritable), &why, now);
        }
        true
    }
}
