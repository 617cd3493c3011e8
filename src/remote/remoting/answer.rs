//! What `remote.ps1` gives, as the reply of the machine itself.

use serde::Deserialize;
use serde_json::Value as Json;

use super::RemotingConfig;
use crate::core::event::{Failure, FailureKind};
use crate::remote::Reply;
use crate::remote::powershell::frames::End;
use crate::remote::powershell::words::{failure, left, verdict};
use crate::remote::sanitise::clean_short;

/// Its record.
#[derive(Deserialize)]
struct Record {
    stage: Stage,
    error: Option<String>,
    message: Option<String>,
    /// Each is JSON: `{"v": object}`.
    results: Vec<String>,
    /// JSON; `None`: the script left its session, or that broke.
    end: Option<String>,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// No session: nothing was sent.
    Open,
    /// It was sent.
    Run,
}

/// Why there is no session, or no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub stage: Stage,
    /// As Windows gives it: `AccessDenied,PSSessionOpenFailed`.
    pub id: String,
    /// Cleaned.
    pub message: String,
}

/// The reply of the machine, and what is wrong with the way to it.
#[derive(Debug)]
pub struct Heard {
    pub reply: Reply,
    pub broken: Option<Broken>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    v: Json,
}

/// Longest message that is kept.
const SAID: usize = 400;

/// Reads what the machine on the way answered.
pub fn heard(config: &RemotingConfig, reply: Reply) -> Heard {
    let took = reply.took;
    let ended = |results, end, broken| Heard { reply: Reply { results, end, took }, broken };
    let record = match reply.record() {
        Ok(record) => record,
        Err(failure) => return ended(Vec::new(), Err(on_the_way(config, failure)), None),
    };
    let unreadable = |why: String| {
        let message = format!("{}: what remoting gave cannot be read: {}", config.name, clean_short(&why, SAID));
        failure(FailureKind::Misshapen, message)
    };
    let record: Record = match serde_json::from_value(record) {
        Ok(record) => record,
        Err(e) => return ended(Vec::new(), Err(unreadable(e.to_string())), None),
    };
    let parsed: Result<Vec<Json>, _> =
        record.results.iter().map(|r| serde_json::from_str::<Row>(r).map(|r| r.v)).collect();
    let results = match parsed {
        Ok(results) => results,
        Err(e) => return ended(Vec::new(), Err(unreadable(e.to_string())), None),
    };
    if let Some(id) = record.error {
        let message = clean_short(&record.message.unwrap_or_default(), SAID);
        let broken = Broken { stage: record.stage, id: clean_short(&id, SAID), message };
        return ended(results, Err(no_session(config, &broken)), Some(broken));
    }
    let end = match record.end.as_deref().map(serde_json::from_str::<End>) {
        Some(Ok(end)) if end.gone => Err(left(&end)),
        Some(Ok(end)) => verdict(end, results.len() as u64),
        Some(Err(e)) => Err(unreadable(e.to_string())),
        None => Err(left(&End { ok: false, k: 0, gone: true, id: None, m: None, line: None, src: None })),
    };
    ended(results, end, None)
}

fn no_session(config: &RemotingConfig, broken: &Broken) -> Failure {
    let Broken { stage, id, message } = broken;
    let (kind, what) = match stage {
        Stage::Open => (FailureKind::NotSent, "no remoting session with"),
        Stage::Run => (FailureKind::Indeterminate, "the remoting session broke with"),
    };
    let message = format!("{what} {} through {}: {message}", config.name, config.through);
    Failure { kind, id: Some(id.clone()), message, at: None }
}

/// The machine on the way failed us. What it could not stop may run on where it was sent to.
fn on_the_way(config: &RemotingConfig, inner: Failure) -> Failure {
    let (name, through) = (&config.name, &config.through);
    let (kind, message) = match inner.kind {
        FailureKind::TimedOut => (
            FailureKind::Indeterminate,
            format!(
                "{name} gave no answer in time; {through} no longer waits, but it may run on there ({})",
                inner.message
            ),
        ),
        FailureKind::Threw => {
            (FailureKind::Indeterminate, format!("remoting from {through} to {name} failed: {}", inner.message))
        }
        kind => (kind, format!("{name} is reached through {through}: {}", inner.message)),
    };
    Failure { kind, id: inner.id, message, at: inner.at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::remoting::tests::config;
    use serde_json::json;
    use std::time::Duration;

    fn hear(record: Json) -> Heard {
        heard(&config(None), Reply { results: vec![record], end: Ok(()), took: Duration::from_millis(7) })
    }

    fn record(results: &[&str], end: Json) -> Json {
        json!({"to": "x", "stage": "run", "error": null, "message": null, "results": results, "end": end})
    }

    #[test]
    fn types_survive() {
        let h =
            hear(record(&[r#"{"v":{"a":[1],"b":null,"c":"2"}}"#, r#"{"v":"x"}"#], json!(r#"{"ok":true,"k":2}"#)));
        assert_eq!(h.reply.results, [json!({"a": [1], "b": null, "c": "2"}), json!("x")]);
        assert_eq!((h.reply.end, h.reply.took), (Ok(()), Duration::from_millis(7)));
        assert_eq!(h.broken, None);
    }

    #[test]
    fn an_error_keeps_its_id_and_place() {
        let end = r#"{"ok":false,"k":0,"id":"op:Acl","m":"no\u001b[31m","line":3,"src":"throw 'op:Acl'"}"#;
        let failure = hear(record(&[], json!(end))).reply.end.unwrap_err();
        assert_eq!((failure.kind, failure.id.as_deref()), (FailureKind::Threw, Some("op:Acl")));
        assert_eq!(failure.at.as_deref(), Some("line 3: throw 'op:Acl'"));
        assert!(!failure.message.contains('\u{1b}'), "{}", failure.message);
    }

    #[test]
    fn what_is_missing_is_never_a_success() {
        let kind = |record| hear(record).reply.end.unwrap_err().kind;
        assert_eq!(kind(record(&[], Json::Null)), FailureKind::Threw);
        assert_eq!(kind(record(&[], json!(r#"{"ok":true,"k":1}"#))), FailureKind::Misshapen);
        assert_eq!(kind(record(&["{"], json!(r#"{"ok":true,"k":1}"#))), FailureKind::Misshapen);
        assert_eq!(kind(json!(5)), FailureKind::Misshapen);
        assert_eq!(kind(record(&[], json!(r#"{"ok":false,"id":"nl:TooMuchOutput"}"#))), FailureKind::Misshapen);
    }

    #[test]
    fn no_session_is_not_sent_and_a_broken_one_is_doubtful() {
        for (stage, kind) in [("open", FailureKind::NotSent), ("run", FailureKind::Indeterminate)] {
            let h = hear(
                json!({"stage": stage, "error": "AccessDenied,X", "message": "Access is denied.", "results": [], "end": null}),
            );
            let failure = h.reply.end.unwrap_err();
            assert_eq!((failure.kind, failure.id.as_deref()), (kind, Some("AccessDenied,X")));
            assert!(failure.message.contains("HCI-N2 through COORD01: Access is denied."), "{}", failure.message);
            assert_eq!(h.broken.unwrap().id, "AccessDenied,X");
        }
    }

    #[test]
    fn a_stopped_wait_says_that_the_script_may_run_on() {
        let end = Err(failure(FailureKind::TimedOut, "the script did not end within 5 s".into()));
        let h = heard(&config(None), Reply { results: Vec::new(), end, took: Duration::ZERO });
        let failure = h.reply.end.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Indeterminate);
        assert!(failure.message.contains("may run on there"), "{}", failure.message);
    }
}
