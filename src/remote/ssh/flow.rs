//! Bytes between a channel and whoever uses it, in both directions, never more than a buffer of them.

use std::io::{self, Read as _, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ssh2::{BlockDirections, Channel, ErrorCode, Session};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Size of all reads from a channel. libssh2 keeps half done window adjustments between calls and books what the *next* call asks
/// for: reads of different sizes make it lose data.
pub const BUFFER: usize = 32 << 10;
/// Most bytes of one direction in one turn, so that no channel starves the others.
const TURN: usize = 32 << 10;
/// How often a small packet that the socket took only in part is tried again, a millisecond apart.
const STUCK: u32 = 50;

/// The connection is of no use any more, and why.
#[derive(Debug)]
pub struct Broken(pub String);

/// What a call on a channel came to.
pub enum Call<T> {
    Done(T),
    Blocked,
    /// The channel is of no use any more; the connection is.
    ChannelGone,
}

/// Sorts the result of a call that reads or writes.
pub fn io_call<T>(session: &Session, result: io::Result<T>) -> Result<Call<T>, Broken> {
    match result {
        Ok(value) => Ok(Call::Done(value)),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Call::Blocked),
        Err(e) => match ssh2::Error::last_session_error(session) {
            Some(e) => sort(e),
            None => Err(Broken(e.to_string())),
        },
    }
}

/// Sorts the result of any other call.
pub fn call<T>(result: Result<T, ssh2::Error>) -> Result<Call<T>, Broken> {
    match result {
        Ok(value) => Ok(Call::Done(value)),
        Err(e) => sort(e),
    }
}

fn sort<T>(e: ssh2::Error) -> Result<Call<T>, Broken> {
    match e.code() {
        ErrorCode::Session(-37) => Ok(Call::Blocked),
        ErrorCode::Session(-32 | -27..=-20) => Ok(Call::ChannelGone),
        _ => Err(Broken(why(&e))),
    }
}

/// An error in words for people.
pub fn why(e: &ssh2::Error) -> String {
    match e.code() {
        ErrorCode::Session(-43 | -7) => "the other side closed it, or the network did".into(),
        ErrorCode::Session(-13) => "the other side ended it".into(),
        ErrorCode::Session(-4 | -12 | -41) => "what arrived was damaged on the way".into(),
        ErrorCode::Session(code) => format!("{} (libssh2 {code})", e.message()),
        ErrorCode::SFTP(code) => format!("{} (SFTP {code})", e.message()),
    }
}

/// Whether a packet is stuck half way into the socket.
pub fn is_outbound_blocked(session: &Session) -> bool {
    matches!(session.block_directions(), BlockDirections::Outbound | BlockDirections::Both)
}

