//! The run: from the start intent through the driver, the proof and the irreversible steps to its end
//! (run-safety-model 3, 8, 10).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Decider, Effect, Turn, after};
use crate::core::baseline::{missing, unexplained};
use crate::core::command::{before_keys, keys_of, plural};
use crate::core::event::{Answer, ENGINE, Event, Failure, FailureKind, Outcome};
use crate::core::gates::foreign_words;
use crate::core::name::{NodeName, OpId};
use crate::core::plan::{Moment, Step, StepKind};
use crate::core::run::{PauseReason, Phase, RunVerdict, UnitState};
use crate::core::state::{CommitState, StepState};
use crate::core::summary::overdue;
use crate::core::view::{OpVerdict, OpView};

/// Seconds between two looks at a detached operation.
pub(super) const OBSERVE_EVERY: u64 = 20;

/// Seconds for which nothing is going on, without a report, until a run that nobody drives is given up.
pub(super) const LOST_AFTER: u64 = 600;

impl Decider {
    pub(super) fn settle_run(&mut self, turn: &mut Turn, now: Timestamp) {
        match self.state.phase.clone() {
            Phase::Acquiring => self.acquire(turn, now),
            Phase::Running | Phase::Pausing | Phase::Stopping => self.advance(turn, now),
            Phase::AwaitingCommit => self.settle_commits(turn, now),
            Phase::Finalising => self.finalise(turn, now),
            Phase::Recovering => self.recover(turn, now),
            _ => {}
        }
    }

    /// A restarted engine looks before it does anything: every intent without a result is settled by what is found, then a
    /// person says go on (run-safety-model 8).
    fn recover(&mut self, turn: &mut Turn, now: Timestamp) {
        let Some(run) = &self.state.run else {
            return self.phase(turn, ENGINE, Phase::Blocked, "the engine was restarted: check again", now);
        };
        let open: Vec<(OpId, Option<NodeName>)> = run
            .steps
            .iter()
            .filter(|(id, s)| {
                let hands_over = self
                    .state
                    .plan
                    .step(id)
                    .is_some_and(|p| (p.kind.moves_nodes() || p.kind.drives()) && p.detached);
                hands_over && s.started_at.is_none() && s.ended.is_none() && s.seen.is_none()
            })
            .filter_map(|(_, s)| Some((s.op.clone()?, s.node.clone())))
            .collect();
        for (op, node) in &open {
            self.look_at(turn, op, node, now);
        }
        let driver_known = self.fresh_at(&self.driver_key()) >= self.state.phase_since;
        if !open.is_empty() || !driver_known {
            return;
        }
        let name = &self.state.plan.driver.name;
        let found = match self.state.driver.as_ref().and_then(|d| d.value.run.as_ref()) {
            Some(r) => format!("{name} goes on, driven by {}", r.orchestrator),
            None => self.found_direct().unwrap_or_else(|| format!("{name} is not running")),
        };
        let left = self.nodes_left();
        let why =
            format!("the engine was restarted; {found}; {left} of {} nodes not done", self.state.plan.nodes.len());
        self.phase(turn, ENGINE, Phase::Paused(PauseReason::Recovered), &why, now);
    }

    /// No run is started beside another one.
    fn acquire(&mut self, turn: &mut Turn, now: Timestamp) {
        let asked = self.asked_since(&self.driver_key(), self.state.phase_since);
        let Some(seen) = self.state.driver.as_ref().filter(|_| asked) else {
            return;
        };
        if seen.value.is_idle() {
            return self.phase(turn, ENGINE, Phase::Running, "no other run is going on", now);
        }
        if let Some(why) = self.driver_is_busy() {
            self.phase(turn, ENGINE, Phase::Paused(PauseReason::ForeignRun), &why, now);
        }
    }

