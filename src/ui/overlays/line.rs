//! One line of a log, whole.

use ratatui::text::Line;

use super::page;
use crate::core::log::LogLine;
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::time;
use crate::ui::widgets::doc::Doc;

/// Its title.
pub fn title(theme: &Theme, line: &LogLine) -> Line<'static> {
    let whose = line.node.as_ref().map_or("the run", |n| n.as_str());
    page::title(theme, None, &format!("Log line of {whose}"))
}

/// Writes it.
pub fn write(_: &Model, line: &LogLine, doc: &mut Doc) {
    doc.field("Time", &time::full(line.at), Role::Text);
    doc.field("Source", &line.source, Role::Text);
    doc.field("Level", line.level.word(), Role::Text);
    doc.blank();
    doc.text(&line.text, Role::Text);
}
