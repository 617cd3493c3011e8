//! Commands that were allowed become events, and the effects that belong to them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Decider, Effect, Turn};
use crate::core::abandon::left_behind;
use crate::core::baseline::unexplained_on;
use crate::core::command::{Command, Refusal, about, before_keys, failed, fresh_proof, moment, stale};
use crate::core::connection::Connection;
use crate::core::event::{Attested, Event, ProofItem, ReadKey, VerdictKey, Waiver};
use crate::core::name::NodeName;
use crate::core::plan::StepKind;
use crate::core::run::{PauseReason, Phase, RunVerdict};
use crate::core::sequence::Wish;
use crate::core::state::CommitState;

impl Decider {
    pub(super) fn carry_out(
        &mut self,
        turn: &mut Turn,
        actor: &str,
        command: &Command,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match command {
            Command::Connect => {
                let all: Vec<NodeName> = self.state.in_trouble().map(|(n, _)| n.clone()).collect();
                self.connect(turn, actor, all, now);
            }
            Command::CheckAll => {
                let keys = before_keys(&self.state);
                self.want_again(turn, actor, &keys, "every check", now);
                self.phase(turn, actor, Phase::Checking, "reading every node", now);
            }
            Command::Retry { key } => {
                let title = self.state.plan.check(&key.check).map_or(&*key.check, |c| &c.title);
                let why = format!("again: {title}");
                self.want_again(turn, actor, std::slice::from_ref(key), &why, now);
                self.back_to_checking(turn, actor, now);
            }
            Command::RetryFailed => {
                let keys = failed(&self.state);
                self.want_again(turn, actor, &keys, "what failed, again", now);
                self.back_to_checking(turn, actor, now);
            }
            Command::RetryNode { node } => {
                let keys = about(&self.state, node);
                self.want_again(turn, actor, &keys, &format!("{node}, again"), now);
                self.back_to_checking(turn, actor, now);
            }
            Command::Attest { key, note } => {
                let attested = Attested { key: key.clone(), note: note.trim().to_owned() };
                self.emit(turn, actor, Event::Attested(attested), now);
            }
            Command::Fix { key } => self.fix(turn, actor, key, now)?,
            Command::FixAll => self.fix_all(turn, actor, now),
            Command::Waive { key, reason, hours } => {
                let expires = now
                    .checked_add(SignedDuration::from_hours(i64::from(*hours)))
                    .map_err(|_| Refusal("that is too long".into()))?;
                let waiver =
                    Waiver { key: key.clone(), reason: reason.trim().to_owned(), by: actor.to_owned(), expires };
                self.emit(turn, actor, Event::Waived(waiver), now);
            }
            Command::AcceptChanges { node, reason } => {
                let changes = unexplained_on(&self.state, node);
                let (node, reason) = (node.clone(), reason.trim().to_owned());
                self.emit(turn, actor, Event::ChangesAccepted { node, changes, reason }, now);
            }
            Command::Start => {
                let old = stale(&self.state, now);
                if old.is_empty() {
                    self.start(turn, actor, now);
                } else {
                    self.emit(turn, actor, Event::StartAsked, now);
                    self.want(turn, actor, &old, "blockers before the start", now);
                    self.phase(turn, actor, Phase::Checking, "proving the blockers again before the start", now);
                }
            }
            Command::Pause if self.state.phase.is_preparing() => {
                self.emit(turn, actor, Event::SequenceAsked { wish: Wish::Pause }, now);
            }
            Command::Stop if self.state.phase.is_preparing() => self.end_sequence(turn, actor, now),
            Command::Resume if self.state.phase.is_preparing() => {
                self.emit(turn, actor, Event::SequenceResumed, now);
            }
            Command::Pause if self.moves_directly() => {
                self.emit(turn, actor, Event::SequenceAsked { wish: Wish::Pause }, now);
                self.phase(turn, actor, Phase::Pausing, "the node in work is finished first", now);
            }
            Command::Stop if self.moves_directly() => {
                self.end_sequence(turn, actor, now);
                self.phase(turn, actor, Phase::Stopping, "the node in work is finished first", now);
            }
            Command::Resume
                if self.moves_directly() && self.state.phase != Phase::Paused(PauseReason::ForeignRun) =>
            {
                let leaving = self.state.sequence.as_ref().is_some_and(|s| s.leaving);
                self.emit(turn, actor, Event::Resumed { step: None }, now);
                self.emit(turn, actor, Event::SequenceResumed, now);
                let to = if leaving { Phase::Stopping } else { Phase::Running };
                self.phase(turn, actor, to, "resumed", now);
            }
            Command::Revise { settings } => self.revise(turn, actor, settings, now)?,
            Command::Pause if !self.is_driven() => {
                let why = "before the next step";
                self.phase(turn, actor, Phase::Pausing, why, now);
            }
            Command::Pause => {
                let name = self.state.plan.driver.name.clone();
                self.ask_driver_to_stop(
                    turn,
                    actor,
                    |op| Event::PauseRequested { op, reason: PauseReason::Operator },
                    now,
                );
                self.phase(turn, actor, Phase::Pausing, &format!("{name} finishes the node in work first"), now);
            }
            Command::Stop => {
                if matches!(self.state.phase, Phase::Paused(_)) {
                    self.stopped(turn, actor, now);
                } else if !self.is_driven() {
                    self.phase(turn, actor, Phase::Stopping, "before the next step", now);
                } else {
                    let name = self.state.plan.driver.name.clone();
                    self.ask_driver_to_stop(turn, actor, |op| Event::StopIntended { op }, now);
                    self.phase(
                        turn,
                        actor,
                        Phase::Stopping,
                        &format!("{name} finishes the node in work first"),
                        now,
                    );
                }
            }
            Command::Resume => {
                let step = self.state.current_step().map(str::to_owned);
                let again = step.clone().filter(|s| {
                    self.state
                        .run
                        .as_ref()
                        .and_then(|r| r.steps.get(s))
                        .is_some_and(|s| s.ended.as_ref().is_some_and(|e| !e.value.ok))
                });
                self.emit(turn, actor, Event::Resumed { step: again }, now);
                let kind = step.and_then(|s| self.state.plan.step(&s).map(|s| s.kind));
                // Whether the nodes may be handed over again is looked at as before the first time.
                let anew =
                    kind == Some(StepKind::Delegate) && self.state.handed_over().is_none_or(|s| s.op.is_none());
                if anew || self.state.phase == Phase::Paused(PauseReason::ForeignRun) {
                    self.phase(turn, actor, Phase::Acquiring, "looking for another run", now);
                    return Ok(());
                }
                if kind.is_some_and(StepKind::waits) {
                    self.phase(turn, actor, Phase::AwaitingCommit, "resumed", now);
                } else {
                    self.phase(turn, actor, Phase::Running, "resumed", now);
                }
            }
            Command::Prove { step } => self.prove(turn, actor, step, now),
            Command::Commit { step, typed, reason } => {
                let reason = reason.trim();
                let proof = fresh_proof(&self.state, step, now).map(<[_]>::to_vec);
                match proof {
                    Some(proof) => self.commit(turn, actor, step, typed, reason, proof, now)?,
                    None => {
                        let (step, typed) = (step.clone(), typed.clone());
                        let asked = Event::CommitAsked { step: step.clone(), typed, reason: reason.to_owned() };
                        self.emit(turn, actor, asked, now);
                        if self.state.proofs.get(&step).is_none_or(|p| p.asked_at.is_none()) {
                            self.prove(turn, actor, &step, now);
                        }
                    }
                }
            }
            Command::Recover { typed, reason } => {
                self.recover_by_force(turn, actor, (typed, reason.trim()), now)?;
            }
            Command::Abandon { typed, reason } => self.abandon(turn, actor, (typed, reason.trim()), now),
            Command::Confirm { step, note } => {
                let note = note.trim().to_owned();
                self.emit(turn, actor, Event::StepConfirmed { step: step.clone(), note }, now);
            }
            Command::Reopen { step } => {
                self.emit(turn, actor, Event::RunReopened { step: step.clone() }, now);
            }
            Command::Decide { step, choices } => {
                let decided = Event::ItemsDecided { step: step.clone(), choices: choices.clone() };
                self.emit(turn, actor, decided, now);
                self.emit(turn, actor, Event::Resumed { step: None }, now);
                self.phase(turn, actor, Phase::Running, "decided", now);
            }
            Command::Defer if self.state.phase == Phase::Finalising => {
                let open = self.state.cleanups().next().map(|s| s.id.clone());
                if let Some(step) = open {
                    self.emit(turn, actor, Event::CommitDeferred { step }, now);
                }
            }
            Command::Defer if matches!(self.state.phase, Phase::Paused(_)) => {
                let failed = self.state.left_for_later().map(|s| s.id.clone());
                if let Some(step) = failed {
                    self.emit(turn, actor, Event::CommitDeferred { step }, now);
                    self.phase(turn, actor, Phase::Running, "left for later", now);
                }
            }
            Command::Defer => {
                let open: Vec<String> = self
                    .state
                    .plan
                    .steps
                    .iter()
                    .filter(|s| s.kind.waits())
                    .filter(|s| {
                        let run = self.state.run.as_ref();
                        let done = run.and_then(|r| r.commits.get(&s.id));
                        let confirmed = run.and_then(|r| r.steps.get(&s.id)).is_some_and(|s| s.ended.is_some());
                        !confirmed && !matches!(done, Some(CommitState::Done { .. }))
                    })
                    .map(|s| s.id.clone())
                    .collect();
                for step in open {
                    self.emit(turn, actor, Event::CommitDeferred { step }, now);
                }
            }
        }
        Ok(())
    }

