//! What a worker's answers and endings mean, in the terms of the callers.

use jiff::Timestamp;

use super::clixml::{Record, Stream};
use super::frames::End;
use super::process::Ending;
use crate::core::event::{Failure, FailureKind};
use crate::remote::sanitise::{self, clean, clean_short};
use crate::remote::{Level, Said};

/// How much of what was seen is kept for a message.
pub(super) const SEEN: usize = 400;

/// Appends to a short account of what was seen.
pub(super) fn note(account: &mut String, text: &str) {
    if account.len() < SEEN && !text.trim().is_empty() {
        if !account.is_empty() {
            account.push(' ');
        }
        account.push_str(text.trim());
        *account = clean_short(account, SEEN);
    }
}

/// The machine's clock minus the middle of send and receive.
pub(in crate::remote) fn skew(utc: &str, before: Timestamp, after: Timestamp) -> Option<i64> {
    let theirs = utc.parse::<Timestamp>().ok()?.as_millisecond();
    Some(theirs - (before.as_millisecond() + after.as_millisecond()) / 2)
}

pub(in crate::remote) fn level(name: &str) -> Level {
    match name {
        "Error" => Level::Error,
        "Warning" => Level::Warning,
        "Verbose" | "Debug" => Level::Debug,
        _ => Level::Info,
    }
}

pub(super) fn spoken(record: &Record) -> Vec<Said> {
    let level = match record.stream {
        Stream::Error => Level::Error,
        Stream::Warning | Stream::Plain => Level::Warning,
        Stream::Verbose | Stream::Debug => Level::Debug,
        Stream::Information | Stream::Output | Stream::Progress => Level::Info,
    };
    sanitise::lines(record.text.as_bytes()).into_iter().map(|text| Said { level, text }).collect()
}

pub(in crate::remote) fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, id: None, message, at: None }
}

/// What the end of a script says, once its records have been counted.
pub(in crate::remote) fn verdict(end: End, records: u64) -> Result<(), Failure> {
    if end.ok {
        if end.k == records {
            return Ok(());
        }
        let message = format!("{records} of {} records of the script arrived", end.k);
        return Err(failure(FailureKind::Misshapen, message));
    }
    let id = end.id.map(|id| clean(&id)).filter(|id| !id.is_empty());
    let kind = match &id {
        Some(id) if id.starts_with("nl:TooMuchOutput") => FailureKind::Misshapen,
        _ => FailureKind::Threw,
    };
    let source = clean_short(&end.src.unwrap_or_default(), SEEN);
    let at = match end.line {
        Some(line) if line > 0 && source.is_empty() => Some(format!("line {line}")),
        Some(line) if line > 0 => Some(format!("line {line}: {source}")),
        _ => None,
    };
    let message = match clean(&end.m.unwrap_or_default()) {
        m if m.is_empty() => "the script failed and gave no message".to_owned(),
        m => m,
    };
    Err(Failure { kind, id, message, at })
}

/// The script ended PowerShell: it ended there, so nothing of it is doubtful.
pub(in crate::remote) fn left(end: &End) -> Failure {
    let id = end.id.as_deref().map(clean).filter(|id| !id.is_empty());
    let message = "the script ended its PowerShell with exit, or with break to a label".to_owned();
    Failure { kind: FailureKind::Threw, id, message, at: None }
}

pub(super) fn death(ending: Ending, sent: bool, errors: &str) -> Failure {
    let kind = if sent { FailureKind::Indeterminate } else { FailureKind::NotSent };
    let mut message = match (&ending.lost, ending.code) {
        (Some(why), _) => format!("the connection was lost: {why}"),
        (None, Some(code)) if code != 0 => format!("PowerShell ended with code {code} before the script did"),
        (None, _) => "PowerShell ended before the script did".to_owned(),
    };
    if ending.lost.is_none() && !errors.is_empty() {
        message.push_str(&format!("; it said: {errors}"));
    }
    failure(kind, message)
}
