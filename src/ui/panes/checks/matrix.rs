//! The checks as a matrix: a row for each check, a column for each machine, a sign for each verdict. Titles and the names of
//! the machines stay where the rest scrolls; the last row says the selected cell in words.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Place, open_words};
use crate::core::command::is_bad;
use crate::core::connection::Connection;
use crate::core::plan::Check;
use crate::core::standing::Standing;
use crate::core::state::State;
use crate::core::summary::{Cell, CheckRow};
use crate::theme::{Role, Theme};
use crate::ui::checks::{Column, Line as Entry, List, read_at, saw};
use crate::ui::layout::Pane;
use crate::ui::model::Model;
use crate::ui::panes::nodes::scrolled;
use crate::ui::signs;
use crate::ui::time;
use crate::ui::widgets::row::{self, Row};
use crate::ui::widgets::text;

/// Columns that titles get at least, before names of machines become shorter, and before machines scroll.
const TITLE: usize = 34;
const TITLE_LEAST: usize = 18;

/// Widest name of a machine over its column.
const NAME: usize = 15;

/// Columns from which on what is wrong stands behind the signs.
const REASON_FROM: usize = 16;

/// From this height on the selected cell is said in words below.
const WORDS_FROM: u16 = 5;

/// Rows for the names above and the words below.
fn frame_rows(inner: Rect) -> (u16, u16) {
    (inner.height.min(1), u16::from(inner.height >= WORDS_FROM))
}

/// Where the rows of checks stand.
pub fn place(model: &Model, inner: Rect) -> Place {
    let (above, below) = frame_rows(inner);
    let shown = inner.height.saturating_sub(above + below) as usize;
    let lines = model.derived().map_or(0, |d| d.list.lines.len());
    let top = match &model.check {
        None => 0,
        Some(_) => scrolled(model.check_line(), shown, lines),
    };
    Place { top, shown }
}

/// The columns, as wide as there is room.
struct Grid {
    title: usize,
    /// Shown, each with its name over it and its width, the space before it included.
    columns: Vec<(Column, String, usize)>,
    /// Nodes that are shown, of how many: from, to.
    nodes: (usize, usize, usize),
}

impl Grid {
    fn of(state: &State, list: &List, width: usize, selected: Option<Column>) -> Self {
        let fixed: Vec<Column> = list.columns.iter().copied().filter(|c| !matches!(c, Column::Node(_))).collect();
        let nodes: Vec<Column> = list.columns.iter().copied().filter(|c| matches!(c, Column::Node(_))).collect();
        let rows = (0..list.rows.len()).filter_map(|r| list.check(state, r));
        let widest = rows.map(|c| text::width(&c.title)).max().unwrap_or(0) + 2;
        let names: Vec<String> = nodes.iter().map(|c| c.name(&state.plan)).collect();
        let (mut own, mut others) = (0, 0);
        let mut labels = (Vec::new(), Vec::new());
        for short in 0..3 {
            let node_labels = shortened(&names, short);
            let fixed_labels: Vec<String> = fixed.iter().map(|c| about(state, *c, short)).collect();
            let cell = |l: &[String]| 1 + l.iter().map(|n| text::width(n)).max().unwrap_or(1).clamp(1, NAME);
            (own, others) = (cell(&node_labels), cell(&fixed_labels));
            labels = (node_labels, fixed_labels);
            if width >= others * fixed.len() + own * nodes.len() + widest.min(TITLE) {
                break;
            }
        }
        let beside = others * fixed.len();
        let title = widest.min(width.saturating_sub(beside + own * nodes.len())).max(TITLE_LEAST.min(width / 2));
        let fit = (width.saturating_sub(title + beside) / own).min(nodes.len());
        let at = selected.and_then(|c| nodes.iter().position(|n| *n == c));
        let from = scrolled(at, fit, nodes.len());
        let shown = nodes.iter().copied().zip(labels.0).skip(from).take(fit).map(|(c, l)| (c, l, own));
        let columns = fixed.iter().copied().zip(labels.1).map(|(c, l)| (c, l, others)).chain(shown).collect();
        Self { title, columns, nodes: (from, from + fit, nodes.len()) }
    }

    /// Columns of titles and signs.
    fn width(&self) -> usize {
        self.title + self.columns.iter().map(|(_, _, w)| w).sum::<usize>()
    }

    /// Where the signs of a column stand, from the left; and the name's beginning and width.
    fn cells(&self) -> impl Iterator<Item = (&Column, &str, usize, usize)> {
        let mut x = self.title;
        self.columns.iter().map(move |(column, label, width)| {
            let at = x + 1;
            x += width;
            (column, label.as_str(), at, width - 1)
        })
    }
}

