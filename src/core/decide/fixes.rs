//! Fixes: a script on the machine of a verdict, or a sequence over every node that needs it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Decider, Effect, Turn};
use crate::core::command::{Refusal, before_keys, fix_node, fixable, sequence_nodes};
use crate::core::event::{Answer, ENGINE, Event, Failure, FailureKind, VerdictKey};
use crate::core::name::{NodeName, OpId};
use crate::core::plan::FixBy;

impl Decider {
    /// The fix of one check on one machine.
    pub(super) fn fix(
        &mut self,
        turn: &mut Turn,
        actor: &str,
        key: &VerdictKey,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let fix = self.state.plan.check(&key.check).and_then(|c| c.fix.clone());
        match fix.map(|f| f.by) {
            Some(FixBy::Script(script)) => {
                let node = fix_node(&self.state, key).ok_or_else(|| Refusal("no machine for this fix".into()))?;
                self.run_fix(turn, actor, key, (node, script), now);
            }
            Some(FixBy::Sequence(sequence)) => {
                let nodes = match &key.node {
                    Some(node) => vec![node.clone()],
                    None => self.state.plan.nodes.clone(),
                };
                self.emit(turn, actor, Event::SequenceStarted { sequence, nodes, step: None }, now);
            }
            None => return Err(Refusal("there is no automatic fix".into())),
        }
        Ok(())
    }

    /// Every fix there is for what is not good, then the restarts that make the changes count.
    pub(super) fn fix_all(&mut self, turn: &mut Turn, actor: &str, now: Timestamp) {
        let restarts = sequence_nodes(&self.state);
        // Several checks may share one fix: on one node it runs once.
        let mut done = BTreeSet::new();
        for (key, node) in fixable(&self.state) {
            let script = self.state.plan.check(&key.check).and_then(|c| c.fix.as_ref()?.script().cloned());
            if let Some(script) = script.filter(|s| done.insert((s.clone(), node.clone()))) {
                self.run_fix(turn, actor, &key, (node, script), now);
            }
        }
        if let Some((sequence, nodes)) = restarts {
            self.emit(turn, actor, Event::SequenceStarted { sequence, nodes, step: None }, now);
        }
    }

    fn run_fix(
        &mut self,
        turn: &mut Turn,
        actor: &str,
        key: &VerdictKey,
        (node, script): (NodeName, String),
        now: Timestamp,
    ) {
        let attempt = 1 + self.state.fixes.values().filter(|f| &f.key == key && f.node == node).count() as u32;
        let op = self.op(&format!("fix-{}", key.check), &node, attempt);
        self.emit(turn, actor, Event::FixIntended { op: op.clone(), key: key.clone(), node: node.clone() }, now);
        self.live.ops.insert(op.clone());
        // One that waits for a person takes minutes, in which the quick lane is needed.
        let slow =
            self.state.plan.check(&key.check).and_then(|c| c.fix.as_ref()).is_some_and(|f| f.person.is_some());
        turn.effects.push(Effect::Run { op, node, script, more: BTreeMap::new(), slow });
        self.back_to_checking(turn, actor, now);
    }

    /// A fix that was under way when the engine ended may have happened: look again instead of guessing.
    pub(super) fn settle_fixes(&mut self, turn: &mut Turn, now: Timestamp) {
        let lost: Vec<OpId> = self
            .state
            .fixes
            .iter()
            .filter(|(op, f)| f.answer.is_none() && !self.live.ops.contains(*op))
            .map(|(op, _)| op.clone())
            .collect();
        for op in lost {
            let message = "the engine ended while it ran: the value is read again".into();
            let answer = Answer::Failed(Failure { kind: FailureKind::Indeterminate, id: None, message, at: None });
            self.fix_ended(turn, op, 0, answer, now);
        }
    }

    pub(super) fn fix_ended(&mut self, turn: &mut Turn, op: OpId, took_ms: u64, answer: Answer, now: Timestamp) {
        let Some(key) = self.state.fixes.get(&op).map(|f| f.key.clone()) else {
            return;
        };
        self.emit(turn, ENGINE, Event::FixEnded { op, took_ms, answer }, now);
        let mut again = vec![key];
        // A fix may mend more than its own check, or leave a restart to be done: when the last one has ended, all of the machines
        // it was about is read again, and whatever still blocks.
        if self.state.phase.is_preparing() && self.state.fixes.values().all(|f| f.answer.is_some()) {
            let mended = |k: &VerdictKey| self.state.fixes.values().any(|f| k.node.as_ref() == Some(&f.node));
            again.extend(before_keys(&self.state).into_iter().filter(|k| mended(k) || self.state.blocks(k, now)));
        }
        self.want(turn, ENGINE, &again, "what the fix may have changed", now);
    }
}
