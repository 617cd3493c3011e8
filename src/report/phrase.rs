//! What the formats say alike.

use jiff::Timestamp;

use super::{FixDone, Report, Verdict};
use crate::core::command::plural;
use crate::core::plan::Severity;
use crate::core::summary::duration;

/// `2025-06-14 08:04:02 UTC`.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The verdict of the whole, in a few words.
pub fn stands(report: &Report) -> String {
    if !report.reached {
        return "no node can be reached, nothing was judged".to_owned();
    }
    match (report.blockers, report.only.is_some()) {
        (0, false) => "ready".to_owned(),
        (0, true) => "what was asked for is ready".to_owned(),
        (n, _) => format!("blocked: {} in the way", plural(n, "check")),
    }
}

/// How many checks stand how.
pub fn counts(report: &Report) -> Vec<(usize, &'static str)> {
    [
        (report.fail, "fail"),
        (report.could_not_tell, "could not tell"),
        (report.warn, "warn"),
        (report.waived, "waived"),
        (report.pass, "pass"),
        (report.not_applicable, "not applicable"),
    ]
    .into()
}

/// What a report is about and where it comes from: names and values, those that are known.
pub fn about(report: &Report) -> Vec<(&'static str, String)> {
    let who = match (report.by, report.on) {
        (Some(by), Some(on)) => Some(format!("{by} on {on}")),
        (by, _) => by.map(str::to_owned),
    };
    let only = report.only.as_ref().map(|o| {
        let some =
            |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
        let parts = [some("nodes", &o.nodes), some("checks", &o.checks)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ") + "; nothing else was looked at"
    });
    let earlier = report.as_of.filter(|a| Some(*a) != report.at);
    [
        ("Cluster", Some(report.cluster.to_owned())),
        ("Runbook", Some(format!("{} ({})", report.runbook_title, report.runbook))),
        ("Target", Some(format!("{}, build {}", report.target, report.target_build))),
        ("Time", report.at.map(time)),
        ("Told for", earlier.map(|at| format!("{}, the start of the run", time(at)))),
        ("Run", Some(report.phase.to_owned()).filter(|_| earlier.is_some())),
        ("Only", only),
        ("By", who),
        ("nodelift", report.nodelift.map(str::to_owned)),
        ("Plan SHA-256", report.plan_sha256.map(str::to_owned)),
        ("Last event", Some(report.event.to_string())),
        ("Journal head", report.journal.map(str::to_owned)),
        ("Note", report.imitated.then(|| "the machines are imitated".to_owned())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// How much a failure matters.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Blocker => "blocker",
        Severity::Warning => "warning",
        Severity::Recommended => "recommended",
    }
}

/// How old the evidence is, at the time that the report is for.
pub fn age(report: &Report, verdict: &Verdict) -> String {
    match (verdict.facts_at, report.as_of) {
        (Some(at), Some(now)) => format!("{} old", duration(now.duration_since(at).as_secs())),
        _ => "never read".to_owned(),
    }
}

/// What a person took upon themselves, where they did.
pub fn waiver(verdict: &Verdict) -> Option<String> {
    let w = verdict.waiver.as_ref()?;
    let end = if w.holds { "until" } else { "ran out at" };
    Some(format!("waived by {} {end} {}: {}", w.by, time(w.until), w.reason))
}

/// What a person confirmed, where they did.
pub fn confirmed(verdict: &Verdict) -> Option<String> {
    let a = verdict.attested.as_ref()?;
    let note = if a.note.is_empty() { String::new() } else { format!(": {}", a.note) };
    Some(format!("confirmed by {} at {}{note}", a.by, time(a.at)))
}

/// A fix that was run, and how it ended.
pub fn fix(fix: &FixDone) -> String {
    let end = match (fix.ok, fix.error) {
        (Some(true), _) => "done".to_owned(),
        (Some(false), error) => format!("failed: {}", error.unwrap_or_default()),
        (None, _) => "not ended".to_owned(),
    };
    format!("{}, by {} on {}: {end}", time(fix.at), fix.by, fix.on)
}
