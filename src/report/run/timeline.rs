//! Everything that happened, in the words of the log: an event that the log can tell stands in the report by itself.

use jiff::Timestamp;
use serde::Serialize;

use crate::core::event::{ENGINE, Stamped};
use crate::core::log::Level;
use crate::core::narrate::narrate;
use crate::core::state::State;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    pub at: Timestamp,
    /// Number of the event.
    pub event: u64,
    /// The machine it is about; none: the run.
    pub node: Option<String>,
    /// `run`, `cau`, `storage`: where it comes from.
    pub source: String,
    pub level: Level,
    /// The person who caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    pub text: String,
}

/// What an event says. `before`: the state it met.
pub fn said(before: &State, stamped: &Stamped) -> Vec<Entry> {
    let by = (stamped.actor != ENGINE).then(|| stamped.actor.clone());
    let entry = |line: crate::core::log::LogLine| Entry {
        at: stamped.at,
        event: stamped.seq,
        node: line.node.map(|n| n.to_string()),
        source: line.source,
        level: line.level,
        by: by.clone(),
        text: line.text,
    };
    narrate(before, stamped).into_iter().map(entry).collect()
}

/// What is worth a line: before the run only what was decided or done, from then on everything but reading.
pub fn is_told(entry: &Entry, started: bool) -> bool {
    const READING: [&str; 7] = ["check", "ssh", "read", "cluster", "host", "storage", "cau"];
    entry.by.is_some() || entry.level > Level::Debug && (started || !READING.contains(&entry.source.as_str()))
}

/// The first error as the run knows it.
pub fn pinned(state: &State, at: Timestamp, text: &str) -> Entry {
    // The sentence of the run begins with the node that it is about.
    let node = state.plan.nodes.iter().find(|n| text.starts_with(&format!("{n}: "))).map(ToString::to_string);
    let text = node.as_ref().map_or(text, |n| &text[n.len() + 2..]).to_owned();
    Entry { at, event: 0, node, source: "run".into(), level: Level::Error, by: None, text }
}
