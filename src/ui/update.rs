//! Messages in, questions out.

use jiff::Timestamp;

use super::layout::Pane;
use super::model::{Model, Modes};
use super::msg::{Ask, Hello, Msg};
use super::overlays::{Grave, Overlay};
use crate::core::brief::brief;
use crate::core::command::{Command, PROOF_FRESH_FOR};
use crate::core::control::{Role, ViewerId};
use crate::core::event::{Event, Stamped};
use crate::core::log::Which;
use crate::input::Action;

impl Model {
    /// Takes in what happened and gives what the screen wants done about it.
    pub fn update(&mut self, msg: Msg) -> Vec<Ask> {
        let mut asks = match msg {
            Msg::Hello(hello) => {
                self.greet(*hello);
                Vec::new()
            }
            Msg::Event(stamped) => {
                self.event(&stamped);
                Vec::new()
            }
            Msg::CaughtUp => {
                self.caught_up = true;
                self.tell_what_was();
                self.dirty = true;
                Vec::new()
            }
            Msg::Pulse(pulse) => {
                // At rest a poll that found nothing new changes nothing that is shown.
                self.later(pulse.at);
                if self.ages_tick() {
                    self.changed();
                }
                self.fresh.insert(pulse.key.clone(), pulse);
                Vec::new()
            }
            Msg::Answer { id, refused } => {
                let what = self.asked.remove(&id);
                if let Some(refusal) = refused {
                    self.refuse(format!("{}: {}", what.unwrap_or("Refused"), refusal.0));
                }
                Vec::new()
            }
            Msg::LogLength { which, lines } => {
                self.dirty |= which == self.which();
                self.lines.set_length(which, lines);
                Vec::new()
            }
            Msg::LogLines { which, from, lines } => {
                let seen = self.log_seen(&which);
                let shown = which == self.which();
                let new = self.lines.take(&which, from, lines, seen);
                self.dirty |= shown && (new || self.lines.search.is_some());
                self.land();
                Vec::new()
            }
            Msg::Clock(clocking) => {
                self.modes.scale = clocking.scale;
                self.later(clocking.now);
                self.changed();
                Vec::new()
            }
            Msg::Replay(replay) => {
                self.modes.replay = Some(replay);
                self.dirty = true;
                Vec::new()
            }
            Msg::Bye { why } => {
                self.gone = Some(why);
                self.overlays.retain(|o| !o.changes_something());
                self.overlays.push(Overlay::Gone);
                self.dirty = true;
                Vec::new()
            }
            Msg::Told { text, failed: false } => {
                self.say(text);
                Vec::new()
            }
            Msg::Told { text, failed: true } => {
                self.refuse(text);
                Vec::new()
            }
            Msg::Key(key) => self.key(key),
            Msg::Paste(text) => {
                self.paste(&text);
                Vec::new()
            }
            Msg::Resize { width, height } => {
                self.size = (width, height);
                self.dirty = true;
                Vec::new()
            }
            Msg::Tick(now) => self.tick(now),
        };
        if self.caught_up {
            asks.extend(self.want_lines());
        }
        asks
    }

    fn greet(&mut self, hello: Hello) {
        // What one looks at is how it goes, once it goes.
        self.focus = if hello.state.run.is_some() { Pane::Progress } else { Pane::Checks };
        self.now = hello.state.at.map_or(hello.clocking.now, |at| at.max(hello.clocking.now));
        self.run_id = hello.run_id;
        self.modes = Modes {
            viewer: hello.viewer,
            imitated: hello.imitated || hello.state.engine.as_ref().is_some_and(|e| e.imitated),
            own_engine: hello.own_engine,
            scale: hello.clocking.scale,
            replay: hello.replay,
        };
        self.caught_up = false;
        self.gone = None;
        self.fresh.clear();
        self.lines.clear();
        self.asked.clear();
        self.overlays.clear();
        self.looking.column = None;
        self.state = Some(*hello.state);
        self.changed();
    }

    fn event(&mut self, stamped: &Stamped) {
        let Some(state) = &mut self.state else { return };
        let before = state.seats.controller().map(|(id, _)| id);
        state.apply(stamped);
        match &stamped.event {
            Event::ControlMoved { .. } | Event::ControlOffered { .. } | Event::ViewerGone { .. } => {
                self.control_changed(before);
            }
            // What one looks at from now on is how it goes.
            Event::StartIntended { .. } if self.focus == Pane::Checks => self.focus = Pane::Progress,
            Event::EngineStarted(engine) => self.modes.imitated |= engine.imitated,
            // The end of a run is worth a page of its own, to whoever watched it happen.
            Event::RunEnded { .. }
                if self.caught_up && self.overlays.is_empty() && self.modes.replay.is_none() =>
            {
                self.overlays.push(Overlay::Outcome(Default::default()));
            }
            Event::PhaseChanged { .. } if self.caught_up => self.tell_what_was(),
            Event::Resumed { .. } | Event::SequenceResumed => {
                self.overlays.retain(|o| !matches!(o, Overlay::Brief(_)));
            }
            _ => {}
        }
        self.later(stamped.at);
        self.changed();
    }

