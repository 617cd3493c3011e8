//! A script as the rules see it: its syntax tree, the commands it calls, the variables it sets, and what it is used for.

use std::collections::HashMap;
use std::ops::Range;

use tree_sitter::{Node, Parser, Tree};

use super::rules::Rule;
use super::{Finding, cmdlets, grammar, mask};
use crate::config::diagnose::Source;
use crate::core::plan::Class;

/// What a script is used for: some commands belong into some places only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It stands in front of others.
    Prelude,
    /// Facts or a log: it only reads.
    Read,
    /// It makes a check pass.
    Fix,
    /// A step of that class.
    Step(Class),
    /// It asks the driver to stop.
    Stop,
    /// The program's own way to a machine.
    Transport,
    /// A process of its own: it may end itself, and run the script that it is about.
    Process,
    /// Nobody uses it.
    Unused,
}

/// Where a script stands: what it is used for, and what it finds there.
#[derive(Clone, Debug, Default)]
pub struct Use {
    pub roles: Vec<Role>,
    /// Functions that stand in front of it.
    pub given: Vec<String>,
    /// Variables that are set in front of it.
    pub variables: Vec<String>,
    /// Names of the arguments it gets; nothing where that is not known.
    pub arguments: Option<Vec<String>>,
}

impl Use {
    /// A script that is used for that alone, with nothing in front of it.
    pub fn of(role: Role) -> Self {
        Self { roles: vec![role], ..Self::default() }
    }
}

/// A script, parsed.
pub struct Script {
    pub source: Source,
    pub used: Use,
    /// Its text without comments and literal text.
    pub code: String,
    tree: Tree,
    /// Functions that it defines.
    functions: Vec<String>,
    /// Variable in lower case → where what is assigned to it stands.
    sets: HashMap<String, Vec<Range<usize>>>,
}

