//! One long-lived PowerShell on any pair of byte streams: how it is started, what is written to it, what comes back.
//!
//! Knows nothing of SSH: whoever can start a process on a machine (`process::Launch`) gets requests and replies.

pub mod bootstrap;
pub mod clixml;
pub mod frames;
pub mod kill;
pub mod lane;
pub mod message;
pub mod orphan;
pub mod process;
mod words;
pub mod worker;
