//! Everything that was switched on in the terminal, and back off: once, whoever gets there first. Used when the screen is
//! left, when it is dropped, when something panics, and when a signal ends the process.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute, queue};

use super::escape::{self, Share};

/// The terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The progress of the window was set.
pub(super) static SHARED: AtomicBool = AtomicBool::new(false);

/// Holds the terminal until it is dropped.
#[derive(Debug)]
pub struct Guard(());

impl Guard {
    /// Takes the terminal: raw, other screen, pasted text marked as such, no cursor.
    ///
    /// # Errors
    /// There is no terminal, or it refuses.
    pub fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let guard = Self(());
        // The other screen is cleared by hand: not every terminal gives it back empty. Nothing is asked of the terminal.
        io::stdout().write_all(escape::TITLE_PUSH.as_bytes())?;
        execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            cursor::Hide,
            crossterm::terminal::Clear(crossterm::terminal::ClearType::All)
        )?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was. Does nothing where that was done.
pub fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout().lock();
    // A frame may have been cut in two: its end comes first, or the terminal shows nothing of what follows.
    let _ = out.write_all(escape::SYNC_END.as_bytes());
    if SHARED.swap(false, Ordering::SeqCst) {
        let _ = out.write_all(escape::share(Share::None).as_bytes());
    }
    let _ = out.write_all(escape::TITLE_POP.as_bytes());
    let _ = queue!(out, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// Makes a panic give the terminal back before it prints anything.
pub fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        restore();
        before(info);
    }));
}
