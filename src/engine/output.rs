//! What the machines' PowerShells print, kept as it came: one file a machine in `raw/`, without secrets, never larger than its
//! limit. A thread of its own writes; when the disk is slow, bytes are left out and counted, so that no connection waits.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::vault::Vault;
use crate::core::name::NodeName;
use crate::remote::tap::{Stream, Tap};

/// Pieces that may wait for the disk; each has at most some tens of kilobytes.
const QUEUE: usize = 256;
/// Longest line that is held back until its end has come.
const LONGEST: usize = 1 << 20;

/// The thread that writes.
#[derive(Debug)]
pub struct Output {
    to: SyncSender<Piece>,
    next: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
enum Piece {
    Bytes {
        stream: u64,
        node: NodeName,
        bytes: Vec<u8>,
        /// Bytes before these that were left out.
        lost: u64,
    },
    Ended(u64),
    /// Write what is held back, then end.
    Stop,
}

impl Output {
    /// Starts writing into a folder, at most `limit` bytes for each machine.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(folder: PathBuf, limit: u64, vault: Vault) -> io::Result<Self> {
        let (to, from) = sync_channel(QUEUE);
        let writer = Writer { folder, limit, vault, streams: HashMap::new(), files: BTreeMap::new() };
        let thread = std::thread::Builder::new().name("raw".into()).spawn(move || writer.run(&from))?;
        Ok(Self { to, next: Arc::default(), thread })
    }

    /// What a machine prints from now on.
    pub fn of(&self, node: &NodeName) -> Arc<dyn Tap> {
        Arc::new(Machine { to: self.to.clone(), next: self.next.clone(), node: node.clone() })
    }

    /// Writes what is still there, and ends. May wait for the disk.
    pub fn close(self) {
        if self.to.send(Piece::Stop).is_ok() {
            let _ = self.thread.join();
        }
    }
}

struct Machine {
    to: SyncSender<Piece>,
    next: Arc<AtomicU64>,
    node: NodeName,
}

impl Tap for Machine {
    fn open(&self) -> Box<dyn Stream> {
        let stream = self.next.fetch_add(1, Ordering::Relaxed);
        Box::new(Printed { to: self.to.clone(), stream, node: self.node.clone(), lost: 0 })
    }
}

struct Printed {
    to: SyncSender<Piece>,
    stream: u64,
    node: NodeName,
    lost: u64,
}

impl Stream for Printed {
    fn take(&mut self, bytes: &[u8]) {
        let (stream, node) = (self.stream, self.node.clone());
        match self.to.try_send(Piece::Bytes { stream, node, bytes: bytes.to_vec(), lost: self.lost }) {
            Ok(()) => self.lost = 0,
            Err(TrySendError::Full(_)) => self.lost += bytes.len() as u64,
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        let _ = self.to.try_send(Piece::Ended(self.stream));
    }
}

struct Writer {
    folder: PathBuf,
    limit: u64,
    vault: Vault,
    /// What came of each stream after its last whole line. Several workers print at once: only whole lines are written.
    streams: HashMap<u64, (NodeName, Vec<u8>)>,
    files: BTreeMap<NodeName, Kept>,
}

/// The file of one machine.
enum Kept {
    Open {
        file: File,
        size: u64,
    },
    /// It cannot be written, which was said.
    Given,
}

impl Writer {
    fn run(mut self, from: &Receiver<Piece>) {
        while let Ok(piece) = from.recv() {
            match piece {
                Piece::Bytes { stream, node, bytes, lost } => self.take(stream, node, &bytes, lost),
                Piece::Ended(stream) => self.end(stream),
                Piece::Stop => break,
            }
        }
        let open: Vec<u64> = self.streams.keys().copied().collect();
        open.into_iter().for_each(|s| self.end(s));
    }

