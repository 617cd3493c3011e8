//! The viewer: a stream of messages on one side, the terminal on the other.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, WrapErr, eyre};
use jiff::Timestamp;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use super::told;
use crate::config::diagnose::{Source, suggest, why_unread};
use crate::config::settings::{self, Glyphs as Signs, Settings};
use crate::core::watch::Clocking;
use crate::input::Keymap;
use crate::link::{FromEngine, PROTOCOL, Reader, Stream, ToEngine, WireError, Writer};
use crate::term::{self, Input, Screen, Signal};
use crate::theme::{ASCII, BUILT_IN, Depth, Glyphs, Look, Theme, UNICODE, built_in};
use crate::ui::{self, Ask, Model, Msg};

/// Where the engine is.
#[derive(Debug)]
pub enum Way {
    /// In this process, and nothing is lost when it ends: a demonstration, a replay.
    Own(DuplexStream),
    /// In a process of its own, in the folder of its run.
    Socket { folder: PathBuf, looks_only: bool },
}

impl Way {
    async fn open(&mut self) -> Result<Box<dyn Stream>> {
        match self {
            Way::Socket { folder, .. } => {
                let stream = crate::link::socket::connect(folder).await;
                Ok(Box::new(stream.wrap_err_with(|| format!("no engine answers in {}", folder.display()))?))
            }
            Way::Own(pipe) => Ok(Box::new(taken(pipe))),
        }
    }

    fn looks_only(&self) -> bool {
        matches!(self, Way::Socket { looks_only: true, .. })
    }

    /// The engine may still be there when the stream is not.
    fn can_return(&self) -> bool {
        matches!(self, Way::Socket { .. })
    }
}

/// The pipe, once: what is left behind has no other end.
fn taken(pipe: &mut DuplexStream) -> DuplexStream {
    std::mem::replace(pipe, tokio::io::duplex(1).0)
}

/// How a screen was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// A person did.
    Meant,
    /// The terminal went away, or somebody ended the process.
    CutOff,
}

/// Shortest time between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(33);
/// Time between two ticks of the clock on the screen.
const TICK: Duration = Duration::from_secs(1);
/// A person who presses keys tells the engine so now and then.
const PRESENT: Duration = Duration::from_secs(60);
/// Messages that may wait for the screen.
const QUEUE: usize = 1024;

/// Shows a stream until its viewer leaves, and tells the engine so. `run`: the folder of the run, where it is written down.
pub fn show(way: Way, settings: &Settings, run: Option<PathBuf>) -> Result<()> {
    let looks = Looks::new(settings)?;
    let keymap = keymap(settings)?;
    term::restore_on_panic();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shown = runtime.block_on(Viewer::run(way, looks, keymap, settings.bytes_per_second, run));
    // Tasks that wait for a stream nobody writes to any more are not waited for.
    runtime.shutdown_background();
    shown
}

/// Whether the theme and the keys that the settings name can be used: told before anything is opened.
pub fn check(settings: &Settings) -> Result<(), String> {
    Looks::new(settings).map(|_| ()).and_then(|()| keymap(settings).map(|_| ())).map_err(|e| format!("{e:#}"))
}

/// The looks one can go through: the chosen one first.
struct Looks {
    all: Vec<Look>,
    depth: Depth,
    glyphs: &'static Glyphs,
}

impl Looks {
    fn new(settings: &Settings) -> Result<Self> {
        let env = |name: &str| std::env::var(name).ok();
        let depth = Depth::from_env(env);
        let glyphs = match settings.glyphs {
            Signs::Auto => Glyphs::from_env(env),
            Signs::Unicode => &UNICODE,
            Signs::Ascii => &ASCII,
        };
        let mut all: Vec<Look> = BUILT_IN.iter().filter_map(|(name, _)| built_in(name)).collect();
        match BUILT_IN.iter().position(|(name, _)| *name == settings.theme) {
            Some(at) => all.rotate_left(at),
            None => {
                let path = Path::new(&settings.theme);
                let text = std::fs::read_to_string(path).map_err(|e| {
                    let names: Vec<&str> = BUILT_IN.iter().map(|(n, _)| *n).collect();
                    eyre!("theme `{}`: {}; {}", settings.theme, why_unread(&e), suggest(&settings.theme, names))
                })?;
                all.insert(0, Look::parse(&Source::new(settings.theme.clone(), text)).map_err(|d| eyre!("{d}"))?);
            }
        }
        Ok(Self { all, depth, glyphs })
    }

