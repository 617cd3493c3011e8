//! How each machine is reached: which transport, and with which values. What the inventory says wins, ssh_config fills in the
//! rest where it is asked for, and nothing is taken from it without a word.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use color_eyre::eyre::{Result, WrapErr, bail};

use super::hosts;
use super::secrets::Secrets;
use crate::config::inventory::{Inventory, Jump, Machine, Transport, parse_jump};
use crate::core::connection::{Trouble, TroubleKind};
use crate::remote::kept::{KeptHost, Thread};
use crate::remote::openssh::{Effective, Hop, OpenSsh, OpenSshConfig};
use crate::remote::ssh::{Credential, Endpoint, Scanned, SshConfig, SshRuntime};

/// The way to one machine, decided.
#[derive(Clone, Debug)]
pub struct Way {
    pub by: By,
    /// Host and port.
    pub at: String,
    /// The file that a newly trusted host key goes to.
    pub known_hosts: Option<PathBuf>,
    /// Why this transport, and what came from ssh_config; `None` where the inventory says it all.
    pub why: Option<String>,
}

#[derive(Clone, Debug)]
pub enum By {
    Ssh(SshConfig),
    OpenSsh(OpenSshConfig),
}

/// Both transports, on one thread.
#[derive(Debug)]
pub struct Transports {
    ssh: SshRuntime,
    /// Only where a machine asks for ssh_config.
    openssh: Option<Arc<OpenSsh>>,
}

impl Transports {
    pub fn start(machines: &[Machine]) -> Result<Transports> {
        let thread = Thread::start().wrap_err("cannot start the thread for SSH")?;
        let asked = machines.iter().any(|m| m.login.asks_ssh_config());
        let openssh = asked.then(|| OpenSsh::on(thread.clone()).map(Arc::new)).transpose();
        let openssh = openssh.wrap_err("cannot make a folder for the sockets of ssh")?;
        Ok(Transports { ssh: SshRuntime::on(thread), openssh })
    }

    /// The system's ssh, where a machine asks for it.
    pub fn openssh(&self) -> Option<Arc<OpenSsh>> {
        self.openssh.clone()
    }

    pub fn host(&self, way: Way) -> Result<KeptHost> {
        match (way.by, &self.openssh) {
            (By::Ssh(config), _) => Ok(self.ssh.host(config)),
            (By::OpenSsh(config), Some(openssh)) => Ok(openssh.host(config)),
            (By::OpenSsh(_), None) => bail!("the system's ssh was not made ready"),
        }
    }

    /// Asks a machine for its host key.
    pub async fn scan(&self, way: Way) -> std::result::Result<Scanned, Trouble> {
        match (way.by, &self.openssh) {
            (By::OpenSsh(config), Some(openssh)) => openssh.scan(config).await,
            (By::Ssh(config), _) => self.ssh.scan(config).await,
            (By::OpenSsh(config), None) => {
                let message = format!("the system's ssh was not made ready for {}", config.name);
                Err(Trouble { kind: TroubleKind::Unreachable, message, remedy: "Try again.".into() })
            }
        }
    }

    /// Decides for each machine, in order. Asks `ssh -G` where the inventory wants it; connects to nothing.
    pub fn decide(&self, machines: &[Machine], secrets: &Secrets, inventory: &Inventory) -> Result<Vec<Way>> {
        let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        waiting.block_on(async {
            let mut out = Vec::new();
            for machine in machines {
                out.push(self.one(machine, secrets, inventory).await?);
            }
            Ok(out)
        })
    }

