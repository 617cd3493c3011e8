//! Files people write: their layers, and what is wrong with them.

pub mod diagnose;
pub mod inventory;
pub mod settings;
