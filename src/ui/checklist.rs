//! What a node waits for before it is begun, condition by condition: since when, and how long that usually takes.

use jiff::Timestamp;
use ratatui::text::Line;

use super::signs::Sign;
use super::time;
use super::widgets::row::Row;
use crate::core::event::ProofItem;
use crate::core::gate_rules::Judged;
use crate::core::gates::enforced;
use crate::core::name::NodeName;
use crate::core::state::State;
use crate::core::summary::duration;
use crate::theme::{Glyphs, Role, Theme};

/// The gates of a node that waits for them; none once it is begun.
pub fn waits<'a>(state: &'a State, node: &NodeName) -> Option<&'a Judged> {
    let judged = state.gates.as_ref().filter(|j| j.node == *node)?;
    let begun = state.unit(node).is_none_or(|u| !u.track.is_empty() || u.state.is_final());
    (!begun && !state.phase.is_terminal()).then_some(judged)
}

/// `9 of 11 conditions hold, for 12m of usually ~1m`.
pub fn summary(state: &State, judged: &Judged, now: Timestamp) -> String {
    let (holds, of) = (judged.items.iter().filter(|i| i.holds).count(), judged.items.len());
    let waited = match (judged.open_since, judged.since.iter().max()) {
        (Some(at), _) if judged.twice => format!("open for {}", time::ago(at, now)),
        (Some(_), _) => "looked at once more in half a minute".to_owned(),
        (None, Some(at)) => format!("waits for {}", time::ago(*at, now)),
        (None, None) => String::new(),
    };
    let usual = state.open_sequence().and_then(|(run, s)| s.actions.get(run.action)).map(|a| a.expected);
    let usual = usual.map_or_else(String::new, |s| format!(", usually ~{}", duration(s as i64)));
    let kind = if enforced(state) { "Gate" } else { "Gate, observed" };
    format!("{kind}: {holds} of {of} conditions hold; {waited}{usual}")
}

/// One condition: sign, title, what was seen, since when it does not hold.
pub fn item(theme: &Theme, item: &ProofItem, since: Timestamp, now: Timestamp) -> Row {
    let mut row = Row::new();
    row.sign(theme, sign(theme.glyphs(), item)).add(item.title.clone(), theme.style(Role::Text));
    if let Some(why) = &item.why {
        row.add(format!("  {why}"), theme.style(Role::Muted));
    }
    if !item.holds {
        row.add(format!("  {}", time::ago(since, now)), theme.style(Role::Attention));
    }
    row
}

/// What does not hold, a row each, below a row that counts.
pub fn rows(state: &State, theme: &Theme, judged: &Judged, now: Timestamp) -> Vec<Line<'static>> {
    let mut head = Row::new();
    head.gap(2).add(summary(state, judged, now), theme.style(Role::Muted));
    let closed = judged.items.iter().zip(&judged.since).filter(|(i, _)| !i.holds);
    let each = closed.map(|(i, since)| {
        let mut row = Row::new();
        row.gap(2).spans.extend(item(theme, i, *since, now).spans);
        row.line()
    });
    std::iter::once(head.line()).chain(each).collect()
}

fn sign(g: &Glyphs, item: &ProofItem) -> Sign {
    match (item.holds, &item.why) {
        (true, None) => (g.done, Role::Done),
        // Somebody took it upon themselves.
        (true, Some(_)) => (g.paused, Role::Attention),
        (false, _) => (g.failed, Role::Failed),
    }
}
