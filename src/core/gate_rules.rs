//! Gates as a runbook says them, which of them a person may take upon themselves, and what lets a run begin at all
//! (run-safety-model 9.1).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::command::Refusal;
use super::event::{ProofItem, VerdictKey};
use super::name::NodeName;
use super::state::State;
use super::step::Proof;
use super::terms::{WINDOW, window};

/// What must hold before a node is taken out of service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateRule {
    pub id: String,
    pub title: String,
    pub conditions: Vec<Proof>,
}

/// What a condition is of its gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatePart {
    /// Of the gate and of the condition: `node-ready.disk`.
    pub id: String,
    /// A person may take it upon themselves.
    pub waivable: bool,
    /// It is observed where another driver moves the nodes.
    pub observe: bool,
}

/// The gates as they were judged last for a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    pub node: NodeName,
    pub at: Timestamp,
    pub items: Vec<ProofItem>,
    /// Since when each of them is as it is.
    pub since: Vec<Timestamp>,
    /// Since when all of them hold.
    pub open_since: Option<Timestamp>,
    /// They held in two looks, half a minute apart.
    pub twice: bool,
}

impl Judged {
    /// What was seen, after what was seen before.
    pub(super) fn after(
        before: Option<&Judged>,
        node: &NodeName,
        items: &[ProofItem],
        twice: bool,
        at: Timestamp,
    ) -> Self {
        let before = before.filter(|b| b.node == *node);
        let since = |item: &ProofItem| {
            let known = before.and_then(|b| b.items.iter().zip(&b.since).find(|(i, _)| i.title == item.title));
            known.filter(|(i, _)| i.holds == item.holds).map_or(at, |(_, since)| *since)
        };
        let open = items.iter().all(|i| i.holds);
        let open_since = open.then(|| before.and_then(|b| b.open_since).unwrap_or(at));
        Judged {
            node: node.clone(),
            at,
            items: items.to_vec(),
            since: items.iter().map(since).collect(),
            open_since,
            twice: open && twice,
        }
    }

    /// The items of a gate, each with since when it is so.
    pub fn of<'a>(&'a self, gate: &'a str) -> impl Iterator<Item = (&'a ProofItem, Timestamp)> {
        let own = move |i: &&ProofItem| gate_of(i) == Some(gate);
        self.items.iter().zip(&self.since).filter(move |(i, _)| own(i)).map(|(i, at)| (i, *at))
    }
}

/// The gate that an item is of.
pub fn gate_of(item: &ProofItem) -> Option<&str> {
    item.gate.as_deref().map(|g| g.split('.').next().unwrap_or(g))
}

/// The condition of a gate by its id.
fn part<'a>(state: &'a State, id: &str) -> Option<&'a Proof> {
    let all = state.plan.gates.iter().flat_map(|g| &g.conditions);
    all.into_iter().find(|c| c.gate.as_ref().is_some_and(|g| g.id == id))
}

/// What stands before the id of a gate where a check could stand.
const GATE: &str = "gate:";

/// Id of the gate that waits after the first node.
pub const SOAK: &str = "soak";

impl VerdictKey {
    /// A gate, in the place of a check: what a waiver is about.
    pub fn of_gate(gate: &str) -> Self {
        Self { check: format!("{GATE}{gate}"), node: None }
    }

    /// The gate that it is, where it is one.
    pub fn gate(&self) -> Option<&str> {
        self.check.strip_prefix(GATE)
    }
}

/// What a verdict or a waiver is about, in words.
pub fn title<'a>(state: &'a State, key: &'a VerdictKey) -> &'a str {
    match key.gate() {
        Some(WINDOW) => "Maintenance window",
        Some(SOAK) => "Time after the first node",
        Some(gate) => part(state, gate).map_or(gate, |c| &c.title),
        None => state.plan.check(&key.check).map_or(&key.check, |c| &c.title),
    }
}

/// Whether a gate is taken upon somebody now.
pub fn is_waived(state: &State, gate: &str, now: Timestamp) -> bool {
    state.waiver(&VerdictKey::of_gate(gate), now).is_some()
}

/// Gates that are in the way now and that a person may take upon themselves.
pub fn waivable(state: &State, now: Timestamp) -> Vec<VerdictKey> {
    if state.phase.is_terminal() {
        return Vec::new();
    }
    let window = window(state, now).filter(|w| !w.open).map(|_| WINDOW);
    let may =
        |id: &&str| *id == SOAK || part(state, id).is_some_and(|c| c.gate.as_ref().is_some_and(|g| g.waivable));
    let closed = state.gates.iter().flat_map(|j| &j.items).filter(|i| !i.holds).filter_map(|i| i.gate.as_deref());
    let all = window.into_iter().chain(closed.filter(may)).filter(|id| !is_waived(state, id, now));
    all.map(VerdictKey::of_gate).collect()
}

/// What somebody took upon themselves holds; whatever was seen stays told.
pub(super) fn with_waivers(state: &State, mut items: Vec<ProofItem>, now: Timestamp) -> Vec<ProofItem> {
    for item in items.iter_mut().filter(|i| !i.holds) {
        let Some(gate) = &item.gate else { continue };
        if let Some(w) = state.waiver(&VerdictKey::of_gate(gate), now) {
            let seen = item.why.as_deref().unwrap_or("it does not hold");
            (item.holds, item.why) = (true, Some(format!("{seen}; waived by {}", w.by)));
        }
    }
    items
}

/// Why a gate cannot be waived.
pub(super) fn may_waive(state: &State, gate: &str, now: Timestamp) -> Result<(), Refusal> {
    match waivable(state, now).iter().any(|k| k.gate() == Some(gate)) {
        true => Ok(()),
        false => Err(Refusal("this gate is not in the way, or it can never be waived".into())),
    }
}

/// What was agreed on about the cluster lets a run begin: there is a change number where one is asked for, and a node fits into the window.
pub(super) fn agreed_on(state: &State, now: Timestamp) -> Result<(), Refusal> {
    let terms = &state.plan.terms;
    if terms.change_required && terms.change.is_none() {
        let why = "a change number is asked for here: write `change` into the inventory, or give --change";
        return Err(Refusal(why.into()));
    }
    match window(state, now).filter(|w| !w.open && !is_waived(state, WINDOW, now)) {
        Some(closed) => Err(Refusal(format!("outside the maintenance window: {}", closed.why))),
        None => Ok(()),
    }
}

/// How many gates are taken upon somebody now.
pub fn waived(state: &State, now: Timestamp) -> usize {
    state.waivers.iter().filter(|w| w.key.gate().is_some() && w.expires > now).count()
}
