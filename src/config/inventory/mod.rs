//! The inventory: which cluster, which machines, how they are reached. Every mistake is said with its place, all of them in
//! one go.

mod check;
mod hooks;
mod tables;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

pub use check::parse_jump;
pub use window::{Span, Window, change_number};

use self::check::Checker;
use self::tables::File;
use super::diagnose::{Diagnostic, Diagnostics, Source, why_unread};

/// An inventory, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Inventory {
    /// The file it was read from.
    pub path: PathBuf,
    pub cluster: String,
    pub runbook: Option<String>,
    pub target: Option<String>,
    /// Every machine is imitated and on loopback: the clock may be scaled.
    pub lab: bool,
    /// Engine seconds in one real second; other than 1 only in a lab.
    pub scale: f64,
    /// When the clock of a lab was right: it has run at the scale since then. Now where absent.
    pub since: Option<Timestamp>,
    pub nodes: Vec<Machine>,
    pub coordinator: Option<Machine>,
    /// By the name of a node: where a person gets at it when nothing else reaches it.
    pub consoles: BTreeMap<String, String>,
    pub task: Option<TaskAccount>,
    /// Settings of the runbook that differ here.
    pub settings: BTreeMap<String, Json>,
    /// Number of the change that this is done under; and whether nothing starts without one.
    pub change: Option<String>,
    pub change_required: bool,
    /// When nodes may be taken out of service; at any time where absent.
    pub window: Option<Window>,
    pub hooks: Option<Hooks>,
    /// Seconds without traffic after which a connection is asked for life, and without life is dead.
    pub keepalive: u64,
    pub dead_after: u64,
    /// Seconds that a machine has for the SSH handshake, and its PowerShell for a first answer.
    pub connect_timeout: u64,
}

/// One machine and the way to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    pub name: String,
    pub host: String,
    pub port: u16,
    pub login: Login,
    /// Name of the machine that it is reached through; with `Transport::Remoting` only.
    pub through: Option<String>,
}

/// How one logs in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Login {
    pub user: String,
    /// Ask the SSH agent.
    pub agent: bool,
    /// Key file, `~` resolved.
    pub key: Option<PathBuf>,
    pub password: Option<PasswordFrom>,
    pub known_hosts: Vec<PathBuf>,
    /// Hosts to go through, in order.
    pub jump: Vec<Jump>,
    pub transport: Transport,
    /// What this file does not say is taken from ssh_config.
    pub ssh_config: bool,
    /// The file that is read for it; `None`: the person's own.
    pub ssh_config_file: Option<PathBuf>,
    pub given: Given,
}

/// What carries the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// libssh2, in this program.
    #[default]
    Ssh,
    /// The system's ssh.
    OpenSsh,
    /// libssh2 unless ssh_config asks for what only the system's ssh can do.
    Auto,
    /// PowerShell remoting from a machine that has an SSH server.
    Remoting,
}

/// What the file says in so many words: it wins over ssh_config.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    pub user: bool,
    pub port: bool,
    pub agent: bool,
    pub known_hosts: bool,
    pub jump: bool,
}

impl Login {
    /// The person's ssh_config has a say.
    pub fn asks_ssh_config(&self) -> bool {
        let ours = matches!(self.transport, Transport::OpenSsh | Transport::Auto);
        ours || (self.ssh_config && self.transport == Transport::Ssh)
    }
}

/// A host on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jump {
    pub user: Option<String>,
    pub host: String,
    pub port: u16,
}

/// Where a password comes from. Never the file itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordFrom {
    /// Asked before the screen opens.
    Prompt,
    /// First line of what this prints.
    Command(Vec<String>),
}

/// The account that the detached run on the coordinator works under: it must reach every node.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskAccount {
    pub user: String,
    /// None for a group managed service account.
    pub password: Option<PasswordFrom>,
}

/// What is run on this machine around each node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hooks {
    /// Programs with their arguments.
    pub before_drain: Option<Vec<String>>,
    pub after_resume: Option<Vec<String>>,
    /// Seconds that one has.
    pub timeout: u64,
    pub on_failure: OnFailure,
}

/// What follows where a hook before a node fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    #[default]
    Pause,
    Warn,
}

/// Longest inventory, in bytes.
const LARGEST: u64 = 1 << 20;

impl Inventory {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Every mistake with its place.
    pub fn read(path: &Path) -> Result<Self, Diagnostics> {
        let name = path.display().to_string();
        let nowhere = |why: String| Diagnostic::new(&Source::new(name.clone(), ""), 0..0, why);
        let size = std::fs::metadata(path).map_err(|e| {
            nowhere(why_unread(&e)).help(
                "`nodelift init` writes an inventory by asking; `nodelift config print --inventory` shows one",
            )
        })?;
        if size.len() > LARGEST {
            return Err(nowhere(format!("it has {} bytes, more than {LARGEST}", size.len())).into());
        }
        let text = std::fs::read_to_string(path).map_err(|e| nowhere(why_unread(&e)))?;
        Self::parse(&Source::new(name, text), path)
    }

    /// Checks a text.
    ///
    /// # Errors
    /// Every mistake with its place.
    pub fn parse(source: &Source, path: &Path) -> Result<Self, Diagnostics> {
        let file: File = source.parse_all()?;
        let mut check = Checker { source, wrong: Vec::new(), base: path.parent().unwrap_or(Path::new(".")) };
        let inventory = check.inventory(file, path);
        if check.wrong.is_empty() { Ok(inventory) } else { Err(Diagnostics(check.wrong)) }
    }

    /// The machine of that name.
    pub fn machine(&self, name: &str) -> Option<&Machine> {
        self.machines().find(|m| m.name.eq_ignore_ascii_case(name))
    }

    /// Nodes, then the coordinator.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.nodes.iter().chain(self.coordinator.iter())
    }
}
