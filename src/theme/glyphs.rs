//! Signs. Two sets, every sign one column wide, so that a table looks alike in both.

/// One set of signs.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    pub waiting: &'static str,
    pub running: &'static str,
    pub done: &'static str,
    pub attention: &'static str,
    pub failed: &'static str,
    pub paused: &'static str,
    pub unknown: &'static str,
    /// Good, but too old to count.
    pub stale: &'static str,
    pub not_applicable: &'static str,
    /// A connection that works, one under way, none.
    pub link: &'static str,
    pub linking: &'static str,
    pub no_link: &'static str,
    /// A bar: passed, its tip, what is left.
    pub full: &'static str,
    pub tip: &'static str,
    pub rest: &'static str,
    /// Top left, top right, bottom left, bottom right, horizontal, vertical.
    pub corners: [&'static str; 4],
    pub horizontal: &'static str,
    pub vertical: &'static str,
    /// Branches under a row: one of several, the last.
    pub branch: &'static str,
    pub branch_last: &'static str,
    /// The part of a border that stands for what is shown of a longer text.
    pub thumb: &'static str,
    pub ellipsis: &'static str,
    pub dot: &'static str,
    pub dash: &'static str,
    pub arrow: &'static str,
    pub times: &'static str,
    pub cursor: &'static str,
    pub enter: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub left: &'static str,
    pub right: &'static str,
    pub locked: &'static str,
    /// Whether foreign signs must be replaced before they are drawn.
    pub ascii: bool,
}

/// For every terminal with UTF-8 and a common font.
pub static UNICODE: Glyphs = Glyphs {
    waiting: "◌",
    running: "▶",
    done: "✔",
    attention: "▲",
    failed: "✖",
    paused: "‖",
    unknown: "?",
    stale: "◔",
    not_applicable: "–",
    link: "●",
    linking: "◐",
    no_link: "○",
    full: "━",
    tip: "╸",
    rest: "─",
    corners: ["╭", "╮", "╰", "╯"],
    horizontal: "─",
    vertical: "│",
    branch: "├",
    branch_last: "└",
    thumb: "┃",
    ellipsis: "…",
    dot: "·",
    dash: "–",
    arrow: "→",
    times: "×",
    cursor: "▏",
    enter: "⏎",
    up: "↑",
    down: "↓",
    left: "←",
    right: "→",
    locked: "▲",
    ascii: false,
};

/// For the Linux console, serial lines and poor fonts.
pub static ASCII: Glyphs = Glyphs {
    waiting: ".",
    running: ">",
    done: "+",
    attention: "!",
    failed: "x",
    paused: "=",
    unknown: "?",
    stale: "s",
    not_applicable: "-",
    link: "*",
    linking: "~",
    no_link: "o",
    full: "#",
    tip: "#",
    rest: "-",
    corners: ["+", "+", "+", "+"],
    horizontal: "-",
    vertical: "|",
    branch: "|",
    branch_last: "`",
    thumb: "#",
    ellipsis: "~",
    dot: ".",
    dash: "-",
    arrow: ">",
    times: "x",
    cursor: "_",
    enter: "enter",
    up: "up",
    down: "down",
    left: "left",
    right: "right",
    locked: "!",
    ascii: true,
};

impl Glyphs {
    /// The set that the environment can show, without asking the terminal.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> &'static Self {
        let get = |name: &str| env(name).filter(|v| !v.is_empty());
        let term = get("TERM").unwrap_or_default();
        // The Linux console knows UTF-8 and has no glyphs for most of it.
        if matches!(term.as_str(), "linux" | "dumb" | "vt100" | "vt102" | "vt220") {
            return &ASCII;
        }
        if cfg!(windows) {
            return &UNICODE;
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(get).unwrap_or_default().to_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { &UNICODE } else { &ASCII }
    }

    /// An ASCII sign of one column for a foreign one.
    pub fn fold(symbol: &str) -> &'static str {
        match symbol.chars().next() {
            Some('→' | '▶' | '›' | '»') => ">",
            Some('←' | '‹' | '«') => "<",
            Some('–' | '—' | '−' | '─' | '━' | '╌') => "-",
            Some('×' | '✖') => "x",
            Some('·' | '•' | '◌') => ".",
            Some('…') => "~",
            Some('‘' | '’') => "'",
            Some('“' | '”' | '„') => "\"",
            Some('✔') => "+",
            Some('▲') => "!",
            Some('│' | '┃') => "|",
            Some('≥') => ">",
            Some('≤') => "<",
            Some('\u{a0}') => " ",
            _ => "?",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    fn cells(g: &Glyphs) -> Vec<&'static str> {
        let mut all = vec![
            g.waiting,
            g.running,
            g.done,
            g.attention,
            g.failed,
            g.paused,
            g.unknown,
            g.stale,
            g.not_applicable,
            g.link,
            g.linking,
            g.no_link,
            g.full,
            g.tip,
            g.rest,
            g.horizontal,
            g.vertical,
            g.branch,
            g.branch_last,
            g.thumb,
            g.ellipsis,
            g.dot,
            g.dash,
            g.arrow,
            g.times,
            g.cursor,
            g.locked,
        ];
        all.extend(g.corners);
        all
    }

    #[test]
    fn every_sign_is_one_column_wide() {
        for g in [&UNICODE, &ASCII] {
            for sign in cells(g) {
                assert_eq!(sign.width(), 1, "{sign}");
            }
        }
        assert!(cells(&ASCII).iter().all(|s| s.is_ascii()));
    }

    #[test]
    fn states_differ_by_their_signs_alone() {
        for g in [&UNICODE, &ASCII] {
            let signs = [
                g.waiting,
                g.running,
                g.done,
                g.attention,
                g.failed,
                g.paused,
                g.unknown,
                g.stale,
                g.not_applicable,
            ];
            for (i, a) in signs.iter().enumerate() {
                assert!(signs.iter().skip(i + 1).all(|b| a != b), "{a}");
            }
            assert!(g.link != g.linking && g.linking != g.no_link && g.link != g.no_link);
        }
    }

    #[test]
    fn the_locale_decides() {
        let of = |vars: &[(&str, &str)]| {
            Glyphs::from_env(|n| vars.iter().find(|(k, _)| *k == n).map(|(_, v)| (*v).to_owned())).ascii
        };
        assert!(!of(&[("LANG", "de_DE.UTF-8"), ("TERM", "xterm")]));
        assert!(of(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C"), ("TERM", "xterm")]));
        assert!(of(&[("LANG", "en_US.UTF-8"), ("TERM", "linux")]));
        assert!(of(&[]) || cfg!(windows));
    }
}
