//! One machine: how it is reached, what it says of itself, how the cluster sees it, where it stands in the run.

use ratatui::text::Line;

use super::page;
use crate::core::baseline::unexplained_on;
use crate::core::connection::{Connection, TroubleKind};
use crate::core::cures::cure;
use crate::core::event::Answer;
use crate::core::name::NodeName;
use crate::core::pace::placed;
use crate::core::plan::{Moment, Stage};
use crate::core::progress::measured;
use crate::core::standing::standing;
use crate::core::state::{Machine, State, Unit};
use crate::core::summary::{Usual, duration, spent, usual};
use crate::input::Action;
use crate::theme::{Role, Theme};
use crate::ui::checks::saw;
use crate::ui::footer::key_text;
use crate::ui::model::Model;
use crate::ui::panes::nodes;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::row::Row;
use crate::ui::{checklist, signs, time};

/// Its title.
pub fn title(model: &Model, theme: &Theme, node: &NodeName) -> Line<'static> {
    let Some(state) = &model.state else { return Line::default() };
    let word = match state.unit(node) {
        Some(unit) => format!("{node} {}", unit.state.word()),
        None => node.to_string(),
    };
    page::title(theme, Some(nodes::sign(theme.glyphs(), state, node)), &word)
}

/// What `copy` takes: the way out of its trouble, or its address of the moment.
pub fn to_copy(model: &Model, node: &NodeName) -> Option<String> {
    match model.state.as_ref()?.connection(node) {
        Connection::Trouble(t) => Some(format!("{node}: {}. {}", t.message, t.remedy)),
        Connection::Ready(h) => Some(h.via.clone()),
        _ => None,
    }
}

/// Writes it.
pub fn write(model: &Model, node: &NodeName, doc: &mut Doc) {
    let Some(state) = &model.state else { return };
    let Some(machine) = state.machines.get(node) else { return };
    let trouble = state.cut_off().into_iter().find_map(|(n, t)| (n == node).then_some(t));
    if let Some(t) = trouble {
        let role = if t.kind.needs_person() { Role::Failed } else { Role::Attention };
        doc.field("Trouble", &t.message, role);
        doc.field("Way out", &t.remedy, Role::Text);
        if let Some(key) = model.keymap.key_of(Action::Connect) {
            let key = key_text(doc.theme.glyphs(), key);
            let then = if t.kind.needs_person() { "Then" } else { "Or" };
            doc.field(
                then,
                &format!("{key} connects again; what could not be read there is read then"),
                Role::Text,
            );
        }
        out_of_band(t.kind, node, doc);
        doc.blank();
    }
    if let Some(f) = state.unreadable(node) {
        doc.field(
            "Trouble",
            &format!("connected, but it says nothing usable: {}: {}", f.kind.words(), f.message),
            Role::Unknown,
        );
        let way_out = "Look in its log at what it says instead of an answer: profile scripts, application control, or \
                       something that only looks like PowerShell. A powershell.exe that hangs there may be ended.";
        doc.field("Way out", way_out, Role::Text);
        if let Some(key) = model.keymap.key_of(Action::RetryFailed) {
            let key = key_text(doc.theme.glyphs(), key);
            doc.field("Then", &format!("{key} reads again what failed"), Role::Text);
        }
        doc.blank();
    }
    if let Some(unit) = state.unit(node) {
        write_unit(model, state, unit, doc);
        way_on(state, node, unit, doc);
    }
    gates(model, state, node, doc);
    changes(state, node, doc);
    connection(model, state, machine, trouble.is_some(), doc);
    host(model, machine, doc);
    cluster(model, state, node, machine, doc);
    if let Some(console) = state.plan.consoles.get(node) {
        doc.field("Console", console, Role::Text);
        doc.blank();
    }
    checks(model, state, node, doc);
    put_back(model, state, node, doc);
    reads(model, state, node, doc);
}

