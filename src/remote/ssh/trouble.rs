//! What goes wrong on the way to a login: what, where, why, and what to do.

use std::io;
use std::time::Duration;

use ssh2::ErrorCode;

use super::config::Endpoint;
use super::hostkey::HostKey;
use super::known_hosts::{Known, Verdict};
use crate::core::connection::{Trouble, TroubleKind};
use crate::remote::kept::trouble::{RETRY, changed_key, trouble};
use crate::remote::sanitise::clean_short;

pub fn no_address(at: &Endpoint, why: &str) -> Trouble {
    let message = format!("the name {} has no address: {why}", at.host);
    let remedy = format!("Check the name in the inventory and the DNS of this machine; {RETRY}");
    trouble(TroubleKind::NoAddress, message, remedy)
}

pub fn connect(at: &Endpoint, error: &io::Error, within: Duration) -> Trouble {
    use io::ErrorKind::*;
    let seconds = within.as_secs_f32();
    let (why, remedy) = match error.kind() {
        ConnectionRefused => (
            format!("nothing listens on {at}: the connection was refused"),
            "Check that the machine is up and that its sshd service runs (Get-Service sshd) on that port",
        ),
        TimedOut => (
            format!("{at} did not answer within {seconds} s"),
            "Check that the machine is up and that no firewall drops the port",
        ),
        HostUnreachable | NetworkUnreachable => (
            format!("there is no route to {at}: {error}"),
            "Check the network between this machine and the node, such as a VPN",
        ),
        _ => (format!("cannot connect to {at}: {error}"), "Check the network and the machine"),
    };
    trouble(TroubleKind::Unreachable, why, format!("{remedy}; {RETRY}"))
}

/// The connection stands, the handshake does not. Codes: powershell-over-ssh 2.8.
pub fn handshake(at: &Endpoint, error: &ssh2::Error, within: Duration) -> Trouble {
    let said = clean_short(error.message(), 200);
    match error.code() {
        ErrorCode::Session(-5 | -33) => trouble(
            TroubleKind::NoCommonAlgorithm,
            // libssh2 tells no more; a server that ends at the wrong moment looks the same.
            format!("{at} and nodelift agree on no key exchange, cipher or host key type, or the handshake broke off ({said})"),
            "Connect again. If it stays so: allow curve25519-sha256 or ecdh-sha2-nistp256 and an ed25519, ecdsa or rsa-sha2 host key in the server's \
             sshd_config, or reach this machine with transport = \"openssh\"."
                .into(),
        ),
        ErrorCode::Session(-9) => silent(at, within),
        ErrorCode::Session(-13 | -43 | -7 | -1) => dropped(at),
        ErrorCode::Session(-8 | -10 | -11) => trouble(
            TroubleKind::Garbage,
            format!("{at} could not prove that it owns its host key ({said})"),
            "Something between here and the machine may change the traffic: look at the network before you try again.".into(),
        ),
        _ => garbage(at, &said),
    }
}

pub fn silent(at: &Endpoint, within: Duration) -> Trouble {
    trouble(
        TroubleKind::Unreachable,
        format!("{at} takes connections but did not complete an SSH handshake within {} s", within.as_secs_f32()),
        format!("Check what listens on that port, and whether the machine hangs or is starting; {RETRY}"),
    )
}

fn dropped(at: &Endpoint) -> Trouble {
    trouble(
        TroubleKind::Unreachable,
        format!("{at} dropped the connection before the SSH handshake was complete"),
        format!(
            "The machine may be restarting, or its sshd limits connections (MaxStartups, PerSourcePenalties); {RETRY}"
        ),
    )
}

fn garbage(at: &Endpoint, said: &str) -> Trouble {
    trouble(
        TroubleKind::Garbage,
        format!("what answers on {at} does not speak SSH as it should ({said})"),
        "Check the port in the inventory and what listens there.".into(),
    )
}

fn list(known: &[Known]) -> String {
    let one = |k: &Known| format!("{} {} ({})", k.key.short_kind(), k.key.fingerprint(), k.place);
    known.iter().take(3).map(one).collect::<Vec<_>>().join("; ")
}

/// What a person does about a key that is another than the known one. A machine on the way is not in the inventory.
fn take_over(at: &Endpoint, known: &[Known]) -> String {
    let file = known.first().map(|k| k.place.file.display().to_string()).unwrap_or_default();
    match &at.machine {
        Some(machine) => changed_key(machine),
        None => format!("ssh-keygen -R \"{}\" -f \"{file}\", then log in there once by hand.", at.known_name()),
    }
}

