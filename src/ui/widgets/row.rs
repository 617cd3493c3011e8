//! One row: what stands at its left gives way to what stands at its right.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::text;
use crate::theme::{Role, Theme};

/// Pieces of a row, in the making.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub spans: Vec<Span<'static>>,
}

impl Row {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A text in a style.
    pub fn add(&mut self, text: impl Into<String>, style: Style) -> &mut Self {
        let text = text.into();
        if !text.is_empty() {
            self.spans.push(Span::styled(text, style));
        }
        self
    }

    /// Spaces.
    pub fn gap(&mut self, columns: usize) -> &mut Self {
        self.add(" ".repeat(columns), Style::new())
    }

    /// A text in exactly so many columns, and a space after it.
    pub fn cell(&mut self, theme: &Theme, text: &str, columns: usize, role: Role) -> &mut Self {
        if columns == 0 {
            return self;
        }
        self.add(text::fill(text, columns, theme.glyphs().ellipsis), theme.style(role)).gap(1)
    }

    /// The same, aligned to the right: numbers and times.
    pub fn number(&mut self, theme: &Theme, text: &str, columns: usize, role: Role) -> &mut Self {
        if columns == 0 {
            return self;
        }
        self.add(text::fill_left(text, columns, theme.glyphs().ellipsis), theme.style(role)).gap(1)
    }

    /// A sign in its role, and a space after it.
    pub fn sign(&mut self, theme: &Theme, sign: (&str, Role)) -> &mut Self {
        self.add(sign.0, theme.style(sign.1)).gap(1)
    }

    /// Columns taken.
    pub fn width(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }

    /// The row as a line.
    pub fn line(self) -> Line<'static> {
        Line::from(self.spans)
    }
}

/// Cuts a line to so many columns, with an ellipsis where something was cut.
pub fn clip_line(line: &Line<'static>, columns: usize, ellipsis: &str) -> Line<'static> {
    // Blanks at the end are no loss.
    let blank: usize = line.spans.iter().rev().map_while(|s| s.content.trim().is_empty().then(|| s.width())).sum();
    if line.width() - blank <= columns {
        return line.clone();
    }
    let mut room = columns.saturating_sub(1);
    let mut spans = Vec::new();
    for span in &line.spans {
        let w = span.width();
        if w <= room {
            spans.push(span.clone());
            room -= w;
            continue;
        }
        let kept = text::head(&span.content, room).0;
        if columns > 0 {
            spans.push(Span::styled(format!("{}{ellipsis}", kept.trim_end()), span.style));
        }
        break;
    }
    Line::from(spans).style(line.style)
}

/// Draws a row: `right` whole, `left` in what is left. Gives the columns that `left` took.
pub fn draw(theme: &Theme, area: Rect, buf: &mut Buffer, left: &Line<'static>, right: &Line<'static>) -> usize {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return 0;
    }
    let total = area.width as usize;
    let ellipsis = theme.glyphs().ellipsis;
    let right = clip_line(right, total, ellipsis);
    let used = right.width();
    let room = if used == 0 { total } else { total.saturating_sub(used + 1) };
    let left = clip_line(left, room, ellipsis);
    buf.set_line(area.x, area.y, &left, room as u16);
    buf.set_line(area.right() - used as u16, area.y, &right, used as u16);
    left.width().min(room)
}

/// Lays the style of a selection over a row: over all of it where that is a ground, over what names it (`from..to`) where it
/// is reverse, which over a whole row would shout.
pub fn select(theme: &Theme, area: Rect, buf: &mut Buffer, focused: bool, from: usize, to: usize) {
    let style = theme.select(focused);
    let label = Rect { x: area.x + from as u16, width: to.saturating_sub(from) as u16, ..area };
    let whole = style.bg.is_some();
    buf.set_style(if whole { area } else { label.intersection(area) }, style);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_left_gives_way() {
        let theme = Theme::default();
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 1));
        draw(&theme, buf.area, &mut buf, &Line::from("a long title"), &Line::from("3 of 4"));
        assert_eq!(buf, Buffer::with_lines(["a lo… 3 of 4"]));
        let mut buf = Buffer::empty(Rect::new(0, 0, 4, 1));
        draw(&theme, buf.area, &mut buf, &Line::from("a long title"), &Line::from("3 of 4"));
        assert_eq!(buf, Buffer::with_lines(["3 o…"]));
    }
}
