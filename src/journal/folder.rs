//! A run's folder: `lock`, `plan.json`, `journal/`, `logs/`, `evidence/`, and while an engine writes `ballast` (run-safety-model 7.1).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::store::put_aside;
use crate::core::plan::Plan;

/// The folder of one run, locked for as long as this lives.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Most bytes that are kept of what one machine prints.
    raw_limit: u64,
    /// Held for the engine's life: exactly one writer.
    _lock: File,
}

impl RunFolder {
    /// Makes or opens a run's folder, and locks it.
    ///
    /// # Errors
    /// It cannot be made, or another engine holds it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let builder = private();
        for sub in ["journal", "logs", "evidence"] {
            builder.create(path.join(sub))?;
        }
        let lock = locked(path)?;
        // On a full disk there is none: the engine looks at the space before it does anything.
        if let Err(e) = put_aside(&path.join("ballast")) {
            tracing::warn!("no space could be put aside in {}: {e}", path.display());
        }
        Ok(Self { path: path.to_owned(), raw_limit: 0, _lock: lock })
    }

    /// Locks a run's folder that is there for as long as the file is open, and changes nothing in it.
    ///
    /// # Errors
    /// It is none, or another engine holds it.
    pub fn hold(path: &Path) -> io::Result<File> {
        if !path.join("plan.json").is_file() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "there is no plan.json"));
        }
        locked(path)
    }

    /// Keeps so many bytes of what one machine prints; 0, the default: none.
    pub fn with_raw_limit(mut self, bytes: u64) -> Self {
        self.raw_limit = bytes;
        self
    }

    /// Most bytes that are kept of what one machine prints.
    pub fn raw_limit(&self) -> u64 {
        self.raw_limit
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the journal's segments lie.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Where followed files are kept as they were, with what is known of each.
    pub fn raw(&self) -> PathBuf {
        self.path.join("raw")
    }

    /// Where the logs lie.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Writes the sealed plan: to another name, synced, then renamed. Gives its SHA-256, hex.
    ///
    /// # Errors
    /// It could not be written.
    pub fn seal(&self, plan: &Plan) -> io::Result<String> {
        self.write("plan.json", plan)
    }

    /// Writes a revision of the plan beside it: `plan-2.json`. Gives its SHA-256, hex.
    ///
    /// # Errors
    /// It could not be written.
    pub fn keep_revision(&self, revision: u32, plan: &Plan) -> io::Result<String> {
        self.write(&format!("plan-{revision}.json"), plan)
    }

    fn write(&self, name: &str, plan: &Plan) -> io::Result<String> {
        let text = serde_json::to_vec_pretty(plan)?;
        let temporary = self.path.join(format!("{name}.tmp"));
        let mut file = File::create(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&temporary, self.path.join(name))?;
        sync_folder(&self.path)?;
        Ok(sha256(&text))
    }
}

impl Drop for RunFolder {
    /// Space is put aside only while an engine writes.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path.join("ballast"));
    }
}

/// The folder with all runs of a cluster, locked: one engine a cluster on this machine.
#[derive(Debug)]
pub struct ClusterFolder {
    path: PathBuf,
    _lock: File,
}

impl ClusterFolder {
    /// Makes or opens it, and locks it.
    ///
    /// # Errors
    /// It cannot be made, or another engine holds it.
    pub fn open(path: &Path) -> io::Result<Self> {
        private().create(path)?;
        Ok(Self { path: path.to_owned(), _lock: locked(path)? })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folders of its runs, the newest first.
    pub fn runs(&self) -> Vec<PathBuf> {
        Self::runs_in(&self.path)
    }

    /// The same of a folder that is not locked.
    pub fn runs_in(path: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path());
        let mut runs: Vec<PathBuf> = entries.filter(|p| p.is_dir()).collect();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        runs
    }
}

/// Makes folders, with those above them, that only their owner reads.
pub fn private() -> std::fs::DirBuilder {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Locks the file `lock` of a folder, without waiting.
fn locked(path: &Path) -> io::Result<File> {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))?;
    lock.try_lock().map_err(|e| match e {
        std::fs::TryLockError::WouldBlock => {
            io::Error::new(io::ErrorKind::WouldBlock, format!("another engine writes {}", path.display()))
        }
        std::fs::TryLockError::Error(e) => e,
    })?;
    Ok(lock)
}

/// Reads the plan of a run's folder, and its SHA-256.
///
/// # Errors
/// It is not there or not a plan.
pub fn read_plan(folder: &Path) -> io::Result<(Arc<Plan>, String)> {
    let text = std::fs::read(folder.join("plan.json"))?;
    let plan: Plan = serde_json::from_slice(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    Ok((Arc::new(plan), sha256(&text)))
}

/// SHA-256 as hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A new or renamed file is there after a power cut only when its folder was synced too.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
