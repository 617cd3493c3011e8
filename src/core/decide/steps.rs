//! Steps that are a script: done once on each machine they are for, unless a probe says that it happened already, and over when
//! the probe says so. Nothing is sent on doubt.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::run::short;
use super::{Decider, Effect, Turn, after, seconds};
use crate::core::event::{Answer, ENGINE, Event, FailureKind, ReadKey};
use crate::core::name::NodeName;
use crate::core::plan::{Class, Place, Step, StepKind};
use crate::core::run::{PauseReason, Phase, RunVerdict};
use crate::core::state::Part;

/// Seconds between two looks at whether it happened.
pub(super) const LOOK_EVERY: u64 = 10;

/// How often a write is sent by itself, each time after a look (run-safety-model 5).
pub(super) const WRITES: u32 = 3;

/// Seconds between two attempts at a clean-up.
const CLEAN_UP_EVERY: u64 = 60;

/// Seconds from which on a script gets a lane of its own.
const SLOW: u64 = 60;

/// Where a step stands on a machine.
enum Stand {
    Done,
    Waits,
    Failed(String),
}

impl Decider {
    pub(super) fn do_step(&mut self, turn: &mut Turn, step: &Step, now: Timestamp) {
        if let Some(undone) = &step.undoes
            && self.state.run.as_ref().and_then(|r| r.steps.get(undone)).is_none_or(|s| s.attempt == 0)
        {
            return self.step_ended(turn, step, true, "left out: there is nothing to take back", now);
        }
        // A pause that arrives before anything was sent.
        let begun = self.state.run.as_ref().and_then(|r| r.steps.get(&step.id)).is_some_and(|s| s.op.is_some());
        let begun = begun || self.state.items(&step.id).iter().any(|i| i.part.op.is_some());
        if !begun && self.between_steps(turn, now) {
            return;
        }
        if let Some(items) = &step.items {
            return self.do_items(turn, step, items, now);
        }
        let machines = self.machines_of_step(step);
        let late = seconds(self.turn_at(), now) > step.budget as i64;
        if machines.is_empty() {
            if late {
                self.step_ended(turn, step, false, "no machine answers for it", now);
            }
            return;
        }
        let stands: Vec<(NodeName, Stand)> =
            machines.into_iter().map(|m| (m.clone(), self.on_machine(turn, step, m, now))).collect();
        if stands.iter().any(|(_, s)| matches!(s, Stand::Waits)) {
            return;
        }
        let failed: Vec<String> = stands
            .iter()
            .filter_map(|(m, s)| match s {
                Stand::Failed(why) => Some(format!("{m}: {why}")),
                _ => None,
            })
            .collect();
        if !failed.is_empty() {
            return self.step_ended(turn, step, false, &failed.join("; "), now);
        }
        let message = self.what_was_done(step);
        self.step_ended(turn, step, true, &message, now);
    }

    /// A run that is to pause or to stop does so before the next step.
    pub(super) fn between_steps(&mut self, turn: &mut Turn, now: Timestamp) -> bool {
        match self.state.phase {
            Phase::Pausing => {
                let next = self.state.current_step().and_then(|s| self.state.plan.step(s));
                let why = next.map_or_else(|| "every step is done".to_owned(), |s| format!("next: {}", s.title));
                self.phase(turn, ENGINE, Phase::Paused(PauseReason::Operator), &why, now);
            }
            Phase::Stopping => self.stopped(turn, ENGINE, now),
            _ => return false,
        }
        true
    }

    /// The run ends because somebody asked for it.
    pub(super) fn stopped(&mut self, turn: &mut Turn, actor: &str, now: Timestamp) {
        let left = self.nodes_left();
        if let Some(doomed) = self.state.run.as_ref().and_then(|r| r.doomed.clone()) {
            let message = format!("{}; {left} of {} nodes not done", doomed.value, self.state.plan.nodes.len());
            return self.end_run(turn, ENGINE, RunVerdict::Failed, message, now);
        }
        let message = format!("stopped with {left} of {} nodes not done", self.state.plan.nodes.len());
        self.end_run(turn, actor, RunVerdict::Stopped, message, now);
    }

    /// The run is over: the clean-ups first, if there are any.
    pub(super) fn end_run(
        &mut self,
        turn: &mut Turn,
        actor: &str,
        verdict: RunVerdict,
        message: String,
        now: Timestamp,
    ) {
        let next = self.state.cleanups().next().map(|s| s.title.clone());
        match next.filter(|_| self.state.run.as_ref().is_some_and(|r| r.ending.is_none())) {
            Some(title) => {
                self.emit(turn, actor, Event::RunEnding { verdict, message }, now);
                self.phase(turn, ENGINE, Phase::Finalising, &format!("before it ends: {title}"), now);
            }
            None => self.emit(turn, actor, Event::RunEnded { verdict, message }, now),
        }
    }

