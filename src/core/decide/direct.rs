//! Direct driving: a step of the run that moves the nodes by a sequence, its pauses, and where each node stands meanwhile
//! (run-safety-model 2 and 4, column Direct).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::sequence::{Found, Turned};
use super::{Decider, Turn};
use crate::core::command::{Refusal, plural};
use crate::core::event::{ENGINE, Event};
use crate::core::name::NodeName;
use crate::core::plan::{Probe, Stage, Step};
use crate::core::revision::revised;
use crate::core::run::{PauseReason, Phase, UnitState};
use crate::core::sequence::{Action, ActionKind, ActionRun, Sequence, SequenceRun};

impl Decider {
    /// The step that moves the nodes ourselves.
    pub(super) fn move_nodes(&mut self, turn: &mut Turn, step: &Step, now: Timestamp) {
        let Some(run) = &self.state.run else { return };
        let known = run.steps.get(&step.id).cloned().unwrap_or_default();
        if known.op.is_none() {
            if self.state.phase != Phase::Running {
                return self.delegate_ended(turn, step, false, "nothing was started", now);
            }
            if !self.baselines_read(turn, now) {
                return;
            }
            self.note_those_there(turn, now);
            let left = self.nodes_to_move();
            let Some(first) = left.first() else {
                return self.delegate_ended(turn, step, true, "every node is at the target already", now);
            };
            let attempt = known.attempt + 1;
            let op = self.op(&step.id, first, attempt);
            let intent = Event::StepIntended { step: step.id.clone(), op, attempt, node: first.clone() };
            return self.emit(turn, ENGINE, intent, now);
        }
        let own = |s: &&SequenceRun| {
            s.step.as_deref() == Some(&step.id) && known.intended_at.is_some_and(|at| s.started_at >= at)
        };
        let Some(own) = self.state.sequence.as_ref().filter(own) else {
            let Some(sequence) = step.sequence.clone() else { return };
            let (nodes, step) = (self.nodes_to_move(), Some(step.id.clone()));
            return self.emit(turn, ENGINE, Event::SequenceStarted { sequence, nodes, step }, now);
        };
        if let Some(ended) = own.ended.clone() {
            let (ok, count) = (ended.value.ok && self.nodes_to_move().is_empty(), self.state.plan.nodes.len());
            let message = if ok { format!("{count} of {count} nodes done") } else { ended.value.message };
            self.delegate_ended(turn, step, ok, &message, now);
        }
    }

    /// The run goes on by another plan, once a person says so.
    pub(super) fn revise(
        &mut self,
        turn: &mut Turn,
        actor: &str,
        settings: &BTreeMap<String, Json>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let plan = revised(&self.state, settings)?;
        if self.state.open_sequence().is_some() {
            self.sequence_ended(turn, false, "the plan was revised".into(), now);
        }
        let title = plan.driving_step().map_or_else(String::new, |s| s.title.clone());
        let (revision, plan_sha256) = (self.state.revision + 1, plan.sha256());
        let settings = settings.clone();
        self.emit(turn, actor, Event::PlanRevised { revision, plan_sha256, settings }, now);
        let why = format!("from here on: {title}; {} to go", plural(self.nodes_to_move().len(), "node"));
        self.phase(turn, actor, Phase::Paused(PauseReason::Operator), &why, now);
        Ok(())
    }

    fn nodes_to_move(&self) -> Vec<NodeName> {
        let good = |n: &&NodeName| self.state.unit(n).is_some_and(|u| u.state.is_good());
        self.state.plan.nodes.iter().filter(|n| !good(n)).cloned().collect()
    }

    /// Nodes that were at the target before the run, and take their part in the cluster.
    fn note_those_there(&mut self, turn: &mut Turn, now: Timestamp) {
        let target = self.state.plan.target.build;
        for node in self.nodes_to_move() {
            let machine = &self.state.machines[&node];
            let before = self.state.run.as_ref().and_then(|r| r.baseline.get(&node)).map(|h| h.build);
            let host = machine.host.as_ref().filter(|h| h.value.build >= target && !h.value.windeploy);
            let up = machine.cluster.as_ref().is_some_and(|c| c.value.is_up());
            if up && host.is_some() && before.is_some_and(|b| b >= target) {
                let why = format!("was at build {} before the run", before.unwrap_or_default());
                let to = UnitState::AlreadyDone;
                self.emit(turn, ENGINE, Event::UnitChanged { node, to, why }, now);
            }
        }
    }

    /// Nodes are being moved by ourselves.
    pub(super) fn moves_directly(&self) -> bool {
        self.state.open_sequence().is_some_and(|(r, _)| r.step.is_some())
    }

