//! The journal of a run: append-only, checksummed, chained, synced where it matters, one JSON record a line
//! (run-safety-model 7).

mod append;
mod folder;
mod read;
mod record;
mod store;

pub use append::{Durable, Journal};
pub use folder::{ClusterFolder, RunFolder, private, read_plan, sha256};
pub use read::{Ending, Reading, read};
pub use record::{Bad, LONGEST, Writer};
pub use store::{Disk, Segment, Store, suitable};
