//! Machines over the system's `ssh`, for what libssh2 cannot do: Kerberos with delegation, security keys, ProxyCommand, Match,
//! certificates (powershell-over-ssh 5). The person's own ssh_config is honoured.
//!
//! One `ssh -M -N` a machine is the connection (`dial`, `master`); workers are `ssh -S` processes that go through it
//! (`launch`). On Windows ssh has no multiplexing: there each worker logs in by itself and the first process only tells whether
//! the machine can be reached. `options` is the one place where arguments are made; `trouble` reads what ssh says; `effective`
//! is what `ssh -G` prints; `kept` does the rest.

mod client;
pub mod config;
mod dial;
pub mod effective;
mod folder;
mod heard;
mod launch;
mod look;
mod master;
mod options;
mod runtime;
mod sftp;
mod trouble;

pub use config::{Hop, OpenSshConfig};
pub use effective::Effective;
pub use runtime::OpenSsh;
