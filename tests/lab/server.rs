//! The OpenSSH server of one machine.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use super::processes;

/// One machine's server: stopped with everything that it serves when dropped.
#[derive(Debug)]
pub struct Server {
    pub machine: String,
    pub port: u16,
    program: PathBuf,
    folder: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Writes its host key and its configuration. It does not run yet.
    ///
    /// # Errors
    /// A file cannot be written, or `ssh-keygen` fails: in words.
    pub fn prepare(folder: &Path, machine: &str, port: u16, session: &[(&str, String)]) -> Result<Self, String> {
        let program = processes::program("sshd").ok_or("there is no sshd")?;
        keygen(&folder.join(format!("{machine}.host")))?;
        let here = folder.display();
        let set: String = session.iter().map(|(name, value)| format!(" \"{name}={value}\"")).collect();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey \"{here}/{machine}.host\"\nPidFile none\n\
             AuthorizedKeysFile \"{here}/authorized\"\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin yes\nLogLevel ERROR\nUseDNS no\nPrintMotd no\n\
             MaxStartups 100\nSubsystem sftp sftp-server\nForceCommand {}\nSetEnv{set}\n",
            super::home().join("bin/lab-shell").display(),
        );
        let server = Self { machine: machine.to_owned(), port, program, folder: folder.to_owned(), child: None };
        let path = server.configuration();
        fs::write(&path, &text).map_err(|e| e.to_string())?;
        // Since 9.8 a server punishes those whose connections break; older ones do not know the word.
        fs::write(&path, format!("{text}PerSourcePenalties no\n")).map_err(|e| e.to_string())?;
        if !server.is_sound()? {
            fs::write(&path, &text).map_err(|e| e.to_string())?;
            if !server.is_sound()? {
                return Err(format!("{} refuses {}", server.program.display(), path.display()));
            }
        }
        Ok(server)
    }

    /// Starts it; it listens a moment later.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&mut self) -> Result<(), String> {
        let log = File::options().create(true).append(true).open(self.folder.join("sshd.log"));
        let log = log.map_err(|e| e.to_string())?;
        let mut command = Command::new(&self.program);
        command.args(["-D", "-e", "-f"]).arg(self.configuration());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.child = Some(child.map_err(|e| format!("{}: {e}", self.program.display()))?);
        Ok(())
    }

    /// Whether it runs, as far as it was started.
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// How it ended, when it did so by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(status)
    }

    /// Ends the listener, its sessions, and every process of the machine, but not the one that restarts it.
    pub fn stop(&mut self, world: &Path) {
        let kept = processes::restarters(world, &self.machine);
        let mut sessions = Vec::new();
        if let Some(mut child) = self.child.take() {
            sessions = processes::tree(child.id());
            let _ = child.kill();
            let _ = child.wait();
        }
        // What was started while others were ended is found the second time.
        for _ in 0..2 {
            let own = processes::of_world(world, Some(&self.machine));
            own.into_iter().chain(sessions.drain(..)).filter(|p| !kept.contains(p)).for_each(processes::end);
        }
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join(format!("{}.conf", self.machine))
    }

    fn is_sound(&self) -> Result<bool, String> {
        let mut command = Command::new(&self.program);
        command.arg("-t").arg("-f").arg(self.configuration()).stderr(Stdio::null()).stdout(Stdio::null());
        Ok(command.status().map_err(|e| format!("{}: {e}", self.program.display()))?.success())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let sessions = processes::tree(child.id());
            let _ = child.kill();
            let _ = child.wait();
            sessions.into_iter().for_each(processes::end);
        }
    }
}

/// Makes a key pair without a passphrase.
///
/// # Errors
/// `ssh-keygen` is missing or fails.
pub fn keygen(path: &Path) -> Result<(), String> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"]).arg(path).stdin(Stdio::null());
    let status = command.status().map_err(|e| format!("ssh-keygen: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("ssh-keygen cannot make {}", path.display())) }
}

/// Ports that nobody listens on, below those that the system gives to outgoing connections: a machine that is away for a
/// while must get its own back. No port is given twice to labs of one process.
pub fn free_ports(count: usize) -> Vec<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const RANGE: Range<u16> = 20_000..32_000;
    let width = RANGE.end - RANGE.start;
    // Labs of several processes begin in different places.
    let first = (std::process::id() % 600) as u16 * 20;
    let free = |port: &u16| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], *port))).is_ok();
    let next = || RANGE.start + (first + NEXT.fetch_add(1, Ordering::SeqCst)) % width;
    (0..width).map(|_| next()).filter(free).take(count).collect()
}
