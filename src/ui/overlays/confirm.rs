//! A question before something is done: the act, the target, the consequence, how long it takes. To do nothing is focused.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Decision, Reply, page};
use crate::core::command::Command;
use crate::core::event::VerdictKey;
use crate::input::{Action, Key, Scope};
use crate::theme::{Role, Theme};
use crate::ui::footer::key_text;
use crate::ui::model::Model;
use crate::ui::overlays::page::Page;
use crate::ui::widgets::buttons::{self, Button};
use crate::ui::widgets::frame::Frame;

mod mending;
mod words;

/// What is asked about.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Fix(Vec<VerdictKey>),
    FixAll,
    Start,
    Pause,
    Resume,
    Stop,
    Defer,
}

impl Act {
    /// What a yes sends.
    fn decisions(&self) -> Vec<Decision> {
        let commands = match self {
            Act::Fix(keys) => keys.iter().map(|key| Command::Fix { key: key.clone() }).collect(),
            Act::FixAll => vec![Command::FixAll],
            Act::Start => vec![Command::Start],
            Act::Pause => vec![Command::Pause],
            Act::Resume => vec![Command::Resume],
            Act::Stop => vec![Command::Stop],
            Act::Defer => vec![Command::Defer],
        };
        commands.into_iter().map(Decision::Command).collect()
    }
}

/// The question, while it is open.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub act: Act,
    /// The button that does it is focused, not the one that does nothing.
    pub go: bool,
    page: Page,
}

impl Confirm {
    /// With nothing decided.
    pub fn new(act: Act) -> Self {
        Self { act, go: false, page: Page::default() }
    }

    /// Why it cannot be done, should that have changed since the question was opened.
    fn refusal(&self, model: &Model) -> Option<String> {
        self.act.decisions().iter().find_map(|d| match d {
            Decision::Command(c) => model.refused(c),
            Decision::Leave => None,
        })
    }

    /// A key.
    pub fn key(&mut self, model: &Model, key: Key) -> Reply {
        use Action::*;
        let yes = |c: &Self| match c.refusal(model) {
            None => Reply::Done(c.act.decisions()),
            Some(_) => Reply::Stay,
        };
        match model.keymap.action(key, &[Scope::Dialog]) {
            Some(Yes) => yes(self),
            Some(No) => Reply::Close,
            Some(Accept) if self.go => yes(self),
            Some(Accept) => Reply::Close,
            Some(NextField | PreviousField) => {
                self.go = !self.go;
                Reply::Stay
            }
            _ => match model.keymap.action(key, &[Scope::Reader]) {
                Some(action @ (PageUp | PageDown | First | Last)) => {
                    let (width, height) = model.size;
                    let frame = Rect::new(0, 0, width, height.saturating_sub(1));
                    let (shown, total) = self.rows(model, frame);
                    self.page.scroll(action, shown, total);
                    Reply::Stay
                }
                _ => Reply::Stay,
            },
        }
    }

    fn width(frame: Rect) -> u16 {
        frame.width.saturating_sub(4).min(76)
    }

    fn rows(&self, model: &Model, frame: Rect) -> (usize, usize) {
        let theme = Theme::default();
        let total =
            words::question(model, &self.act, &theme, Self::width(frame).saturating_sub(4) as usize).body.len();
        (frame.height.saturating_sub(6) as usize, total)
    }

    /// Draws it.
    pub fn draw(&self, model: &Model, theme: &Theme, frame: Rect, buf: &mut Buffer) {
        let width = Self::width(frame);
        let question = words::question(model, &self.act, theme, width.saturating_sub(4) as usize);
        let refusal = self.refusal(model);
        let height = (question.body.len() + 4).min(frame.height.saturating_sub(2) as usize) as u16;
        let area = page::centred(frame, width, height);
        page::clear(theme, area, buf);
        let shown = area.height.saturating_sub(4) as usize;
        let top = self.page.top.min(question.body.len().saturating_sub(shown));
        let border = Frame {
            title: page::title(theme, None, &question.title),
            focused: true,
            border: Some(theme.style(Role::DialogBorder)),
            scroll: Some((top, shown, question.body.len())),
            ..Frame::default()
        };
        let inner = border.draw(theme, area, buf);
        let text = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        for (line, y) in question.body.iter().skip(top).take(shown).zip(text.top()..text.bottom()) {
            buf.set_line(text.x, y, line, text.width);
        }
        if text.height == 0 {
            return;
        }
        let g = theme.glyphs();
        let key = |a| model.keymap.key_of(a).map(|k| key_text(g, k));
        let line = buttons::line(
            theme,
            &[
                Button {
                    label: &question.no,
                    key: key(Action::No),
                    focused: !self.go,
                    enabled: true,
                    danger: false,
                },
                Button {
                    label: &question.yes,
                    key: key(Action::Yes),
                    focused: self.go,
                    enabled: refusal.is_none(),
                    danger: false,
                },
            ],
        );
        let y = text.bottom() - 1;
        let w = (line.width() as u16).min(text.width);
        if let Some(why) = refusal {
            let room = text.width.saturating_sub(w + 2);
            let why = crate::ui::widgets::text::clip(&why, room as usize, g.ellipsis);
            buf.set_line(text.x, y, &Line::styled(why, theme.style(Role::Refused)), room);
        }
        buf.set_line(text.right() - w, y, &line, w);
    }
}
