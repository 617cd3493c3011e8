//! What the screen knows: the state, and how one looks at it.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jiff::Timestamp;
use tui_input::Input;

use super::checks::{Choice, Looking};
use super::derived::Derived;
use super::layout::Pane;
use super::logs::Lines;
use super::overlays::Overlay;
use crate::core::control::{Role, Seat, ViewerId};
use crate::core::decide::Pulse;
use crate::core::event::ReadKey;
use crate::core::log::Which;
use crate::core::name::NodeName;
use crate::core::state::State;
use crate::core::watch::ReplayState;
use crate::input::Keymap;

/// The screen's memory.
#[derive(Debug)]
pub struct Model {
    pub(super) state: Option<State>,
    pub(super) run_id: String,
    /// The engine's time, as far as it was told.
    pub(super) now: Timestamp,
    pub(super) modes: Modes,
    /// Everything that is past has arrived.
    pub(super) caught_up: bool,
    /// Why the engine has left.
    pub(super) gone: Option<String>,
    /// Last word of every poll.
    pub(super) fresh: BTreeMap<ReadKey, Pulse>,
    pub(super) keymap: Keymap,
    pub(super) size: (u16, u16),
    pub(super) focus: Pane,
    pub(super) zoom: bool,
    /// The machine a person chose; none = the one that matters most.
    pub(super) node: Option<NodeName>,
    /// The step chosen in Progress, below the machines.
    pub(super) step: Option<String>,
    /// The check a person chose; none = the first.
    pub(super) check: Option<Choice>,
    pub(super) looking: Looking,
    pub(super) lines: Lines,
    pub(super) log: LogView,
    pub(super) overlays: Vec<Overlay>,
    pub(super) note: Option<Note>,
    /// Commands without an answer: number and what they are, for a refusal.
    pub(super) asked: BTreeMap<u64, &'static str>,
    pub(super) next_id: u64,
    pub(super) dirty: bool,
    pub(super) derived: OnceCell<Derived>,
}

/// What kind of run is looked at.
#[derive(Clone, Debug, Default)]
pub struct Modes {
    pub viewer: ViewerId,
    pub imitated: bool,
    pub own_engine: bool,
    /// Engine seconds in a real second.
    pub scale: f64,
    pub replay: Option<ReplayState>,
}

/// Where one stands in the logs.
#[derive(Debug)]
pub struct LogView {
    /// All logs merged, or the one of the selected machine.
    pub all: bool,
    /// The line one stands on; none = at the end, following.
    pub cursor: Option<u64>,
    /// How long the log was when following stopped.
    pub paused_at: u64,
    /// Columns scrolled to the right.
    pub left: usize,
    /// What is being typed after `/`.
    pub typing: Option<Input>,
}

/// A sentence that goes by itself.
#[derive(Clone, Debug)]
pub struct Note {
    pub text: String,
    /// It says why something was not done.
    pub refused: bool,
    /// Ticks until it goes.
    pub left: u8,
}

/// Ticks for which a note is shown, where no key comes.
const NOTE_TICKS: u8 = 8;

impl Model {
    /// Before an engine has said anything.
    pub fn new(keymap: Keymap) -> Self {
        Self {
            state: None,
            run_id: String::new(),
            now: Timestamp::UNIX_EPOCH,
            modes: Modes { scale: 1.0, ..Modes::default() },
            caught_up: false,
            gone: None,
            fresh: BTreeMap::new(),
            keymap,
            size: (80, 24),
            focus: Pane::Checks,
            zoom: false,
            node: None,
            step: None,
            check: None,
            looking: Looking::default(),
            lines: Lines::default(),
            log: LogView { all: true, cursor: None, paused_at: 0, left: 0, typing: None },
            overlays: Vec::new(),
            note: None,
            asked: BTreeMap::new(),
            next_id: 1,
            dirty: true,
            derived: OnceCell::new(),
        }
    }

    /// What follows from the state.
    pub(super) fn derived(&self) -> Option<&Derived> {
        let state = self.state.as_ref()?;
        Some(self.derived.get_or_init(|| Derived::of(state, self.now, &self.looking)))
    }

    /// A new frame would differ from the last one.
    pub fn dirty(&self) -> bool {
        self.dirty
    }

