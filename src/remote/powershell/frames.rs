//! What a worker writes to stdout: frames between lines of raw text.
//!
//! A frame is `#~<nonce>~<json>` up to the end of the line; the nonce is new for each request, so nothing that a tool prints
//! can pose as an answer (powershell-over-ssh 7.5). A long one comes as `#~<nonce>~+<piece>` lines, the last with `-` in
//! place of `+`. Everything else is text.

use std::collections::VecDeque;
use std::fmt;

use serde::Deserialize;
use serde_json::Value as Json;

/// Longest line that is looked at, in bytes; the rest of a longer one is skipped (7.5).
pub const MAX_LINE: usize = 1 << 20;
/// Largest frame put together from pieces, in bytes.
pub const MAX_FRAME: usize = 32 << 20;
/// How much of an overlong line is kept as text: more than the cleaner shows.
const KEPT: usize = 16 << 10;

/// 128 random bits in hexadecimal, good for one request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// From the system's random numbers.
    ///
    /// # Errors
    /// The system has none.
    pub fn fresh() -> Result<Nonce, getrandom::Error> {
        let mut bits = [0u8; 16];
        getrandom::fill(&mut bits)?;
        let mut text = [0u8; 32];
        for (i, b) in bits.iter().enumerate() {
            text[2 * i] = b"0123456789abcdef"[usize::from(b >> 4)];
            text[2 * i + 1] = b"0123456789abcdef"[usize::from(b & 15)];
        }
        Ok(Nonce(text))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(…)")
    }
}

/// What the worker says of itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Hello {
    /// Version of the protocol.
    pub v: u32,
    pub pid: u32,
    #[serde(default)]
    pub ps: String,
    #[serde(default)]
    pub lang: String,
    #[serde(default)]
    pub host: Option<String>,
    /// The machine's clock, as .NET's `o` format.
    #[serde(default)]
    pub utc: String,
}

/// The end of a request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct End {
    pub ok: bool,
    /// How many records the script put out: all of them must have arrived.
    #[serde(default)]
    pub k: u64,
    /// The script ended the worker with it.
    #[serde(default)]
    pub gone: bool,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub m: Option<String>,
    #[serde(default)]
    pub line: Option<i64>,
    #[serde(default)]
    pub src: Option<String>,
}

/// One answer of the worker.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum Frame {
    Hello(Hello),
    Log {
        /// `Error`, `Warning`, `Verbose`, `Debug`, `Information`.
        #[serde(default)]
        l: String,
        #[serde(default)]
        m: Option<String>,
    },
    Result {
        #[serde(default)]
        v: Json,
    },
    End(End),
}

/// What the stream gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// An answer to the current request, and its length in bytes.
    Frame(Frame, usize),
    /// A line, or what stood on a line before a frame. Foreign: clean it before showing.
    Text(Vec<u8>),
    /// A frame for a request that has already ended.
    Late,
}

/// The stream, byte by byte.
#[derive(Debug)]
pub struct Frames {
    line: Vec<u8>,
    /// The current line was too long: skip to its end.
    skipping: bool,
    /// Pieces of a long frame.
    joined: Vec<u8>,
    /// The pieces were too many: the frame is lost.
    overflown: bool,
    current: Option<Nonce>,
    ended: Option<Nonce>,
    fresh: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

impl Frames {
    pub fn new() -> Self {
        Frames {
            line: Vec::new(),
            skipping: false,
            joined: Vec::new(),
            overflown: false,
            current: None,
            ended: None,
            fresh: true,
        }
    }

    /// Frames with this nonce count from now on, until their `end`.
    pub fn expect(&mut self, nonce: Nonce) {
        self.retire();
        self.current = Some(nonce);
    }

    fn retire(&mut self) {
        if let Some(nonce) = self.current.take() {
            self.ended = Some(nonce);
        }
        self.joined = Vec::new();
        self.overflown = false;
    }

