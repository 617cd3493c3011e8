//! Counts and times that follow from the state: what the header, the headless output and the report say alike.

use jiff::Timestamp;

use super::command::{keys_of, moment};
use super::event::{Outcome, VerdictKey};
use super::name::NodeName;
use super::plan::{Check, Stage};
use super::state::{State, Unit};

/// A check over all its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRow {
    /// The worst outcome; none while nothing was judged.
    pub outcome: Option<Outcome>,
    /// Every verdict that is bad is waived.
    pub waived: bool,
    /// Facts are being read, or a fix runs.
    pub open: bool,
    /// Verdicts that are good, of how many.
    pub good: usize,
    pub of: usize,
    /// The verdicts that are not good, worst first.
    pub bad: Vec<VerdictKey>,
}

/// One check over all its nodes.
pub fn check_row(state: &State, check: &Check, now: Timestamp) -> CheckRow {
    let keys = state.verdict_keys(&check.id);
    let outcome_of = |k: &VerdictKey| state.verdict_of(k).map(|v| v.value.outcome);
    let mut bad: Vec<VerdictKey> =
        keys.iter().filter(|k| outcome_of(k).is_some_and(super::command::is_bad)).cloned().collect();
    bad.sort_by_key(|k| std::cmp::Reverse(outcome_of(k)));
    CheckRow {
        outcome: Outcome::worst(keys.iter().filter_map(outcome_of)),
        waived: !bad.is_empty() && bad.iter().all(|k| state.waiver(k, now).is_some()),
        open: keys.iter().any(|k| state.is_open(k)),
        good: keys
            .iter()
            .filter(|k| matches!(outcome_of(k), Some(Outcome::Pass | Outcome::NotApplicable)))
            .count(),
        of: keys.len(),
        bad,
    }
}

/// How many checks ended how; each check counts once, by its worst verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub pass: usize,
    pub warn: usize,
    pub fail: usize,
    pub unknown: usize,
    pub not_applicable: usize,
    pub waived: usize,
    /// Verdicts that are open, and all verdicts: the progress of the checking.
    pub open: usize,
    pub verdicts: usize,
}

/// Counts over the checks of the current moment.
pub fn counts(state: &State, now: Timestamp) -> Counts {
    let moment = moment(state);
    let mut c = Counts::default();
    for check in state.plan.checks.iter().filter(|c| c.moment == moment) {
        let row = check_row(state, check, now);
        match row.outcome {
            _ if row.waived => c.waived += 1,
            Some(Outcome::Pass) => c.pass += 1,
            Some(Outcome::Warn) => c.warn += 1,
            Some(Outcome::Fail) => c.fail += 1,
            Some(Outcome::CouldNotTell) => c.unknown += 1,
            Some(Outcome::NotApplicable) => c.not_applicable += 1,
            None => {}
        }
    }
    for key in keys_of(state, moment) {
        c.verdicts += 1;
        c.open += usize::from(state.is_open(&key));
    }
    c
}

/// Nodes that are done, of how many.
pub fn nodes_done(state: &State) -> (usize, usize) {
    let done = state.run.as_ref().map_or(0, |r| r.units.values().filter(|u| u.state.is_good()).count());
    (done, state.plan.nodes.len())
}

/// The node that something is being done to.
pub fn node_in_work(state: &State) -> Option<(&NodeName, &Unit)> {
    let run = state.run.as_ref()?;
    state.plan.nodes.iter().find_map(|n| run.units.get_key_value(n).filter(|(_, u)| u.state.in_work()))
}

/// How long a stage usually takes, in seconds, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usual {
    /// The last finished node of this run.
    Sibling(NodeName, u64),
    /// The runbook.
    Plan(u64),
}

impl Usual {
    /// The time alone, in seconds.
    pub fn seconds(&self) -> u64 {
        match self {
            Usual::Sibling(_, s) | Usual::Plan(s) => *s,
        }
    }
}

