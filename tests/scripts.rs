//! Every script that is shipped has no finding, and every rule finds its bad example at its place, and not the good one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nodelift::config::diagnose::Source;
use nodelift::core::plan::Class;
use nodelift::runbook::Library;
use nodelift::runbook::lint::{RULES, Role, Severity, Use, script};

/// Scripts that are processes of their own: only they may end one.
const PROCESSES: [&str; 2] = ["op.ps1", "worker.ps1"];

/// Every script below a folder.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).expect("readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(scripts(&path));
        } else if path.extension().is_some_and(|e| e == "ps1") {
            out.push(path);
        }
    }
    out
}

#[test]
fn the_built_in_runbooks_have_no_finding() {
    let report = Library::new(None).lint(None).unwrap();
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    // Every script there is, and the files with tables.
    assert!(report.files > scripts(Path::new("config/runbooks")).len(), "{} files", report.files);
}

#[test]
fn the_scripts_of_the_transport_have_no_finding() {
    let mut wrong = Vec::new();
    for path in scripts(Path::new("config/remote")) {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let role = if PROCESSES.contains(&name) { Role::Process } else { Role::Transport };
        let source = Source::new(path.display().to_string(), fs::read_to_string(&path).expect("readable"));
        wrong.extend(script(&source, &Use::of(role)).findings.iter().map(ToString::to_string));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Rule, what the script is used for, a bad example with `§` in front of every place where it is found, and a good one.
const EXAMPLES: &[(&str, Role, &str, &str)] = &[
    ("ascii", Role::Read, "$a = 'x'\n'§\u{e4}'", "'ae'"),
    ("ascii", Role::Read, "§\u{feff}$a", "$a\r\n$b\r\n"),
    ("ascii", Role::Read, "# §\u{2013} a dash of an editor", "# - a dash"),
    ("tab", Role::Read, "if ($a) {\n§\t1\n\t2\n}", "if ($a) {\n  1\n}"),
    ("syntax", Role::Read, "§if ($a {", "if ($a) { 1 }"),
    ("language-7", Role::Read, "$a = $b §?? 1", "$a = '??'"),
    ("language-7", Role::Read, "$a §??= 1", "# $a ??= 1"),
    ("language-7", Role::Read, "$a = ${b}§?.Name", "$a = 'file?.txt'"),
    ("language-7", Role::Read, "$a = $b §? 1 : 2", "if ($b) { 1 } else { 2 }"),
    ("language-7", Role::Read, "Test-Path a §&& Test-Path b", "if (Test-Path a) { Test-Path b }"),
    ("language-7", Role::Read, "Test-Path a §|| Test-Path b", "$a -or $b"),
    ("language-7", Role::Read, "$b = \"x $($a §?? 1)\"", "\"x ?? $a\""),
    ("language-7", Role::Read, "if (§$IsWindows) { 1 }", "if ($IsDomain) { 1 }"),
    ("language-7", Role::Read, "function F { §clean { 1 } }\nF", "function F { end { 1 } }\nF"),
    ("language-7", Role::Read, "\"a §`u{41}\"", "\"a `n\""),
    ("cmdlet-7", Role::Read, "§Get-Uptime", "Get-Date"),
    ("cmdlet-7", Role::Read, "1 | ForEach-Object §-Parallel { $_ }", "1 | ForEach-Object -Process { $_ }"),
    ("cmdlet-7", Role::Read, "ConvertFrom-Json -InputObject $a §-AsHashtable", "ConvertFrom-Json -InputObject $a"),
    ("using", Role::Read, "§using namespace System.IO", "Import-Module -Name Storage"),
    (
        "param",
        Role::Read,
        "§param([string]$Name)\n$Name",
        "function F { param([string]$Name) $Name }\nF $arg.which",
    ),
    ("variable-unset", Role::Read, "if (§$A1) { $A1.b }", "foreach ($q in 1..3) { \"$q ${q} $($script:q)\" }"),
    (
        "variable-unset",
        Role::Read,
        "$cluster = 1\n\"x $(§$clutser.Name)\"",
        "$m, [int]$g = 1, 2\n\"$m $g $PID $env:X\"",
    ),
    (
        "variable-unset",
        Role::Read,
        "§$q.r = 1",
        "function F($q, [int]$r = 1) { $q + $r }\nF 1\nGet-Item -Path x -ErrorVariable t -ErrorAction Ignore\n$t",
    ),
    ("argument-missing", Role::Read, "$x = \"$($arg.§cluster)\"", "$x = \"$($arg.which)\""),
    ("cmdlet-unknown", Role::Read, "$x = 1\n$x | §Get-Nothing", "function Get-Nothing { 1 }\nGet-Nothing"),
    ("cmdlet-unknown", Role::Read, "$x = @(1 | Where-Object { §Get-Nothing })", "RegValue a b"),
    ("cmdlet-unknown", Role::Read, "§whoami /all", "$null | & whoami.exe /all"),
    ("cmdlet-alias", Role::Read, "1 | §% { $_ } | §? { $_ }", "1 | ForEach-Object { $_ }"),
    ("cmdlet-module", Role::Read, "§FailoverClusters\\Get-Date", "Microsoft.PowerShell.Utility\\Get-Date"),
    (
        "cmdlet-newer",
        Role::Step(Class::Once),
        "Invoke-CauRun -Force §-SuspendRetriesPerNode 1 -ErrorAction Stop",
        "Invoke-CauRun -Force -ErrorAction Stop",
    ),
    (
        "parameter-unknown",
        Role::Read,
        "Get-ClusterNode §-Host x -ErrorAction Stop",
        "Get-ClusterNode -Name x -ErrorAction Stop",
    ),
    (
        "parameter-unknown",
        Role::Read,
        "$p = @{ §Host = 'x'; ErrorAction = 'Stop' }\nGet-ClusterNode @p",
        "$p = @{ Name = 'x'; ErrorAction = 'Stop' }\nGet-ClusterNode @p",
    ),
    ("parameter-short", Role::Read, "Get-Date §-Form o", "Get-Date -Format o"),
    (
        "parameter-short",
        Role::Read,
        "Get-Service §-ServiceName x -ErrorAction Stop",
        "Get-Service -Name x -ErrorAction Stop",
    ),
    ("spelling", Role::Read, "1 | §where-Object { $_ }", "1 | Where-Object Length -eq 1"),
    ("spelling", Role::Read, "§get-date §-format o", "Get-Date -Format o"),
    ("constrained-type", Role::Read, "[§pscustomobject]@{ a = 1 }", "[ordered]@{ a = 1 }"),
    ("constrained-type", Role::Read, "[§ref]$a", "[int64]$a"),
    ("constrained-type", Role::Read, "$a -as [§IO.FileInfo]", "function F([string[]]$A) { $A }\nF a"),
    ("constrained-member", Role::Read, "§[IO.File]::Exists('x')", "Test-Path -LiteralPath x"),
    ("basic-member", Role::Read, "§[string]::Join(',', $a)", "$a -join ','"),
    ("constrained-method", Role::Read, "$a.§GetType().Name", "$a.PSTypeNames[0]"),
    ("constrained-method", Role::Read, "$a.§Foo()", "$a.Where({ $_ }).ForEach({ \"$_\".Trim() })"),
    ("constrained-method", Role::Read, "{ 1 }.§Invoke()", "& { 1 }"),
    (
        "constrained-method",
        Role::Read,
        "if ($x) { $a.§Open('Open') }",
        "if (\"$($ExecutionContext.SessionState.LanguageMode)\" -eq 'FullLanguage') { $a.Open('Open') }",
    ),
    ("constrained-object", Role::Read, "§Add-Type -TypeDefinition $a", "$a"),
    ("constrained-object", Role::Read, "§New-Object -TypeName Net.WebClient", "New-Object -TypeName PSObject"),
    ("constrained-object", Role::Read, "§New-Object -ComObject $a", "New-Object psobject -Property @{ a = 1 }"),
    ("constrained-object", Role::Read, "§class X { }", "@{}"),
    ("constrained-object", Role::Read, "§Start-Job -ScriptBlock { 1 }", "& { 1 }"),
    ("dot-source", Role::Read, ". §.\\more.ps1", "& { 1 }"),
    ("dot-source", Role::Read, "& §\"$Dir\\more.ps1\"", "& $block"),
    ("error-action", Role::Read, "§Get-ClusterNode -Name x", "Get-ClusterNode -Name x -ErrorAction Ignore"),
    ("error-action", Role::Read, "$p = @{ Name = 'x' }; §Get-ClusterNode @p", "$a | Sort-Object"),
    (
        "error-action",
        Role::Read,
        "$p = @{ Name = @{ ErrorAction = 1 } }; §Get-ClusterNode @p",
        "$p = @{ Name = @{ a = 1 }; ErrorAction = 'Stop' }; Get-ClusterNode @p",
    ),
    (
        "error-action",
        Role::Read,
        "$ErrorActionPreference = 'Continue'\n§Get-ClusterNode",
        "$ErrorActionPreference = 'Stop'\nGet-ClusterNode",
    ),
    ("prompt", Role::Fix, "§Enable-PSRemoting -ErrorAction Stop", "Enable-PSRemoting -Force -ErrorAction Stop"),
    (
        "prompt",
        Role::Fix,
        "§Unregister-ScheduledTask -TaskName x -ErrorAction Stop",
        "Unregister-ScheduledTask -TaskName x -Confirm:$false -ErrorAction Stop",
    ),
    (
        "prompt",
        Role::Fix,
        "§Set-Service -Name x -Confirm -ErrorAction Stop",
        "Set-Service -Name x -Confirm:$false -ErrorAction Stop",
    ),
    (
        "prompt",
        Role::Fix,
        "§Clear-Disk -Number 1 -ErrorAction Stop",
        "$p = @{ Number = 1; Confirm = $false; ErrorAction = 'Stop' }\nClear-Disk @p",
    ),
    ("asks-a-person", Role::Read, "$a = §Read-Host 'which?'", "$a = $arg.which"),
    ("write-host", Role::Read, "§Write-Host 'x'", "Write-Warning 'x'"),
    ("exit", Role::Read, "if ($x) { §exit 3 }", "if ($x) { return }"),
    ("program-input", Role::Read, "& §whoami.exe /all; $null | & whoami.exe", "$null | & whoami.exe /all"),
    ("state-left", Role::Read, "§$env:X = 1", "$x = $env:X"),
    ("state-left", Role::Read, "§$global:X = 1", "$script:X = 1"),
    ("state-left", Role::Read, "§$PSDefaultParameterValues['*:ErrorAction'] = 'Stop'", "$p = @{}"),
    ("secret-exposed", Role::Fix, "$null | & net.exe use x §$arg.task_password", "$null | & net.exe use x"),
    (
        "secret-exposed",
        Role::Fix,
        "ConvertTo-SecureString -String §'hunter2' -AsPlainText -Force -ErrorAction Stop",
        "ConvertTo-SecureString -String $arg.task_password -AsPlainText -Force -ErrorAction Stop",
    ),
    (
        "secret-exposed",
        Role::Fix,
        "Set-Content -LiteralPath x -Value §\"$($arg.task_password)\" -ErrorAction Stop",
        "Set-Content -LiteralPath x -Value 'no password' -ErrorAction Stop",
    ),
    (
        "registry-replaced",
        Role::Fix,
        "$v = 'HKLM:\\SYSTEM\\CurrentControlSet\\Services\\Vid\\Parameters'\n$null = §New-Item -Path $v -Force -ErrorAction Stop",
        "$null = New-Item -Path 'HKLM:\\SOFTWARE\\x' -ErrorAction Stop",
    ),
    (
        "registry-replaced",
        Role::Fix,
        "$k = 'HKLM:\\SOFTWARE'\n§New-Item -Path \"$k\\x\" -Force -ErrorAction Stop",
        "$k = 'C:\\x'\nNew-Item -Path \"$k\\x\" -ItemType Directory -Force -ErrorAction Stop",
    ),
    (
        "registry-replaced",
        Role::Fix,
        "§New-Item hklm:\\SYSTEM\\CurrentControlSet\\Services\\Vid\\Parameters -Force -ErrorAction Stop",
        "New-Item -ItemType Directory -Path C:\\x -Force -ErrorAction Stop",
    ),
    (
        "vm-turned-off",
        Role::Fix,
        "§Stop-VM -Name x -TurnOff -Force -ErrorAction Stop",
        "Stop-VM -Name x -Force -ErrorAction Stop",
    ),
    (
        "irreversible",
        Role::Fix,
        "§Update-ClusterFunctionalLevel -Force -ErrorAction Stop",
        "Update-ClusterFunctionalLevel -WhatIf -ErrorAction Stop",
    ),
    (
        "irreversible",
        Role::Step(Class::Once),
        "$a = @{ §UpdateClusterFunctionalLevel = 'true' }",
        "$a = @{ b = 1 }",
    ),
    ("restart", Role::Fix, "§Restart-Computer -Force -ErrorAction Stop", "Get-Date"),
    ("restart", Role::Fix, "$null | & §cmd.exe /c 'shutdown /r'", "$null | & cmd.exe /c ver"),
    ("restart", Role::Step(Class::Write), "$null | & §shutdown.exe /r /t 0", "$null | & shutdown.exe /a"),
    (
        "restart",
        Role::Fix,
        "§Invoke-CimMethod -ClassName Win32_OperatingSystem -MethodName Reboot -ErrorAction Stop",
        "Invoke-CimMethod -ClassName Win32_Process -MethodName Create -ErrorAction Stop",
    ),
    (
        "read-changes",
        Role::Read,
        "§Set-Service -Name x -StartupType Manual -ErrorAction Stop",
        "Get-Service -Name x -ErrorAction Stop",
    ),
    ("date-as-text", Role::Read, "$date = Get-Date\n\"at §$date\"", "$date = Get-Date -Format o\n\"at $date\""),
    ("date-as-text", Role::Read, "\"§$($o.LastBootUpTime)\"", "\"$($o.UpTime)\""),
    ("date-as-text", Role::Read, "§$o.InstallDate.ToString()", "$o.InstallDate.ToUniversalTime().ToString('o')"),
    ("json-depth", Role::Read, "@{} | §ConvertTo-Json -Compress", "@{} | ConvertTo-Json -Depth 8"),
    ("allow", Role::Read, "§# lint: allow cmdlet-alias\nGet-Date", "Get-Date"),
    ("allow", Role::Read, "Get-Date §# lint: allow cmdlet-alia because", "Get-Date"),
    (
        "allow-unused",
        Role::Read,
        "Get-Date §# lint: allow cmdlet-alias because",
        "gci # lint: allow cmdlet-alias short\n",
    ),
];

/// The example without its marks, and lines and columns of what stood behind them.
fn places(marked: &str) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut places) = (String::new(), Vec::new());
    for c in marked.chars() {
        if c == '§' {
            let column = text.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
            places.push((text.matches('\n').count() + 1, column));
        } else {
            text.push(c);
        }
    }
    (text, places)
}

