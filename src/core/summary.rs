//! Counts and times that follow from the state: what the header, the headless output and the report say alike.

use jiff::Timestamp;

use super::command::moment;
use super::event::{Outcome, VerdictKey};
use super::name::NodeName;
use super::pace::Learned;
pub use super::pace::spent;
use super::plan::{Check, Mode, Stage};
use super::standing::{Standing, standing};
use super::state::{Reading, State, Unit};

/// A check over all its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRow {
    /// Every verdict it can have, in the order of the plan.
    pub cells: Vec<Cell>,
    /// The worst outcome; none while nothing was judged.
    pub outcome: Option<Outcome>,
    /// The worst of its verdicts as they count now.
    pub standing: Standing,
    /// Facts are being read, or a fix runs.
    pub open: bool,
    /// Verdicts that are good, of how many.
    pub good: usize,
    pub of: usize,
    /// The verdicts that are not good, worst first.
    pub bad: Vec<VerdictKey>,
}

/// One verdict of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub key: VerdictKey,
    pub standing: Standing,
    /// It is about to change.
    pub open: Option<Open>,
}

/// Why a verdict is about to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Facts of it are wanted, none is being read yet.
    Waits,
    /// Facts of it are being read since then.
    Reading(Timestamp),
    /// A fix of it runs.
    Fixing,
}

/// One check over all its nodes.
pub fn check_row(state: &State, check: &Check, now: Timestamp) -> CheckRow {
    row(state, check, now, true)
}

/// Every check of the current moment over all its nodes, in the order of the plan.
pub fn check_rows(state: &State, now: Timestamp) -> Vec<CheckRow> {
    let moment = moment(state);
    let reading = state.reads.values().any(Reading::is_open);
    state.plan.checks.iter().filter(|c| c.moment == moment).map(|c| row(state, c, now, reading)).collect()
}

/// The same, where it is known whether anything at all is being read.
fn row(state: &State, check: &Check, now: Timestamp, reading: bool) -> CheckRow {
    let cell = |key: VerdictKey| {
        let fixing = state.checks.get(&key).is_some_and(|c| c.fixing.is_some());
        let open = match fixing {
            true => Some(Open::Fixing),
            false if reading => open_reads(state, &key),
            false => None,
        };
        Cell { standing: standing(state, &key, now), open, key }
    };
    let cells: Vec<Cell> = state.verdict_keys(&check.id).into_iter().map(cell).collect();
    let outcome_of = |k: &VerdictKey| state.verdict_of(k).map(|v| v.value.outcome);
    let judged: Vec<(Outcome, &VerdictKey)> =
        cells.iter().filter_map(|c| Some((outcome_of(&c.key)?, &c.key))).collect();
    let mut bad: Vec<(Outcome, &VerdictKey)> =
        judged.iter().filter(|(o, _)| super::command::is_bad(*o)).copied().collect();
    bad.sort_by_key(|(o, _)| std::cmp::Reverse(*o));
    CheckRow {
        outcome: Outcome::worst(judged.iter().map(|(o, _)| *o)),
        standing: cells.iter().map(|c| c.standing).max().unwrap_or(Standing::NotJudged),
        open: cells.iter().any(|c| c.open.is_some()),
        good: judged.len() - bad.len(),
        of: cells.len(),
        bad: bad.into_iter().map(|(_, k)| k.clone()).collect(),
        cells,
    }
}

/// How many checks ended how; each check counts once, by its worst verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that are stale included.
    pub pass: usize,
    pub stale: usize,
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
    counts_of(&check_rows(state, now))
}

/// The same over rows that are there already.
pub fn counts_of(rows: &[CheckRow]) -> Counts {
    let mut c = Counts::default();
    for row in rows {
        match row.standing {
            Standing::Fail => c.fail += 1,
            Standing::CouldNotTell => c.unknown += 1,
            Standing::Warn => c.warn += 1,
            Standing::Waived => c.waived += 1,
            Standing::Stale => (c.pass, c.stale) = (c.pass + 1, c.stale + 1),
            Standing::Pass => c.pass += 1,
            Standing::NotApplicable => c.not_applicable += 1,
            Standing::NotJudged => {}
        }
        c.verdicts += row.of;
        c.open += row.cells.iter().filter(|c| c.open.is_some()).count();
    }
    c
}

