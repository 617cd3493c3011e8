//! Progress: every node of the run, the one in work with its stages, the gates, the steps.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::foot::{self, Foot};
use super::nodes::scrolled;
use super::{plan, rolling, track};
use crate::core::name::NodeName;
use crate::core::pace::placed;
use crate::core::plan::{Mode, Stage};
use crate::core::progress::measured;
use crate::core::run::UnitState;
use crate::core::state::{State, Unit};
use crate::core::summary::{Usual, duration, nodes_done, overdue, spent, usual};
use crate::theme::{Role, Theme};
use crate::ui::layout::Pane;
use crate::ui::model::Model;
use crate::ui::overlays::away;
use crate::ui::widgets::frame::Frame;
use crate::ui::widgets::gauge;
use crate::ui::widgets::row::{self, Row};
use crate::ui::widgets::text;
use crate::ui::{checklist, signs, time};

/// From this width on the stages are columns.
const TABLE_FROM: usize = 108;

/// What a row belongs to: the arrows stop there.
#[derive(Clone, PartialEq)]
pub enum Owner {
    Node(NodeName),
    Step(String),
    Nobody,
}

pub struct Entry {
    pub owner: Owner,
    /// The first row of its owner: the one that is marked.
    pub first: bool,
    /// Columns of what names it.
    pub label: (usize, usize),
    pub left: Line<'static>,
    pub right: Line<'static>,
}

/// Rows that the pane would like at a width, borders included. Asked for after every message: counted, not drawn.
pub fn wanted(state: &State, width: u16) -> u16 {
    let inner = width.saturating_sub(2) as usize;
    let rows = if state.sequence_before_run().is_some() {
        rolling::height(state, &Theme::default())
    } else if state.run.is_none() {
        plan::lines(state, &Theme::default(), inner).len()
    } else {
        let units = state.plan.nodes.iter().filter_map(|n| state.unit(n));
        let nodes: usize = units.map(|u| if is_busy(u) { 3 } else { 1 }).sum();
        let gates = if state.phase.is_terminal() { 0 } else { GATES + 1 + gates_of_facts(state) };
        let waits = state.plan.nodes.iter().find_map(|n| checklist::waits(state, n));
        let nodes = nodes + waits.map_or(0, |j| j.items.iter().filter(|i| !i.holds).count() + 1);
        nodes + usize::from(inner >= TABLE_FROM) + 2 + gates + state.plan.steps.len()
    };
    (rows + 2).min(usize::from(u16::MAX)) as u16
}

/// Gates there are.
const GATES: usize = 4;

/// Those of the runbook that its facts alone tell.
fn gates_of_facts(state: &State) -> usize {
    let own = |id: &str| matches!(id, "quorum" | "storage" | "foreign");
    let judged =
        state.gates.iter().flat_map(|j| state.plan.gates.iter().filter(move |g| j.of(&g.id).next().is_some()));
    judged.filter(|g| !own(&g.id)).count()
}

/// A node whose stages are shown below it.
fn is_busy(unit: &Unit) -> bool {
    (unit.state.in_work() || unit.state.is_bad()) && !unit.track.is_empty()
}

/// Draws it.
pub fn draw(model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let focused = model.focus == Pane::Progress;
    let mut frame = Frame::pane(theme, "3", Pane::Progress.title(), focused);
    let Some(state) = &model.state else {
        frame.draw(theme, area, buf);
        return;
    };
    let inner = Frame::inner(area);
    let width = inner.width as usize;
    if state.sequence_before_run().is_some() {
        return rolling::draw(model, state, theme, frame, area, buf);
    }
    if state.run.is_none() {
        return plan::draw(model, state, theme, frame, area, buf);
    }
    let driver = &state.plan.driver;
    if driver.mode == Mode::Delegated && width > 50 && state.phase.is_under_way() {
        frame.title.spans.push(ratatui::text::Span::styled(
            format!("{} {} moves the nodes ", theme.glyphs().horizontal, driver.name),
            theme.style(Role::Title),
        ));
    }
    let (done, of) = nodes_done(state);
    frame.right = Line::styled(format!(" {done} of {of} done "), theme.style(Role::Title));

    let nodes = node_entries(model, state, theme, width);
    let variants = [Foot::Full, Foot::Listed, Foot::Steps, Foot::Rows];
    let foot = variants
        .into_iter()
        // What a gate says is not given up for a longer list of steps while nodes are moved.
        .filter(|f| *f != Foot::Steps || !state.phase.is_under_way())
        .map(|f| foot::rows(model, state, theme, width, f))
        .find(|f| nodes.len() + f.len() <= inner.height as usize)
        .unwrap_or_else(|| foot::rows(model, state, theme, width, Foot::Rows));
    let room = (inner.height as usize).saturating_sub(foot.len()).max(inner.height.min(3) as usize);
    let chosen = match model.step_shown() {
        Some(step) => Owner::Step(step.to_owned()),
        None => model.node_shown().cloned().map_or(Owner::Nobody, Owner::Node),
    };
    let at = nodes.iter().position(|e| e.first && e.owner == chosen);
    let top = scrolled(at, room, nodes.len());
    frame.scroll = Some((top, room.min(nodes.len()), nodes.len()));
    frame.draw(theme, area, buf);
    let rows = nodes.iter().skip(top).take(room).chain(&foot);
    for (entry, y) in rows.zip(inner.top()..inner.bottom()) {
        let rect = Rect { y, height: 1, ..inner };
        row::draw(theme, rect, buf, &entry.left, &entry.right);
        if entry.first && entry.owner != Owner::Nobody && entry.owner == chosen && focused {
            let (from, to) = entry.label;
            row::select(theme, rect, buf, focused, from, to);
        }
    }
}

