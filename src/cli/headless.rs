//! A run without a screen: what happens, a line each; it ends when the run does, or when a person is needed.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use color_eyre::eyre::{Result, WrapErr, bail};

use crate::core::brief::brief;
use crate::core::event::Event;
use crate::core::headless::{Agreed, Headless, Next};
use crate::core::log::{Level, LogLine};
use crate::core::narrate::narrate;
use crate::core::state::State;
use crate::link::{FromEngine, PROTOCOL, Reader, ToEngine, Writer, socket};

/// How often a run is looked at where nothing happens.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Args)]
pub struct Options {
    /// Without a screen: print what happens, end when the run does or when a person is needed
    #[arg(long)]
    headless: bool,
    /// Start once every blocker passes, and leave for later what waits for a person
    #[arg(long, requires = "headless")]
    yes: bool,
    /// Do every automatic fix first, and the restarts that have to follow
    #[arg(long, requires = "headless")]
    fix: bool,
    /// Go on with a run that was under way when its nodelift ended; not while anything about a node is unknown
    #[arg(long, requires = "headless")]
    auto_resume: bool,
    /// Do a step that cannot be undone, for the plan of that hash; may be given several times
    #[arg(long, value_name = "STEP=PLAN_SHA256", requires = "headless", value_parser = agreed_step)]
    commit: Vec<(String, String)>,
}

impl Options {
    /// Without a screen.
    pub fn is_headless(&self) -> bool {
        self.headless
    }

    fn agreed(&self) -> Agreed {
        Agreed {
            start: self.yes,
            fix: self.fix,
            resume: self.auto_resume,
            commits: self.commit.iter().cloned().collect(),
        }
    }
}

fn agreed_step(text: &str) -> Result<(String, String), String> {
    let (step, hash) = text.split_once('=').ok_or("it is STEP=PLAN_SHA256: `nodelift run` prints the hash")?;
    if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("the hash of a plan has 64 hexadecimal digits: `nodelift run` prints it".into());
    }
    Ok((step.to_owned(), hash.to_ascii_lowercase()))
}

/// How the watching ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The run did, or a person is needed.
    Itself,
    /// Somebody interrupted it. What goes on by itself does.
    Interrupted,
}

/// Takes a run along, over the socket of its engine.
///
/// # Errors
/// The engine left.
pub fn follow(run: &Path, options: &Options) -> Result<End> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(watch(run, Some(options.agreed())))
}

/// Prints what happens until the run ends or somebody interrupts it, and asks for nothing.
///
/// # Errors
/// The engine left.
pub fn look(run: &Path) -> Result<End> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(watch(run, None))
}

async fn watch(run: &Path, agreed: Option<Agreed>) -> Result<End> {
    let stream = socket::connect(run).await.wrap_err_with(|| format!("no engine answers in {}", run.display()))?;
    let (read, write) = tokio::io::split(stream);
    let (mut from, mut to) = (Reader::new(read), Writer::new(write));
    to.send(&ToEngine::Hello { protocol: PROTOCOL, looks_only: agreed.is_none() }).await?;
    let mut headless = agreed.map(Headless::new);
    let (mut state, mut present, mut awaited, mut id) = (None::<State>, false, None, 0);
    let (mut clock, mut end) = (None, None);
    // A message that is half read must not be lost to a tick: one task reads, whole messages come out.
    let (tell, mut heard) = tokio::sync::mpsc::channel(256);
    tokio::spawn(async move {
        while let Ok(message) = from.next::<FromEngine>().await {
            if tell.send(message).await.is_err() {
                return;
            }
        }
    });
    loop {
        let message = tokio::select! {
            message = heard.recv() => match message {
                Some(message) => Some(message),
                None => match end {
                    Some(end) => return Ok(end),
                    None if state.as_ref().is_some_and(|s| !s.needs_engine()) => return Ok(End::Itself),
                    None => bail!("the engine was lost: nodelift status says how the run stands"),
                },
            },
            _ = tokio::signal::ctrl_c(), if end.is_none() => {
                end = Some(End::Interrupted);
                to.send(&ToEngine::Quit).await?;
                None
            }
            () = tokio::time::sleep(LOOK) => None,
        };
        match message {
            Some(FromEngine::Hello(hello)) => {
                let plan = &hello.state.plan;
                println!("{}: {}", plan.cluster, plan.runbook.title);
                state = Some(*hello.state);
            }
            Some(FromEngine::Event(event)) => {
                let Some(state) = &mut state else { continue };
                if present {
                    narrate(state, &event).iter().filter(|l| l.level >= Level::Info).for_each(print);
                }
                state.apply(&event);
                if present && matches!(event.event, Event::PhaseChanged { .. }) {
                    say_what_was(state);
                }
                clock = Some((event.at, std::time::Instant::now()));
            }
            Some(FromEngine::CaughtUp) => {
                present = true;
                if let Some(hash) = state.as_ref().and_then(|s| s.plan_sha256.as_ref()) {
                    println!("plan {hash}");
                }
            }
            Some(FromEngine::Answer { id: answered, refused }) if awaited == Some(answered) => {
                awaited = None;
                if let Some(refusal) = refused {
                    eprintln!("nodelift: refused: {}", refusal.0);
                    end = Some(End::Itself);
                    to.send(&ToEngine::Quit).await?;
                }
            }
            Some(FromEngine::Bye { why }) => match end {
                Some(end) => return Ok(end),
                None => bail!(why),
            },
            _ => {}
        }
        let Some(seen) = state.as_ref().filter(|_| present && awaited.is_none() && end.is_none()) else {
            continue;
        };
        let now = clock.map_or(jiff::Timestamp::now(), |(at, since): (jiff::Timestamp, std::time::Instant)| {
            at.checked_add(since.elapsed()).unwrap_or(at)
        });
        let next = match &mut headless {
            Some(headless) => headless.next(seen, now),
            None if seen.needs_engine() => Next::Wait,
            None => Next::Leave,
        };
        match next {
            Next::Wait => {}
            Next::Ask(command) => {
                id += 1;
                awaited = Some(id);
                to.send(&ToEngine::Command { id, command }).await?;
            }
            Next::Leave => {
                end = Some(End::Itself);
                to.send(&ToEngine::Quit).await?;
            }
        }
    }
}

/// A run that an engine was away from: the same words as on the screen.
fn say_what_was(state: &State) {
    let Some(brief) = brief(state) else { return };
    for (what, lines) in brief.parts() {
        println!("{what}:");
        lines.iter().for_each(|line| println!("  {line}"));
    }
}

fn print(line: &LogLine) {
    let node = line.node.as_ref().map_or("", |n| n.as_str());
    println!("{:.0}  {node:<12} {:<8} {}", line.at, line.source, line.text);
}
