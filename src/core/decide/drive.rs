//! One more run of the driver, over nodes that are there already: further updates. What each node is offered is looked at first; it is
//! asked for once and followed like the run that moved the nodes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::run::LOST_AFTER;
use super::steps::LOOK_EVERY;
use super::{Decider, Effect, Turn, after, seconds};
use crate::core::event::{ENGINE, Event};
use crate::core::gates::window;
use crate::core::name::OpId;
use crate::core::plan::Step;
use crate::core::run::{PauseReason, Phase};
use crate::core::state::StepState;
use crate::core::view::OpVerdict;

impl Decider {
    pub(super) fn drive(&mut self, turn: &mut Turn, step: &Step, now: Timestamp) {
        let known = self.state.run.as_ref().and_then(|r| r.steps.get(&step.id)).cloned().unwrap_or_default();
        let Some(op) = known.op.clone() else {
            return self.ask_driver(turn, step, &known, now);
        };
        if self.live.ops.contains(&op) {
            return;
        }
        if step.detached {
            if self.is_begun(turn, step, &known, &op, now) {
                self.follow_driver(turn, step, &known, op, now);
            }
        } else if known.started_at.is_some() {
            self.follow_driver(turn, step, &known, op, now);
        } else if known.intended_at.is_some_and(|at| self.began_since(at)) {
            self.emit(turn, ENGINE, Event::StepStarted { step: step.id.clone(), op }, now);
        } else if let Some(message) = self.nothing_goes_on(&known, now) {
            self.delegate_ended(turn, step, false, &message, now);
        }
    }

    /// Nothing was asked for yet: what is there to do, and is the driver free?
    fn ask_driver(&mut self, turn: &mut Turn, step: &Step, known: &StepState, now: Timestamp) {
        if self.between_steps(turn, now) {
            return;
        }
        let Some(node) = self.machine_for(step.on) else { return };
        let Some(looked) = self.looked(turn, step, &node, 0, now) else { return };
        let since = self.state.run.as_ref().map_or(now, |r| r.turn_at);
        match self.judge.probe(&self.state, &step.id, None) {
            Ok(true) => return self.delegate_ended(turn, step, true, "there is nothing to do", now),
            Ok(false) => {}
            Err(why) if seconds(since, now) > step.expected as i64 => {
                return self.delegate_ended(
                    turn,
                    step,
                    false,
                    &format!("it cannot be told what is to do: {why}"),
                    now,
                );
            }
            Err(_) if after(looked, LOOK_EVERY) <= now => {
                let keys = self.probe_keys(step, &node);
                return self.want_reads(turn, ENGINE, keys, "what is there to do", now);
            }
            Err(_) => return,
        }
        if let Some(why) = self.driver_is_busy() {
            return self.phase(turn, ENGINE, Phase::Paused(PauseReason::ForeignRun), &why, now);
        }
        if let Some(closed) = window(&self.state, now).filter(|w| !w.open) {
            let why = format!("the maintenance window: {}", closed.why);
            return self.phase(turn, ENGINE, Phase::Paused(PauseReason::Window), &why, now);
        }
        let Some(script) = step.script.clone() else { return };
        if self.cannot_be_kept(turn, now) {
            return;
        }
        let attempt = known.attempt + 1;
        let op = self.op(&step.id, &node, attempt);
        let intent = Event::StepIntended { step: step.id.clone(), op: op.clone(), attempt, node: node.clone() };
        self.emit(turn, ENGINE, intent, now);
        self.live.ops.insert(op.clone());
        self.poll_now(&self.driver_key());
        let more = BTreeMap::new();
        turn.effects.push(match step.detached {
            true => Effect::Detach { op, node, script, more, system: false },
            false => Effect::Run { op, node, script, more, slow: true },
        });
    }

    /// It was begun: its report, or the end of its task, says what came of it.
    fn follow_driver(&mut self, turn: &mut Turn, step: &Step, known: &StepState, op: OpId, now: Timestamp) {
        let name = self.state.plan.driver.name.clone();
        let idle = self
            .state
            .driver
            .as_ref()
            .is_some_and(|d| d.value.is_idle() && known.intended_at.is_some_and(|at| d.at > at));
        let report = self.own_report().map(|r| {
            let failed = r.nodes.iter().find(|n| n.error.is_some());
            let first = failed.map(|n| format!("; {}: {}", n.node, n.error.as_deref().unwrap_or_default()));
            (r.status.clone().unwrap_or_else(|| "no status".into()), first.unwrap_or_default())
        });
        match report.filter(|_| idle) {
            Some((status, _)) if status == "Succeeded" => {
                if self.is_at_rest() {
                    self.delegate_ended(turn, step, true, &format!("{name} ended with Succeeded"), now);
                }
                return;
            }
            Some((status, first)) => {
                return self.delegate_ended(turn, step, false, &format!("{name} ended with {status}{first}"), now);
            }
            None => {}
        }
        match known.seen.as_ref().map(|s| &s.value) {
            // Without a report of its own: it never came to a run.
            Some(OpVerdict::Ended { code, why, message }) if *code != 0 && idle => {
                let waited = known.seen.as_ref().is_some_and(|s| seconds(s.at, now) >= 60);
                if waited {
                    let message = message.clone().unwrap_or_else(|| why.clone());
                    self.delegate_ended(turn, step, false, &format!("{name} could not start: {message}"), now);
                }
                return;
            }
            Some(OpVerdict::Ended { .. }) => {}
            _ if step.detached => self.look_at(turn, &op, &known.node, now),
            _ => {}
        }
        if let Some(message) = self.nothing_goes_on(known, now) {
            self.delegate_ended(turn, step, false, &message, now);
        }
    }

    /// Nothing goes on and no report says why, for so long that nothing will come of it.
    fn nothing_goes_on(&self, known: &StepState, now: Timestamp) -> Option<String> {
        let since = known.started_at.or(known.intended_at)?;
        let driver = self.state.driver.as_ref().filter(|d| d.value.is_idle())?;
        let still = after(since.max(driver.at), LOST_AFTER) <= now && self.own_report().is_none();
        let minutes = LOST_AFTER / 60;
        let name = &self.state.plan.driver.name;
        still.then(|| format!("{name} was asked to run, and for {minutes} minutes nothing goes on there and there is no report of it"))
    }

    /// Every node takes its part again, and storage is in sync.
    fn is_at_rest(&self) -> bool {
        let up = |n| self.state.machines.get(n).and_then(|m| m.cluster.as_ref()).is_some_and(|c| c.value.is_up());
        let answers = |n| self.state.connection(n).is_ready();
        self.state.plan.nodes.iter().all(|n| up(n) && answers(n))
            && self.state.storage.as_ref().is_some_and(|s| s.value.in_sync())
    }
}
