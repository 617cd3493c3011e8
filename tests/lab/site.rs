//! A lab: a copy of a world in a folder of its own, a server for each machine, keys, and the inventory that leads there.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nodelift::remote::sim::World;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::server::{Server, free_ports, keygen};
use super::supervisor::{Supervisor, is_up};
use super::{Engine, WorldFile, home, processes};

/// How long servers may take until they listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a lab differs from the usual one.
pub struct Options {
    /// Seconds at the site in a real one.
    pub rate: f64,
    /// Port of the first machine, the others follow; free ones where absent.
    pub port: Option<u16>,
    /// Where it lies; a folder that goes with the lab where absent.
    pub folder: Option<PathBuf>,
    /// Changes the world before it starts: faults, states.
    pub change: Box<dyn FnOnce(&mut Json)>,
    /// Gets a line for every machine that goes or comes.
    pub tell: Box<dyn Fn(&str) + Send>,
}

impl Default for Options {
    fn default() -> Self {
        Self { rate: 60.0, port: None, folder: None, change: Box::new(|_| ()), tell: Box::new(|_| ()) }
    }
}

/// A lab that runs; dropping it ends everything of it.
pub struct Lab {
    folder: PathBuf,
    world: WorldFile,
    engine: Engine,
    ports: Vec<(String, u16)>,
    user: String,
    // Ends before the folder goes.
    supervisor: Option<Supervisor>,
    _temporary: Option<TempDir>,
}

impl Lab {
    /// Whether a lab can be started on this machine.
    ///
    /// # Errors
    /// What is missing.
    pub fn is_possible() -> Result<(), String> {
        for name in ["sshd", "ssh", "ssh-keygen", "python3"] {
            processes::program(name).ok_or(format!("no {name}"))?;
        }
        Ok(())
    }

