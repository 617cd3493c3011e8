//! How one looks at the checks: list or matrix, in which order, and what is left out.

use tui_input::Input;

use super::matrix::Column;
use super::saw;
use crate::core::plan::Check;
use crate::core::standing::Standing;
use crate::core::state::State;
use crate::core::summary::{Cell, CheckRow};

/// What the checks are grouped by. The worst comes first in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What is in the way, what to look at, what is waived, the rest.
    #[default]
    Urgency,
    Area,
    /// Machine by machine, each with all its verdicts.
    Machine,
}

impl Order {
    /// The one after it.
    pub fn next(self) -> Self {
        match self {
            Order::Urgency => Order::Area,
            Order::Area => Order::Machine,
            Order::Machine => Order::Urgency,
        }
    }

    /// What the title says of it; the usual one needs no word.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Order::Urgency => None,
            Order::Area => Some("by area"),
            Order::Machine => Some("by machine"),
        }
    }
}

/// How one looks at the checks.
#[derive(Clone, Debug, Default)]
pub struct Looking {
    /// As a matrix of checks and machines.
    pub matrix: bool,
    pub order: Order,
    /// Only verdicts that stand so.
    pub only: Option<Standing>,
    /// Only what holds this text, in lower case; empty = everything.
    pub text: String,
    /// What is being typed after `/`.
    pub typing: Option<Input>,
    /// The column of the matrix a person chose; none = where the worst cell is.
    pub column: Option<Column>,
}

impl Looking {
    /// Something is left out.
    pub fn filters(&self) -> bool {
        self.only.is_some() || !self.text.is_empty()
    }

    /// Everything is shown again.
    pub fn clear(&mut self) {
        self.only = None;
        self.clear_text();
    }

    /// No text is looked for any more.
    pub fn clear_text(&mut self) {
        self.text.clear();
        self.typing = None;
    }

    /// The next answer that some verdict has, worst first; after the last one everything.
    pub fn next_filter(&mut self, rows: &[CheckRow]) {
        let has = |s: &Standing| rows.iter().flat_map(|r| &r.cells).any(|c| c.standing == *s);
        let from = self.only.and_then(|o| Standing::ANSWERS.iter().position(|s| *s == o)).map_or(0, |i| i + 1);
        self.only = Standing::ANSWERS[from..].iter().copied().find(has);
    }

    /// Whether a verdict is shown.
    pub fn takes(&self, state: &State, check: &Check, cell: &Cell) -> bool {
        self.only.is_none_or(|o| o == cell.standing) && (self.text.is_empty() || self.holds(state, check, cell))
    }

    /// The text stands in the check's names, in the machine's, or in what was seen there.
    fn holds(&self, state: &State, check: &Check, cell: &Cell) -> bool {
        let has = |t: &str| t.to_lowercase().contains(&self.text);
        [&check.title, &check.area, &check.id].into_iter().any(|t| has(t))
            || cell.key.node.as_ref().is_some_and(|n| has(n.as_str()))
            || state.verdict_of(&cell.key).is_some_and(|v| has(&saw(&v.value)))
    }
}
