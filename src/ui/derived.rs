//! What follows from the state and is needed in several places of a frame: told once for each change, not once for each place.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::checks::{self, List, Looking};
use crate::core::advice::{Advice, advice};
use crate::core::command::{Command, allowed, fixable};
use crate::core::event::VerdictKey;
use crate::core::gates::{Gate, evaluate};
use crate::core::name::NodeName;
use crate::core::state::State;
use crate::core::summary::{Counts, check_rows, counts_of, eta};
use crate::input::Action;

/// All of it.
#[derive(Debug)]
pub struct Derived {
    pub counts: Counts,
    pub list: List,
    pub advice: Advice,
    pub gates: Vec<Gate>,
    pub fixable: Vec<(VerdictKey, NodeName)>,
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
            counts: counts_of(&rows),
            list: checks::list(state, rows, looking),
            advice: advice(state, now),
            gates: evaluate(state),
            fixable: fixable(state),
            eta: eta(state, now),
            refusals: GENERAL.iter().map(|(a, c)| (*a, allowed(state, c, now).err().map(|r| r.0))).collect(),
        }
    }
}
