//! What an ssh process says on its error output: line by line, bounded, cleaned.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::remote::sanitise::clean_short;

/// Longest line that is kept, in bytes; the rest of it is left out.
const LINE: usize = 1 << 10;
/// Lines that are kept: a server's banner may come before them.
const LINES: usize = 64;

/// The last lines of one process.
pub struct Heard<R> {
    from: Option<R>,
    chunk: Box<[u8]>,
    start: usize,
    end: usize,
    line: Vec<u8>,
    lines: VecDeque<String>,
}

impl<R: AsyncRead + Unpin> Heard<R> {
    pub fn new(from: R) -> Heard<R> {
        Heard {
            from: Some(from),
            chunk: vec![0; 4 << 10].into(),
            start: 0,
            end: 0,
            line: Vec::new(),
            lines: VecDeque::new(),
        }
    }

    /// The next line; `None` at the end. May be dropped and called again.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            while self.start < self.end {
                let byte = self.chunk[self.start];
                self.start += 1;
                if byte == b'\n' {
                    if let Some(line) = self.finish() {
                        return Some(line);
                    }
                } else if self.line.len() < LINE {
                    self.line.push(byte);
                }
            }
            let from = self.from.as_mut()?;
            match from.read(&mut self.chunk).await {
                Ok(n) if n > 0 => (self.start, self.end) = (0, n),
                _ => {
                    self.from = None;
                    return self.finish();
                }
            }
        }
    }

    /// All that was said lately.
    pub fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    fn finish(&mut self) -> Option<String> {
        let line = clean_short(String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim(), LINE);
        if line.is_empty() {
            return None;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.clone());
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_bounded_and_clean() {
        let mut text = vec![b'x'; 100_000];
        text.extend_from_slice(b"\r\n\r\n\x1b[31mred\x07\r\n");
        for i in 0..200 {
            text.extend_from_slice(format!("line {i}\n").as_bytes());
        }
        text.extend_from_slice(b"last");
        let mut heard = Heard::new(&text[..]);
        let mut count = 0;
        while heard.next().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 203);
        let lines = heard.lines();
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (LINES, Some("last")));
        assert!(lines.iter().all(|l| l.len() <= LINE && !l.chars().any(char::is_control)));
    }
}
