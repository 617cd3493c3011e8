//! What is called exists on a node, by its full name, with these parameters.

use super::Finding;
use super::aliases;
use super::cmdlets::{self, Cmdlet};
use super::language::{is_cmdlet_of_7, is_parameter_of_7};
use super::rules::{
    CMDLET_ALIAS, CMDLET_MODULE, CMDLET_NEWER, CMDLET_UNKNOWN, PARAMETER_SHORT, PARAMETER_UNKNOWN, Rule, SPELLING,
};
use super::script::{Call, Script};

const CAPITALS: &str = "take its own capitals: so it is found by searching";

/// Words that other rules speak of.
const ELSEWHERE: [&str; 4] = ["clean", "using", "pause", "shutdown"];

pub fn check(s: &Script, out: &mut Vec<Finding>) {
    for call in s.calls() {
        let name = call.cmdlet();
        let other = call.is_program() || call.is_block() || call.name.starts_with(['"', '\'', '.']);
        if other
            || s.has_function(name)
            || is_cmdlet_of_7(name)
            || ELSEWHERE.iter().any(|e| e.eq_ignore_ascii_case(name))
        {
            continue;
        }
        match cmdlets::find(name) {
            Some(cmdlet) => known(&call, &cmdlet, out),
            None => out.push(unknown(s, &call)),
        }
    }
}

fn unknown(s: &Script, call: &Call) -> Finding {
    let name = call.cmdlet();
    if let Some(meant) = aliases::meant(name) {
        return call.finding(CMDLET_ALIAS, format!("`{name}` is an alias")).help(format!("write {meant}"));
    }
    let known = cmdlets::names().chain(s.functions().iter().chain(&s.used.given).map(String::as_str));
    let help = match nearest(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if !name.contains('-') => format!("a program is written with its ending: {name}.exe"),
        None => "is it of another product? Say so: `# lint: allow cmdlet-unknown <which>`".to_owned(),
    };
    let message = format!("nobody knows `{name}`: Windows has no such cmdlet, and the script no such function");
    call.finding(CMDLET_UNKNOWN, message).help(help)
}

/// The name that was probably meant: a slip of the keyboard, not another cmdlet of the same verb.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let scored = known.map(|k| (strsim::normalized_damerau_levenshtein(&lower, &k.to_lowercase()), k));
    scored.filter(|(score, _)| *score > 0.78).max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1))).map(|(_, k)| k)
}

fn known(call: &Call, cmdlet: &Cmdlet, out: &mut Vec<Finding>) {
    if let Some((module, _)) = call.name.rsplit_once('\\')
        && !module.eq_ignore_ascii_case(cmdlet.module)
        && cmdlet.module != "-"
    {
        let message = format!("`{}` is not of the module {module}", cmdlet.name);
        out.push(call.finding(CMDLET_MODULE, message).help(format!("write {}\\{}", cmdlet.module, cmdlet.name)));
    }
    if call.cmdlet() != cmdlet.name {
        let message = format!("Windows writes it `{}`", cmdlet.name);
        out.push(call.finding(SPELLING, message).help(CAPITALS));
    }
    if cmdlet.newer {
        let message = format!("`{}` is there from Windows Server 2025 on", cmdlet.name);
        out.push(call.finding(CMDLET_NEWER, message).help("ask Get-Command first, and say where it is needed"));
    }
    let given = call.parameters.iter().map(|p| (p.node, p.name.to_owned()));
    let spread = call.splats.iter().flat_map(|v| call.script.table_keys(v)).map(|n| (n, call.script.key(n)));
    for (node, name) in given.chain(spread) {
        if is_parameter_of_7(cmdlet.name, &name) {
            continue;
        }
        if let Some((rule, message, help)) = parameter(cmdlet, &name) {
            out.push(call.script.finding(rule, node, message).help(help));
        }
    }
}

/// What is wrong with a parameter: the rule, the message and what to do.
fn parameter(cmdlet: &Cmdlet, name: &str) -> Option<(&'static Rule, String, String)> {
    if let Some(known) = cmdlet.parameter(name) {
        // Of Where-Object they are operators: everybody writes those in small letters.
        if known.name != name && cmdlet.name != "Where-Object" {
            return Some((SPELLING, format!("Windows writes it -{}", known.name), CAPITALS.to_owned()));
        }
        if known.newer && !cmdlet.newer {
            let message = format!("`{}` has -{name} from Windows Server 2025 on", cmdlet.name);
            return Some((CMDLET_NEWER, message, "ask (Get-Command ...).Parameters first".to_owned()));
        }
        return None;
    }
    if let Some(known) = cmdlet.parameters.iter().find(|p| p.aliases.iter().any(|a| a.eq_ignore_ascii_case(name)))
    {
        return Some((PARAMETER_SHORT, format!("-{name} is an alias"), format!("write -{}", known.name)));
    }
    let lower = name.to_ascii_lowercase();
    let names = || cmdlet.parameters.iter().map(|p| p.name);
    let begin: Vec<&str> = names().filter(|p| p.to_ascii_lowercase().starts_with(&lower)).collect();
    Some(match begin[..] {
        [] => {
            let help = match nearest(name, names()) {
                Some(meant) => format!("did you mean -{meant}?"),
                None => format!("it has {}", list(cmdlet)),
            };
            (PARAMETER_UNKNOWN, format!("`{}` has no -{name}", cmdlet.name), help)
        }
        [one] => (PARAMETER_SHORT, format!("-{name} is shortened"), format!("write -{one}")),
        _ => (PARAMETER_UNKNOWN, format!("-{name} may be several"), format!("-{}", begin.join(" or -"))),
    })
}

/// The parameters of a cmdlet, for a line.
fn list(cmdlet: &Cmdlet) -> String {
    let names: Vec<&str> = cmdlet.parameters.iter().map(|p| p.name).take(8).collect();
    let more = if cmdlet.parameters.len() > names.len() { ", …" } else { "" };
    format!("-{}{more}", names.join(", -"))
}
