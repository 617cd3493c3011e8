//! A line to type into.

use ratatui::text::Span;
use tui_input::{Input, InputRequest};

use super::text;
use crate::input::{Code, Key};
use crate::theme::{Role, Theme};

/// Most characters of a field.
const MOST: usize = 400;

/// Takes a key that belongs to a field. False: it means something else.
pub fn take(input: &mut Input, key: Key) -> bool {
    let request = match key.code {
        Code::Char('w') if key.ctrl => InputRequest::DeletePrevWord,
        Code::Char('u') if key.ctrl => InputRequest::DeleteLine,
        Code::Char(c) if !key.ctrl && !key.alt => {
            if input.value().chars().count() >= MOST {
                return true;
            }
            InputRequest::InsertChar(c)
        }
        Code::Backspace => InputRequest::DeletePrevChar,
        Code::Delete => InputRequest::DeleteNextChar,
        Code::Left => InputRequest::GoToPrevChar,
        Code::Right => InputRequest::GoToNextChar,
        Code::Home => InputRequest::GoToStart,
        Code::End => InputRequest::GoToEnd,
        _ => return false,
    };
    input.handle(request);
    true
}

/// Puts pasted text in, as one line.
pub fn paste(input: &mut Input, pasted: &str) {
    for c in pasted.chars().filter(|c| !c.is_control()) {
        if input.value().chars().count() >= MOST {
            break;
        }
        input.handle(InputRequest::InsertChar(c));
    }
}

/// The field in so many columns: what is typed, the cursor where one types, a line under the rest.
pub fn spans(theme: &Theme, input: &Input, columns: usize, focused: bool) -> Vec<Span<'static>> {
    let style = theme.style(Role::Field);
    if columns == 0 {
        return Vec::new();
    }
    if !focused {
        return vec![Span::styled(text::fill(input.value(), columns, theme.glyphs().ellipsis), style)];
    }
    let scroll = input.visual_scroll(columns.saturating_sub(1));
    let mut skip = scroll;
    let mut rest = input.value();
    while skip > 0 && !rest.is_empty() {
        let (first, more) = text::head(rest, skip);
        if first.is_empty() {
            // The cut falls into a wide cluster: it goes as a whole.
            rest = more.char_indices().nth(1).map_or("", |(i, _)| &more[i..]);
            break;
        }
        skip -= text::width(first);
        rest = more;
    }
    let at = input.visual_cursor().saturating_sub(scroll);
    let (before, after) = text::head(rest, at);
    let (under, after) = match after.chars().next() {
        Some(_) => text::head(after, cluster(after).max(1)),
        None => (" ", ""),
    };
    let used = text::width(before) + text::width(under);
    let tail = text::fill(text::head(after, columns.saturating_sub(used)).0, columns.saturating_sub(used), "");
    vec![
        Span::styled(before.to_owned(), style),
        Span::styled(under.to_owned(), theme.style(Role::ButtonFocused)),
        Span::styled(tail, style),
    ]
}

/// Columns of the first cluster of a text.
fn cluster(t: &str) -> usize {
    use unicode_segmentation::UnicodeSegmentation;
    t.graphemes(true).next().map_or(0, text::width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_always_seen() {
        let theme = Theme::default();
        let mut input = Input::default();
        for c in "節点 upgrade of a cluster 👩‍👩‍👧‍👦 with a long reason".chars() {
            take(&mut input, Key::plain(Code::Char(c)));
            for columns in 1..40 {
                let drawn = spans(&theme, &input, columns, true);
                assert_eq!(drawn[1].style, theme.style(Role::ButtonFocused));
                let w: usize = drawn.iter().map(Span::width).sum();
                assert!(w <= columns + 1, "{columns}: {w}");
            }
        }
        assert!(!take(&mut input, Key::plain(Code::Enter)));
        assert!(take(&mut input, "ctrl-w".parse().unwrap()));
        assert!(input.value().ends_with("long "));
    }
}
