//! The four panes, and what the steps of a run look like.

pub mod checks;
mod foot;
pub mod logs;
pub mod nodes;
pub mod plan;
pub mod progress;
pub mod rolling;
pub mod steps;
pub mod track;
