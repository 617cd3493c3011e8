//! A disk for a journal that does what disks do: writes that arrive in part, syncs that fail, no space.

#![allow(dead_code)]

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use nodelift::journal::{Journal, Reading, Segment, Store, Writer, read};

/// What goes wrong once, and with which operation: counted from the first of all.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub at: usize,
    pub kind: io::ErrorKind,
    /// Bytes of the write that arrive all the same.
    pub half: usize,
}

/// What it holds.
pub struct Floor {
    pub files: Vec<Vec<u8>>,
    pub operations: usize,
    pub faults: Vec<Fault>,
    /// Nothing fits any more but what was put aside.
    pub full: bool,
    /// Bytes that are put aside, and those of them that were given back.
    pub aside: usize,
    left: usize,
    pub free: Option<u64>,
}

impl Floor {
    fn go(&mut self) -> Result<(), Fault> {
        self.operations += 1;
        let at = self.operations;
        match self.faults.iter().position(|f| f.at == at) {
            Some(i) => Err(self.faults.remove(i)),
            None => Ok(()),
        }
    }

    /// Every operation from now on fails.
    pub fn breaks(&mut self, kind: io::ErrorKind) {
        let next = self.operations + 1;
        self.faults = (next..next + 10_000).map(|at| Fault { at, kind, half: 0 }).collect();
    }
}

/// The disk: whoever has it sees the same.
#[derive(Clone)]
pub struct Shaky(Arc<Mutex<Floor>>);

struct Page(Shaky, usize);

impl Store for Shaky {
    fn create(&mut self, _: u32) -> io::Result<Box<dyn Segment>> {
        let mut floor = self.floor();
        floor.go().map_err(|f| io::Error::from(f.kind))?;
        floor.files.push(Vec::new());
        let number = floor.files.len() - 1;
        drop(floor);
        Ok(Box::new(Page(self.clone(), number)))
    }

    fn release(&mut self) {
        let mut floor = self.floor();
        floor.left += std::mem::take(&mut floor.aside);
    }

    fn reserve(&mut self) -> io::Result<()> {
        let mut floor = self.floor();
        if floor.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        (floor.aside, floor.left) = (ASIDE, 0);
        Ok(())
    }

    fn free(&self) -> Option<u64> {
        self.floor().free
    }
}

/// Bytes that are put aside.
const ASIDE: usize = 64 * 1024;

impl Segment for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (mut floor, file) = (self.0.floor(), self.1);
        if let Err(fault) = floor.go() {
            let half = &bytes[..fault.half.min(bytes.len())];
            floor.files[file].extend_from_slice(half);
            return Err(fault.kind.into());
        }
        if floor.full {
            let left = floor.left.checked_sub(bytes.len());
            floor.left = left.ok_or(io::ErrorKind::StorageFull)?;
        }
        floor.files[file].extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.floor().go().map_err(|f| f.kind.into())
    }
}

impl Shaky {
    /// One on which this goes wrong.
    pub fn with(faults: &[Fault]) -> Self {
        let (files, faults) = (Vec::new(), faults.to_vec());
        Self(Arc::new(Mutex::new(Floor {
            files,
            operations: 0,
            faults,
            full: false,
            aside: ASIDE,
            left: 0,
            free: None,
        })))
    }

    /// One on which nothing goes wrong yet.
    pub fn sound() -> Self {
        Self::with(&[])
    }

    /// What it holds.
    pub fn floor(&self) -> MutexGuard<'_, Floor> {
        self.0.lock().expect("nothing panics while it writes")
    }

    /// A new journal on it.
    pub fn journal(&self) -> Journal {
        Journal::over(Box::new(self.clone()), Writer { epoch: 1, instance: "a".into() }).expect("the first file")
    }

    /// What the next engine reads.
    pub fn read(&self) -> Reading {
        let folder = tempfile::tempdir().expect("a folder");
        for (i, bytes) in self.floor().files.iter().enumerate() {
            std::fs::write(folder.path().join(format!("{:06}.jsonl", i + 1)), bytes).expect("a file");
        }
        read(folder.path()).expect("readable")
    }
}
