//! Lines of logs: a window of them around what is seen, asked for by number, never a whole log. Searching reads a log once,
//! piece by piece, and keeps where the hits are.

use std::collections::BTreeMap;

use super::msg::Ask;
use crate::core::log::{LogLine, Which};

/// Lines kept above and below what is seen.
const MARGIN: u64 = 200;

/// Lines asked for at once while searching.
const CHUNK: u64 = 1_000;

/// Most hits kept.
const MOST_HITS: usize = 50_000;

/// Lines of one log that are here.
#[derive(Debug, Default)]
struct Window {
    from: u64,
    lines: Vec<LogLine>,
    /// A question is under way: from, count.
    asked: Option<(u64, u64)>,
}

/// A search through one log.
#[derive(Debug)]
pub struct Search {
    pub which: Which,
    pub needle: String,
    /// Numbers of the lines that hit, in order.
    pub hits: Vec<u64>,
    /// What has been read: from, to.
    low: u64,
    high: u64,
    asked: Option<(u64, u64)>,
    /// Where to go as soon as there is a hit: up (true) or down from a line.
    jump: Option<(bool, u64)>,
}

/// What is known of the logs.
#[derive(Debug, Default)]
pub struct Lines {
    lengths: BTreeMap<Which, u64>,
    windows: BTreeMap<Which, Window>,
    pub search: Option<Search>,
}

impl Lines {
    /// How many lines a log has.
    pub fn length(&self, which: &Which) -> u64 {
        self.lengths.get(which).copied().unwrap_or(0)
    }

    /// The engine says how long a log is.
    pub fn set_length(&mut self, which: Which, lines: u64) {
        self.lengths.insert(which, lines);
    }

    /// A line, where it is here.
    pub fn line(&self, which: &Which, number: u64) -> Option<&LogLine> {
        let w = self.windows.get(which)?;
        w.lines.get(usize::try_from(number.checked_sub(w.from)?).ok()?)
    }

    /// The last line there is, where it is here.
    pub fn last(&self, which: &Which) -> Option<&LogLine> {
        self.line(which, self.length(which).checked_sub(1)?)
    }

    /// Asks for what is missing of `from..to`, one question at a time.
    pub fn want(&mut self, which: &Which, from: u64, to: u64) -> Option<Ask> {
        let length = self.length(which);
        let (from, to) = (from.min(length), to.min(length));
        if from >= to {
            return None;
        }
        let w = self.windows.entry(which.clone()).or_default();
        let (have, end) = (w.from, w.from + w.lines.len() as u64);
        if w.asked.is_some() || (have <= from && to <= end) {
            return None;
        }
        let (low, high) = (from.saturating_sub(MARGIN), (to + MARGIN).min(length));
        // What touches the window is only what lies beyond it.
        let (low, high) = if low >= have && low <= end && high > end {
            (end, high)
        } else if high >= have && high <= end && low < have {
            (low, have)
        } else {
            (low, high)
        };
        w.asked = Some((low, high - low));
        Some(Ask::LogLines { which: which.clone(), from: low, count: high - low })
    }

    /// Lines have come. True: some of them are new to the window.
    pub fn take(&mut self, which: &Which, from: u64, lines: Vec<LogLine>, seen: (u64, u64)) -> bool {
        if let Some(s) = self.search.as_mut().filter(|s| &s.which == which) {
            s.take(from, &lines);
        }
        let w = self.windows.entry(which.clone()).or_default();
        if w.asked.is_none_or(|(f, _)| f != from) {
            return false;
        }
        w.asked = None;
        let end = w.from + w.lines.len() as u64;
        let to = from + lines.len() as u64;
        if lines.is_empty() {
            return false;
        }
        if from == end && !w.lines.is_empty() {
            w.lines.extend(lines);
        } else if to == w.from {
            w.lines.splice(0..0, lines);
            w.from = from;
        } else {
            w.from = from;
            w.lines = lines;
        }
        w.trim(seen);
        true
    }

    /// Everything is forgotten: another engine speaks.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Begins a search at the end of a log.
    pub fn begin_search(&mut self, which: Which, needle: &str, from: u64) {
        let end = self.length(&which);
        let (needle, hits) = (needle.to_lowercase(), Vec::new());
        self.search =
            Some(Search { which, needle, hits, low: end, high: end, asked: None, jump: Some((true, from)) });
    }

    /// The next piece that the search must read.
    pub fn want_search(&mut self) -> Option<Ask> {
        let s = self.search.as_mut()?;
        let length = self.lengths.get(&s.which).copied().unwrap_or(0);
        if s.asked.is_some() || s.hits.len() >= MOST_HITS {
            return None;
        }
        let (from, count) = if s.high < length {
            (s.high, (length - s.high).min(CHUNK))
        } else if s.low > 0 {
            let from = s.low.saturating_sub(CHUNK);
            (from, s.low - from)
        } else {
            return None;
        };
        s.asked = Some((from, count));
        Some(Ask::LogLines { which: s.which.clone(), from, count })
    }
}

impl Window {
    /// Lets go of what is far from what is seen.
    fn trim(&mut self, seen: (u64, u64)) {
        let low = seen.0.saturating_sub(2 * MARGIN).max(self.from);
        let drop = (low - self.from).min(self.lines.len() as u64);
        self.lines.drain(..drop as usize);
        self.from += drop;
        let keep = (seen.1 + 2 * MARGIN).saturating_sub(self.from) as usize;
        self.lines.truncate(keep.max(1));
    }
}

