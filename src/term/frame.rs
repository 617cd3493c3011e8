//! Frames as bytes: only what differs from the last one, in one write, shown at once. An equal frame is no byte at all.

use std::io::{self, Write};

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::escape;

/// The last frame, and where frames go.
#[derive(Debug)]
pub struct Frames<W> {
    out: W,
    last: Buffer,
    next: Buffer,
    bytes: u64,
}

impl<W: Write> Frames<W> {
    /// Onto an empty screen of that size.
    pub fn new(out: W, width: u16, height: u16) -> Self {
        let area = Rect::new(0, 0, width, height);
        Self { out, last: Buffer::empty(area), next: Buffer::empty(area), bytes: 0 }
    }

    /// The size of the frames.
    pub fn area(&self) -> Rect {
        self.next.area
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The screen has another size, or its content was spoilt: what follows is drawn whole.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn reset(&mut self, width: u16, height: u16) -> io::Result<()> {
        let area = Rect::new(0, 0, width, height);
        self.last = Buffer::empty(area);
        self.next = Buffer::empty(area);
        self.write("\x1b[0m\x1b[2J")
    }

    /// Draws a frame and gives the bytes it took; 0 where nothing differs.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, paint: impl FnOnce(Rect, &mut Buffer)) -> io::Result<usize> {
        self.next.reset();
        paint(self.next.area, &mut self.next);
        let changes = self.last.diff(&self.next);
        if changes.is_empty() {
            return Ok(0);
        }
        let mut bytes = Vec::with_capacity(64 + changes.len() * 8);
        bytes.extend_from_slice(escape::SYNC_BEGIN.as_bytes());
        // In memory nothing can fail; a failure would leave a frame half told.
        CrosstermBackend::new(&mut bytes).draw(changes.into_iter())?;
        bytes.extend_from_slice(escape::SYNC_END.as_bytes());
        std::mem::swap(&mut self.last, &mut self.next);
        self.send(&bytes)?;
        Ok(bytes.len())
    }

    /// Writes something that is no frame.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        self.send(text.as_bytes())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::{Color, Style};

    /// Counts what arrives, and how often.
    #[derive(Default)]
    struct Sink {
        bytes: Vec<u8>,
        writes: usize,
    }

    impl Write for &mut Sink {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.bytes.extend_from_slice(buf);
            self.writes += 1;
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn screen(bytes: &[u8], width: u16, height: u16) -> String {
        let mut parser = vt100::Parser::new(height, width, 0);
        parser.process(bytes);
        parser.screen().contents()
    }

    #[test]
    fn an_equal_frame_is_no_byte_and_a_changed_one_is_one_write() {
        let mut sink = Sink::default();
        let mut frames = Frames::new(&mut sink, 20, 3);
        let paint = |text: &'static str| {
            move |_: Rect, buf: &mut Buffer| {
                buf.set_string(0, 1, text, Style::new().fg(Color::Red));
            }
        };
        assert!(frames.draw(paint("one 節点 ✔")).unwrap() > 0);
        assert_eq!(frames.draw(paint("one 節点 ✔")).unwrap(), 0);
        let small = frames.draw(paint("one 節点 ✖")).unwrap();
        assert!(small < 80, "{small}");
        let bytes = frames.bytes();
        drop(frames);
        assert_eq!((sink.writes, sink.bytes.len() as u64), (2, bytes));
        assert!(sink.bytes.starts_with(b"\x1b[?2026h") && sink.bytes.ends_with(b"\x1b[?2026l"));
        assert_eq!(screen(&sink.bytes, 20, 3).trim(), "one 節点 ✖");
    }

    #[test]
    fn after_a_reset_everything_is_drawn() {
        let mut sink = Sink::default();
        let mut frames = Frames::new(&mut sink, 10, 1);
        let paint = |_: Rect, buf: &mut Buffer| {
            buf.set_string(0, 0, "hello", Style::new());
        };
        frames.draw(paint).unwrap();
        frames.reset(12, 2).unwrap();
        assert_eq!(frames.area(), Rect::new(0, 0, 12, 2));
        assert!(frames.draw(paint).unwrap() > 0);
        drop(frames);
        assert_eq!(screen(&sink.bytes, 12, 2).trim(), "hello");
    }
}
