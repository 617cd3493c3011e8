//! A dialog that one types into: its border, its text, its buttons, and why it cannot be sent yet.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::page;
use crate::input::Action;
use crate::theme::{Role, Theme};
use crate::ui::footer::key_text;
use crate::ui::model::Model;
use crate::ui::widgets::buttons::{self, Button};
use crate::ui::widgets::doc::Doc;
use crate::ui::widgets::frame::Frame;
use crate::ui::widgets::text::clip;

/// What stands on the two buttons, and which is focused.
pub struct Buttons<'a> {
    pub cancel_focused: bool,
    pub go: &'a str,
    pub go_focused: bool,
    /// What it does may lose something.
    pub danger: bool,
    /// Why it cannot be sent; none = it can.
    pub refusal: Option<String>,
}

/// Columns of the dialog in a frame, and of the text in it.
pub fn widths(frame: Rect) -> (u16, usize) {
    let width = frame.width.saturating_sub(4).min(76);
    (width, width.saturating_sub(4) as usize)
}

/// Draws it in the middle of the frame.
pub fn draw(model: &Model, doc: &Doc, title: &str, buttons: Buttons, frame: Rect, buf: &mut Buffer) {
    let theme: &Theme = doc.theme;
    let (width, _) = widths(frame);
    let height = (doc.lines.len() + 3).min(frame.height.saturating_sub(2) as usize) as u16;
    let area = page::centred(frame, width, height);
    page::clear(theme, area, buf);
    let border = Frame {
        title: page::title(theme, None, title),
        focused: true,
        border: Some(theme.style(Role::DialogBorder)),
        ..Frame::default()
    };
    let inner = border.draw(theme, area, buf);
    let text = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    if text.height == 0 {
        return;
    }
    // Where the frame is low, the fields stay: what is explained goes first.
    let shown = text.height as usize - 1;
    let skip = doc.lines.len().saturating_sub(shown);
    for (line, y) in doc.lines.iter().skip(skip).zip(text.top()..text.bottom() - 1) {
        buf.set_line(text.x, y, line, text.width);
    }
    let key = model.keymap.key_of(Action::Back).map(|k| key_text(theme.glyphs(), k));
    let cancel = Button { label: "Cancel", key, focused: buttons.cancel_focused, enabled: true, danger: false };
    let go = Button {
        label: buttons.go,
        key: None,
        focused: buttons.go_focused,
        enabled: buttons.refusal.is_none(),
        danger: buttons.danger,
    };
    let line = buttons::line(theme, &[cancel, go]);
    let y = text.bottom() - 1;
    let w = (line.width() as u16).min(text.width);
    if let Some(why) = buttons.refusal {
        let room = text.width.saturating_sub(w + 2);
        let why = clip(&why, room as usize, theme.glyphs().ellipsis);
        buf.set_line(text.x, y, &Line::styled(why, theme.style(Role::Muted)), room);
    }
    buf.set_line(text.right() - w, y, &line, w);
}
