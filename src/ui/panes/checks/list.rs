//! The checks as a list: each with how many nodes are good, and below those that are not good where and why.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Place, WORDS_FROM, open_words};
use crate::core::command::is_bad;
use crate::core::event::Verdict;
use crate::core::event::VerdictKey;
use crate::core::judge::is_stale;
use crate::core::plan::{Check, Scope, Severity};
use crate::core::standing::Standing;
use crate::core::state::{Seen, State};
use crate::core::summary::{Cell, CheckRow, Open};
use crate::theme::{Role, Theme};
use crate::ui::checks::{Line as Entry, read_at, saw};
use crate::ui::layout::Pane;
use crate::ui::model::Model;
use crate::ui::panes::nodes::scrolled;
use crate::ui::widgets::row::{self, Row};
use crate::ui::widgets::text;
use crate::ui::{signs, time};

/// Most nodes that have a sign each in a row.
const MOST_SIGNS: usize = 32;

/// Where it stands.
pub fn place(model: &Model, inner: Rect) -> Place {
    let shown = inner.height as usize;
    let lines = model.derived().map_or(0, |d| d.list.lines.len());
    // Nobody chose: the top, with its heading.
    let top = match &model.check {
        None => 0,
        Some(_) => scrolled(model.check_line(), shown, lines),
    };
    Place { top, shown }
}

/// Draws it.
pub fn draw(model: &Model, state: &State, theme: &Theme, inner: Rect, place: Place, buf: &mut Buffer) {
    let Some(list) = model.derived().map(|d| &d.list) else { return };
    let (selected, width) = (model.check_line(), inner.width as usize);
    let focused = model.focus == Pane::Checks;
    for (i, y) in (place.top..list.lines.len()).zip(inner.top()..inner.bottom()) {
        let rect = Rect { y, height: 1, ..inner };
        let check = list.row_of(i).and_then(|r| Some((list.check(state, r)?, list.rows.get(r)?)));
        let (left, right) = match (&list.lines[i], check) {
            (Entry::Heading(title), _) => {
                (Line::styled(format!("  {title}"), theme.style(Role::Heading)), Line::default())
            }
            (Entry::Check { .. }, Some((check, row))) => check_line(model, state, theme, check, row, width),
            (Entry::Bad { keys, .. }, Some((_, row))) => bad_line(model, state, theme, row, keys),
            (Entry::Verdict { cell, .. }, Some((check, row))) => match row.cells.get(*cell) {
                Some(cell) => verdict_line(model, state, theme, check, cell, width),
                None => Default::default(),
            },
            (_, None) => Default::default(),
        };
        let end = row::draw(theme, rect, buf, &left, &right);
        if selected == Some(i) {
            let label = if matches!(list.lines[i], Entry::Bad { .. }) { 4 } else { 2 };
            row::select(theme, rect, buf, focused, label, end);
        }
    }
}

fn check_line(
    model: &Model,
    state: &State,
    theme: &Theme,
    check: &Check,
    row: &CheckRow,
    width: usize,
) -> (Line<'static>, Line<'static>) {
    let g = theme.glyphs();
    let sign = match row.standing {
        Standing::NotJudged if row.open => (g.running, Role::Running),
        standing => signs::standing(g, standing),
    };
    let quiet = matches!(row.standing, Standing::NotJudged | Standing::NotApplicable) && !row.open;
    let mut left = Row::new();
    left.sign(theme, sign).add(check.title.clone(), theme.style(if quiet { Role::Muted } else { Role::Text }));
    let mut right = Row::new();
    if row.open {
        let said = open(model, row);
        let role = if said.starts_with("waits") { Role::Muted } else { Role::Info };
        right.add(said, theme.style(role)).gap(1);
    } else if row.outcome.is_some() && check.scope == Scope::EachNode && row.of > 1 {
        stale_since(model, state, theme, row, &mut right);
        if width >= WORDS_FROM && row.of <= MOST_SIGNS {
            for cell in &row.cells {
                let (s, role) = signs::standing(g, cell.standing);
                right.add(s, theme.style(role));
            }
            right.gap(2);
        }
        let role = if row.good == row.of { Role::Muted } else { Role::Text };
        right.add(format!("{:>2} of {:<2}", row.good, row.of), theme.style(role));
    } else if let Some(v) = row.cells.first().and_then(|c| state.verdict_of(&c.key)).filter(|_| row.bad.is_empty())
    {
        stale_since(model, state, theme, row, &mut right);
        let most = (width / 3).max(8);
        let said = if row.standing == Standing::NotApplicable { "n/a".to_owned() } else { saw(&v.value) };
        right.add(text::clip(&said, most, g.ellipsis), theme.style(Role::Muted)).gap(1);
    }
    (left.line(), right.line())
}

/// How old what passed is, where that is too old for a start.
fn stale_since(model: &Model, state: &State, theme: &Theme, row: &CheckRow, right: &mut Row) {
    if row.standing != Standing::Stale {
        return;
    }
    let stale = row.cells.iter().filter(|c| c.standing == Standing::Stale);
    if let Some(at) = stale.filter_map(|c| state.verdict_of(&c.key)).map(read_at).min() {
        right.add(format!("stale {}", model.age(at)), theme.style(Role::Stale)).gap(2);
    }
}

