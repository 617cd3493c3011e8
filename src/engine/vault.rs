//! Secrets: put into a request at the last moment, taken out of everything that is written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;

use crate::core::plan::SECRET_MARK;

/// Shortest secret that is looked for in texts: shorter ones would redact half of every line.
const SHORTEST: usize = 4;

/// The secrets of a run, by the names that plans use.
#[derive(Clone, Debug, Default)]
pub struct Vault(BTreeMap<String, SecretString>);

impl Vault {
    /// Adds a secret.
    pub fn put(&mut self, name: &str, secret: SecretString) {
        self.0.insert(name.to_owned(), secret);
    }

    /// Whether there is a secret of that name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Puts secrets where arguments carry their marks; one that is not there becomes null.
    pub fn fill(&self, args: &mut Json) {
        let Json::Object(o) = args else { return };
        for value in o.values_mut() {
            if let Some(name) = value.get(SECRET_MARK).and_then(Json::as_str) {
                *value = self.0.get(name).map_or(Json::Null, |s| Json::from(s.expose_secret()));
            }
        }
    }

    /// The text without any secret.
    pub fn redact(&self, text: &str) -> String {
        self.0.values().map(|s| s.expose_secret()).filter(|s| s.len() >= SHORTEST).fold(
            text.to_owned(),
            |text, secret| {
                if text.contains(secret) { text.replace(secret, "••••••") } else { text }
            },
        )
    }

    /// The bytes without any secret, as it is or as JSON and XML write it: as many stars as it has bytes. What stands
    /// between two pieces of a frame stays.
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut out = Cow::Borrowed(bytes);
        for secret in self.0.values().map(|s| s.expose_secret()).filter(|s| s.len() >= SHORTEST) {
            let mut at = 0;
            let first = secret.as_bytes()[0];
            while at < bytes.len() {
                let may_begin = bytes[at] == first || matches!(bytes[at], b'\\' | b'&');
                let Some(length) = may_begin.then(|| spelled(&bytes[at..], secret)).flatten() else {
                    at += 1;
                    continue;
                };
                let end = at + length;
                let out = out.to_mut();
                while at < end {
                    match frame_break(&bytes[at..]) {
                        0 => {
                            out[at] = b'*';
                            at += 1;
                        }
                        mark => at += mark,
                    }
                }
            }
        }
        out
    }

    /// Most bytes that a secret can take, however it is written.
    pub fn longest(&self) -> usize {
        self.0.values().map(|s| s.expose_secret().len() * LONGEST_ESCAPE).max().unwrap_or(0)
    }

    /// The record without any secret, keys and values alike.
    pub fn redact_json(&self, json: Json) -> Json {
        if self.0.is_empty() {
            return json;
        }
        match json {
            Json::String(s) => Json::String(self.redact(&s)),
            Json::Array(a) => a.into_iter().map(|v| self.redact_json(v)).collect(),
            Json::Object(o) => {
                Json::Object(o.into_iter().map(|(k, v)| (self.redact(&k), self.redact_json(v))).collect())
            }
            other => other,
        }
    }
}

/// Bytes of the longest escape of one byte of text.
const LONGEST_ESCAPE: usize = 6;

/// How many bytes a secret takes that begins here, however it is written; `None`: none begins here.
fn spelled(bytes: &[u8], secret: &str) -> Option<usize> {
    let plain = |rest: &[u8], c: char| {
        let mut utf8 = [0; 4];
        rest.starts_with(c.encode_utf8(&mut utf8).as_bytes()).then_some(c.len_utf8())
    };
    let all = |one: &dyn Fn(&[u8], char) -> Option<usize>| {
        secret.chars().try_fold(0, |at, c| Some(at + one(&bytes[at..], c)?))
    };
    all(&plain)
        .or_else(|| {
            all(&|rest, c| {
                // A long frame is broken between any two characters.
                let skipped = frame_break(rest);
                let rest = &rest[skipped..];
                let length = json_escape(rest, c).or_else(|| plain(rest, c).filter(|_| !matches!(c, '"' | '\\')));
                Some(skipped + length?)
            })
        })
        .or_else(|| all(&|rest, c| xml_escape(rest, c).or_else(|| plain(rest, c))))
}

/// Length of what stands between two pieces of a frame: a line break and the begin of the next piece.
fn frame_break(rest: &[u8]) -> usize {
    let start = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let mark = match rest[start..].strip_prefix(b"#~") {
        Some(mark) if start > 0 => mark,
        _ => return 0,
    };
    let nonce = mark.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    match mark.get(nonce..nonce + 2) {
        Some(b"~+" | b"~-") => start + 2 + nonce + 2,
        _ => 0,
    }
}

fn json_escape(rest: &[u8], c: char) -> Option<usize> {
    if matches!(c, '"' | '\\' | '/') && rest.starts_with(&[b'\\', c as u8]) {
        return Some(2);
    }
    let mut units = [0; 2];
    let mut length = 0;
    for unit in c.encode_utf16(&mut units) {
        let hex = rest.get(length..length + 6)?.strip_prefix(b"\\u")?;
        let value = u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
        if value != *unit {
            return None;
        }
        length += 6;
    }
    Some(length)
}

fn xml_escape(rest: &[u8], c: char) -> Option<usize> {
    let names: [(char, &[u8]); 5] =
        [('&', b"&amp;"), ('<', b"&lt;"), ('>', b"&gt;"), ('"', b"&quot;"), ('\'', b"&apos;")];
    names.into_iter().find(|(of, name)| *of == c && rest.starts_with(name)).map(|(_, name)| name.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_go_in_last_and_never_come_out() {
        let mut vault = Vault::default();
        vault.put("task_password", "hunter22".into());
        let mut args = json!({ "user": "x", "task_password": { "$secret": "task_password" }, "other": { "$secret": "nope" } });
        vault.fill(&mut args);
        assert_eq!(args, json!({ "user": "x", "task_password": "hunter22", "other": null }));
        assert_eq!(vault.redact("net use /user:x hunter22 ok"), "net use /user:x •••••• ok");
        assert_eq!(vault.redact_json(json!({ "a": ["hunter22"] })), json!({ "a": ["••••••"] }));
        assert!(!format!("{vault:?}").contains("hunter22"));
    }

    #[test]
    fn secrets_are_found_however_they_are_written() {
        let mut vault = Vault::default();
        vault.put("a", "p\"w\\ż&<".into());
        vault.put("b", "****".into());
        for (text, expected) in [
            ("x p\"w\\ż&< y", "x * y"),
            (r#"{"m":"p\"w\\\u017c\u0026\u003c!"}"#, r#"{"m":"*!"}"#),
            (r#"p\u0022w\\ż&<"#, "*"),
            ("<S>p&quot;w\\ż&amp;&lt;</S>", "<S>*</S>"),
            ("p\"w\\ż&", "p\"w\\ż&"),
            ("a **** b", "a * b"),
            ("{\"m\":\"p\\\"w\n#~0af3~-\\\\ż&<\"}", "{\"m\":\"*\n#~0af3~-*\"}"),
        ] {
            let clean = vault.redact_bytes(text.as_bytes());
            assert_eq!(clean.len(), text.len(), "{text}");
            let mut clean = String::from_utf8_lossy(&clean).into_owned();
            while clean.contains("**") {
                clean = clean.replace("**", "*");
            }
            assert_eq!(clean, expected, "{text}");
        }
        assert!(matches!(vault.redact_bytes(b"nothing here"), Cow::Borrowed(_)));
    }
}