impl Script {
    /// Parses a script.
    pub fn new(source: Source, used: Use) -> Self {
        let mut parser = Parser::new();
        // The grammar and the parser are built together: both cannot fail, and an empty tree has no findings.
        let fits = parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).is_ok();
        let code = mask::code(&source.text);
        let tree = parser.parse(grammar::adapted(&source.text, &code), None).filter(|_| fits);
        let tree = tree.expect("the grammar fits the parser, and nothing stops it");
        let mut s = Self { source, used, code, tree, functions: Vec::new(), sets: HashMap::new() };
        let (mut functions, mut sets) = (Vec::new(), HashMap::<String, Vec<Range<usize>>>::new());
        for node in s.nodes() {
            match node.kind() {
                // Without its scope: `global:Name`.
                "function_name" => functions.extend(s.text(node).rsplit(':').next().map(str::to_owned)),
                "assignment_expression" => {
                    let name = node.child(0).and_then(|left| s.text(left).trim().strip_prefix('$'));
                    if let (Some(name), Some(value)) = (name, node.child_by_field_name("value")) {
                        sets.entry(name.to_ascii_lowercase()).or_default().push(value.byte_range());
                    }
                }
                _ => {}
            }
        }
        (s.functions, s.sets) = (functions, sets);
        s
    }

    /// Every node, in the order of the text.
    pub fn nodes(&self) -> Vec<Node<'_>> {
        let mut todo = vec![self.tree.root_node()];
        let mut out = Vec::new();
        while let Some(node) = todo.pop() {
            out.push(node);
            todo.extend(children(node).into_iter().rev());
        }
        out
    }

    pub fn text(&self, node: Node) -> &str {
        &self.source.text[node.byte_range()]
    }

    /// Commands that are called.
    pub fn calls(&self) -> Vec<Call<'_>> {
        self.nodes().into_iter().filter(|n| n.kind() == "command").filter_map(|n| Call::of(self, n)).collect()
    }

    /// Functions that it defines.
    pub fn functions(&self) -> &[String] {
        &self.functions
    }

    /// Whether a command of that name is a function of its own or of its prelude.
    pub fn has_function(&self, name: &str) -> bool {
        self.functions.iter().chain(&self.used.given).any(|f| f.eq_ignore_ascii_case(name))
    }

    /// What is assigned to a variable, named without its sign, wherever that happens.
    pub fn assigned(&self, variable: &str) -> Vec<Node<'_>> {
        let sets = self.sets.get(&variable.to_ascii_lowercase()).map_or(&[][..], Vec::as_slice);
        let root = self.tree.root_node();
        sets.iter().filter_map(|r| root.descendant_for_byte_range(r.start, r.end)).collect()
    }

    /// Keys of the table that a variable is made with, and those that are set later.
    pub fn keys(&self, variable: &str) -> Vec<String> {
        let mut out: Vec<String> = self.table_keys(variable).into_iter().map(|n| self.key(n)).collect();
        for node in self.nodes().into_iter().filter(|n| n.kind() == "left_assignment_expression") {
            let left = self.text(node).trim();
            let Some((name, key)) = left.split_once(['[', '.']) else { continue };
            if name.strip_prefix('$').is_some_and(|n| n.eq_ignore_ascii_case(variable)) {
                out.push(key.trim_end_matches(']').trim_matches(['\'', '"']).to_owned());
            }
        }
        out
    }

    /// Where the keys of the table stand that a variable is made with.
    pub fn table_keys(&self, variable: &str) -> Vec<Node<'_>> {
        self.assigned(variable).into_iter().filter_map(table).flat_map(entries).collect()
    }

    /// The name of a key.
    pub fn key(&self, node: Node) -> String {
        self.text(node).trim_matches(['\'', '"']).to_owned()
    }

    /// Whether the code there runs under FullLanguage only, because the script asked.
    pub fn is_full_language_only(&self, node: Node) -> bool {
        let mut at = node;
        while let Some(parent) = at.parent() {
            let asks = parent.kind() == "if_statement"
                && at.kind() == "statement_block"
                && parent.child_by_field_name("condition").is_some_and(|c| {
                    let text = self.text(c).to_ascii_lowercase();
                    text.contains("languagemode") && text.contains("-eq 'fulllanguage'")
                });
            if asks {
                return true;
            }
            at = parent;
        }
        false
    }

    /// A finding at a node: its first line only, and not more than a person needs to see it.
    pub fn finding(&self, rule: &'static Rule, node: Node, message: impl Into<String>) -> Finding {
        self.finding_at(rule, node.byte_range(), message)
    }

    /// A finding at a place of the text.
    pub fn finding_at(&self, rule: &'static Rule, span: Range<usize>, message: impl Into<String>) -> Finding {
        let line = self.source.text[span.clone()].lines().next().map_or(0, str::len);
        Finding::new(rule, &self.source, span.start..span.start + line, message)
    }
}

/// The table that a value is, where it is one.
fn table(value: Node<'_>) -> Option<Node<'_>> {
    let mut at = value;
    loop {
        if at.kind() == "hash_literal_expression" {
            return Some(at);
        }
        let inner: Vec<Node> = children(at).into_iter().filter(Node::is_named).collect();
        match inner[..] {
            [one] => at = one,
            _ => return None,
        }
    }
}

/// The keys of a table.
fn entries(table: Node<'_>) -> Vec<Node<'_>> {
    let bodies = children(table).into_iter().filter(|n| n.kind() == "hash_literal_body");
    let entries = bodies.flat_map(children).filter(|n| n.kind() == "hash_entry");
    entries.filter_map(|n| n.child(0)).collect()
}

/// The children of a node.
pub fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.children(&mut node.walk()).collect()
}

/// A command as it is called.
pub struct Call<'a> {
    pub script: &'a Script,
    pub node: Node<'a>,
    pub name: &'a str,
    pub name_node: Node<'a>,
    /// `.` or `&`, where it is called with one.
    pub operator: Option<&'a str>,
    pub parameters: Vec<Given<'a>>,
    /// Values that belong to no parameter.
    pub arguments: Vec<Node<'a>>,
    /// Variables that are spread out: `@p`.
    pub splats: Vec<&'a str>,
}

/// A parameter as it is given, with its value where one follows. A value after a switch is taken for the switch's.
pub struct Given<'a> {
    pub name: &'a str,
    pub node: Node<'a>,
    pub value: Option<Node<'a>>,
}

