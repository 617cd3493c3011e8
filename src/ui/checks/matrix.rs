//! The columns of the matrix, and which cell of a check stands in which.

use crate::core::plan::{Plan, Scope};
use crate::core::standing::Standing;
use crate::core::state::State;
use crate::core::summary::{Cell, CheckRow};

/// A column: checks about the cluster and about the coordinator have one of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Cluster,
    Coordinator,
    /// A node, by its place in the plan.
    Node(usize),
}

impl Column {
    /// Whom it is about, for people.
    pub fn name(self, plan: &Plan) -> String {
        match self {
            Column::Cluster => "cluster".into(),
            Column::Coordinator => plan.coordinator.as_ref().map_or("coordinator".into(), ToString::to_string),
            Column::Node(i) => plan.nodes.get(i).map_or_else(String::new, ToString::to_string),
        }
    }

    /// The cell of a check in this column, where it has one.
    pub fn cell(self, scope: Scope, row: &CheckRow) -> Option<&Cell> {
        match (scope, self) {
            (Scope::EachNode, Column::Node(i)) => row.cells.get(i),
            (Scope::Cluster, Column::Cluster) | (Scope::Coordinator, Column::Coordinator) => row.cells.first(),
            _ => None,
        }
    }
}

/// The columns that some check has a cell in; with `worst_first` the worst nodes come before the others.
pub fn columns(state: &State, rows: &[(Scope, &CheckRow)], worst_first: bool) -> Vec<Column> {
    let has = |scope| rows.iter().any(|(s, _)| *s == scope);
    let mut out = Vec::new();
    out.extend(has(Scope::Cluster).then_some(Column::Cluster));
    out.extend(has(Scope::Coordinator).then_some(Column::Coordinator));
    let mut nodes: Vec<Column> = (0..state.plan.nodes.len()).map(Column::Node).collect();
    if worst_first {
        let bad = |c: &Column, standing| {
            rows.iter().filter_map(|(s, r)| c.cell(*s, r)).filter(|c| c.standing == standing).count()
        };
        let badness = |c: &Column| [Standing::Fail, Standing::CouldNotTell, Standing::Warn].map(|s| bad(c, s));
        nodes.sort_by_cached_key(|c| std::cmp::Reverse(badness(c)));
    }
    out.extend(has(Scope::EachNode).then_some(nodes).into_iter().flatten());
    out
}

/// The column that one stands in on a row: the chosen one, or where that has no cell the worst there is.
pub fn column_on(scope: Scope, row: &CheckRow, wanted: Option<Column>) -> Option<Column> {
    if let Some(column) = wanted.filter(|c| c.cell(scope, row).is_some()) {
        return Some(column);
    }
    match scope {
        Scope::Cluster => Some(Column::Cluster),
        Scope::Coordinator => Some(Column::Coordinator),
        Scope::EachNode => {
            let worst = row.cells.iter().map(|c| c.standing).max()?;
            row.cells.iter().position(|c| c.standing == worst).map(Column::Node)
        }
    }
}
