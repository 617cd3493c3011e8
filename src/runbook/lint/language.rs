//! What only PowerShell 7 understands: nodes have Windows PowerShell 5.1.

use super::Finding;
use super::rules::{CMDLET_7, CONSTRAINED_OBJECT, LANGUAGE_7, USING};
use super::script::Script;

/// Variables that 5.1 does not have: under strict mode reading one throws.
const VARIABLES: [&str; 7] = [
    "IsWindows",
    "IsLinux",
    "IsMacOS",
    "IsCoreCLR",
    "PSStyle",
    "PSNativeCommandUseErrorActionPreference",
    "PSNativeCommandArgumentPassing",
];

const CMDLETS: [&str; 19] = [
    "ConvertFrom-CliXml",
    "ConvertFrom-Markdown",
    "ConvertTo-CliXml",
    "Disable-ExperimentalFeature",
    "Enable-ExperimentalFeature",
    "Get-Error",
    "Get-ExperimentalFeature",
    "Get-MarkdownOption",
    "Get-PSSubsystem",
    "Get-SecureRandom",
    "Get-Uptime",
    "Join-String",
    "Remove-Alias",
    "Remove-Service",
    "Set-MarkdownOption",
    "Show-Markdown",
    "Start-ThreadJob",
    "Switch-Process",
    "Test-Json",
];

const WEB: [&str; 22] = [
    "AllowInsecureRedirect",
    "AllowUnencryptedAuthentication",
    "Authentication",
    "ConnectionTimeoutSeconds",
    "CustomMethod",
    "FollowRelLink",
    "Form",
    "HttpVersion",
    "MaximumFollowRelLink",
    "MaximumRetryCount",
    "NoProxy",
    "OperationTimeoutSeconds",
    "PreserveAuthorizationOnRedirect",
    "ResponseHeadersVariable",
    "Resume",
    "RetryIntervalSec",
    "SkipCertificateCheck",
    "SkipHeaderValidation",
    "SkipHttpErrorCheck",
    "SslProtocol",
    "StatusCodeVariable",
    "Token",
];
const SSH: [&str; 7] =
    ["ConnectingTimeout", "HostName", "KeyFilePath", "Options", "SSHConnection", "SSHTransport", "Subsystem"];

/// Parameters that came after 5.1.
const PARAMETERS: &[(&str, &[&str])] = &[
    ("Add-Content", &["AsByteStream"]),
    ("ConvertFrom-Json", &["AsHashtable", "DateKind", "Depth", "NoEnumerate"]),
    ("ConvertFrom-SecureString", &["AsPlainText"]),
    ("ConvertFrom-StringData", &["Delimiter"]),
    ("ConvertTo-Csv", &["IncludeTypeInformation", "NoHeader", "QuoteFields", "UseQuotes"]),
    ("ConvertTo-Json", &["AsArray", "EnumsAsStrings", "EscapeHandling"]),
    ("Enter-PSSession", &SSH),
    ("Export-Csv", &["IncludeTypeInformation", "NoHeader", "QuoteFields", "UseQuotes"]),
    ("ForEach-Object", &["AsJob", "Parallel", "ThrottleLimit", "TimeoutSeconds", "UseNewRunspace"]),
    ("Get-ChildItem", &["FollowSymlink"]),
    ("Get-Content", &["AsByteStream"]),
    ("Get-Date", &["AsUTC", "UnixTimeSeconds"]),
    ("Get-Random", &["Shuffle"]),
    ("Get-Unique", &["CaseInsensitive"]),
    ("Import-PowerShellDataFile", &["SkipLimitCheck"]),
    ("Invoke-Command", &SSH),
    ("Invoke-RestMethod", &WEB),
    ("Invoke-WebRequest", &WEB),
    ("Join-Path", &["AdditionalChildPath", "Extension"]),
    ("Measure-Object", &["AllStats", "StandardDeviation"]),
    ("New-PSSession", &SSH),
    ("New-Service", &["SecurityDescriptorSddl"]),
    ("Select-Object", &["CaseInsensitive", "SkipIndex"]),
    ("Select-String", &["Culture", "NoEmphasis", "Raw"]),
    ("Set-Content", &["AsByteStream"]),
    ("Set-Service", &["Credential", "Force", "SecurityDescriptorSddl"]),
    ("Sort-Object", &["Bottom", "Stable", "Top"]),
    ("Split-Path", &["Extension", "LeafBase"]),
    ("Start-Job", &["WorkingDirectory"]),
    ("Start-Process", &["Environment"]),
    ("Test-Connection", &["IPv4", "IPv6", "MtuSize", "Ping", "Repeat", "TargetName", "TcpPort", "Traceroute"]),
    ("Where-Object", &["Not"]),
];

/// Whether only PowerShell 7 sets that variable.
pub fn is_variable_of_7(name: &str) -> bool {
    VARIABLES.iter().any(|v| v.eq_ignore_ascii_case(name))
}

/// Whether only PowerShell 7 has that cmdlet.
pub fn is_cmdlet_of_7(name: &str) -> bool {
    CMDLETS.iter().any(|c| c.eq_ignore_ascii_case(name))
}

/// Whether only PowerShell 7 has that parameter.
pub fn is_parameter_of_7(cmdlet: &str, parameter: &str) -> bool {
    let all = PARAMETERS.iter().find(|(c, _)| c.eq_ignore_ascii_case(cmdlet)).map_or(&[][..], |(_, p)| p);
    all.iter().any(|p| p.eq_ignore_ascii_case(parameter))
}

