//! A machine as its callers see it; `keep` does what it takes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::answer::{Heard, heard};
use super::{READ, RemotingConfig, keep};
use crate::core::connection::Connection;
use crate::core::event::{Failure, FailureKind};
use crate::remote::powershell::words::failure;
use crate::remote::tap::Tap;
use crate::remote::{Boxed, Chunk, Host, Reply, Request, Said};

/// Most bytes of a file in one answer: they travel as numbers.
const PIECE: usize = 64 << 10;

/// A machine behind another one. The connection to that one is its own, and ends with it.
pub struct RemotingHost {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct Shared {
    pub config: RemotingConfig,
    /// The machine on the way, for this one alone.
    pub through: Arc<dyn Host>,
    pub connection: watch::Sender<Connection>,
    /// Somebody wants to know now whether it lives.
    pub look: Notify,
    /// Requests under way.
    pub busy: AtomicUsize,
    /// A session broke under one.
    pub suspect: AtomicBool,
}

impl RemotingHost {
    /// It connects when it is opened, inside a runtime. `through` is used by nobody else.
    pub fn new(config: RemotingConfig, through: Arc<dyn Host>) -> Self {
        let shared = Shared {
            config,
            through,
            connection: watch::Sender::new(Connection::Idle),
            look: Notify::new(),
            busy: AtomicUsize::new(0),
            suspect: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), keeper: Mutex::new(None) }
    }

    fn stop(&self) {
        if let Some(keeper) = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take() {
            keeper.abort();
        }
    }
}

impl Drop for RemotingHost {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Host for RemotingHost {
    fn open(&self) {
        // From now on requests wait for it.
        self.shared.connection.send_if_modified(|now| {
            let rests = *now == Connection::Idle || now.needs_person();
            if rests {
                *now = Connection::Connecting;
            }
            rests
        });
        self.shared.through.open();
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        match &*keeper {
            Some(task) if !task.is_finished() => self.shared.look.notify_one(),
            _ => *keeper = Some(tokio::spawn(keep::keep(self.shared.clone()))),
        }
    }

    fn connection(&self) -> watch::Receiver<Connection> {
        self.shared.connection.subscribe()
    }

    fn listen(&self, to: Arc<dyn Tap>) {
        // What is printed there comes through the machine on the way, which is there for this one alone.
        self.shared.through.listen(to);
    }

    fn run(&self, request: Request, said: mpsc::Sender<Said>) -> Boxed<Reply> {
        let shared = self.shared.clone();
        Box::pin(async move { shared.run(request, said).await })
    }

    fn read_file(&self, path: &str, offset: u64, max: usize) -> Boxed<Result<Chunk, Failure>> {
        let shared = self.shared.clone();
        let path = path.to_owned();
        Box::pin(async move {
            let mut whole = shared.piece(&path, offset, max).await?;
            // One answer holds less than what may be asked for.
            loop {
                let next = offset + whole.bytes.len() as u64;
                let room = max.saturating_sub(whole.bytes.len());
                if room == 0 || next >= whole.size {
                    return Ok(whole);
                }
                let more = shared.piece(&path, next, room).await?;
                if more.bytes.is_empty() || more.size < whole.size {
                    return Ok(whole);
                }
                whole.bytes.extend(more.bytes);
            }
        })
    }

    fn close(&self) -> Boxed<()> {
        self.stop();
        let shared = self.shared.clone();
        Box::pin(async move {
            shared.through.close().await;
            shared.tell(Connection::Idle);
        })
    }
}

/// Counts a request as long as it is under way.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Busy(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    async fn run(&self, request: Request, said: mpsc::Sender<Said>) -> Reply {
        let began = Instant::now();
        if let Err(why) = self.ready_within(request.timeout).await {
            return Reply {
                results: Vec::new(),
                end: Err(failure(FailureKind::NotSent, why)),
                took: began.elapsed(),
            };
        }
        let _busy = Busy::new(&self.busy);
        let heard = self.ask(&request, said).await;
        if heard.broken.is_some() {
            self.suspect.store(true, Ordering::Relaxed);
            self.look.notify_one();
        }
        heard.reply
    }

    /// A piece of a file, as much as one answer holds.
    async fn piece(&self, path: &str, offset: u64, max: usize) -> Result<Chunk, Failure> {
        let request = Request {
            name: READ.name.to_owned(),
            script: READ.text.into(),
            args: json!({ "path": path, "offset": offset, "max": max.min(PIECE) }),
            timeout: self.config.times.file,
            slow: false,
        };
        let (said, _) = mpsc::channel(1);
        chunk(&self.run(request, said).await.record()?)
    }

    /// Sends a request whatever the state of the connection.
    pub async fn ask(&self, request: &Request, said: mpsc::Sender<Said>) -> Heard {
        heard(&self.config, self.through.run(self.config.wrapped(request), said).await)
    }

    /// Waits only while the connection is being made.
    async fn ready_within(&self, patience: Duration) -> Result<(), String> {
        let mut connection = self.connection.subscribe();
        let wait = async {
            loop {
                match &*connection.borrow_and_update() {
                    Connection::Idle => return Err("the machine is not connected".to_owned()),
                    Connection::Trouble(t) => return Err(format!("the machine is not connected: {}", t.message)),
                    Connection::Ready(_) => return Ok(()),
                    Connection::Connecting => {}
                }
                if connection.changed().await.is_err() {
                    return Err("the machine is not connected any more".to_owned());
                }
            }
        };
        timeout(patience, wait).await.unwrap_or_else(|_| Err("the machine was not connected in time".to_owned()))
    }

    pub fn tell(&self, connection: Connection) {
        self.connection.send_if_modified(|now| {
            let differs = *now != connection;
            if differs {
                *now = connection;
            }
            differs
        });
    }
}

/// What `read.ps1` gives.
fn chunk(record: &Json) -> Result<Chunk, Failure> {
    let unreadable = || failure(FailureKind::Misshapen, "the piece of the file cannot be read".into());
    let size = record["size"].as_u64().ok_or_else(unreadable)?;
    let bytes = record["bytes"].as_str().ok_or_else(unreadable)?.split_ascii_whitespace();
    let bytes: Result<Vec<u8>, _> = bytes.map(str::parse).collect();
    Ok(Chunk { bytes: bytes.map_err(|_| unreadable())?, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_as_numbers() {
        let c = chunk(&json!({"size": 9, "bytes": "0 10 255"})).unwrap();
        assert_eq!((c.bytes, c.size), (vec![0, 10, 255], 9));
        assert_eq!(chunk(&json!({"size": 0, "bytes": ""})).unwrap().bytes, b"");
        assert_eq!(chunk(&json!({"size": 9, "bytes": "256"})).unwrap_err().kind, FailureKind::Misshapen);
        assert_eq!(chunk(&json!({"bytes": "1"})).unwrap_err().kind, FailureKind::Misshapen);
    }
}