    fn take(&mut self, stream: u64, node: NodeName, bytes: &[u8], lost: u64) {
        if lost > 0 {
            self.end(stream);
            let mark = format!("# nodelift: {lost} bytes are missing here, the disk was too slow\n");
            self.write(&node, mark.as_bytes());
        }
        let (node, held) = self.streams.entry(stream).or_insert_with(|| (node, Vec::new()));
        held.extend_from_slice(bytes);
        let whole = match held.iter().rposition(|b| *b == b'\n') {
            Some(end) => end + 1,
            // What has no end is written all the same, but for so much as a secret could begin in.
            None if held.len() > LONGEST => held.len() - self.vault.longest().min(held.len()),
            None => return,
        };
        // A frame in pieces goes on in the next line: a secret may stand across their border.
        let whole = match last_line(&held[..whole]) {
            start if !is_unfinished_frame(&held[start..whole]) => whole,
            start if held.len() > LONGEST => start,
            _ => 0,
        };
        if whole > 0 {
            // Also what stays: it keeps its length, and a secret that begins before goes on there.
            if let Cow::Owned(clean) = self.vault.redact_bytes(held) {
                *held = clean;
            }
            let (node, lines) = (node.clone(), held.drain(..whole).collect::<Vec<u8>>());
            self.write(&node, &lines);
        }
    }

    fn end(&mut self, stream: u64) {
        let Some((node, mut held)) = self.streams.remove(&stream).filter(|(_, held)| !held.is_empty()) else {
            return;
        };
        if !held.ends_with(b"\n") {
            held.push(b'\n');
        }
        let clean = self.vault.redact_bytes(&held);
        self.write(&node, &clean);
    }

    fn write(&mut self, node: &NodeName, bytes: &[u8]) {
        let path = path(&self.folder, node);
        let half = self.limit / 2;
        let kept = self.files.entry(node.clone()).or_insert_with(|| Kept::open(&self.folder, &path));
        let Kept::Open { file, size } = kept else { return };
        let mut write = || -> io::Result<()> {
            if *size > 0 && *size + bytes.len() as u64 > half {
                fs::rename(&path, path.with_extension("old.log"))?;
                (*file, *size) = (File::create(&path)?, 0);
            }
            // A single piece is never larger than its half.
            let start = bytes.len().saturating_sub(usize::try_from(half).unwrap_or(usize::MAX));
            file.write_all(&bytes[start..])?;
            *size += (bytes.len() - start) as u64;
            Ok(())
        };
        if let Err(e) = write() {
            tracing::warn!("{} is not kept any more: {e}", path.display());
            *kept = Kept::Given;
        }
    }
}

impl Kept {
    fn open(folder: &Path, path: &Path) -> Self {
        let open = || -> io::Result<(File, u64)> {
            fs::create_dir_all(folder)?;
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            let size = file.metadata()?.len();
            Ok((file, size))
        };
        match open() {
            Ok((file, size)) => Kept::Open { file, size },
            Err(e) => {
                tracing::warn!("{} is not kept: {e}", path.display());
                Kept::Given
            }
        }
    }
}

/// The newer half; the older one has `.old.log`.
fn path(folder: &Path, node: &NodeName) -> PathBuf {
    folder.join(format!("{}.powershell.log", node.as_str().replace(['/', '\\', ':'], "_")))
}

/// Where the last line begins.
fn last_line(lines: &[u8]) -> usize {
    let end = lines.len() - usize::from(lines.ends_with(b"\n"));
    lines[..end].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1)
}