    /// A sequence of a run goes on while the run does.
    pub(super) fn may_go_on(&self, run: &SequenceRun) -> bool {
        run.step.is_none() || matches!(self.state.phase, Phase::Running | Phase::Pausing | Phase::Stopping)
    }

    /// What the sequence of a run waits for, the run waits for.
    pub(super) fn run_halted(&mut self, turn: &mut Turn, reason: PauseReason, now: Timestamp) {
        let Some(run) = self.state.sequence.as_ref().filter(|s| s.step.is_some()) else { return };
        let why = run.paused.as_ref().map_or("", |h| &h.value.why);
        let why = match run.node().filter(|n| reason != PauseReason::Operator && !why.contains(n.as_str())) {
            Some(node) => format!("{node}: {why}"),
            None => why.to_owned(),
        };
        self.phase(turn, ENGINE, Phase::Paused(reason), &why, now);
    }

    /// A node of a run that failed uses up the budget of failures; anything else needs a decision only.
    pub(super) fn reason_of_failure(&self, at: &Turned) -> PauseReason {
        let spent = at.run.step.is_some() && !matches!(at.action.stage, Some(Stage::Waiting | Stage::Draining));
        if spent { PauseReason::Budget } else { PauseReason::NeedsDecision }
    }

    /// A restart whose probe says that there is nothing to restart for; true while that is still being looked at.
    pub(super) fn needless(
        &mut self,
        turn: &mut Turn,
        at: &Turned,
        probe: Option<&Probe>,
        now: Timestamp,
    ) -> bool {
        let Some(probe) = probe.filter(|_| at.known.op.is_none()) else { return false };
        match self.probed(at, probe, now) {
            Some(Ok(Found::Done(message))) => self.action_ended(turn, at, message, now),
            Some(Ok(_)) => return false,
            Some(Err(why)) => self.mind_budget(turn, at, &why, now),
            None => self.mind_budget(turn, at, "the node does not answer", now),
        }
        true
    }

    /// An earlier attempt of this run did to the node what that action does: another driver, before the plan was revised.
    pub(super) fn done_earlier(&self, run: &SequenceRun, node: &NodeName, action: &str) -> bool {
        let sequence = self.state.plan.sequence(&run.id);
        let stage = sequence.and_then(|s| s.actions.iter().find(|a| a.id == action)?.stage);
        let unit = self.state.unit(node).filter(|_| run.step.is_some());
        let passed = |p: &crate::core::state::Passage| Some(p.stage) == stage && p.from < run.started_at;
        unit.is_some_and(|u| u.track.iter().any(passed))
    }

    /// What a person should know of a node that is left half way.
    pub(super) fn left_behind(&self, run: &SequenceRun, sequence: &Sequence) -> String {
        if !run.leaving {
            return String::new();
        }
        let node = if run.action == 0 { run.nodes.get(run.node.wrapping_sub(1)) } else { run.node() };
        let Some(node) = node else { return String::new() };
        let begun = |a: &&Action| run.on(node, &a.id).is_some_and(|k| k.attempt > 0);
        let last = sequence.actions.iter().filter(begun).filter_map(|a| a.leaves.as_ref()).next_back();
        last.map_or_else(String::new, |l| format!("; {node}: {l}"))
    }

    pub(super) fn settle_direct_units(&mut self, turn: &mut Turn, now: Timestamp) {
        let Some(run) = self.state.sequence.as_ref().filter(|s| s.step.is_some()) else { return };
        if self.state.phase.is_terminal() || self.state.phase == Phase::Recovering {
            return;
        }
        for node in run.nodes.clone() {
            let Some(unit) = self.state.unit(&node).filter(|u| !u.state.is_good()) else { continue };
            let Some((to, why)) = self.direct_unit(&node, now) else { continue };
            if to != unit.state || why != unit.why {
                self.emit(turn, ENGINE, Event::UnitChanged { node, to, why }, now);
            }
        }
    }

