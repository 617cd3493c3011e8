//! Everything found, for a program: one JSON document. Names are stable, fields are only ever added.

use jiff::Timestamp;
use serde::Serialize;

use super::step::{Examination, Outcome, StepId};

/// The document.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// Version of this shape.
    pub format: u32,
    pub cluster: &'a str,
    pub inventory: String,
    pub at: Timestamp,
    pub took_ms: u64,
    #[serde(flatten)]
    pub tally: Tally,
    pub machines: Vec<Machine<'a>>,
}

/// How many machines stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Every step passed, or was not needed.
    pub well: usize,
    /// They work, and there is something to know.
    pub with_caveats: usize,
    /// A step failed after the login.
    pub with_problems: usize,
    /// Nobody could log in.
    pub out_of_reach: usize,
}

impl Tally {
    pub fn of(all: &[Examination]) -> Self {
        let mut tally = Self::default();
        for one in all {
            *match (one.is_out_of_reach(), one.count(Outcome::Failed), one.count(Outcome::Caveat)) {
                (true, ..) => &mut tally.out_of_reach,
                (_, 1.., _) => &mut tally.with_problems,
                (.., 1..) => &mut tally.with_caveats,
                _ => &mut tally.well,
            } += 1;
        }
        tally
    }
}

#[derive(Debug, Serialize)]
pub struct Machine<'a> {
    name: &'a str,
    role: &'a str,
    address: &'a str,
    took_ms: u64,
    steps: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    step: StepId,
    outcome: Outcome,
    /// Null where a step took no time of its own.
    took_ms: Option<u64>,
    /// An address, a command, a script; null where there is none.
    at: Option<&'a str>,
    said: &'a str,
    remedy: Option<&'a str>,
}

impl<'a> From<&'a Examination> for Machine<'a> {
    fn from(e: &'a Examination) -> Self {
        let row = |s: &'a super::Step| Row {
            step: s.id,
            outcome: s.finding.outcome,
            took_ms: s.took.map(milliseconds),
            at: Some(s.at.as_str()).filter(|at| !at.is_empty()),
            said: &s.finding.said,
            remedy: s.finding.remedy.as_deref(),
        };
        let steps = e.steps.iter().map(row).collect();
        Self { name: &e.machine, role: e.role, address: &e.address, took_ms: milliseconds(e.took), steps }
    }
}

/// Whole milliseconds.
pub fn milliseconds(d: std::time::Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
