//! Widths, cuts and line breaks, by columns and grapheme clusters.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns of a text.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most so many columns, with an ellipsis where something was cut.
pub fn clip(text: &str, columns: usize, ellipsis: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(ellipsis));
    let mut out = head(text, room).0.to_owned();
    if columns >= width(ellipsis) {
        out.push_str(ellipsis);
    }
    out
}

/// The longest beginning that fits, and the rest.
pub fn head(text: &str, columns: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        used += width(cluster);
        if used > columns {
            return text.split_at(at);
        }
    }
    (text, "")
}

/// Clipped, and filled with spaces to exactly so many columns.
pub fn fill(text: &str, columns: usize, ellipsis: &str) -> String {
    let mut out = clip(text, columns, ellipsis);
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(&out))));
    out
}

/// Clipped, and filled from the left.
pub fn fill_left(text: &str, columns: usize, ellipsis: &str) -> String {
    let out = clip(text, columns, ellipsis);
    let mut filled = " ".repeat(columns.saturating_sub(width(&out)));
    filled.push_str(&out);
    filled
}

/// Lines of at most so many columns, broken between words where that is possible. Never empty.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in words(paragraph) {
            let w = width(word.trim_end());
            if used > 0 && used + w > columns {
                lines.push(line.trim_end().to_owned());
                line.clear();
                used = 0;
            }
            let mut rest = word;
            while used + width(rest.trim_end()) > columns {
                let (first, more) = head(rest, columns - used);
                if first.is_empty() {
                    // A cluster wider than the line: nothing of it can be shown.
                    break;
                }
                lines.push(format!("{line}{first}"));
                line.clear();
                used = 0;
                rest = more;
            }
            line.push_str(rest);
            used += width(rest);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// Words with the spaces that follow them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end_of_word = rest
            .find(|c: char| c != ' ')
            .map_or(rest.len(), |start| rest[start..].find(' ').map_or(rest.len(), |n| start + n));
        let end = rest[end_of_word..].find(|c: char| c != ' ').map_or(rest.len(), |n| end_of_word + n);
        let (word, more) = rest.split_at(end);
        rest = more;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(clip("restarting", 6, "…"), "resta…");
        assert_eq!(clip("restarting", 10, "…"), "restarting");
        assert_eq!(clip("節点一号", 5, "…"), "節点…");
        assert_eq!(fill("節点一号", 6, "…"), "節点… ");
        assert_eq!(fill_left("7s", 4, "…"), "  7s");
        assert_eq!(clip("abc", 0, "…"), "");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(wrap("  indented text", 10), ["  indented", "text"]);
        assert_eq!(wrap("", 4), [""]);
        for columns in 0..30 {
            for line in wrap("Registrierungsschlüssel 節点一号 und noch vielfältige Wörter 👩‍👩‍👧‍👦 dazu", columns)
            {
                assert!(width(&line) <= columns.max(1) || columns < 2, "{columns} {line}");
            }
        }
    }
}
