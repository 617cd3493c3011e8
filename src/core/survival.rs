//! What survives if the node in work dies this second: votes for the quorum, copies of the data.

use serde::Deserialize;

use super::event::{Answer, ReadKey};
use super::name::NodeName;
use super::run::UnitState;
use super::state::State;
use super::summary::node_in_work;

/// Votes of a cluster: what the fact group `quorum` of a driver answers. Other fields are ignored.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct QuorumView {
    pub votes: Vec<Vote>,
    pub witness: Option<Witness>,
}

/// The vote of a node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Vote {
    pub name: NodeName,
    /// 0 = it has none.
    pub weight: u32,
}

/// The witness; it has one vote.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Witness {
    pub state: String,
}

/// How many more may fail once the node in work is gone. Below none: one too many has gone already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survival {
    pub node: NodeName,
    /// Nodes that are left, of how many.
    pub left: usize,
    pub of: usize,
    /// Nodes that the quorum can still lose. Counted without the help of dynamic votes.
    pub votes: Option<i64>,
    /// Nodes that the data can still lose.
    pub copies: Option<i64>,
}

impl Survival {
    /// Whether another node may fail after it; not known = no.
    pub fn another_may_fail(&self) -> bool {
        self.votes.is_some_and(|v| v > 0) && self.copies.is_some_and(|c| c > 0)
    }
}

/// What survives, where a node is in work.
pub fn survival(state: &State) -> Option<Survival> {
    let (node, unit) = node_in_work(state)?;
    let up = |n: &&NodeName| {
        *n != node && state.machines.get(*n).and_then(|m| m.cluster.as_ref()).is_some_and(|c| c.value.is_up())
    };
    let of = state.plan.nodes.len();
    let left = state.plan.nodes.iter().filter(up).count();
    let votes = quorum(state).map(|q| {
        let weight = |n: &NodeName| i64::from(q.votes.iter().find(|v| &v.name == n).map_or(0, |v| v.weight));
        let total = q.votes.iter().map(|v| i64::from(v.weight)).sum::<i64>() + i64::from(q.witness.is_some());
        let there = state.plan.nodes.iter().filter(up).map(weight).sum::<i64>()
            + i64::from(q.witness.as_ref().is_some_and(|w| w.state == "Online"));
        there - (total / 2 + 1)
    });
    let copies = state.storage.as_ref().and_then(|s| {
        let away = (of - left) as i64;
        // What is copied before the node went out of service is a copy of another one: one more that may not be lost. Later it is its own.
        let late = i64::from(!s.value.jobs.is_empty() && unit.state == UnitState::Draining);
        Some(i64::try_from(s.value.redundancy?).ok()? - away - late)
    });
    Some(Survival { node: node.clone(), left, of, votes, copies })
}

fn quorum(state: &State) -> Option<QuorumView> {
    let group = state.plan.driver.quorum.clone()?;
    match &state.reads.get(&ReadKey { group, node: None })?.answer {
        Some(Answer::Facts(json)) => serde_json::from_value(json.clone()).ok(),
        _ => None,
    }
}
