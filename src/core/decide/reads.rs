//! Readiness: facts are read, checks judged, fixes followed by a new look.

use jiff::Timestamp;

use super::{Decider, Effect, Turn, after, seconds};
use crate::core::command::{Refusal, blockers, keys_of};
use crate::core::connection::Connection;
use crate::core::event::{Answer, ENGINE, Event, Failure, FailureKind, Outcome, ReadKey, Waiting};
use crate::core::name::NodeName;
use crate::core::plan::{Moment, StepKind};
use crate::core::run::Phase;
use crate::core::state::Reading;
use crate::core::text::hides;

/// Seconds a read waits for a machine that cannot be reached before its answer is *could not tell*.
const PATIENCE: u64 = 20;

/// Characters kept of what a script asks a person to do.
const LONGEST_ASKED: usize = 300;

impl Decider {
    /// Sends every read that is wanted, or gives it up where its machine stays away.
    pub(super) fn settle_reads(&mut self, turn: &mut Turn, now: Timestamp) {
        self.want_missed(turn, now);
        let open: Vec<(ReadKey, u32)> = self
            .state
            .reads
            .iter()
            .filter(|(k, r)| r.is_open() && !self.live.reading.contains(*k))
            .map(|(k, r)| (k.clone(), r.wanted))
            .collect();
        for (key, attempt) in open {
            let Some(group) = self.state.plan.fact_group(&key.group) else {
                continue;
            };
            let (script, slow) = (group.script.clone(), group.slow);
            match self.reader(&key, now) {
                Reader::Ready(node) => {
                    self.live.reading.insert(key.clone());
                    let asked = Event::FactsAsked { key: key.clone(), attempt, asked: node.clone() };
                    self.emit(turn, ENGINE, asked, now);
                    turn.effects.push(Effect::Read { key, attempt, node, script, slow });
                }
                Reader::Later => {}
                Reader::Never(node, message) => {
                    let answer =
                        Answer::Failed(Failure { kind: FailureKind::NotSent, id: None, message, at: None });
                    self.emit(
                        turn,
                        ENGINE,
                        Event::FactsRead { key, attempt, asked: node, took_ms: 0, answer },
                        now,
                    );
                }
            }
        }
    }

    /// What could not be asked because no machine was there is asked once one has come; what any node can tell is asked of another
    /// one where it was asked of a machine that gives no answer about itself either.
    fn want_missed(&mut self, turn: &mut Turn, now: Timestamp) {
        if !self.state.phase.is_preparing() {
            return;
        }
        let missed = |r: &Reading| {
            !r.is_open() && matches!(&r.answer, Some(Answer::Failed(f)) if f.kind == FailureKind::NotSent)
        };
        let mute = |node: &NodeName| self.state.unreadable(node).is_some();
        let doubtful = |r: &Reading| {
            !r.is_open() && matches!(r.answer, Some(Answer::Failed(_))) && r.asked.as_ref().is_some_and(mute)
        };
        let again = |key: &ReadKey, r: &Reading| match self.reader(key, now) {
            Reader::Ready(node) => {
                let came = missed(r) && self.state.machines[&node].connection_since > r.at;
                came || (key.node.is_none() && doubtful(r) && !mute(&node))
            }
            _ => false,
        };
        let keys: Vec<ReadKey> =
            self.state.reads.iter().filter(|(k, r)| again(k, r)).map(|(k, _)| k.clone()).collect();
        if !keys.is_empty() {
            self.want_reads(turn, ENGINE, keys, "a machine can tell now", now);
            self.back_to_checking(turn, ENGINE, now);
        }
    }

    fn reader(&self, key: &ReadKey, now: Timestamp) -> Reader {
        match &key.node {
            Some(node) => self.reader_on(node, now),
            None => {
                // Whoever could not tell the last time is asked last.
                let failed = |r: &&Reading| matches!(r.answer, Some(Answer::Failed(_)));
                let last = self.state.reads.get(key).filter(failed).and_then(|r| r.asked.clone());
                if let Some(node) = self.state.any_node(last.as_slice()) {
                    return Reader::Ready(node);
                }
                let mut last = Reader::Later;
                for node in &self.state.plan.nodes {
                    match self.reader_on(node, now) {
                        Reader::Never(n, why) => last = Reader::Never(n, why),
                        other => return other,
                    }
                }
                last
            }
        }
    }

    fn reader_on(&self, node: &NodeName, now: Timestamp) -> Reader {
        let Some(machine) = self.state.machines.get(node) else {
            return Reader::Never(node.clone(), format!("{node} is not in the inventory"));
        };
        match &machine.connection {
            Connection::Ready(_) => Reader::Ready(node.clone()),
            Connection::Trouble(t) => {
                let waited = machine.connection_since.is_some_and(|s| seconds(s, now) >= PATIENCE as i64);
                if machine.connection.needs_person() || waited {
                    Reader::Never(node.clone(), format!("{}; {}", t.kind.words(), t.message))
                } else {
                    Reader::Later
                }
            }
            Connection::Idle | Connection::Connecting => Reader::Later,
        }
    }

