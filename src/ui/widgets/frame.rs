//! The border of a pane or an overlay: title, captions, and where one stands in a longer text.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::row::{self, Row};
use crate::theme::{Role, Theme};

/// A border.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Stands in the upper border, left.
    pub title: Line<'static>,
    /// Stands in the upper border, right.
    pub right: Line<'static>,
    /// Stands in the lower border, left.
    pub keys: Line<'static>,
    /// Stands in the lower border, right.
    pub foot: Line<'static>,
    pub focused: bool,
    /// Style of the border, where it is not that of a pane.
    pub border: Option<Style>,
    /// First row shown, rows shown, rows there are.
    pub scroll: Option<(usize, usize, usize)>,
}

impl Frame {
    /// The border of a pane with its key and name.
    pub fn pane(theme: &Theme, key: &str, name: &str, focused: bool) -> Self {
        let mut title = Row::new();
        if !key.is_empty() {
            title.add(format!(" {key}"), theme.style(if focused { Role::Key } else { Role::Title }));
        }
        title.add(format!(" {name} "), theme.style(if focused { Role::TitleFocused } else { Role::Title }));
        Self { title: title.line(), focused, ..Self::default() }
    }

    /// What is inside.
    pub fn inner(area: Rect) -> Rect {
        Rect {
            x: area.x + 1.min(area.width),
            y: area.y + 1.min(area.height),
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(2),
        }
    }

    /// Draws it and gives what is inside.
    pub fn draw(&self, theme: &Theme, area: Rect, buf: &mut Buffer) -> Rect {
        let area = area.intersection(buf.area);
        if area.width < 2 || area.height < 2 {
            return Rect { width: 0, height: 0, ..area };
        }
        let g = theme.glyphs();
        let role = if self.focused { Role::BorderFocused } else { Role::Border };
        let style = self.border.unwrap_or(theme.style(role));
        let (x1, y1) = (area.right() - 1, area.bottom() - 1);
        for x in area.x + 1..x1 {
            buf[(x, area.y)].set_symbol(g.horizontal).set_style(style);
            buf[(x, y1)].set_symbol(g.horizontal).set_style(style);
        }
        for y in area.y + 1..y1 {
            buf[(area.x, y)].set_symbol(g.vertical).set_style(style);
            buf[(x1, y)].set_symbol(g.vertical).set_style(style);
        }
        let corners = [(area.x, area.y), (x1, area.y), (area.x, y1), (x1, y1)];
        for ((x, y), sign) in corners.into_iter().zip(g.corners) {
            buf[(x, y)].set_symbol(sign).set_style(style);
        }
        let upper = Rect { x: area.x + 1, width: area.width - 2, height: 1, ..area };
        border_text(theme, upper, buf, &self.title, &self.right);
        border_text(theme, Rect { y: y1, ..upper }, buf, &self.keys, &self.foot_line(theme));
        self.draw_thumb(theme, area, buf);
        Self::inner(area)
    }

    /// Columns of what stands in the lower border, right.
    pub fn foot_width(&self, theme: &Theme) -> usize {
        self.foot_line(theme).width()
    }

    fn foot_line(&self, theme: &Theme) -> Line<'static> {
        let mut foot = Row::new();
        foot.spans.extend(self.foot.spans.iter().cloned());
        if let Some((from, shown, total)) = self.scroll.filter(|(_, shown, total)| shown < total) {
            let dash = theme.glyphs().dash;
            let to = (from + shown).min(total);
            foot.add(format!(" {}{dash}{to} of {total} ", from + 1), theme.style(Role::Title));
        }
        foot.line()
    }

    /// The part of the right border that stands for what is shown.
    fn draw_thumb(&self, theme: &Theme, area: Rect, buf: &mut Buffer) {
        let Some((from, shown, total)) = self.scroll.filter(|(_, shown, total)| shown < total) else { return };
        let rows = area.height.saturating_sub(2) as usize;
        if rows < 3 || total == 0 {
            return;
        }
        let length = (rows * shown / total).clamp(1, rows);
        let start = ((rows - length) * from).div_ceil((total - shown).max(1)).min(rows - length);
        for i in start..start + length {
            let cell = &mut buf[(area.right() - 1, area.y + 1 + i as u16)];
            let role = if self.focused { Role::BorderFocused } else { Role::Title };
            cell.set_symbol(theme.glyphs().thumb).set_style(theme.style(role));
        }
    }
}

/// Text in a border: left and right, each only as far as it fits.
fn border_text(theme: &Theme, area: Rect, buf: &mut Buffer, left: &Line<'static>, right: &Line<'static>) {
    let total = area.width as usize;
    if total < 4 {
        return;
    }
    let ellipsis = theme.glyphs().ellipsis;
    let left = row::clip_line(left, total - 1, ellipsis);
    let room = total.saturating_sub(left.width() + 2);
    let right = if right.width() <= room { right.clone() } else { Line::default() };
    buf.set_line(area.x, area.y, &left, area.width);
    let w = right.width() as u16;
    if w > 0 {
        buf.set_line(area.right() - 1 - w, area.y, &right, w);
    }
}
