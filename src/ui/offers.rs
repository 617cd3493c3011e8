//! What can be done now, and why something cannot: one source for keys, footer and help.

use super::layout::Pane;
use super::model::Model;
use super::overlays::{CheckView, Overlay, Page};
use crate::core::baseline::unexplained;
use crate::core::command::{Command, REASON_LEAST, abandonable, allowed, keys_of, lost, moment, recoverable};
use crate::core::event::VerdictKey;
use crate::core::gate_rules::waivable;
use crate::core::name::NodeName;
use crate::core::plan::StepKind;
use crate::core::run::Phase;
use crate::core::summary::overdue;
use crate::input::Action;

impl Model {
    /// Why an action cannot be done now; none = it can.
    pub(super) fn refusal(&self, action: Action) -> Option<String> {
        use Action::*;
        match action {
            CheckAll | RetryFailed | FixAll | Start | Pause | Resume | Stop | Defer => {
                self.cannot_change().or_else(|| self.derived()?.refusals.get(&action)?.clone())
            }
            // Whoever only looks may connect: it changes nothing.
            Connect if self.modes.read_only && self.modes.replay.is_none() && self.gone.is_none() => {
                allowed(self.state.as_ref()?, &Command::Connect, self.now).err().map(|r| r.0)
            }
            Connect => self.refused(&Command::Connect),
            Commit if self.asked_about().is_some() => self.cannot_change(),
            Commit => match self.open_step() {
                Some(step) if self.is_person(&step) => {
                    self.refused(&Command::Confirm { step, note: String::new() })
                }
                Some(step) => self.refused_unless_asked(&Command::Prove { step }),
                None => Some("no step is open".into()),
            },
            Revise => self.cannot_change().or_else(|| self.cannot_revise()),
            Recover => self.cannot_change().or_else(|| {
                let left = !self.state.as_ref()?.recovery_conditions(self.now).is_empty();
                // What is still missing is told in the dialog.
                if left { None } else { recoverable(self.state.as_ref()?, self.now).err().map(|r| r.0) }
            }),
            Abandon => self.cannot_change().or_else(|| abandonable(self.state.as_ref()?).err().map(|r| r.0)),
            RetryCheck => self.all_refused(|key| Command::Retry { key }),
            RetryNode => match self.target_node().cloned() {
                Some(node) => self.refused(&Command::RetryNode { node }),
                None => Some("no machine is selected".into()),
            },
            AcceptChanges => match self.target_node().cloned() {
                // Whether a reason is long enough is the dialog's business.
                Some(node) => self.refused(&Command::AcceptChanges { node, reason: "x".repeat(REASON_LEAST) }),
                None => Some("no machine is selected".into()),
            },
            Attest => self.all_refused(|key| Command::Attest { key, note: String::new() }),
            Fix => self.all_refused(|key| Command::Fix { key }),
            Waive if !self.gates_to_waive().is_empty() => self.cannot_change(),
            Waive => self.all_refused(|key| Command::Waive {
                key,
                // Whether a reason is long enough is the dialog's business.
                reason: "x".repeat(REASON_LEAST),
                hours: 1,
            }),
            Outcome => match &self.state {
                Some(s) if s.phase.is_terminal() || s.run.is_some() => None,
                _ => Some("nothing was done yet".into()),
            },
            Report => match &self.state {
                Some(s) if s.run.is_some() => None,
                _ => Some("no run was started: nodelift check writes a report of readiness".into()),
            },
            Attention if self.needs_person().is_none() => Some("nothing waits for you".into()),
            Matrix | Group | Filter if self.derived().is_none_or(|d| d.list.rows.is_empty()) => {
                Some("there is no check to look at".into())
            }
            Search | NextHit | PreviousHit | AllLogs if self.state.is_none() => Some("there is no log yet".into()),
            NextHit | PreviousHit if self.lines.search.is_none() => Some("nothing was searched for".into()),
            ReplayPause | ReplayStep | ReplayFaster | ReplaySlower | ReplayEnd if self.modes.replay.is_none() => {
                Some("no journal is being played".into())
            }
            _ => None,
        }
    }

    /// Why no other driver can take over now. What has to be typed for it is the dialog's business.
    fn cannot_revise(&self) -> Option<String> {
        let state = self.state.as_ref()?;
        let Some(other) = state.plan.other_drivers().next() else {
            return Some("this runbook has no other driver".into());
        };
        let typed = other.step.needs.iter().map(|name| (name.clone(), "x".into()));
        let settings = other.settings.clone().into_iter().chain(typed).collect();
        allowed(state, &Command::Revise { settings }, self.now).err().map(|r| r.0)
    }