/// How to make sure of an identity without the connection that is in doubt.
fn out_of_band(kind: TroubleKind, node: &NodeName, doc: &mut Doc) {
    if !matches!(kind, TroubleKind::HostKeyChanged | TroubleKind::HostKeyUnknown | TroubleKind::HostKeyRevoked) {
        return;
    }
    doc.field(
        "Make sure",
        &format!("On the console of {node}, not over this connection, the key's fingerprint is shown by:"),
        Role::Text,
    );
    doc.field("", "ssh-keygen -lf $env:ProgramData\\ssh\\ssh_host_ed25519_key.pub", Role::Code);
    doc.field(
        "",
        "Nothing was sent to it, and nothing will be before the key is the known one. A new installation makes a new key; \
         so does somebody in between. An upgrade in place keeps it.",
        Role::Text,
    );
}

/// What is left on a node that does not go on by itself, and what a person can do about it.
fn way_on(state: &State, node: &NodeName, unit: &Unit, doc: &mut Doc) {
    let mut written = false;
    if unit.drain_failed() {
        for (i, role) in unit.roles_left.iter().enumerate() {
            doc.field(if i == 0 { "Still here" } else { "" }, role, Role::Attention);
            written = true;
        }
    }
    if let Some(cure) = cure(state, node) {
        for (i, line) in cure.say.iter().enumerate() {
            doc.field(if i == 0 { "Way on" } else { "" }, line, Role::Text);
        }
        for line in &cure.commands {
            doc.field("", line, Role::Code);
        }
        written = true;
    }
    if written {
        doc.blank();
    }
}

fn write_unit(model: &Model, state: &State, unit: &Unit, doc: &mut Doc) {
    let (sign, role) = signs::unit(doc.theme.glyphs(), unit.state);
    let since = unit
        .since
        .map_or_else(String::new, |at| format!(" since {}{}", time::short(at, model.now), model.ago(at)));
    doc.field("State", &format!("{sign} {}{since}", unit.state.word()), role);
    if !unit.why.is_empty() {
        doc.field("Why", &unit.why, Role::Text);
    }
    if let Some(now) = unit.track.last().filter(|p| p.to.is_none()) {
        let limit = state.plan.stages.get(&now.stage).map_or(0, |b| b.limit);
        let how = match usual(state, now.stage) {
            Usual::Sibling(n, s) => format!("{} on {n} in this run", duration(s as i64)),
            Usual::Earlier(l) => format!(
                "{} in {} ({} to {})",
                duration(l.usual as i64),
                l.source(),
                duration(l.least as i64),
                duration(l.most as i64)
            ),
            Usual::Plan(s) => format!("{} by the runbook", duration(s as i64)),
        };
        let limit =
            if limit > 0 { format!("; look closer after {}", duration(limit as i64)) } else { String::new() };
        doc.field("Usual", &format!("{how}{limit}"), Role::Text);
    }
    if let Some(measure) = measured(unit) {
        doc.field("Measured", &measure, Role::Text);
    }
    if let Some(placed) = placed(state, unit, model.now) {
        doc.field("Before it", &placed, Role::Text);
    }
    for quiet in unit.progress.stalled.iter().flat_map(|s| &s.value) {
        doc.field("Quiet", &format!("{} since {}", quiet.source, time::hms(quiet.since)), Role::Attention);
    }
    let track: Vec<String> = Stage::TRACK
        .iter()
        .filter_map(|s| spent(unit, *s).filter(|t| *t > 0).map(|t| format!("{} {}", s.word(), duration(t as i64))))
        .collect();
    if !track.is_empty() {
        doc.field("Passed", &track.join(", "), Role::Text);
    }
    doc.field("Boots", &format!("{} seen since the start", unit.boots), Role::Text);
    doc.blank();
}

/// What it waits for before it is begun.
fn gates(model: &Model, state: &State, node: &NodeName, doc: &mut Doc) {
    let Some(judged) = checklist::waits(state, node) else { return };
    doc.text(&checklist::summary(state, judged, model.now), Role::Heading);
    for (item, since) in judged.items.iter().zip(&judged.since) {
        let row = checklist::item(doc.theme, item, *since, model.now);
        doc.row(row);
    }
    doc.blank();
}

