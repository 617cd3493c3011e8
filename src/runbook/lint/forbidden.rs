//! What does harm: secrets in the open, values and machines lost, changes where nobody agreed to one.

use super::Finding;
use super::rules::{IRREVERSIBLE, READ_CHANGES, REGISTRY_REPLACED, RESTART, SECRET_EXPOSED, VM_TURNED_OFF};
use super::script::{Call, Role, Script};
use crate::core::plan::Class;

/// Commands after which there is no way back.
const IRREVERSIBLE_CMDLETS: [&str; 3] =
    ["Update-ClusterFunctionalLevel", "Update-StoragePool", "Update-VMVersion"];

/// Argument of Updating Runs that raises the level by the way.
const RAISES: &str = "UpdateClusterFunctionalLevel";

/// Verbs of cmdlets that change something.
const CHANGING: [&str; 36] = [
    "Add",
    "Block",
    "Checkpoint",
    "Clear",
    "Close",
    "Copy",
    "Disable",
    "Disconnect",
    "Dismount",
    "Enable",
    "Format",
    "Grant",
    "Initialize",
    "Install",
    "Lock",
    "Mount",
    "Move",
    "New",
    "Optimize",
    "Register",
    "Remove",
    "Rename",
    "Repair",
    "Reset",
    "Resize",
    "Restart",
    "Restore",
    "Resume",
    "Revoke",
    "Set",
    "Start",
    "Stop",
    "Suspend",
    "Uninstall",
    "Unregister",
    "Update",
];

/// They have such a verb, and only make something in this process.
const HARMLESS: [&str; 8] = [
    "New-CimSession",
    "New-CimSessionOption",
    "New-ScheduledTaskAction",
    "New-ScheduledTaskPrincipal",
    "New-ScheduledTaskSettingsSet",
    "New-ScheduledTaskTrigger",
    "New-WSManSessionOption",
    "Remove-CimSession",
];

/// What writes somewhere that others read.
const WRITES: [&str; 13] = [
    "Add-Content",
    "Export-Csv",
    "New-ScheduledTaskAction",
    "Out-File",
    "Set-Content",
    "Set-ItemProperty",
    "New-ItemProperty",
    "Start-Process",
    "Write-Error",
    "Write-Host",
    "Write-Information",
    "Write-Output",
    "Write-Verbose",
];

pub fn check(s: &Script, out: &mut Vec<Finding>) {
    let only = |class| !s.used.roles.is_empty() && s.used.roles.iter().all(|r| *r == Role::Step(class));
    let reads = s.used.roles.contains(&Role::Read);
    for call in s.calls() {
        if s.has_function(call.cmdlet()) {
            continue;
        }
        out.extend(exposed(&call));
        out.extend(replaced(&call));
        if call.is("Stop-VM") && call.has("TurnOff") {
            let message = "-TurnOff pulls the plug of a virtual machine: what it had not written is lost";
            out.push(call.finding(VM_TURNED_OFF, message).help("shut it down with -Force, or move it"));
        }
        let levels = IRREVERSIBLE_CMDLETS.iter().any(|c| call.is(c)) && !call.has("WhatIf");
        let restarts = restarts(&call);
        if levels && !only(Class::Irreversible) {
            out.push(irreversible(s, call.finding(IRREVERSIBLE, format!("`{}` cannot be undone", call.cmdlet()))));
        } else if restarts && !only(Class::Once) {
            let message = format!("`{}` restarts or stops the machine", call.cmdlet());
            let help = "it belongs into a step of class \"once\" that is detached: nothing may send it twice";
            out.push(call.finding(RESTART, message).help(help));
        } else if reads && changes(&call) {
            let message =
                format!("`{}` changes something, and this script is only asked what is so", call.cmdlet());
            out.push(call.finding(READ_CHANGES, message).help("a change belongs into a fix or a step"));
        }
    }
    if !only(Class::Irreversible) {
        for node in s.nodes().into_iter().filter(|n| n.kind() == "key_expression") {
            if s.key(node).eq_ignore_ascii_case(RAISES) {
                let message = format!("{RAISES} raises the level, which cannot be undone");
                out.push(irreversible(s, s.finding(IRREVERSIBLE, node, message)));
            }
        }
    }
}

