//! Log: always flowing; following is only where one stands. What one does not see is counted.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::core::log::{Level, LogLine, Which};
use crate::theme::{Role, Theme};
use crate::ui::layout::Pane;
use crate::ui::logs::holds;
use crate::ui::model::Model;
use crate::ui::time;
use crate::ui::widgets::field;
use crate::ui::widgets::frame::Frame;
use crate::ui::widgets::row::{self, Row};
use crate::ui::widgets::text;

/// Columns of the source.
const SOURCE: usize = 7;

/// Draws it.
pub fn draw(model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let focused = model.focus == Pane::Logs;
    let which = model.which();
    let mut frame = Frame::pane(theme, "4", Pane::Logs.title(), focused);
    frame.title.spans.push(Span::styled(whose(theme, &which), theme.style(Role::Title)));
    let length = model.lines.length(&which);
    let (from, to) = model.log_seen(&which);
    frame.right = standing(model, theme, &which, length);
    let inner = Frame::inner(area);
    frame.scroll = Some((from as usize, (to - from) as usize, length as usize));
    if model.log.cursor.is_none() {
        frame.scroll = None;
    }
    if let Some(input) = model.log.typing.as_ref().filter(|_| focused) {
        let mut foot = Row::new();
        foot.add(" / ", theme.style(Role::Key));
        foot.spans.extend(field::spans(theme, input, 30.min(inner.width.saturating_sub(6) as usize), true));
        foot.gap(1);
        frame.foot = foot.line();
        frame.scroll = None;
    }
    frame.draw(theme, area, buf);
    if length == 0 {
        let line = Line::styled("nothing was said yet", theme.style(Role::Muted));
        row::draw(theme, Rect { height: inner.height.min(1), ..inner }, buf, &line, &Line::default());
        return;
    }
    let names = match (&which, model.state.as_ref()) {
        (Which::All, Some(s)) => {
            s.plan.machines().map(|n| text::width(n.as_str())).max().unwrap_or(0).clamp(3, 15)
        }
        _ => 0,
    };
    // A short log hangs from the top: what comes next comes below.
    for (number, y) in (from..to).zip(inner.top()..inner.bottom()) {
        let rect = Rect { y, height: 1, ..inner };
        match model.lines.line(&which, number) {
            Some(line) => {
                let drawn = log_line(model, theme, line, names);
                row::draw(theme, rect, buf, &drawn, &Line::default());
            }
            None => {
                let dots = Line::styled(theme.glyphs().ellipsis, theme.style(Role::Muted));
                row::draw(theme, rect, buf, &dots, &Line::default());
            }
        }
        if model.log.cursor == Some(number) {
            row::select(theme, rect, buf, focused, 0, usize::from(rect.width));
        }
    }
}

fn whose(theme: &Theme, which: &Which) -> String {
    let h = theme.glyphs().horizontal;
    match which {
        Which::All => format!("{h} all "),
        Which::Run => format!("{h} run "),
        Which::Node(n) => format!("{h} {n} "),
    }
}

/// Following or paused, and the count of a search.
fn standing(model: &Model, theme: &Theme, which: &Which, length: u64) -> Line<'static> {
    let mut row = Row::new();
    row.gap(1);
    if let Some(s) = model.lines.search.as_ref().filter(|s| &s.which == which) {
        row.add(format!("{} ", s.count(model.log.cursor)), theme.style(Role::Strong)).add(
            format!("\"{}\"  ", text::clip(&s.needle, 20, theme.glyphs().ellipsis)),
            theme.style(Role::Title),
        );
    }
    match model.log.cursor {
        Some(_) => {
            let new = length.saturating_sub(model.log.paused_at);
            let said = if new > 0 { format!("paused, {new} new ") } else { "paused ".to_owned() };
            row.add(said, theme.style(Role::Paused));
        }
        None => {
            if let Some(silence) = silence(model) {
                row.add(silence, theme.style(Role::Title));
            }
            row.add("following ", theme.style(Role::Title));
        }
    }
    row.line()
}

/// How long the node in work has said nothing: silence is news there.
fn silence(model: &Model) -> Option<String> {
    let state = model.state.as_ref()?;
    let node = model.node_shown()?;
    if !state.unit(node)?.state.in_work() || !model.ages_tick() {
        return None;
    }
    let last = model.lines.last(&Which::Node(node.clone()))?;
    let quiet = time::since(last.at, model.now);
    (quiet >= 60).then(|| format!("{node} silent for {}  ", time::ago(last.at, model.now)))
}

fn log_line(model: &Model, theme: &Theme, line: &LogLine, names: usize) -> Line<'static> {
    let role = match line.level {
        Level::Trace | Level::Debug => Role::Debug,
        Level::Info => Role::Info,
        Level::Warning => Role::Warning,
        Level::Error => Role::Error,
    };
    let g = theme.glyphs();
    // Loud lines have a sign too: colour alone says nothing on a poor screen.
    let mark = match line.level {
        Level::Error => (g.failed, Role::Error),
        Level::Warning => (g.attention, Role::Warning),
        _ => (" ", Role::Info),
    };
    let mut row = Row::new();
    row.add(time::hms(line.at), theme.style(Role::Muted)).gap(1).sign(theme, mark);
    if names > 0 {
        row.cell(theme, line.node.as_ref().map_or("", |n| n.as_str()), names, Role::Muted);
    }
    row.cell(theme, &line.source, SOURCE, Role::Muted);
    let shown = skip(&line.text, model.log.left);
    match model.lines.search.as_ref().map(|s| s.needle.as_str()).filter(|n| holds(shown, n)) {
        Some(needle) => row.spans.extend(marked(theme, shown, needle, role)),
        None => {
            row.add(shown, theme.style(role));
        }
    }
    row.line()
}

/// The text from a column on.
fn skip(line: &str, columns: usize) -> &str {
    if columns == 0 { line } else { text::head(line, columns).1 }
}

/// The text with every place of the needle marked.
fn marked(theme: &Theme, line: &str, needle: &str, role: Role) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut rest = line;
    while let Some((start, end)) = find(rest, needle) {
        let (before, hit) = (&rest[..start], &rest[start..end]);
        if !before.is_empty() {
            spans.push(Span::styled(before.to_owned(), theme.style(role)));
        }
        spans.push(Span::styled(hit.to_owned(), theme.style(Role::Hit)));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        spans.push(Span::styled(rest.to_owned(), theme.style(role)));
    }
    spans
}

/// Where the needle stands, in bytes of the text as it is: case folding may change lengths.
fn find(text: &str, needle: &str) -> Option<(usize, usize)> {
    if needle.is_empty() {
        return None;
    }
    text.char_indices().find_map(|(start, _)| {
        let mut wanted = needle.chars();
        let mut next = wanted.next();
        for (at, c) in text[start..].char_indices() {
            for lower in c.to_lowercase() {
                if next != Some(lower) {
                    return None;
                }
                next = wanted.next();
            }
            if next.is_none() {
                return Some((start, start + at + c.len_utf8()));
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_are_found_whatever_the_case() {
        assert_eq!(find("a Needle", "needle"), Some((2, 8)));
        assert_eq!(find("ÄRGER", "ärger"), Some((0, 6)));
        assert_eq!(find("İx", "x"), Some((2, 3)));
        assert_eq!(find("abc", "bd"), None);
        assert_eq!(find("", "b"), None);
    }
}
