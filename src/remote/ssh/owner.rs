//! The one owner of a connection: nobody else touches its session and channels.
//!
//! A future that never waits inside libssh2: it moves what can be moved, then waits for the socket, its users or a timer
//! (powershell-over-ssh 2.3, 2.4). What keeps it from hanging, spinning or leaking:
//! - every call that would block is made again with the same arguments until it is through; what libssh2 keeps half sent is
//!   flushed by nothing else;
//! - one channel is opened at a time: that state belongs to the session;
//! - readiness of the socket is forgotten only after libssh2 has seen it empty;
//! - every call of libssh2 takes packets for all channels off the socket, and nothing tells whose: after the last call of a turn
//!   all channels are asked whether something of theirs has come meanwhile, and who cannot be asked is called soon (`looks`);
//! - buffers are bounded; a slow user is waited for by the machine, through the channel's window, while the socket is still
//!   read, so that other channels and the keepalive go on;
//! - the end is always the same: shut down the socket, then free in blocking mode (2.6).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ssh2::{Channel, DisconnectCode, ErrorCode, Session};
use tokio::io::Interest;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Sleep, sleep_until};

use super::channel::Slot;
use super::files::{Files, Want};
use super::flow::{BUFFER, Broken, Call, Scratch, call, is_outbound_blocked};
use super::looks::Looks;
use super::pulse::Pulse;
use super::socket::{Socket, StdSocket};
use crate::remote::kept::Times;
use crate::remote::powershell::process::{Process, StartError};

/// Channels of one connection: servers allow ten (powershell-over-ssh 4).
pub const MAX_CHANNELS: usize = 8;
/// The last ones are for ending processes, and for files.
const RESERVED: usize = 2;
/// Orders that may wait inside the owner.
const MAX_WAITING: usize = 16;
/// What a machine may send on one channel before we have taken it: also bounds what libssh2 keeps of it.
const WINDOW: u32 = 256 << 10;
const PACKET: u32 = 32 << 10;
/// Rounds before other owners on this thread get their turn.
const ROUNDS: usize = 4;

thread_local! {
    static SCRATCH: RefCell<Box<Scratch>> = RefCell::new(Box::new([0; BUFFER]));
}

/// What users ask of a connection.
pub enum Order {
    Exec {
        command: String,
        /// Ends a process: may use the last channels.
        urgent: bool,
        reply: oneshot::Sender<Result<Process, StartError>>,
    },
    #[cfg(unix)]
    Tunnel {
        host: String,
        port: u16,
        reply: oneshot::Sender<Result<tokio::net::UnixStream, StartError>>,
    },
    Read(Want),
}

/// What is being opened.
enum Opening {
    Exec {
        command: String,
        reply: oneshot::Sender<Result<Process, StartError>>,
    },
    #[cfg(unix)]
    Tunnel {
        host: String,
        port: u16,
        reply: oneshot::Sender<Result<tokio::net::UnixStream, StartError>>,
    },
    Files,
}

/// The connection, for the thread of owners. Fields are dropped in order: channels and files before the session.
pub struct Owner {
    slots: Vec<Slot>,
    files: Files,
    session: Session,
    socket: Socket,
    /// A clone that ends the connection for all others.
    closer: StdSocket,
    times: Times,
    orders: mpsc::Receiver<Order>,
    lost: watch::Sender<Option<String>>,
    waiting: VecDeque<Order>,
    opening: Option<(Opening, Instant)>,
    pulse: Pulse,
    looks: Looks,
    /// The socket was seen to be empty in this turn.
    drained: bool,
    /// The last turn moved nothing and left news.
    news_left: bool,
    /// Which channel goes first.
    first: usize,
    timer: Pin<Box<Sleep>>,
}

impl Owner {
    /// Takes over a session that is logged in. Needs a runtime.
    ///
    /// # Errors
    /// The socket cannot be watched.
    pub fn new(
        session: Session,
        socket: StdSocket,
        times: Times,
        orders: mpsc::Receiver<Order>,
        lost: watch::Sender<Option<String>>,
    ) -> std::io::Result<Owner> {
        let closer = socket.try_clone()?;
        let socket = socket.into_tokio()?;
        session.set_blocking(false);
        let now = Instant::now();
        let pulse = Pulse::new(&session, times.keepalive, times.dead, now);
        Ok(Owner {
            slots: Vec::new(),
            files: Files::default(),
            session,
            socket,
            closer,
            timer: Box::pin(sleep_until(now)),
            times,
            orders,
            lost,
            waiting: VecDeque::new(),
            opening: None,
            pulse,
            looks: Looks::default(),
            drained: false,
            news_left: false,
            first: 0,
        })
    }

