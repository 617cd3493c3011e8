//! Nodes: how each is seen by the cluster, what it runs, since when, and whether we reach it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::core::connection::Connection;
use crate::core::event::FailureKind;
use crate::core::gates::Gate;
use crate::core::name::NodeName;
use crate::core::run::UnitState;
use crate::core::state::{Machine, State};
use crate::theme::{Glyphs, Role, Theme};
use crate::ui::layout::Pane;
use crate::ui::model::Model;
use crate::ui::signs::{self, Sign};
use crate::ui::time;
use crate::ui::widgets::frame::Frame;
use crate::ui::widgets::row::{self, Row};
use crate::ui::widgets::text;

/// Widest name shown whole.
const NAME: usize = 15;

/// What a machine looks like, all in all.
pub fn sign(g: &Glyphs, state: &State, node: &NodeName) -> Sign {
    let connection = state.connection(node);
    if connection.needs_person() {
        return (g.failed, Role::Failed);
    }
    if let Some(unit) = state.unit(node).filter(|u| !matches!(u.state, UnitState::Pending | UnitState::Staged)) {
        return signs::unit(g, unit.state);
    }
    if state.in_work(node) {
        return (g.running, Role::Running);
    }
    let machine = state.machines.get(node);
    let cluster = machine.and_then(|m| m.cluster.as_ref());
    match (connection, cluster) {
        (Connection::Trouble(_), _) => (g.attention, Role::Attention),
        (_, Some(c)) if !c.value.is_up() => (g.attention, Role::Attention),
        (Connection::Ready(_), _) if state.unreadable(node).is_some() => (g.unknown, Role::Unknown),
        (Connection::Ready(_), _) if machine.is_some_and(|m| m.host.is_some()) => (g.done, Role::Done),
        (Connection::Ready(_) | Connection::Connecting, _) => (g.running, Role::Running),
        (Connection::Idle, _) => (g.waiting, Role::Waiting),
    }
}

/// Columns of a table of machines.
struct Columns {
    name: usize,
    state: usize,
    build: usize,
    up: usize,
    /// Update revision, version, age of the evidence: where there is room.
    ubr: usize,
    seen: usize,
}

impl Columns {
    /// At rest nobody redraws for a poll that found nothing new: how fresh that is would lie there.
    fn of(state: &State, width: usize, seen: bool) -> Self {
        let widest = state.plan.machines().map(|n| text::width(n.as_str())).max().unwrap_or(0);
        let mut c = Self { name: widest.clamp(5, NAME), state: 7, build: 5, up: 4, ubr: 0, seen: 0 };
        if c.total() > width {
            c.up = 0;
        }
        if c.total() > width {
            c.name = c.name.saturating_sub(c.total() - width).max(5);
        }
        let spare = width.saturating_sub(c.total());
        if spare >= 6 {
            c.ubr = 5;
        }
        if spare >= 15 && seen {
            c.seen = 8;
        }
        c
    }

    /// Columns of a row, the dot at its end included.
    fn total(&self) -> usize {
        let cell = |columns: usize| if columns > 0 { columns + 1 } else { 0 };
        let build = self.build + if self.ubr > 0 { self.ubr + 1 } else { 0 };
        2 + cell(self.name) + cell(self.state) + cell(build) + cell(self.up) + cell(self.seen) + 1
    }
}

/// Columns and rows that the pane would like, borders included.
pub fn wanted(state: &State) -> (u16, u16) {
    let widest = state.plan.machines().map(|n| text::width(n.as_str())).max().unwrap_or(0);
    let width = 2 + widest.clamp(5, NAME) + 1 + 7 + 1 + 5 + 1 + 4 + 1 + 1 + 2;
    let headed = if state.run.is_some() { 1 } else { 2 };
    let machines = state.plan.nodes.len() + if state.plan.coordinator.is_some() { headed } else { 0 };
    let gates = if state.run.is_some() { 0 } else { 6 };
    (width as u16, (machines + gates + 2).min(usize::from(u16::MAX)) as u16)
}

