//! The stand-in started as a child of the test.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use nodelift::remote::Boxed;
use nodelift::remote::powershell::bootstrap::kill_command;
use nodelift::remote::powershell::process::{Ending, Launch, Process, StartError};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::oneshot;

use super::{fake_powershell, until};

pub struct Local {
    folder: TempDir,
}

impl Local {
    pub fn new() -> Local {
        Local { folder: tempfile::tempdir().expect("folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn set_mode(&self, mode: &str) {
        fs::write(self.path("mode"), mode).expect("mode");
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub async fn appears(&self, name: &str) {
        let path = self.path(name);
        until(|| path.exists()).await;
    }

    pub async fn logs(&self, text: &str) {
        until(|| self.log().contains(text)).await;
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(fake_powershell());
        command.args(line.split(' ')).env("FAKE_DIR", self.folder.path()).env_remove("SSH_ORIGINAL_COMMAND");
        command
    }
}

impl Launch for Local {
    fn start(&self, line: String) -> Boxed<Result<Process, StartError>> {
        let mut command = self.command(&line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Box::pin(async move {
            let mut child = command.spawn().map_err(|e| StartError::Refused(e.to_string()))?;
            let (tell, ending) = oneshot::channel();
            let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            tokio::spawn(async move {
                let code = child.wait().await.ok().and_then(|s| s.code());
                let _ = tell.send(Ending { code, lost: None });
            });
            Ok(Process {
                stdin: Box::new(stdin.expect("piped")),
                stdout: Box::new(stdout.expect("piped")),
                stderr: Box::new(stderr.expect("piped")),
                ending,
            })
        })
    }

    fn kill(&self, pid: u32) -> Boxed<Result<(), String>> {
        let mut command = self.command(&kill_command(pid));
        Box::pin(async move {
            let done = command.output().await.map_err(|e| e.to_string())?;
            if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
        })
    }
}