    fn take_orders(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        let mut moved = false;
        while self.waiting.len() + self.files.len() < MAX_WAITING {
            match self.orders.poll_recv(cx) {
                Poll::Ready(Some(Order::Read(want))) => self.files.want(want),
                Poll::Ready(Some(order)) => self.waiting.push_back(order),
                Poll::Ready(None) => return Err(Broken("it was closed".into())),
                Poll::Pending => break,
            }
            moved = true;
        }
        Ok(moved)
    }

    /// Starts opening the next channel that somebody waits for.
    fn next_opening(&mut self, now: Instant) -> bool {
        if self.opening.is_some() {
            return false;
        }
        let next = loop {
            let Some(order) = self.waiting.pop_front() else {
                if !self.files.needs_session() {
                    return false;
                }
                break Opening::Files;
            };
            match order {
                Order::Exec { reply, .. } if reply.is_closed() => continue,
                Order::Exec { urgent, reply, .. }
                    if self.slots.len() >= if urgent { MAX_CHANNELS } else { MAX_CHANNELS - RESERVED } =>
                {
                    let _ =
                        reply.send(Err(StartError::Refused("all channels of the connection are in use".into())));
                }
                Order::Exec { command, reply, .. } => break Opening::Exec { command, reply },
                #[cfg(unix)]
                Order::Tunnel { host, port, reply } => break Opening::Tunnel { host, port, reply },
                Order::Read(want) => self.files.want(want),
            }
        };
        self.opening = Some((next, now + self.times.channel));
        true
    }

    fn open(&mut self, now: Instant) -> Result<bool, Broken> {
        let Some((opening, until)) = &self.opening else { return Ok(false) };
        let late = now >= *until;
        let result = match opening {
            Opening::Exec { .. } => self.session.channel_open("session", WINDOW, PACKET, None).map(Some),
            #[cfg(unix)]
            Opening::Tunnel { host, port, .. } => self.session.channel_direct_tcpip(host, *port, None).map(Some),
            Opening::Files => match self.session.sftp() {
                Ok(sftp) => {
                    self.files.opened(Ok(sftp));
                    Ok(None)
                }
                Err(e) => Err(e),
            },
        };
        if matches!(&result, Err(e) if e.code() == ErrorCode::Session(-37)) {
            // Opening reads until the socket is empty.
            self.drained |= !is_outbound_blocked(&self.session);
            return match (late, opening) {
                (false, _) => Ok(false),
                // It has its channel and no answer on it: that state disturbs nobody as long as it is left alone.
                (true, Opening::Files) => {
                    self.opening = None;
                    self.files.opened(Err("it does not answer".into()));
                    Ok(true)
                }
                // An open channel cannot be taken back half way: the connection must go (2.3).
                (true, _) => Err(Broken("it did not open a channel in time".into())),
            };
        }
        let Some((opening, _)) = self.opening.take() else { return Ok(false) };
        self.opened(opening, result, now)?;
        Ok(true)
    }

    fn opened(
        &mut self,
        opening: Opening,
        result: Result<Option<Channel>, ssh2::Error>,
        now: Instant,
    ) -> Result<(), Broken> {
        let message = result.as_ref().err().map(|e| e.message().to_owned()).unwrap_or_default();
        let channel = match (&opening, result) {
            // Its errors may be its own; if the connection broke, that shows at once.
            (Opening::Files, Err(e)) => {
                self.files.opened(Err(e.message().to_owned()));
                return Ok(());
            }
            (_, result) => match call(result)? {
                Call::Done(channel) => channel,
                Call::Blocked | Call::ChannelGone => None,
            },
        };
        match (opening, channel) {
            (Opening::Exec { command, reply }, Some(channel)) => {
                self.slots.push(Slot::exec(channel, command, reply, now, self.times.exec));
            }
            (Opening::Exec { reply, .. }, None) => {
                let _ = reply.send(Err(StartError::Refused(format!("the server opens no channel: {message}"))));
            }
            #[cfg(unix)]
            (Opening::Tunnel { reply, .. }, Some(channel)) => match tokio::net::UnixStream::pair() {
                Ok((near, far)) => {
                    self.slots.push(Slot::tunnel(channel, near));
                    let _ = reply.send(Ok(far));
                }
                Err(e) => return Err(Broken(e.to_string())),
            },
            #[cfg(unix)]
            (Opening::Tunnel { reply, .. }, None) => {
                let _ = reply.send(Err(StartError::Refused(message)));
            }
            (Opening::Files, _) => {}
        }
        Ok(())
    }

