//! One channel: a program on the machine, or a tunnel through it.

use std::io::Read as _;
use std::task::Context;
use std::time::Duration;

use ssh2::{Channel, ErrorCode, Session};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::flow::{Broken, Call, Input, Output, Scratch, call, io_call};
use crate::remote::powershell::process::{Ending, Process, StartError};

/// Bytes between the owner and the user of one stream.
const PIPE: usize = 64 << 10;
const STDERR: i32 = 1;
/// A stream that no server writes to.
const NO_STREAM: i32 = 7_777;
/// After both streams have ended, how long the exit code may take.
const EXIT_CODE: Duration = Duration::from_millis(700);

enum Stage {
    /// The program has been asked for.
    Starting {
        command: String,
        reply: oneshot::Sender<Result<Process, StartError>>,
        until: Instant,
    },
    Running,
    /// Both streams have ended, or nobody listens any more.
    Closing {
        told: bool,
        until: Instant,
    },
    Closed,
}

/// A channel and what flows through it.
pub struct Slot {
    channel: Channel,
    stage: Stage,
    input: Input,
    output: Output,
    errors: Option<Output>,
    ending: Option<oneshot::Sender<Ending>>,
    /// What the user gets once the program runs.
    process: Option<Process>,
    /// The last try to close has seen the socket empty.
    saw_empty: bool,
}

impl Slot {
    /// A program to be started on a fresh channel.
    pub fn exec(
        channel: Channel,
        command: String,
        reply: oneshot::Sender<Result<Process, StartError>>,
        now: Instant,
        within: Duration,
    ) -> Slot {
        let (near, far) = tokio::io::duplex(PIPE);
        let (near_errors, far_errors) = tokio::io::duplex(PIPE / 4);
        let (from, to) = tokio::io::split(near);
        let (stdout, stdin) = tokio::io::split(far);
        let (tell, ending) = oneshot::channel();
        let process =
            Process { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: Box::new(far_errors), ending };
        Slot {
            channel,
            stage: Stage::Starting { command, reply, until: now + within },
            input: Input::new(Box::new(from)),
            output: Output::new(0, Box::new(to)),
            errors: Some(Output::new(STDERR, Box::new(near_errors))),
            ending: Some(tell),
            process: Some(process),
            saw_empty: false,
        }
    }

