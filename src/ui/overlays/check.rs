//! Why a check says what it says: evidence, rule, script and raw answer, what was said before, and what mends it.

use ratatui::text::Line;

use super::page::{self, Page};
use crate::core::event::{Answer, ReadKey, VerdictKey};
use crate::core::plan::{Check, Severity};
use crate::core::state::{Reading, State};
use crate::core::summary::check_row;
use crate::theme::{Role, Theme};
use crate::ui::checks::{read_at, saw};
use crate::ui::model::Model;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::row::Row;
use crate::ui::widgets::text;
use crate::ui::{signs, time};

/// Most lines of a raw answer.
const MOST_LINES: usize = 400;

/// Details of one verdict.
#[derive(Clone, Debug)]
pub struct CheckView {
    pub key: VerdictKey,
    pub page: Page,
}

impl CheckView {
    /// At the beginning.
    pub fn new(key: VerdictKey) -> Self {
        Self { key, page: Page::default() }
    }

    /// The same check on the machine after or before.
    pub fn beside(&mut self, model: &Model, after: bool) {
        let Some(state) = &model.state else { return };
        let keys = state.verdict_keys(&self.key.check);
        let Some(at) = keys.iter().position(|k| *k == self.key) else { return };
        let step = if after { 1 } else { keys.len() - 1 };
        self.key = keys[(at + step) % keys.len()].clone();
        self.page = Page::default();
    }
}

/// Its title.
pub fn title(model: &Model, theme: &Theme, view: &CheckView) -> Line<'static> {
    let Some(state) = &model.state else { return Line::default() };
    let name = state.plan.check(&view.key.check).map_or(view.key.check.as_str(), |c| &c.title);
    let outcome = state.verdict_of(&view.key).map(|v| v.value.outcome);
    page::title(theme, Some(signs::outcome(theme.glyphs(), outcome)), name)
}

/// What `copy` takes: the command that mends it, or the remedy.
pub fn to_copy(model: &Model, view: &CheckView) -> Option<String> {
    let check = model.state.as_ref()?.plan.check(&view.key.check)?;
    Some(check.command.clone().unwrap_or_else(|| check.remedy.clone()))
}

/// Writes it.
pub fn write(model: &Model, view: &CheckView, doc: &mut Doc) {
    let Some(state) = &model.state else { return };
    let Some(check) = state.plan.check(&view.key.check) else { return };
    verdict(model, state, check, &view.key, doc);
    mending(state, check, &view.key, doc);
    let rows = state.verdict_of(&view.key).map(|v| v.value.detail.as_slice()).unwrap_or_default();
    if !rows.is_empty() {
        doc.heading("Evidence");
        rows.iter().for_each(|r| {
            doc.code(r, Role::Text);
        });
    }
    nodes(model, state, check, &view.key, doc);
    history(state, &view.key, doc);
    for key in state.reads_of(&view.key) {
        if let Some(reading) = state.reads.get(&key) {
            answer(model, state, &key, reading, doc);
        }
    }
    for id in &check.facts {
        let Some(group) = state.plan.fact_group(id) else { continue };
        if let Some(script) = state.plan.scripts.get(&group.script) {
            let sum = script.sha256.get(..12).unwrap_or(&script.sha256);
            doc.heading(&format!("Script {}, SHA-256 {sum}", group.script));
            doc.code(&script.text, Role::Code);
        }
    }
    doc.heading("Where this check comes from");
    doc.text(&check.source, Role::Muted);
}

fn verdict(model: &Model, state: &State, check: &Check, key: &VerdictKey, doc: &mut Doc) {
    let theme = doc.theme;
    let current = state.verdict_of(key);
    let outcome = current.map(|v| v.value.outcome);
    let (sign, role) = signs::outcome(theme.glyphs(), outcome);
    let word = outcome.map_or("not judged yet", |o| o.word());
    let place = key.node.as_ref().map_or_else(String::new, |n| format!(" on {n}"));
    let mut row = Row::new();
    row.add(format!("{sign} {word}{place}"), theme.style(role));
    let summary = check_row(state, check, model.now);
    if summary.of > 1 {
        row.add(format!("   good on {} of {}", summary.good, summary.of), theme.style(Role::Muted));
    }
    doc.spans("Outcome", row.spans);
    if let Some(v) = current {
        let said = v.value.why.as_ref().or(v.value.observed.as_ref());
        doc.field("Observed", said.map_or("nothing to show", String::as_str), Role::Strong);
    }
    doc.field("Expected", &check.expect, Role::Text);
    let weight = match (check.severity, check.waivable) {
        (Severity::Blocker, true) => "blocker: the start waits for it, or for a waiver",
        (Severity::Blocker, false) => "blocker: the start waits for it, it can never be waived",
        (Severity::Warning, _) => "warning: the start does not wait for it",
        (Severity::Recommended, _) => "good practice: the start does not wait for it",
    };
    doc.field("Weight", weight, Role::Text);
    if let Some(v) = current {
        let at = read_at(v);
        doc.field("Read", &format!("{}{}", time::full(at), model.ago(at)), Role::Text);
    }
    if state.is_open(key) {
        doc.field("Now", "being read again", Role::Running);
    }
    if let Some(w) = state.waiver(key, model.now) {
        let text = format!("by {} until {}: {}", w.by, time::full(w.expires), w.reason);
        doc.field("Waived", &text, Role::Attention);
    }
}

