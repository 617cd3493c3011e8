//! The checks as they are shown: which of them, in which order, as a list or as a matrix of checks and machines.

mod list;
mod looking;
mod matrix;

pub use list::{Choice, Line, List, list};
pub use looking::Looking;
pub use matrix::Column;

use jiff::Timestamp;

use crate::core::event::Verdict;
use crate::core::state::Seen;

/// What a verdict saw, in a few words.
pub fn saw(verdict: &Verdict) -> String {
    let said = verdict.why.as_ref().or(verdict.observed.as_ref()).or(verdict.detail.first());
    said.cloned().unwrap_or_else(|| verdict.outcome.word().to_owned())
}

/// When the facts behind a verdict were read.
pub fn read_at(seen: &Seen<Verdict>) -> Timestamp {
    seen.value.facts_at.unwrap_or(seen.at)
}
