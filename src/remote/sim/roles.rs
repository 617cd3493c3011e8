//! Groups, volumes and their owners; pausing, draining and resuming a node.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::fault::StageFault;
use super::world::{EventKind, Fields, World, later, stored};

/// Build before which guests with dynamic memory need the registry value to leave a node.
const LEAVES_FREELY: f64 = 25398.0;

const DRAIN_FAILED: EventKind =
    EventKind { log: "System", id: 1254, level: 2, provider: "Microsoft-Windows-FailoverClustering" };

/// Where that value stands.
pub const VID: &str = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\Vid\\Parameters";

impl World {
    /// Groups of the cluster.
    pub(super) fn groups(&self) -> Vec<&Json> {
        self.top("cluster").list("groups")
    }

    /// Changes every group.
    pub(super) fn each_group(&mut self, mut change: impl FnMut(&mut Json)) {
        if let Some(Json::Array(groups)) = self.top_mut("cluster").get_mut("groups") {
            groups.iter_mut().filter(|g| g.is_object()).for_each(&mut change);
        }
    }

    /// Changes every virtual machine.
    pub(super) fn each_vm(&mut self, mut change: impl FnMut(&mut Json)) {
        if let Json::Array(vms) = self.top_mut("vms") {
            vms.iter_mut().filter(|v| v.is_object()).for_each(&mut change);
        }
    }

    /// Changes every cluster shared volume.
    pub(super) fn each_csv(&mut self, mut change: impl FnMut(&mut Json)) {
        if let Some(Json::Array(csvs)) = self.top_mut("cluster").get_mut("csvs") {
            csvs.iter_mut().filter(|c| c.is_object()).for_each(&mut change);
        }
    }

    /// State of a node as stored; `Up` where none is.
    pub(super) fn node_state(&self, key: &str) -> &str {
        self.machine(key).text("state").unwrap_or("Up")
    }

    /// The node that is Up and has the fewest groups, other than this one.
    pub(super) fn target_for(&self, except: &str) -> Option<String> {
        let owned = |n: &str| self.groups().iter().filter(|g| g.text("owner") == Some(n)).count();
        self.nodes().into_iter().filter(|n| n != except && self.node_state(n) == "Up").min_by_key(|n| owned(n))
    }

    /// New owner of a group and of its virtual machine.
    pub(super) fn move_group(&mut self, group: &str, to: &str) {
        self.each_group(|g| {
            if g.text("name") == Some(group) {
                g.put("owner", to);
            }
        });
        self.each_vm(|v| {
            if v.get("clustered") != Some(&Json::Bool(false)) && v.text("name") == Some(group) {
                v.put("owner", to);
            }
        });
    }

    /// Groups and volumes leave a node; gives the names of the groups that moved.
    pub(super) fn move_roles_from(&mut self, node: &str) -> Vec<String> {
        let owned = |rows: Vec<&Json>| -> Vec<String> {
            let mine = rows.into_iter().filter(|r| r.text("owner") == Some(node));
            mine.filter_map(|r| r.text("name").map(str::to_owned)).collect()
        };
        let mut moved = Vec::new();
        for group in owned(self.groups()) {
            match self.target_for(node) {
                Some(to) => {
                    self.move_group(&group, &to);
                    moved.push(group);
                }
                None => {
                    self.each_group(|g| {
                        if g.text("name") == Some(&group) {
                            g.put("state", "Offline");
                        }
                    });
                    self.each_vm(|v| {
                        if v.text("name") == Some(&group) && v.text("state") == Some("Running") {
                            v.put("state", "Off");
                        }
                    });
                }
            }
        }
        for csv in owned(self.top("cluster").list("csvs")) {
            let to = self.target_for(node);
            self.each_csv(|c| {
                if c.text("name") == Some(&csv) {
                    match &to {
                        Some(to) => c.put("owner", to.as_str()),
                        None => c.put("state", "Offline"),
                    }
                }
            });
        }
        moved
    }

    /// A node starts to drain; from now on it is Paused.
    pub fn start_drain(&mut self, node: &str, at: Timestamp, force: bool, target: Option<&str>) {
        let owns = self.groups().iter().any(|g| g.text("owner") == Some(node));
        let mut seconds = self.timing(node, "drain");
        if !owns {
            seconds = seconds.min(10.0);
        }
        let fault = self.stage_fault("drain", Some(node));
        let fault = StageFault::of(fault.as_ref());
        let m = self.machine_mut(node);
        m.put("state", "Paused");
        m.put("paused", true);
        m.put("drain", "InProgress");
        m.put("drain_error", fault.fail.map_or(Json::Null, Json::from));
        m.put("drain_force", force);
        m.put("drain_target", target.map_or(Json::Null, Json::from));
        let until = (!fault.hang).then(|| stored(later(at, seconds * fault.slow)));
        m.put("drain_until", until.map_or(Json::Null, Json::from));
    }

