//! The one cleaner for foreign text: what it lets through cannot move a cursor, hide, or reorder what a person reads.
//!
//! A byte state machine (powershell-over-ssh 13). Its state lives across chunks: fed byte by byte it gives the same lines
//! as fed at once. NUL is dropped, so UTF-16 text in Latin letters stays readable.

use unicode_width::UnicodeWidthChar;

use crate::core::text::hides;

/// Longest line that is kept, in bytes, with the mark of the cut (powershell-over-ssh 15).
pub const MAX_LINE: usize = 8 * 1024;
/// Longest control string that is swallowed; what follows is text again.
const MAX_SEQUENCE: usize = 4 * 1024;
/// Combining marks kept on one base character.
const MAX_MARKS: u8 = 3;
const TAB: usize = 8;
const CUT: char = '…';

/// One string on one line: line breaks become spaces. For names, messages, banners.
pub fn clean(text: &str) -> String {
    let mut lines = lines(text.as_bytes());
    match lines.len() {
        0 => String::new(),
        1 => lines.remove(0),
        _ => {
            let joined = lines.iter().map(|l| l.trim()).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
            shorten(joined, MAX_LINE)
        }
    }
}

/// As [`clean`], and at most `max` bytes long.
pub fn clean_short(text: &str, max: usize) -> String {
    shorten(clean(text), max)
}

/// All lines of a finished text.
pub fn lines(bytes: &[u8]) -> Vec<String> {
    // Most lines are harmless.
    if !bytes.is_empty()
        && bytes.len() <= MAX_LINE - CUT.len_utf8()
        && bytes.iter().all(|b| (b' '..=b'~').contains(b))
    {
        return vec![String::from_utf8_lossy(bytes).into_owned()];
    }
    let mut cleaner = Cleaner::new();
    let mut lines = Vec::new();
    cleaner.push(bytes, |line| lines.push(line));
    lines.extend(cleaner.finish());
    lines
}

/// Cuts at a character boundary so that text and mark fit into `max` bytes.
fn shorten(mut text: String, max: usize) -> String {
    if text.len() > max {
        let mut end = max.saturating_sub(CUT.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push(CUT);
    }
    text
}

/// Where the machine is, between two characters.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Ground,
    Escape,
    /// ESC and an intermediate byte: one more final byte follows.
    EscapeIntermediate,
    Csi,
    /// OSC, DCS, APC, PM, SOS: text up to BEL or ST.
    Text,
    TextEscape,
}

/// A stream of foreign bytes becoming lines that may be shown.
#[derive(Debug)]
pub struct Cleaner {
    state: State,
    /// Bytes swallowed by the current sequence.
    swallowed: usize,
    decoder: Utf8,
    line: String,
    column: usize,
    /// Combining marks on the last base; `None` at the start of a line.
    marks: Option<u8>,
    cut: bool,
    /// A CR was seen: LF ends the line, text starts it again.
    returned: bool,
    /// Nothing was seen yet: a byte order mark is no text.
    fresh: bool,
}

impl Default for Cleaner {
    fn default() -> Self {
        Self::new()
    }
}

impl Cleaner {
    pub fn new() -> Self {
        Cleaner {
            state: State::Ground,
            swallowed: 0,
            decoder: Utf8::default(),
            line: String::new(),
            column: 0,
            marks: None,
            cut: false,
            returned: false,
            fresh: true,
        }
    }

    /// Takes bytes and gives every line that they complete.
    pub fn push(&mut self, bytes: &[u8], mut line: impl FnMut(String)) {
        for &byte in bytes {
            let (first, second) = self.decoder.push(byte);
            for c in [first, second].into_iter().flatten() {
                if self.take(c) {
                    line(self.end_line());
                }
            }
        }
    }

    /// The last line, where the stream ended without a line break.
    pub fn finish(mut self) -> Option<String> {
        if self.decoder.unfinished() {
            self.take(char::REPLACEMENT_CHARACTER);
        }
        (!self.line.is_empty()).then(|| self.end_line())
    }

    fn end_line(&mut self) -> String {
        self.state = State::Ground;
        self.restart();
        std::mem::take(&mut self.line)
    }

    /// Forgets position and marks; the text itself is the caller's.
    fn restart(&mut self) {
        (self.column, self.marks, self.cut, self.returned) = (0, None, false, false);
    }

    /// Takes one character; true when it ends the line.
    fn take(&mut self, c: char) -> bool {
        let fresh = std::mem::take(&mut self.fresh);
        if c == '\n' {
            return true;
        }
        match self.state {
            State::Ground if fresh && c == '\u{feff}' => {}
            State::Ground => self.ground(c),
            _ if matches!(c, '\u{18}' | '\u{1a}') => self.state = State::Ground,
            _ if c == '\u{1b}' && self.state != State::Text => self.enter(State::Escape),
            State::Escape => self.escape(c),
            State::EscapeIntermediate => match c {
                '\u{20}'..='\u{2f}' => self.swallow(),
                '\u{30}'..='\u{7e}' => self.state = State::Ground,
                _ => self.abandon(c),
            },
            State::Csi => match c {
                '\u{20}'..='\u{3f}' => self.swallow(),
                '\u{40}'..='\u{7e}' => self.state = State::Ground,
                // Terminals carry these out within a sequence.
                '\r' | '\u{0}'..='\u{1f}' | '\u{7f}' => self.control(c),
                _ => self.abandon(c),
            },
            State::Text => match c {
                '\u{7}' | '\u{9c}' => self.state = State::Ground,
                '\u{1b}' => self.state = State::TextEscape,
                _ => self.swallow(),
            },
            State::TextEscape => match c {
                '\\' => self.state = State::Ground,
                _ => self.escape(c),
            },
        }
        false
    }

