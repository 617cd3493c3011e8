//! Writing: one thread of its own, so that a slow disk delays neither a key nor a decision.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::record::{NO_PREVIOUS, Writer, encode, hash};
use super::store::{Disk, Segment, Store};
use crate::core::event::{Durability, Stamped};
use crate::core::keeping::PAUSE_BELOW;

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
    /// Bytes that were free at the last look.
    pub free: Option<u64>,
    /// The disk was full: what had been put aside is in use.
    pub squeezed: bool,
}

/// What is asked for.
#[derive(Debug)]
enum Asked {
    Append(Vec<Stamped>),
    /// How much space there is.
    Look,
}

/// The open journal of a run.
#[derive(Debug)]
pub struct Journal {
    to: To,
    durable: watch::Receiver<Durable>,
}

/// Who writes.
#[derive(Debug)]
enum To {
    Nobody(watch::Sender<Durable>),
    Thread(Option<mpsc::Sender<Asked>>, Option<JoinHandle<()>>),
    Caller(Mutex<Pen>),
}

impl Journal {
    /// A journal that keeps nothing: the demo, tests.
    pub fn in_memory() -> Self {
        let (memory, durable) = watch::channel(Durable::default());
        Self { to: To::Nobody(memory), durable }
    }

    /// Goes on after the last good record of a folder: `previous` is the hash of its line.
    ///
    /// # Errors
    /// The segment cannot be opened, or the thread not started.
    pub fn open(folder: &Path, writer: Writer, next_segment: u32, previous: Option<String>) -> io::Result<Self> {
        let (mut pen, durable) = Pen::new(Box::new(Disk::new(folder)), writer, next_segment, previous)?;
        let (to, from) = mpsc::channel::<Asked>();
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || {
            loop {
                let wait =
                    pen.sync_by.map_or(Duration::from_secs(3600), |t| t.saturating_duration_since(Instant::now()));
                let asked = match from.recv_timeout(wait) {
                    Ok(asked) => asked,
                    Err(RecvTimeoutError::Timeout) => Asked::Append(Vec::new()),
                    Err(RecvTimeoutError::Disconnected) => return pen.end(),
                };
                if !pen.carry_out(&asked) {
                    return;
                }
            }
        })?;
        Ok(Self { to: To::Thread(Some(to), Some(thread)), durable })
    }

    /// Over another store than a disk, and written by whoever appends: where the clock is virtual.
    ///
    /// # Errors
    /// The segment cannot be made.
    pub fn over(store: Box<dyn Store>, writer: Writer) -> io::Result<Self> {
        let (pen, durable) = Pen::new(store, writer, 1, None)?;
        Ok(Self { to: To::Caller(Mutex::new(pen)), durable })
    }

    /// Hands over records; how far they are safe shows in `durable`.
    pub fn append(&self, records: Vec<Stamped>) {
        self.ask(Asked::Append(records));
    }

    /// Has the free space looked at; it shows in `durable`.
    pub fn look(&self) {
        self.ask(Asked::Look);
    }

    fn ask(&self, asked: Asked) {
        match (&self.to, &asked) {
            (To::Nobody(memory), Asked::Append(records)) => {
                if let Some(last) = records.last() {
                    memory.send_modify(|d| d.seq = last.seq);
                }
            }
            (To::Nobody(_), Asked::Look) => {}
            // The thread is gone only after it has said why.
            (To::Thread(to, _), _) => drop(to.as_ref().map(|to| to.send(asked))),
            (To::Caller(pen), _) => {
                pen.lock().unwrap_or_else(PoisonError::into_inner).carry_out(&asked);
            }
        }
    }

    /// How far the records are safe, as it changes.
    pub fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.clone()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        match &mut self.to {
            To::Nobody(_) => {}
            To::Thread(to, thread) => {
                *to = None;
                if let Some(thread) = thread.take() {
                    let _ = thread.join();
                }
            }
            To::Caller(pen) => pen.get_mut().unwrap_or_else(PoisonError::into_inner).end(),
        }
    }
}

/// What writes, and tells how far it has come.
struct Pen {
    end: Appender,
    ack: watch::Sender<Durable>,
    sync_by: Option<Instant>,
}

impl std::fmt::Debug for Pen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pen").field("segment", &self.end.number).finish_non_exhaustive()
    }
}

impl Pen {
    fn new(
        store: Box<dyn Store>,
        writer: Writer,
        next_segment: u32,
        previous: Option<String>,
    ) -> io::Result<(Self, watch::Receiver<Durable>)> {
        let end = Appender::new(store, writer, next_segment, previous)?;
        let (ack, durable) = watch::channel(Durable::default());
        Ok((Self { end, ack, sync_by: None }, durable))
    }

