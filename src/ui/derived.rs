//! What follows from the state and is needed in several places of a frame: told once for each change, not once for each place.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::checks::{self, List, Looking};
use crate::core::advice::{Advice, advice};
use crate::core::command::{Command, allowed, fixable};
use crate::core::event::VerdictKey;
use crate::core::gates::{Gate, evaluate};
use crate::core::judge::blocker_fresh_for;
use crate::core::name::NodeName;
use crate::core::plan::Severity;
use crate::core::run::Phase;
use crate::core::state::State;
use crate::core::summary::{CheckRow, Counts, check_rows, counts_of, eta};
use crate::input::Action;

/// All of it.
#[derive(Debug)]
pub struct Derived {
    pub counts: Counts,
    pub list: List,
    pub advice: Advice,
    pub gates: Vec<Gate>,
    pub fixable: Vec<(VerdictKey, NodeName)>,
    /// When the next blocker grows too old for a start, at rest.
    pub stale_at: Option<Timestamp>,
    pub eta: Option<(Timestamp, Timestamp)>,
    /// Why commands that are about no selection would be refused.
    pub refusals: BTreeMap<Action, Option<String>>,
}

/// Commands that are about no selection.
const GENERAL: [(Action, Command); 8] = [
    (Action::CheckAll, Command::CheckAll),
    (Action::RetryFailed, Command::RetryFailed),
    (Action::FixAll, Command::FixAll),
    (Action::Start, Command::Start),
    (Action::Pause, Command::Pause),
    (Action::Resume, Command::Resume),
    (Action::Stop, Command::Stop),
    (Action::Defer, Command::Defer),
];

impl Derived {
    /// From a state at a time, as one looks at it.
    pub fn of(state: &State, now: Timestamp, looking: &Looking) -> Self {
        let rows = check_rows(state, now);
        Self {
            stale_at: stale_at(state, &rows, now),
            counts: counts_of(&rows),
            list: checks::list(state, rows, looking),
            advice: advice(state, now),
            gates: evaluate(state, now),
            fixable: fixable(state),
            eta: eta(state, now),
            refusals: GENERAL.iter().map(|(a, c)| (*a, allowed(state, c, now).err().map(|r| r.0))).collect(),
        }
    }
}

fn stale_at(state: &State, rows: &[CheckRow], now: Timestamp) -> Option<Timestamp> {
    if !matches!(state.phase, Phase::Blocked | Phase::Ready) {
        return None;
    }
    let blocks = |r: &&CheckRow| {
        let check = r.cells.first().and_then(|c| state.plan.check(&c.key.check));
        check.is_some_and(|c| c.severity == Severity::Blocker)
    };
    let cells = rows.iter().filter(blocks).flat_map(|r| &r.cells);
    let read = cells.filter_map(|c| state.verdict_of(&c.key)?.value.facts_at);
    let fresh_for = SignedDuration::from_secs(blocker_fresh_for(state) + 1);
    read.filter_map(|at| at.checked_add(fresh_for).ok()).filter(|at| *at > now).min()
}
