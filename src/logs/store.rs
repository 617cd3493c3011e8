//! One append-only log: its bytes, and where each line starts.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;

#[derive(Debug)]
pub struct Store {
    bytes: Bytes,
    /// Where each line starts.
    starts: Vec<u64>,
    end: u64,
}

#[derive(Debug)]
enum Bytes {
    Memory(Vec<u8>),
    File(Mutex<File>),
}

impl Store {
    pub fn memory() -> Self {
        Self { bytes: Bytes::Memory(Vec::new()), starts: Vec::new(), end: 0 }
    }

    /// Opens a file to go on with it. What stands after its last line break was torn: it is cut off.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let store = Self::index(file)?;
        if let Bytes::File(f) = &store.bytes {
            f.lock().unwrap_or_else(|e| e.into_inner()).set_len(store.end)?;
        }
        Ok(store)
    }

    /// Opens a file to look at it.
    pub fn read(path: &Path) -> io::Result<Self> {
        Self::index(File::open(path)?)
    }

    fn index(mut file: File) -> io::Result<Self> {
        let (mut starts, mut at, mut start) = (Vec::new(), 0u64, 0u64);
        let mut block = vec![0; 64 * 1024];
        loop {
            let n = file.read(&mut block)?;
            if n == 0 {
                break;
            }
            for b in &block[..n] {
                at += 1;
                if *b == b'\n' {
                    starts.push(start);
                    start = at;
                }
            }
        }
        Ok(Self { bytes: Bytes::File(Mutex::new(file)), starts, end: start })
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Adds a line; line breaks inside it become spaces.
    pub fn add(&mut self, line: &str) -> io::Result<()> {
        let mut text = line.replace(['\n', '\r'], " ");
        text.push('\n');
        match &mut self.bytes {
            Bytes::Memory(m) => m.extend_from_slice(text.as_bytes()),
            Bytes::File(f) => f.get_mut().unwrap_or_else(|e| e.into_inner()).write_all(text.as_bytes())?,
        }
        self.starts.push(self.end);
        self.end += text.len() as u64;
        Ok(())
    }

    /// A line without its break.
    pub fn line(&self, number: usize) -> Option<String> {
        let start = *self.starts.get(number)?;
        let end = self.starts.get(number + 1).copied().unwrap_or(self.end) - 1;
        let raw = match &self.bytes {
            Bytes::Memory(m) => m.get(start as usize..end as usize)?.to_vec(),
            Bytes::File(f) => {
                let mut file = f.lock().unwrap_or_else(|e| e.into_inner());
                let mut raw = vec![0; (end - start) as usize];
                file.seek(SeekFrom::Start(start)).ok()?;
                file.read_exact(&mut raw).ok()?;
                raw
            }
        };
        Some(String::from_utf8_lossy(&raw).into_owned())
    }
}
