//! What states look like: sign and role. The word comes from `core`.

use crate::core::event::Outcome;
use crate::core::gates::{Gate, REGARDLESS};
use crate::core::run::{Phase, UnitState};
use crate::core::standing::Standing;
use crate::core::summary::{Cell, Open};
use crate::theme::{Glyphs, Role};
use crate::ui::model::Model;

/// A sign and the role it is drawn in.
pub type Sign = (&'static str, Role);

/// Of a node in a run.
pub fn unit(g: &Glyphs, state: UnitState) -> Sign {
    use UnitState::*;
    match state {
        Pending | Staged => (g.waiting, Role::Waiting),
        Excluded | Skipped => (g.not_applicable, Role::Waiting),
        Done | AlreadyDone => (g.done, Role::Done),
        Gate => (g.paused, Role::Paused),
        DrainFailed | RolledBack | Failed => (g.failed, Role::Failed),
        Unknown => (g.unknown, Role::Unknown),
        _ => (g.running, Role::Running),
    }
}

/// Of an outcome; none = not judged yet.
pub fn outcome(g: &Glyphs, outcome: Option<Outcome>) -> Sign {
    match outcome {
        None => (g.waiting, Role::Waiting),
        Some(Outcome::Pass) => (g.done, Role::Done),
        Some(Outcome::Warn) => (g.attention, Role::Attention),
        Some(Outcome::Fail) => (g.failed, Role::Failed),
        Some(Outcome::CouldNotTell) => (g.unknown, Role::Unknown),
        Some(Outcome::NotApplicable) => (g.not_applicable, Role::Waiting),
    }
}

/// Of a verdict as it counts now.
pub fn standing(g: &Glyphs, standing: Standing) -> Sign {
    match standing {
        Standing::NotJudged => outcome(g, None),
        Standing::NotApplicable => outcome(g, Some(Outcome::NotApplicable)),
        Standing::Pass => outcome(g, Some(Outcome::Pass)),
        Standing::Stale => (g.stale, Role::Stale),
        Standing::Waived => (g.paused, Role::Attention),
        Standing::Warn => outcome(g, Some(Outcome::Warn)),
        Standing::CouldNotTell => outcome(g, Some(Outcome::CouldNotTell)),
        Standing::Fail => outcome(g, Some(Outcome::Fail)),
    }
}

/// Of one cell of the matrix: what it waits for goes before what it was.
pub fn cell(g: &Glyphs, cell: &Cell) -> Sign {
    match cell.open {
        Some(Open::Waits) => (g.waiting, Role::Waiting),
        Some(Open::Reading(_) | Open::Fixing) => (g.running, Role::Running),
        None => standing(g, cell.standing),
    }
}

/// Of the run as a whole.
pub fn phase(g: &Glyphs, phase: &Phase) -> Sign {
    use Phase::*;
    match phase {
        Draft => (g.waiting, Role::Strong),
        Checking | Acquiring | Running | Finalising | Recovering => (g.running, Role::Running),
        Blocked => (g.failed, Role::Failed),
        Ready | Succeeded => (g.done, Role::Done),
        Pausing | Stopping | Paused(_) => (g.paused, Role::Paused),
        AwaitingCommit | SucceededWithIssues => (g.attention, Role::Attention),
        Failed => (g.failed, Role::Failed),
        Stopped | Abandoned => (g.paused, Role::Paused),
    }
}

/// Of a sentence that waits for a person: as bad as the run is.
pub fn urgent(g: &Glyphs, model: &Model) -> Sign {
    if model.state.as_ref().is_some_and(|s| s.open_sequence().is_some()) {
        return (g.attention, Role::Attention);
    }
    match model.state.as_ref().map(|s| phase(g, &s.phase)) {
        Some(sign @ (_, Role::Failed)) => sign,
        Some((_, Role::Done)) => (g.arrow, Role::Done),
        _ => (g.attention, Role::Attention),
    }
}

/// Of a gate. One that is closed because nothing was read yet, or for a reason that passes by itself, is no alarm.
pub fn gate(g: &Glyphs, gate: &Gate, in_work: bool) -> Sign {
    match (gate.open, gate.known) {
        (true, _) => (g.done, Role::Done),
        (false, _) if gate.id == REGARDLESS => (g.failed, Role::Failed),
        (false, false) => (g.unknown, Role::Waiting),
        (false, _) if in_work => (g.paused, Role::Waiting),
        (false, _) => (g.attention, Role::Attention),
    }
}
