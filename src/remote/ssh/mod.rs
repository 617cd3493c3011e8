//! Machines over SSH, by libssh2 (powershell-over-ssh 2, 3). Nothing outside this folder names `ssh2`.
//!
//! `SshRuntime` hands out an `SshHost` for each `SshConfig`. From the bottom up: `socket`, `login` (blocking, to a session that
//! is logged in), `owner` (the one future that touches a session; `channel`, `flow`, `files`), `wire` (a handle on it), `dial`
//! (a whole way to a machine); `kept` does the rest. `walk` makes one connection for somebody who wants to see each leg of the
//! way (`trail`).

mod channel;
pub mod config;
mod dial;
mod files;
mod flow;
pub mod hostkey;
mod keyfile;
pub mod known_hosts;
mod login;
mod looks;
mod owner;
mod pulse;
mod runtime;
mod socket;
mod trail;
mod trouble;
mod walk;
mod wire;

pub use super::kept::{KeptHost as SshHost, Times};
pub use config::{Credential, Endpoint, SshConfig};
pub use runtime::{Scanned, SshRuntime};
pub use trail::{Leg, Passed};
pub use walk::Walked;
