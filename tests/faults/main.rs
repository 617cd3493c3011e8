//! What goes wrong while Cluster-Aware Updating drives: each fault ends in the state and in the words that a person needs. Whole runs
//! over the simulator under a virtual clock.

#[path = "../support/pump.rs"]
mod pump;

mod commit;
mod drain;
mod driver;
mod gates;
mod hooks;
mod returning;
mod start;
mod storage;
mod terms;

use nodelift::core::command::{Command, allowed};
use nodelift::core::event::VerdictKey;
use nodelift::core::name::NodeName;
use nodelift::core::run::{Phase, UnitState};
use nodelift::core::state::State;
use pump::{Pump, world};
use serde_json::{Value as Json, json};

fn once(on: &str, machine: &str, what: Json) -> Json {
    json!({"on": on, "machine": machine, "times": 1, "do": what})
}

/// A run over the ready cluster with these faults, started.
async fn started(faults: &[Json]) -> Pump {
    let mut p = Pump::new(world("ready"), |w| w["faults"] = json!(faults));
    p.start().await;
    p
}

fn at_rest(s: &State) -> bool {
    matches!(s.phase, Phase::AwaitingCommit | Phase::Paused(_)) || s.phase.is_terminal()
}

fn node(name: &str) -> NodeName {
    NodeName::new(name)
}

fn key(check: &str, name: &str) -> VerdictKey {
    VerdictKey { check: check.into(), node: Some(node(name)) }
}

fn unit(p: &Pump, name: &str) -> (UnitState, String) {
    let u = p.state().unit(&node(name)).expect("a unit");
    (u.state, u.why.clone())
}

/// Why a command would be refused now.
fn refused(p: &Pump, command: &Command) -> String {
    allowed(p.state(), command, p.now()).expect_err("a refusal").0
}
