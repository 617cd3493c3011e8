//! Lines of the worker's protocol, as the engine writes them: `#~nonce~json`, in pieces where they are long.

use serde_json::Value as Json;

/// Characters in one piece of a frame.
const PIECE: usize = 60_000;

/// JSON as Windows PowerShell 5.1 writes it, ASCII only.
pub fn ascii(value: &Json) -> String {
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, ' '..='~') && !matches!(c, '\'' | '<' | '>' | '&') {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// One frame, as lines. The last of several pieces says so with a `-`.
pub fn written(nonce: &str, frame: &Json) -> String {
    let text = ascii(frame);
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text.as_str();
    while rest.len() > PIECE {
        let (piece, after) = rest.split_at(PIECE);
        out.push_str(&format!("#~{nonce}~+{piece}\n"));
        rest = after;
    }
    let sign = if out.is_empty() { "" } else { "-" };
    out.push_str(&format!("#~{nonce}~{sign}{rest}\n"));
    out
}

/// Puts frames together again.
#[derive(Debug, Default)]
pub struct Reader {
    pieces: String,
}

/// What a line was.
#[derive(Debug, PartialEq)]
pub enum Line {
    Frame(Json),
    /// More follows.
    Piece,
    /// Not of the protocol.
    Text(String),
}

impl Reader {
    pub fn read(&mut self, nonce: &str, line: &str) -> Line {
        let line = line.trim_end_matches(['\r', '\n']);
        let Some(rest) = line.strip_prefix("#~").and_then(|l| l.strip_prefix(nonce)?.strip_prefix('~')) else {
            return Line::Text(line.to_owned());
        };
        if let Some(piece) = rest.strip_prefix('+') {
            self.pieces.push_str(piece);
            return Line::Piece;
        }
        let whole = std::mem::take(&mut self.pieces) + rest.strip_prefix('-').unwrap_or(rest);
        serde_json::from_str(&whole).map_or_else(|_| Line::Text(line.to_owned()), Line::Frame)
    }
}
