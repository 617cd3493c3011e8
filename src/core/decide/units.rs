//! Where each node stands, fused from what the driver, the cluster, the host and the storage say (run-safety-model 4).

use jiff::Timestamp;

use super::sequence::LAB_LATENCY;
use super::{Decider, Turn, seconds};
use crate::core::apply::rebooted;
use crate::core::event::{ENGINE, Event, ReadKey};
use crate::core::name::NodeName;
use crate::core::plan::{Mode, Stage};
use crate::core::run::UnitState;
use crate::core::view::{DriverNode, DriverResult, HostView};

/// Seconds without any answer about the run or the cluster after which a node in work is *unknown*.
const EVIDENCE_HOLDS: i64 = 300;

impl Decider {
    pub(super) fn settle_units(&mut self, turn: &mut Turn, now: Timestamp) {
        self.live.looks_since.get_or_insert(now);
        if self.state.plan.driver.mode == Mode::Direct {
            return self.settle_direct_units(turn, now);
        }
        if self.delegate_intended_at().is_none() || self.state.phase.is_terminal() {
            return;
        }
        for node in self.state.plan.nodes.clone() {
            let Some(unit) = self.state.unit(&node) else {
                continue;
            };
            if unit.state.is_final() {
                continue;
            }
            let Some((to, why)) = self.fuse(&node, now) else {
                continue;
            };
            let why = match self.state.plan.driver.shown.get(&to) {
                Some(shown) => format!("{shown}: {why}"),
                None => why,
            };
            if to != unit.state || why != unit.why {
                self.emit(turn, ENGINE, Event::UnitChanged { node, to, why }, now);
            }
        }
    }

    /// When the driver was last asked to run, where it was.
    pub(super) fn delegate_intended_at(&self) -> Option<Timestamp> {
        let run = self.state.run.as_ref()?;
        let drives = self.state.plan.steps.iter().filter(|s| s.kind.moves_nodes() || s.kind.drives());
        drives.filter_map(|s| run.steps.get(&s.id)?.intended_at).max()
    }

    fn fuse(&self, node: &NodeName, now: Timestamp) -> Option<(UnitState, String)> {
        let unit = self.state.unit(node)?;
        let busy = unit.state.in_work() || unit.state == UnitState::Unknown;
        if let Some(unknown) = self.is_unheard(now).filter(|_| busy) {
            return Some(unknown);
        }
        let seen = self.state.driver.as_ref()?;
        if seen.at <= self.delegate_intended_at()? {
            return None;
        }
        if seen.value.run.is_some() {
            // What somebody else's run does is not ours to tell.
            let run = self.state.own_run()?;
            if let Some(result) = run.finished.iter().find(|r| &r.node == node) {
                return Some(self.finished(node, result));
            }
            let entry = run.working.iter().find(|w| &w.node == node)?;
            return Some(self.working(node, entry, now));
        }
        // The run is over: its report speaks.
        let row = self.own_report()?.nodes.iter().find(|n| &n.node == node)?;
        let result = DriverResult { node: node.clone(), status: row.status.clone(), error: row.error.clone() };
        Some(self.finished(node, &result))
    }

    /// What a node in work is while nobody has said anything for too long.
    pub(super) fn is_unheard(&self, now: Timestamp) -> Option<(UnitState, String)> {
        let holds = self.state.lab_seconds(EVIDENCE_HOLDS, LAB_LATENCY);
        let why = format!("no word of it for more than {} minutes", EVIDENCE_HOLDS / 60);
        (self.evidence_age(now) > holds).then_some((UnitState::Unknown, why))
    }

    /// Seconds since the driver or the cluster last answered.
    fn evidence_age(&self, now: Timestamp) -> i64 {
        let cluster = ReadKey { group: self.state.plan.driver.cluster.clone(), node: None };
        let looked = [self.fresh_at(&self.driver_key()), self.fresh_at(&cluster)];
        let last = looked.into_iter().chain([self.delegate_intended_at(), self.live.looks_since]);
        last.flatten().max().map_or(0, |at| seconds(at, now))
    }