    /// Whether nothing can be changed from here at all, and why.
    pub(super) fn cannot_change(&self) -> Option<String> {
        if self.gone.is_some() {
            return Some("the engine has left".into());
        }
        if self.state.is_none() {
            return Some("the engine has not answered yet".into());
        }
        if self.modes.replay.is_some() {
            return Some("this is a replay: it changes nothing".into());
        }
        if self.modes.read_only {
            return Some("this screen is read-only".into());
        }
        None
    }

    /// Why a command would be refused.
    pub(super) fn refused(&self, command: &Command) -> Option<String> {
        if let Some(why) = self.cannot_change() {
            return Some(why);
        }
        let state = self.state.as_ref()?;
        allowed(state, command, self.now).err().map(|r| r.0)
    }

    /// The same for opening the dialog of an irreversible step: a proof that is being read is no reason to keep it shut.
    fn refused_unless_asked(&self, command: &Command) -> Option<String> {
        let Command::Prove { step } = command else { return self.refused(command) };
        let asked = self.state.as_ref().and_then(|s| s.proofs.get(step)).is_some_and(|p| p.asked_at.is_some());
        let open = self.state.as_ref().is_some_and(|s| s.phase == Phase::AwaitingCommit);
        if asked && open { self.cannot_change() } else { self.refused(command) }
    }

    /// The step that waits for a person next.
    pub(super) fn open_step(&self) -> Option<String> {
        let state = self.state.as_ref()?;
        let current = state.current_step().and_then(|s| state.plan.step(s)).filter(|s| s.kind.waits());
        let first = || state.plan.steps.iter().find(|s| s.kind == StepKind::Commit);
        current.or_else(first).map(|s| s.id.clone())
    }

    /// The step under way that waits for decisions about what it found.
    pub(super) fn asked_about(&self) -> Option<String> {
        let state = self.state.as_ref().filter(|s| matches!(s.phase, Phase::Paused(_)))?;
        state.undecided().map(|(step, _)| step.id.clone())
    }

    /// A step that is done outside, and confirmed.
    pub(super) fn is_person(&self, step: &str) -> bool {
        self.state.as_ref().and_then(|s| s.plan.step(step)).is_some_and(|s| s.kind == StepKind::Person)
    }

    /// The reason of the first verdict, where the command is refused for every selected one.
    fn all_refused(&self, command: impl Fn(VerdictKey) -> Command) -> Option<String> {
        if let Some(why) = self.cannot_change() {
            return Some(why);
        }
        let reasons: Vec<Option<String>> =
            self.target_keys().into_iter().map(|key| self.refused(&command(key))).collect();
        if reasons.is_empty() {
            return Some("no check is selected".into());
        }
        reasons.into_iter().collect::<Option<Vec<_>>>().and_then(|r| r.into_iter().next())
    }

    /// Gates in the way that a person may waive, where no check is looked at.
    pub(super) fn gates_to_waive(&self) -> Vec<VerdictKey> {
        let Some(state) = &self.state else { return Vec::new() };
        let of_checks = self.overlays.iter().any(|o| matches!(o, Overlay::Check(_)))
            || (self.focus == Pane::Checks && matches!(state.phase, Phase::Checking | Phase::Blocked));
        if of_checks { Vec::new() } else { waivable(state, self.now) }
    }

    /// The verdicts that a command would be taken for, of those selected.
    pub(super) fn taken(&self, command: impl Fn(VerdictKey) -> Command) -> Vec<VerdictKey> {
        self.target_keys().into_iter().filter(|key| self.refused(&command(key.clone())).is_none()).collect()
    }

    /// Verdicts that an action on a check is about: those of the details that are open, or of the selection.
    pub(super) fn target_keys(&self) -> Vec<VerdictKey> {
        let open = self.overlays.iter().rev().find_map(|o| match o {
            Overlay::Check(c) => Some(c.key.clone()),
            _ => None,
        });
        match open {
            Some(key) => vec![key],
            None => self.check_keys(),
        }
    }

    /// The machine that an action is about: that of the details that are open, or the selected one.
    pub(super) fn target_node(&self) -> Option<&NodeName> {
        match self.overlays.last() {
            Some(Overlay::Node(node, _)) => Some(node),
            _ => self.node_shown(),
        }
    }

