//! The gates before a node is taken out of service: those that follow from the run and not from facts, and all of them as they are
//! observed while another driver moves the nodes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::sequence::Turned;
use super::{Decider, Turn, seconds};
use crate::core::event::{Answer, ENGINE, Event, ProofItem, ReadKey};
use crate::core::gate_rules::{SOAK, with_waivers};
use crate::core::gates::{Gate, window};
use crate::core::name::NodeName;
use crate::core::plan::{Mode, Proof, Stage};
use crate::core::run::{PauseReason, Phase, UnitState};
use crate::core::state::Unit;
use crate::core::summary::duration;
use crate::core::terms::WINDOW;

/// Seconds between two looks that are observed, and for which what was read counts.
const EVERY: u64 = 30;
const FRESH: i64 = 60;

/// Seconds between the two looks that open a gate.
const APART: i64 = 30;

impl Decider {
    /// What else must hold before the node of a sequence is begun.
    pub(super) fn beside_the_facts(&self, at: &Turned, now: Timestamp) -> Vec<ProofItem> {
        if at.run.action > 0 {
            return Vec::new();
        }
        let before = crate::core::baseline::gate(&self.state).filter(|_| at.run.step.is_some());
        let mut out: Vec<ProofItem> = before.into_iter().chain(window(&self.state, now)).map(item).collect();
        out.extend(self.soak(at, now));
        out
    }

    /// After the first node of a run some time passes in which it shows what nobody thought of (run-safety-model 9.2).
    fn soak(&self, at: &Turned, now: Timestamp) -> Option<ProofItem> {
        let minutes = self.state.plan.number("soak_minutes") as i64;
        let first = at.run.nodes.first().filter(|_| at.run.step.is_some() && at.run.node == 1 && minutes > 0)?;
        let passed = seconds(self.state.unit(first)?.since?, now);
        let holds = passed >= minutes * 60;
        let why = (!holds).then(|| format!("{first} is done for {}", duration(passed - passed % 60)));
        let title = format!("The first node is done for {minutes} minutes");
        Some(ProofItem { title, holds, why, gate: Some(SOAK.to_owned()) })
    }

    /// The node that another driver will begin next, as far as that can be told, while none is being changed.
    fn observed_node(&self) -> Option<&NodeName> {
        let run = self.state.run.as_ref().filter(|_| self.state.plan.driver.mode == Mode::Delegated)?;
        let drives = self.state.handed_over().is_some_and(|s| s.op.is_some() && s.ended.is_none());
        let busy = |s: UnitState| (Stage::Draining..=Stage::Resuming).contains(&s.stage());
        if !drives || self.state.phase != Phase::Running || run.units.values().any(|u| busy(u.state)) {
            return None;
        }
        let waits = |n: &&NodeName| {
            run.units.get(*n).is_some_and(|u| u.state.stage() <= Stage::Staging && !u.state.is_final())
        };
        self.state.plan.nodes.iter().find(waits)
    }

    fn observed(&self) -> Vec<Proof> {
        let all = self.state.plan.gates.iter().flat_map(|g| &g.conditions);
        all.filter(|c| c.gate.as_ref().is_some_and(|g| g.observe)).cloned().collect()
    }

    /// What has to be read for that, and every how many seconds.
    pub(super) fn gate_polls(&self) -> Vec<(ReadKey, u64)> {
        let Some(node) = self.observed_node() else { return Vec::new() };
        let conditions = self.observed();
        let groups: BTreeSet<&String> = conditions.iter().flat_map(|c| &c.facts).collect();
        groups.into_iter().filter_map(|g| Some((self.evidence_key(g, node)?, EVERY))).collect()
    }

    /// Judges the gates that are observed, whenever everything was read anew.
    pub(super) fn observe_gates(&mut self, turn: &mut Turn, now: Timestamp) {
        let Some(node) = self.observed_node().cloned() else { return self.live.observed.clear() };
        let keys: Vec<ReadKey> = self.gate_polls().into_iter().map(|(k, _)| k).collect();
        let asked: Option<Vec<Timestamp>> =
            keys.iter().map(|k| self.live.observed.get(k).map(|(at, _)| *at)).collect();
        let Some(oldest) = asked.and_then(|a| a.into_iter().min()) else { return };
        if self.live.gates_judged == Some(oldest) {
            return;
        }
        self.live.gates_judged = Some(oldest);
        let limit = self.state.lab_seconds(FRESH, 2.0);
        let fresh = self.live.observed.iter().filter(|(_, (at, _))| seconds(*at, now) <= limit);
        let seen: BTreeMap<ReadKey, Answer> = fresh.map(|(k, (_, a))| (k.clone(), a.clone())).collect();
        let items = self.judge.conditions(&self.state, &self.observed(), &node, &seen);
        let items = with_waivers(&self.state, items, now);
        let known = self.state.gates.as_ref().filter(|j| j.node == node);
        let open = items.iter().all(|i| i.holds);
        let since = known.and_then(|j| j.open_since).filter(|_| open);
        let twice = since.is_some_and(|at| seconds(at, oldest) >= APART);
        let news = known.is_none_or(|j| {
            let words = seconds(j.at, now) >= FRESH && j.items != items;
            j.twice != twice || words || j.items.iter().map(|i| i.holds).ne(items.iter().map(|i| i.holds))
        });
        if news {
            self.emit(turn, ENGINE, Event::GateJudged { node, items, twice }, now);
        }
    }

    /// Nothing is missing but the window: to wait for it is no failure, however long it takes.
    pub(super) fn waits_for_window(&self, at: &Turned, now: Timestamp) -> bool {
        at.run.action == 0 && window(&self.state, now).is_some_and(|w| !w.open)
    }

    /// While somebody else drives: a window that is too short for one more node ends the attempt after the node in work.
    pub(super) fn mind_window(&mut self, turn: &mut Turn, now: Timestamp) {
        let waits = |u: &Unit| u.state.stage() <= Stage::Staging && !u.state.is_good();
        let more = self.state.run.as_ref().is_some_and(|r| r.units.values().any(waits));
        let goes_on = self.state.own_run().is_some_and(|r| !r.cancel_pending);
        let closed = window(&self.state, now).filter(|w| !w.open && w.id == WINDOW);
        let Some(closed) = closed.filter(|_| more && goes_on && self.state.phase == Phase::Running) else {
            return;
        };
        let reason = PauseReason::Window;
        self.ask_driver_to_stop(turn, ENGINE, |op| Event::PauseRequested { op, reason }, now);
        let name = self.state.plan.driver.name.clone();
        let why = format!("the maintenance window: {}. {name} finishes the node in work first", closed.why);
        self.phase(turn, ENGINE, Phase::Pausing, &why, now);
    }
}

fn item(gate: Gate) -> ProofItem {
    let why = (!gate.open).then_some(gate.why);
    ProofItem { title: gate.title.into_owned(), holds: gate.open, why, gate: Some(gate.id.into_owned()) }
}
