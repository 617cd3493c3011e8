//! Site time: where it starts, how fast it runs, and how a whole world is moved to another day.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::world::{Fields, World, later, seconds_between, stored};

/// Where a world without a clock stands.
const START: &str = "2025-06-14T08:00:00Z";

impl World {
    /// Time at which its clock starts.
    pub fn start(&self) -> Timestamp {
        let start = self.top("clock").time("start");
        start.or_else(|| START.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Seconds of site time in a real second; 0 = it stands still.
    pub fn rate(&self) -> f64 {
        self.top("clock").number("rate").unwrap_or(60.0)
    }

    /// Site time at a real time: `start + rate × (real − anchor)`.
    pub fn time_at(&self, real: Timestamp) -> Timestamp {
        match self.top("clock").time("anchor") {
            Some(anchor) if self.rate() != 0.0 => later(self.start(), self.rate() * seconds_between(anchor, real)),
            _ => self.start(),
        }
    }

    /// Ties the clock to real time, where that was not done before.
    pub fn anchor(&mut self, real: Timestamp) {
        if self.rate() != 0.0 && self.top("clock").time("anchor").is_none() {
            let start = stored(self.start());
            let clock = self.top_mut("clock");
            if clock.text("start").is_none() {
                clock.put("start", start);
            }
            clock.put("anchor", stored(real));
        }
    }

    /// Up to when the world was evolved.
    pub fn advanced(&self) -> Timestamp {
        self.top("clock").time("advanced").unwrap_or_else(|| self.start())
    }

    /// Moves every time in the world, so that its clock starts at `to`: what was two hours ago stays two hours ago.
    pub fn rebase(&mut self, to: Timestamp) {
        let by = to.duration_since(self.start());
        if !by.is_zero() {
            shift(self.json_mut(), by);
        }
    }
}

fn shift(value: &mut Json, by: SignedDuration) {
    match value {
        Json::String(s) => {
            if let Some(moved) = moved(s, by) {
                *s = moved;
            }
        }
        Json::Array(a) => a.iter_mut().for_each(|v| shift(v, by)),
        Json::Object(o) => o.values_mut().for_each(|v| shift(v, by)),
        _ => {}
    }
}

/// A text that is a time and nothing else, later by that much.
fn moved(text: &str, by: SignedDuration) -> Option<String> {
    let b = text.as_bytes();
    if b.len() < 20 || b.len() > 30 || b[4] != b'-' || b[10] != b'T' || b.last() != Some(&b'Z') {
        return None;
    }
    let time: Timestamp = text.parse().ok()?;
    Some(stored(time.checked_add(by).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn time_runs_from_the_anchor_at_the_rate() {
        let mut w =
            World::new(json!({"clock": {"start": "2025-06-14T08:00:00Z", "rate": 60}, "machines": {}})).unwrap();
        let real: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(w.time_at(real), w.start());
        w.anchor(real);
        w.anchor(later(real, 99.0));
        assert_eq!(stored(w.time_at(later(real, 2.0))), "2025-06-14T08:02:00.000Z");
    }

    #[test]
    fn a_world_moves_as_a_whole() {
        let mut w = World::new(json!({
            "clock": {"start": "2025-06-14T08:00:00Z"},
            "machines": {"A": {"boot": {"time": "2025-06-14T06:00:00.500Z"}, "os": {"caption": "2025-06-14"}}},
        }))
        .unwrap();
        w.rebase("2026-03-01T10:00:00Z".parse().unwrap());
        assert_eq!(w.start(), "2026-03-01T10:00:00Z".parse().unwrap());
        assert_eq!(w.machine("A")["boot"]["time"], "2026-03-01T08:00:00.500Z");
        assert_eq!(w.machine("A")["os"]["caption"], "2025-06-14");
    }
}