    /// The run is over for us: whatever goes on by itself is neither stopped nor waited for.
    fn abandon(&mut self, turn: &mut Turn, actor: &str, (typed, reason): (&str, &str), now: Timestamp) {
        let left_behind = left_behind(&self.state);
        let given_up = Event::RunAbandoned { typed: typed.to_owned(), reason: reason.to_owned(), left_behind };
        self.emit(turn, actor, given_up, now);
        if self.state.open_sequence().is_some() {
            self.sequence_ended(turn, false, "the run was given up".into(), now);
        }
        let left = self.nodes_left();
        let message = format!("given up with {left} of {} nodes not done", self.state.plan.nodes.len());
        self.emit(turn, actor, Event::RunEnded { verdict: RunVerdict::Abandoned, message }, now);
    }

    pub(super) fn start(&mut self, turn: &mut Turn, actor: &str, now: Timestamp) {
        let baseline: BTreeMap<NodeName, _> = self
            .state
            .plan
            .nodes
            .iter()
            .filter_map(|n| Some((n.clone(), self.state.machines.get(n)?.host.as_ref()?.value.clone())))
            .collect();
        self.emit(turn, actor, Event::StartIntended { baseline }, now);
        self.phase(turn, actor, Phase::Acquiring, "looking for another run", now);
    }

