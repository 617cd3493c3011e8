//! What follows from the state and is needed in several places of a frame: told once for each change, not once for each place.

use jiff::Timestamp;

use super::checks::{self, List};
use crate::core::advice::{Advice, advice};
use crate::core::command::fixable;
use crate::core::event::VerdictKey;
use crate::core::gates::{Gate, evaluate};
use crate::core::name::NodeName;
use crate::core::state::State;
use crate::core::summary::{Counts, counts, eta};

/// All of it.
#[derive(Debug)]
pub struct Derived {
    pub counts: Counts,
    pub list: List,
    pub advice: Advice,
    pub gates: Vec<Gate>,
    pub fixable: Vec<(VerdictKey, NodeName)>,
    pub eta: Option<(Timestamp, Timestamp)>,
}

impl Derived {
    /// From a state at a time.
    pub fn of(state: &State, now: Timestamp) -> Self {
        Self {
            counts: counts(state, now),
            list: checks::list(state, now),
            advice: advice(state, now),
            gates: evaluate(state),
            fixable: fixable(state),
            eta: eta(state, now),
        }
    }
}
