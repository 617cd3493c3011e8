//! The terminal: what it is switched to and back from, keys that come, frames that go. Nothing here knows what is drawn.

mod escape;
mod events;
mod frame;
mod guard;
mod pace;
mod screen;
mod signals;

pub use escape::{Share, clipboard};
pub use events::{Input, read};
pub use guard::{Guard, restore, restore_on_panic};
pub use pace::Pace;
pub use screen::Screen;
pub use signals::{Signal, listen};
