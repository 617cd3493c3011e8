//! `nodelift init`: an inventory by asking; the nodes are discovered from one of them.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use color_eyre::eyre::{Result, WrapErr, bail};
use serde_json::Value as Json;
use tokio::sync::mpsc;

use super::{Exit, diagnostics, hosts, secrets::Secrets, site::DEFAULT_RUNBOOK, trust};
use crate::config::inventory::{Inventory, Jump, Login, Machine, PasswordFrom, parse_jump};
use crate::config::settings::Settings;
use crate::core::connection::Connection;
use crate::core::name::NodeName;
use crate::core::view::ClusterView;
use crate::remote::ssh::SshRuntime;
use crate::remote::{Host, Request, Said};
use crate::runbook::{Library, Runbook, Site};

#[derive(Debug, Args)]
pub struct Init {
    /// The file to write
    #[arg(default_value = "inventory.toml")]
    file: PathBuf,
}

impl Init {
    /// Writes that file.
    pub fn new(file: &str) -> Self {
        Self { file: PathBuf::from(file) }
    }

    pub fn run(self, settings: &Settings) -> Result<Exit> {
        if !std::io::stdin().is_terminal() {
            eprintln!(
                "nodelift: init asks questions and needs a terminal. `nodelift config print --inventory` shows a file."
            );
            return Ok(Exit::Usage);
        }
        if self.file.exists() {
            eprintln!("nodelift: {} exists already. Name another file, or move it away.", self.file.display());
            return Ok(Exit::Usage);
        }
        println!("Name one node of the cluster; the others are found through it.");
        println!("Nothing is changed anywhere.\n");
        let (login, secrets) = ask_login()?;
        let (host, port) = ask_address("A node, by name or address", None)?;
        let machine = Machine { name: host.clone(), host, port, login: login.clone(), through: None };
        let inventory = draft(&self.file, vec![machine.clone()]);
        match trust::review(&inventory, std::slice::from_ref(&machine))? {
            Exit::Succeeded => {}
            exit => return Ok(exit),
        }
        let runbook = Library::new(settings.runbooks.clone()).load(DEFAULT_RUNBOOK)?;
        let (name, domain, nodes) = match discover(&machine, &inventory, &secrets, &runbook) {
            Ok(found) => found,
            Err(e) => {
                eprintln!("nodelift: {e:#}");
                return Ok(Exit::Unreachable);
            }
        };
        println!("\nCluster {name}: {}", nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", "));
        let mut machines = Vec::new();
        for node in &nodes {
            let proposed = if domain.is_empty() {
                node.as_str().to_lowercase()
            } else {
                format!("{}.{domain}", node.as_str().to_lowercase())
            };
            let (host, port) = ask_address(&format!("Address of {node}"), Some(&proposed))?;
            machines.push(Machine { name: node.to_string(), host, port, login: login.clone(), through: None });
        }
        println!("\nThe coordinator drives the update: Windows Server 2022, outside the cluster, same domain.");
        let coordinator = ask("Coordinator, by name (empty: none yet)", Some(""))?;
        let mut task = None;
        if !coordinator.is_empty() {
            let (host, port) = ask_address(&format!("Address of {coordinator}"), Some(&coordinator))?;
            let name = NodeName::new(&coordinator).to_string();
            machines.push(Machine { name, host, port, login: login.clone(), through: None });
            task = Some(ask("Account that runs the update there", Some(&login.user))?);
        }
        let text = write_out(&name, &nodes, &machines, task.as_deref(), &login);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.file)
            .wrap_err_with(|| format!("cannot write {}", self.file.display()))?;
        file.write_all(text.as_bytes())?;
        println!("\nWritten: {}", self.file.display());
        let written = draft(&self.file, machines.clone());
        let exit = trust::review(&written, &machines)?;
        let path = self.file.display();
        println!(
            "\nNext:\n  nodelift check -i {path}    check readiness, change nothing\n  nodelift run -i {path}      open the screen"
        );
        Ok(exit)
    }
}

fn draft(path: &Path, nodes: Vec<Machine>) -> Inventory {
    Inventory {
        path: path.to_owned(),
        cluster: String::new(),
        runbook: None,
        target: None,
        lab: false,
        scale: 1.0,
        since: None,
        nodes,
        coordinator: None,
        consoles: Default::default(),
        task: None,
        settings: Default::default(),
        change: None,
        change_required: false,
        window: None,
        hooks: None,
        keepalive: 15,
        dead_after: 45,
        connect_timeout: 60,
    }
}

fn ask(question: &str, default: Option<&str>) -> Result<String> {
    loop {
        match default {
            Some(d) if !d.is_empty() => print!("{question} [{d}]: "),
            _ => print!("{question}: "),
        }
        std::io::stdout().flush()?;
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line)? == 0 {
            bail!("the input ended");
        }
        let line = line.trim();
        match (line.is_empty(), default) {
            (false, _) => return Ok(line.to_owned()),
            (true, Some(d)) => return Ok(d.to_owned()),
            (true, None) => println!("It is needed."),
        }
    }
}

/// A name or an address, with a port where it is not the usual one.
fn ask_address(question: &str, default: Option<&str>) -> Result<(String, u16)> {
    loop {
        match parse_jump(&ask(question, default)?) {
            Some(Jump { user: None, host, port }) => return Ok((host, port)),
            _ => println!("A name or an address, such as hci-n1.corp.example or 10.20.0.11:2222"),
        }
    }
}

