//! A question with one field: confirming what no script can tell, what was done outside, or that something is not as it was, with a few
//! words on it; going on by another driver, with what that needs.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value as Json;
use tui_input::Input;

use super::{Decision, Reply, form};
use crate::core::baseline::unexplained_on;
use crate::core::command::{Command, plural};
use crate::core::event::VerdictKey;
use crate::core::name::NodeName;
use crate::core::plan::Plan;
use crate::input::{Action, Key, Scope};
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::field;

/// Changes that the question names; the rest is counted.
const SHOWN: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    Note,
    Cancel,
    Confirm,
}

const ORDER: [Focus; 3] = [Focus::Note, Focus::Cancel, Focus::Confirm];

/// What is confirmed.
#[derive(Clone, Debug)]
enum About {
    Checks(Vec<VerdictKey>),
    Step(String),
    /// Another driver: the settings that bring it, and the one that is typed.
    Revision(BTreeMap<String, Json>, Option<String>),
    /// What the upgrade of a node changed: the words are the reason.
    Changes(NodeName),
}

/// The dialog.
#[derive(Clone, Debug)]
pub struct Attest {
    about: About,
    note: Input,
    focus: Focus,
}

impl Attest {
    /// For these verdicts, with nothing typed.
    pub fn new(keys: Vec<VerdictKey>) -> Self {
        Self { about: About::Checks(keys), note: Input::default(), focus: Focus::Note }
    }

    /// For a step of the run.
    pub fn of_step(step: String) -> Self {
        Self { about: About::Step(step), note: Input::default(), focus: Focus::Note }
    }

    /// For going on by another driver, where the plan knows one.
    pub fn of_revision(plan: &Plan) -> Option<Self> {
        let other = plan.other_drivers().next()?;
        let typed = other.step.needs.first().cloned();
        let known = typed.as_ref().and_then(|name| plan.settings.get(name)?.as_str()).unwrap_or_default();
        let about = About::Revision(other.settings.clone(), typed.clone());
        let focus = if typed.is_some() { Focus::Note } else { Focus::Cancel };
        Some(Self { about, note: Input::new(known.to_owned()), focus })
    }

    /// For what is not as it was on a node.
    pub fn of_changes(node: NodeName) -> Self {
        Self { about: About::Changes(node), note: Input::default(), focus: Focus::Note }
    }

    /// Pasted text goes into the note.
    pub fn paste(&mut self, text: &str) {
        field::paste(&mut self.note, text);
    }

    fn commands(&self) -> Vec<Command> {
        let note = self.note.value().trim().to_owned();
        match &self.about {
            About::Checks(keys) => {
                keys.iter().map(|key| Command::Attest { key: key.clone(), note: note.clone() }).collect()
            }
            About::Step(step) => vec![Command::Confirm { step: step.clone(), note }],
            About::Revision(settings, typed) => {
                let mut settings = settings.clone();
                settings.extend(typed.iter().map(|name| (name.clone(), Json::from(note.as_str()))));
                vec![Command::Revise { settings }]
            }
            About::Changes(node) => vec![Command::AcceptChanges { node: node.clone(), reason: note }],
        }
    }

    /// Why it cannot be done, should that have changed since the dialog was opened.
    fn refusal(&self, model: &Model) -> Option<String> {
        self.commands().iter().find_map(|c| model.refused(c))
    }

    fn go(&mut self, forward: bool) {
        let at = ORDER.iter().position(|f| *f == self.focus).unwrap_or(0);
        let step = if forward { 1 } else { ORDER.len() - 1 };
        self.focus = ORDER[(at + step) % ORDER.len()];
    }

    /// A key.
    pub fn key(&mut self, model: &Model, key: Key) -> Reply {
        use crate::input::Code;
        let typing = self.focus == Focus::Note && !matches!(key.code, Code::Up | Code::Down);
        if typing && field::take(&mut self.note, key) {
            return Reply::Stay;
        }
        match (model.keymap.action(key, &[Scope::Dialog]), self.focus) {
            (Some(Action::No), _) | (Some(Action::Accept), Focus::Cancel) => Reply::Close,
            (Some(Action::Yes), _) | (Some(Action::Accept), Focus::Confirm) => match self.refusal(model) {
                None => Reply::Done(self.commands().into_iter().map(Decision::Command).collect()),
                Some(_) => Reply::Stay,
            },
            // What was typed is not lost by the key that ends a line.
            (Some(Action::Accept), Focus::Note) if !self.note.value().trim().is_empty() => {
                self.focus = Focus::Confirm;
                Reply::Stay
            }
            (Some(Action::NextField | Action::Accept), _) => {
                self.go(true);
                Reply::Stay
            }
            (Some(Action::PreviousField), _) => {
                self.go(false);
                Reply::Stay
            }
            _ => Reply::Stay,
        }
    }

    fn typed(&self) -> Option<&str> {
        match &self.about {
            About::Revision(_, typed) => typed.as_deref(),
            _ => None,
        }
    }

