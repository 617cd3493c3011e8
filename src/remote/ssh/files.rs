//! Pieces of files by SFTP: opened, read and closed each time, so that no handle stands in a writer's way
//! (powershell-over-ssh 3.5).

use std::collections::VecDeque;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use ssh2::{Error, ErrorCode, File, OpenFlags, OpenType, Session, Sftp};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::flow::{Broken, why};
use crate::core::event::{Failure, FailureKind};
use crate::remote::Chunk;
use crate::remote::kept::piece::{self, MAX_PIECE, sftp_path};

/// SFTP sessions that a connection may lose; then it offers no files any more.
const MAX_LOST: usize = 3;
const EAGAIN: ErrorCode = ErrorCode::Session(-37);

/// A piece of a file to be read.
pub struct Want {
    /// As the machine's own programs write it: `C:\x`.
    pub path: String,
    pub offset: u64,
    pub max: usize,
    pub reply: oneshot::Sender<Result<Chunk, Failure>>,
}

impl Want {
    fn fail(self, kind: FailureKind, id: Option<&str>, why: &str) {
        let _ = self.reply.send(Err(piece::failure(&self.path, kind, id, why)));
    }
}

struct Job {
    want: Want,
    until: Instant,
    file: Option<File>,
    size: Option<u64>,
    bytes: Vec<u8>,
    filled: usize,
    /// Everything is read, or nothing more can be: the handle must be closed.
    result: Option<Result<(), Error>>,
}

/// The SFTP session of a connection: one piece at a time, in order.
#[derive(Default)]
pub struct Files {
    job: Option<Job>,
    sftp: Option<Sftp>,
    waiting: VecDeque<Want>,
    /// The machine offers none, and why.
    refused: Option<String>,
    /// Dropping these blocks as long as the connection lives: they wait for its end. Handles before sessions.
    lost: Vec<(Option<File>, Sftp)>,
}

impl Files {
    pub fn want(&mut self, want: Want) {
        self.waiting.push_back(want);
    }

    /// Pieces that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A piece is being read.
    pub fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// A session has to be opened before anything can be read.
    pub fn needs_session(&self) -> bool {
        !self.waiting.is_empty() && self.sftp.is_none() && self.refused.is_none()
    }

    /// What came of opening one.
    pub fn opened(&mut self, sftp: Result<Sftp, String>) {
        match sftp {
            Ok(sftp) => self.sftp = Some(sftp),
            Err(why) => self.refused = Some(why),
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.job.as_ref().map(|j| j.until)
    }

    /// Moves what can be moved; true when anything did. Errors of a call may be the file's or the SFTP server's; whether the
    /// connection broke shows elsewhere at once.
    pub fn turn(&mut self, session: &Session, now: Instant, within: Duration) -> Result<bool, Broken> {
        let mut moved = false;
        if let Some(why) = &self.refused {
            for want in self.waiting.drain(..) {
                let _ = want.reply.send(Err(piece::none(&want.path, why)));
                moved = true;
            }
        }
        let Some(sftp) = &self.sftp else { return Ok(moved) };
        if self.job.is_none() {
            let Some(want) = self.waiting.pop_front() else { return Ok(moved) };
            let bytes = vec![0; want.max.min(MAX_PIECE)];
            let until = now + within;
            self.job = Some(Job { want, until, file: None, size: None, bytes, filled: 0, result: None });
        }
        let Some(job) = &mut self.job else { return Ok(moved) };
        loop {
            match job.step(sftp, session) {
                Ok(false) => moved = true,
                Ok(true) => break,
                Err(e) if e.code() == EAGAIN && now < job.until => return Ok(moved),
                // What was asked cannot be taken back: the connection must go (2.3).
                Err(e) if e.code() == EAGAIN => return Err(Broken("its SFTP server does not answer".into())),
                Err(e) => {
                    self.lose(&e);
                    return Ok(true);
                }
            }
        }
        if let Some(job) = self.job.take() {
            job.answer();
        }
        Ok(true)
    }

    /// The SFTP server ended; a new session is opened for the next piece.
    fn lose(&mut self, e: &Error) {
        let Some(job) = self.job.take() else { return };
        job.want.fail(FailureKind::Indeterminate, None, &format!("the SFTP session ended: {}", why(e)));
        if let Some(sftp) = self.sftp.take() {
            self.lost.push((job.file, sftp));
        }
        if self.lost.len() >= MAX_LOST {
            self.refused = Some("its SFTP server ended too often".into());
        }
    }
}

impl Job {
    /// One call; true when all is done. An error is the session's, also `EAGAIN`.
    fn step(&mut self, sftp: &Sftp, session: &Session) -> Result<bool, Error> {
        let Some(file) = &mut self.file else {
            if self.result.is_some() {
                return Ok(true);
            }
            let path = sftp_path(&self.want.path);
            match sftp.open_mode(path, OpenFlags::READ, 0, OpenType::File) {
                Ok(file) => self.file = Some(file),
                Err(e) => self.result = Some(Err(own(e)?)),
            }
            return Ok(false);
        };
        if self.result.is_some() {
            // Dropped unclosed it would block the thread of all owners.
            match file.close() {
                Err(e) if e.code() == EAGAIN => return Err(e),
                _ => self.file = None,
            }
            return Ok(false);
        }
        if self.size.is_none() {
            match file.stat() {
                Ok(stat) => {
                    self.size = Some(stat.size.unwrap_or(0));
                    let _ = file.seek(SeekFrom::Start(self.want.offset));
                }
                Err(e) => self.result = Some(Err(own(e)?)),
            }
            return Ok(false);
        }
        if self.filled == self.bytes.len() {
            self.result = Some(Ok(()));
            return Ok(false);
        }
        match file.read(&mut self.bytes[self.filled..]) {
            Ok(0) => self.result = Some(Ok(())),
            Ok(n) => self.filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return Err(Error::from_errno(EAGAIN)),
            Err(_) => {
                let e = Error::last_session_error(session).unwrap_or_else(Error::unknown);
                self.result = Some(Err(own(e)?));
            }
        }
        Ok(false)
    }

    fn answer(mut self) {
        match self.result.take() {
            Some(Err(e)) => {
                let status = match e.code() {
                    ErrorCode::SFTP(status) => u32::try_from(status).unwrap_or_default(),
                    ErrorCode::Session(_) => 0,
                };
                let failure = piece::refused(&self.want.path, status, &why(&e));
                let _ = self.want.reply.send(Err(failure));
            }
            _ => {
                self.bytes.truncate(self.filled);
                let end = self.want.offset + self.filled as u64;
                // It may have grown since it was asked for its size.
                let size = self.size.unwrap_or(0).max(if self.filled > 0 { end } else { 0 });
                let _ = self.want.reply.send(Ok(Chunk { bytes: self.bytes, size }));
            }
        }
    }
}

/// An error of the file itself is kept; one of the session goes up.
fn own(e: Error) -> Result<Error, Error> {
    match e.code() {
        ErrorCode::SFTP(_) => Ok(e),
        // A read says only "SFTP protocol error" where the server refused it.
        ErrorCode::Session(-31) => Ok(e),
        ErrorCode::Session(_) => Err(e),
    }
}
