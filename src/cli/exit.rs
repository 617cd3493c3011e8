//! How the program ends, for scripts (run-safety-model 13).

use std::process::ExitCode;

/// The codes, and what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Succeeded = 0,
    Internal = 1,
    Usage = 2,
    /// Readiness blocks the run.
    Blocked = 3,
    /// Paused: a person is needed.
    NeedsPerson = 4,
    /// Ended with failed nodes within the budget.
    WithIssues = 5,
    Failed = 6,
    /// Another engine holds the lock.
    Locked = 7,
    /// Cannot connect or log in.
    Unreachable = 8,
    JournalUnusable = 9,
    /// Already at the target.
    NothingToDo = 10,
}

impl From<Exit> for ExitCode {
    fn from(e: Exit) -> Self {
        ExitCode::from(e as u8)
    }
}