/// What its upgrade changed that nobody explained, and what a person accepted of that.
fn changes(state: &State, node: &NodeName, doc: &mut Doc) {
    let rules = state.plan.baseline.as_ref();
    let Some(known) = state.run.as_ref().and_then(|r| r.configurations.get(node)) else { return };
    let open = unexplained_on(state, node);
    if open.is_empty() && known.accepted.is_empty() {
        return;
    }
    doc.heading("Not as before");
    for change in &open {
        doc.text(&change.text(), Role::Failed);
        let Some(what) = change.known.as_ref().and_then(|id| rules?.known(id)) else { continue };
        doc.field("Known", &what.title, Role::Text);
        doc.field("Remedy", &what.remedy, Role::Text);
        if let Some(command) = &what.command {
            doc.field("Command", command.trim(), Role::Code);
        }
    }
    for accepted in &known.accepted {
        for change in &accepted.changes {
            doc.text(&change.text(), Role::Muted);
        }
        doc.field("Accepted", &format!("by {}: {}", accepted.by, accepted.reason), Role::Text);
    }
    doc.blank();
}

/// The connection; its trouble in full only where it has not been told already.
fn connection(model: &Model, state: &State, machine: &Machine, told: bool, doc: &mut Doc) {
    let g = doc.theme.glyphs();
    let since =
        machine.connection_since.map_or_else(String::new, |at| format!(" since {}", time::short(at, model.now)));
    match &machine.connection {
        Connection::Idle => doc.field("SSH", "not asked for yet", Role::Muted),
        Connection::Connecting => doc.field("SSH", &format!("{} connecting{since}", g.linking), Role::Running),
        Connection::Ready(h) => {
            doc.field("SSH", &format!("{} {}{since}", g.link, h.via), Role::Text);
            let clock = match h.skew_ms {
                s if s.abs() < 1000 => "clock as ours".to_owned(),
                s => format!("clock {:+.0} s", s as f64 / 1000.0),
            };
            doc.field("PowerShell", &format!("{}, {}, process {}, {clock}", h.ps, h.language, h.pid), Role::Text);
            if !h.second_hop {
                return;
            }
            doc.field(
                "",
                "this login cannot reach other machines from there (no network credentials)",
                Role::Attention,
            )
        }
        Connection::Trouble(t) if told => {
            let role = if t.kind.needs_person() { Role::Failed } else { Role::Attention };
            doc.field("SSH", &format!("{} {}{since}", g.no_link, t.kind.words()), role)
        }
        Connection::Trouble(t) => {
            let expected = state.run.is_some();
            let role = if expected { Role::Text } else { Role::Attention };
            doc.field("SSH", &format!("{} {}{since}: {}", g.no_link, t.kind.words(), t.message), role);
            doc.field("", &t.remedy, Role::Muted)
        }
    };
}

fn host(model: &Model, machine: &Machine, doc: &mut Doc) {
    let Some(seen) = &machine.host else {
        doc.field("Host", "has not said what it is", Role::Muted);
        return;
    };
    let h = &seen.value;
    let ubr = h.ubr.map_or_else(String::new, |u| format!(".{u}"));
    let version = h.display_version.as_deref().unwrap_or("");
    doc.field("Host", &format!("{} {version}, build {}{ubr}", h.caption, h.build), Role::Text);
    doc.field(
        "Last boot",
        &format!("{}, up {}", time::full(h.boot_utc), time::ago(h.boot_utc, model.now)),
        Role::Text,
    );
    if h.windeploy {
        doc.field("", "Setup has not finished there", Role::Attention);
    }
    doc.field("", &format!("as it said at {}", time::short(seen.at, model.now)), Role::Muted);
}

fn cluster(model: &Model, state: &State, node: &NodeName, machine: &Machine, doc: &mut Doc) {
    if let Some(seen) = &machine.cluster {
        let c = &seen.value;
        let text = format!("{}, {}, drain {}, build {}", c.state, c.status, c.drain, c.build);
        doc.field("Cluster", &text, Role::Text);
        doc.field("", &format!("as it said at {}", time::short(seen.at, model.now)), Role::Muted);
    }
    let Some(driver) = &state.driver else { return };
    let Some(run) = &driver.value.run else { return };
    let working = run.working.iter().find(|w| &w.node == node).map(|w| w.status.clone());
    let finished = run.finished.iter().find(|f| &f.node == node);
    let said = working.or_else(|| {
        finished.map(|f| f.error.as_ref().map_or_else(|| f.status.clone(), |e| format!("{}: {e}", f.status)))
    });
    if let Some(said) = said {
        let at = time::short(driver.at, model.now);
        doc.field("Driver", &format!("{} says {said}, {at}", state.plan.driver.name), Role::Text);
    }
}

