//! `# lint: allow RULE reason`: a finding that is meant. It stands behind what it is about, or in a line of its own above it.

use super::Finding;
use super::rules::{self, ALLOW, ALLOW_UNUSED};
use crate::config::diagnose::{Source, suggest};

const MARK: &str = "# lint: allow";

/// One such comment.
struct Allow<'a> {
    /// Byte offset of the comment, and the line it is about.
    at: usize,
    length: usize,
    line: usize,
    rule: &'a str,
    reason: &'a str,
}

/// Takes out what the comments of a file allow, and adds what is wrong with the comments. Returns how many were taken out.
pub fn apply(source: &Source, findings: &mut Vec<Finding>) -> usize {
    let mut taken = 0;
    let mut wrong = Vec::new();
    for allow in comments(&source.text) {
        let span = allow.at..allow.at + allow.length;
        let known = rules::by_id(allow.rule);
        if known.is_none() {
            let message = format!("there is no rule `{}`", allow.rule);
            let help = suggest(allow.rule, rules::ALL.iter().map(|r| r.id).collect::<Vec<_>>());
            wrong.push(Finding::new(ALLOW, source, span, message).help(help));
            continue;
        }
        if allow.reason.is_empty() {
            let message = format!("why is `{}` allowed here?", allow.rule);
            wrong.push(Finding::new(ALLOW, source, span, message).help("write the reason behind it"));
            continue;
        }
        let before = findings.len();
        findings.retain(|f| !(f.rule.id == allow.rule && f.is_in(source) && f.line() == allow.line));
        taken += before - findings.len();
        if before == findings.len() {
            let message = format!("nothing of `{}` is found here", allow.rule);
            wrong.push(Finding::new(ALLOW_UNUSED, source, span, message).help("take the comment out"));
        }
    }
    findings.extend(wrong);
    taken
}

fn comments(text: &str) -> Vec<Allow<'_>> {
    let mut out = Vec::new();
    let mut start = 0;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (i, line) in lines.iter().enumerate() {
        if let Some(column) = line.find(MARK) {
            let said = line[column..].trim_end();
            let mut words = said[MARK.len()..].trim_start().splitn(2, ' ');
            let alone = line[..column].trim().is_empty();
            let below = || (i + 1..lines.len()).find(|j| !is_skipped(lines[*j])).unwrap_or(i);
            out.push(Allow {
                at: start + column,
                length: said.len(),
                line: if alone { below() } else { i } + 1,
                rule: words.next().unwrap_or_default(),
                reason: words.next().unwrap_or_default().trim(),
            });
        }
        start += line.len();
    }
    out
}

/// Comments and empty lines between the comment and what it is about.
fn is_skipped(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}
