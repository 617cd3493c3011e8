//! What is selected, and how the arrows move it.

use super::checks::{Choice, Column};
use super::layout::Pane;
use super::model::Model;
use crate::core::connection::Connection;
use crate::core::event::VerdictKey;
use crate::core::log::Which;
use crate::core::name::NodeName;
use crate::core::plan::Plan;
use crate::core::run::UnitState;
use crate::core::state::State;
use crate::core::summary::overdue;
use crate::input::Action;

impl Model {
    /// The machine that is looked at: the one a person chose, or the one that matters most.
    pub(super) fn node_shown(&self) -> Option<&NodeName> {
        let state = self.state.as_ref()?;
        self.node
            .as_ref()
            .filter(|n| state.plan.machines().any(|m| m == *n))
            .or_else(|| matters_most(state, self.now))
    }

    /// The step that is looked at in Progress, where one is.
    pub(super) fn step_shown(&self) -> Option<&str> {
        let step = self.step.as_deref()?;
        self.state.as_ref()?.plan.step(step).map(|s| s.id.as_str())
    }

    /// The line of the list of checks that is looked at.
    pub(super) fn check_line(&self) -> Option<usize> {
        let (state, list) = (self.state.as_ref()?, &self.derived()?.list);
        let chosen = self.check.as_ref().and_then(|c| list.line_of(state, c));
        chosen.or_else(|| list.selectable().next())
    }

    /// The verdicts that `retry`, `fix`, `waive` and `confirm` are about.
    pub(super) fn check_keys(&self) -> Vec<VerdictKey> {
        let (Some(state), Some(derived), Some(line)) = (&self.state, self.derived(), self.check_line()) else {
            return Vec::new();
        };
        if self.looking.matrix {
            let cell = derived.list.cell(state, line, self.looking.column);
            return cell.map(|c| c.key.clone()).into_iter().collect();
        }
        derived.list.keys(state, line, &self.looking)
    }

    /// The column of the matrix that one stands in.
    pub(super) fn column_shown(&self) -> Option<Column> {
        self.derived()?.list.column(self.state.as_ref()?, self.check_line()?, self.looking.column)
    }

    /// Moves the selection of the focused pane.
    pub(super) fn move_selection(&mut self, action: Action) {
        self.dirty = true;
        match self.focus {
            Pane::Nodes => self.move_machine(action),
            Pane::Checks => self.move_check(action),
            Pane::Progress => self.move_progress(action),
            Pane::Logs => self.move_log(action),
        }
    }

    fn move_machine(&mut self, action: Action) {
        let Some(state) = &self.state else { return };
        let machines: Vec<NodeName> = state.plan.machines().cloned().collect();
        let at = self.node_shown().and_then(|n| machines.iter().position(|m| m == n));
        let page = self.page();
        if let Some(to) = moved(at, machines.len(), page, action) {
            self.choose_machine(machines[to].clone());
        }
    }

    fn choose_machine(&mut self, node: NodeName) {
        if self.node.as_ref() != Some(&node) && !self.log.all {
            self.log.cursor = None;
        }
        self.node = Some(node);
        self.step = None;
    }

    fn move_check(&mut self, action: Action) {
        let (Some(state), Some(derived)) = (&self.state, self.derived()) else { return };
        if let (true, Action::Left | Action::Right) = (self.looking.matrix, action) {
            let (Some(line), Some(column)) = (self.check_line(), self.column_shown()) else { return };
            let beside = derived.list.column_beside(state, line, column, action == Action::Right);
            self.check = derived.list.choice(state, line).or(self.check.take());
            // A row with one cell alone leaves the column as it is for the rows after it.
            self.looking.column = beside.or(self.looking.column);
            return;
        }
        let lines: Vec<usize> = derived.list.selectable().collect();
        let at = self.check_line().and_then(|l| lines.iter().position(|x| *x == l));
        let choice: Option<Choice> =
            moved(at, lines.len(), self.page(), action).and_then(|to| derived.list.choice(state, *lines.get(to)?));
        // Whoever goes up and down stays in a column.
        let column = self.looking.column.or(self.column_shown().filter(|_| self.looking.matrix));
        self.looking.column = column;
        self.check = choice.or(self.check.take());
    }