/// Signs of the newer language, found in the text: the parser does not know them all.
pub fn signs(s: &Script, out: &mut Vec<Finding>) {
    let code = s.code.as_str();
    let mut found = |at: usize, length: usize, what: &str, help: &str| {
        let message = format!("{what} is PowerShell 7: nodes run Windows PowerShell 5.1");
        out.push(s.finding_at(LANGUAGE_7, at..at + length, message).help(help.to_owned()));
    };
    let mut behind = 0;
    for (at, sign) in code.match_indices(['?', '&', '|']) {
        if at < behind {
            continue;
        }
        let rest = &code[at..];
        let before = &code[..at];
        match sign {
            "&" if rest.starts_with("&&") => {
                found(at, 2, "`&&`", "write `if ($?) { … }`, or rely on -ErrorAction Stop");
                behind = at + 2;
            }
            "|" if rest.starts_with("||") => {
                found(at, 2, "`||`", "write `try { … } catch { … }`, or `if (-not $?) { … }`");
                behind = at + 2;
            }
            "?" if rest.starts_with("??") => {
                let length = if rest.starts_with("??=") { 3 } else { 2 };
                found(at, length, "`??`", "write `if ($null -eq $x) { … }`");
                behind = at + length;
            }
            "?" if (rest.starts_with("?.") || rest.starts_with("?[")) && is_value(before) => {
                found(at, 2, "`?.`", "write `if ($null -ne $x) { $x.Name }`");
            }
            "?" if is_ternary(before, rest) => {
                found(at, 1, "`a ? b : c`", "write `if (a) { b } else { c }`");
            }
            _ => {}
        }
    }
    for node in s.nodes() {
        let text = s.text(node);
        match node.kind() {
            "background_operator" => {
                found(node.start_byte(), 1, "`&` at the end", "a script runs to its end: leave it out");
            }
            "variable" if VARIABLES.iter().any(|v| text[1..].eq_ignore_ascii_case(v)) => {
                found(
                    node.start_byte(),
                    text.len(),
                    &format!("`{text}`"),
                    "every node runs Windows: leave it out",
                );
            }
            "expandable_string_literal" | "expandable_here_string_literal" => {
                if let Some(i) = text.find("`u{").or_else(|| text.find("`e")) {
                    let help = "write `$([char]0x1b)` with the number of the character";
                    found(node.start_byte() + i, 2, "this escape", help);
                }
            }
            _ => {}
        }
    }
}

/// Whether what ends there can be a value: `$x`, `${x}`, `(…)`, `]`. A file name such as `a?.txt` is none.
fn is_value(before: &str) -> bool {
    let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "_.:".contains(c));
    before.ends_with(['}', ')', ']']) || (word.ends_with('$') && word.len() < before.len())
}

/// `a ? b : c`: the sign between two spaces, behind something that has a value. Behind a pipe or a bracket it is an alias.
fn is_ternary(before: &str, rest: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default().trim_end();
    let rest = rest.split('\n').next().unwrap_or_default();
    before.ends_with(' ')
        && rest.starts_with("? ")
        && rest.contains(" : ")
        && !line.is_empty()
        && !line.ends_with(['|', '{', '(', ';', '='])
}

/// `clean { }`, `using`, and what a cmdlet has in PowerShell 7 only.
pub fn calls(s: &Script, out: &mut Vec<Finding>) {
    for call in s.calls() {
        let name = call.cmdlet();
        if s.has_function(name) {
            continue;
        }
        if is_cmdlet_of_7(name) {
            let message = format!("`{name}` is a cmdlet of PowerShell 7: nodes run Windows PowerShell 5.1");
            out.push(call.finding(CMDLET_7, message).help("do it with what 5.1 has"));
        }
        for parameter in call.parameters.iter().filter(|p| is_parameter_of_7(name, p.name)) {
            let message =
                format!("-{} of `{name}` is PowerShell 7: nodes run Windows PowerShell 5.1", parameter.name);
            let help = match parameter.name.to_ascii_lowercase().as_str() {
                "parallel" => "leave it out: nodelift asks the nodes side by side anyway",
                "asbytestream" => "write -Encoding Byte",
                _ => "do it without it",
            };
            out.push(s.finding(CMDLET_7, parameter.node, message).help(help));
        }
        match name.to_ascii_lowercase().as_str() {
            "clean" if call.arguments.iter().any(|a| s.text(*a).starts_with('{')) => {
                let message = "`clean` is PowerShell 7: nodes run Windows PowerShell 5.1";
                out.push(call.finding(LANGUAGE_7, message).help("write try { … } finally { … }"));
            }
            "using" => {
                let message = "`using` works as the first line of a file only, and a script is sent as text behind its prelude";
                out.push(call.finding(USING, message).help("write names in full; Import-Module loads a module"));
            }
            _ => {}
        }
    }
    for node in s.nodes() {
        let what = match node.kind() {
            "class_statement" => "`class`",
            "enum_statement" => "`enum`",
            "parallel_statement" | "sequence_statement" | "inlinescript_statement" => "a workflow",
            "function_statement" if s.text(node).to_ascii_lowercase().starts_with("workflow") => "a workflow",
            _ => continue,
        };
        let message = format!("ConstrainedLanguage refuses {what}");
        out.push(s.finding(CONSTRAINED_OBJECT, node, message).help("a function and a hashtable do"));
    }
}