    /// A tunnel whose other end is `socket`.
    #[cfg(unix)]
    pub fn tunnel(channel: Channel, socket: tokio::net::UnixStream) -> Slot {
        let (from, to) = socket.into_split();
        Slot {
            channel,
            stage: Stage::Running,
            input: Input::new(Box::new(from)),
            output: Output::new(0, Box::new(to)),
            errors: None,
            ending: None,
            process: None,
            saw_empty: false,
        }
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// Bytes that have gone out so far.
    pub fn sent(&self) -> u64 {
        self.input.sent()
    }

    /// By when something must have happened here.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Starting { until, .. } | Stage::Closing { told: false, until } => Some(*until),
            _ => None,
        }
    }

    /// Takes what has arrived for any channel off the socket, and nothing from this one's streams. True when the socket was
    /// seen to be empty; a channel that has ended does not look.
    pub fn drain(&self, session: &Session, scratch: &mut Scratch) -> Result<bool, Broken> {
        if matches!(self.stage, Stage::Closing { .. } | Stage::Closed) {
            return Ok(false);
        }
        let read = self.channel.stream(NO_STREAM).read(scratch);
        Ok(matches!(io_call(session, read)?, Call::Blocked))
    }

    /// A call for something else has taken what this channel waits for off the socket: it must have another turn, because nothing
    /// will tell of it any more.
    pub fn has_news(&self) -> bool {
        if !matches!(self.stage, Stage::Running) {
            return false;
        }
        let outputs = [Some(&self.output), self.errors.as_ref()];
        let mut outputs = outputs.iter().flatten();
        let unread = outputs.clone().all(|o| !o.is_held())
            && (self.channel.read_window().available > 0 || self.channel.eof() && outputs.any(|o| !o.has_ended()));
        unread || self.input.has_news(&self.channel)
    }

    /// It waits for an answer that libssh2 does not tell of (`has_news` cannot know).
    pub fn waits_for_answer(&self) -> bool {
        !matches!(self.stage, Stage::Running)
    }

    /// It is being closed, and has looked at the socket itself.
    pub fn saw_empty(&self) -> bool {
        self.saw_empty
    }

    /// Moves what can be moved; true when anything did.
    pub fn turn(
        &mut self,
        session: &Session,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> Result<bool, Broken> {
        match &mut self.stage {
            Stage::Starting { .. } => self.start(now),
            Stage::Running => self.run(session, cx, now, scratch),
            Stage::Closing { .. } => self.close(session, cx, now, scratch),
            Stage::Closed => Ok(false),
        }
    }

    fn start(&mut self, now: Instant) -> Result<bool, Broken> {
        let Stage::Starting { command, until, .. } = &self.stage else { return Ok(false) };
        let result = match self.channel.exec(command) {
            Ok(()) => Ok(()),
            Err(e) if e.code() == ErrorCode::Session(-37) && now < *until => return Ok(false),
            // Unanswered requests cannot be taken back: the connection must go (2.3).
            Err(e) if e.code() == ErrorCode::Session(-37) => {
                return Err(Broken("the machine did not answer when a program was to be started".into()));
            }
            Err(e) => match call::<()>(Err(e))? {
                Call::ChannelGone => Err("the server refused to start it".to_owned()),
                Call::Done(()) | Call::Blocked => return Ok(false),
            },
        };
        let Stage::Starting { reply, .. } = std::mem::replace(&mut self.stage, Stage::Running) else {
            return Ok(false);
        };
        match (result, self.process.take()) {
            (Ok(()), Some(process)) => {
                // Nobody waits for it any more: its pipes are dropped, and the channel closes.
                let _ = reply.send(Ok(process));
            }
            (Err(why), _) => {
                let _ = reply.send(Err(StartError::Refused(why)));
                self.begin_close(now);
            }
            (Ok(()), None) => {}
        }
        Ok(true)
    }

    fn run(
        &mut self,
        session: &Session,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> Result<bool, Broken> {
        if let Some(ending) = &mut self.ending
            && ending.poll_closed(cx).is_ready()
        {
            self.begin_close(now);
            return Ok(true);
        }
        let mut moved = self.input.turn(session, &mut self.channel, cx, scratch)?;
        moved |= self.output.turn(session, &mut self.channel, cx, scratch)?;
        if let Some(errors) = &mut self.errors {
            moved |= errors.turn(session, &mut self.channel, cx, scratch)?;
        }
        if self.output.is_done() && self.errors.as_ref().is_none_or(Output::is_done) {
            self.begin_close(now);
            moved = true;
        }
        Ok(moved)
    }

    fn begin_close(&mut self, now: Instant) {
        self.input.end();
        self.output.discard();
        if let Some(errors) = &mut self.errors {
            errors.discard();
        }
        self.stage = Stage::Closing { told: false, until: now + EXIT_CODE };
    }

    /// Ends the channel from our side and waits for the other: libssh2 frees it without a word only then (2.2, 2.6).
    fn close(
        &mut self,
        session: &Session,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> Result<bool, Broken> {
        // libssh2 would send the end of input by itself, and from its stack (`send_eof`).
        if !self.input.finish(session, &mut self.channel, cx, scratch)? {
            return Ok(false);
        }
        let closed = match call(self.channel.close())? {
            Call::Done(()) | Call::ChannelGone => true,
            Call::Blocked => false,
        };
        self.saw_empty = !closed;
        let Stage::Closing { told, until } = &mut self.stage else { return Ok(false) };
        if !*told && (closed || now >= *until) {
            *told = true;
            let code = closed.then(|| self.channel.exit_status().ok()).flatten();
            if let Some(ending) = self.ending.take() {
                let _ = ending.send(Ending { code, lost: None });
            }
        }
        if closed {
            self.stage = Stage::Closed;
        }
        Ok(closed)
    }

    /// The connection is gone: whoever waits is told why.
    pub fn lose(&mut self, why: &str) {
        if let Some(ending) = self.ending.take() {
            let _ = ending.send(Ending { code: None, lost: Some(why.to_owned()) });
        }
        if let Stage::Starting { reply, .. } = std::mem::replace(&mut self.stage, Stage::Closed) {
            let _ = reply.send(Err(StartError::Lost(why.to_owned())));
        }
    }
}
