//! Keys as they come: a thread of its own reads the terminal and is never waited for.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use crate::input::{Code, Key};

/// Something that a person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Key(Key),
    Paste(String),
    Resize {
        width: u16,
        height: u16,
    },
    /// Nothing will come any more.
    Closed,
}

/// Keys that may wait: whoever types ahead of a slow screen loses none of these.
const QUEUE: usize = 256;

/// Longest pasted text, in bytes.
const LONGEST_PASTE: usize = 64 * 1024;

/// Reads from now on. The thread ends with the process: it may hang in a read for ever, and is never joined.
pub fn read() -> mpsc::Receiver<Input> {
    let (to, from) = mpsc::channel(QUEUE);
    let spawned = std::thread::Builder::new().name("keys".into()).spawn(move || {
        loop {
            let input = match crossterm::event::read() {
                Ok(event) => translate(event),
                Err(_) => Some(Input::Closed),
            };
            let Some(input) = input else { continue };
            let last = input == Input::Closed;
            if to.blocking_send(input).is_err() || last {
                return;
            }
        }
    });
    if let Err(e) = spawned {
        tracing::error!("no thread for keys: {e}");
    }
    from
}

fn translate(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => key_of(key).map(Input::Key),
        Event::Paste(mut text) => {
            text.truncate(text.floor_char_boundary(text.len().min(LONGEST_PASTE)));
            Some(Input::Paste(text))
        }
        Event::Resize(width, height) => Some(Input::Resize { width, height }),
        _ => None,
    }
}

fn key_of(event: KeyEvent) -> Option<Key> {
    let m = event.modifiers;
    let mut key = Key {
        code: Code::Esc,
        ctrl: m.contains(KeyModifiers::CONTROL),
        alt: m.contains(KeyModifiers::ALT),
        shift: m.contains(KeyModifiers::SHIFT),
    };
    key.code = match event.code {
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => {
            key.shift = true;
            Code::Tab
        }
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Insert => Code::Insert,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::F(n) => Code::F(n),
        _ => return None,
    };
    Some(key.normal())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> String {
        key_of(KeyEvent::new(code, modifiers)).map_or_else(String::new, |k| k.to_string())
    }

    #[test]
    fn keys_of_a_terminal_are_keys_of_ours() {
        assert_eq!(key(KeyCode::Char('R'), KeyModifiers::SHIFT), "R");
        assert_eq!(key(KeyCode::Char('l'), KeyModifiers::CONTROL), "ctrl-l");
        assert_eq!(key(KeyCode::Char('L'), KeyModifiers::CONTROL | KeyModifiers::SHIFT), "ctrl-l");
        assert_eq!(key(KeyCode::BackTab, KeyModifiers::SHIFT), "shift-tab");
        assert_eq!(key(KeyCode::BackTab, KeyModifiers::NONE), "shift-tab");
        assert_eq!(key(KeyCode::Char(' '), KeyModifiers::NONE), "space");
        assert_eq!(key(KeyCode::F(5), KeyModifiers::NONE), "f5");
        assert_eq!(key(KeyCode::CapsLock, KeyModifiers::NONE), "");
    }

    #[test]
    fn a_released_key_is_no_key_and_a_long_paste_is_cut() {
        let mut event = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        event.kind = KeyEventKind::Release;
        assert_eq!(translate(Event::Key(event)), None);
        let Some(Input::Paste(text)) = translate(Event::Paste("ü".repeat(100_000))) else { panic!() };
        assert!(text.len() <= LONGEST_PASTE);
    }
}
