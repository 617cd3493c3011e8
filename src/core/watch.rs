//! What a viewer needs to know beside the state: how the engine's clock runs, and where a replay stands.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How the engine's clock runs, so that a viewer can tell elapsed times without asking.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clocking {
    /// The engine's time when this was sent.
    pub now: Timestamp,
    /// Engine seconds in one real second; 0 = it stands still.
    pub scale: f64,
}

impl Clocking {
    /// The engine's time, that many real seconds after this was sent.
    pub fn after(&self, real: std::time::Duration) -> Timestamp {
        let passed = SignedDuration::try_from_secs_f64(real.as_secs_f64() * self.scale).unwrap_or_default();
        self.now.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}

/// Where a replay stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayState {
    pub paused: bool,
    /// Journal seconds in one real second.
    pub speed: f64,
    /// Events played, of how many.
    pub played: u64,
    pub total: u64,
}

/// What a viewer asks of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplayControl {
    TogglePause,
    /// One event further.
    Step,
    Faster,
    Slower,
    /// To the end, at once.
    End,
}
