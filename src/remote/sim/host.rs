//! One imitated machine as a `Host`: its connection comes and goes with the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::Value as Json;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::exchange::{Call, close, open};
use super::facts::{Logon, Place};
use super::setup_log;
use super::site::Site;
use super::world::{Fields, World, later, seconds_between};
use crate::core::connection::{Connection, Hello, Trouble, TroubleKind};
use crate::core::event::{Failure, FailureKind};
use crate::core::log::Level;
use crate::remote::{Boxed, Chunk, Host, Reply, Request, Said};

/// Seconds at the site from the first knock to a ready shell.
const CONNECT: f64 = 2.0;

/// Seconds at the site after which a lost machine counts as unreachable.
const LOST: f64 = 5.0;

/// A machine of a site.
pub struct SimHost(Arc<Inner>);

struct Inner {
    site: Site,
    machine: String,
    link: watch::Sender<Connection>,
    opened: AtomicBool,
    closed: AtomicBool,
    ending: Notify,
}

impl SimHost {
    /// The machine of that name, whatever its case.
    pub fn new(site: &Site, name: &str) -> Option<Self> {
        let machine = site.look(|w| w.find(name))?;
        Some(Self(Arc::new(Inner {
            site: site.clone(),
            machine,
            link: watch::Sender::new(Connection::Idle),
            opened: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            ending: Notify::new(),
        })))
    }
}

impl Host for SimHost {
    fn open(&self) {
        if !self.0.opened.swap(true, Ordering::SeqCst) {
            self.0.link.send_replace(Connection::Connecting);
            tokio::spawn(self.0.clone().follow());
        }
    }

    fn connection(&self) -> watch::Receiver<Connection> {
        self.0.link.subscribe()
    }

    fn run(&self, request: Request, said: mpsc::Sender<Said>) -> Boxed<Reply> {
        let inner = self.0.clone();
        Box::pin(async move {
            let began = Instant::now();
            let end = inner.run(&request, &said).await;
            let (results, end) = match end {
                Ok(record) => (vec![record], Ok(())),
                Err(failure) => (Vec::new(), Err(failure)),
            };
            Reply { results, end, took: began.elapsed() }
        })
    }

    fn read_file(&self, path: &str, offset: u64, max: usize) -> Boxed<Result<Chunk, Failure>> {
        let inner = self.0.clone();
        let path = path.to_owned();
        Box::pin(async move {
            if !inner.link.borrow().is_ready() {
                return Err(inner.not_sent());
            }
            let text = inner.site.look(|w| file(w, &inner.machine, &path, inner.site.now()));
            let Some(bytes) = text else {
                let message = format!("there is no {path}");
                return Err(failure(FailureKind::Threw, Some("PathNotFound".into()), &message));
            };
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let to = from.saturating_add(max).min(bytes.len());
            Ok(Chunk { bytes: bytes[from..to].to_vec(), size: bytes.len() as u64 })
        })
    }

    fn close(&self) -> Boxed<()> {
        let inner = self.0.clone();
        Box::pin(async move {
            inner.closed.store(true, Ordering::SeqCst);
            inner.ending.notify_waiters();
            inner.link.send_replace(Connection::Idle);
        })
    }
}

impl Inner {
    /// Moves the connection with the machine until it is closed.
    async fn follow(self: Arc<Self>) {
        let mut since = self.site.now();
        let mut boot = None;
        while !self.closed.load(Ordering::SeqCst) {
            let now = self.site.now();
            let (up, started, next) = self.site.look(|w| {
                let boot = w.machine(&self.machine).get("boot").and_then(|b| b.get("id")).cloned();
                (w.is_reachable(&self.machine), boot, w.next_time())
            });
            let waited = seconds_between(since, now);
            let before = self.link.borrow().clone();
            let restarted = boot.is_some() && boot != started;
            let after = match &before {
                Connection::Ready(_) if !up || restarted => Some(self.lost()),
                Connection::Ready(_) => None,
                Connection::Trouble(_) if up => Some(Connection::Connecting),
                Connection::Trouble(t) if t.kind == TroubleKind::Lost && waited >= LOST => {
                    Some(self.unreachable())
                }
                Connection::Trouble(_) => None,
                _ if !up => (waited >= CONNECT).then(|| self.unreachable()),
                _ => (waited >= CONNECT).then(|| self.ready()),
            };
            if let Some(after) = after {
                if after.is_ready() {
                    boot = started;
                }
                since = now;
                self.link.send_replace(after);
                continue;
            }
            let step = match &before {
                Connection::Trouble(t) if t.kind == TroubleKind::Lost => Some(LOST),
                Connection::Trouble(_) | Connection::Ready(_) => None,
                _ => Some(CONNECT),
            };
            let due = [step.map(|s| later(since, s)), next].into_iter().flatten().min();
            self.rest(now, due).await;
        }
    }

