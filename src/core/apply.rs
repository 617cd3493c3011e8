//! The fold. Total and pure: no clock, no I/O, no failure. An event about something unknown changes nothing.

use std::collections::BTreeMap;

use std::sync::Arc;

use super::connection::Connection;
use super::control::Seats;
use super::digest::FORM;
use super::event::{Answer, Event, ReadKey, Stamped, VerdictKey, Waiting};
use super::gate_rules::Judged;
use super::hooks::{HookEnd, HookRun};
use super::items::Item;
use super::keeping::Keeping;
use super::name::NodeName;
use super::plan::{Place, Stage, StepKind};
use super::progress::Progress;
use super::recovery::Recovery;
use super::run::{PauseReason, Phase, UnitState};
use super::sequence::{Halt, SequenceRun, Wish};
use super::state::{
    Attestation, CheckState, CommitAsked, CommitState, Ending, FixState, HISTORY, Machine, Part, Passage,
    ProofState, Run, Seen, State, StepEnd, Unit, Violation,
};
use super::view::DriverView;

impl State {
    /// What follows from one more event.
    pub fn apply(&mut self, stamped: &Stamped) {
        let at = stamped.at;
        match &stamped.event {
            Event::EngineStarted(_) => self.interrupted = self.interruption(at),
            Event::Resumed { .. } | Event::SequenceResumed => self.interrupted = None,
            _ => {}
        }
        self.seq = stamped.seq;
        self.at = Some(at);
        match &stamped.event {
            Event::EngineStarted(info) => {
                self.engine = Some(info.clone());
                // Whoever looked was with the engine before.
                self.seats = Seats::default();
                self.keeping = Keeping::Fine;
                // Whether it ran nobody knows: it is never run again on doubt.
                for hook in self.hooks.iter_mut().filter(|h| h.ended.is_none()) {
                    let message = "the engine ended while it ran: whether it did its work is not known".to_owned();
                    hook.ended = Some(Seen { at, value: HookEnd { ok: false, message } });
                }
                // What was under way is looked at first; a person says when it goes on (run-safety-model 8).
                if let Some(s) = self.sequence.as_mut().filter(|s| s.is_open() && s.paused.is_none()) {
                    let why = "the engine was restarted".to_owned();
                    let halt = Halt { reason: PauseReason::Recovered, why, failed: false };
                    s.paused = Some(Seen { at, value: halt });
                }
            }
            Event::StateHashed { form, sha256 } => {
                let same = *form != FORM || *sha256 == self.digest();
                if !same && self.diverged.is_none() {
                    self.diverged = Some(stamped.seq);
                    self.written_by = self.engine.as_ref().map(|e| e.version.clone());
                }
            }
            Event::ViewerCame { viewer, seat } => {
                self.seats.seats.insert(*viewer, seat.clone());
            }
            Event::ViewerGone { viewer } => self.seats.leave(*viewer),
            Event::ControlOffered { open } => self.seats.offered = *open,
            Event::ControlMoved { to, .. } => self.seats.give(*to),
            Event::JournalSeen(keeping) => self.keeping = keeping.clone(),
            Event::PlanSealed(sealed) => self.plan_sha256 = Some(sealed.plan_sha256.clone()),
            Event::PlanRevised { revision, plan_sha256, settings } => {
                self.plan = Arc::new(self.plan.with(settings));
                self.plan_sha256 = Some(plan_sha256.clone());
                self.revision = *revision;
            }
            Event::ConnectionChanged { node, connection } => {
                if let Some(m) = self.machines.get_mut(node) {
                    // Another reason for the same silence does not begin it anew.
                    let silent = |c: &Connection| matches!(c, Connection::Trouble(_));
                    if !silent(&m.connection) || !silent(connection) {
                        m.connection_since = Some(at);
                    }
                    m.connection = connection.clone();
                }
            }

            Event::ReadsWanted { keys, .. } => {
                for key in keys {
                    let read = self.reads.entry(key.clone()).or_default();
                    read.wanted = read.wanted.max(read.done) + u32::from(!read.is_open());
                }
            }
            Event::FactsAsked { key, asked, .. } => {
                let read = self.reads.entry(key.clone()).or_default();
                read.asked_at = Some(at);
                read.asked = Some(asked.clone());
                read.person = None;
            }
            Event::PersonAwaited { of, text, .. } => {
                let person = match of {
                    Waiting::Read(key) => self.reads.get_mut(key).filter(|r| r.is_open()).map(|r| &mut r.person),
                    Waiting::Operation(op) => {
                        self.fixes.get_mut(op).filter(|f| f.answer.is_none()).map(|f| &mut f.person)
                    }
                };
                if let Some(person) = person {
                    *person = Some(text.clone());
                }
            }
            Event::FactsRead { key, attempt, asked, took_ms, answer } => {
                let read = self.reads.entry(key.clone()).or_default();
                read.done = *attempt;
                read.wanted = read.wanted.max(*attempt);
                read.asked_at = None;
                read.asked = Some(asked.clone());
                read.answer = Some(answer.clone());
                read.at = Some(at);
                read.seq = stamped.seq;
                read.took_ms = *took_ms;
                read.person = None;
                self.note_configuration(key, answer, at);
            }
            Event::BaselineCompared { node, comparison } => {
                if let Some(run) = &mut self.run {
                    let known = run.configurations.entry(node.clone()).or_default();
                    known.compared = Some(Seen { at, value: comparison.clone() });
                    known.seq = stamped.seq;
                }
            }
            Event::ChangesAccepted { node, changes, reason } => {
                if let Some(run) = &mut self.run {
                    run.configurations.entry(node.clone()).or_default().accept(stamped, changes, reason);
                }
            }
            Event::CheckJudged { key, verdict } => {
                let check = self.checks.entry(key.clone()).or_default();
                check.seq = stamped.seq;
                if let Some(old) = check.current.replace(Seen { at, value: verdict.clone() }) {
                    check.history.push(old);
                    if check.history.len() > HISTORY {
                        check.history.remove(0);
                    }
                }
            }
            Event::ChecksEnded { .. } => {}
            Event::Waived(waiver) => {
                self.waivers.retain(|w| w.key != waiver.key);
                self.waivers.push(waiver.clone());
            }

            Event::Attested(a) => {
                let (by, note) = (stamped.actor.clone(), a.note.clone());
                self.attested.insert(a.key.clone(), Attestation { by, at, seq: stamped.seq, note });
            }

            Event::FixIntended { op, key, node } => {
                let check = self.check_mut(key);
                check.fixing = Some(op.clone());
                check.fix_error = None;
                self.fixes.insert(
                    op.clone(),
                    FixState {
                        key: key.clone(),
                        node: node.clone(),
                        intended_at: at,
                        by: stamped.actor.clone(),
                        answer: None,
                        person: None,
                    },
                );
            }
            Event::FixEnded { op, answer, .. } => {
                let Some(fix) = self.fixes.get_mut(op) else {
                    return;
                };
                fix.answer = Some(answer.clone());
                fix.person = None;
                let key = fix.key.clone();
                let check = self.check_mut(&key);
                check.fixing = None;
                check.fix_error = match answer {
                    Answer::Facts(_) => None,
                    Answer::Failed(f) => Some(f.message.clone()),
                };
            }

            Event::SequenceStarted { sequence, nodes, step } => {
                let started = SequenceRun::new(sequence, nodes, &stamped.actor, stamped.seq, at);
                self.sequence = Some(SequenceRun { step: step.clone(), ..started });
            }
            Event::ActionIntended { action, op, attempt, boot, .. } => {
                if let Some(a) = self.sequence.as_mut().and_then(|s| s.current(action)) {
                    a.attempt = *attempt;
                    a.op = Some(op.clone());
                    a.boot = *boot;
                    a.intended_at = Some(at);
                    a.answer = None;
                }
            }
            Event::ActionAnswered { op, answer, .. } => {
                let known = self.sequence.as_mut().map(|s| s.actions.values_mut().flat_map(|a| a.values_mut()));
                if let Some(a) = known.into_iter().flatten().find(|a| a.op.as_ref() == Some(op)) {
                    a.answer = Some(answer.clone());
                    a.answered_at = Some(at);
                }
            }
            Event::GateJudged { node, items, twice } => {
                self.gates = Some(Judged::after(self.gates.as_ref(), node, items, *twice, at));
            }
            Event::GateSeen { node, action, items } => {
                if items.iter().any(|i| i.gate.is_some()) {
                    self.gates = Some(Judged::after(self.gates.as_ref(), node, items, false, at));
                }
                if let Some(a) = self.sequence.as_mut().and_then(|s| s.current(action)) {
                    a.open_since = items.iter().all(|i| i.holds).then(|| a.open_since.unwrap_or(at));
                    a.gate.clone_from(items);
                    a.gate_at = Some(at);
                }
            }
            Event::ActionEnded { action, message, .. } => {
                if let Some(judged) = self.gates.as_mut().filter(|j| j.open_since.is_some()) {
                    judged.twice = true;
                }
                let Some(s) = &mut self.sequence else { return };
                if let Some(a) = s.current(action) {
                    a.ended = Some(Seen { at, value: message.clone() });
                }
                let actions = self.plan.sequence(&s.id).map_or(0, |p| p.actions.len());
                s.step_on(actions, at);
            }
            Event::SequencePaused(halt) => {
                if let Some(s) = &mut self.sequence {
                    s.paused = Some(Seen { at, value: halt.clone() });
                }
            }
            Event::SequenceAsked { wish } => {
                if let Some(s) = &mut self.sequence {
                    // Paused in the middle of a node: what was done to it is taken back, nothing else.
                    if *wish == Wish::Stop && s.paused.is_some() {
                        s.leaving = s.action > 0;
                        if let Some(p) = self.plan.sequence(&s.id) {
                            s.again(p, at);
                        }
                    }
                    s.asked = Some(*wish);
                }
            }
            Event::SequenceResumed => {
                if let Some(s) = &mut self.sequence
                    && let Some(p) = self.plan.sequence(&s.id)
                {
                    s.go_on(p, at);
                }
            }
            Event::SequenceEnded { ok, message } => {
                self.gates = None;
                if let Some(s) = &mut self.sequence {
                    s.paused = None;
                    s.ended = Some(Seen { at, value: StepEnd { ok: *ok, message: message.clone() } });
                }
            }

            Event::HookIntended { node, when, cause, op, .. } => {
                let (node, when, cause, op) = (node.clone(), *when, *cause, op.clone());
                self.hooks.push(HookRun { node, when, cause, op, at, ended: None });
            }
            Event::HookEnded { op, end } => {
                if let Some(hook) = self.hooks.iter_mut().find(|h| &h.op == op) {
                    hook.ended = Some(Seen { at, value: end.clone() });
                }
            }

            Event::StartAsked => self.start_asked = Some(stamped.actor.clone()),
            Event::PhaseChanged { to, why } => {
                // What came out of the checks decides: the wish does not outlive it.
                if !matches!(to, Phase::Checking | Phase::Ready) {
                    self.start_asked = None;
                }
                self.phase = to.clone();
                self.phase_since = Some(at);
                self.phase_why = why.clone();
            }
            Event::StartIntended { baseline } => {
                (self.start_asked, self.gates) = (None, None);
                let units = self.plan.nodes.iter().map(|n| (n.clone(), Unit::default())).collect();
                self.run = Some(Run {
                    started_at: at,
                    started_by: stamped.actor.clone(),
                    baseline: baseline.clone(),
                    configurations: Default::default(),
                    steps: Default::default(),
                    units,
                    first_error: None,
                    stopping: None,
                    recovery: None,
                    pausing: None,
                    doomed: None,
                    violations: Vec::new(),
                    commits: Default::default(),
                    turn_at: at,
                    turn_seq: stamped.seq,
                    ending: None,
                    ended_at: None,
                    left_behind: Vec::new(),
                    message: String::new(),
                });
            }
            Event::StepIntended { step, op, attempt, node } => {
                let planned = self.plan.step(step);
                let everywhere = planned.is_some_and(|s| matches!(s.on, Place::EachNode | Place::Everywhere));
                let drives = planned.is_some_and(|s| s.kind.moves_nodes());
                let Some(run) = &mut self.run else { return };
                let s = run.steps.entry(step.clone()).or_default();
                let before = std::mem::take(s);
                s.attempt = before.attempt.max(*attempt);
                s.op = Some(op.clone());
                s.node = Some(node.clone());
                s.intended_at = Some(at);
                if planned.is_some_and(|s| s.kind == StepKind::Do) {
                    s.intended_at = before.intended_at.or(Some(at));
                    s.on = if everywhere { before.on } else { BTreeMap::new() };
                    let (attempt, op) = (*attempt, Some(op.clone()));
                    let part = Part { attempt, op, intended_at: Some(at), seq: stamped.seq, ..Part::default() };
                    s.on.insert(node.clone(), part);
                }
                run.stopping = None;
                // A new attempt: nodes that were cut short wait again; proved ones stay.
                for unit in run.units.values_mut().filter(|u| drives && !u.state.is_good()) {
                    unit.enter(UnitState::Pending, at, "waits for its turn");
                }
            }
            Event::StepAnswered { op, answer, .. } => {
                let run = self.run.as_mut();
                let mut parts = run.into_iter().flat_map(|r| r.steps.values_mut()).flat_map(|s| s.on.values_mut());
                if let Some(part) = parts.find(|p| p.op.as_ref() == Some(op)) {
                    (part.answer, part.seq) = (Some(answer.clone()), stamped.seq);
                }
                let steps = self.run.iter_mut().flat_map(|r| r.steps.values_mut());
                let mut items = steps.flat_map(|s| s.items.iter_mut().flatten());
                if let Some(item) = items.find(|i| i.part.op.as_ref() == Some(op)) {
                    (item.part.answer, item.part.seq) = (Some(answer.clone()), stamped.seq);
                }
            }
            Event::ItemsNoted { step, items } => {
                let Some(run) = &mut self.run else { return };
                let known = run.steps.entry(step.clone()).or_default();
                known.items = Some(items.iter().map(Item::new).collect());
                known.intended_at.get_or_insert(at);
            }
            Event::ItemsDecided { step, choices } => {
                for item in self.items_mut(step) {
                    if let Some(choice) = choices.get(&item.noted.name) {
                        item.decide(*choice);
                    }
                }
            }
            Event::ItemIntended { step, item, op, attempt, .. } => {
                let known = self.run.as_mut().and_then(|r| r.steps.get_mut(step));
                if let Some(s) = known {
                    s.attempt = s.attempt.max(*attempt);
                }
                if let Some(item) = self.items_mut(step).find(|i| &i.noted.name == item) {
                    let (attempt, op) = (*attempt, Some(op.clone()));
                    item.part = Part { attempt, op, intended_at: Some(at), seq: stamped.seq, ..Part::default() };
                }
            }
            Event::ItemDone { step, item, message, .. } => {
                if let Some(item) = self.items_mut(step).find(|i| &i.noted.name == item) {
                    item.part.done = Some(Seen { at, value: message.clone() });
                }
            }
            Event::ItemStuck { step, item, why } => {
                if let Some(item) = self.items_mut(step).find(|i| &i.noted.name == item) {
                    item.stuck = Some(why.clone());
                }
            }
            Event::StepDone { step, node, message } => {
                let Some(run) = &mut self.run else { return };
                let part = run.steps.entry(step.clone()).or_default().on.entry(node.clone()).or_default();
                part.done = Some(Seen { at, value: message.clone() });
            }
            Event::StepConfirmed { step, note } => {
                let Some(run) = &mut self.run else { return };
                let note = if note.is_empty() { String::new() } else { format!(": {note}") };
                let message = format!("confirmed by {}{note}", stamped.actor);
                run.steps.entry(step.clone()).or_default().ended =
                    Some(Seen { at, value: StepEnd { ok: true, message } });
                (run.turn_at, run.turn_seq) = (at, stamped.seq);
            }
            Event::StepStarted { step, .. } => {
                if let Some(s) = self.run.as_mut().and_then(|r| r.steps.get_mut(step)) {
                    s.started_at = Some(at);
                }
            }
            Event::OpSeen { op, verdict } => {
                let Some(run) = &mut self.run else { return };
                let seen = Some(Seen { at, value: verdict.clone() });
                if let Some(s) = run.steps.values_mut().find(|s| s.op.as_ref() == Some(op)) {
                    s.seen = seen;
                } else if let Some(r) = run.recovery.as_mut().filter(|r| &r.op == op) {
                    r.seen = seen;
                }
                let known = self.sequence.as_mut().map(|s| s.actions.values_mut().flat_map(|a| a.values_mut()));
                if let Some(a) = known.into_iter().flatten().find(|a| a.op.as_ref() == Some(op)) {
                    a.seen = Some(Seen { at, value: verdict.clone() });
                }
            }
            Event::StepEnded { step, ok, message } => {
                let Some(run) = &mut self.run else { return };
                let s = run.steps.entry(step.clone()).or_default();
                s.ended = Some(Seen { at, value: StepEnd { ok: *ok, message: message.clone() } });
                run.stopping = None;
                (run.turn_at, run.turn_seq) = (at, stamped.seq);
                if !ok {
                    run.first_error.get_or_insert(Seen { at, value: message.clone() });
                }
            }

            Event::ClusterSeen { node } => {
                if let Some(m) = self.machines.get_mut(&node.name) {
                    m.cluster = Some(Seen { at, value: node.clone() });
                }
            }
            Event::HostSeen { node, host } => {
                let Some(m) = self.machines.get_mut(node) else {
                    return;
                };
                let booted = m.host.as_ref().is_some_and(|old| rebooted(&old.value, host));
                m.host = Some(Seen { at, value: host.clone() });
                if booted && let Some(unit) = self.unit_mut(node) {
                    unit.boots += 1;
                }
            }
            Event::StorageSeen { view } => self.storage = Some(Seen { at, value: view.clone() }),
            Event::StorageSampled { bytes_left, jobs } => {
                if let Some(s) = &mut self.storage {
                    s.value.bytes_left = *bytes_left;
                    s.value.jobs.clone_from(jobs);
                }
            }
            Event::RecoveryIntended { op, node, reason, .. } => {
                let (op, node, reason, by) = (op.clone(), node.clone(), reason.clone(), stamped.actor.clone());
                if let Some(run) = &mut self.run {
                    run.recovery = Some(Recovery { op, node, at, by, reason, seen: None, ended: None });
                }
            }
            Event::RecoveryEnded { op, ok, message } => {
                let recovery = self.run.as_mut().and_then(|r| r.recovery.as_mut()).filter(|r| &r.op == op);
                if let Some(r) = recovery {
                    r.ended = Some(Seen { at, value: StepEnd { ok: *ok, message: message.clone() } });
                }
            }
            Event::DriverSeen { view } => self.driver_seen(view, at),
            Event::ReportSeen { report } => {
                if let Some(run) = &mut self.run
                    && let Some(value) = report.first_failing(run.started_at)
                {
                    run.first_error.get_or_insert(Seen { at, value });
                }
                self.report = Some(Seen { at, value: report.clone() });
            }
            Event::UnitChanged { node, to, why } => {
                if let Some(unit) = self.unit_mut(node) {
                    unit.enter(*to, at, why);
                }
                if matches!(to, UnitState::Failed | UnitState::RolledBack | UnitState::DrainFailed)
                    && let Some(run) = &mut self.run
                {
                    run.first_error.get_or_insert(Seen { at, value: format!("{node}: {why}") });
                }
            }

            Event::UnitProgressed { node, measure } => {
                if let Some(unit) = self.unit_mut(node) {
                    unit.progress.take(*measure, at);
                }
            }
            Event::RolesLeft { node, roles } => {
                if let Some(unit) = self.unit_mut(node) {
                    unit.roles_left = roles.clone();
                }
            }
            Event::UnitStalled { node, quiet } => {
                if let Some(unit) = self.unit_mut(node) {
                    unit.progress.stalled = (!quiet.is_empty()).then(|| Seen { at, value: quiet.clone() });
                }
            }
            Event::RunDoomed { why } => {
                if let Some(run) = &mut self.run {
                    run.first_error.get_or_insert(Seen { at, value: why.clone() });
                    run.doomed = Some(Seen { at, value: why.clone() });
                }
            }
            Event::GateViolated { node, gates } => {
                if let Some(run) = &mut self.run {
                    run.violations.push(Violation { at, node: node.clone(), gates: gates.clone() });
                }
            }
            Event::PauseRequested { op, .. } | Event::StopIntended { op } => {
                if let (Some(run), Event::PauseRequested { reason, .. }) = (&mut self.run, &stamped.event) {
                    run.pausing = Some(reason.clone());
                }
                if let Some(run) = &mut self.run {
                    run.stopping = Some(op.clone());
                }
            }
            Event::DriverStopAnswered { answer, .. } => {
                if let (Some(run), Answer::Failed(_)) = (&mut self.run, answer) {
                    run.stopping = None;
                }
            }
            Event::Resumed { step } => {
                let Some(run) = &mut self.run else { return };
                (run.turn_at, run.turn_seq) = (at, stamped.seq);
                if let Some(s) = step.as_ref().and_then(|s| run.steps.get_mut(s)) {
                    s.again();
                }
            }

            Event::ProofAsked { step } => {
                self.proofs.entry(step.clone()).or_default().asked_at = Some(at);
            }
            Event::ProofTaken { step, items } => {
                if items.iter().any(|i| !i.holds) {
                    self.commit_asked = None;
                }
                self.proofs.insert(
                    step.clone(),
                    ProofState { asked_at: None, taken: Some(Seen { at, value: items.clone() }) },
                );
            }
            Event::CommitAsked { step, typed, reason } => {
                self.commit_asked = Some(CommitAsked {
                    step: step.clone(),
                    typed: typed.clone(),
                    reason: reason.clone(),
                    by: stamped.actor.clone(),
                });
            }
            Event::CommitIntended { step, op, reason, .. } => {
                self.commit_asked = None;
                if let Some(run) = &mut self.run {
                    // What is left of an attempt before is found anew.
                    run.steps.entry(step.clone()).or_default().items = None;
                    run.commits.insert(
                        step.clone(),
                        CommitState::Intended {
                            op: op.clone(),
                            seq: stamped.seq,
                            at,
                            by: stamped.actor.clone(),
                            reason: reason.clone(),
                        },
                    );
                }
            }
            Event::CommitEnded { step, ok, message, .. } => {
                self.commit_asked = None;
                if let Some(run) = &mut self.run {
                    let state = if *ok {
                        CommitState::Done { at, message: message.clone() }
                    } else {
                        run.first_error.get_or_insert(Seen { at, value: message.clone() });
                        CommitState::Failed { at, message: message.clone() }
                    };
                    run.commits.insert(step.clone(), state);
                }
            }
            Event::CommitDeferred { step } => {
                self.commit_asked = None;
                if let Some(run) = &mut self.run {
                    run.commits.insert(step.clone(), CommitState::Deferred { at });
                }
            }
            Event::RunReopened { step } => {
                let (always, title) = self.plan.step(step).map_or((false, ""), |s| (s.always, s.title.as_str()));
                self.phase_why = format!("opened again: {title}");
                self.phase = if always { Phase::Finalising } else { Phase::AwaitingCommit };
                (self.verdict, self.phase_since) = (None, Some(at));
                self.proofs.remove(step);
                let Some(run) = &mut self.run else { return };
                (run.turn_at, run.turn_seq, run.ended_at) = (at, stamped.seq, None);
                if !always {
                    run.ending = None;
                }
                run.commits.remove(step);
                run.steps.entry(step.clone()).or_default().again();
            }
            Event::RunEnding { verdict, message } => {
                if let Some(run) = &mut self.run {
                    (run.turn_at, run.turn_seq) = (at, stamped.seq);
                    run.ending = Some(Ending { verdict: *verdict, message: message.clone() });
                }
            }
            Event::RunAbandoned { left_behind, .. } => {
                if let Some(run) = &mut self.run {
                    run.left_behind.clone_from(left_behind);
                }
            }
            Event::RunEnded { verdict, message } => {
                self.verdict = Some(*verdict);
                self.phase = verdict.phase();
                self.phase_since = Some(at);
                self.phase_why = message.clone();
                if let Some(run) = &mut self.run {
                    run.ended_at = Some(at);
                    run.message = message.clone();
                }
            }
        }
    }

