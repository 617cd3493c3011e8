//! Lines of logs: not events, only referred to by them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::NodeName;

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

impl Level {
    /// A Windows event level: 1 critical, 2 error, 3 warning, 4 information, 5 verbose, 0 always.
    pub fn of_windows(level: u8) -> Self {
        match level {
            1 | 2 => Level::Error,
            3 => Level::Warning,
            5.. => Level::Debug,
            _ => Level::Info,
        }
    }

    /// The word in a file and on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }

    /// The level of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Level::Debug, Level::Info, Level::Warning, Level::Error].into_iter().find(|l| l.word() == word)
    }
}

/// One line, cleaned: no control characters, at most 8 KiB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it reached us, by the engine's clock (UTC).
    pub at: Timestamp,
    /// The machine it is about; none = the run.
    pub node: Option<NodeName>,
    /// Where it comes from: `run`, `check`, `cau`, …
    pub source: String,
    pub level: Level,
    pub text: String,
}

/// Which log: one machine's, the run's own, or all merged in the order they came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    All,
    Run,
    Node(NodeName),
}
