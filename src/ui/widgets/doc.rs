//! A text to read in an overlay: labelled values, headings, tables, code. Built for a width, shown by the row.

use ratatui::text::{Line, Span};

use super::row::Row;
use super::text;
use crate::theme::{Role, Theme};
use crate::ui::signs::Sign;

/// Columns of the labels.
const LABEL: usize = 12;

/// A text in the making.
pub struct Doc<'t> {
    pub theme: &'t Theme,
    pub width: usize,
    pub lines: Vec<Line<'static>>,
}

impl<'t> Doc<'t> {
    /// Nothing yet.
    pub fn new(theme: &'t Theme, width: usize) -> Self {
        Self { theme, width, lines: Vec::new() }
    }

    /// An empty line, never two.
    pub fn blank(&mut self) -> &mut Self {
        if self.lines.last().is_some_and(|l| l.width() > 0) {
            self.lines.push(Line::default());
        }
        self
    }

    /// A heading, with an empty line before it.
    pub fn heading(&mut self, title: &str) -> &mut Self {
        self.blank();
        self.lines.push(Line::styled(title.to_owned(), self.theme.style(Role::Heading)));
        self
    }

    /// Text, broken into lines.
    pub fn text(&mut self, words: &str, role: Role) -> &mut Self {
        let style = self.theme.style(role);
        self.lines.extend(text::wrap(words, self.width).into_iter().map(|l| Line::styled(l, style)));
        self
    }

    /// A sign and what it is about, in as many rows as it takes.
    pub fn signed(&mut self, sign: Sign, words: &str) -> &mut Self {
        for (i, line) in text::wrap(words, self.width.saturating_sub(4).max(1)).into_iter().enumerate() {
            let mut row = Row::new();
            row.gap(2);
            if i == 0 {
                row.sign(self.theme, sign)
            } else {
                row.gap(2)
            };
            row.add(line, self.theme.style(Role::Text));
            self.row(row);
        }
        self
    }

    /// A label and its value, broken into lines under each other.
    pub fn field(&mut self, label: &str, value: &str, role: Role) -> &mut Self {
        let style = self.theme.style(role);
        let room = self.width.saturating_sub(LABEL).max(1);
        for (i, line) in text::wrap(value, room).into_iter().enumerate() {
            let mut row = self.label(if i == 0 { label } else { "" });
            row.add(line, style);
            self.lines.push(row.line());
        }
        self
    }

    /// A label and pieces that stand on one line.
    pub fn spans(&mut self, label: &str, spans: Vec<Span<'static>>) -> &mut Self {
        let mut row = self.label(label);
        row.spans.extend(spans);
        self.lines.push(row.line());
        self
    }

    /// A row as it is.
    pub fn row(&mut self, row: Row) -> &mut Self {
        self.lines.push(row.line());
        self
    }

    /// Text in which every line stays what it is; long ones are broken anywhere, and go on as far to the right as they began.
    pub fn code(&mut self, body: &str, role: Role) -> &mut Self {
        let style = self.theme.style(role);
        let room = self.width.saturating_sub(2).max(1);
        for line in body.lines() {
            let mut rest = line.trim_end();
            let indent = rest.len() - rest.trim_start_matches(' ').len();
            let mut before = 0;
            loop {
                let (first, more) = text::head(rest, room - before);
                self.lines.push(Line::styled(format!("  {}{first}", " ".repeat(before)), style));
                if more.is_empty() || first.is_empty() {
                    break;
                }
                before = if indent < room / 2 { indent } else { 0 };
                rest = more;
            }
        }
        self
    }

    fn label(&self, label: &str) -> Row {
        let mut row = Row::new();
        row.add(text::fill(label, LABEL, self.theme.glyphs().ellipsis), self.theme.style(Role::Muted));
        row
    }
}
