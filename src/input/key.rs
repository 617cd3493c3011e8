//! Keys, in the notation that people write: `r`, `R`, `ctrl-l`, `shift-tab`, `pgdn`.

use std::fmt;
use std::str::FromStr;

/// One key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub code: Code,
    pub ctrl: bool,
    pub alt: bool,
    /// Only beside keys that have no character: `R` is a character of its own.
    pub shift: bool,
}

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    Char(char),
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Insert,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    F(u8),
}

const NAMES: &[(&str, Code)] = &[
    ("enter", Code::Enter),
    ("esc", Code::Esc),
    ("tab", Code::Tab),
    ("space", Code::Char(' ')),
    ("backspace", Code::Backspace),
    ("delete", Code::Delete),
    ("insert", Code::Insert),
    ("up", Code::Up),
    ("down", Code::Down),
    ("left", Code::Left),
    ("right", Code::Right),
    ("home", Code::Home),
    ("end", Code::End),
    ("pgup", Code::PageUp),
    ("pgdn", Code::PageDown),
];

impl Key {
    /// A key without modifiers.
    pub const fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    /// The character it types, where it types one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }

    /// The same key in one way only: letters beside `ctrl` are small, `shift` is part of a character.
    #[must_use]
    pub fn normal(mut self) -> Self {
        if let Code::Char(c) = self.code {
            self.shift = false;
            if self.ctrl {
                self.code = Code::Char(c.to_ascii_lowercase());
            }
        }
        self
    }

    /// Why nobody should bind it, where that is so: terminals, multiplexers and flow control take it away.
    pub fn taken(self) -> Option<&'static str> {
        match (self.ctrl, self.code) {
            (true, Code::Char('a')) => Some("screen takes it"),
            (true, Code::Char('b')) => Some("tmux takes it"),
            (true, Code::Char(' ')) => Some("input methods take it"),
            (true, Code::Char('s' | 'q')) => Some("it stops and starts the terminal's output"),
            (true, Code::Char('\\')) => Some("it ends programs"),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for (on, word) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if on {
                text.push_str(word);
            }
        }
        match self.code {
            Code::F(n) => text.push_str(&format!("f{n}")),
            code => match (NAMES.iter().find(|(_, c)| *c == code), code) {
                (Some((name, _)), _) => text.push_str(name),
                (None, Code::Char(c)) => text.push(c),
                (None, _) => {}
            },
        }
        f.pad(&text)
    }
}

/// A text that is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoKey;

impl FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let mut key = Key::plain(Code::Char(' '));
        let mut rest = text;
        loop {
            let cut = |word: &str| rest.strip_prefix(word).filter(|r| !r.is_empty());
            if let Some(r) = cut("ctrl-") {
                (key.ctrl, rest) = (true, r);
            } else if let Some(r) = cut("alt-") {
                (key.alt, rest) = (true, r);
            } else if let Some(r) = cut("shift-") {
                (key.shift, rest) = (true, r);
            } else {
                break;
            }
        }
        let mut chars = rest.chars();
        key.code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() && c != ' ' => Code::Char(c),
            (Some('f'), Some(_)) if rest[1..].parse::<u8>().is_ok_and(|n| (1..=12).contains(&n)) => {
                Code::F(rest[1..].parse().map_err(|_| NoKey)?)
            }
            _ => NAMES.iter().find(|(name, _)| *name == rest).map(|(_, c)| *c).ok_or(NoKey)?,
        };
        Ok(key.normal())
    }
}

/// Keys written one after the other with spaces between: `f y`, `tab tab R`.
///
/// # Errors
/// One of them is no key.
pub fn keys(text: &str) -> Result<Vec<Key>, NoKey> {
    text.split_whitespace().map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_they_are_written() {
        for text in ["r", "R", "ctrl-l", "shift-tab", "space", "-", "ctrl--", "alt-x", "f12", "pgdn", "?", "é"] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
        assert_eq!("ctrl-L".parse::<Key>(), "ctrl-l".parse::<Key>());
        for text in ["", "f13", "ctrl-", "rr", " ", "hyper-x"] {
            assert_eq!(text.parse::<Key>(), Err(NoKey), "{text:?}");
        }
        assert_eq!(keys("f y  tab").unwrap().len(), 3);
    }
}