fn mending(state: &State, check: &Check, key: &VerdictKey, doc: &mut Doc) {
    doc.blank();
    doc.field("Remedy", &check.remedy, Role::Text);
    if let Some(fix) = &check.fix {
        let later = if fix.then.is_some() { "; takes effect after a restart of the node" } else { "" };
        doc.field("Fix", &format!("{}{later}", fix.changes), Role::Text);
    }
    let known = state.checks.get(key);
    if known.is_some_and(|c| c.fixing.is_some()) {
        doc.field("", "the fix is running", Role::Running);
    }
    if let Some(error) = known.and_then(|c| c.fix_error.as_ref()) {
        doc.field("", &format!("the last fix failed: {error}"), Role::Failed);
    }
    if let Some(command) = &check.command {
        doc.field("Command", command, Role::Code);
    }
}

fn nodes(model: &Model, state: &State, check: &Check, here: &VerdictKey, doc: &mut Doc) {
    let keys = state.verdict_keys(&check.id);
    if keys.len() < 2 {
        return;
    }
    let theme = doc.theme;
    let g = theme.glyphs();
    let names =
        keys.iter().filter_map(|k| k.node.as_ref()).map(|n| text::width(n.as_str())).max().unwrap_or(0).min(24);
    doc.heading("On every node");
    for key in keys {
        let v = state.verdict_of(&key);
        let name = key.node.as_ref().map_or("", |n| n.as_str());
        let mut row = Row::new();
        let role = if key == *here { Role::Strong } else { Role::Text };
        row.gap(2).sign(theme, signs::outcome(g, v.map(|v| v.value.outcome))).cell(theme, name, names, role);
        if let Some(v) = v {
            let at = time::short(read_at(v), model.now);
            row.number(theme, &at, 11, Role::Muted).add(saw(&v.value), theme.style(Role::Text));
        }
        doc.row(row);
    }
}

fn history(state: &State, key: &VerdictKey, doc: &mut Doc) {
    let Some(check) = state.checks.get(key).filter(|c| !c.history.is_empty()) else { return };
    let theme = doc.theme;
    doc.heading("Before");
    for v in check.history.iter().rev() {
        let mut row = Row::new();
        row.gap(2)
            .sign(theme, signs::outcome(theme.glyphs(), Some(v.value.outcome)))
            .cell(theme, &time::full(v.at), 23, Role::Muted)
            .add(saw(&v.value), theme.style(Role::Text));
        doc.row(row);
    }
}

fn answer(model: &Model, state: &State, key: &ReadKey, reading: &Reading, doc: &mut Doc) {
    let title = state.plan.fact_group(&key.group).map_or(key.group.as_str(), |g| &g.title);
    let on = reading.asked.as_ref().map_or_else(String::new, |n| format!(" on {n}"));
    doc.heading(&format!("Answer: {title}{on}"));
    if let Some(at) = reading.at {
        let took = format!("{:.1} s", reading.took_ms as f64 / 1000.0);
        doc.text(
            &format!("  read {} in {took}, attempt {}{}", time::hms(at), reading.done, model.ago(at)),
            Role::Muted,
        );
    }
    match &reading.answer {
        Some(Answer::Facts(json)) => {
            let pretty = serde_json::to_string_pretty(json).unwrap_or_default();
            let lines: Vec<&str> = pretty.lines().take(MOST_LINES).collect();
            doc.code(&lines.join("\n"), Role::Text);
            if pretty.lines().count() > MOST_LINES {
                doc.text("  the rest is in the journal", Role::Muted);
            }
        }
        Some(Answer::Failed(f)) => {
            doc.code(&f.message, Role::Failed);
            for more in [&f.id, &f.at].into_iter().flatten() {
                doc.code(more, Role::Muted);
            }
        }
        None => {
            doc.text("  not answered yet", Role::Muted);
        }
    }
}
