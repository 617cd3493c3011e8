//! The engine: takes what people and machines say, lets `core` decide, writes down, and carries out.

mod clock;
mod driver;
mod effects;
mod follow;
mod hooks;
mod output;
mod replay;
mod vault;
mod viewers;

pub use clock::Clock;
pub use driver::{Setup, run};
pub use replay::{Recording, play};
pub use vault::Vault;
pub use viewers::{FromViewer, attach};
