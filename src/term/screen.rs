//! The screen as a whole: taken, drawn to, left.

use std::io::{self, Stdout};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::escape::{self, Share};
use super::frame::Frames;
use super::guard::{self, Guard};
use super::pace::Pace;

/// The terminal, while it is ours.
#[derive(Debug)]
pub struct Screen {
    frames: Frames<Stdout>,
    pace: Pace,
    title: String,
    share: Share,
    shows_share: bool,
    urgent: Option<String>,
    /// Last: it gives the terminal back after everything else has ended.
    guard: Option<Guard>,
}

impl Screen {
    /// Takes the terminal. `bytes_per_second` 0 = no limit.
    ///
    /// # Errors
    /// There is no terminal, or it refuses.
    pub fn enter(bytes_per_second: u64) -> io::Result<Self> {
        let guard = Guard::take()?;
        // Without colours crossterm would write an attribute reset in place of each one; themes see to it here.
        crossterm::style::force_color_output(true);
        let (width, height) = size();
        Ok(Self {
            frames: Frames::new(io::stdout(), width, height),
            pace: Pace::new(bytes_per_second, Instant::now()),
            title: String::new(),
            share: Share::None,
            shows_share: escape::shows_share(|name| std::env::var(name).ok()),
            urgent: None,
            guard: Some(guard),
        })
    }

    /// Its size.
    pub fn area(&self) -> Rect {
        self.frames.area()
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.frames.bytes()
    }

    /// How long the next frame should wait for its bytes; a key pressed by a person need not wait.
    pub fn wait(&mut self) -> Duration {
        self.pace.wait(Instant::now())
    }

    /// Draws a frame: only what differs from the last one is written, nothing where nothing does.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, paint: impl FnOnce(Rect, &mut Buffer)) -> io::Result<usize> {
        let bytes = self.frames.draw(paint)?;
        self.pace.spent(bytes, Instant::now());
        Ok(bytes)
    }

    /// The terminal has another size now. What follows is drawn whole.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn resize(&mut self, width: u16, height: u16) -> io::Result<()> {
        self.frames.reset(width, height)
    }

    /// The screen was spoilt: the next frame is drawn whole.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn redraw(&mut self) -> io::Result<()> {
        let (width, height) = size();
        self.frames.reset(width, height)
    }

    /// Sets title and progress of the window and makes a sound, each only where it changed. A sound is due when something
    /// waits for a person that did not before.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn outside(&mut self, title: &str, share: Share, urgent: Option<&str>) -> io::Result<()> {
        let mut said = String::new();
        if self.title != title {
            title.clone_into(&mut self.title);
            said.push_str(&escape::title(title));
        }
        if self.share != share && self.shows_share {
            self.share = share;
            guard::SHARED.store(share != Share::None, Ordering::SeqCst);
            said.push_str(&escape::share(share));
        }
        if self.urgent.as_deref() != urgent {
            self.urgent = urgent.map(str::to_owned);
            if urgent.is_some() {
                said.push_str(escape::BELL);
            }
        }
        if said.is_empty() { Ok(()) } else { self.frames.write(&said) }
    }

    /// Text into the clipboard of the terminal one sits at, however many machines away.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let env = |name: &str| std::env::var(name).ok();
        self.frames.write(&escape::clipboard(text, env))
    }

    /// To the shell, until the person comes back; then everything is drawn anew.
    ///
    /// # Errors
    /// The terminal could not be taken again.
    pub async fn suspend(&mut self) -> io::Result<()> {
        self.guard = None;
        super::signals::stop_until_continued().await;
        self.guard = Some(take_again()?);
        self.title.clear();
        self.share = Share::None;
        self.redraw()
    }

    /// Gives the terminal back.
    pub fn leave(self) {}
}

/// The size of the terminal, without asking it for anything; 80 × 24 where nobody knows.
fn size() -> (u16, u16) {
    crossterm::terminal::size().ok().filter(|(w, h)| *w > 0 && *h > 0).unwrap_or((80, 24))
}

/// A shell that puts us in the foreground may need a moment to let go of the terminal.
fn take_again() -> io::Result<Guard> {
    let mut tries = 0;
    loop {
        match Guard::take() {
            Err(_) if tries < 20 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            taken => return taken,
        }
    }
}