/// Whom a column is about that is no node: whole, or shorter.
fn about(state: &State, column: Column, short: usize) -> String {
    match (column, short) {
        (Column::Cluster, 0 | 1) => "cluster".into(),
        (Column::Coordinator, 0) => text::clip(&column.name(&state.plan), NAME, "~"),
        (Column::Coordinator, 1) => "coord.".into(),
        (Column::Cluster, _) => "CL".into(),
        (Column::Coordinator | Column::Node(_), _) => "CO".into(),
    }
}

/// Names of nodes: whole, from their last part on, or without what all of them begin with.
fn shortened(names: &[String], short: usize) -> Vec<String> {
    let common = || {
        let first = names.first().map_or("", String::as_str);
        let same = |end: &usize| names.iter().all(|n| n.get(..*end) == first.get(..*end));
        let ends = (0..first.len()).rev().filter(|i| first.is_char_boundary(*i));
        ends.into_iter().find(same).unwrap_or(0)
    };
    match short {
        0 => names.to_vec(),
        1 => {
            let tail = |n: &String| n.rsplit(['-', '_', '.']).next().unwrap_or(n).to_owned();
            let tails: Vec<String> = names.iter().map(tail).collect();
            let differ = tails.iter().enumerate().all(|(i, t)| !t.is_empty() && !tails[..i].contains(t));
            if differ { tails } else { names.to_vec() }
        }
        _ => {
            let from = common();
            names.iter().map(|n| text::clip(n.get(from..).unwrap_or(n), 8, "~")).collect()
        }
    }
}

/// Draws it.
pub fn draw(model: &Model, state: &State, theme: &Theme, inner: Rect, place: Place, buf: &mut Buffer) {
    let Some(list) = model.derived().map(|d| &d.list) else { return };
    let (above, below) = frame_rows(inner);
    let column = model.column_shown();
    let grid = Grid::of(state, list, inner.width as usize, column);
    if above > 0 {
        names(state, theme, &grid, column, Rect { height: 1, ..inner }, buf);
    }
    let body = Rect { y: inner.y + above, height: inner.height - above - below, ..inner };
    let selected = model.check_line();
    for (i, y) in (place.top..list.lines.len()).zip(body.top()..body.bottom()) {
        let rect = Rect { y, height: 1, ..inner };
        let row = list.row_of(i).and_then(|r| Some((list.check(state, r)?, list.rows.get(r)?)));
        match (&list.lines[i], row) {
            (Entry::Heading(title), _) => {
                let title = Line::styled(format!("  {title}"), theme.style(Role::Heading));
                row::draw(theme, rect, buf, &title, &Line::default());
            }
            (_, Some((check, row))) => {
                let column = column.filter(|_| selected == Some(i));
                check_row(model, state, theme, &grid, check, row, column, rect, buf);
            }
            (_, None) => {}
        }
    }
    if below > 0
        && let Some(line) = selected
        && let Some(cell) = list.cell(state, line, model.looking.column)
        && let Some(check) = state.plan.check(&cell.key.check)
    {
        let (left, right) = words(model, state, theme, check, cell);
        row::draw(theme, Rect { y: inner.bottom() - 1, height: 1, ..inner }, buf, &left, &right);
    }
}

/// Names of the machines over their columns; where they scroll, which of them are seen.
fn names(state: &State, theme: &Theme, grid: &Grid, selected: Option<Column>, area: Rect, buf: &mut Buffer) {
    let g = theme.glyphs();
    let (from, to, of) = grid.nodes;
    if to - from < of {
        let before = if from > 0 { g.left } else { "" };
        let after = if to < of { g.right } else { "" };
        let way = |word: &str| format!("  {before} {word}{}{}{to} of {of} {after}", from + 1, g.dash);
        let said = Some(way("nodes ")).filter(|w| text::width(w) <= grid.title).unwrap_or_else(|| way(""));
        let line = Line::styled(text::clip(&said, grid.title, g.ellipsis), theme.style(Role::Title));
        buf.set_line(area.x, area.y, &line, grid.title as u16);
    }
    for (column, label, x, width) in grid.cells() {
        let reached = match column {
            Column::Node(i) => state.plan.nodes.get(*i),
            Column::Coordinator => state.plan.coordinator.as_ref(),
            Column::Cluster => None,
        };
        let role = match reached.map(|n| state.connection(n)) {
            Some(c) if c.needs_person() => Role::Failed,
            Some(Connection::Trouble(_)) => Role::Attention,
            _ if selected == Some(*column) => Role::Strong,
            _ => Role::Title,
        };
        let label = text::clip(label, width, g.ellipsis);
        let x = area.x + x as u16 + (width.saturating_sub(text::width(&label)) / 2) as u16;
        buf.set_line(x, area.y, &Line::styled(label, theme.style(role)), area.right().saturating_sub(x));
    }
}

