//! Reading: forward, checking every checksum and the chain. A bad last record was torn and is cut off; a bad record before
//! the end is corruption. A segment may repeat the last records of the one before it: a write there had failed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::folder::sync_folder;
use super::record::{Bad, LONGEST, NO_PREVIOUS, Record, decode, hash};
use crate::core::event::Stamped;

/// How a journal ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a whole record, or empty.
    Whole,
    /// Its last record is cut off: the engine ended while it wrote. Nothing that followed from it happened.
    Torn,
    /// A record before the end is bad: where, and why. Nothing after it is believed.
    Corrupt { segment: PathBuf, line: usize, why: Bad },
}

/// What a journal holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub events: Vec<Stamped>,
    pub ending: Ending,
    /// Hash of the last good line, for the next one to carry.
    pub previous: Option<String>,
    /// Number of the segment that would come next.
    pub next_segment: u32,
    /// Highest epoch seen.
    pub epoch: u64,
    /// Where torn records start: each segment, and how many of its bytes are good.
    pub torn: Vec<(PathBuf, u64)>,
    /// What only a newer version can go on from: who looks may pass over it, who goes on may not (run-safety-model 7.4).
    pub newer: Option<Bad>,
    /// Records whose kind this version does not know.
    pub unknown: usize,
    /// Records that a segment repeats because a write had failed.
    pub repeated: usize,
    pub segments: usize,
}

impl Reading {
    /// Cuts off a torn last record and keeps it as `*.torn`, so that the next engine can write after it
    /// (run-safety-model 7.4).
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn mend(&self) -> io::Result<()> {
        for (segment, good) in &self.torn {
            let mut file = File::options().read(true).write(true).open(segment)?;
            let mut rest = Vec::new();
            file.seek(SeekFrom::Start(*good))?;
            file.read_to_end(&mut rest)?;
            let mut name = segment.clone().into_os_string();
            name.push(".torn");
            std::fs::write(&name, rest)?;
            File::open(&name)?.sync_all()?;
            if let Some(folder) = segment.parent() {
                sync_folder(folder)?;
            }
            file.set_len(*good)?;
            file.sync_all()?;
        }
        Ok(())
    }
}

/// Reads a journal: a folder of segments, or one exported file.
///
/// # Errors
/// It cannot be opened. Bad content is no error: see `Reading::ending`.
pub fn read(path: &Path) -> io::Result<Reading> {
    let segments = segments(path)?;
    let mut chain = Chain::default();
    for (_, segment) in &segments {
        let mut text = Vec::new();
        File::open(segment)?.read_to_end(&mut text)?;
        chain.segment(segment, &text);
    }
    let next_segment = segments.last().map_or(1, |(n, _)| n + 1);
    Ok(chain.end(next_segment, segments.len()))
}

/// A good line.
struct Good {
    hash: String,
    record: Record,
}

/// A line that is none, with what lies around it.
struct Flaw {
    segment: PathBuf,
    line: usize,
    why: Bad,
    /// Bytes of the segment before it.
    good: u64,
    /// It is the last line of its segment.
    last: bool,
}

/// The records so far.
#[derive(Default)]
struct Chain {
    good: Vec<Good>,
    /// Bad lines that nothing has repeated yet.
    flaws: Vec<Flaw>,
    /// Hashes of records that this segment has to repeat.
    owed: Vec<String>,
    repeated: usize,
    newer: Option<Bad>,
}

impl Chain {
    fn segment(&mut self, segment: &Path, text: &[u8]) {
        let lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
        let mut at = 0;
        for (n, raw) in lines.iter().enumerate() {
            if let Err(why) = line(raw).and_then(|l| self.follow(l, n == 0)) {
                let (segment, last) = (segment.to_owned(), n + 1 == lines.len());
                self.flaws.push(Flaw { segment, line: n + 1, why, good: at, last });
                return;
            }
            at += raw.len() as u64;
        }
    }

    fn head(&self) -> &str {
        self.good.last().map_or(NO_PREVIOUS, |g| &g.hash)
    }

    fn follow(&mut self, line: &str, first: bool) -> Result<(), Bad> {
        let record = decode(line)?;
        if first && (record.previous != self.head() || !self.flaws.is_empty()) {
            self.go_back(&record.previous)?;
        }
        if record.previous != self.head() || (!first && !self.flaws.is_empty()) {
            return Err(Bad::Chain);
        }
        let hash = hash(line);
        // What was good is repeated as it was.
        if !self.owed.is_empty() {
            if self.owed.remove(0) != hash {
                return Err(Bad::Chain);
            }
            self.repeated += 1;
        }
        if let Some(kind) = record.critical.as_ref() {
            self.newer.get_or_insert(Bad::UnknownCritical(kind.clone()));
        }
        self.good.push(Good { hash, record });
        Ok(())
    }

    /// A segment goes on from an earlier record: what was written after that is repeated by it.
    fn go_back(&mut self, previous: &str) -> Result<(), Bad> {
        let after = match previous {
            NO_PREVIOUS => 0,
            _ => self.good.iter().rposition(|g| g.hash == previous).ok_or(Bad::Chain)? + 1,
        };
        self.owed = self.good.drain(after..).map(|g| g.hash).collect();
        self.flaws.clear();
        Ok(())
    }

