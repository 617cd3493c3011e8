//! What `ssh` says when it fails, as trouble that a person can act on. The texts are those of OpenSSH 7.6 to 10; they are not
//! translated, and system errors in them are in English because the process runs with `LC_ALL=C`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::config::OpenSshConfig;
use super::effective::Effective;
use crate::core::connection::{Trouble, TroubleKind};
use crate::remote::kept::trouble::{RETRY, changed_key, trouble};
use crate::remote::sanitise::clean_short;

/// What the outer ssh says when the way it was given ended before SSH began.
const NO_WAY: &[&str] = &["UNKNOWN port 65535", "kex_exchange_identification: ", "ssh_exchange_identification: "];
/// What it says of itself when all went well, or at the end.
const CHATTER: &[&str] = &["Authenticated to ", "Transferred: ", "Bytes per second: ", "debug1: "];

/// Where a machine is, by the settings in force.
#[derive(Clone, Debug)]
pub struct At {
    /// Host and port.
    pub at: String,
    pub user: String,
    /// What known_hosts files call it.
    pub name: String,
    /// What the inventory calls it; none for a machine on the way.
    pub machine: Option<String>,
    /// ProxyJump or ProxyCommand.
    pub proxy: Option<String>,
    /// Files of known host keys, the person's before the system's.
    pub known_hosts: Vec<PathBuf>,
}

impl At {
    pub fn new(config: &OpenSshConfig, known: &Effective) -> At {
        let host = known.get("hostname").unwrap_or(&config.host).to_ascii_lowercase();
        let port = known.port().or(config.port).unwrap_or(22);
        let at = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let name = match known.get("hostkeyalias") {
            Some(alias) => alias.to_ascii_lowercase(),
            None if port == 22 => host,
            None => format!("[{host}]:{port}"),
        };
        let proxy = match (known.get("proxyjump"), known.get("proxycommand")) {
            (Some(jump), _) => Some(jump.to_owned()),
            (None, Some(command)) => Some(clean_short(&format!("ProxyCommand {command}"), 60)),
            (None, None) => None,
        };
        let user = known.get("user").or(config.user.as_deref()).unwrap_or_default().to_owned();
        let machine = Some(config.name.clone());
        At { at, user, name, machine, proxy, known_hosts: known.known_files() }
    }

    /// What shares a limit for logins: the machine, or the one that is gone through.
    pub fn way(&self) -> String {
        self.proxy.clone().unwrap_or_else(|| self.at.clone())
    }
}

pub fn plain(kind: TroubleKind, message: &str, remedy: &str) -> Trouble {
    trouble(kind, message.to_owned(), remedy.to_owned())
}

/// `ssh` cannot be started.
pub fn program(config: &OpenSshConfig, error: &io::Error) -> Trouble {
    settings(config, &format!("{} cannot be started: {error}", config.program.display()))
}

/// Something on this side: no ssh, or a configuration that it does not take.
pub fn settings(config: &OpenSshConfig, why: &str) -> Trouble {
    trouble(
        TroubleKind::Unreachable,
        format!("ssh cannot be used for {}: {}", config.given(), clean_short(why, 400)),
        format!(
            "Look at this machine, not at the node: OpenSSH must be installed and `ssh -G {}` must work, or write \
             transport = \"ssh\" in the inventory; {RETRY}",
            config.given()
        ),
    )
}

/// It neither logged in nor gave up.
pub fn silent(at: &At, within: Duration, lines: &[String]) -> Trouble {
    let said = said(lines);
    trouble(
        TroubleKind::Unreachable,
        format!("{} did not complete a login within {} s{said}", at.at, within.as_secs_f32()),
        format!(
            "Check whether the machine hangs or is starting, and whether a security key waits to be touched; {RETRY}"
        ),
    )
}

/// The connection was up; in a few words why it is not any more.
pub fn why_lost(lines: &[String]) -> String {
    let last = lines.iter().rev().find(|l| !is_chatter(l));
    last.map_or_else(|| "its ssh process ended".to_owned(), |l| clean_short(l, 300))
}

