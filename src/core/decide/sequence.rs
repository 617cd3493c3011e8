//! Sequences: one node after the other, each action with its intent before it and its proof after it. Nothing is sent on doubt:
//! whether something happened is always looked at first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{Decider, Effect, Turn, after, seconds};
use crate::core::apply::restarted;
use crate::core::command::{before_keys, plural};
use crate::core::event::{Answer, ENGINE, Event, FailureKind, ProofItem, ReadKey};
use crate::core::gate_rules::with_waivers;
use crate::core::name::NodeName;
use crate::core::plan::{Place, Probe, Proof};
use crate::core::run::PauseReason;
use crate::core::sequence::{Action, ActionKind, ActionRun, Halt, Sequence, SequenceRun, Wish};

/// Seconds between the two evaluations that open a gate, and seconds for which what was read counts (run-safety-model 9.1).
const APART: i64 = 30;
const FRESH: i64 = 60;

/// Real seconds that the way to a machine and back may take in a lab.
pub(super) const LAB_LATENCY: f64 = 2.0;

/// Seconds between two looks while an action waits.
const LOOK_EVERY: u64 = 10;

/// The action that a sequence is at.
pub(super) struct Turned {
    pub run: SequenceRun,
    pub node: NodeName,
    pub action: Action,
    pub known: ActionRun,
}

impl Decider {
    pub(super) fn settle_sequence(&mut self, turn: &mut Turn, now: Timestamp) {
        let Some((run, sequence)) = self.state.open_sequence().map(|(r, s)| (r.clone(), s.clone())) else {
            return self.live.evidence.clear();
        };
        // A value that is to be in force after the restart has to be there before it.
        let fixing = self.state.fixes.values().any(|f| f.answer.is_none());
        if run.paused.is_some() || fixing || !self.may_go_on(&run) {
            return;
        }
        if run.action == 0 && self.ends_here(turn, &run, &sequence, now) {
            return;
        }
        let Some(node) = run.node().cloned() else {
            let message = format!("{}: {} done", sequence.title, plural(run.nodes.len(), "node"));
            return self.sequence_ended(turn, true, message, now);
        };
        let Some(action) = sequence.actions.get(run.action).cloned() else { return };
        let known = run.on(&node, &action.id).cloned().unwrap_or_default();
        let undoes =
            |id: &String| run.on(&node, id).is_some_and(|a| a.attempt > 0) || self.done_earlier(&run, &node, id);
        if action.undoes.as_ref().map_or(run.leaving, |id| !undoes(id)) {
            let message = "left out: there is nothing to take back".to_owned();
            return self.emit(turn, ENGINE, Event::ActionEnded { node, action: action.id, message }, now);
        }
        let at = Turned { run, node, action, known };
        if self.hook_before(turn, &at, now) {
            return;
        }
        let kind = at.action.kind.clone();
        match &kind {
            ActionKind::Gate { conditions, halts } => self.gate(turn, &at, conditions, halts, now),
            ActionKind::Do { script, on, probe } => {
                let machine = self.machine_of(*on, &at.node);
                self.act(turn, &at, (script, machine), Some(probe), now);
            }
            ActionKind::Detached { script, probe, success, codes } => {
                self.detached(turn, &at, script, probe, (success, codes), now);
            }
            ActionKind::Restart { script, probe } => {
                if self.needless(turn, &at, probe.as_ref(), now) {
                    return;
                }
                let machine = self.machine_of(Place::EachNode, &at.node);
                self.act(turn, &at, (script, machine), None, now);
            }
        }
    }

