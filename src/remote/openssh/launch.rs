//! Programs on a machine, each behind an `ssh` process of its own.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::client::{Client, Pipes};
use super::config::OpenSshConfig;
use super::options::{self, Program};
use crate::remote::powershell::process::{Ending, Process, StartError};

/// What ssh ends with when it failed itself; a program may end with it too.
const FAILED: i32 = 255;
/// After a process of ours failed, how long the connection may take to be seen as lost.
const NOTICE: Duration = Duration::from_millis(500);

/// How processes get to the machine.
#[derive(Clone, Debug)]
pub enum Through {
    /// The connection's control socket.
    Socket(PathBuf),
    /// Connections of their own, by this configuration file.
    Own(PathBuf),
}

/// Starts programs while a connection stands.
#[derive(Clone)]
pub struct Starter {
    pub config: Arc<OpenSshConfig>,
    pub through: Through,
    /// Why the connection ended, once it did.
    pub lost: watch::Receiver<Option<String>>,
}

impl Starter {
    /// Starts a program; only ssh itself runs at once, whether the machine takes it shows on its streams.
    pub async fn start(&self, program: Program) -> Result<Process, StartError> {
        if let Some(why) = &*self.lost.borrow() {
            return Err(StartError::Lost(why.clone()));
        }
        let args = match &self.through {
            Through::Socket(socket) => options::through(&self.config, socket, &program),
            Through::Own(file) => options::single(&self.config, file, &program),
        };
        let args = args.map_err(|e| StartError::Refused(e.0))?;
        let refused = |e: std::io::Error| StartError::Refused(format!("ssh cannot be started here: {e}"));
        let mut client = Client::start(&self.config.program, &args, Pipes::All).map_err(refused)?;
        let (stdin, stdout, stderr) =
            (client.child.stdin.take(), client.child.stdout.take(), client.child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(StartError::Refused("ssh was started without its streams".into()));
        };
        let (mut tell, ending) = oneshot::channel();
        let (mut lost, own) = (self.lost.clone(), matches!(self.through, Through::Own(_)));
        tokio::spawn(async move {
            let status = tokio::select! {
                status = client.wait() => status,
                // Given up: closing its streams is all the machine hears of it.
                () = tell.closed() => return client.end().await,
            };
            let _ = tell.send(ending_of(status, own, &mut lost).await);
        });
        Ok(Process { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: Box::new(stderr), ending })
    }
}

async fn ending_of(status: Option<ExitStatus>, own: bool, lost: &mut watch::Receiver<Option<String>>) -> Ending {
    match status.and_then(|s| s.code()) {
        Some(FAILED) if own => Ending { code: None, lost: Some("its ssh ended with code 255".into()) },
        Some(FAILED) => match timeout(NOTICE, lost.wait_for(Option::is_some)).await {
            Ok(Ok(why)) => Ending { code: None, lost: why.clone() },
            Ok(Err(_)) => Ending { code: None, lost: Some("it was closed".into()) },
            Err(_) => Ending { code: Some(FAILED), lost: None },
        },
        Some(code) => Ending { code: Some(code), lost: None },
        None => Ending { code: None, lost: Some("its ssh process was ended on this machine".into()) },
    }
}
