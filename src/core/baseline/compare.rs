//! Two records of a node, and what differs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::{Baseline, Change, Comparison, MOST, What};
use crate::core::expr::Scope;
use crate::core::judge::{Judge, target};
use crate::core::plan::{Expr, Plan};

/// Characters kept of one value: what differs is seen before.
const LONGEST: usize = 300;

/// The field of a record that says what could not be read.
const UNREAD: &str = "unread";

/// What differs between two records of one node. What the runbook expects is counted, the rest is told.
pub fn compare(judge: &Judge, plan: &Plan, rules: &Baseline, before: &Json, after: &Json) -> Comparison {
    let mut out = Comparison::default();
    let kinds: BTreeSet<&String> =
        [before, after].into_iter().filter_map(Json::as_object).flat_map(Map::keys).collect();
    let unread: BTreeMap<String, String> = [(before, "before"), (after, "after")]
        .into_iter()
        .flat_map(|(record, when)| unread(record, when))
        .collect();
    for (kind, why) in &unread {
        tell(
            &mut out,
            Change { kind: kind.clone(), name: String::new(), what: What::Unread(why.clone()), known: None },
        );
    }
    for kind in kinds.into_iter().filter(|k| *k != UNREAD && !unread.contains_key(*k)) {
        let (old, new) = (rows(before, kind), rows(after, kind));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).copied().collect();
        for name in names {
            for (field, what) in differences(old.get(name).copied(), new.get(name).copied()) {
                let scope = scope(plan, kind, name, field, old.get(name).copied(), new.get(name).copied());
                let holds = |when: &Expr| judge.explains(when, &scope);
                if let Some(rule) = rules.expected.iter().find(|e| holds(&e.when)) {
                    *out.expected.entry(rule.why.clone()).or_default() += 1;
                    continue;
                }
                let known = rules.known.iter().find(|k| holds(&k.when)).map(|k| k.id.clone());
                tell(&mut out, Change { kind: kind.clone(), name: cut(name), what, known });
            }
        }
    }
    out
}

fn tell(out: &mut Comparison, change: Change) {
    if out.changes.len() < MOST { out.changes.push(change) } else { out.more += 1 }
}

/// Kinds that a record could not read, with why.
fn unread(record: &Json, when: &str) -> Vec<(String, String)> {
    let Some(all) = record.get(UNREAD).and_then(Json::as_array) else { return Vec::new() };
    let one = |row: &Json| {
        let why = row.get("why").and_then(Json::as_str).unwrap_or("no reason given");
        let kind = row.get("kind").and_then(Json::as_str)?;
        Some((cut(kind), cut(&format!("could not be read {when} the upgrade: {why}"))))
    };
    all.iter().filter_map(one).collect()
}

/// The rows of one kind by their names.
fn rows<'a>(record: &'a Json, kind: &str) -> BTreeMap<&'a String, &'a Map<String, Json>> {
    let rows = record.get(kind).and_then(Json::as_object).into_iter().flatten();
    rows.filter_map(|(name, row)| Some((name, row.as_object()?))).collect()
}

/// What became of one row: the field, where it is about one.
fn differences<'a>(
    old: Option<&'a Map<String, Json>>,
    new: Option<&'a Map<String, Json>>,
) -> Vec<(Option<&'a str>, What)> {
    match (old, new) {
        (None, Some(_)) => vec![(None, What::Added)],
        (Some(_), None) => vec![(None, What::Removed)],
        (Some(old), Some(new)) => {
            let fields: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let value = |row: &Map<String, Json>, field: &str| row.get(field).cloned().unwrap_or(Json::Null);
            let differ = fields.into_iter().filter_map(|field| {
                let (before, after) = (value(old, field), value(new, field));
                (before != after).then(|| {
                    let what = What::Changed { field: cut(field), before: bounded(before), after: bounded(after) };
                    (Some(field.as_str()), what)
                })
            });
            differ.collect()
        }
        (None, None) => Vec::new(),
    }
}

fn scope(
    plan: &Plan,
    kind: &str,
    name: &str,
    field: Option<&str>,
    old: Option<&Map<String, Json>>,
    new: Option<&Map<String, Json>>,
) -> Scope {
    let mut scope = Scope::default();
    let of = |row: Option<&Map<String, Json>>| {
        row.zip(field).and_then(|(row, field)| row.get(field)).cloned().unwrap_or(Json::Null)
    };
    let row = |row: Option<&Map<String, Json>>| row.cloned().map_or(Json::Null, Json::Object);
    scope.set("target", &target(plan));
    scope.set("set", &serde_json::json!(plan.settings));
    scope.set("kind", &Json::from(kind));
    scope.set("name", &Json::from(name));
    scope.set("field", &field.map_or(Json::Null, Json::from));
    scope.set("before", &of(old));
    scope.set("after", &of(new));
    scope.set("old", &row(old));
    scope.set("new", &row(new));
    scope
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

fn bounded(value: Json) -> Json {
    match value {
        Json::String(s) => Json::String(cut(&s)),
        value @ (Json::Null | Json::Bool(_) | Json::Number(_)) => value,
        other => {
            let text = other.to_string();
            if text.chars().count() > LONGEST { Json::String(cut(&text)) } else { other }
        }
    }
}
