//! Checks: what stands in the way, what to look at, and all the rest, each with how many nodes are good.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::nodes::scrolled;
use crate::core::command::moment;
use crate::core::event::{Outcome, VerdictKey};
use crate::core::plan::{Check, Moment, Scope};
use crate::core::state::State;
use crate::core::summary::CheckRow;
use crate::theme::{Role, Theme};
use crate::ui::checks::{Line as Entry, read_at, saw};
use crate::ui::layout::Pane;
use crate::ui::model::Model;
use crate::ui::widgets::frame::Frame;
use crate::ui::widgets::gauge;
use crate::ui::widgets::row::{self, Row};
use crate::ui::widgets::text;
use crate::ui::{signs, time};

/// From this width on each node has a sign of its own in the row.
const STRIP_FROM: usize = 64;

/// Draws it.
pub fn draw(model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let focused = model.focus == Pane::Checks;
    let mut frame = Frame::pane(theme, "2", Pane::Checks.title(), focused);
    let (Some(state), Some(derived)) = (&model.state, model.derived()) else {
        frame.draw(theme, area, buf);
        return;
    };
    let inner = Frame::inner(area);
    let list = &derived.list;
    let selected = model.check_line();
    let shown = inner.height as usize;
    let top = match (selected, &model.check) {
        // Nobody chose: the top, with its heading.
        (_, None) => 0,
        _ => scrolled(selected, shown, list.lines.len()),
    };
    frame.right = counts(model, theme, inner.width as usize);
    frame.scroll = Some((top, shown, list.lines.len()));
    frame.draw(theme, area, buf);
    if list.lines.is_empty() {
        let why = empty(state);
        for (line, y) in
            text::wrap(why, inner.width.saturating_sub(2).max(1) as usize).iter().zip(inner.top()..inner.bottom())
        {
            buf.set_line(
                inner.x + 1,
                y,
                &Line::styled(line.clone(), theme.style(Role::Muted)),
                inner.width.saturating_sub(1),
            );
        }
        return;
    }
    for (i, y) in (top..list.lines.len()).zip(inner.top()..inner.bottom()) {
        let rect = Rect { y, height: 1, ..inner };
        let (left, right) = match &list.lines[i] {
            Entry::Heading(title) => {
                (Line::styled(format!("  {title}"), theme.style(Role::Heading)), Line::default())
            }
            Entry::Check { plan, row } => match (state.plan.checks.get(*plan), list.rows.get(*row)) {
                (Some(check), Some(row)) => check_line(model, state, theme, check, row, inner.width as usize),
                _ => Default::default(),
            },
            Entry::Bad { keys, .. } => bad_line(model, state, theme, keys),
        };
        let end = row::draw(theme, rect, buf, &left, &right);
        if selected == Some(i) {
            let label = if matches!(list.lines[i], Entry::Bad { .. }) { 4 } else { 2 };
            row::select(theme, rect, buf, focused, label, end);
        }
    }
}

fn empty(state: &State) -> &'static str {
    match moment(state) {
        Moment::Before => "This runbook has no readiness check.",
        Moment::After => "This runbook has no check after the last node.",
    }
}