/// It ended before the login succeeded.
pub fn refused(at: &At, lines: &[String]) -> Trouble {
    let lines: Vec<String> = lines.iter().filter(|l| !is_chatter(l)).cloned().collect();
    let no_way = |l: &String| NO_WAY.iter().any(|w| l.contains(w));
    match &at.proxy {
        Some(proxy) if lines.last().is_some_and(no_way) => {
            let before: Vec<String> = lines.iter().filter(|l| !no_way(l)).cloned().collect();
            let inner = on_the_way(at, proxy, &before);
            let kind = if inner.kind.needs_person() { inner.kind } else { TroubleKind::JumpFailed };
            let message = format!("on the way to {}, through {proxy}: {}", at.at, inner.message);
            Trouble { kind, message, remedy: inner.remedy }
        }
        _ => here(at, &lines),
    }
}

fn on_the_way(at: &At, proxy: &str, lines: &[String]) -> Trouble {
    let has = |words: &[&str]| lines.iter().any(|l| words.iter().any(|w| l.contains(w)));
    if has(&["open failed", "stdio forwarding failed"]) {
        return trouble(
            TroubleKind::JumpFailed,
            format!("the jump host cannot reach {}{}", at.at, said(lines)),
            format!(
                "Check that the machine is up, and that the jump host allows forwarding (AllowTcpForwarding); {RETRY}"
            ),
        );
    }
    // What is said there is said of the jump host.
    let hop = At {
        at: proxy.to_owned(),
        user: String::new(),
        name: String::new(),
        machine: None,
        proxy: None,
        ..at.clone()
    };
    if lines.is_empty() {
        let message = "the way ended before SSH began, without a word".to_owned();
        let remedy = format!("Try it by hand: ssh {}; look at ProxyCommand in ssh_config; {RETRY}", at.at);
        return trouble(TroubleKind::JumpFailed, message, remedy);
    }
    here(&hop, lines)
}

fn here(at: &At, lines: &[String]) -> Trouble {
    let has = |words: &[&str]| lines.iter().any(|l| words.iter().any(|w| l.contains(w)));
    let place = &at.at;
    if has(&["REVOKED HOST KEY", "is marked as revoked"]) {
        return trouble(
            TroubleKind::HostKeyRevoked,
            format!("the host key of {place} is marked as revoked{}", told(lines, &["is marked as revoked"])),
            "Do not log in there. Ask who revoked the key; the machine needs new host keys.".into(),
        );
    }
    if has(&["HOST IDENTIFICATION HAS CHANGED", "has changed and you have requested strict"]) {
        return changed(at, lines);
    }
    if has(&["host key is known for", "Host key verification failed"]) {
        let told = told(lines, &["host key is known for", "Host key verification failed"]);
        return trouble(
            TroubleKind::HostKeyUnknown,
            format!("the host key of {place} is not known yet{told}"),
            "Run nodelift trust -i FILE once to review its fingerprint and accept it; compare it with the machine's own \
             (ssh-keygen -lf on its ssh_host_*_key.pub). For a machine on the way: log in there once by hand."
                .into(),
        );
    }
    if has(&["Unable to negotiate", "no matching "]) {
        return trouble(
            TroubleKind::NoCommonAlgorithm,
            format!(
                "{place} and ssh share no algorithm{}",
                told(lines, &["Unable to negotiate", "no matching "])
            ),
            "Allow a current algorithm in the server's sshd_config, or name the old one in ssh_config for this host only."
                .into(),
        );
    }
    if has(&["Permission denied", "Too many authentication failures", "Disconnected from"]) {
        return login(at, lines);
    }
    if has(&["Could not resolve hostname"]) {
        return trouble(
            TroubleKind::NoAddress,
            format!("the name of {place} has no address{}", told(lines, &["Could not resolve hostname"])),
            format!("Check the name in the inventory and in ssh_config, and the DNS of this machine; {RETRY}"),
        );
    }
    if has(&["bad configuration option", "Bad configuration option", "Bad owner or permissions", "terminating, "])
    {
        return trouble(
            TroubleKind::Unreachable,
            format!("ssh does not take its configuration for {place}{}", said(lines)),
            format!("Mend the named file on this machine; {RETRY}"),
        );
    }
    let garbage = ["invalid format", "invalid characters", "Bad packet length", "Bad remote protocol version"];
    if has(&garbage) || has(&["incorrect signature", "message authentication code incorrect", "Corrupted MAC"]) {
        return trouble(
            TroubleKind::Garbage,
            format!("what answers on {place} does not speak SSH as it should{}", said(lines)),
            "Check the port in the inventory and what listens there.".into(),
        );
    }
    unreachable(at, lines)
}

