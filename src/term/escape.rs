//! Escape sequences that crossterm does not know: each as text, so that a frame stays one write.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A frame begins; the terminal shows it when it ends (DEC 2026).
pub const SYNC_BEGIN: &str = "\x1b[?2026h";
/// It ends.
pub const SYNC_END: &str = "\x1b[?2026l";
/// Keeps the title of the window, and gives it back.
pub const TITLE_PUSH: &str = "\x1b[22;2t";
/// The title that was kept.
pub const TITLE_POP: &str = "\x1b[23;2t";
/// A sound.
pub const BELL: &str = "\x07";

/// Most bytes that go to a clipboard: more, and terminals drop all of it.
const MOST_COPIED: usize = 64 * 1024;

/// How far something has come, as the terminal's window or the taskbar shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Share {
    #[default]
    None,
    /// Hundredths.
    Going(u8),
    Waiting(u8),
    Failed(u8),
}

/// The title of the window (OSC 2), cleaned.
pub fn title(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
    format!("\x1b]2;{clean}\x07")
}

/// The progress of the window (OSC 9;4).
pub fn share(share: Share) -> String {
    let (state, part) = match share {
        Share::None => (0, 0),
        Share::Going(n) => (1, n),
        Share::Failed(n) => (2, n),
        Share::Waiting(n) => (4, n),
    };
    format!("\x1b]9;4;{state};{}\x07", part.min(100))
}

/// Whether the terminal shows progress: others take OSC 9 for a message and pop it up.
pub fn shows_share(env: impl Fn(&str) -> Option<String>) -> bool {
    let get = |name: &str| env(name).filter(|v| !v.is_empty());
    let program = get("TERM_PROGRAM").unwrap_or_default();
    get("WT_SESSION").is_some()
        || get("ConEmuANSI").is_some_and(|v| v == "ON")
        || matches!(program.as_str(), "WezTerm" | "ghostty")
}

/// Text into the clipboard (OSC 52), wrapped where a multiplexer would keep it for itself.
pub fn clipboard(text: &str, env: impl Fn(&str) -> Option<String>) -> String {
    let end = text.floor_char_boundary(text.len().min(MOST_COPIED));
    let plain = format!("\x1b]52;c;{}\x07", STANDARD.encode(&text[..end]));
    if env("TMUX").is_some_and(|v| !v.is_empty()) {
        return format!("\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b"));
    }
    if env("STY").is_some_and(|v| !v.is_empty()) {
        return format!("\x1bP{plain}\x1b\\");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_wrapped_for_multiplexers_and_capped() {
        let env = |name: &'static str| move |n: &str| (n == name).then(|| "x".to_owned());
        assert_eq!(clipboard("hi", |_| None), "\x1b]52;c;aGk=\x07");
        assert_eq!(clipboard("hi", env("TMUX")), "\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\");
        assert_eq!(clipboard("hi", env("STY")), "\x1bP\x1b]52;c;aGk=\x07\x1b\\");
        assert!(clipboard(&"ü".repeat(100_000), |_| None).len() < 90_000);
    }

    #[test]
    fn progress_goes_only_where_it_is_understood() {
        assert!(shows_share(|n| (n == "WT_SESSION").then(|| "x".into())));
        assert!(shows_share(|n| (n == "TERM_PROGRAM").then(|| "ghostty".into())));
        assert!(!shows_share(|n| (n == "TERM_PROGRAM").then(|| "Apple_Terminal".into())));
    }

    #[test]
    fn titles_hold_no_control_characters() {
        assert_eq!(title("a\x1b]2;b\x07c"), "\x1b]2;a]2;bc\x07");
        assert_eq!(share(Share::Going(240)), "\x1b]9;4;1;100\x07");
        assert_eq!(share(Share::None), "\x1b]9;4;0;0\x07");
    }
}