enum Entry {
    Machine(NodeName),
    Line(Line<'static>),
}

/// Draws it.
pub fn draw(model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let focused = model.focus == Pane::Nodes;
    let mut frame = Frame::pane(theme, "1", Pane::Nodes.title(), focused);
    let Some(state) = &model.state else {
        frame.draw(theme, area, buf);
        return;
    };
    let inner = Frame::inner(area);
    let columns = Columns::of(state, inner.width as usize, model.ages_tick());
    let entries = entries(model, state, theme, inner.width as usize);
    let selected =
        model.node_shown().and_then(|n| entries.iter().position(|e| matches!(e, Entry::Machine(m) if m == n)));
    let shown = inner.height as usize;
    let top = scrolled(selected, shown, entries.len());
    frame.scroll = Some((top, shown, entries.len()));
    frame.draw(theme, area, buf);
    let names = 2 + columns.name;
    if frame.title.width() <= names && columns.total() <= inner.width as usize {
        let caption = caption(theme, &columns);
        buf.set_line(inner.x + names as u16, area.y, &caption, inner.width - names as u16);
    }
    for (i, y) in (top..entries.len()).zip(inner.top()..inner.bottom()) {
        let rect = Rect { y, height: 1, ..inner };
        match &entries[i] {
            Entry::Line(line) => {
                row::draw(theme, rect, buf, line, &Line::default());
            }
            Entry::Machine(node) => {
                let (left, right) = machine(model, state, theme, &columns, node);
                row::draw(theme, rect, buf, &left, &right);
                if selected == Some(i) {
                    row::select(theme, rect, buf, focused, 2, 2 + text::width(node.as_str()).min(columns.name));
                }
            }
        }
    }
}

/// First row shown, so that the selected one stays near the middle.
pub fn scrolled(selected: Option<usize>, shown: usize, total: usize) -> usize {
    selected.unwrap_or(0).saturating_sub(shown / 2).min(total.saturating_sub(shown))
}

/// Names of the columns, in the border above them.
fn caption(theme: &Theme, c: &Columns) -> Line<'static> {
    let mut row = Row::new();
    let title = theme.style(Role::Title);
    // From the right: the dot, then up, build and state, each over its column.
    let g = theme.glyphs().horizontal;
    let border = theme.style(Role::Border);
    let mut cell = |name: &str, columns: usize, right: bool| {
        let Some(spare) = columns.checked_sub(text::width(name)) else {
            row.add(g.repeat(columns + 1), border);
            return;
        };
        if right {
            let line = g.repeat(spare);
            row.add(line, border).add(format!(" {name}"), title);
        } else {
            let space = usize::from(spare > 0);
            row.add(format!(" {name}{}", " ".repeat(space)), title).add(g.repeat(spare - space), border);
        }
    };
    cell("state", c.state, false);
    cell("build", c.build + if c.ubr > 0 { c.ubr + 1 } else { 0 }, false);
    if c.up > 0 {
        cell("up", c.up, true);
    }
    if c.seen > 0 {
        cell("seen", c.seen, true);
    }
    row.line()
}

fn entries(model: &Model, state: &State, theme: &Theme, width: usize) -> Vec<Entry> {
    let heading = |text: &str| Entry::Line(Line::styled(format!("  {text}"), theme.style(Role::Heading)));
    let mut out: Vec<Entry> = state.plan.nodes.iter().cloned().map(Entry::Machine).collect();
    if let Some(c) = &state.plan.coordinator {
        if state.run.is_none() {
            out.push(heading("Coordinator"));
        }
        out.push(Entry::Machine(c.clone()));
    }
    // While a run is on, the gates stand in Progress.
    if state.run.is_none() {
        out.push(heading("Cluster"));
        for gate in model.derived().map(|d| d.gates.as_slice()).unwrap_or_default() {
            if gate.id != "previous-node" {
                out.extend(gate_lines(theme, gate, width).into_iter().map(Entry::Line));
            }
        }
    }
    out
}

/// A gate in so many columns: what it saw goes below its title where it does not fit beside it, and away where all is well.
fn gate_lines(theme: &Theme, gate: &Gate, width: usize) -> Vec<Line<'static>> {
    let wide = gate_line(theme, gate, false, 14);
    let whole = gate_line(theme, gate, false, text::width(&gate.title));
    if let Some(line) = [wide, whole].into_iter().find(|l| l.width() <= width) {
        return vec![line];
    }
    let mut title = Row::new();
    title
        .sign(theme, signs::gate(theme.glyphs(), gate, false))
        .add(gate.title.to_string(), theme.style(Role::Text));
    let mut out = vec![title.line()];
    if !gate.open {
        let style = theme.style(Role::Muted);
        let below = text::wrap(&gate.why, width.saturating_sub(2).max(1));
        out.extend(below.into_iter().take(2).map(|l| Line::styled(format!("  {l}"), style)));
    }
    out
}

/// One gate: sign, what it watches in so many columns, what it saw.
pub fn gate_line(theme: &Theme, gate: &Gate, in_work: bool, title: usize) -> Line<'static> {
    let mut row = Row::new();
    row.sign(theme, signs::gate(theme.glyphs(), gate, in_work))
        .cell(theme, &gate.title, title, Role::Text)
        .add(gate.why.clone(), theme.style(Role::Muted));
    row.line()
}

