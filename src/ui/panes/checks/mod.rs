//! Checks: a list or a matrix in one border, which says how one looks at them, how they stand, and what is being read.

mod list;
mod matrix;

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::core::command::moment;
use crate::core::plan::Moment;
use crate::core::run::Phase;
use crate::core::standing::Standing;
use crate::core::state::State;
use crate::core::summary::Open;
use crate::input::Action;
use crate::theme::{Role, Theme};
use crate::ui::footer::key_text;
use crate::ui::layout::Pane;
use crate::ui::model::Model;
use crate::ui::widgets::frame::Frame;
use crate::ui::widgets::gauge;
use crate::ui::widgets::row::Row;
use crate::ui::widgets::text;
use crate::ui::{signs, time};

/// From this width on there is room for words beside numbers, and for a sign for each node in a row.
const WORDS_FROM: usize = 64;

/// Draws it.
pub fn draw(model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let focused = model.focus == Pane::Checks;
    let mut frame = Frame::pane(theme, "2", Pane::Checks.title(), focused);
    let (Some(state), Some(derived)) = (&model.state, model.derived()) else {
        frame.draw(theme, area, buf);
        return;
    };
    let inner = Frame::inner(area);
    let room = (inner.width as usize).saturating_sub(2);
    frame.title.spans.extend(looking(model, theme).spans);
    frame.right = counts(model, theme, inner.width as usize, room.saturating_sub(frame.title.width()));
    let lines = derived.list.lines.len();
    let grid = model.looking.matrix && lines > 0;
    let place = if grid { matrix::place(model, inner) } else { list::place(model, inner) };
    frame.scroll = Some((place.top, place.shown, lines));
    frame.foot = reading(model, state, theme, room.saturating_sub(frame.foot_width(theme)));
    frame.keys = keys(model, theme, room.saturating_sub(frame.foot_width(theme) + 1));
    frame.draw(theme, area, buf);
    if lines == 0 {
        nothing(model, state, theme, inner, buf);
    } else if grid {
        matrix::draw(model, state, theme, inner, place, buf);
    } else {
        list::draw(model, state, theme, inner, place, buf);
    }
}

/// Which lines are seen: the first, and how many there is room for.
#[derive(Clone, Copy)]
struct Place {
    top: usize,
    shown: usize,
}

/// Why there is nothing.
fn nothing(model: &Model, state: &State, theme: &Theme, inner: Rect, buf: &mut Buffer) {
    let all = model.keymap.key_of(Action::Back).map_or_else(String::new, |k| format!(" {k} shows all again."));
    let why = match moment(state) {
        _ if model.looking.filters() => format!("No check is like that.{all}"),
        Moment::Before => "This runbook has no readiness check.".to_owned(),
        _ => "This runbook has no check after the last node.".to_owned(),
    };
    let width = inner.width.saturating_sub(2).max(1) as usize;
    for (line, y) in text::wrap(&why, width).into_iter().zip(inner.top()..inner.bottom()) {
        let line = Line::styled(line, theme.style(Role::Muted));
        buf.set_line(inner.x + 1, y, &line, inner.width.saturating_sub(1));
    }
}

/// How one looks at them, where that is not as usual.
fn looking(model: &Model, theme: &Theme) -> Line<'static> {
    let l = &model.looking;
    let mut row = Row::new();
    let line = theme.glyphs().horizontal;
    let mut part = |text: String, role: Role| {
        row.add(line, theme.style(Role::Border)).add(format!(" {text} "), theme.style(role));
    };
    if let Some(word) = l.order.word() {
        part(word.into(), Role::Title);
    }
    if let Some(only) = l.only {
        part(format!("only {}", only.many()), Role::Attention);
    }
    if l.typing.is_some() {
        part(format!("/{}{}", text::clip(&l.text, 24, theme.glyphs().ellipsis), theme.glyphs().cursor), Role::Key);
    } else if !l.text.is_empty() {
        part(format!("\"{}\"", text::clip(&l.text, 24, theme.glyphs().ellipsis)), Role::Attention);
    }
    row.line()
}

