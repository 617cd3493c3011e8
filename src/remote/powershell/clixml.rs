//! What PowerShell writes to stderr: lines of native tools, and records wrapped in XML (powershell-over-ssh 7.6).
//!
//! A small scanner of its own: no entities but the five, no DTD, bounded depth and size. Texts are foreign: clean them before
//! showing.

/// Largest block of records, in bytes; more is given as plain text.
const MAX_BLOCK: usize = 1 << 20;
/// Longest plain line.
const MAX_LINE: usize = 64 << 10;
const MAX_DEPTH: usize = 64;
const HEADER: &[u8] = b"#< CLIXML";
const START: &[u8] = b"<Objs ";
const STOP: &[u8] = b"</Objs>";

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// No record: a line that was not wrapped.
    Plain,
    Output,
    Error,
    Warning,
    Verbose,
    Debug,
    Information,
    Progress,
}

impl Stream {
    fn named(name: &str) -> Stream {
        match name.to_ascii_lowercase().as_str() {
            "error" => Stream::Error,
            "warning" => Stream::Warning,
            "verbose" => Stream::Verbose,
            "debug" => Stream::Debug,
            "information" => Stream::Information,
            "progress" => Stream::Progress,
            _ => Stream::Output,
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub stream: Stream,
    pub text: String,
    /// The `At line:1 char:1` block of an error.
    pub detail: Option<String>,
}

impl Record {
    fn new(stream: Stream, text: String) -> Record {
        Record { stream, text, detail: None }
    }
}

/// The stream, in chunks.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// The header was seen: blocks may follow.
    wrapped: bool,
    /// In so many bytes at the front no block ends.
    searched: usize,
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes; what they complete is appended.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Record>) {
        self.buffer.extend_from_slice(bytes);
        while self.step(false, out) {}
    }

    /// The rest of a stream that has ended.
    pub fn finish(&mut self, out: &mut Vec<Record>) {
        while self.step(true, out) {}
    }

    /// Takes one thing off the front of the buffer; false when it takes more bytes to know.
    fn step(&mut self, last: bool, out: &mut Vec<Record>) -> bool {
        if self.wrapped {
            let blank = self.buffer.iter().take_while(|b| b.is_ascii_whitespace()).count();
            self.buffer.drain(..blank);
        }
        if self.buffer.is_empty() {
            return false;
        }
        if self.buffer.starts_with(HEADER) {
            self.wrapped = true;
            self.buffer.drain(..HEADER.len());
            return true;
        }
        if self.wrapped && self.buffer.starts_with(START) {
            let from = self.searched.saturating_sub(STOP.len() - 1);
            self.searched = 0;
            return match find(&self.buffer[from..], STOP).map(|i| from + i) {
                Some(i) => {
                    records(&String::from_utf8_lossy(&self.buffer[..i]), out);
                    self.buffer.drain(..i + STOP.len());
                    true
                }
                None if last => {
                    records(&String::from_utf8_lossy(&self.buffer), out);
                    self.buffer.clear();
                    false
                }
                // No block: what it began with is text, and what it was full of is not looked at again.
                None if self.buffer.len() > MAX_BLOCK => self.plain(self.buffer.len(), out),
                None => {
                    self.searched = self.buffer.len();
                    false
                }
            };
        }
        let undecided = |start: &[u8]| self.buffer.len() < start.len() && start.starts_with(&self.buffer);
        if !last && (undecided(HEADER) || self.wrapped && undecided(START)) {
            return false;
        }
        let line = self.buffer.iter().position(|b| *b == b'\n');
        let limit = line.unwrap_or(self.buffer.len());
        let starts = [(true, HEADER), (self.wrapped, START)];
        // An empty line has nothing after its first byte.
        let after = self.buffer.get(1..limit).unwrap_or_default();
        let wrapped = starts.iter().filter(|(on, _)| *on).filter_map(|(_, s)| find(after, s)).min();
        match (wrapped, line) {
            (Some(i), _) => self.plain(i + 1, out),
            (None, Some(i)) => self.plain(i + 1, out),
            (None, None) if last || self.buffer.len() >= MAX_LINE => self.plain(limit.min(MAX_LINE), out),
            (None, None) => false,
        }
    }

    fn plain(&mut self, n: usize, out: &mut Vec<Record>) -> bool {
        let text = String::from_utf8_lossy(&self.buffer[..n]).trim_end_matches(['\r', '\n']).to_owned();
        self.buffer.drain(..n);
        if !text.trim().is_empty() {
            out.push(Record::new(Stream::Plain, text));
        }
        true
    }
}

