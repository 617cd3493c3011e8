//! The engine's clock. Injected everywhere: a test's clock is virtual, a lab's runs fast, and both are journaled.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::core::watch::Clocking;

/// A clock that starts at a time and runs at a scale. Under tokio's paused time it is virtual.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Timestamp,
    origin: Instant,
    scale: f64,
}

impl Clock {
    /// A clock that says `start` now, and runs `scale` seconds in a real one.
    pub fn new(start: Timestamp, scale: f64) -> Self {
        Self { start, origin: Instant::now(), scale }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        Clocking { now: self.start, scale: self.scale }.after(self.origin.elapsed())
    }

    /// Engine seconds in one real second.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// What a viewer needs to run its own copy.
    pub fn clocking(&self) -> Clocking {
        Clocking { now: self.now(), scale: self.scale }
    }

    /// When in real time that will be; at once where it has passed.
    pub fn instant(&self, at: Timestamp) -> Instant {
        let wait = at.duration_since(self.now()).max(SignedDuration::ZERO);
        let real = Duration::try_from_secs_f64(wait.as_secs_f64() / self.scale.max(f64::MIN_POSITIVE));
        // A clock never fires early: what is due at 10.000 s is not looked at at 9.9996 s.
        Instant::now() + real.unwrap_or(Duration::from_secs(86_400)).max(Duration::from_millis(1))
    }
}