/// Sends the end of input. The packet lies on libssh2's stack: if the socket takes only a part, the same call must be made
/// again from the same place, before anything else is sent. True when it is done.
pub fn send_eof(session: &Session, channel: &mut Channel) -> Result<bool, Broken> {
    if is_outbound_blocked(session) {
        return Ok(false);
    }
    for _ in 0..STUCK {
        match call(channel.send_eof())? {
            Call::Done(()) | Call::ChannelGone => return Ok(true),
            Call::Blocked if !is_outbound_blocked(session) => return Ok(false),
            Call::Blocked => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    Err(Broken("the network takes no more data".into()))
}

/// Where every read puts its bytes first: one for all connections of a thread. What cannot go on at once is kept by whose it is.
pub type Scratch = [u8; BUFFER];

/// From the user into the channel.
pub struct Input {
    from: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Bytes that are not all sent yet, in a place that stays: libssh2 refuses to go on with half a packet from another.
    unsent: Vec<u8>,
    start: usize,
    told: bool,
    /// The machine takes no more until it says so.
    window_full: bool,
    /// Bytes so far.
    sent: u64,
}

impl Input {
    pub fn new(from: Box<dyn AsyncRead + Send + Unpin>) -> Input {
        Input { from: Some(from), unsent: Vec::new(), start: 0, told: false, window_full: false, sent: 0 }
    }

    /// Nothing more is read from the user; what a packet holds already still goes out.
    pub fn end(&mut self) {
        self.from = None;
    }

    /// Sends the end of input and gives up what is still unsent; true when that is done. Half a packet goes out first: nothing
    /// else can be sent before it.
    pub fn finish(
        &mut self,
        session: &Session,
        channel: &mut Channel,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Result<bool, Broken> {
        self.from = None;
        self.turn(session, channel, cx, scratch)?;
        if !self.told && !is_outbound_blocked(session) {
            self.forget();
            self.told = send_eof(session, channel)?;
        }
        Ok(self.told)
    }

    fn forget(&mut self) {
        (self.unsent, self.start) = (Vec::new(), 0);
    }

    /// Bytes that have gone out so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Something can be written now that could not be before.
    pub fn has_news(&self, channel: &Channel) -> bool {
        self.window_full && !self.unsent.is_empty() && channel.write_window().remaining > 0
    }

    /// True when anything moved.
    pub fn turn(
        &mut self,
        session: &Session,
        channel: &mut Channel,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Result<bool, Broken> {
        self.window_full = false;
        let mut moved = 0;
        while !self.told && moved < TURN {
            if !self.unsent.is_empty() {
                // Called again with the same bytes until it takes them: a packet may be half way out.
                match io_call(session, channel.write(&self.unsent[self.start..]))? {
                    Call::Done(0) | Call::Blocked => {
                        self.window_full = channel.write_window().remaining == 0;
                        break;
                    }
                    Call::Done(n) => {
                        self.start += n;
                        self.sent += n as u64;
                        moved += n;
                        if self.start == self.unsent.len() {
                            self.forget();
                        }
                    }
                    Call::ChannelGone => {
                        (self.from, self.told) = (None, true);
                        self.forget();
                    }
                }
                continue;
            }
            let Some(from) = &mut self.from else {
                self.told = send_eof(session, channel)?;
                return Ok(moved > 0 || self.told);
            };
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(from).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => self.unsent = buffer.filled().to_vec(),
                Poll::Ready(_) => self.from = None,
                Poll::Pending => break,
            }
        }
        Ok(moved > 0)
    }
}

/// From one stream of the channel to the user.
pub struct Output {
    stream: i32,
    /// `None`: nobody listens, what comes is thrown away.
    to: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// What the user could not take yet.
    held: Vec<u8>,
    ended: bool,
}

impl Output {
    pub fn new(stream: i32, to: Box<dyn AsyncWrite + Send + Unpin>) -> Output {
        Output { stream, to: Some(to), held: Vec::new(), ended: false }
    }

    /// All of it has been handed over.
    pub fn is_done(&self) -> bool {
        self.ended && self.held.is_empty() && self.to.is_none()
    }

    pub fn discard(&mut self) {
        self.to = None;
    }

    /// What came last waits for the user.
    pub fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// True when anything moved.
    pub fn turn(
        &mut self,
        session: &Session,
        channel: &mut Channel,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Result<bool, Broken> {
        let mut moved = 0;
        while moved < TURN {
            if self.is_held() {
                let held = std::mem::take(&mut self.held);
                if !self.pass(cx, &held) {
                    break;
                }
                continue;
            }
            if self.ended {
                let Some(to) = &mut self.to else { break };
                if Pin::new(to).poll_shutdown(cx).is_pending() {
                    break;
                }
                self.to = None;
                return Ok(true);
            }
            match io_call(session, channel.stream(self.stream).read(scratch))? {
                // Nothing, while bytes of the other stream hide whether it is the end.
                Call::Done(0) if !channel.eof() => break,
                Call::Done(0) | Call::ChannelGone => {
                    self.ended = true;
                    moved += 1;
                }
                Call::Done(n) => {
                    moved += n;
                    if !self.pass(cx, &scratch[..n]) {
                        break;
                    }
                }
                Call::Blocked => break,
            }
        }
        Ok(moved > 0)
    }

    /// Hands bytes to the user and holds the rest; false when the user is slow: the channel's window makes the machine wait.
    fn pass(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty()
            && let Some(to) = &mut self.to
        {
            match Pin::new(to).poll_write(cx, rest) {
                Poll::Ready(Ok(n)) if n > 0 => rest = &rest[n..],
                Poll::Ready(_) => self.to = None,
                Poll::Pending => {
                    self.held = rest.to_vec();
                    return false;
                }
            }
        }
        true
    }
}
