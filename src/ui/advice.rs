//! The line above the keys: what stands between you and the next phase, and the key for it. Below it, while something goes on:
//! what happens if this dies now.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::footer::key_text;
use super::model::Model;
use super::survive;
use super::widgets::row::{self, Row};
use super::widgets::text;
use crate::core::advice::{Advice, Suggest};
use crate::input::Action;
use crate::theme::{Role, Theme};

/// The action of a suggestion.
fn action(suggest: &Suggest) -> Action {
    match suggest {
        Suggest::CheckAll => Action::CheckAll,
        Suggest::RetryFailed => Action::RetryFailed,
        Suggest::FixAll => Action::FixAll,
        Suggest::Details => Action::Attention,
        Suggest::Start => Action::Start,
        Suggest::Resume => Action::Resume,
        Suggest::Defer => Action::Defer,
        Suggest::Recover => Action::Recover,
        Suggest::Commit(_) => Action::Commit,
    }
}

/// Draws it, in one row or two.
pub fn draw(model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let area =
        Rect { x: area.x + 1.min(area.width), width: area.width.saturating_sub(2), ..area }.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let notes = note(model, theme, area);
    // A note takes the place of as much of the advice as it needs.
    let room = usize::from(area.height) - notes.len();
    let mut lines = if room > 0 { sentence(model, theme, area.width as usize, room) } else { Vec::new() };
    if notes.is_empty() && lines.len() < room {
        lines.extend(safety(model, theme, area.width as usize, room - lines.len()));
    }
    lines.extend(notes);
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        let rect = Rect { y, height: 1, ..area };
        row::draw(theme, rect, buf, line, &Line::default());
    }
}

/// What was just said, where something was, in the rows there are.
fn note(model: &Model, theme: &Theme, area: Rect) -> Vec<Line<'static>> {
    let Some(n) = &model.note else { return Vec::new() };
    let g = theme.glyphs();
    let (sign, role) = if n.refused { (g.attention, Role::Refused) } else { (g.done, Role::Advice) };
    let mut lines = text::wrap(&n.text, usize::from(area.width).saturating_sub(2).max(1));
    let rows = usize::from(area.height);
    if lines.len() > rows {
        let rest = lines.split_off(rows - 1).join(" ");
        lines.push(text::clip(&rest, usize::from(area.width).saturating_sub(2), g.ellipsis));
    }
    let drawn = |(i, line): (usize, String)| {
        let sign = if i == 0 { sign } else { " " };
        Line::styled(format!("{sign} {line}"), theme.style(role))
    };
    lines.into_iter().enumerate().map(drawn).collect()
}

/// The advice, broken into so many rows at most.
fn sentence(model: &Model, theme: &Theme, width: usize, rows: usize) -> Vec<Line<'static>> {
    if !model.caught_up && model.state.is_some() {
        return vec![Line::styled("Reading what happened so far.", theme.style(Role::Muted))];
    }
    if model.gone.is_some() {
        let said = format!("The engine has left. This is how things were at {} UTC.", super::time::hms(model.now));
        return vec![Line::styled(said, theme.style(Role::Attention))];
    }
    let Some(advice) = model.derived().map(|d| &d.advice) else {
        return vec![Line::styled("Waiting for the engine.", theme.style(Role::Muted))];
    };
    let sign = advice.urgent.then(|| crate::ui::signs::urgent(theme.glyphs(), model));
    // A no-break space keeps the key on the line of its first word.
    const JOINT: char = '\u{a0}';
    let press = press(model, advice);
    let marked = press.as_ref().and_then(|(action, _)| {
        Some(format!("{}{JOINT}", key_text(theme.glyphs(), model.keymap.key_of(*action)?)))
    });
    let tail = match (&press, &marked) {
        (Some((_, does)), Some(key)) => format!("{key}{does}{}", if does.ends_with('.') { "" } else { "." }),
        _ => String::new(),
    };
    let ellipsis = theme.glyphs().ellipsis;
    let width = width.saturating_sub(if sign.is_some() { 2 } else { 0 }).max(1);
    let mut lines = text::wrap(format!("{} {tail}", advice.text).trim_end(), width);
    if lines.len() > rows {
        let mut said = text::wrap(&advice.text, width);
        if text::width(&tail) <= width / 2 {
            // The end of the sentence gives way, the key stays.
            let room = width.saturating_sub(text::width(&tail) + 1);
            let rest = said.split_off(rows.max(1) - 1).join(" ");
            said.push(format!("{} {tail}", text::clip(&rest, room, ellipsis)));
            lines = said;
        } else {
            let rest = lines.split_off(rows.max(1) - 1).join(" ");
            lines.push(text::clip(&rest, width, ellipsis));
        }
    }
    let style = theme.style(Role::Advice);
    let drawn = |(i, line): (usize, String)| {
        let mut row = Row::new();
        match sign {
            Some(sign) if i == 0 => row.sign(theme, sign),
            Some(_) => row.gap(2),
            None => &mut row,
        };
        match marked.as_ref().and_then(|m| line.split_once(m.as_str())) {
            Some((before, after)) => {
                let key = marked.as_deref().unwrap_or_default().trim_end_matches(JOINT);
                row.add(before, style).add(key, theme.style(Role::Key)).gap(1).add(after, style)
            }
            None => row.add(line.replace(JOINT, " "), style),
        };
        row.line()
    };
    lines.into_iter().enumerate().map(drawn).collect()
}

/// What to press, and what that does.
fn press(model: &Model, advice: &Advice) -> Option<(Action, String)> {
    let shows = || model.needs_person().is_some().then(|| (Action::Attention, "shows it".to_owned()));
    match &advice.press {
        None if model.state.as_ref().is_some_and(|s| s.phase.is_terminal()) => {
            Some((Action::Outcome, "shows what was done and what is left".to_owned()))
        }
        None if advice.urgent => shows(),
        None => None,
        // What is selected may be something else.
        Some((Suggest::Details, does)) => Some((Action::Attention, does.clone())),
        Some(_) if model.cannot_change().is_some() => None,
        Some((suggest, does)) => Some((action(suggest), does.clone())),
    }
}

/// What happens if this screen, this box or the node dies now.
fn safety(model: &Model, theme: &Theme, width: usize, rows: usize) -> Vec<Line<'static>> {
    let muted = theme.style(Role::Muted);
    let said = survive::lines(model, theme.glyphs(), width, rows);
    said.into_iter().map(|text| Line::styled(text, muted)).collect()
}

/// A sentence with a capital.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}