    pub(super) fn phase(&mut self, turn: &mut Turn, actor: &str, to: Phase, why: &str, now: Timestamp) {
        if matches!(to, Phase::Acquiring | Phase::Recovering | Phase::Running) {
            // What follows depends on what the driver says from now on.
            self.poll_now(&self.driver_key());
        }
        self.emit(turn, actor, Event::PhaseChanged { to, why: why.to_owned() }, now);
    }

    /// Connects to machines in trouble, now. Those that wait for a person are being connected from then on: what is to be read
    /// there waits for it. The others are tried again and again anyway.
    fn connect(&mut self, turn: &mut Turn, actor: &str, nodes: Vec<NodeName>, now: Timestamp) {
        for node in nodes {
            let connection = self.state.connection(&node);
            if !matches!(connection, Connection::Trouble(_)) {
                continue;
            }
            if connection.needs_person() {
                let connection = Connection::Connecting;
                self.emit(turn, actor, Event::ConnectionChanged { node: node.clone(), connection }, now);
            }
            turn.effects.push(Effect::Connect { node });
        }
    }

    /// Asks for the facts of these verdicts to be read again, and connects to machines in trouble for that.
    fn want_again(&mut self, turn: &mut Turn, actor: &str, keys: &[VerdictKey], why: &str, now: Timestamp) {
        let reads: BTreeSet<ReadKey> = keys.iter().flat_map(|k| self.state.reads_of(k)).collect();
        let machines = if reads.iter().any(|r| r.node.is_none()) {
            self.state.plan.machines().cloned().collect()
        } else {
            reads.into_iter().filter_map(|r| r.node).collect::<BTreeSet<_>>().into_iter().collect()
        };
        self.connect(turn, actor, machines, now);
        self.want(turn, actor, keys, why, now);
    }

    /// Asks for the facts of these verdicts to be read again.
    pub(super) fn want(&mut self, turn: &mut Turn, actor: &str, keys: &[VerdictKey], why: &str, now: Timestamp) {
        let reads: BTreeSet<ReadKey> = keys.iter().flat_map(|k| self.state.reads_of(k)).collect();
        let keys: Vec<ReadKey> = reads.into_iter().collect();
        if !keys.is_empty() {
            self.emit(turn, actor, Event::ReadsWanted { keys, why: why.to_owned() }, now);
        }
    }

    pub(super) fn want_reads(
        &mut self,
        turn: &mut Turn,
        actor: &str,
        keys: Vec<ReadKey>,
        why: &str,
        now: Timestamp,
    ) {
        if !keys.is_empty() {
            self.emit(turn, actor, Event::ReadsWanted { keys, why: why.to_owned() }, now);
        }
    }

    pub(super) fn back_to_checking(&mut self, turn: &mut Turn, actor: &str, now: Timestamp) {
        if matches!(self.state.phase, Phase::Blocked | Phase::Ready) {
            self.phase(turn, actor, Phase::Checking, "reading again", now);
        }
    }