/// A whole text at once.
pub fn decode(bytes: &[u8]) -> Vec<Record> {
    let mut decoder = Decoder::new();
    let mut out = Vec::new();
    decoder.push(bytes, &mut out);
    decoder.finish(&mut out);
    out
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

enum Token<'a> {
    Open { name: &'a str, attributes: &'a str, empty: bool },
    Close,
    Text(&'a str),
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            if let Some(tag) = self.rest.strip_prefix('<') {
                let end = tag.find('>')?;
                let inner = &tag[..end];
                self.rest = &tag[end + 1..];
                if inner.starts_with(['?', '!']) {
                    continue;
                }
                if inner.starts_with('/') {
                    return Some(Token::Close);
                }
                let (inner, empty) = match inner.strip_suffix('/') {
                    Some(i) => (i, true),
                    None => (inner, false),
                };
                let (name, attributes) = inner.split_once(' ').unwrap_or((inner, ""));
                return Some(Token::Open { name, attributes, empty });
            }
            if self.rest.is_empty() {
                return None;
            }
            let end = self.rest.find('<').unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(Token::Text(text));
        }
    }
}

/// The records of one `<Objs>` block; consecutive error strings are one message.
fn records(block: &str, out: &mut Vec<Record>) {
    let mut stack: Vec<&str> = Vec::new();
    let mut stream = Stream::Output;
    let mut object = Object::default();
    let mut error: Option<String> = None;
    for token in (Scanner { rest: block }) {
        match token {
            Token::Open { name, attributes, empty } => {
                if stack.len() == 1 {
                    stream = Stream::named(attribute(attributes, "S").unwrap_or_default());
                    object = Object::default();
                }
                if !empty {
                    if stack.len() >= MAX_DEPTH {
                        break;
                    }
                    stack.push(name);
                }
            }
            Token::Text(text) => match stack[..] {
                [_, "S"] if stream == Stream::Error => error.get_or_insert_default().push_str(&unescape(text)),
                [_, "S"] => {
                    flush(&mut error, out);
                    out.push(Record::new(stream, unescape(text)));
                }
                [_, _, .., leaf] => object.take(leaf, stack.len(), text),
                _ => {}
            },
            Token::Close => {
                stack.pop();
                if stack.len() == 1
                    && let Some(text) = std::mem::take(&mut object).text(stream)
                {
                    flush(&mut error, out);
                    out.push(Record::new(stream, text));
                }
            }
        }
    }
    flush(&mut error, out);
}

fn flush(error: &mut Option<String>, out: &mut Vec<Record>) {
    let Some(text) = error.take() else { return };
    let detail = text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line.trim_start()))
    });
    let split = detail.skip(1).find(|(_, l)| l.starts_with("At line:") || l.starts_with("+ ")).map(|(i, _)| i);
    let (text, detail) = match split {
        Some(i) => (text[..i].to_owned(), Some(text[i..].to_owned())),
        None => (text, None),
    };
    out.push(Record { stream: Stream::Error, text, detail });
}

/// What is of interest in an object that was not sent as a string.
#[derive(Default)]
struct Object {
    string: Option<String>,
    activity: Option<String>,
    status: Option<String>,
    percent: Option<String>,
}

impl Object {
    fn take(&mut self, leaf: &str, depth: usize, text: &str) {
        let field = match leaf {
            "ToString" if depth == 3 => &mut self.string,
            "AV" => &mut self.activity,
            "SD" => &mut self.status,
            "PC" => &mut self.percent,
            _ => return,
        };
        field.get_or_insert_with(|| unescape(text));
    }

