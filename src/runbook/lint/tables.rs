//! What a runbook's tables lack, beyond what loading asks for.

use std::collections::BTreeMap;

use super::Finding;
use super::expressions;
use super::rules::{EXPRESSION_CONSTANT, FACTS_UNUSED, TIMEOUT_MISSING, WORDS_MISSING};
use super::walk::Part;
use crate::core::expr::Compiled;
use crate::runbook::schema::{ActionTable, CheckTable, ConditionTable, ProbeTable, ProofTable, Word};

/// Time-outs, words and conditions of one file.
pub fn check(part: &Part, out: &mut Vec<Finding>) {
    let say = |rule, word: &Word, message: String, help: &str| {
        Finding::new(rule, &part.source, word.span(), message).help(help)
    };
    for facts in part.facts.iter().filter(|f| f.slow && f.timeout.is_none()) {
        let message =
            format!("`{}` is slow and has no `timeout`: it is stopped after 60 seconds", facts.id.get_ref());
        out.push(say(TIMEOUT_MISSING, &facts.id, message, "add `timeout = …`, in seconds"));
    }
    for step in part.steps.iter().filter(|s| s.script.is_some() && s.timeout.is_none()) {
        let message = format!("`{}` has no `timeout`: its script is stopped after 60 seconds", step.id.get_ref());
        out.push(say(TIMEOUT_MISSING, &step.id, message, "add `timeout = …`, in seconds"));
    }
    for check in &part.checks {
        let words = [("expect", &check.expect), ("remedy", &check.remedy), ("source", &check.source)];
        for (name, _) in words.into_iter().filter(|(_, text)| text.trim().is_empty()) {
            let message = format!("the `{name}` of `{}` is empty", check.id.get_ref());
            out.push(say(WORDS_MISSING, &check.id, message, why(name)));
        }
        for fix in check.fix.iter().filter(|f| f.changes.get_ref().trim().is_empty()) {
            let message = format!("`changes` of the fix of `{}` is empty", check.id.get_ref());
            out.push(say(
                WORDS_MISSING,
                &fix.changes,
                message,
                "it is the question that a person answers: \"sets …\"",
            ));
        }
    }
    for action in actions(part).filter(|a| a.script.is_some() && a.timeout.is_none()) {
        let message =
            format!("`{}` has no `timeout`: its script is stopped after 60 seconds", action.id.get_ref());
        out.push(say(TIMEOUT_MISSING, &action.id, message, "add `timeout = …`, in seconds"));
    }
    let of_checks = part
        .checks
        .iter()
        .flat_map(|c| [c.pass.as_ref(), c.applies.as_ref(), c.warn.as_ref(), c.fail.as_ref()])
        .flatten();
    let probes = probes(part).flat_map(|p| [Some(&p.done), p.failed.as_ref()]).flatten();
    let proofs = proofs(part).map(|p| &p.pass).chain(conditions(part).map(|c| &c.pass));
    let changes = part
        .baseline
        .iter()
        .flat_map(|b| b.expected.iter().map(|e| &e.when).chain(b.known.iter().map(|k| &k.when)));
    for word in of_checks.chain(probes).chain(proofs).chain(changes) {
        if let Some((value, because)) = expressions::fate(word.get_ref()) {
            let what = if value { "always true, whatever is read" } else { "never true, whatever is read" };
            let message = format!("this condition is {what}: {because}");
            let help = if value {
                "a check that cannot fail checks nothing: && instead of ||?"
            } else {
                "|| instead of &&?"
            };
            out.push(say(EXPRESSION_CONSTANT, word, message, help));
        }
    }
}

/// Actions of the sequences of a file.
fn actions(part: &Part) -> impl Iterator<Item = &ActionTable> {
    part.sequences.iter().flat_map(|s| &s.action)
}

/// What tells whether something happened, of steps and of actions.
fn probes(part: &Part) -> impl Iterator<Item = &ProbeTable> {
    part.steps.iter().filter_map(|s| s.probe.as_ref()).chain(actions(part).filter_map(|a| a.probe.as_ref()))
}

/// What must hold, of steps and of gates.
fn proofs(part: &Part) -> impl Iterator<Item = &ProofTable> {
    part.steps.iter().flat_map(|s| &s.proof).chain(actions(part).flat_map(|a| &a.condition))
}

/// What gates consist of.
fn conditions(part: &Part) -> impl Iterator<Item = &ConditionTable> {
    part.gates.iter().flat_map(|g| &g.condition)
}

fn why(name: &str) -> &'static str {
    match name {
        "expect" => "say what should be",
        "remedy" => "say what a person does about it",
        _ => "say where the rule comes from: a document, a page, a person",
    }
}

/// Expressions of a check.
fn expressions(check: &CheckTable) -> impl Iterator<Item = &Word> {
    let all = [&check.pass, &check.applies, &check.warn, &check.fail, &check.observed, &check.detail];
    all.into_iter().flatten()
}

/// Where a fact group is named for nothing: (path, offset) → the finding, or nothing where it is used.
pub type Unused = BTreeMap<(String, usize), Option<Finding>>;

/// Adds a runbook's fact groups to those that are looked at: a file may be shared by several runbooks.
pub fn unused(parts: &[Part], out: &mut Unused) {
    let mut used: Vec<&str> = Vec::new();
    for part in parts {
        used.extend(part.checks.iter().flat_map(|c| &c.facts).map(|w| w.get_ref().as_str()));
        used.extend(probes(part).map(|p| p.facts.get_ref().as_str()));
        used.extend(conditions(part).flat_map(|c| &c.facts).map(|w| w.get_ref().as_str()));
        used.extend(proofs(part).flat_map(|p| &p.facts).map(|w| w.get_ref().as_str()));
        if let Some(d) = &part.driver {
            used.extend([&d.state, &d.report, &d.cluster, &d.host, &d.storage].map(|w| w.get_ref().as_str()));
        }
    }
    used.extend(parts.iter().filter_map(|p| Some(p.baseline.as_ref()?.facts.as_ref()?.get_ref().as_str())));
    for part in parts {
        let mut note = |word: &Word, is_used: bool, message: String, help: &str| {
            let at = (part.path.clone(), word.span().start);
            let finding = || Finding::new(FACTS_UNUSED, &part.source, word.span(), message).help(help);
            let entry = out.entry(at).or_insert_with(|| Some(finding()));
            if is_used {
                *entry = None;
            }
        };
        for group in &part.facts {
            let id = group.id.get_ref();
            let message = format!("nothing reads the fact group `{id}`");
            note(&group.id, used.contains(&id.as_str()), message, "a check lists it in `facts`; else take it out");
        }
        for check in &part.checks {
            let named: Vec<String> = expressions(check)
                .filter_map(|w| Compiled::new(w.get_ref()).ok())
                .flat_map(|c| c.variables())
                .collect();
            for word in check.facts.iter().filter(|_| !named.is_empty()) {
                let message = format!("no expression of `{}` uses `{}`", check.id.get_ref(), word.get_ref());
                note(word, named.contains(word.get_ref()), message, "take it out of `facts`");
            }
        }
    }
}
