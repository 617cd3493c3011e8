//! What goes wrong, for a person at two in the morning: what, where, why, and what to do. Here is what every transport has in
//! common.

use crate::core::connection::{Trouble, TroubleKind};
use crate::remote::powershell::worker::StartFailure;
use crate::remote::sanitise::{clean, clean_short};

pub const RETRY: &str = "nodelift goes on trying by itself.";

/// Trouble of an attempt that nobody repeats.
pub fn once(inner: Trouble) -> Trouble {
    let remedy = match inner.kind {
        TroubleKind::Lost => "Look at the machine's event log (OpenSSH/Operational), then try again.".to_owned(),
        _ => inner.remedy.replace(&format!("; {RETRY}"), ".").replace(RETRY, "").trim().to_owned(),
    };
    Trouble { remedy, ..inner }
}

/// What takes a machine's new host key in the place of the known one; ends the sentence.
pub fn changed_key(machine: &str) -> String {
    format!(
        "nodelift trust -i FILE --node {machine} shows both keys and takes the new one once you type the machine's name."
    )
}

/// Both texts are cleaned: parts of them come from machines.
pub fn trouble(kind: TroubleKind, message: String, remedy: String) -> Trouble {
    Trouble { kind, message: clean(&message), remedy: clean(&remedy) }
}

pub fn lost(at: &str, why: &str) -> Trouble {
    trouble(
        TroubleKind::Lost,
        format!("the connection to {at} was lost: {}", clean_short(why, 300)),
        format!("Nothing to do yet: {RETRY} A script that was running is looked for after that."),
    )
}

/// Login works, PowerShell does not.
pub fn powershell(at: &str, failure: &StartFailure) -> Trouble {
    let remedy = "Log in by hand (ssh) and run powershell.exe -NoProfile -NonInteractive -Command 1; look at the account's \
                  rights, application control and sshd's ForceCommand and DefaultShell.";
    let silent = |message: String| trouble(TroubleKind::NoPowerShell, message, remedy.into());
    let said =
        |seen: &str| if seen.is_empty() { "it said nothing".to_owned() } else { format!("it said: {seen}") };
    match failure {
        StartFailure::Refused(why) => silent(format!("{at} lets us log in but starts no program: {why}")),
        // cmd.exe, PowerShell and Unix shells, each in its words.
        StartFailure::Silent { ended: Some(_), seen, .. }
            if ["is not recognized", "not found"].iter().any(|w| seen.contains(w)) =>
        {
            trouble(
                TroubleKind::NoPowerShell,
                format!("there is no powershell.exe on {at}; it said: {}", seen.trim_end_matches(',')),
                "Check in the inventory that this is the Windows machine that is meant. If it is: its PATH lacks \
                 C:\\Windows\\System32\\WindowsPowerShell\\v1.0; put it back and restart the service sshd there."
                    .into(),
            )
        }
        StartFailure::Silent { ended: Some(code), seen, .. } => {
            silent(format!("PowerShell on {at} ended with code {code} before its first answer; {}", said(seen)))
        }
        StartFailure::Silent { ended: None, after, seen } => {
            let seconds = after.as_secs_f32();
            silent(format!("PowerShell on {at} did not answer within {seconds:.0} s; {}", said(seen)))
        }
        StartFailure::Garbage(seen) => trouble(
            TroubleKind::Garbage,
            format!("what {at} starts is not PowerShell; it said: {seen}"),
            "Check sshd's ForceCommand and DefaultShell and the account's login scripts: something answers in place of \
             powershell.exe."
                .into(),
        ),
        StartFailure::Lost(why) => lost(at, why),
    }
}

/// A machine that worked before: its trouble with logins or PowerShell may be a restart under way.
pub fn passing(inner: Trouble) -> Trouble {
    let remedy = format!("The machine worked before and may be restarting; {RETRY} If it lasts: {}", inner.remedy);
    Trouble { kind: TroubleKind::Lost, message: inner.message, remedy }
}
