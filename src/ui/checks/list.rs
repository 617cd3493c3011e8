//! The lines of the checks, in the order one looks at them, and what selecting one means.

use super::looking::{Looking, Order};
use super::matrix::{Column, column_on, columns};
use super::saw;
use crate::core::command::moment;
use crate::core::event::VerdictKey;
use crate::core::plan::{Check, Moment, Scope, Severity};
use crate::core::standing::Standing;
use crate::core::state::State;
use crate::core::summary::{Cell, CheckRow};

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    Heading(String),
    /// A check, by its place in `List::rows`.
    Check {
        row: usize,
    },
    /// Machines on which a check is not good for the same reason.
    Bad {
        row: usize,
        keys: Vec<VerdictKey>,
    },
    /// One verdict of a check, by its place among the check's.
    Verdict {
        row: usize,
        cell: usize,
    },
}

/// The lines, and what stands in them.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Every check of the moment, in the order of the plan.
    pub rows: Vec<CheckRow>,
    /// Their places in the plan.
    plan: Vec<usize>,
    pub lines: Vec<Line>,
    /// Checks that are shown.
    pub shown: usize,
    /// Columns of the matrix; none in a list.
    pub columns: Vec<Column>,
}

/// What is selected: a check, or one group of machines of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub check: String,
    /// First machine of the group.
    pub part: Option<VerdictKey>,
}

/// How urgent a check is, most urgent first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    InTheWay,
    ToLookAt,
    Waived,
    Rest,
}

fn rank(check: &Check, standing: Standing) -> Rank {
    match standing {
        Standing::Fail | Standing::CouldNotTell if check.severity == Severity::Blocker => Rank::InTheWay,
        s if s.is_bad() => Rank::ToLookAt,
        Standing::Waived => Rank::Waived,
        _ => Rank::Rest,
    }
}

/// The lines for a state.
pub fn list(state: &State, rows: Vec<CheckRow>, looking: &Looking) -> List {
    let at = moment(state);
    let plan: Vec<usize> =
        state.plan.checks.iter().enumerate().filter(|(_, c)| c.moment == at).map(|(i, _)| i).collect();
    let mut list = List { rows, plan, ..List::default() };
    let shown = |row: &usize| {
        list.check(state, *row)
            .is_some_and(|c| list.rows[*row].cells.iter().any(|cell| looking.takes(state, c, cell)))
    };
    let shown: Vec<usize> = if looking.filters() {
        (0..list.rows.len()).filter(shown).collect()
    } else {
        (0..list.rows.len()).collect()
    };
    list.shown = shown.len();
    if looking.matrix {
        let rows: Vec<(Scope, &CheckRow)> =
            shown.iter().filter_map(|r| Some((list.check(state, *r)?.scope, &list.rows[*r]))).collect();
        list.columns = columns(state, &rows, looking.order == Order::Machine);
    }
    list.lines = match looking.order {
        Order::Area => list.by_area(state, &shown, looking),
        Order::Machine if !looking.matrix => list.by_machine(state, &shown, looking),
        Order::Urgency | Order::Machine => list.by_urgency(state, at, &shown, looking),
    };
    list
}

