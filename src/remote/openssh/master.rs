//! A connection that is up: the `ssh` process that holds it, and what goes through it.

use std::sync::Arc;

use tokio::process::ChildStderr;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::time::timeout;

use super::client::Client;
use super::heard::Heard;
use super::launch::Starter;
use super::options::Program;
use super::sftp::Sftp;
use super::trouble;
use crate::core::event::{Failure, FailureKind};
use crate::remote::kept::{Line, piece};
use crate::remote::powershell::bootstrap::kill_command;
use crate::remote::powershell::kill;
use crate::remote::powershell::process::{Launch, Process, StartError};
use crate::remote::{Boxed, Chunk};

/// A handle on it. The connection ends with the last one.
#[derive(Clone)]
pub struct Master(Arc<Inner>);

struct Inner {
    starter: Starter,
    files: Mutex<Option<Sftp>>,
    /// Its other end learns that all handles are gone.
    _held: oneshot::Sender<()>,
}

impl Master {
    /// From now on `client` is looked after until it ends, or nobody holds the connection.
    pub fn new(
        starter: Starter,
        client: Client,
        heard: Heard<ChildStderr>,
        lost: watch::Sender<Option<String>>,
    ) -> Master {
        let (held, dropped) = oneshot::channel();
        tokio::spawn(attend(client, heard, dropped, lost));
        Master(Arc::new(Inner { starter, files: Mutex::default(), _held: held }))
    }
}

async fn attend(
    mut client: Client,
    mut heard: Heard<ChildStderr>,
    mut dropped: oneshot::Receiver<()>,
    lost: watch::Sender<Option<String>>,
) {
    let ended = async { while client.line(&mut heard).await.is_some() {} };
    tokio::select! {
        () = ended => {
            lost.send_replace(Some(trouble::why_lost(&heard.lines())));
        }
        _ = &mut dropped => {
            lost.send_replace(Some("it was closed".into()));
            client.end().await;
        }
    }
}

impl Line for Master {
    fn lost(&self) -> Boxed<String> {
        let mut lost = self.0.starter.lost.clone();
        Box::pin(async move {
            match lost.wait_for(Option::is_some).await {
                Ok(why) => why.clone().unwrap_or_default(),
                Err(_) => "it was closed".into(),
            }
        })
    }

    fn read(&self, path: String, offset: u64, max: usize) -> Boxed<Result<Chunk, Failure>> {
        let inner = self.0.clone();
        Box::pin(async move {
            let within = inner.starter.config.times.file;
            // Another piece may be read right now: the wait for it counts.
            let read = async {
                let mut files = inner.files.lock().await;
                let mut sftp = match files.take() {
                    Some(sftp) => sftp,
                    None => {
                        let process = inner.starter.start(Program::Subsystem("sftp")).await;
                        let started = async { Sftp::open(process.map_err(|e| e.to_string())?).await };
                        match timeout(inner.starter.config.times.channel, started).await {
                            Ok(Ok(sftp)) => sftp,
                            Ok(Err(why)) => return Err(piece::none(&path, &why)),
                            Err(_) => return Err(piece::none(&path, "its SFTP server does not answer")),
                        }
                    }
                };
                let result = sftp.read(&path, offset, max).await;
                // After any other failure what comes next may belong to this piece.
                if !matches!(&result, Err(f) if f.kind == FailureKind::Indeterminate) {
                    *files = Some(sftp);
                }
                result
            };
            match timeout(within, read).await {
                Ok(result) => result,
                Err(_) => {
                    let why = format!("it took longer than {} s", within.as_secs_f32());
                    Err(piece::failure(&path, FailureKind::Indeterminate, None, &why))
                }
            }
        })
    }
}

impl Launch for Master {
    fn start(&self, command: String) -> Boxed<Result<Process, StartError>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.starter.start(Program::Command(command)).await })
    }

    fn kill(&self, pid: u32) -> Boxed<Result<(), String>> {
        Box::pin(kill::finish(self.start(kill_command(pid))))
    }
}
