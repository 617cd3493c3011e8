//! Text of machines and people, made harmless for each format. Machines are not trusted: what was cleaned where it came in
//! is escaped here all the same.

use std::fmt::Write as _;

use crate::core::text::hides;

/// A character as a person may see it: what acts on a terminal, hides or reorders is shown as such.
fn seen(c: char) -> char {
    if c.is_control() || hides(c) || matches!(c, '\u{fffe}' | '\u{ffff}') {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

/// On one line, with single spaces.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().map(|w| w.chars().map(seen).collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// For the text and the quoted attributes of XML and HTML. Line breaks and tabs stay; what XML 1.0 forbids even as a
/// reference (its section 2.2) is replaced.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            '\t' => out.push(' '),
            c => out.push(seen(c)),
        }
    }
    out
}

/// For a line, a cell or a list item of Markdown, where it is text and nothing else.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A mention would call somebody.
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // These mean something only where a line begins.
    let digits = out.chars().take_while(char::is_ascii_digit).count();
    if out.starts_with(['-', '+', '=']) {
        out.insert(0, '\\');
    } else if digits > 0 && [". ", ") "].iter().any(|m| out[digits..].starts_with(m)) {
        out.insert(digits, '\\');
    }
    out
}

/// A piece of code in a line of Markdown, not in a cell; its fence is longer than any in it.
pub fn code(text: &str) -> String {
    let text = one_line(text);
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// In finished JSON, where characters beyond ASCII stand only in strings: those that act or hide are written as escapes.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && seen(c) != c {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}