fn checks(model: &Model, state: &State, node: &NodeName, doc: &mut Doc) {
    let theme = doc.theme;
    let bad: Vec<_> = state
        .checks
        .iter()
        .filter(|(k, _)| k.node.as_ref() == Some(node))
        .filter_map(|(k, c)| Some((k, state.plan.check(&k.check)?, c.current.as_ref()?)))
        .filter(|(_, _, v)| crate::core::command::is_bad(v.value.outcome))
        .collect();
    if bad.is_empty() {
        return;
    }
    doc.heading("Checks that are not good here");
    for (key, check, v) in bad {
        let mut row = Row::new();
        let when = match check.moment {
            Moment::Before => "",
            Moment::Returning => "back: ",
            Moment::After => "after: ",
        };
        row.gap(2)
            .sign(theme, signs::standing(theme.glyphs(), standing(state, key, model.now)))
            .add(format!("{when}{}: ", check.title), theme.style(Role::Text))
            .add(saw(&v.value), theme.style(Role::Muted));
        doc.row(row);
    }
}

/// What was put back there after the upgrade, and how that ended.
fn put_back(model: &Model, state: &State, node: &NodeName, doc: &mut Doc) {
    let theme = doc.theme;
    let here = state.fixes.values().filter(|f| &f.node == node);
    let mut fixes: Vec<_> = here
        .filter_map(|f| Some((state.plan.check(&f.key.check)?, f)))
        .filter(|(check, _)| check.moment == Moment::Returning)
        .collect();
    if fixes.is_empty() {
        return;
    }
    fixes.sort_by_key(|(_, f)| f.intended_at);
    doc.heading("Put right since it is back");
    let g = theme.glyphs();
    for (check, fix) in fixes {
        let (sign, said) = match &fix.answer {
            None => ((g.running, Role::Running), String::new()),
            Some(Answer::Facts(_)) => ((g.done, Role::Done), String::new()),
            Some(Answer::Failed(f)) => ((g.failed, Role::Failed), format!(": {}", f.message)),
        };
        let changes = check.fix.as_ref().map_or(check.title.as_str(), |f| &f.changes);
        let mut row = Row::new();
        row.gap(2).sign(theme, sign).number(theme, &time::short(fix.intended_at, model.now), 11, Role::Muted);
        row.add(format!("{}, by {}{said}", crate::ui::advice::capital(changes), fix.by), theme.style(Role::Text));
        doc.row(row);
    }
}

fn reads(model: &Model, state: &State, node: &NodeName, doc: &mut Doc) {
    let theme = doc.theme;
    let rows: Vec<_> = state.reads.iter().filter(|(_, r)| r.asked.as_ref() == Some(node)).collect();
    if rows.is_empty() {
        return;
    }
    doc.heading("What was read there");
    for (key, r) in rows {
        let title = state.plan.fact_group(&key.group).map_or(key.group.as_str(), |g| &g.title);
        let g = theme.glyphs();
        let mut row = Row::new();
        row.gap(2);
        if r.is_open() {
            let since = r.asked_at.map_or_else(|| "waits".to_owned(), |at| time::ago(at, model.now));
            row.sign(theme, (g.running, Role::Running)).number(theme, &since, 8, Role::Running).gap(12);
        } else {
            let ok = matches!(r.answer, Some(Answer::Facts(_)));
            row.sign(theme, if ok { (g.done, Role::Done) } else { (g.unknown, Role::Unknown) });
            row.number(theme, &format!("{:.1} s", r.took_ms as f64 / 1000.0), 8, Role::Text);
            let at = r.at.map_or_else(String::new, |at| time::short(at, model.now));
            row.number(theme, &at, 11, Role::Muted);
        }
        row.add(title, theme.style(Role::Text));
        doc.row(row);
    }
}
