//! The inventory: which cluster, which machines, how they are reached. Every mistake is said with its place, all of them in
//! one go.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;
use toml::Spanned;

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
    pub task: Option<TaskAccount>,
    /// Settings of the runbook that differ here.
    pub settings: BTreeMap<String, Json>,
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
        self.ssh_config || self.transport != Transport::Ssh
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    lab: bool,
    scale: Option<Spanned<f64>>,
    since: Option<Spanned<String>>,
    runbook: Option<String>,
    target: Option<String>,
    cluster: ClusterTable,
    coordinator: Option<CoordinatorTable>,
    #[serde(default)]
    node: Vec<NodeTable>,
    #[serde(default)]
    ssh: SshTable,
    #[serde(default)]
    settings: BTreeMap<String, Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterTable {
    name: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeTable {
    name: Spanned<String>,
    host: Option<Spanned<String>>,
    port: Option<Spanned<i64>>,
    user: Option<String>,
    key: Option<Spanned<String>>,
    jump: Option<Vec<Spanned<String>>>,
    transport: Option<Spanned<Transport>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CoordinatorTable {
    name: Spanned<String>,
    host: Option<Spanned<String>>,
    port: Option<Spanned<i64>>,
    user: Option<String>,
    key: Option<Spanned<String>>,
    jump: Option<Vec<Spanned<String>>>,
    transport: Option<Spanned<Transport>>,
    task_account: Option<Spanned<String>>,
    task_password_command: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SshTable {
    user: Option<String>,
    port: Option<Spanned<i64>>,
    agent: Option<bool>,
    key: Option<Spanned<String>>,
    #[serde(default)]
    password: bool,
    password_command: Option<Spanned<Vec<String>>>,
    known_hosts: Option<OneOrMany>,
    jump: Option<Vec<Spanned<String>>>,
    transport: Option<Spanned<Transport>>,
    ssh_config: Option<Spanned<toml::Value>>,
    keepalive: Option<Spanned<u64>>,
    dead_after: Option<Spanned<u64>>,
    connect_timeout: Option<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct OneOrMany(Vec<String>);

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

    /// Nodes, then the coordinator.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.nodes.iter().chain(self.coordinator.iter())
    }
}

struct Checker<'a> {
    source: &'a Source,
    wrong: Vec<Diagnostic>,
    /// Relative paths in the file start here.
    base: &'a Path,
}

impl Checker<'_> {
    fn say<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, help: &str) {
        self.wrong.push(Diagnostic::new(self.source, at.span(), message).help(help));
    }

    fn inventory(&mut self, file: File, path: &Path) -> Inventory {
        let ssh = file.ssh;
        let port = ssh.port.as_ref().map_or(22, |p| self.port(p));
        let known_hosts = match &ssh.known_hosts {
            Some(OneOrMany(files)) => files.iter().map(|f| self.path(f)).collect(),
            None => home().map(|h| h.join(".ssh/known_hosts")).into_iter().collect(),
        };
        let password = match (&ssh.password_command, ssh.password) {
            (Some(command), _) => {
                if command.get_ref().is_empty() {
                    self.say(command, "the command is empty", "give the program and its arguments, one text each");
                }
                Some(PasswordFrom::Command(command.get_ref().clone()))
            }
            (None, true) => Some(PasswordFrom::Prompt),
            (None, false) => None,
        };
        let key = ssh.key.as_ref().map(|k| self.key(k));
        let jump = ssh.jump.as_ref().map_or_else(Vec::new, |j| self.jumps(j));
        let (asked, ssh_config_file) = ssh.ssh_config.as_ref().map_or((false, None), |c| self.ssh_config(c));
        let base = Login {
            user: ssh.user.clone().unwrap_or_default(),
            agent: ssh.agent.unwrap_or(true),
            key,
            password: password.clone(),
            known_hosts,
            jump,
            transport: ssh.transport.as_ref().map(|t| *t.get_ref()).unwrap_or_default(),
            ssh_config: asked,
            ssh_config_file,
            given: Given {
                user: ssh.user.is_some(),
                port: ssh.port.is_some(),
                agent: ssh.agent.is_some(),
                known_hosts: ssh.known_hosts.is_some(),
                jump: ssh.jump.is_some(),
            },
        };

        if file.cluster.name.get_ref().trim().is_empty() {
            self.say(&file.cluster.name, "the name is empty", "write the cluster's name as Windows shows it");
        }
        if file.cluster.name.get_ref().contains('.') {
            let help = "Cluster-Aware Updating wants the short name: everything before the first dot";
            self.say(&file.cluster.name, "this is a full name", help);
        }
        if file.node.is_empty() {
            let end = self.source.text.len();
            self.wrong.push(
                Diagnostic::new(self.source, end..end, "no node is listed")
                    .help("add [[node]] with name = \"…\" for every node of the cluster"),
            );
        }

        let mut nodes: Vec<Machine> = Vec::new();
        for t in &file.node {
            let way = Way {
                host: &t.host,
                port: &t.port,
                user: &t.user,
                key: &t.key,
                jump: &t.jump,
                transport: &t.transport,
            };
            let machine = self.machine(&t.name, way, &base, port);
            if nodes.iter().any(|n| n.name == machine.name) {
                self.say(&t.name, format!("node {} is listed twice", machine.name), "every node once");
            } else if let Some(other) = nodes.iter().find(|n| (&n.host, n.port) == (&machine.host, machine.port)) {
                let message = format!("{} has the address of {}", machine.name, other.name);
                self.say(t.host.as_ref().unwrap_or(&t.name), message, "give each node its own host or port");
            }
            nodes.push(machine);
        }
        let mut task = None;
        let coordinator = file.coordinator.as_ref().map(|t| {
            let way = Way {
                host: &t.host,
                port: &t.port,
                user: &t.user,
                key: &t.key,
                jump: &t.jump,
                transport: &t.transport,
            };
            let machine = self.machine(&t.name, way, &base, port);
            if nodes.iter().any(|n| n.name == machine.name) {
                let help = "the coordinator must be outside the cluster: it keeps running while nodes restart";
                self.say(&t.name, format!("{} is a node of the cluster", machine.name), help);
            }
            task = t.task_account.as_ref().map(|account| {
                let managed = account.get_ref().ends_with('$');
                if !account.get_ref().contains(['\\', '@']) {
                    let help = "write DOMAIN\\user, user@domain, or DOMAIN\\name$ for a managed service account";
                    self.say(account, "the account has no domain", help);
                }
                let password = match &t.task_password_command {
                    _ if managed => None,
                    Some(command) => Some(PasswordFrom::Command(command.clone())),
                    // Who logs in with a password and is asked for it once need not be asked again.
                    None if account.get_ref() == &machine.login.user && password.is_some() => password.clone(),
                    None => Some(PasswordFrom::Prompt),
                };
                TaskAccount { user: account.get_ref().clone(), password }
            });
            machine
        });

        let mut scale = 1.0;
        if let Some(s) = &file.scale {
            scale = *s.get_ref();
            if !file.lab {
                self.say(s, "the clock may only be scaled in a lab", "remove it, or set lab = true");
            } else if !(1.0..=10_000.0).contains(&scale) {
                self.say(s, "the scale must be between 1 and 10000", "60 means: a minute passes in a second");
            }
        }
        let since = file.since.as_ref().and_then(|s| {
            let since = s.get_ref().parse().ok().filter(|_| file.lab);
            if since.is_none() {
                self.say(
                    s,
                    "not a time at which the clock of a lab was right",
                    "remove it: a lab writes it itself",
                );
            }
            since
        });
        if file.lab
            && let Some(machine) = nodes.iter().chain(&coordinator).find(|m| m.login.asks_ssh_config())
        {
            let end = self.source.text.len();
            let message = format!("lab = true, but {} may be somewhere else by ssh_config", machine.name);
            self.wrong.push(
                Diagnostic::new(self.source, 0..end.min(1), message)
                    .help("a lab is on this machine: transport = \"ssh\" and no ssh_config"),
            );
        }
        if file.lab {
            for machine in nodes.iter().chain(&coordinator) {
                if !is_loopback(&machine.host) {
                    let end = self.source.text.len();
                    let message = format!("lab = true, but {} is at {}", machine.name, machine.host);
                    self.wrong.push(
                        Diagnostic::new(self.source, 0..end.min(1), message)
                            .help("a lab is on this machine: every host must be a loopback address"),
                    );
                    break;
                }
            }
        }
        let keepalive = ssh.keepalive.as_ref().map_or(15, |k| *k.get_ref());
        let dead_after = ssh.dead_after.as_ref().map_or(45, |k| *k.get_ref());
        if let Some(at) = ssh.dead_after.as_ref().or(ssh.keepalive.as_ref())
            && dead_after < 2 * keepalive
        {
            self.say(
                at,
                "a connection would be given up before it was asked for life twice",
                "dead_after >= 2 * keepalive",
            );
        }
        let connect_timeout = ssh.connect_timeout.as_ref().map_or(60, |t| *t.get_ref());
        if let Some(at) = ssh.connect_timeout.as_ref().filter(|_| !(1..=600).contains(&connect_timeout)) {
            self.say(
                at,
                format!("{connect_timeout} s is no time to wait"),
                "between 1 and 600 seconds; 60 where absent",
            );
        }
        Inventory {
            path: path.to_owned(),
            cluster: file.cluster.name.into_inner(),
            runbook: file.runbook,
            target: file.target,
            lab: file.lab,
            scale,
            since,
            nodes,
            coordinator,
            task,
            settings: file.settings,
            keepalive,
            dead_after,
            connect_timeout,
        }
    }

    fn machine(&mut self, name: &Spanned<String>, way: Way<'_>, base: &Login, port: u16) -> Machine {
        let short = name.get_ref().split('.').next().unwrap_or_default().trim().to_uppercase();
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if short.is_empty() || short.len() > 15 || !short.chars().all(legal) {
            let help = "a computer name has 1 to 15 letters, digits or hyphens";
            self.say(name, format!("`{}` is no computer name", name.get_ref()), help);
        }
        let host = way.host.as_ref().map_or(name.get_ref(), |h| h.get_ref()).trim().to_owned();
        if host.is_empty() || host.contains(char::is_whitespace) || host.contains('@') {
            let at = way.host.as_ref().unwrap_or(name);
            self.say(at, format!("`{host}` is no host name or address"), "write a DNS name or an IP address");
        }
        let mut login = base.clone();
        if let Some(user) = way.user {
            login.user.clone_from(user);
            login.given.user = true;
        }
        if let Some(transport) = way.transport {
            login.transport = *transport.get_ref();
        }
        if login.user.trim().is_empty() && (login.given.user || !login.asks_ssh_config()) {
            let help = "add user = \"DOMAIN\\\\name\" under [ssh], or to this machine";
            self.say(name, format!("nobody to log in to {short} as"), help);
        }
        if let Some(key) = way.key {
            login.key = Some(self.key(key));
        }
        if let Some(jump) = way.jump {
            login.jump = self.jumps(jump);
            login.given.jump = true;
        }
        if login.transport == Transport::OpenSsh && !login.agent && login.key.is_none() && login.password.is_some()
        {
            let message = format!("no way to log in to {short}: a password is never handed to openssh");
            let help = "ssh would ask under the screen: use a key, an agent or Kerberos, or transport = \"ssh\"";
            self.say(name, message, help);
        }
        if !login.agent && login.key.is_none() && login.password.is_none() && !login.asks_ssh_config() {
            let help = "set key, agent = true, or password = true under [ssh]";
            self.say(name, format!("no way to log in to {short}"), help);
        }
        login.given.port |= way.port.is_some();
        let port = way.port.as_ref().map_or(port, |p| self.port(p));
        Machine { name: short, host, port, login }
    }

    fn port(&mut self, port: &Spanned<i64>) -> u16 {
        match u16::try_from(*port.get_ref()) {
            Ok(p) if p > 0 => p,
            _ => {
                self.say(
                    port,
                    format!("{} is no port", port.get_ref()),
                    "a port is between 1 and 65535; SSH is 22",
                );
                22
            }
        }
    }

    fn key(&mut self, key: &Spanned<String>) -> PathBuf {
        let path = self.path(key.get_ref());
        if !path.is_file() {
            let help = "write the path of the private key; ~ is your home folder";
            self.say(key, format!("there is no file {}", path.display()), help);
        } else if path.extension().is_some_and(|e| e == "pub") {
            self.say(key, "this is the public key", "write the private one: the same path without .pub");
        }
        path
    }

    /// Whether it is read, and from where.
    fn ssh_config(&mut self, value: &Spanned<toml::Value>) -> (bool, Option<PathBuf>) {
        match value.get_ref() {
            toml::Value::Boolean(asked) => (*asked, None),
            toml::Value::String(path) => {
                let path = self.path(path);
                if !path.is_file() {
                    let help = "write the path of an ssh_config file, or true for your own";
                    self.say(value, format!("there is no file {}", path.display()), help);
                }
                (true, Some(path))
            }
            _ => {
                self.say(value, "true, false or a path belongs here", "true: your own ~/.ssh/config is read");
                (false, None)
            }
        }
    }

    fn jumps(&mut self, jumps: &[Spanned<String>]) -> Vec<Jump> {
        jumps
            .iter()
            .filter_map(|j| {
                let jump = parse_jump(j.get_ref());
                if jump.is_none() {
                    self.say(
                        j,
                        format!("`{}` is no jump host", j.get_ref()),
                        "write user@host:port, or just host",
                    );
                }
                jump
            })
            .collect()
    }

    fn path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), home()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.base.join(text),
        }
    }
}

