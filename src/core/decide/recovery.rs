//! Clearing a run that its driver left: intent, the command once on the machine that drove, and what the driver says afterwards.

use jiff::Timestamp;

use super::{Decider, Effect, Turn, after};
use crate::core::command::Refusal;
use crate::core::event::{Answer, ENGINE, Event, Failure, FailureKind};
use crate::core::name::OpId;
use crate::core::plan::StepKind;
use crate::core::run::{PauseReason, Phase};
use crate::core::view::OpVerdict;

/// Seconds in which the driver must be free after the command has ended, or the command have begun.
const PATIENCE: u64 = 120;

impl Decider {
    pub(super) fn recover_by_force(
        &mut self,
        turn: &mut Turn,
        actor: &str,
        (typed, reason): (&str, &str),
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let step = self.state.plan.steps.iter().find(|s| s.kind == StepKind::Delegate).cloned();
        let step = step.ok_or_else(|| Refusal("no step hands the nodes over".into()))?;
        let script = self.state.plan.driver.recover.clone();
        let script = script.ok_or_else(|| Refusal("this runbook has no script for it".into()))?;
        let node =
            self.machine_for(step.on).ok_or_else(|| Refusal("the machine that drives does not answer".into()))?;
        // The number only has to differ from that of an earlier one.
        let op = self.op("recover", &node, self.state.seq as u32);
        let proof = self.state.recovery_conditions(now);
        let (typed, reason) = (typed.to_owned(), reason.to_owned());
        let intent = Event::RecoveryIntended { op: op.clone(), node: node.clone(), typed, reason, proof };
        self.emit(turn, actor, intent, now);
        self.live.ops.insert(op.clone());
        self.poll_now(&self.driver_key());
        turn.effects.push(Effect::Detach { op, node, script, more: Default::default(), system: false });
        Ok(())
    }

    /// What became of the command: the driver's own word decides, the files of the operation say why not.
    pub(super) fn settle_recovery(&mut self, turn: &mut Turn, now: Timestamp) {
        let Some(r) = self.state.recovering().cloned().filter(|r| !self.live.ops.contains(&r.op)) else { return };
        let name = self.state.plan.driver.name.clone();
        let heard = self.asked_since(&self.driver_key(), Some(r.at));
        if heard && self.state.driver.as_ref().is_some_and(|d| d.value.is_idle()) {
            return self.recovered(turn, r.op, Ok(format!("{name} is free again")), now);
        }
        let seen = r.seen.as_ref();
        let late = seen.map_or(after(r.at, PATIENCE), |s| after(s.at, PATIENCE)) <= now;
        let failed = match seen.map(|s| &s.value) {
            Some(OpVerdict::Ended { code, why, message }) if *code != 0 => {
                Some(message.clone().unwrap_or_else(|| why.clone()))
            }
            Some(OpVerdict::Ended { .. }) if late => Some(format!("it ended, and {name} is not free")),
            Some(OpVerdict::Died) => Some("its task died".to_owned()),
            Some(OpVerdict::InterruptedByReboot) => Some("its machine restarted under it".to_owned()),
            Some(OpVerdict::NotStarted) if late => Some("it was not started".to_owned()),
            _ => None,
        };
        match failed {
            Some(why) => self.recovered(turn, r.op, Err(why), now),
            None => self.look_at(turn, &r.op, &Some(r.node), now),
        }
    }

    fn recovered(&mut self, turn: &mut Turn, op: OpId, ended: Result<String, String>, now: Timestamp) {
        let (ok, message) = match ended {
            Ok(message) => (true, message),
            Err(why) => (false, why),
        };
        self.emit(turn, ENGINE, Event::RecoveryEnded { op, ok, message: message.clone() }, now);
        if !ok {
            return;
        }
        let why = format!("{message}: {} of {} nodes not done", self.nodes_left(), self.state.plan.nodes.len());
        let open = self.state.handed_over().is_some_and(|s| s.ended.is_none() && s.op.is_some());
        let step = self.state.plan.steps.iter().find(|s| s.kind == StepKind::Delegate).cloned();
        match step.filter(|_| open) {
            Some(step) => self.delegate_ended(turn, &step, false, &why, now),
            None if matches!(self.state.phase, Phase::Paused(_)) => {
                self.phase(turn, ENGINE, Phase::Paused(PauseReason::NeedsDecision), &why, now);
            }
            None => {}
        }
    }

    /// The command could not be given, or it may run: then its files tell.
    pub(super) fn recovery_detached(&mut self, turn: &mut Turn, op: OpId, answer: &Answer, now: Timestamp) {
        if let Answer::Failed(Failure { kind: FailureKind::Threw | FailureKind::NotSent, message, .. }) = answer {
            self.recovered(turn, op, Err(message.clone()), now);
        }
    }
}
