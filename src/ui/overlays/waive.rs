//! Taking a blocker upon oneself: why, and for how long.

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;
use tui_input::Input;

use super::{Decision, Reply, form};
use crate::core::command::{Command, REASON_LEAST};
use crate::core::event::VerdictKey;
use crate::core::gate_rules::title as title_of;
use crate::input::{Action, Key, Scope};
use crate::theme::{Role, Theme};
use crate::ui::checks::saw;
use crate::ui::model::Model;
use crate::ui::time;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::field;

/// Longest waiver, in hours.
const MOST_HOURS: u32 = 168;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    Reason,
    Hours,
    Cancel,
    Waive,
}

const ORDER: [Focus; 4] = [Focus::Reason, Focus::Hours, Focus::Cancel, Focus::Waive];

/// The dialog.
#[derive(Clone, Debug)]
pub struct Waive {
    pub keys: Vec<VerdictKey>,
    reason: Input,
    hours: Input,
    focus: Focus,
}

impl Waive {
    /// For these verdicts, with nothing typed.
    pub fn new(keys: Vec<VerdictKey>) -> Self {
        Self { keys, reason: Input::default(), hours: Input::new("12".into()), focus: Focus::Reason }
    }

    /// Pasted text goes where one types.
    pub fn paste(&mut self, text: &str) {
        match self.focus {
            Focus::Hours => {}
            _ => field::paste(&mut self.reason, text),
        }
    }

    /// When it would end.
    fn ends(&self, model: &Model) -> Option<Timestamp> {
        let hours: u32 = self.hours.value().trim().parse().ok().filter(|h| (1..=MOST_HOURS).contains(h))?;
        model.now.checked_add(SignedDuration::from_hours(i64::from(hours))).ok()
    }

    fn commands(&self) -> Result<Vec<Command>, String> {
        let hours: u32 = self.hours.value().trim().parse().map_err(|_| "hours are a number".to_owned())?;
        if !(1..=MOST_HOURS).contains(&hours) {
            return Err(format!("between 1 and {MOST_HOURS} hours"));
        }
        let reason = self.reason.value().trim().to_owned();
        Ok(self
            .keys
            .iter()
            .map(|key| Command::Waive { key: key.clone(), reason: reason.clone(), hours })
            .collect())
    }

    /// Why it cannot be done yet.
    fn refusal(&self, model: &Model) -> Option<String> {
        let missing = REASON_LEAST.saturating_sub(self.reason.value().trim().chars().count());
        if missing > 0 {
            return Some(format!("the reason needs {missing} more characters"));
        }
        match self.commands() {
            Ok(commands) => commands.iter().find_map(|c| model.refused(c)),
            Err(why) => Some(why),
        }
    }

    fn go(&mut self, forward: bool) {
        let at = ORDER.iter().position(|f| *f == self.focus).unwrap_or(0);
        let step = if forward { 1 } else { ORDER.len() - 1 };
        self.focus = ORDER[(at + step) % ORDER.len()];
    }

    /// A key.
    pub fn key(&mut self, model: &Model, key: Key) -> Reply {
        use crate::input::Code;
        let typing = matches!(self.focus, Focus::Reason | Focus::Hours);
        if typing && !matches!(key.code, Code::Up | Code::Down) {
            let input = if self.focus == Focus::Reason { &mut self.reason } else { &mut self.hours };
            if field::take(input, key) {
                return Reply::Stay;
            }
        }
        let action = model.keymap.action(key, &[Scope::Dialog]);
        match action {
            Some(Action::No) => Reply::Close,
            Some(Action::NextField) => {
                self.go(true);
                Reply::Stay
            }
            Some(Action::PreviousField) => {
                self.go(false);
                Reply::Stay
            }
            Some(Action::Accept | Action::Yes) => match self.focus {
                _ if action == Some(Action::Yes) => self.decide(model),
                Focus::Reason => {
                    self.go(true);
                    Reply::Stay
                }
                // What was typed is not lost by the key that ends a line.
                Focus::Hours => {
                    self.focus = Focus::Waive;
                    Reply::Stay
                }
                Focus::Cancel => Reply::Close,
                Focus::Waive => self.decide(model),
            },
            _ => Reply::Stay,
        }
    }

    fn decide(&self, model: &Model) -> Reply {
        match (self.refusal(model), self.commands()) {
            (None, Ok(commands)) => Reply::Done(commands.into_iter().map(Decision::Command).collect()),
            _ => Reply::Stay,
        }
    }

    /// Draws it.
    pub fn draw(&self, model: &Model, theme: &Theme, frame: Rect, buf: &mut Buffer) {
        let (_, room) = form::widths(frame);
        let mut doc = Doc::new(theme, room);
        let state = model.state.as_ref();
        let check = self.keys.first().and_then(|k| state?.plan.check(&k.check));
        for key in self.keys.iter().filter(|k| k.gate().is_some()) {
            let gates = model.derived().map(|d| d.gates.as_slice()).unwrap_or_default();
            let why = gates.iter().find(|g| Some(&*g.id) == key.gate()).map(|g| g.why.as_str());
            let items = state.and_then(|s| s.gates.as_ref()).map(|j| j.items.as_slice()).unwrap_or_default();
            let item = items.iter().find(|i| i.gate.as_deref() == key.gate()).and_then(|i| i.why.as_deref());
            let why = why.or(item).unwrap_or("it does not hold");
            doc.field("Gate", why, Role::Strong);
        }
        for key in self.keys.iter().filter(|k| k.gate().is_none()) {
            let saw = state.and_then(|s| s.verdict_of(key)).map_or_else(String::new, |v| saw(&v.value));
            doc.field(key.node.as_ref().map_or("Cluster", |n| n.as_str()), &saw, Role::Strong);
        }
        if let Some(c) = check {
            doc.field("Expected", &c.expect, Role::Text);
        }
        doc.blank();
        let what = match self.keys.iter().any(|k| k.gate().is_some()) {
            true => "Nodes are begun although this gate is closed.",
            false => "The run starts although this blocker is not good.",
        };
        let text = format!(
            "{what} Your name, the reason and the end of the waiver stand in the journal and in every report."
        );
        doc.text(&text, Role::Text);
        doc.blank();
        let fields = room.saturating_sub(12);
        doc.spans("Reason", field::spans(theme, &self.reason, fields, self.focus == Focus::Reason));
        let mut hours = field::spans(theme, &self.hours, 5.min(fields), self.focus == Focus::Hours);
        if let Some(ends) = self.ends(model) {
            hours.push(Span::styled(format!("  until {}", time::full(ends)), theme.style(Role::Text)));
        }
        doc.spans("Hours", hours);
        doc.blank();
        let about = self.keys.first().zip(state).map_or("", |(k, state)| title_of(state, k));
        let title = format!("Waive: {about}");
        let buttons = form::Buttons {
            cancel_focused: self.focus == Focus::Cancel,
            go: "Waive",
            go_focused: self.focus == Focus::Waive,
            danger: false,
            refusal: self.refusal(model),
        };
        form::draw(model, &doc, &title, buttons, frame, buf);
    }
}