    /// What is to be done however the run ends; it is tried again until it is done, or left open by a person.
    pub(super) fn clean_up(&mut self, turn: &mut Turn, step: &Step, now: Timestamp) {
        let known = self.state.run.as_ref().and_then(|r| r.steps.get(&step.id));
        match known.and_then(|s| s.ended.as_ref()).filter(|e| !e.value.ok) {
            Some(failed) if after(failed.at, CLEAN_UP_EVERY) > now => {}
            Some(_) => self.emit(turn, ENGINE, Event::Resumed { step: Some(step.id.clone()) }, now),
            None => self.do_step(turn, step, now),
        }
    }

    fn on_machine(&mut self, turn: &mut Turn, step: &Step, machine: NodeName, now: Timestamp) -> Stand {
        let known = self.part(step, &machine);
        if known.done.is_some() {
            return Stand::Done;
        }
        if known.op.as_ref().is_some_and(|op| self.live.ops.contains(op)) {
            return Stand::Waits;
        }
        let Some(last) = self.looked(turn, step, &machine, known.seq, now) else { return Stand::Waits };
        let own = matches!(step.on, Place::EachNode | Place::Everywhere).then_some(&machine);
        let found = self.judge.probe(&self.state, &step.id, own);
        if found == Ok(true) {
            let said = match &known.answer {
                Some(Answer::Facts(json)) => short(json),
                Some(Answer::Failed(_)) => "done, as read afterwards".to_owned(),
                None if known.op.is_some() => "done, as read afterwards".to_owned(),
                None => "it was so already".to_owned(),
            };
            self.emit(turn, ENGINE, Event::StepDone { step: step.id.clone(), node: machine, message: said }, now);
            return Stand::Done;
        }
        let late = seconds(known.intended_at.unwrap_or(self.turn_at()), now) > step.budget as i64;
        let again = after(last, LOOK_EVERY) <= now;
        let writes = step.class == Class::Write && !known.attempt.is_multiple_of(WRITES);
        let failed = known.op.is_some() && self.judge.probe_failed(&self.state, &step.id, own);
        match (&known.answer, &found) {
            (None, Ok(_)) if known.op.is_none() => self.send_step(turn, step, machine, known.attempt + 1, now),
            (Some(Answer::Failed(f)), Ok(_)) if f.kind == FailureKind::NotSent && again && !late => {
                self.send_step(turn, step, machine, known.attempt + 1, now);
            }
            (Some(Answer::Failed(f)), Ok(_)) if f.kind != FailureKind::NotSent && writes && again => {
                self.send_step(turn, step, machine, known.attempt + 1, now);
            }
            (Some(Answer::Failed(f)), _) if f.kind == FailureKind::Threw && !writes => {
                return Stand::Failed(f.message.clone());
            }
            _ if failed => return Stand::Failed("it was tried, and will not happen by itself".to_owned()),
            (answer, found) if late => {
                let why = match (found, answer) {
                    (Err(why), _) => format!("it cannot be told whether it happened: {why}"),
                    (_, Some(Answer::Failed(f))) => f.message.clone(),
                    _ => "it has not happened in its time".to_owned(),
                };
                return Stand::Failed(why);
            }
            _ if again => {
                let keys = self.probe_keys(step, &machine);
                self.want_reads(turn, ENGINE, keys, "did the step happen", now);
            }
            _ => {}
        }
        Stand::Waits
    }

    /// When everything that tells whether a step happened was last read, where that is after its turn came and after a number.
    pub(super) fn looked(
        &mut self,
        turn: &mut Turn,
        step: &Step,
        machine: &NodeName,
        seq: u64,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let since = self.state.run.as_ref().map_or(0, |r| r.turn_seq).max(seq);
        let keys = self.probe_keys(step, machine);
        let read = |k: &ReadKey| self.state.reads.get(k).filter(|r| !r.is_open() && r.seq > since);
        let unread: Vec<ReadKey> = keys.iter().filter(|k| read(k).is_none()).cloned().collect();
        if unread.is_empty() {
            return keys.iter().filter_map(read).filter_map(|r| r.at).min();
        }
        let open = |k: &ReadKey| self.state.reads.get(k).is_some_and(|r| r.is_open());
        let wanted = unread.into_iter().filter(|k| !open(k)).collect();
        self.want_reads(turn, ENGINE, wanted, "did the step happen", now);
        None
    }

    pub(super) fn probe_keys(&self, step: &Step, machine: &NodeName) -> Vec<ReadKey> {
        let Some(probe) = &step.probe else { return Vec::new() };
        let own = matches!(step.on, Place::EachNode | Place::Everywhere);
        let of = |k: &ReadKey| !own || k.node.as_ref().is_none_or(|n| n == machine);
        self.keys_of_group(&probe.facts).into_iter().filter(of).collect()
    }