/// With a prelude, which sets some variables, and two arguments.
fn used(role: Role) -> Use {
    let arguments = Some(vec!["task_password".to_owned(), "which".to_owned()]);
    let variables = "a b block c d dir drive e i k list n o p password s v w x y z";
    let variables = variables.split(' ').map(str::to_owned).collect();
    Use { roles: vec![role], given: vec!["RegValue".to_owned()], variables, arguments }
}

fn found(text: &str, role: Role, rule: &str) -> Vec<(usize, usize)> {
    let report = script(&Source::new("x.ps1", text), &used(role));
    report.findings.iter().filter(|f| f.rule.id == rule).map(nodelift::runbook::lint::Finding::start).collect()
}

#[test]
fn every_bad_example_is_found_at_its_place_and_no_good_one() {
    for (rule, role, bad, good) in EXAMPLES {
        let (text, places) = places(bad);
        assert_eq!(found(&text, *role, rule), places, "{rule}: {text}");
        // It is read to its end, or it would be good for nothing.
        for rule in [rule, "syntax", "language-7"] {
            let missed = found(good, *role, rule);
            assert!(missed.is_empty(), "{rule} finds in the good example at {missed:?}: {good}");
        }
    }
}

#[test]
fn a_bad_example_has_no_other_error() {
    // What a person reads is the mistake, not what follows from it.
    for (rule, role, bad, _) in
        EXAMPLES.iter().filter(|(rule, ..)| !["irreversible", "read-changes"].contains(rule))
    {
        let report = script(&Source::new("x.ps1", places(bad).0), &used(*role));
        let other = report.findings.iter().find(|f| f.rule.id != *rule && f.rule.severity == Severity::Error);
        assert!(other.is_none(), "{rule}: {}", other.unwrap());
    }
}

