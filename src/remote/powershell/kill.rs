//! Ending a process on a machine by a command of its own.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::process::{Process, StartError};
use crate::remote::sanitise::clean_short;

/// The longest wait for `taskkill`.
const KILL: Duration = Duration::from_secs(10);
/// What `taskkill` says when there is no such process.
const NO_PROCESS: i32 = 128;

/// Waits for a `bootstrap::kill_command` that is being started.
///
/// # Errors
/// What the machine said.
pub async fn finish(start: impl Future<Output = Result<Process, StartError>>) -> Result<(), String> {
    let run = async {
        let mut process = start.await.map_err(|e| e.to_string())?;
        drop(process.stdin);
        let mut said = Vec::new();
        let (mut out, mut errors) = (vec![0; 2048], vec![0; 2048]);
        let (n, m) = tokio::join!(process.stdout.read(&mut out), process.stderr.read(&mut errors));
        said.extend_from_slice(&out[..n.unwrap_or(0)]);
        said.extend_from_slice(&errors[..m.unwrap_or(0)]);
        let mut rest = Vec::new();
        let _ = process.stdout.take(64 << 10).read_to_end(&mut rest).await;
        let said = clean_short(&String::from_utf8_lossy(&said), 200);
        match process.ending.await {
            Ok(ending) if ending.lost.is_some() => Err(ending.lost.unwrap_or_default()),
            Ok(ending) => match ending.code {
                None | Some(0 | NO_PROCESS) => Ok(()),
                Some(code) => Err(format!("taskkill ended with code {code}: {said}")),
            },
            Err(_) => Err("the connection was lost".into()),
        }
    };
    match tokio::time::timeout(KILL, run).await {
        Ok(result) => result,
        Err(_) => Err(format!("taskkill did not end within {} s", KILL.as_secs())),
    }
}
