//! How soon the next frame may be drawn, so that a slow link is not flooded: bytes are the budget, not frames.

use std::time::{Duration, Instant};

/// Seconds of budget that may be spent at once: a whole screen, after a quiet time.
const BURST: f64 = 0.5;

/// A budget of bytes a second.
#[derive(Debug)]
pub struct Pace {
    /// 0 = no limit.
    bytes_per_second: f64,
    /// Bytes that may be written now; below zero while a frame is paid off.
    left: f64,
    at: Instant,
}

impl Pace {
    /// With a full budget.
    pub fn new(bytes_per_second: u64, now: Instant) -> Self {
        let rate = bytes_per_second as f64;
        Self { bytes_per_second: rate, left: rate * BURST, at: now }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + passed * self.bytes_per_second).min(self.bytes_per_second * BURST);
    }

    /// So many bytes were written.
    pub fn spent(&mut self, bytes: usize, now: Instant) {
        self.refill(now);
        self.left -= bytes as f64;
    }

    /// How long until the next frame may be drawn; zero = now.
    pub fn wait(&mut self, now: Instant) -> Duration {
        if self.bytes_per_second <= 0.0 {
            return Duration::ZERO;
        }
        self.refill(now);
        if self.left >= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64((-self.left / self.bytes_per_second).min(5.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_any_stretch_the_budget_holds() {
        let start = Instant::now();
        let mut now = start;
        let mut pace = Pace::new(32_000, now);
        let mut written = 0usize;
        while now.duration_since(start) < Duration::from_secs(10) {
            if pace.wait(now).is_zero() {
                pace.spent(1_400, now);
                written += 1_400;
            }
            now += Duration::from_millis(5);
        }
        assert!(written <= 10 * 32_000 + 16_000 + 1_400, "{written}");
        assert!(written >= 10 * 32_000 - 1_400, "{written}");
        assert_eq!(Pace::new(0, now).wait(now), Duration::ZERO);
    }

    #[test]
    fn a_quiet_screen_may_draw_at_once() {
        let now = Instant::now();
        let mut pace = Pace::new(32_000, now);
        pace.spent(8_000, now);
        assert!(pace.wait(now).is_zero());
        pace.spent(30_000, now);
        let wait = pace.wait(now);
        assert!(wait > Duration::from_millis(500) && wait < Duration::from_millis(800), "{wait:?}");
    }
}
