//! Nodes are compared with what they were: read before anything is done to them, and again when they are back.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{Decider, Turn, after};
use crate::core::baseline::{Change, Comparison, Configuration, What, compare, unexplained_on, upgraded_here};
use crate::core::event::{Answer, ENGINE, Event, Failure, ReadKey, VerdictKey};
use crate::core::name::NodeName;

/// How often a node is read before the run where it gives no record.
const TRIES: u32 = 2;

/// Seconds a node must have been the same since its start: services that start late are no loss (run-safety-model 4, settled).
const SETTLED: u64 = 120;

/// Seconds between two looks at a node that is not done, or not explained: whoever mends it needs not say so.
const AGAIN: u64 = 300;

/// Seconds between two looks at a node that gave no answer yet.
const FIRST: u64 = 60;

/// Looks without an answer after which it is said that there is none.
const PATIENCE: u32 = 3;

impl Decider {
    /// Whether everything is known of every node that is to be known before anything is done to it; what is not is read.
    pub(super) fn baselines_read(&mut self, turn: &mut Turn, now: Timestamp) -> bool {
        let Some(rules) = &self.state.plan.baseline else { return true };
        let group = rules.facts.clone();
        let key = |node: &NodeName| ReadKey { group: group.clone(), node: Some(node.clone()) };
        let known = |n: &NodeName| {
            let before = self.configuration(n).and_then(|c| c.before.as_ref());
            before.is_some_and(|b| matches!(b.value, Answer::Facts(_)))
        };
        let missing: Vec<ReadKey> = self.state.plan.nodes.iter().filter(|n| !known(n)).map(key).collect();
        let read = |k: &ReadKey| self.state.reads.get(k);
        if missing.iter().any(|k| read(k).is_some_and(|r| r.is_open())) {
            return false;
        }
        let again: Vec<ReadKey> = missing.into_iter().filter(|k| read(k).is_none_or(|r| r.done < TRIES)).collect();
        let done = again.is_empty();
        self.want_reads(turn, ENGINE, again, "each node as it is, to be compared after its upgrade", now);
        done
    }

    /// Nodes that are looked at, and every how many seconds.
    pub(super) fn baseline_polls(&self, now: Timestamp) -> Vec<(ReadKey, u64)> {
        let Some(rules) = self.state.plan.baseline.as_ref().filter(|_| !self.state.phase.is_terminal()) else {
            return Vec::new();
        };
        let due = |n: &NodeName| {
            Some((ReadKey { group: rules.facts.clone(), node: Some(n.clone()) }, self.compared_every(n, now)?))
        };
        self.state.plan.nodes.iter().filter_map(due).collect()
    }

    /// Seconds between two looks at a node, where it is to be looked at.
    fn compared_every(&self, node: &NodeName, now: Timestamp) -> Option<u64> {
        let host = self.state.machines.get(node)?.host.as_ref()?;
        let back = host.value.build >= self.state.plan.target.build && !host.value.windeploy;
        let settled = after(host.at, SETTLED) <= now;
        let known = self.configuration(node)?;
        let comparable = known.before.as_ref().is_some_and(|b| matches!(b.value, Answer::Facts(_)));
        if !back || !settled || !comparable || !upgraded_here(&self.state, node) {
            return None;
        }
        if known.compared.is_none() || self.done_since_compared(node) {
            return Some(FIRST);
        }
        let done = self.state.unit(node).is_some_and(|u| u.state.is_good());
        (!done || !unexplained_on(&self.state, node).is_empty()).then_some(AGAIN)
    }

    /// It took its place again after it was last compared: that may have changed something.
    fn done_since_compared(&self, node: &NodeName) -> bool {
        let since = self.state.unit(node).filter(|u| u.state.is_good()).and_then(|u| u.since);
        self.configuration(node).and_then(|c| c.compared.as_ref()).is_some_and(|c| Some(c.at) < since)
    }

    /// A record of a node that is back: what differs from what it was.
    pub(super) fn compare(&mut self, turn: &mut Turn, key: &ReadKey, json: &Json, now: Timestamp) {
        let plan = self.state.plan.clone();
        let Some(rules) = plan.baseline.as_ref().filter(|b| b.facts == key.group) else { return };
        let Some(node) =
            key.node.as_ref().filter(|n| self.compared_every(n, now).is_some() || self.was_compared(n))
        else {
            return;
        };
        let Some(Answer::Facts(before)) = self.configuration(node).and_then(|c| Some(&c.before.as_ref()?.value))
        else {
            return;
        };
        let comparison = compare(&self.judge, &plan, rules, before, json);
        self.compared(turn, node, comparison, now);
    }

    /// A node that is back gave no record: nobody knows what changed there.
    pub(super) fn not_compared(&mut self, turn: &mut Turn, key: &ReadKey, failure: &Failure, now: Timestamp) {
        let about = self.state.plan.baseline.as_ref().is_some_and(|b| b.facts == key.group);
        let tired = self.live.polls.get(key).is_some_and(|p| p.failures >= PATIENCE);
        let Some(node) = key.node.as_ref().filter(|n| about && tired && self.compared_every(n, now).is_some())
        else {
            return;
        };
        let what = What::Unread(format!("could not be read after the upgrade: {}", failure.message));
        let change = Change { kind: "configuration".to_owned(), name: String::new(), what, known: None };
        self.compared(turn, node, Comparison { changes: vec![change], ..Comparison::default() }, now);
    }

    fn compared(&mut self, turn: &mut Turn, node: &NodeName, comparison: Comparison, now: Timestamp) {
        let known = self.configuration(node).and_then(|c| c.compared.as_ref());
        if known.is_none_or(|k| k.value != comparison) || self.done_since_compared(node) {
            self.emit(turn, ENGINE, Event::BaselineCompared { node: node.clone(), comparison }, now);
        }
    }

    /// Number of the event that last said something new of a node, for a verdict about that.
    pub(super) fn compared_seq(&self, key: &VerdictKey) -> u64 {
        let plan = &self.state.plan;
        let about =
            plan.check(&key.check).zip(plan.baseline.as_ref()).is_some_and(|(c, b)| c.facts.contains(&b.facts));
        let known = key.node.as_ref().filter(|_| about).and_then(|n| self.configuration(n));
        known.map_or(0, |c| c.seq)
    }

    fn was_compared(&self, node: &NodeName) -> bool {
        self.configuration(node).is_some_and(|c| c.compared.is_some())
    }

    fn configuration(&self, node: &NodeName) -> Option<&Configuration> {
        self.state.run.as_ref()?.configurations.get(node)
    }
}