fn ask_login() -> Result<(Login, Secrets)> {
    let user = ask("Log in as (DOMAIN\\user)", None)?;
    let how = loop {
        let how = ask("With an SSH agent, a key file, or a password (agent/key/password)", Some("agent"))?;
        if ["agent", "key", "password"].contains(&how.as_str()) {
            break how;
        }
        println!("One of: agent, key, password");
    };
    let home = directories::BaseDirs::new().map(|d| d.home_dir().to_owned());
    let mut login = Login {
        user,
        agent: how == "agent",
        key: None,
        password: None,
        known_hosts: home.iter().map(|h| h.join(".ssh/known_hosts")).collect(),
        ..Login::default()
    };
    let mut secrets = Secrets::default();
    match how.as_str() {
        "key" => {
            let default = home.map(|h| h.join(".ssh/id_ed25519").display().to_string());
            let path = PathBuf::from(ask("Key file", default.as_deref())?);
            if super::secrets::is_encrypted(&path) {
                let secret = rpassword::prompt_password("Passphrase: ")?.into();
                diagnostics::hide(&secret);
                secrets.passphrases.insert(path.clone(), secret);
            }
            login.key = Some(path);
        }
        "password" => {
            let secret = rpassword::prompt_password("Password: ")?.into();
            diagnostics::hide(&secret);
            secrets.login = Some(secret);
            login.password = Some(PasswordFrom::Prompt);
        }
        _ => {}
    }
    Ok((login, secrets))
}

/// Asks one node for the cluster's name, its domain and its nodes.
fn discover(
    machine: &Machine,
    inventory: &Inventory,
    secrets: &Secrets,
    runbook: &Runbook,
) -> Result<(String, String, Vec<NodeName>)> {
    let config = hosts::config(machine, secrets, inventory);
    let host = SshRuntime::start().wrap_err("cannot start the thread for SSH")?.host(config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        host.open();
        let mut connection = host.connection();
        loop {
            match &*connection.borrow_and_update() {
                Connection::Ready(h) => {
                    println!("Connected: {}, PowerShell {}, {}", h.via, h.ps, h.language);
                    break;
                }
                Connection::Trouble(t) => bail!("{} {}", t.message, t.remedy),
                _ => {}
            }
            connection.changed().await?;
        }
        let cluster = read(&host, runbook, "cluster").await?;
        let nodes: ClusterView = serde_json::from_value(read(&host, runbook, "nodes").await?)
            .wrap_err("the node's answer about the cluster cannot be read")?;
        host.close().await;
        let text = |key: &str| cluster.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        Ok((text("name"), text("domain"), nodes.nodes.into_iter().map(|n| n.name).collect()))
    })
}

async fn read(host: &dyn Host, runbook: &Runbook, group: &str) -> Result<Json> {
    let Some(group) = runbook.facts.iter().find(|f| f.id == group) else {
        bail!("the runbook reads no `{group}`")
    };
    let plan = runbook.plan(&Site::default()).map_err(|e| color_eyre::eyre::eyre!(e))?;
    let script = &plan.scripts[&group.script];
    let (to, mut said) = mpsc::channel::<Said>(64);
    let request = Request {
        name: group.script.clone(),
        script: script.text.clone(),
        args: plan.arguments(&group.script, &NodeName::new("")),
        timeout: Duration::from_secs(script.timeout),
        slow: false,
    };
    let (reply, ()) = tokio::join!(host.run(request, to), async { while said.recv().await.is_some() {} });
    reply.record().map_err(|f| color_eyre::eyre::eyre!("{}: {}", group.title, f.message))
}

fn write_out(
    cluster: &str,
    nodes: &[NodeName],
    machines: &[Machine],
    task: Option<&str>,
    login: &Login,
) -> String {
    let q = |s: &str| toml::Value::String(s.to_owned()).to_string();
    let mut out = format!(
        "# Written by nodelift init.\nrunbook = {}\n\n[cluster]\nname = {}\n",
        q(DEFAULT_RUNBOOK),
        q(cluster)
    );
    for m in machines {
        let is_node = nodes.iter().any(|n| n.as_str() == m.name);
        let table = if is_node { "[[node]]" } else { "[coordinator]" };
        out.push_str(&format!("\n{table}\nname = {}\nhost = {}\n", q(&m.name), q(&m.host)));
        if m.port != 22 {
            out.push_str(&format!("port = {}\n", m.port));
        }
        if !is_node && let Some(task) = task {
            out.push_str(&format!("task_account = {}\n", q(task)));
        }
    }
    out.push_str(&format!("\n[ssh]\nuser = {}\n", q(&login.user)));
    match (&login.key, &login.password) {
        (Some(key), _) => out.push_str(&format!("key = {}\n", q(&key.display().to_string()))),
        (None, Some(_)) => out.push_str("agent = false\npassword = true\n"),
        (None, None) => out.push_str("agent = true\n"),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnose::Source;

    #[test]
    fn what_is_written_can_be_read() {
        let login = Login {
            user: "CORP\\admin".into(),
            agent: true,
            key: None,
            password: None,
            known_hosts: Vec::new(),
            ..Login::default()
        };
        let machine = |name: &str, host: &str| Machine {
            name: name.into(),
            host: host.into(),
            port: 22,
            login: login.clone(),
            through: None,
        };
        let coordinator = Machine { port: 2222, ..machine("COORD01", "coord01") };
        let machines = [machine("HCI-N1", "hci-n1.corp.example"), coordinator];
        let text = write_out("HCI-CL1", &[NodeName::new("HCI-N1")], &machines, Some("CORP\\admin"), &login);
        let read = Inventory::parse(&Source::new("inventory.toml", text), Path::new("inventory.toml")).unwrap();
        assert_eq!((read.cluster.as_str(), read.nodes.len()), ("HCI-CL1", 1));
        assert_eq!(read.nodes[0].host, "hci-n1.corp.example");
        assert_eq!((read.nodes[0].port, read.coordinator.map(|c| c.port)), (22, Some(2222)));
        assert_eq!(read.task.unwrap().user, "CORP\\admin");
    }
}
