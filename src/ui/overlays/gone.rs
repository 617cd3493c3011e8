//! The engine has left: what is shown is how things were.

use ratatui::text::Line;

use super::page;
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::time;
use crate::ui::widgets::doc::Doc;

/// Its title.
pub fn title(theme: &Theme) -> Line<'static> {
    page::title(theme, Some((theme.glyphs().attention, Role::Attention)), "The engine has left")
}

/// Writes it.
pub fn write(model: &Model, doc: &mut Doc) {
    let why = model.gone.as_deref().unwrap_or_default();
    if !why.is_empty() {
        doc.text(why, Role::Strong);
    }
    let Some(state) = &model.state else { return };
    doc.blank();
    doc.text(&format!("What you see is how things were at {}.", time::full(model.now)), Role::Text);
    if state.phase.is_under_way() {
        let driver = &state.plan.driver.name;
        doc.blank();
        doc.text(
            &format!(
                "{driver} goes on by itself with what it was doing: nothing more is started on any node, nothing is broken \
                 off. nodelift recover {} looks what became of it, and goes on when you say so.",
                state.plan.cluster
            ),
            Role::Text,
        );
    }
}
