//! A machine that is kept connected, whatever carries the bytes: attempts, waits, lanes of workers, and what failures mean.
//!
//! A transport brings a `Way` (how one connection is made) and a `Line` (a connection that is up); `KeptHost` is the `Host`
//! made of them, `keeper` does the work, on a `Thread` that all hosts share.

mod backoff;
mod host;
mod keeper;
mod limiter;
pub mod piece;
mod thread;
mod times;
pub mod trouble;

use std::sync::Arc;

pub use host::KeptHost;
pub use limiter::Limiter;
pub use thread::Thread;
pub use times::Times;

use super::powershell::process::{Launch, Limits};
use super::{Boxed, Chunk};
use crate::core::connection::Trouble;
use crate::core::event::Failure;

/// How one machine is reached.
pub trait Way: Send + Sync {
    /// What it is called on the screen and in messages.
    fn name(&self) -> &str;

    /// Where it is, for messages: host and port.
    fn at(&self) -> String;

    fn times(&self) -> &Times;

    /// Times and sizes of the PowerShell workers.
    fn limits(&self) -> &Limits;

    /// Connects and logs in. Dropping the future gives that up.
    fn dial(self: Arc<Self>) -> Boxed<Result<Dialled, Trouble>>;
}

/// A connection that is logged in. It ends when the last handle on it is dropped.
pub trait Line: Launch {
    /// Waits for the end of the connection, and says why it came. Holds no handle.
    fn lost(&self) -> Boxed<String>;

    /// Reads at most `max` bytes of a file from an offset.
    fn read(&self, path: String, offset: u64, max: usize) -> Boxed<Result<Chunk, Failure>>;
}

/// What an attempt gave.
pub struct Dialled {
    pub line: Arc<dyn Line>,
    /// How it was reached, for people: `ssh admin@10.20.0.11:22, ed25519 key`.
    pub via: String,
    /// The login brought network credentials: programs there reach other machines (powershell-over-ssh 11).
    pub second_hop: bool,
}
