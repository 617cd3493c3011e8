//! What an action does once its key was pressed and nothing speaks against it.

use super::layout::Pane;
use super::model::Model;
use super::msg::Ask;
use super::overlays::{Act, Attest, CheckView, Commit, Confirm, Decide, Grave, Overlay, Page, Waive};
use crate::core::command::Command;
use crate::core::plan::Tier;
use crate::core::run::Phase;
use crate::core::watch::ReplayControl;
use crate::input::Action;

impl Model {
    /// Does it, or says why not.
    pub(super) fn act(&mut self, action: Action) -> Vec<Ask> {
        use Action::*;
        // At rest time passes unseen; what a key may do is judged at the moment it is pressed.
        if !self.ages_tick() && action.spec().tier != Tier::T0 {
            self.derived = Default::default();
        }
        if let Some(why) = self.refusal(action) {
            let title = action.spec().title;
            self.refuse(format!("{}{}: {why}", title[..1].to_uppercase(), &title[1..]));
            return Vec::new();
        }
        match action {
            Connect => return self.command(Command::Connect),
            CheckAll => return self.command(Command::CheckAll),
            RetryFailed => return self.command(Command::RetryFailed),
            RetryCheck => {
                let keys = self.taken(|key| Command::Retry { key });
                return keys.into_iter().flat_map(|key| self.command(Command::Retry { key })).collect();
            }
            RetryNode => {
                if let Some(node) = self.target_node().cloned() {
                    return self.command(Command::RetryNode { node });
                }
            }
            Fix => {
                let keys = self.taken(|key| Command::Fix { key });
                self.open(Overlay::Confirm(Confirm::new(Act::Fix(keys))));
            }
            FixAll => self.open(Overlay::Confirm(Confirm::new(Act::FixAll))),
            Waive if !self.gates_to_waive().is_empty() => {
                let keys = self.gates_to_waive();
                self.open(Overlay::Waive(self::Waive::new(keys)));
            }
            Waive => {
                let keys = self.taken(|key| Command::Waive { key, reason: "x".repeat(99), hours: 1 });
                self.open(Overlay::Waive(self::Waive::new(keys)));
            }
            Attest => {
                let keys = self.taken(|key| Command::Attest { key, note: String::new() });
                self.open(Overlay::Attest(self::Attest::new(keys)));
            }
            AcceptChanges => {
                if let Some(node) = self.target_node().cloned() {
                    self.open(Overlay::Attest(self::Attest::of_changes(node)));
                }
            }
            Start => self.open(Overlay::Confirm(Confirm::new(Act::Start))),
            Pause => self.open(Overlay::Confirm(Confirm::new(Act::Pause))),
            Resume => self.open(Overlay::Confirm(Confirm::new(Act::Resume))),
            Stop => self.open(Overlay::Confirm(Confirm::new(Act::Stop))),
            Defer => self.open(Overlay::Confirm(Confirm::new(Act::Defer))),
            Commit => {
                if let Some(step) = self.asked_about() {
                    self.open(Overlay::Decide(self::Decide::new(step)));
                    return Vec::new();
                }
                if let Some(step) = self.open_step() {
                    if self.is_person(&step) {
                        self.open(Overlay::Attest(self::Attest::of_step(step)));
                        return Vec::new();
                    }
                    self.open(Overlay::Commit(self::Commit::new(Grave::Step(step))));
                    return self.prove();
                }
            }
            Revise => {
                if let Some(dialog) = self.state.as_ref().and_then(|s| self::Attest::of_revision(&s.plan)) {
                    self.open(Overlay::Attest(dialog));
                }
            }
            Recover => self.open(Overlay::Commit(self::Commit::new(Grave::Recovery))),
            Abandon => self.open(Overlay::Commit(self::Commit::new(Grave::Abandonment))),
            Outcome => self.open(Overlay::Outcome(Page::default())),
            Report => {
                self.say("Writing the report of this run.");
                return vec![Ask::Report];
            }
            Details => self.open_details(),
            Attention => {
                if let Some(overlay) = self.needs_person() {
                    self.open(overlay);
                }
            }
            Copy => return self.copy(),
            Help => self.open(Overlay::Help(Page::default())),

            Matrix => {
                self.looking.matrix = !self.looking.matrix;
                self.changed();
            }
            Group => {
                self.looking.order = self.looking.order.next();
                // The worst comes first: that is where one looks then.
                self.check = None;
                self.looking.column = None;
                self.changed();
            }
            Filter => {
                if let Some(derived) = self.derived.get() {
                    self.looking.next_filter(&derived.list.rows);
                }
                self.check = None;
                self.changed();
            }
            Search if self.focus == Pane::Checks => {
                self.looking.typing = Some(tui_input::Input::new(self.looking.text.clone()));
                self.changed();
            }
            Search => {
                self.log.typing = Some(tui_input::Input::default());
                self.dirty = true;
            }
            NextHit | PreviousHit => {
                let end = self.lines.length(&self.which());
                let from = self.log.cursor.unwrap_or(end);
                if let Some(s) = &mut self.lines.search {
                    s.go(action == PreviousHit, from);
                }
                self.land();
            }
            AllLogs => {
                self.log.all = !self.log.all;
                self.log.cursor = None;
                self.lines.search = None;
                self.dirty = true;
            }
            Up | Down | Left | Right | PageUp | PageDown | First | Last => self.move_selection(action),

            Nodes => self.focus_on(Pane::Nodes),
            Checks => self.focus_on(Pane::Checks),
            Progress => self.focus_on(Pane::Progress),
            Logs => self.focus_on(Pane::Logs),
            NextPane => self.focus_on(self.pane_beside(1)),
            PreviousPane => self.focus_on(self.pane_beside(3)),
            Zoom => {
                self.zoom = !self.zoom;
                self.dirty = true;
            }
            Back => self.back(),
            Theme => return vec![Ask::NextTheme],
            Redraw => return vec![Ask::Redraw],
            Suspend => return vec![Ask::Suspend],
            Leave => {
                if self.leaving_ends_something() {
                    self.open(Overlay::Confirm(Confirm::new(Act::Leave)));
                } else {
                    return vec![Ask::Leave];
                }
            }

            ReplayPause => return vec![Ask::Replay(ReplayControl::TogglePause)],
            ReplayStep => return vec![Ask::Replay(ReplayControl::Step)],
            ReplayFaster => return vec![Ask::Replay(ReplayControl::Faster)],
            ReplaySlower => return vec![Ask::Replay(ReplayControl::Slower)],
            ReplayEnd => return vec![Ask::Replay(ReplayControl::End)],

            // Dialogs take these themselves.
            Yes | No | Accept | NextField | PreviousField => {}
        }
        Vec::new()
    }