/// What a machine's table may give of its own.
struct Way<'a> {
    host: &'a Option<Spanned<String>>,
    port: &'a Option<Spanned<i64>>,
    user: &'a Option<String>,
    key: &'a Option<Spanned<String>>,
    jump: &'a Option<Vec<Spanned<String>>>,
    transport: &'a Option<Spanned<Transport>>,
}

/// `user@host:port`, user and port optional; IPv6 addresses in brackets.
pub fn parse_jump(text: &str) -> Option<Jump> {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user.to_owned()).filter(|u| !u.is_empty()), rest),
        None => (None, text),
    };
    let (host, port) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match rest.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            _ => (rest, None),
        },
    };
    let port = match port {
        Some(p) => p.parse().ok().filter(|p| *p > 0)?,
        None => 22,
    };
    let fine = !host.is_empty() && !host.contains(char::is_whitespace);
    fine.then(|| Jump { user, host: host.to_owned(), port })
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|a| a.is_loopback())
}

fn home() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|d| d.home_dir().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Inventory, String> {
        Inventory::parse(&Source::new("site.toml", text), Path::new("site.toml")).map_err(|d| d.to_string())
    }

    const SMALL: &str =
        "[cluster]\nname = 'HCI-CL1'\n[[node]]\nname = 'hci-n1.corp.example'\n[ssh]\nuser = 'CORP\\admin'\n";

    #[test]
    fn the_least_inventory() {
        let i = parse(SMALL).unwrap();
        assert_eq!(i.nodes[0].name, "HCI-N1");
        assert_eq!((i.nodes[0].host.as_str(), i.nodes[0].port), ("hci-n1.corp.example", 22));
        assert!(i.nodes[0].login.agent);
        assert_eq!((i.keepalive, i.dead_after), (15, 45));
    }

    #[test]
    fn every_mistake_points() {
        for (text, place, said) in [
            ("[cluster]\nname = 'X'\n", "site.toml:3:1", "no node is listed"),
            ("[cluster]\nname = 'X'\n[[nodes]]\nname = 'a'\n", "site.toml:3:3", "there is no field `nodes` here"),
            (
                "[cluster]\nname = 'x.y'\n[[node]]\nname = 'a'\n[ssh]\nuser = 'u'\n",
                "site.toml:2:8",
                "this is a full name",
            ),
            (&format!("{SMALL}port = 99999\n"), "site.toml:7:8", "99999 is no port"),
            (&format!("{SMALL}key = '/no/such'\n"), "site.toml:7:7", "there is no file /no/such"),
            (&format!("{SMALL}agent = false\n"), "site.toml:4:8", "no way to log in to HCI-N1"),
            (&format!("{SMALL}[[node]]\nname = 'HCI-N1'\n"), "site.toml:8:8", "node HCI-N1 is listed twice"),
            (
                &format!("{SMALL}[coordinator]\nname = 'HCI-N1'\n"),
                "site.toml:8:8",
                "HCI-N1 is a node of the cluster",
            ),
            (&format!("scale = 60.0\n{SMALL}"), "site.toml:1:9", "the clock may only be scaled in a lab"),
            (&format!("since = 'noon'\n{SMALL}"), "site.toml:1:9", "not a time"),
            (&format!("lab = true\n{SMALL}"), "site.toml:1:1", "lab = true, but HCI-N1 is at hci-n1.corp.example"),
            (&format!("{SMALL}jump = ['a b']\n"), "site.toml:7:9", "`a b` is no jump host"),
            (&format!("{SMALL}ssh_config = 5\n"), "site.toml:7:14", "true, false or a path belongs here"),
            (&format!("{SMALL}ssh_config = '/no/such'\n"), "site.toml:7:14", "there is no file /no/such"),
            (&format!("{SMALL}transport = 'opensh'\n"), "site.toml:7:13", "there is no choice `opensh` here"),
            (
                &format!("{SMALL}transport = 'openssh'\npassword = true\nagent = false\n"),
                "site.toml:4:8",
                "a password is never handed to openssh",
            ),
            (
                "lab = true\n[cluster]\nname = 'X'\n[[node]]\nname = 'a'\nhost = '127.0.0.1'\ntransport = 'auto'\n",
                "site.toml:1:1",
                "A may be somewhere else by ssh_config",
            ),
            ("[cluster]\nname = 'X'\n[[node]]\nname = 'a'\n", "site.toml:4:8", "nobody to log in to A as"),
            ("[cluster\n", "site.toml:1:9", "unclosed table"),
        ] {
            let e = parse(text).expect_err(text);
            assert!(e.starts_with(place), "{e}");
            assert!(e.contains(said), "{e}");
        }
    }

    #[test]
    fn each_machine_has_its_transport() {
        let text =
            SMALL.replace("[ssh]", "transport = 'openssh'\n[[node]]\nname = 'b'\n[ssh]\ntransport = 'auto'");
        let i = parse(&text).unwrap();
        let transports: Vec<_> = i.nodes.iter().map(|n| n.login.transport).collect();
        assert_eq!(transports, [Transport::OpenSsh, Transport::Auto]);
        let nobody = parse(&text.replace("user = 'CORP\\admin'\n", "")).expect("ssh_config names the user");
        assert!(!nobody.nodes[0].login.given.user && !nobody.nodes[0].login.given.port);
        let i = parse(&format!("{SMALL}ssh_config = true\nport = 22\n")).unwrap();
        let login = &i.nodes[0].login;
        assert!(login.asks_ssh_config() && login.given.port && login.given.user && !login.given.jump);
        let e = parse(&format!("{SMALL}transport = 'OpenSSH'\n")).unwrap_err();
        assert!(e.contains("did you mean `openssh`?"), "{e}");
    }

    #[test]
    fn all_mistakes_come_together() {
        let e = parse("[cluster]\nname = 'x.y'\n[[node]]\nname = 'a b'\n").unwrap_err();
        assert!(
            e.contains("full name") && e.contains("is no computer name") && e.contains("nobody to log in"),
            "{e}"
        );
    }

    #[test]
    fn jump_hosts() {
        let jump = |user: Option<&str>, host: &str, port| {
            Some(Jump { user: user.map(str::to_owned), host: host.into(), port })
        };
        assert_eq!(parse_jump("admin@jump.example:2222"), jump(Some("admin"), "jump.example", 2222));
        assert_eq!(parse_jump("CORP\\admin@jump"), jump(Some("CORP\\admin"), "jump", 22));
        assert_eq!(parse_jump("[fe80::1]:22"), jump(None, "fe80::1", 22));
        assert_eq!(parse_jump("fe80::1"), jump(None, "fe80::1", 22));
        assert_eq!(parse_jump("host:0"), None);
    }

    #[test]
    fn a_task_account_may_be_managed() {
        let with = |account: &str| {
            parse(&format!("{SMALL}[coordinator]\nname = 'COORD01'\ntask_account = '{account}'\n"))
                .unwrap()
                .task
                .unwrap()
        };
        assert_eq!(with("CORP\\upgrade$").password, None);
        assert_eq!(with("CORP\\upgrade").password, Some(PasswordFrom::Prompt));
    }
}