impl Search {
    /// A line with the needle in it.
    pub fn is_hit(&self, line: &LogLine) -> bool {
        holds(&line.text, &self.needle) || line.source == self.needle
    }

    /// The whole log has been read.
    pub fn is_complete(&self) -> bool {
        self.low == 0
    }

    fn take(&mut self, from: u64, lines: &[LogLine]) {
        if self.asked.is_none_or(|(f, _)| f != from) {
            return;
        }
        self.asked = None;
        let to = from + lines.len() as u64;
        let found: Vec<u64> =
            lines.iter().zip(from..).filter(|(l, _)| self.is_hit(l)).map(|(_, number)| number).collect();
        if to == self.low {
            self.hits.splice(0..0, found);
            self.low = from;
        } else if from == self.high {
            self.hits.extend(found);
            self.high = to;
        } else if lines.is_empty() {
            // The log is shorter than it said: nothing more will come.
            self.low = 0;
        }
    }

    /// Goes to the next hit from a line on, now or as soon as one is found.
    pub fn go(&mut self, up: bool, from: u64) {
        self.jump = Some((up, from));
    }

    /// The line to go to, once there is one.
    pub fn landed(&mut self) -> Option<u64> {
        let (up, from) = self.jump?;
        let hit = if up {
            self.hits.iter().rev().find(|h| **h < from).or(self.hits.last().filter(|_| self.is_complete()))
        } else {
            self.hits.iter().find(|h| **h > from).or(self.hits.first().filter(|_| self.is_complete()))
        };
        let hit = hit.copied()?;
        self.jump = None;
        Some(hit)
    }

    /// `3/17` for the hit at a line, `17` elsewhere, with a `+` while the log is still being read.
    pub fn count(&self, at: Option<u64>) -> String {
        let more = if self.is_complete() { "" } else { "+" };
        match at.and_then(|a| self.hits.binary_search(&a).ok()) {
            Some(i) => format!("{}/{}{more}", i + 1, self.hits.len()),
            None => format!("{}{more}", self.hits.len()),
        }
    }
}

/// Whether a text holds a needle that is in lower case already.
pub fn holds(text: &str, needle: &str) -> bool {
    !needle.is_empty() && text.to_lowercase().contains(needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::log::Level;
    use jiff::Timestamp;

    fn lines(from: u64, count: u64) -> Vec<LogLine> {
        (from..from + count)
            .map(|i| LogLine {
                at: Timestamp::UNIX_EPOCH,
                node: None,
                source: "run".into(),
                level: Level::Info,
                text: if i % 1000 == 7 { format!("Needle {i}") } else { format!("line {i}") },
            })
            .collect()
    }

    /// Answers a question as an engine would.
    fn answer(l: &mut Lines, ask: Ask, seen: (u64, u64)) {
        let Ask::LogLines { which, from, count } = ask else { panic!("{ask:?}") };
        let length = l.length(&which);
        l.take(&which, from, lines(from, count.min(length - from)), seen);
    }

    #[test]
    fn only_a_window_is_held_and_it_follows() {
        let mut l = Lines::default();
        let all = Which::All;
        l.set_length(all.clone(), 100_000);
        for top in [99_980u64, 99_960, 500, 480, 0, 40_000, 40_300, 99_980] {
            let seen = (top, top + 20);
            let mut asked = 0;
            while let Some(ask) = l.want(&all, seen.0, seen.1) {
                answer(&mut l, ask, seen);
                asked += 1;
                assert!(asked < 3);
            }
            for i in seen.0..seen.1 {
                assert!(l.line(&all, i).is_some(), "{i} of {top}");
            }
            assert!(l.windows[&all].lines.len() <= 20 + 4 * MARGIN as usize);
        }
        // One question at a time.
        l.set_length(all.clone(), 100_050);
        assert!(l.want(&all, 100_030, 100_050).is_some());
        assert!(l.want(&all, 100_030, 100_050).is_none());
    }

    #[test]
    fn a_search_reads_the_whole_log_once_and_jumps() {
        let mut l = Lines::default();
        l.set_length(Which::Run, 10_000);
        l.begin_search(Which::Run, "needle", 10_000);
        let mut read = 0;
        let mut first = None;
        while let Some(Ask::LogLines { from, count, .. }) = l.want_search() {
            read += count;
            let s = l.search.as_mut().unwrap();
            s.take(from, &lines(from, count));
            first = first.or(s.landed());
        }
        assert_eq!((read, first), (10_000, Some(9_007)));
        let s = l.search.as_mut().unwrap();
        assert_eq!((s.hits.len(), s.count(Some(9_007))), (10, "10/10".into()));
        s.go(true, 9_007);
        assert_eq!(s.landed(), Some(8_007));
        // Lines that come later are searched too.
        l.set_length(Which::Run, 10_010);
        let Some(Ask::LogLines { from, count, .. }) = l.want_search() else { panic!() };
        assert_eq!((from, count), (10_000, 10));
        let s = l.search.as_mut().unwrap();
        s.take(10_000, &lines(10_000, 10));
        s.go(false, 9_007);
        assert_eq!(s.landed(), Some(10_007));
    }
}