    /// Starts one. `world` is the name of one of the lab's worlds, or the path of a file.
    ///
    /// # Errors
    /// In words: no such world, no engine, a server that does not come up.
    pub fn start(world: &str, options: Options) -> Result<Self, String> {
        let engine = Engine::find()?;
        let (folder, temporary) = match options.folder {
            Some(folder) => {
                fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
                (fs::canonicalize(&folder).map_err(|e| e.to_string())?, None)
            }
            None => {
                let folder = tempfile::Builder::new().prefix("lab-").tempdir().map_err(|e| e.to_string())?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let file = WorldFile::new(folder.join("world.json"));
        let world = prepared(world, options.rate, options.change)?;
        let machines = world.machines();
        file.write(&world)?;
        let user = login()?;
        let _ = fs::remove_file(folder.join("key"));
        keygen(&folder.join("key"))?;
        fs::copy(folder.join("key.pub"), folder.join("authorized")).map_err(|e| e.to_string())?;
        if user == "root" {
            // The server keeps its privileges apart there and does not make it itself.
            let _ = fs::create_dir_all("/run/sshd");
        }
        let ports = match options.port {
            Some(first) => (first..).take(machines.len()).collect(),
            None => free_ports(machines.len()),
        };
        let ports: Vec<(String, u16)> = machines.into_iter().zip(ports).collect();
        let mut servers = Vec::new();
        for (name, port) in &ports {
            let _ = fs::remove_file(folder.join(format!("{name}.host")));
            let session = [
                ("NODELIFT_LAB_WORLD", file.path().display().to_string()),
                ("NODELIFT_LAB_NODE", name.clone()),
                ("NODELIFT_LAB_PWSH", engine.path().display().to_string()),
                ("PATH", search_path()),
                // A login shell that reads its owner's start-up files is slow, and is hurt when it is killed in them.
                ("HOME", folder.display().to_string()),
            ];
            servers.push(Server::prepare(&folder, name, *port, &session)?);
        }
        let supervisor = Some(Supervisor::start(file.clone(), servers, options.tell));
        let lab = Self { folder, world: file, engine, ports, user, supervisor, _temporary: temporary };
        lab.describe(&world, options.rate)?;
        lab.settle()?;
        Ok(lab)
    }

    /// The inventory that leads to its machines.
    pub fn inventory(&self) -> PathBuf {
        self.folder.join("inventory.toml")
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Who logs in to its machines.
    pub fn user(&self) -> &str {
        &self.user
    }

    pub fn world(&self) -> &WorldFile {
        &self.world
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Names and ports of its machines.
    pub fn machines(&self) -> &[(String, u16)] {
        &self.ports
    }

    pub fn port(&self, machine: &str) -> Option<u16> {
        self.ports.iter().find(|(n, _)| n.eq_ignore_ascii_case(machine)).map(|(_, p)| *p)
    }

    /// The system's `ssh` to a machine; its command line is to be added.
    pub fn ssh(&self, machine: &str) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.folder.join("ssh_config")).args(["-T", machine]);
        command
    }

    /// Waits until something is so with the world, or until patience ends.
    pub fn until(&self, patience: Duration, is: impl Fn(&World) -> bool) -> bool {
        let end = Instant::now() + patience;
        loop {
            if self.world.look(|w, _| is(w)).unwrap_or(false) {
                return true;
            }
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether something listens on a machine's port.
    pub fn listens(&self, machine: &str) -> bool {
        self.port(machine).is_some_and(|p| TcpStream::connect(("127.0.0.1", p)).is_ok())
    }

    /// Waits until every machine that is up listens.
    fn settle(&self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        for (name, port) in &self.ports {
            let up = || self.world.look(|w, _| is_up(w, name)).unwrap_or(false);
            while up() && !self.listens(name) {
                if Instant::now() > end {
                    let log = fs::read_to_string(self.folder.join("sshd.log")).unwrap_or_default();
                    return Err(format!("{name} does not listen on {port}: {}", log.trim()));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    /// Writes what leads to the machines: known_hosts, ssh_config, inventory.toml.
    fn describe(&self, world: &World, rate: f64) -> Result<(), String> {
        let here = self.folder.display();
        let (mut known, mut config, mut nodes, mut coordinator) =
            (String::new(), String::new(), String::new(), String::new());
        for (name, port) in &self.ports {
            let key = fs::read_to_string(self.folder.join(format!("{name}.host.pub")));
            known += &format!("[127.0.0.1]:{port} {}\n", key.map_err(|e| e.to_string())?.trim());
            config += &format!("Host {name}\n  Port {port}\n");
            let machine = format!("name = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\n");
            match world.machine(name)["role"].as_str() {
                Some("coordinator") => {
                    coordinator = format!(
                        "\n[coordinator]\n{machine}task_account = 'CORP\\upgradeadmin'\n\
                         task_password_command = [\"echo\", \"lab\"]\n"
                    );
                }
                Some("node") => nodes += &format!("\n[[node]]\n{machine}"),
                _ => {}
            }
        }
        config += &format!(
            "Host *\n  HostName 127.0.0.1\n  User {}\n  IdentityFile \"{here}/key\"\n  IdentitiesOnly yes\n  \
             IdentityAgent none\n  UserKnownHostsFile \"{here}/known_hosts\"\n  GlobalKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking yes\n  BatchMode yes\n  LogLevel ERROR\n",
            self.user
        );
        let cluster = world.top("cluster")["name"].as_str().unwrap_or("HCI-CL1");
        let scale = rate.clamp(1.0, 10_000.0);
        let since = world.start();
        let inventory = format!(
            "lab = true\nscale = {scale:?}\nsince = \"{since}\"\nrunbook = \"azure-local-powershell\"\ntarget = \"23H2\"\n\n\
             [cluster]\nname = \"{cluster}\"\n{coordinator}{nodes}\n\
             [ssh]\nuser = \"{}\"\nkey = \"{here}/key\"\nagent = false\nknown_hosts = [\"{here}/known_hosts\"]\n",
            self.user
        );
        for (name, text) in [("known_hosts", known), ("ssh_config", config), ("inventory.toml", inventory)] {
            fs::write(self.folder.join(name), text).map_err(|e| format!("{name}: {e}"))?;
        }
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // First nothing is started any more, then what runs is ended.
        self.supervisor = None;
        for _ in 0..2 {
            processes::of_world(self.world.path(), None).into_iter().for_each(processes::end);
        }
    }
}

/// A world whose clock starts now and runs at the rate.
fn prepared(world: &str, rate: f64, change: Box<dyn FnOnce(&mut Json)>) -> Result<World, String> {
    let named = home().join(format!("worlds/{world}.json"));
    let path = if named.exists() { named } else { PathBuf::from(world) };
    let mut world = WorldFile::new(path).read()?;
    let now = Timestamp::now();
    world.rebase(now);
    let clock = world.top_mut("clock");
    clock["rate"] = json!(rate);
    clock["anchor"] = Json::Null;
    change(world.json_mut());
    world.anchor(now);
    Ok(world)
}

fn login() -> Result<String, String> {
    let output = Command::new("id").arg("-un").output().map_err(|e| format!("id: {e}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The search path of a session. `python3` may be a script that looks for the real one, which takes its time: that one goes
/// first.
pub fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = Command::new("python3").args(["-c", "import sys; print(sys.prefix)"]).output();
    let prefix = found.ok().map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
    if prefix.is_empty() { path } else { format!("{prefix}/bin:{path}") }
}
