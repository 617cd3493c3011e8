//! Every script that is shipped, looked at without Windows: what it calls exists there, with those parameters; nothing that
//! Windows PowerShell 5.1 or ConstrainedLanguage refuses; every error is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tree_sitter::{Node, Parser, Tree};

/// Cmdlets that no reference page here has, and their parameters: of the Az.StackHCI and solution-update families.
const MORE: [(&str, &[&str]); 2] = [("Get-AzureStackHCI", &[]), ("Get-StampInformation", &[])];

/// Parameters that only some providers add.
const OF_PROVIDERS: [(&str, &str); 1] = [("Set-Item", "Options")];

/// Parameters of every cmdlet.
const COMMON: [&str; 8] = [
    "ErrorAction",
    "ErrorVariable",
    "InformationAction",
    "OutVariable",
    "Verbose",
    "WarningAction",
    "WarningVariable",
    "Confirm",
];

/// Functions of the prelude, in front of every script of a runbook.
const PRELUDE: [&str; 2] = ["RegValue", "Utc"];

/// Modules and cmdlets that only work on what they are given: they need no `-ErrorAction`.
const PURE: [&str; 2] = ["Microsoft.PowerShell.Core", "Microsoft.PowerShell.Utility"];
const PURE_CMDLETS: [&str; 5] = ["Join-Path", "Split-Path", "Test-Path", "Get-Location", "Set-Location"];

/// Types that ConstrainedLanguage lets scripts convert to.
const TYPES: [&str; 10] =
    ["array", "bool", "char", "datetime", "double", "int", "int64", "scriptblock", "string", "timespan"];

/// Scripts that are processes of their own: only they may end one.
const PROCESSES: [&str; 2] = ["op.ps1", "worker.ps1"];

struct Script {
    path: PathBuf,
    text: String,
    tree: Tree,
}

impl Script {
    fn name(&self) -> &str {
        self.path.file_name().and_then(|n| n.to_str()).unwrap_or_default()
    }

    fn nodes(&self) -> Vec<Node<'_>> {
        let mut todo = vec![self.tree.root_node()];
        let mut out = Vec::new();
        while let Some(node) = todo.pop() {
            out.push(node);
            todo.extend((0..node.child_count()).rev().filter_map(|i| node.child(i as u32)));
        }
        out
    }

    fn text_of(&self, node: Node) -> &str {
        &self.text[node.byte_range()]
    }

    fn commands(&self) -> Vec<Call<'_>> {
        let commands = self.nodes().into_iter().filter(|n| n.kind() == "command");
        commands.filter_map(|n| Call::of(self, n)).collect()
    }

    fn functions(&self) -> Vec<&str> {
        self.nodes().into_iter().filter(|n| n.kind() == "function_name").map(|n| self.text_of(n)).collect()
    }

    fn says(&self, at: Node, what: &str) -> String {
        let line = at.start_position().row + 1;
        let seen: String = self.text_of(at).chars().take(60).collect();
        format!("{}:{line}: {what}: {}", self.path.display(), seen.replace('\n', " "))
    }
}

/// A command as it is written.
struct Call<'a> {
    node: Node<'a>,
    name: &'a str,
    parameters: Vec<&'a str>,
    splats: Vec<&'a str>,
}

impl<'a> Call<'a> {
    fn of(script: &'a Script, node: Node<'a>) -> Option<Self> {
        let mut name = None;
        let (mut parameters, mut splats) = (Vec::new(), Vec::new());
        for child in (0..node.child_count()).filter_map(|i| node.child(i as u32)) {
            match child.kind() {
                "command_name" | "command_name_expr" => name = Some(script.text_of(child)),
                "command_elements" => {
                    for element in (0..child.child_count()).filter_map(|i| child.child(i as u32)) {
                        let text = script.text_of(element);
                        if element.kind() == "command_parameter" {
                            parameters.push(text.trim_start_matches('-').trim_end_matches(':'));
                        } else if text.starts_with('@') && !text.starts_with("@(") && !text.starts_with("@{") {
                            splats.push(&text[1..]);
                        }
                    }
                }
                _ => {}
            }
        }
        Some(Self { node, name: name?, parameters, splats })
    }

    /// Its name without its module.
    fn cmdlet(&self) -> &'a str {
        self.name.rsplit_once('\\').map_or(self.name, |(_, name)| name)
    }

    fn is_program(&self) -> bool {
        self.name.ends_with(".exe")
    }

    /// A script block in a variable: what is in it is looked at where it is written.
    fn is_block(&self) -> bool {
        self.name.starts_with('$')
    }
}

fn script(path: PathBuf, text: String) -> Script {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("the grammar fits");
    let tree = parser.parse(&text, None).expect("parsed");
    Script { path, text, tree }
}

fn scripts() -> Vec<Script> {
    let read = |path: PathBuf| fs::read_to_string(&path).map(|text| script(path, text)).expect("readable");
    files(Path::new("config"), "ps1").into_iter().map(read).collect()
}

