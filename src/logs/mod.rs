//! Log lines, kept in one append-only file for each machine and one for the run, with an index of where each line starts.
//! A screen asks for lines by number; the cost of an answer depends on how many it asks for, never on the length of a log.

mod store;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use store::Store;

pub use crate::core::log::Which;
use crate::core::log::{Level, LogLine};
use crate::core::name::NodeName;

/// Most lines given in one answer.
pub const MOST_LINES: usize = 1_000;

/// All logs of a run.
#[derive(Debug)]
pub struct Logs {
    folder: Option<PathBuf>,
    files: BTreeMap<Option<NodeName>, Store>,
    /// Every line in the order it came: which file, which line of it.
    merged: Vec<(Option<NodeName>, u32)>,
    /// Number of the next line among all of them.
    next: u64,
}

impl Logs {
    /// Logs that live in memory only: the demo, tests.
    pub fn in_memory() -> Self {
        Self { folder: None, files: BTreeMap::new(), merged: Vec::new(), next: 0 }
    }

    /// Logs in a folder, going on where the files end.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut logs = Self::index(folder, Store::open)?;
        logs.folder = Some(folder.to_owned());
        Ok(logs)
    }

    /// Logs in a folder, only to look at: nothing is changed there.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        Self::index(folder, Store::read)
    }

    fn index(folder: &Path, open: impl Fn(&Path) -> io::Result<Store>) -> io::Result<Self> {
        let mut logs = Self::in_memory();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|e| e != "log") {
                continue;
            }
            let Some(stem) = path.file_stem().and_then(|s| s.to_str()) else { continue };
            let node = (stem != RUN).then(|| NodeName::new(stem));
            logs.files.insert(node, open(&path)?);
        }
        let mut order = Vec::new();
        for (node, file) in &logs.files {
            for i in 0..file.len() {
                let known = file.line(i).and_then(|l| parse(node, &l));
                logs.next = logs.next.max(known.as_ref().map_or(0, |(n, _)| n + 1));
                if known.as_ref().is_none_or(|(_, l)| l.level != Level::Trace) {
                    order.push((known.map(|(n, _)| n), node.clone(), i as u32));
                }
            }
        }
        order.sort_by_key(|(number, _, i)| (*number, *i));
        logs.merged = order.into_iter().map(|(_, node, i)| (node, i)).collect();
        Ok(logs)
    }

    /// Adds a line.
    ///
    /// # Errors
    /// It could not be written; the line is lost, the run goes on.
    pub fn add(&mut self, line: &LogLine) -> io::Result<()> {
        let file = match self.files.entry(line.node.clone()) {
            std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
            std::collections::btree_map::Entry::Vacant(e) => e.insert(match &self.folder {
                Some(folder) => Store::open(&folder.join(file_name(line.node.as_ref())))?,
                None => Store::memory(),
            }),
        };
        let number = file.len() as u32;
        file.add(&format!("{}\t{}\t{}\t{}\t{}", line.at, self.next, line.level.word(), line.source, line.text))?;
        self.next += 1;
        if line.level != Level::Trace {
            self.merged.push((line.node.clone(), number));
        }
        Ok(())
    }

    /// How many lines a log has.
    pub fn len(&self, which: &Which) -> usize {
        match which {
            Which::All => self.merged.len(),
            Which::Run => self.files.get(&None).map_or(0, Store::len),
            Which::Node(n) => self.files.get(&Some(n.clone())).map_or(0, Store::len),
        }
    }

    /// Whether a log has no line.
    pub fn is_empty(&self, which: &Which) -> bool {
        self.len(which) == 0
    }

    /// How many lines a log had at that time.
    pub fn len_at(&self, which: &Which, at: jiff::Timestamp) -> usize {
        let (mut low, mut high) = (0, self.len(which));
        while low < high {
            let middle = low + (high - low) / 2;
            let before = self.lines(which, middle, 1).first().is_some_and(|l| l.at <= at);
            if before { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Lines of a log from a number on; fewer where it ends, at most `MOST_LINES`.
    pub fn lines(&self, which: &Which, from: usize, count: usize) -> Vec<LogLine> {
        let end = from.saturating_add(count.min(MOST_LINES)).min(self.len(which));
        (from..end)
            .filter_map(|i| {
                let (node, number) = match which {
                    Which::All => self.merged.get(i).map(|(n, l)| (n.clone(), *l as usize))?,
                    Which::Run => (None, i),
                    Which::Node(n) => (Some(n.clone()), i),
                };
                let text = self.files.get(&node)?.line(number)?;
                parse(&node, &text).map(|(_, line)| line)
            })
            .collect()
    }
}

/// Name of the run's own file: no machine can be called so.
const RUN: &str = "~run";

fn file_name(node: Option<&NodeName>) -> String {
    match node {
        Some(n) => format!("{}.log", n.as_str().replace(['/', '\\', ':'], "_")),
        None => format!("{RUN}.log"),
    }
}

/// A line and its number among all: times tell no order where many lines come of one moment.
fn parse(node: &Option<NodeName>, line: &str) -> Option<(u64, LogLine)> {
    let mut parts = line.splitn(5, '\t');
    let at = parts.next()?.parse().ok()?;
    let number = parts.next()?.parse().ok()?;
    let level = Level::from_word(parts.next()?)?;
    let source = parts.next()?.to_owned();
    Some((number, LogLine { at, node: node.clone(), source, level, text: parts.next()?.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: i64, node: Option<&str>, text: &str) -> LogLine {
        LogLine {
            at: jiff::Timestamp::from_second(1_749_888_000 + second).unwrap(),
            node: node.map(NodeName::new),
            source: "run".into(),
            level: Level::Info,
            text: text.into(),
        }
    }

    fn texts(logs: &Logs, which: &Which) -> Vec<String> {
        logs.lines(which, 0, 100).into_iter().map(|l| l.text).collect()
    }

    #[test]
    fn lines_come_back_by_number_and_merged() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = Logs::open(folder.path()).unwrap();
        // All of one moment.
        for (i, node) in [Some("B"), None, Some("A"), Some("B")].into_iter().enumerate() {
            logs.add(&line(0, node, &format!("line {i}"))).unwrap();
        }
        let check = |logs: &Logs| {
            assert_eq!(texts(logs, &Which::All), ["line 0", "line 1", "line 2", "line 3"]);
            assert_eq!(texts(logs, &Which::Node("B".into())), ["line 0", "line 3"]);
            assert_eq!(texts(logs, &Which::Run), ["line 1"]);
            assert_eq!(logs.lines(&Which::All, 2, 1)[0].text, "line 2");
            assert!(logs.lines(&Which::All, 9, 5).is_empty());
        };
        check(&logs);
        drop(logs);
        check(&Logs::open(folder.path()).unwrap());
    }

    #[test]
    fn a_torn_last_line_is_not_shown_and_not_joined_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("A.log"), "2025-06-14T08:00:00Z\t0\tinfo\trun\twhole\n2025-06-14T08:0")
            .unwrap();
        let mut logs = Logs::open(folder.path()).unwrap();
        logs.add(&line(0, Some("A"), "next")).unwrap();
        assert_eq!(texts(&logs, &Which::Node("A".into())), ["whole", "next"]);
    }
}
