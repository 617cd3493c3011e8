//! A folder of our own for control sockets and configuration files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Before the number of the process that it belongs to.
const PREFIX: &str = "nodelift-";
/// Longest path of a folder under which a control socket still fits: ssh appends 18 characters while it makes one, and macOS
/// allows 104 bytes.
#[cfg(unix)]
const LONGEST: usize = 60;

/// Only we may look into it; removed with everything in it when dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    next: AtomicU64,
}

impl Folder {
    /// # Errors
    /// The system gives none.
    pub fn make() -> io::Result<Folder> {
        let random = getrandom::u64().map_err(io::Error::other)?;
        let parent = parent();
        sweep(&parent);
        let path = parent.join(format!("{PREFIX}{}-{random:016x}", std::process::id()));
        #[cfg_attr(not(unix), allow(unused_mut))]
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // Fails where something of that name is already.
        builder.create(&path)?;
        Ok(Folder { path, next: AtomicU64::new(0) })
    }

    /// A path that was never used before.
    pub fn fresh(&self, what: &str) -> PathBuf {
        self.path.join(format!("{what}{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    #[cfg(test)]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(unix)]
fn parent() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let fits = |p: &PathBuf| p.is_absolute() && p.as_os_str().len() <= LONGEST && p.is_dir();
    // Not the temporary folder of macOS: its path is long.
    own.filter(fits).unwrap_or_else(|| "/tmp".into())
}

/// Removes what processes of ours left that were killed.
#[cfg(unix)]
fn sweep(parent: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let us = rustix::process::geteuid().as_raw();
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok());
        let Some(owner) = owner.and_then(rustix::process::Pid::from_raw) else { continue };
        let gone = rustix::process::test_kill_process(owner) == Err(rustix::io::Errno::SRCH);
        // Of the entry itself, not of what a link leads to.
        if gone && entry.metadata().is_ok_and(|m| m.is_dir() && m.uid() == us) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(not(unix))]
fn sweep(_parent: &Path) {}

#[cfg(not(unix))]
fn parent() -> PathBuf {
    std::env::temp_dir()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_the_dead_left_is_swept() {
        let place = tempfile::tempdir().expect("folder");
        // Larger than any process id.
        let (dead, own) = (format!("{PREFIX}2147483647-1"), format!("{PREFIX}{}-1", std::process::id()));
        for name in [dead.as_str(), own.as_str(), "nodelift-notes", "other"] {
            std::fs::create_dir(place.path().join(name)).expect("folder");
        }
        sweep(place.path());
        let left = |name: &str| place.path().join(name).exists();
        assert!(!left(&dead) && left(&own) && left("nodelift-notes") && left("other"));
    }

    #[test]
    fn it_is_private_short_and_goes_away() {
        let folder = Folder::make().expect("folder");
        let path = folder.path().to_owned();
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o700);
        let socket = folder.fresh("c");
        assert!(socket.as_os_str().len() + 18 < 104, "{}", socket.display());
        assert_ne!(socket, folder.fresh("c"));
        std::fs::write(socket, "x").expect("file");
        drop(folder);
        assert!(!path.exists());
    }
}
