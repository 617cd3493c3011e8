//! Writing: one thread of its own, so that a slow disk delays neither a key nor a decision.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::folder::sync_folder;
use super::record::{NO_PREVIOUS, Writer, encode, hash};
use crate::core::event::{Durability, Stamped};

/// Largest segment, in bytes.
const SEGMENT: u64 = 8 << 20;

/// Longest time between a batch record and its sync.
const BATCH: Duration = Duration::from_millis(250);

/// How far the journal is safe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durable {
    /// Records up to this number are as durable as their class asks for.
    pub seq: u64,
    /// The journal cannot be written any more, and why. Final.
    pub failed: Option<String>,
}

/// The open journal of a run.
#[derive(Debug)]
pub struct Journal {
    to: Option<mpsc::Sender<Vec<Stamped>>>,
    durable: watch::Receiver<Durable>,
    memory: Option<watch::Sender<Durable>>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// A journal that keeps nothing: the demo, tests.
    pub fn in_memory() -> Self {
        let (memory, durable) = watch::channel(Durable::default());
        Self { to: None, durable, memory: Some(memory), thread: None }
    }

    /// The same, where somebody else takes the records.
    pub fn handed_to(to: mpsc::Sender<Vec<Stamped>>) -> Self {
        let mut journal = Self::in_memory();
        journal.to = Some(to);
        journal
    }

    /// Goes on after the last good record of a folder: `previous` is the hash of its line.
    ///
    /// # Errors
    /// The segment cannot be opened, or the thread not started.
    pub fn open(folder: &Path, writer: Writer, next_segment: u32, previous: Option<String>) -> io::Result<Self> {
        let mut file = Segments::new(folder, next_segment)?;
        let (to, from) = mpsc::channel::<Vec<Stamped>>();
        let (ack, durable) = watch::channel(Durable::default());
        let mut previous = previous.unwrap_or_else(|| NO_PREVIOUS.to_owned());
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || {
            let start = Instant::now();
            let mut sync_by: Option<Instant> = None;
            loop {
                let wait =
                    sync_by.map_or(Duration::from_secs(3600), |t| t.saturating_duration_since(Instant::now()));
                let batch = match from.recv_timeout(wait) {
                    Ok(batch) => batch,
                    Err(RecvTimeoutError::Timeout) => Vec::new(),
                    Err(RecvTimeoutError::Disconnected) => {
                        let _ = file.sync();
                        return;
                    }
                };
                let written = write(&mut file, &batch, &writer, start, &mut previous, &mut sync_by);
                match written {
                    Ok(()) => {
                        if let Some(last) = batch.last() {
                            ack.send_modify(|d| d.seq = last.seq);
                        }
                    }
                    Err(e) => {
                        // What a failed sync left behind cannot be known: nothing more is written here.
                        ack.send_modify(|d| d.failed = Some(e.to_string()));
                        return;
                    }
                }
            }
        })?;
        Ok(Self { to: Some(to), durable, memory: None, thread: Some(thread) })
    }

    /// Hands over records; how far they are safe shows in `durable`.
    pub fn append(&self, records: Vec<Stamped>) {
        if let (Some(memory), Some(last)) = (&self.memory, records.last()) {
            memory.send_modify(|d| d.seq = last.seq);
        }
        if let Some(to) = &self.to {
            // The thread is gone only after it has said why.
            let _ = to.send(records);
        }
    }

    /// How far the records are safe, as it changes.
    pub fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.clone()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(
    file: &mut Segments,
    batch: &[Stamped],
    writer: &Writer,
    start: Instant,
    previous: &mut String,
    sync_by: &mut Option<Instant>,
) -> io::Result<()> {
    let mut strongest = Durability::BestEffort;
    for stamped in batch {
        let monotonic = start.elapsed().as_millis() as u64;
        let line = encode(stamped, writer, monotonic, previous)
            .map_err(|n| io::Error::other(format!("record {} has {n} bytes, too many", stamped.seq)))?;
        file.write_line(&line)?;
        *previous = hash(&line);
        strongest = strongest.max(stamped.event.durability());
    }
    let due = sync_by.is_some_and(|t| t <= Instant::now());
    if strongest == Durability::Sync || due {
        file.sync()?;
        *sync_by = None;
    } else if strongest == Durability::Batch {
        sync_by.get_or_insert(Instant::now() + BATCH);
    }
    Ok(())
}

#[derive(Debug)]
struct Segments {
    folder: PathBuf,
    number: u32,
    file: File,
    size: u64,
}

impl Segments {
    fn new(folder: &Path, number: u32) -> io::Result<Self> {
        let file = open_segment(folder, number)?;
        Ok(Self { folder: folder.to_owned(), number, file, size: 0 })
    }

    fn write_line(&mut self, line: &str) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > SEGMENT {
            self.file.sync_data()?;
            self.number += 1;
            self.file = open_segment(&self.folder, self.number)?;
            self.size = 0;
        }
        self.file.write_all(format!("{line}\n").as_bytes())?;
        self.size += line.len() as u64 + 1;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn open_segment(folder: &Path, number: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create_new(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(folder.join(format!("{number:06}.jsonl")))?;
    file.sync_all()?;
    sync_folder(folder)?;
    Ok(file)
}
