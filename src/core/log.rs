//! Lines of logs: not events, only referred to by them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::NodeName;

/// How a line of a script begins that says what a person has to do before it goes on. The rest is for the screen, at once.
pub const AWAITS: &str = "waits for a person: ";

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Only in the machine's own log: there are thousands.
    Trace,
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
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }

    /// The level of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Level::Trace, Level::Debug, Level::Info, Level::Warning, Level::Error]
            .into_iter()
            .find(|l| l.word() == word)
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

/// How the lines of a followed file are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// A line is a line.
    #[default]
    Text,
    /// Windows Setup: `2025-06-14 08:12:03, Info  [0x090008] PANTHR text` (in-place-upgrade 4.5).
    Setup,
}

impl LogFormat {
    /// Level and text of a line.
    pub fn read(self, line: &str) -> (Level, &str) {
        let stamped = |l: &str| l.as_bytes().first().is_some_and(u8::is_ascii_digit);
        let Some((_, rest)) = line.split_once(", ").filter(|_| self == LogFormat::Setup && stamped(line)) else {
            return (if self == LogFormat::Setup { Level::Trace } else { Level::Info }, line);
        };
        let level = match rest.split_whitespace().next() {
            Some("Error" | "Fatal") => Level::Error,
            Some("Warning") => Level::Warning,
            _ => Level::Trace,
        };
        (level, rest)
    }
}

/// Which log: one machine's, the run's own, or all merged in the order they came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    All,
    Run,
    Node(NodeName),
}
