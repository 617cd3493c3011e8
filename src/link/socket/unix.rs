//! A Unix socket, `engine.sock` in the folder of the run, mode 0600.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Its name in the folder.
pub const NAME: &str = "engine.sock";

/// Most bytes that the path of a socket may have on every Unix.
const LONGEST_PATH: usize = 100;

/// Who is at the other end, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    pub pid: Option<u32>,
}

/// A socket that is listened on. Its file goes with it.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Listens in the folder of a run. One that an engine left when it was killed is replaced: the caller holds the folder's lock.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn bind(folder: &Path) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join(NAME);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        // The folder above is its owner's alone, so nobody gets in before the mode is set.
        let listener = short(folder, |path| UnixListener::bind(path))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// The next viewer.
    ///
    /// # Errors
    /// It was gone before it was known, or nothing more can be opened.
    pub async fn accept(&self) -> io::Result<(UnixStream, Caller)> {
        let (stream, _) = self.listener.accept().await?;
        let peer = stream.peer_cred()?;
        let pid = peer.pid().and_then(|p| u32::try_from(p).ok());
        Ok((stream, Caller { uid: peer.uid(), pid }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Connects to the engine of a run.
///
/// # Errors
/// None listens there.
pub async fn connect(folder: &Path) -> io::Result<UnixStream> {
    let stream = short(folder, std::os::unix::net::UnixStream::connect)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// Whether an engine listens there.
pub fn is_live(folder: &Path) -> bool {
    short(folder, std::os::unix::net::UnixStream::connect).is_ok()
}

/// Uses the socket's path, or a shorter way to the same file: paths of sockets are bounded, those of folders are not.
fn short<T>(folder: &Path, with: impl FnOnce(PathBuf) -> io::Result<T>) -> io::Result<T> {
    let path = folder.join(NAME);
    if path.as_os_str().len() <= LONGEST_PATH {
        return with(path);
    }
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        let open = std::fs::File::open(folder)?;
        let way = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())).join(NAME);
        let out = with(way);
        drop(open);
        out
    }
    #[cfg(not(target_os = "linux"))]
    {
        let why = format!("{} is longer than a socket's path may be: choose a shorter --state", path.display());
        Err(io::Error::new(io::ErrorKind::InvalidInput, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_its_owners_and_its_path_may_be_long() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        for name in ["short", &"long".repeat(40)] {
            let folder = dir.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            assert!(!is_live(&folder));
            // What a killed engine left is in nobody's way.
            std::fs::write(folder.join(NAME), "").unwrap();
            let listener = Listener::bind(&folder).unwrap();
            let mode = std::fs::metadata(folder.join(NAME)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let (near, far) = tokio::join!(connect(&folder), listener.accept());
            near.unwrap();
            let caller = far.unwrap().1;
            assert_eq!(caller.uid, rustix::process::getuid().as_raw());
            assert_eq!(caller.pid, Some(std::process::id()));
            drop(listener);
            assert!(!folder.join(NAME).exists() && !is_live(&folder));
        }
    }
}