fn node_entries(model: &Model, state: &State, theme: &Theme, width: usize) -> Vec<Entry> {
    let table = width >= TABLE_FROM;
    let names = state.plan.nodes.iter().map(|n| text::width(n.as_str())).max().unwrap_or(0).clamp(5, 16);
    let mut out = Vec::new();
    if table {
        let mut head = Row::new();
        head.gap(2).cell(theme, "", names, Role::Muted).cell(theme, "", 12, Role::Muted);
        head.cell(theme, "build", 6, Role::Muted).number(theme, "total", 7, Role::Muted).gap(1);
        head.spans.extend(track::caption(theme).spans);
        out.push(Entry {
            owner: Owner::Nobody,
            first: false,
            label: (0, 0),
            left: head.line(),
            right: Line::default(),
        });
    }
    for node in &state.plan.nodes {
        let Some(unit) = state.unit(node) else { continue };
        let mut push = |first: bool, left: Line<'static>, right: Line<'static>| {
            let label = (2, 2 + text::width(node.as_str()).min(names));
            out.push(Entry { owner: Owner::Node(node.clone()), first, label, left, right });
        };
        let waits = checklist::waits(state, node).filter(|j| j.items.iter().any(|i| !i.holds));
        let waits = waits.map_or_else(Vec::new, |j| checklist::rows(state, theme, j, model.now));
        let mut row = head(model, state, theme, node, unit, names);
        let busy = is_busy(unit);
        if table {
            table_cells(model, state, theme, unit, &mut row);
            push(true, row.line(), Line::default());
            if busy {
                let indent = 2 + names + 1 + 13 + 7 + 8 + 1;
                let mut bars = Row::new();
                bars.gap(indent).spans.extend(track::bars(model, state, theme, unit).spans);
                push(false, bars.line(), Line::default());
                push(false, why(model, theme, state, unit, true), Line::default());
            }
            waits.into_iter().for_each(|line| push(false, line, Line::default()));
            continue;
        }
        let right = line_cells(model, state, theme, unit, width, &mut row);
        push(true, row.line(), right);
        if busy {
            push(false, track::line(theme, unit), Line::default());
            push(false, why(model, theme, state, unit, false), Line::default());
        }
        waits.into_iter().for_each(|line| push(false, line, Line::default()));
    }
    out
}

/// Sign, name, word, build.
fn head(model: &Model, state: &State, theme: &Theme, node: &NodeName, unit: &Unit, names: usize) -> Row {
    let mut sign = signs::unit(theme.glyphs(), unit.state);
    if unit.progress.stalled.is_some() || overdue(state, unit, model.now) {
        sign = (theme.glyphs().attention, Role::Attention);
    }
    let machine = state.machines.get(node);
    let dark = machine.is_some_and(|m| !m.connection.is_ready())
        && matches!(unit.state, UnitState::Offline | UnitState::CommitReboot | UnitState::Returning);
    let build = machine.and_then(|m| m.build());
    let (text, role) = match build {
        _ if dark => ("dark".to_owned(), Role::Running),
        Some(b) if b >= state.plan.target.build => (b.to_string(), Role::Done),
        Some(b) => (b.to_string(), Role::Text),
        None => (String::new(), Role::Muted),
    };
    let word = match unit.state {
        UnitState::Pending | UnitState::Staged => Role::Muted,
        _ => sign.1,
    };
    let mut row = Row::new();
    row.sign(theme, sign)
        .cell(theme, node.as_str(), names, Role::Strong)
        .cell(theme, unit.state.word(), 12, word)
        .cell(theme, &text, 6, role);
    row
}

