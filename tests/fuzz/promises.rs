//! What must hold for any bytes from outside, whatever they are. The fuzz targets and `tests/fuzz.rs` call the same.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::path::Path;

use nodelift::remote::powershell::clixml::{self, Decoder};
use nodelift::remote::powershell::frames::{Frames, Item, Nonce};
use nodelift::remote::sanitise::{self, Cleaner, clean, clean_short};
use nodelift::remote::ssh::hostkey::HostKey;
use nodelift::remote::ssh::known_hosts::{KnownHosts, line_for};

/// Stands for the nonce of the request under way: it is new every time.
const NONCE: &[u8] = b"{N}";

/// Frames are the same however the stream is cut, nothing is made up, and a foreign nonce is never an answer.
pub fn frames(bytes: &[u8]) {
    let nonce = Nonce::fresh().expect("random numbers");
    let stream = with_nonce(bytes, nonce.as_str().as_bytes());
    let read = |cuts: &dyn Fn(usize) -> usize| {
        let (mut frames, mut out) = (Frames::new(), VecDeque::new());
        frames.expect(nonce);
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (part, after) = rest.split_at(cuts(rest.len()).clamp(1, rest.len()));
            frames.push(part, &mut out);
            rest = after;
        }
        frames.finish(&mut out);
        out
    };
    let whole = read(&|n| n);
    assert_eq!(whole, read(&|_| 1), "byte by byte");
    assert_eq!(whole, read(&|n| n % 7 + 1), "in pieces");
    let text: usize = whole.iter().map(|i| if let Item::Text(t) = i { t.len() } else { 0 }).sum();
    assert!(text <= stream.len());
    if find(bytes, NONCE).is_none() {
        assert!(!whole.iter().any(|i| matches!(i, Item::Frame(..))), "an answer without the nonce");
    }
}

/// Records are the same however the stream is cut, and no longer than it.
pub fn clixml(bytes: &[u8]) {
    let mut decoder = Decoder::new();
    let mut records = Vec::new();
    for piece in bytes.chunks(5) {
        decoder.push(piece, &mut records);
    }
    decoder.finish(&mut records);
    assert_eq!(records, clixml::decode(bytes));
    // A byte that is no UTF-8 becomes three, an error's text may be told twice.
    let text: usize = records.iter().map(|r| r.text.len() + r.detail.as_ref().map_or(0, String::len)).sum();
    assert!(text <= bytes.len() * 6);
}

/// No line makes a key trusted that is not written there, and none is lost for a bad one beside it.
pub fn known_hosts(bytes: &[u8]) {
    let known = KnownHosts::of(bytes, Path::new("known_hosts"));
    let stranger = key(b"a key that no file holds");
    let shown = format!("{:?}", known.judge("[node.example]:2222", &stranger));
    assert!(!shown.starts_with("Trusted") && !shown.starts_with("Revoked"), "{shown}");
    let _ = known.preference("node.example");
    let _ = known.other_names(&stranger);
    assert!(known.warnings.len() <= 101, "{} warnings", known.warnings.len());
    let mut text = bytes.to_vec();
    text.extend_from_slice(b"\n");
    text.extend_from_slice(line_for("other.example", &stranger).as_bytes());
    text.extend_from_slice(b"\n");
    let after = KnownHosts::of(&text, Path::new("known_hosts"));
    let shown = format!("{:?}", after.judge("other.example", &stranger));
    assert!(shown.starts_with("Trusted"), "{shown}");
}

/// What is let through cannot move a cursor, hide, or reorder; it is bounded, and the same however the stream is cut.
pub fn sanitise(bytes: &[u8]) {
    let whole = sanitise::lines(bytes);
    let mut cleaner = Cleaner::new();
    let mut pieces = Vec::new();
    for piece in bytes.chunks(3) {
        cleaner.push(piece, |l| pieces.push(l));
    }
    pieces.extend(cleaner.finish());
    assert_eq!(whole, pieces);
    for line in &whole {
        harmless(line);
        assert!(line.len() <= sanitise::MAX_LINE, "{} bytes", line.len());
        assert_eq!(sanitise::lines(line.as_bytes()).concat(), *line, "cleaned twice it is the same");
    }
    let text = String::from_utf8_lossy(bytes);
    harmless(&clean(&text));
    let short = clean_short(&text, 40);
    harmless(&short);
    assert!(short.len() <= 40);
}

fn harmless(text: &str) {
    for c in text.chars() {
        let bidi =
            matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let tag = matches!(c, '\u{e0000}'..='\u{e007f}');
        assert!(!c.is_control() && !bidi && !tag, "{c:?} in {text:?}");
    }
}

fn key(text: &[u8]) -> HostKey {
    let kind = b"ssh-ed25519";
    let mut blob = Vec::new();
    for part in [&kind[..], text] {
        blob.extend_from_slice(&(part.len() as u32).to_be_bytes());
        blob.extend_from_slice(part);
    }
    HostKey::from_blob(&blob).expect("a key")
}

fn with_nonce(bytes: &[u8], nonce: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = find(rest, NONCE) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(nonce);
        rest = &rest[at + NONCE.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}
