//! The engine as a process of its own: no terminal, no signal of a session reaches it. It is started by `launch`, which hands it
//! the order and the secrets through a pipe.

use std::io::{Read, Write};
use std::path::PathBuf;

use color_eyre::eyre::{Result, WrapErr};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::begin::{Begun, Order, begin};
use super::secrets::{Handed, Secrets};
use super::{Exit, session};
use crate::config::settings::Settings;
use crate::engine::{self, FromViewer};
use crate::link::socket::Listener;

/// Longest order with its secrets, in bytes.
const LONGEST_ORDER: u64 = 1 << 20;

/// What `launch` hands over. It exists in memory and in a pipe.
#[derive(Serialize, Deserialize)]
pub struct Charge {
    pub order: Order,
    pub secrets: Handed,
}

/// What the engine says until it is ready, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Birth {
    /// For the person who waits.
    Said(String),
    /// It listens in that folder. Nothing follows.
    Ready(PathBuf),
    /// It ends with that code, and has said why.
    Ended(u8),
}

/// Runs an engine until its run needs it no more.
pub fn run(settings: &Settings) -> Result<Exit> {
    // Out of the login's session: what closes that says nothing to us. Whoever is a leader already has none.
    #[cfg(unix)]
    let _ = rustix::process::setsid();
    let mut text = Vec::new();
    std::io::stdin().take(LONGEST_ORDER).read_to_end(&mut text).wrap_err("no order came")?;
    let charge: Charge = serde_json::from_slice(&text).wrap_err("the order cannot be read")?;
    zero(text);
    let (order, secrets) = (charge.order, Secrets::from(charge.secrets));
    secrets.hide();
    let tell = |birth: &Birth| {
        let line = serde_json::to_string(birth).unwrap_or_default();
        // Whoever started it may have gone already: that is no reason to end.
        let _ = writeln!(std::io::stdout(), "{line}");
    };
    let Begun { cluster, run, setup } = match begin(order, secrets, settings, &mut |text| tell(&Birth::Said(text)))
    {
        Ok(begun) => begun,
        Err(exit) => {
            tell(&Birth::Ended(exit as u8));
            return Ok(exit);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let (to, viewers) = mpsc::channel::<FromViewer>(64);
        heed_signals(to.clone())?;
        let setup = setup()?;
        let listener = Listener::bind(&run).wrap_err_with(|| format!("no socket in {}", run.display()))?;
        let served = tokio::spawn(engine::serve(listener, session::actor(), to));
        tell(&Birth::Ready(run.clone()));
        // Whoever waits for the end of the pipe need not.
        #[cfg(unix)]
        rustix::stdio::dup2_stdout(std::fs::File::options().write(true).open("/dev/null")?)?;
        engine::run(setup, viewers).await;
        served.abort();
        let _ = served.await;
        color_eyre::eyre::Ok(())
    });
    drop(cluster);
    if let Err(why) = ended {
        tell(&Birth::Said(format!("nodelift: {why:#}")));
        tell(&Birth::Ended(Exit::Internal as u8));
        return Err(why);
    }
    Ok(Exit::Succeeded)
}

/// Nothing ends an engine in order there but its run.
#[cfg(not(unix))]
fn heed_signals(_: mpsc::Sender<FromViewer>) -> Result<()> {
    Ok(())
}

/// TERM and INT end the engine in order; HUP is not for it. What runs on the machines goes on.
#[cfg(unix)]
fn heed_signals(to: mpsc::Sender<FromViewer>) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                _ = term.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        tracing::warn!("told to end");
        let _ = to.send(FromViewer::End).await;
    });
    Ok(())
}

/// Leaves nothing of a secret in freed memory, as far as a program can see to that.
pub fn zero(mut text: Vec<u8>) {
    text.fill(0);
    std::hint::black_box(&text);
}