#[test]
fn ids_of_rules_do_not_change() {
    // Comments in people's files and their programs name them: one may come, none may go or weigh something else.
    let errors = "allow argument-missing ascii asks-a-person cmdlet-7 cmdlet-module cmdlet-unknown constrained-member \
                  constrained-object constrained-type dot-source error-action exit expression-constant irreversible \
                  language-7 param parameter-unknown program-input prompt read-changes registry-replaced restart runbook \
                  secret-exposed state-left syntax too-large using variable-unset vm-turned-off words-missing";
    let warnings = "allow-unused basic-member cmdlet-alias cmdlet-newer constrained-method date-as-text facts-unused \
                    file-unused json-depth parameter-short spelling tab timeout-missing write-host";
    for (severity, ids) in [(Severity::Error, errors), (Severity::Warning, warnings)] {
        for id in ids.split_whitespace() {
            assert!(RULES.iter().any(|r| r.id == id && r.severity == severity), "{id}");
        }
    }
}

#[test]
fn every_rule_of_scripts_has_an_example() {
    let shown: BTreeSet<&str> = EXAMPLES.iter().map(|(rule, ..)| *rule).collect();
    // Those of runbooks are in tests/runbooks.rs; a script too large needs no example here.
    let of_runbooks = [
        "runbook",
        "timeout-missing",
        "words-missing",
        "expression-constant",
        "facts-unused",
        "file-unused",
        "too-large",
    ];
    let without: Vec<&str> =
        RULES.iter().map(|r| r.id).filter(|id| !shown.contains(id) && !of_runbooks.contains(id)).collect();
    assert!(without.is_empty(), "{without:?}");
}

