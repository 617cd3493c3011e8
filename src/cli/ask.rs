//! `nodelift pause`, `resume`, `stop` and `handover`: one thing asked of an engine, without a screen.

use std::io::{IsTerminal, Write};

use clap::Args;
use color_eyre::eyre::{Result, WrapErr, bail};

use super::Exit;
use super::runs::{Found, find};
use super::status::{self, ANSWER};
use crate::config::settings::Settings;
use crate::core::command::{Command, Refusal};
use crate::core::control::{Control, Role, needed};
use crate::core::summary::{duration, node_in_work, to_safe_point};
use crate::link::{FromEngine, PROTOCOL, Reader, ToEngine, Writer, socket};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Pause,
    Resume,
    Stop,
    Handover,
}

#[derive(Debug, Args)]
pub struct Ask {
    /// The cluster, the beginning of a run's name, or its folder; left out: the run that is under way
    run: Option<String>,
    /// Without a question
    #[arg(short, long)]
    yes: bool,
}

impl Ask {
    pub fn run(self, what: What, settings: &Settings) -> Result<Exit> {
        let found = match find(settings, self.run.as_deref()) {
            Ok(found) => found,
            Err(why) => {
                eprintln!("nodelift: {why}");
                return Ok(Exit::Usage);
            }
        };
        let cluster = &found.state.plan.cluster;
        if !found.live {
            let next = if found.state.needs_engine() {
                "it is dormant: nodelift recover"
            } else {
                "it has ended: nodelift report"
            };
            eprintln!("nodelift: the run of {cluster} has no engine, {next} {cluster}");
            return Ok(Exit::NeedsPerson);
        }
        // The safe direction never asks (run-safety-model 0).
        if what != What::Pause && what != What::Handover && !self.yes && !agreed(what, &found)? {
            return Ok(Exit::NeedsPerson);
        }
        if what == What::Handover {
            status::brief(&found);
            println!();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answer = runtime.block_on(async {
            tokio::time::timeout(ANSWER, ask(&found, what)).await.wrap_err("the engine does not answer")?
        })?;
        match answer {
            Ok(said) => {
                println!("{cluster}: {said}");
                Ok(Exit::Succeeded)
            }
            Err(Refusal(why)) => {
                eprintln!("nodelift: {cluster}: {why}");
                Ok(Exit::NeedsPerson)
            }
        }
    }
}

/// A question on the terminal; without one nothing is changed.
fn agreed(what: What, found: &Found) -> Result<bool> {
    let s = &found.state;
    let safe = to_safe_point(s, s.at.unwrap_or_default())
        .map_or_else(String::new, |left| format!(", in about {}", duration(left as i64)));
    let node = node_in_work(s).map_or_else(String::new, |(node, _)| format!(" {node} is finished first{safe}."));
    let (act, then) = match what {
        What::Stop => {
            ("End the run", format!("{node} No other node is begun, and this run cannot go on afterwards."))
        }
        _ => ("Go on with the run", " The next node is begun as soon as its gates are open.".to_owned()),
    };
    if !std::io::stdin().is_terminal() {
        eprintln!("nodelift: there is no terminal to ask on: --yes agrees beforehand.");
        return Ok(false);
    }
    println!("{act} of {}?{then}", s.plan.cluster);
    print!("y = yes, any other key = no: ");
    std::io::stdout().flush()?;
    let key = crate::term::one_key()?;
    println!();
    Ok(key == Some('y'))
}

async fn ask(found: &Found, what: What) -> Result<std::result::Result<&'static str, Refusal>> {
    let stream = socket::connect(&found.folder).await.wrap_err("no engine answers")?;
    let (read, write) = tokio::io::split(stream);
    let (mut from, mut to) = (Reader::new(read), Writer::new(write));
    to.send(&ToEngine::Hello { protocol: PROTOCOL, looks_only: false }).await?;
    let (command, said) = match what {
        What::Pause => (Command::Pause, "asked to pause at the next safe point"),
        What::Resume => (Command::Resume, "goes on"),
        What::Stop => (Command::Stop, "asked to end at the next safe point"),
        // It goes with whoever had it: this one leaves at once.
        What::Handover => (Command::Connect, "nobody has control now: whoever looks next may take it"),
    };
    if what == What::Handover || needed(&command) == Role::Controller {
        // One's own screen gives it up, another person's does not.
        let taken = answer(&mut from, &mut to, |id| ToEngine::Control { id, control: Control::Take }, 1).await?;
        if let Err(refusal) = taken
            && !refusal.0.starts_with("you have control")
        {
            return Ok(Err(refusal));
        }
    }
    if what == What::Handover {
        to.send(&ToEngine::Quit).await?;
        return Ok(Ok(said));
    }
    let answered = answer(&mut from, &mut to, |id| ToEngine::Command { id, command: command.clone() }, 2).await?;
    to.send(&ToEngine::Quit).await?;
    Ok(answered.map(|()| said))
}

/// Asks, and waits for the answer.
async fn answer<R, W>(
    from: &mut Reader<R>,
    to: &mut Writer<W>,
    message: impl FnOnce(u64) -> ToEngine,
    id: u64,
) -> Result<std::result::Result<(), Refusal>>
where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    to.send(&message(id)).await?;
    loop {
        match from.next::<FromEngine>().await? {
            FromEngine::Answer { id: answered, refused } if answered == id => {
                return Ok(refused.map_or(Ok(()), Err));
            }
            FromEngine::Bye { why } => bail!(why),
            _ => {}
        }
    }
}