/// How long a stage usually takes on a node like this one.
pub fn usual(state: &State, stage: Stage) -> Usual {
    let run = state.run.as_ref();
    let siblings = state.plan.nodes.iter().rev().filter_map(|n| {
        let unit = run?.units.get(n).filter(|u| u.state.is_good())?;
        Some((n, spent(unit, stage).filter(|s| *s > 0)?))
    });
    siblings
        .max_by_key(|(n, _)| run.and_then(|r| r.units.get(*n)?.since))
        .map_or_else(|| Usual::Plan(state.plan.expected(stage)), |(n, s)| Usual::Sibling(n.clone(), s))
}

/// Seconds a node spent in a stage that it has left.
pub fn spent(unit: &Unit, stage: Stage) -> Option<u64> {
    let passages = unit.track.iter().filter(|p| p.stage == stage);
    passages.map(|p| p.to.map(|to| to.duration_since(p.from).as_secs().max(0) as u64)).sum()
}

/// When the run will be over: earliest and latest.
pub fn eta(state: &State, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let run = state.run.as_ref()?;
    if state.phase.is_terminal() || !state.phase.is_under_way() {
        return None;
    }
    let learned = run.units.values().any(|u| u.state.is_good());
    let mut left: u64 = 0;
    let mut staging: u64 = 0;
    for node in &state.plan.nodes {
        let unit = run.units.get(node)?;
        if unit.state.is_final() {
            continue;
        }
        let current = unit.track.last().filter(|p| p.to.is_none());
        for stage in Stage::TRACK {
            let usual = usual(state, stage).seconds();
            let passed = unit.track.iter().any(|p| p.stage == stage && p.to.is_some());
            let rest = match current {
                Some(p) if p.stage == stage => {
                    usual.saturating_sub(now.duration_since(p.from).as_secs().max(0) as u64)
                }
                Some(p) if stage < p.stage => 0,
                _ if passed => 0,
                _ => usual,
            };
            // Every node downloads at the same time.
            if stage == Stage::Staging { staging = staging.max(rest) } else { left += rest }
        }
    }
    left += staging;
    let (low, high) = if learned { (0.9, 1.25) } else { (0.8, 1.6) };
    let at = |factor: f64| now.checked_add(jiff::SignedDuration::from_secs((left as f64 * factor) as i64)).ok();
    Some((at(low)?, at(high)?))
}

/// Seconds until the node in work reaches its safe point, by what is usual.
pub fn to_safe_point(state: &State, now: Timestamp) -> Option<u64> {
    let (_, unit) = node_in_work(state)?;
    let current = unit.track.last()?;
    let rest = |stage: Stage| usual(state, stage).seconds();
    let here = rest(current.stage).saturating_sub(now.duration_since(current.from).as_secs().max(0) as u64);
    Some(here + Stage::TRACK.iter().filter(|s| **s > current.stage).map(|s| rest(*s)).sum::<u64>())
}

/// Whether a node has been in its stage for longer than the runbook's limit.
pub fn overdue(state: &State, unit: &Unit, now: Timestamp) -> bool {
    let Some(current) = unit.track.last().filter(|p| p.to.is_none()) else { return false };
    let limit = state.plan.stages.get(&current.stage).map_or(0, |b| b.limit);
    limit > 0 && now.duration_since(current.from).as_secs() > limit as i64
}

/// `41s`, `18m`, `1h 04m`, `12d`: for people, one or two units.
pub fn duration(seconds: i64) -> String {
    let s = seconds.max(0);
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m", s / 60),
        3600..172_800 => format!("{}h {:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d", s / 86_400),
    }
}

/// `02:41:07`.
pub fn clock(seconds: i64) -> String {
    let s = seconds.max(0);
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let all: Vec<String> = [0, 59, 60, 3599, 3600, 3840, 172_799, 1_036_800].map(duration).into();
        assert_eq!(all, ["0s", "59s", "1m", "59m", "1h 00m", "1h 04m", "47h 59m", "12d"]);
        assert_eq!(clock(9667), "02:41:07");
    }
}
