//! How a verdict stands at a time: the seven answers of a check, told apart wherever one is shown.

use jiff::Timestamp;

use super::command::is_bad;
use super::event::{Outcome, VerdictKey};
use super::judge::is_stale;
use super::plan::{Moment, Severity};
use super::state::State;

/// The answer of a check as it counts now, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// No answer yet.
    NotJudged,
    NotApplicable,
    Pass,
    /// A blocker that passed, by facts older than a start allows: it is proved again first.
    Stale,
    /// Not good, and a person has taken it upon themselves.
    Waived,
    Warn,
    CouldNotTell,
    Fail,
}

impl Standing {
    /// The seven answers, worst first.
    pub const ANSWERS: [Standing; 7] = [
        Standing::Fail,
        Standing::CouldNotTell,
        Standing::Warn,
        Standing::Waived,
        Standing::Stale,
        Standing::Pass,
        Standing::NotApplicable,
    ];

    /// A few words for the screen.
    pub fn word(self) -> &'static str {
        match self {
            Standing::NotJudged => "not judged yet",
            Standing::NotApplicable => Outcome::NotApplicable.word(),
            Standing::Pass => Outcome::Pass.word(),
            Standing::Stale => "stale",
            Standing::Waived => "waived",
            Standing::Warn => Outcome::Warn.word(),
            Standing::CouldNotTell => Outcome::CouldNotTell.word(),
            Standing::Fail => Outcome::Fail.word(),
        }
    }

    /// Of several that have it, in a heading or a filter: `12 failed`.
    pub fn many(self) -> &'static str {
        match self {
            Standing::NotJudged => "not judged",
            Standing::NotApplicable => "not applicable",
            Standing::Pass => "passed",
            Standing::Fail => "failed",
            Standing::Warn => "to look at",
            other => other.word(),
        }
    }

    /// Neither good, nor waived, nor open.
    pub fn is_bad(self) -> bool {
        self >= Standing::Warn
    }
}

/// How a verdict stands.
pub fn standing(state: &State, key: &VerdictKey, now: Timestamp) -> Standing {
    let Some(seen) = state.verdict_of(key) else { return Standing::NotJudged };
    match seen.value.outcome {
        bad if is_bad(bad) && state.waiver(key, now).is_some() => Standing::Waived,
        Outcome::Fail => Standing::Fail,
        Outcome::CouldNotTell => Standing::CouldNotTell,
        Outcome::Warn => Standing::Warn,
        Outcome::NotApplicable => Standing::NotApplicable,
        Outcome::Pass if counts_against_start(state, key) && is_stale(state, &seen.value, now) => Standing::Stale,
        Outcome::Pass => Standing::Pass,
    }
}

/// Whether the age of a verdict matters: it is a blocker of a start that has not come yet.
fn counts_against_start(state: &State, key: &VerdictKey) -> bool {
    let blocks = |c: &super::plan::Check| c.severity == Severity::Blocker && c.moment == Moment::Before;
    state.phase.is_preparing() && state.plan.check(&key.check).is_some_and(blocks)
}
