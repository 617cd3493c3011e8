//! The truth: events, the state that follows from them, and every rule of an upgrade. Pure: no clock, no I/O, no async.

pub mod advice;
pub mod apply;
pub mod baseline;
pub mod command;
pub mod connection;
pub mod decide;
pub mod event;
pub mod expr;
pub mod gates;
pub mod judge;
pub mod log;
pub mod name;
pub mod narrate;
pub mod narrow;
pub mod plan;
pub mod recovery;
pub mod revision;
pub mod run;
pub mod sequence;
pub mod standing;
pub mod state;
pub mod step;
pub mod summary;
pub mod text;
pub mod view;
pub mod watch;