/// What is missing of a check that is being read.
fn open(model: &Model, row: &CheckRow) -> String {
    let missing: Vec<(&Cell, Open)> = row.cells.iter().filter_map(|c| Some((c, c.open?))).collect();
    match missing.as_slice() {
        [(one, open)] if row.of > 1 => match &one.key.node {
            Some(node) => format!("{} {node}", open_words(model, *open)),
            None => open_words(model, *open),
        },
        some if some.len() < row.of => format!("{} of {} read", row.of - some.len(), row.of),
        some => open_words(model, longest(some.iter().map(|(_, o)| *o))),
    }
}

/// What goes on among several, the one that began first.
fn longest(open: impl Iterator<Item = Open>) -> Open {
    open.min_by_key(|o| match o {
        Open::Fixing => (0, None),
        Open::Reading(at) => (1, Some(*at)),
        Open::Waits => (2, None),
    })
    .unwrap_or(Open::Waits)
}

fn bad_line(
    model: &Model,
    state: &State,
    theme: &Theme,
    row: &CheckRow,
    keys: &[VerdictKey],
) -> (Line<'static>, Line<'static>) {
    let mut left = Row::new();
    let mut right = Row::new();
    let Some((first, v)) = keys.first().and_then(|k| Some((k, state.verdict_of(k)?))) else {
        return (left.line(), right.line());
    };
    let names: Vec<&str> = keys.iter().filter_map(|k| k.node.as_ref()).map(|n| n.as_str()).collect();
    let whose = match names.as_slice() {
        [] => String::new(),
        few if few.len() <= 3 => format!("{}: ", few.join(", ")),
        [a, b, rest @ ..] => format!("{a}, {b} and {} more: ", rest.len()),
        [_] => String::new(),
    };
    left.gap(4).add(whose, theme.style(Role::Text));
    said(state, theme, first, v, &mut left);
    let open = row.cells.iter().filter(|c| keys.contains(&c.key)).filter_map(|c| c.open);
    let open: Vec<Open> = open.collect();
    if state.waiver(first, model.now).is_none() && !open.is_empty() {
        right.add(open_words(model, longest(open.into_iter())), theme.style(Role::Running)).gap(1);
    } else {
        since(model, state, theme, first, v, &mut right);
    }
    (left.line(), right.line())
}

/// One verdict, where machines are the headings.
fn verdict_line(
    model: &Model,
    state: &State,
    theme: &Theme,
    check: &Check,
    cell: &Cell,
    width: usize,
) -> (Line<'static>, Line<'static>) {
    let g = theme.glyphs();
    let seen = state.verdict_of(&cell.key);
    let mut left = Row::new();
    let mut right = Row::new();
    let bad = seen.filter(|v| is_bad(v.value.outcome));
    let title = if bad.is_some() { format!("{}: ", check.title) } else { check.title.clone() };
    let quiet = matches!(cell.standing, Standing::NotJudged | Standing::NotApplicable);
    let role = if quiet { Role::Muted } else { Role::Text };
    left.sign(theme, signs::cell(g, cell)).add(title, theme.style(role));
    if let Some(v) = bad {
        said(state, theme, &cell.key, v, &mut left);
    }
    match (cell.open, seen) {
        (Some(open), _) => {
            right.add(open_words(model, open), theme.style(Role::Running)).gap(1);
        }
        (None, Some(v)) if bad.is_some() || cell.standing == Standing::Stale => {
            since(model, state, theme, &cell.key, v, &mut right);
        }
        (None, Some(v)) => {
            let said = if quiet { "n/a".to_owned() } else { saw(&v.value) };
            right.add(text::clip(&said, (width / 3).max(8), g.ellipsis), theme.style(Role::Muted)).gap(1);
        }
        (None, None) => {}
    }
    (left.line(), right.line())
}

/// Why a verdict is not good: what it saw, or how its fix failed.
fn said(state: &State, theme: &Theme, key: &VerdictKey, v: &Seen<Verdict>, left: &mut Row) {
    if let Some(error) = state.checks.get(key).and_then(|c| c.fix_error.as_ref()) {
        left.add(format!("fix failed: {error}"), theme.style(Role::Failed));
        return;
    }
    let said = saw(&v.value);
    // A reason that names its machine need not say it twice.
    let own = key.node.as_ref().map(|n| format!("{n}: "));
    let said = own.and_then(|o| said.strip_prefix(&o)).unwrap_or(&said);
    left.add(said, theme.style(Role::Text));
}

/// How old it is, or until when who has waived it.
fn since(model: &Model, state: &State, theme: &Theme, key: &VerdictKey, v: &Seen<Verdict>, right: &mut Row) {
    if let Some(w) = state.waiver(key, model.now) {
        let until = time::short(w.expires, model.now);
        right.add(format!("waived, {}, until {until}", w.by), theme.style(Role::Muted)).gap(1);
        return;
    }
    let blocker = state.plan.check(&key.check).is_some_and(|c| c.severity == Severity::Blocker);
    if blocker && state.phase.is_preparing() && is_stale(state, &v.value, model.now) {
        right.add("stale ", theme.style(Role::Stale));
    }
    right.add(model.age(read_at(v)), theme.style(Role::Muted)).gap(1);
}