    /// Sends a command, and remembers what it was until it is answered.
    pub(super) fn command(&mut self, command: Command) -> Vec<Ask> {
        let id = self.next_id;
        self.next_id += 1;
        self.asked.insert(id, name(&command));
        self.dirty = true;
        vec![Ask::Command { id, command }]
    }

    pub(super) fn open(&mut self, overlay: Overlay) {
        self.overlays.push(overlay);
        self.dirty = true;
    }

    fn focus_on(&mut self, pane: Pane) {
        self.focus = pane;
        self.dirty = true;
    }

    fn pane_beside(&self, steps: usize) -> Pane {
        let at = Pane::ALL.iter().position(|p| *p == self.focus).unwrap_or(0);
        Pane::ALL[(at + steps) % Pane::ALL.len()]
    }

    /// One step back: what was opened last is closed first.
    fn back(&mut self) {
        self.dirty = true;
        if self.lines.search.take().is_some() {
            return;
        }
        if self.focus == Pane::Checks && self.looking.filters() {
            self.looking.clear();
            self.changed();
            return;
        }
        if self.zoom {
            self.zoom = false;
            return;
        }
        if self.focus == Pane::Logs && self.log.cursor.take().is_some() {
            return;
        }
        self.log.left = 0;
        self.step = None;
        self.node = None;
    }