fn machine(
    model: &Model,
    state: &State,
    theme: &Theme,
    c: &Columns,
    node: &NodeName,
) -> (Line<'static>, Line<'static>) {
    let g = theme.glyphs();
    let none = Machine::default();
    let m = state.machines.get(node).unwrap_or(&none);
    let mut row = Row::new();
    row.sign(theme, sign(g, state, node)).cell(theme, node.as_str(), c.name, Role::Text);
    let dot = match &m.connection {
        Connection::Ready(_) => (g.link, Role::Done),
        Connection::Connecting => (g.linking, Role::Running),
        Connection::Trouble(t) if t.kind.needs_person() => (g.no_link, Role::Failed),
        Connection::Trouble(_) => (g.no_link, Role::Attention),
        Connection::Idle => (g.no_link, Role::Waiting),
    };
    let mut right = Row::new();
    right.add(dot.0, theme.style(dot.1));
    // Room of everything between the name and the dot.
    let build = c.build + if c.ubr > 0 { c.ubr + 1 } else { 0 };
    let room = c.state + 1 + build + 1 + c.up + usize::from(c.up > 0);
    let cluster = m.cluster.as_ref().map(|s| s.value.state.as_str());
    let expected_dark = state.in_work(node) && !state.unit(node).is_some_and(|u| u.state.is_bad());
    match &m.connection {
        Connection::Trouble(t) if expected_dark && !t.kind.needs_person() => {
            let dark = m.connection_since.map_or_else(String::new, |at| time::coarse(at, model.now));
            row.cell(theme, cluster.unwrap_or(""), c.state, Role::Text)
                .cell(theme, "dark", build, Role::Running)
                .number(theme, &dark, c.up, Role::Text);
        }
        Connection::Ready(_) if state.unreadable(node).is_some() => {
            let how = match state.unreadable(node).map(|f| f.kind) {
                Some(FailureKind::TimedOut) => "no answer",
                Some(FailureKind::Threw) => "fails",
                _ => "unreadable",
            };
            let words = cluster.map_or_else(|| how.to_owned(), |s| format!("{s}, {how}"));
            row.cell(theme, &words, room.saturating_sub(1), Role::Unknown);
        }
        Connection::Connecting => {
            let words = cluster.map_or_else(|| "connecting".to_owned(), |s| format!("{s}, connecting"));
            row.cell(theme, &words, room.saturating_sub(1), Role::Muted);
        }
        Connection::Trouble(t) => {
            let words = match cluster {
                Some(s) if s != "Up" => format!("{s}, {}", t.kind.words()),
                _ => t.kind.words().to_owned(),
            };
            let role = if t.kind.needs_person() { Role::Failed } else { Role::Attention };
            row.cell(theme, &words, room.saturating_sub(1), role);
        }
        _ => {
            let outside = state.plan.coordinator.as_ref() == Some(node) && cluster.is_none();
            let word = match cluster {
                Some(s) => s,
                None if outside => "outside",
                None => "",
            };
            let role = match m.cluster.as_ref() {
                Some(s) if !s.value.is_up() && !expected_dark => Role::Attention,
                None => Role::Muted,
                _ => Role::Text,
            };
            row.cell(theme, word, c.state, role);
            build_cell(state, theme, m, c, outside, &mut row);
            let up = m.host.as_ref().map_or_else(String::new, |h| time::coarse(h.value.boot_utc, model.now));
            row.number(theme, &up, c.up, Role::Text);
        }
    }
    if c.seen > 0 {
        let at = model.seen_at(state, node);
        row.number(theme, &at.map_or_else(String::new, |at| model.age(at)), c.seen, Role::Muted);
    }
    (row.line(), right.line())
}

fn build_cell(state: &State, theme: &Theme, m: &Machine, c: &Columns, outside: bool, row: &mut Row) {
    let target = state.plan.target.build;
    let build = m.build();
    let role = if !outside && build.is_some_and(|b| b >= target) { Role::Done } else { Role::Text };
    let short = build.map_or_else(String::new, |b| b.to_string());
    if c.ubr > 0 {
        let ubr = m.host.as_ref().and_then(|h| h.value.ubr).map_or_else(String::new, |u| format!(".{u}"));
        row.cell(theme, &format!("{short}{ubr}"), c.build + 1 + c.ubr, role);
    } else {
        row.cell(theme, &short, c.build, role);
    }
}

impl Model {
    /// When the machine itself was last heard of.
    fn seen_at(&self, state: &State, node: &NodeName) -> Option<jiff::Timestamp> {
        let key = crate::core::event::ReadKey { group: state.plan.driver.host.clone(), node: Some(node.clone()) };
        let pulse = self.fresh.get(&key).filter(|p| p.ok).map(|p| p.at);
        let event = state.machines.get(node).and_then(|m| m.host.as_ref()).map(|h| h.at);
        pulse.max(event)
    }
}