/// How many ended how; while they are being read, how far that is.
fn counts(model: &Model, theme: &Theme, width: usize) -> Line<'static> {
    let Some(d) = model.derived() else { return Line::default() };
    let (g, c) = (theme.glyphs(), &d.counts);
    let total = d.list.rows.len();
    let mut row = Row::new();
    row.gap(1);
    let checking = model.state.as_ref().is_some_and(|s| s.phase == crate::core::run::Phase::Checking);
    if checking && c.verdicts > 0 {
        let done = c.verdicts - c.open;
        let bar = if width >= 60 { 16 } else { 8 };
        row.spans.extend(gauge::bar(theme, bar, done as f64 / c.verdicts as f64, Role::GaugeNow));
        row.gap(1).add(format!("{done} of {} read ", c.verdicts), theme.style(Role::Title));
        return row.line();
    }
    let words = width >= STRIP_FROM;
    let parts = [
        (c.fail, signs::outcome(g, Some(Outcome::Fail)), "failed"),
        (c.unknown, signs::outcome(g, Some(Outcome::CouldNotTell)), "could not tell"),
        (c.warn, signs::outcome(g, Some(Outcome::Warn)), "to look at"),
        (c.waived, (g.paused, Role::Attention), "waived"),
        (c.pass, signs::outcome(g, Some(Outcome::Pass)), "passed"),
    ];
    for (n, (sign, role), word) in parts {
        if n > 0 {
            let word = if words { format!(" {word}") } else { String::new() };
            row.add(format!("{n} {sign}{word}"), theme.style(role)).gap(2);
        }
    }
    row.add(format!("of {total} "), theme.style(Role::Title));
    row.line()
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
    let mut sign = signs::outcome(g, row.outcome);
    if row.open && row.outcome.is_none() {
        sign = (g.running, Role::Running);
    }
    if row.waived {
        sign = (g.paused, Role::Attention);
    }
    let quiet = matches!(row.outcome, None | Some(Outcome::NotApplicable)) && !row.open;
    let mut left = Row::new();
    left.sign(theme, sign).add(check.title.clone(), theme.style(if quiet { Role::Muted } else { Role::Text }));
    let mut right = Row::new();
    let keys = state.verdict_keys(&check.id);
    if row.open {
        let said = open(model, state, &keys);
        let role = if said.starts_with("waits") { Role::Muted } else { Role::Info };
        right.add(said, theme.style(role));
    } else if row.outcome.is_some() && check.scope == Scope::EachNode && row.of > 1 {
        if width >= STRIP_FROM && keys.len() <= 32 {
            for key in &keys {
                let (s, role) = signs::outcome(g, state.verdict_of(key).map(|v| v.value.outcome));
                right.add(s, theme.style(role));
            }
            right.gap(2);
        }
        let role = if row.good == row.of { Role::Muted } else { Role::Text };
        right.add(format!("{:>2} of {:<2}", row.good, row.of), theme.style(role));
    } else if let Some(v) = keys.first().and_then(|k| state.verdict_of(k)).filter(|_| row.bad.is_empty()) {
        let most = (width / 3).max(8);
        let said = if v.value.outcome == Outcome::NotApplicable { "n/a".to_owned() } else { saw(&v.value) };
        right.add(text::clip(&said, most, g.ellipsis), theme.style(Role::Muted)).gap(1);
    }
    (left.line(), right.line())
}

/// What is missing of a check that is being read.
fn open(model: &Model, state: &State, keys: &[VerdictKey]) -> String {
    let missing: Vec<&VerdictKey> = keys.iter().filter(|k| state.is_open(k)).collect();
    match missing.as_slice() {
        [one] if keys.len() > 1 => match &one.node {
            Some(node) => format!("{} {node} ", reading(model, state, &[(*one).clone()]).trim_end()),
            None => reading(model, state, keys),
        },
        some if some.len() < keys.len() => format!("{} of {} read ", keys.len() - some.len(), keys.len()),
        _ => reading(model, state, keys),
    }
}

/// `reading 4s`, `fixing`.
fn reading(model: &Model, state: &State, keys: &[VerdictKey]) -> String {
    if keys.iter().any(|k| state.checks.get(k).is_some_and(|c| c.fixing.is_some())) {
        return "fixing ".into();
    }
    let asked = keys
        .iter()
        .flat_map(|k| state.reads_of(k))
        .filter_map(|r| state.reads.get(&r).filter(|r| r.is_open())?.asked_at)
        .min();
    match asked {
        Some(at) => format!("reading {} ", time::ago(at, model.now)),
        None => "waits ".into(),
    }
}

fn bad_line(model: &Model, state: &State, theme: &Theme, keys: &[VerdictKey]) -> (Line<'static>, Line<'static>) {
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
    let c = state.checks.get(first);
    match c.and_then(|c| c.fix_error.as_ref()) {
        Some(error) => left.add(format!("fix failed: {error}"), theme.style(Role::Failed)),
        None => {
            let said = saw(&v.value);
            // A reason that names its machine need not say it twice.
            let own = first.node.as_ref().map(|n| format!("{n}: "));
            let said = own.and_then(|o| said.strip_prefix(&o)).unwrap_or(&said);
            left.add(said, theme.style(Role::Text))
        }
    };
    if let Some(w) = state.waiver(first, model.now) {
        right.add(format!("waived, {} ", w.by), theme.style(Role::Muted));
    } else if state.is_open(first) {
        right.add(reading(model, state, keys), theme.style(Role::Running));
    } else {
        right.add(format!("{} ", model.age(read_at(v))), theme.style(Role::Muted));
    }
    (left.line(), right.line())
}