    /// A script says what a person has to do. Only what is new is worth an event, and only while its answer is awaited.
    pub(super) fn person_awaited(
        &mut self,
        turn: &mut Turn,
        of: Waiting,
        node: NodeName,
        text: &str,
        now: Timestamp,
    ) {
        let shown = text.chars().map(|c| if c.is_control() || hides(c) { ' ' } else { c });
        let text = shown.take(LONGEST_ASKED).collect::<String>().trim().to_owned();
        let known = match &of {
            Waiting::Read(key) => self.state.reads.get(key).filter(|r| r.is_open()).map(|r| &r.person),
            Waiting::Operation(op) => self.state.fixes.get(op).filter(|f| f.answer.is_none()).map(|f| &f.person),
        };
        if !text.is_empty() && known.is_some_and(|k| k.as_ref() != Some(&text)) {
            self.emit(turn, ENGINE, Event::PersonAwaited { of, node, text }, now);
        }
    }

    /// When patience with an unreachable machine ends.
    pub(super) fn next_patience(&self) -> Option<Timestamp> {
        if !self.state.reads.values().any(|r| r.is_open()) {
            return None;
        }
        self.state
            .machines
            .values()
            .filter(|m| matches!(m.connection, Connection::Trouble(_)) && !m.connection.needs_person())
            .filter_map(|m| Some(after(m.connection_since?, PATIENCE)))
            .min()
    }

    /// Judges what has new facts, and moves between Checking, Blocked and Ready.
    pub(super) fn settle_checks(&mut self, turn: &mut Turn, now: Timestamp) {
        let moment = self.current_moment();
        if moment == Moment::Before && !self.state.phase.is_preparing() {
            return;
        }
        let Some(since) = self.judging_since(moment) else {
            return self.settle_proofs(turn, now);
        };
        let keys = keys_of(&self.state, moment);
        for key in &keys {
            let reads = self.state.reads_of(key);
            let newest = reads
                .iter()
                .map(|r| self.state.reads.get(r).filter(|r| r.answer.is_some()))
                .try_fold(0, |newest, read| {
                    read.filter(|r| !r.is_open() && r.at >= since).map(|r| newest.max(r.seq))
                });
            let said = self.state.attested.get(key).map_or(0, |a| a.seq).max(self.compared_seq(key));
            let judged = self.state.checks.get(key).map_or(0, |c| c.seq);
            let first = judged == 0 && self.state.phase != Phase::Draft;
            if newest.is_some_and(|n| n.max(said) > judged || first)
                && let Some(verdict) = self.judge.verdict(&self.state, key)
            {
                self.emit(turn, ENGINE, Event::CheckJudged { key: key.clone(), verdict }, now);
            }
        }
        self.settle_proofs(turn, now);
        if !self.state.phase.is_preparing() || self.state.phase == Phase::Draft {
            return;
        }
        let open = keys.iter().any(|k| self.state.is_open(k) || self.state.verdict_of(k).is_none());
        if open {
            return;
        }
        let blocking = blockers(&self.state, now);
        let to = if blocking == 0 { Phase::Ready } else { Phase::Blocked };
        if self.state.phase == to {
            return;
        }
        if self.state.phase == Phase::Checking {
            let count = |outcome| {
                keys.iter()
                    .filter(|k| self.state.verdict_of(k).is_some_and(|v| v.value.outcome == outcome))
                    .count()
            };
            let (warnings, passed) = (count(Outcome::Warn) as u32, count(Outcome::Pass) as u32);
            self.emit(turn, ENGINE, Event::ChecksEnded { blocking: blocking as u32, warnings, passed }, now);
        }
        let why = if blocking == 0 {
            "every blocker passes".to_owned()
        } else {
            format!("{} in the way", crate::core::command::plural(blocking, "blocker"))
        };
        self.phase(turn, ENGINE, to, &why, now);
        if let Some(actor) = self.state.start_asked.clone() {
            self.start(turn, &actor, now);
        }
    }

    /// Facts older than this say nothing about the moment: a proof needs what was read after the last node.
    fn judging_since(&self, moment: Moment) -> Option<Option<Timestamp>> {
        if moment == Moment::Before {
            return Some(None);
        }
        let verify = self.state.plan.steps.iter().find(|s| s.kind == StepKind::Verify)?;
        self.state.run.as_ref()?.steps.get(&verify.id)?.intended_at.map(Some)
    }

    fn settle_proofs(&mut self, turn: &mut Turn, now: Timestamp) {
        let asked: Vec<String> =
            self.state.proofs.iter().filter(|(_, p)| p.asked_at.is_some()).map(|(step, _)| step.clone()).collect();
        for step in asked {
            let Some(s) = self.state.plan.step(&step) else {
                continue;
            };
            let groups: Vec<String> = s.proof.iter().flat_map(|p| p.facts.iter().cloned()).collect();
            let open = groups
                .iter()
                .flat_map(|g| self.keys_of_group(g))
                .any(|k| self.state.reads.get(&k).is_none_or(|r| r.is_open()));
            if !open {
                let items = self.judge.proof(&self.state, &step);
                self.emit(turn, ENGINE, Event::ProofTaken { step: step.clone(), items: items.clone() }, now);
                if let Some(asked) = self.state.commit_asked.clone().filter(|a| a.step == step) {
                    let done = self.commit(turn, &asked.by, &step, &asked.typed, &asked.reason, items, now);
                    if let Err(Refusal(message)) = done {
                        // Nothing was sent: a person is told, and may confirm again.
                        let op = self.op(&step, &NodeName::new("none"), 0);
                        self.emit(turn, ENGINE, Event::CommitEnded { step, op, ok: false, message }, now);
                    }
                }
            }
        }
    }
}

enum Reader {
    Ready(NodeName),
    Later,
    Never(NodeName, String),
}
