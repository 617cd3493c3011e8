//! The messages.

use serde::{Deserialize, Serialize};

use crate::core::command::{Command, Refusal};
use crate::core::control::{Control, ViewerId};
use crate::core::decide::Pulse;
use crate::core::event::Stamped;
use crate::core::log::{LogLine, Which};
use crate::core::state::State;
use crate::core::watch::{Clocking, ReplayControl, ReplayState};

/// Version of this protocol. Both sides must speak the same.
pub const PROTOCOL: u32 = 2;

/// First words of an engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub version: String,
    /// Which engine: after a restart it is another, and viewers fold again.
    pub instance: String,
    pub run_id: String,
    /// The viewer's number: its seat in the state says what it may do. Who only looks has none.
    pub viewer: ViewerId,
    pub clock: Clocking,
    /// Machines are imitated: the screen says so.
    pub imitated: bool,
    /// Everything that has happened so far. What follows comes as events.
    pub state: Box<State>,
    /// Set where a journal is played instead of a run driven.
    pub replay: Option<ReplayState>,
}

/// From the engine to a viewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "m", content = "d")]
pub enum FromEngine {
    Hello(Box<Hello>),
    /// One more event.
    Event(Box<Stamped>),
    /// Everything that is past was sent: the viewer shows the present.
    CaughtUp,
    /// Events up to this number are as durable as their class asks for.
    Durable(u64),
    Pulse(Pulse),
    Clock(Clocking),
    /// The command of that number was taken, or why not.
    Answer {
        id: u64,
        refused: Option<Refusal>,
    },
    /// A log has that many lines now.
    LogLength {
        which: Which,
        lines: u64,
    },
    LogLines {
        which: Which,
        from: u64,
        lines: Vec<LogLine>,
    },
    Replay(ReplayState),
    /// The engine leaves, and why. Nothing follows.
    Bye {
        why: String,
    },
}

/// From a viewer to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "m", content = "d")]
pub enum ToEngine {
    Hello {
        protocol: u32,
        /// It will never ask for a change.
        looks_only: bool,
    },
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
    /// The person behind it is there.
    Present,
    Replay(ReplayControl),
    /// The viewer leaves, and means to. An engine in its own process ends with it.
    Quit,
}
