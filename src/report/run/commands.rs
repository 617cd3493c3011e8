//! What was sent to change something: by operation, from the intent to the last word of it.

use jiff::Timestamp;
use serde::Serialize;

use super::timeline::Entry;
use crate::core::event::{Answer, ENGINE, Event, Stamped};

/// One operation.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// Its id: the name of its folder and task on the machine.
    pub operation: String,
    /// When it was written down that it will be sent.
    pub at: Timestamp,
    pub node: Option<String>,
    /// The person who asked for it; none: the engine, by the plan.
    pub by: Option<String>,
    pub what: String,
    /// What came of it, in order. None: nobody knows.
    pub results: Vec<Came>,
}

/// One word on what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Came {
    pub at: Timestamp,
    pub text: String,
}

/// Takes in an event, where it is about an operation. `said`: what it says.
pub fn note(all: &mut Vec<Sent>, stamped: &Stamped, said: &[Entry]) {
    let Some(op) = stamped.event.op() else { return };
    let text = undo(&stamped.event)
        .unwrap_or_else(|| said.iter().map(|e| e.text.as_str()).collect::<Vec<_>>().join("; "));
    if let Some(sent) = all.iter_mut().rfind(|s| s.operation == op.as_str()) {
        let text = if text.is_empty() { "answered".to_owned() } else { text };
        sent.results.push(Came { at: stamped.at, text });
        return;
    }
    all.push(Sent {
        operation: op.to_string(),
        at: stamped.at,
        node: stamped.event.unit().map(ToString::to_string),
        by: (stamped.actor != ENGINE).then(|| stamped.actor.clone()),
        what: text,
        results: Vec::new(),
    });
}

/// A fix that was done: how it is taken back, the last change first.
fn undo(event: &Event) -> Option<String> {
    let Event::FixEnded { answer: Answer::Facts(record), .. } = event else { return None };
    let undo: Vec<&str> = record.get("undo")?.as_array()?.iter().filter_map(|u| u.as_str()).collect();
    Some(if undo.is_empty() {
        "done; nothing was changed".to_owned()
    } else {
        format!("done; to undo: {}", undo.join("; "))
    })
}
