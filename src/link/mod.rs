//! What an engine and its viewers say to each other: serialised messages, one JSON object a line, over whatever carries
//! bytes. In one process too, so that a viewer never sees more than what travels.

mod message;
mod wire;

pub use message::{FromEngine, Hello, PROTOCOL, Role, ToEngine};
pub use wire::{LONGEST, Reader, WireError, Writer, pair};