impl List {
    /// The check of a row.
    pub fn check<'s>(&self, state: &'s State, row: usize) -> Option<&'s Check> {
        state.plan.checks.get(*self.plan.get(row)?)
    }

    fn rank(&self, state: &State, row: usize) -> Rank {
        self.check(state, row).map_or(Rank::Rest, |c| rank(c, self.rows[row].standing))
    }

    fn by_urgency(&self, state: &State, at: Moment, shown: &[usize], looking: &Looking) -> Vec<Line> {
        let mut lines = Vec::new();
        for group in [Rank::InTheWay, Rank::ToLookAt, Rank::Waived] {
            let mut of: Vec<usize> = shown.iter().copied().filter(|r| self.rank(state, *r) == group).collect();
            of.sort_by_key(|r| std::cmp::Reverse(self.rows[*r].standing));
            if !of.is_empty() {
                lines.push(Line::Heading(urgency(group, at, of.len())));
                of.into_iter().for_each(|row| self.push(state, row, looking, &mut lines));
            }
        }
        let mut area = None;
        for row in shown.iter().copied().filter(|r| self.rank(state, *r) == Rank::Rest) {
            let own = self.check(state, row).map(|c| &c.area);
            if area != own {
                area = own;
                lines.push(Line::Heading(own.cloned().unwrap_or_default()));
            }
            self.push(state, row, looking, &mut lines);
        }
        lines
    }

    fn by_area(&self, state: &State, shown: &[usize], looking: &Looking) -> Vec<Line> {
        let mut areas: Vec<(&str, Vec<usize>)> = Vec::new();
        for row in shown.iter().copied() {
            let Some(check) = self.check(state, row) else { continue };
            match areas.iter_mut().find(|(a, _)| *a == check.area) {
                Some((_, rows)) => rows.push(row),
                None => areas.push((&check.area, vec![row])),
            }
        }
        for (_, rows) in &mut areas {
            rows.sort_by_key(|r| self.urgency(state, *r));
        }
        areas.sort_by_key(|(_, rows)| rows.first().map(|r| self.urgency(state, *r)));
        let mut lines = Vec::new();
        for (area, rows) in areas {
            let bad = rows.iter().filter(|r| self.rows[**r].standing.is_bad()).count();
            let heading = match bad {
                0 => area.to_owned(),
                n => format!("{area} · {n} of {} not good", rows.len()),
            };
            lines.push(Line::Heading(heading));
            rows.into_iter().for_each(|row| self.push(state, row, looking, &mut lines));
        }
        lines
    }

    fn by_machine(&self, state: &State, shown: &[usize], looking: &Looking) -> Vec<Line> {
        let scopes: Vec<(Scope, &CheckRow)> =
            shown.iter().filter_map(|r| Some((self.check(state, *r)?.scope, &self.rows[*r]))).collect();
        // How many are in the way, how many are not good: the worst machine comes first.
        let mut groups: Vec<((usize, usize), Vec<Line>)> = Vec::new();
        for column in columns(state, &scopes, false) {
            let mut of: Vec<(Rank, std::cmp::Reverse<Standing>, Line)> = Vec::new();
            for row in shown.iter().copied() {
                let Some(check) = self.check(state, row) else { continue };
                let Some(cell) = column.cell(check.scope, &self.rows[row]) else { continue };
                if looking.takes(state, check, cell) {
                    let place = self.rows[row].cells.iter().position(|c| c.key == cell.key).unwrap_or(0);
                    let line = Line::Verdict { row, cell: place };
                    of.push((rank(check, cell.standing), std::cmp::Reverse(cell.standing), line));
                }
            }
            if of.is_empty() {
                continue;
            }
            of.sort_by_key(|(rank, standing, _)| (*rank, *standing));
            let in_the_way = of.iter().filter(|(rank, ..)| *rank == Rank::InTheWay).count();
            let bad = of.iter().filter(|(_, standing, _)| standing.0.is_bad()).count();
            let name = match column {
                Column::Cluster => format!("Cluster {}", state.plan.cluster),
                Column::Coordinator => format!("Coordinator {}", column.name(&state.plan)),
                Column::Node(_) => column.name(&state.plan),
            };
            let heading = match bad {
                0 => name,
                n => format!("{name} · {n} of {} not good", of.len()),
            };
            let lines = [Line::Heading(heading)].into_iter().chain(of.into_iter().map(|(_, _, line)| line));
            groups.push(((in_the_way, bad), lines.collect()));
        }
        groups.sort_by_key(|(badness, _)| std::cmp::Reverse(*badness));
        groups.into_iter().flat_map(|(_, lines)| lines).collect()
    }

    /// The worst first.
    fn urgency(&self, state: &State, row: usize) -> (Rank, std::cmp::Reverse<Standing>) {
        (self.rank(state, row), std::cmp::Reverse(self.rows[row].standing))
    }

    /// A check, and in a list below it where and why it is not good.
    fn push(&self, state: &State, row: usize, looking: &Looking, lines: &mut Vec<Line>) {
        lines.push(Line::Check { row });
        let Some(check) = self.check(state, row).filter(|_| !looking.matrix) else { return };
        if self.rows[row].bad.is_empty() {
            return;
        }
        let cells = &self.rows[row].cells;
        let cell = |k: &VerdictKey| cells.iter().find(|c| c.key == *k && looking.takes(state, check, c));
        let bad: Vec<&Cell> = self.rows[row].bad.iter().filter_map(cell).collect();
        lines.extend(by_reason(state, &bad).into_iter().map(|keys| Line::Bad { row, keys }));
    }

    /// Lines that can be selected.
    pub fn selectable(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.lines.iter().enumerate().filter(|(_, l)| !matches!(l, Line::Heading(_))).map(|(i, _)| i)
    }

    /// The row that a line is about.
    pub fn row_of(&self, line: usize) -> Option<usize> {
        match self.lines.get(line)? {
            Line::Heading(_) => None,
            Line::Check { row } | Line::Bad { row, .. } | Line::Verdict { row, .. } => Some(*row),
        }
    }

    /// What selecting a line means.
    pub fn choice(&self, state: &State, line: usize) -> Option<Choice> {
        let row = self.row_of(line)?;
        let part = match &self.lines[line] {
            Line::Bad { keys, .. } => keys.first().cloned(),
            Line::Verdict { cell, .. } => self.rows[row].cells.get(*cell).map(|c| c.key.clone()),
            Line::Check { .. } | Line::Heading(_) => None,
        };
        Some(Choice { check: self.check(state, row)?.id.clone(), part })
    }

    /// The line of a choice; the check's own where its part is gone.
    pub fn line_of(&self, state: &State, choice: &Choice) -> Option<usize> {
        let is = |row: &usize| self.check(state, *row).is_some_and(|c| c.id == choice.check);
        let part = choice.part.as_ref().and_then(|part| {
            self.lines.iter().position(|l| match l {
                Line::Bad { row, keys } => is(row) && keys.contains(part),
                Line::Verdict { row, cell } => {
                    is(row) && self.rows[*row].cells.get(*cell).is_some_and(|c| c.key == *part)
                }
                Line::Check { .. } | Line::Heading(_) => false,
            })
        });
        let own = || (0..self.lines.len()).find(|l| self.row_of(*l).is_some_and(|r| is(&r)));
        part.or_else(own)
    }

    /// The verdicts that an action on a line is about: those that are not good, or else all of the check; of those that are
    /// shown.
    pub fn keys(&self, state: &State, line: usize, looking: &Looking) -> Vec<VerdictKey> {
        match self.lines.get(line) {
            Some(Line::Bad { keys, .. }) => keys.clone(),
            Some(Line::Verdict { row, cell }) => {
                self.rows[*row].cells.get(*cell).map(|c| c.key.clone()).into_iter().collect()
            }
            Some(Line::Check { row }) => {
                let Some(check) = self.check(state, *row) else { return Vec::new() };
                let shown: Vec<&Cell> =
                    self.rows[*row].cells.iter().filter(|c| looking.takes(state, check, c)).collect();
                let bad: Vec<VerdictKey> =
                    self.rows[*row].bad.iter().filter(|k| shown.iter().any(|c| c.key == **k)).cloned().collect();
                if bad.is_empty() { shown.into_iter().map(|c| c.key.clone()).collect() } else { bad }
            }
            Some(Line::Heading(_)) | None => Vec::new(),
        }
    }

    /// The column that one stands in on a line of the matrix.
    pub fn column(&self, state: &State, line: usize, wanted: Option<Column>) -> Option<Column> {
        let row = self.row_of(line)?;
        column_on(self.check(state, row)?.scope, &self.rows[row], wanted)
    }

    /// The cell that one stands on in the matrix.
    pub fn cell(&self, state: &State, line: usize, wanted: Option<Column>) -> Option<&Cell> {
        let row = self.row_of(line)?;
        self.column(state, line, wanted)?.cell(self.check(state, row)?.scope, &self.rows[row])
    }

    /// The column beside that one in which the row has a cell too.
    pub fn column_beside(&self, state: &State, line: usize, column: Column, after: bool) -> Option<Column> {
        let row = self.row_of(line)?;
        let scope = self.check(state, row)?.scope;
        let at = self.columns.iter().position(|c| *c == column)?;
        let there = |c: &&Column| c.cell(scope, &self.rows[row]).is_some();
        if after {
            self.columns[at + 1..].iter().find(there).copied()
        } else {
            self.columns[..at].iter().rev().find(there).copied()
        }
    }
}

fn urgency(rank: Rank, at: Moment, count: usize) -> String {
    match (rank, at) {
        (Rank::InTheWay, Moment::Before) => format!("In the way of the start · {count}"),
        (Rank::InTheWay, _) => format!("Not proved · {count}"),
        (Rank::ToLookAt, _) => format!("To look at · {count}"),
        (Rank::Waived, _) => format!("Waived · {count}"),
        (Rank::Rest, _) => String::new(),
    }
}

/// Verdicts that say the same, together.
fn by_reason(state: &State, bad: &[&Cell]) -> Vec<Vec<VerdictKey>> {
    let mut groups: Vec<(Standing, String, Vec<VerdictKey>)> = Vec::new();
    for cell in bad {
        let Some(v) = state.verdict_of(&cell.key) else { continue };
        let said = saw(&v.value);
        match groups.iter_mut().find(|(standing, s, _)| *standing == cell.standing && *s == said) {
            Some((_, _, keys)) => keys.push(cell.key.clone()),
            None => groups.push((cell.standing, said, vec![cell.key.clone()])),
        }
    }
    groups.sort_by_key(|(standing, ..)| std::cmp::Reverse(*standing));
    groups.into_iter().map(|(_, _, keys)| keys).collect()
}
