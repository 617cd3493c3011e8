//! The way of a node through its stages: as a line of signs, and as a table with a bar under each stage.

use ratatui::text::Line;

use crate::core::plan::Stage;
use crate::core::progress::percent;
use crate::core::state::{Passage, State, Unit};
use crate::core::summary::{duration, overdue, spent, usual};
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::signs::Sign;
use crate::ui::time;
use crate::ui::widgets::gauge;
use crate::ui::widgets::row::Row;

/// Short names, for columns and lines.
pub fn short(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "wait",
        Stage::Scanning => "scan",
        Stage::Staging => "stage",
        Stage::Draining => "drain",
        Stage::Installing => "install",
        Stage::Restarting => "restart",
        Stage::Returning => "return",
        Stage::Verifying => "verify",
        Stage::Resuming => "resume",
        Stage::Resync => "resync",
        Stage::Done => "done",
    }
}

/// Where a unit is on the track, while it is there.
pub fn here(unit: &Unit) -> Option<&Passage> {
    unit.track.last().filter(|p| p.to.is_none())
}

fn sign(theme: &Theme, unit: &Unit, stage: Stage) -> Sign {
    let g = theme.glyphs();
    let passages: Vec<&Passage> = unit.track.iter().filter(|p| p.stage == stage).collect();
    let last = unit.track.last();
    match passages.last() {
        Some(p) if p.to.is_none() && unit.state.is_bad() => (g.failed, Role::Failed),
        Some(p) if p.to.is_none() => (g.running, Role::Running),
        Some(_) if unit.state.is_bad() && last.is_some_and(|l| l.stage == stage) => (g.failed, Role::Failed),
        Some(_) => (g.done, Role::Done),
        // Passed without being seen: short stages fall between two looks.
        None if unit.state.is_good() || last.is_some_and(|l| l.stage > stage) => (g.done, Role::Waiting),
        None => (g.dot, Role::Waiting),
    }
}

/// All stages as signs and names.
pub fn line(theme: &Theme, unit: &Unit) -> Line<'static> {
    let mut row = Row::new();
    row.gap(2);
    for stage in Stage::TRACK {
        let (s, role) = sign(theme, unit, stage);
        row.add(s, theme.style(role));
        let name = if role == Role::Running || role == Role::Failed { role } else { Role::Muted };
        row.add(short(stage), theme.style(name)).gap(2);
    }
    row.line()
}

/// Columns of one stage in the table.
pub const CELL: usize = 9;

/// Names of the stages, over their columns.
pub fn caption(theme: &Theme) -> Row {
    let mut row = Row::new();
    for stage in Stage::TRACK {
        row.cell(theme, short(stage), CELL - 1, Role::Muted);
    }
    row
}

/// Time spent in each stage.
pub fn cells(model: &Model, state: &State, theme: &Theme, unit: &Unit) -> Row {
    let mut row = Row::new();
    for stage in Stage::TRACK {
        let (s, role) = sign(theme, unit, stage);
        let now = here(unit).filter(|p| p.stage == stage);
        let (text, role) = match (now, spent(unit, stage)) {
            (Some(p), _) => {
                let role = if overdue(state, unit, model.now) { Role::Attention } else { role };
                (format!("{s} {}", time::ago(p.from, model.now)), role)
            }
            (None, Some(t)) if t > 0 => {
                let role = if role == Role::Failed { role } else { Role::Text };
                (duration(t as i64), role)
            }
            _ if role == Role::Waiting => (s.to_owned(), Role::Waiting),
            _ => (s.to_owned(), role),
        };
        row.cell(theme, &text, CELL - 1, role);
    }
    row
}

/// A bar under each stage: full where it has passed, as far as usual where the node is.
pub fn bars(model: &Model, state: &State, theme: &Theme, unit: &Unit) -> Row {
    let mut row = Row::new();
    let last = unit.track.last().map(|p| p.stage);
    for stage in Stage::TRACK {
        let now = here(unit).filter(|p| p.stage == stage);
        match now {
            Some(p) => {
                row.spans.extend(gauge::bar(
                    theme,
                    CELL - 1,
                    part(model, state, unit, p),
                    role(model, state, unit),
                ));
            }
            None if last.is_some_and(|l| l >= stage) => {
                row.spans.extend(gauge::bar(theme, CELL - 1, 1.0, Role::GaugeDone));
            }
            None => row.spans.push(gauge::empty(theme, CELL - 1)),
        }
        row.gap(1);
    }
    row
}

/// How much has passed: by its own measure where there is one, else by the usual time, never quite all of it: the end is proved, not
/// waited for.
pub fn part(model: &Model, state: &State, unit: &Unit, p: &Passage) -> f64 {
    if let Some(percent) = percent(unit) {
        return f64::from(percent) / 100.0;
    }
    let usual = usual(state, p.stage).seconds();
    if usual == 0 {
        return 0.5;
    }
    (time::since(p.from, model.now) as f64 / usual as f64).min(0.95)
}

/// Role of a bar that moves.
pub fn role(model: &Model, state: &State, unit: &Unit) -> Role {
    match () {
        () if unit.state.is_bad() => Role::Failed,
        () if overdue(state, unit, model.now) => Role::Attention,
        () => Role::GaugeNow,
    }
}
