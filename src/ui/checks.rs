//! The list of checks as it is shown: what stands in the way first, then what to look at, then the rest by area.

use jiff::Timestamp;

use crate::core::command::{is_bad, moment};
use crate::core::event::{Outcome, Verdict, VerdictKey};
use crate::core::plan::{Check, Moment, Severity};
use crate::core::state::{Seen, State};
use crate::core::summary::{CheckRow, check_row};

/// One line of the list.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    Heading(String),
    /// A check, by its place in the plan and in `List::rows`.
    Check {
        plan: usize,
        row: usize,
    },
    /// Machines on which a check is not good for the same reason.
    Bad {
        plan: usize,
        row: usize,
        keys: Vec<VerdictKey>,
    },
}

/// The list.
#[derive(Clone, Debug, Default)]
pub struct List {
    pub rows: Vec<CheckRow>,
    pub lines: Vec<Line>,
}

/// What is selected in the list: a check, or one group of machines of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub check: String,
    /// First machine of the group.
    pub part: Option<VerdictKey>,
}

/// How urgent a check is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    InTheWay,
    ToLookAt,
    Waived,
    Rest,
}

fn rank(check: &Check, row: &CheckRow) -> Rank {
    match row.outcome {
        _ if row.waived => Rank::Waived,
        Some(Outcome::Fail | Outcome::CouldNotTell) if check.severity == Severity::Blocker => Rank::InTheWay,
        Some(o) if is_bad(o) => Rank::ToLookAt,
        _ => Rank::Rest,
    }
}

/// The list for a state.
pub fn list(state: &State, now: Timestamp) -> List {
    let at = moment(state);
    let mut list = List::default();
    let mut ranked: Vec<(Rank, usize, usize)> = Vec::new();
    for (plan, check) in state.plan.checks.iter().enumerate().filter(|(_, c)| c.moment == at) {
        let row = check_row(state, check, now);
        ranked.push((rank(check, &row), plan, list.rows.len()));
        list.rows.push(row);
    }
    for group in [Rank::InTheWay, Rank::ToLookAt, Rank::Waived] {
        let of: Vec<_> = ranked.iter().filter(|(r, ..)| *r == group).collect();
        if of.is_empty() {
            continue;
        }
        list.lines.push(Line::Heading(heading(group, at, of.len())));
        for (_, plan, row) in of {
            list.lines.push(Line::Check { plan: *plan, row: *row });
            let groups = by_reason(state, &list.rows[*row].bad);
            let parts = groups.into_iter().map(|keys| Line::Bad { plan: *plan, row: *row, keys });
            list.lines.extend(parts);
        }
    }
    let mut area = None;
    for (_, plan, row) in ranked.iter().filter(|(r, ..)| *r == Rank::Rest) {
        let check = &state.plan.checks[*plan];
        if area != Some(&check.area) {
            area = Some(&check.area);
            list.lines.push(Line::Heading(check.area.clone()));
        }
        list.lines.push(Line::Check { plan: *plan, row: *row });
    }
    list
}

fn heading(rank: Rank, at: Moment, count: usize) -> String {
    match (rank, at) {
        (Rank::InTheWay, Moment::Before) => format!("In the way of the start · {count}"),
        (Rank::InTheWay, Moment::After) => format!("Not proved · {count}"),
        (Rank::ToLookAt, _) => format!("To look at · {count}"),
        (Rank::Waived, _) => format!("Waived · {count}"),
        (Rank::Rest, _) => String::new(),
    }
}

/// Verdicts that say the same, together.
fn by_reason(state: &State, bad: &[VerdictKey]) -> Vec<Vec<VerdictKey>> {
    let mut groups: Vec<(Outcome, String, Vec<VerdictKey>)> = Vec::new();
    for key in bad {
        let Some(v) = state.verdict_of(key) else { continue };
        let said = saw(&v.value);
        match groups.iter_mut().find(|(o, s, _)| *o == v.value.outcome && *s == said) {
            Some((_, _, keys)) => keys.push(key.clone()),
            None => groups.push((v.value.outcome, said, vec![key.clone()])),
        }
    }
    groups.into_iter().map(|(_, _, keys)| keys).collect()
}

/// What a verdict saw, in a few words.
pub fn saw(verdict: &Verdict) -> String {
    let said = verdict.why.as_ref().or(verdict.observed.as_ref()).or(verdict.detail.first());
    said.cloned().unwrap_or_else(|| verdict.outcome.word().to_owned())
}

/// When the facts behind a verdict were read.
pub fn read_at(seen: &Seen<Verdict>) -> Timestamp {
    seen.value.facts_at.unwrap_or(seen.at)
}

impl List {
    /// Lines that can be selected.
    pub fn selectable(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.lines.iter().enumerate().filter(|(_, l)| !matches!(l, Line::Heading(_))).map(|(i, _)| i)
    }

    /// What selecting a line means.
    pub fn choice(&self, state: &State, line: usize) -> Option<Choice> {
        match self.lines.get(line)? {
            Line::Heading(_) => None,
            Line::Check { plan, .. } => {
                Some(Choice { check: state.plan.checks.get(*plan)?.id.clone(), part: None })
            }
            Line::Bad { plan, keys, .. } => {
                Some(Choice { check: state.plan.checks.get(*plan)?.id.clone(), part: keys.first().cloned() })
            }
        }
    }

    /// The line of a choice; the check's own where its part is gone.
    pub fn line_of(&self, state: &State, choice: &Choice) -> Option<usize> {
        let is = |plan: &usize| state.plan.checks.get(*plan).is_some_and(|c| c.id == choice.check);
        let part = choice.part.as_ref().and_then(|part| {
            self.lines
                .iter()
                .position(|l| matches!(l, Line::Bad { plan, keys, .. } if is(plan) && keys.contains(part)))
        });
        part.or_else(|| self.lines.iter().position(|l| matches!(l, Line::Check { plan, .. } if is(plan))))
    }

    /// The verdicts that an action on a line is about: those that are not good, or else all of the check.
    pub fn keys(&self, state: &State, line: usize) -> Vec<VerdictKey> {
        match self.lines.get(line) {
            Some(Line::Bad { keys, .. }) => keys.clone(),
            Some(Line::Check { plan, row }) => {
                let bad = self.rows.get(*row).map(|r| r.bad.clone()).unwrap_or_default();
                let all = || state.plan.checks.get(*plan).map(|c| state.verdict_keys(&c.id)).unwrap_or_default();
                if bad.is_empty() { all() } else { bad }
            }
            _ => Vec::new(),
        }
    }
}