    fn theme(&self) -> Theme {
        Theme::new(&self.all[0], self.depth, self.glyphs)
    }

    fn next(&mut self) {
        self.all.rotate_left(1);
    }
}

/// The built-in keys, and a person's own where their file lies beside the settings.
fn keymap(_settings: &Settings) -> Result<Keymap> {
    let own = settings::user_file().map(|p| p.with_file_name("keys.toml")).filter(|p| p.is_file());
    match own {
        Some(path) => {
            let text = std::fs::read_to_string(&path).wrap_err_with(|| path.display().to_string())?;
            Keymap::with(&Source::new(path.display().to_string(), text)).map_err(|d| eyre!("{d}"))
        }
        None => Ok(Keymap::default()),
    }
}

struct Viewer {
    model: Model,
    screen: Screen,
    looks: Looks,
    theme: Theme,
    to: Writer<WriteHalf<Box<dyn Stream>>>,
    /// The engine's clock as it was told, and when that was.
    clock: Option<(Clocking, Instant)>,
    drawn: Instant,
    way: Way,
    /// When the engine was last told that somebody is there.
    present: Instant,
    /// Where the run is written down.
    run: Option<PathBuf>,
    /// What is done beside the screen says here how it ended.
    tell: mpsc::Sender<Msg>,
}

impl Viewer {
    async fn run(
        mut way: Way,
        looks: Looks,
        keymap: Keymap,
        bytes_per_second: u64,
        run: Option<PathBuf>,
    ) -> Result<()> {
        let (tell, mut told) = mpsc::channel(4);
        let mut signals = term::listen();
        let (read, write) = tokio::io::split(way.open().await?);
        let mut messages = Some(incoming(read));
        let screen = Screen::enter(bytes_per_second).wrap_err("the terminal cannot be used")?;
        let mut keys = term::read();
        let theme = looks.theme();
        let mut viewer = Self {
            model: Model::new(keymap),
            screen,
            looks,
            theme,
            to: Writer::new(write),
            clock: None,
            drawn: Instant::now() - FRAME,
            way,
            present: Instant::now(),
            run,
            tell,
        };
        let area = viewer.screen.area();
        viewer.send(Msg::Resize { width: area.width, height: area.height }).await?;
        viewer.frame()?;
        viewer.hello().await;
        let ended = viewer.watch(&mut signals, &mut keys, &mut messages, &mut told).await;
        // Whoever was cut off did not mean to leave: an engine with nothing under way waits for them for a while.
        if matches!(ended, Ok(Left::Meant)) || !viewer.way.can_return() {
            let _ = viewer.to.send(&ToEngine::Quit).await;
        }
        viewer.screen.leave();
        ended.map(|_| ())
    }

    async fn hello(&mut self) {
        // The engine may not be there yet: that shows when its first words do not come.
        let looks_only = self.way.looks_only();
        let _ = self.to.send(&ToEngine::Hello { protocol: PROTOCOL, looks_only }).await;
    }

    /// A screen that was too slow was sent away, and may come back: everything is told anew.
    async fn return_to_engine(&mut self) -> Option<Messages> {
        if !self.way.can_return() {
            return None;
        }
        let (read, write) = tokio::io::split(self.way.open().await.ok()?);
        self.to = Writer::new(write);
        self.hello().await;
        Some(incoming(read))
    }

