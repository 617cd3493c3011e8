//! Expressions are checked where they stand: syntax, the names they use, the functions they call.

use crate::config::diagnose::suggest;
use crate::core::expr::{Compiled, FUNCTIONS};
use crate::core::gate_rules::GateRule;
use crate::core::plan::FactGroup;

/// Variables that every expression sees (see `core::judge`).
pub const VARIABLES: &[&str] =
    &["target", "set", "cluster_name", "node_names", "node_name", "coordinator_name", "unexplained"];

/// Functions and macros of CEL itself that may be called by name.
const STANDARD: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "type",
    "dyn",
    "has",
    "all",
    "exists",
    "exists_one",
    "filter",
    "map",
    "in",
];

/// Macros that bring a variable of their own.
const BINDING: &[&str] = &["all", "exists", "exists_one", "filter", "map"];

/// What the rest of a runbook may refer to.
pub struct Known {
    pub facts: Vec<FactGroup>,
    pub gates: Vec<GateRule>,
}

impl Known {
    /// The fact group of that id.
    pub fn group(&self, id: &str) -> Option<&FactGroup> {
        self.facts.iter().find(|f| f.id == id)
    }
}

/// Offset in the expression, message, help.
type Wrong = (usize, String, Option<String>);

/// Whether an expression can have a value where these facts are given.
pub fn check_expression(text: &str, facts: &[String]) -> Result<(), Wrong> {
    let compiled = Compiled::new(text).map_err(|e| (e.offset, e.message, None))?;
    let own = bound(text);
    let known: Vec<&str> = VARIABLES.iter().copied().chain(facts.iter().map(String::as_str)).collect();
    for name in compiled.variables() {
        if !known.contains(&name.as_str()) && !own.contains(&name.as_str()) && !name.starts_with('@') {
            let help = format!("{}; facts must be listed in `facts`", suggest(&name, known.clone()));
            return Err((find(text, &name), format!("`{name}` is not known here"), Some(help)));
        }
    }
    let functions: Vec<&str> = FUNCTIONS.iter().map(|(n, _)| *n).chain(STANDARD.iter().copied()).collect();
    for name in compiled.functions() {
        let named = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with('_');
        if named && !functions.contains(&name.as_str()) {
            return Err((
                find(text, &name),
                format!("there is no function `{name}`"),
                Some(suggest(&name, functions)),
            ));
        }
    }
    Ok(())
}

/// Variables that macros in the text bring: the first argument of `list.map(x, …)`.
pub fn bound(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for macro_name in BINDING {
        for (i, _) in text.match_indices(&format!(".{macro_name}(")) {
            let rest = &text[i + macro_name.len() + 2..];
            out.extend(rest.split(',').next().map(str::trim));
        }
    }
    out
}

fn find(text: &str, word: &str) -> usize {
    text.match_indices(word)
        .map(|(i, _)| i)
        .find(|i| {
            let whole = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.');
            whole(text[..*i].chars().next_back()) && !text[i + word.len()..].starts_with(char::is_alphanumeric)
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Option<(usize, String)> {
        check_expression(text, &["registry".into(), "nodes".into()]).err().map(|(o, m, _)| (o, m))
    }

    #[test]
    fn known_names_pass() {
        assert_eq!(wrong("registry.a == 0 && target.build > 1"), None);
        assert_eq!(wrong("nodes.nodes.all(n, n.state == 'Up' && n.x.exists(y, y == n.z))"), None);
        assert_eq!(wrong("join(distinct(nodes.nodes.map(n, text(n.build))), ', ') == ''"), None);
        assert_eq!(wrong("has(registry.a) && size(nodes.nodes) >= 2 && 'x' in node_names"), None);
    }

    #[test]
    fn unknown_names_are_pointed_at() {
        assert_eq!(wrong("target.build > 1 && regstry.a == 0"), Some((20, "`regstry` is not known here".into())));
        assert_eq!(wrong("joined(nodes.nodes) == ''"), Some((0, "there is no function `joined`".into())));
        assert_eq!(wrong("registry.a =="), Some((13, "mismatched input the end of the expression".into())));
    }
}