/// PowerShell of every kind: forms that authors write, and that no rule takes for a mistake of syntax.
const FORMS: &[&str] = &[
    "<#\n.SYNOPSIS\n  && || ??\n#>\n#requires -Version 5.1\n$a",
    "function F {\n  [CmdletBinding()]\n  param(\n    [Parameter(Mandatory = $true)][ValidateSet('a', 'b')][string[]]$A,\n\n    [switch]$B\n  )\n  begin { 1 } process { 2 } end { 3 }\n}",
    "function F { param($a) $a }\nfunction G($a, $b = 1) { $a }\nfilter H { $_ }",
    "switch -Regex ($x) { '^a' { 1; break } { $_ -gt 2 } { 2 } default { 3 } }",
    "switch ($x) {\n  1 { 'one' }\n  default { 2 }\n}",
    "$a.ForEach({ $_ }).Where({ $_ })\n$a.ForEach('Name')",
    "for ($i = 0; $i -lt 3; $i++) { $i }\nfor (;;) { break }\ndo { 1 } until ($true)",
    ":outer foreach ($k in 1..3) { if ($k) { continue outer } }",
    "try { 1 } catch [System.Exception] { 2 } finally { 3 }\ntrap { continue }",
    "$x = if ($a) { 1 } elseif ($b) { 2 } else { 3 }\n$y = foreach ($i in $z) { $i }",
    "$a = 1MB + 2L + 0XFF + 1.5e3 + .5\n\"{0:N1} GiB\" -f ($a / 1GB)",
    "Get-Item -Path $env:TEMP\\x-y.txt -ErrorAction:Stop\nGet-Item ..\\z, \\\\srv\\share\\*.txt -ErrorAction Stop",
    "$a | Select-Object @{ n = 'a'; e = { $_.b } }, Name, Id -First 1",
    "\"$a:$b ${c} $($d['e'].f -join ', ') `\"x`\" \"\"y\"\" $ 100%\"\n'it''s'",
    "$a = @\"\n\"quoted\" $($b.c)\n\"@\n$d = @'\n$not ?? code\n'@",
    "$a, $b = 1, 2\n[int[]]$n = @(1; 2)[-1]\n$n[0]++\n$x.y['z'].a = - 1",
    "$null | & netsh.exe winhttp show proxy 2>&1 | ForEach-Object { \"$_\" }\n& { param($q) $q } 1\n& $block *>&1",
    "1..10 | ForEach-Object { $_ % 3 }\n$a -notin 1, 2 -and -not ($b -is [string]) -or !$c",
    "$p = @{\n  Path = 'x'\n  'a b' = 1\n}\nGet-Item @p -ErrorAction Stop |\n  Sort-Object -Property Name `\n  -Descending",
];

