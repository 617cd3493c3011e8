//! What shows that something moves on a node: measures that are real, and since when none of them has changed (run-safety-model 9.3).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::Stage;
use super::state::{Seen, Unit};

/// A measure of progress, as the node or its cluster gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Hundredths of the installation, by its own log.
    Percent(u8),
    /// Roles that are still on a node that is drained.
    RolesLeft(u32),
}

/// A source of progress that has not changed since then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    pub source: String,
    pub since: Timestamp,
}

/// What a node has shown of its progress in its present stage.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    pub percent: Option<Seen<u8>>,
    pub roles_left: Option<Seen<u32>>,
    /// Nothing has changed for longer than the runbook allows there: which sources went quiet, the last one first.
    pub stalled: Option<Seen<Vec<Quiet>>>,
}

impl Progress {
    /// Takes a measure in.
    pub fn take(&mut self, measure: Measure, at: Timestamp) {
        match measure {
            Measure::Percent(p) => self.percent = Some(Seen { at, value: p }),
            Measure::RolesLeft(n) => self.roles_left = Some(Seen { at, value: n }),
        }
    }

    /// Whether a measure is what is known already.
    pub fn knows(&self, measure: Measure) -> bool {
        match measure {
            Measure::Percent(p) => self.percent.as_ref().is_some_and(|s| s.value == p),
            Measure::RolesLeft(n) => self.roles_left.as_ref().is_some_and(|s| s.value == n),
        }
    }
}

/// Hundredths of the stage a node is in, where something says so; never from the time that has passed.
pub fn percent(unit: &Unit) -> Option<u8> {
    let here = unit.track.last().filter(|p| p.to.is_none() && p.stage == Stage::Installing)?;
    unit.progress.percent.as_ref().filter(|s| s.at >= here.from).map(|s| s.value)
}

/// The real measure of the stage a node is in: `43%`, `3 roles left`.
pub fn measured(unit: &Unit) -> Option<String> {
    if let Some(p) = percent(unit) {
        return Some(format!("{p}%"));
    }
    let here = unit.track.last().filter(|p| p.to.is_none() && p.stage == Stage::Draining)?;
    let left = unit.progress.roles_left.as_ref().filter(|s| s.at >= here.from)?.value;
    Some(super::command::plural(left as usize, "role") + " left")
}

/// The number after a mark in a line, up to 100: `… Percent: 43`.
pub fn percent_in(line: &str, mark: &str) -> Option<u8> {
    let (_, rest) = line.rsplit_once(mark)?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|p| *p <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_is_read_after_its_mark_only() {
        let line = "2025-06-14 10:03:11, Info  MOUPG  ExecuteProgress: Elapsed events:1 of 4, Percent: 12";
        assert_eq!(percent_in(line, "Percent: "), Some(12));
        assert_eq!(percent_in(line, "Progress: "), None);
        assert_eq!(percent_in("Percent: 101", "Percent: "), None);
        assert_eq!(percent_in("Percent: soon", "Percent: "), None);
        assert_eq!(percent_in("Percent: 999999999999", "Percent: "), None);
    }
}
