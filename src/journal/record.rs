//! One record: a line of JSON that carries its own checksum and the hash of the line before it
//! (run-safety-model 7.2).

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::core::event::{Event, Stamped};

/// Version of the format.
pub const VERSION: u64 = 1;

/// Longest line, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// What the first record says of the one before it.
pub const NO_PREVIOUS: &str = "00000000000000000000000000000000";

/// What every record of one engine's life has in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Rises with every engine that takes the run over.
    pub epoch: u64,
    /// Which engine process.
    pub instance: String,
}

/// Why a line is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Cut off, or not JSON.
    Torn,
    /// The checksum does not match.
    Checksum,
    /// It does not follow the line before it.
    Chain,
    /// Written by a newer version.
    Newer(u64),
    /// A kind that this version does not know, and that may not be skipped.
    UnknownCritical(String),
    /// JSON, but not a record.
    Shape(String),
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bad::Torn => f.write_str("the record is cut off"),
            Bad::Checksum => f.write_str("the checksum does not match"),
            Bad::Chain => f.write_str("it does not follow the record before it"),
            Bad::Newer(v) => write!(f, "it was written in format {v}; this program knows {VERSION}"),
            Bad::UnknownCritical(k) => write!(f, "records of kind {k} need a newer program"),
            Bad::Shape(why) => write!(f, "it is not a record: {why}"),
        }
    }
}

/// The line of a record, without its line break.
///
/// # Errors
/// It would be longer than a record may be: its length.
pub fn encode(stamped: &Stamped, writer: &Writer, monotonic_ms: u64, previous: &str) -> Result<String, usize> {
    let event = serde_json::to_value(&stamped.event).unwrap_or(Json::Null);
    let mut o = Map::new();
    o.insert("v".into(), VERSION.into());
    o.insert("seq".into(), stamped.seq.into());
    o.insert("t".into(), stamped.at.to_string().into());
    o.insert("m".into(), monotonic_ms.into());
    o.insert("e".into(), writer.epoch.into());
    o.insert("i".into(), writer.instance.as_str().into());
    o.insert("a".into(), stamped.actor.as_str().into());
    o.insert("k".into(), event.get("k").cloned().unwrap_or(Json::Null));
    if let Some(unit) = stamped.event.unit() {
        o.insert("u".into(), unit.as_str().into());
    }
    if let Some(op) = stamped.event.op() {
        o.insert("o".into(), op.as_str().into());
    }
    o.insert("d".into(), event.get("d").cloned().unwrap_or(Json::Null));
    if stamped.event.is_critical() {
        o.insert("critical".into(), true.into());
    }
    o.insert("p".into(), previous.into());
    let mut line = Json::Object(o).to_string();
    let sum = crc32c::crc32c(line.as_bytes());
    line.pop();
    line.push_str(&format!(",\"c\":\"{sum:08x}\"}}"));
    if line.len() > LONGEST { Err(line.len()) } else { Ok(line) }
}

/// The hash of a line, as the next one carries it.
pub fn hash(line: &str) -> String {
    Sha256::digest(line.as_bytes())[..16].iter().map(|b| format!("{b:02x}")).collect()
}

/// A line that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// None where the kind is not known to this version and may be skipped.
    pub stamped: Option<Stamped>,
    /// Its kind, where it is not known and may not be skipped by whoever goes on.
    pub critical: Option<String>,
    pub seq: u64,
    pub epoch: u64,
    pub previous: String,
}

#[derive(Deserialize)]
struct Raw {
    v: u64,
    seq: u64,
    t: Timestamp,
    e: u64,
    a: String,
    k: String,
    #[serde(default)]
    d: Json,
    p: String,
    #[serde(default)]
    critical: bool,
}

/// Length of `,"c":"01234567"}`.
const TAIL: usize = 16;

/// Reads a line.
///
/// # Errors
/// Why it is no record.
pub fn decode(line: &str) -> Result<Record, Bad> {
    let cut = line.len().checked_sub(TAIL).ok_or(Bad::Torn)?;
    let (body, tail) = (line.get(..cut).ok_or(Bad::Torn)?, line.get(cut..).ok_or(Bad::Torn)?);
    let sum = tail.strip_prefix(",\"c\":\"").and_then(|t| t.strip_suffix("\"}")).ok_or(Bad::Torn)?;
    let sum = u32::from_str_radix(sum, 16).map_err(|_| Bad::Torn)?;
    let whole = format!("{body}}}");
    if crc32c::crc32c(whole.as_bytes()) != sum {
        return Err(Bad::Checksum);
    }
    let raw: Raw = serde_json::from_str(&whole).map_err(|e| Bad::Shape(e.to_string()))?;
    if raw.v > VERSION {
        return Err(Bad::Newer(raw.v));
    }
    let event = serde_json::json!({ "k": raw.k, "d": raw.d });
    let (stamped, critical) = match serde_json::from_value::<Event>(event) {
        Ok(event) => (Some(Stamped { seq: raw.seq, at: raw.t, actor: raw.a, event }), None),
        Err(_) => (None, raw.critical.then_some(raw.k)),
    };
    Ok(Record { stamped, critical, seq: raw.seq, epoch: raw.e, previous: raw.p })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::run::Phase;

    fn line() -> String {
        let stamped = Stamped {
            seq: 7,
            at: "2025-06-14T08:00:00Z".parse().unwrap(),
            actor: "j.doe".into(),
            event: Event::PhaseChanged { to: Phase::Ready, why: "every \"blocker\" passes — ✔".into() },
        };
        let writer = Writer { epoch: 2, instance: "0199".into() };
        encode(&stamped, &writer, 12, NO_PREVIOUS).unwrap()
    }

    #[test]
    fn a_record_is_readable_and_comes_back() {
        insta::assert_snapshot!(line(), @r#"{"v":1,"seq":7,"t":"2025-06-14T08:00:00Z","m":12,"e":2,"i":"0199","a":"j.doe","k":"phase","d":{"to":{"is":"ready"},"why":"every \"blocker\" passes — ✔"},"critical":true,"p":"00000000000000000000000000000000","c":"02632e87"}"#);
        let r = decode(&line()).unwrap();
        assert_eq!((r.seq, r.epoch, r.previous.as_str()), (7, 2, NO_PREVIOUS));
        assert!(matches!(r.stamped.unwrap().event, Event::PhaseChanged { to: Phase::Ready, .. }));
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let line = line();
        for i in 0..line.len() {
            let mut bytes = line.clone().into_bytes();
            bytes[i] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(decode(&changed).is_err(), "byte {i}");
            }
        }
        for n in 0..line.len() {
            if line.is_char_boundary(n) {
                assert!(decode(&line[..n]).is_err(), "cut at {n}");
            }
        }
    }

    #[test]
    fn an_unknown_kind_is_skipped_unless_critical() {
        let with = |k: &str, more: &str| {
            let body = format!(
                "{{\"v\":1,\"seq\":1,\"t\":\"2025-06-14T08:00:00Z\",\"e\":1,\"a\":\"engine\",\"k\":\"{k}\",\"p\":\"x\"{more}}}"
            );
            let sum = crc32c::crc32c(body.as_bytes());
            format!("{},\"c\":\"{sum:08x}\"}}", &body[..body.len() - 1])
        };
        let skipped = decode(&with("new.thing", "")).unwrap();
        assert_eq!((skipped.stamped, skipped.critical), (None, None));
        let critical = decode(&with("new.thing", ",\"critical\":true")).unwrap();
        assert_eq!((critical.stamped, critical.critical.as_deref()), (None, Some("new.thing")));
    }
}