    /// The same, and what comes is the frame after this one.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// The engine has left, and said so.
    pub fn is_left(&self) -> bool {
        self.gone.is_some()
    }

    /// Draw again although nothing changed: another theme, a screen that was spoilt.
    pub fn touch(&mut self) {
        self.dirty = true;
    }

    /// The state has changed, or the time that it is judged at.
    pub(super) fn changed(&mut self) {
        self.derived = OnceCell::new();
        self.dirty = true;
    }

    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.note = Some(Note { text: text.into(), refused: false, left: NOTE_TICKS });
        self.dirty = true;
    }

    pub(super) fn refuse(&mut self, text: impl Into<String>) {
        self.note = Some(Note { text: text.into(), refused: true, left: NOTE_TICKS });
        self.dirty = true;
    }

    /// What this screen may do. Who has no seat only looks.
    pub(super) fn role(&self) -> Role {
        let seat = self.state.as_ref().and_then(|s| s.seats.seats.get(&self.modes.viewer));
        seat.map_or(Role::Observer, |s| s.role)
    }

    /// Who has control, where it is another one.
    pub(super) fn other_controller(&self) -> Option<&Seat> {
        let (id, seat) = self.state.as_ref()?.seats.controller()?;
        (id != self.modes.viewer).then_some(seat)
    }

    /// Nodes are being worked on: the run has been started, or a sequence before it.
    pub(super) fn is_running(&self) -> bool {
        self.state.as_ref().is_some_and(|s| s.run.is_some() || s.open_sequence().is_some())
    }

    /// The log that is shown.
    pub(super) fn which(&self) -> Which {
        match self.node_shown().filter(|_| !self.log.all) {
            Some(node) => Which::Node(node.clone()),
            None => Which::All,
        }
    }

    /// Whether ages and elapsed times move now: while something is under way.
    pub(super) fn ages_tick(&self) -> bool {
        use crate::core::run::Phase::*;
        let Some(state) = self.state.as_ref().filter(|_| self.gone.is_none() && self.modes.scale > 0.0) else {
            return false;
        };
        let moves =
            matches!(state.phase, Checking | Acquiring | Running | Pausing | Stopping | Finalising | Recovering);
        moves
            || state.open_sequence().is_some_and(|(run, _)| run.paused.is_none())
            || self.overlays.iter().any(|o| matches!(o, Overlay::Commit(_)))
            || state.checks.values().any(|c| c.fixing.is_some())
            || state
                .run
                .iter()
                .flat_map(|r| r.commits.values())
                .any(|c| matches!(c, crate::core::state::CommitState::Intended { .. }))
    }

    /// Whether the loop must send [`Msg::Tick`](super::Msg::Tick) every second. At rest it need not.
    pub fn wants_tick(&self) -> bool {
        self.ages_tick() || self.note.is_some()
    }

    /// The engine's time at which something changes on the screen although nothing happens: one tick is wanted then.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        use crate::core::run::Phase;
        let state = self.state.as_ref().filter(|_| self.gone.is_none() && self.modes.scale > 0.0)?;
        // Elsewhere nothing is told from the state only to know that there is nothing to wake for.
        let rests = matches!(state.phase, Phase::Blocked | Phase::Ready);
        let stale = if rests { self.derived().and_then(|d| d.stale_at) } else { None };
        let waivers = state.waivers.iter().map(|w| w.expires);
        let window = state.plan.terms.window.as_ref();
        let window = window.into_iter().flat_map(|w| [w.open_until(self.now), w.opens_next(self.now)]).flatten();
        waivers.chain(stale).chain(window).filter(|at| *at > self.now).min()
    }

    /// `, 12s ago` where ages move, nothing where they rest: a number that stands still would lie.
    pub(super) fn ago(&self, at: Timestamp) -> String {
        if self.ages_tick() { format!(", {} ago", super::time::ago(at, self.now)) } else { String::new() }
    }

    /// How long ago, where ages move; the time of day, where they rest.
    pub(super) fn age(&self, at: Timestamp) -> String {
        if self.ages_tick() { super::time::ago(at, self.now) } else { super::time::short(at, self.now) }
    }
}
