//! What is typed before it is done: a step that cannot be undone, clearing a run by force, giving one up. What it means, what is
//! proved or stays behind, the cluster's name typed, a reason.
//! Later is focused; the other button stays grey, with its reason, until everything is there.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use tui_input::Input;

use super::{Decision, Reply, page};
use crate::core::abandon::left_behind;
use crate::core::command::Command;
use crate::core::state::State;
use crate::input::{Action, Code, Key, Scope};
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::panes::steps;
use crate::ui::time;
use crate::ui::widgets::buttons::{self, Button};
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::field;
use crate::ui::widgets::frame::Frame;
use crate::ui::widgets::row::Row;
use crate::ui::widgets::text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    Name,
    Reason,
    Later,
    Go,
}

const ORDER: [Focus; 4] = [Focus::Name, Focus::Reason, Focus::Later, Focus::Go];

/// What is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grave {
    /// A step of the plan; its proof is kept young.
    Step(String),
    /// Clearing a run that its driver left.
    Recovery,
    /// Giving the run up.
    Abandonment,
}

/// The dialog.
#[derive(Clone, Debug)]
pub struct Commit {
    pub what: Grave,
    /// When this dialog last asked for the proof.
    pub asked_at: Option<Timestamp>,
    /// Something was pasted, and refused.
    pub pasted: bool,
    name: Input,
    reason: Input,
    focus: Focus,
}

impl Commit {
    /// With nothing typed.
    pub fn new(what: Grave) -> Self {
        let (name, reason) = (Input::default(), Input::default());
        Self { what, asked_at: None, pasted: false, name, reason, focus: Focus::Later }
    }

    fn command(&self) -> Command {
        let (typed, reason) = (self.name.value().trim().to_owned(), self.reason.value().trim().to_owned());
        match &self.what {
            Grave::Step(step) => Command::Commit { step: step.clone(), typed, reason },
            Grave::Recovery => Command::Recover { typed, reason },
            Grave::Abandonment => Command::Abandon { typed, reason },
        }
    }

    /// Its title, what a person should know, and the word on the button.
    fn words(&self, state: &State) -> Option<(String, Vec<String>, String)> {
        let verb = |title: &str| title.split_whitespace().next().unwrap_or("Do it").to_owned();
        match &self.what {
            Grave::Step(step) => {
                let step = state.plan.step(step)?;
                Some((format!("{}: cannot be undone", step.title), step.warning.clone(), verb(&step.title)))
            }
            Grave::Recovery => {
                let name = &state.plan.driver.name;
                let warning = vec![
                    format!("{name} keeps its run locked for about an hour after whoever drove it is gone. This clears the lock now."),
                    "Only where nobody drives any more: two that drive at the same time take two nodes away at once.".to_owned(),
                    "Nothing is started by it. Waiting out the hour does the same.".to_owned(),
                ];
                Some((format!("Clear the run that {name} left"), warning, "Clear".to_owned()))
            }
            Grave::Abandonment => {
                let warning = vec![
                    "The run ends here for good. Nothing more is sent to any machine: nothing is stopped, and nothing is put back."
                        .to_owned(),
                    "A stop does both, and takes as long as the node in work does. This is for a run that cannot be stopped.".to_owned(),
                ];
                Some((format!("Give up the run on {}", state.plan.cluster), warning, "Give up".to_owned()))
            }
        }
    }

    fn go(&mut self, forward: bool) {
        let at = ORDER.iter().position(|f| *f == self.focus).unwrap_or(0);
        let step = if forward { 1 } else { ORDER.len() - 1 };
        self.focus = ORDER[(at + step) % ORDER.len()];
    }

    /// A key. Whoever begins to type lands in the field that is empty.
    pub fn key(&mut self, model: &Model, key: Key) -> Reply {
        self.pasted = false;
        if key.typed().is_some_and(|c| c != ' ') && matches!(self.focus, Focus::Later | Focus::Go) {
            let cluster = model.state.as_ref().map_or("", |s| &s.plan.cluster);
            self.focus = if self.name.value() == cluster { Focus::Reason } else { Focus::Name };
        }
        let input = match self.focus {
            Focus::Name => Some(&mut self.name),
            Focus::Reason => Some(&mut self.reason),
            Focus::Later | Focus::Go => None,
        };
        if let Some(input) = input
            && !matches!(key.code, Code::Up | Code::Down)
            && field::take(input, key)
        {
            return Reply::Stay;
        }
        match model.keymap.action(key, &[Scope::Dialog]) {
            Some(Action::No) => Reply::Close,
            Some(Action::NextField) => {
                self.go(true);
                Reply::Stay
            }
            Some(Action::PreviousField) => {
                self.go(false);
                Reply::Stay
            }
            Some(Action::Accept) => match self.focus {
                Focus::Name | Focus::Reason => {
                    self.go(true);
                    Reply::Stay
                }
                Focus::Later => Reply::Close,
                Focus::Go if model.refused(&self.command()).is_none() => {
                    Reply::Done(vec![Decision::Command(self.command())])
                }
                Focus::Go => Reply::Stay,
            },
            _ => Reply::Stay,
        }
    }

