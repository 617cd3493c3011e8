//! One long-lived PowerShell process: a request goes in, its answer comes out, one at a time.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::bootstrap;
use super::clixml::{Decoder, Record};
use super::frames::{Frame, Frames, Hello, Item, Nonce};
use super::message::{self, MAX_REQUEST};
use super::process::{Ending, Launch, Limits, StartError};
use super::words::{SEEN, death, failure, left, level, note, skew, spoken, verdict};
use crate::core::event::{Failure, FailureKind};
use crate::remote::sanitise::{self, clean, clean_short};
use crate::remote::{Level, Reply, Request, Said};

/// Version of the protocol that we speak.
const PROTOCOL: u32 = 1;
const CHUNK: usize = 32 << 10;
/// Text before a hello that is no banner any more.
const MAX_BANNER: usize = 1 << 20;
/// After stdout has ended, how long the last words on stderr may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why no worker came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFailure {
    /// The machine refuses to start programs.
    Refused(String),
    /// PowerShell ended, or said nothing in time. With what was seen on stderr, cleaned.
    Silent { ended: Option<i32>, after: Duration, seen: String },
    /// Something else than the protocol came, cleaned.
    Garbage(String),
    /// The connection broke meanwhile.
    Lost(String),
}

/// What a worker said of itself when it came up.
#[derive(Clone, Debug, PartialEq)]
pub struct Greeting {
    pub hello: Hello,
    /// The machine's clock minus ours.
    pub skew_ms: i64,
    /// From the start of the process to its hello.
    pub took: Duration,
}

/// How a request ended, and with it perhaps the worker.
#[derive(Debug)]
pub enum Outcome {
    /// Answered; the worker takes the next one.
    Done(Reply),
    /// Answered, and the script ended the worker: close its input, read its exit code.
    Exited(Reply),
    /// It did not end in time: the worker must be ended.
    Overdue(Vec<serde_json::Value>),
    /// Nobody waits for it any more: the worker must be ended.
    Dropped,
    /// It answers more than can be held: the worker must be ended.
    TooMuch,
    /// The worker ended under it.
    Died(Failure),
}

enum Event {
    Item(Item),
    Record(Record),
    /// More than `most` has come.
    Flood,
    Ended,
}

pub struct Worker {
    stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    stdout: Box<dyn AsyncRead + Send + Unpin>,
    stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// How it ended, or who will tell.
    ending: Result<Ending, oneshot::Receiver<Ending>>,
    /// What was read last: memory that is used only as far as something came.
    chunk: Vec<u8>,
    error_chunk: Vec<u8>,
    frames: Frames,
    items: VecDeque<Item>,
    errors: Decoder,
    records: VecDeque<Record>,
    outgoing: Vec<u8>,
    sent: usize,
    /// Bytes on stdout that may still come: bounded only until the hello.
    most: usize,
    ended: bool,
    pid: u32,
    serial: u64,
    born: Instant,
    /// It answered a request twice: not to be trusted with another.
    suspect: bool,
}

impl Worker {
    /// Starts PowerShell and waits for its hello.
    ///
    /// # Errors
    /// Each way it can fail is an outcome of its own (powershell-over-ssh 14b.6).
    pub async fn start(launch: &dyn Launch, limits: &Limits) -> Result<(Worker, Greeting), StartFailure> {
        let born = Instant::now();
        let deadline = born + limits.hello;
        let process = match timeout(limits.hello, launch.start(bootstrap::command_line())).await {
            Ok(Ok(process)) => process,
            Ok(Err(StartError::Refused(why))) => return Err(StartFailure::Refused(why)),
            Ok(Err(StartError::Lost(why))) => return Err(StartFailure::Lost(why)),
            Err(_) => {
                let seen = String::new();
                return Err(StartFailure::Silent { ended: None, after: limits.hello, seen });
            }
        };
        let mut worker = Worker {
            stdin: Some(process.stdin),
            stdout: process.stdout,
            stderr: Some(process.stderr),
            ending: Err(process.ending),
            chunk: Vec::with_capacity(CHUNK),
            error_chunk: Vec::with_capacity(CHUNK / 8),
            frames: Frames::new(),
            items: VecDeque::new(),
            errors: Decoder::new(),
            records: VecDeque::new(),
            outgoing: Vec::new(),
            sent: 0,
            most: MAX_BANNER,
            ended: false,
            pid: 0,
            serial: 0,
            born,
            suspect: false,
        };
        let hello = worker.ping(deadline, limits).await?;
        let took = born.elapsed();
        worker.pid = hello.pid;
        worker.most = usize::MAX;
        // The first answer waited for PowerShell to start: only a second one tells the time.
        let before = Timestamp::now();
        let hello = worker.ping(deadline, limits).await?;
        let skew_ms = skew(&hello.utc, before, Timestamp::now()).unwrap_or(0);
        Ok((worker, Greeting { hello, skew_ms, took }))
    }