    fn advance(&mut self, turn: &mut Turn, now: Timestamp) {
        let Some(step) = self.state.current_step().and_then(|s| self.state.plan.step(s)).cloned() else {
            return self.phase(turn, ENGINE, Phase::Finalising, "every step is done", now);
        };
        match step.kind {
            StepKind::Do => self.do_step(turn, &step, now),
            StepKind::Delegate => self.delegate(turn, &step, now),
            StepKind::Sequence => self.move_nodes(turn, &step, now),
            StepKind::Drive => self.drive(turn, &step, now),
            StepKind::Verify => self.verify(turn, &step, now),
            StepKind::Person | StepKind::Commit if self.between_steps(turn, now) => {}
            StepKind::Person => {
                self.phase(turn, ENGINE, Phase::AwaitingCommit, &format!("{} waits for you", step.title), now);
            }
            StepKind::Commit => {
                let why = "every node is done and proved; the steps that cannot be undone wait for you";
                self.phase(turn, ENGINE, Phase::AwaitingCommit, why, now);
            }
        }
    }

    fn delegate(&mut self, turn: &mut Turn, step: &Step, now: Timestamp) {
        let known = self.state.run.as_ref().and_then(|r| r.steps.get(&step.id)).cloned().unwrap_or_default();
        let Some(op) = known.op.clone() else {
            // A pause that arrives before anything was started needs no driver.
            if self.state.phase != Phase::Running {
                return self.delegate_ended(turn, step, false, "nothing was started", now);
            }
            let done = |r: &crate::core::state::Run| r.units.values().all(|u| u.state.is_good());
            if self.state.run.as_ref().is_some_and(done) {
                return self.delegate_ended(turn, step, true, "every node is at the target already", now);
            }
            if !self.baselines_read(turn, now) {
                return;
            }
            if let Some(why) = self.driver_is_busy().filter(|_| !step.detached) {
                return self.phase(turn, ENGINE, Phase::Paused(PauseReason::ForeignRun), &why, now);
            }
            let Some(node) = self.machine_for(step.on) else {
                return;
            };
            let Some(script) = step.script.clone() else {
                return;
            };
            if self.cannot_be_kept(turn, now) {
                return;
            }
            let attempt = known.attempt + 1;
            let op = self.op(&step.id, &node, attempt);
            let intent =
                Event::StepIntended { step: step.id.clone(), op: op.clone(), attempt, node: node.clone() };
            self.emit(turn, ENGINE, intent, now);
            self.live.ops.insert(op.clone());
            turn.effects.push(match step.detached {
                true => Effect::Detach { op, node, script, more: BTreeMap::new(), system: false },
                false => Effect::Run { op, node, script, more: BTreeMap::new(), slow: true },
            });
            return;
        };
        if self.live.ops.contains(&op) {
            return;
        }
        if !step.detached {
            return self.handed_over(turn, step, &known, op, now);
        }
        let verdict = known.seen.as_ref().map(|s| s.value.clone());
        if !self.is_begun(turn, step, &known, &op, now) {
            return;
        }
        if self.state.run.as_ref().is_some_and(|r| r.units.values().all(|u| u.state.is_good())) {
            let count = self.state.plan.nodes.len();
            return self.delegate_ended(turn, step, true, &format!("{count} of {count} nodes done"), now);
        }
        if let Some(message) = self.driver_gave_up(verdict.as_ref(), now) {
            return self.delegate_ended(turn, step, false, &message, now);
        }
        if !matches!(verdict, Some(OpVerdict::Ended { .. })) {
            self.look_at(turn, &op, &known.node, now);
        }
    }

    /// Whether a detached operation is known to have begun: an intent without a result means maybe, so that it is looked at and never
    /// sent again on doubt.
    pub(super) fn is_begun(
        &mut self,
        turn: &mut Turn,
        step: &Step,
        known: &StepState,
        op: &OpId,
        now: Timestamp,
    ) -> bool {
        if known.started_at.is_some() {
            return true;
        }

        match known.seen.as_ref().map(|s| &s.value) {
            Some(
                OpVerdict::Running | OpVerdict::Ended { .. } | OpVerdict::Died | OpVerdict::InterruptedByReboot,
            ) => {
                self.emit(turn, ENGINE, Event::StepStarted { step: step.id.clone(), op: op.clone() }, now);
            }
            // Looked at since it was last sent: it really did not arrive.
            Some(OpVerdict::NotStarted) if self.looked_since_sent(op) => {
                self.live.sent_at.insert(op.clone(), now);
                if let (Some(node), Some(script)) = (known.node.clone(), step.script.clone()) {
                    self.live.ops.insert(op.clone());
                    let more = BTreeMap::new();
                    turn.effects.push(Effect::Detach { op: op.clone(), node, script, more, system: false });
                }
            }
            Some(OpVerdict::NotStarted | OpVerdict::Unknown) | None => self.look_at(turn, op, &known.node, now),
        }
        false
    }

