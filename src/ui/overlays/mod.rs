//! What lies over the panes: texts to read and questions to answer.

mod attest;
mod check;
mod commit;
mod confirm;
mod decide;
mod form;
mod gone;
mod help;
mod line;
mod node;
mod outcome;
mod page;
mod step;
mod waive;

pub use attest::Attest;
pub use check::CheckView;
pub use commit::{Commit, Grave};
pub use confirm::{Act, Confirm};
pub use decide::Decide;
pub use outcome::away;
pub use page::Page;
pub use waive::Waive;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::model::Model;
use super::msg::Ask;
use super::widgets::doc::Doc;
use crate::core::command::Command;
use crate::core::log::LogLine;
use crate::core::name::NodeName;
use crate::input::{Action, Key, Scope};
use crate::theme::Theme;

/// One of them.
#[derive(Debug)]
pub enum Overlay {
    Help(Page),
    Check(CheckView),
    Node(NodeName, Page),
    Step(String, Page),
    Line(LogLine, Page),
    Outcome(Page),
    Confirm(Confirm),
    Waive(Waive),
    Attest(Attest),
    Commit(Commit),
    Decide(Decide),
    /// The engine has left.
    Gone,
}

/// What an overlay makes of a key.
#[derive(Debug)]
pub enum Reply {
    Stay,
    Close,
    /// It is answered: it closes, and this is done.
    Done(Vec<Decision>),
    /// It stays, and this is done over it.
    Act(Action),
}

/// What a person decided in a dialog.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    Command(Command),
    Leave,
}

impl Decision {
    /// Sends it.
    pub fn send(self, model: &mut Model) -> Vec<Ask> {
        match self {
            Decision::Command(command) => model.command(command),
            Decision::Leave => vec![Ask::Leave],
        }
    }
}

impl Overlay {
    /// It may end in something being changed: nothing to be left open where the engine has gone.
    pub fn changes_something(&self) -> bool {
        matches!(
            self,
            Overlay::Confirm(_) | Overlay::Waive(_) | Overlay::Attest(_) | Overlay::Commit(_) | Overlay::Decide(_)
        )
    }

    /// A key, while it lies on top. It was taken off the model for that.
    pub fn key(&mut self, model: &mut Model, key: Key) -> Reply {
        match self {
            Overlay::Confirm(c) => c.key(model, key),
            Overlay::Waive(w) => w.key(model, key),
            Overlay::Attest(a) => a.key(model, key),
            Overlay::Commit(c) => c.key(model, key),
            Overlay::Decide(d) => d.key(model, key),
            _ => self.key_reading(model, key),
        }
    }

    /// Keys of texts: scrolling, copying, what can be done about it, and back.
    fn key_reading(&mut self, model: &mut Model, key: Key) -> Reply {
        use Action::*;
        let gone = matches!(self, Overlay::Gone);
        match model.keymap.action(key, &[Scope::Reader, Scope::Replay, Scope::Global]) {
            Some(Leave) if gone => Reply::Done(vec![Decision::Leave]),
            Some(Back | Leave) => Reply::Close,
            Some(Help) if matches!(self, Overlay::Help(_)) => Reply::Close,
            Some(action @ (Up | Down | PageUp | PageDown | First | Last)) => {
                let (shown, total) = self.rows(model);
                if let Some(page) = self.page_mut() {
                    page.scroll(action, shown, total);
                }
                Reply::Stay
            }
            Some(action @ (Left | Right)) => {
                if let Overlay::Check(c) = self {
                    c.beside(model, action == Right);
                }
                Reply::Stay
            }
            // What is read about is a machine, not a check.
            Some(RetryCheck) if matches!(self, Overlay::Node(..)) => Reply::Act(RetryNode),
            Some(Waive) if matches!(self, Overlay::Node(..)) => Reply::Act(AcceptChanges),
            // No check is looked at: an action on the selected one would come as a surprise.
            Some(RetryCheck | Fix | Attest | Waive) if !matches!(self, Overlay::Check(_)) => Reply::Stay,
            // Moving the panes underneath would be lost on whoever reads.
            Some(Nodes | Checks | Progress | Logs | NextPane | PreviousPane | Zoom | Details) | None => {
                Reply::Stay
            }
            Some(action) => Reply::Act(action),
        }
    }

    fn page_mut(&mut self) -> Option<&mut Page> {
        match self {
            Overlay::Help(p)
            | Overlay::Node(_, p)
            | Overlay::Step(_, p)
            | Overlay::Line(_, p)
            | Overlay::Outcome(p) => Some(p),
            Overlay::Check(c) => Some(&mut c.page),
            _ => None,
        }
    }

