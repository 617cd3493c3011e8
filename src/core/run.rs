//! The states of a run and of its nodes (run-safety-model 3 and 4).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::plan::Stage;

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "reason")]
pub enum Phase {
    #[default]
    Draft,
    Checking,
    Blocked,
    Ready,
    Acquiring,
    Running,
    /// Waits for the safe point, then pauses.
    Pausing,
    Paused(PauseReason),
    /// Waits for the safe point, then ends.
    Stopping,
    AwaitingCommit,
    Finalising,
    Recovering,
    Succeeded,
    SucceededWithIssues,
    Failed,
    Stopped,
    Abandoned,
}

impl Phase {
    /// Nothing follows.
    pub fn is_terminal(&self) -> bool {
        use Phase::*;
        matches!(self, Succeeded | SucceededWithIssues | Failed | Stopped | Abandoned)
    }

    /// Nodes may be in work.
    pub fn is_under_way(&self) -> bool {
        use Phase::*;
        matches!(self, Acquiring | Running | Pausing | Paused(_) | Stopping | Recovering)
    }

    /// One word for the header.
    pub fn word(&self) -> &'static str {
        use Phase::*;
        match self {
            Draft => "draft",
            Checking => "checking",
            Blocked => "blocked",
            Ready => "ready",
            Acquiring => "starting",
            Running => "running",
            Pausing => "pausing",
            Paused(_) => "paused",
            Stopping => "stopping",
            AwaitingCommit => "awaiting commit",
            Finalising => "finalising",
            Recovering => "recovering",
            Succeeded => "succeeded",
            SucceededWithIssues => "succeeded with issues",
            Failed => "failed",
            Stopped => "stopped",
            Abandoned => "abandoned",
        }
    }
}

/// Why a run is paused: the reason decides which key clears it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseReason {
    Operator,
    Gate(String),
    Budget,
    Window,
    NeedsDecision,
    Recovered,
    LockLost,
    JournalUnwritable,
    ForeignRun,
    TargetDrift,
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use PauseReason::*;
        match self {
            Operator => f.write_str("by operator"),
            Gate(g) => write!(f, "gate {g}"),
            Budget => f.write_str("failure budget"),
            Window => f.write_str("window"),
            NeedsDecision => f.write_str("needs a decision"),
            Recovered => f.write_str("recovered"),
            LockLost => f.write_str("lock lost"),
            JournalUnwritable => f.write_str("journal cannot be written"),
            ForeignRun => f.write_str("another run is going on"),
            TargetDrift => f.write_str("target changed"),
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunVerdict {
    Succeeded,
    SucceededWithIssues,
    Failed,
    Stopped,
    /// Given up: what was begun is left as it is.
    Abandoned,
}

impl RunVerdict {
    /// The phase it leads to.
    pub fn phase(self) -> Phase {
        match self {
            RunVerdict::Succeeded => Phase::Succeeded,
            RunVerdict::SucceededWithIssues => Phase::SucceededWithIssues,
            RunVerdict::Failed => Phase::Failed,
            RunVerdict::Stopped => Phase::Stopped,
            RunVerdict::Abandoned => Phase::Abandoned,
        }
    }
}

/// Where a node of the run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitState {
    #[default]
    Pending,
    Excluded,
    Skipped,
    /// At the target before the run touched it.
    AlreadyDone,
    /// Its turn, but a gate is closed.
    Gate,
    Staging,
    Staged,
    Draining,
    DrainFailed,
    Drained,
    Executing,
    CommitReboot,
    Offline,
    Returning,
    Verifying,
    Resuming,
    Resyncing,
    Done,
    /// Booted again on the old build: outranks every success signal.
    RolledBack,
    Failed,
    /// The evidence is too old, contradictory or missing.
    Unknown,
}

impl UnitState {
    /// Nothing follows in this attempt.
    pub fn is_final(self) -> bool {
        use UnitState::*;
        matches!(self, Excluded | Skipped | AlreadyDone | Done | RolledBack | Failed)
    }

    /// Ended as wanted.
    pub fn is_good(self) -> bool {
        matches!(self, UnitState::Done | UnitState::AlreadyDone)
    }

    /// Ended otherwise, or cannot be told: a person looks first at these.
    pub fn is_bad(self) -> bool {
        use UnitState::*;
        matches!(self, DrainFailed | RolledBack | Failed | Unknown)
    }

    /// Something is being done to the node.
    pub fn in_work(self) -> bool {
        use UnitState::*;
        matches!(
            self,
            Draining
                | DrainFailed
                | Drained
                | Executing
                | CommitReboot
                | Offline
                | Returning
                | Verifying
                | Resuming
                | Resyncing
        )
    }

    /// The stage on the track that it belongs to.
    pub fn stage(self) -> Stage {
        use UnitState::*;
        match self {
            Pending | Excluded | Skipped | Gate | Staged | Unknown | Failed | RolledBack => Stage::Waiting,
            Staging => Stage::Staging,
            Draining | DrainFailed | Drained => Stage::Draining,
            Executing => Stage::Installing,
            CommitReboot | Offline => Stage::Restarting,
            Returning => Stage::Returning,
            Verifying => Stage::Verifying,
            Resuming => Stage::Resuming,
            Resyncing => Stage::Resync,
            Done | AlreadyDone => Stage::Done,
        }
    }

    /// One or two words for the screen.
    pub fn word(self) -> &'static str {
        use UnitState::*;
        match self {
            Pending => "waiting",
            Excluded => "excluded",
            Skipped => "skipped",
            AlreadyDone => "already done",
            Gate => "gate",
            Staging => "staging",
            Staged => "staged",
            Draining => "draining",
            DrainFailed => "drain failed",
            Drained => "drained",
            Executing => "installing",
            CommitReboot => "restarting",
            Offline => "restarting",
            Returning => "returning",
            Verifying => "verifying",
            Resuming => "resuming",
            Resyncing => "resync",
            Done => "done",
            RolledBack => "ROLLED BACK",
            Failed => "failed",
            Unknown => "unknown",
        }
    }
}