    fn enter(&mut self, state: State) {
        (self.state, self.swallowed) = (state, 0);
    }

    fn swallow(&mut self) {
        self.swallowed += 1;
        if self.swallowed >= MAX_SEQUENCE {
            self.state = State::Ground;
        }
    }

    /// The sequence was none: the character counts for itself.
    fn abandon(&mut self, c: char) {
        self.state = State::Ground;
        self.ground(c);
    }

    fn escape(&mut self, c: char) {
        match c {
            '[' => self.enter(State::Csi),
            ']' | 'P' | 'X' | '^' | '_' => self.enter(State::Text),
            '\u{20}'..='\u{2f}' => self.enter(State::EscapeIntermediate),
            '\u{30}'..='\u{7e}' => self.state = State::Ground,
            _ => self.abandon(c),
        }
    }

    fn ground(&mut self, c: char) {
        match c {
            '\u{1b}' => self.enter(State::Escape),
            '\u{9b}' => self.enter(State::Csi),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => self.enter(State::Text),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => self.control(c),
            _ => self.text(c),
        }
    }

    fn control(&mut self, c: char) {
        match c {
            '\r' => self.returned = true,
            '\t' => {
                for _ in 0..TAB - self.column % TAB {
                    self.text(' ');
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, c: char) {
        if self.returned {
            self.line.clear();
            self.restart();
        }
        if self.cut {
            return;
        }
        let width = c.width().unwrap_or(0);
        let c = if hides(c) {
            char::REPLACEMENT_CHARACTER
        } else if width == 0 {
            match &mut self.marks {
                // A mark without a base would sit on what stands to the left of the text.
                None => char::REPLACEMENT_CHARACTER,
                Some(n) if *n >= MAX_MARKS => return,
                Some(n) => {
                    *n += 1;
                    return self.append(c);
                }
            }
        } else {
            c
        };
        self.marks = Some(0);
        self.column += c.width().unwrap_or(1);
        self.append(c);
    }

    fn append(&mut self, c: char) {
        if self.line.len() + c.len_utf8() > MAX_LINE - CUT.len_utf8() {
            self.cut = true;
            self.line.push(CUT);
        } else {
            self.line.push(c);
        }
    }
}

/// UTF-8, one byte at a time; every invalid part becomes one U+FFFD, as `String::from_utf8_lossy` does it.
#[derive(Debug, Default)]
struct Utf8 {
    value: u32,
    missing: u8,
    /// Bounds of the next byte: narrower after some first bytes.
    low: u8,
    high: u8,
}

impl Utf8 {
    fn unfinished(&self) -> bool {
        self.missing > 0
    }

    /// Gives up to two characters: a broken sequence, and the byte that broke it.
    fn push(&mut self, byte: u8) -> (Option<char>, Option<char>) {
        const BAD: Option<char> = Some(char::REPLACEMENT_CHARACTER);
        if self.missing > 0 {
            if (self.low..=self.high).contains(&byte) {
                self.value = self.value << 6 | u32::from(byte & 0x3f);
                self.missing -= 1;
                (self.low, self.high) = (0x80, 0xbf);
                return (if self.missing == 0 { char::from_u32(self.value) } else { None }, None);
            }
            self.missing = 0;
            return (BAD, self.push(byte).0);
        }
        let (missing, low, high, bits) = match byte {
            0..=0x7f => return (Some(char::from(byte)), None),
            0xc2..=0xdf => (1, 0x80, 0xbf, 0x1f),
            0xe0 => (2, 0xa0, 0xbf, 0x0f),
            0xe1..=0xec | 0xee | 0xef => (2, 0x80, 0xbf, 0x0f),
            0xed => (2, 0x80, 0x9f, 0x0f),
            0xf0 => (3, 0x90, 0xbf, 0x07),
            0xf1..=0xf3 => (3, 0x80, 0xbf, 0x07),
            0xf4 => (3, 0x80, 0x8f, 0x07),
            _ => return (BAD, None),
        };
        *self = Utf8 { value: u32::from(byte & bits), missing, low, high };
        (None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(bytes: &[u8]) -> String {
        lines(bytes).concat()
    }

    #[test]
    fn sequences_vanish() {
        for (raw, shown) in [
            (&b"\x1b[31mred\x1b[0m"[..], "red"),
            (b"a\x1b]0;title\x07b", "ab"),
            (b"a\x1b]52;c;aGk=\x1b\\b", "ab"),
            (b"a\x1bPq#0;1\x1b\\b", "ab"),
            (b"a\x1b_app\x1b\\b\x1b^pm\x1b\\c\x1bXsos\x1b\\d", "abcd"),
            (b"a\x1b(0b\x1b#8c\x1b=d", "abcd"),
            (b"a\xc2\x9b31mb", "ab"),
            (b"a\xc2\x9d0;t\xc2\x9cb", "ab"),
            (b"a\x1b[3\x18b", "ab"),
            (b"a\x1b[3\x1b[4mb", "ab"),
            (b"a\x1b]x\x1b[1mb", "ab"),
            (b"a\x1b[\xc5\xbcb", "a\u{17c}b"),
            (b"bell\x07 nul\0 del\x7f", "bell nul del"),
        ] {
            assert_eq!(one(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn unterminated_sequences_end() {
        assert_eq!(lines(b"a\x1b]0;never\nb"), ["a", "b"]);
        assert_eq!(lines(b"a\x1b[12\nb"), ["a", "b"]);
        assert_eq!(lines(b"a\x1b\nb"), ["a", "b"]);
        let mut long = b"a\x1b]".to_vec();
        long.extend(std::iter::repeat_n(b'x', MAX_SEQUENCE + 3));
        assert_eq!(one(&long), "axxx");
    }

    #[test]
    fn line_breaks_and_tabs() {
        assert_eq!(lines(b"a\r\nb\nc"), ["a", "b", "c"]);
        assert_eq!(lines(b"10%\r20%\r100%\n"), ["100%"]);
        assert_eq!(lines(b"keep\r\r\n"), ["keep"]);
        assert_eq!(lines(b"\n\n"), ["", ""]);
        assert_eq!(one(b"a\tb"), "a       b");
        assert_eq!(one("漢\tb".as_bytes()), "漢      b");
        assert_eq!(one(b"12345678\tb"), "12345678        b");
    }

    #[test]
    fn invisible_and_reordering_characters_show() {
        for c in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{200d}', '\u{feff}', '\u{e0041}', '\u{3164}', '\u{fff9}']
        {
            assert_eq!(one(format!("a{c}b").as_bytes()), "a\u{fffd}b", "{:x}", c as u32);
        }
        assert_eq!(one("\u{feff}first".as_bytes()), "first", "a byte order mark is no text");
    }

    #[test]
    fn marks_are_few_and_have_a_base() {
        let zalgo = format!("e{}x", "\u{301}".repeat(500));
        assert_eq!(one(zalgo.as_bytes()), format!("e{}x", "\u{301}".repeat(3)));
        assert_eq!(one("\u{301}x".as_bytes()), "\u{fffd}x");
    }

    #[test]
    fn long_lines_are_cut() {
        let cut = one("żółć".repeat(10_000).as_bytes());
        assert!(cut.len() <= MAX_LINE && cut.ends_with('…'));
        assert_eq!(lines(&[&[b'x'; 20_000][..], b"\nnext"].concat())[1], "next");
    }

    #[test]
    fn single_strings() {
        assert_eq!(clean("two\r\n  lines \n"), "two lines");
        assert_eq!(clean("plain"), "plain");
        assert_eq!(clean_short("żółćżółć", 8), "żó…");
    }

    proptest! {
        #[test]
        fn the_short_way_is_the_same(text in "[ -~]{1,100}") {
            let mut cleaner = Cleaner::new();
            cleaner.push(text.as_bytes(), |_| unreachable!());
            prop_assert_eq!(lines(text.as_bytes()), [cleaner.finish().expect("a line")]);
        }

        #[test]
        fn chunks_do_not_matter(bytes in proptest::collection::vec(prop_oneof![
            Just(0x1bu8), Just(b'['), Just(b']'), Just(b'\\'), Just(b'\n'), Just(b'\r'), Just(b'\t'), Just(7u8),
            Just(0xc2u8), Just(0x9bu8), Just(0xe2u8), Just(0x80u8), any::<u8>()], 0..200), cut in 1usize..17) {
            let whole = lines(&bytes);
            let mut cleaner = Cleaner::new();
            let mut pieces = Vec::new();
            for chunk in bytes.chunks(cut) {
                cleaner.push(chunk, |l| pieces.push(l));
            }
            pieces.extend(cleaner.finish());
            prop_assert_eq!(&whole, &pieces);
            for line in &whole {
                prop_assert!(line.len() <= MAX_LINE);
                prop_assert!(!line.chars().any(|c| c.is_control() || hides(c)), "{:?}", line);
            }
        }

        #[test]
        fn decodes_as_the_standard_library(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut decoder = Utf8::default();
            let mut text = String::new();
            for b in &bytes {
                let (a, b) = decoder.push(*b);
                text.extend(a);
                text.extend(b);
            }
            if decoder.unfinished() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes).into_owned());
        }

        #[test]
        fn plain_text_is_untouched(text in "[ -~żółć漢字]{0,200}") {
            prop_assert_eq!(clean(&text), text);
        }
    }
}
