//! What a person reads after an engine ended under a run: what was under way, what was found, for how long nobody looked, and what
//! the next key would do (run-safety-model 8).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::advice::advice;
use super::command::plural;
use super::run::{PauseReason, Phase};
use super::state::{CommitState, State};
use super::summary::{duration, node_in_work};

/// Nodes that are named one by one.
const NAMED: usize = 6;

/// An engine ended while something was under way, and another one went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interruption {
    /// Time of the last record before.
    pub last: Timestamp,
    pub back: Timestamp,
    /// What was under way, a line each.
    pub was: Vec<String>,
}

/// The page, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    pub was: Vec<String>,
    /// How long nobody looked.
    pub dark: String,
    pub found: Vec<String>,
    /// What going on would do.
    pub next: String,
}

impl Brief {
    /// Its headings, and what stands below each.
    pub fn parts(&self) -> [(&'static str, &[String]); 4] {
        [
            ("Under way", &self.was),
            ("Unwatched", std::slice::from_ref(&self.dark)),
            ("Found", &self.found),
            ("Going on", std::slice::from_ref(&self.next)),
        ]
    }
}

/// The page, while it waits for the person who reads it.
pub fn brief(state: &State) -> Option<Brief> {
    let cut = state.interrupted.as_ref().filter(|_| state.waits_after_recovery())?;
    let dark = duration(cut.back.duration_since(cut.last).as_secs());
    let clock = |at: Timestamp| at.strftime("%H:%M:%S").to_string();
    let dark = format!(
        "{dark}: from {} to {} UTC. What was begun on the nodes went on by itself.",
        clock(cut.last),
        clock(cut.back)
    );
    Some(Brief { was: cut.was.clone(), dark, found: found(state), next: next(state) })
}

impl State {
    /// It was recovered, and a person has not said yet that it goes on.
    fn waits_after_recovery(&self) -> bool {
        let recovered = |r: &PauseReason| *r == PauseReason::Recovered;
        let halted =
            self.open_sequence().and_then(|(s, _)| s.paused.as_ref()).is_some_and(|h| recovered(&h.value.reason));
        halted && !matches!(self.phase, Phase::Recovering)
            || matches!(&self.phase, Phase::Paused(PauseReason::Recovered | PauseReason::NeedsDecision))
    }

    /// What an engine that ended leaves under way; none where nothing was.
    pub(super) fn interruption(&self, back: Timestamp) -> Option<Interruption> {
        let last = self.at?;
        let mut was = Vec::new();
        let step = self.current_step().and_then(|s| self.plan.step(s));
        if self.run.is_some()
            && (self.phase.is_under_way() || matches!(self.phase, Phase::AwaitingCommit | Phase::Finalising))
        {
            let step = step.map_or_else(String::new, |s| format!(", at: {}", s.title));
            was.push(format!("The run was {}{step}", self.phase.word()));
        }
        if let Some((node, unit)) = node_in_work(self) {
            let since = unit.track.last().map_or(0, |p| last.duration_since(p.from).as_secs());
            was.push(format!("{node} was {} for {}", unit.state.word(), duration(since)));
        }
        if let Some((run, sequence)) = self.open_sequence() {
            let at = run.node().zip(sequence.actions.get(run.action));
            let at = at.map_or_else(String::new, |(node, action)| format!(": {node}, {}", action.title));
            was.push(format!("{}{at}", sequence.title));
        }
        for fix in self.fixes.values().filter(|f| f.answer.is_none()) {
            let title = self.plan.check(&fix.key.check).map_or(fix.key.check.as_str(), |c| &c.title);
            was.push(format!("A fix on {}: {title}", fix.node));
        }
        let commits = self.run.iter().flat_map(|r| &r.commits);
        for (step, _) in commits.filter(|(_, c)| matches!(c, CommitState::Intended { .. })) {
            let title = self.plan.step(step).map_or(step.as_str(), |s| &s.title);
            was.push(format!("{title}: it was being done"));
        }
        (!was.is_empty()).then_some(Interruption { last, back, was })
    }
}

fn found(state: &State) -> Vec<String> {
    let mut out = Vec::new();
    if matches!(state.phase, Phase::Paused(_)) {
        out.push(sentence(&state.phase_why));
    }
    if let Some(halt) = state.open_sequence().and_then(|(s, _)| s.paused.as_ref()) {
        out.push(sentence(&halt.value.why));
    }
    let units = state.run.iter().flat_map(|r| &r.units).filter(|(_, u)| !u.state.is_good());
    let lines: Vec<String> = units.map(|(node, u)| format!("{node}: {} ({})", u.state.word(), u.why)).collect();
    let more = lines.len().saturating_sub(NAMED);
    out.extend(lines.into_iter().take(NAMED));
    if more > 0 {
        out.push(format!("and {}", plural(more, "more node")));
    }
    let away: Vec<&str> = state.in_trouble().map(|(n, _)| n.as_str()).collect();
    if !away.is_empty() {
        out.push(format!("Not reached: {}", away.join(", ")));
    }
    out
}

fn next(state: &State) -> String {
    let name = &state.plan.driver.name;
    if let Err(why) = state.understood() {
        return sentence(&why);
    }
    if state.own_run().is_some() {
        return format!("It follows the run of {name} that goes on, and starts no second one.");
    }
    if let Some((run, sequence)) = state.open_sequence()
        && let Some((node, action)) = run.node().zip(sequence.actions.get(run.action))
    {
        return format!(
            "It looks first whether this happened on {node}: {}. Then it goes on there.",
            action.title
        );
    }
    if state.handed_over().is_some_and(|s| s.op.is_some() && s.ended.is_none()) {
        return format!("It judges how {name} ended. Where nodes are left it pauses again, and says so.");
    }
    let at = state.at.unwrap_or(Timestamp::UNIX_EPOCH);
    match advice(state, at).press {
        Some((_, does)) => format!("It {does}."),
        None => "It goes on where it was.".to_owned(),
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map_or_else(String::new, |c| c.to_uppercase().to_string());
    format!("{first}{}", chars.as_str())
}
