//! What stops the line by itself while somebody else drives: failure budgets, storage or quorum in danger, and a driver that goes on
//! although a gate is closed (run-safety-model 9).

use jiff::Timestamp;

use super::{Decider, Turn, after, seconds};
use crate::core::event::{ENGINE, Event, ProofItem, ReadKey};
use crate::core::gate_rules::gate_of;
use crate::core::gates::bytes;
use crate::core::name::NodeName;
use crate::core::plan::Stage;
use crate::core::run::{PauseReason, Phase, UnitState};
use crate::core::summary::duration;

/// Seconds between the two looks that make a danger certain.
const APART: u64 = 30;

/// Seconds after a node was begun within which its gates are judged: what happens later is not about them.
const JUST_BEGUN: i64 = 180;

impl Decider {
    pub(super) fn settle_limits(&mut self, turn: &mut Turn, now: Timestamp) {
        let drives = self.state.handed_over().is_some_and(|s| s.op.is_some() && s.ended.is_none());
        if !drives || !matches!(self.state.phase, Phase::Running | Phase::Pausing) {
            return;
        }
        self.note_violations(turn, now);
        if let Some(why) = self.in_danger() {
            self.emit(turn, ENGINE, Event::RunDoomed { why: why.clone() }, now);
            self.ask_driver_to_stop(turn, ENGINE, |op| Event::StopIntended { op }, now);
            let name = &self.state.plan.driver.name;
            let why = format!("{why}: {name} is asked to stop, it finishes the node in work first");
            return self.phase(turn, ENGINE, Phase::Stopping, &why, now);
        }
        self.mind_window(turn, now);
        // Where the driver ends by itself, its report says more.
        let goes_on = self.state.own_run().is_some_and(|r| !r.cancel_pending);
        if self.state.phase == Phase::Running
            && goes_on
            && let Some(why) = self.over_budget(now)
        {
            let reason = PauseReason::Budget;
            self.ask_driver_to_stop(turn, ENGINE, |op| Event::PauseRequested { op, reason }, now);
            self.phase(turn, ENGINE, Phase::Pausing, &why, now);
        }
    }

    /// What ends a run by itself, once it was seen twice.
    fn in_danger(&self) -> Option<String> {
        let twice = |group: &str, at: Timestamp| {
            let key = ReadKey { group: group.to_owned(), node: None };
            self.asked_since(&key, Some(after(at, APART)))
        };
        let d = &self.state.plan.driver;
        if let Some(s) = self.state.storage.as_ref().filter(|s| s.value.in_danger() && twice(&d.storage, s.at)) {
            return Some(format!("storage is in danger: {}", s.value.virtual_disks.join(", ")));
        }
        let seen: Vec<_> = self
            .state
            .plan
            .nodes
            .iter()
            .filter_map(|n| Some((n, self.state.machines.get(n)?.cluster.as_ref()?)))
            .collect();
        let down: Vec<_> = seen.iter().filter(|(_, c)| c.value.state == "Down").collect();
        let last = down.iter().map(|(_, c)| c.at).max()?;
        // With two nodes one of them is always away, and what is left decides with its witness.
        let lost = seen.len() > 2 && down.len() * 2 > seen.len() && twice(&d.cluster, last);
        let names: Vec<&str> = down.iter().map(|(n, _)| n.as_str()).collect();
        lost.then(|| {
            format!("quorum is in danger: {} of {} nodes are Down ({})", down.len(), seen.len(), names.join(", "))
        })
    }

    /// Which budget is used up, in words (run-safety-model 9.2).
    pub(super) fn over_budget(&self, now: Timestamp) -> Option<String> {
        let run = self.state.run.as_ref()?;
        let deadline = self.state.plan.stages.get(&Stage::Draining).map_or(0, |b| 2 * b.limit);
        let failed = run.units.iter().filter(|(_, u)| match u.state {
            UnitState::Failed | UnitState::RolledBack => true,
            UnitState::DrainFailed => {
                deadline > 0 && u.track.last().is_some_and(|p| seconds(p.from, now) > deadline as i64)
            }
            _ => false,
        });
        let unknown = run.units.iter().filter(|(_, u)| u.state == UnitState::Unknown);
        let names = |units: Vec<&NodeName>| units.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ");
        let (failed, unknown): (Vec<_>, Vec<_>) =
            (failed.map(|(n, _)| n).collect(), unknown.map(|(n, _)| n).collect());
        let plan = &self.state.plan;
        if failed.len() > plan.max_failed() {
            let most = plan.max_failed();
            return Some(format!("{} failed, {most} may: {}", failed.len(), names(failed)));
        }
        let most = plan.number("max_unknown_nodes");
        (unknown.len() > most).then(|| format!("{} unknown, {most} may be: {}", unknown.len(), names(unknown)))
    }