    fn working(&self, node: &NodeName, entry: &DriverNode, now: Timestamp) -> (UnitState, String) {
        let machine = &self.state.machines[node];
        let now_in = self.state.unit(node).map_or(UnitState::Pending, |u| u.state);
        let cluster = machine.cluster.as_ref().map(|c| &c.value);
        let driver = &self.state.plan.driver;
        let says = |what: &str| format!("{} says {}{what}", driver.name, entry.status);
        let Some(stage) = driver.words.get(&entry.status) else {
            let keep = if now_in == UnitState::Unknown { UnitState::Pending } else { now_in };
            return (keep, says(", a word that this runbook does not know"));
        };
        match stage {
            Stage::Scanning => (UnitState::Pending, "is being scanned".into()),
            Stage::Waiting => self.waiting(node, now_in),
            Stage::Staging => (UnitState::Staging, "downloads the update; nothing is disturbed".into()),
            Stage::Draining => match cluster.map(|c| c.drain.as_str()) {
                Some("Failed") => (UnitState::DrainFailed, "its roles could not be moved away".into()),
                Some("Completed") => (UnitState::Drained, "every role has left".into()),
                _ => match self.drain_hangs(node, now) {
                    Some(why) => (UnitState::DrainFailed, why),
                    None => (UnitState::Draining, "its roles move to other nodes".into()),
                },
            },
            Stage::Installing => (UnitState::Executing, "Windows Setup runs".into()),
            Stage::Restarting | Stage::Returning | Stage::Verifying => self.restarting(node),
            Stage::Resuming => (UnitState::Resuming, "takes its roles back".into()),
            Stage::Resync | Stage::Done => (UnitState::Resyncing, says("")),
        }
    }

    fn waiting(&self, node: &NodeName, now_in: UnitState) -> (UnitState, String) {
        let nodes = &self.state.plan.nodes;
        let in_work = nodes.iter().find(|n| *n != node && self.state.unit(n).is_some_and(|u| u.state.in_work()));
        let staged = !matches!(now_in, UnitState::Pending) && !self.still_staging();
        let state = if staged { UnitState::Staged } else { UnitState::Pending };
        if let Some(other) = in_work {
            return (state, format!("waits for {other}"));
        }
        let first = nodes.iter().find(|n| self.state.unit(n).is_some_and(|u| !u.state.is_final()));
        let closed = self.state.storage.as_ref().is_some_and(|s| !s.value.in_sync());
        if staged && first == Some(node) && closed {
            return (UnitState::Gate, "waits for the storage to be in sync".into());
        }
        match first {
            Some(first) if first != node => (state, format!("waits for {first}")),
            _ => (state, "waits for its turn".into()),
        }
    }

    fn still_staging(&self) -> bool {
        let words = &self.state.plan.driver.words;
        self.state.driver.as_ref().and_then(|d| d.value.run.as_ref()).is_some_and(|r| {
            r.working.iter().any(|w| matches!(words.get(&w.status), Some(Stage::Scanning | Stage::Staging)))
        })
    }

    fn restarting(&self, node: &NodeName) -> (UnitState, String) {
        let machine = &self.state.machines[node];
        let down = machine.cluster.as_ref().is_some_and(|c| c.value.state == "Down");
        let reachable = machine.connection.is_ready();
        let was_away =
            self.state.unit(node).is_some_and(|u| matches!(u.state, UnitState::Offline | UnitState::Returning));
        if let Some(host) = machine.host.as_ref().filter(|_| reachable) {
            if self.booted(node, &host.value) {
                return if host.value.windeploy {
                    (UnitState::Returning, "it answers, Setup is not finished".into())
                } else {
                    (UnitState::Verifying, "it answers again; the proof is read".into())
                };
            }
            if !down {
                return (UnitState::CommitReboot, "is about to restart".into());
            }
        }
        if !down && was_away {
            return (UnitState::Returning, "the cluster sees it again, SSH does not answer yet".into());
        }
        (UnitState::Offline, "restarts; nothing answers there, as expected".into())
    }