    fn drain(&mut self, scratch: &mut Scratch) -> Result<bool, Broken> {
        for slot in &self.slots {
            if slot.drain(&self.session, scratch)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Moves everything once; true when anything moved.
    fn turn(&mut self, cx: &mut Context<'_>, now: Instant, scratch: &mut Scratch) -> Result<bool, Broken> {
        let mut moved = self.take_orders(cx)?;
        // Also tells whether the connection still stands.
        self.drained = self.drain(scratch)?;
        moved |= self.next_opening(now);
        moved |= self.open(now)?;
        let count = self.slots.len();
        for i in 0..count {
            moved |= self.slots[(self.first + i) % count].turn(&self.session, cx, now, scratch)?;
        }
        self.first = self.first.wrapping_add(1) % count.max(1);
        self.slots.retain(|s| !s.is_closed());
        if !self.drained {
            // Channels that are being closed look at the socket themselves.
            self.drained = self.slots.iter().any(Slot::saw_empty);
        }
        moved |= self.files.turn(&self.session, now, self.times.file)?;
        let sent = self.slots.iter().map(Slot::sent).fold(0, u64::wrapping_add);
        self.pulse.check(&self.session, sent, now)?;
        let news = self.slots.iter().any(Slot::has_news);
        // News that a turn could not take, such as while keys are exchanged, can wait for the next look.
        let stale = news && !moved && self.news_left;
        self.news_left = news && !moved;
        moved |= news && !stale;
        let answers =
            self.opening.is_some() || self.files.is_busy() || self.slots.iter().any(Slot::waits_for_answer);
        self.looks.plan(!moved && (stale || answers), now);
        Ok(moved)
    }

    /// When something must be looked at again, if nothing happens before.
    fn next_look(&self, now: Instant) -> Instant {
        let opening = self.opening.as_ref().map(|(_, until)| *until);
        let others = [opening, self.files.deadline(), self.looks.next()];
        let slots = self.slots.iter().filter_map(Slot::deadline);
        others.into_iter().flatten().chain(slots).fold(self.pulse.next(now), Instant::min)
    }

    /// Asks to be woken; true when something is ready already.
    fn arm(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, Broken> {
        let mut ready = false;
        if self.drained {
            self.socket.clear_ready(Interest::READABLE);
            ready |= self.is_readable(cx, now)?;
        }
        if self.pulse.is_stuck() {
            self.socket.clear_ready(Interest::WRITABLE);
            ready |= self.socket.poll_write_ready(cx).is_ready();
        }
        let look = self.next_look(now);
        if self.timer.deadline() != look {
            self.timer.as_mut().reset(look);
        }
        ready |= self.timer.as_mut().poll(cx).is_ready();
        Ok(ready)
    }

    fn is_readable(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, Broken> {
        match self.socket.poll_read_ready(cx) {
            Poll::Ready(Ok(())) => {
                self.pulse.hear(now);
                Ok(true)
            }
            Poll::Ready(Err(e)) => Err(Broken(e.to_string())),
            Poll::Pending => Ok(false),
        }
    }

    fn rounds(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Result<Poll<()>, Broken> {
        for _ in 0..ROUNDS {
            let now = Instant::now();
            self.is_readable(cx, now)?;
            if !self.turn(cx, now, scratch)? && !self.arm(cx, now)? {
                return Ok(Poll::Pending);
            }
        }
        cx.waker().wake_by_ref();
        Ok(Poll::Pending)
    }

    /// Tells everybody why, and frees everything without waiting for the other side.
    fn end(&mut self, why: &str) {
        tracing::debug!(why, "SSH connection ended");
        for slot in &mut self.slots {
            slot.lose(why);
        }
        self.lost.send_replace(Some(why.to_owned()));
        if !is_outbound_blocked(&self.session) {
            // Politeness, if it fits: the server logs an end and not a reset.
            let _ = self.session.disconnect(Some(DisconnectCode::ByApplication), "done", None);
        }
        self.closer.shutdown();
        self.session.set_keepalive(false, 0);
        // With half a packet outside, libssh2 cannot free channels: it would turn in circles in blocking mode, and leaks some
        // 84 KiB otherwise. Everything else is freed at once.
        if !is_outbound_blocked(&self.session) {
            self.session.set_timeout(200);
            self.session.set_blocking(true);
        }
    }
}

impl Future for Owner {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let owner = self.get_mut();
        match SCRATCH.with_borrow_mut(|scratch| owner.rounds(cx, scratch)) {
            Ok(poll) => poll,
            Err(Broken(why)) => {
                owner.end(&why);
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.lost.borrow().is_none() {
            self.end("it was closed");
        }
    }
}
