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

    /// The bytes without any secret: as many stars as it has bytes.
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut out = Cow::Borrowed(bytes);
        for secret in self.0.values().map(|s| s.expose_secret().as_bytes()).filter(|s| s.len() >= SHORTEST) {
            while let Some(at) = out.windows(secret.len()).position(|w| w == secret) {
                out.to_mut()[at..at + secret.len()].fill(b'*');
            }
        }
        out
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
}
