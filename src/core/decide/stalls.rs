//! Stall is about evidence, not about time: a node in work whose every source of progress has been quiet for longer than its stage allows
//! is flagged, and the flag goes by itself. Nothing is stopped by it (run-safety-model 9.3).

use jiff::Timestamp;

use super::{Decider, Turn, seconds};
use crate::core::event::{ENGINE, Event};
use crate::core::name::NodeName;
use crate::core::plan::{LogFrom, Stage};
use crate::core::progress::{Measure, Quiet};
use crate::core::state::{Passage, Unit};

impl Decider {
    pub(super) fn settle_stalls(&mut self, turn: &mut Turn, now: Timestamp) {
        // What was not watched is not called quiet: another engine begins anew.
        let began = *self.live.began.get_or_insert(now);
        if !self.state.phase.is_under_way() {
            return;
        }
        for node in self.state.plan.nodes.clone() {
            let Some(unit) = self.state.unit(&node) else { continue };
            let was = unit.progress.stalled.is_some();
            let quiet = self.quiet(&node, unit, began, now).unwrap_or_default();
            if was == quiet.is_empty() {
                self.emit(turn, ENGINE, Event::UnitStalled { node, quiet }, now);
            }
        }
    }

    /// Every source of a node's present stage, where all of them have been quiet for too long.
    fn quiet(&self, node: &NodeName, unit: &Unit, began: Timestamp, now: Timestamp) -> Option<Vec<Quiet>> {
        if !unit.state.in_work() || unit.state.is_bad() {
            return None;
        }
        let here = unit.track.last().filter(|p| p.to.is_none())?;
        let allowed = self.state.plan.stages.get(&here.stage).map_or(0, |b| b.stall);
        if allowed == 0 {
            return None;
        }
        let mut all = self.sources(node, unit, here, began);
        all.sort_by_key(|q| std::cmp::Reverse(q.since));
        let last = all.first()?.since;
        (seconds(last, now) > allowed as i64).then_some(all)
    }

    /// What could show progress of a node in its stage, each with its last change.
    fn sources(&self, node: &NodeName, unit: &Unit, here: &Passage, began: Timestamp) -> Vec<Quiet> {
        let machine = self.state.machines.get(node);
        let name = &self.state.plan.driver.name;
        let run = self.state.driver.as_ref().and_then(|d| d.value.run.as_ref());
        let status = run.and_then(|r| r.working.iter().find(|w| &w.node == node)).and_then(|w| w.time_utc);
        let status = (format!("{name} status"), status);
        let cluster = ("cluster view".to_owned(), machine.and_then(|m| m.cluster.as_ref()).map(|c| c.at));
        let host = ("boot".to_owned(), machine.and_then(|m| m.host.as_ref()).map(|h| h.at));
        let roles = ("roles left".to_owned(), unit.progress.roles_left.as_ref().map(|s| s.at));
        let copied = ("repair bytes".to_owned(), self.live.copied.map(|(_, at)| at));
        let storage = ("storage".to_owned(), self.state.storage.as_ref().map(|s| s.at));
        let file = self.state.plan.logs.iter().find(|l| matches!(l.from, LogFrom::File { .. }));
        let log = file.map(|l| (format!("{} log", l.title), self.live.grown.get(node).copied()));
        let of_stage = match here.stage {
            Stage::Draining => vec![status, roles, cluster],
            Stage::Installing => [status, cluster].into_iter().chain(log).collect(),
            Stage::Restarting => vec![status, cluster, host],
            Stage::Returning | Stage::Verifying => vec![status, cluster, host],
            Stage::Resuming => vec![status, cluster],
            Stage::Resync => vec![copied, storage],
            Stage::Waiting | Stage::Scanning | Stage::Staging | Stage::Done => Vec::new(),
        };
        // Nothing of an earlier stage counts, and no clock but ours makes anything young.
        let since = |at: Option<Timestamp>| at.unwrap_or(here.from).max(here.from).max(began);
        of_stage.into_iter().map(|(source, at)| Quiet { source, since: since(at) }).collect()
    }

    /// New lines in a followed file of a machine, and how far they say that it has come.
    pub(super) fn log_grew(&mut self, turn: &mut Turn, node: NodeName, percent: Option<u8>, now: Timestamp) {
        self.live.grown.insert(node.clone(), now);
        let installing = |u: &&Unit| u.state.stage() == Stage::Installing;
        if let Some(p) = percent.filter(|_| self.state.unit(&node).as_ref().is_some_and(installing)) {
            self.measured(turn, node, Measure::Percent(p), now);
        }
    }

    /// A measure, where it says something new.
    pub(super) fn measured(&mut self, turn: &mut Turn, node: NodeName, measure: Measure, now: Timestamp) {
        if self.state.unit(&node).is_some_and(|u| !u.progress.knows(measure)) {
            self.emit(turn, ENGINE, Event::UnitProgressed { node, measure }, now);
        }
    }
}
