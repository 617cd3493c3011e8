//! What an upgrade is known to take away is looked at as soon as a node answers on the new build, and put back where that is safe to
//! repeat (run-safety-model 5, class W; azure-local-upgrade 6.1).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Decider, Turn, seconds};
use crate::core::command::keys_of;
use crate::core::event::{ENGINE, Event, Outcome, ReadKey, VerdictKey};
use crate::core::keeping::Keeping;
use crate::core::name::NodeName;
use crate::core::plan::Moment;

/// Seconds after which it is read again while something is not as it should be.
const AGAIN: i64 = 60;

/// How often a change is tried by itself after one start of a node.
const TRIES: usize = 2;

impl Decider {
    /// Reads, judges and mends on every node that is back.
    pub(super) fn settle_returning(&mut self, turn: &mut Turn, now: Timestamp) {
        if self.state.phase.is_terminal() {
            return;
        }
        let keys = keys_of(&self.state, Moment::Returning);
        let back: Vec<(VerdictKey, Timestamp)> =
            keys.into_iter().filter_map(|k| Some((k.clone(), self.back_since(k.node.as_ref()?)?))).collect();
        let mut wanted = BTreeSet::new();
        for (key, since) in back {
            let reads = self.state.reads_of(&key);
            if reads.iter().any(|r| self.state.reads.get(r).is_some_and(|r| r.is_open())) {
                continue;
            }
            let oldest = reads.iter().map(|r| self.state.reads.get(r).and_then(|r| r.at)).min().flatten();
            let Some(read_at) = oldest.filter(|at| *at >= since) else {
                wanted.extend(reads);
                continue;
            };
            let newest = reads.iter().filter_map(|r| self.state.reads.get(r)).map(|r| r.seq).max();
            if newest > self.state.checks.get(&key).map(|c| c.seq)
                && let Some(verdict) = self.judge.verdict(&self.state, &key)
            {
                self.emit(turn, ENGINE, Event::CheckJudged { key: key.clone(), verdict }, now);
            }
            let outcome = self.state.verdict_of(&key).map(|v| v.value.outcome);
            if matches!(outcome, None | Some(Outcome::Pass | Outcome::NotApplicable)) || self.is_fixing(&key) {
                continue;
            }
            let kept = !matches!(self.state.keeping, Keeping::Lost { .. });
            if kept && self.mends_itself(&key) {
                // What went wrong is in the journal; nobody has to hear of it as a refusal.
                let _ = self.fix(turn, ENGINE, &key, now);
            } else if seconds(read_at, now) >= AGAIN {
                wanted.extend(reads);
            }
        }
        let wanted: Vec<ReadKey> = wanted.into_iter().collect();
        self.want_reads(turn, ENGINE, wanted, "what the upgrade may have taken away", now);
    }

    /// What is still being looked at or put back on a node that is back, in words.
    pub(super) fn returning_open(&self, node: &NodeName) -> Option<String> {
        let since = self.back_since(node)?;
        let keys = keys_of(&self.state, Moment::Returning).into_iter().filter(|k| k.node.as_ref() == Some(node));
        for key in keys {
            let title = self.state.plan.check(&key.check).map_or(key.check.as_str(), |c| &c.title).to_lowercase();
            let judged = self.state.verdict_of(&key).filter(|v| v.at >= since);
            if self.is_fixing(&key) || (judged.is_some() && self.mends_itself(&key)) {
                return Some(format!("being put right: {title}"));
            }
            if judged.is_none() {
                return Some(format!("being read again: {title}"));
            }
        }
        None
    }

    /// Since when a node is what it is now, on the new build: its last start, or its last stage. What was read before says nothing.
    fn back_since(&self, node: &NodeName) -> Option<Timestamp> {
        self.delegate_intended_at()?;
        let (run, machine) = (self.state.run.as_ref()?, self.state.machines.get(node)?);
        let host = machine.host.as_ref().filter(|_| machine.connection.is_ready())?;
        let baseline = run.baseline.get(node)?;
        if host.value.build < self.state.plan.target.build || !crate::core::apply::rebooted(baseline, &host.value)
        {
            return None;
        }
        let stage = run.units.get(node)?.track.last().map(|p| p.to.unwrap_or(p.from));
        stage.into_iter().chain([host.at]).max()
    }

    fn is_fixing(&self, key: &VerdictKey) -> bool {
        self.state.checks.get(key).is_some_and(|c| c.fixing.is_some())
    }

    /// Whether the last verdict is mended without a question. What could not be told is read again instead.
    fn mends_itself(&self, key: &VerdictKey) -> bool {
        let fix = self.state.plan.check(&key.check).and_then(|c| c.fix.as_ref());
        let failed =
            self.state.verdict_of(key).is_some_and(|v| matches!(v.value.outcome, Outcome::Fail | Outcome::Warn));
        let node = key.node.as_ref().and_then(|n| self.state.machines.get(n));
        let boot = node.and_then(|m| m.host.as_ref()).map(|h| h.at);
        let tried = self.state.fixes.values().filter(|f| &f.key == key && Some(f.intended_at) >= boot).count();
        failed && fix.is_some_and(|f| f.by_itself) && tried < TRIES
    }
}
