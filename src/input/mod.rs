//! Keys and what they do: every action declared once, and the map from keys to actions.

pub mod action;
mod key;
mod keymap;

pub use action::{Action, Scope};
pub use key::{Code, Key, NoKey, keys};
pub use keymap::{DEFAULT, Keymap, default_file};
