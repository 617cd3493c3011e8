//! Before a run: what it will do, in which order, for how long, and which steps ask on their own.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::steps;
use crate::core::plan::{Class, Mode, Stage, StepKind};
use crate::core::state::State;
use crate::core::summary::{duration, usual};
use crate::theme::{Role, Theme};
use crate::ui::layout::Pane;
use crate::ui::model::Model;
use crate::ui::widgets::frame::Frame;
use crate::ui::widgets::row::{self, Row};
use crate::ui::widgets::text;

/// Its rows, in so many columns.
pub fn lines(state: &State, theme: &Theme, width: usize) -> Vec<(Line<'static>, Line<'static>)> {
    let g = theme.glyphs();
    let plan = &state.plan;
    let mut out = Vec::new();
    let takes = |s: Stage| usual(state, s).seconds();
    let each: u64 = Stage::TRACK.iter().filter(|s| **s > Stage::Staging).map(|s| takes(*s)).sum();
    for (i, step) in plan.steps.iter().enumerate() {
        let mut left = Row::new();
        left.add(format!("{} ", i + 1), theme.style(Role::Muted))
            .sign(theme, steps::sign(g, state, step))
            .add(step.title.clone(), theme.style(Role::Text));
        let said = match (step.class, step.kind) {
            (Class::Irreversible, _) => format!("{} asks first", g.locked),
            (_, StepKind::Delegate) => {
                format!("~{}", duration((takes(Stage::Staging) + each * plan.nodes.len() as u64) as i64))
            }
            _ if step.expected > 0 => format!("~{}", duration(step.expected as i64)),
            _ => String::new(),
        };
        let mut right = Row::new();
        right.add(said, theme.style(Role::Muted));
        out.push((left.line(), right.line()));
    }
    let how = match plan.driver.mode {
        Mode::Delegated => format!("{} moves one node after the other", plan.driver.name),
        Mode::Direct => "One node after the other".to_owned(),
    };
    let nodes: Vec<&str> = plan.nodes.iter().map(|n| n.as_str()).collect();
    let from = plan.learned.get(&Stage::Restarting).map_or_else(String::new, |l| format!(" by {}", l.source()));
    let each = if each > 0 { format!(", ~{} each{from}", duration(each as i64)) } else { String::new() };
    for line in text::wrap(&format!("{how}{each}: {}.", nodes.join(", ")), width.max(1)) {
        out.push((Line::styled(line, theme.style(Role::Muted)), Line::default()));
    }
    out
}

/// Draws it.
pub fn draw(model: &Model, state: &State, theme: &Theme, mut frame: Frame, area: Rect, buf: &mut Buffer) {
    let inner = Frame::inner(area);
    frame.right = Line::styled(" what a run does ", theme.style(Role::Title));
    let lines = lines(state, theme, inner.width.saturating_sub(2) as usize);
    frame.draw(theme, area, buf);
    let focused = model.focus == Pane::Progress;
    let chosen = model.step_shown().and_then(|s| state.plan.steps.iter().position(|x| x.id == s));
    for ((i, (left, right)), y) in lines.iter().enumerate().zip(inner.top()..inner.bottom()) {
        let rect = Rect { x: inner.x + 1, y, width: inner.width.saturating_sub(2), height: 1 };
        let end = row::draw(theme, rect, buf, left, right);
        if focused && chosen == Some(i) {
            row::select(theme, rect, buf, focused, 4, end);
        }
    }
}
