//! Hooks: commands on this machine around each node, such as silencing its alarms. What they are is the inventory's; here is what a run knows
//! of them.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::{NodeName, OpId};
use super::state::{Seen, State};

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Before a node is drained; where another driver moves the nodes: when it is seen to drain one.
    BeforeDrain,
    /// When a node takes part again.
    AfterResume,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            When::BeforeDrain => "before_drain",
            When::AfterResume => "after_resume",
        })
    }
}

/// The hooks of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    /// Programs with their arguments; `{node}`, `{cluster}`, `{change}` and `{run}` are put in.
    pub commands: BTreeMap<When, Vec<String>>,
    /// Seconds of real time after which one is ended.
    pub timeout: u64,
    /// One before a node that fails pauses; else it is only told.
    pub pause: bool,
}

impl Hooks {
    /// The command of a hook for a node, with its names put in.
    pub fn command(&self, state: &State, when: When, node: &NodeName, run: &str) -> Option<Vec<String>> {
        let change = state.plan.terms.change.as_deref().unwrap_or_default();
        let known =
            [("{node}", node.as_str()), ("{cluster}", &state.plan.cluster), ("{change}", change), ("{run}", run)];
        let put = |word: &String| known.iter().fold(word.clone(), |w, (name, value)| w.replace(name, value));
        Some(self.commands.get(&when)?.iter().map(put).collect())
    }
}

/// One hook for one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HookRun {
    pub node: NodeName,
    pub when: When,
    /// Number of the event of what it belongs to: another attempt has its own.
    pub cause: u64,
    pub op: OpId,
    pub at: Timestamp,
    pub ended: Option<Seen<HookEnd>>,
}

/// How a hook ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookEnd {
    pub ok: bool,
    /// What it said, or why it failed: one line.
    pub message: String,
}

impl State {
    /// The hook of a node for a cause, where it was begun.
    pub fn hook(&self, node: &NodeName, when: When, cause: u64) -> Option<&HookRun> {
        self.hooks.iter().rev().find(|h| h.node == *node && h.when == when && h.cause == cause)
    }
}
