//! PowerShell without its comments and texts, for what is looked for in code that may not even parse.

/// The text with every byte of comments and of literal text blank; opening quotes, lengths and lines stay. What stands in `$( )` of an
/// expandable text is code.
pub fn code(text: &str) -> String {
    // Code is ASCII; what is not has a finding of its own.
    let out = text.bytes().map(|b| if b.is_ascii() { b } else { b' ' }).collect();
    let mut mask = Mask { text: text.as_bytes(), out, at: 0 };
    mask.code(false);
    String::from_utf8(mask.out).unwrap_or_default()
}

struct Mask<'a> {
    text: &'a [u8],
    out: Vec<u8>,
    at: usize,
}

impl Mask<'_> {
    fn next_is(&self, what: &str) -> bool {
        self.text[self.at..].starts_with(what.as_bytes())
    }

    /// Goes on by that many bytes, which are no code.
    fn blank(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.text.len());
        for b in &mut self.out[self.at..end] {
            if *b != b'\n' {
                *b = b' ';
            }
        }
        self.at = end;
    }

    /// Blank up to and with an end mark.
    fn blank_to(&mut self, start: usize, end: &str) {
        let rest = &self.text[(self.at + start).min(self.text.len())..];
        let found = rest.windows(end.len()).position(|w| w == end.as_bytes());
        self.blank(start + found.map_or(rest.len(), |i| i + end.len()));
    }

    /// Code, up to the parenthesis that closes what was opened before where `inner`.
    fn code(&mut self, inner: bool) {
        let mut depth = 0;
        while self.at < self.text.len() {
            let b = self.text[self.at];
            let before = self.at.checked_sub(1).map_or(b' ', |i| self.text[i]);
            match b {
                b'`' => self.at += 2,
                b'#' if b" \t\r\n({;|,&".contains(&before) => {
                    let end = self.text[self.at..].iter().position(|b| *b == b'\n');
                    self.blank(end.unwrap_or(self.text.len()));
                }
                b'<' if self.next_is("<#") => self.blank_to(2, "#>"),
                b'@' if self.next_is("@'") => {
                    self.at += 2;
                    self.blank_to(0, "\n'@");
                }
                b'@' if self.next_is("@\"") => {
                    self.at += 2;
                    self.expandable("\n\"@");
                }
                b'\'' => {
                    self.at += 1;
                    self.blank_to(0, "'");
                }
                b'"' => {
                    self.at += 1;
                    self.expandable("\"");
                }
                b'(' => {
                    depth += 1;
                    self.at += 1;
                }
                b')' if inner && depth == 0 => return,
                b')' => {
                    depth -= 1;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
    }

    /// The inside of an expandable text, up to and with its end.
    fn expandable(&mut self, end: &str) {
        while self.at < self.text.len() {
            if self.next_is("`") || (end == "\"" && self.next_is("\"\"")) {
                self.blank(2);
            } else if self.next_is(end) {
                return self.blank(end.len());
            } else if self.next_is("$(") {
                self.at += 2;
                self.code(true);
                self.at += 1;
            } else {
                self.blank(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn texts_and_comments_are_blank() {
        assert_eq!(code("a 'b''c' # d\n\"e\"\"`\"f\" g"), "a '  '      \n\"        g");
        assert_eq!(code("a <# ?? #> b#c"), "a          b#c");
        assert_eq!(code("@'\n?? 'x'\n'@ + @\"\n\"??\n\"@ c"), "@'\n      \n   + @\"\n   \n   c");
    }

    #[test]
    fn code_in_a_text_is_code() {
        assert_eq!(code("\"x $(f \"y\" ')' (1)) z\" h"), "\"  $(f \"   '   (1))    h");
    }

    #[test]
    fn what_never_ends_ends_with_the_file() {
        for text in ["'", "\"$(", "<#", "@\"\nx", "`", "\"`", "\"a $(\"", "`\u{e4}'\u{e4}"] {
            assert_eq!(code(text).len(), text.len(), "{text}");
        }
    }
}
