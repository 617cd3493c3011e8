//! What goes wrong on the way to a machine behind another one, and what remoting needs there.

use super::RemotingConfig;
use super::answer::Broken;
use crate::core::connection::{Trouble, TroubleKind};
use crate::core::event::Failure;
use crate::remote::kept::trouble::{RETRY, trouble};

/// Ids of refused credentials (before the comma), as WinRM names them.
const REFUSED: [&str; 6] = [
    "AccessDenied",
    "LogonFailure",
    "AuthenticationFailed",
    "InvalidAuthentication",
    "System.UnauthorizedAccessException",
    "RemoteConnectionDisallowed",
];
/// Of names without an address.
const NAMELESS: [&str; 1] = ["ComputerNotFound"];
/// Of a client that trusts no computer it cannot ask Kerberos for: 0x803380E4.
const UNTRUSTED: [&str; 2] = ["ServerNotTrusted", "-2144108316"];

/// The machine on the way is away itself.
pub fn away(config: &RemotingConfig, inner: &Trouble) -> Trouble {
    let message = format!(
        "{} is reached through {}, which is not connected itself: {}",
        config.name, config.through, inner.message
    );
    // The connection to that one is this one's own: where it needs a person, so does this one.
    let kind = if inner.kind.needs_person() { inner.kind } else { TroubleKind::JumpFailed };
    trouble(kind, message, inner.remedy.clone())
}

/// There is no session. `worked`: there was one before.
pub fn session(config: &RemotingConfig, broken: &Broken, worked: bool) -> Trouble {
    let (name, through, computer) = (&config.name, &config.through, &config.computer);
    let said = if broken.message.is_empty() { &broken.id } else { &broken.message };
    let is = |ids: &[&str]| ids.contains(&broken.id.split(',').next().unwrap_or_default());
    if is(&REFUSED) && config.password.is_none() {
        let message = format!(
            "{through} may not open a remoting session on {name}: the login there brings no credentials for other machines ({said})"
        );
        let remedy = format!(
            "A login with a key has no credentials on the network. Set password = true or password_command under [ssh]: the \
             password of {} is then sent to {through} for each session, inside the encrypted connection. Or log in to {through} \
             with credentials that may be delegated (transport = \"openssh\" with Kerberos), or give {name} an SSH server: \
             nodelift prepare.",
            config.user
        );
        return trouble(TroubleKind::CredentialUnusable, message, remedy);
    }
    if is(&REFUSED) {
        let message = format!("{name} refused the remoting session of {} from {through}: {said}", config.user);
        let remedy = format!(
            "Check the password, and that {} is an administrator of {name}. Do not try many times: the account may be locked.",
            config.user
        );
        return trouble(TroubleKind::LoginRefused, message, remedy);
    }
    if is(&UNTRUSTED) {
        let message = format!("{through} does not trust {computer} for remoting: {said}");
        let remedy = format!(
            "Name {name} by its full DNS name in the inventory (host), so that Kerberos knows it. Outside of a domain it needs \
             HTTPS or an entry in TrustedHosts on {through}."
        );
        return trouble(TroubleKind::CredentialUnusable, message, remedy);
    }
    if is(&NAMELESS) {
        let message = format!("{through} finds no address for {computer}: {said}");
        return trouble(
            TroubleKind::NoAddress,
            message,
            format!("Check the name in the inventory and the DNS; {RETRY}"),
        );
    }
    let kind = if worked { TroubleKind::Lost } else { TroubleKind::Unreachable };
    let message = format!("{through} is there, but remoting does not reach {name}: {said}");
    let remedy = if worked {
        format!("{name} may be restarting; {RETRY} If it lasts: look at its console and at its WinRM service.")
    } else {
        format!(
            "Check that {name} is up and that WinRM runs there and is let through (Get-Service WinRM; Enable-PSRemoting -Force, \
             TCP 5985); {RETRY}"
        )
    };
    trouble(kind, message, remedy)
}

/// A session is there, an answer is not.
pub fn silent(config: &RemotingConfig, failure: &Failure, worked: bool) -> Trouble {
    let kind = if worked { TroubleKind::Lost } else { TroubleKind::Unreachable };
    let message = format!("no answer of {} through {}: {}", config.name, config.through, failure.message);
    trouble(kind, message, format!("It may be restarting or busy; {RETRY}"))
}

/// What answers is no PowerShell as it should be.
pub fn greeting(config: &RemotingConfig, failure: &Failure) -> Trouble {
    let message =
        format!("PowerShell on {} cannot be used through {}: {}", config.name, config.through, failure.message);
    let remedy = format!(
        "Look at the session configuration there (Get-PSSessionConfiguration): {} needs the one named microsoft.powershell, not \
         a restricted one.",
        config.user
    );
    trouble(TroubleKind::NoPowerShell, message, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::remoting::answer::Stage;
    use crate::remote::remoting::tests::config;

    fn of(id: &str, password: Option<&str>, worked: bool) -> Trouble {
        let broken = Broken { stage: Stage::Open, id: id.into(), message: "No\u{202e}.".into() };
        session(&config(password), &broken, worked)
    }

    #[test]
    fn a_key_login_is_told_what_remoting_needs() {
        let t = of("AccessDenied,PSSessionOpenFailed", None, false);
        assert_eq!(t.kind, TroubleKind::CredentialUnusable);
        assert!(t.message.contains("COORD01") && t.message.contains("HCI-N2"), "{}", t.message);
        for word in ["password_command", "transport = \"openssh\"", "nodelift prepare"] {
            assert!(t.remedy.contains(word), "{}", t.remedy);
        }
        assert!(!t.message.contains('\u{202e}'));
    }

    #[test]
    fn ids_become_kinds() {
        let kind = |id, worked| of(id, Some("x"), worked).kind;
        assert_eq!(kind("AccessDenied,PSSessionOpenFailed", false), TroubleKind::LoginRefused);
        assert_eq!(kind("-2144108316,PSSessionOpenFailed", false), TroubleKind::CredentialUnusable);
        assert_eq!(kind("ComputerNotFound,PSSessionOpenFailed", false), TroubleKind::NoAddress);
        assert_eq!(kind("WinRMOperationTimeout,PSSessionOpenFailed", false), TroubleKind::Unreachable);
        assert_eq!(kind("WinRMOperationTimeout,PSSessionOpenFailed", true), TroubleKind::Lost);
    }

    #[test]
    fn the_machine_on_the_way_is_told_apart() {
        let inner = Trouble { kind: TroubleKind::Lost, message: "the link broke".into(), remedy: "wait".into() };
        let t = away(&config(None), &inner);
        assert_eq!((t.kind, t.remedy.as_str()), (TroubleKind::JumpFailed, "wait"));
        let changed = Trouble { kind: TroubleKind::HostKeyChanged, ..inner.clone() };
        assert_eq!(away(&config(None), &changed).kind, TroubleKind::HostKeyChanged, "it stays a person's");
        assert_eq!(t.message, "HCI-N2 is reached through COORD01, which is not connected itself: the link broke");
    }
}