    /// Writes what another driver means, and what changes in the plan; gives the title.
    fn revision(&self, model: &Model, doc: &mut Doc) -> String {
        let title = "Another driver for the nodes that are left".to_owned();
        let commands = self.commands();
        let (Some(state), Some(Command::Revise { settings })) = (&model.state, commands.first()) else {
            return title;
        };
        let plan = state.plan.with(settings);
        if let Some(step) = plan.driving_step() {
            doc.text(&format!("{}.", step.title), Role::Strong);
            doc.blank();
            for (i, line) in step.warning.iter().enumerate() {
                doc.field(if i == 0 { "Mind" } else { "" }, line, Role::Text);
            }
        }
        doc.blank();
        for (i, line) in plan.differs_from(&state.plan).iter().enumerate() {
            doc.field(if i == 0 { "Changes" } else { "" }, line, Role::Text);
        }
        let left = state.plan.nodes.iter().filter(|n| state.unit(n).is_some_and(|u| !u.state.is_good()));
        doc.field("For", &left.map(|n| n.as_str()).collect::<Vec<_>>().join(", "), Role::Text);
        doc.blank();
        doc.text("The run stays paused; going on then is a question of its own.", Role::Text);
        title
    }

    /// Draws it.
    pub fn draw(&self, model: &Model, theme: &Theme, frame: Rect, buf: &mut Buffer) {
        let (_, room) = form::widths(frame);
        let mut doc = Doc::new(theme, room);
        let (title, label, go) = match &self.about {
            About::Checks(keys) => (format!("Confirm: {}", check(model, keys, &mut doc)), Some("Note"), "Confirm"),
            About::Step(step) => {
                (format!("Confirm: {}", self::step(model, step, &mut doc)), Some("Note"), "Confirm")
            }
            About::Changes(node) => {
                (format!("Accept: {}", changes(model, node, &mut doc)), Some("Reason"), "Accept")
            }
            About::Revision(..) => (self.revision(model, &mut doc), self.typed(), "Take it"),
        };
        doc.blank();
        let columns = room.saturating_sub(12);
        if let Some(label) = label {
            doc.spans(label, field::spans(theme, &self.note, columns, self.focus == Focus::Note));
        }
        doc.blank();
        let buttons = form::Buttons {
            cancel_focused: self.focus == Focus::Cancel,
            go,
            go_focused: self.focus == Focus::Confirm,
            danger: false,
            refusal: self.refusal(model),
        };
        form::draw(model, &doc, &title, buttons, frame, buf);
    }
}

/// Writes what is asked of checks; gives their title.
fn check(model: &Model, keys: &[VerdictKey], doc: &mut Doc) -> String {
    let check = keys.first().and_then(|k| model.state.as_ref()?.plan.check(&k.check));
    if let Some(c) = check {
        doc.text(c.attest.as_deref().unwrap_or(&c.expect), Role::Strong);
        doc.blank();
        let machines: Vec<&str> = keys.iter().filter_map(|k| Some(k.node.as_ref()?.as_str())).collect();
        if !machines.is_empty() {
            doc.field("On", &machines.join(", "), Role::Text);
        }
        doc.field("Expected", &c.expect, Role::Text);
        doc.field("How", &c.remedy, Role::Text);
    }
    doc.blank();
    doc.text(
        "No script can tell this. Your word counts as pass for this run; your name and the note stand in the journal.",
        Role::Text,
    );
    check.map_or_else(String::new, |c| c.title.clone())
}

/// Writes what is asked of a step; gives its title.
fn step(model: &Model, id: &str, doc: &mut Doc) -> String {
    let Some(step) = model.state.as_ref().and_then(|s| s.plan.step(id)) else { return String::new() };
    doc.text(step.ask.as_deref().unwrap_or(&step.title), Role::Strong);
    doc.blank();
    for (i, line) in step.warning.iter().enumerate() {
        doc.field(if i == 0 { "Mind" } else { "" }, line, Role::Text);
    }
    doc.blank();
    doc.text("The run waits for this. Your name and the note stand in the journal.", Role::Text);
    step.title.clone()
}

/// Writes what is not as it was on a node; gives the title.
fn changes(model: &Model, node: &NodeName, doc: &mut Doc) -> String {
    let Some(state) = &model.state else { return String::new() };
    doc.text("Is that as it should be?", Role::Strong);
    doc.blank();
    let open = unexplained_on(state, node);
    for change in open.iter().take(SHOWN) {
        doc.text(&change.text(), Role::Failed);
    }
    if open.len() > SHOWN {
        doc.text(&format!("and {} more, in the details of {node}", open.len() - SHOWN), Role::Text);
    }
    doc.blank();
    doc.text("The gate of the next node and the proof count it as explained; your name and the reason stand in the report.", Role::Text);
    format!("{} on {node}", plural(open.len(), "change"))
}
