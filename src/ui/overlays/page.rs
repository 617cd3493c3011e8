//! A text over the panes: its place, its border, its scrolling.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Overlay;
use crate::input::Action;
use crate::theme::{Role, Theme};
use crate::ui::model::Model;
use crate::ui::signs::Sign;
use crate::ui::widgets::frame::Frame;
use crate::ui::widgets::row::{Row, clip_line};

/// Widest text: longer lines are hard to read.
const WIDEST: u16 = 112;

/// Where one stands in a text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    pub top: usize,
}

impl Page {
    /// Moves, within what there is.
    pub fn scroll(&mut self, action: Action, shown: usize, total: usize) {
        let last = total.saturating_sub(shown);
        self.top = match action {
            Action::Up => self.top.saturating_sub(1),
            Action::Down => self.top + 1,
            Action::PageUp => self.top.saturating_sub(shown.max(2) - 1),
            Action::PageDown => self.top + shown.max(2) - 1,
            Action::First => 0,
            Action::Last => last,
            _ => self.top,
        }
        .min(last);
    }
}

/// Place of a text of so many rows.
pub fn area(frame: Rect, rows: usize) -> Rect {
    // Nearly as wide as the frame is as wide as the frame: scraps of panes beside it only disturb.
    let whole = frame.width.saturating_sub(2);
    let width = if frame.width < WIDEST + 24 { whole } else { WIDEST };
    let most = frame.height.saturating_sub(2);
    let height = (rows.saturating_add(2)).min(most as usize) as u16;
    centred(frame, width, height)
}

/// A rectangle in the middle of another, never beyond it.
pub fn centred(frame: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(frame.width), height.min(frame.height));
    Rect { x: frame.x + (frame.width - width) / 2, y: frame.y + (frame.height - height) / 2, width, height }
}

/// Clears the place of an overlay, with a blank column at each side: borders do not touch.
pub fn clear(theme: &Theme, area: Rect, buf: &mut Buffer) {
    let wide = Rect { x: area.x.saturating_sub(1), width: area.width + 2, ..area }.intersection(buf.area);
    for y in wide.top()..wide.bottom() {
        for x in wide.left()..wide.right() {
            let left_half =
                x == wide.left() && x > 0 && super::super::widgets::text::width(buf[(x - 1, y)].symbol()) > 1;
            buf[(x, y)].reset();
            if left_half {
                buf[(x - 1, y)].set_symbol(" ");
            }
        }
    }
    buf.set_style(area.intersection(buf.area), theme.style(Role::Dialog));
}

/// A title with a sign before it.
pub fn title(theme: &Theme, sign: Option<Sign>, text: &str) -> Line<'static> {
    let mut row = Row::new();
    row.gap(1);
    if let Some(sign) = sign {
        row.sign(theme, sign);
    }
    row.add(text, theme.style(Role::TitleFocused)).gap(1);
    row.line()
}

/// Draws a text.
pub fn draw(overlay: &Overlay, model: &Model, theme: &Theme, frame: Rect, buf: &mut Buffer) {
    let width = area(frame, 0).width.saturating_sub(4) as usize;
    let Some(doc) = overlay.text(model, theme, width) else { return };
    let area = area(frame, doc.lines.len());
    clear(theme, area, buf);
    let shown = area.height.saturating_sub(2) as usize;
    let top = overlay.scrolled().min(doc.lines.len().saturating_sub(shown));
    let border = Frame {
        title: overlay.title(model, theme),
        focused: true,
        border: Some(theme.style(Role::DialogBorder)),
        scroll: Some((top, shown, doc.lines.len())),
        ..Frame::default()
    };
    let inner = border.draw(theme, area, buf);
    for (line, y) in doc.lines.iter().skip(top).zip(inner.top()..inner.bottom()) {
        let room = inner.width.saturating_sub(2);
        buf.set_line(inner.x + 1, y, &clip_line(line, room as usize, theme.glyphs().ellipsis), room);
    }
}
