//! What a state says of readiness, and what a journal says of a run, as documents for people and programs: text out.
//!
//! `Report::of` gathers; `json`, `junit`, `markdown` and `html` write. A report is made from the folded state alone, so the same
//! journal gives the same report.

mod checks;
mod escape;
mod html;
mod junit;
mod machines;
mod markdown;
mod phrase;
mod run;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

pub use checks::{Before, Check, Confirmed, Fact, FixDone, Standing, Verdict, Waived};
pub use machines::Machine;
pub use run::{Block, Document, RunReport};

use crate::core::command::blockers;
use crate::core::event::Outcome;
use crate::core::plan::Moment;
use crate::core::state::State;

/// Rises when a field changes its meaning or goes away; fields are added without it.
const FORMAT: u32 = 1;

/// What was asked for, where that is less than everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Only {
    /// Nodes that were looked at; empty: all.
    pub nodes: Vec<String>,
    /// Ids of the checks that were asked; empty: all.
    pub checks: Vec<String>,
}

impl Only {
    /// Nothing was left out.
    pub fn is_all(&self) -> bool {
        self.nodes.is_empty() && self.checks.is_empty()
    }
}

/// Readiness at one time. Ids are stable; fields are only ever added.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    pub format: u32,
    pub cluster: &'a str,
    /// Id of the runbook.
    pub runbook: &'a str,
    pub runbook_title: &'a str,
    /// Display version of the target.
    pub target: &'a str,
    pub target_build: u64,
    /// Time of the last event.
    pub at: Option<Timestamp>,
    /// The time that readiness is told for: the start of the run where there was one, else `at`.
    pub as_of: Option<Timestamp>,
    /// Where the run stands, in a word.
    pub phase: &'static str,
    /// Login of the person who ran nodelift, and the machine it ran on.
    pub by: Option<&'a str>,
    pub on: Option<&'a str>,
    /// Version of nodelift that read this.
    pub nodelift: Option<&'a str>,
    /// The machines are imitated: nothing here is about a real cluster.
    pub imitated: bool,
    pub plan_sha256: Option<&'a str>,
    /// Number of the last event.
    pub event: u64,
    /// Hash of the journal's last record, which all before it lead to; none where nothing was written down.
    pub journal: Option<&'a str>,
    /// What was left out on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
    /// A node of the cluster answered.
    pub reached: bool,
    /// Nothing is in the way of the start.
    pub ready: bool,
    /// Checks in the way; each counts once, however many nodes it fails on.
    pub blockers: usize,
    pub pass: usize,
    pub warn: usize,
    pub fail: usize,
    pub could_not_tell: usize,
    pub not_applicable: usize,
    /// Not among the above: a person took them upon themselves.
    pub waived: usize,
    /// Among the above: passed, but read too long ago for a start.
    pub stale: usize,
    pub machines: BTreeMap<&'a str, Machine<'a>>,
    pub checks: Vec<Check<'a>>,
}

impl<'a> Report<'a> {
    /// What the state says of readiness. `only`: what was asked for.
    pub fn of(state: &'a State, only: Only) -> Self {
        let plan = &state.plan;
        let as_of = state.run.as_ref().map(|r| r.started_at).or(state.at);
        let now = as_of.unwrap_or(Timestamp::UNIX_EPOCH);
        let before = plan.checks.iter().filter(|c| c.moment == Moment::Before);
        let checks: Vec<Check<'a>> = before.map(|c| Check::of(state, c, now)).collect();
        let count = |wanted| checks.iter().filter(|c| !c.waived && c.outcome == Some(wanted)).count();
        let blockers = blockers(state, now);
        let engine = state.engine.as_ref();
        Report {
            format: FORMAT,
            cluster: &plan.cluster,
            runbook: &plan.runbook.id,
            runbook_title: &plan.runbook.title,
            target: &plan.target.version,
            target_build: plan.target.build,
            at: state.at,
            as_of,
            phase: state.phase.word(),
            by: engine.map(|e| e.user.as_str()),
            on: engine.map(|e| e.host.as_str()),
            nodelift: engine.map(|e| e.version.as_str()),
            imitated: engine.is_some_and(|e| e.imitated),
            plan_sha256: state.plan_sha256.as_deref(),
            event: state.seq,
            journal: None,
            only: (!only.is_all()).then_some(only),
            reached: plan.nodes.iter().any(|n| state.connection(n).is_ready()) || state.run.is_some(),
            ready: blockers == 0,
            blockers,
            pass: count(Outcome::Pass),
            warn: count(Outcome::Warn),
            fail: count(Outcome::Fail),
            could_not_tell: count(Outcome::CouldNotTell),
            not_applicable: count(Outcome::NotApplicable),
            waived: checks.iter().filter(|c| c.waived).count(),
            stale: checks.iter().filter(|c| c.standing == Standing::Stale).count(),
            machines: machines::all(state),
            checks,
        }
    }

    /// The same, from a journal whose last record has that hash.
    pub fn of_journal(self, head: Option<&'a str>) -> Self {
        Report { journal: head, ..self }
    }

    /// Something that nobody took upon themselves is not good, in the way or not.
    pub fn has_warnings(&self) -> bool {
        self.checks.iter().any(|c| c.blocks || c.needs_a_look())
    }

    /// What to look at first: in the way, then what is not good, then the rest.
    pub fn worst_first(&self) -> Vec<&Check<'a>> {
        let mut all: Vec<&Check<'a>> = self.checks.iter().collect();
        all.sort_by_key(|c| (!c.blocks, std::cmp::Reverse(c.standing)));
        all
    }

    /// JSON in which no character can act on a terminal.
    ///
    /// # Errors
    /// None that a report can cause.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(escape::json(&serde_json::to_string_pretty(self)?) + "\n")
    }

    /// JUnit XML: a suite for each area, a case for each check and node.
    /// `warnings`: what only warns counts as a failure too.
    pub fn junit(&self, warnings: bool) -> String {
        junit::write(self, warnings)
    }

    /// Markdown that fits a ticket.
    pub fn markdown(&self) -> String {
        markdown::write(self)
    }

    /// One HTML file that needs no other.
    pub fn html(&self) -> String {
        html::write(self)
    }
}