    /// What the driver says; the run that our step began is known by its name from then on.
    fn driver_seen(&mut self, view: &DriverView, at: jiff::Timestamp) {
        let ours = view.run.as_ref().filter(|r| self.began_by_us(r)).map(|r| r.id.clone());
        if let Some(id) = ours
            && let Some(driving) = self.driving().map(|s| s.id.clone())
            && let Some(step) = self.run.as_mut().and_then(|r| r.steps.get_mut(&driving))
        {
            step.run_id.get_or_insert(id);
        }
        self.driver = Some(Seen { at, value: view.clone() });
    }

    /// What a node is like is kept the first time it is read in a run: that is what it was before.
    fn note_configuration(&mut self, key: &ReadKey, answer: &Answer, at: jiff::Timestamp) {
        let compared = self.plan.baseline.as_ref().is_some_and(|b| b.facts == key.group);
        if let (true, Some(run), Some(node)) = (compared, &mut self.run, &key.node) {
            run.configurations.entry(node.clone()).or_default().read(answer, at);
        }
    }

    fn items_mut(&mut self, step: &str) -> impl Iterator<Item = &mut Item> {
        let known = self.run.as_mut().and_then(|r| r.steps.get_mut(step));
        known.into_iter().flat_map(|s| s.items.iter_mut().flatten())
    }