/// Every file below a folder with that ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            out.push(path);
        }
    }
    out.sort();
    out
}

/// Cmdlet → its module and parameters.
fn reference() -> BTreeMap<String, (String, Vec<String>)> {
    let mut out = BTreeMap::new();
    for file in files(Path::new("tests/fixtures/cmdlets"), "json") {
        let module = file.file_stem().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        let text = fs::read_to_string(&file).expect("readable");
        let cmdlets: BTreeMap<String, Vec<String>> = serde_json::from_str(&text).expect("JSON");
        out.extend(cmdlets.into_iter().map(|(name, parameters)| (name, (module.clone(), parameters))));
    }
    for (name, parameters) in MORE {
        let parameters = parameters.iter().map(|p| (*p).to_owned()).collect();
        out.insert(name.to_owned(), (String::new(), parameters));
    }
    out
}

/// Applies a rule to every script.
fn none(rule: impl Fn(&Script) -> Vec<String>) {
    let wrong: Vec<String> = scripts().iter().flat_map(rule).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_script_is_ascii() {
    none(ascii);
}

fn ascii(s: &Script) -> Vec<String> {
    // Neither a code page nor PowerShell 5.1, which takes a file without a mark for ANSI, can change it then.

    let lines = s.text.lines().enumerate().filter(|(_, l)| !l.is_ascii() || l.contains('\t'));
    lines.map(|(i, l)| format!("{}:{}: {l}", s.path.display(), i + 1)).collect()
}

#[test]
fn every_script_parses() {
    none(parses);
}

fn parses(s: &Script) -> Vec<String> {
    let broken = s.nodes().into_iter().filter(|n| n.is_error() || n.is_missing());
    broken.map(|n| s.says(n, "not PowerShell")).collect()
}

#[test]
fn every_cmdlet_and_parameter_is_one_of_windows() {
    none(known);
}

fn known(s: &Script) -> Vec<String> {
    let reference = reference();

    let own = s.functions();
    let mut wrong = Vec::new();
    for call in s.commands() {
        let name = call.cmdlet();
        if own.contains(&name) || PRELUDE.contains(&name) || call.is_program() || call.is_block() {
            continue;
        }
        let Some((module, parameters)) = reference.get(name) else {
            // The wrapper runs the script beside it.
            if !(s.name() == "op.ps1" && call.name == "\"$Dir\\script.ps1\"") {
                wrong.push(s.says(call.node, "no such cmdlet, or an alias"));
            }
            continue;
        };
        if call.name != name && call.name != format!("{module}\\{name}") {
            wrong.push(s.says(call.node, "not of that module"));
        }
        for parameter in &call.parameters {
            let known = parameters.iter().any(|p| p == parameter)
                || COMMON.contains(parameter)
                || OF_PROVIDERS.contains(&(name, parameter));
            if !known {
                wrong.push(s.says(call.node, &format!("has no -{parameter}, or it is shortened")));
            }
        }
    }
    wrong
}

#[test]
fn the_reference_holds_nothing_else() {
    let scripts = scripts();
    let used: BTreeSet<&str> = scripts.iter().flat_map(Script::commands).map(|c| c.cmdlet()).collect();
    // The transport's own scripts may come later than their cmdlets.
    let late =
        ["ConvertFrom-Json", "Get-Culture", "Get-Location", "Invoke-Expression", "Set-Item", "Set-Location"];
    let unused: Vec<String> =
        reference().into_keys().filter(|c| !used.contains(c.as_str()) && !late.contains(&c.as_str())).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn every_error_of_a_cmdlet_is_an_error() {
    none(stops);
}

fn stops(s: &Script) -> Vec<String> {
    let reference = reference();

    if s.text.contains("$ErrorActionPreference = 'Stop'") || s.text.contains("$ErrorActionPreference='Stop'") {
        return Vec::new();
    }
    let touches = |call: &Call| {
        let pure = PURE_CMDLETS.contains(&call.cmdlet());
        let module = reference.get(call.cmdlet()).map(|(module, _)| module.as_str());
        !pure && module.is_some_and(|m| !PURE.contains(&m))
    };
    let says = |call: &Call| {
        call.parameters.contains(&"ErrorAction") || call.splats.iter().any(|v| holds(&s.text, v, "ErrorAction"))
    };
    let silent = s.commands().into_iter().filter(|c| touches(c) && !says(c));
    silent.map(|c| s.says(c.node, "needs -ErrorAction")).collect()
}

/// Whether the table that a variable is made with has that key.
fn holds(text: &str, variable: &str, key: &str) -> bool {
    let Some((_, table)) = text.split_once(&format!("${variable} = @{{")) else { return false };
    let mut depth = 1;
    let end = table.find(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth == 0
    });
    table[..end.unwrap_or(table.len())].contains(&format!("{key} = "))
}

#[test]
fn native_programs_get_no_input() {
    none(fed);
}

fn fed(s: &Script) -> Vec<String> {
    // A program that reads its input would eat the next request.

    let fed = |call: &Call| {
        let pipeline = call.node.parent().map(|p| s.text_of(p).trim_start().to_owned()).unwrap_or_default();
        pipeline.starts_with("$null |")
    };
    let hungry = s.commands().into_iter().filter(|c| c.is_program() && !fed(c));
    hungry.map(|c| s.says(c.node, "is not fed from $null")).collect()
}

#[test]
fn nothing_that_constrained_language_refuses() {
    none(constrained);
}

fn constrained(s: &Script) -> Vec<String> {
    let mut wrong = Vec::new();
    for node in s.nodes() {
        let text = s.text_of(node);
        match node.kind() {
            "::" => wrong.push(s.says(node.parent().unwrap_or(node), "calls .NET")),
            "type_spec" if !TYPES.contains(&text.to_ascii_lowercase().as_str()) => {
                wrong.push(s.says(node, "a type that is not allowed"));
            }
            "assignment_expression" if text.to_ascii_lowercase().starts_with("$env:") => {
                wrong.push(s.says(node, "changes the environment"));
            }
            "flow_control_statement"
                if text.to_ascii_lowercase().starts_with("exit") && !PROCESSES.contains(&s.name()) =>
            {
                wrong.push(s.says(node, "ends the worker"));
            }
            _ => {}
        }
    }
    wrong
}

/// Variables that PowerShell has, and `$arg`, which a script of a runbook gets.
const GIVEN: [&str; 9] =
    ["_", "arg", "env", "executioncontext", "false", "lastexitcode", "null", "psversiontable", "true"];

#[test]
fn every_variable_of_a_runbook_is_set_somewhere() {
    none(|s| if s.path.starts_with("config/runbooks") { unset(s) } else { Vec::new() });
}

fn unset(s: &Script) -> Vec<String> {
    let variables = s.nodes().into_iter().filter(|n| n.kind() == "variable");
    let name = |n: &Node| {
        let text = s.text_of(*n).trim_start_matches(['$', '@', '{']).to_ascii_lowercase();
        text.split([':', '}']).next().unwrap_or_default().to_owned()
    };
    let text = s.text.to_ascii_lowercase();
    // It stands left of an assignment, in a foreach, among parameters, or is named to a cmdlet.
    let set = |name: &str| {
        let ways = [format!("${name} ="), format!("${name} +="), format!("foreach (${name} in")];
        ways.iter().any(|w| text.contains(w))
            || text.contains(&format!("]${name}"))
            || text.contains(&format!(", ${name})"))
            || text.contains(&format!("(${name}) {{"))
            || text.contains(&format!("-errorvariable {name}"))
    };
    let wrong = variables.filter(|n| !GIVEN.contains(&name(n).as_str()) && !set(&name(n)));
    wrong.map(|n| s.says(n, "is set nowhere")).collect()
}

#[test]
fn a_bad_script_is_found() {
    let found = |text: &str, rule: fn(&Script) -> Vec<String>| {
        let wrong = rule(&script(PathBuf::from("bad.ps1"), text.to_owned()));
        wrong.into_iter().map(|w| w.split(": ").nth(1).unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("'\u{e4}'", ascii).len(), 1);
    assert!(!found("if (", parses).is_empty());
    assert_eq!(found("gci C:", known), ["no such cmdlet, or an alias"]);
    assert_eq!(found("1 | % { $_ }", known), ["no such cmdlet, or an alias"]);
    assert_eq!(found("Get-ClusterNode -Nam x", known), ["has no -Nam, or it is shortened"]);
    assert_eq!(found("Storage\\Get-ClusterNode", known), ["not of that module"]);
    assert_eq!(
        found("$x = @(Get-ClusterNode | Where-Object { Get-Nothing })", known),
        ["no such cmdlet, or an alias"]
    );
    assert_eq!(found("Get-ClusterNode -Name x", stops), ["needs -ErrorAction"]);
    assert_eq!(found("$p = @{ Name = 'x' }; Get-ClusterNode @p", stops), ["needs -ErrorAction"]);
    assert!(found("$p = @{ Name = @{ a = 1 }; ErrorAction = 'Stop' }; Get-ClusterNode @p", stops).is_empty());
    assert_eq!(found("& whoami.exe /all; $null | & whoami.exe", fed), ["is not fed from $null"]);
    assert_eq!(found("[IO.File]::Exists('x')", constrained), ["a type that is not allowed", "calls .NET"]);
    assert_eq!(found("[pscustomobject]@{}", constrained), ["a type that is not allowed"]);
    assert_eq!(found("$env:X = 1", constrained), ["changes the environment"]);
    assert_eq!(found("if ($x) { exit 3 }", constrained), ["ends the worker"]);
    assert_eq!(found("$x = $A.node; foreach ($y in $x) { $y }", unset), ["is set nowhere"]);
}
