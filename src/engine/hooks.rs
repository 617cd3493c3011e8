//! A hook is run on this machine: a program with its arguments, never a shell's text; its time and what it may say are bounded.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::core::hooks::HookEnd;

/// Bytes that are kept of what it says, each way; the rest is read and forgotten.
const MOST: usize = 4096;

/// Characters of it that are told.
const TOLD: usize = 300;

/// Runs it to its end, or ends it after so many real seconds.
pub async fn run(command: &[String], environment: &BTreeMap<String, String>, timeout: u64) -> HookEnd {
    let failed = |message: String| HookEnd { ok: false, message };
    let Some((program, arguments)) = command.split_first() else { return failed("the command is empty".into()) };
    let started = Command::new(program)
        .args(arguments)
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(e) => return failed(format!("{program} could not be started: {e}")),
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let ended = tokio::time::timeout(Duration::from_secs(timeout), async {
        let (out, err, status) = tokio::join!(said(out), said(err), child.wait());
        (out, err, status)
    });
    match ended.await {
        Err(_) => failed(format!("{program} did not end within {timeout} seconds, and was ended")),
        Ok((_, _, Err(e))) => failed(format!("{program}: {e}")),
        Ok((out, err, Ok(status))) => {
            let text = if err.is_empty() || status.success() && !out.is_empty() { out } else { err };
            let said = if text.is_empty() { String::new() } else { format!(": {text}") };
            HookEnd { ok: status.success(), message: format!("{program} ended with {status}{said}") }
        }
    }
}

/// The last line of what is said, cleaned.
async fn said(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let (mut kept, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(n) = from.read(&mut piece).await {
        if n == 0 {
            break;
        }
        kept.extend_from_slice(&piece[..n.min(MOST.saturating_sub(kept.len()))]);
    }
    let text = String::from_utf8_lossy(&kept);
    let line = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default();
    line.trim().chars().filter(|c| !c.is_control()).take(TOLD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ran(words: &[&str], timeout: u64) -> HookEnd {
        let command: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let environment = [("NODELIFT_NODE".to_owned(), "HCI-N1; rm -rf /".to_owned())].into();
        run(&command, &environment, timeout).await
    }

    #[tokio::test]
    async fn it_is_told_how_it_ended_and_nothing_is_a_shells_text() {
        let end = ran(&["printenv", "NODELIFT_NODE"], 60).await;
        assert_eq!(
            end,
            HookEnd { ok: true, message: "printenv ended with exit status: 0: HCI-N1; rm -rf /".into() }
        );
        let end = ran(&["false"], 60).await;
        assert_eq!(end, HookEnd { ok: false, message: "false ended with exit status: 1".into() });
        let end = ran(&["/no/such", "x"], 60).await;
        assert!(!end.ok && end.message.starts_with("/no/such could not be started: "), "{end:?}");
        let end = ran(&["sleep", "60"], 0).await;
        assert_eq!(end.message, "sleep did not end within 0 seconds, and was ended");
        let end = ran(&["seq", "1", "100000"], 60).await;
        assert!(end.ok && end.message.len() < 400, "{end:?}");
    }
}
