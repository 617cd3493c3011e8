//! A named pipe. Its default access is full for whoever made it, for administrators and the system; others may only read, and nothing
//! is said to a viewer that has not spoken.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};
use tokio::sync::Mutex;

/// Who is at the other end: the access of the pipe lets nobody else in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller;

/// A pipe that is listened on.
#[derive(Debug)]
pub struct Listener {
    name: String,
    /// The instance that the next viewer gets.
    next: Mutex<NamedPipeServer>,
}

impl Listener {
    /// Listens under the name of a run's folder.
    ///
    /// # Errors
    /// Another process has that name.
    pub fn bind(folder: &Path) -> io::Result<Self> {
        let name = name(folder);
        let first = ServerOptions::new().first_pipe_instance(true).reject_remote_clients(true).create(&name)?;
        Ok(Self { name, next: Mutex::new(first) })
    }

    /// The next viewer.
    ///
    /// # Errors
    /// It was gone before it was known.
    pub async fn accept(&self) -> io::Result<(NamedPipeServer, Caller)> {
        let mut next = self.next.lock().await;
        next.connect().await?;
        let another = ServerOptions::new().reject_remote_clients(true).create(&self.name)?;
        Ok((std::mem::replace(&mut *next, another), Caller))
    }
}

/// Connects to the engine of a run.
///
/// # Errors
/// None listens there.
pub async fn connect(folder: &Path) -> io::Result<NamedPipeClient> {
    ClientOptions::new().open(name(folder))
}

/// Whether an engine listens there.
pub fn is_live(folder: &Path) -> bool {
    std::fs::OpenOptions::new().read(true).write(true).open(name(folder)).is_ok()
}

fn name(folder: &Path) -> String {
    let full = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let hash = Sha256::digest(full.to_string_lossy().to_lowercase().as_bytes());
    let short: String = hash.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!(r"\\.\pipe\nodelift-{short}")
}
