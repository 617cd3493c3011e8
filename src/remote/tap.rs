//! What a machine's PowerShell prints, for somebody who wants every byte of it as it came.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::Boxed;
use super::powershell::process::{Launch, Process, StartError};

/// Takes what is printed. Each process has two streams, and each of them is opened once.
pub trait Tap: Send + Sync {
    /// A new stream begins; it ends when this is dropped.
    fn open(&self) -> Box<dyn Stream>;
}

/// One stream of bytes.
pub trait Stream: Send {
    /// More of it. Returns at once: the connection waits for it.
    fn take(&mut self, bytes: &[u8]);
}

/// A machine whose processes are listened to.
pub struct Tapped {
    pub launch: Arc<dyn Launch>,
    pub tap: Arc<dyn Tap>,
}

impl Launch for Tapped {
    fn start(&self, command: String) -> Boxed<Result<Process, StartError>> {
        let (started, tap) = (self.launch.start(command), self.tap.clone());
        Box::pin(async move {
            let process = started.await?;
            let listen = |inner| Box::new(Listened { inner, to: tap.open() });
            Ok(Process { stdout: listen(process.stdout), stderr: listen(process.stderr), ..process })
        })
    }

    fn kill(&self, pid: u32) -> Boxed<Result<(), String>> {
        self.launch.kill(pid)
    }
}

struct Listened {
    inner: Box<dyn AsyncRead + Send + Unpin>,
    to: Box<dyn Stream>,
}

impl AsyncRead for Listened {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let new = &buf.filled()[before..];
        if polled.is_ready() && !new.is_empty() {
            self.to.take(new);
        }
        polled
    }
}