    /// Rows that are shown, rows there are.
    fn rows(&self, model: &Model) -> (usize, usize) {
        let (width, height) = model.size;
        let theme = Theme::default();
        let area = page::area(Rect::new(0, 0, width, height.saturating_sub(1)), usize::MAX);
        let total = self.text(model, &theme, area.width.saturating_sub(4) as usize).map_or(0, |d| d.lines.len());
        (area.height.saturating_sub(2) as usize, total)
    }

    /// The text of one that is read.
    pub fn text<'t>(&self, model: &Model, theme: &'t Theme, width: usize) -> Option<Doc<'t>> {
        let mut doc = Doc::new(theme, width);
        match self {
            Overlay::Help(_) => help::write(model, &mut doc),
            Overlay::Check(c) => check::write(model, c, &mut doc),
            Overlay::Node(node, _) => node::write(model, node, &mut doc),
            Overlay::Step(step, _) => step::write(model, step, &mut doc),
            Overlay::Line(line, _) => line::write(model, line, &mut doc),
            Overlay::Outcome(_) => outcome::write(model, &mut doc),
            Overlay::Gone => gone::write(model, &mut doc),
            Overlay::Confirm(_)
            | Overlay::Waive(_)
            | Overlay::Attest(_)
            | Overlay::Commit(_)
            | Overlay::Decide(_) => return None,
        }
        Some(doc)
    }

    /// Its title.
    pub fn title(&self, model: &Model, theme: &Theme) -> Line<'static> {
        match self {
            Overlay::Help(_) => page::title(theme, None, "Keys and signs"),
            Overlay::Check(c) => check::title(model, theme, c),
            Overlay::Node(node, _) => node::title(model, theme, node),
            Overlay::Step(step, _) => step::title(model, theme, step),
            Overlay::Line(line, _) => line::title(theme, line),
            Overlay::Outcome(_) => outcome::title(model, theme),
            Overlay::Gone => gone::title(theme),
            Overlay::Confirm(_)
            | Overlay::Waive(_)
            | Overlay::Attest(_)
            | Overlay::Commit(_)
            | Overlay::Decide(_) => Line::default(),
        }
    }

    /// Keys that work while it lies on top.
    pub fn keys(&self) -> &'static [Action] {
        use Action::*;
        match self {
            Overlay::Check(_) => &[RetryCheck, Fix, Attest, Waive, Copy, Left, Right, PageDown, Back],
            Overlay::Node(..) => &[AcceptChanges, RetryNode, Connect, Copy, Up, Down, PageDown, Back],
            Overlay::Line(..) | Overlay::Outcome(_) => &[Copy, Up, Down, PageDown, Back],
            Overlay::Help(_) | Overlay::Step(..) => &[Up, Down, PageDown, Back],
            Overlay::Gone => &[Back, Leave],
            Overlay::Confirm(_) | Overlay::Decide(_) => &[Yes, No, NextField, Accept],
            Overlay::Waive(_) | Overlay::Attest(_) | Overlay::Commit(_) => &[NextField, PreviousField, Accept, No],
        }
    }

    /// What `copy` takes.
    pub fn to_copy(&self, model: &Model) -> Option<String> {
        match self {
            Overlay::Check(c) => check::to_copy(model, c),
            Overlay::Node(node, _) => node::to_copy(model, node),
            Overlay::Line(line, _) => Some(line.text.clone()),
            Overlay::Outcome(_) => outcome::to_copy(model),
            _ => None,
        }
    }

    /// Draws it over a frame.
    pub fn draw(&self, model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
        match self {
            Overlay::Confirm(c) => c.draw(model, theme, area, buf),
            Overlay::Waive(w) => w.draw(model, theme, area, buf),
            Overlay::Attest(a) => a.draw(model, theme, area, buf),
            Overlay::Commit(c) => c.draw(model, theme, area, buf),
            Overlay::Decide(d) => d.draw(model, theme, area, buf),
            _ => page::draw(self, model, theme, area, buf),
        }
    }

    /// Rows above the first that is shown.
    fn scrolled(&self) -> usize {
        match self {
            Overlay::Help(p)
            | Overlay::Node(_, p)
            | Overlay::Step(_, p)
            | Overlay::Line(_, p)
            | Overlay::Outcome(p) => p.top,
            Overlay::Check(c) => c.page.top,
            _ => 0,
        }
    }
}
