//! What a person decides about one machine's SSH connection.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::remote::kept::Times;
use crate::remote::powershell::process::Limits;

/// One machine and the way to it.
#[derive(Clone, Debug)]
pub struct SshConfig {
    /// What it is called on the screen and in messages.
    pub name: String,
    pub target: Endpoint,
    /// Machines to go through, the nearest first.
    pub hops: Vec<Endpoint>,
    /// Files of known host keys, those of the person before those of the system. Missing ones are skipped.
    pub known_hosts: Vec<PathBuf>,
    pub times: Times,
    /// Times and sizes of the PowerShell workers.
    pub limits: Limits,
    /// Shown behind how it was reached: why this transport was chosen, and where its values come from.
    pub note: Option<String>,
}

impl SshConfig {
    /// A machine reached directly, with every default.
    pub fn new(name: impl Into<String>, target: Endpoint, known_hosts: Vec<PathBuf>) -> SshConfig {
        let (name, times, limits) = (name.into(), Times::default(), Limits::default());
        let target = Endpoint { machine: Some(name.clone()), ..target };
        SshConfig { name, target, hops: Vec::new(), known_hosts, times, limits, note: None }
    }
}

/// A login on an SSH server.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    pub port: u16,
    /// `user`, `DOMAIN\user` or `user@domain`.
    pub user: String,
    /// Tried in this order, as far as the server takes them.
    pub credentials: Vec<Credential>,
    /// What the inventory calls it; none for a machine on the way.
    pub machine: Option<String>,
    /// Looked up in known_hosts in place of host and port (`HostKeyAlias`).
    pub host_key_alias: Option<String>,
}

impl Endpoint {
    /// On port 22.
    pub fn new(host: impl Into<String>, user: impl Into<String>, credentials: Vec<Credential>) -> Endpoint {
        Endpoint {
            host: host.into(),
            port: 22,
            user: user.into(),
            credentials,
            machine: None,
            host_key_alias: None,
        }
    }

    /// The name in known_hosts: `host`, or `[host]:port` for another port than 22.
    pub fn known_name(&self) -> String {
        match (&self.host_key_alias, self.port) {
            (Some(alias), _) => alias.to_ascii_lowercase(),
            (None, 22) => self.host.to_ascii_lowercase(),
            (None, port) => format!("[{}]:{port}", self.host.to_ascii_lowercase()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// One way to prove who we are.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Keys of a running agent.
    Agent {
        /// Its socket or pipe; `None` = the usual one (`SSH_AUTH_SOCK`).
        socket: Option<PathBuf>,
        /// Offer only the key whose public half this file holds.
        only: Option<PathBuf>,
    },
    /// A private key in a file.
    KeyFile {
        path: PathBuf,
        passphrase: Option<SecretString>,
        /// A certificate for it (`-cert.pub`).
        certificate: Option<PathBuf>,
    },
    /// Also answers a server that asks for it by keyboard-interactive.
    Password(SecretString),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_known_hosts() {
        let mut endpoint = Endpoint::new("Node1.Corp", "admin", Vec::new());
        assert_eq!(endpoint.known_name(), "node1.corp");
        endpoint.port = 2201;
        assert_eq!(endpoint.known_name(), "[node1.corp]:2201");
        endpoint.host_key_alias = Some("Alias".into());
        assert_eq!(endpoint.known_name(), "alias");
        let v6 = Endpoint::new("fe80::1", "admin", Vec::new());
        assert_eq!((v6.known_name(), v6.to_string()), ("fe80::1".into(), "[fe80::1]:22".into()));
    }

    #[test]
    fn nothing_prints_secrets() {
        let credentials = vec![
            Credential::Password("s3cret".into()),
            Credential::KeyFile { path: "id".into(), passphrase: Some("s3cret".into()), certificate: None },
        ];
        let config = SshConfig::new("n", Endpoint::new("h", "u", credentials), Vec::new());
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
