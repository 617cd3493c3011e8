//! What the questions say.

use ratatui::text::Line;

use super::{Act, mending};
use crate::core::command::{blockers, plural};
use crate::core::event::VerdictKey;
use crate::core::name::NodeName;
use crate::core::plan::{Mode, Stage, StepKind};
use crate::core::state::{CommitState, State};
use crate::core::summary::{duration, node_in_work, to_safe_point, to_upgrade, usual};
use crate::core::terms::window;
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::time;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::row::Row;

/// A question.
pub struct Question {
    pub title: String,
    pub body: Vec<Line<'static>>,
    /// The button that does nothing, and the one that does it.
    pub no: String,
    pub yes: String,
}

/// The words for an act, in so many columns.
pub fn question(model: &Model, act: &Act, theme: &Theme, width: usize) -> Question {
    let mut doc = Doc::new(theme, width);
    let Some(state) = &model.state else {
        return Question { title: "No engine".into(), body: Vec::new(), no: "Back".into(), yes: "Go on".into() };
    };
    let cluster = &state.plan.cluster;
    let driver = &state.plan.driver.name;
    let (title, yes) = match act {
        Act::Fix(keys) => {
            mending::fixes(state, keys, &mut doc);
            let what = keys.first().and_then(|k| state.plan.check(&k.check)).map_or("", |c| &c.title);
            (format!("Fix: {what}"), "Fix")
        }
        Act::FixAll => {
            let keys: Vec<VerdictKey> =
                model.derived().map(|d| d.fixable.iter().map(|(k, _)| k.clone()).collect()).unwrap_or_default();
            mending::all(state, &keys, &mut doc);
            (format!("Fix all that can be mended on {cluster}"), "Fix all")
        }
        Act::Start if state.plan.rehearses() => {
            start(model, state, &mut doc);
            (format!("Rehearse on {cluster}: every node restarts"), "Rehearse")
        }
        Act::Start => {
            start(model, state, &mut doc);
            (format!("Start the upgrade of {cluster} to {}", state.plan.target.version), "Start")
        }
        Act::Pause | Act::Resume | Act::Stop if state.phase.is_preparing() => {
            mending::sequence(state, act, &mut doc)
        }
        Act::Pause => {
            safe_point(model, state, &mut doc);
            if state.plan.driver.mode == Mode::Delegated {
                doc.blank();
                doc.text(
                    &format!(
                        "The price: the run of {driver} is cancelled after that node. Going on later starts another one, which \
                         scans and downloads again; nodes that are done stay done."
                    ),
                    Role::Text,
                );
            }
            ("Pause after the node in work".to_owned(), "Pause")
        }
        Act::Resume => {
            resume(state, &mut doc);
            (format!("Go on with the upgrade of {cluster}"), "Go on")
        }
        Act::Stop => {
            safe_point(model, state, &mut doc);
            let left = state.run.as_ref().map_or(0, |r| r.units.values().filter(|u| !u.state.is_good()).count());
            doc.blank();
            doc.text(
                &format!(
                    "Then the run is over. {} stay at what they are; a cluster of two versions works, for weeks, not for \
                     ever. The rest is upgraded by a new run.",
                    crate::ui::advice::capital(&plural(left, "node"))
                ),
                Role::Text,
            );
            (format!("End the run on {cluster}"), "End the run")
        }
        Act::Defer => {
            defer(state, &mut doc);
            ("End the run without the steps that cannot be undone".to_owned(), "End the run")
        }
    };
    Question { title, body: doc.lines, no: "Cancel".into(), yes: yes.into() }
}

