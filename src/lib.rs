//! nodelift: take Windows clusters and servers to the next OS version, node by node, from a terminal.
//!
//! `docs/architecture.md` says how the parts fit; `core` is the truth, everything else serves it.

pub mod cli;
pub mod config;
pub mod core;
pub mod doctor;
pub mod engine;
pub mod input;
pub mod journal;
pub mod link;
pub mod logs;
pub mod remote;
pub mod report;
pub mod runbook;
pub mod term;
pub mod theme;
pub mod ui;
