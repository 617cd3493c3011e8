//! Frames: what the screen shows, with its styles; every size draws; keys lead to commands.

#[path = "../fixtures/mod.rs"]
mod fixtures;

mod checks;
mod dump;
mod keys;
mod peek;
mod random;
mod shown;
mod sizes;
mod speed;