    /// Whoever comes back to a run that an engine was away from reads first what that means.
    fn tell_what_was(&mut self) {
        let told = self.state.as_ref().is_some_and(|s| brief(s).is_some());
        if told && self.overlays.is_empty() && self.modes.replay.is_none() {
            self.overlays.push(Overlay::Brief(Default::default()));
        }
    }

    /// Who has control now, or could, where that concerns this screen.
    fn control_changed(&mut self, before: Option<ViewerId>) {
        let Some(seats) = self.state.as_ref().map(|s| &s.seats) else { return };
        let (me, now) = (self.modes.viewer, seats.controller().map(|(id, s)| (id, s.who.clone())));
        let offered = seats.offered;
        if self.role() == Role::Observer || self.modes.replay.is_some() {
            return;
        }
        let key = self.keymap.key_of(Action::TakeControl).map_or_else(String::new, |k| format!(": {k} takes it"));
        match now {
            Some((id, _)) if id == me && before != Some(me) => self.say("You have control now."),
            Some((id, _)) if id == me && offered => self.say("Control is offered to whoever takes it."),
            Some((id, _)) if id == me => {}
            Some((_, who)) if before == Some(me) => self.refuse(format!("{who} has control now.")),
            Some((_, who)) if offered => self.say(format!("{who} offers control{key}.")),
            None if before.is_some() => self.say(format!("Nobody has control{key}.")),
            _ => {}
        }
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Ask> {
        let woken = self.wakes_at().is_some_and(|at| at <= now);
        self.later(now);
        if let Some(note) = &mut self.note {
            note.left = note.left.saturating_sub(1);
            if note.left == 0 {
                self.note = None;
                self.dirty = true;
            }
        }
        if self.ages_tick() || woken {
            self.changed();
        }
        self.prove()
    }

    /// Time only goes forward, but where another engine speaks. What has ended stays as it was at its end, in a replay as well.
    fn later(&mut self, now: Timestamp) {
        let end = self.state.as_ref().filter(|s| s.phase.is_terminal()).and_then(|s| s.phase_since);
        match end {
            Some(end) => self.now = end,
            // Where the engine has left, it stays the time of its last word.
            None if self.gone.is_none() => self.now = self.now.max(now),
            None => {}
        }
    }

    /// While the dialog of an irreversible step is open its proof is kept young.
    pub(super) fn prove(&mut self) -> Vec<Ask> {
        let now = self.now;
        let Some(state) = &self.state else { return Vec::new() };
        let Some(Overlay::Commit(c)) = self.overlays.iter_mut().find(|o| matches!(o, Overlay::Commit(_))) else {
            return Vec::new();
        };
        let Grave::Step(step) = c.what.clone() else { return Vec::new() };
        let proof = state.proofs.get(&step);
        let taken = proof.and_then(|p| p.taken.as_ref()).map(|t| t.at);
        let old = |at: Timestamp| now.duration_since(at).as_secs() > PROOF_FRESH_FOR;
        let under_way = proof.is_some_and(|p| p.asked_at.is_some());
        // Asked by this dialog and not answered for a minute: asked again.
        let wants = !under_way && taken.is_none_or(old) && c.asked_at.is_none_or(old);
        let opened = !under_way && c.asked_at.is_none();
        if !(wants || opened) {
            return Vec::new();
        }
        c.asked_at = Some(now);
        let command = Command::Prove { step };
        if self.refused(&command).is_some() { Vec::new() } else { self.command(command) }
    }

    /// Asks for the lines of the log that are seen, and for what a search must read.
    fn want_lines(&mut self) -> Vec<Ask> {
        let which = self.which();
        let (from, to) = self.log_seen(&which);
        let seen = self.lines.want(&which, from, to);
        seen.into_iter().chain(self.lines.want_search()).chain(self.want_last_of_node()).collect()
    }

    /// The last line of the node that is looked at: how long it has been silent is said beside it.
    fn want_last_of_node(&mut self) -> Option<Ask> {
        if !self.is_running() || !self.log.all {
            return None;
        }
        let which = Which::Node(self.node_shown()?.clone());
        let length = self.lines.length(&which);
        self.lines.want(&which, length.saturating_sub(1), length)
    }
}