    fn check_mut(&mut self, key: &VerdictKey) -> &mut CheckState {
        self.checks.entry(key.clone()).or_default()
    }

    fn unit_mut(&mut self, node: &NodeName) -> Option<&mut Unit> {
        self.run.as_mut()?.units.get_mut(node)
    }
}

impl Unit {
    fn enter(&mut self, to: UnitState, at: jiff::Timestamp, why: &str) {
        let (before, after) = (self.state.stage(), to.stage());
        if before != after {
            self.progress = Progress::default();
        }
        self.state = to;
        self.since = Some(at);
        self.why = why.to_owned();
        if to.is_bad() && !to.in_work() {
            // A node that went wrong stops on the track where it was.
            if let Some(last) = self.track.last_mut() {
                last.to.get_or_insert(at);
            }
            return;
        }
        if before == after && !self.track.is_empty() {
            return;
        }
        if let Some(last) = self.track.last_mut() {
            last.to.get_or_insert(at);
        }
        if after != Stage::Waiting && after != Stage::Done {
            self.track.push(Passage { stage: after, from: at, to: None });
        }
    }
}

/// Whether these are two different starts of one machine. The boot time is derived from the clock and drifts with time
/// sync, so less than two minutes is the same start (run-safety-model 12).
pub fn rebooted(before: &super::view::HostView, after: &super::view::HostView) -> bool {
    restarted(before.boot_utc, after.boot_utc)
}

/// The same of two boot times.
pub fn restarted(before: jiff::Timestamp, after: jiff::Timestamp) -> bool {
    after.duration_since(before).as_secs().abs() > 120
}

/// Whether the phase lets a person change the run.
impl Phase {
    /// Readiness may be looked at and mended.
    pub fn is_preparing(&self) -> bool {
        matches!(self, Phase::Draft | Phase::Checking | Phase::Blocked | Phase::Ready)
    }
}

impl Machine {
    /// Build it runs, by its own word or else the cluster's.
    pub fn build(&self) -> Option<u64> {
        self.host.as_ref().map(|h| h.value.build).or_else(|| self.cluster.as_ref().map(|c| c.value.build))
    }
}