fn start(model: &Model, state: &State, doc: &mut Doc) {
    let plan = &state.plan;
    let (left, there) = to_upgrade(state);
    let nodes = left.len();
    let each: u64 = Stage::TRACK.iter().filter(|s| **s > Stage::Staging).map(|s| usual(state, *s).seconds()).sum();
    let total = usual(state, Stage::Staging).seconds() + each * nodes as u64;
    let how = match plan.driver.mode {
        Mode::Delegated => format!("{} moves them", plan.driver.name),
        Mode::Direct => "nodelift moves them".to_owned(),
    };
    let count = crate::ui::advice::capital(&plural(nodes, "node"));
    let what = match plan.rehearses() {
        true => format!(
            "{count}, one after the other, are really emptied, restarted and taken back into service; no OS is changed. {how}. \
             What runs on a node moves to the others, or stops with it."
        ),
        false => format!(
            "{count}, one after the other, go from {} to {} (build {}). {how}: each is emptied, upgraded and restarted. What \
             runs on a node moves to the others, or stops with it.",
            plan.target.from_version, plan.target.version, plan.target.build
        ),
    };
    doc.text(&what, Role::Text);
    doc.blank();
    let ends = model.now.checked_add(jiff::SignedDuration::from_secs(total as i64)).ok();
    let ends = ends.map_or_else(String::new, |at| format!(", until about {} UTC", time::short(at, model.now)));
    doc.field("Takes", &format!("about {}{ends}", duration(total as i64)), Role::Strong);
    let names = |nodes: &[&NodeName]| nodes.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ");
    doc.field("Order", &names(&left), Role::Text);
    if let Some(change) = &plan.terms.change {
        doc.field("Change", change, Role::Text);
    }
    if let (Some(w), Some(now)) = (&plan.terms.window, window(state, model.now)) {
        let role = if now.open { Role::Text } else { Role::Attention };
        doc.field("Window", &format!("{}: {}", w.text(), now.why), role);
    }
    if !there.is_empty() {
        doc.field("There", &format!("{}: at {} already", names(&there), plan.target.version), Role::Text);
    }
    if let Some(c) = model.derived().map(|d| &d.counts) {
        let mut open = Vec::new();
        if c.warn > 0 {
            open.push(plural(c.warn, "warning"));
        }
        if c.unknown > 0 {
            open.push(format!("{} could not tell", c.unknown));
        }
        if c.waived > 0 {
            open.push(format!("{} waived", c.waived));
        }
        if !open.is_empty() {
            doc.field("Accepted", &open.join(", "), Role::Attention);
        }
    }
    if let Some(step) = plan.steps.iter().find(|s| s.kind.moves_nodes()) {
        doc.field("Safe point", &step.safe_point, Role::Text);
        if plan.driver.mode == Mode::Direct {
            for (i, line) in step.warning.iter().enumerate() {
                doc.field(if i == 0 { "Mind" } else { "" }, line, Role::Text);
            }
        }
        for key in step.review.iter().flat_map(|c| state.verdict_keys(c)) {
            let title = state.plan.check(&key.check).map_or("", |c| &c.title);
            let rows = state.verdict_of(&key).map_or(&[][..], |v| &v.value.detail);
            if rows.is_empty() {
                continue;
            }
            doc.blank();
            doc.text(title, Role::Muted);
            for row in rows {
                doc.text(&format!("  {row}"), Role::Text);
            }
        }
    }
    let later: Vec<&str> =
        plan.steps.iter().filter(|s| s.kind == StepKind::Commit).map(|s| s.title.as_str()).collect();
    if !later.is_empty() {
        doc.field("Not part", &format!("{}: on their own, after a proof", later.join("; ")), Role::Text);
    }
    let blocking = blockers(state, model.now);
    if blocking > 0 {
        doc.field("In the way", &plural(blocking, "blocker"), Role::Failed);
    }
}

/// What is finished first, and how long that takes.
fn safe_point(model: &Model, state: &State, doc: &mut Doc) {
    let driver = &state.plan.driver.name;
    let who = if state.plan.driver.mode == Mode::Delegated { driver.as_str() } else { "nodelift" };
    match (node_in_work(state), to_safe_point(state, model.now)) {
        (Some((node, unit)), Some(s)) => {
            let about = duration(s as i64);
            doc.text(
                &format!(
                    "{who} finishes {node} first ({} now): about {about}. No other node is started.",
                    unit.state.word()
                ),
                Role::Text,
            );
        }
        _ => {
            doc.text("No node is in work: it takes effect at once.", Role::Text);
        }
    }
}

fn resume(state: &State, doc: &mut Doc) {
    let left: Vec<&str> = state
        .plan
        .nodes
        .iter()
        .filter(|n| state.unit(n).is_some_and(|u| !u.state.is_good()))
        .map(|n| n.as_str())
        .collect();
    doc.field("Paused", &state.phase_why, Role::Text);
    if let Some(first) = state.run.as_ref().and_then(|r| r.first_error.as_ref()) {
        doc.field("First error", &first.value, Role::Failed);
    }
    if left.is_empty() {
        doc.text("Every node is done: the proof and the steps after it follow.", Role::Text);
    } else {
        doc.field("Next", &left.join(", "), Role::Text);
        if state.plan.driver.mode == Mode::Delegated {
            let name = &state.plan.driver.name;
            let text = if state.driver.as_ref().is_some_and(|d| d.value.is_running()) {
                format!("{name} is still at work: its run is followed, no other is started.")
            } else {
                format!(
                    "{name} starts another run: it scans, downloads what is missing, and goes on with these nodes."
                )
            };
            doc.blank();
            doc.text(&text, Role::Text);
        }
    }
}

fn defer(state: &State, doc: &mut Doc) {
    let done =
        |id: &str| matches!(state.run.as_ref().and_then(|r| r.commits.get(id)), Some(CommitState::Done { .. }));
    let open = state.plan.steps.iter().filter(|s| s.kind == StepKind::Commit && !done(&s.id));
    doc.text("Every node is done and proved. These are left for later:", Role::Text);
    for step in open {
        let mut row = Row::new();
        row.gap(2).add(format!("{} ", doc.theme.glyphs().dot), doc.theme.style(Role::Muted));
        row.add(step.title.clone(), doc.theme.style(Role::Strong));
        doc.row(row);
        if let Some(mind) = step.warning.last() {
            let indented = crate::ui::widgets::text::wrap(mind, doc.width.saturating_sub(4).max(1));
            for line in indented {
                doc.text(&format!("    {line}"), Role::Muted);
            }
        }
    }
}