    /// The driver has begun a node although a gate was closed: it is told, and kept.
    fn note_violations(&mut self, turn: &mut Turn, now: Timestamp) {
        let Some(run) = &self.state.run else { return };
        let d = &self.state.plan.driver;
        let any = |group: &str| ReadKey { group: group.to_owned(), node: None };
        let begun = run.units.iter().filter_map(|(node, u)| {
            let from = u.track.last().filter(|p| p.stage == Stage::Draining)?.from;
            let fresh =
                self.asked_since(&any(&d.storage), Some(from)) && self.asked_since(&any(&d.cluster), Some(from));
            let told = run.violations.iter().any(|v| &v.node == node && v.at >= from);
            (fresh && !told && seconds(from, now) <= JUST_BEGUN).then(|| node.clone())
        });
        let closed: Vec<(NodeName, Vec<ProofItem>)> =
            begun.map(|n| (n.clone(), self.closed_for(&n))).filter(|(_, items)| !items.is_empty()).collect();
        for (node, gates) in closed {
            self.emit(turn, ENGINE, Event::GateViolated { node, gates }, now);
        }
    }

    /// Gates that are closed for a node that is being drained: what the drain itself does is not counted.
    fn closed_for(&self, node: &NodeName) -> Vec<ProofItem> {
        let closed = |title: &str, why: String| ProofItem::new(title, false, Some(why));
        let mut out = Vec::new();
        if let Some(s) = self.state.storage.as_ref().filter(|s| !s.value.jobs.is_empty()) {
            out.push(closed("Storage", format!("{} left to copy", bytes(s.value.bytes_left))));
        }
        let others = || self.state.plan.nodes.iter().filter(|n| *n != node);
        let away = |n: &NodeName| {
            self.state.machines.get(n)?.cluster.as_ref().filter(|c| !c.value.is_up()).map(|c| &c.value)
        };
        let away: Vec<String> = others().filter_map(|n| Some(format!("{n} {}", away(n)?.state))).collect();
        if !away.is_empty() {
            out.push(closed("Nodes", away.join(", ")));
        }
        let bad = others().filter(|n| self.state.unit(n).is_some_and(|u| u.state.is_bad()));
        let bad: Vec<&str> = bad.map(|n| n.as_str()).collect();
        if !bad.is_empty() {
            out.push(closed("Previous node", format!("{} is not proved", bad.join(", "))));
        }
        let judged = self.state.gates.iter().filter(|j| j.node == *node || !self.state.in_work(&j.node));
        out.extend(judged.flat_map(|j| &j.items).filter(|i| !i.holds && is_of_facts(i)).cloned());
        if let Some(g) = crate::core::baseline::gate(&self.state).filter(|g| g.known && !g.open) {
            out.push(closed(&g.title, g.why));
        }
        out
    }

    /// A drain that does not end within its limit has failed, as far as a person is concerned.
    pub(super) fn drain_hangs(&self, node: &NodeName, now: Timestamp) -> Option<String> {
        let limit = self.state.plan.stages.get(&Stage::Draining).map_or(0, |b| b.limit) as i64;
        let began = self.state.unit(node)?.track.last().filter(|p| p.stage == Stage::Draining)?.from;
        let passed = seconds(began, now);
        (limit > 0 && passed > limit).then(|| {
            format!("its drain has not ended in {}: look at the roles that are still there", duration(limit))
        })
    }
}

/// What the driver's own views do not tell already.
fn is_of_facts(item: &ProofItem) -> bool {
    gate_of(item).is_some_and(|g| !matches!(g, "quorum" | "storage" | "foreign"))
}
