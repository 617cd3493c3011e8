//! A run that its driver left locked: whose it is, and what must be proved before it is cleared by force (run-safety-model 11).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::ProofItem;
use super::name::{NodeName, OpId};
use super::plan::{Place, Step};
use super::state::{Seen, State, StepEnd, StepState};
use super::summary::duration;
use super::view::{DriverRun, OpVerdict};

/// Seconds for which nothing may have moved before a run is cleared by force.
pub const STILL_FOR: i64 = 900;

/// Seconds after the end of its task in which the driver may still put its run away.
const SETTLES: i64 = 120;

/// A forced recovery that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    pub op: OpId,
    pub node: NodeName,
    pub at: Timestamp,
    pub by: String,
    pub reason: String,
    pub seen: Option<Seen<OpVerdict>>,
    pub ended: Option<Seen<StepEnd>>,
}

impl State {
    /// The step that made the driver run last, as far as it is known.
    pub fn handed_over(&self) -> Option<&StepState> {
        self.run.as_ref()?.steps.get(&self.driving()?.id)
    }

    /// The step that made the driver run last; the first one that does while none has.
    pub(super) fn driving(&self) -> Option<&Step> {
        let asked = |s: &&Step| self.run.as_ref().and_then(|r| r.steps.get(&s.id)?.intended_at);
        let drives = self.plan.steps.iter().filter(|s| s.kind.drives());
        // Of those that were never asked the first one.
        drives.rev().max_by_key(asked)
    }

    /// Whether a run of the driver is the one that our step began: it started after our intent, on the machine that we asked.
    pub(super) fn began_by_us(&self, run: &DriverRun) -> bool {
        const SKEW: i64 = 60;
        let Some(step) = self.driving() else { return false };
        let Some(known) = self.handed_over().filter(|s| s.ended.is_none() && s.op.is_some()) else { return false };
        let orchestrator = NodeName::new(&run.orchestrator);
        let there = match step.on {
            Place::Coordinator => known.node.as_ref() == Some(&orchestrator),
            // The driver's role moves between the nodes.
            _ => self.plan.nodes.contains(&orchestrator),
        };
        let after = |at: Timestamp| run.started_utc.is_none_or(|t| t.duration_since(at).as_secs() > -SKEW);
        there && known.intended_at.is_some_and(after)
    }

    /// The run of the driver that is going on, where it is ours.
    pub fn own_run(&self) -> Option<&DriverRun> {
        let run = self.driver.as_ref()?.value.run.as_ref()?;
        (self.handed_over()?.run_id.as_ref() == Some(&run.id)).then_some(run)
    }

    /// The run of the driver that is going on, where somebody else began it.
    pub fn foreign_run(&self) -> Option<&DriverRun> {
        let run = self.driver.as_ref()?.value.run.as_ref()?;
        self.own_run().is_none().then_some(run)
    }

    /// The machine whose task drove the nodes, and is gone although the run of the driver is not over: nobody drives any more.
    pub fn orphaned(&self, now: Timestamp) -> Option<&NodeName> {
        let step = self.handed_over()?;
        let seen = step.seen.as_ref()?;
        let gone = match seen.value {
            OpVerdict::Died | OpVerdict::InterruptedByReboot => step.ended.is_none(),
            OpVerdict::Ended { .. } => now.duration_since(seen.at).as_secs() >= SETTLES,
            _ => false,
        };
        // A task that ended puts its run away: only one that is still there has been left.
        let left = self.own_run().is_some() || !matches!(seen.value, OpVerdict::Ended { .. });
        step.node.as_ref().filter(|_| gone && left)
    }

    /// The driver says that a run failed and is still locked, and it is ours.
    fn failed_locked(&self) -> bool {
        let Some((step, driver)) = self.handed_over().zip(self.driver.as_ref()) else { return false };
        let locked = driver.value.run.is_none() && !driver.value.is_idle();
        locked && step.run_id.is_some() && step.intended_at.is_some_and(|at| driver.at > at)
    }

    /// What must hold before a run that was left is cleared by force; empty where there is nothing to clear.
    pub fn recovery_conditions(&self, now: Timestamp) -> Vec<ProofItem> {
        let name = &self.plan.driver.name;
        let Some(step) = self.handed_over() else { return Vec::new() };
        let own = self.own_run();
        if own.is_none() && !self.failed_locked() || self.orphaned(now).is_none() && !self.failed_locked() {
            return Vec::new();
        }
        let item = |title: &str, why: Option<String>| ProofItem::new(title, why.is_none(), why);
        let up = |n: &&NodeName| {
            !self.machines.get(*n).and_then(|m| m.cluster.as_ref()).is_some_and(|c| c.value.is_up())
        };
        let not_up: Vec<String> = self.plan.nodes.iter().filter(up).map(|n| self.in_cluster(n)).collect();
        let gone = step.seen.as_ref().is_some_and(|s| {
            matches!(s.value, OpVerdict::Died | OpVerdict::InterruptedByReboot | OpVerdict::Ended { .. })
        });
        let still = self.last_moved().map_or(0, |at| now.duration_since(at).as_secs());
        let coordinator =
            step.node.as_ref().map_or_else(|| "the machine that drove".to_owned(), NodeName::to_string);
        // The cluster's own role has no process of ours that could be looked for.
        let looked_for = self.plan.steps.iter().any(|s| s.kind.drives() && s.detached);
        let mut conditions = vec![
            item("Every node is Up", (!not_up.is_empty()).then(|| not_up.join(", "))),
            item(
                &format!("The process on {coordinator} that drove the run is gone"),
                (!gone).then(|| "what became of it is not known".to_owned()),
            ),
            item(
                &format!("Nothing has moved for {}", duration(STILL_FOR)),
                (still < STILL_FOR)
                    .then(|| format!("something moved {} ago: {name} may still be at work", duration(still))),
            ),
        ];
        if !looked_for {
            conditions.remove(1);
        }
        conditions
    }

    fn in_cluster(&self, node: &NodeName) -> String {
        match self.machines.get(node).and_then(|m| m.cluster.as_ref()) {
            Some(c) if c.value.state == "Paused" => {
                format!("{node} is Paused: look at its storage and registry values, then resume it")
            }
            Some(c) => format!("{node} is {}, {}", c.value.state, c.value.status),
            None => format!("{node} was not seen yet"),
        }
    }

    /// When anything about the run or a node was last seen to change.
    fn last_moved(&self) -> Option<Timestamp> {
        let nodes = self.plan.nodes.iter().filter_map(|n| self.machines.get(n));
        let seen = nodes.flat_map(|m| [m.cluster.as_ref().map(|c| c.at), m.host.as_ref().map(|h| h.at)]);
        let step = self.handed_over().and_then(|s| s.seen.as_ref()).map(|s| s.at);
        seen.chain([self.driver.as_ref().map(|d| d.at), step]).flatten().max()
    }

    /// The recovery that is under way.
    pub fn recovering(&self) -> Option<&Recovery> {
        self.run.as_ref()?.recovery.as_ref().filter(|r| r.ended.is_none())
    }
}