    async fn one(&self, machine: &Machine, secrets: &Secrets, inventory: &Inventory) -> Result<Way> {
        let given = hosts::config(machine, secrets, inventory);
        let Some(openssh) = self.openssh.as_ref().filter(|_| machine.login.asks_ssh_config()) else {
            let known_hosts = given.known_hosts.first().cloned();
            let at = given.target.to_string();
            return Ok(Way { by: By::Ssh(given), at, known_hosts, why: None });
        };
        let system = system_config(machine, &given);
        let effective = openssh.effective(system.clone()).await;
        let transport = machine.login.transport;
        let (effective, unread) = match effective {
            Ok(effective) => (effective, None),
            Err(why) => (Effective::default(), Some(why)),
        };
        let home = home();
        let known_hosts = match machine.login.given.known_hosts {
            true => machine.login.known_hosts.first().cloned(),
            false => effective.known_files().first().or(machine.login.known_hosts.first()).cloned(),
        };
        let hops = self.hops(openssh, machine, &effective, &system).await;
        let has_key = has_credential(&given, &effective, &home);
        let needs = effective.needs_openssh(has_key, &home).or_else(|| hops.iter().find_map(|h| h.needs.clone()));
        let (by_system, choice) = match (transport, &unread, &needs) {
            (Transport::OpenSsh, _, _) => (true, None),
            (Transport::Auto, None, Some(why)) => (true, Some(format!("auto: {why}"))),
            (Transport::Auto, None, None) => {
                (false, Some("auto: ssh_config asks for nothing that needs openssh".to_owned()))
            }
            (Transport::Auto, Some(why), _) => (false, Some(format!("auto: ssh_config was not read: {why}"))),
            (Transport::Ssh, Some(why), _) => (false, Some(format!("ssh_config was not read: {why}"))),
            (Transport::Ssh, None, Some(why)) => {
                (false, Some(format!("{why}, which is not used: only transport = \"openssh\" can")))
            }
            (Transport::Ssh, None, None) => (false, None),
        };
        if by_system {
            let config = OpenSshConfig { note: choice.clone(), ..system };
            let password = machine.login.password.is_some();
            let unused =
                password.then(|| "the password is not used: the system's ssh is given no secret".to_owned());
            let why = [choice, unused].into_iter().flatten().collect::<Vec<_>>().join("; ");
            let host = effective.get("hostname").unwrap_or(&machine.host);
            let at =
                Endpoint { port: effective.port().unwrap_or(machine.port), ..Endpoint::new(host, "", Vec::new()) };
            let why = (!why.is_empty()).then_some(why);
            return Ok(Way { by: By::OpenSsh(config), at: at.to_string(), known_hosts, why });
        }
        let (mut config, taken) = import(machine, given, &effective, &home, hops, secrets);
        if config.target.user.is_empty() {
            let why = choice.unwrap_or_default();
            bail!("nobody to log in to {} as: add user = \"DOMAIN\\\\name\" under [ssh] ({why})", machine.name);
        }
        let taken = (!taken.is_empty()).then(|| format!("from ssh_config: {}", taken.join(", ")));
        let why = [choice, taken].into_iter().flatten().collect::<Vec<_>>().join("; ");
        config.note = (!why.is_empty()).then(|| why.clone());
        let at = config.target.to_string();
        Ok(Way { by: By::Ssh(config), at, known_hosts, why: (!why.is_empty()).then_some(why) })
    }

    /// The machines on the way that ssh_config names, each with its own settings.
    async fn hops(
        &self,
        openssh: &OpenSsh,
        machine: &Machine,
        effective: &Effective,
        system: &OpenSshConfig,
    ) -> Vec<FoundHop> {
        let mut out = Vec::new();
        if machine.login.given.jump {
            return out;
        }
        for text in effective.proxy_jump() {
            let Some(jump) = parse_jump(&text) else {
                let needs = Some(format!("ssh_config names the jump host {text}, which cannot be read here"));
                out.push(FoundHop { needs, ..FoundHop::default() });
                continue;
            };
            let mut config =
                OpenSshConfig { files: system.files.clone(), ..OpenSshConfig::new(&text, &jump.host) };
            config.user.clone_from(&jump.user);
            config.port = (jump.port != 22).then_some(jump.port);
            let own = openssh.effective(config).await.unwrap_or_default();
            let further = own.get("proxyjump").filter(|_| out.is_empty());
            let needs =
                own.needs_openssh(true, &home()).map(|why| format!("for the jump host {}, {why}", jump.host));
            let needs =
                needs.or_else(|| further.map(|f| format!("the jump host {} is itself behind {f}", jump.host)));
            out.push(FoundHop { jump: Some(jump), effective: own, needs });
        }
        out
    }
}

/// A machine on the way.
#[derive(Default)]
struct FoundHop {
    jump: Option<Jump>,
    effective: Effective,
    /// What only the system's ssh can do.
    needs: Option<String>,
}

/// What the inventory says, for the system's ssh.
fn system_config(machine: &Machine, given: &SshConfig) -> OpenSshConfig {
    let login = &machine.login;
    let mut config = OpenSshConfig::new(&machine.name, &machine.host);
    if let Some(file) = &login.ssh_config_file {
        config.files = vec![file.clone()];
    }
    config.port = login.given.port.then_some(machine.port);
    config.user = login.given.user.then(|| login.user.clone());
    config.key.clone_from(&login.key);
    config.agent = login.given.agent.then_some(login.agent);
    if login.given.known_hosts {
        config.known_hosts.clone_from(&login.known_hosts);
    }
    let user = |j: &Jump| j.user.clone().or_else(|| config.user.clone());
    config.hops = (login.jump.iter())
        .map(|j| Hop { host: j.host.clone(), port: (j.port != 22).then_some(j.port), user: user(j) })
        .collect();
    config.times = given.times.clone();
    config.limits = given.limits.clone();
    config
}

