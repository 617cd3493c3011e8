//! What ConstrainedLanguage refuses. Azure Local enforces App Control: during the upgrade a node changes to it, and the same
//! script must work before and after (about_Language_Modes, and each form tried on an engine).

use tree_sitter::Node;

use super::Finding;
use super::rules::{
    BASIC_MEMBER, CONSTRAINED_MEMBER, CONSTRAINED_METHOD, CONSTRAINED_OBJECT, CONSTRAINED_TYPE, DOT_SOURCE,
};
use super::script::{Call, Role, Script, children};

/// Types that values may be converted to and whose members may be used.
const TYPES: [&str; 38] = [
    "array",
    "bigint",
    "bool",
    "byte",
    "char",
    "cimclass",
    "ciminstance",
    "cimsession",
    "cimtype",
    "datetime",
    "decimal",
    "double",
    "float",
    "guid",
    "hashtable",
    "int",
    "int16",
    "int32",
    "int64",
    "ipaddress",
    "long",
    "pscredential",
    "psobject",
    "regex",
    "sbyte",
    "scriptblock",
    "securestring",
    "single",
    "string",
    "switch",
    "timespan",
    "uint16",
    "uint32",
    "uint64",
    "uri",
    "version",
    "void",
    "xml",
];

/// `[ordered]` is no type, and the rest describes parameters.
const ATTRIBUTES: [&str; 17] = [
    "alias",
    "allowemptycollection",
    "allowemptystring",
    "allownull",
    "cmdletbinding",
    "ordered",
    "outputtype",
    "parameter",
    "switchparameter",
    "validatecount",
    "validatelength",
    "validatenotnull",
    "validatenotnullorempty",
    "validatepattern",
    "validaterange",
    "validatescript",
    "validateset",
];

/// Methods of texts, times, lists, tables, patterns and documents.
const METHODS: [&str; 57] = [
    "add",
    "adddays",
    "addhours",
    "addmilliseconds",
    "addminutes",
    "addmonths",
    "addseconds",
    "addticks",
    "addyears",
    "clear",
    "clone",
    "compareto",
    "contains",
    "containskey",
    "containsvalue",
    "copyto",
    "duration",
    "endswith",
    "equals",
    "foreach",
    "getenumerator",
    "gethashcode",
    "getlength",
    "indexof",
    "indexofany",
    "insert",
    "ismatch",
    "isnullorempty",
    "lastindexof",
    "match",
    "matches",
    "negate",
    "normalize",
    "padleft",
    "padright",
    "remove",
    "replace",
    "selectnodes",
    "split",
    "startswith",
    "substring",
    "subtract",
    "tobytearray",
    "tochararray",
    "tofiletime",
    "tofiletimeutc",
    "tolocaltime",
    "tolower",
    "tolowerinvariant",
    "tostring",
    "touniversaltime",
    "toupper",
    "toupperinvariant",
    "trim",
    "trimend",
    "trimstart",
    "where",
];

/// Kinds that `New-Object` may make.
const OBJECTS: [&str; 4] =
    ["psobject", "pscredential", "management.automation.psobject", "management.automation.pscredential"];

pub fn check(s: &Script, out: &mut Vec<Finding>) {
    for node in s.nodes() {
        if s.is_full_language_only(node) {
            continue;
        }
        match node.kind() {
            "::" => out.extend(node.parent().map(|member| static_member(s, member))),
            "type_spec" if !is_allowed(s.text(node)) && !is_of_member(node) => out.push(refused_type(s, node)),
            "invokation_expression" => out.extend(method(s, node)),
            _ => {}
        }
    }
    for call in s.calls() {
        if !s.is_full_language_only(call.node) {
            out.extend(object(&call).or_else(|| sourced(s, &call)));
        }
    }
}

/// The name of a type without `System.` and without brackets, as it is compared.
fn bare(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("system.").unwrap_or(&name);
    name.trim_end_matches(['[', ']', ',']).to_owned()
}

fn is_basic(name: &str) -> bool {
    let name = bare(name);
    TYPES.contains(&name.as_str()) || OBJECTS.contains(&name.as_str())
}

fn is_allowed(name: &str) -> bool {
    is_basic(name) || ATTRIBUTES.contains(&bare(name).as_str())
}