/// Whether a line is a piece of a frame that goes on.
fn is_unfinished_frame(line: &[u8]) -> bool {
    let mut parts = line.splitn(3, |b| *b == b'~');
    parts.next() == Some(b"#") && parts.next().is_some() && parts.next().is_some_and(|p| p.starts_with(b"+"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        let mut vault = Vault::default();
        vault.put("task_password", "hunter\"22".into());
        vault
    }

    fn kept(folder: &Path, node: &str) -> String {
        fs::read_to_string(path(folder, &node.into())).unwrap_or_default()
    }

    #[test]
    fn lines_are_kept_whole_and_without_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::start(folder.path().join("raw"), 1 << 20, vault()).unwrap();
        let tap = output.of(&"N1".into());
        let (mut a, mut b) = (tap.open(), tap.open());
        let mut other = output.of(&"N2".into()).open();
        a.take(b"#~00~{\"m\":\"it is hunter\\");
        b.take(b"quick \x1b[31m\xff\r\n");
        a.take(b"\"22 here\"}\nno end: hunt");
        a.take(b"er\"22");
        other.take(b"#~11~+{\"v\":\"hunter\\\"\n");
        other.take(b"#~11~-22\"}\n");
        drop((a, b, other));
        output.close();
        let raw = folder.path().join("raw");
        let bytes = fs::read(path(&raw, &"N1".into())).unwrap();
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        assert_eq!(lines.remove(0), b"quick \x1b[31m\xff\r\n", "as it came");
        assert_eq!(lines.remove(0), b"#~00~{\"m\":\"it is ********** here\"}\n");
        assert_eq!(lines, [b"no end: *********\n"]);
        let other = kept(&raw, "N2");
        assert!(!other.contains("hunter") && other.lines().count() == 2, "{other}");
    }

    #[test]
    fn a_secret_across_the_pieces_of_a_long_frame_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::start(folder.path().to_owned(), 1 << 30, vault()).unwrap();
        let mut stream = output.of(&"N1".into()).open();
        // Each piece begins with the end of a secret and ends with the begin of another.
        for i in 0..40 {
            let sign = if i == 39 { '-' } else { '+' };
            let line = format!("#~0a~{sign}\\\"22{}hunter\n", "x".repeat(60_000));
            // Few enough that none has to be left out.
            line.as_bytes().chunks(20_000).for_each(|c| stream.take(c));
        }
        drop(stream);
        output.close();
        let text = kept(folder.path(), "N1");
        assert_eq!(text.matches("x".repeat(60_000).as_str()).count(), 40, "nothing is missing");
        // The first end and the last begin are no secrets.
        assert_eq!((text.matches("hunter").count(), text.matches("22").count()), (1, 1));
        assert_eq!(text.lines().count(), 40);
    }

    #[test]
    fn the_older_half_gives_way() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..3 {
            let output = Output::start(folder.path().to_owned(), 1000, vault()).unwrap();
            let mut stream = output.of(&"N1".into()).open();
            for i in 0..100 {
                stream.take(format!("round {round} line {i:02}\n").as_bytes());
            }
            drop(stream);
            output.close();
        }
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
        let total: u64 = files.iter().map(|f| f.metadata().unwrap().len()).sum();
        assert!(files.len() == 2 && total <= 1000 && total > 500, "{total}");
        assert!(kept(folder.path(), "N1").ends_with("round 2 line 99\n"), "the newest is there");
    }

    #[test]
    fn a_slow_disk_delays_nobody_and_is_counted() {
        let (to, from) = sync_channel(1);
        let mut stream = Printed { to, stream: 0, node: "N1".into(), lost: 0 };
        (0..5).for_each(|_| stream.take(b"0123456789\n"));
        let Ok(Piece::Bytes { lost: 0, .. }) = from.recv() else { panic!("the first was taken") };
        stream.take(b"after\n");
        let Ok(Piece::Bytes { stream: id, node, bytes, lost }) = from.recv() else { panic!("and the next") };
        assert_eq!(lost, 44);
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer {
            folder: folder.path().to_owned(),
            limit: 1 << 20,
            vault: vault(),
            streams: HashMap::new(),
            files: BTreeMap::new(),
        };
        writer.take(id, node, &bytes, lost);
        assert_eq!(
            kept(folder.path(), "N1"),
            "# nodelift: 44 bytes are missing here, the disk was too slow\nafter\n"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let output = Output::start(folder.path().join("file/raw"), 1000, vault()).unwrap();
        output.of(&"N1".into()).open().take(b"x\n");
        output.close();
    }
}
