//! After an engine ended under a run: what was, what was found, and what the next key does.

use ratatui::text::Line;

use super::page;
use crate::core::brief::brief;
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::widgets::doc::Doc;

/// Its title.
pub fn title(theme: &Theme) -> Line<'static> {
    page::title(theme, Some((theme.glyphs().paused, Role::Attention)), "nodelift was away")
}

/// What `copy` takes.
pub fn to_copy(model: &Model) -> Option<String> {
    let brief = brief(model.state.as_ref()?)?;
    Some(brief.parts().iter().map(|(what, lines)| format!("{what}\n  {}\n", lines.join("\n  "))).collect())
}

/// Writes it.
pub fn write(model: &Model, doc: &mut Doc) {
    let Some(brief) = model.state.as_ref().and_then(brief) else {
        doc.text("A person has said since that it goes on.", Role::Muted);
        return;
    };
    for (what, lines) in brief.parts() {
        for (i, line) in lines.iter().enumerate() {
            doc.field(if i == 0 { what } else { "" }, line, Role::Text);
        }
        doc.blank();
    }
}