/// What the reads of a verdict are at.
fn open_reads(state: &State, key: &VerdictKey) -> Option<Open> {
    let reads = state.reads_of(key);
    let open = reads.iter().filter_map(|r| state.reads.get(r).filter(|r| r.is_open()));
    open.map(|r| r.asked_at.map_or(Open::Waits, Open::Reading)).max_by_key(|o| match o {
        Open::Reading(at) => (true, std::cmp::Reverse(*at)),
        _ => (false, std::cmp::Reverse(Timestamp::MIN)),
    })
}

/// Nodes that a start would upgrade, and those that are at the target already. A rehearsal takes every node.
pub fn to_upgrade(state: &State) -> (Vec<&NodeName>, Vec<&NodeName>) {
    let rehearses = state.plan.rehearses();
    let there =
        |n: &&NodeName| !rehearses && state.machines[*n].build().is_some_and(|b| b >= state.plan.target.build);
    let (done, left) = state.plan.nodes.iter().partition(there);
    (left, done)
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
    /// An earlier run of this cluster.
    Earlier(Learned),
    /// The runbook.
    Plan(u64),
}

impl Usual {
    /// The time alone, in seconds.
    pub fn seconds(&self) -> u64 {
        match self {
            Usual::Sibling(_, s) | Usual::Plan(s) => *s,
            Usual::Earlier(l) => l.usual,
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
    match siblings.max_by_key(|(n, _)| run.and_then(|r| r.units.get(*n)?.since)) {
        Some((n, s)) => Usual::Sibling(n.clone(), s),
        None => match state.plan.learned.get(&stage) {
            Some(learned) => Usual::Earlier(learned.clone()),
            None => Usual::Plan(state.plan.expected(stage)),
        },
    }
}

/// The least and the most seconds that a stage will take on a node, by what is known: wider where it was not seen on this cluster.
fn span(state: &State, stage: Stage) -> (f64, f64) {
    let units = state.run.iter().flat_map(|r| r.units.values()).filter(|u| u.state.is_good());
    let took: Vec<u64> = units.filter_map(|u| spent(u, stage)).filter(|s| *s > 0).collect();
    let (low, high, below, above) = match (took.iter().min(), took.iter().max(), state.plan.learned.get(&stage)) {
        (Some(low), Some(high), _) => (*low, *high, 0.9, 1.25),
        (_, _, Some(l)) => (l.least, l.most, 0.85, 1.3),
        _ => (state.plan.expected(stage), state.plan.expected(stage), 0.8, 1.6),
    };
    (low as f64 * below, high as f64 * above)
}

/// Seconds that one more node may take until its safe point, even if it is slow: what a maintenance window must leave.
pub fn longest_node(state: &State) -> u64 {
    // Where another driver moves the nodes, all download first and at the same time: once one is beyond that, all are.
    let begun = |u: &Unit| u.track.iter().any(|p| p.stage > Stage::Staging);
    let staged =
        state.run.iter().flat_map(|r| r.units.values()).any(begun) || state.plan.driver.mode == Mode::Direct;
    let stages = Stage::TRACK.iter().filter(|s| **s != Stage::Staging || !staged);
    stages.map(|s| span(state, *s).1 as u64).sum()
}

/// When the run will be over: earliest and latest.
pub fn eta(state: &State, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let run = state.run.as_ref()?;
    if state.phase.is_terminal() || !state.phase.is_under_way() {
        return None;
    }
    let mut left = (0.0, 0.0);
    let mut staging: (f64, f64) = (0.0, 0.0);
    for node in &state.plan.nodes {
        let unit = run.units.get(node)?;
        if unit.state.is_final() {
            continue;
        }
        let current = unit.track.last().filter(|p| p.to.is_none());
        for stage in Stage::TRACK {
            let passed = unit.track.iter().any(|p| p.stage == stage && p.to.is_some());
            let here = current.filter(|p| p.stage == stage);
            if passed && here.is_none() || current.is_some_and(|p| stage < p.stage) {
                continue;
            }
            let since = here.map_or(0.0, |p| now.duration_since(p.from).as_secs().max(0) as f64);
            let (low, high) = span(state, stage);
            let (low, high) = ((low - since).max(0.0), (high - since).max(0.0));
            // Every node downloads at the same time.
            if stage == Stage::Staging {
                staging = (staging.0.max(low), staging.1.max(high));
            } else {
                left = (left.0 + low, left.1 + high);
            }
        }
    }
    let at = |seconds: f64| now.checked_add(jiff::SignedDuration::from_secs(seconds as i64)).ok();
    Some((at(left.0 + staging.0)?, at(left.1 + staging.1)?))
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