    /// Why nothing more comes of this attempt, where that is so.
    pub(super) fn driver_gave_up(&self, verdict: Option<&OpVerdict>, now: Timestamp) -> Option<String> {
        let run = self.state.run.as_ref()?;
        let driver = self.state.driver.as_ref()?;
        let spoke = driver.at > self.delegate_intended_at()?;
        let name = &self.state.plan.driver.name;
        // The task itself failed before a run began: nothing goes on, and there is no report of it.
        let looked = self.asked_since(&self.report_key(), Some(driver.at)) || after(driver.at, LOST_AFTER) <= now;
        if let Some(OpVerdict::Ended { code, why, message }) = verdict
            && *code != 0
            && spoke
            && driver.value.is_idle()
            && looked
            && self.own_report().is_none()
        {
            let message = message.as_deref().unwrap_or(why);
            return Some(format!("{name} could not start: {message}"));
        }
        // Refused, because somebody else's run is going on.
        if let Some(OpVerdict::Ended { code, .. }) = verdict
            && *code != 0
            && spoke
            && let Some(r) = self.state.foreign_run()
        {
            return Some(format!("{name}: {}; it must end first", foreign_words(r)));
        }
        if spoke && driver.value.state == "RunFailed" {
            return Some(format!("{name} says RunFailed: the run must be recovered"));
        }
        let report = self.own_report();
        // Nobody drives, nothing is going on, and a report would have been read by now.
        if let Some(node) = self.state.orphaned(now)
            && spoke
            && driver.value.is_idle()
            && report.is_none()
            && after(driver.at, LOST_AFTER) <= now
            && run.units.values().all(|u| !u.state.in_work() || u.state.is_bad() || overdue(&self.state, u, now))
        {
            return Some(format!("{name} has lost its coordinator: its task on {node} ended without a word"));
        }
        let report = report.filter(|_| spoke && driver.value.is_idle())?;
        // Nodes that are on their way back end by themselves; only then is the attempt over.
        // Storage that is in danger does not come back by waiting.
        let waits =
            |u: UnitState| u.in_work() && !u.is_bad() && !(run.doomed.is_some() && u == UnitState::Resyncing);
        if run.units.values().any(|u| waits(u.state)) {
            return None;
        }
        let status = report.status.as_deref().unwrap_or("no status");
        let bad: Vec<&str> = run.units.iter().filter(|(_, u)| u.state.is_bad()).map(|(n, _)| n.as_str()).collect();
        Some(match (&run.first_error, bad.as_slice()) {
            (Some(first), _) => format!("{name} ended with {status}; first error: {}", first.value),
            (None, []) => format!("{name} ended with {status}"),
            (None, bad) => format!("{name} ended with {status}; look at {}", bad.join(", ")),
        })
    }