    /// What waits for a person most: a machine that nobody can reach, a node that went wrong or takes too long, a blocker.
    pub(super) fn needs_person(&self) -> Option<Overlay> {
        let state = self.state.as_ref()?;
        let cut_off = state.cut_off();
        let locked = cut_off.first().map(|(n, _)| *n);
        let over = state.phase.is_terminal();
        let wrong = || {
            state.plan.nodes.iter().find(|n| {
                let late = |u| !over && overdue(state, u, self.now);
                state.unit(n).is_some_and(|u| u.state.is_bad() || late(u))
            })
        };
        let changed = || unexplained(state).first().map(|(n, _)| *n).filter(|_| !over);
        if let Some(node) = locked.or_else(wrong).or_else(changed) {
            return Some(Overlay::Node(node.clone(), Page::default()));
        }
        if let Some(key) = lost(state).into_iter().next() {
            return Some(Overlay::Check(CheckView::new(key)));
        }
        if !matches!(state.phase, Phase::Blocked | Phase::Paused(_)) {
            return None;
        }
        let keys = keys_of(state, moment(state));
        let key = keys.into_iter().find(|k| state.verdict_of(k).is_some() && state.blocks(k, self.now))?;
        Some(Overlay::Check(CheckView::new(key)))
    }

    /// Keys that the footer offers, most wanted first; the last two always stay.
    pub(super) fn footer_actions(&self) -> Vec<Action> {
        use Action::*;
        if let Some(overlay) = self.overlays.last() {
            return overlay.keys().iter().copied().filter(|a| self.offers(*a)).collect();
        }
        let mut out = Vec::new();
        if self.modes.replay.is_some() {
            out.extend([ReplayPause, ReplayStep, ReplayFaster, ReplaySlower, ReplayEnd]);
        }
        let phase = self.state.as_ref().map_or(&Phase::Draft, |s| &s.phase);
        match self.focus {
            Pane::Logs => out.extend([Search, NextHit, PreviousHit, AllLogs, Last]),
            _ if self.modes.replay.is_some() => out.extend([Details, Zoom]),
            focus => {
                let of_checks = |a: &Action| matches!(a, RetryCheck | Fix | Attest | Waive);
                let here = for_phase(phase).iter().copied();
                // What is going on comes first, as long as it does.
                let open = self.state.as_ref().and_then(|s| s.sequence_before_run());
                let over_it = open.map(|(run, _)| if run.paused.is_some() { Resume } else { Pause });
                out.extend(over_it.into_iter().flat_map(|a| [a, Stop]));
                out.extend((focus == Pane::Nodes && phase.is_preparing()).then_some(RetryNode));
                out.extend((focus == Pane::Nodes && self.offers(AcceptChanges)).then_some(AcceptChanges));
                out.extend((!self.gates_to_waive().is_empty()).then_some(Waive));
                out.extend(here.filter(|a| (focus == Pane::Checks || !of_checks(a)) && self.offers(*a)));
            }
        }
        if self.state.as_ref().is_some_and(|s| matches!(s.phase, Phase::Paused(_)) && s.left_for_later().is_some())
        {
            out.insert(0, Defer);
        }
        if self.asked_about().is_some() && self.focus != Pane::Logs {
            out.retain(|a| *a != Resume);
            out.insert(0, Commit);
        }
        let left = self.state.as_ref().is_some_and(|s| !s.recovery_conditions(self.now).is_empty());
        if left && self.modes.replay.is_none() {
            out.insert(0, Recover);
        }
        if !out.contains(&Details) {
            out.push(Details);
        }
        // A node that restarts is connected again by itself.
        if self.state.as_ref().is_some_and(|s| !s.cut_off().is_empty()) {
            out.push(Connect);
        }
        if self.needs_person().is_some_and(|o| matches!(o, Overlay::Node(..))) {
            out.push(Attention);
        }
        out.extend([Help, Leave]);
        out
    }

    /// Few checks have a question, few runs another driver: where there is none the key only takes room.
    fn offers(&self, action: Action) -> bool {
        !matches!(action, Action::Attest | Action::AcceptChanges | Action::Revise)
            || self.refusal(action).is_none()
    }
}

fn for_phase(phase: &Phase) -> &'static [Action] {
    use Action::*;
    match phase {
        Phase::Draft => &[CheckAll, Start],
        Phase::Checking | Phase::Blocked => &[RetryCheck, RetryFailed, Fix, FixAll, Attest, Waive, Start],
        Phase::Ready => &[Start, CheckAll, RetryCheck, RetryFailed],
        Phase::Acquiring | Phase::Running | Phase::Recovering => &[Pause, Stop],
        Phase::Pausing | Phase::Stopping => &[Pause, Stop],
        Phase::Paused(_) => &[Resume, Stop, Revise, RetryFailed],
        Phase::AwaitingCommit => &[Commit, Defer],
        Phase::Finalising => &[Defer],
        Phase::Succeeded | Phase::SucceededWithIssues | Phase::Failed | Phase::Stopped | Phase::Abandoned => {
            &[Outcome]
        }
    }
}