    fn finished(&self, node: &NodeName, result: &DriverResult) -> (UnitState, String) {
        let plan = &self.state.plan;
        let target = plan.target.build;
        let machine = &self.state.machines[node];
        let Some(host) = machine.host.as_ref().map(|h| &h.value) else {
            return (UnitState::Returning, "it has not said yet what it runs".into());
        };
        let booted = self.booted(node, host);
        let succeeded = result.status == "Succeeded";
        let error = || {
            result
                .error
                .clone()
                .unwrap_or_else(|| format!("{} says {}", self.state.plan.driver.name, result.status))
        };
        let baseline = self.state.run.as_ref().and_then(|r| r.baseline.get(node));
        let before = baseline.map_or(host.build, |b| b.build);
        if plan.rehearses() && host.build != before {
            let why =
                format!("a rehearsal changes nothing, but it runs build {} now and ran {before}", host.build);
            return (UnitState::Failed, why);
        }
        let there = if plan.rehearses() { booted } else { host.build >= target };
        if !there {
            if result.status == "Canceled" {
                return (UnitState::Pending, "was not touched: the run was stopped before it".into());
            }
            if booted {
                return (UnitState::RolledBack, format!("started again on the old build {}", host.build));
            }
            if !succeeded {
                return (UnitState::Failed, error());
            }
            return if machine.connection.is_ready() {
                let still = if plan.rehearses() {
                    "has not restarted".to_owned()
                } else {
                    format!("says build {}", host.build)
                };
                (UnitState::Verifying, format!("reported as done; it still {still}"))
            } else {
                (UnitState::Returning, "reported as done; it does not answer yet".into())
            };
        }
        if !booted && baseline.is_some_and(|b| b.build >= target) {
            return (UnitState::AlreadyDone, format!("was at build {} before the run", host.build));
        }
        if !machine.connection.is_ready() {
            return (UnitState::Returning, "SSH does not answer yet".into());
        }
        if host.windeploy {
            return (UnitState::Returning, "it answers, Setup is not finished".into());
        }
        let Some(cluster) = machine.cluster.as_ref() else {
            return (UnitState::Resuming, "the cluster has not said how it sees it".into());
        };
        if !cluster.value.is_up() {
            return if succeeded || cluster.value.state != "Paused" {
                (UnitState::Resuming, format!("the cluster says {}", cluster.value.state))
            } else {
                (UnitState::Failed, format!("at build {}, left paused: {}", host.build, error()))
            };
        }
        // Storage must have been looked at since the node came back, or its answer is about another time.
        let storage_key = ReadKey { group: self.state.plan.driver.storage.clone(), node: None };
        let fresh = self.fresh_at(&storage_key).is_some_and(|at| at > cluster.at);
        match &self.state.storage {
            Some(s) if fresh && s.value.in_sync() => {
                if let Some(what) = self.returning_open(node) {
                    return (UnitState::Resyncing, what);
                }
                let restarted = if plan.rehearses() { "restarted, still " } else { "" };
                (UnitState::Done, format!("{restarted}build {}, Up, storage in sync", host.build))
            }
            Some(s) if fresh && s.value.in_danger() => {
                (UnitState::Resyncing, format!("storage is in danger: {}", s.value.virtual_disks.join(", ")))
            }
            _ => (UnitState::Resyncing, "storage copies what it missed: normal after a restart".into()),
        }
    }

    fn booted(&self, node: &NodeName, host: &HostView) -> bool {
        self.state.run.as_ref().and_then(|r| r.baseline.get(node)).is_some_and(|b| rebooted(b, host))
    }
}
