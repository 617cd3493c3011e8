//! An action that runs on its node by itself, such as Windows Setup: started at most once, followed by what its files say
//! (run-safety-model 6).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::run::OBSERVE_EVERY;
use super::sequence::{Found, Turned, arguments};
use super::{Decider, Effect, Turn, after};
use crate::core::event::{Answer, ENGINE, Event, FailureKind};
use crate::core::name::{NodeName, OpId};
use crate::core::plan::{Place, Probe};
use crate::core::sequence::{Action, SequenceRun};
use crate::core::view::OpVerdict;

impl Decider {
    pub(super) fn detached(
        &mut self,
        turn: &mut Turn,
        at: &Turned,
        script: &str,
        probe: &Probe,
        codes: (&[u64], &BTreeMap<String, String>),
        now: Timestamp,
    ) {
        let Some(op) = at.known.op.clone() else {
            match self.probed(at, probe, now) {
                Some(Ok(Found::Done(message))) => return self.action_ended(turn, at, message, now),
                Some(Ok(_)) => {
                    if let Some(machine) = self.machine_of(Place::EachNode, &at.node) {
                        return self.begin_detached(turn, at, script, machine, now);
                    }
                }
                Some(Err(why)) => return self.mind_budget(turn, at, &why, now),
                None => {}
            }
            return self.mind_budget(turn, at, "the node does not answer", now);
        };
        if self.live.ops.contains(&op) {
            return;
        }
        if let Some(Answer::Failed(f)) = &at.known.answer
            && matches!(f.kind, FailureKind::Threw | FailureKind::NotSent)
        {
            let why = format!("{} could not be started: {}", at.action.title, f.message);
            return self.failed(turn, at, why, now);
        }
        match at.known.seen.as_ref().map(|s| s.value.clone()) {
            Some(OpVerdict::Ended { code, why, message }) if why == "ended" || message.is_none() => {
                let (success, words) = codes;
                let said = format!("0x{code:X}");
                if success.contains(&code) {
                    return self.action_ended(turn, at, format!("ended with {said}"), now);
                }
                let meaning = words.iter().find(|(known, _)| known.eq_ignore_ascii_case(&said));
                let meaning = meaning.map_or_else(String::new, |(_, w)| format!(": {w}"));
                let why = format!("{} ended with {said} on {}{meaning}", at.action.title, at.node);
                return self.failed(turn, at, why, now);
            }
            Some(OpVerdict::Ended { why, message, .. }) => {
                let why = format!("{} failed on {}: {}", at.action.title, at.node, message.unwrap_or(why));
                return self.failed(turn, at, why, now);
            }
            Some(OpVerdict::Died) => {
                let why = format!("{} ended on {} without a word", at.action.title, at.node);
                return self.failed(turn, at, why, now);
            }
            Some(OpVerdict::InterruptedByReboot) => {
                let why = format!("{} restarted before this had ended: {}", at.node, at.action.title);
                return self.failed(turn, at, why, now);
            }
            // Nobody heard that it arrived, and it was looked at since: it did not.
            Some(OpVerdict::NotStarted) if at.known.answer.is_none() && self.looked_since_sent(&op) => {
                if let Some(machine) = self.machine_of(Place::EachNode, &at.node) {
                    return self.send_detached(turn, at, script, op, machine, now);
                }
            }
            Some(OpVerdict::NotStarted | OpVerdict::Running | OpVerdict::Unknown) | None => {
                self.look_at(turn, &op, &Some(at.node.clone()), now);
            }
        }
        let why = format!("not ended within {}", crate::core::summary::duration(at.action.budget as i64));
        self.mind_budget(turn, at, &why, now);
    }

    fn begin_detached(&mut self, turn: &mut Turn, at: &Turned, script: &str, machine: NodeName, now: Timestamp) {
        if self.halts_unkept(turn, now) {
            return;
        }
        let attempt = at.known.attempt + 1;
        let op = self.op(&format!("{}-{}", at.action.id, at.run.seq), &at.node, attempt);
        let (node, action) = (at.node.clone(), at.action.id.clone());
        self.emit(turn, ENGINE, Event::ActionIntended { node, action, op: op.clone(), attempt, boot: None }, now);
        self.send_detached(turn, at, script, op, machine, now);
    }

    fn send_detached(
        &mut self,
        turn: &mut Turn,
        at: &Turned,
        script: &str,
        op: OpId,
        machine: NodeName,
        now: Timestamp,
    ) {
        self.live.sent_at.insert(op.clone(), now);
        self.live.ops.insert(op.clone());
        let more = arguments(&at.node, op.as_str(), None);
        turn.effects.push(Effect::Detach { op, node: machine, script: script.to_owned(), more, system: true });
    }

    /// It was heard what became of the start of a detached action.
    pub(super) fn action_answered(
        &mut self,
        turn: &mut Turn,
        op: OpId,
        took_ms: u64,
        answer: Answer,
        now: Timestamp,
    ) {
        let known = self.state.sequence.as_ref().is_some_and(|s| s.of_operation(&op).is_some());
        let certain = |kind| matches!(kind, FailureKind::Threw | FailureKind::NotSent);
        // Anything else is settled by looking.
        let told = matches!(&answer, Answer::Facts(_)) || matches!(&answer, Answer::Failed(f) if certain(f.kind));
        if known && told {
            self.emit(turn, ENGINE, Event::ActionAnswered { op, took_ms, answer }, now);
        }
    }

    /// The operation of a detached action that is under way, and its node.
    pub(super) fn detached_action(&self) -> Option<(OpId, NodeName)> {
        let (run, sequence) = self.state.open_sequence()?;
        let (node, action) = run.node().zip(sequence.actions.get(run.action))?;
        Some((self.detached_op(run, node, action)?.clone(), node.clone()))
    }

    fn detached_op<'a>(&self, run: &'a SequenceRun, node: &NodeName, action: &Action) -> Option<&'a OpId> {
        let detached = matches!(action.kind, crate::core::sequence::ActionKind::Detached { .. });
        run.on(node, &action.id).filter(|_| detached)?.op.as_ref()
    }

    /// When that operation is looked at again.
    pub(super) fn next_look(&self, run: &SequenceRun, node: &NodeName, action: &Action) -> Option<Timestamp> {
        let op = self.detached_op(run, node, action)?;
        let answers = self.state.connection(node).is_ready();
        if !answers || self.live.observing.contains(op) || self.live.ops.contains(op) {
            return None;
        }
        Some(self.live.observed_at.get(op).map_or(Timestamp::MIN, |at| after(*at, OBSERVE_EVERY)))
    }
}
