//! A journal, played: to a viewer it looks like an engine that takes no commands.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::core::command::Refusal;
use crate::core::event::{Event, Stamped};
use crate::core::log::Which;
use crate::core::plan::Plan;
use crate::core::state::State;
use crate::core::watch::{Clocking, ReplayControl, ReplayState};
use crate::link::{FromEngine, Hello, PROTOCOL, Reader, ToEngine, WireError, Writer};
use crate::logs::Logs;

/// Longest real time between two events: hours without news are not played.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Slowest and fastest playing, in journal seconds a real second.
const SPEEDS: (f64, f64) = (1.0, 100_000.0);

/// What is played.
pub struct Recording {
    pub plan: Arc<Plan>,
    pub events: Vec<Stamped>,
    pub logs: Logs,
    pub run_id: String,
    /// Journal seconds in one real second.
    pub speed: f64,
    pub paused: bool,
    /// Begin at the end.
    pub end: bool,
}

/// Plays to a viewer until it leaves.
///
/// # Errors
/// The stream broke in the middle of a message.
pub async fn play<S: AsyncRead + AsyncWrite>(recording: Recording, stream: S) -> Result<(), WireError> {
    let (read, write) = tokio::io::split(stream);
    let mut from = Reader::new(read);
    let mut player = Player {
        to: Writer::new(write),
        at: recording.events.first().map_or(Timestamp::UNIX_EPOCH, |e| e.at),
        next: 0,
        speed: recording.speed.clamp(SPEEDS.0, SPEEDS.1),
        paused: recording.paused,
        due: Instant::now(),
        recording,
    };
    player.greet().await?;
    if player.recording.end {
        player.control(ReplayControl::End).await?;
    }
    loop {
        let waits = !player.paused && player.next < player.recording.events.len();
        let timer = async {
            if waits { tokio::time::sleep_until(player.due).await } else { std::future::pending().await }
        };
        tokio::select! {
            biased;
            message = from.next::<ToEngine>() => match message {
                Ok(ToEngine::Quit) | Err(WireError::Closed | WireError::Io(_)) => return Ok(()),
                Ok(message) => player.told(message).await?,
                Err(e) => return Err(e),
            },
            () = timer => player.step().await?,
        }
    }
}

struct Player<W> {
    to: Writer<W>,
    recording: Recording,
    /// Journal time that is shown.
    at: Timestamp,
    next: usize,
    speed: f64,
    paused: bool,
    due: Instant,
}

impl<W: AsyncWrite + Unpin> Player<W> {
    fn state(&self) -> ReplayState {
        ReplayState {
            paused: self.paused,
            speed: self.speed,
            played: self.next as u64,
            total: self.recording.events.len() as u64,
        }
    }

    fn clock(&self) -> Clocking {
        let over = self.next >= self.recording.events.len();
        Clocking { now: self.at, scale: if self.paused || over { 0.0 } else { self.speed } }
    }

    async fn greet(&mut self) -> Result<(), WireError> {
        let hello = Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            instance: "replay".into(),
            run_id: self.recording.run_id.clone(),
            viewer: 0,
            clock: self.clock(),
            imitated: self
                .recording
                .events
                .iter()
                .any(|e| matches!(&e.event, Event::EngineStarted(i) if i.imitated)),
            state: Box::new(State::new(self.recording.plan.clone())),
            replay: Some(self.state()),
        };
        self.to.send(&FromEngine::Hello(Box::new(hello))).await?;
        self.to.send(&FromEngine::CaughtUp).await
    }

    async fn told(&mut self, message: ToEngine) -> Result<(), WireError> {
        match message {
            ToEngine::Command { id, .. } | ToEngine::Control { id, .. } => {
                let refused = Some(Refusal("this is a replay: nothing can be changed".into()));
                self.to.send(&FromEngine::Answer { id, refused }).await
            }
            ToEngine::LogLines { which, from, count } => {
                let known = self.recording.logs.len_at(&which, self.at) as u64;
                let count = count.min(known.saturating_sub(from));
                let lines = self.recording.logs.lines(&which, from as usize, count as usize);
                self.to.send(&FromEngine::LogLines { which, from, lines }).await
            }
            ToEngine::Replay(control) => self.control(control).await,
            ToEngine::Hello { .. } | ToEngine::Present | ToEngine::Quit => Ok(()),
        }
    }

    async fn control(&mut self, control: ReplayControl) -> Result<(), WireError> {
        match control {
            ReplayControl::TogglePause => {
                self.paused = !self.paused;
                self.due = Instant::now();
            }
            ReplayControl::Step => {
                self.paused = true;
                self.step().await?;
            }
            ReplayControl::Faster => self.speed = (self.speed * 2.0).min(SPEEDS.1),
            ReplayControl::Slower => self.speed = (self.speed / 2.0).max(SPEEDS.0),
            ReplayControl::End => {
                while self.next < self.recording.events.len() {
                    self.one().await?;
                }
                self.lengths().await?;
            }
        }
        self.to.send(&FromEngine::Clock(self.clock())).await?;
        self.to.send(&FromEngine::Replay(self.state())).await
    }

    /// Plays one event, and all that happened in the same moment.
    async fn step(&mut self) -> Result<(), WireError> {
        self.one().await?;
        while self.recording.events.get(self.next).is_some_and(|e| e.at == self.at) {
            self.one().await?;
        }
        self.lengths().await?;
        if let Some(next) = self.recording.events.get(self.next) {
            let gap = next.at.duration_since(self.at).as_secs_f64().max(0.0) / self.speed;
            self.due = Instant::now() + Duration::try_from_secs_f64(gap).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        }
        self.to.send(&FromEngine::Clock(self.clock())).await?;
        self.to.send(&FromEngine::Replay(self.state())).await
    }

    async fn one(&mut self) -> Result<(), WireError> {
        let Some(event) = self.recording.events.get(self.next).cloned() else { return Ok(()) };
        self.next += 1;
        self.at = event.at;
        self.to.send(&FromEngine::Event(Box::new(event))).await
    }

    async fn lengths(&mut self) -> Result<(), WireError> {
        let plan = self.recording.plan.clone();
        for which in [Which::All, Which::Run].into_iter().chain(plan.machines().cloned().map(Which::Node)) {
            let lines = self.recording.logs.len_at(&which, self.at) as u64;
            self.to.send(&FromEngine::LogLength { which, lines }).await?;
        }
        Ok(())
    }
}
