//! What is said outside the frame: the title of the terminal's window, its progress, and a sound.

use super::model::Model;
use crate::core::plan::Stage;
use crate::core::run::Phase;
use crate::core::state::{State, Unit};
use crate::core::summary::{nodes_done, usual};

/// How far the run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    None,
    /// Hundredths.
    Going(u8),
    Waiting(u8),
    Failed(u8),
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    pub title: String,
    pub share: Share,
    /// What waits for a person: when this becomes another sentence, a sound is due.
    pub urgent: Option<String>,
}

impl Model {
    /// What the terminal's window should show now.
    pub fn outside(&self) -> Outside {
        let Some(state) = self.state.as_ref().filter(|_| self.caught_up) else {
            return Outside { title: "nodelift".into(), share: Share::None, urgent: None };
        };
        let advice = self.derived().map(|d| &d.advice);
        let (done, of) = nodes_done(state);
        let count = if state.run.is_some() { format!(" {done} of {of}") } else { String::new() };
        let hundredths = hundredths(state, self.now);
        let share = match &state.phase {
            _ if state.run.is_none() => Share::None,
            Phase::Failed => Share::Failed(hundredths),
            p if p.is_terminal() => Share::None,
            _ if advice.is_some_and(|a| a.urgent) => Share::Waiting(hundredths),
            _ => Share::Going(hundredths),
        };
        Outside {
            title: format!("{}: {}{count} – nodelift", state.plan.cluster, state.phase.word()),
            share,
            urgent: advice.filter(|a| a.urgent).map(|a| format!("{} {}", state.phase.word(), head(&a.text))),
        }
    }
}

/// The beginning of a sentence, without its numbers: they change by themselves.
fn head(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).take(40).collect()
}

/// Hundredths of the run that have passed, by what is usual.
fn hundredths(state: &State, now: jiff::Timestamp) -> u8 {
    let Some(run) = &state.run else { return 0 };
    let all: u64 = Stage::TRACK.iter().map(|s| usual(state, *s).seconds()).sum::<u64>().max(1);
    let of_unit = |u: &Unit| -> f64 {
        if u.state.is_good() {
            return 1.0;
        }
        let Some(last) = u.track.last() else { return 0.0 };
        let before: u64 =
            Stage::TRACK.iter().filter(|s| **s < last.stage).map(|s| usual(state, *s).seconds()).sum();
        let here = usual(state, last.stage).seconds().min(super::time::since(last.from, now) as u64);
        (before + here) as f64 / all as f64
    };
    let sum: f64 = run.units.values().map(of_unit).sum();
    (sum / run.units.len().max(1) as f64 * 100.0).clamp(0.0, 100.0) as u8
}
