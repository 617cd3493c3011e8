//! Health: what is read again and again, whoever asks or not. A poll that found nothing new is a pulse, not an event.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{Decider, Effect, Followed, Poll, Pulse, Turn, after};
use crate::core::event::{Answer, ENGINE, Event, ReadKey};
use crate::core::name::{NodeName, OpId};
use crate::core::plan::{LogFrom, LogSource, Stage};
use crate::core::progress::Measure;
use crate::core::run::Phase;
use crate::core::view::{ClusterView, DriverReport, DriverView, HostView, RolesView, StorageView};

/// Bytes that must have been copied before a sample of the storage repair is worth a record.
const SAMPLE_BYTES: u64 = 1 << 30;

/// Source of the lines that a detached operation says, and the seconds between two looks at them.
const TASK: &str = "task";
const TASK_EVERY: u64 = 10;

impl Decider {
    pub(super) fn host_key(&self, node: &NodeName) -> ReadKey {
        ReadKey { group: self.state.plan.driver.host.clone(), node: Some(node.clone()) }
    }

    pub(super) fn driver_key(&self) -> ReadKey {
        ReadKey { group: self.state.plan.driver.state.clone(), node: None }
    }

    pub(super) fn report_key(&self) -> ReadKey {
        ReadKey { group: self.state.plan.driver.report.clone(), node: None }
    }

    /// What is polled now, and every how many seconds.
    fn schedule(&self, now: Timestamp) -> Vec<(ReadKey, u64)> {
        let d = &self.state.plan.driver;
        let busy = self.state.phase.is_under_way() || self.state.open_sequence().is_some();
        let fast = if busy { d.every } else { d.idle_every };
        let any = |group: &str| ReadKey { group: group.to_owned(), node: None };
        let mut out = vec![(any(&d.cluster), fast), (any(&d.storage), fast), (any(&d.state), fast)];
        for node in self.state.plan.machines() {
            let in_work = self.state.unit(node).is_some_and(|u| u.state.in_work());
            out.push((self.host_key(node), if in_work { d.every } else { d.idle_every * 2 }));
        }
        let draining =
            self.state.plan.nodes.iter().any(|n| {
                self.state.unit(n).is_some_and(|u| u.state.stage() == Stage::Draining || u.drain_failed())
            });
        if let Some(roles) = d.roles.as_ref().filter(|_| draining) {
            out.push((any(roles), d.every));
        }
        if self.wants_report() {
            out.push((self.report_key(), d.every));
        }
        out.extend(self.baseline_polls(now));
        for (key, every) in self.sequence_polls().into_iter().chain(self.gate_polls()) {
            match out.iter_mut().find(|(k, _)| *k == key) {
                Some((_, known)) => *known = every.min(*known),
                None => out.push((key, every)),
            }
        }
        out
    }

    /// The driver is idle after our start and its report has not been seen.
    fn wants_report(&self) -> bool {
        let Some(run) = &self.state.run else {
            return false;
        };
        let idle = self.state.driver.as_ref().is_some_and(|d| d.value.is_idle() && d.at > run.started_at);
        let under_way =
            matches!(self.state.phase, Phase::Running | Phase::Pausing | Phase::Stopping | Phase::Recovering);
        // A driver that went on while the run was paused says there how its nodes ended.
        let left = matches!(self.state.phase, Phase::Paused(_))
            && self.state.handed_over().is_some_and(|s| s.op.is_some() && s.ended.is_none());
        (under_way || left) && idle && self.own_report().is_none()
    }

    /// The report of the attempt that is going on or has just ended.
    pub(super) fn own_report(&self) -> Option<&DriverReport> {
        let intended = self.delegate_intended_at()?;
        let report = &self.state.report.as_ref()?.value;
        // The driver stamps by its own clock: a minute of skew is forgiven, an older run is not taken for ours.
        let started = report.started_utc?;
        (report.present && started.duration_since(intended).as_secs() > -60).then_some(report)
    }

    pub(super) fn send_polls(&mut self, turn: &mut Turn, now: Timestamp) {
        for (key, every) in self.schedule(now) {
            let Some(node) = self.poll_node(&key) else {
                continue;
            };
            let Some(group) = self.state.plan.fact_group(&key.group) else {
                continue;
            };
            let (script, slow) = (group.script.clone(), group.slow);
            let poll = self.live.polls.entry(key.clone()).or_default();
            if poll.sent_at.is_some() || poll.last.is_some_and(|l| after(l, every) > now) {
                continue;
            }
            poll.sent_at = Some(now);
            poll.last = Some(now);
            turn.effects.push(Effect::Read { key, attempt: 0, node, script, slow });
        }
        self.send_tails(turn, now);
    }

    /// The next poll of these facts is due at once.
    pub(super) fn poll_now(&mut self, key: &ReadKey) {
        if let Some(poll) = self.live.polls.get_mut(key) {
            poll.last = None;
        }
    }

