//! From a key to what it does: the overlay on top first, then the field one types into, then the focused pane.

use super::layout::Pane;
use super::model::Model;
use super::msg::Ask;
use super::overlays::{Overlay, Reply};
use super::widgets::field;
use crate::input::{Action, Code, Key, Scope};

impl Model {
    pub(super) fn key(&mut self, key: Key) -> Vec<Ask> {
        if self.note.take().is_some() {
            self.dirty = true;
        }
        // Escape and the next key arrive as one over a slow link, and no terminal tells that from Alt.
        if key.alt && self.keymap.action(key, &self.scopes()).is_none() {
            let mut asks = self.key(Key::plain(Code::Esc));
            asks.extend(self.key(Key { alt: false, ..key }));
            return asks;
        }
        // Drawing anew and going to the background work everywhere, whatever one is typing.
        if let Some(action @ (Action::Redraw | Action::Suspend)) = self.keymap.action(key, &[Scope::Global]) {
            return self.act(action);
        }
        if let Some(top) = self.overlays.pop() {
            return self.key_in(top, key);
        }
        if self.log.typing.is_some() {
            return self.key_in_search(key);
        }
        if self.looking.typing.is_some() && self.focus == Pane::Checks {
            self.key_in_filter(key);
            return Vec::new();
        }
        match self.keymap.action(key, &self.scopes()) {
            Some(action) => self.act(action),
            None => Vec::new(),
        }
    }

    /// Where a key is looked up, without an overlay.
    pub(super) fn scopes(&self) -> Vec<Scope> {
        let mut scopes = Vec::with_capacity(3);
        match self.focus {
            Pane::Checks => scopes.push(Scope::Checks),
            Pane::Logs => scopes.push(Scope::Logs),
            Pane::Nodes => scopes.push(Scope::Nodes),
            Pane::Progress => {}
        }
        if self.modes.replay.is_some() {
            scopes.push(Scope::Replay);
        }
        scopes.push(Scope::Global);
        scopes
    }

    /// A key for the overlay on top, which was taken off and comes back if it stays.
    fn key_in(&mut self, mut top: Overlay, key: Key) -> Vec<Ask> {
        self.dirty = true;
        let reply = top.key(self, key);
        match reply {
            Reply::Stay => {
                self.overlays.push(top);
                Vec::new()
            }
            Reply::Close => Vec::new(),
            Reply::Done(asks) => asks.into_iter().flat_map(|a| a.send(self)).collect(),
            Reply::Act(action) => {
                // Under what the action opens, this one waits.
                self.overlays.push(top);
                self.act(action)
            }
        }
    }

    fn key_in_search(&mut self, key: Key) -> Vec<Ask> {
        self.dirty = true;
        match key.code {
            Code::Esc => self.log.typing = None,
            Code::Enter => {
                let typed = self.log.typing.take().map(|i| i.value().trim().to_owned()).unwrap_or_default();
                if typed.is_empty() {
                    self.lines.search = None;
                } else {
                    let which = self.which();
                    let from = self.log.cursor.unwrap_or_else(|| self.lines.length(&which));
                    self.lines.begin_search(which, &typed, from);
                }
            }
            _ => {
                if let Some(input) = &mut self.log.typing {
                    field::take(input, key);
                }
            }
        }
        Vec::new()
    }

    /// What is typed works at once; enter keeps it, esc takes it away.
    fn key_in_filter(&mut self, key: Key) {
        match key.code {
            Code::Esc => self.looking.clear_text(),
            Code::Enter => self.looking.typing = None,
            _ => {
                if let Some(input) = &mut self.looking.typing {
                    field::take(input, key);
                    self.looking.text = input.value().trim().to_lowercase();
                }
            }
        }
        self.changed();
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.dirty = true;
        match self.overlays.last_mut() {
            Some(Overlay::Commit(c)) => c.pasted = true,
            Some(Overlay::Waive(w)) => w.paste(text),
            Some(Overlay::Attest(a)) => a.paste(text),
            Some(_) => {}
            None => {
                if let Some(input) = &mut self.log.typing {
                    field::paste(input, text);
                } else if let Some(input) = &mut self.looking.typing {
                    field::paste(input, text);
                    self.looking.text = input.value().trim().to_lowercase();
                    self.changed();
                }
            }
        }
    }
}