/// There is something to log in with, other than Kerberos.
fn has_credential(given: &SshConfig, effective: &Effective, home: &Path) -> bool {
    let usable = |c: &Credential| match c {
        Credential::Agent { .. } => std::env::var_os("SSH_AUTH_SOCK").is_some(),
        Credential::KeyFile { .. } | Credential::Password(_) => true,
    };
    given.target.credentials.iter().any(usable) || effective.key_files(home).iter().any(|k| k.is_file())
}

/// Fills in what the inventory leaves open, and tells what that was.
fn import(
    machine: &Machine,
    mut config: SshConfig,
    effective: &Effective,
    home: &Path,
    hops: Vec<FoundHop>,
    secrets: &Secrets,
) -> (SshConfig, Vec<String>) {
    let (login, mut taken) = (&machine.login, Vec::new());
    let mut hosts_of_hops = Vec::new();
    let target = &mut config.target;
    if let Some(host) = effective.get("hostname").filter(|h| !h.eq_ignore_ascii_case(&machine.host)) {
        host.clone_into(&mut target.host);
        taken.push(format!("host {host}"));
    }
    if let Some(port) = effective.port().filter(|p| !login.given.port && *p != target.port) {
        target.port = port;
        taken.push(format!("port {port}"));
    }
    if let Some(user) = effective.get("user").filter(|_| !login.given.user) {
        user.clone_into(&mut target.user);
        taken.push(format!("user {user}"));
    }
    if let Some(alias) = effective.get("hostkeyalias") {
        target.host_key_alias = Some(alias.to_owned());
        taken.push(format!("host key alias {alias}"));
    }
    if login.key.is_none() {
        add_keys(target, effective, home, secrets, &mut taken);
    }
    if !login.given.jump {
        for FoundHop { jump, effective: own, .. } in hops {
            let Some(jump) = jump else { continue };
            let user = own.get("user").unwrap_or(&target.user);
            let mut hop =
                Endpoint::new(own.get("hostname").unwrap_or(&jump.host), user, target.credentials.clone());
            hop.port = own.port().unwrap_or(jump.port);
            hop.host_key_alias = own.get("hostkeyalias").map(str::to_owned);
            add_keys(&mut hop, &own, home, secrets, &mut Vec::new());
            taken.push(format!("jump host {hop}"));
            hosts_of_hops.extend(own.known_hosts(home));
            config.hops.push(hop);
        }
    }
    if !login.given.known_hosts && !effective.known_hosts(home).is_empty() {
        config.known_hosts = effective.known_files();
        taken.push("known_hosts files".into());
    }
    hosts_of_hops.retain(|f| !config.known_hosts.contains(f));
    config.known_hosts.extend(hosts_of_hops);
    (config, taken)
}

/// The key files that ssh_config names, before an agent.
fn add_keys(to: &mut Endpoint, effective: &Effective, home: &Path, secrets: &Secrets, taken: &mut Vec<String>) {
    let named = |path: &PathBuf| {
        to.credentials.iter().any(|c| matches!(c, Credential::KeyFile { path: p, .. } if p == path))
    };
    let keys: Vec<PathBuf> =
        effective.key_files(home).into_iter().filter(|k| k.is_file()).filter(|k| !named(k)).collect();
    for path in keys.into_iter().rev() {
        taken.push(format!("key {}", path.display()));
        let passphrase = secrets.passphrases.get(&path).cloned();
        to.credentials.insert(0, Credential::KeyFile { path, passphrase, certificate: None });
    }
}

fn home() -> PathBuf {
    directories::BaseDirs::new().map(|d| d.home_dir().to_owned()).unwrap_or_default()
}

/// One line for a person.
pub fn line(machine: &Machine, way: &Way) -> String {
    let by = match way.by {
        By::Ssh(_) => "ssh",
        By::OpenSsh(_) => "openssh",
    };
    let why = way.why.as_ref().map_or_else(String::new, |w| format!(" ({w})"));
    format!("{}: by {by}{why}", machine.name)
}
