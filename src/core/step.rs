//! Steps of a run: what a runbook says, and how far they are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::event::Answer;
use super::gate_rules::GatePart;
use super::items::{Item, Items};
use super::name::{NodeName, OpId};
use super::plan::{Expr, Place, ScriptId};
use super::state::Seen;
use super::view::OpVerdict;

/// What a repetition would do (run-safety-model 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    Read,
    /// May be repeated after a probe.
    Write,
    /// Must happen at most once: never sent again on doubt.
    Once,
    /// Cannot be undone.
    Irreversible,
}

/// How a person agrees (run-safety-model 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    T0,
    T1,
    /// A dialog, answered with `y`.
    T2,
    /// The cluster's name is typed, with a reason.
    T3,
}

/// What kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// A script that is run once, unless its probe says that it happened already; over when the probe says so.
    Do,
    /// Hand the nodes to the driver and follow it until every node is proved.
    Delegate,
    /// Move the nodes ourselves, one after the other, by a sequence.
    Sequence,
    /// Have the driver do something else to the nodes that are there already, unless the probe says that there is nothing to do; over
    /// when its report says so.
    Drive,
    /// Judge every `after` check.
    Verify,
    /// Something that a person does outside, and confirms.
    Person,
    /// Irreversible, on its own confirmation, after a fresh proof.
    Commit,
}

impl StepKind {
    /// Moves the nodes, by whomever.
    pub fn moves_nodes(self) -> bool {
        matches!(self, StepKind::Delegate | StepKind::Sequence)
    }

    /// A run of the driver is made by it.
    pub fn drives(self) -> bool {
        matches!(self, StepKind::Delegate | StepKind::Drive)
    }

    /// It waits for a person.
    pub fn waits(self) -> bool {
        matches!(self, StepKind::Person | StepKind::Commit)
    }
}

/// One step of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub id: String,
    pub title: String,
    pub kind: StepKind,
    /// It exists only while these settings have these values; a list = one of them.
    #[serde(default)]
    pub only: BTreeMap<String, Json>,
    /// What it does to each node, where it moves them by a sequence.
    #[serde(default)]
    pub sequence: Option<String>,
    /// Settings that must not be empty for it.
    #[serde(default)]
    pub needs: Vec<String>,
    pub class: Class,
    pub on: Place,
    pub script: Option<ScriptId>,
    /// Runs as a scheduled task under the claim and exit protocol, not on the connection.
    pub detached: bool,
    /// Tells whether it already happened.
    pub probe: Option<Probe>,
    /// Seconds it usually takes, and seconds after which a person is asked to look.
    pub expected: u64,
    pub budget: u64,
    /// Where it can be left without harm, in words.
    pub safe_point: String,
    pub tier: Tier,
    /// What it cannot take back, and what stays possible: shown before it is confirmed.
    pub warning: Vec<String>,
    /// Must all hold, read again less than a minute before.
    pub proof: Vec<Proof>,
    /// Checks whose rows of evidence a person sees before the start: what each machine is offered.
    #[serde(default)]
    pub review: Vec<String>,
    /// A clean-up: done however the run ends.
    #[serde(default)]
    pub always: bool,
    /// The step that it takes back: without that one there is nothing to do.
    #[serde(default)]
    pub undoes: Option<String>,
    /// What a person confirms, as a question.
    #[serde(default)]
    pub ask: Option<String>,
    /// Of a step that is a script: where it fails it may be left for later.
    #[serde(default)]
    pub later: bool,
    /// What it finds on the machines, and does one by one.
    #[serde(default)]
    pub items: Option<Items>,
}

/// A step that does not exist with the settings of the plan, and its place among all steps of the runbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    pub at: usize,
    pub step: Step,
}

/// A read that tells whether a step already happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    pub facts: String,
    /// True = it happened.
    pub done: Expr,
    /// True = it was tried and will not happen by itself.
    #[serde(default)]
    pub failed: Option<Expr>,
}

/// One condition that must be proved right before an irreversible step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    pub title: String,
    pub facts: Vec<String>,
    pub pass: Expr,
    /// What was seen, in a few words: shown where it does not hold.
    #[serde(default)]
    pub observed: Option<Expr>,
    /// The gate that it is a part of, where it is one of a gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GatePart>,
}

/// One step of the run.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct StepState {
    pub attempt: u32,
    pub op: Option<OpId>,
    pub node: Option<NodeName>,
    pub intended_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub seen: Option<Seen<OpVerdict>>,
    pub ended: Option<Seen<StepEnd>>,
    /// The driver's own name for the run that it began.
    pub run_id: Option<String>,
    /// Of a step that is a script: how far it is on each machine.
    pub on: BTreeMap<NodeName, Part>,
    /// What it found, once that was noted.
    pub items: Option<Vec<Item>>,
}

impl StepState {
    /// What was not done is tried anew.
    pub fn again(&mut self) {
        (self.ended, self.op) = (None, None);
        for part in self.on.values_mut().filter(|p| p.done.is_none()) {
            *part = Part { attempt: part.attempt, ..Part::default() };
        }
        self.items.iter_mut().flatten().for_each(Item::again);
    }
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepEnd {
    pub ok: bool,
    pub message: String,
}

/// A step on one machine, or about one thing.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Part {
    pub attempt: u32,
    pub op: Option<OpId>,
    pub intended_at: Option<Timestamp>,
    pub answer: Option<Answer>,
    /// Number of the last event of it: what was read after that tells whether it happened.
    pub seq: u64,
    pub done: Option<Seen<String>>,
}
