//! Where a journal's segments lie: the disk, or what a test puts in its place.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::folder::sync_folder;

/// Bytes that are put aside for the last words on a full disk.
pub const BALLAST: usize = 8 << 20;

/// Where segments lie.
pub trait Store: Send {
    /// Makes a segment that was not there; it is there after a power cut too.
    ///
    /// # Errors
    /// It could not be made.
    fn create(&mut self, number: u32) -> io::Result<Box<dyn Segment>>;

    /// Gives back the space that was put aside.
    fn release(&mut self);

    /// Puts space aside again.
    ///
    /// # Errors
    /// There is none.
    fn reserve(&mut self) -> io::Result<()>;

    /// Bytes that are free; none where it cannot be told.
    fn free(&self) -> Option<u64>;
}

/// A file that only grows.
pub trait Segment: Send {
    /// Writes at the end.
    ///
    /// # Errors
    /// Some of it, or nothing, was written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// What is there cannot be known any more.
    fn sync(&mut self) -> io::Result<()>;
}

/// A folder on a disk. What is put aside lies beside it.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    ballast: Option<PathBuf>,
}

impl Disk {
    /// The journal's folder. Space counts as put aside where its file lies beside the folder.
    pub fn new(folder: &Path) -> Self {
        let ballast = folder.parent().map(|p| p.join("ballast")).filter(|p| p.exists());
        Self { folder: folder.to_owned(), ballast }
    }
}

impl Store for Disk {
    fn create(&mut self, number: u32) -> io::Result<Box<dyn Segment>> {
        let mut options = OpenOptions::new();
        options.create_new(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.folder.join(format!("{number:06}.jsonl")))?;
        file.sync_all()?;
        sync_folder(&self.folder)?;
        Ok(Box::new(file))
    }

    fn release(&mut self) {
        if let Some(ballast) = &self.ballast
            && let Err(e) = std::fs::remove_file(ballast)
        {
            tracing::warn!("{} cannot be given back: {e}", ballast.display());
        }
    }

    fn reserve(&mut self) -> io::Result<()> {
        self.ballast.as_deref().map_or(Ok(()), put_aside)
    }

    fn free(&self) -> Option<u64> {
        #[cfg(unix)]
        {
            let v = rustix::fs::statvfs(&self.folder).ok()?;
            Some(v.f_bavail.saturating_mul(v.f_frsize))
        }
        #[cfg(not(unix))]
        {
            None
        }
    }
}

impl Segment for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Puts space aside in a file of zeros.
///
/// # Errors
/// There is not so much: then nothing is put aside.
pub fn put_aside(file: &Path) -> io::Result<()> {
    if file.metadata().is_ok_and(|m| m.len() == BALLAST as u64) {
        return Ok(());
    }
    let written = std::fs::write(file, vec![0; BALLAST]);
    if written.is_err() {
        let _ = std::fs::remove_file(file);
    }
    written
}

/// Why a folder cannot hold a run: its file system keeps no promise about locks or syncs (run-safety-model 7.4). In words, with
/// what to do.
///
/// # Errors
/// It cannot.
pub fn suitable(folder: &Path) -> Result<(), String> {
    match kind(folder) {
        Some(kind) => Err(format!(
            "{} lies on {kind}, where locks and syncs cannot be relied on: a run's journal must survive a crash. \
             Keep runs on a local disk: --state DIR, or state in the settings file.",
            folder.display()
        )),
        None => Ok(()),
    }
}

/// File systems that are refused, by the number that `statfs` gives (linux/magic.h).
#[cfg(any(target_os = "linux", test))]
const REFUSED: &[(u32, &str)] = &[
    (0x6969, "a network file system (NFS)"),
    (0x517B, "a network file system (SMB)"),
    (0xFF53_4D42, "a network file system (CIFS)"),
    (0xFE53_4D42, "a network file system (SMB)"),
    (0x5346_414F, "a network file system (AFS)"),
    (0x6B41_4653, "a network file system (AFS)"),
    (0x7375_7245, "a network file system (Coda)"),
    (0x564C, "a network file system (NCP)"),
    (0x0102_1997, "a mount from another system (9P)"),
    (0x786F_4256, "a shared folder of a virtual machine"),
    (0x6573_5546, "a file system of a program (FUSE)"),
];

#[cfg(target_os = "linux")]
fn kind(folder: &Path) -> Option<&'static str> {
    // A folder that is yet to be made lies where the one above it does.
    let there = folder.ancestors().find(|p| p.exists())?;
    named(rustix::fs::statfs(there).ok()?.f_type as u32)
}

#[cfg(not(target_os = "linux"))]
fn kind(_: &Path) -> Option<&'static str> {
    None
}

#[cfg(any(target_os = "linux", test))]
fn named(magic: u32) -> Option<&'static str> {
    REFUSED.iter().find(|(known, _)| *known == magic).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_mounts_are_refused_and_disks_are_not() {
        assert_eq!(named(0x6969), Some("a network file system (NFS)"));
        assert!(named(0xFF53_4D42).is_some() && named(0x6573_5546).is_some());
        // ext4, xfs, btrfs, tmpfs, overlay, zfs.
        for disk in [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0x2FC1_2FC1] {
            assert_eq!(named(disk), None, "{disk:x}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(suitable(&folder.path().join("not/yet/made")), Ok(()));
    }

    #[test]
    fn what_is_put_aside_is_given_back_and_taken_again() {
        let run = tempfile::tempdir().unwrap();
        let ballast = run.path().join("ballast");
        put_aside(&ballast).unwrap();
        assert_eq!(ballast.metadata().unwrap().len(), BALLAST as u64);
        let mut disk = Disk::new(&run.path().join("journal"));
        disk.release();
        assert!(!ballast.exists());
        disk.reserve().unwrap();
        assert!(ballast.exists());
    }
}
