//! What the simulator answers to a script: `<script>.sim.toml`, expressions over the world (docs/runbooks.md).

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::Value as Json;

use super::facts::VARIABLES;
use crate::core::expr::{Compiled, NoValue, Scope};
use crate::remote::detached::{DETACH, OBSERVE};
use crate::remote::probes::{HOP, IDENTITY, PARSE, TASK};
use crate::remote::remoting::{GREET, PREPARE, READ, REMOTE};

/// Seconds of site time that a script takes where its answer does not say.
const TAKES: f64 = 0.3;

/// An expression, compiled when it is first needed.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Cel {
    text: String,
    compiled: OnceLock<Result<Compiled, String>>,
}

impl From<String> for Cel {
    fn from(text: String) -> Self {
        Self { text, compiled: OnceLock::new() }
    }
}

impl Cel {
    fn compiled(&self) -> Result<&Compiled, String> {
        let compile = || {
            Compiled::new(&self.text)
                .map_err(|e| format!("`{}`, at {}: {}", self.text.trim(), e.offset, e.message))
        };
        self.compiled.get_or_init(compile).as_ref().map_err(Clone::clone)
    }

    /// Variables that it names.
    pub(super) fn variables(&self) -> Result<Vec<String>, String> {
        Ok(self.compiled()?.variables())
    }

    /// Fields of a variable that it names, where it names fields only: the rest of a world need not be looked at.
    pub(super) fn fields_of(&self, variable: &str) -> Option<Vec<&str>> {
        let mut out = Vec::new();
        for (at, _) in self.text.match_indices(variable) {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let (before, after) = (&self.text[..at], &self.text[at + variable.len()..]);
            if before.ends_with(|c: char| word(c) || c == '.') || after.starts_with(word) {
                continue;
            }
            let field = after.strip_prefix('.').or_else(|| after.strip_prefix(", ['"))?;
            out.push(&field[..field.find(|c: char| !word(c)).unwrap_or(field.len())]);
        }
        Some(out)
    }

    pub(super) fn eval(&self, scope: &Scope) -> Result<Json, String> {
        self.compiled()?.eval(scope).map_err(|NoValue(why)| format!("`{}`: {why}", self.text.trim()))
    }
}

/// The answer to one script.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// Path of the script, for messages.
    #[serde(skip)]
    pub(super) name: String,
    /// Seconds of site time.
    pub(super) takes: Option<Cel>,
    /// Cmdlets whose errors the script catches: `thrown[cmdlet]` then holds the id, and it goes on.
    #[serde(default)]
    pub(super) caught: Vec<String>,
    /// Lines that it says at once, before the time it takes: a list of texts.
    pub(super) asks: Option<Cel>,
    /// Lines that it says: a list of texts.
    pub(super) says: Option<Cel>,
    #[serde(default, rename = "let")]
    pub(super) lets: Vec<Let>,
    #[serde(default, rename = "fail")]
    pub(super) fails: Vec<Fail>,
    #[serde(default, rename = "do")]
    pub(super) dos: Vec<Do>,
    /// The record.
    pub(super) answer: Cel,
}

/// A name for a value, seen by everything after it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Let {
    pub(super) name: String,
    pub(super) value: Cel,
}

/// An error that the script ends with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fail {
    /// It happens after the changes, not before them.
    #[serde(default)]
    pub(super) late: bool,
    pub(super) when: Cel,
    /// As PowerShell gives it: `Id,Class of the command`.
    pub(super) id: String,
    /// A text, with `{expression}` in it.
    pub(super) message: String,
}

/// A change of the world.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Do {
    pub(super) when: Option<Cel>,
    /// Done once for every member of this list, which is `each` then.
    #[serde(rename = "for")]
    pub(super) each: Option<Cel>,
    /// Path from `world` or `machine`; a part `{expression}` is evaluated.
    pub(super) set: Option<Vec<String>>,
    pub(super) value: Option<Cel>,
    /// Something that follows rules of its own: see `verbs`.
    pub(super) act: Option<String>,
    pub(super) args: Option<Cel>,
}