    async fn watch(
        &mut self,
        signals: &mut mpsc::Receiver<Signal>,
        keys: &mut mpsc::Receiver<Input>,
        messages: &mut Option<Messages>,
        told: &mut mpsc::Receiver<Msg>,
    ) -> Result<Left> {
        let mut ticked = Instant::now();
        let mut pressed = false;
        loop {
            // What a person pressed is shown at once; everything else waits for its turn and its bytes.
            let wait = if pressed {
                Duration::ZERO
            } else {
                self.screen.wait().max(FRAME.saturating_sub(self.drawn.elapsed()))
            };
            if self.model.dirty() && wait.is_zero() {
                self.frame()?;
            }
            pressed = false;
            let due = self.model.dirty();
            let tick = self.next_tick(ticked);
            tokio::select! {
                biased;
                signal = signals.recv() => match signal {
                    Some(Signal::Suspend) => self.suspend().await?,
                    Some(Signal::End) | None => return Ok(Left::CutOff),
                },
                input = keys.recv() => {
                    let stay = match input {
                        Some(Input::Key(key)) => {
                            self.tick().await?;
                            self.present().await;
                            pressed = true;
                            self.send(Msg::Key(key)).await?
                        }
                        Some(Input::Paste(text)) => self.send(Msg::Paste(text)).await?,
                        Some(Input::Resize { width, height }) => {
                            self.screen.resize(width, height)?;
                            self.send(Msg::Resize { width, height }).await?
                        }
                        Some(Input::Closed) | None => return Ok(Left::CutOff),
                    };
                    if !stay {
                        return Ok(Left::Meant);
                    }
                },
                message = next(messages) => {
                    if !matches!(message, Some(Ok(_))) {
                        *messages = self.return_to_engine().await;
                        if messages.is_some() {
                            continue;
                        }
                    }
                    if !self.told(message).await? {
                        return Ok(Left::Meant);
                    }
                    // Everything that is here already goes into the same frame.
                    while let Some(Ok(message)) = messages.as_mut().map(mpsc::Receiver::try_recv) {
                        if !self.told(Some(message)).await? {
                            return Ok(Left::Meant);
                        }
                    }
                },
                Some(msg) = told.recv() => {
                    pressed = true;
                    self.send(msg).await?;
                }
                () = tokio::time::sleep(wait), if due => {}
                () = tokio::time::sleep(tick.unwrap_or_default()), if tick.is_some() => {
                    ticked = Instant::now();
                    self.tick().await?;
                }
            }
        }
    }

    /// How long until the clock on the screen moves, where it does.
    fn next_tick(&self, ticked: Instant) -> Option<Duration> {
        if self.model.wants_tick() {
            return Some(TICK.saturating_sub(ticked.elapsed()));
        }
        let (at, (clock, _)) = (self.model.wakes_at()?, self.clock?);
        let wait = at.duration_since(self.now()).as_secs_f64().max(0.0) / clock.scale.max(f64::MIN_POSITIVE);
        Duration::try_from_secs_f64(wait + 0.001).ok()
    }

    fn now(&self) -> Timestamp {
        self.clock.map_or(Timestamp::UNIX_EPOCH, |(clock, since)| clock.after(since.elapsed()))
    }

    async fn tick(&mut self) -> Result<bool> {
        if self.clock.is_none() {
            return Ok(true);
        }
        let now = self.now();
        self.send(Msg::Tick(now)).await
    }

    /// Something from the engine; false = the screen is left.
    async fn told(&mut self, message: Option<Result<FromEngine, WireError>>) -> Result<bool> {
        let msg = match message {
            Some(Ok(message)) => match message {
                FromEngine::Hello(h) => {
                    self.clock = Some((h.clock, Instant::now()));
                    Msg::Hello(Box::new(ui::Hello {
                        state: h.state,
                        viewer: h.viewer,
                        run_id: h.run_id,
                        clocking: h.clock,
                        replay: h.replay,
                        imitated: h.imitated,
                        own_engine: !self.way.can_return(),
                    }))
                }
                FromEngine::Event(e) => Msg::Event(e),
                FromEngine::CaughtUp => {
                    self.tick().await?;
                    Msg::CaughtUp
                }
                FromEngine::Pulse(p) => Msg::Pulse(p),
                FromEngine::Clock(clock) => {
                    self.clock = Some((clock, Instant::now()));
                    Msg::Clock(clock)
                }
                FromEngine::Answer { id, refused } => Msg::Answer { id, refused },
                FromEngine::LogLength { which, lines } => Msg::LogLength { which, lines },
                FromEngine::LogLines { which, from, lines } => Msg::LogLines { which, from, lines },
                FromEngine::Replay(state) => Msg::Replay(state),
                FromEngine::Bye { why } => Msg::Bye { why },
                FromEngine::Durable(_) => return Ok(true),
            },
            // It has said why before.
            _ if self.model.is_left() => return Ok(true),
            Some(Err(e)) => Msg::Bye { why: format!("the engine was lost: {e}") },
            None => Msg::Bye { why: "the engine was lost".into() },
        };
        // An event's time is the engine's: the screen need not wait for a tick to know it.
        self.send(msg).await
    }