/// The host's key is not one that we trust; `hints` may tell why, such as where else this very key is known.
pub fn host_key(at: &Endpoint, key: &HostKey, verdict: &Verdict, hints: &[String]) -> Option<Trouble> {
    let (kind, print) = (key.short_kind(), key.fingerprint());
    Some(match verdict {
        Verdict::Trusted(_) => return None,
        Verdict::Unknown { authority } => {
            let mut message = format!("the host key of {at} is not known yet: it shows {kind} {print}");
            if let Some(place) = authority {
                message.push_str(&format!("; the certificate authority in {place} cannot be used here"));
            }
            for hint in hints {
                message.push_str("; ");
                message.push_str(hint);
            }
            let remedy = "Compare the fingerprint with the machine's own (ssh-keygen -lf on its ssh_host_*_key.pub), then run \
                          nodelift trust -i FILE once to review and accept unknown keys."
                .to_owned();
            trouble(TroubleKind::HostKeyUnknown, message, remedy)
        }
        Verdict::Changed(known) => trouble(
            TroubleKind::HostKeyChanged,
            format!("the host key of {at} has CHANGED: it shows {kind} {print}, known is {}", list(known)),
            format!(
                "Somebody may be in between. Verify the new fingerprint out of band, on the machine's console; only if it was \
                 reinstalled: {}",
                take_over(at, known)
            ),
        ),
        Verdict::OtherTypeKnown(known) => trouble(
            TroubleKind::HostKeyChanged,
            format!(
                "{at} no longer offers the host key that is known for it: it shows {kind} {print}, known is {}",
                list(known)
            ),
            format!(
                "Somebody may be in between. Verify the shown fingerprint out of band, on the machine's console; only if its \
                 keys were replaced: {}",
                take_over(at, known)
            ),
        ),
        Verdict::Revoked(place) => trouble(
            TroubleKind::HostKeyRevoked,
            format!("the host key of {at} is marked as revoked: {kind} {print} ({place})"),
            "Do not log in there. Ask who revoked the key; the machine needs new host keys.".into(),
        ),
    })
}

pub fn login_refused(at: &Endpoint, tried: &[String], unusable: &[String], offers: &str) -> Trouble {
    let mut tried = if tried.is_empty() { "nothing".to_owned() } else { tried.join(", ") };
    if !unusable.is_empty() {
        tried.push_str(&format!("; could not try: {}", unusable.join(", ")));
    }
    trouble(
        TroubleKind::LoginRefused,
        format!("{at} refused the login of {}; tried: {tried}; it takes: {}", at.user, clean_short(offers, 100)),
        "Check user and key. Administrators' keys belong in C:\\ProgramData\\ssh\\administrators_authorized_keys, owned by \
         SYSTEM and Administrators only: icacls.exe C:\\ProgramData\\ssh\\administrators_authorized_keys /inheritance:r /grant \
         Administrators:F /grant SYSTEM:F"
            .into(),
    )
}

pub fn credential_unusable(at: &Endpoint, reasons: &[String]) -> Trouble {
    let reasons = if reasons.is_empty() { "none is configured".to_owned() } else { reasons.join("; ") };
    trouble(
        TroubleKind::CredentialUnusable,
        format!("no credential for {}@{at} can be used: {reasons}", at.user),
        "Start an agent and add a key (ssh-add), or name a key file in the inventory; then try again.".into(),
    )
}

/// The server stopped answering during the login.
pub fn login_broken(at: &Endpoint, error: &ssh2::Error, within: Duration) -> Trouble {
    match error.code() {
        ErrorCode::Session(-9) => trouble(
            TroubleKind::Unreachable,
            format!("{at} did not answer the login of {} within {} s", at.user, within.as_secs_f32()),
            format!("The machine may be busy, or cannot reach its domain controller; {RETRY}"),
        ),
        ErrorCode::Session(-13 | -43 | -7 | -1) => trouble(
            TroubleKind::Unreachable,
            format!("{at} dropped the connection during the login of {}", at.user),
            format!("The machine may be restarting; {RETRY}"),
        ),
        _ => garbage(at, &clean_short(error.message(), 200)),
    }
}

pub fn agent_hangs(at: &Endpoint) -> Trouble {
    credential_unusable(at, &["the SSH agent of this machine does not answer".to_owned()])
}

/// Trouble with a machine on the way, as trouble of the machine behind it. What needs a person keeps its kind.
pub fn through_hop(hop: &Endpoint, inner: Trouble) -> Trouble {
    let kind = if inner.kind.needs_person() { inner.kind } else { TroubleKind::JumpFailed };
    let message = format!("jump host {}: {}", hop.host, inner.message);
    Trouble { kind, message, remedy: inner.remedy }
}

/// The jump host works, but does not lead on.
pub fn tunnel(hop: &Endpoint, to: &Endpoint, why: &str) -> Trouble {
    trouble(
        TroubleKind::JumpFailed,
        format!("jump host {hop} cannot reach {to}: {}", clean_short(why, 200)),
        format!(
            "Check that {} is up, and that the jump host allows forwarding (AllowTcpForwarding); {RETRY}",
            to.host
        ),
    )
}