    /// Between two nodes a sequence pauses or ends where a person asked for it.
    fn ends_here(&mut self, turn: &mut Turn, run: &SequenceRun, sequence: &Sequence, now: Timestamp) -> bool {
        // One that was left half way is not done.
        let left = (run.nodes.len() + usize::from(run.leaving)).saturating_sub(run.node);
        let ended = (run.leaving || run.asked == Some(Wish::Stop)) && left > 0;
        let left = plural(left, "node");
        match run.asked {
            _ if ended => {
                let known = self.left_behind(run, sequence);
                let message = format!("{}: ended, {left} not done{known}", sequence.title);
                self.sequence_ended(turn, false, message, now);
            }
            Some(Wish::Pause) if run.node().is_some() => {
                self.halt(turn, PauseReason::Operator, format!("{left} left"), false, now)
            }
            _ => return false,
        }
        true
    }

    fn gate(&mut self, turn: &mut Turn, at: &Turned, conditions: &[Proof], halts: &[Proof], now: Timestamp) {
        let groups: BTreeSet<&String> = conditions.iter().chain(halts).flat_map(|c| &c.facts).collect();
        let keys: Vec<ReadKey> = groups.into_iter().filter_map(|g| self.evidence_key(g, &at.node)).collect();
        let asked = self.look(&keys, at.run.since, now);
        if asked.is_some() || seconds(at.run.since, now) > self.fresh_for() {
            let seen = self.fresh(at.run.since, now);
            if let Some(why) = self.judge.halts(&self.state, halts, &at.node, &seen) {
                return self.failed(turn, at, why, now);
            }
            let mut items = self.judge.conditions(&self.state, conditions, &at.node, &seen);
            items.extend(self.beside_the_facts(at, now));
            let items = with_waivers(&self.state, items, now);
            if is_news(&at.known, &items, now) {
                self.read_what_is_missing(turn, at, conditions, &items, now);
                let (node, action) = (at.node.clone(), at.action.id.clone());
                return self.emit(turn, ENGINE, Event::GateSeen { node, action, items }, now);
            }
            let twice = at.known.open_since.zip(asked).is_some_and(|(open, asked)| seconds(open, asked) >= APART);
            if twice {
                return self.action_ended(turn, at, "every condition held twice".into(), now);
            }
        }
        if self.waits_for_window(at, now) {
            return;
        }
        let closed = at.known.gate.iter().find(|i| !i.holds);
        let why = closed.map_or_else(
            || "nothing could be read".to_owned(),
            |i| format!("it still does not hold: {}", i.title),
        );
        self.mind_budget(turn, at, &why, now);
    }

    /// What a gate begins to wait for is read for the checks too: whoever looks there finds what mends it.
    fn read_what_is_missing(
        &mut self,
        turn: &mut Turn,
        at: &Turned,
        conditions: &[Proof],
        items: &[ProofItem],
        now: Timestamp,
    ) {
        let held = |i: usize| at.known.gate.get(i).is_none_or(|known| known.holds);
        let missing = items.iter().enumerate().filter(|(i, item)| !item.holds && held(*i));
        let groups: BTreeSet<&String> =
            missing.filter_map(|(i, _)| conditions.get(i)).flat_map(|c| &c.facts).collect();
        let keys = groups.into_iter().filter_map(|g| self.evidence_key(g, &at.node));
        let keys: Vec<ReadKey> = keys.filter(|k| self.state.reads.contains_key(k)).collect();
        self.want_reads(turn, ENGINE, keys, "what a gate waits for", now);
    }

    /// An action with a script: is it done, is it to be sent, or is it waited for.
    fn act(
        &mut self,
        turn: &mut Turn,
        at: &Turned,
        (script, machine): (&str, Option<NodeName>),
        probe: Option<&Probe>,
        now: Timestamp,
    ) {
        let found = match probe {
            Some(probe) => self.probed(at, probe, now),
            None => self.has_restarted(at, now),
        };
        if let Some(Answer::Failed(f)) = &at.known.answer
            && matches!(f.kind, FailureKind::Threw | FailureKind::NotSent)
        {
            return self.halt(turn, PauseReason::NeedsDecision, f.message.clone(), false, now);
        }
        match found {
            Some(Ok(Found::Done(message))) => return self.action_ended(turn, at, message, now),
            Some(Ok(Found::Failed(why))) if self.is_answered(at) => return self.failed(turn, at, why, now),
            // Nothing was sent yet, and it was looked at: now it may be.
            Some(Ok(_)) if at.known.op.is_none() => {
                if let Some(machine) = machine {
                    return self.send(turn, at, script, machine, probe.is_none(), now);
                }
            }
            _ => {}
        }
        let why = match found {
            Some(Err(why)) => why,
            _ if at.known.op.is_none() => "no machine answers".to_owned(),
            _ => format!("not done within {}", crate::core::summary::duration(at.action.budget as i64)),
        };
        self.mind_budget(turn, at, &why, now);
    }