    /// Gives the model a message and does what it asks; false = the screen is left.
    async fn send(&mut self, msg: Msg) -> Result<bool> {
        for ask in self.model.update(msg) {
            match ask {
                Ask::Leave => return Ok(false),
                Ask::Suspend => self.suspend().await?,
                Ask::Redraw => {
                    self.screen.redraw()?;
                    self.model.touch();
                }
                Ask::Report => self.report(),
                Ask::Copy(text) => self.screen.copy(&text)?,
                Ask::NextTheme => {
                    self.looks.next();
                    self.theme = self.looks.theme();
                    self.model.touch();
                }
                Ask::Command { id, command } => self.say(&ToEngine::Command { id, command }).await,
                Ask::LogLines { which, from, count } => self.say(&ToEngine::LogLines { which, from, count }).await,
                Ask::Control { id, control } => self.say(&ToEngine::Control { id, control }).await,
                Ask::Replay(control) => self.say(&ToEngine::Replay(control)).await,
            }
        }
        Ok(true)
    }

    /// Tells the engine that somebody is there, now and then.
    async fn present(&mut self) {
        if self.present.elapsed() >= PRESENT {
            self.present = Instant::now();
            self.say(&ToEngine::Present).await;
        }
    }

    /// Writes the report of the run, beside the screen: it may be long, and disks may be slow.
    fn report(&self) {
        let (run, tell) = (self.run.clone(), self.tell.clone());
        tokio::task::spawn_blocking(move || {
            let (text, failed) = match run.as_deref().map(told::write) {
                None => ("This run is not written down: there is nothing to report from.".to_owned(), true),
                Some(Ok(path)) => (format!("The report of this run is in {}", path.display()), false),
                Some(Err(why)) => (format!("The report was not written: {why}"), true),
            };
            // A screen that was left needs no answer.
            let _ = tell.blocking_send(Msg::Told { text, failed });
        });
    }

    async fn say(&mut self, message: &ToEngine) {
        // An engine that is gone says so by its stream's end.
        if let Err(e) = self.to.send(message).await {
            tracing::warn!("the engine was not told: {e}");
        }
    }

    async fn suspend(&mut self) -> Result<()> {
        self.screen.suspend().await?;
        self.model.touch();
        Ok(())
    }

    fn frame(&mut self) -> Result<()> {
        self.model.take_dirty();
        let (model, theme) = (&self.model, &self.theme);
        self.screen.draw(|area, buf| ui::draw(model, theme, area, buf))?;
        let outside = model.outside();
        let share = match outside.share {
            ui::Share::None => term::Share::None,
            ui::Share::Going(n) => term::Share::Going(n),
            ui::Share::Waiting(n) => term::Share::Waiting(n),
            ui::Share::Failed(n) => term::Share::Failed(n),
        };
        self.screen.outside(&outside.title, share, outside.urgent.as_deref())?;
        self.drawn = Instant::now();
        Ok(())
    }
}

/// What an engine says.
type Messages = mpsc::Receiver<Result<FromEngine, WireError>>;

/// The next message; `None`: the engine has left. Where it had left before, nothing comes any more.
async fn next(messages: &mut Option<Messages>) -> Option<Result<FromEngine, WireError>> {
    match messages {
        Some(messages) => messages.recv().await,
        None => std::future::pending().await,
    }
}

/// Messages of a stream, read in a task of their own.
fn incoming(read: ReadHalf<Box<dyn Stream>>) -> Messages {
    let (to, from) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let mut reader = Reader::new(read);
        loop {
            let message = match reader.next::<FromEngine>().await {
                Err(WireError::Closed) => return,
                other => other,
            };
            let last = message.is_err();
            if to.send(message).await.is_err() || last {
                return;
            }
        }
    });
    from
}
