//! Small things that panes and overlays are made of.

pub mod buttons;
pub mod doc;
pub mod field;
pub mod frame;
pub mod gauge;
pub mod row;
pub mod text;