    /// A drain has come to its end, good or bad.
    pub(super) fn complete_drain(&mut self, node: &str, at: Timestamp) {
        self.machine_mut(node).put("drain_until", Json::Null);
        let m = self.machine(node);
        let old = m.get("os").and_then(|o| o.number("build")).is_some_and(|b| b < LEAVES_FREELY);
        if m.text("drain_error").is_none() && !m.truth("drain_force") && old {
            let stuck = self.guest_that_does_not_leave(node);
            if let Some(name) = stuck {
                let why = format!("Live migration of virtual machine '{name}' did not finish in time.");
                self.machine_mut(node).put("drain_error", why);
            }
        }
        if let Some(why) = self.machine(node).text("drain_error").map(str::to_owned) {
            self.machine_mut(node).put("drain", "Failed");
            let message = format!("Draining node {node} failed. {why}");
            self.note(node, &DRAIN_FAILED, &message, at);
            return;
        }
        let moved = match self.machine(node).text("drain_target").map(str::to_owned) {
            Some(target) => {
                let mine: Vec<String> = self
                    .groups()
                    .iter()
                    .filter(|g| g.text("owner") == Some(node))
                    .filter_map(|g| g.text("name").map(str::to_owned))
                    .collect();
                mine.iter().for_each(|g| self.move_group(g, &target));
                mine
            }
            None => self.move_roles_from(node),
        };
        let m = self.machine_mut(node);
        m.put("failback", json!(moved));
        m.put("drain", "Completed");
    }

    /// A guest with dynamic memory hangs in live migration while the registry value is absent.
    fn guest_that_does_not_leave(&self, node: &str) -> Option<String> {
        if self.registry_value(node, VID, "SkipSmallLocalAllocations").is_some_and(|v| !v.is_null()) {
            return None;
        }
        let stays = |v: &&&Json| {
            v.text("owner") == Some(node)
                && v.text("state") == Some("Running")
                && v.truth("dynamic_memory")
                && v.get("clustered") != Some(&Json::Bool(false))
        };
        self.vms().iter().rfind(stays).and_then(|v| v.text("name").map(str::to_owned))
    }

    /// A node takes part again; `Immediate` and `Policy` bring its groups back.
    pub fn resume_node(&mut self, node: &str, failback: &str) {
        if self.node_state(node) == "Down" {
            self.machine_mut(node).put("paused", false);
            return;
        }
        let back: Vec<String> =
            self.machine(node).list("failback").iter().filter_map(|g| g.as_str().map(str::to_owned)).collect();
        let m = self.machine_mut(node);
        m.put("state", "Up");
        m.put("paused", false);
        m.put("drain", "NotInitiated");
        m.put("drain_force", false);
        for gone in ["drain_until", "drain_error", "drain_target", "failback"] {
            m.put(gone, Json::Null);
        }
        if failback == "NoFailback" {
            return;
        }
        for group in back {
            self.move_group(&group, node);
            self.each_group(|g| {
                let brought = g.text("name") == Some(&group) && g.text("state") == Some("Offline");
                if brought && g.text("type") != Some("VirtualMachine") {
                    g.put("state", "Online");
                }
            });
        }
    }

    /// The cluster service of a node starts again.
    pub fn start_node(&mut self, node: &str, at: Timestamp) {
        if self.node_state(node) != "Down" {
            return;
        }
        let m = self.machine_mut(node);
        if let Some(service) = m.get_mut("services").and_then(|s| s.get_mut("ClusSvc")) {
            service.put("status", "Running");
        }
        let paused = m.truth("paused");
        m.put("state", if paused { "Paused" } else { "Up" });
        m.put("quarantined", false);
        self.start_resync(node, at);
    }

    /// A virtual machine has another state or version from now on, and its group with it.
    pub(super) fn set_vm(&mut self, name: &str, to: &Json) {
        let mut changed = Vec::new();
        self.each_vm(|v| {
            if v.text("name") == Some(name) {
                for field in ["state", "version"] {
                    if let Some(value) = to.text(field).map(str::to_owned) {
                        v.put(field, value);
                    }
                }
                changed.push(v.clone());
            }
        });
        changed.iter().for_each(|v| self.update_vm_group(v));
    }

    /// The state of a virtual machine's group follows the machine.
    pub(super) fn update_vm_group(&mut self, vm: &Json) {
        let Some(name) = vm.text("name").map(str::to_owned) else { return };
        let running = matches!(vm.text("state"), Some("Running" | "Paused"));
        let owner = vm.text("owner").map(str::to_owned);
        self.each_group(|g| {
            if g.text("type") == Some("VirtualMachine") && g.text("name") == Some(&name) {
                g.put("state", if running { "Online" } else { "Offline" });
                if let Some(owner) = &owner {
                    g.put("owner", owner.as_str());
                }
            }
        });
    }

    /// Virtual machines of the site.
    pub(super) fn vms(&self) -> Vec<&Json> {
        match self.top("vms") {
            Json::Array(a) => a.iter().filter(|v| v.is_object()).collect(),
            _ => Vec::new(),
        }
    }
}
