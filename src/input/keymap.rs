//! Which key does what: the embedded file, and over it the user's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use super::action::{ACTIONS, Action, Scope};
use super::key::Key;
use crate::config::diagnose::{Diagnostic, Diagnostics, Source, suggest};

/// The default file: it is the documentation, and made from the table of actions.
pub const DEFAULT: &str = include_str!("../../config/keys.toml");

/// Word that takes a key away.
const NOTHING: &str = "nothing";

/// Keys of every scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap(BTreeMap<(Scope, Key), Action>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    global: Table,
    #[serde(default)]
    nodes: Table,
    #[serde(default)]
    checks: Table,
    #[serde(default)]
    logs: Table,
    #[serde(default)]
    reader: Table,
    #[serde(default)]
    dialog: Table,
    #[serde(default)]
    replay: Table,
}

type Table = BTreeMap<Spanned<String>, Spanned<String>>;

impl Default for Keymap {
    fn default() -> Self {
        let mut map = BTreeMap::new();
        for spec in ACTIONS {
            for scope in spec.scopes {
                for key in spec.keys.iter().filter_map(|k| Key::from_str(k).ok()) {
                    map.insert((*scope, key), spec.action);
                }
            }
        }
        Self(map)
    }
}

impl Keymap {
    /// The default keys with the user's file over them. A key in the file replaces what that key did in that scope.
    ///
    /// # Errors
    /// Every mistake in the file: an unknown key or action, a key that is bound twice, a key that nobody gets.
    pub fn with(user: &Source) -> Result<Self, Diagnostics> {
        let mut map = Self::default();
        let file: File = user.parse()?;
        let tables = [
            (Scope::Global, file.global),
            (Scope::Nodes, file.nodes),
            (Scope::Checks, file.checks),
            (Scope::Logs, file.logs),
            (Scope::Reader, file.reader),
            (Scope::Dialog, file.dialog),
            (Scope::Replay, file.replay),
        ];
        let mut wrong = Vec::new();
        for (scope, table) in tables {
            let mut seen: BTreeMap<Key, (Range<usize>, String)> = BTreeMap::new();
            let mut rows: Vec<_> = table.into_iter().collect();
            rows.sort_by_key(|(k, _)| k.span().start);
            for (key, action) in rows {
                match entry(user, scope, &key, &action) {
                    Ok((key_read, action_read)) => {
                        if let Some((first, name)) = seen.get(&key_read) {
                            let (line, _) = user.position(first.start);
                            wrong.push(
                                Diagnostic::new(
                                    user,
                                    key.span(),
                                    format!("`{key_read}` is bound twice in [{}]", scope.word()),
                                )
                                .help(format!("line {line} gives it to `{name}` already")),
                            );
                            continue;
                        }
                        seen.insert(key_read, (key.span(), action.get_ref().clone()));
                        match action_read {
                            Some(a) => map.0.insert((scope, key_read), a),
                            None => map.0.remove(&(scope, key_read)),
                        };
                    }
                    Err(d) => wrong.push(d),
                }
            }
        }
        if wrong.is_empty() { Ok(map) } else { Err(Diagnostics(wrong)) }
    }

    /// What a key does, looked up in these scopes in order.
    pub fn action(&self, key: Key, scopes: &[Scope]) -> Option<Action> {
        let key = key.normal();
        scopes.iter().find_map(|s| self.0.get(&(*s, key)).copied())
    }

    /// The key to show for an action: the first of its default keys that still does it, or else any.
    pub fn key_of(&self, action: Action) -> Option<Key> {
        let spec = action.spec();
        let does = |scope: &Scope, key: &Key| self.0.get(&(*scope, *key)) == Some(&action);
        let usual = spec.keys.iter().filter_map(|k| Key::from_str(k).ok());
        usual
            .into_iter()
            .find(|k| spec.scopes.iter().any(|s| does(s, k)))
            .or_else(|| self.0.iter().find(|(_, a)| **a == action).map(|((_, k), _)| *k))
    }

    /// Every key of an action, the shown one first.
    pub fn keys_of(&self, action: Action) -> Vec<Key> {
        let mut keys: Vec<Key> = self.key_of(action).into_iter().collect();
        for ((_, key), a) in &self.0 {
            if *a == action && !keys.contains(key) {
                keys.push(*key);
            }
        }
        keys
    }
}