    fn send(
        &mut self,
        turn: &mut Turn,
        at: &Turned,
        script: &str,
        machine: NodeName,
        restarts: bool,
        now: Timestamp,
    ) {
        if self.halts_unkept(turn, now) {
            return;
        }
        let attempt = if at.known.resend { at.known.attempt.max(1) } else { at.known.attempt + 1 };
        // The number of the sequence tells its operations from those of an earlier one.
        let op = self.op(&format!("{}-{}", at.action.id, at.run.seq), &at.node, attempt);
        let host = self.state.machines.get(&at.node).and_then(|m| m.host.as_ref());
        let boot = at.known.boot.or_else(|| host.map(|h| h.value.boot_utc)).filter(|_| restarts);
        let (node, action) = (at.node.clone(), at.action.id.clone());
        let intent = Event::ActionIntended { node, action, op: op.clone(), attempt, boot };
        self.emit(turn, ENGINE, intent, now);
        self.live.ops.insert(op.clone());
        let more = arguments(&at.node, op.as_str(), boot);
        turn.effects.push(Effect::Run { op, node: machine, script: script.to_owned(), more, slow: false });
    }

    /// What was sent has been answered, so that what is seen now came after it.
    fn is_answered(&self, at: &Turned) -> bool {
        at.known.op.as_ref().is_some_and(|op| !self.live.ops.contains(op))
    }

    /// A person ends it: after the node in work, or at once where it is paused. Where even what takes back failed, it is left.
    pub(super) fn end_sequence(&mut self, turn: &mut Turn, actor: &str, now: Timestamp) {
        let Some((run, sequence)) = self.state.open_sequence() else { return };
        let left = run.paused.is_some() && run.leaving;
        let known = self.left_behind(run, sequence);
        let message = match run.node() {
            Some(node) => format!("{}: left as it is, {node} was not put back{known}", sequence.title),
            None => format!("{}: ended", sequence.title),
        };
        if left {
            self.sequence_ended(turn, false, message, now);
        } else {
            self.emit(turn, actor, Event::SequenceAsked { wish: Wish::Stop }, now);
        }
    }

    pub(super) fn action_ended(&mut self, turn: &mut Turn, at: &Turned, message: String, now: Timestamp) {
        let (node, action) = (at.node.clone(), at.action.id.clone());
        self.emit(turn, ENGINE, Event::ActionEnded { node, action, message }, now);
    }

    pub(super) fn halt(
        &mut self,
        turn: &mut Turn,
        reason: PauseReason,
        why: String,
        failed: bool,
        now: Timestamp,
    ) {
        self.emit(turn, ENGINE, Event::SequencePaused(Halt { reason: reason.clone(), why, failed }), now);
        self.run_halted(turn, reason, now);
    }

    /// What cannot be written down is not begun.
    pub(super) fn halts_unkept(&mut self, turn: &mut Turn, now: Timestamp) -> bool {
        let Some(why) = self.state.closed() else { return false };
        self.halt(turn, PauseReason::JournalUnwritable, why, false, now);
        true
    }

    /// What was begun on a node did not succeed: a person decides.
    pub(super) fn failed(&mut self, turn: &mut Turn, at: &Turned, why: String, now: Timestamp) {
        self.halt(turn, self.reason_of_failure(at), why, true, now);
    }