    fn end(mut self, next_segment: u32, segments: usize) -> Reading {
        // A whole record that does not follow was not torn: something is missing before it.
        let torn = self.flaws.iter().all(|f| f.last && !matches!(f.why, Bad::Newer(_) | Bad::Chain));
        let ending = match self.flaws.first() {
            None => Ending::Whole,
            Some(_) if torn => Ending::Torn,
            Some(Flaw { why: why @ Bad::Newer(_), .. }) => {
                self.newer.get_or_insert(why.clone());
                Ending::Whole
            }
            Some(f) => Ending::Corrupt { segment: f.segment.clone(), line: f.line, why: f.why.clone() },
        };
        let torn = match ending {
            Ending::Torn => self.flaws.into_iter().map(|f| (f.segment, f.good)).collect(),
            _ => Vec::new(),
        };
        Reading {
            previous: self.good.last().map(|g| g.hash.clone()),
            epoch: self.good.iter().map(|g| g.record.epoch).max().unwrap_or(0),
            unknown: self.good.iter().filter(|g| g.record.stamped.is_none()).count(),
            events: self.good.into_iter().filter_map(|g| g.record.stamped).collect(),
            ending,
            next_segment,
            torn,
            newer: self.newer,
            repeated: self.repeated,
            segments,
        }
    }
}

fn line(raw: &[u8]) -> Result<&str, Bad> {
    let raw = raw.strip_suffix(b"\n").ok_or(Bad::Torn)?;
    if raw.len() > LONGEST {
        return Err(Bad::Shape(format!("the line has {} bytes", raw.len())));
    }
    std::str::from_utf8(raw).map_err(|_| Bad::Torn)
}

fn segments(path: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    if path.is_file() {
        return Ok(vec![(1, path.to_owned())]);
    }
    let mut out: Vec<(u32, PathBuf)> = std::fs::read_dir(path)?
        .flatten()
        .filter_map(|e| {
            let path = e.path();
            let number = path.file_stem()?.to_str()?.parse().ok()?;
            (path.extension()? == "jsonl").then_some((number, path))
        })
        .collect();
    out.sort();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Event;
    use crate::core::run::Phase;
    use crate::journal::{Journal, Writer};

    fn event(seq: u64) -> Stamped {
        Stamped {
            seq,
            at: "2025-06-14T08:00:00Z".parse().unwrap(),
            actor: "engine".into(),
            event: Event::PhaseChanged { to: Phase::Checking, why: format!("record {seq}") },
        }
    }

    fn written(n: u64) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer { epoch: 1, instance: "a".into() };
        let journal = Journal::open(folder.path(), writer, 1, None).unwrap();
        for seq in 1..=n {
            journal.append(vec![event(seq)]);
        }
        drop(journal);
        let file = folder.path().join("000001.jsonl");
        (folder, file)
    }

    #[test]
    fn what_is_written_is_read() {
        let (folder, _) = written(5);
        let r = read(folder.path()).unwrap();
        assert_eq!(r.ending, Ending::Whole);
        assert_eq!(r.events, (1..=5).map(event).collect::<Vec<_>>());
        assert_eq!((r.next_segment, r.epoch, r.segments), (2, 1, 1));
    }

    #[test]
    fn a_second_engine_goes_on_in_a_new_segment_and_keeps_the_chain() {
        let (folder, _) = written(3);
        let r = read(folder.path()).unwrap();
        let writer = Writer { epoch: 2, instance: "b".into() };
        let journal = Journal::open(folder.path(), writer, r.next_segment, r.previous).unwrap();
        journal.append(vec![event(4), event(5)]);
        drop(journal);
        let r = read(folder.path()).unwrap();
        assert_eq!((r.ending, r.events.len(), r.epoch), (Ending::Whole, 5, 2));
    }

    #[test]
    fn every_cut_leaves_a_readable_prefix() {
        let (folder, file) = written(3);
        let whole = std::fs::read(&file).unwrap();
        for n in 0..whole.len() {
            std::fs::write(&file, &whole[..n]).unwrap();
            let r = read(folder.path()).unwrap();
            let lines = whole[..n].iter().filter(|b| **b == b'\n').count();
            assert_eq!(r.events.len(), lines, "cut at {n}");
            assert!(!matches!(r.ending, Ending::Corrupt { .. }), "cut at {n}");
        }
    }

    #[test]
    fn a_torn_end_is_mended_before_the_next_engine_writes() {
        let (folder, file) = written(3);
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() - 5]).unwrap();
        let r = read(folder.path()).unwrap();
        assert_eq!(r.ending, Ending::Torn);
        r.mend().unwrap();
        let writer = Writer { epoch: 2, instance: "b".into() };
        let journal = Journal::open(folder.path(), writer, r.next_segment, r.previous).unwrap();
        journal.append(vec![event(3)]);
        drop(journal);
        let r = read(folder.path()).unwrap();
        assert_eq!((r.ending, r.events.len()), (Ending::Whole, 3));
        assert!(folder.path().join("000001.jsonl.torn").exists());
    }

    #[test]
    fn a_bad_record_before_the_end_is_corruption() {
        let (folder, file) = written(3);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replacen("record 2", "record 9", 1)).unwrap();
        let r = read(folder.path()).unwrap();
        assert_eq!(r.events.len(), 1);
        assert!(matches!(r.ending, Ending::Corrupt { line: 2, why: Bad::Checksum, .. }));
    }

    #[test]
    fn a_record_that_was_taken_out_breaks_the_chain() {
        let (folder, file) = written(3);
        let text = std::fs::read_to_string(&file).unwrap();
        let without: String =
            text.split_inclusive('\n').enumerate().filter(|(i, _)| *i != 1).map(|(_, l)| l).collect();
        std::fs::write(&file, format!("{without}x\n")).unwrap();
        assert!(matches!(read(folder.path()).unwrap().ending, Ending::Corrupt { line: 2, why: Bad::Chain, .. }));
    }
}
