//! What happened to a check: every time it was judged, every fix with its answer and the way back, every restart.

use serde_json::Value as Json;

use crate::core::event::{Answer, VerdictKey};
use crate::core::plan::Check;
use crate::core::state::{FixState, State};
use crate::theme::Role;
use crate::ui::checks::saw;
use crate::ui::model::Model;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::row::Row;
use crate::ui::widgets::text;
use crate::ui::{signs, time};

/// Name in a fix's answer of the commands that take it back.
const UNDO: &str = "undo";

/// Every time it was judged, the last one first.
pub fn history(state: &State, key: &VerdictKey, doc: &mut Doc) {
    let Some(check) = state.checks.get(key) else { return };
    let all: Vec<_> = check.current.iter().chain(check.history.iter().rev()).collect();
    if all.is_empty() {
        return;
    }
    let theme = doc.theme;
    doc.heading("Every time it was judged");
    for v in all {
        let (sign, word) = (signs::outcome(theme.glyphs(), Some(v.value.outcome)), v.value.outcome.word());
        let room = doc.width.saturating_sub(2 + 2 + 24 + 15).max(1);
        for (i, line) in text::wrap(&saw(&v.value), room).into_iter().enumerate() {
            let mut row = Row::new();
            row.gap(2);
            if i == 0 {
                row.sign(theme, sign).cell(theme, &time::full(v.at), 23, Role::Muted).cell(
                    theme,
                    word,
                    14,
                    Role::Text,
                );
            } else {
                row.gap(2 + 24 + 15);
            }
            row.add(line, theme.style(Role::Text));
            doc.row(row);
        }
    }
    if check.history.len() == crate::core::state::HISTORY {
        doc.text("  what was before stands in the journal", Role::Muted);
    }
}

/// Fixes of it, also those that another check with the same fix asked for; the last one first.
pub fn fixes(state: &State, check: &Check, key: &VerdictKey, doc: &mut Doc) {
    let by = |c: &str| state.plan.check(c).and_then(|c| c.fix.as_ref()).map(|f| &f.by);
    let here = crate::core::command::fix_node(state, key);
    let same = |f: &&FixState| {
        f.key == *key
            || (check.fix.is_some() && by(&f.key.check) == by(&check.id) && Some(&f.node) == here.as_ref())
    };
    let mut fixes: Vec<&FixState> = state.fixes.values().filter(same).collect();
    if fixes.is_empty() {
        return;
    }
    fixes.sort_by_key(|f| std::cmp::Reverse(f.intended_at));
    doc.heading("Fixes that were run");
    for fix in fixes {
        one(state, key, fix, doc);
    }
}

fn one(state: &State, key: &VerdictKey, fix: &FixState, doc: &mut Doc) {
    let theme = doc.theme;
    let g = theme.glyphs();
    let (sign, word) = match &fix.answer {
        None => ((g.running, Role::Running), "under way"),
        Some(Answer::Facts(_)) => ((g.done, Role::Done), "done"),
        Some(Answer::Failed(_)) => ((g.failed, Role::Failed), "failed"),
    };
    let mut row = Row::new();
    row.gap(2).sign(theme, sign).add(format!("{word} on {}", fix.node), theme.style(sign.1));
    row.add(format!(", {}, by {}", time::full(fix.intended_at), fix.by), theme.style(Role::Muted));
    doc.row(row);
    if fix.key.check != key.check
        && let Some(other) = state.plan.check(&fix.key.check)
    {
        doc.text(&format!("    asked for by: {}", other.title), Role::Muted);
    }
    match &fix.answer {
        None => {}
        Some(Answer::Failed(f)) => {
            doc.code(&format!("  {}", f.message), Role::Failed);
        }
        Some(Answer::Facts(Json::Object(record))) => {
            for (name, value) in record.iter().filter(|(name, _)| *name != UNDO) {
                doc.code(&format!("  {name}: {}", plain(value)), Role::Text);
            }
            undo(record.get(UNDO), doc);
        }
        Some(Answer::Facts(other)) => {
            doc.code(&format!("  {}", plain(other)), Role::Text);
        }
    }
}

/// The sequence that mends it, or makes its fix count, where it was started for this node: every action and when it ended.
pub fn sequence(model: &Model, state: &State, check: &Check, key: &VerdictKey, doc: &mut Doc) {
    let id = check.fix.as_ref().and_then(|f| f.sequence());
    let Some(run) = state.sequence.as_ref().filter(|r| Some(r.id.as_str()) == id) else { return };
    let Some(sequence) = state.plan.sequence(&run.id) else { return };
    let Some(node) = key.node.as_ref().filter(|n| run.nodes.contains(n)) else { return };
    let theme = doc.theme;
    let g = theme.glyphs();
    doc.heading(&format!("{}, started {} by {}", sequence.title, time::full(run.started_at), run.by));
    for (i, action) in sequence.actions.iter().enumerate() {
        let here = run.is_open() && run.node() == Some(node) && run.action == i;
        let ended = run.on(node, &action.id).and_then(|a| a.ended.as_ref());
        let (sign, said) = match ended {
            Some(end) => ((g.done, Role::Done), format!("{}, {}", time::full(end.at), end.value)),
            None if here && run.paused.is_some() => ((g.paused, Role::Paused), "paused".to_owned()),
            None if here => ((g.running, Role::Running), format!("since {}", time::short(run.since, model.now))),
            None => ((g.waiting, Role::Waiting), String::new()),
        };
        let mut row = Row::new();
        row.gap(2).sign(theme, sign).add(format!("{}  ", action.title), theme.style(Role::Text));
        row.add(said, theme.style(Role::Muted));
        doc.row(row);
    }
    if let Some(halt) = run.paused.as_ref().filter(|_| run.is_open() && run.node() == Some(node)) {
        doc.text(&format!("  paused, {}: {}", halt.value.reason, halt.value.why), Role::Attention);
    }
}

/// The commands that take a fix back, to be copied by a person.
fn undo(commands: Option<&Json>, doc: &mut Doc) {
    let commands: Vec<&str> = match commands {
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).collect(),
        Some(Json::String(one)) => vec![one.as_str()],
        _ => return,
    };
    if !commands.is_empty() {
        doc.text("    To undo it:", Role::Muted);
        commands.into_iter().for_each(|c| {
            doc.code(&format!("    {c}"), Role::Code);
        });
    }
}

/// A value as people write it: texts without quotes.
fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
