//! From a configuration to a connection: name, TCP, handshake, host key, login; through every machine on the way.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::{Instant, timeout_at};

use super::config::{Endpoint, SshConfig};
use super::known_hosts::KnownHosts;
use super::login::{Greeted, LoggedIn, Stage, greet};
use super::socket::StdSocket;
use super::trail::{Passed, Trail};
use super::trouble;
use super::wire::Wire;
use crate::core::connection::Trouble;
use crate::remote::kept::{Dialled, Limiter};

/// After the socket was cut, how long a call may take to notice.
const NOTICE: Duration = Duration::from_secs(2);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;

/// Connects and logs in; every leg of the way is told on the trail.
///
/// # Errors
/// What a person should know.
pub async fn dial(config: &SshConfig, limiter: &Limiter, trail: &Trail) -> Result<Dialled, Trouble> {
    let outer = hops(config, limiter, trail).await?;
    let (login, socket) = reach(config, &config.target, outer.as_ref(), limiter, trail, |socket, stage, cut| {
        let (at, times, trail) = (config.target.clone(), config.times.clone(), trail.clone());
        let files = config.known_hosts.clone();
        move || {
            greet(socket, &at, KnownHosts::read(&files), &times, &trail)?.login(&at, &times, &stage, cut, &trail)
        }
    })
    .await?;
    let mut via = format!("ssh {}@{}, {}", config.target.user, config.target, login.by);
    for hop in config.hops.iter().rev() {
        via.push_str(&format!(", through {}", hop.host));
    }
    if let Some(note) = &config.note {
        via.push_str(&format!(" ({note})"));
    }
    // Only a password gives network credentials on Windows (powershell-over-ssh 11).
    let second_hop = login.password;
    let wire = Wire::new(login, socket, config.times.clone(), outer.map(|o| Arc::new(o.wire)));
    let wire = wire.map_err(|e| trouble::local(&config.target, &e.to_string()))?;
    Ok(Dialled { line: Arc::new(wire), via, second_hop })
}

/// Connects and shakes hands, no more: shows the host key.
///
/// # Errors
/// What a person should know.
pub async fn look(config: &SshConfig, limiter: &Limiter) -> Result<Greeted, Trouble> {
    let trail = Trail::default();
    let outer = hops(config, limiter, &trail).await?;
    let (greeted, _socket) =
        reach(config, &config.target, outer.as_ref(), limiter, &trail, |socket, _stage, _cut| {
            let (at, times, trail) = (config.target.clone(), config.times.clone(), trail.clone());
            let files = config.known_hosts.clone();
            move || greet(socket, &at, KnownHosts::read(&files), &times, &trail)
        })
        .await?;
    Ok(greeted)
}

/// The connection to the last machine on the way.
struct Outer<'a> {
    wire: Wire,
    hop: &'a Endpoint,
}

/// Logs in on every machine on the way, one through the other.
async fn hops<'a>(config: &'a SshConfig, limiter: &Limiter, trail: &Trail) -> Result<Option<Outer<'a>>, Trouble> {
    let mut outer: Option<Outer<'a>> = None;
    for hop in &config.hops {
        let trail = trail.to_hop(hop);
        let result = reach(config, hop, outer.as_ref(), limiter, &trail, |socket, stage, cut| {
            let (at, times, files) = (hop.clone(), config.times.clone(), config.known_hosts.clone());
            let trail = trail.clone();
            move || {
                greet(socket, &at, KnownHosts::read(&files), &times, &trail)?
                    .login(&at, &times, &stage, cut, &trail)
            }
        });
        let (login, socket): (LoggedIn, StdSocket) = result.await.map_err(|t| trouble::through_hop(hop, t))?;
        let wire = Wire::new(login, socket, config.times.clone(), outer.map(|o| Arc::new(o.wire)));
        outer = Some(Outer { wire: wire.map_err(|e| trouble::local(hop, &e.to_string()))?, hop });
    }
    Ok(outer)
}

/// Ends a connection under whoever still uses it, unless it is let go.
struct Cutter(Option<StdSocket>);

impl Drop for Cutter {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take() {
            socket.shutdown();
        }
    }
}