/// The type in `[type]::Member`: the whole is said at once.
fn is_of_member(node: Node) -> bool {
    let literal = node.parent().filter(|p| p.kind() == "type_literal");
    literal.and_then(|l| l.next_sibling()).is_some_and(|n| n.kind() == "::")
}

fn refused_type(s: &Script, node: Node) -> Finding {
    let name = s.text(node);
    let help = match bare(name).as_str() {
        "pscustomobject" => "a hashtable does: @{ … }",
        "ref" => "put out what is found, and assign it",
        _ => "cmdlets and operators do the same; the basic types may be used",
    };
    s.finding(CONSTRAINED_TYPE, node, format!("ConstrainedLanguage refuses the type [{name}]")).help(help)
}

fn static_member(s: &Script, member: Node) -> Finding {
    let text = s.text(member);
    let name = text.strip_prefix('[').and_then(|t| t.split_once("]::")).map_or("", |(name, _)| name);
    let what: String = text.split('(').next().unwrap_or(text).chars().take(60).collect();
    if is_basic(name) {
        let message = format!("`{what}` works for basic types only, and only by their short names");
        return s
            .finding(BASIC_MEMBER, member, message)
            .help("an operator or a cmdlet says the same: -join, Get-Date, \"\"");
    }
    let message = format!("ConstrainedLanguage refuses `{what}`");
    s.finding(CONSTRAINED_MEMBER, member, message).help("take a cmdlet or an operator that does it")
}

/// A method of something: whose it is cannot be known here, so what no basic type has is said.
fn method(s: &Script, node: Node) -> Option<Finding> {
    let name = children(node).into_iter().find(|n| n.kind() == "member_name")?;
    if children(node).iter().any(|n| n.kind() == "::") {
        return None;
    }
    let text = s.text(name);
    let allowed = METHODS.contains(&text.trim_matches(['\'', '"']).to_ascii_lowercase().as_str());
    let on_block = node.child(0).is_some_and(|n| s.text(n).starts_with('{'));
    if allowed && !on_block {
        return None;
    }
    let help = match text.to_ascii_lowercase().as_str() {
        "invoke" => "call a block with &",
        "gettype" => "ask $x.PSTypeNames, or -is",
        "getattribute" | "selectsinglenode" => "read the property of the element: $x.Name",
        "dispose" | "close" => "a cmdlet closes what it opened",
        _ => "take a cmdlet or an operator that does it",
    };
    let message = format!("`.{text}()` is no method of a basic type: ConstrainedLanguage refuses it");
    Some(s.finding(CONSTRAINED_METHOD, name, message).help(help))
}

fn object(call: &Call) -> Option<Finding> {
    let say = |message: String, help: &str| Some(call.finding(CONSTRAINED_OBJECT, message).help(help));
    if call.is("Add-Type") {
        return say("ConstrainedLanguage refuses Add-Type".into(), "take a cmdlet that does it");
    }
    if call.is("Start-Job") {
        return say(
            "ConstrainedLanguage refuses Start-Job".into(),
            "a long script is a step with `detached = true`",
        );
    }
    if !call.is("New-Object") {
        return None;
    }
    if call.parameters.iter().any(|p| p.name.to_ascii_lowercase().starts_with("com")) {
        return say("ConstrainedLanguage refuses COM objects".into(), "take a cmdlet or a CIM class that does it");
    }
    let given = call.value("TypeName").or_else(|| call.arguments.first().map(|a| call.resolved(*a)));
    let name = given.unwrap_or_default();
    let words = name.split(['(', ' ']).next().unwrap_or_default();
    if is_basic(words) && !words.ends_with(']') {
        return None;
    }
    say(format!("ConstrainedLanguage refuses New-Object {name}"), "a hashtable, or a cmdlet that makes one")
}

fn sourced(s: &Script, call: &Call) -> Option<Finding> {
    let own = s.used.roles.contains(&Role::Process);
    let file = call.name.trim_matches(['"', '\'']).to_ascii_lowercase().ends_with(".ps1");
    if call.operator == Some(".") {
        let message = "dot-sourcing: across trust boundaries ConstrainedLanguage refuses it";
        return Some(call.finding(DOT_SOURCE, message).help("put the functions into the prelude of the runbook"));
    }
    (file && !own).then(|| {
        let message = "another script file is not there: nodelift sends text, and leaves no files";
        call.finding(DOT_SOURCE, message).help("put its functions into the prelude of the runbook")
    })
}