    /// Where a node stands, by the action that it is at and by what is seen of it.
    fn direct_unit(&self, node: &NodeName, now: Timestamp) -> Option<(UnitState, String)> {
        let run = self.state.sequence.as_ref()?;
        let sequence = self.state.plan.sequence(&run.id)?;
        let place = run.nodes.iter().position(|n| n == node)?;
        let host = self.state.machines[node].host.as_ref().map(|h| &h.value);
        if place < run.node {
            let build = host.map_or(0, |h| h.build);
            return Some(match run.leaving && place + 1 == run.node {
                true => (UnitState::Failed, "left half way, as somebody wished".into()),
                false if build >= self.state.plan.target.build => {
                    (UnitState::Done, format!("build {build}, Up, storage in sync"))
                }
                false => (UnitState::Failed, format!("every action ended, and it still says build {build}")),
            });
        }
        if !run.is_open() {
            return None;
        }
        if place > run.node {
            return Some((UnitState::Pending, format!("waits for {}", run.node()?)));
        }
        let action = sequence.actions.get(run.action)?;
        let known = run.on(node, &action.id);
        let stage = action.stage.unwrap_or(Stage::Waiting);
        if let Some(halt) = run.paused.as_ref().filter(|h| h.value.failed) {
            let old = host.is_some_and(|h| h.build < self.state.plan.target.build);
            let state = match stage {
                Stage::Draining => UnitState::DrainFailed,
                Stage::Returning | Stage::Verifying if old => UnitState::RolledBack,
                _ => UnitState::Failed,
            };
            return Some((state, halt.value.why.clone()));
        }
        let busy = !matches!(stage, Stage::Waiting | Stage::Staging);
        if let Some(unknown) = self.is_unheard(now).filter(|_| busy) {
            return Some(unknown);
        }
        Some(self.by_stage(node, stage, action, known))
    }

    fn by_stage(
        &self,
        node: &NodeName,
        stage: Stage,
        action: &Action,
        known: Option<&ActionRun>,
    ) -> (UnitState, String) {
        let gate = matches!(action.kind, ActionKind::Gate { .. });
        let machine = &self.state.machines[node];
        let closed = known.and_then(|k| k.gate.iter().find(|i| !i.holds));
        let closed =
            closed.map(|i| i.why.clone().map_or_else(|| i.title.clone(), |w| format!("{}: {w}", i.title)));
        match stage {
            Stage::Waiting | Stage::Scanning | Stage::Done => {
                let why =
                    closed.map_or_else(|| "its gate is being proved".into(), |c| format!("waits until: {c}"));
                (UnitState::Gate, why)
            }
            Stage::Staging => (UnitState::Staging, format!("{}; nothing is disturbed", lower(&action.title))),
            Stage::Draining if gate => (UnitState::Drained, "every role has left".into()),
            Stage::Draining => (UnitState::Draining, "its roles move to other nodes".into()),
            Stage::Installing => (
                UnitState::Executing,
                closed.map_or_else(|| lower(&action.title), |c| format!("waits until: {c}")),
            ),
            // What the cluster said before it went is no sign of its return.
            Stage::Restarting if self.is_back(node) => {
                let why = if machine.connection.is_ready() {
                    "it answers again"
                } else {
                    "the cluster sees it again, SSH does not answer yet"
                };
                (UnitState::Returning, why.into())
            }
            Stage::Restarting if machine.connection.is_ready() => {
                (UnitState::CommitReboot, "is about to restart".into())
            }
            Stage::Restarting => (UnitState::Offline, "restarts; nothing answers there, as expected".into()),
            Stage::Returning => {
                let why = if machine.connection.is_ready() {
                    "it answers; Setup is not finished"
                } else {
                    "does not answer yet"
                };
                (UnitState::Returning, why.into())
            }
            Stage::Verifying => (
                UnitState::Verifying,
                closed.map_or_else(|| lower(&action.title), |c| format!("waits until: {c}")),
            ),
            Stage::Resuming => (UnitState::Resuming, "takes its roles back".into()),
            Stage::Resync => {
                (UnitState::Resyncing, "storage copies what it missed: normal after a restart".into())
            }
        }
    }

    /// It was away, and since then it answers or the cluster says something new of it.
    fn is_back(&self, node: &NodeName) -> bool {
        let Some(unit) = self.state.unit(node) else { return false };
        let machine = &self.state.machines[node];
        let news = machine.cluster.as_ref().filter(|c| c.value.state != "Down").map(|c| c.at);
        match unit.state {
            UnitState::Offline => machine.connection.is_ready() || news > unit.since,
            UnitState::Returning => machine.connection.is_ready() || news.is_some(),
            _ => false,
        }
    }

    /// What was found after an engine ended, where nodes are moved by ourselves.
    pub(super) fn found_direct(&self) -> Option<String> {
        let (run, sequence) = self.state.open_sequence().filter(|(r, _)| r.step.is_some())?;
        Some(match run.node().zip(sequence.actions.get(run.action)) {
            Some((node, action)) => format!("{node} is at {}", lower(&action.title)),
            None => format!("{} are through", plural(run.nodes.len(), "node")),
        })
    }
}

fn lower(title: &str) -> String {
    let mut chars = title.chars();
    let first = chars.next().map(|c| c.to_lowercase().collect::<String>()).unwrap_or_default();
    // Names stay as they are: only the first letter of a sentence is another.
    if title.starts_with("Windows") { title.to_owned() } else { first + chars.as_str() }
}
