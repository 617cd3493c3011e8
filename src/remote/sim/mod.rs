//! Imitated machines: a whole site in one value, moved by time, that answers the same scripts with the same records as real
//! machines do. What happens there is a port of the lab's rules (`tests/lab/Lab`); what a script answers is data beside it.

mod advance;
mod answer;
mod clock;
mod cmdlets;
mod exchange;
mod facts;
mod fault;
mod host;
mod offer;
mod operation;
mod remoting;
mod restart;
mod roles;
mod run;
mod run_node;
mod self_updating;
mod setup;
mod setup_log;
mod site;
mod storage;
mod world;

pub use answer::Answers;
pub use exchange::{Call, Ended, NO_ANSWER, Opening, Thrown, close, open};
pub use facts::{Logon, Place, VARIABLES};
pub use host::SimHost;
pub use site::{Clock, Site};
pub use world::World;
