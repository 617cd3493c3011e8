//! One step of the run.

use ratatui::text::Line;

use super::page;
use crate::core::plan::{Class, Place};
use crate::core::state::CommitState;
use crate::core::summary::duration;
use crate::core::view::OpVerdict;
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::panes::steps;
use crate::ui::time;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::row::Row;

/// Its title.
pub fn title(model: &Model, theme: &Theme, id: &str) -> Line<'static> {
    let Some(state) = &model.state else { return Line::default() };
    let Some(step) = state.plan.step(id) else { return Line::default() };
    page::title(theme, Some(steps::sign(theme.glyphs(), state, step)), &step.title)
}

/// Writes it.
pub fn write(model: &Model, id: &str, doc: &mut Doc) {
    let Some(state) = &model.state else { return };
    let Some(step) = state.plan.step(id) else { return };
    doc.field("State", &steps::said(state, step, model.now), Role::Strong);
    doc.field("Class", class(step.class), Role::Text);
    let place = match step.on {
        Place::EachNode => "on each node",
        Place::AnyNode => "on any healthy node",
        Place::Coordinator => "on the coordinator",
        Place::Everywhere => "on every machine",
    };
    doc.field("Runs", place, Role::Text);
    if step.expected > 0 {
        let text = format!(
            "{}; a person should look after {}",
            duration(step.expected as i64),
            duration(step.budget as i64)
        );
        doc.field("Usually", &text, Role::Text);
    }
    if !step.safe_point.is_empty() {
        doc.field("Safe point", &step.safe_point, Role::Text);
    }
    for (i, line) in step.warning.iter().enumerate() {
        doc.field(if i == 0 { "Mind" } else { "" }, line, Role::Text);
    }
    let known = state.run.as_ref().and_then(|r| r.steps.get(id));
    if let Some(s) = known {
        doc.heading("What happened");
        let node = s.node.as_ref().map_or_else(String::new, |n| format!(" on {n}"));
        if let Some(at) = s.intended_at {
            doc.field("Intended", &format!("{}, attempt {}{node}", time::full(at), s.attempt), Role::Text);
        }
        if let Some(op) = &s.op {
            doc.field("Operation", op.as_str(), Role::Code);
        }
        if let Some(at) = s.started_at {
            doc.field("Started", &time::full(at), Role::Text);
        }
        if let Some(seen) = &s.seen {
            doc.field("Seen", &format!("{}, {}", verdict(&seen.value), time::full(seen.at)), Role::Text);
        }
        if let Some(end) = &s.ended {
            let role = if end.value.ok { Role::Done } else { Role::Failed };
            doc.field("Ended", &format!("{}: {}", time::full(end.at), end.value.message), role);
        }
    }
    if let Some(CommitState::Intended { at, by, reason, .. }) = state.run.as_ref().and_then(|r| r.commits.get(id))
    {
        doc.field("Confirmed", &format!("{} by {by}: {reason}", time::full(*at)), Role::Text);
    }
    if !step.proof.is_empty() {
        doc.heading("Must be proved right before");
        for (sign, text) in steps::proof(doc.theme.glyphs(), state, step) {
            let mut row = Row::new();
            row.gap(2).sign(doc.theme, sign).add(text, doc.theme.style(Role::Text));
            doc.row(row);
        }
    }
    if let Some((script, text)) = step.script.as_ref().and_then(|s| Some((s, state.plan.scripts.get(s)?))) {
        doc.heading(&format!("Script {script}"));
        doc.code(&text.text, Role::Code);
    }
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Read => "reads only",
        Class::Write => "writes; may be repeated after a look",
        Class::Once => "at most once: never sent again on doubt",
        Class::Irreversible => "cannot be undone",
    }
}

fn verdict(v: &OpVerdict) -> String {
    match v {
        OpVerdict::NotStarted => "has not started".into(),
        OpVerdict::Running => "runs".into(),
        OpVerdict::Ended { code, why, .. } => format!("ended with code {code}, {why}"),
        OpVerdict::Died => "died without an end".into(),
        OpVerdict::InterruptedByReboot => "was cut short by a restart".into(),
        OpVerdict::Unknown => "cannot be told".into(),
    }
}