fn entry(
    file: &Source,
    scope: Scope,
    key: &Spanned<String>,
    action: &Spanned<String>,
) -> Result<(Key, Option<Action>), Diagnostic> {
    let parsed = Key::from_str(key.get_ref()).map_err(|_| {
        Diagnostic::new(file, key.span(), format!("`{}` is no key", key.get_ref()))
            .help("keys are written r, R, ctrl-l, shift-tab, space, enter, pgdn, f5")
    })?;
    if let Some(why) = parsed.taken() {
        return Err(Diagnostic::new(file, key.span(), format!("`{parsed}` never arrives everywhere"))
            .help(format!("{why}: choose another key")));
    }
    if action.get_ref() == NOTHING {
        return Ok((parsed, None));
    }
    let here = || ACTIONS.iter().filter(|s| s.scopes.contains(&scope)).map(|s| s.id);
    let found = Action::named(action.get_ref()).ok_or_else(|| {
        Diagnostic::new(file, action.span(), format!("there is no action `{}`", action.get_ref()))
            .help(suggest(action.get_ref(), here().collect::<Vec<_>>()))
    })?;
    if !found.spec().scopes.contains(&scope) {
        let places: Vec<String> = found.spec().scopes.iter().map(|s| format!("[{}]", s.word())).collect();
        return Err(Diagnostic::new(
            file,
            action.span(),
            format!("`{}` does nothing in [{}]", action.get_ref(), scope.word()),
        )
        .help(format!("it belongs to {}", places.join(", "))));
    }
    Ok((parsed, Some(found)))
}

/// The default keys file, made from the table.
pub fn default_file() -> String {
    let mut out = String::from(
        "# Keys of nodelift, as they are. Copy what you want to change into your own file:\n\
         #   Linux    ~/.config/nodelift/keys.toml\n\
         #   Windows  %APPDATA%\\nodelift\\config\\keys.toml\n\
         # A key there replaces what that key does in that part of the screen; \"nothing\" takes it away.\n\
         # Keys are written r, R, ctrl-l, shift-tab, space, enter, pgdn, f5.\n",
    );
    for scope in Scope::ALL {
        let _ = write!(out, "\n[{}]\n", scope.word());
        for spec in ACTIONS.iter().filter(|s| s.scopes.contains(&scope)) {
            for key in spec.keys {
                let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
                let action = format!("\"{}\"", spec.id);
                let _ = writeln!(out, "{quoted:<12} = {action:<20} # {}", spec.doc);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        Keymap::with(&Source::new("keys.toml", text)).unwrap_err().to_string()
    }

    #[test]
    fn the_default_file_says_what_the_table_says() {
        if std::env::var_os("NODELIFT_BLESS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/config/keys.toml"), default_file()).unwrap();
        } else {
            assert_eq!(DEFAULT, default_file(), "run the tests with NODELIFT_BLESS=1 to write it anew");
        }
        let read = Keymap::with(&Source::new("keys.toml", default_file())).unwrap();
        assert_eq!(read, Keymap::default());
    }

    #[test]
    fn no_default_key_is_bound_twice_or_taken_by_terminals() {
        let mut seen = BTreeMap::new();
        for spec in ACTIONS {
            for key in spec.keys {
                let key: Key = key.parse().unwrap_or_else(|_| panic!("{key} of {}", spec.id));
                assert_eq!(key.taken(), None, "{key}");
                for scope in spec.scopes {
                    let before = seen.insert((*scope, key), spec.id);
                    assert_eq!(before, None, "{key} in {scope:?}");
                }
            }
        }
    }

    #[test]
    fn a_user_moves_and_removes_keys() {
        let text = "[global]\n\"x\" = \"retry-failed\"\n\"R\" = \"nothing\"\n";
        let map = Keymap::with(&Source::new("keys.toml", text)).unwrap();
        let key = |k: &str| map.action(k.parse().unwrap(), &[Scope::Checks, Scope::Global]);
        assert_eq!(key("x"), Some(Action::RetryFailed));
        assert_eq!(key("R"), None);
        assert_eq!(key("r"), Some(Action::RetryCheck));
        assert_eq!(map.key_of(Action::RetryFailed).map(|k| k.to_string()).as_deref(), Some("x"));
    }

    #[test]
    fn mistakes_point_and_suggest() {
        let s = mistakes("[global]\n\"x\" = \"retry-faild\"\n");
        assert!(s.contains("keys.toml:2:7: there is no action `retry-faild`"), "{s}");
        assert!(s.contains("did you mean `retry-failed`?"), "{s}");
        let s = mistakes("[global]\n\"ctrl-s\" = \"start\"\n");
        assert!(s.contains("it stops and starts the terminal's output"), "{s}");
        let s = mistakes("[global]\n\"ctrl-L\" = \"help\"\n\"ctrl-l\" = \"leave\"\n");
        assert!(s.contains("keys.toml:3:1: `ctrl-l` is bound twice in [global]"), "{s}");
        assert!(s.contains("line 2 gives it to `help` already"), "{s}");
        let s = mistakes("[logs]\n\"x\" = \"start\"\n");
        assert!(s.contains("it belongs to [global]"), "{s}");
        let s = mistakes("[glbal]\n");
        assert!(s.contains("did you mean `global`?"), "{s}");
    }
}
