//! Every error is an error, and nothing waits for an answer that nobody can give.

use super::Finding;
use super::cmdlets::Cmdlet;
use super::rules::{ASKS_A_PERSON, ERROR_ACTION, EXIT, PROGRAM_INPUT, PROMPT, STATE_LEFT, WRITE_HOST};
use super::script::{Call, Role, Script};

/// Cmdlets that ask before they act, where nothing keeps them from it (ConfirmImpact High, or a question of their own).
const ASKING: &[&str] = &[
    "Add-CauClusterRole",
    "Block-SmbShareAccess",
    "Clear-ClusterDiskReservation",
    "Clear-ClusterNode",
    "Clear-Disk",
    "Clear-RecycleBin",
    "Close-SmbOpenFile",
    "Close-SmbSession",
    "Disable-CauClusterRole",
    "Disable-ClusterStorageSpacesDirect",
    "Disable-NetAdapter",
    "Disable-PSRemoting",
    "Disable-PSSessionConfiguration",
    "Enable-CauClusterRole",
    "Enable-ClusterStorageSpacesDirect",
    "Enable-PSRemoting",
    "Enable-PSSessionConfiguration",
    "Enable-WSManCredSSP",
    "Format-Volume",
    "Grant-SmbShareAccess",
    "Invoke-CauRun",
    "Register-PSSessionConfiguration",
    "Remove-CauClusterRole",
    "Remove-Cluster",
    "Remove-ClusterGroup",
    "Remove-ClusterNode",
    "Remove-ClusterResource",
    "Remove-Computer",
    "Remove-NetIPAddress",
    "Remove-NetRoute",
    "Remove-Partition",
    "Remove-PartitionAccessPath",
    "Remove-PhysicalDisk",
    "Remove-SmbMapping",
    "Remove-SmbShare",
    "Remove-SRGroup",
    "Remove-SRPartnership",
    "Remove-StoragePool",
    "Remove-VM",
    "Remove-VMSwitch",
    "Remove-VirtualDisk",
    "Restore-VMSnapshot",
    "Revoke-SmbShareAccess",
    "Set-CauClusterRole",
    "Set-ExecutionPolicy",
    "Set-PSSessionConfiguration",
    "Set-SmbClientConfiguration",
    "Set-SmbServerConfiguration",
    "Set-WSManQuickConfig",
    "Stop-CauRun",
    "Stop-Cluster",
    "Stop-Process",
    "Stop-VM",
    "Uninstall-WindowsFeature",
    "Unregister-PSSessionConfiguration",
    "Unregister-ScheduledTask",
    "Update-ClusterFunctionalLevel",
    "Update-StoragePool",
    "Update-VMVersion",
];

/// What only talks with somebody in front of the screen.
const TALKS: [&str; 6] = ["Get-Credential", "Out-GridView", "Read-Host", "Show-Command", "Wait-Debugger", "pause"];

pub fn check(s: &Script, out: &mut Vec<Finding>) {
    let stops = s.assigned("ErrorActionPreference").iter().any(|n| s.text(*n).contains("Stop"));
    for call in s.calls() {
        if call.is_program() {
            out.extend(hungry(&call));
        }
        if let Some(cmdlet) = call.known() {
            if !stops && cmdlet.touches_the_machine() && !call.has("ErrorAction") && !call.has("ea") {
                out.push(silent(&call, &cmdlet));
            }
            out.extend(asking(&call, &cmdlet));
        }
        if let Some(what) = TALKS.iter().find(|t| call.is(t)).filter(|t| !s.has_function(t)) {
            let message = format!("`{what}` waits for a person, and nobody sees it");
            out.push(
                call.finding(ASKS_A_PERSON, message)
                    .help("what it asks for is an argument: `args` in the runbook"),
            );
        }
        if call.is("Write-Host") {
            let message = "Write-Host is for somebody in front of a screen";
            let help = "put it into the record; Write-Verbose -Verbose or Write-Warning makes a log line";
            out.push(call.finding(WRITE_HOST, message).help(help));
        }
    }
    for node in s.nodes() {
        let text = s.text(node).to_ascii_lowercase();
        match node.kind() {
            "flow_control_statement" if text.starts_with("exit") && !s.used.roles.contains(&Role::Process) => {
                let message = "`exit` ends the worker, for every script that waits behind this one";
                out.push(s.finding(EXIT, node, message).help("write return, or throw 'area:Reason'"));
            }
            "left_assignment_expression" => {
                let stays = ["$env:", "${env:", "$global:", "$psdefaultparametervalues"];
                if let Some(what) = stays.iter().find(|w| text.trim().starts_with(**w)) {
                    let what = what.replace('{', "");
                    let message = format!("what is set in `{what}` stays for every later script");
                    out.push(s.finding(STATE_LEFT, node, message).help("a variable of the script ends with it"));
                }
            }
            _ => {}
        }
    }
}

fn silent(call: &Call, cmdlet: &Cmdlet) -> Finding {
    let message = format!("`{}` reads or changes the machine, and does not say what an error is", cmdlet.name);
    let help = "add -ErrorAction Stop: functions of modules do not see the script's own preference";
    call.finding(ERROR_ACTION, message).help(help)
}

fn asking(call: &Call, cmdlet: &Cmdlet) -> Option<Finding> {
    // -Confirm by itself asks always; -Confirm:$false never.
    let confirm =
        call.parameter("Confirm").map(|p| p.value.is_some_and(|v| call.script.text(v).contains("$false")));
    let silenced = confirm == Some(true)
        || call.splats.iter().any(|v| call.script.keys(v).iter().any(|k| k.eq_ignore_ascii_case("Confirm")));
    let forced = call.has("Force") && confirm.is_none();
    let only_asks = call.has("WhatIf");
    if silenced || forced || only_asks || (confirm.is_none() && !ASKING.contains(&cmdlet.name)) {
        return None;
    }
    let switch = match () {
        () if confirm.is_some() => "write -Confirm:$false",
        () if cmdlet.parameter("Force").is_some() => "add -Force",
        () => "add -Confirm:$false",
    };
    let message = format!("`{}` asks before it acts, and nobody can answer: it does nothing", cmdlet.name);
    Some(call.finding(PROMPT, message).help(switch))
}

fn hungry(call: &Call) -> Option<Finding> {
    let pipeline = call.node.parent().map(|p| call.script.text(p).trim_start().to_owned()).unwrap_or_default();
    (!pipeline.starts_with("$null |")).then(|| {
        let message = format!("`{}` would read the worker's input: the next request", call.name);
        call.finding(PROGRAM_INPUT, message).help(format!("write $null | & {} …", call.name))
    })
}

#[cfg(test)]
mod tests {
    use super::super::cmdlets;
    use super::ASKING;

    #[test]
    fn what_asks_can_be_told_not_to() {
        for name in ASKING {
            let cmdlet = cmdlets::find(name).unwrap_or_else(|| panic!("{name} is not known"));
            assert_eq!(cmdlet.name, *name);
            assert!(["Force", "Confirm"].iter().any(|p| cmdlet.parameter(p).is_some()), "{name}");
        }
    }
}