    pub(super) fn delegate_ended(
        &mut self,
        turn: &mut Turn,
        step: &Step,
        ok: bool,
        message: &str,
        now: Timestamp,
    ) {
        let phase = self.state.phase.clone();
        let ended = Event::StepEnded { step: step.id.clone(), ok, message: message.to_owned() };
        self.emit(turn, ENGINE, ended, now);
        if ok {
            if phase == Phase::Pausing {
                self.phase(turn, ENGINE, Phase::Paused(PauseReason::Operator), "every node is done", now);
            }
            return;
        }
        let failed = self.state.run.as_ref().map_or(0, |r| {
            r.units.values().filter(|u| matches!(u.state, UnitState::Failed | UnitState::RolledBack)).count()
        });
        match phase {
            Phase::Stopping => self.stopped(turn, ENGINE, now),
            Phase::Pausing => {
                let reason = self.state.run.as_ref().and_then(|r| r.pausing.clone());
                let reason = reason.unwrap_or(PauseReason::Operator);
                self.phase(turn, ENGINE, Phase::Paused(reason), message, now);
            }
            _ if self.state.foreign_run().is_some() => {
                self.phase(turn, ENGINE, Phase::Paused(PauseReason::ForeignRun), message, now);
            }
            _ if failed > self.state.plan.max_failed() => {
                self.phase(turn, ENGINE, Phase::Paused(PauseReason::Budget), message, now)
            }
            _ => self.phase(turn, ENGINE, Phase::Paused(PauseReason::NeedsDecision), message, now),
        }
    }

    /// Looks what became of a detached operation, where it is time to.
    pub(super) fn look_at(&mut self, turn: &mut Turn, op: &OpId, node: &Option<NodeName>, now: Timestamp) {
        let Some(node) = node.clone().filter(|n| self.state.connection(n).is_ready()) else {
            return;
        };
        let due = self.live.observed_at.get(op).is_none_or(|at| after(*at, OBSERVE_EVERY) <= now);
        if due && self.live.observing.insert(op.clone()) {
            self.live.observed_at.insert(op.clone(), now);
            turn.effects.push(Effect::Observe { op: op.clone(), node });
        }
    }

    pub(super) fn looked_since_sent(&self, op: &OpId) -> bool {
        let looked = self.live.observed_at.get(op);
        looked.is_some() && looked > self.live.sent_at.get(op) && !self.live.observing.contains(op)
    }

    /// When a detached operation is looked at again.
    pub(super) fn next_observation(&self) -> Option<Timestamp> {
        let under_way =
            matches!(self.state.phase, Phase::Running | Phase::Pausing | Phase::Stopping | Phase::Recovering);
        let step = self.state.current_step().filter(|_| under_way)?;
        self.state.plan.step(step).filter(|p| p.detached)?;
        let s = self.state.run.as_ref()?.steps.get(step)?;
        let op = s.op.as_ref()?;
        let ended = matches!(s.seen.as_ref().map(|s| &s.value), Some(OpVerdict::Ended { .. }));
        let answers = s.node.as_ref().is_some_and(|n| self.state.connection(n).is_ready());
        if ended || !answers || self.live.observing.contains(op) || self.live.ops.contains(op) {
            return None;
        }
        Some(self.live.observed_at.get(op).map_or(Timestamp::MIN, |at| after(*at, OBSERVE_EVERY)))
    }

    fn verify(&mut self, turn: &mut Turn, step: &Step, now: Timestamp) {
        let keys = keys_of(&self.state, Moment::After);
        let intended = self.state.run.as_ref().and_then(|r| r.steps.get(&step.id)).and_then(|s| s.intended_at);
        let open_op = self.state.run.as_ref().and_then(|r| r.steps.get(&step.id)).and_then(|s| s.op.clone());
        if open_op.is_none() {
            // A node that has just come back is looked at once it has settled.
            if !missing(&self.state).is_empty() {
                return;
            }
            let attempt = self.state.run.as_ref().and_then(|r| r.steps.get(&step.id)).map_or(1, |s| s.attempt + 1);
            let Some(node) = self.state.any_node(&[]) else {
                return;
            };
            let op = self.op(&step.id, &node, attempt);
            self.emit(turn, ENGINE, Event::StepIntended { step: step.id.clone(), op, attempt, node }, now);
            self.want(turn, ENGINE, &keys, &step.title, now);
            return;
        }
        let Some(intended) = intended else { return };
        let judged = keys
            .iter()
            .all(|k| !self.state.is_open(k) && self.state.verdict_of(k).is_some_and(|v| v.at >= intended));
        if !judged {
            return;
        }
        let blocking: Vec<String> = keys
            .iter()
            .filter(|k| self.state.blocks(k, now))
            .map(|k| {
                let title = self.state.plan.check(&k.check).map_or(k.check.as_str(), |c| c.title.as_str());
                k.node.as_ref().map_or_else(|| title.to_owned(), |n| format!("{title} ({n})"))
            })
            .collect();
        let ok = blocking.is_empty();
        let message = if ok {
            format!("{} of {} proofs hold", keys.len(), keys.len())
        } else {
            format!("not proved: {}", blocking.join(", "))
        };
        let pausing = self.state.phase != Phase::Running;
        self.emit(turn, ENGINE, Event::StepEnded { step: step.id.clone(), ok, message: message.clone() }, now);
        if !ok {
            self.phase(turn, ENGINE, Phase::Paused(PauseReason::NeedsDecision), &message, now);
        } else if pausing {
            self.phase(turn, ENGINE, Phase::Paused(PauseReason::Operator), "every node is done and proved", now);
        }
    }