fn unreachable(at: &At, lines: &[String]) -> Trouble {
    let has = |words: &[&str]| lines.iter().any(|l| words.iter().any(|w| l.contains(w)));
    let place = &at.at;
    let (what, remedy) = if has(&["Connection refused"]) {
        ("nothing listens there", "Check that the machine is up and that its sshd service runs (Get-Service sshd)")
    } else if has(&["No route to host", "Network is unreachable"]) {
        ("there is no route to it", "Check the network between this machine and the node, such as a VPN")
    } else if has(&["timed out", "Timeout, server"]) {
        ("it did not answer in time", "Check that the machine is up and that no firewall drops the port")
    } else if has(&["closed by", "reset by peer", "Connection closed", "Broken pipe"]) {
        (
            "it dropped the connection before the login was complete",
            "The machine may be restarting, or its sshd limits connections (MaxStartups, PerSourcePenalties)",
        )
    } else {
        ("ssh ended before it was logged in", "Try it by hand with ssh")
    };
    trouble(TroubleKind::Unreachable, format!("{place}: {what}{}", said(lines)), format!("{remedy}; {RETRY}"))
}

fn changed(at: &At, lines: &[String]) -> Trouble {
    let word = |start: &str| lines.iter().find_map(|l| l.strip_prefix(start)).map(|l| l.trim_end_matches('.'));
    let print = lines.iter().find(|l| l.starts_with("SHA256:")).map(|l| l.trim_end_matches('.'));
    let mut message = format!("the host key of {} has CHANGED", at.at);
    if let Some(print) = print {
        message.push_str(&format!(": it shows {print}"));
    }
    let known = lines.iter().find_map(|l| l.strip_prefix("Offending ")?.split_once(" key in "));
    if let Some((kind, place)) = known {
        message.push_str(&format!(", known is an {} key ({place})", kind.to_ascii_lowercase()));
    }
    // ssh itself knows the name and the file; older ones say only the file.
    let removal = lines.iter().find(|l| l.starts_with("ssh-keygen -")).cloned();
    let file = word("Add correct host key in ").and_then(|w| w.split(" to get rid").next()).unwrap_or_default();
    let by_hand = || {
        let removal = removal.unwrap_or_else(|| format!("ssh-keygen -R \"{}\" -f \"{file}\"", at.name));
        format!("{removal}, then log in there once by hand.")
    };
    let then = at.machine.as_deref().map_or_else(by_hand, changed_key);
    trouble(
        TroubleKind::HostKeyChanged,
        message,
        format!(
            "Somebody may be in between. Verify the new fingerprint out of band, on the machine's console; only if it was \
             reinstalled: {then}"
        ),
    )
}

fn login(at: &At, lines: &[String]) -> Trouble {
    let local = [
        "not accessible",
        "no such identity",
        "Load key",
        "signing failed",
        "agent refused",
        "UNPROTECTED PRIVATE KEY",
        "No Kerberos credentials",
        "Unspecified GSS failure",
    ];
    let complaint = lines.iter().find(|l| local.iter().any(|w| l.contains(w)));
    let told = told(lines, &["Permission denied", "Too many authentication", "Disconnected from"]);
    let who = if at.user.is_empty() { String::new() } else { format!(" of {}", at.user) };
    if let Some(complaint) = complaint {
        return trouble(
            TroubleKind::CredentialUnusable,
            format!("a credential for {} cannot be used here: {}{told}", at.at, clean_short(complaint, 200)),
            "Mend what ssh names: the key file, the agent (ssh-add), or the Kerberos ticket (kinit); then try again.".into(),
        );
    }
    trouble(
        TroubleKind::LoginRefused,
        format!("{} refused the login{who}{told}", at.at),
        "Check user and key. ssh is never let ask here: add an encrypted key to an agent first (ssh-add), get a Kerberos \
         ticket (kinit). Administrators' keys belong in C:\\ProgramData\\ssh\\administrators_authorized_keys, owned by \
         SYSTEM and Administrators only."
            .into(),
    )
}