    fn open_details(&mut self) {
        match self.focus {
            Pane::Checks => {
                if let Some(key) = self.check_keys().into_iter().next() {
                    self.open(Overlay::Check(CheckView::new(key)));
                }
            }
            Pane::Logs => {
                let which = self.which();
                let at = self.log.cursor.or_else(|| self.lines.length(&which).checked_sub(1));
                if let Some(line) = at.and_then(|n| self.lines.line(&which, n)).cloned() {
                    self.open(Overlay::Line(line, Page::default()));
                }
            }
            Pane::Nodes | Pane::Progress => match self.step_shown().map(str::to_owned) {
                Some(step) if self.focus == Pane::Progress => self.open(Overlay::Step(step, Page::default())),
                _ => {
                    if let Some(node) = self.node_shown().cloned() {
                        self.open(Overlay::Node(node, Page::default()));
                    }
                }
            },
        }
    }

    /// Goes to a hit of the search, once one is known.
    pub(super) fn land(&mut self) {
        if let Some(line) = self.lines.search.as_mut().and_then(|s| s.landed()) {
            let length = self.lines.length(&self.which());
            if self.log.cursor.is_none() {
                self.log.paused_at = length;
            }
            // A hit in the last line is stood on too: what is searched for must be seen.
            self.log.cursor = Some(line.min(length.saturating_sub(1)));
            self.dirty = true;
        }
    }

    /// Copies what the open details offer, the command for the selected check, or the line of the log that one stands on.
    fn copy(&mut self) -> Vec<Ask> {
        let text = match self.overlays.last() {
            Some(overlay) => overlay.to_copy(self),
            None if self.focus == Pane::Checks => {
                let key = self.check_keys().into_iter().next();
                key.and_then(|key| Overlay::Check(CheckView::new(key)).to_copy(self))
            }
            None => {
                let which = self.which();
                let at = self.log.cursor.or_else(|| self.lines.length(&which).checked_sub(1));
                at.and_then(|n| self.lines.line(&which, n)).map(|l| l.text.clone())
            }
        };
        match text {
            Some(text) => {
                self.say(format!("Copied: {}", text.lines().next().unwrap_or_default()));
                vec![Ask::Copy(text)]
            }
            None => {
                self.refuse("Copy: there is nothing to copy here");
                Vec::new()
            }
        }
    }

    /// Something goes on that would lose its engine.
    pub(super) fn leaving_ends_something(&self) -> bool {
        let under_way = self.state.as_ref().is_some_and(|s| {
            let mending = s.open_sequence().is_some();
            mending || s.phase.is_under_way() || matches!(s.phase, Phase::AwaitingCommit | Phase::Finalising)
        });
        under_way
            && self.modes.own_engine
            && !self.modes.imitated
            && self.modes.replay.is_none()
            && self.gone.is_none()
    }
}

/// What a command is called in a sentence.
fn name(command: &Command) -> &'static str {
    match command {
        Command::Connect => "Connect",
        Command::CheckAll => "Check all",
        Command::Retry { .. } => "Retry",
        Command::RetryFailed => "Retry failed",
        Command::RetryNode { .. } => "Retry of a machine",
        Command::Attest { .. } => "Confirm",
        Command::Fix { .. } => "Fix",
        Command::FixAll => "Fix all",
        Command::Waive { .. } => "Waive",
        Command::AcceptChanges { .. } => "Accept changes",
        Command::Start => "Start",
        Command::Pause => "Pause",
        Command::Resume => "Resume",
        Command::Stop => "Stop",
        Command::Revise { .. } => "Other driver",
        Command::Prove { .. } => "Proof",
        Command::Commit { .. } => "Commit",
        Command::Confirm { .. } => "Confirm",
        Command::Decide { .. } => "Decision",
        Command::Reopen { .. } => "Opening the run again",
        Command::Defer => "Leave for later",
        Command::Recover { .. } => "Clearing the run",
        Command::Abandon { .. } => "Giving the run up",
    }
}
