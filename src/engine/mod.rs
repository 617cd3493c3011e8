//! The engine: takes what people and machines say, lets `core` decide, writes down, and carries out.

mod clock;
mod driver;
mod effects;
mod follow;
mod hooks;
mod outbox;
mod output;
mod peer;
mod replay;
mod serve;
mod vault;
mod viewers;

pub use clock::Clock;
pub use driver::{Setup, run};
pub use peer::Peer;
pub use replay::{Recording, play};
pub use serve::serve;
pub use vault::Vault;
pub use viewers::{FromViewer, attach};