/// How many ended how, as long as there is room; while they are being read, how far that is.
fn counts(model: &Model, theme: &Theme, width: usize, room: usize) -> Line<'static> {
    let Some(d) = model.derived() else { return Line::default() };
    let (g, c) = (theme.glyphs(), &d.counts);
    let total = d.list.rows.len();
    let mut row = Row::new();
    row.gap(1);
    if model.looking.filters() {
        row.add(format!("{} of {total} ", d.list.shown), theme.style(Role::Title));
        return row.line();
    }
    let checking = model.state.as_ref().is_some_and(|s| s.phase == Phase::Checking);
    if checking && c.verdicts > 0 {
        let done = c.verdicts - c.open;
        let bar = if width >= 60 { 16 } else { 8 };
        row.spans.extend(gauge::bar(theme, bar, done as f64 / c.verdicts as f64, Role::GaugeNow));
        row.gap(1).add(format!("{done} of {} read ", c.verdicts), theme.style(Role::Title));
        return row.line();
    }
    let parts = [
        (c.fail, Standing::Fail),
        (c.unknown, Standing::CouldNotTell),
        (c.warn, Standing::Warn),
        (c.waived, Standing::Waived),
        (c.stale, Standing::Stale),
        (c.pass - c.stale, Standing::Pass),
    ];
    let line = |words: bool, all: bool| {
        let mut row = Row::new();
        row.gap(1);
        for (n, standing) in parts.into_iter().filter(|(n, _)| *n > 0) {
            let (sign, role) = signs::standing(g, standing);
            let word = if words { format!(" {}", standing.many()) } else { String::new() };
            row.add(format!("{n} {sign}{word}"), theme.style(role)).gap(2);
        }
        if all {
            row.add(format!("of {total} "), theme.style(Role::Title));
        }
        row.line()
    };
    let ways = [(width >= WORDS_FROM, true), (false, true)].map(|(words, all)| line(words, all));
    ways.into_iter().find(|l| l.width() <= room).unwrap_or_else(|| line(false, false))
}

/// What is being read longest, where, and since when; how many more.
fn reading(model: &Model, state: &State, theme: &Theme, room: usize) -> Line<'static> {
    let open = || state.reads.iter().filter(|(_, r)| r.is_open() && r.asked_at.is_some());
    let Some((key, read)) = open().min_by_key(|(_, r)| r.asked_at) else { return Line::default() };
    let title = state.plan.fact_group(&key.group).map_or(key.group.as_str(), |g| &g.title);
    let on = read.asked.as_ref().map_or_else(String::new, |n| format!(" on {n}"));
    let since = read.asked_at.map_or_else(String::new, |at| format!(", {}", time::ago(at, model.now)));
    let more = match open().count() - 1 {
        0 => String::new(),
        n => format!(" +{n}"),
    };
    // Where there is little room the title gives way: where and since when is what one looks for.
    let rest = format!("{on}{since}{more}");
    let before = if room >= 48 { "reading " } else { "" };
    let least = room.saturating_sub(3 + text::width(before) + text::width(&rest));
    let said = format!("{before}{}{rest}", text::clip(title, least.max(4), theme.glyphs().ellipsis));
    let said = text::clip(&said, room.saturating_sub(3), theme.glyphs().ellipsis);
    let mut row = Row::new();
    row.gap(1).add(said, theme.style(Role::Running)).gap(1);
    row.line()
}

/// The keys that work here and nowhere else, as many as there is room for.
fn keys(model: &Model, theme: &Theme, room: usize) -> Line<'static> {
    let mut row = Row::new();
    if model.focus != Pane::Checks {
        return row.line();
    }
    let matrix = if model.looking.matrix { "list" } else { "matrix" };
    let find = Action::Search;
    let actions = [(Action::Matrix, matrix), (Action::Filter, "filter"), (Action::Group, "group"), (find, "find")];
    for (action, word) in actions {
        let Some(key) = model.keymap.key_of(action).filter(|_| model.refusal(action).is_none()) else { continue };
        let mut entry = Row::new();
        entry.gap(if row.width() > 0 { 2 } else { 1 }).add(key_text(theme.glyphs(), key), theme.style(Role::Key));
        entry.gap(1).add(word, theme.style(Role::Title));
        if row.width() + entry.width() < room {
            row.spans.extend(entry.spans);
        }
    }
    if row.width() > 0 {
        row.gap(1);
    }
    row.line()
}

/// `waits`, `reading 4s`, `fixing`.
fn open_words(model: &Model, open: Open) -> String {
    let since = |at: Timestamp| format!("reading {}", time::ago(at, model.now));
    match open {
        Open::Fixing => "fixing".into(),
        Open::Reading(at) => since(at),
        Open::Waits => "waits".into(),
    }
}