    fn poll_node(&self, key: &ReadKey) -> Option<NodeName> {
        match &key.node {
            Some(node) => self.state.connection(node).is_ready().then(|| node.clone()),
            None => {
                let avoid = self.live.polls.get(key).and_then(|p| p.avoid.clone());
                self.state.any_node(avoid.as_slice())
            }
        }
    }

    fn send_tails(&mut self, turn: &mut Turn, now: Timestamp) {
        let live_now = self.state.run.is_some() && !self.state.phase.is_terminal();
        if !live_now {
            return;
        }
        let plan = self.state.plan.clone();
        for log in &plan.logs {
            for node in self.keys_of_log(log.on).into_iter().filter(|n| self.is_read(log, n)).collect::<Vec<_>>() {
                let source = log.id.clone();
                let Some(after) = self.tail_due(&source, &node, log.every, now) else { continue };
                turn.effects.push(match &log.from {
                    LogFrom::Script(script) => Effect::Tail { source, node, script: script.clone(), after },
                    LogFrom::File { path, format, percent } => {
                        let (path, percent) = (path.clone(), percent.clone());
                        let file = Followed::File { path, format: *format, percent };
                        Effect::Follow { source, node, file }
                    }
                });
            }
        }
        if let Some((op, node)) = self.task()
            && self.tail_due(TASK, &node, TASK_EVERY, now).is_some()
        {
            turn.effects.push(Effect::Follow { source: TASK.to_owned(), node, file: Followed::Operation(op) });
        }
    }

    /// A file on a node is of interest while the node is in work.
    fn is_read(&self, log: &LogSource, node: &NodeName) -> bool {
        matches!(log.from, LogFrom::Script(_)) || self.state.unit(node).is_none_or(|u| u.state.in_work())
    }

    /// The detached operation that was started last, and its machine.
    fn task(&self) -> Option<(OpId, NodeName)> {
        if let Some(action) = self.detached_action() {
            return Some(action);
        }
        let detached = |id: &str| self.state.plan.step(id).is_some_and(|s| s.detached);
        let steps = self.state.run.iter().flat_map(|r| &r.steps).filter(|(id, _)| detached(id)).map(|(_, s)| s);
        let started = steps.filter(|s| s.started_at.is_some() && s.op.is_some()).max_by_key(|s| s.intended_at)?;
        Some((started.op.clone()?, started.node.clone()?))
    }

    /// Where a log goes on, where it is time to read it; it is then under way.
    fn tail_due(&mut self, source: &str, node: &NodeName, every: u64, now: Timestamp) -> Option<Json> {
        if !self.state.connection(node).is_ready() {
            return None;
        }
        let tail = self.live.tails.entry((source.to_owned(), node.clone())).or_default();
        if tail.in_flight || tail.last.is_some_and(|l| after(l, every) > now) {
            return None;
        }
        tail.in_flight = true;
        tail.last = Some(now);
        Some(tail.after.clone())
    }

    fn keys_of_log(&self, place: crate::core::plan::Place) -> Vec<NodeName> {
        use crate::core::plan::Place;
        let plan = &self.state.plan;
        match place {
            Place::EachNode => plan.nodes.clone(),
            Place::Everywhere => plan.machines().cloned().collect(),
            Place::Coordinator => plan.coordinator.iter().cloned().collect(),
            Place::AnyNode => self.state.any_node(&[]).into_iter().collect(),
        }
    }

    /// When the next poll is due.
    pub(super) fn next_poll(&self, now: Timestamp) -> Option<Timestamp> {
        let polls = self.schedule(now).into_iter().filter_map(|(key, every)| {
            self.poll_node(&key)?;
            let poll = self.live.polls.get(&key);
            match poll {
                Some(Poll { sent_at: Some(_), .. }) => None,
                Some(Poll { last: Some(last), .. }) => Some(after(*last, every)),
                _ => Some(now),
            }
        });
        let task = self.task();
        let tails = self.live.tails.iter().filter_map(|((source, node), tail)| {
            let ready = self.state.connection(node).is_ready() && !tail.in_flight;
            let on = self.state.run.is_some() && !self.state.phase.is_terminal();
            let every = match self.state.plan.logs.iter().find(|l| l.id == *source) {
                Some(log) if self.is_read(log, node) => log.every,
                Some(_) => return None,
                None => task.as_ref().filter(|(_, n)| n == node).map(|_| TASK_EVERY)?,
            };
            (ready && on).then(|| after(tail.last.unwrap_or(now), every))
        });
        polls.chain(tails).chain(self.next_observation()).min()
    }

