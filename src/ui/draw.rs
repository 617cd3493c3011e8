//! From the model to cells. Pure: the same model, theme and size give the same cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::layout::{Class, LEAST, Layout, Pane, Wants, layout};
use super::model::Model;
use super::overlays::{CheckView, Overlay, Page};
use super::widgets::frame::Frame;
use super::widgets::row::clip_line;
use super::widgets::text;
use super::{advice, footer, header, panes};
use crate::theme::{Glyphs, Role, Theme};

/// Draws a frame.
pub fn draw(model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buf[(x, y)].reset();
        }
    }
    buf.set_style(area, theme.style(Role::Text));
    let layout = model.layout_in(area);
    if layout.class == Class::Tiny {
        tiny(theme, area, buf);
    } else {
        header::draw(model, theme, layout.header, buf);
        if let Some(tabs) = layout.tabs {
            buf.set_line(tabs.x, tabs.y, &header::tabs(model, theme), tabs.width);
        }
        for (pane, rect) in &layout.panes {
            match pane {
                Pane::Nodes => panes::nodes::draw(model, theme, *rect, buf),
                Pane::Checks => panes::checks::draw(model, theme, *rect, buf),
                Pane::Progress => panes::progress::draw(model, theme, *rect, buf),
                Pane::Logs => panes::logs::draw(model, theme, *rect, buf),
            }
        }
        if let Some(rect) = layout.details {
            details(model, theme, rect, buf);
        }
        advice::draw(model, theme, layout.advice, buf);
        footer::draw(model, theme, layout.footer, buf);
        if let Some(top) = model.overlays.last() {
            // The keys stay: they are those of what lies on top.
            let under = Rect { height: area.height - layout.footer.height, ..area };
            dim(theme, under, buf);
            top.draw(model, theme, under, buf);
        }
    }
    if theme.glyphs().ascii {
        fold(area, buf);
    }
}

/// Takes the colours off everything that lies under an overlay.
fn dim(theme: &Theme, area: Rect, buf: &mut Buffer) {
    let style = theme.style(Role::Backdrop);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let cell = &mut buf[(x, y)];
            let symbol = cell.symbol().to_owned();
            cell.reset();
            cell.set_symbol(&symbol).set_style(style);
        }
    }
}

/// What is missing, in one line.
fn tiny(theme: &Theme, area: Rect, buf: &mut Buffer) {
    let times = theme.glyphs().times;
    let (w, h) = LEAST;
    let long = format!("needs {w}{times}{h}, has {}{times}{}", area.width, area.height);
    let short = format!("{w}{times}{h}!");
    let room = area.width as usize;
    let said = if text::width(&long) <= room { long } else { text::clip(&short, room, "") };
    let y = area.y + area.height / 2;
    let x = area.x + (area.width - (text::width(&said) as u16).min(area.width)) / 2;
    buf.set_line(x, y, &Line::styled(said, theme.style(Role::Attention)), area.width);
}

/// The details of the selection, where there is room beside the panes.
fn details(model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let Some(of) = selected(model) else {
        Frame::pane(theme, "", "Details", false).draw(theme, area, buf);
        return;
    };
    let frame = Frame { title: of.title(model, theme), ..Frame::default() };
    let inner = frame.draw(theme, area, buf);
    let width = inner.width.saturating_sub(2);
    let Some(doc) = of.text(model, theme, width as usize) else { return };
    for (line, y) in doc.lines.iter().zip(inner.top()..inner.bottom()) {
        let line = clip_line(line, width as usize, theme.glyphs().ellipsis);
        buf.set_line(inner.x + 1, y, &line, width);
    }
}

/// What `details` would open.
fn selected(model: &Model) -> Option<Overlay> {
    if model.focus == Pane::Checks {
        let key = model.check_keys().into_iter().next()?;
        return Some(Overlay::Check(CheckView::new(key)));
    }
    match model.step_shown().filter(|_| model.focus == Pane::Progress) {
        Some(step) => Some(Overlay::Step(step.to_owned(), Page::default())),
        None => Some(Overlay::Node(model.node_shown()?.clone(), Page::default())),
    }
}

/// Replaces every foreign sign by one that any terminal has.
fn fold(area: Rect, buf: &mut Buffer) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let cell = &mut buf[(x, y)];
            if !cell.symbol().is_ascii() {
                let wide = text::width(cell.symbol()) > 1;
                let folded = Glyphs::fold(cell.symbol());
                cell.set_symbol(folded);
                if wide && x + 1 < area.right() {
                    buf[(x + 1, y)].set_symbol(" ");
                }
            }
        }
    }
}

impl Model {
    /// Where everything stands at the size last told.
    pub(super) fn layout(&self) -> Layout {
        let (width, height) = self.size;
        self.layout_in(Rect::new(0, 0, width, height))
    }

    fn layout_in(&self, area: Rect) -> Layout {
        let (nodes, progress) = match &self.state {
            Some(state) => {
                let width = super::layout::progress_width(area.width, self.is_running());
                (panes::nodes::wanted(state), panes::progress::wanted(state, width))
            }
            None => ((33, 8), 8),
        };
        let wants = Wants {
            running: self.is_running(),
            focus: self.focus,
            zoom: self.zoom,
            matrix: self.looking.matrix && self.focus == Pane::Checks,
            nodes_width: nodes.0,
            nodes_height: nodes.1,
            progress_height: progress,
        };
        layout(area, wants)
    }
}
