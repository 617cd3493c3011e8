//! Actions that are done to nodes one node after the other, such as a rolling restart: what a runbook says, and how far it is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Answer, ProofItem};
use super::name::{NodeName, OpId};
use super::plan::{Place, Probe, Proof, ScriptId, Stage};
use super::run::PauseReason;
use super::state::{Seen, StepEnd};
use super::view::OpVerdict;

/// What a runbook does to each node in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub id: String,
    pub title: String,
    /// What a person should know before they agree.
    pub warning: Vec<String>,
    pub actions: Vec<Action>,
}

impl Sequence {
    /// Seconds that one node usually takes.
    pub fn expected(&self) -> u64 {
        self.actions.iter().map(|a| a.expected).sum()
    }
}

/// One action on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    pub id: String,
    pub title: String,
    pub kind: ActionKind,
    /// Where the node is on the track meanwhile, where a run moves its nodes by this sequence.
    #[serde(default)]
    pub stage: Option<Stage>,
    /// What a person has to do meanwhile, where it needs one.
    pub person: Option<String>,
    /// What a person should know of a node that is left half way after this was begun.
    #[serde(default)]
    pub leaves: Option<String>,
    /// The action that this one takes back: it is done even when the sequence is left half way, where that one was done by us.
    pub undoes: Option<String>,
    /// Where a person who tries again begins, where that is not this action.
    pub retry_from: Option<String>,
    /// Seconds it usually takes, and seconds after which a person is asked. Nothing is forced.
    pub expected: u64,
    pub budget: u64,
}

/// What an action is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// Waits until every condition holds, twice, half a minute apart (run-safety-model 9.1). Where one of `halts` holds it has failed,
    /// and a person decides.
    Gate {
        conditions: Vec<Proof>,
        #[serde(default)]
        halts: Vec<Proof>,
    },
    /// Runs a script unless its probe says that it is done, then waits until the probe says so.
    Do { script: ScriptId, on: Place, probe: Probe },
    /// Starts a script on the node under the claim and exit protocol, unless its probe says that it is done, and follows it until it
    /// ends with one of these codes (run-safety-model 6). What the others mean: by their text, `0xC1900210`.
    Detached { script: ScriptId, probe: Probe, success: Vec<u64>, codes: BTreeMap<String, String> },
    /// Restarts the node and waits until it has started anew. Where a probe says that there is nothing to restart for, it does not.
    Restart {
        script: ScriptId,
        #[serde(default)]
        probe: Option<Probe>,
    },
}

/// A sequence that was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceRun {
    pub id: String,
    /// The nodes it is for, in their order.
    pub nodes: Vec<NodeName>,
    /// The step of the run that it is, where it moves the nodes of one.
    pub step: Option<String>,
    /// Number of the event that started it.
    pub seq: u64,
    pub started_at: Timestamp,
    pub by: String,
    /// The node and the action that it is at, by their places.
    pub node: usize,
    pub action: usize,
    /// When the turn of that action came.
    pub since: Timestamp,
    /// Per node and action what is known.
    pub actions: BTreeMap<NodeName, BTreeMap<String, ActionRun>>,
    /// It is to pause or to end after the node in work.
    pub asked: Option<Wish>,
    /// It was ended in the middle of a node: only what takes back is still done.
    pub leaving: bool,
    pub paused: Option<Seen<Halt>>,
    pub ended: Option<Seen<StepEnd>>,
}

/// What a person wants of a sequence that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    Pause,
    Stop,
}

/// Why a sequence waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    pub reason: PauseReason,
    pub why: String,
    /// It is proved that what was begun did not succeed: not only that it takes long.
    #[serde(default)]
    pub failed: bool,
}

/// One action on one node, as far as it is known.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct ActionRun {
    pub attempt: u32,
    /// What is sent next is the same operation once more: an engine that ended did not hear what became of it.
    pub resend: bool,
    pub op: Option<OpId>,
    /// The last start of the node before the first attempt.
    pub boot: Option<Timestamp>,
    pub intended_at: Option<Timestamp>,
    pub answer: Option<Answer>,
    pub answered_at: Option<Timestamp>,
    /// What the files of a detached operation say.
    pub seen: Option<Seen<OpVerdict>>,
    /// Conditions as they were judged last, and since when all of them hold.
    pub gate: Vec<ProofItem>,
    pub gate_at: Option<Timestamp>,
    pub open_since: Option<Timestamp>,
    pub ended: Option<Seen<String>>,
}

