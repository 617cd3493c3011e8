//! The viewer: a stream of messages on one side, the terminal on the other.

use color_eyre::eyre::Result;
use tokio::io::DuplexStream;

use crate::config::settings::Settings;

/// What leaving means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// Nothing goes on.
    Ends,
    /// The run on the cluster goes on.
    RunGoesOn,
}

/// Shows a stream until its viewer leaves.
pub fn show(_stream: DuplexStream, _settings: &Settings, _leaving: Leaving) -> Result<()> {
    todo!()
}

/// Waits for one key.
pub fn one_key() -> Result<Option<char>> {
    todo!()
}
