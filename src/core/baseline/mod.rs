//! What a node was like before the run touched it, and what its upgrade changed beside the build (run-safety-model 4, Verifying;
//! azure-local-upgrade 6): adapters, roles, services, drivers and so on, as one fact group of the runbook reads them.
//!
//! `Run::baseline` is something else: build and start of each node, by which a restart is told. Here it is about everything that
//! should have stayed as it was. What the runbook does not expect is *unexplained*: the next node waits until it is gone, or until a
//! person accepted it.

mod compare;
mod standing;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use compare::compare;
pub(super) use standing::upgraded_here;
pub use standing::{gate, missing, unexplained, unexplained_on};

use super::event::{Answer, ENGINE, Stamped};
use super::plan::Expr;
use super::state::Seen;

/// What a runbook compares, and what it knows of changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The fact group, read on each node: `{ KIND: { NAME: { FIELD: value } }, …, unread: [{ kind, why }] }`.
    pub facts: String,
    /// Changes that an upgrade makes: the first that holds explains one.
    pub expected: Vec<Expected>,
    /// Changes that it should not make and that were seen before, with what to do.
    pub known: Vec<KnownChange>,
}

impl Baseline {
    /// The known change of that id.
    pub fn known(&self, id: &str) -> Option<&KnownChange> {
        self.known.iter().find(|k| k.id == id)
    }
}

/// A change that an upgrade makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    pub when: Expr,
    /// Why that is as it should be, a sentence.
    pub why: String,
}

/// A change that was seen before, and its remedy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownChange {
    pub id: String,
    pub when: Expr,
    pub title: String,
    pub remedy: String,
    /// A command that a person could copy.
    pub command: Option<String>,
    pub source: String,
}

/// Variables that `when` sees beside `target` and `set`: what changed, and the whole rows (null where there is none).
pub const VARIABLES: &[&str] = &["kind", "name", "field", "before", "after", "old", "new"];

/// Changes kept for one node; what is more is counted.
pub const MOST: usize = 200;

/// Something that is not as it was, and that the runbook does not expect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `adapter`, `service`: where it stands in the record.
    pub kind: String,
    pub name: String,
    pub what: What,
    /// The known change that this is, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
}

/// What happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It was not there before.
    Added,
    /// It is gone.
    Removed,
    Changed {
        field: String,
        before: Json,
        after: Json,
    },
    /// This kind could not be read, before or after: nobody knows.
    Unread(String),
}

impl Change {
    /// One line for people: `adapter BMC: description was "X", is "X #2"`.
    pub fn text(&self) -> String {
        let Change { kind, name, what, .. } = self;
        match what {
            What::Added => format!("{kind} {name} is new"),
            What::Removed => format!("{kind} {name} is gone"),
            What::Changed { field, before, after } => {
                format!("{kind} {name}: {} was {}, is {}", field.replace('_', " "), short(before), short(after))
            }
            What::Unread(why) if name.is_empty() => format!("{kind}: {why}"),
            What::Unread(why) => format!("{kind} {name}: {why}"),
        }
    }

    /// Whether a person who accepted `self` accepted that too.
    fn is(&self, other: &Change) -> bool {
        (&self.kind, &self.name, &self.what) == (&other.kind, &other.name, &other.what)
    }
}

/// A value as people read it.
fn short(value: &Json) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        Json::String(s) => format!("\"{s}\""),
        Json::Array(all) => all.iter().map(short).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// What came out of comparing a node with what it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What the runbook does not expect, at most `MOST`.
    pub changes: Vec<Change>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
    /// How many were expected, by why they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expected: BTreeMap<String, u32>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What a person accepted, with their reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    pub changes: Vec<Change>,
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
}

/// A node before and after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// As it was before anything was done to it, or why that is not known.
    pub before: Option<Seen<Answer>>,
    /// The last comparison, since it first came out like that.
    pub compared: Option<Seen<Comparison>>,
    pub accepted: Vec<Acceptance>,
    /// Number of the event that last said something new of it.
    pub seq: u64,
}

impl Configuration {
    /// A record was read: until one is known, it is what the node was before.
    pub(super) fn read(&mut self, answer: &Answer, at: Timestamp) {
        let known = self.before.as_ref().is_some_and(|b| matches!(b.value, Answer::Facts(_)));
        if !known && self.compared.is_none() {
            self.before = Some(Seen { at, value: answer.clone() });
        }
    }

    pub(super) fn accept(&mut self, stamped: &Stamped, changes: &[Change], reason: &str) {
        debug_assert_ne!(stamped.actor, ENGINE, "a person accepts");
        self.seq = stamped.seq;
        self.accepted.push(Acceptance {
            changes: changes.to_vec(),
            reason: reason.to_owned(),
            by: stamped.actor.clone(),
            at: stamped.at,
        });
    }

    /// Whether a person accepted this.
    pub fn is_accepted(&self, change: &Change) -> bool {
        self.accepted.iter().any(|a| a.changes.iter().any(|c| c.is(change)))
    }
}
