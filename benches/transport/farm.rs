//! Loopback hosts: real OpenSSH servers, each of which listens on sixteen addresses (its most) of 127.77.0.0/16.
//!
//! A host here is an address. Every connection gets a process of its own from sshd, as on a machine of its own; only the listener
//! that hands it out is shared.

use std::fs;
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nodelift::remote::ssh::{Credential, Endpoint, SshConfig};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

const SSHD: &str = "/usr/sbin/sshd";
/// Addresses of one server: sshd takes no more.
const ADDRESSES: usize = 16;
/// Hosts that take connections and never say a word.
const SILENT: usize = 32;
/// What the large file holds.
const BLOB: usize = 1_000_000;
/// From the start of PowerShell to its first answer, as it was measured (powershell-over-ssh 14b): what the stand-in waits.
const START: &str = "0.33";

/// Where the hosts are and how to log in: what a measuring process needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Site {
    pub user: String,
    pub port: u16,
    pub key: PathBuf,
    pub known_hosts: PathBuf,
    pub hosts: Vec<String>,
    /// They never answer.
    pub silent: Vec<String>,
    /// A file of a million bytes, the same on each host.
    pub blob: PathBuf,
    /// What answers in the place of PowerShell.
    pub engine: String,
    pub servers: usize,
}

impl Site {
    /// # Errors
    /// There is none in that folder.
    pub fn read(folder: &Path) -> io::Result<Site> {
        Ok(serde_json::from_slice(&fs::read(folder.join("site.json"))?)?)
    }

    pub fn config(&self, host: &str) -> SshConfig {
        let key = Credential::KeyFile { path: self.key.clone(), passphrase: None, certificate: None };
        let endpoint = Endpoint { port: self.port, ..Endpoint::new(host, self.user.clone(), vec![key]) };
        SshConfig::new(host, endpoint, vec![self.known_hosts.clone()])
    }
}

/// Running servers; dropping it ends them and what they started.
pub struct Farm {
    pub folder: TempDir,
    pub site: Site,
    servers: Vec<Child>,
    _silent: Vec<TcpListener>,
}

impl Farm {
    /// # Errors
    /// A server or a key cannot be made.
    pub fn start(hosts: usize) -> io::Result<Farm> {
        let folder = tempfile::Builder::new().prefix("nodelift-bench-").tempdir()?;
        let path = |name: &str| folder.path().join(name);
        for name in ["host", "user"] {
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path(name)))?;
        }
        fs::copy(path("user.pub"), path("authorized"))?;
        let line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-+.,:;=()[]{}0123456789abcdefghijklmnopq\n";
        let blob: String = line.chars().cycle().take(BLOB - 1).chain(['\n']).collect();
        fs::write(path("blob"), blob)?;
        let engine = write_powershell(folder.path())?;
        let port = TcpListener::bind("127.77.0.1:0")?.local_addr()?.port();
        let hosts: Vec<String> = (0..hosts).map(|i| format!("127.77.{}.{}", i / 200, i % 200 + 1)).collect();
        let key = fs::read_to_string(path("host.pub"))?;
        let known: String = hosts.iter().map(|h| format!("[{h}]:{port} {key}")).collect();
        fs::write(path("known_hosts"), known)?;
        let silent: Vec<String> = (1..=SILENT).map(|i| format!("127.77.250.{i}")).collect();
        let listeners = silent.iter().map(|a| TcpListener::bind((a.as_str(), port))).collect::<Result<_, _>>()?;
        let user = String::from_utf8_lossy(&Command::new("id").arg("-un").output()?.stdout).trim().to_owned();
        if user == "root" {
            fs::create_dir_all("/run/sshd")?;
        }
        let site = Site {
            user,
            port,
            key: path("user"),
            known_hosts: path("known_hosts"),
            silent,
            blob: path("blob"),
            engine,
            servers: hosts.len().div_ceil(ADDRESSES),
            hosts,
        };
        fs::write(path("site.json"), serde_json::to_vec(&site)?)?;
        let mut farm = Farm { folder, site, servers: Vec::new(), _silent: listeners };
        for i in 0..farm.site.servers {
            farm.serve(i)?;
        }
        for host in &farm.site.hosts {
            let start = Instant::now();
            while TcpStream::connect((host.as_str(), port)).is_err() {
                if start.elapsed() > Duration::from_secs(20) {
                    return Err(io::Error::other(format!("sshd does not listen on {host}:{port}")));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(farm)
    }

    fn serve(&mut self, number: usize) -> io::Result<()> {
        let folder = self.folder.path();
        let addresses = self.site.hosts.chunks(ADDRESSES).nth(number).unwrap_or_default();
        let listen: String = addresses.iter().map(|a| format!("ListenAddress {a}\n")).collect();
        let here = folder.display();
        let text = format!(
            "Port {}\n{listen}HostKey {here}/host\nPidFile none\nAuthorizedKeysFile {here}/authorized\nStrictModes no\nUsePAM no\n\
             UseDNS no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nPrintMotd no\n\
             LogLevel ERROR\nMaxStartups 1000\nSetEnv HOME={here} PATH={here}/bin:/usr/local/bin:/usr/bin:/bin\n",
            self.site.port
        );
        let file = folder.join(format!("sshd-{number}.conf"));
        fs::write(&file, text)?;
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("sshd.log"))?;
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f"]).arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.servers.push(command.spawn()?);
        Ok(())
    }

    /// Waits until a farm is ended from outside, by the end of our input.
    pub fn wait(&self) {
        println!("{}", self.folder.path().display());
        let _ = io::stdout().flush();
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        let below: Vec<u32> = self.servers.iter().flat_map(|s| crate::usage::descendants(s.id())).collect();
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
        for pid in below {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }
}

/// `powershell.exe` for the hosts: the real engine where it is installed, else this program in its place, which is as slow to start.
/// Whoever starts one for a single command gets the answer to the only one that is asked here.
fn write_powershell(folder: &Path) -> io::Result<String> {
    let real = std::env::var("NODELIFT_LAB_PWSH").ok().or_else(|| find("pwsh"));
    let own = std::env::current_exe()?;
    let (text, engine) = match &real {
        Some(path) => (format!("exec {path} \"$@\""), "PowerShell".to_owned()),
        None => (
            format!(
                "sleep {START}\ncase \"$*\" in *'-OutputFormat Text'*) ;; *) echo 1; exit ;; esac\n\
                 FAKE_DIR={} exec {} powershell.exe \"$@\"",
                folder.display(),
                own.display()
            ),
            format!("stand-in, {START} s to start"),
        ),
    };
    let path = folder.join("bin/powershell.exe");
    fs::create_dir_all(folder.join("bin"))?;
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(engine)
}

fn find(program: &str) -> Option<String> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|p| p.join(program)).find(|p| p.is_file())?;
    Some(found.display().to_string())
}

fn run(command: &mut Command) -> io::Result<()> {
    match command.status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{command:?} failed"))),
    }
}

/// Whether there is a server to measure against.
pub fn is_possible() -> bool {
    cfg!(target_os = "linux") && Path::new(SSHD).exists()
}
