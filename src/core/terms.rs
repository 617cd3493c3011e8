//! Under which terms a run is made: what the people around a cluster agreed on, beside what the runbook does.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hooks::Hooks;
use super::state::State;
use super::summary::{duration, longest_node};
use super::window::{Window, fits};

/// Id of the gate.
pub const WINDOW: &str = "window";

/// What the inventory says of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Number of the change, as the ticket system has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Without a number nothing is started.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub change_required: bool,
    /// When nodes may be taken out of service; any time where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// What is run on this machine around each node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Hooks>,
}

impl Terms {
    /// Nobody agreed on anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How a window stands for one more node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub open: bool,
    /// What it is, one sentence.
    pub why: String,
}

/// How the window stands now, where there is one: open while a node that is begun comes to its safe point within it, even if it is slow.
pub fn window(state: &State, now: Timestamp) -> Option<Standing> {
    let window = state.plan.terms.window.as_ref()?;
    let takes = longest_node(state);
    let next = || match window.opens_next(now) {
        Some(at) => format!("it opens {}", window.shown(at)),
        None => "it does not open again: the inventory says when it does".to_owned(),
    };
    Some(match window.open_until(now) {
        Some(until) if fits(window, now, takes) => {
            Standing { open: true, why: format!("open until {}", window.shown(until)) }
        }
        Some(until) => {
            let (left, takes) = (duration(until.duration_since(now).as_secs()), duration(takes as i64));
            let why = format!("{left} left of it, a node may take {takes}; {}", next());
            Standing { open: false, why }
        }
        None => Standing { open: false, why: next() },
    })
}
