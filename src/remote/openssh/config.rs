//! What a person decides about one machine that is reached by the system's `ssh`. Everything else stands in their ssh_config.

use std::path::PathBuf;

use crate::remote::kept::Times;
use crate::remote::powershell::process::Limits;

/// One machine. What is `None` is left to ssh_config.
#[derive(Clone, Debug)]
pub struct OpenSshConfig {
    /// What it is called on the screen and in messages.
    pub name: String,
    /// What `ssh` is asked to connect to: a name, an address, or a `Host` of ssh_config.
    pub host: String,
    pub port: Option<u16>,
    pub user: Option<String>,
    /// A private key, tried before those of ssh_config.
    pub key: Option<PathBuf>,
    /// `Some(false)`: no key of an agent.
    pub agent: Option<bool>,
    /// Machines to go through, the nearest first; empty: as ssh_config says.
    pub hops: Vec<Hop>,
    /// Files of known host keys; empty: as ssh_config says.
    pub known_hosts: Vec<PathBuf>,
    /// The ssh_config files that count, the first value of a setting wins.
    pub files: Vec<PathBuf>,
    /// `ssh` itself.
    pub program: PathBuf,
    /// Several programs go through one connection.
    pub multiplex: bool,
    /// Shown behind how it was reached: why this transport was chosen, and where its values come from.
    pub note: Option<String>,
    pub times: Times,
    /// Times and sizes of the PowerShell workers.
    pub limits: Limits,
}

/// A machine on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    pub host: String,
    pub port: Option<u16>,
    pub user: Option<String>,
}

impl OpenSshConfig {
    /// A machine reached as the person's ssh_config says.
    pub fn new(name: impl Into<String>, host: impl Into<String>) -> OpenSshConfig {
        OpenSshConfig {
            name: name.into(),
            host: host.into(),
            port: None,
            user: None,
            key: None,
            agent: None,
            hops: Vec::new(),
            known_hosts: Vec::new(),
            files: usual_files(),
            program: "ssh".into(),
            multiplex: cfg!(unix),
            note: None,
            times: Times::default(),
            limits: Limits::default(),
        }
    }

    /// As it stands in the inventory: `host` or `host:port`.
    pub fn given(&self) -> String {
        match self.port {
            Some(port) if self.host.contains(':') => format!("[{}]:{port}", self.host),
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

/// The person's file, then the system's. `~` is for ssh to resolve: it looks the home folder up by itself.
fn usual_files() -> Vec<PathBuf> {
    if cfg!(windows) {
        let system = std::env::var_os("ProgramData").unwrap_or_else(|| r"C:\ProgramData".into());
        vec!["~/.ssh/config".into(), PathBuf::from(system).join("ssh").join("ssh_config")]
    } else {
        vec!["~/.ssh/config".into(), "/etc/ssh/ssh_config".into()]
    }
}
