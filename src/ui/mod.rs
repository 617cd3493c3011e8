//! The screen. A pure function: messages and keys change the [`Model`], [`draw`] turns it into cells. No clock, no files, no
//! terminal; what it wants from the outside it says as [`Ask`].
//!
//! ```text
//!   Msg ──► Model::update ──► Ask          80×24, before the start            while a run is on
//!             │                            ┌ header ─────────────────────┐    ┌ header ─────────────────────┐
//!             ▼                            │ Nodes     │ Checks          │    │ Progress                    │
//!           Model ──► draw ──► Buffer      │           │                 │    ├───────────┬─────────────────┤
//!             ▲                            │           │                 │    │ Nodes     │ Checks          │
//!             │                            ├───────────┴─────────────────┤    ├───────────┴─────────────────┤
//!   Theme, Rect, Keymap                    │ Log                         │    │ Log                         │
//!                                          └ advice, keys ───────────────┘    └ advice, keys ───────────────┘
//! ```
//!
//! While checks are looked at as a matrix they have the place of Nodes too: the nodes are its columns.

mod act;
mod advice;
mod checklist;
mod checks;
mod derived;
mod draw;
mod footer;
mod header;
mod keys;
mod layout;
mod logs;
mod model;
mod msg;
mod offers;
mod outside;
mod overlays;
mod panes;
mod select;
mod signs;
mod survive;
mod time;
mod update;
mod widgets;

pub use draw::draw;
pub use layout::Pane;
pub use model::Model;
pub use msg::{Ask, Hello, Msg};
pub use outside::{Outside, Share};
