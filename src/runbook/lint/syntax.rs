//! Whether a text is a script at all: its characters, its size, its syntax.

use super::Finding;
use super::rules::{ASCII, SYNTAX, TAB, TOO_LARGE};
use super::script::Script;
use crate::config::diagnose::Source;
use crate::runbook::LARGEST_SCRIPT;

/// Characters.
pub fn text(s: &Script, out: &mut Vec<Finding>) {
    let text = &*s.source.text;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let strange = |c: char| !c.is_ascii() || (c.is_ascii_control() && !"\t\r\n".contains(c));
        if let Some((i, c)) = line.char_indices().find(|(_, c)| strange(*c)) {
            let message = format!("U+{:04X} is not ASCII: code pages turn it into something else", c as u32);
            let at = start + i;
            let help = match c {
                '\u{feff}' => "a byte order mark: save the file without one",
                '\u{2018}'..='\u{201f}' => "a quote of a word processor: write \' or \"",
                '\u{2010}'..='\u{2015}' => "a dash of a word processor: write -",
                _ => "write it in ASCII; a character that must be: [char]0x00E4",
            };
            out.push(s.finding_at(ASCII, at..at + c.len_utf8(), message).help(help));
        }
        start += line.len();
    }
    if let Some(at) = text.find('\t') {
        let lines = text.lines().filter(|l| l.contains('\t')).count();
        let message = if lines == 1 { "a tab".to_owned() } else { format!("tabs, in {lines} lines") };
        out.push(s.finding_at(TAB, at..at + 1, message).help("indent with spaces: they look the same everywhere"));
    }
}

/// A script too large to be sent: nothing else of it is looked at.
pub fn size(source: &Source) -> Option<Finding> {
    let size = source.text.len();
    let message = format!("the script has {size} bytes, more than {LARGEST_SCRIPT}");
    (size > LARGEST_SCRIPT)
        .then(|| Finding::new(TOO_LARGE, source, 0..1, message).help("it travels as one line: split it"))
}

/// The first place that is not PowerShell, and whether there is one: behind it the parser guesses.
pub fn parses(s: &Script, out: &mut Vec<Finding>) -> bool {
    if s.code.trim().is_empty() {
        return true;
    }
    let broken = s.nodes().into_iter().find(|n| n.is_error() || n.is_missing());
    let Some(node) = broken else { return true };
    let finding = if node.is_missing() {
        let what = node.kind();
        s.finding(SYNTAX, node, format!("`{what}` is missing here")).help("close what was opened before")
    } else {
        s.finding(SYNTAX, node, "this is not PowerShell")
            .help("the mistake is here, or is a bracket or quote left open in it")
    };
    out.push(finding);
    false
}