impl SequenceRun {
    /// It was just started.
    pub fn new(id: &str, nodes: &[NodeName], by: &str, seq: u64, at: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            nodes: nodes.to_vec(),
            step: None,
            seq,
            started_at: at,
            by: by.to_owned(),
            node: 0,
            action: 0,
            since: at,
            actions: BTreeMap::new(),
            asked: None,
            leaving: false,
            paused: None,
            ended: None,
        }
    }

    /// The node that it is at; none when every node is done.
    pub fn node(&self) -> Option<&NodeName> {
        self.nodes.get(self.node)
    }

    /// What is known of an action on a node.
    pub fn on(&self, node: &NodeName, action: &str) -> Option<&ActionRun> {
        self.actions.get(node)?.get(action)
    }

    /// The action that an operation is of, and its node.
    pub fn of_operation(&self, op: &OpId) -> Option<(&NodeName, &ActionRun)> {
        let all = self.actions.iter().flat_map(|(node, known)| known.values().map(move |a| (node, a)));
        all.into_iter().find(|(_, a)| a.op.as_ref() == Some(op))
    }

    /// It has not ended.
    pub fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// Something was begun on the node it is at.
    pub fn in_work(&self) -> Option<&NodeName> {
        let node = self.node().filter(|_| self.is_open())?;
        self.actions.get(node)?.values().any(|a| a.attempt > 0).then_some(node)
    }

    pub(super) fn current(&mut self, action: &str) -> Option<&mut ActionRun> {
        let node = self.nodes.get(self.node)?;
        Some(self.actions.entry(node.clone()).or_default().entry(action.to_owned()).or_default())
    }

    /// The turn of the next action, or of the first one of the next node.
    pub(super) fn step_on(&mut self, actions: usize, at: Timestamp) {
        self.action += 1;
        if self.action >= actions {
            (self.node, self.action) = (self.node + 1, 0);
        }
        self.since = at;
    }

    /// The action it is at is tried again.
    pub(super) fn again(&mut self, sequence: &Sequence, at: Timestamp) {
        let resend = self.paused.as_ref().is_some_and(|h| h.value.reason == PauseReason::Recovered);
        let failed = self.paused.as_ref().is_some_and(|h| h.value.failed);
        (self.paused, self.since) = (None, at);
        let Some(action) = sequence.actions.get(self.action) else { return };
        if let Some(known) = self.current(&action.id) {
            if matches!(action.kind, ActionKind::Detached { .. }) && !failed && known.op.is_some() {
                // It may still run: it is looked for, by its own name, and never started beside itself.
                let (op, boot, attempt) = (known.op.take(), known.boot, known.attempt);
                *known = ActionRun { attempt, op, boot, intended_at: Some(at), ..ActionRun::default() };
                return;
            }
            // What was found before the first attempt still tells whether it happened.
            *known = ActionRun { attempt: known.attempt, boot: known.boot, resend, ..ActionRun::default() };
        }
    }

    /// A person says that it goes on: the action is tried again, or the one where a new attempt begins.
    pub(super) fn go_on(&mut self, sequence: &Sequence, at: Timestamp) {
        let decided =
            self.paused.as_ref().is_some_and(|h| h.value.failed || h.value.reason == PauseReason::NeedsDecision);
        self.asked = None;
        let back = sequence.actions.get(self.action).and_then(|a| a.retry_from.as_ref()).filter(|_| decided);
        let Some(first) = back.and_then(|id| sequence.actions.iter().position(|a| a.id == *id)) else {
            return self.again(sequence, at);
        };
        (self.paused, self.since) = (None, at);
        for action in &sequence.actions[first..=self.action] {
            if let Some(known) = self.current(&action.id) {
                *known = ActionRun { attempt: known.attempt, ..ActionRun::default() };
            }
        }
        self.action = first;
    }
}
