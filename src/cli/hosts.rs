//! From an inventory to machines that can be talked to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;

use super::secrets::Secrets;
use super::ways::Transports;
use crate::config::inventory::{Inventory, Jump, Login, Machine};
use crate::core::name::NodeName;
use crate::remote::Host;
use crate::remote::ssh::{Credential, Endpoint, SshConfig};

/// The system's known host keys, read after the person's own.
#[cfg(unix)]
const SYSTEM_KNOWN_HOSTS: &str = "/etc/ssh/ssh_known_hosts";
#[cfg(not(unix))]
const SYSTEM_KNOWN_HOSTS: &str = r"C:\ProgramData\ssh\ssh_known_hosts";

/// Between two attempts to connect, however fast a lab's clock runs.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// Every machine of an inventory, over SSH.
pub fn ssh(inventory: &Inventory, secrets: &Secrets) -> Result<BTreeMap<NodeName, Arc<dyn Host>>> {
    let machines: Vec<Machine> = inventory.machines().cloned().collect();
    let transports = Transports::start(&machines)?;
    let ways = transports.decide(&machines, secrets, inventory)?;
    let mut hosts = BTreeMap::<NodeName, Arc<dyn Host>>::new();
    for (machine, way) in machines.iter().zip(ways) {
        hosts.insert(NodeName::new(&machine.name), Arc::new(transports.host(way)?));
    }
    Ok(hosts)
}

/// How the inventory alone says that one machine is reached, by libssh2.
pub fn config(machine: &Machine, secrets: &Secrets, inventory: &Inventory) -> SshConfig {
    let login = &machine.login;
    let mut target = Endpoint::new(&machine.host, &login.user, credentials(login, secrets));
    target.port = machine.port;
    let mut known_hosts = login.known_hosts.clone();
    known_hosts.push(PathBuf::from(SYSTEM_KNOWN_HOSTS));
    let mut config = SshConfig::new(&machine.name, target, known_hosts);
    config.hops = login.jump.iter().map(|j| hop(j, login, secrets)).collect();
    let timeout = Duration::from_secs(inventory.connect_timeout);
    config.times.keepalive = Duration::from_secs(inventory.keepalive);
    config.times.dead = Duration::from_secs(inventory.dead_after);
    config.times.connect = config.times.connect.min(timeout);
    config.times.handshake = timeout;
    config.limits.hello = timeout;
    // Where a restart takes a second, it is not looked for every twelve.
    for wait in &mut config.times.backoff {
        *wait = wait.div_f64(inventory.scale).max(SHORTEST_WAIT);
    }
    config
}

fn hop(jump: &Jump, login: &Login, secrets: &Secrets) -> Endpoint {
    let user = jump.user.as_ref().unwrap_or(&login.user);
    let mut hop = Endpoint::new(&jump.host, user, credentials(login, secrets));
    hop.port = jump.port;
    hop
}

fn credentials(login: &Login, secrets: &Secrets) -> Vec<Credential> {
    let mut out = Vec::new();
    if let Some(path) = &login.key {
        let passphrase = secrets.passphrases.get(path).cloned();
        out.push(Credential::KeyFile { path: path.clone(), passphrase, certificate: None });
    }
    if login.agent {
        out.push(Credential::Agent { socket: None, only: None });
    }
    if login.password.is_some()
        && let Some(password) = &secrets.login
    {
        out.push(Credential::Password(password.clone()));
    }
    out
}
