//! An engine in this process, on a thread of its own; what comes out is the stream that any viewer speaks over.

use std::thread::JoinHandle;

use color_eyre::eyre::{Result, WrapErr, eyre};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::core::state::State;
use crate::engine::{self, FromViewer, Peer, Setup};
use crate::link;

/// A running engine.
pub struct Session {
    thread: JoinHandle<Result<State>>,
}

/// Starts an engine. `setup` runs on its thread, inside its runtime: clocks and simulated machines start there.
pub fn start(setup: impl FnOnce() -> Result<Setup> + Send + 'static) -> Result<(Session, DuplexStream)> {
    let (ours, theirs) = link::pair();
    let thread = std::thread::Builder::new().name("engine".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async move {
            let (to, viewers) = mpsc::channel::<FromViewer>(64);
            let setup = setup()?;
            engine::attach(1, theirs, Peer::own(&actor()), to);
            Ok(engine::run(setup, viewers).await)
        })
    });
    Ok((Session { thread: thread.wrap_err("cannot start the engine's thread")? }, ours))
}

impl Session {
    /// Waits for the engine to end, and gives its last state.
    pub fn join(self) -> Result<State> {
        self.thread.join().map_err(|_| eyre!("the engine ended in a panic"))?
    }
}

/// Who this is, for the journal.
pub fn actor() -> String {
    ["SUDO_USER", "USER", "USERNAME", "LOGNAME"]
        .iter()
        .find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()))
        .unwrap_or_else(|| "operator".into())
}

/// The name of this machine.
pub fn host() -> String {
    #[cfg(unix)]
    {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
    #[cfg(not(unix))]
    {
        std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this machine".into())
    }
}
