//! A run as one document, from its plan and its journal alone: what happened, what went wrong first, what is left to do.
//!
//! `RunReport::of` folds the events; `document` says in which order people read it; `json`, `markdown` and `html` write. The same
//! journal gives the same bytes.

mod commands;
mod document;
mod gates;
mod left;
mod nodes;
mod people;
mod timeline;
mod write;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

pub use document::{Block, Document};

use commands::Sent;
use gates::{Passed, Waived};
use left::Left;
use nodes::Node;
use people::Said;
use timeline::Entry;

use super::escape;
use crate::core::event::{Event, Stamped};
use crate::core::log::Level;
use crate::core::plan::{Mode, Plan};
use crate::core::run::RunVerdict;
use crate::core::state::State;
use crate::core::window::Window;

/// Rises when a field changes its meaning or goes away; fields are added without it.
const FORMAT: u32 = 1;

/// Everything about a run. Ids are stable; fields are only ever added.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    pub format: u32,
    pub cluster: String,
    /// Number of the change that it was made under, and the maintenance window, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// Id of the runbook, its title, and the document it follows.
    pub runbook: String,
    pub runbook_title: String,
    pub source: String,
    pub target: String,
    pub target_build: u64,
    /// Who moved the nodes: the product's own orchestrator, or we.
    pub driver: String,
    pub mode: Mode,
    /// The machines are imitated: nothing here is about a real cluster.
    pub imitated: bool,
    pub plan_sha256: Option<String>,
    /// Number of the last event, and hash of the journal's last record, which all before it lead to.
    pub event: u64,
    pub journal: Option<String>,
    /// What is wrong with the end of the journal: the report ends there.
    pub flaw: Option<String>,
    /// Every start of an engine: more than one means that it was started again.
    pub engines: Vec<Engine>,
    pub started_at: Option<Timestamp>,
    pub started_by: Option<String>,
    pub ended_at: Option<Timestamp>,
    /// Time of the last event.
    pub last_at: Option<Timestamp>,
    /// Where the run stands, in a word, and why.
    pub phase: &'static str,
    pub message: String,
    /// Nothing follows. Not so: it goes on, or its engine is gone.
    pub over: bool,
    pub verdict: Option<RunVerdict>,
    /// The first error: whatever came later came of it, or after it.
    pub first_error: Option<Entry>,
    pub errors: Vec<Entry>,
    pub nodes: Vec<Node>,
    /// What is left for people to do.
    pub left: Vec<Left>,
    /// What was taken upon somebody: checks and gates.
    pub waivers: Vec<Waived>,
    /// Gates that were closed when a node was taken out of service.
    pub gates_passed: Vec<Passed>,
    /// What people asked for, confirmed, waived or accepted.
    pub people: Vec<Said>,
    /// Everything that was sent to change something, with what came of it.
    pub commands: Vec<Sent>,
    pub timeline: Vec<Entry>,
}

/// A start of an engine.
#[derive(Clone, Debug, Serialize)]
pub struct Engine {
    pub at: Timestamp,
    pub version: String,
    /// Machine and login it ran under.
    pub host: String,
    pub user: String,
}

impl RunReport {
    /// What the events of a journal say. None where no run was started: then there is only readiness to tell.
    pub fn of(plan: &Arc<Plan>, events: &[Stamped]) -> Option<Self> {
        let mut state = State::new(plan.clone());
        let (mut engines, mut timeline, mut passed) = (Vec::new(), Vec::new(), Vec::new());
        let (mut people, mut commands) = (Vec::new(), Vec::new());
        for stamped in events {
            let said = timeline::said(&state, stamped);
            if let Event::EngineStarted(e) = &stamped.event {
                let (version, host, user) = (e.version.clone(), e.host.clone(), e.user.clone());
                engines.push(Engine { at: stamped.at, version, host, user });
            }
            passed.extend(gates::passed(&state, stamped));
            people.extend(people::said(&state, stamped, &said));
            commands::note(&mut commands, stamped, &said);
            timeline.extend(said.into_iter().filter(|e| timeline::is_told(e, state.run.is_some())));
            state.apply(stamped);
        }
        let run = state.run.as_ref()?;
        let errors: Vec<Entry> =
            timeline.iter().filter(|e| e.level == Level::Error && e.at >= run.started_at).cloned().collect();
        let first = run.first_error.as_ref().map(|e| timeline::pinned(&state, e.at, &e.value));
        let first_error = match (errors.first(), first) {
            (Some(seen), Some(first)) if first.at < seen.at => Some(first),
            (Some(seen), _) => Some(seen.clone()),
            (None, first) => first,
        };
        Some(RunReport {
            format: FORMAT,
            cluster: plan.cluster.clone(),
            change: plan.terms.change.clone(),
            window: plan.terms.window.as_ref().map(Window::text),
            runbook: plan.runbook.id.clone(),
            runbook_title: plan.runbook.title.clone(),
            source: plan.runbook.source.clone(),
            target: plan.target.version.clone(),
            target_build: plan.target.build,
            driver: plan.driver.name.clone(),
            mode: plan.driver.mode,
            imitated: state.engine.as_ref().is_some_and(|e| e.imitated),
            plan_sha256: state.plan_sha256.clone(),
            event: state.seq,
            journal: None,
            flaw: None,
            engines,
            started_at: Some(run.started_at),
            started_by: Some(run.started_by.clone()),
            ended_at: run.ended_at,
            last_at: state.at,
            phase: state.phase.word(),
            message: state.phase_why.clone(),
            over: state.phase.is_terminal(),
            verdict: state.verdict,
            first_error,
            errors,
            nodes: nodes::all(&state),
            left: left::all(&state),
            waivers: gates::waived(&state),
            gates_passed: passed,
            people,
            commands,
            timeline,
        })
    }

    /// The same, from a journal whose last record has that hash, and whose end is flawed like that.
    pub fn of_journal(self, head: Option<&str>, flaw: Option<&str>) -> Self {
        RunReport { journal: head.map(str::to_owned), flaw: flaw.map(str::to_owned), ..self }
    }

    /// How it stands, in a few words.
    pub fn stands(&self) -> String {
        if self.over {
            return self.phase.to_owned();
        }
        format!("{}, not over", self.phase)
    }

    /// JSON in which no character can act on a terminal.
    ///
    /// # Errors
    /// None that a report can cause.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(escape::json(&serde_json::to_string_pretty(self)?) + "\n")
    }

    /// What people read, in its order.
    pub fn document(&self) -> Document {
        document::of(self)
    }

    /// Markdown that fits a ticket.
    pub fn markdown(&self) -> String {
        write::markdown(&self.document())
    }

    /// One HTML file that needs no other.
    pub fn html(&self) -> String {
        write::html(&self.document())
    }
}
