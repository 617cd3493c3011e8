//! What becomes of what a step found, one by one: a row each with its choice, why where it was tried, and what the harsh choice means.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Decision, Reply, form};
use crate::core::command::{Command, plural};
use crate::core::items::{Choice, Item, Items};
use crate::core::plan::Step;
use crate::input::{Action, Code, Key, Scope};
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::row::Row;
use crate::ui::widgets::text;

/// Rows of the dialog that are no list: border, question, explanation, the selected one, buttons.
const AROUND: usize = 13;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    List,
    Cancel,
    Go,
}

/// The dialog.
#[derive(Clone, Debug)]
pub struct Decide {
    step: String,
    /// What was chosen; one that is not here is done as the step does it.
    chosen: BTreeMap<String, Choice>,
    row: usize,
    focus: Focus,
}

impl Decide {
    /// For a step of the run, as its document recommends it.
    pub fn new(step: String) -> Self {
        Self { step, chosen: BTreeMap::new(), row: 0, focus: Focus::List }
    }

    fn about<'m>(&self, model: &'m Model) -> Option<(&'m Step, &'m Items, Vec<&'m Item>)> {
        let state = model.state.as_ref()?;
        let step = state.plan.step(&self.step)?;
        let open = state.items(&self.step).iter().filter(|i| i.waits()).collect();
        Some((step, step.items.as_ref()?, open))
    }

    fn of(&self, item: &Item) -> Choice {
        self.chosen.get(&item.noted.name).copied().unwrap_or(Choice::Take)
    }

    fn command(&self, model: &Model) -> Command {
        let open = self.about(model).map_or_else(Vec::new, |(_, _, open)| open);
        let choices = open.iter().map(|i| (i.noted.name.clone(), self.of(i))).collect();
        Command::Decide { step: self.step.clone(), choices }
    }

    /// Another choice for the selected one.
    fn turn(&mut self, model: &Model, forward: bool) {
        let Some((_, items, open)) = self.about(model) else { return };
        let Some(item) = open.get(self.row) else { return };
        let choices = items.choices(item);
        let at = choices.iter().position(|c| *c == self.of(item)).unwrap_or(0);
        let by = if forward { 1 } else { choices.len() - 1 };
        let chosen = choices[(at + by) % choices.len()];
        self.chosen.insert(item.noted.name.clone(), chosen);
    }

    /// The choice of the selected one for all that can have it.
    fn all(&mut self, model: &Model) {
        let Some((_, items, open)) = self.about(model) else { return };
        let Some(choice) = open.get(self.row).map(|i| self.of(i)) else { return };
        let can = open.iter().filter(|i| items.choices(i).contains(&choice));
        self.chosen = can.map(|i| (i.noted.name.clone(), choice)).collect();
    }

    fn go(&mut self, model: &Model) -> Reply {
        let command = self.command(model);
        match model.refused(&command) {
            None => Reply::Done(vec![Decision::Command(command)]),
            Some(_) => Reply::Stay,
        }
    }

    /// A key.
    pub fn key(&mut self, model: &Model, key: Key) -> Reply {
        let rows = self.about(model).map_or(0, |(_, _, open)| open.len());
        if self.focus == Focus::List {
            match key.code {
                Code::Up => self.row = self.row.saturating_sub(1),
                Code::Down if self.row + 1 < rows => self.row += 1,
                Code::PageUp => self.row = self.row.saturating_sub(10),
                Code::PageDown => self.row = (self.row + 10).min(rows.saturating_sub(1)),
                Code::Left => self.turn(model, false),
                Code::Right | Code::Char(' ') => self.turn(model, true),
                Code::Char('a') => self.all(model),
                _ => return self.other(model, key),
            }
            return Reply::Stay;
        }
        self.other(model, key)
    }

    fn other(&mut self, model: &Model, key: Key) -> Reply {
        match model.keymap.action(key, &[Scope::Dialog]) {
            Some(Action::No) => return Reply::Close,
            Some(Action::Yes) => return self.go(model),
            Some(Action::Accept) => match self.focus {
                Focus::List => self.focus = Focus::Go,
                Focus::Cancel => return Reply::Close,
                Focus::Go => return self.go(model),
            },
            Some(Action::NextField) => {
                self.focus = match self.focus {
                    Focus::List => Focus::Cancel,
                    Focus::Cancel => Focus::Go,
                    Focus::Go => Focus::List,
                }
            }
            Some(Action::PreviousField) => {
                self.focus = match self.focus {
                    Focus::List => Focus::Go,
                    Focus::Cancel => Focus::List,
                    Focus::Go => Focus::Cancel,
                }
            }
            _ => {}
        }
        Reply::Stay
    }

    /// Draws it.
    pub fn draw(&self, model: &Model, theme: &Theme, frame: Rect, buf: &mut Buffer) {
        let Some((step, items, open)) = self.about(model) else { return };
        let (_, room) = form::widths(frame);
        let mut doc = Doc::new(theme, room);
        let tried = open.iter().any(|i| i.stuck.is_some());
        let count = plural(open.len(), &items.word);
        let question = match (tried, open.len()) {
            (true, 1) => format!("{count} did not {}. What becomes of it?", items.take),
            (true, _) => format!("{count} did not {}. What becomes of each?", items.take),
            (false, _) => format!("{count}: which to {}, which to {}?", items.take, items.leave),
        };
        doc.text(&question, Role::Strong);
        step.warning.iter().filter(|_| !tried).for_each(|w| {
            doc.text(w, Role::Text);
        });
        doc.blank();
        self.list(&mut doc, items, &open, (frame.height as usize).saturating_sub(AROUND).max(1));
        doc.blank();
        let forced: Vec<&str> =
            open.iter().filter(|i| self.of(i) == Choice::Force).map(|i| i.noted.name.as_str()).collect();
        if let Some(why) = open.get(self.row).and_then(|i| i.stuck.as_deref()) {
            doc.field("Why", why, Role::Text);
        }
        if !forced.is_empty() {
            let word = items.force.as_deref().unwrap_or_default();
            let text =
                format!("{} to {word}: as if the power was cut; what was not written is lost.", forced.join(", "));
            doc.text(&text, Role::Danger);
        }
        let kept = open.iter().filter(|i| self.of(i) == Choice::Leave).count();
        if kept > 0 && !step.always {
            doc.text(
                &format!(
                    "{} to {}: moved from node to node with the rest.",
                    plural(kept, &items.word),
                    items.leave
                ),
                Role::Text,
            );
        }
        doc.text("Up, down: another one. Left, right: its choice. a: that choice for all.", Role::Muted);
        let buttons = form::Buttons {
            cancel_focused: self.focus == Focus::Cancel,
            go: "Go on",
            go_focused: self.focus == Focus::Go,
            danger: !forced.is_empty(),
            refusal: model.refused(&self.command(model)),
        };
        form::draw(model, &doc, &step.title, buttons, frame, buf);
    }

    /// The rows around the selected one, as many as there is room for.
    fn list(&self, doc: &mut Doc, items: &Items, open: &[&Item], room: usize) {
        let theme = doc.theme;
        let wide =
            |words: &dyn Fn(&Item) -> String| open.iter().map(|i| text::width(&words(i))).max().unwrap_or(0);
        let name = wide(&|i| i.noted.name.clone()).min(30);
        let node = wide(&|i| i.noted.node.to_string()).min(16);
        let state = wide(&|i| i.noted.state.clone()).min(10);
        let from = self.row.saturating_sub(room / 2).min(open.len().saturating_sub(room));
        let shown = open.iter().enumerate().skip(from).take(room);
        for (i, item) in shown {
            let choice = self.of(item);
            let here = i == self.row;
            let role = match choice {
                Choice::Force => Role::Danger,
                _ if here && self.focus == Focus::List => Role::ButtonFocused,
                _ => Role::Text,
            };
            let mut row = Row::new();
            row.add(if here { "> " } else { "  " }, theme.style(Role::Key));
            row.cell(theme, &item.noted.name, name, if here { Role::Strong } else { Role::Text });
            row.cell(theme, item.noted.node.as_str(), node, Role::Muted);
            row.cell(theme, &item.noted.state, state, Role::Muted);
            row.add(format!("[ {} ]", items.word_of(choice, item)), theme.style(role));
            doc.row(row);
        }
        if open.len() > room {
            let (first, last) = (from + 1, (from + room).min(open.len()));
            doc.text(&format!("{first} to {last} of {}", open.len()), Role::Muted);
        }
    }
}