    fn move_progress(&mut self, action: Action) {
        let Some(state) = &self.state else { return };
        let stops = stops(&state.plan);
        let at = match self.step_shown() {
            Some(step) => stops.iter().position(|s| matches!(s, Stop::Step(id) if id == step)),
            None => {
                let node = self.node_shown();
                stops.iter().position(|s| matches!(s, Stop::Node(n) if Some(n) == node))
            }
        };
        if let Some(to) = moved(at, stops.len(), self.page(), action) {
            match stops.into_iter().nth(to) {
                Some(Stop::Node(node)) => self.choose_machine(node),
                Some(Stop::Step(step)) => self.step = Some(step),
                None => {}
            }
        }
    }

    fn move_log(&mut self, action: Action) {
        let length = self.lines.length(&self.which());
        let page = self.page() as u64;
        let at = self.log.cursor.unwrap_or(length.saturating_sub(1));
        let to = match action {
            Action::Up => at.saturating_sub(1),
            Action::Down => at + 1,
            Action::PageUp => at.saturating_sub(page),
            Action::PageDown => at + page,
            Action::First => 0,
            Action::Last => length,
            Action::Left => {
                self.log.left = self.log.left.saturating_sub(8);
                return;
            }
            Action::Right => {
                self.log.left = (self.log.left + 8).min(8_000);
                return;
            }
            _ => return,
        };
        self.stand_at(to);
    }

    /// Stands on a line of the log; the last one means to follow.
    pub(super) fn stand_at(&mut self, line: u64) {
        let length = self.lines.length(&self.which());
        if line + 1 >= length {
            self.log.cursor = None;
            return;
        }
        if self.log.cursor.is_none() {
            self.log.paused_at = length;
        }
        self.log.cursor = Some(line);
    }

    /// Rows that the focused pane shows.
    pub(super) fn page(&self) -> usize {
        let rect = self.layout().pane(self.focus);
        rect.map_or(1, |r| r.height.saturating_sub(2).max(1) as usize)
    }

    /// Lines of the log that are seen: from, to.
    pub(super) fn log_seen(&self, which: &Which) -> (u64, u64) {
        let rows = self.layout().pane(Pane::Logs).map_or(0, |r| u64::from(r.height.saturating_sub(2)));
        let length = self.lines.length(which);
        let top = match self.log.cursor {
            None => length.saturating_sub(rows),
            Some(c) => c.saturating_sub(rows / 2).min(length.saturating_sub(rows)),
        };
        (top, (top + rows).min(length))
    }
}

/// What the arrows stop at in Progress.
enum Stop {
    Node(NodeName),
    Step(String),
}

fn stops(plan: &Plan) -> Vec<Stop> {
    let nodes = plan.nodes.iter().cloned().map(Stop::Node);
    nodes.chain(plan.steps.iter().map(|s| Stop::Step(s.id.clone()))).collect()
}

fn moved(at: Option<usize>, count: usize, page: usize, action: Action) -> Option<usize> {
    let last = count.checked_sub(1)?;
    let at = at.unwrap_or(0).min(last);
    Some(match action {
        Action::Up => at.saturating_sub(1),
        Action::Down => (at + 1).min(last),
        Action::PageUp => at.saturating_sub(page),
        Action::PageDown => (at + page).min(last),
        Action::First => 0,
        Action::Last => last,
        _ => return None,
    })
}

/// A node that went wrong, one that nobody can reach, one that takes too long, the one in work, or the first.
fn matters_most(state: &State, now: jiff::Timestamp) -> Option<&NodeName> {
    let unit = |n: &NodeName| state.unit(n);
    let bad = |n: &&NodeName| unit(n).is_some_and(|u| u.state.is_bad());
    let locked = |n: &&NodeName| state.connection(n).needs_person();
    let late = |n: &&NodeName| unit(n).is_some_and(|u| overdue(state, u, now));
    let in_work = |n: &&NodeName| unit(n).is_some_and(|u| u.state.in_work());
    let staging = |n: &&NodeName| unit(n).is_some_and(|u| u.state == UnitState::Staging);
    let trouble = |n: &&NodeName| matches!(state.connection(n), Connection::Trouble(_));
    let machines = || state.plan.machines();
    machines()
        .find(locked)
        .or_else(|| machines().find(bad))
        .or_else(|| machines().find(late))
        .or_else(|| machines().find(in_work))
        .or_else(|| machines().find(staging))
        .or_else(|| machines().find(trouble))
        .or_else(|| machines().next())
}
