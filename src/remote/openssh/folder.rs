//! A folder of our own for control sockets and configuration files.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

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
        let path = parent().join(format!("nodelift-{random:016x}"));
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
    pub fn path(&self) -> &std::path::Path {
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

#[cfg(not(unix))]
fn parent() -> PathBuf {
    std::env::temp_dir()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

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