    fn settle_commits(&mut self, turn: &mut Turn, now: Timestamp) {
        // The engine ended between the intent and its result: the level is read, the step never sent again on doubt.
        let doubtful: Vec<(String, OpId, u64, Timestamp)> = self
            .state
            .run
            .iter()
            .flat_map(|r| &r.commits)
            .filter_map(|(step, c)| match c {
                CommitState::Intended { op, seq, at, .. } if !self.live.ops.contains(op) => {
                    Some((step.clone(), op.clone(), *seq, *at))
                }
                _ => None,
            })
            .collect();
        for (step, op, intent, at) in doubtful {
            if let Some(planned) = self.state.plan.step(&step).cloned()
                && let Some(items) = &planned.items
            {
                self.commit_items(turn, &planned, items, op, (intent, at), now);
                continue;
            }
            let probe = self.state.plan.step(&step).and_then(|s| s.probe.clone());
            let Some(probe) = probe else { continue };
            let keys = self.keys_of_group(&probe.facts);
            let reads: Vec<_> = keys.iter().map(|k| self.state.reads.get(k)).collect();
            let fresh = reads.iter().all(|r| r.is_some_and(|r| !r.is_open() && r.seq > intent));
            if fresh {
                let (ok, message) = match self.judge.probe(&self.state, &step, None) {
                    Ok(true) => (true, "happened, as read afterwards".to_owned()),
                    Ok(false) => (false, "did not happen, as read afterwards".to_owned()),
                    // Not told yet: read again, a little later.
                    Err(_) => {
                        let last = reads.iter().filter_map(|r| r.and_then(|r| r.at)).max();
                        if last.is_some_and(|l| after(l, OBSERVE_EVERY) <= now) {
                            self.want_reads(turn, ENGINE, keys, "did the step happen", now);
                        }
                        continue;
                    }
                };
                self.emit(turn, ENGINE, Event::CommitEnded { step, op, ok, message }, now);
            } else if !reads.iter().any(|r| r.is_some_and(|r| r.is_open())) {
                self.want_reads(turn, ENGINE, keys, "did the step happen", now);
            }
        }
        let next = self.state.current_step().and_then(|s| self.state.plan.step(s));
        match next.map(|s| (s.kind, s.title.clone())) {
            None => self.phase(turn, ENGINE, Phase::Finalising, "every step is done or left for later", now),
            Some((kind, _)) if kind.waits() => {}
            Some((_, title)) => self.phase(turn, ENGINE, Phase::Running, &format!("next: {title}"), now),
        }
    }

