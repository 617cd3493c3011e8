//! What an engine and its viewers say to each other: serialised messages, one JSON object a line, over whatever carries
//! bytes. In one process too, so that a viewer never sees more than what travels.

mod message;
pub mod socket;
mod wire;

pub use message::{FromEngine, Hello, PROTOCOL, ToEngine};
pub use wire::{LONGEST, LONGEST_ASKED, Reader, Stream, WireError, Writer, pair};
