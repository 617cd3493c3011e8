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
    /// Somebody interrupted it. What was begun goes on.
    Interrupted = 130,
}

impl Exit {
    /// Every code, and when the program ends with it.
    pub const ALL: [(Exit, &str); 12] = [
        (Exit::Succeeded, "done; with check: ready"),
        (Exit::Internal, "a mistake in nodelift itself"),
        (Exit::Usage, "the command line, the settings, an inventory or a runbook has a mistake"),
        (Exit::Blocked, "a readiness check blocks the upgrade"),
        (Exit::NeedsPerson, "a person is needed: the run has not ended, or a question was answered with no"),
        (Exit::WithIssues, "the run ended well, with something waived or left to look at"),
        (Exit::Failed, "the run ended without every node at the target"),
        (Exit::Locked, "another nodelift drives this run"),
        (Exit::Unreachable, "no node can be reached, or a host key is not the known one"),
        (Exit::JournalUnusable, "the journal cannot be written or read"),
        (Exit::NothingToDo, "with check: every node is at the target already"),
        (Exit::Interrupted, "interrupted: what was begun on the machines goes on"),
    ];
}

/// The codes, for `--help`.
pub fn table() -> String {
    let mut out = String::from("Exit codes:\n");
    for (exit, meaning) in Exit::ALL {
        out.push_str(&format!("  {:>2}  {meaning}\n", exit as u8));
    }
    out
}

impl From<Exit> for ExitCode {
    fn from(e: Exit) -> Self {
        ExitCode::from(e as u8)
    }
}
