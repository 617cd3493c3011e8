//! All keys, made from the table of actions, and what the signs mean.

use crate::core::event::Outcome;
use crate::core::run::UnitState;
use crate::core::standing::Standing;
use crate::input::action::{ACTIONS, Group, Scope, Spec};
use crate::theme::Role;
use crate::ui::footer::key_text;
use crate::ui::model::Model;
use crate::ui::signs;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::row::Row;
use crate::ui::widgets::text;

const KEYS: usize = 13;

/// Writes it.
pub fn write(model: &Model, doc: &mut Doc) {
    for group in Group::ALL {
        let rows: Vec<&Spec> = ACTIONS.iter().filter(|s| s.group == group && listed(model, s)).collect();
        doc.heading(group.title());
        for spec in rows {
            entry(model, doc, spec);
        }
    }
    let replayed: Vec<&Spec> = ACTIONS.iter().filter(|s| s.scopes == [Scope::Replay]).collect();
    if model.modes.replay.is_some() {
        doc.heading(Scope::Replay.title());
        replayed.into_iter().for_each(|s| entry(model, doc, s));
    }
    doc.heading("Questions");
    doc.text(
        "Whatever changes something asks first and says what it does, to what, and for how long. To do nothing is what is \
         focused; y says yes. What cannot be undone asks for the name of the cluster, typed, and a reason.",
        Role::Text,
    );
    doc.heading("Signs");
    write_signs(doc);
}

fn listed(model: &Model, spec: &Spec) -> bool {
    let only = |s: Scope| spec.scopes == [s];
    !only(Scope::Dialog) && !only(Scope::Replay) && model.keymap.key_of(spec.action).is_some()
}

fn entry(model: &Model, doc: &mut Doc, spec: &Spec) {
    let theme = doc.theme;
    let g = theme.glyphs();
    let why = model.refusal(spec.action);
    let (key_role, role) = if why.is_none() { (Role::Key, Role::Text) } else { (Role::Disabled, Role::Disabled) };
    let keys: Vec<String> = model.keymap.keys_of(spec.action).into_iter().map(|k| key_text(g, k)).collect();
    let place = match spec.scopes {
        [Scope::Logs, ..] => "Log: ",
        [Scope::Checks, ..] => "Checks: ",
        [Scope::Nodes, ..] => "Nodes: ",
        _ => "",
    };
    let said = match why {
        None => format!("{place}{}", spec.doc),
        Some(why) => format!("{}; not now: {why}", spec.title),
    };
    let room = doc.width.saturating_sub(KEYS).max(1);
    for (i, line) in text::wrap(&said, room).into_iter().enumerate() {
        let mut row = Row::new();
        let first = if i == 0 { keys.join(" ") } else { String::new() };
        row.add(text::fill(&first, KEYS, g.ellipsis), theme.style(key_role)).add(line, theme.style(role));
        doc.row(row);
    }
}

fn write_signs(doc: &mut Doc) {
    use UnitState::*;
    let theme = doc.theme;
    let g = theme.glyphs();
    let rows: [(signs::Sign, &str); 12] = [
        (signs::unit(g, Done), "done; a check: pass"),
        (signs::unit(g, Executing), "in work; a check: being read"),
        (signs::unit(g, Pending), "waiting; a check: not read yet"),
        (signs::outcome(g, Some(Outcome::Warn)), "look at this; nothing stands still because of it"),
        (signs::unit(g, Failed), "failed: nothing goes on before it is settled"),
        (signs::unit(g, Unknown), "could not tell: never counts as pass"),
        (
            signs::standing(g, Standing::Stale),
            "a check that passed more than ten minutes ago: read again before a start",
        ),
        (signs::unit(g, Gate), "held or paused; a check: waived by a person"),
        (signs::unit(g, Skipped), "not applicable, left out"),
        ((g.link, Role::Done), "connected over SSH"),
        ((g.linking, Role::Running), "connecting"),
        ((g.no_link, Role::Attention), "no connection"),
    ];
    for (sign, meaning) in rows {
        let mut row = Row::new();
        let lines = text::wrap(meaning, doc.width.saturating_sub(5).max(1));
        row.gap(2).sign(theme, sign).gap(1).add(lines[0].clone(), theme.style(Role::Text));
        doc.row(row);
        for line in lines.into_iter().skip(1) {
            let mut row = Row::new();
            row.gap(5).add(line, theme.style(Role::Text));
            doc.row(row);
        }
    }
}