    /// The driver was asked to move the nodes, and has not ended.
    fn is_driven(&self) -> bool {
        let step = self.state.current_step().and_then(|s| self.state.plan.step(s));
        let drives = step.filter(|s| s.kind.moves_nodes() || s.kind.drives());
        let known = drives.and_then(|s| self.state.run.as_ref()?.steps.get(&s.id));
        known.is_some_and(|s| s.op.is_some())
    }

    pub(super) fn ask_driver_to_stop(
        &mut self,
        turn: &mut Turn,
        actor: &str,
        event: impl FnOnce(crate::core::name::OpId) -> Event,
        now: Timestamp,
    ) {
        let Some(node) = self.state.any_node(&[]) else {
            return;
        };
        let attempt = self.state.seq as u32;
        let op = self.op("driver-stop", &node, attempt);
        self.emit(turn, actor, event(op.clone()), now);
        self.live.ops.insert(op.clone());
        let script = self.state.plan.driver.stop.clone();
        turn.effects.push(Effect::Run { op, node, script, more: BTreeMap::new(), slow: false });
    }

    pub(super) fn nodes_left(&self) -> usize {
        self.state.run.as_ref().map_or(0, |r| r.units.values().filter(|u| !u.state.is_good()).count())
    }

    /// The intent of an irreversible step, and the step.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn commit(
        &mut self,
        turn: &mut Turn,
        actor: &str,
        step: &str,
        typed: &str,
        reason: &str,
        proof: Vec<ProofItem>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if let Some(why) = self.state.keeping.closed() {
            return Err(Refusal(why));
        }
        let s = self.state.plan.step(step).ok_or_else(|| Refusal("there is no such step".into()))?;
        let script = s.script.clone().ok_or_else(|| Refusal("the step has no script".into()))?;
        let (place, one_by_one) = (s.on, s.items.is_some());
        let node = self.machine_for(place).ok_or_else(|| Refusal("no machine answers for this step".into()))?;
        let op = self.op(step, &node, self.commit_attempt(step));
        let intent = Event::CommitIntended {
            step: step.to_owned(),
            op: op.clone(),
            node: node.clone(),
            typed: typed.to_owned(),
            reason: reason.to_owned(),
            proof,
        };
        self.emit(turn, actor, intent, now);
        // What it finds on the nodes is done one by one, by rules of its own.
        if !one_by_one {
            self.live.ops.insert(op.clone());
            turn.effects.push(Effect::Run { op, node, script, more: BTreeMap::new(), slow: false });
        }
        Ok(())
    }

    fn commit_attempt(&self, step: &str) -> u32 {
        match self.state.run.as_ref().and_then(|r| r.commits.get(step)) {
            None => 1,
            // Every failed attempt left its mark in the sequence; the number only has to differ.
            Some(_) => self.state.seq as u32,
        }
    }

    fn prove(&mut self, turn: &mut Turn, actor: &str, step: &str, now: Timestamp) {
        let Some(s) = self.state.plan.step(step) else {
            return;
        };
        let groups: BTreeSet<String> = s.proof.iter().flat_map(|p| p.facts.iter().cloned()).collect();
        let keys = groups.iter().flat_map(|g| self.keys_of_group(g)).collect();
        self.emit(turn, actor, Event::ProofAsked { step: step.to_owned() }, now);
        self.want_reads(turn, actor, keys, "proof before an irreversible step", now);
    }

    /// Every machine that a group is read on.
    pub(super) fn keys_of_group(&self, group: &str) -> Vec<ReadKey> {
        use crate::core::plan::Place;
        let Some(g) = self.state.plan.fact_group(group) else {
            return Vec::new();
        };
        let on = |node: Option<NodeName>| ReadKey { group: group.to_owned(), node };
        match g.on {
            Place::AnyNode => vec![on(None)],
            Place::Coordinator => vec![on(self.state.plan.coordinator.clone())],
            Place::EachNode => self.state.plan.nodes.iter().cloned().map(|n| on(Some(n))).collect(),
            Place::Everywhere => self.state.plan.machines().cloned().map(|n| on(Some(n))).collect(),
        }
    }

    /// The machine a step runs on, where it answers.
    pub(super) fn machine_for(&self, place: crate::core::plan::Place) -> Option<NodeName> {
        use crate::core::plan::Place;
        match place {
            Place::Coordinator => {
                self.state.plan.coordinator.clone().filter(|c| self.state.connection(c).is_ready())
            }
            _ => self.state.any_node(&[]),
        }
    }

    pub(super) fn current_moment(&self) -> crate::core::plan::Moment {
        moment(&self.state)
    }
}