    fn send_step(&mut self, turn: &mut Turn, step: &Step, node: NodeName, attempt: u32, now: Timestamp) {
        let Some(script) = step.script.clone().filter(|_| self.state.connection(&node).is_ready()) else { return };
        // What takes back is done on a full disk too: what was put aside is for that.
        if step.undoes.is_none() && self.cannot_be_kept(turn, now) {
            return;
        }
        let op = self.op(&step.id, &node, attempt);
        let intent = Event::StepIntended { step: step.id.clone(), op: op.clone(), attempt, node: node.clone() };
        self.emit(turn, ENGINE, intent, now);
        self.live.ops.insert(op.clone());
        turn.effects.push(Effect::Run { op, node, script, more: BTreeMap::new(), slow: step.expected > SLOW });
    }

    /// The machines a step is for: one that answers, where any will do.
    fn machines_of_step(&self, step: &Step) -> Vec<NodeName> {
        let plan = &self.state.plan;
        match step.on {
            Place::EachNode => plan.nodes.clone(),
            Place::Everywhere => plan.machines().cloned().collect(),
            Place::Coordinator => plan.coordinator.iter().cloned().collect(),
            Place::AnyNode => {
                let run = self.state.run.as_ref();
                let on = run.and_then(|r| r.steps.get(&step.id)).and_then(|s| s.on.iter().next());
                match on.filter(|(_, p)| p.op.is_some() || p.done.is_some()) {
                    Some((node, _)) => vec![node.clone()],
                    None => self.state.any_node(&[]).into_iter().collect(),
                }
            }
        }
    }

    fn part(&self, step: &Step, machine: &NodeName) -> Part {
        let run = self.state.run.as_ref();
        let known = run.and_then(|r| r.steps.get(&step.id));
        // On another machine than before it is a new attempt too.
        let any = !matches!(step.on, Place::EachNode | Place::Everywhere);
        let attempt = known.filter(|_| any).map_or(0, |s| s.attempt);
        let fresh = || Part { attempt, ..Part::default() };
        known.and_then(|s| s.on.get(machine)).cloned().unwrap_or_else(fresh)
    }

    fn what_was_done(&self, step: &Step) -> String {
        let known = self.state.run.as_ref().and_then(|r| r.steps.get(&step.id));
        let said: Vec<(&NodeName, &str)> = known
            .into_iter()
            .flat_map(|s| &s.on)
            .filter_map(|(n, p)| Some((n, p.done.as_ref()?.value.as_str())))
            .collect();
        match said.as_slice() {
            [(_, one)] => (*one).to_owned(),
            [(_, first), rest @ ..] if rest.iter().all(|(_, s)| s == first) => (*first).to_owned(),
            several => several.iter().map(|(n, s)| format!("{n}: {s}")).collect::<Vec<_>>().join("; "),
        }
    }

    pub(super) fn step_ended(&mut self, turn: &mut Turn, step: &Step, ok: bool, message: &str, now: Timestamp) {
        let ended = Event::StepEnded { step: step.id.clone(), ok, message: message.to_owned() };
        self.emit(turn, ENGINE, ended, now);
        match self.state.phase {
            // A clean-up after the end: it is tried again.
            Phase::Finalising => {}
            Phase::Stopping => self.stopped(turn, ENGINE, now),
            Phase::Pausing if ok => {
                self.between_steps(turn, now);
            }
            _ if ok => {}
            _ => {
                let why = format!("{}: {message}", step.title);
                self.phase(turn, ENGINE, Phase::Paused(PauseReason::NeedsDecision), &why, now);
            }
        }
    }

    pub(super) fn turn_at(&self) -> Timestamp {
        self.state.run.as_ref().map_or(Timestamp::MIN, |r| r.turn_at)
    }

    /// When a step that is a script is looked at again.
    pub(super) fn next_in_steps(&self) -> Option<Timestamp> {
        use Phase::{Finalising, Pausing, Running, Stopping};
        let under_way = matches!(self.state.phase, Running | Pausing | Stopping | Finalising);
        let step = self.state.current_step().filter(|_| under_way).and_then(|s| self.state.plan.step(s))?;
        if step.kind != StepKind::Do {
            return None;
        }
        let known = self.state.run.as_ref()?.steps.get(&step.id);
        if let Some(failed) = known.and_then(|s| s.ended.as_ref()) {
            return Some(after(failed.at, CLEAN_UP_EVERY));
        }
        let keys: Vec<ReadKey> = match &step.items {
            Some(items) => self.keys_of_group(&items.facts),
            None => self.machines_of_step(step).iter().flat_map(|m| self.probe_keys(step, m)).collect(),
        };
        let looked =
            keys.iter().filter_map(|k| self.state.reads.get(k)).filter(|r| !r.is_open()).filter_map(|r| r.at);
        looked.max().map(|at| after(at, LOOK_EVERY))
    }
}
