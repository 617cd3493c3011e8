//! JUnit XML, as build servers read it: what both the Jenkins schema (junit-10.xsd) and the older one of Ant (JUnit.xsd) take.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape::{one_line, xml};
use super::{Check, Report, Standing, Verdict, phrase};

/// What a case is counted as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Passed,
    Failed,
    /// It could not be told.
    Error,
    Skipped,
}

/// `warnings`: what only warns counts as a failure too.
pub fn write(report: &Report, warnings: bool) -> String {
    // In the order in which the areas come first.
    let mut areas: Vec<&str> = Vec::new();
    let mut suites: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
    for check in &report.checks {
        if !areas.contains(&check.area) {
            areas.push(check.area);
        }
        suites.entry(check.area).or_default().push(check);
    }
    // The schema of Ant gives the root no attributes.
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (id, area) in areas.iter().enumerate() {
        suite(&mut out, report, id, area, &suites[area], warnings);
    }
    out.push_str("</testsuites>\n");
    out
}

#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn of<'c, 'a: 'c>(checks: impl Iterator<Item = &'c Check<'a>>, warnings: bool) -> Self {
        let mut out = Self::default();
        for verdict in checks.flat_map(|c| &c.results) {
            out.tests += 1;
            match case(verdict, warnings) {
                Case::Passed => {}
                Case::Failed => out.failures += 1,
                Case::Error => out.errors += 1,
                Case::Skipped => out.skipped += 1,
            }
        }
        out
    }
}

fn case(verdict: &Verdict, warnings: bool) -> Case {
    match verdict.standing {
        Standing::Fail => Case::Failed,
        Standing::Warn if warnings => Case::Failed,
        Standing::CouldNotTell | Standing::NotJudged => Case::Error,
        Standing::NotApplicable | Standing::Waived => Case::Skipped,
        Standing::Pass | Standing::Stale | Standing::Warn => Case::Passed,
    }
}

fn suite(out: &mut String, report: &Report, id: usize, area: &str, checks: &[&Check], warnings: bool) {
    let c = Counts::of(checks.iter().copied(), warnings);
    // The schema of Ant takes no zone.
    let at = report.at.unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S");
    let _ = writeln!(
        out,
        "  <testsuite id=\"{id}\" package=\"{}\" name=\"{}\" hostname=\"{}\" timestamp=\"{at}\" tests=\"{}\" \
         failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"0\">",
        attribute(report.runbook),
        attribute(area),
        attribute(report.on.unwrap_or("localhost")),
        c.tests,
        c.failures,
        c.errors,
        c.skipped,
    );
    out.push_str("    <properties>\n");
    for (name, value) in phrase::about(report) {
        let _ = writeln!(
            out,
            "      <property name=\"{}\" value=\"{}\"/>",
            attribute(&name.to_lowercase().replace(' ', "-")),
            attribute(&value)
        );
    }
    out.push_str("    </properties>\n");
    for check in checks {
        for verdict in &check.results {
            testcase(out, report, check, verdict, warnings);
        }
    }
    // What passed has no place for words in a case of its own.
    out.push_str("    <system-out>");
    for check in checks {
        for v in &check.results {
            let line = format!("{} {}: {}: {}", check.id, v.about, v.standing.word(), v.saw());
            let _ = write!(out, "\n{}", xml(&one_line(&line)));
        }
    }
    out.push_str("\n</system-out>\n    <system-err/>\n  </testsuite>\n");
}

fn testcase(out: &mut String, report: &Report, check: &Check, verdict: &Verdict, warnings: bool) {
    let name = format!("{}: {}", verdict.about, check.title);
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        attribute(&format!("{}.{}", report.runbook, check.id)),
        attribute(&name),
        seconds(verdict),
    );
    let kind = phrase::severity(check.severity);
    let saw = attribute(verdict.saw());
    match case(verdict, warnings) {
        Case::Passed => out.push_str("/>\n"),
        Case::Skipped => {
            let why = phrase::waiver(verdict).filter(|_| verdict.standing == Standing::Waived);
            let why = why.unwrap_or_else(|| verdict.standing.word().to_owned());
            let _ = writeln!(out, ">\n      <skipped message=\"{}\"/>\n    </testcase>", attribute(&why));
        }
        Case::Failed => {
            let body = body(check, verdict);
            let _ = writeln!(
                out,
                ">\n      <failure type=\"{kind}\" message=\"{saw}\">{body}</failure>\n    </testcase>"
            );
        }
        Case::Error => {
            let body = body(check, verdict);
            let word = verdict.standing.word();
            let _ =
                writeln!(out, ">\n      <error type=\"{word}\" message=\"{saw}\">{body}</error>\n    </testcase>");
        }
    }
}

/// What a person needs who sees only this case.
fn body(check: &Check, verdict: &Verdict) -> String {
    let mut lines = vec![format!("observed: {}", verdict.saw())];
    lines.extend(verdict.detail.iter().map(|d| format!("  {}", one_line(d))));
    lines.push(format!("expected: {}", check.expected));
    lines.push(format!("remedy: {}", check.remedy));
    lines.extend(check.command.map(|c| format!("command: {c}")));
    lines.push(format!("source: {}", check.source));
    xml(&lines.join("\n"))
}

/// What its reads took, with three decimals.
fn seconds(verdict: &Verdict) -> String {
    let ms: u64 = verdict.facts.iter().map(|f| f.took_ms).sum();
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn attribute(text: &str) -> String {
    xml(&one_line(text))
}
