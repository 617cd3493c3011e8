//! Gates and steps, below the nodes of a run: as lists, or in a row each where there is little room.

use ratatui::text::Line;

use super::progress::{Entry, Owner};
use super::{nodes, steps};
use crate::core::gates::enforced;
use crate::core::plan::{Class, Step};
use crate::core::state::State;
use crate::theme::{Role, Theme};
use crate::ui::layout::Pane;
use crate::ui::model::Model;
use crate::ui::signs;
use crate::ui::widgets::row::Row;
use crate::ui::widgets::text;

/// How gates and steps are shown, the roomiest first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Foot {
    /// Both as lists with headings.
    Full,
    /// Gates in one row, steps as a list.
    Listed,
    /// Steps as a list.
    Steps,
    /// Both in one row each.
    Rows,
}

/// Its rows.
pub fn rows(model: &Model, state: &State, theme: &Theme, width: usize, foot: Foot) -> Vec<Entry> {
    let nobody = |left: Line<'static>| Entry {
        owner: Owner::Nobody,
        first: false,
        label: (0, 0),
        left,
        right: Line::default(),
    };
    let gates = !state.phase.is_terminal();
    let heading = |text: &str| nobody(Line::styled(format!("  {text}"), theme.style(Role::Heading)));
    let mut out = Vec::new();
    match foot {
        Foot::Full => {
            out.push(nobody(Line::default()));
            if gates {
                let kind = if enforced(state) { "Gates, they hold the next node" } else { "Gates, observed" };
                out.push(heading(kind));
                out.extend(gate_list(model, state, theme).into_iter().map(nobody));
            }
            out.push(heading("Steps"));
            out.extend(step_list(model, state, theme, width));
        }
        Foot::Listed => {
            out.extend(gates.then(|| nobody(gate_row(model, state, theme))));
            out.extend(step_list(model, state, theme, width));
        }
        Foot::Steps => out.extend(step_list(model, state, theme, width)),
        Foot::Rows => {
            out.extend(gates.then(|| nobody(gate_row(model, state, theme))));
            out.push(nobody(step_row(model, state, theme)));
        }
    }
    out
}

/// Gates that are always named.
const ALWAYS: [&str; 3] = ["foreign", "quorum", "storage"];

fn in_work(state: &State) -> bool {
    state.run.iter().flat_map(|r| r.units.values()).any(|u| u.state.in_work() && !u.state.is_bad())
}

fn gate_list(model: &Model, state: &State, theme: &Theme) -> Vec<Line<'static>> {
    let gates = model.derived().map(|d| d.gates.as_slice()).unwrap_or_default();
    let in_work = in_work(state);
    let line = |gate| {
        let mut row = Row::new();
        row.spans.extend(nodes::gate_line(theme, gate, in_work, 14).spans);
        row.line()
    };
    gates.iter().map(line).collect()
}

fn gate_row(model: &Model, state: &State, theme: &Theme) -> Line<'static> {
    let gates = model.derived().map(|d| d.gates.as_slice()).unwrap_or_default();
    let in_work = in_work(state);
    let mut row = Row::new();
    row.add(if enforced(state) { "  gates hold" } else { "  gates seen" }, theme.style(Role::Muted));
    // That the node before is not done is no news while it is in work.
    // In one row what is open and comes from the runbook's facts is only counted.
    let of_facts = |g: &&crate::core::gates::Gate| {
        g.open && state.plan.gates.iter().any(|r| r.id == g.id) && !ALWAYS.contains(&&*g.id)
    };
    let more = gates.iter().filter(of_facts).count();
    for gate in gates.iter().filter(|g| !of_facts(g)).filter(|gate| !in_work || gate.id != "previous-node") {
        row.gap(1)
            .sign(theme, signs::gate(theme.glyphs(), gate, in_work))
            .add(gate.title.to_string(), theme.style(Role::Text));
        if !gate.open && gate.id != "previous-node" {
            let why = gate.why.split(';').next().unwrap_or_default();
            row.add(format!(" {why}"), theme.style(Role::Muted));
        }
        row.gap(1);
    }
    if more > 0 {
        row.gap(1)
            .sign(theme, (theme.glyphs().done, Role::Done))
            .add(format!("{more} more"), theme.style(Role::Text));
    }
    row.line()
}

fn step_list(model: &Model, state: &State, theme: &Theme, width: usize) -> Vec<Entry> {
    let g = theme.glyphs();
    let entry = |step: &Step| {
        let mut row = Row::new();
        row.sign(theme, steps::sign(g, state, step)).add(step.title.clone(), theme.style(Role::Text));
        let mut right = Row::new();
        let room = width.saturating_sub(row.width() + 4);
        let said = text::clip(&steps::said(state, step, model.now), room, g.ellipsis);
        right.add(said, theme.style(Role::Muted)).gap(1);
        let label = (2, row.width());
        Entry { owner: Owner::Step(step.id.clone()), first: true, label, left: row.line(), right: right.line() }
    };
    state.plan.steps.iter().map(entry).collect()
}

fn step_row(model: &Model, state: &State, theme: &Theme) -> Line<'static> {
    let g = theme.glyphs();
    let mut row = Row::new();
    row.add("  steps     ", theme.style(Role::Muted));
    let chosen = model.step_shown().filter(|_| model.focus == Pane::Progress);
    for step in &state.plan.steps {
        let name = if chosen == Some(step.id.as_str()) { Role::Selection } else { Role::Text };
        row.gap(1).sign(theme, steps::sign(g, state, step)).add(step.id.clone(), theme.style(name));
        if step.class == Class::Irreversible {
            row.add(format!(" {}", g.locked), theme.style(Role::Waiting));
        }
        row.gap(1);
    }
    row.line()
}
