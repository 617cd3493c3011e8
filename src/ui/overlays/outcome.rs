//! How a run went: what was done, how long it took, what is left to do.

use ratatui::text::Line;

use super::page;
use crate::core::command::is_bad;
use crate::core::command::keys_of;
use crate::core::plan::{Moment, Stage, StepKind};
use crate::core::state::{CommitState, Run, State, Unit};
use crate::core::summary::{duration, spent};
use crate::theme::{Role, Theme};
use crate::ui::checks::saw;
use crate::ui::model::Model;
use crate::ui::panes::steps;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::row::Row;
use crate::ui::widgets::text;
use crate::ui::{signs, time};

/// Its title.
pub fn title(model: &Model, theme: &Theme) -> Line<'static> {
    let Some(state) = &model.state else { return Line::default() };
    let sign = signs::phase(theme.glyphs(), &state.phase);
    page::title(theme, Some(sign), &format!("{} {}", state.plan.cluster, state.phase.word()))
}

/// What `copy` takes: the sentence and the durations, as text.
pub fn to_copy(model: &Model) -> Option<String> {
    let state = model.state.as_ref()?;
    let run = state.run.as_ref()?;
    let mut out = format!("{} {}: {}\n", state.plan.cluster, state.phase.word(), run.message);
    for (node, unit) in &run.units {
        let took = away(unit).map_or_else(String::new, |s| format!(", {}", duration(s)));
        out.push_str(&format!("{node}: {}{took}\n", unit.state.word()));
    }
    Some(out)
}

/// Seconds from the first that disturbed the node to its end.
pub fn away(unit: &Unit) -> Option<i64> {
    let first = unit.track.iter().find(|p| p.stage > Stage::Staging)?;
    let last = unit.track.last()?;
    Some(time::since(first.from, last.to?))
}

/// Writes it.
pub fn write(model: &Model, doc: &mut Doc) {
    let Some(state) = &model.state else { return };
    let Some(run) = &state.run else { return };
    let (_, role) = signs::phase(doc.theme.glyphs(), &state.phase);
    let message = if run.message.is_empty() { &state.phase_why } else { &run.message };
    doc.text(&sentence(message), role);
    write_left(model, state, run, doc);
    doc.heading("Run");
    doc.field("Runbook", &format!("{} ({})", state.plan.runbook.title, state.plan.runbook.id), Role::Text);
    doc.field("Started", &format!("{} by {}", time::full(run.started_at), run.started_by), Role::Text);
    match run.ended_at {
        Some(end) => {
            let took = duration(time::since(run.started_at, end));
            doc.field("Ended", &format!("{}, after {took}", time::full(end)), Role::Text)
        }
        None => doc.field("So far", &time::ago(run.started_at, model.now), Role::Text),
    };
    doc.field("Id", &model.run_id, Role::Muted);
    if let Some(first) = &run.first_error {
        doc.field(
            "First error",
            &format!("{} at {}", first.value, time::short(first.at, model.now)),
            Role::Failed,
        );
    }
    write_nodes(state, run, doc);
    doc.heading("Steps");
    for step in &state.plan.steps {
        let mut row = Row::new();
        row.gap(2)
            .sign(doc.theme, steps::sign(doc.theme.glyphs(), state, step))
            .add(format!("{}  ", step.title), doc.theme.style(Role::Text))
            .add(steps::said(state, step, model.now), doc.theme.style(Role::Muted));
        doc.row(row);
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) || text.is_empty() { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

fn write_nodes(state: &State, run: &Run, doc: &mut Doc) {
    // The first that has no room is left out, and all after it.
    const STAGES: [(Stage, &str); 5] = [
        (Stage::Draining, "drain"),
        (Stage::Installing, "install"),
        (Stage::Restarting, "restart"),
        (Stage::Resync, "resync"),
        (Stage::Returning, "return"),
    ];
    let theme = doc.theme;
    let widest = state.plan.nodes.iter().map(|n| text::width(n.as_str())).max().unwrap_or(4).clamp(4, 24);
    let room = doc.width.saturating_sub(4 + widest + 1 + 13 + 7 + 8) / 8;
    let stages = &STAGES[..room.min(STAGES.len())];
    doc.heading("Nodes");
    let mut head = Row::new();
    head.gap(4).cell(theme, "", widest, Role::Muted).cell(theme, "", 12, Role::Muted);
    head.number(theme, "build", 6, Role::Muted).number(theme, "total", 7, Role::Muted);
    stages.iter().for_each(|(_, name)| {
        head.number(theme, name, 7, Role::Muted);
    });
    doc.row(head);
    for node in &state.plan.nodes {
        let Some(unit) = run.units.get(node) else { continue };
        let build = state.machines.get(node).and_then(|m| m.build());
        let mut row = Row::new();
        row.gap(2)
            .sign(theme, signs::unit(theme.glyphs(), unit.state))
            .cell(theme, node.as_str(), widest, Role::Text)
            .cell(theme, unit.state.word(), 12, Role::Text)
            .number(theme, &build.map_or_else(String::new, |b| b.to_string()), 6, Role::Text)
            .number(theme, &away(unit).map_or_else(String::new, duration), 7, Role::Strong);
        for (stage, _) in stages {
            let took = spent(unit, *stage).filter(|s| *s > 0).map_or_else(String::new, |s| duration(s as i64));
            row.number(theme, &took, 7, Role::Text);
        }
        doc.row(row);
    }
}

/// What a person still has to do.
fn write_left(model: &Model, state: &State, run: &Run, doc: &mut Doc) {
    let theme = doc.theme;
    let g = theme.glyphs();
    let mut left: Vec<(signs::Sign, String)> = Vec::new();
    for (node, unit) in run.units.iter().filter(|(_, u)| !u.state.is_good()) {
        left.push((signs::unit(g, unit.state), format!("{node}: {}", unit.why)));
    }
    for step in state.plan.steps.iter().filter(|s| s.kind == StepKind::Commit) {
        match run.commits.get(&step.id) {
            Some(CommitState::Done { .. }) => {}
            _ if run.ended_at.is_none() && state.phase != crate::core::run::Phase::AwaitingCommit => {}
            _ => left.push(((g.attention, Role::Attention), format!("{}: not done yet", step.title))),
        }
    }
    for key in keys_of(state, Moment::After) {
        let Some(v) = state.verdict_of(&key).filter(|v| is_bad(v.value.outcome)) else { continue };
        let title = state.plan.check(&key.check).map_or(key.check.as_str(), |c| &c.title);
        let on = key.node.as_ref().map_or_else(String::new, |n| format!(" on {n}"));
        left.push((signs::outcome(g, Some(v.value.outcome)), format!("{title}{on}: {}", saw(&v.value))));
    }
    for w in state.waivers.iter().filter(|w| w.expires > model.now) {
        let title = state.plan.check(&w.key.check).map_or(w.key.check.as_str(), |c| &c.title);
        left.push(((g.paused, Role::Attention), format!("Waived by {}: {title} ({})", w.by, w.reason)));
    }
    doc.heading("Left to do");
    if left.is_empty() {
        doc.text("  Nothing.", Role::Text);
    }
    for (sign, what) in left {
        doc.signed(sign, &what);
    }
}
