//! What is printed. A reader that has gone away (`| head -1`) is no reason to fail, and long text fits the terminal.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

use unicode_width::UnicodeWidthStr;

use super::Exit;

/// In the place of the standard macros, which end the program in a panic when nobody reads any more.
macro_rules! print {
    ($($text:tt)*) => { $crate::cli::out::say(format_args!($($text)*)) };
}
macro_rules! println {
    () => { $crate::cli::out::say(format_args!("\n")) };
    ($($text:tt)*) => { $crate::cli::out::say(format_args!("{}\n", format_args!($($text)*))) };
}
macro_rules! eprint {
    ($($text:tt)*) => { $crate::cli::out::complain(format_args!($($text)*)) };
}
macro_rules! eprintln {
    () => { $crate::cli::out::complain(format_args!("\n")) };
    ($($text:tt)*) => { $crate::cli::out::complain(format_args!("{}\n", format_args!($($text)*))) };
}

/// Writes to standard output. What cannot be written, to a full disk for example, ends the program.
pub fn say(text: Arguments<'_>) {
    if let Err(e) = std::io::stdout().write_fmt(text)
        && e.kind() != ErrorKind::BrokenPipe
    {
        complain(format_args!("nodelift: cannot write to standard output: {e}\n"));
        std::process::exit(Exit::Internal as i32);
    }
}

/// Writes to standard error; nothing can be done where that fails.
pub fn complain(text: Arguments<'_>) {
    let _ = std::io::stderr().write_fmt(text);
}

/// Columns of a line, whatever the terminal: text that is compared or sent on looks the same everywhere.
const WIDTH: usize = 80;

/// Words in lines of at most eighty columns, each line after the indent.
pub fn wrap(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let w = word.width();
        if column == 0 || column + 1 + w > WIDTH {
            if column > 0 {
                out.push('\n');
            }
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += w;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_after_their_indent() {
        let text = wrap(&"nine char ".repeat(9), 70);
        assert!(text.lines().all(|l| l == format!("{}nine char", " ".repeat(70))), "{text}");
        assert_eq!(text.lines().count(), 9);
        let long = "x".repeat(90);
        assert_eq!(wrap(&format!("a {long}"), 2), format!("  a\n  {long}"));
        assert_eq!(wrap("", 2), "");
    }
}