    fn text(self, stream: Stream) -> Option<String> {
        if stream != Stream::Progress {
            return self.string;
        }
        let percent = self.percent.filter(|p| !p.starts_with('-')).map(|p| format!("{p} %"));
        let parts: Vec<String> = [self.activity, self.status, percent].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    attributes.split_ascii_whitespace().find_map(|a| a.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'))
}

/// XML entities, then `_xHHHH_`, one UTF-16 unit each.
fn unescape(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(i) = rest.find('&') {
        plain.push_str(&rest[..i]);
        rest = &rest[i..];
        match rest.find(';').filter(|end| *end < 12).and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((c, end)) => {
                plain.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    let mut rest = plain.as_str();
    while let Some(i) = rest.find("_x") {
        units.extend(rest[..i].encode_utf16());
        rest = &rest[i..];
        let code =
            rest.get(2..6).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()) && rest[6..].starts_with('_'));
        match code.and_then(|h| u16::from_str_radix(h, 16).ok()) {
            Some(unit) => {
                units.push(unit);
                rest = &rest[7..];
            }
            None => {
                units.extend("_x".encode_utf16());
                rest = &rest[2..];
            }
        }
    }
    units.extend(rest.encode_utf16());
    String::from_utf16_lossy(&units)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::sanitise::clean;
    use proptest::prelude::*;

    /// What a real engine wrote, byte for byte.
    fn transcript(name: &str, stream: &str) -> Vec<u8> {
        let path = format!("{}/tests/fixtures/transcripts/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).expect("fixture")).expect("fixture is JSON");
        json[stream].as_str().expect("text").as_bytes().to_vec()
    }

    fn seen(name: &str) -> Vec<(Stream, String)> {
        decode(&transcript(name, "stderr")).iter().map(|r| (r.stream, clean(&r.text))).collect()
    }

    #[test]
    fn real_records() {
        use Stream::*;
        assert_eq!(seen("write-error"), [(Error, "Write-Error: disk is full".to_owned())]);
        assert_eq!(seen("debug"), [(Debug, "state 3".to_owned())]);
        assert_eq!(seen("verbose"), [(Verbose, "reading".to_owned())]);
        assert_eq!(seen("warning"), [(Warning, "low on space".to_owned())]);
        assert_eq!(seen("information"), [(Information, "step 2".into()), (Information, "from host".to_owned())]);
        assert_eq!(
            seen("native-stderr"),
            [(Plain, "plain-err".into()), (Error, "Write-Error: ps error".to_owned())]
        );
        assert_eq!(
            seen("progress"),
            [(Progress, "Copying, 3 of 10, 30 %".into()), (Progress, "Copying, Processing".to_owned())]
        );
        assert_eq!(seen("output-xml-format"), [(Error, "disk is full".into()), (Warning, "w".to_owned())]);
        assert_eq!(seen("parse-error"), [], "7.6: an unparsable command says nothing");
        let long = seen("long-error");
        assert!(long.len() == 1 && long[0].1.contains(&"x".repeat(500)));
    }

    #[test]
    fn objects_on_stdout() {
        let out = decode(&transcript("output-xml-format", "stdout"));
        assert_eq!(out, [Record::new(Stream::Output, "after".into())]);
    }

    #[test]
    fn every_recorded_error_is_understood() {
        let folder = format!("{}/tests/fixtures/transcripts", env!("CARGO_MANIFEST_DIR"));
        let mut files = 0;
        for file in std::fs::read_dir(folder).expect("folder") {
            let name = file.expect("entry").file_name().into_string().expect("name");
            let Some(name) = name.strip_suffix(".json") else { continue };
            files += 1;
            for record in decode(&transcript(name, "stderr")) {
                assert!(!record.text.contains("<Objs") && !record.text.contains("CLIXML"), "{name}: {record:?}");
            }
        }
        assert!(files > 30);
    }

    #[test]
    fn special_characters_come_back() {
        let text = &decode(&transcript("error-special-characters", "stderr"))[0].text;
        assert!(text.contains("a<b & 'c' _x000D_ "), "{text:?}");
        assert!(text.contains("tab\tbell\u{7}esc\u{1b}[31m żółć 漢字 😀 \u{202e} nul\0 lone\u{fffd}"), "{text:?}");
    }

    #[test]
    fn error_positions_are_detail() {
        let stderr = b"#< CLIXML\r\n<Objs Version=\"1.1.0.1\"><S S=\"Error\">boom : disk is_x000D__x000A_</S>\
            <S S=\"Error\">full_x000D__x000A_</S><S S=\"Error\">At line:1 char:1_x000D__x000A_</S>\
            <S S=\"Error\">+ Write-Error x_x000D__x000A_</S></Objs>";
        let out = decode(stderr);
        assert_eq!(out.len(), 1);
        assert_eq!(clean(&out[0].text), "boom : disk is full");
        assert_eq!(clean(out[0].detail.as_deref().expect("detail")), "At line:1 char:1 + Write-Error x");
    }

    #[test]
    fn interleaved_and_cut_streams() {
        let stderr = b"before\n#< CLIXML\n<Objs V=\"1\"><S S=\"Error\">one</S></Objs>between\r\n\
            <Objs V=\"1\"><S S=\"warning\">two</S></Objs>tail#< CLIXML\n<Objs V=\"1\"><S S=\"debug\">cut</S><S S=\"de";
        let out: Vec<_> = decode(stderr).into_iter().map(|r| r.text).collect();
        assert_eq!(out, ["before", "one", "between", "two", "tail", "cut"]);
    }

    #[test]
    fn hostile_blocks_are_bounded() {
        let deep =
            [b"#< CLIXML\n<Objs V=\"1\">".to_vec(), b"<Obj S=\"Error\">".repeat(100_000), STOP.to_vec()].concat();
        assert!(decode(&deep).len() < 100);
        let mut decoder = Decoder::new();
        let mut out = Vec::new();
        decoder.push(b"#< CLIXML\n<Objs V=\"1\">", &mut out);
        for _ in 0..100 {
            decoder.push(&[b'x'; 30_000], &mut out);
            assert!(decoder.buffer.len() <= MAX_BLOCK + 30_100);
        }
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(parts in proptest::collection::vec(prop_oneof![
                Just("#< CLIXML\r\n"), Just("<Objs V=\"1\">"), Just("</Objs>"), Just("<S S=\"Error\">a_x000A_</S>"),
                Just("<Obj S=\"progress\"><MS><PR N=\"R\"><AV>x</AV></PR></MS></Obj>"), Just("line\n"), Just("<"), Just("#")], 0..14),
                cut in 1usize..30) {
            let stream = parts.concat();
            let mut decoder = Decoder::new();
            let mut out = Vec::new();
            for chunk in stream.as_bytes().chunks(cut) {
                decoder.push(chunk, &mut out);
            }
            decoder.finish(&mut out);
            prop_assert_eq!(out, decode(stream.as_bytes()));
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            decode(&[b"#< CLIXML\n<Objs ".to_vec(), bytes].concat());
        }
    }
}
