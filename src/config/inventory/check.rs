//! From what stands in an inventory to what it means; every mistake with its place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::tables::{File, NodeTable, OneOrMany};
use super::{Given, Inventory, Jump, Login, Machine, PasswordFrom, TaskAccount, Transport};
use crate::config::diagnose::{Diagnostic, Source};

/// Longest name of a console, in bytes.
const LONGEST_CONSOLE: usize = 200;

/// What is wrong so far.
pub(super) struct Checker<'a> {
    pub source: &'a Source,
    pub wrong: Vec<Diagnostic>,
    /// Relative paths in the file start here.
    pub base: &'a Path,
}

impl Checker<'_> {
    pub(super) fn say<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, help: &str) {
        self.wrong.push(Diagnostic::new(self.source, at.span(), message).help(help));
    }

    pub fn inventory(&mut self, file: File, path: &Path) -> Inventory {
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
            // What is said for all cannot be meant for the one that the others are reached through.
            let own = match base.transport {
                Transport::Remoting => Login { transport: Transport::Ssh, ..base.clone() },
                _ => base.clone(),
            };
            let machine = self.machine(&t.name, way, &own, port);
            if let Some(at) = t.transport.as_ref().filter(|at| *at.get_ref() == Transport::Remoting) {
                let help = "give it an SSH server: the others can be reached through it";
                self.say(at, format!("{} cannot be reached by remoting", machine.name), help);
            }
            if nodes.iter().any(|n| n.name == machine.name) {
                let help = "the coordinator must be outside the cluster: it keeps running while nodes restart";
                self.say(&t.name, format!("{} is a node of the cluster", machine.name), help);
            }
            task = t.task_account.as_ref().map(|account| {
                // Who logs in with a password and is asked for it once need not be asked again.
                let same = Some(account.get_ref()) == Some(&machine.login.user);
                self.account(account, &t.task_password_command, password.as_ref().filter(|_| same))
            });
            machine
        });

        if let Some(t) = &file.credentials {
            if task.is_some() {
                let help = "one of the two: the coordinator's task_account is for a run that a coordinator drives";
                self.say(&t.account, "two accounts are named for the run", help);
            }
            let same = *t.account.get_ref() == base.user;
            task = Some(self.account(&t.account, &t.password_command, password.as_ref().filter(|_| same)));
        }

        self.throughs(&file.node, &mut nodes, coordinator.as_ref());
        let mut consoles = BTreeMap::new();
        for (table, node) in file.node.iter().zip(&nodes) {
            let Some(console) = &table.console else { continue };
            let text = console.get_ref().trim();
            if text.is_empty() || text.len() > LONGEST_CONSOLE || text.chars().any(char::is_control) {
                let message = format!("not a place where {} has its console", node.name);
                self.say(console, message, "an address or a few words, on one line");
            } else {
                consoles.insert(node.name.clone(), text.to_owned());
            }
        }

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
            consoles,
            task,
            settings: file.settings,
            change: file.change.as_ref().map(|c| self.change(c)),
            change_required: file.change_required,
            window: file.window.as_ref().and_then(|w| self.window(w)),
            hooks: file.hooks.as_ref().map(|h| self.hooks(h)),
            keepalive,
            dead_after,
            connect_timeout,
        }
    }

    /// An account that the run works with, and where its password comes from: `known` is that of the login, where it is the same.
    fn account(
        &mut self,
        account: &Spanned<String>,
        command: &Option<Vec<String>>,
        known: Option<&PasswordFrom>,
    ) -> TaskAccount {
        let managed = account.get_ref().ends_with('$');
        if !account.get_ref().contains(['\\', '@']) {
            let help = "write DOMAIN\\user, user@domain, or DOMAIN\\name$ for a managed service account";
            self.say(account, "the account has no domain", help);
        }
        let password = match command {
            _ if managed => None,
            Some(command) => Some(PasswordFrom::Command(command.clone())),
            None => Some(known.cloned().unwrap_or(PasswordFrom::Prompt)),
        };
        TaskAccount { user: account.get_ref().clone(), password }
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
        let by_ssh = login.transport != Transport::Remoting && !login.asks_ssh_config();
        if !login.agent && login.key.is_none() && login.password.is_none() && by_ssh {
            let help = "set key, agent = true, or password = true under [ssh]";
            self.say(name, format!("no way to log in to {short}"), help);
        }
        login.given.port |= way.port.is_some();
        let port = way.port.as_ref().map_or(port, |p| self.port(p));
        Machine { name: short, host, port, login, through: None }
    }

    /// Which machine each one without an SSH server is reached through: its own, else the coordinator.
    fn throughs(&mut self, tables: &[NodeTable], nodes: &mut [Machine], coordinator: Option<&Machine>) {
        let known: Vec<(String, Transport)> =
            nodes.iter().chain(coordinator).map(|m| (m.name.clone(), m.login.transport)).collect();
        for (t, node) in tables.iter().zip(nodes) {
            if node.login.transport != Transport::Remoting {
                if let Some(through) = &t.through {
                    let message = format!("{} is not reached through another machine", node.name);
                    self.say(through, message, "remove it, or write transport = \"remoting\"; jump is for SSH");
                }
                continue;
            }
            let Some(through) = &t.through else {
                node.through = coordinator.map(|c| c.name.clone());
                if node.through.is_none() {
                    let message = format!("there is no machine to reach {} through", node.name);
                    let help = "add a [coordinator], or through = \"NAME\" of a node that has an SSH server";
                    match &t.transport {
                        Some(at) => self.say(at, message, help),
                        None => self.say(&t.name, message, help),
                    }
                }
                continue;
            };
            let short = through.get_ref().split('.').next().unwrap_or_default().trim().to_uppercase();
            match known.iter().find(|(name, _)| *name == short) {
                _ if short == node.name => {
                    let help = "name another machine of this file, one that has an SSH server";
                    self.say(through, format!("{short} cannot be reached through itself"), help);
                }
                None => {
                    let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
                    let help = format!("there is: {}", names.join(", "));
                    self.say(through, format!("there is no machine `{}` here", through.get_ref()), &help);
                }
                Some((_, Transport::Remoting)) => {
                    let message = format!("{short} has no SSH server itself");
                    self.say(
                        through,
                        message,
                        "only one machine may be on the way: name one that is reached by SSH",
                    );
                }
                Some(_) => node.through = Some(short),
            }
        }
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
