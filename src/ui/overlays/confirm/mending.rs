//! What the questions before a fix say, and those of a sequence that is going on.

use super::Act;
use crate::core::command::{fix_node, plural, sequence_nodes};
use crate::core::event::VerdictKey;
use crate::core::name::NodeName;
use crate::core::plan::{Fix, FixBy};
use crate::core::sequence::SequenceRun;
use crate::core::state::State;
use crate::core::summary::duration;
use crate::theme::Role;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::row::Row;

/// The fixes of these verdicts, each change by machine.
pub fn fixes(state: &State, keys: &[VerdictKey], doc: &mut Doc) {
    let later = scripts(state, keys, doc);
    let sequences = keys.iter().filter_map(|k| {
        let fix = state.plan.check(&k.check)?.fix.as_ref()?;
        let FixBy::Sequence(id) = &fix.by else { return None };
        Some((id.clone(), k.node.clone().map_or_else(|| state.plan.nodes.clone(), |n| vec![n])))
    });
    let mut nodes: Vec<NodeName> = Vec::new();
    let mut id = None;
    for (sequence, its) in sequences {
        id = Some(sequence);
        nodes.extend(its);
    }
    if let Some(id) = &id {
        rolling(state, id, &nodes, doc);
    }
    end(doc, later && id.is_none());
}

/// Everything that can be mended at once, and the restarts that follow.
pub fn all(state: &State, keys: &[VerdictKey], doc: &mut Doc) {
    let later = scripts(state, keys, doc);
    let restarts = sequence_nodes(state);
    if let Some((id, nodes)) = &restarts {
        if !keys.is_empty() {
            doc.blank();
        }
        rolling(state, id, nodes, doc);
    }
    end(doc, later && restarts.is_none());
}

/// A fix, and for every check that it mends what is now and what is wanted.
type Change<'a> = (&'a Fix, Vec<String>);

/// What scripts change, by machine; true where something counts after a restart only.
fn scripts(state: &State, keys: &[VerdictKey], doc: &mut Doc) -> bool {
    let theme = doc.theme;
    let mut by_node: Vec<(NodeName, Vec<Change>)> = Vec::new();
    for key in keys {
        let fix = state.plan.check(&key.check).and_then(|c| c.fix.as_ref()).filter(|f| f.script().is_some());
        let Some((fix, node)) = fix.zip(fix_node(state, key)) else { continue };
        let at = by_node.iter().position(|(n, _)| *n == node).unwrap_or_else(|| {
            by_node.push((node, Vec::new()));
            by_node.len() - 1
        });
        // Checks that share a fix share its run.
        let its = &mut by_node[at].1;
        let place = its.iter().position(|(f, _)| f.by == fix.by).unwrap_or_else(|| {
            its.push((fix, Vec::new()));
            its.len() - 1
        });
        let expect = state.plan.check(&key.check).map_or("", |c| &c.expect);
        let now = state.verdict_of(key).and_then(|v| v.value.observed.as_deref());
        its[place].1.extend(now.map(|now| format!("now {now}; wanted: {expect}")));
    }
    if by_node.is_empty() {
        return false;
    }
    let changes: usize = by_node.iter().map(|(_, c)| c.len()).sum();
    doc.text(&format!("{} on {}:", plural(changes, "change"), plural(by_node.len(), "machine")), Role::Text);
    let mut later = false;
    for (node, changes) in &by_node {
        doc.blank();
        doc.text(node.as_str(), Role::Strong);
        for (fix, now) in changes {
            later |= fix.then.is_some();
            let mut row = Row::new();
            row.gap(2).add(format!("{} ", theme.glyphs().dot), theme.style(Role::Muted));
            let counts = if fix.then.is_some() { ", effective after a restart" } else { "" };
            row.add(format!("{}{counts}", fix.changes), theme.style(Role::Text));
            doc.row(row);
            for line in now {
                doc.text(&format!("    {line}"), Role::Muted);
            }
            doc.text(&format!("    {}", fix.script().map_or("", |s| s)), Role::Muted);
            if let Some(person) = &fix.person {
                doc.text(&format!("    {person}"), Role::Attention);
            }
        }
    }
    for line in by_node.iter().flat_map(|(_, c)| c).flat_map(|(f, _)| &f.warning) {
        doc.blank();
        doc.text(line, Role::Attention);
    }
    later
}

/// What is done to one node after the other.
fn rolling(state: &State, id: &str, nodes: &[NodeName], doc: &mut Doc) {
    let Some(sequence) = state.plan.sequence(id) else { return };
    let names: Vec<&str> = nodes.iter().map(|n| n.as_str()).collect();
    let which = if names.len() > 1 { ", one after the other" } else { "" };
    doc.text(&format!("{}{which}: {}", sequence.title, names.join(", ")), Role::Strong);
    let theme = doc.theme;
    for action in &sequence.actions {
        let mut row = Row::new();
        row.gap(2).add(format!("{} ", theme.glyphs().dot), theme.style(Role::Muted));
        row.add(action.title.clone(), theme.style(Role::Text));
        doc.row(row);
        if let Some(person) = &action.person {
            doc.text(&format!("    {person}"), Role::Attention);
        }
    }
    let each = sequence.expected();
    let all = duration((each * nodes.len() as u64) as i64);
    doc.text(
        &format!("About {} a node, {all} in all; longer while storage repairs.", duration(each as i64)),
        Role::Muted,
    );
    for line in &sequence.warning {
        doc.blank();
        doc.text(line, Role::Attention);
    }
}

fn end(doc: &mut Doc, later: bool) {
    doc.blank();
    let restarts = if later { " No machine is restarted by this." } else { "" };
    doc.text(&format!("Each check is read again afterwards.{restarts}"), Role::Muted);
}

/// Pause, go on and end, while a sequence is open.
pub fn sequence(state: &State, act: &Act, doc: &mut Doc) -> (String, &'static str) {
    let Some((run, sequence)) = state.open_sequence() else { return (String::new(), "Go on") };
    let left: Vec<&str> = run.nodes.iter().skip(run.node).map(|n| n.as_str()).collect();
    let title = &sequence.title;
    match act {
        Act::Pause => {
            doc.text(&finished(run), Role::Text);
            (format!("Pause: {title}"), "Pause")
        }
        Act::Resume => {
            if let Some(halt) = &run.paused {
                doc.text(&format!("It paused, {}: {}.", halt.value.reason, halt.value.why), Role::Attention);
                doc.blank();
            }
            doc.text(
                &format!(
                    "What was begun is looked at first: nothing that has happened is done again. Still to do: {}.",
                    left.join(", ")
                ),
                Role::Text,
            );
            (format!("Go on: {title}"), "Go on")
        }
        _ => {
            let said = match (&run.paused, run.in_work(), run.leaving) {
                (Some(_), Some(node), true) => {
                    format!("{node} could not be put back. It is left as it is: look after it by hand.")
                }
                (Some(_), Some(node), false) => {
                    format!(
                        "{node} is put back in service, as far as it was taken out by this. No other node is begun."
                    )
                }
                _ => finished(run),
            };
            doc.text(&said, Role::Text);
            (format!("End: {title}"), "End the run")
        }
    }
}

/// What is still done where it is to pause or to end.
fn finished(run: &SequenceRun) -> String {
    match run.in_work() {
        Some(node) => format!("{node} is finished and put back first; no other node is begun."),
        None => "No node is out of service: it takes effect at once.".to_owned(),
    }
}