fn table_cells(model: &Model, state: &State, theme: &Theme, unit: &Unit, row: &mut Row) {
    let total = away(unit).or_else(|| {
        let first = unit.track.iter().find(|p| p.stage > Stage::Staging)?;
        Some(time::since(first.from, model.now))
    });
    row.number(theme, &total.map_or_else(String::new, duration), 7, Role::Strong).gap(1);
    let cells = track::cells(model, state, theme, unit).spans;
    if track::here(unit).is_none() && !unit.state.is_final() && !unit.state.is_bad() {
        // Nothing but the download has passed: why it waits takes the place of the rest.
        row.spans.extend(cells.into_iter().take(2));
        row.add(unit.why.clone(), theme.style(Role::Muted));
    } else {
        row.spans.extend(cells);
    }
}

/// What fits on one line of 80 columns: the bar of a node in work, the times of one that is done, why one waits.
fn line_cells(
    model: &Model,
    state: &State,
    theme: &Theme,
    unit: &Unit,
    width: usize,
    row: &mut Row,
) -> Line<'static> {
    let mut right = Row::new();
    if unit.state.is_good() {
        let total = away(unit).map_or_else(String::new, duration);
        row.number(theme, &total, 7, Role::Strong).gap(1);
        let parts = [Stage::Draining, Stage::Installing, Stage::Restarting, Stage::Resync];
        for stage in parts {
            let Some(s) = spent(unit, stage).filter(|s| *s > 0) else { continue };
            let part = format!("{} {}", track::short(stage), duration(s as i64));
            if row.width() + part.len() <= width {
                row.add(part, theme.style(Role::Muted)).gap(2);
            }
        }
        return right.line();
    }
    let Some(p) = track::here(unit) else {
        let said = match unit.since.filter(|_| unit.state.is_bad()) {
            // Why stands below.
            Some(at) => format!("since {}", time::short(at, model.now)),
            None => unit.why.clone(),
        };
        row.add(said, theme.style(Role::Muted));
        return right.line();
    };
    let usual = usual(state, p.stage).seconds();
    let limit = state.plan.stages.get(&p.stage).map_or(0, |b| b.limit);
    let late = overdue(state, unit, model.now);
    let bar = if width >= 90 { 16 } else { 10 };
    row.spans.extend(gauge::bar(theme, bar, track::part(model, state, unit, p), track::role(model, state, unit)));
    let role = if late { Role::Attention } else { Role::Text };
    if let Some(measure) = measured(unit) {
        row.gap(1).add(measure, theme.style(Role::Strong));
    }
    row.gap(1).add(time::ago(p.from, model.now), theme.style(role));
    if usual > 0 {
        row.add(format!(" of ~{}", duration(usual as i64)), theme.style(Role::Muted));
    }
    if limit > 0 && width >= 74 && measured(unit).is_none() {
        row.add(format!(", limit {}", duration(limit as i64)), theme.style(if late { role } else { Role::Muted }));
    }
    if unit.boots > 0 && width >= 74 {
        right.add(format!("boots {}", unit.boots), theme.style(Role::Muted));
    }
    right.line()
}

/// Why a node is where it is; with what is usual there, where no other place says it.
fn why(model: &Model, theme: &Theme, state: &State, unit: &Unit, with_usual: bool) -> Line<'static> {
    let mut row = Row::new();
    let role = if unit.state.is_bad() { Role::Failed } else { Role::Text };
    row.gap(2).add(crate::ui::advice::capital(&unit.why), theme.style(role));
    if unit.state == UnitState::Resyncing
        && let Some(s) = &state.storage
    {
        let left = crate::core::gates::bytes(s.value.bytes_left);
        row.add(format!("; {left} left"), theme.style(Role::Text));
    }
    if let Some(stalled) = &unit.progress.stalled {
        let last = stalled.value.first().map_or(stalled.at, |q| q.since);
        row.add(format!("; nothing has changed for {}", time::ago(last, model.now)), theme.style(Role::Attention));
    } else if let Some(placed) = placed(state, unit, model.now).filter(|_| !with_usual) {
        row.add(format!("; {placed}"), theme.style(Role::Muted));
    }
    if let Some(measure) = measured(unit).filter(|_| with_usual) {
        row.add(format!("; {measure}"), theme.style(Role::Strong));
    }
    if let Some(p) = track::here(unit).filter(|_| with_usual) {
        let limit = state.plan.stages.get(&p.stage).map_or(0, |b| b.limit);
        let usual = match usual(state, p.stage) {
            Usual::Sibling(node, s) => format!(".  Usually {} ({node})", duration(s as i64)),
            Usual::Earlier(l) => format!(".  Usually {} ({})", duration(l.usual as i64), l.source()),
            Usual::Plan(s) if s > 0 => format!(".  Usually ~{}", duration(s as i64)),
            Usual::Plan(_) => String::new(),
        };
        row.add(usual, theme.style(Role::Muted));
        if limit > 0 {
            row.add(format!(", limit {}", duration(limit as i64)), theme.style(Role::Muted));
        }
        if unit.boots > 0 {
            row.add(format!(".  Boots seen {}", unit.boots), theme.style(Role::Muted));
        }
    }
    row.line()
}