/// Something of ours, such as no more file handles.
pub fn local(at: &Endpoint, what: &str) -> Trouble {
    let message = format!("cannot connect to {at}: {what}");
    trouble(TroubleKind::Unreachable, message, format!("Look at this machine, not at the node; {RETRY}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::kept::trouble::{lost, once};
    use crate::remote::ssh::known_hosts::Place;
    use std::path::Path;

    fn at() -> Endpoint {
        Endpoint { port: 2201, ..Endpoint::new("n1", "admin", Vec::new()) }
    }

    fn key() -> HostKey {
        HostKey { kind: "ssh-ed25519".into(), blob: vec![1, 2, 3] }
    }

    #[test]
    fn host_key_troubles_say_what_where_and_what_to_do() {
        let place = Place { file: Path::new("/home/me/known_hosts").into(), line: 7 };
        let known = vec![Known { key: HostKey { blob: vec![9], ..key() }, place: place.clone() }];
        let changed = host_key(&at(), &key(), &Verdict::Changed(known.clone()), &[]).expect("trouble");
        assert_eq!(changed.kind, TroubleKind::HostKeyChanged);
        for part in ["n1:2201", &key().fingerprint(), &known[0].key.fingerprint(), "/home/me/known_hosts, line 7"]
        {
            assert!(changed.message.contains(part), "{part}: {}", changed.message);
        }
        let removal = "ssh-keygen -R \"[n1]:2201\" -f \"/home/me/known_hosts\"";
        assert!(changed.remedy.contains(removal), "a machine on the way: {}", changed.remedy);
        let named = Endpoint { machine: Some("HCI-N1".into()), ..at() };
        let named = host_key(&named, &key(), &Verdict::Changed(known.clone()), &[]).expect("trouble");
        assert!(
            named.remedy.contains("nodelift trust -i FILE --node HCI-N1")
                && !named.remedy.contains("ssh-keygen -R")
        );
        let unknown = host_key(
            &at(),
            &key(),
            &Verdict::Unknown { authority: Some(place.clone()) },
            &["the same key is known as n2".into()],
        );
        let unknown = unknown.expect("trouble");
        assert!(unknown.message.contains("known as n2") && unknown.remedy.contains("nodelift trust"));
        let other = host_key(&at(), &key(), &Verdict::OtherTypeKnown(known), &[]).expect("trouble");
        assert_eq!(other.kind, TroubleKind::HostKeyChanged, "never accepted in bulk");
        let revoked = host_key(&at(), &key(), &Verdict::Revoked(place.clone()), &[]).expect("trouble");
        assert_eq!(revoked.kind, TroubleKind::HostKeyRevoked);
        assert!(host_key(&at(), &key(), &Verdict::Trusted(place), &[]).is_none());
    }

    #[test]
    fn codes_become_kinds() {
        let kind = |code| {
            handshake(&at(), &ssh2::Error::from_errno(ErrorCode::Session(code)), Duration::from_secs(1)).kind
        };
        assert_eq!(kind(-5), TroubleKind::NoCommonAlgorithm);
        assert_eq!(kind(-9), TroubleKind::Unreachable);
        assert_eq!(kind(-43), TroubleKind::Unreachable);
        assert_eq!(kind(-13), TroubleKind::Unreachable);
        assert_eq!(kind(-2), TroubleKind::Garbage);
    }

    #[test]
    fn a_hop_keeps_what_needs_a_person() {
        let hop = Endpoint::new("jump", "admin", Vec::new());
        assert_eq!(through_hop(&hop, login_refused(&hop, &[], &[], "publickey")).kind, TroubleKind::LoginRefused);
        let silent = through_hop(&hop, silent(&hop, Duration::from_secs(1)));
        assert_eq!(silent.kind, TroubleKind::JumpFailed);
        assert!(silent.message.starts_with("jump host jump: "));
    }

    #[test]
    fn who_tries_once_is_promised_nothing() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let all = [
            connect(&at(), &refused, Duration::from_secs(1)),
            silent(&at(), Duration::from_secs(1)),
            dropped(&at()),
            lost(&at().to_string(), "x"),
            no_address(&at(), "x"),
            login_broken(&at(), &ssh2::Error::from_errno(ErrorCode::Session(-9)), Duration::from_secs(1)),
        ];
        for trouble in all {
            let remedy = once(trouble).remedy;
            assert!(!remedy.contains("by itself") && remedy.ends_with('.'), "{remedy}");
        }
    }

    #[test]
    fn foreign_text_is_cleaned() {
        let t = no_address(&Endpoint::new("evil\u{1b}[31m\u{202e}", "u", Vec::new()), "x\ny");
        assert!(!t.message.chars().any(|c| c.is_control() || c == '\u{202e}'), "{}", t.message);
    }
}
