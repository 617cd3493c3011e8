//! What a script gets: `$arg`, with the names that the runbook lists.

use super::Finding;
use super::rules::{ARGUMENT_MISSING, PARAM};
use super::script::{Role, Script, children};

pub fn check(s: &Script, out: &mut Vec<Finding>) {
    for node in s.nodes() {
        match node.kind() {
            "param_block" if is_of_script(node) && !s.used.roles.contains(&Role::Process) => {
                let message = "a script has no parameters: it is sent as text, behind its prelude";
                out.push(
                    s.finding(PARAM, node, message)
                        .help("list the names in `args` of the runbook, and read $arg.name"),
                );
            }
            "member_access" => out.extend(missing(s, node)),
            _ => {}
        }
    }
}

/// Of the script, not of a function in it.
fn is_of_script(node: tree_sitter::Node) -> bool {
    node.parent().is_some_and(|p| p.kind() == "program")
}

fn missing(s: &Script, node: tree_sitter::Node) -> Option<Finding> {
    let known = s.used.arguments.as_ref()?;
    let parts = children(node);
    let name = parts.iter().find(|n| n.kind() == "member_name")?;
    let of_arguments = parts.first().is_some_and(|n| s.text(*n).eq_ignore_ascii_case("$arg"));
    if !of_arguments || known.iter().any(|k| k.eq_ignore_ascii_case(s.text(*name))) {
        return None;
    }
    let message = format!("`$arg.{}` is not there: the runbook does not list it", s.text(*name));
    let help = if known.is_empty() {
        format!("add `args = [\"{}\"]` where the script is named", s.text(*name))
    } else {
        format!("add it to `args` where the script is named; it has {}", known.join(", "))
    };
    Some(s.finding(ARGUMENT_MISSING, *name, message).help(help))
}