fn is_chatter(line: &str) -> bool {
    CHATTER.iter().any(|c| line.starts_with(c))
}

/// The line that says it, as a quotation.
fn told(lines: &[String], words: &[&str]) -> String {
    let line = lines.iter().rev().find(|l| words.iter().any(|w| l.contains(w)));
    line.map_or_else(String::new, |l| format!("; ssh said: {}", clean_short(l, 200)))
}

/// The last lines, as a quotation.
fn said(lines: &[String]) -> String {
    let last: Vec<&str> = lines.iter().rev().take(3).rev().map(String::as_str).collect();
    if last.is_empty() { String::new() } else { format!("; ssh said: {}", clean_short(&last.join("; "), 300)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TroubleKind::*;

    fn at(proxy: Option<&str>) -> At {
        At {
            at: "n1:22101".into(),
            user: "admin".into(),
            name: "[n1]:22101".into(),
            machine: Some("HCI-N1".into()),
            proxy: proxy.map(str::to_owned),
            known_hosts: Vec::new(),
        }
    }

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect()
    }

    /// Said by OpenSSH 9.2p1 to 9.9p1.
    #[test]
    fn what_ssh_says_has_a_kind() {
        for (text, kind, part) in [
            ("ssh: Could not resolve hostname n1: Name or service not known", NoAddress, "not known"),
            ("ssh: connect to host 127.0.0.1 port 1: Connection refused", Unreachable, "nothing listens"),
            ("ssh: connect to host 10.0.0.1 port 22: Connection timed out", Unreachable, "in time"),
            ("ssh: connect to host 10.0.0.1 port 22: No route to host", Unreachable, "no route"),
            (
                "Connection timed out during banner exchange\nConnection to 10.0.0.1 port 22 timed out",
                Unreachable,
                "in time",
            ),
            (
                "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 10.0.0.1 port 22",
                Unreachable,
                "MaxStartups",
            ),
            ("kex_exchange_identification: Connection closed by remote host", Unreachable, "dropped"),
            (
                "kex_exchange_identification: banner line contains invalid characters\nbanner exchange: Connection to 127.0.0.1 port 80: invalid format",
                Garbage,
                "does not speak SSH",
            ),
            (
                "No ED25519 host key is known for [n1]:22101 and you have requested strict checking.\nHost key verification failed.",
                HostKeyUnknown,
                "nodelift trust",
            ),
            (
                "ED25519 host key for [n1]:22101 was revoked and you have requested strict checking.\nThe ED25519 host key for [n1]:22101 is marked as revoked.\nHost key verification failed.",
                HostKeyRevoked,
                "revoked",
            ),
            (
                "Unable to negotiate with 127.0.0.1 port 22101: no matching cipher found. Their offer: aes128-ctr",
                NoCommonAlgorithm,
                "aes128-ctr",
            ),
            (
                "admin@n1: Permission denied (publickey,keyboard-interactive).",
                LoginRefused,
                "(publickey,keyboard-interactive)",
            ),
            (
                "Received disconnect from 127.0.0.1 port 22: 2: Too many authentication failures\nDisconnected from 127.0.0.1 port 22",
                LoginRefused,
                "refused the login of admin",
            ),
            (
                "Warning: Identity file nokey not accessible: No such file or directory.\nadmin@n1: Permission denied (publickey).",
                CredentialUnusable,
                "nokey not accessible",
            ),
            (
                "Load key \"/home/me/id\": error in libcrypto\nadmin@n1: Permission denied (publickey).",
                CredentialUnusable,
                "error in libcrypto",
            ),
            (
                "sign_and_send_pubkey: signing failed for ED25519 \"k\" from agent: agent refused operation\nadmin@n1: Permission denied (publickey).",
                CredentialUnusable,
                "agent refused",
            ),
            (
                "cfg: line 1: Bad configuration option: foo\ncfg: terminating, 1 bad configuration options",
                Unreachable,
                "Mend the named file",
            ),
            (
                "ssh_dispatch_run_fatal: Connection to 127.0.0.1 port 22: incorrect signature",
                Garbage,
                "incorrect signature",
            ),
            ("", Unreachable, "ended before"),
        ] {
            let t = refused(&at(None), &lines(text));
            assert_eq!(t.kind, kind, "{text}: {}", t.message);
            assert!(format!("{} {}", t.message, t.remedy).contains(part), "{text}: {} {}", t.message, t.remedy);
            assert!(t.message.contains("n1"), "{}", t.message);
        }
    }

    const CHANGED: &str = "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n\
        IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\n\
        The fingerprint for the ED25519 key sent by the remote host is\n\
        SHA256:/GHLeoWVWuNvxYRlQ21s4xmyU16IGA4w/CvKd3Qo1bY.\n\
        Add correct host key in /home/me/known to get rid of this message.\n\
        Offending ECDSA key in /home/me/known:7\n  remove with:\n  ssh-keygen -f \"/home/me/known\" -R \"[n1]:22101\"\n\
        Host key for [n1]:22101 has changed and you have requested strict checking.\nHost key verification failed.";

    #[test]
    fn a_changed_key_says_which_and_where() {
        let t = refused(&at(None), &lines(CHANGED));
        assert_eq!(t.kind, HostKeyChanged);
        assert_eq!(
            t.message,
            "the host key of n1:22101 has CHANGED: it shows SHA256:/GHLeoWVWuNvxYRlQ21s4xmyU16IGA4w/CvKd3Qo1bY, known is an \
             ecdsa key (/home/me/known:7)"
        );
        assert!(
            t.remedy.contains("nodelift trust -i FILE --node HCI-N1") && !t.remedy.contains("ssh-keygen"),
            "{}",
            t.remedy
        );
        let unnamed = At { machine: None, ..at(None) };
        let t = refused(&unnamed, &lines(CHANGED));
        assert!(t.remedy.contains("ssh-keygen -f \"/home/me/known\" -R \"[n1]:22101\""), "{}", t.remedy);
    }

    #[test]
    fn a_machine_on_the_way_keeps_what_needs_a_person() {
        const END: &str = "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535";
        for (text, kind, part) in [
            (
                "channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed",
                JumpFailed,
                "cannot reach n1:22101",
            ),
            (
                "channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed",
                JumpFailed,
                "administratively",
            ),
            ("ssh: connect to host jump port 22: Connection refused", JumpFailed, "jump: nothing listens"),
            ("ssh: Could not resolve hostname jump: Name or service not known", JumpFailed, "no address"),
            ("me@jump: Permission denied (publickey).", LoginRefused, "through jump: jump refused"),
            ("Host key verification failed.", HostKeyUnknown, "through jump"),
            (CHANGED, HostKeyChanged, "through jump"),
            ("/bin/bash: line 1: /nowhere/x: No such file or directory", JumpFailed, "/nowhere/x"),
            ("", JumpFailed, "without a word"),
        ] {
            let t = refused(&at(Some("jump")), &lines(&format!("{text}\n{END}")));
            assert_eq!(t.kind, kind, "{text}: {}", t.message);
            assert!(t.message.contains(part), "{text}: {}", t.message);
        }
        let own = refused(&at(Some("jump")), &lines("admin@n1: Permission denied (publickey)."));
        assert_eq!(
            (own.kind, own.message.starts_with("n1:22101 refused")),
            (LoginRefused, true),
            "not the way's fault"
        );
    }

    #[test]
    fn why_a_connection_ended() {
        let said = "Authenticated to n1 ([127.0.0.1]:22) using \"publickey\".\nTimeout, server n1 not responding.\n\
                    Transferred: sent 3360, received 3144 bytes, in 0.4 seconds\nBytes per second: sent 7879.3, received 7372.7";
        assert_eq!(why_lost(&lines(said)), "Timeout, server n1 not responding.");
        assert_eq!(why_lost(&[]), "its ssh process ended");
    }
}
