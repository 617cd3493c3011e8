//! Conditions that are true whatever is read, or never: the slips that can be seen without knowing a fact.

use crate::core::expr::{Compiled, Scope};
use crate::runbook::checked::bound;

/// What a condition always is, where that can be seen; and the part that makes it so.
pub fn fate(text: &str) -> Option<(bool, String)> {
    // A choice is lower than everything: what stands beside it belongs to one of its branches.
    if split(text, "?").len() > 1 {
        return None;
    }
    let alternatives: Vec<Vec<&str>> = split(text, "||").into_iter().map(|a| split(a, "&&")).collect();
    let fates: Vec<Option<(bool, String)>> = alternatives.iter().map(|terms| all(terms)).collect();
    if let Some(always) = fates.iter().flatten().find(|(value, _)| *value) {
        return Some(always.clone());
    }
    let single: Vec<&str> = alternatives.iter().filter(|t| t.len() == 1).map(|t| t[0]).collect();
    if let Some(pair) = opposed(&single, "!=") {
        return Some((true, pair));
    }
    let never = fates.iter().all(|f| matches!(f, Some((false, _))));
    fates.into_iter().flatten().next().filter(|_| never)
}

/// What terms that must all hold always are together.
fn all(terms: &[&str]) -> Option<(bool, String)> {
    let values: Vec<Option<bool>> = terms.iter().map(|t| value(t)).collect();
    if let Some(i) = values.iter().position(|v| *v == Some(false)) {
        return Some((false, terms[i].trim().to_owned()));
    }
    if let Some(pair) = opposed(terms, "==") {
        return Some((false, pair));
    }
    values.iter().all(|v| *v == Some(true)).then(|| (true, terms.join("&&").trim().to_owned()))
}

/// The value of a term that names nothing.
fn value(term: &str) -> Option<bool> {
    let compiled = Compiled::new(term).ok()?;
    let own = bound(term);
    let free = compiled.variables().into_iter().any(|v| !own.contains(&v.as_str()) && !v.starts_with('@'));
    if free { None } else { compiled.holds(&Scope::default()).ok() }
}

/// Two terms that compare the same with two different values: with `==` both cannot hold, with `!=` one always does.
fn opposed(terms: &[&str], operator: &str) -> Option<String> {
    let compared: Vec<(&str, &str, &str)> = terms.iter().filter_map(|t| comparison(t, operator)).collect();
    for (i, (what, value, term)) in compared.iter().enumerate() {
        let other = compared[..i].iter().find(|(w, v, _)| w == what && v != value);
        if let Some((_, _, first)) = other {
            return Some(format!("{first} {} {term}", if operator == "==" { "&&" } else { "||" }));
        }
    }
    None
}

/// `what`, a literal value, and the whole, of a comparison.
fn comparison<'a>(term: &'a str, operator: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut term = term.trim();
    while term.starts_with('(') && term.ends_with(')') && split(&term[1..term.len() - 1], ")").len() == 1 {
        term = term[1..term.len() - 1].trim();
    }
    let parts = split(term, operator);
    let [what, value] = parts[..] else { return None };
    let (what, value) = (what.trim(), value.trim());
    let literal = value.starts_with(['\'', '"'])
        || value.parse::<f64>().is_ok()
        || ["true", "false", "null"].contains(&value);
    (literal && !what.contains(['>', '<'])).then_some((what, value, term))
}

/// Parts between a sign, where it stands outside of brackets and quotes.
fn split<'a>(text: &'a str, sign: &str) -> Vec<&'a str> {
    let (mut out, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_i32, None);
    let mut skip = 0;
    for (i, c) in text.char_indices() {
        if i < skip {
            continue;
        }
        match (quote, c) {
            (Some(_), '\\') => skip = i + 2,
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, _) if depth == 0 && text[i..].starts_with(sign) => {
                out.push(&text[start..i]);
                skip = i + sign.len();
                start = skip;
            }
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            _ => {}
        }
    }
    out.push(&text[start..]);
    out
}

#[cfg(test)]
mod tests {
    use super::fate;

    fn is(text: &str) -> Option<bool> {
        fate(text).map(|(value, _)| value)
    }

    #[test]
    fn what_is_always_so_is_found() {
        for always in
            ["true", "1 == 1", "x.a == 1 || true", "x != 'a' || x != 'b'", "size([1].filter(n, n > 0)) == 1"]
        {
            assert_eq!(is(always), Some(true), "{always}");
        }
        for never in [
            "false",
            "x.a > 1 && false",
            "x == 'a' && x == 'b'",
            "(x.a == 1) && y && (x.a == 2)",
            "1 > 2 || false",
        ] {
            assert_eq!(is(never), Some(false), "{never}");
        }
        assert_eq!(fate("a != 1 || b || a != 2"), Some((true, "a != 1 || a != 2".into())));
    }

    #[test]
    fn what_depends_on_facts_is_not() {
        for open in [
            "x == 'a' || x == 'b'",
            "x != 'a' && x != 'b'",
            "x.all(n, n == 'a') && x == 'b || true'",
            "x ? true : false",
            "unknown('why')",
            "x == '\\' && false' && y",
            "x == 1 && y == 2",
            "(x == 1 || y == 1) && (x == 2 || y == 2)",
            "x == y && x == 'a'",
        ] {
            assert_eq!(is(open), None, "{open}");
        }
    }
}