fn irreversible(s: &Script, finding: Finding) -> Finding {
    let help = if s.used.roles.contains(&Role::Step(Class::Irreversible)) {
        "the script stands in other places too: give the step a script of its own"
    } else {
        "it belongs into a step of kind \"commit\" and class \"irreversible\", with a proof"
    };
    finding.help(help)
}

fn restarts(call: &Call) -> bool {
    let name = call.cmdlet().trim_matches(['\'', '"']).to_ascii_lowercase();
    let method = call.value("MethodName").or_else(|| call.value("Name")).unwrap_or_default().to_ascii_lowercase();
    let program = ["shutdown", "shutdown.exe"].contains(&name.as_str());
    let aborts = program && call.arguments.iter().any(|a| call.script.text(*a).trim().eq_ignore_ascii_case("/a"));
    let starts = call.is_program() || call.is("Start-Process");
    let given = call.arguments.iter().copied().chain(call.parameters.iter().filter_map(|p| p.value));
    let by_other = starts
        && given.into_iter().any(|n| {
            let text = call.script.text(n).trim_matches([' ', '\'', '"']).to_ascii_lowercase();
            text.starts_with("shutdown ") || ["shutdown", "shutdown.exe"].contains(&text.as_str())
        });
    let by_cim = (call.is("Invoke-CimMethod") || call.is("Invoke-WmiMethod"))
        && ["win32shutdown", "reboot", "shutdown"].contains(&method.as_str());
    ["restart-computer", "stop-computer"].contains(&name.as_str()) || (program && !aborts) || by_other || by_cim
}

fn changes(call: &Call) -> bool {
    let Some(cmdlet) = call.known() else { return false };
    let verb = cmdlet.name.split('-').next().unwrap_or_default();
    CHANGING.contains(&verb)
        && cmdlet.touches_the_machine()
        && !HARMLESS.contains(&cmdlet.name)
        && !call.has("WhatIf")
}

/// `New-Item -Force` on a key makes it anew, and the values are gone: under `Vid\Parameters` the node needs them.
fn replaced(call: &Call) -> Option<Finding> {
    if !call.is("New-Item") || !call.has("Force") {
        return None;
    }
    let path = call.value("Path").or_else(|| call.arguments.first().map(|a| call.resolved(*a)))?;
    let lower = path.to_ascii_lowercase();
    let registry = ["hklm:", "hkcu:", "hku:", "registry::", "microsoft.powershell.core\\registry::"];
    registry.iter().any(|r| lower.starts_with(r)).then(|| {
        let message = format!("New-Item -Force on {path}: a key that is there already loses its values");
        call.finding(REGISTRY_REPLACED, message)
            .help("if (-not (Test-Path -LiteralPath $k)) { New-Item -Path $k … }")
    })
}

/// Words that say that something is a secret.
fn is_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["password", "passwd", "passphrase", "secret", "/rp", "accesskey", "apikey"].iter().any(|w| text.contains(w))
}

fn exposed(call: &Call) -> Option<Finding> {
    let s = call.script;
    let given = call
        .arguments
        .iter()
        .copied()
        .chain(call.parameters.iter().flat_map(|p| [Some(p.node), p.value]).flatten());
    if call.is("ConvertTo-SecureString") && call.has("AsPlainText") {
        let value = call.parameter("String").and_then(|p| p.value).or_else(|| call.arguments.first().copied())?;
        let literal = s.text(value).trim().starts_with(['\'', '"']) && !s.text(value).contains('$');
        return literal.then(|| {
            let message = "a secret stands in the script, and so in the plan and in every copy of it";
            s.finding(SECRET_EXPOSED, value, message).help("take it from $arg.task_password")
        });
    }
    let (where_to, help) = match () {
        () if call.is_program() || call.is("Start-Process") || call.is("New-ScheduledTaskAction") => (
            "on a command line everybody on the machine can read it",
            "a cmdlet that takes a credential keeps it to itself",
        ),
        () if WRITES.iter().any(|w| call.is(w)) => ("there everybody can read it", "leave it out"),
        () => return None,
    };
    // For a program the words of its switches tell as much as a variable's name.
    let tells = |text: &str| is_secret(text) && (call.is_program() || text.contains('$'));
    let node = given.into_iter().find(|n| tells(s.text(*n)))?;
    Some(s.finding(SECRET_EXPOSED, node, format!("a secret: {where_to}")).help(help))
}
