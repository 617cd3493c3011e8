//! What cmdlets there are, and their parameters: `config/cmdlets.txt`, made from Microsoft's reference pages.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Made by config/cmdlets.py, which explains the form.
const REFERENCE: &str = include_str!("../../../config/cmdlets.txt");

/// Lower-case name → module and line.
static LINES: LazyLock<HashMap<String, (&str, &str)>> = LazyLock::new(|| {
    let mut module = "";
    let mut out = HashMap::new();
    for line in REFERENCE.lines().filter(|l| !l.starts_with('#')) {
        match line.strip_prefix("= ") {
            Some(name) => module = name,
            None => {
                out.insert(name(line).to_ascii_lowercase(), (module, line));
            }
        }
    }
    out
});

/// Parameters of every cmdlet, and their aliases.
const COMMON: [&str; 11] = [
    "Debug/db",
    "ErrorAction/ea",
    "ErrorVariable/ev",
    "InformationAction/infa",
    "InformationVariable/iv",
    "OutBuffer/ob",
    "OutVariable/ov",
    "PipelineVariable/pv",
    "Verbose/vb",
    "WarningAction/wa",
    "WarningVariable/wv",
];
const ASKING: [&str; 2] = ["Confirm/cf", "WhatIf/wi"];
const CIM: [&str; 3] = ["AsJob", "CimSession/Session", "ThrottleLimit"];

/// Modules and cmdlets that only work on what they are given: their errors do not come from the machine.
const PURE: [&str; 2] = ["Microsoft.PowerShell.Core", "Microsoft.PowerShell.Utility"];
const PURE_CMDLETS: [&str; 5] = ["Join-Path", "Split-Path", "Test-Path", "Get-Location", "Set-Location"];

/// What is known of one cmdlet.
#[derive(Clone, Debug)]
pub struct Cmdlet {
    pub name: &'static str,
    /// `-` where no page names it.
    pub module: &'static str,
    /// There from Windows Server 2025 on.
    pub newer: bool,
    pub parameters: Vec<Parameter>,
}

/// One parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub aliases: Vec<&'static str>,
    /// There from Windows Server 2025 on.
    pub newer: bool,
}

impl Cmdlet {
    /// The parameter of that name, in any capitals.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// It reads or changes something outside the script.
    pub fn touches_the_machine(&self) -> bool {
        !PURE.contains(&self.module) && !PURE_CMDLETS.contains(&self.name)
    }
}

/// The cmdlet of that name, in any capitals.
pub fn find(name: &str) -> Option<Cmdlet> {
    let (module, line) = LINES.get(&name.to_ascii_lowercase())?;
    let mut words = line.split(' ');
    let first = words.next()?;
    let mut parameters: Vec<Parameter> = words.map(parameter).collect();
    parameters.extend(COMMON.into_iter().map(parameter));
    if first.contains('!') {
        parameters.extend(ASKING.into_iter().map(parameter));
    }
    if first.contains('~') {
        parameters.extend(CIM.into_iter().map(parameter));
    }
    Some(Cmdlet { name: self::name(line), module, newer: first.starts_with('+'), parameters })
}

/// Names of all cmdlets.
pub fn names<'a>() -> impl Iterator<Item = &'a str> {
    LINES.values().map(|(_, line)| name(line))
}

fn name(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default().trim_matches(['+', '!', '~'])
}

fn parameter(word: &'static str) -> Parameter {
    let mut names = word.trim_start_matches('+').split('/');
    Parameter { name: names.next().unwrap_or_default(), aliases: names.collect(), newer: word.starts_with('+') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_read() {
        assert!(names().count() > 1300);
        let service = find("get-service").expect("known");
        assert_eq!((service.name, service.module), ("Get-Service", "Microsoft.PowerShell.Management"));
        assert_eq!(service.parameter("name").expect("known").aliases, ["ServiceName"]);
        assert!(service.parameter("ErrorAction").is_some() && service.parameter("Confirm").is_none());
        let run = find("Invoke-CauRun").expect("known");
        assert!(run.parameter("Confirm").is_some() && !run.parameter("NodeOrder").expect("known").newer);
        assert!(run.parameter("SuspendRetriesPerNode").expect("known").newer);
        assert!(find("Unregister-ScheduledTask").expect("known").parameter("CimSession").is_some());
        assert!(find("New-WorkgroupCluster").expect("known").newer);
    }
}