impl<'a> Call<'a> {
    fn of(script: &'a Script, node: Node<'a>) -> Option<Self> {
        let (mut name_node, mut operator, mut elements) = (None, None, Vec::new());
        for child in children(node) {
            match child.kind() {
                "command_name" | "command_name_expr" => name_node = Some(child),
                "command_invokation_operator" => operator = Some(script.text(child)),
                "command_elements" => elements = children(child),
                _ => {}
            }
        }
        let name_node = name_node?;
        let name = script.text(name_node);
        // `1..10` is a range: the grammar takes it for a command.
        if name.starts_with(|c: char| c.is_ascii_digit()) && name.contains("..") {
            return None;
        }
        let mut call = Self {
            script,
            node,
            name,
            name_node,
            operator,
            parameters: Vec::new(),
            arguments: Vec::new(),
            splats: Vec::new(),
        };
        let mut waits = false;
        for element in elements {
            let text = script.text(element);
            match element.kind() {
                "command_argument_sep" | "redirection" | "," => {}
                "command_parameter" => {
                    let name = text.trim_start_matches('-').trim_end_matches(':');
                    call.parameters.push(Given { name, node: element, value: None });
                    waits = true;
                    continue;
                }
                _ if text.starts_with('@') && !text.starts_with("@(") && !text.starts_with("@{") => {
                    call.splats.push(&text[1..]);
                }
                _ if waits => {
                    if let Some(last) = call.parameters.last_mut() {
                        last.value = Some(element);
                    }
                }
                _ => call.arguments.push(element),
            }
            waits &= element.kind() == "command_argument_sep";
        }
        Some(call)
    }

    /// Its name without its module.
    pub fn cmdlet(&self) -> &'a str {
        self.name.rsplit_once('\\').map_or(self.name, |(_, name)| name)
    }

    /// Whether it calls that cmdlet.
    pub fn is(&self, cmdlet: &str) -> bool {
        self.cmdlet().eq_ignore_ascii_case(cmdlet)
    }

    /// What the reference says of it; nothing where it is a function of the script's own.
    pub fn known(&self) -> Option<cmdlets::Cmdlet> {
        if self.script.has_function(self.cmdlet()) { None } else { cmdlets::find(self.cmdlet()) }
    }

    pub fn is_program(&self) -> bool {
        let name = self.name.trim_matches(['\'', '"']).to_ascii_lowercase();
        [".exe", ".com"].iter().any(|e| name.ends_with(e))
    }

    /// A script block in a variable or in place: what is in it is looked at where it is written.
    pub fn is_block(&self) -> bool {
        self.name.starts_with(['$', '{', '('])
    }

    /// The parameter of that name, written out, in any capitals.
    pub fn parameter(&self, name: &str) -> Option<&Given<'a>> {
        self.parameters.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// Whether it gets that parameter, also by a table that is spread out.
    pub fn has(&self, name: &str) -> bool {
        let given = |keys: Vec<String>| keys.iter().any(|k| k.eq_ignore_ascii_case(name));
        self.parameter(name).is_some() || self.splats.iter().any(|v| given(self.script.keys(v)))
    }

    /// The text of a parameter's value (see `resolved`).
    pub fn value(&self, name: &str) -> Option<String> {
        Some(self.resolved(self.parameter(name)?.value?))
    }

    /// The text of a value, without its quotes; a variable that it begins with stands for the text that it was set to.
    pub fn resolved(&self, node: Node<'a>) -> String {
        let bare = |text: &'a str| text.trim().trim_matches(['\'', '"']);
        let text = bare(self.script.text(node));
        let Some(rest) = text.strip_prefix('$') else { return text.to_owned() };
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        match self.script.assigned(&name).first() {
            Some(value) => format!("{}{}", bare(self.script.text(*value)), &rest[name.len()..]),
            None => text.to_owned(),
        }
    }

    /// A finding at its name.
    pub fn finding(&self, rule: &'static Rule, message: impl Into<String>) -> Finding {
        self.script.finding(rule, self.name_node, message)
    }
}
