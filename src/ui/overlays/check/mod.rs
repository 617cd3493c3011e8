//! Why a check says what it says: evidence, rule, script and raw answer, what was said before, and what mends it.

mod record;

use ratatui::text::Line;

use super::page::{self, Page};
use crate::core::event::{Answer, ReadKey, VerdictKey};
use crate::core::judge::is_stale;
use crate::core::plan::{Check, Severity};
use crate::core::standing::{Standing, standing};
use crate::core::state::{Reading, State};
use crate::core::summary::check_row;
use crate::input::Action;
use crate::theme::{Role, Theme};
use crate::ui::checks::{read_at, saw};
use crate::ui::footer::key_text;
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
    let sign = signs::standing(theme.glyphs(), standing(state, &view.key, model.now));
    page::title(theme, Some(sign), name)
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
    mending(model, state, check, &view.key, doc);
    if let Some(v) = state.verdict_of(&view.key).filter(|v| !v.value.detail.is_empty()) {
        let at = read_at(v);
        doc.heading(&format!("Evidence, read {}{}", time::hms(at), model.ago(at)));
        v.value.detail.iter().for_each(|r| {
            doc.code(r, Role::Text);
        });
    }
    nodes(model, state, check, &view.key, doc);
    record::history(state, &view.key, doc);
    record::fixes(state, check, &view.key, doc);
    record::sequence(model, state, check, &view.key, doc);
    for key in state.reads_of(&view.key) {
        if let Some(reading) = state.reads.get(&key) {
            answer(model, state, &key, reading, doc);
        }
    }
    rule(check, doc);
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
    let stands = standing(state, key, model.now);
    let (sign, role) = signs::standing(theme.glyphs(), stands);
    let word = match stands {
        // Who reads why it is waived or stale wants to know what it was.
        Standing::Waived | Standing::Stale => {
            format!("{}, {}", current.map_or("", |v| v.value.outcome.word()), stands.word())
        }
        other => other.word().to_owned(),
    };
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
        doc.field("Read", &format!("{}{}{}", time::full(at), asked(state, key), model.ago(at)), Role::Text);
        if check.severity == Severity::Blocker
            && state.phase.is_preparing()
            && is_stale(state, &v.value, model.now)
        {
            doc.field("", "older than ten minutes: it is read again before a start", Role::Stale);
        }
    }
    if state.is_open(key) {
        doc.field("Now", &being_read(model, state, key), Role::Running);
    }
    if let Some(w) = state.waiver(key, model.now) {
        let text = format!("by {} until {}: {}", w.by, time::full(w.expires), w.reason);
        doc.field("Waived", &text, Role::Attention);
    }
    if let Some(a) = state.attested.get(key) {
        let note = if a.note.is_empty() { String::new() } else { format!(": {}", a.note) };
        doc.field("Confirmed", &format!("by {} at {}{note}", a.by, time::full(a.at)), Role::Strong);
    }
}

/// The machines that were asked, and how long they took where it was one.
fn asked(state: &State, key: &VerdictKey) -> String {
    let keys = state.reads_of(key);
    let reads: Vec<&Reading> = keys.iter().filter_map(|k| state.reads.get(k)).collect();
    match reads.as_slice() {
        [one] => {
            let on = one.asked.as_ref().map_or_else(String::new, |n| format!(" on {n}"));
            format!("{on} in {:.1} s", one.took_ms as f64 / 1000.0)
        }
        many => {
            let mut on: Vec<&str> = many.iter().filter_map(|r| Some(r.asked.as_ref()?.as_str())).collect();
            on.sort_unstable();
            on.dedup();
            if on.is_empty() { String::new() } else { format!(" on {}", on.join(", ")) }
        }
    }
}

/// What of it is being read now, where, and since when.
fn being_read(model: &Model, state: &State, key: &VerdictKey) -> String {
    if state.checks.get(key).is_some_and(|c| c.fixing.is_some()) {
        return "the fix is running".into();
    }
    let keys = state.reads_of(key);
    let open: Vec<String> = keys
        .iter()
        .filter_map(|k| Some((k, state.reads.get(k).filter(|r| r.is_open())?)))
        .map(|(k, r)| {
            let title = state.plan.fact_group(&k.group).map_or(k.group.as_str(), |g| &g.title);
            match (r.asked_at, &r.asked) {
                (Some(at), Some(on)) => format!("reading {title} on {on}, {}", time::ago(at, model.now)),
                _ => format!("{title} waits to be read"),
            }
        })
        .collect();
    open.join("; ")
}

fn mending(model: &Model, state: &State, check: &Check, key: &VerdictKey, doc: &mut Doc) {
    doc.blank();
    let press = |action: Action, does: &str| {
        let key = model.keymap.key_of(action)?;
        Some(format!("{} {does}", key_text(doc.theme.glyphs(), key)))
    };
    let (confirms, copies) = (press(Action::Attest, "confirms it"), press(Action::Copy, "copies it"));
    if let Some(question) = check.attest.as_ref().filter(|_| !state.attested.contains_key(key)) {
        let text = confirms.map_or_else(|| question.clone(), |c| format!("{question} {c}."));
        doc.field("Question", &text, Role::Strong);
    }
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
        if let Some(copies) = copies {
            doc.field("", &copies, Role::Muted);
        }
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
        let sign = signs::standing(g, standing(state, &key, model.now));
        row.gap(2).sign(theme, sign).cell(theme, name, names, role);
        if let Some(v) = v {
            let at = time::short(read_at(v), model.now);
            row.number(theme, &at, 11, Role::Muted).add(saw(&v.value), theme.style(Role::Text));
        }
        doc.row(row);
    }
}

/// The expressions that judge it.
fn rule(check: &Check, doc: &mut Doc) {
    doc.heading("Rule");
    let parts = [
        ("Applies", check.applies.as_ref()),
        ("Passes", Some(&check.pass)),
        ("Warns", check.warn.as_ref()),
        ("Observed", check.observed.as_ref()),
        ("Evidence", check.detail.as_ref()),
    ];
    for (label, expr) in parts {
        if let Some(expr) = expr {
            doc.field(label, &expr.0, Role::Code);
        }
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
