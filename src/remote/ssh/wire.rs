//! A handle on a connection: orders to its owner. The connection ends when the last handle is dropped.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::files::Want;
use super::login::LoggedIn;
use super::owner::{Order, Owner};
use super::socket::StdSocket;
use crate::core::event::{Failure, FailureKind};
use crate::remote::kept::{Line, Times};
use crate::remote::powershell::bootstrap::kill_command;
use crate::remote::powershell::kill;
use crate::remote::powershell::process::{Launch, Process, StartError};
use crate::remote::{Boxed, Chunk};

const ORDERS: usize = 16;

/// Connections to a machine and to those on the way to it.
#[derive(Clone)]
pub struct Wire {
    orders: mpsc::Sender<Order>,
    lost: watch::Receiver<Option<String>>,
    /// Dropped after this one: the outer connections.
    _outer: Option<Arc<Wire>>,
}

impl Wire {
    /// Starts the owner of a session on the current runtime.
    ///
    /// # Errors
    /// The socket cannot be watched.
    pub fn new(
        login: LoggedIn,
        socket: StdSocket,
        times: Times,
        outer: Option<Arc<Wire>>,
    ) -> std::io::Result<Wire> {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (tell, lost) = watch::channel(None);
        tokio::spawn(Owner::new(login.session, socket, times, inbox, tell)?);
        Ok(Wire { orders, lost, _outer: outer })
    }

    async fn order<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, StartError>>) -> Order,
    ) -> Result<T, StartError> {
        let (reply, answer) = oneshot::channel();
        if self.orders.send(order(reply)).await.is_ok()
            && let Ok(answer) = answer.await
        {
            return answer;
        }
        Err(StartError::Lost(self.lost().await))
    }

    async fn exec(&self, command: String, urgent: bool) -> Result<Process, StartError> {
        self.order(|reply| Order::Exec { command, urgent, reply }).await
    }

    /// A socket that leads to another machine (powershell-over-ssh 3.4).
    #[cfg(unix)]
    pub async fn tunnel(&self, host: String, port: u16) -> Result<StdSocket, StartError> {
        let stream = self.order(|reply| Order::Tunnel { host, port, reply }).await?;
        stream.into_std().map(StdSocket::Unix).map_err(|e| StartError::Refused(e.to_string()))
    }

    #[cfg(not(unix))]
    pub async fn tunnel(&self, _host: String, _port: u16) -> Result<StdSocket, StartError> {
        Err(StartError::Refused("jump hosts are not supported on Windows yet; use transport = \"openssh\"".into()))
    }
}

/// Why a connection ended.
async fn end(mut lost: watch::Receiver<Option<String>>) -> String {
    match lost.wait_for(Option::is_some).await {
        Ok(why) => why.clone().unwrap_or_default(),
        Err(_) => "it was closed".into(),
    }
}

impl Line for Wire {
    fn lost(&self) -> Boxed<String> {
        Box::pin(end(self.lost.clone()))
    }

    fn read(&self, path: String, offset: u64, max: usize) -> Boxed<Result<Chunk, Failure>> {
        let wire = self.clone();
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let sent = wire.orders.send(Order::Read(Want { path, offset, max, reply })).await.is_ok();
            if sent && let Ok(answer) = answer.await {
                return answer;
            }
            let kind = if sent { FailureKind::Indeterminate } else { FailureKind::NotSent };
            let message = format!("the connection was lost: {}", wire.lost().await);
            Err(Failure { kind, id: None, message, at: None })
        })
    }
}

impl Launch for Wire {
    fn start(&self, command: String) -> Boxed<Result<Process, StartError>> {
        let wire = self.clone();
        Box::pin(async move { wire.exec(command, false).await })
    }

    fn kill(&self, pid: u32) -> Boxed<Result<(), String>> {
        let wire = self.clone();
        Box::pin(async move { kill::finish(wire.exec(kill_command(pid), true)).await })
    }
}
