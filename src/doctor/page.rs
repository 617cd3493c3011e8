//! Everything found, for a person: a block of lines for each machine, at most 80 columns wide.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::report::milliseconds;
use super::step::{Examination, Outcome, Step};

const WIDTH: usize = 80;
/// Where findings begin: sign, title, time.
const INDENT: usize = 24;

/// How a part of a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Strong,
    Quiet,
    Good,
    Attention,
    Bad,
}

/// A line of parts.
pub type Line = Vec<(Paint, String)>;

/// Signs of outcomes.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    pub passed: &'static str,
    pub caveat: &'static str,
    pub failed: &'static str,
    pub none: &'static str,
    /// In front of what to do.
    pub arrow: &'static str,
}

impl Signs {
    pub const UNICODE: Signs = Signs { passed: "✔", caveat: "▲", failed: "✖", none: "–", arrow: "→" };
    pub const ASCII: Signs = Signs { passed: "+", caveat: "!", failed: "x", none: "-", arrow: ">" };

    fn of(self, outcome: Outcome) -> (Paint, &'static str) {
        match outcome {
            Outcome::Passed => (Paint::Good, self.passed),
            Outcome::Caveat => (Paint::Attention, self.caveat),
            Outcome::Failed => (Paint::Bad, self.failed),
            Outcome::NotReached | Outcome::NotTried => (Paint::Quiet, self.none),
        }
    }
}

/// One machine.
pub fn block(e: &Examination, signs: Signs) -> Vec<Line> {
    let worst =
        [Outcome::Failed, Outcome::Caveat].into_iter().find(|o| e.count(*o) > 0).unwrap_or(Outcome::Passed);
    let (paint, sign) = signs.of(worst);
    let failed = e.steps.iter().find(|s| s.finding.outcome == Outcome::Failed);
    let verdict = match (worst, failed) {
        (Outcome::Failed, Some(first)) if e.is_out_of_reach() => format!("stopped at {}", first.id.title()),
        (Outcome::Failed, Some(first)) if e.count(Outcome::Failed) == 1 => format!("{} failed", first.id.title()),
        (Outcome::Failed, _) => format!("{} steps failed", e.count(Outcome::Failed)),
        (Outcome::Caveat, _) => "works, with caveats".to_owned(),
        _ => "well".to_owned(),
    };
    let mut out = vec![vec![
        (paint, sign.to_owned()),
        (Paint::Strong, format!(" {}", e.machine)),
        (Paint::Plain, format!("  {} at {}: ", e.role, e.address)),
        (paint, verdict),
        (Paint::Quiet, format!(", {}", time(e.took).trim())),
    ]];
    for run in e.steps.chunk_by(|a, b| is_missing(a) && is_missing(b) && a.finding.said == b.finding.said) {
        match run {
            [one] => step(one, signs, &mut out),
            many => missing(many, signs, &mut out),
        }
    }
    out
}

fn is_missing(s: &Step) -> bool {
    s.finding.outcome == Outcome::NotReached
}

/// Steps in a row that were not reached for one reason.
fn missing(steps: &[Step], signs: Signs, out: &mut Vec<Line>) {
    let (paint, sign) = signs.of(Outcome::NotReached);
    let names: Vec<&str> = steps.iter().map(|s| s.id.title()).collect();
    let text = format!("{}: {}", steps[0].finding.said, names.join(", "));
    for (i, line) in wrap(&text, WIDTH - INDENT).into_iter().enumerate() {
        let head = if i == 0 { format!("  {sign} {} steps", steps.len()) } else { String::new() };
        out.push(vec![(paint, format!("{head:<INDENT$}{line}"))]);
    }
}

fn step(s: &Step, signs: Signs, out: &mut Vec<Line>) {
    let (paint, sign) = signs.of(s.finding.outcome);
    let took = s.took.map_or_else(String::new, time);
    let head = format!(" {:<10} {took:>7}  ", s.id.title());
    let text = match paint {
        Paint::Good => Paint::Plain,
        other => other,
    };
    for (i, line) in wrap(&s.finding.said, WIDTH - INDENT).into_iter().enumerate() {
        out.push(match i {
            0 => {
                vec![(Paint::Plain, "  ".into()), (paint, sign.into()), (Paint::Plain, head.clone()), (text, line)]
            }
            _ => vec![(Paint::Plain, " ".repeat(INDENT)), (text, line)],
        });
    }
    if s.finding.outcome == Outcome::Failed && !s.at.is_empty() && !s.finding.said.contains(&s.at) {
        for line in wrap(&format!("at {}", s.at), WIDTH - INDENT) {
            out.push(vec![(Paint::Plain, " ".repeat(INDENT)), (Paint::Quiet, line)]);
        }
    }
    let Some(remedy) = &s.finding.remedy else { return };
    for (i, line) in wrap(remedy, WIDTH - INDENT - 2).into_iter().enumerate() {
        let mark = if i == 0 { signs.arrow } else { " " };
        out.push(vec![(Paint::Plain, format!("{}{mark} {line}", " ".repeat(INDENT)))]);
    }
}