#[allow(clippy::too_many_arguments)]
fn check_row(
    model: &Model,
    state: &State,
    theme: &Theme,
    grid: &Grid,
    check: &Check,
    row: &CheckRow,
    selected: Option<Column>,
    area: Rect,
    buf: &mut Buffer,
) {
    let g = theme.glyphs();
    let sign = match row.standing {
        Standing::NotJudged if row.open => (g.running, Role::Running),
        standing => signs::standing(g, standing),
    };
    let role = if selected.is_some() { Role::Strong } else { Role::Text };
    let mut title = Row::new();
    let name = text::clip(&check.title, grid.title.saturating_sub(2), g.ellipsis);
    title.sign(theme, sign).add(name, theme.style(role));
    buf.set_line(area.x, area.y, &title.line(), grid.title as u16);
    for (column, _, x, width) in grid.cells() {
        let Some(cell) = column.cell(check.scope, row) else { continue };
        let (sign, role) = signs::cell(g, cell);
        let left = area.x + x as u16;
        let at = left + ((width - 1) / 2) as u16;
        if at < area.right() {
            buf[(at, area.y)].set_symbol(sign).set_style(theme.style(role));
        }
        if selected == Some(*column) {
            let label = Rect { x: left, width: width as u16, ..area }.intersection(area);
            buf.set_style(label, theme.select(model.focus == Pane::Checks));
        }
    }
    reason(state, theme, grid, row, area, buf);
}

/// Where there is room behind the signs: what is wrong where it is worst.
fn reason(state: &State, theme: &Theme, grid: &Grid, row: &CheckRow, area: Rect, buf: &mut Buffer) {
    let room = (area.width as usize).saturating_sub(grid.width() + 2);
    if room < REASON_FROM || row.open {
        return;
    }
    let Some(v) = row.bad.first().and_then(|k| state.verdict_of(k)) else { return };
    let said = text::clip(&saw(&v.value), room, theme.glyphs().ellipsis);
    let line = Line::styled(said, theme.style(Role::Muted));
    buf.set_line(area.x + grid.width() as u16 + 2, area.y, &line, room as u16);
}

/// A cell in words: how it stands, where, what was seen, and how old that is.
fn words(
    model: &Model,
    state: &State,
    theme: &Theme,
    check: &Check,
    cell: &Cell,
) -> (Line<'static>, Line<'static>) {
    let (sign, role) = signs::cell(theme.glyphs(), cell);
    let (mut left, mut right) = (Row::new(), Row::new());
    let on = match &cell.key.node {
        Some(node) => format!("{node}: "),
        None => String::new(),
    };
    left.sign(theme, (sign, role)).add(on, theme.style(Role::Strong));
    let seen = state.verdict_of(&cell.key);
    match (cell.open, seen) {
        (Some(open), _) => {
            left.add(format!("{}, {}", check.title, open_words(model, open)), theme.style(Role::Running));
        }
        (None, Some(v)) => {
            left.add(cell.standing.word(), theme.style(role)).add(", ", theme.style(Role::Muted));
            left.add(saw(&v.value), theme.style(Role::Text));
            if is_bad(v.value.outcome) {
                left.add(format!("; expected {}", check.expect), theme.style(Role::Muted));
            }
        }
        (None, None) => {
            left.add(cell.standing.word(), theme.style(Role::Muted));
        }
    }
    if let Some(w) = state.waiver(&cell.key, model.now) {
        let until = time::short(w.expires, model.now);
        right.add(format!("by {}, until {until} ", w.by), theme.style(Role::Muted));
    } else if let Some(v) = seen {
        right.add(format!("{} ", model.age(read_at(v))), theme.style(Role::Muted));
    }
    (left.line(), right.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn names_become_shorter_and_still_differ() {
        let sixteen = names(&["HCI-N01", "HCI-N02", "HCI-N11"]);
        assert_eq!(shortened(&sixteen, 1), ["N01", "N02", "N11"]);
        assert_eq!(shortened(&sixteen, 2), ["01", "02", "11"]);
        // Their last parts are the same: they stay whole.
        let sites = names(&["n1-berlin", "n2-berlin"]);
        assert_eq!(shortened(&sites, 1), sites);
        assert_eq!(shortened(&sites, 2), ["1-berlin", "2-berlin"]);
        // One that all the others begin with keeps something of its own.
        assert_eq!(shortened(&names(&["node", "node2"]), 2), ["e", "e2"]);
        assert_eq!(shortened(&names(&["節点一号", "節点二号"]), 2), ["一号", "二号"]);
        assert_eq!(shortened(&names(&["EDGE-01A"]), 2), ["A"]);
    }
}
