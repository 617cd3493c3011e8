//! What goes wrong in one run, drawn at random.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// What happens in one run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub faults: Vec<Fault>,
    /// Each after so many events since the last one.
    pub acts: Vec<(u64, Act)>,
}

/// A fault of the site, as its world has it.
#[derive(Clone, Debug)]
pub struct Fault {
    on: &'static str,
    node: Option<&'static str>,
    skip: u64,
    times: Option<u64>,
    does: Does,
}

#[derive(Clone, Debug)]
enum Does {
    Stage(&'static str),
    Fail,
    Slow(u8),
    Dies(u16),
    Throw,
}

/// What somebody does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The engine ends and another one goes on.
    Crash,
    Pause,
    Resume,
    Stop,
    /// Gives the run up.
    Abandon,
}

impl Fault {
    /// As the world of the simulator has it.
    pub fn json(&self) -> Json {
        let does = match &self.does {
            Does::Stage(what) => json!({ *what: true }),
            Does::Fail => {
                json!({ "fail": "The requested operation cannot be completed because a resource has locked status" })
            }
            Does::Slow(factor) => json!({ "slow": factor }),
            Does::Dies(after) => json!({ "dies_after": after }),
            Does::Throw => {
                json!({ "throw": "Unable to receive cluster object notifications", "id": "ClusterUpdateException,X" })
            }
        };
        json!({ "on": self.on, "machine": self.node, "skip": self.skip, "times": self.times, "do": does })
    }
}

/// Any of them.
pub fn any() -> impl Strategy<Value = Plan> {
    let faults = proptest::collection::vec(fault(), 0..4);
    let act = prop_oneof![3 => Just(Act::Crash), 2 => Just(Act::Pause), 3 => Just(Act::Resume), 1 => Just(Act::Stop), 1 => Just(Act::Abandon)];
    let acts = proptest::collection::vec((1..60_u64, act), 0..5);
    (faults, acts).prop_map(|(faults, acts)| Plan { faults, acts })
}

fn node() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("HCI-N1")), Just(Some("HCI-N2"))]
}

fn fault() -> impl Strategy<Value = Fault> {
    let stage = (
        proptest::sample::select(vec!["scan", "stage", "drain", "install", "reboot", "resume", "resync"]),
        prop_oneof![Just(Does::Fail), Just(Does::Stage("hang")), (2..6_u8).prop_map(Does::Slow)],
    );
    let reboot = proptest::sample::select(vec![
        "never_returns",
        "old_build",
        "twice",
        "no_ssh",
        "reverts_registry",
        "refs_offline",
        "adapter_renamed",
    ])
    .prop_map(|what| ("reboot", Does::Stage(what)));
    let gone = (1..900_u16).prop_map(|after| ("orchestrator", Does::Dies(after)));
    let read =
        proptest::sample::select(vec!["Get-CauRun", "Get-ClusterNode", "Get-StorageJob", "Get-VirtualDisk"])
            .prop_map(|on| (on, Does::Throw));
    let what = prop_oneof![3 => stage, 3 => reboot, 1 => gone, 1 => read];
    let times = prop_oneof![4 => Just(Some(1)), 1 => Just(Some(3)), 1 => Just(None)];
    (what, node(), 0..3_u64, times).prop_map(|((on, does), node, skip, times)| {
        // A read that fails does so after the checks and for a while, not for ever.
        let read = on.starts_with("Get-");
        let skip = if read { 20 + skip * 30 } else { skip / 2 };
        let times = if read { Some(6) } else { times };
        let node = node.filter(|_| !read && on != "orchestrator" && on != "scan");
        Fault { on, node, skip, times, does }
    })
}
