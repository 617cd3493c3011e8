//! A sequence over the nodes before the run, such as a rolling restart: every node, the one in work with its actions and with what
//! its gate waits for.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::core::name::NodeName;
use crate::core::sequence::{Action, ActionRun, Sequence, SequenceRun};
use crate::core::state::State;
use crate::core::summary::duration;
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::signs::Sign;
use crate::ui::time;
use crate::ui::widgets::frame::Frame;
use crate::ui::widgets::row::{self, Row};

type Rows = Vec<(Line<'static>, Line<'static>)>;

/// Draws it.
pub fn draw(model: &Model, state: &State, theme: &Theme, mut frame: Frame, area: Rect, buf: &mut Buffer) {
    let Some((run, sequence)) = state.sequence_before_run() else { return };
    let inner = Frame::inner(area);
    let done = format!(" {}, {} of {} done ", sequence.title, run.node, run.nodes.len());
    frame.right = Line::styled(done, theme.style(Role::Title));
    frame.draw(theme, area, buf);
    for ((left, right), y) in rows(run, sequence, theme, model.now).iter().zip(inner.top()..inner.bottom()) {
        let rect = Rect { x: inner.x + 1, y, width: inner.width.saturating_sub(2), height: 1 };
        row::draw(theme, rect, buf, left, right);
    }
}

/// How many rows it takes.
pub fn height(state: &State, theme: &Theme) -> usize {
    state.sequence_before_run().map_or(0, |(run, sequence)| rows(run, sequence, theme, run.since).len())
}

fn rows(run: &SequenceRun, sequence: &Sequence, theme: &Theme, now: Timestamp) -> Rows {
    // The node in work first: where there is little room it is what counts.
    let here = run.node.min(run.nodes.len());
    let (before, rest) = run.nodes.split_at(here);
    let mut out = Rows::new();
    if let Some((node, after)) = rest.split_first() {
        out.extend(in_work(run, sequence, node, theme, now));
        out.extend(after.iter().map(|n| waiting(n, node, theme)));
    }
    out.extend(before.iter().map(|n| done(run, sequence, n, theme)));
    out
}

fn in_work(run: &SequenceRun, sequence: &Sequence, node: &NodeName, theme: &Theme, now: Timestamp) -> Rows {
    let g = theme.glyphs();
    let Some(action) = sequence.actions.get(run.action) else { return Rows::new() };
    let known = run.on(node, &action.id);
    let (mut left, mut right) = (Row::new(), Row::new());
    let sign: Sign = match (&run.paused, &action.kind) {
        (Some(_), _) => (g.paused, Role::Paused),
        (None, _) if known.is_some_and(|k| !k.gate.is_empty() && k.open_since.is_none()) => {
            (g.paused, Role::Paused)
        }
        _ => (g.running, Role::Running),
    };
    left.sign(theme, sign).add(format!("{node}  "), theme.style(Role::Strong));
    left.add(action.title.clone(), theme.style(Role::Text));
    let usual = duration(action.expected as i64);
    right.add(format!("{} of ~{usual}", time::ago(run.since, now)), theme.style(Role::Muted));
    let mut out = vec![(left.line(), right.line()), (track(run, sequence, node, theme).line(), Line::default())];
    if let Some(halt) = &run.paused {
        out.push(note(theme, &format!("paused, {}: {}", halt.value.reason, halt.value.why), Role::Attention));
    } else if let Some(person) = &action.person {
        out.push(note(theme, person, Role::Attention));
    }
    for item in known.iter().flat_map(|k: &&ActionRun| &k.gate) {
        let (sign, role) = if item.holds { (g.done, Role::Done) } else { (g.failed, Role::Failed) };
        let mut row = Row::new();
        row.gap(4).sign(theme, (sign, role)).add(item.title.clone(), theme.style(Role::Text));
        if let Some(why) = &item.why {
            row.add(format!("  {why}"), theme.style(Role::Muted));
        }
        out.push((row.line(), Line::default()));
    }
    out
}

fn note(theme: &Theme, text: &str, role: Role) -> (Line<'static>, Line<'static>) {
    let mut row = Row::new();
    row.gap(4).add(text.to_owned(), theme.style(role));
    (row.line(), Line::default())
}

/// Every action with its sign, as far as the node has come.
fn track(run: &SequenceRun, sequence: &Sequence, node: &NodeName, theme: &Theme) -> Row {
    let g = theme.glyphs();
    let mut row = Row::new();
    row.gap(4);
    for (i, Action { id, .. }) in sequence.actions.iter().enumerate() {
        let ended = run.on(node, id).is_some_and(|a| a.ended.is_some());
        let (sign, role) = match i {
            i if i == run.action => (g.running, Role::Running),
            _ if ended => (g.done, Role::Done),
            _ => (g.waiting, Role::Waiting),
        };
        let name = if i == run.action { Role::Strong } else { Role::Muted };
        row.add(format!("{id} "), theme.style(name)).add(sign, theme.style(role)).gap(2);
    }
    row
}

fn waiting(node: &NodeName, first: &NodeName, theme: &Theme) -> (Line<'static>, Line<'static>) {
    let mut row = Row::new();
    row.sign(theme, (theme.glyphs().waiting, Role::Waiting)).add(format!("{node}  "), theme.style(Role::Text));
    row.add(format!("waits for {first}"), theme.style(Role::Muted));
    (row.line(), Line::default())
}

fn done(run: &SequenceRun, sequence: &Sequence, node: &NodeName, theme: &Theme) -> (Line<'static>, Line<'static>) {
    let (mut left, mut right) = (Row::new(), Row::new());
    left.sign(theme, (theme.glyphs().done, Role::Done)).add(format!("{node}  "), theme.style(Role::Text));
    left.add("done", theme.style(Role::Muted));
    let ended = |a: &Action| run.on(node, &a.id)?.ended.as_ref().map(|e| e.at);
    let drained = sequence.actions.first().and_then(ended);
    if let (Some(from), Some(to)) = (drained, sequence.actions.last().and_then(ended)) {
        right.add(format!("took {}", duration(to.duration_since(from).as_secs())), theme.style(Role::Muted));
    }
    (left.line(), right.line())
}