    /// Waits for a time at the site, for a change of the world, or for the end.
    async fn rest(&self, now: Timestamp, due: Option<Timestamp>) {
        let wait = due.map(|d| self.site.real(seconds_between(now, d)).max(std::time::Duration::from_millis(1)));
        let timer = async {
            match wait {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = timer => {}
            () = self.site.changed() => {}
            () = self.ending.notified() => {}
        }
    }

    async fn run(&self, request: &Request, said: &mpsc::Sender<Said>) -> Result<Json, Failure> {
        if !self.link.borrow().is_ready() {
            return Err(self.not_sent());
        }
        let mut link = self.link.subscribe();
        let lost = async {
            // An error means that nobody moves the connection any more: then it is not lost.
            if link.wait_for(|c| !c.is_ready()).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = lost => Err(failure(FailureKind::Indeterminate, None, "the connection ended while the script ran")),
            done = timeout(request.timeout, self.perform(request, said)) => done.unwrap_or_else(|_| {
                let message = format!("no answer within {} s; the script was stopped", request.timeout.as_secs());
                Err(failure(FailureKind::TimedOut, None, &message))
            }),
        }
    }

    async fn perform(&self, request: &Request, said: &mpsc::Sender<Said>) -> Result<Json, Failure> {
        let answers = self.site.answers();
        let opening = self.site.quietly(|w, now| open(w, answers, &self.call(request, now)));
        for text in &opening.garbage {
            say(said, text).await;
        }
        if opening.delay > 0.0 {
            sleep(std::time::Duration::from_secs_f64(opening.delay.min(86_400.0))).await;
        }
        if opening.hang {
            std::future::pending::<()>().await;
        }
        if let Some(code) = opening.exit {
            let message = format!("the shell ended with code {code} while the script ran");
            return Err(failure(FailureKind::Indeterminate, None, &message));
        }
        if opening.thrown.is_none() && opening.instead.is_none() {
            for text in &opening.asks {
                say(said, text).await;
            }
        }
        sleep(self.site.real(opening.takes)).await;
        let end = |w: &mut World, now| close(w, answers, &self.call(request, now), &opening);
        let changes = answers.changes(&request.script);
        let ended = if changes { self.site.change(end) } else { self.site.quietly(end) };
        for text in &ended.said {
            say(said, text).await;
        }
        ended.result.map_err(|t| failure(FailureKind::Threw, Some(t.id), &t.message))
    }

    fn call<'a>(&'a self, request: &'a Request, now: Timestamp) -> Call<'a> {
        Call {
            place: Place { machine: &self.machine, now, logon: Logon::Session },
            name: &request.name,
            script: &request.script,
            args: &request.args,
        }
    }

    fn ready(&self) -> Connection {
        self.site.look(|w| {
            let m = w.machine(&self.machine);
            let os = m.get("os").cloned().unwrap_or(Json::Null);
            let number = |field: &str| os.number(field).unwrap_or(0.0);
            let boot = m.get("boot").and_then(|b| b.text("id")).unwrap_or_default();
            Connection::Ready(Hello {
                host: self.machine.clone(),
                ps: format!("5.1.{}.{}", number("build"), number("ubr")),
                language: m.text("language_mode").unwrap_or("FullLanguage").to_owned(),
                pid: 4000 + 4 * (md5::compute(boot).0[0] as u32),
                skew_ms: (m.number("clock_skew").unwrap_or(0.0) * 1000.0) as i64,
                via: "simulator".into(),
                second_hop: m.truth("second_hop"),
            })
        })
    }

    fn lost(&self) -> Connection {
        self.trouble(TroubleKind::Lost, "the connection was dropped", "it is made again by itself")
    }

    fn unreachable(&self) -> Connection {
        let remedy = "a restart ends by itself; else look whether the machine runs";
        self.trouble(TroubleKind::Unreachable, "nothing answers there", remedy)
    }

    fn trouble(&self, kind: TroubleKind, message: &str, remedy: &str) -> Connection {
        let message = format!("{}: {message}", self.machine);
        Connection::Trouble(Trouble { kind, message, remedy: remedy.to_owned() })
    }

    fn not_sent(&self) -> Failure {
        failure(FailureKind::NotSent, None, &format!("{} is not connected", self.machine))
    }
}

fn failure(kind: FailureKind, id: Option<String>, message: &str) -> Failure {
    let message = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Failure { kind, id, message, at: None }
}

async fn say(said: &mpsc::Sender<Said>, text: &str) {
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let text = line.chars().filter(|c| !c.is_control()).collect();
        // Nobody listens any more: the line is lost, the script goes on.
        let _ = said.send(Said { level: Level::Info, text }).await;
    }
}

/// A file that is more than a size in the world: one with a text, or the log of a detached operation.
pub(super) fn file(world: &World, machine: &str, path: &str, now: Timestamp) -> Option<Vec<u8>> {
    let m = world.machine(machine);
    let same = |a: &str| a.replace('/', "\\").eq_ignore_ascii_case(&path.replace('/', "\\"));
    if same(setup_log::PATH) {
        return setup_log::setup_log(world, machine, now).map(String::into_bytes);
    }
    let stored = m.get("files").and_then(Json::as_object);
    if let Some((_, f)) = stored.into_iter().flatten().find(|(p, _)| same(p)) {
        return f.get("text").and_then(Json::as_str).map(|t| t.as_bytes().to_vec());
    }
    let operations = m.get("operations").and_then(Json::as_object);
    let (_, operation) = operations.into_iter().flatten().find(|(key, _)| {
        key.split_once('/').is_some_and(|(run, op)| same(&crate::remote::detached::log_path(run, op)))
    })?;
    let lines = operation.list("log");
    let text: String = lines.iter().filter_map(|l| l.as_str()).map(|l| format!("{l}\r\n")).collect();
    Some([b"\xef\xbb\xbf", text.as_bytes()].concat())
}