    fn finalise(&mut self, turn: &mut Turn, now: Timestamp) {
        let next = self.state.cleanups().next().cloned();
        if let Some(step) = next {
            return self.clean_up(turn, &step, now);
        }
        let Some(run) = &self.state.run else { return };
        let open: Vec<&str> = self.state.left_open().map(|s| s.title.as_str()).collect();
        let open = if open.is_empty() { String::new() } else { format!("; not done: {}", open.join(", ")) };
        if let Some(ending) = run.ending.clone() {
            let message = format!("{}{open}", ending.message);
            return self.emit(turn, ENGINE, Event::RunEnded { verdict: ending.verdict, message }, now);
        }
        let later = |s: &&Step| !s.always && matches!(run.commits.get(&s.id), Some(CommitState::Deferred { .. }));
        let deferred = self.state.plan.steps.iter().filter(later).count();
        let failed: Vec<&str> =
            (self.state.plan.steps.iter()).filter(|s| s.later && later(s)).map(|s| s.title.as_str()).collect();
        let failed_later = failed.len();
        let nodes = self.state.plan.nodes.len();
        let after_warnings = keys_of(&self.state, Moment::After)
            .iter()
            .filter(|k| {
                self.state
                    .verdict_of(k)
                    .is_some_and(|v| matches!(v.value.outcome, Outcome::Warn | Outcome::CouldNotTell))
            })
            .count();
        let changed: usize = run.configurations.values().map(|c| c.accepted.len()).sum();
        let unexplained = unexplained(&self.state).len();
        let gates = self.state.waivers.iter().filter(|w| w.key.gate().is_some()).count();
        let waived =
            gates + before_keys(&self.state).iter().filter(|k| self.state.waiver(k, now).is_some()).count();
        let version = &self.state.plan.target.version;
        let mut message = match self.state.plan.rehearses() {
            true => format!(
                "rehearsed on {nodes} of {nodes} nodes: drained, restarted, back in sync; nothing was upgraded"
            ),
            false => format!("{nodes} of {nodes} nodes at {version}, proved"),
        };
        if deferred > 0 {
            message.push_str(&format!("; {} left for later", plural(deferred, "step")));
        }
        if failed_later > 0 {
            message.push_str(&format!(", of these failed: {}", failed.join(", ")));
        }
        if waived > 0 {
            message.push_str(&format!("; {waived} waived"));
        }
        if changed > 0 {
            message.push_str(&format!("; {} on nodes accepted", plural(changed, "change")));
        }
        if unexplained > 0 {
            message.push_str(&format!("; {} on nodes not explained", plural(unexplained, "change")));
        }
        if after_warnings > 0 {
            message.push_str(&format!("; {after_warnings} to look at"));
        }
        message.push_str(&open);
        let verdict = if waived + after_warnings + changed + unexplained + failed_later > 0 || !open.is_empty() {
            RunVerdict::SucceededWithIssues
        } else {
            RunVerdict::Succeeded
        };
        self.emit(turn, ENGINE, Event::RunEnded { verdict, message }, now);
    }

    pub(super) fn op_detached(&mut self, turn: &mut Turn, op: OpId, took_ms: u64, answer: Answer, now: Timestamp) {
        self.live.ops.remove(&op);
        if self.state.recovering().is_some_and(|r| r.op == op) {
            return self.recovery_detached(turn, op, &answer, now);
        }
        let Some(step) = self.step_of(&op) else {
            return self.action_answered(turn, op, took_ms, answer, now);
        };
        match answer {
            Answer::Facts(_) => self.emit(turn, ENGINE, Event::StepStarted { step, op }, now),
            // It threw before it was started, or it was never sent: nothing runs.
            Answer::Failed(Failure { kind: FailureKind::Threw | FailureKind::NotSent, message, .. }) => {
                if let Some(s) = self.state.plan.step(&step).cloned() {
                    self.delegate_ended(
                        turn,
                        &s,
                        false,
                        &format!("{} could not be started: {message}", s.title),
                        now,
                    );
                }
            }
            // Maybe it runs: the files on the node tell.
            Answer::Failed(_) => {}
        }
    }

    pub(super) fn op_observed(
        &mut self,
        turn: &mut Turn,
        op: OpId,
        answer: Result<OpView, Failure>,
        now: Timestamp,
    ) {
        self.live.observing.remove(&op);
        let Ok(view) = answer else { return };
        let verdict = view.verdict();
        let recovery = self.state.recovering().filter(|r| r.op == op).map(|r| &r.seen);
        let step = self.step_of(&op).and_then(|s| Some(&self.state.run.as_ref()?.steps.get(&s)?.seen));
        let action = self.state.sequence.as_ref().and_then(|s| Some(&s.of_operation(&op)?.1.seen));
        let known = recovery.or(step).or(action).and_then(|s| s.as_ref()).map(|s| s.value.clone());
        if known.as_ref() != Some(&verdict) {
            self.emit(turn, ENGINE, Event::OpSeen { op, verdict }, now);
        }
    }

