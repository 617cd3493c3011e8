//! Less than a whole plan, for a look at one node or one check. Never for a run: what is left out is not proved.

use super::name::NodeName;
use super::plan::{Moment, Plan, Scope};

impl Plan {
    /// The same plan with only these nodes and these readiness checks; empty: all. Where nodes are named, what is asked of the
    /// whole cluster or the coordinator is left out: it cannot be told from some of the nodes.
    pub fn narrowed(&self, nodes: &[NodeName], checks: &[String]) -> Plan {
        let mut plan = self.clone();
        if !nodes.is_empty() {
            plan.nodes.retain(|n| nodes.contains(n));
            plan.checks.retain(|c| c.moment != Moment::Before || c.scope == Scope::EachNode);
        }
        if !checks.is_empty() {
            plan.checks.retain(|c| c.moment != Moment::Before || checks.contains(&c.id));
        }
        plan
    }
}