#[test]
fn powershell_of_every_kind_is_read() {
    for text in FORMS {
        let report = script(&Source::new("x.ps1", *text), &used(Role::Read));
        let wrong: Vec<String> = report
            .findings
            .iter()
            .filter(|f| ["syntax", "language-7", "cmdlet-unknown", "using"].contains(&f.rule.id))
            .map(ToString::to_string)
            .collect();
        assert!(wrong.is_empty(), "{text}\n{}", wrong.join("\n"));
    }
}

#[test]
fn a_step_may_do_what_it_is_for() {
    let level = "$null = Update-ClusterFunctionalLevel -Force -ErrorAction Stop";
    assert!(script(&Source::new("x.ps1", level), &Use::of(Role::Step(Class::Irreversible))).findings.is_empty());
    let both = Use { roles: vec![Role::Step(Class::Irreversible), Role::Fix], ..Use::default() };
    assert_eq!(script(&Source::new("x.ps1", level), &both).findings.len(), 1);
    let restart = "Restart-Computer -Force -ErrorAction Stop";
    assert!(script(&Source::new("x.ps1", restart), &Use::of(Role::Step(Class::Once))).findings.is_empty());
    assert!(script(&Source::new("x.ps1", "exit 3"), &Use::of(Role::Process)).findings.is_empty());
}

