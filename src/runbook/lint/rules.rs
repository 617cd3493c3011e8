//! Every rule: its id, which never changes, how much it weighs, and what it is about.

use std::fmt;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It goes wrong, or can do harm.
    Error,
    /// It works, and surprises on another machine or another day.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable: programs and `# lint: allow` name it.
    pub id: &'static str,
    pub severity: Severity,
    /// What is found, for the documents.
    pub what: &'static str,
}

macro_rules! rules {
    ($($name:ident = $severity:ident $id:literal $what:literal;)*) => {
        $(pub const $name: &Rule = &Rule { id: $id, severity: Severity::$severity, what: $what };)*
        /// All of them, in the order of the documents.
        pub const ALL: &[&Rule] = &[$($name),*];
    };
}

rules! {
    RUNBOOK = Error "runbook" "what loading refuses: an unknown key, a missing file, an expression that is none";
    TIMEOUT_MISSING = Warning "timeout-missing" "a slow fact group or the script of a step without `timeout`";
    WORDS_MISSING = Error "words-missing" "a check with an empty `expect`, `remedy` or `source`, a fix with empty `changes`";
    EXPRESSION_CONSTANT = Error "expression-constant" "a condition that is always true or never";
    FACTS_UNUSED = Warning "facts-unused" "a fact group that nothing reads, or a check lists and does not use";
    FILE_UNUSED = Warning "file-unused" "a file in your folder that no runbook uses";

    ASCII = Error "ascii" "a character that is not ASCII";
    TAB = Warning "tab" "tabs";
    TOO_LARGE = Error "too-large" "a script of more than 900,000 bytes";
    SYNTAX = Error "syntax" "what is not PowerShell";
    LANGUAGE_7 = Error "language-7" "`??`, `?.`, `a ? b : c`, `&&`, `||`, `clean`, `$IsWindows`: PowerShell 7 only";
    CMDLET_7 = Error "cmdlet-7" "a cmdlet or parameter that only PowerShell 7 has";
    PARAM = Error
        "param"
        "a `param` block: a script gets its arguments in `$arg`";
    ARGUMENT_MISSING = Error
        "argument-missing"
        "`$arg.name` that `args` in the runbook does not list";
    VARIABLE_UNSET = Error
        "variable-unset"
        "a variable that nothing sets";
    USING = Error "using" "`using` anywhere: a script is never the first thing in its process";
    CMDLET_UNKNOWN = Error "cmdlet-unknown" "a cmdlet or function that nobody knows";
    CMDLET_ALIAS = Warning "cmdlet-alias" "an alias";
    CMDLET_MODULE = Error "cmdlet-module" "a cmdlet named with a module that is not its own";
    CMDLET_NEWER = Warning "cmdlet-newer" "a cmdlet or parameter from Windows Server 2025 on";
    PARAMETER_UNKNOWN = Error "parameter-unknown" "a parameter that the cmdlet does not have";
    PARAMETER_SHORT = Warning "parameter-short" "a shortened parameter, or an alias of one";
    SPELLING = Warning "spelling" "a name in other capitals than Windows writes it";

    CONSTRAINED_TYPE = Error "constrained-type" "a type that ConstrainedLanguage refuses";
    CONSTRAINED_MEMBER = Error "constrained-member" "`[type]::Member` of such a type";
    BASIC_MEMBER = Warning "basic-member" "`[type]::Member` of a basic type";
    CONSTRAINED_METHOD = Warning "constrained-method" "a method that no basic type has";
    CONSTRAINED_OBJECT = Error "constrained-object" "`Add-Type`, `New-Object` of other types, COM, `class`, `Start-Job`, workflows";
    DOT_SOURCE = Error "dot-source" "dot-sourcing, or running another script file";

    ERROR_ACTION = Error "error-action" "a cmdlet that touches the machine without `-ErrorAction`";
    PROMPT = Error "prompt" "a cmdlet that asks, without `-Force` or `-Confirm:$false`";
    ASKS_A_PERSON = Error "asks-a-person" "`Read-Host`, `Get-Credential`, `pause` and the like";
    WRITE_HOST = Warning "write-host" "`Write-Host`";
    EXIT = Error "exit" "`exit`, which ends the worker for everybody";
    PROGRAM_INPUT = Error "program-input" "a native program that is not fed from `$null`";
    STATE_LEFT = Error "state-left" "a change of `$env:`, `$global:` or `$PSDefaultParameterValues`, which stays for the next script";

    SECRET_EXPOSED = Error "secret-exposed" "a secret on a command line, in a file, in output or in the script";
    REGISTRY_REPLACED = Error "registry-replaced" "`New-Item -Force` on a registry key, which drops its values";
    VM_TURNED_OFF = Error "vm-turned-off" "`Stop-VM -TurnOff`";
    IRREVERSIBLE = Error "irreversible" "a command that cannot be undone outside a step of class `irreversible`";
    RESTART = Error "restart" "a restart outside a step of class `once` or an action of kind `restart`";
    READ_CHANGES = Error "read-changes" "a script of facts or of a log that changes something";

    DATE_AS_TEXT = Warning "date-as-text" "a date that becomes text by the culture of the machine";
    JSON_DEPTH = Warning "json-depth" "`ConvertTo-Json` without `-Depth`";

    ALLOW = Error "allow" "`# lint: allow` without a reason, or of an unknown rule";
    ALLOW_UNUSED = Warning "allow-unused" "`# lint: allow` where nothing is found";
}

/// The rule of that id.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|r| r.id == id).copied()
}