    pub(super) fn mind_budget(&mut self, turn: &mut Turn, at: &Turned, why: &str, now: Timestamp) {
        if seconds(at.known.intended_at.unwrap_or(at.run.since), now) > at.action.budget as i64 {
            self.halt(turn, PauseReason::NeedsDecision, why.to_owned(), false, now);
        }
    }

    /// The end: whatever was judged about its nodes is read again.
    pub(super) fn sequence_ended(&mut self, turn: &mut Turn, ok: bool, message: String, now: Timestamp) {
        let nodes: Vec<NodeName> = self.state.sequence.as_ref().map_or_else(Vec::new, |s| s.nodes.clone());
        self.emit(turn, ENGINE, Event::SequenceEnded { ok, message }, now);
        if !self.state.phase.is_preparing() {
            return;
        }
        let keys = before_keys(&self.state).into_iter();
        let keys: Vec<_> = keys
            .filter(|k| k.node.as_ref().is_some_and(|n| nodes.contains(n)) || self.state.blocks(k, now))
            .collect();
        self.want(turn, ENGINE, &keys, "what the restarts may have changed", now);
        self.back_to_checking(turn, ENGINE, now);
    }

    /// Whether a probe says that it happened: none while nothing was read since the action began.
    pub(super) fn probed(&mut self, at: &Turned, probe: &Probe, now: Timestamp) -> Option<Result<Found, String>> {
        let since = at.known.answered_at.or(at.known.intended_at).map_or(at.run.since, |i| i.max(at.run.since));
        let key = self.evidence_key(&probe.facts, &at.node)?;
        self.look(std::slice::from_ref(&key), since, now)?;
        let seen = self.fresh(since, now);
        let failed =
            probe.failed.as_ref().map(|f| self.judge.holds_for(&self.state, &probe.facts, f, &at.node, &seen));
        Some(self.judge.holds_for(&self.state, &probe.facts, &probe.done, &at.node, &seen).map(
            |done| match failed {
                _ if done => {
                    Found::Done(if at.known.op.is_some() { "done".into() } else { "it was so already".into() })
                }
                Some(Ok(true)) => {
                    Found::Failed(format!("{} failed on {}", at.action.title.to_lowercase(), at.node))
                }
                _ => Found::NotYet,
            },
        ))
    }

    fn has_restarted(&mut self, at: &Turned, now: Timestamp) -> Option<Result<Found, String>> {
        let since = at.known.intended_at.map_or(at.run.since, |i| i.max(at.run.since));
        let key = self.host_key(&at.node);
        self.look(std::slice::from_ref(&key), since, now)?;
        let host = &self.state.machines.get(&at.node)?.host.as_ref()?.value;
        let boot = host.boot_utc;
        Some(Ok(match at.known.boot {
            Some(before) if restarted(before, boot) && !host.windeploy => {
                Found::Done(format!("started at {boot}"))
            }
            _ => Found::NotYet,
        }))
    }

    /// Reads what is asked for again until it was asked after a time; then the oldest time.
    fn look(&mut self, keys: &[ReadKey], since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let mut oldest = now;
        let mut all = true;
        for key in keys {
            match self
                .live
                .evidence
                .get(key)
                .filter(|(asked, _)| *asked >= since && seconds(*asked, now) <= self.fresh_for())
            {
                Some((asked, _)) => oldest = oldest.min(*asked),
                None => {
                    all = false;
                    let poll = self.live.polls.entry(key.clone()).or_default();
                    if poll.sent_at.is_none() && poll.last.is_some_and(|l| l < since) {
                        poll.last = None;
                    }
                }
            }
        }
        all.then_some(oldest)
    }

    /// Seconds for which what was read counts.
    fn fresh_for(&self) -> i64 {
        self.state.lab_seconds(FRESH, LAB_LATENCY)
    }