    /// Takes bytes; what they complete is appended.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut VecDeque<Item>) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|b| *b == b'\n');
            let (part, rest) = match end {
                Some(i) => (&bytes[..i], &bytes[i + 1..]),
                None => (bytes, &bytes[..0]),
            };
            bytes = rest;
            if !self.skipping {
                let room = MAX_LINE - self.line.len();
                self.line.extend_from_slice(&part[..part.len().min(room)]);
                if part.len() > room {
                    self.skipping = true;
                    self.line.truncate(KEPT);
                    self.line.shrink_to_fit();
                    out.push_back(Item::Text(std::mem::take(&mut self.line)));
                }
            }
            if end.is_some() {
                if !std::mem::take(&mut self.skipping) {
                    self.end_line(out);
                }
                self.fresh = false;
            }
        }
    }

    /// The rest of the stream, where it ended within a line.
    pub fn finish(&mut self, out: &mut VecDeque<Item>) {
        if !self.line.is_empty() {
            self.end_line(out);
        }
    }

    fn end_line(&mut self, out: &mut VecDeque<Item>) {
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if self.fresh && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        match self.fence(&line) {
            Some((start, payload, true)) => {
                let payload = payload..line.len();
                if let Some(item) = self.frame(&line[payload]) {
                    if start > 0 {
                        out.push_back(Item::Text(line[..start].to_vec()));
                    }
                    out.extend(item);
                    return;
                }
                out.push_back(Item::Text(line));
            }
            Some((_, _, false)) => out.push_back(Item::Late),
            None => out.push_back(Item::Text(line)),
        }
    }

    /// Where a fence that we know begins and ends, and whether it is the current one's.
    fn fence(&self, line: &[u8]) -> Option<(usize, usize, bool)> {
        let mut from = 0;
        while let Some(i) = line[from..].iter().position(|b| *b == b'#') {
            let start = from + i;
            let rest = line[start + 1..].strip_prefix(b"~").unwrap_or_default();
            if rest.len() > 32 && rest[32] == b'~' {
                let is = |n: &Option<Nonce>| n.is_some_and(|n| rest[..32] == n.0);
                if is(&self.current) {
                    return Some((start, start + 35, true));
                }
                if is(&self.ended) {
                    return Some((start, start + 35, false));
                }
            }
            from = start + 1;
        }
        None
    }

    /// A payload with the right nonce. `None`: it is no frame after all. `Some(None)`: a piece, nothing complete yet.
    #[allow(clippy::option_option)]
    fn frame(&mut self, payload: &[u8]) -> Option<Option<Item>> {
        match payload.first()? {
            b'{' => {
                let frame = serde_json::from_slice::<Frame>(payload).ok()?;
                Some(Some(self.complete(frame, payload.len())))
            }
            sign @ (b'+' | b'-') => {
                let piece = &payload[1..];
                if self.overflown || self.joined.len() + piece.len() > MAX_FRAME {
                    self.overflown = true;
                    self.joined = Vec::new();
                } else {
                    self.joined.extend_from_slice(piece);
                }
                if *sign == b'+' {
                    return Some(None);
                }
                let joined = std::mem::take(&mut self.joined);
                if std::mem::take(&mut self.overflown) {
                    return None;
                }
                let frame = serde_json::from_slice::<Frame>(&joined).ok()?;
                Some(Some(self.complete(frame, joined.len())))
            }
            _ => None,
        }
    }

    fn complete(&mut self, frame: Frame, length: usize) -> Item {
        if matches!(frame, Frame::End(_)) {
            self.retire();
        }
        Item::Frame(frame, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nonce(c: char) -> Nonce {
        Nonce(c.to_string().repeat(32).into_bytes().try_into().expect("32 bytes"))
    }

    fn parse(text: &[u8]) -> Vec<Item> {
        let mut frames = Frames::new();
        frames.expect(nonce('a'));
        let mut out = VecDeque::new();
        frames.push(text, &mut out);
        frames.finish(&mut out);
        out.into_iter().map(unmeasured).collect()
    }

    /// Lengths are looked at on their own.
    fn unmeasured(item: Item) -> Item {
        match item {
            Item::Frame(frame, _) => Item::Frame(frame, 0),
            other => other,
        }
    }

    fn line(c: char, payload: &str) -> String {
        format!("#~{}~{payload}\n", nonce(c).as_str())
    }

    fn text(t: &str) -> Item {
        Item::Text(t.as_bytes().to_vec())
    }

    fn result(v: Json) -> Item {
        Item::Frame(Frame::Result { v }, 0)
    }

    fn end() -> Item {
        let (id, m, line, src) = (None, None, None, None);
        Item::Frame(Frame::End(End { ok: true, k: 0, gone: false, id, m, line, src }), 0)
    }

    #[test]
    fn nonces_differ() {
        let (a, b) = (Nonce::fresh().expect("random"), Nonce::fresh().expect("random"));
        assert_ne!(a, b);
        assert!(a.as_str().len() == 32 && a.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(!format!("{a:?}").contains(a.as_str()));
    }

    #[test]
    fn frames_and_text() {
        let stream = format!(
            "\u{feff}banner\r\nunfinished {}{}raw\n{}",
            line('a', r#"{"v":[1,"x"],"k":1,"t":"result","new":1}"#),
            line('a', r#"{"t":"log","l":"Warning","m":"low"}"#),
            line('a', r#"{"t":"end","ok":true,"ms":3}"#)
        );
        let log = Item::Frame(Frame::Log { l: "Warning".into(), m: Some("low".into()) }, 0);
        let expected = vec![
            text("banner"),
            text("unfinished "),
            result(serde_json::json!([1, "x"])),
            log,
            text("raw"),
            end(),
        ];
        assert_eq!(parse(stream.as_bytes()), expected);
    }

    #[test]
    fn the_end_counts_once() {
        let stream = line('a', r#"{"t":"end","ok":true}"#).repeat(2);
        assert_eq!(parse(stream.as_bytes()), [end(), Item::Late]);
    }

    #[test]
    fn forged_and_broken_fences_are_text() {
        for raw in [
            line('f', r#"{"t":"end","ok":true}"#),
            line('a', "{not json"),
            line('a', r#"{"t":"what"}"#),
            line('a', ""),
            "#~?~{\"t\":\"end\",\"ok\":false}\n".to_owned(),
            "#~#~#~\n".to_owned(),
            format!("#~{}\n", nonce('a').as_str()),
        ] {
            assert_eq!(parse(raw.as_bytes()), [text(raw.trim_end())], "{raw}");
        }
    }

    #[test]
    fn pieces_are_joined() {
        let json = format!(r#"{{"t":"result","v":"{}+{}"}}"#, "x".repeat(90), "y".repeat(90));
        // A piece that itself begins with a plus sign.
        let plus = json.find('+').expect("plus");
        let stream = format!(
            "{}between\n{}{}",
            line('a', &format!("+{}", &json[..50])),
            line('a', &format!("+{}", &json[50..plus])),
            line('a', &format!("-{}", &json[plus..]))
        );
        let items = parse(stream.as_bytes());
        assert_eq!(items[0], text("between"));
        assert_eq!(items[1], result(Json::String(format!("{}+{}", "x".repeat(90), "y".repeat(90)))));
    }

    #[test]
    fn overlong_lines_are_skipped_to_their_end() {
        let mut stream = vec![b'z'; MAX_LINE + 5];
        stream.extend(b"\nnext\n");
        let items = parse(&stream);
        assert_eq!(items.len(), 2);
        assert!(matches!(&items[0], Item::Text(t) if t.len() == KEPT));
        assert_eq!(items[1], text("next"));
    }

    #[test]
    fn frames_that_are_too_large_are_dropped() {
        let mut frames = Frames::new();
        frames.expect(nonce('a'));
        let mut out = VecDeque::new();
        let piece = line('a', &format!("+{}", "x".repeat(900_000)));
        for _ in 0..40 {
            frames.push(piece.as_bytes(), &mut out);
            assert!(frames.joined.len() <= MAX_FRAME);
        }
        frames.push(line('a', "-\"}").as_bytes(), &mut out);
        frames.push(line('a', r#"{"t":"end","ok":true}"#).as_bytes(), &mut out);
        assert!(matches!(out.pop_front(), Some(Item::Text(_))));
        assert_eq!(out.pop_front().map(unmeasured), Some(end()));
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(parts in proptest::collection::vec(prop_oneof![
                Just(line('a', r#"{"t":"result","v":1}"#)), Just(line('b', r#"{"t":"result","v":1}"#)),
                Just(line('a', r#"+{"t":"result","#)), Just(line('a', r#"-"v":2}"#)), Just(line('a', r#"{"t":"end","ok":true}"#)),
                "[#~a\r\n+-]{0,40}", "\\PC{0,20}\n"], 0..12), cut in 1usize..50) {
            let stream = parts.concat();
            let mut frames = Frames::new();
            frames.expect(nonce('a'));
            let mut out = VecDeque::new();
            for chunk in stream.as_bytes().chunks(cut) {
                frames.push(chunk, &mut out);
            }
            frames.finish(&mut out);
            let pieces: Vec<Item> = out.into_iter().map(unmeasured).collect();
            prop_assert_eq!(pieces, parse(stream.as_bytes()));
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            parse(&bytes);
        }
    }
}