    /// The time from a question to its answer.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn round_trip(&mut self, limits: &Limits) -> Result<Duration, StartFailure> {
        let began = Instant::now();
        self.ping(began + limits.hello, limits).await?;
        Ok(began.elapsed())
    }

    async fn ping(&mut self, deadline: Instant, limits: &Limits) -> Result<Hello, StartFailure> {
        let nonce = Nonce::fresh().map_err(|e| StartFailure::Refused(format!("no random numbers here: {e}")))?;
        self.send(|id| message::ping(id, nonce), nonce);
        let mut hello = None;
        let (mut text, mut errors) = (String::new(), String::new());
        loop {
            let event = match tokio::time::timeout_at(deadline, self.next()).await {
                Ok(event) => event,
                Err(_) => break,
            };
            match event {
                Event::Item(Item::Frame(Frame::Hello(h), _)) => hello = Some(h),
                Event::Item(Item::Frame(Frame::End(_), _)) => break,
                Event::Item(Item::Frame(..) | Item::Late) => {}
                Event::Item(Item::Text(line)) => note(&mut text, &sanitise::lines(&line).join(" ")),
                Event::Record(record) => note(&mut errors, &clean(&record.text)),
                Event::Flood | Event::Ended => break,
            }
        }
        if let Some(hello) = hello {
            if hello.v == PROTOCOL && hello.pid != 0 {
                return Ok(hello);
            }
            return Err(StartFailure::Garbage(format!("a hello of protocol version {}", hello.v)));
        }
        // Such as a prompt.
        self.frames.finish(&mut self.items);
        for item in self.items.drain(..) {
            if let Item::Text(line) = item {
                note(&mut text, &sanitise::lines(&line).join(" "));
            }
        }
        let ending = if self.ended { self.last_words(&mut errors).await } else { Ending::default() };
        if let Some(why) = ending.lost {
            return Err(StartFailure::Lost(why));
        }
        if !text.is_empty() {
            note(&mut text, &errors);
            return Err(StartFailure::Garbage(text));
        }
        let ended = self.ended.then(|| ending.code.unwrap_or(0));
        Err(StartFailure::Silent { ended, after: limits.hello.min(self.born.elapsed()), seen: errors })
    }

    /// Process id on the machine.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Has served long enough, or is not to be trusted any more.
    pub fn is_due(&self, limits: &Limits) -> bool {
        self.suspect || self.serial > u64::from(limits.max_requests) || self.born.elapsed() > limits.max_age
    }

    /// Waits while there is nothing to do; returns when the worker has ended or cannot be trusted any more.
    pub async fn idle(&mut self) {
        while !self.suspect {
            match self.next().await {
                Event::Flood | Event::Ended => return,
                Event::Item(Item::Frame(..) | Item::Late) => self.suspect = true,
                Event::Item(Item::Text(line)) => {
                    tracing::debug!(pid = self.pid, "between requests: {}", sanitise::lines(&line).join(" "));
                }
                Event::Record(record) => {
                    tracing::debug!(pid = self.pid, "between requests: {}", clean_short(&record.text, SEEN));
                }
            }
        }
    }

    /// Runs one script; `cancel` gives it up.
    pub async fn run(
        &mut self,
        request: &Request,
        said: &mpsc::Sender<Said>,
        limits: &Limits,
        cancel: impl Future<Output = ()>,
    ) -> Outcome {
        let started = Instant::now();
        let reply = |results, end| Reply { results, end, took: started.elapsed() };
        let not_sent = |why: String| Outcome::Done(reply(Vec::new(), Err(failure(FailureKind::NotSent, why))));
        let nonce = match Nonce::fresh() {
            Ok(nonce) => nonce,
            Err(e) => return not_sent(format!("no random numbers here: {e}")),
        };
        let line = |id| message::request(id, nonce, &request.script, &request.args, limits.max_objects);
        if request.script.trim().is_empty() {
            return not_sent("the script is empty".into());
        }
        if !request.script.is_ascii() || line(0).len() > MAX_REQUEST {
            return not_sent(format!(
                "the script and its arguments are not ASCII or larger than {MAX_REQUEST} bytes"
            ));
        }
        self.send(line, nonce);
        let mut cancel = pin!(cancel);
        let mut overdue = pin!(sleep_until(started + request.timeout));
        let (mut results, mut records, mut size) = (Vec::new(), 0u64, 0usize);
        let mut errors = String::new();
        loop {
            let event = tokio::select! {
                biased;
                () = &mut cancel => return Outcome::Dropped,
                () = &mut overdue => return Outcome::Overdue(results),
                event = self.next() => event,
            };
            let lines: Vec<Said> = match event {
                Event::Item(Item::Frame(Frame::Result { v }, length)) => {
                    records += 1;
                    size += length;
                    if size > limits.max_reply || results.len() > limits.max_objects as usize {
                        return Outcome::TooMuch;
                    }
                    results.push(v);
                    continue;
                }
                Event::Item(Item::Frame(Frame::End(end), _)) => {
                    if end.gone {
                        return Outcome::Exited(reply(results, Err(left(&end))));
                    }
                    return Outcome::Done(reply(results, verdict(end, records)));
                }
                Event::Item(Item::Frame(Frame::Hello(_), _)) => continue,
                Event::Item(Item::Frame(Frame::Log { l, m }, _)) => {
                    records += 1;
                    let level = level(&l);
                    let text = m.unwrap_or_default();
                    sanitise::lines(text.as_bytes()).into_iter().map(|text| Said { level, text }).collect()
                }
                Event::Item(Item::Text(line)) => {
                    sanitise::lines(&line).into_iter().map(|text| Said { level: Level::Info, text }).collect()
                }
                Event::Item(Item::Late) => {
                    self.suspect = true;
                    let text = "the worker answered an earlier request twice; it will be replaced".to_owned();
                    vec![Said { level: Level::Warning, text }]
                }
                Event::Record(record) => {
                    note(&mut errors, &clean(&record.text));
                    spoken(&record)
                }
                Event::Flood | Event::Ended => {
                    let sent = self.sent > 0;
                    let ending = self.last_words(&mut errors).await;
                    return Outcome::Died(death(ending, sent, &errors));
                }
            };
            for line in lines {
                // A full channel is the script's to wait for; a closed one means that nobody listens.
                tokio::select! {
                    biased;
                    _ = said.send(line) => {}
                    () = &mut cancel => return Outcome::Dropped,
                    () = &mut overdue => return Outcome::Overdue(results),
                }
            }
        }
    }

    /// Closes the input: a worker that is not stuck in a script ends.
    pub async fn close(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            let _ = timeout(LAST_WORDS, stdin.shutdown()).await;
        }
        (self.outgoing, self.sent) = (Vec::new(), 0);
    }

    /// Waits at most `patience` for the end, throwing away what still comes. `None`: it lives, or nobody knows.
    pub async fn end(&mut self, patience: Duration) -> Option<Ending> {
        let all = async {
            while !matches!(self.next().await, Event::Ended) {}
            self.last_words(&mut String::new()).await
        };
        timeout(patience, all).await.ok()
    }

    fn send(&mut self, line: impl FnOnce(u64) -> Vec<u8>, nonce: Nonce) {
        self.outgoing = line(self.serial);
        self.sent = 0;
        self.serial += 1;
        self.frames.expect(nonce);
    }

    /// The next thing that comes, writing meanwhile what is to be written. May be dropped and called again.
    async fn next(&mut self) -> Event {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Event::Item(item);
            }
            if let Some(record) = self.records.pop_front() {
                return Event::Record(record);
            }
            if self.ended {
                return Event::Ended;
            }
            let unsent = &self.outgoing[self.sent..];
            self.chunk.clear();
            tokio::select! {
                biased;
                read = self.stdout.read_buf(&mut self.chunk) => match read {
                    Ok(n) if n > 0 => {
                        self.frames.push(&self.chunk, &mut self.items);
                        match self.most.checked_sub(n) {
                            Some(_) if self.most == usize::MAX => {}
                            Some(rest) => self.most = rest,
                            None => return Event::Flood,
                        }
                    }
                    _ => {
                        self.ended = true;
                        self.frames.finish(&mut self.items);
                    }
                },
                read = read_some(&mut self.stderr, &mut self.error_chunk), if self.stderr.is_some() => {
                    self.take_errors(read);
                }
                wrote = write_some(&mut self.stdin, unsent), if self.stdin.is_some() && !unsent.is_empty() => {
                    match wrote {
                        Ok(n) if n > 0 => self.sent += n,
                        // Its end will show on stdout.
                        _ => self.stdin = None,
                    }
                }
            }
        }
    }

    fn take_errors(&mut self, read: std::io::Result<usize>) {
        let mut records = Vec::new();
        match read {
            Ok(n) if n > 0 => self.errors.push(&self.error_chunk, &mut records),
            _ => {
                self.stderr = None;
                self.errors.finish(&mut records);
            }
        }
        self.records.extend(records);
    }

    /// After stdout has ended: the rest of stderr, and how the process ended.
    async fn last_words(&mut self, errors: &mut String) -> Ending {
        let until = Instant::now() + LAST_WORDS;
        while self.stderr.is_some() {
            match tokio::time::timeout_at(until, read_some(&mut self.stderr, &mut self.error_chunk)).await {
                Ok(read) => self.take_errors(read),
                Err(_) => break,
            }
        }
        for record in self.records.drain(..) {
            note(errors, &clean(&record.text));
        }
        let ending = match &mut self.ending {
            Ok(known) => return known.clone(),
            Err(told) => match tokio::time::timeout_at(until, told).await {
                Ok(Ok(ending)) => ending,
                _ => Ending::default(),
            },
        };
        self.ending = Ok(ending.clone());
        ending
    }
}

async fn read_some(
    from: &mut Option<Box<dyn AsyncRead + Send + Unpin>>,
    into: &mut Vec<u8>,
) -> std::io::Result<usize> {
    into.clear();
    match from {
        Some(from) => from.read_buf(into).await,
        None => Ok(0),
    }
}

async fn write_some(to: &mut Option<Box<dyn AsyncWrite + Send + Unpin>>, bytes: &[u8]) -> std::io::Result<usize> {
    match to {
        Some(to) => to.write(bytes).await,
        None => Ok(0),
    }
}
