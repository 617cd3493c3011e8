//! The local socket of an engine: for its own login and administrators (run-safety-model 1). A Unix socket in the folder of the run,
//! or a named pipe that is called after that folder.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{Caller, Listener, connect, is_live};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Caller, Listener, connect, is_live};
