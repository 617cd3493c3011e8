//! What people asked for, confirmed, waived or accepted: who, what they typed, what was shown to them.

use jiff::Timestamp;
use serde::Serialize;

use super::timeline::Entry;
use crate::core::event::{ENGINE, Event, Stamped};
use crate::core::state::State;

/// One word of a person.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    pub at: Timestamp,
    pub by: String,
    pub what: String,
    /// What they typed to confirm it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was shown to them before: warnings, and what was proved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<String>,
}

/// What a person said by an event, where one did. `said`: what the event says.
pub fn said(before: &State, stamped: &Stamped, said: &[Entry]) -> Option<Said> {
    if stamped.actor == ENGINE {
        return None;
    }
    let text = said.iter().map(|e| e.text.as_str()).collect::<Vec<_>>().join("; ");
    // A phase that follows from what was asked says nothing of its own; reading changes nothing.
    if text.is_empty() || matches!(stamped.event, Event::PhaseChanged { .. } | Event::ReadsWanted { .. }) {
        return None;
    }
    let node = said.iter().find_map(|e| e.node.as_ref());
    let by_them = format!(", by {}", stamped.actor);
    let what = text.strip_suffix(by_them.as_str()).unwrap_or(&text);
    let what = node.map_or_else(|| what.to_owned(), |n| format!("{n}: {what}"));
    let mut out =
        Said { at: stamped.at, by: stamped.actor.clone(), what, typed: None, reason: None, shown: Vec::new() };
    let warnings = |step: &str| before.plan.step(step).map_or_else(Vec::new, |s| s.warning.clone());
    match &stamped.event {
        Event::StartIntended { .. } => {
            out.shown = before
                .plan
                .steps
                .iter()
                .filter(|s| s.kind.moves_nodes())
                .flat_map(|s| s.warning.clone())
                .collect();
        }
        Event::CommitAsked { step, typed, reason } => {
            (out.typed, out.reason, out.shown) = (Some(typed.clone()), Some(reason.clone()), warnings(step));
        }
        Event::CommitIntended { step, typed, reason, proof, .. } => {
            (out.typed, out.reason, out.shown) = (Some(typed.clone()), Some(reason.clone()), warnings(step));
            out.shown.extend(proof.iter().map(|p| {
                let held = if p.holds { "proved" } else { "not proved" };
                format!("{}: {held}", p.title)
            }));
        }
        Event::RunAbandoned { typed, reason, left_behind } => {
            (out.typed, out.reason, out.shown) = (Some(typed.clone()), Some(reason.clone()), left_behind.clone());
        }
        Event::ChangesAccepted { changes, reason, .. } => {
            out.reason = Some(reason.clone());
            out.shown = changes.iter().map(|c| c.text()).collect();
        }
        Event::Waived(waiver) => out.reason = Some(waiver.reason.clone()),
        Event::SequenceStarted { sequence, .. } => {
            out.shown = before.plan.sequence(sequence).map_or_else(Vec::new, |s| s.warning.clone());
        }
        _ => {}
    }
    Some(out)
}