/// A connected socket to one machine, and what `work` made of it on a thread for blocking work.
async fn reach<T, W>(
    config: &SshConfig,
    at: &Endpoint,
    outer: Option<&Outer<'_>>,
    limiter: &Limiter,
    trail: &Trail,
    work: impl FnOnce(StdSocket, Arc<Stage>, StdSocket) -> W,
) -> Result<(T, StdSocket), Trouble>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, Trouble> + Send + 'static,
{
    let times = &config.times;
    // The server counts from the connection on.
    let _place = limiter.server(&at.to_string()).await;
    trail.begin();
    let socket = match outer {
        None => tcp(at, times.connect, trail).await?,
        Some(Outer { wire, hop }) => {
            let tunnel = wire.tunnel(at.host.clone(), at.port).await;
            let socket = tunnel.map_err(|e| trouble::tunnel(hop, at, &e.to_string()))?;
            trail.pass(Passed::Connected(None));
            socket
        }
    };
    let local = |e: io::Error| trouble::local(at, &e.to_string());
    let speaks = speaks(&socket, times.handshake / 20).await.map_err(local)?;
    let waits = Instant::now();
    let _handshake = limiter.handshake(speaks).await;
    trail.skip(waits.elapsed());
    let stage = Arc::new(Stage::default());
    let work = work(socket.try_clone().map_err(local)?, stage.clone(), socket.try_clone().map_err(local)?);
    let mut cutter = Cutter(Some(socket.try_clone().map_err(local)?));
    let mut task = tokio::task::spawn_blocking(work);
    // Each call has a time-out of its own; these are for what has none, such as an agent, or a server that never stops talking.
    let (shaken, all) = (times.handshake + NOTICE, times.handshake + times.login);
    let start = Instant::now();
    let mut result = timeout_at(start + shaken, &mut task).await;
    if result.is_err() && stage.get() != Stage::HANDSHAKE {
        result = timeout_at(start + all, &mut task).await;
    }
    let Ok(result) = result else {
        drop(cutter);
        let shakes = stage.get() == Stage::HANDSHAKE;
        return Err(match tokio::time::timeout(NOTICE, task).await {
            // What the task saw of the end was our doing.
            _ if shakes => trouble::silent(at, times.handshake),
            Ok(Ok(Err(trouble))) => trouble,
            _ if stage.get() == Stage::AGENT => trouble::agent_hangs(at),
            _ => trouble::silent(at, start.elapsed()),
        });
    };
    match result {
        Ok(Ok(done)) => {
            cutter.0 = None;
            Ok((done, socket))
        }
        Ok(Err(trouble)) => Err(trouble),
        // A panic in a library, over something that the server sent.
        Err(e) => Err(trouble::local(at, &format!("the login broke off ({e})"))),
    }
}

/// Whether a server says anything by itself, or hangs up, as nearly all do at once.
async fn speaks(socket: &StdSocket, within: Duration) -> io::Result<bool> {
    let socket = socket.try_clone()?.into_tokio()?;
    Ok(tokio::time::timeout(within, poll_fn(|cx| socket.poll_read_ready(cx))).await.is_ok())
}

async fn tcp(at: &Endpoint, within: Duration, trail: &Trail) -> Result<StdSocket, Trouble> {
    let deadline = Instant::now() + within;
    let addresses: Vec<SocketAddr> =
        match timeout_at(deadline, tokio::net::lookup_host((at.host.as_str(), at.port))).await {
            Ok(Ok(addresses)) => addresses.take(MAX_ADDRESSES).collect(),
            Ok(Err(e)) => return Err(trouble::no_address(at, &e.to_string())),
            Err(_) => return Err(trouble::no_address(at, "the name service does not answer")),
        };
    if !addresses.is_empty() {
        trail.pass(Passed::Named(addresses.iter().map(SocketAddr::ip).collect()));
    }
    let mut error = io::Error::from(io::ErrorKind::NotFound);
    let count = u32::try_from(addresses.len()).unwrap_or(1);
    for (i, address) in (0..).zip(&addresses) {
        // The last address gets all that is left.
        let share = deadline.saturating_duration_since(Instant::now()) / (count - i).max(1);
        match timeout_at(Instant::now() + share, connect(*address)).await {
            Ok(Ok(socket)) => {
                trail.pass(Passed::Connected(Some(*address)));
                return Ok(socket);
            }
            Ok(Err(e)) => error = e,
            Err(_) => error = io::ErrorKind::TimedOut.into(),
        }
    }
    if addresses.is_empty() {
        return Err(trouble::no_address(at, "the name service gave none"));
    }
    Err(trouble::connect(at, &error, within))
}

async fn connect(address: SocketAddr) -> io::Result<StdSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_keepalive(true)?;
    socket.set_nodelay(true)?;
    Ok(StdSocket::Tcp(socket.connect(address).await?.into_std()?))
}
