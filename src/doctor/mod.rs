//! The whole way to a machine, step by step: does it work, how long does it take, and what to do where it does not.
//!
//! `examine` walks it, `judge` says what each finding means, `page` and `report` show it to people and to programs. Nothing on
//! a machine is changed, but for the one step that a person asks for.

mod bench;
mod examine;
pub mod judge;
mod page;
mod report;
mod step;
mod through;

pub use examine::{Subject, Task, examine};
pub use page::{Line, Paint, Signs, block};
pub use report::{Report, Tally};
pub use step::{Examination, Finding, Outcome, Step, StepId};
pub use through::Through;
