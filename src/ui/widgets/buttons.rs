//! Buttons of a dialog.

use ratatui::style::Modifier;
use ratatui::text::Line;

use super::row::Row;
use crate::theme::{Role, Theme};

/// One button.
pub struct Button<'a> {
    pub label: &'a str,
    /// Key that presses it, where there is one.
    pub key: Option<String>,
    pub focused: bool,
    pub enabled: bool,
    /// What it does cannot be undone.
    pub danger: bool,
}

/// Buttons in a row.
pub fn line(theme: &Theme, buttons: &[Button]) -> Line<'static> {
    let mut row = Row::new();
    for (i, b) in buttons.iter().enumerate() {
        if i > 0 {
            row.gap(2);
        }
        let role = match (b.enabled, b.focused, b.danger) {
            (false, ..) => Role::Disabled,
            (true, true, _) => Role::ButtonFocused,
            (true, false, true) => Role::Danger,
            (true, false, false) => Role::Button,
        };
        let style = theme.style(role);
        if let Some(key) = &b.key {
            row.add(key.clone(), theme.style(if b.enabled { Role::Key } else { Role::Disabled })).gap(1);
        }
        // One that cannot be pressed still shows that the focus is there.
        let style = if b.focused && !b.enabled { style.add_modifier(Modifier::UNDERLINED) } else { style };
        row.add(format!("[ {} ]", b.label), style);
    }
    row.line()
}