    /// Draws it.
    pub fn draw(&self, model: &Model, theme: &Theme, frame: Rect, buf: &mut Buffer) {
        let Some(state) = &model.state else { return };
        let Some((title, warning, verb)) = self.words(state) else { return };
        let width = frame.width.saturating_sub(4).min(80);
        let room = width.saturating_sub(4) as usize;
        let mut doc = Doc::new(theme, room);
        for (i, line) in warning.iter().enumerate() {
            doc.text(line, if i == 0 { Role::Strong } else { Role::Text });
        }
        doc.blank();
        self.write_proof(model, &mut doc);
        doc.blank();
        let above = doc.lines.len();
        let label = format!("Type {}", state.plan.cluster);
        let wide = text::width(&label).clamp(11, room / 2) + 2;
        for (name, input, focus) in
            [(label.as_str(), &self.name, Focus::Name), ("Reason", &self.reason, Focus::Reason)]
        {
            let mut row = Row::new();
            row.add(text::fill(name, wide, theme.glyphs().ellipsis), theme.style(Role::Muted));
            row.spans.extend(field::spans(theme, input, room.saturating_sub(wide), self.focus == focus));
            doc.row(row);
        }
        doc.blank();
        let refusal = match self.pasted {
            true => Some("pasted text is refused: type it".to_owned()),
            false => model.refused(&self.command()),
        };
        let height = (doc.lines.len() + 3).min(frame.height.saturating_sub(1) as usize) as u16;
        let area = page::centred(frame, width, height);
        page::clear(theme, area, buf);
        let sign = (theme.glyphs().locked, Role::Danger);
        let mut head = Row::new();
        head.gap(1).sign(theme, sign).add(format!("{title} "), theme.style(Role::Danger));
        let border = Frame {
            title: head.line(),
            focused: true,
            border: Some(theme.style(Role::Danger)),
            ..Frame::default()
        };
        let inner = border.draw(theme, area, buf);
        let body = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        if body.height == 0 {
            return;
        }
        // Where the frame is low, the fields stay: what stands above them gives way from its end.
        let shown = body.height as usize - 1;
        let cut = doc.lines.len().saturating_sub(shown).min(above);
        let (upper, lower) = doc.lines.split_at(above);
        let lines = upper.iter().take(above - cut).chain(lower);
        for (line, y) in lines.zip(body.top()..body.bottom() - 1) {
            buf.set_line(body.x, y, line, body.width);
        }
        let buttons = buttons::line(
            theme,
            &[
                Button {
                    label: "Later",
                    key: None,
                    focused: self.focus == Focus::Later,
                    enabled: true,
                    danger: false,
                },
                Button {
                    label: &verb,
                    key: None,
                    focused: self.focus == Focus::Go,
                    enabled: refusal.is_none(),
                    danger: true,
                },
            ],
        );
        let y = body.bottom() - 1;
        let w = (buttons.width() as u16).min(body.width);
        if let Some(why) = refusal {
            let role = if self.pasted { Role::Refused } else { Role::Muted };
            let left = body.width.saturating_sub(w + 2);
            let why = text::clip(&format!("{verb}: {why}"), left as usize, theme.glyphs().ellipsis);
            buf.set_line(body.x, y, &Line::styled(why, theme.style(role)), left);
        }
        buf.set_line(body.right() - w, y, &buttons, w);
    }

    fn write_proof(&self, model: &Model, doc: &mut Doc) {
        let Some(state) = &model.state else { return };
        let theme = doc.theme;
        let step = match &self.what {
            Grave::Step(step) => step,
            Grave::Recovery => {
                doc.text("What must hold:", Role::Text);
                for item in state.recovery_conditions(model.now) {
                    let (sign, words) = steps::judged(theme.glyphs(), &item);
                    doc.signed(sign, &words);
                }
                return;
            }
            Grave::Abandonment => {
                doc.text("What stays behind:", Role::Text);
                for line in left_behind(state) {
                    doc.signed((theme.glyphs().attention, Role::Attention), &line);
                }
                return;
            }
        };
        let Some(step) = state.plan.step(step) else { return };
        let proof = state.proofs.get(&step.id);
        let taken = proof.and_then(|p| p.taken.as_ref()).map(|t| t.at);
        // Asked for, by the engine's word or not answered yet.
        let reading = proof.is_some_and(|p| p.asked_at.is_some()) || self.asked_at > taken;
        let head = match (proof.and_then(|p| p.taken.as_ref()), reading) {
            (Some(t), false) => format!("Proved {} ago:", time::ago(t.at, model.now)),
            (Some(t), true) => format!("Proved {} ago, being read again:", time::ago(t.at, model.now)),
            (None, _) if reading || self.asked_at.is_some() => "Being proved:".to_owned(),
            (None, _) => "Not proved yet:".to_owned(),
        };
        doc.text(&head, Role::Text);
        for (sign, words) in steps::proof(theme.glyphs(), state, step) {
            doc.signed(sign, &words);
        }
    }
}