#[test]
fn what_is_meant_is_allowed_with_a_reason() {
    let text = "gci -ErrorAction Stop # lint: allow cmdlet-alias shown in a course\n\
                # lint: allow cmdlet-alias this one too\n# and why\ngci -ErrorAction Stop\n\
                gci -ErrorAction Stop\n";
    let report = script(&Source::new("x.ps1", text), &Use::of(Role::Read));
    let places: Vec<_> = report.findings.iter().map(|f| (f.rule.id, f.line())).collect();
    assert_eq!((report.allowed, places), (2, vec![("cmdlet-alias", 5)]));
}

#[test]
fn a_large_script_is_found() {
    let text = "$a = 12\n".repeat(112_501);
    assert_eq!(found(&text, Role::Read, "too-large"), [(1, 1)]);
    assert!(found(&text[..80_000], Role::Read, "too-large").is_empty());
}

#[test]
fn nothing_that_is_written_breaks_the_linter() {
    // Every beginning of a script, and every script without one of its lines.
    for path in scripts(Path::new("config")).into_iter().take(12) {
        let text = fs::read_to_string(&path).expect("readable");
        let ends = (0..text.len()).step_by(37).map(|end| text[..end].to_owned());
        let lines: Vec<&str> = text.lines().collect();
        let gaps = (0..lines.len()).step_by(3).map(|i| [&lines[..i], &lines[i + 1..]].concat().join("\n"));
        for broken in ends.chain(gaps) {
            script(&Source::new("x.ps1", broken), &Use::of(Role::Read));
        }
    }
}
