//! The keys that work here, now. One that does not work now keeps its place and is greyed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::model::Model;
use super::overlays::Overlay;
use super::widgets::row::Row;
use crate::input::{Action, Code, Key};
use crate::theme::{Glyphs, Role, Theme};

/// Draws it.
pub fn draw(model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let line = line(model, theme, &model.footer_actions(), area.width.saturating_sub(2) as usize);
    buf.set_line(area.x + 1, area.y, &line, area.width.saturating_sub(1));
}

/// As many keys as fit. Greyed ones go first, then the last before `help` and `leave`.
fn line(model: &Model, theme: &Theme, actions: &[Action], columns: usize) -> Line<'static> {
    let mut entries: Vec<(Option<Action>, Row, bool)> = actions
        .iter()
        .map(|a| {
            let on = model.refusal(*a).is_none();
            (Some(*a), entry(model, theme, *a, on), on)
        })
        .collect();
    let total = |e: &[(Option<Action>, Row, bool)]| {
        e.iter().map(|(_, r, _)| r.width() + 2).sum::<usize>().saturating_sub(2)
    };
    while total(&entries) > columns && entries.len() > 2 {
        let droppable = entries.len() - 2;
        let greyed = (0..droppable).rev().find(|i| !entries[*i].2);
        entries.remove(greyed.unwrap_or(droppable - 1));
    }
    // Where there is room left: how one gets about.
    let about = model.overlays.is_empty();
    for more in [panes(model, theme), Some(entry(model, theme, Action::Zoom, true))]
        .into_iter()
        .flatten()
        .filter(|_| about)
    {
        if total(&entries) + more.width() + 2 <= columns {
            entries.insert(entries.len().saturating_sub(2), (None, more, true));
        }
    }
    joined(entries.into_iter().map(|(_, r, _)| r))
}

/// The keys of the four panes as one entry, where they are four digits.
fn panes(model: &Model, theme: &Theme) -> Option<Row> {
    let keys = [Action::Nodes, Action::Checks, Action::Progress, Action::Logs].map(|a| model.keymap.key_of(a));
    let digits: Vec<char> =
        keys.into_iter().flatten().filter_map(Key::typed).filter(char::is_ascii_digit).collect();
    let (first, last) = (digits.first()?, digits.last()?);
    let mut row = Row::new();
    row.add(format!("{first}-{last}"), theme.style(Role::Key)).add(" panes", theme.style(Role::Text));
    (digits.len() == 4).then_some(row)
}

fn joined(rows: impl Iterator<Item = Row>) -> Line<'static> {
    let mut out = Row::new();
    for (i, row) in rows.enumerate() {
        if i > 0 {
            out.gap(2);
        }
        out.spans.extend(row.spans);
    }
    out.line()
}

fn entry(model: &Model, theme: &Theme, action: Action, on: bool) -> Row {
    let mut row = Row::new();
    let Some(key) = key_shown(model, action) else { return row };
    let mut title = title(model, action).to_owned();
    if action == Action::Leave && runs_on(model) {
        title.push_str(" (runs on)");
    }
    let (k, t) = if on { (Role::Key, Role::Text) } else { (Role::Disabled, Role::Disabled) };
    row.add(key_text(theme.glyphs(), key), theme.style(k)).gap(1).add(title, theme.style(t));
    row
}

/// What an action is called here: to do nothing is called back, or later, by what lies on top.
fn title(model: &Model, action: Action) -> &'static str {
    match (model.overlays.last(), action) {
        (Some(Overlay::Commit(_)), Action::No) => "later",
        (Some(Overlay::Confirm(_) | Overlay::Waive(_) | Overlay::Attest(_) | Overlay::Decide(_)), Action::No) => {
            "cancel"
        }
        (None, Action::Commit) if model.asked_about().is_some() => "decide",
        (Some(Overlay::Check(_)), Action::Left) => "node before",
        (Some(Overlay::Check(_)), Action::Right) => "node after",
        _ => action.spec().title,
    }
}

/// The key that is shown for an action: where one types, letters are text.
fn key_shown(model: &Model, action: Action) -> Option<Key> {
    let typing =
        matches!(model.overlays.last(), Some(Overlay::Waive(_) | Overlay::Attest(_) | Overlay::Commit(_)));
    let keys = model.keymap.keys_of(action);
    keys.into_iter().find(|k| !typing || k.typed().is_none())
}

/// Leaving loses nothing: what goes on has an engine of its own.
fn runs_on(model: &Model) -> bool {
    let under_way = model.state.as_ref().is_some_and(|s| s.phase.is_under_way());
    under_way && !model.modes.own_engine && model.modes.replay.is_none() && model.gone.is_none()
}

/// A key as it is drawn.
pub fn key_text(g: &Glyphs, key: Key) -> String {
    if key.ctrl || key.alt || key.shift {
        return key.to_string();
    }
    match key.code {
        Code::Enter => g.enter.into(),
        Code::Up => g.up.into(),
        Code::Down => g.down.into(),
        Code::Left => g.left.into(),
        Code::Right => g.right.into(),
        _ => key.to_string(),
    }
}
