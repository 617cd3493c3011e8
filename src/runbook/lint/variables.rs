//! Variables that nothing sets: under strict mode, which the prelude switches on, reading one throws.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::Finding;
use super::rules::VARIABLE_UNSET;
use super::script::{Script, children};

/// Variables that PowerShell sets, and `$arg`.
const AUTOMATIC: [&str; 40] = [
    "_",
    "?",
    "^",
    "$",
    "arg",
    "args",
    "confirmpreference",
    "consolefilename",
    "debugpreference",
    "error",
    "erroractionpreference",
    "errorview",
    "executioncontext",
    "false",
    "foreach",
    "formatenumerationlimit",
    "home",
    "host",
    "informationpreference",
    "input",
    "lastexitcode",
    "matches",
    "maximumhistorycount",
    "myinvocation",
    "null",
    "ofs",
    "pid",
    "progresspreference",
    "psboundparameters",
    "pscmdlet",
    "psdefaultparametervalues",
    "psitem",
    "psscriptroot",
    "pssessionoption",
    "psversiontable",
    "pwd",
    "shellid",
    "stacktrace",
    "switch",
    "this",
];
const MORE: [&str; 4] = ["true", "verbosepreference", "warningpreference", "whatifpreference"];

/// Parameters that set the variable whose name they get.
const SETTING: [&str; 8] = [
    "errorvariable",
    "informationvariable",
    "outvariable",
    "pipelinevariable",
    "sessionvariable",
    "variable",
    "warningvariable",
    "name",
];

pub fn check(s: &Script, out: &mut Vec<Finding>) {
    let mut known: BTreeSet<String> = set(s);
    known.extend(s.used.variables.iter().cloned());
    let mut said = BTreeSet::new();
    for node in s.nodes().into_iter().filter(|n| n.kind() == "variable") {
        let Some(name) = name(s.text(node)) else { continue };
        let automatic = AUTOMATIC.contains(&name.as_str()) || MORE.contains(&name.as_str());
        // What PowerShell 7 alone has is said elsewhere.
        let of_7 = super::language::is_variable_of_7(&name);
        if automatic || of_7 || known.contains(&name) || !said.insert(name.clone()) {
            continue;
        }
        let help = match super::commands::nearest(&name, known.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean ${meant}?"),
            None => "what a script gets is in $arg".to_owned(),
        };
        let message = format!("nothing sets {}: to read it throws", s.text(node));
        out.push(s.finding(VARIABLE_UNSET, node, message).help(help));
    }
}

/// The name of a variable in small letters; nothing where it belongs to a drive or to another scope.
fn name(text: &str) -> Option<String> {
    let bare = text.trim_start_matches(['$', '@']).trim_matches(['{', '}']).to_ascii_lowercase();
    match bare.split_once(':') {
        None => Some(bare),
        Some(("private" | "local" | "script", name)) => Some(name.to_owned()),
        Some(_) => None,
    }
}

/// Variables that a script sets somewhere, in small letters.
pub fn set(s: &Script) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut add = |node: Node| out.extend(name(s.text(node)));
    for node in s.nodes() {
        match node.kind() {
            "left_assignment_expression" => variables(node).into_iter().for_each(&mut add),
            "script_parameter" | "class_method_parameter" | "foreach_statement" => {
                children(node).into_iter().filter(|n| n.kind() == "variable").for_each(&mut add);
            }
            _ => {}
        }
    }
    for call in s.calls() {
        for given in call.parameters.iter().filter(|p| SETTING.contains(&p.name.to_ascii_lowercase().as_str())) {
            if given.name.eq_ignore_ascii_case("name") && !call.is("Set-Variable") && !call.is("New-Variable") {
                continue;
            }
            out.extend(given.value.and_then(|v| name(s.text(v).trim().trim_matches(['\'', '"', '+']))));
        }
    }
    out
}

/// Variables in what is assigned to: `$a, $b`, `[int]$c`. Of `$a.b` and `$a[$i]` none is set.
fn variables(node: Node<'_>) -> Vec<Node<'_>> {
    match node.kind() {
        "variable" => vec![node],
        "member_access" | "element_access" => Vec::new(),
        _ => children(node).into_iter().flat_map(variables).collect(),
    }
}