    /// False where nothing can be written any more.
    fn carry_out(&mut self, asked: &Asked) -> bool {
        if self.ack.borrow().failed.is_some() {
            return false;
        }
        let batch = match asked {
            Asked::Append(batch) => batch,
            Asked::Look => {
                let (free, squeezed) = self.end.look();
                self.ack.send_modify(|d| (d.free, d.squeezed) = (free, squeezed));
                return true;
            }
        };
        let due = self.sync_by.is_some_and(|t| t <= Instant::now());
        match self.end.append(batch, due) {
            Ok(Durability::Sync) => self.sync_by = None,
            Ok(Durability::Batch) => drop(self.sync_by.get_or_insert(Instant::now() + BATCH)),
            Ok(Durability::BestEffort) => {}
            Err(e) => {
                self.ack.send_modify(|d| d.failed = Some(e.to_string()));
                return false;
            }
        }
        let squeezed = self.end.squeezed.then(|| self.end.store.free());
        if !batch.is_empty() || squeezed.is_some() {
            self.ack.send_modify(|d| {
                d.seq = batch.last().map_or(d.seq, |last| last.seq);
                (d.free, d.squeezed) = squeezed.map_or((d.free, false), |free| (free, true));
            });
        }
        true
    }

    fn end(&mut self) {
        if self.ack.borrow().failed.is_none() {
            let _ = self.end.sync_now();
        }
    }
}

/// The end of the journal, and what of it may not be on the disk yet.
struct Appender {
    store: Box<dyn Store>,
    writer: Writer,
    start: Instant,
    number: u32,
    segment: Box<dyn Segment>,
    size: u64,
    previous: String,
    /// Lines since the last sync, in their order.
    unsynced: Vec<String>,
    squeezed: bool,
}

impl Appender {
    fn new(mut store: Box<dyn Store>, writer: Writer, number: u32, previous: Option<String>) -> io::Result<Self> {
        let segment = store.create(number)?;
        let previous = previous.unwrap_or_else(|| NO_PREVIOUS.to_owned());
        let (start, unsynced) = (Instant::now(), Vec::new());
        Ok(Self { store, writer, start, number, segment, size: 0, previous, unsynced, squeezed: false })
    }

    /// Writes records, and syncs where one of them asks for it, or where that is due. Gives what is still to be done
    /// about them: nothing after a sync.
    fn append(&mut self, batch: &[Stamped], due: bool) -> io::Result<Durability> {
        let mut strongest = if due { Durability::Sync } else { Durability::BestEffort };
        let before = self.unsynced.len();
        for stamped in batch {
            let monotonic = self.start.elapsed().as_millis() as u64;
            let line = encode(stamped, &self.writer, monotonic, &self.previous)
                .map_err(|n| io::Error::other(format!("record {} has {n} bytes, too many", stamped.seq)))?;
            self.previous = hash(&line);
            self.unsynced.push(line);
            strongest = strongest.max(stamped.event.durability());
        }
        let written = self.write_from(before).and_then(|()| match strongest {
            Durability::Sync => self.sync(),
            _ => Ok(()),
        });
        match written {
            Ok(()) => Ok(strongest),
            Err(e) => self.elsewhere(&e).map(|()| Durability::Sync),
        }
    }

    fn sync_now(&mut self) -> io::Result<()> {
        if self.unsynced.is_empty() {
            return Ok(());
        }
        self.sync().or_else(|e| self.elsewhere(&e))
    }

    /// A failed write or sync is final for a file: what it left there cannot be known. Everything since the last sync is written again
    /// into another one, once (run-safety-model 7.4).
    fn elsewhere(&mut self, first: &io::Error) -> io::Result<()> {
        if matches!(first.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            self.squeezed = true;
            self.store.release();
        }
        tracing::warn!("the journal goes on in another file: {first}");
        self.next().and_then(|()| self.write_from(0)).and_then(|()| self.sync()).map_err(|second| {
            let both = if second.to_string() == first.to_string() {
                first.to_string()
            } else {
                format!("{first}; then, in another file, {second}")
            };
            io::Error::other(both)
        })
    }

    /// Writes what is not synced, from one of its lines on.
    fn write_from(&mut self, mut line: usize) -> io::Result<()> {
        while line < self.unsynced.len() {
            let length = self.unsynced[line].len() as u64 + 1;
            if self.size > 0 && self.size + length > SEGMENT {
                self.segment.sync()?;
                self.unsynced.drain(..line);
                line = 0;
                self.next()?;
            }
            self.segment.write(format!("{}\n", self.unsynced[line]).as_bytes())?;
            self.size += length;
            line += 1;
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<()> {
        self.number += 1;
        self.segment = self.store.create(self.number)?;
        self.size = 0;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.segment.sync()?;
        self.unsynced.clear();
        Ok(())
    }

    /// How much space there is, and whether what was put aside is in use: it is put aside again where there is room.
    fn look(&mut self) -> (Option<u64>, bool) {
        let room = self.store.free().is_none_or(|free| free >= PAUSE_BELOW);
        if self.squeezed && room && self.store.reserve().is_ok() {
            self.squeezed = false;
        }
        (self.store.free(), self.squeezed)
    }
}