    pub(super) fn polled(
        &mut self,
        turn: &mut Turn,
        key: ReadKey,
        node: NodeName,
        answer: Answer,
        now: Timestamp,
    ) {
        let poll = self.live.polls.entry(key.clone()).or_default();
        let asked = poll.sent_at.take().unwrap_or(now);
        let ok = matches!(answer, Answer::Facts(_));
        if ok {
            poll.fresh = Some(now);
            poll.asked = Some(asked);
            poll.failures = 0;
            poll.avoid = None;
        } else {
            poll.failures += 1;
            poll.avoid = Some(node.clone());
        }
        if let Answer::Facts(json) = &answer {
            self.note_view(turn, &key, json, now);
        }
        if let Answer::Failed(failure) = &answer {
            self.not_compared(turn, &key, failure, now);
        }
        if self.gate_polls().iter().any(|(k, _)| *k == key) {
            self.live.observed.insert(key.clone(), (asked, answer.clone()));
        }
        if self.sequence_polls().iter().any(|(k, _)| *k == key) {
            self.live.evidence.insert(key.clone(), (asked, answer));
        }
        turn.pulses.push(Pulse { key, node, at: now, ok });
    }

    /// Last time a poll or a read of these facts gave an answer.
    pub(super) fn fresh_at(&self, key: &ReadKey) -> Option<Timestamp> {
        self.live.polls.get(key)?.fresh
    }

    /// Whether these facts were polled after a time, and answered.
    pub(super) fn asked_since(&self, key: &ReadKey, since: Option<Timestamp>) -> bool {
        self.live.polls.get(key).is_some_and(|p| p.asked.is_some() && p.asked >= since)
    }

    /// What a record says about nodes, storage or the run, where it says something new.
    pub(super) fn note_view(&mut self, turn: &mut Turn, key: &ReadKey, json: &Json, now: Timestamp) {
        self.live.polls.entry(key.clone()).or_default().fresh = Some(now);
        let d = self.state.plan.driver.clone();
        if key.group == d.cluster
            && let Ok(view) = serde_json::from_value::<ClusterView>(json.clone())
        {
            for node in view.nodes {
                let known = self.state.machines.get(&node.name).and_then(|m| m.cluster.as_ref());
                if known.is_none_or(|k| k.value != node) {
                    self.emit(turn, ENGINE, Event::ClusterSeen { node }, now);
                }
            }
        } else if key.group == d.host
            && let (Some(node), Ok(host)) = (&key.node, serde_json::from_value::<HostView>(json.clone()))
        {
            let known = self.state.machines.get(node).and_then(|m| m.host.as_ref());
            if known.is_none_or(|k| !same_host(&k.value, &host)) {
                self.emit(turn, ENGINE, Event::HostSeen { node: node.clone(), host }, now);
            }
        } else if key.group == d.storage
            && let Ok(view) = serde_json::from_value::<StorageView>(json.clone())
        {
            if self.live.copied.is_none_or(|(left, _)| left != view.bytes_left) {
                self.live.copied = Some((view.bytes_left, now));
            }
            match &self.state.storage {
                Some(s) if s.value.same_shape(&view) => {
                    if s.value.bytes_left.abs_diff(view.bytes_left) >= SAMPLE_BYTES {
                        let sample = Event::StorageSampled { bytes_left: view.bytes_left, jobs: view.jobs };
                        self.emit(turn, ENGINE, sample, now);
                    }
                }
                _ => self.emit(turn, ENGINE, Event::StorageSeen { view }, now),
            }
        } else if key.group == d.state
            && let Ok(view) = serde_json::from_value::<DriverView>(json.clone())
        {
            // The same words again are news right after a start: they then speak of this run.
            let stale = self.state.driver.as_ref().is_none_or(|s| {
                s.value != view || self.state.run.as_ref().is_some_and(|r| s.at <= last_intent(r))
            });
            if stale {
                self.emit(turn, ENGINE, Event::DriverSeen { view }, now);
            }
        } else if d.roles.as_ref() == Some(&key.group)
            && let Ok(view) = serde_json::from_value::<RolesView>(json.clone())
        {
            for node in self.state.plan.nodes.clone() {
                let Some(unit) = self.state.unit(&node) else { continue };
                let (draining, roles) = (unit.state.stage() == Stage::Draining, view.names_on(&node));
                if unit.drain_failed() && unit.roles_left != roles {
                    self.emit(turn, ENGINE, Event::RolesLeft { node: node.clone(), roles }, now);
                }
                if draining {
                    let left = Measure::RolesLeft(view.on(&node));
                    self.measured(turn, node, left, now);
                }
            }
        } else if key.group == d.report
            && let Ok(report) = serde_json::from_value::<DriverReport>(json.clone())
            && self.state.report.as_ref().is_none_or(|s| s.value != report)
        {
            self.emit(turn, ENGINE, Event::ReportSeen { report }, now);
        } else {
            self.compare(turn, key, json, now);
        }
    }
}

/// The last time something was asked of the driver.
fn last_intent(run: &crate::core::state::Run) -> Timestamp {
    run.steps.values().filter_map(|s| s.intended_at).max().unwrap_or(run.started_at)
}

/// Two answers of a host that differ in its clock only say the same.
fn same_host(a: &HostView, b: &HostView) -> bool {
    HostView { now_utc: b.now_utc, ..a.clone() } == *b
}
