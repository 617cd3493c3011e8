//! When hooks run: each at most once for a node and an attempt. One that may have run when an engine ended is not run again: a person
//! decides.

use jiff::Timestamp;

use super::sequence::Turned;
use super::{Decider, Effect, Turn};
use crate::core::event::{ENGINE, Event};
use crate::core::hooks::{HookEnd, When};
use crate::core::name::{NodeName, OpId};
use crate::core::plan::Stage;
use crate::core::run::{PauseReason, Phase, UnitState};
use crate::core::sequence::ActionKind;

impl Decider {
    /// The hook before a node that we drain ourselves: true while the node waits for it.
    pub(super) fn hook_before(&mut self, turn: &mut Turn, at: &Turned, now: Timestamp) -> bool {
        let Some(hooks) = self.state.plan.terms.hooks.clone() else { return false };
        let sequence = self.state.plan.sequence(&at.run.id);
        let first = sequence.and_then(|s| s.actions.iter().find(|a| !matches!(a.kind, ActionKind::Gate { .. })));
        if at.known.attempt > 0 || first.is_none_or(|a| a.id != at.action.id) || at.run.leaving {
            return false;
        }
        let Some(known) = self.state.hook(&at.node, When::BeforeDrain, at.run.seq) else {
            return self.run_hook(turn, &at.node.clone(), When::BeforeDrain, at.run.seq, now);
        };
        match &known.ended {
            None => true,
            Some(end) if end.value.ok || !hooks.pause || at.run.since > end.at => false,
            Some(end) => {
                let why =
                    format!("the hook before_drain failed: {}. To go on leaves it as it is", end.value.message);
                self.halt(turn, PauseReason::NeedsDecision, why, false, now);
                true
            }
        }
    }

    /// Hooks that follow from where the nodes of the run are.
    pub(super) fn settle_hooks(&mut self, turn: &mut Turn, now: Timestamp) {
        if self.state.plan.terms.hooks.is_none()
            || self.state.phase == Phase::Recovering
            || self.state.phase.is_terminal()
        {
            return;
        }
        let delegated = !self.moves_directly();
        for node in self.state.plan.nodes.clone() {
            let Some(unit) = self.state.unit(&node) else { continue };
            let drained = unit.track.iter().rev().find(|p| p.stage == Stage::Draining).map(|p| p.from);
            let (Some(_), state) = (drained, unit.state) else { continue };
            // The attempt that it was drained in: of the driver, or of our own sequence.
            let cause = match (self.state.sequence.as_ref().filter(|s| s.step.is_some()), self.state.handed_over())
            {
                (Some(s), _) => s.seq,
                (None, Some(step)) => u64::from(step.attempt),
                (None, None) => continue,
            };
            if delegated
                && state.stage() == Stage::Draining
                && self.state.hook(&node, When::BeforeDrain, cause).is_none()
            {
                self.run_hook(turn, &node, When::BeforeDrain, cause, now);
            }
            let back = matches!(state, UnitState::Resyncing | UnitState::Done);
            if back && self.state.hook(&node, When::AfterResume, cause).is_none() {
                self.run_hook(turn, &node, When::AfterResume, cause, now);
            }
        }
    }

    /// The intent of a hook, and the hook; false where there is none.
    fn run_hook(&mut self, turn: &mut Turn, node: &NodeName, when: When, cause: u64, now: Timestamp) -> bool {
        let Some(hooks) = self.state.plan.terms.hooks.clone() else { return false };
        let Some(command) = hooks.command(&self.state, when, node, &self.run_id) else { return false };
        if self.cannot_be_kept(turn, now) {
            return true;
        }
        let op = self.op(&format!("hook-{when}"), node, cause as u32);
        let intent =
            Event::HookIntended { node: node.clone(), when, cause, op: op.clone(), command: command.clone() };
        self.emit(turn, ENGINE, intent, now);
        let change = self.state.plan.terms.change.clone().unwrap_or_default();
        let environment = [
            ("NODELIFT_HOOK", when.to_string()),
            ("NODELIFT_NODE", node.to_string()),
            ("NODELIFT_CLUSTER", self.state.plan.cluster.clone()),
            ("NODELIFT_RUN", self.run_id.clone()),
            ("NODELIFT_CHANGE", change),
        ];
        let environment = environment.map(|(k, v)| (k.to_owned(), v)).into();
        turn.effects.push(Effect::Hook { op, command, environment, timeout: hooks.timeout });
        true
    }

    /// A hook of ours has ended. Where another driver moves the nodes, one that failed before a drain ends the attempt after that node.
    pub(super) fn hooked(&mut self, turn: &mut Turn, op: OpId, end: HookEnd, now: Timestamp) {
        let before = self.state.hooks.iter().find(|h| h.op == op).filter(|h| h.when == When::BeforeDrain);
        let (node, failed) = (before.map(|h| h.node.clone()), !end.ok);
        let message = end.message.clone();
        self.emit(turn, ENGINE, Event::HookEnded { op, end }, now);
        let pauses = self.state.plan.terms.hooks.as_ref().is_some_and(|h| h.pause);
        let goes_on =
            self.state.own_run().is_some_and(|r| !r.cancel_pending) && self.state.phase == Phase::Running;
        if let Some(node) = node.filter(|_| failed && pauses && goes_on && !self.moves_directly()) {
            let reason = PauseReason::NeedsDecision;
            self.ask_driver_to_stop(turn, ENGINE, |op| Event::PauseRequested { op, reason }, now);
            let name = self.state.plan.driver.name.clone();
            let why = format!(
                "the hook before_drain of {node} failed: {message}. {name} finishes the node in work first"
            );
            self.phase(turn, ENGINE, Phase::Pausing, &why, now);
        }
    }
}
