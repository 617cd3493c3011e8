//! A real OpenSSH server on loopback that starts the stand-in for every login.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nodelift::remote::ssh::{Credential, Endpoint, SshConfig, Times};
use tempfile::TempDir;

use super::{PATIENCE, fake_powershell, until};

const SSHD: &str = "/usr/sbin/sshd";

/// Whether this machine has a server; says so when it has none.
pub fn is_here() -> bool {
    let here = Path::new(SSHD).exists();
    if !here {
        crate::said::skipped("no sshd");
    }
    here
}

/// A server, ended with everything it started when dropped.
pub struct Sshd {
    pub folder: TempDir,
    pub port: u16,
    child: Option<Child>,
    pub extra: String,
    environment: Vec<(String, String)>,
}

impl Sshd {
    pub fn start() -> Sshd {
        Sshd::with("")
    }

    /// With further lines of configuration.
    pub fn with(extra: &str) -> Sshd {
        Sshd::in_environment(extra, Vec::new())
    }

    /// With further variables of its own, too.
    pub fn in_environment(extra: &str, environment: Vec<(String, String)>) -> Sshd {
        let folder = tempfile::tempdir().expect("folder");
        let mut server = Sshd { folder, port: free_port(), child: None, extra: extra.to_owned(), environment };
        server.new_host_key("ed25519");
        server.keygen("user", &["-t", "ed25519", "-N", ""]);
        server.authorize("user");
        server.run();
        server
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn keygen(&self, name: &str, options: &[&str]) {
        let _ = fs::remove_file(self.path(name));
        let status =
            Command::new("ssh-keygen").args(["-q", "-C", name, "-f"]).arg(self.path(name)).args(options).status();
        assert!(status.expect("ssh-keygen").success());
    }

    /// Makes the server's host key anew; counts after a restart.
    pub fn new_host_key(&self, kind: &str) {
        self.keygen("host", &["-t", kind, "-N", ""]);
    }

    /// Makes one more key count for logins.
    pub fn authorize(&self, name: &str) {
        let key = fs::read_to_string(self.path(&format!("{name}.pub"))).expect("public key");
        let before = fs::read_to_string(self.path("authorized")).unwrap_or_default();
        fs::write(self.path("authorized"), before + &key).expect("authorized keys");
    }

    /// Starts the server, again on the same port after `kill`. Logins get a home of their own: a shell that sshd starts reads the
    /// start files it finds there, and those of this machine may take their time.
    pub fn run(&mut self) {
        if is_root() {
            let _ = fs::create_dir_all("/run/sshd");
        }
        let folder = self.folder.path().display();
        let text = format!(
            "{}\nPort {}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nAuthorizedKeysFile {folder}/authorized\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n\
             PermitRootLogin yes\n{}Subsystem sftp sftp-server\nForceCommand {}\nSetEnv FAKE_DIR={folder} HOME={folder}\n",
            // The first line for a setting counts,
            self.extra,
            self.port,
            // but the last one for this.
            if self.extra.contains("MaxStartups") { "" } else { "MaxStartups 100\n" },
            fake_powershell().display(),
        );
        fs::write(self.path("sshd_config"), text).expect("configuration");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("sshd.log")).expect("log");
        let child = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .envs(self.environment.iter().cloned())
            .arg(self.path("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd");
        self.child = Some(child);
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "sshd does not listen: {}", self.sshd_log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn sshd_log(&self) -> String {
        fs::read_to_string(self.path("sshd.log")).unwrap_or_default()
    }

    pub fn set_mode(&self, mode: &str) {
        fs::write(self.path("mode"), mode).expect("mode");
    }

    /// What the stand-in did.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub async fn appears(&self, name: &str) {
        let path = self.path(name);
        until(|| path.exists()).await;
    }

    pub fn endpoint(&self) -> Endpoint {
        let key = Credential::KeyFile { path: self.path("user"), passphrase: None, certificate: None };
        Endpoint { port: self.port, ..Endpoint::new("127.0.0.1", user(), vec![key]) }
    }

    /// A known_hosts file with the server's present key.
    pub fn known_hosts(&self) -> PathBuf {
        let key = fs::read_to_string(self.path("host.pub")).expect("host key");
        let path = self.path("known_hosts");
        fs::write(&path, format!("[127.0.0.1]:{} {key}", self.port)).expect("known_hosts");
        path
    }

    /// Everything in order, with short times.
    pub fn config(&self) -> SshConfig {
        let mut config = SshConfig::new("node", self.endpoint(), vec![self.known_hosts()]);
        config.times = Times {
            backoff: vec![Duration::from_millis(100)],
            handshake: Duration::from_secs(10),
            login: Duration::from_secs(10),
            ..Times::default()
        };
        config.limits.hello = Duration::from_secs(10);
        config
    }

    /// The server's own process; 0 when it does not run.
    pub fn process(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Processes of sessions that run now: the server's children, not what they started.
    pub fn sessions(&self) -> Vec<u32> {
        let Some(child) = &self.child else { return Vec::new() };
        descendants(child.id()).into_iter().filter(|pid| is_sshd(*pid)).collect()
    }

    /// Ends the server and its sessions; what they started lives on, as after a cut cable.
    pub fn kill(&mut self) {
        let sessions = self.sessions();
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        sessions.into_iter().for_each(|pid| signal("KILL", pid));
    }

    /// Ends only the sessions.
    pub fn kill_sessions(&self) {
        self.sessions().into_iter().for_each(|pid| signal("KILL", pid));
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let mut all = self.child.as_ref().map(|c| descendants(c.id())).unwrap_or_default();
        // Those that lost their session have logged their process id.
        for line in self.log().lines() {
            if let Some(pid) = line.strip_prefix("start ").and_then(|p| p.parse::<u32>().ok())
                && fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|e| e == fake_powershell())
            {
                all.push(pid);
            }
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        for pid in all {
            signal("CONT", pid);
            signal("KILL", pid);
        }
    }
}

/// A key agent of its own, with a private socket.
pub struct Agent {
    child: Child,
    pub socket: PathBuf,
}

impl Agent {
    pub fn start(folder: &Path) -> Agent {
        let socket = folder.join("agent");
        let child = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn();
        let agent = Agent { child: child.expect("ssh-agent"), socket };
        let start = Instant::now();
        while !agent.socket.exists() {
            assert!(start.elapsed() < PATIENCE, "ssh-agent does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        agent
    }

    pub fn add(&self, key: &Path) {
        let status = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).status();
        assert!(status.expect("ssh-add").success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn is_root() -> bool {
    user() == "root"
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("port");
    listener.local_addr().expect("address").port()
}

pub fn signal(name: &str, pid: u32) {
    let _ = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).stderr(Stdio::null()).status();
}

fn is_sshd(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("sshd"))
}

/// All processes below one.
pub fn descendants(of: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent =
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.extend(parent.map(|p| (pid, p)));
    }
    let mut found = vec![of];
    let mut i = 0;
    while i < found.len() {
        let parent = found[i];
        found.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
        i += 1;
    }
    found.split_off(1)
}
