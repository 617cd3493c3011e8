//! What comes to the screen, and what it asks for.

use jiff::Timestamp;

use crate::core::command::{Command, Refusal};
use crate::core::control::{Control, ViewerId};
use crate::core::decide::Pulse;
use crate::core::event::Stamped;
use crate::core::log::{LogLine, Which};
use crate::core::state::State;
use crate::core::watch::{Clocking, ReplayControl, ReplayState};
use crate::input::Key;

/// First words of an engine, as far as the screen needs them.
#[derive(Clone, Debug)]
pub struct Hello {
    /// Everything that has happened so far.
    pub state: Box<State>,
    /// This viewer's number: its seat in the state says what it may do.
    pub viewer: ViewerId,
    pub run_id: String,
    pub clocking: Clocking,
    pub replay: Option<ReplayState>,
    /// Machines are imitated.
    pub imitated: bool,
    /// The engine lives in this process: leaving the screen ends it.
    pub own_engine: bool,
}

/// Something that happened outside the screen.
#[derive(Clone, Debug)]
pub enum Msg {
    /// An engine answers; another one than before starts everything anew.
    Hello(Box<Hello>),
    Event(Box<Stamped>),
    /// Everything up to here is past: show the present.
    CaughtUp,
    Pulse(Pulse),
    Answer {
        id: u64,
        refused: Option<Refusal>,
    },
    LogLength {
        which: Which,
        lines: u64,
    },
    LogLines {
        which: Which,
        from: u64,
        lines: Vec<LogLine>,
    },
    Clock(Clocking),
    Replay(ReplayState),
    /// The engine has left, and why.
    Bye {
        why: String,
    },
    /// What was asked of the surroundings is done, or could not be: in words.
    Told {
        text: String,
        failed: bool,
    },
    Key(Key),
    Paste(String),
    Resize {
        width: u16,
        height: u16,
    },
    /// The engine's time now: every second while [`Model::wants_tick`](super::Model::wants_tick), at
    /// [`Model::wakes_at`](super::Model::wakes_at), and before each key.
    Tick(Timestamp),
}

/// Something that the screen wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    Command {
        id: u64,
        command: Command,
    },
    LogLines {
        which: Which,
        from: u64,
        count: u64,
    },
    Control {
        id: u64,
        control: Control,
    },
    Replay(ReplayControl),
    /// Write the report of this run, and say where it is: `Msg::Told`.
    Report,
    /// Into the clipboard.
    Copy(String),
    /// The next theme of those there are.
    NextTheme,
    /// Draw every cell again.
    Redraw,
    Suspend,
    Leave,
}