    fn fresh(&self, since: Timestamp, now: Timestamp) -> BTreeMap<ReadKey, Answer> {
        let fresh = |asked: &Timestamp| *asked >= since && seconds(*asked, now) <= self.fresh_for();
        let seen = self.live.evidence.iter().filter(|(_, (asked, _))| fresh(asked));
        seen.map(|(k, (_, a))| (k.clone(), a.clone())).collect()
    }

    /// Where the facts of a group about a node are read.
    pub(super) fn evidence_key(&self, group: &str, node: &NodeName) -> Option<ReadKey> {
        let place = self.state.plan.fact_group(group)?.on;
        let node = match place {
            Place::AnyNode => None,
            Place::Coordinator => self.state.plan.coordinator.clone(),
            Place::EachNode | Place::Everywhere => Some(node.clone()),
        };
        Some(ReadKey { group: group.to_owned(), node })
    }

    /// What the action under way has to look at, and every how many seconds.
    pub(super) fn sequence_polls(&self) -> Vec<(ReadKey, u64)> {
        let Some((run, sequence)) = self.state.open_sequence().filter(|(r, _)| r.paused.is_none()) else {
            return Vec::new();
        };
        let Some((node, action)) = run.node().zip(sequence.actions.get(run.action)) else { return Vec::new() };
        let groups: BTreeSet<&String> = match &action.kind {
            ActionKind::Gate { conditions, halts } => {
                conditions.iter().chain(halts).flat_map(|c| &c.facts).collect()
            }
            // What was started is followed by its files.
            ActionKind::Detached { .. } if run.on(node, &action.id).is_some_and(|a| a.op.is_some()) => [].into(),
            ActionKind::Do { probe, .. } | ActionKind::Detached { probe, .. } => [&probe.facts].into(),
            ActionKind::Restart { probe, .. } => {
                let own = probe.as_ref().map(|p| &p.facts);
                std::iter::once(&self.state.plan.driver.host).chain(own).collect()
            }
        };
        // A run lasts for hours: there it is looked as often as at everything else.
        let every = if run.step.is_some() { self.state.plan.driver.every } else { LOOK_EVERY };
        groups.into_iter().filter_map(|g| Some((self.evidence_key(g, node)?, every))).collect()
    }

    /// When the action under way has used up its time.
    pub(super) fn next_in_sequence(&self, now: Timestamp) -> Option<Timestamp> {
        let (run, sequence) = self.state.open_sequence().filter(|(r, _)| r.paused.is_none())?;
        let (node, action) = run.node().zip(sequence.actions.get(run.action))?;
        let began = run.on(node, &action.id).and_then(|a| a.intended_at).unwrap_or(run.since);
        let budget = Some(after(began, action.budget + 1)).filter(|t| *t > now);
        [budget, self.next_look(run, node, action)].into_iter().flatten().min()
    }

    pub(super) fn machine_of(&self, place: Place, node: &NodeName) -> Option<NodeName> {
        let machine = match place {
            Place::EachNode | Place::Everywhere => Some(node.clone()),
            Place::Coordinator => self.state.plan.coordinator.clone(),
            // Another node than the one that it is about, where there is one.
            Place::AnyNode => self.state.any_node(std::slice::from_ref(node)),
        };
        machine.filter(|m| self.state.connection(m).is_ready())
    }
}

pub(super) enum Found {
    Done(String),
    NotYet,
    Failed(String),
}

/// What the scripts of an action get beside what the plan knows.
pub(super) fn arguments(node: &NodeName, op: &str, boot: Option<Timestamp>) -> BTreeMap<String, Json> {
    let all = [("target_node", json!(node)), ("operation", json!(op)), ("boot_utc", json!(boot))];
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A gate that opens or closes is told at once; that less is left to wait for, once a minute.
fn is_news(known: &ActionRun, items: &[ProofItem], now: Timestamp) -> bool {
    let holds = |items: &[ProofItem]| items.iter().map(|i| i.holds).collect::<Vec<_>>();
    let long = known.gate_at.is_none_or(|at| seconds(at, now) >= FRESH);
    holds(&known.gate) != holds(items) || (long && known.gate != items)
}