/// `3 ms`, `12.4 s`, right-aligned in seven columns by the caller.
fn time(d: Duration) -> String {
    match milliseconds(d) {
        ms @ 0..10_000 => format!("{ms} ms"),
        _ => format!("{:.1} s", d.as_secs_f64()),
    }
}

/// Lines of at most that many columns, broken at spaces; a longer word is cut.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let fits = |line: &str, word: &str| line.width() + usize::from(!line.is_empty()) + word.width() <= width;
        if lines.last().is_none_or(|l| !l.is_empty() && !fits(l, word)) {
            lines.push(String::new());
        }
        for c in (lines.last().is_some_and(|l| !l.is_empty()).then_some(' ')).into_iter().chain(word.chars()) {
            if lines.last().is_some_and(|l| l.width() + c.width().unwrap_or(0) > width) {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Finding, StepId};

    fn plain(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|l| l.into_iter().map(|(_, t)| t).collect()).collect()
    }

    fn examination(steps: Vec<(StepId, Finding)>) -> Examination {
        let step = |(id, finding)| Step { id, finding, took: Some(Duration::from_millis(12)), at: "N1:22".into() };
        Examination {
            machine: "HCI-N1".into(),
            role: "node",
            address: "hci-n1.corp.example:22".into(),
            took: Duration::from_millis(12_340),
            steps: steps.into_iter().map(step).collect(),
        }
    }

    #[test]
    fn a_block_is_aligned_and_fits() {
        let key = "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDbbmTlBMnCd3yfcRM ed25519, known from /home/ops/.ssh/known_hosts, line 12";
        let all = examination(vec![
            (StepId::HostKey, Finding::passed(key)),
            (StepId::Login, Finding::failed("refused", "Do this. ".repeat(20))),
            (StepId::Files, Finding::not_tried("x".repeat(200))),
        ]);
        let lines = plain(block(&all, Signs::UNICODE));
        assert!(lines.iter().all(|l| l.width() <= WIDTH), "{lines:#?}");
        assert_eq!(lines[0], "✖ HCI-N1  node at hci-n1.corp.example:22: stopped at login, 12.3 s");
        assert_eq!(lines[1], format!("  ✔ host key     12 ms  {}", &key[..50]));
        assert!(lines[2].starts_with(&" ".repeat(INDENT)) && lines[2].contains("known from"), "{lines:#?}");
        assert!(lines.iter().any(|l| l.trim() == "at N1:22") && lines.iter().any(|l| l.contains("→ Do this.")));
    }

    #[test]
    fn steps_that_were_not_reached_are_named_together() {
        let missing = |id| {
            let said = "not reached: login failed".to_owned();
            (id, Finding { outcome: Outcome::NotReached, said, remedy: None })
        };
        let mut all = examination(vec![(StepId::Login, Finding::failed("no", "yes"))]);
        all.steps.extend(examination(StepId::ALL[5..].iter().copied().map(missing).collect()).steps);
        let lines = plain(block(&all, Signs::UNICODE));
        assert!(lines.iter().all(|l| l.width() <= WIDTH), "{lines:#?}");
        assert_eq!(lines[4], "  – 11 steps            not reached: login failed: shell, PowerShell, language,");
        assert_eq!(lines.len(), 7, "{lines:#?}");
    }

    #[test]
    fn ascii_is_ascii() {
        let all = examination(vec![
            (StepId::Name, Finding::passed("10.0.0.1")),
            (StepId::Clock, Finding::caveat("late", "mend it")),
            (StepId::Task, Finding::not_tried("no")),
        ]);
        let lines = plain(block(&all, Signs::ASCII));
        assert!(lines.iter().all(|l| l.is_ascii()), "{lines:#?}");
        assert!(lines[0].contains("works, with caveats"));
    }
}