    pub(super) fn op_ran(&mut self, turn: &mut Turn, op: OpId, took_ms: u64, answer: Answer, now: Timestamp) {
        self.live.ops.remove(&op);
        if self.state.fixes.contains_key(&op) {
            return self.fix_ended(turn, op, took_ms, answer, now);
        }
        if self.state.sequence.as_ref().is_some_and(|s| s.of_operation(&op).is_some()) {
            return self.emit(turn, ENGINE, Event::ActionAnswered { op, took_ms, answer }, now);
        }
        let steps = self.state.run.iter().flat_map(|r| r.steps.values());
        if steps.flat_map(|s| s.on.values()).any(|p| p.op.as_ref() == Some(&op)) {
            return self.emit(turn, ENGINE, Event::StepAnswered { op, took_ms, answer }, now);
        }
        if self.item_answered(&op) {
            return self.emit(turn, ENGINE, Event::StepAnswered { op, took_ms, answer }, now);
        }
        let handed = self.step_of(&op).and_then(|s| self.state.plan.step(&s)).filter(|s| s.kind.drives());
        if let Some(step) = handed.cloned() {
            return self.handover_answered(turn, &step, op, answer, now);
        }
        let commit = self.state.run.iter().flat_map(|r| &r.commits).find_map(|(step, c)| match c {
            CommitState::Intended { op: o, .. } if *o == op => Some(step.clone()),
            _ => None,
        });
        if let Some(step) = commit {
            match answer {
                Answer::Facts(json) => {
                    let message = short(&json);
                    self.emit(turn, ENGINE, Event::CommitEnded { step, op, ok: true, message }, now);
                }
                Answer::Failed(Failure { kind: FailureKind::Threw | FailureKind::NotSent, message, .. }) => {
                    self.emit(turn, ENGINE, Event::CommitEnded { step, op, ok: false, message }, now);
                }
                // Doubtful: settled by its probe.
                Answer::Failed(_) => {}
            }
            return;
        }
        if self.state.run.as_ref().is_some_and(|r| r.stopping.as_ref() == Some(&op)) {
            let failed = matches!(answer, Answer::Failed(_));
            let why = match &answer {
                Answer::Failed(f) => f.message.clone(),
                Answer::Facts(_) => String::new(),
            };
            self.emit(turn, ENGINE, Event::DriverStopAnswered { op, answer }, now);
            // Refused: the run goes on, and says why it could not be stopped.
            if failed && matches!(self.state.phase, Phase::Pausing | Phase::Stopping) {
                let idle = self.state.driver.as_ref().is_some_and(|d| d.value.is_idle());
                if !idle {
                    let name = self.state.plan.driver.name.clone();
                    self.phase(turn, ENGINE, Phase::Running, &format!("{name} could not be stopped: {why}"), now);
                }
            }
        }
    }

    fn step_of(&self, op: &OpId) -> Option<String> {
        let run = self.state.run.as_ref()?;
        run.steps.iter().find(|(_, s)| s.op.as_ref() == Some(op)).map(|(id, _)| id.clone())
    }
}

/// A record in a few words: `level 12, upgrade version 32772`, or what was and what is.
pub(super) fn short(json: &Value) -> String {
    match json {
        Value::String(s) => s.clone(),
        Value::Array(all) => all.iter().map(short).collect::<Vec<_>>().join(", "),
        Value::Object(o) => match (o.get("before"), o.get("after")) {
            (Some(before), Some(after)) => format!("{} → {}", short(before), short(after)),
            _ => {
                let fields = o.iter().map(|(k, v)| format!("{} {}", k.replace('_', " "), short(v)));
                fields.collect::<Vec<_>>().join(", ")
            }
        },
        other => other.to_string(),
    }
}