impl Answer {
    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut answer: Answer = toml::from_str(text).map_err(|e| format!("{name}: {e}"))?;
        for d in &answer.dos {
            let set = d.set.as_ref().is_some_and(|s| s.len() > 1) && d.value.is_some() && d.act.is_none();
            let act = d.act.is_some() && d.set.is_none() && d.value.is_none();
            if !set && !act {
                return Err(format!("{name}: a `do` needs `set` and `value`, or `act`"));
            }
        }
        answer.name = name.to_owned();
        Ok(answer)
    }

    fn problems(&self) -> Vec<String> {
        let texts =
            self.fails.iter().map(|f| &f.message).chain(self.dos.iter().flat_map(|d| d.set.iter().flatten()));
        let inner: Vec<Cel> = texts
            .flat_map(|t| t.split('{').skip(1).filter_map(|p| Some(Cel::from(p.split_once('}')?.0.to_owned()))))
            .collect();
        let all = [self.takes.as_ref(), self.asks.as_ref(), self.says.as_ref(), Some(&self.answer)]
            .into_iter()
            .flatten();
        let all = all.chain(self.lets.iter().map(|l| &l.value)).chain(self.fails.iter().map(|f| &f.when));
        let dos =
            self.dos.iter().flat_map(|d| [d.when.as_ref(), d.each.as_ref(), d.value.as_ref(), d.args.as_ref()]);
        let known = |cel: &Cel, name: &str| {
            VARIABLES.iter().any(|(v, _)| *v == name)
                || ["arg", "thrown", "each", "given", "list", "map", "string", "int"].contains(&name)
                || self.lets.iter().any(|l| l.name == name)
                || cel.text.contains(&format!("({name},"))
                || name.starts_with('@')
        };
        all.chain(dos.flatten())
            .chain(&inner)
            .flat_map(|cel| match cel.variables() {
                Err(why) => vec![why],
                Ok(names) => {
                    let unknown = names.into_iter().filter(|n| !known(cel, n));
                    unknown.map(|n| format!("`{}`: there is no `{n}`", cel.text.trim())).collect()
                }
            })
            .map(|why| format!("{}: {why}", self.name))
            .collect()
    }

    /// Seconds of site time where it says nothing else.
    pub(super) fn default_time() -> f64 {
        TAKES
    }
}

/// Answers by the text of their script.
#[derive(Clone, Debug, Default)]
pub struct Answers(HashMap<Arc<str>, Arc<Answer>>);

impl Answers {
    /// Answers to the scripts that come with the transport.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn embedded() -> Result<Self, String> {
        let mut answers = Self::default();
        for script in [DETACH, OBSERVE, IDENTITY, HOP, PARSE, TASK, REMOTE, GREET, READ, PREPARE] {
            answers.add(script.name, script.text, script.answer)?;
        }
        Ok(answers)
    }

    /// Adds the answer to a script: its path for messages, its whole text as it is sent, and the text of its `.sim.toml`.
    ///
    /// # Errors
    /// It cannot be read: in words, with its place.
    pub fn add(&mut self, name: &str, script: &str, answer: &str) -> Result<(), String> {
        self.0.insert(Arc::from(script), Arc::new(Answer::parse(name, answer)?));
        Ok(())
    }

    /// What is wrong with the expressions of all answers: found here, not when a script is first run.
    pub fn problems(&self) -> Vec<String> {
        let mut out: Vec<String> = self.0.values().flat_map(|a| a.problems()).collect();
        out.sort();
        out
    }

    /// Path of a script, as it was added.
    pub fn name(&self, script: &str) -> Option<&str> {
        self.0.get(script).map(|a| a.name.as_str())
    }

    /// Whether a script changes the world.
    pub fn changes(&self, script: &str) -> bool {
        self.0.get(script).is_some_and(|a| !a.dos.is_empty())
    }

    pub(super) fn get(&self, script: &str) -> Option<Arc<Answer>> {
        self.0.get(script).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_where_only_fields_are_named() {
        let fields = |text: &str| Cel::from(text.to_owned()).fields_of("machine").map(|f| f.join(" "));
        assert_eq!(fields("machine.os.build + at(machine, ['x', 'y']) + my.machine").as_deref(), Some("os x"));
        assert_eq!(fields("'a' in machine"), None);
        assert_eq!(fields("machines.a").as_deref(), Some(""));
    }

    #[test]
    fn mistakes_are_said_when_an_answer_is_added() {
        let mut a = Answers::default();
        assert!(a.add("x.ps1", "x", "answer = '{}'").is_ok());
        assert!(a.add("x.ps1", "x", "answr = '{}'").unwrap_err().contains("answr"));
        let nothing = "answer = '1'\n[[do]]\nwhen = 'true'";
        assert_eq!(a.add("x.ps1", "x", nothing).unwrap_err(), "x.ps1: a `do` needs `set` and `value`, or `act`");
    }
}
