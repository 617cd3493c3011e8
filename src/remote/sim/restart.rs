//! A machine goes away and comes back: with what a restart changes on it.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::world::{EventKind, Fields, World, guid, later, stored};

const FILE_SYSTEM: &str = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem";
const CLUSTER_SERVICE: &str = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\ClusSvc\\Parameters";
const CURRENT_VERSION: &str = "HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion";

const STARTED: EventKind =
    EventKind { log: "System", id: 12, level: 4, provider: "Microsoft-Windows-Kernel-General" };
const LOG_STARTED: EventKind = EventKind { log: "System", id: 6005, level: 4, provider: "EventLog" };

const PLANNED: EventKind = EventKind { log: "System", id: 1074, level: 4, provider: "User32" };

impl World {
    /// `shutdown /r /t`: the machine restarts after so many seconds. Into the firmware: whoever stands there switches Secure Boot on.
    pub fn schedule_restart(&mut self, machine: &str, at: Timestamp, seconds: f64, comment: &str, firmware: bool) {
        let due = stored(later(at, seconds));
        let planned = json!({
            "id": 1, "kind": "r", "at": stored(at), "comment": comment, "due": due, "firmware": firmware,
        });
        self.machine_mut(machine).put("shutdown", planned);
        let message = format!(
            "The process shutdown.exe has initiated the restart of computer {machine}\r\n Comment: {comment}"
        );
        self.note(machine, &PLANNED, &message, at);
    }

    /// The time of a planned restart has come.
    pub(super) fn restart_due(&mut self, machine: &str, at: Timestamp) {
        let planned = self.machine(machine).get("shutdown").cloned().unwrap_or(Json::Null);
        let m = self.machine_mut(machine);
        m.put("shutdown", Json::Null);
        if planned.truth("firmware") && m.get("secure_boot").is_some_and(Json::is_boolean) && !m.truth("stays_off")
        {
            m.put("secure_boot", true);
        }
        let seconds = self.commit_setup(machine);
        self.start_restart(machine, at, seconds);
    }

    /// When a planned restart is due.
    pub(super) fn planned_restart(&self, machine: &str) -> Option<Timestamp> {
        self.machine(machine).get("shutdown")?.time("due")
    }

    /// A machine restarts now and is away for some seconds; for ever where they are infinite.
    pub fn start_restart(&mut self, machine: &str, at: Timestamp, seconds: Option<f64>) {
        let seconds = seconds.unwrap_or_else(|| self.timing(machine, "reboot"));
        let until = seconds.is_finite().then(|| stored(later(at, seconds)));
        self.machine_mut(machine).put("uptime_until", until.map_or(Json::Null, Json::from));
        self.power_off(machine, at);
    }

    /// The host goes away: its node is Down, its roles fail over.
    pub(super) fn power_off(&mut self, machine: &str, at: Timestamp) {
        let m = self.machine_mut(machine);
        m.put("powered", false);
        m.put("reachable", false);
        let driver = self.run().get("orchestrator").cloned().unwrap_or(Json::Null);
        let drives = driver.text("machine").is_some_and(|d| d.eq_ignore_ascii_case(machine));
        let in_role = driver.text("mode") == Some("role");
        if drives && !driver.truth("died") && !in_role {
            self.run_mut().slot("orchestrator").put("died", stored(at));
        }
        if !self.is_node(machine) {
            self.machine_mut(machine).put("state", "Down");
            return;
        }
        let m = self.machine_mut(machine);
        if m.text("state") == Some("Paused") {
            m.put("paused", true);
        }
        if m.truth("drain_until") {
            m.put("drain_until", Json::Null);
        }
        m.put("state", "Down");
        let moved = self.move_roles_from(machine);
        let m = self.machine_mut(machine);
        if !moved.is_empty() && !m.truth("failback") {
            m.put("failback", json!(moved));
        }
        if drives
            && in_role
            && let Some(to) = self.target_for(machine)
        {
            self.run_mut().slot("orchestrator").put("machine", to);
        }
    }

    /// The machine is back.
    pub(super) fn complete_restart(&mut self, machine: &str, at: Timestamp) {
        let time = stored(at);
        let m = self.machine_mut(machine);
        m.put("uptime_until", Json::Null);
        m.put("powered", true);
        let no_ssh = m.truth("no_ssh");
        m.put("reachable", !no_ssh);
        let boot = m.slot("boot");
        boot.put("time", time.as_str());
        boot.put("id", guid(&format!("boot|{machine}|{time}")));
        let started = format!("The operating system started at system time {time}.");
        self.note(machine, &STARTED, &started, at);
        self.note(machine, &LOG_STARTED, "The Event log service was started.", at);
        let m = self.machine_mut(machine);
        m.put("reboot_pending", json!({"cbs": false, "wu": false, "rename": false}));
        let after = m.get("after_boot").filter(|a| a.is_object()).cloned();
        if let Some(after) = after
            && self.apply_restart(machine, &after, at)
        {
            return;
        }
        if !self.is_node(machine) {
            self.machine_mut(machine).put("state", "Up");
            return;
        }
        let m = self.machine_mut(machine);
        let paused = m.truth("paused");
        let service = m.get_mut("services").and_then(|s| s.get_mut("ClusSvc"));
        let disabled = service.as_ref().is_some_and(|s| s.text("start") == Some("Disabled"));
        if let Some(service) = service {
            service.put("status", if disabled { "Stopped" } else { "Running" });
        }
        m.put(
            "state",
            if disabled {
                "Down"
            } else if paused {
                "Paused"
            } else {
                "Up"
            },
        );
        self.start_resync(machine, at);
        if self.node_state(machine) == "Up" && self.machine(machine).truth("failback") {
            self.resume_node(machine, "Policy");
        }
    }

    /// What a restart brings; true where another restart follows at once.
    fn apply_restart(&mut self, machine: &str, after: &Json, at: Timestamp) -> bool {
        if let Some(os) = after.get("os").filter(|o| o.is_object()) {
            let ubr = os.number("ubr").map(|u| u as u64);
            self.set_build(machine, os.number("build"), ubr, os.text("display_version"), Some(at));
        }
        let time = stored(at);
        for file in after.list("files").iter().filter_map(|f| f.as_str()) {
            let files = self.machine_mut(machine).slot("files");
            files.put(file, json!({"size": 4096, "time": time}));
        }
        if after.truth("reverts_registry") {
            self.remove_registry_value(machine, FILE_SYSTEM, "RefsEnableMetadataValidation");
        }
        if after.truth("refs_offline") {
            self.each_csv(|c| {
                c.put("state", "Failed");
                c.put("refs_offline", machine);
            });
        }
        if after.truth("adapter_renamed") {
            rename_adapter(self.machine_mut(machine));
        }
        if after.truth("adapter_numbered") {
            let excluded = self.registry_value(machine, CLUSTER_SERVICE, "ExcludeAdaptersByDescription").cloned();
            if number_adapter(self.machine_mut(machine), excluded.as_ref().and_then(Json::as_str)) {
                self.partition_network();
            }
        }
        let m = self.machine_mut(machine);
        if after.truth("no_ssh") {
            // Windows Setup runs what it was given at its end: that brings the server back.
            let repaired = after.truth("hooks") && !after.truth("no_repair");
            m.put("no_ssh", !repaired);
            m.put("reachable", repaired);
        }
        if after.truth("hooks") {
            m.slot("ssh").put("put_right", !after.truth("no_repair"));
        }
        m.put("after_boot", Json::Null);
        let Some(again) = after.number("again").filter(|s| *s > 0.0) else {
            return false;
        };
        m.put("uptime_until", stored(later(at, again)));
        m.put("powered", false);
        m.put("reachable", false);
        true
    }

    /// The operating system of a machine is now this one.
    pub(super) fn set_build(
        &mut self,
        machine: &str,
        build: Option<f64>,
        ubr: Option<u64>,
        version: Option<&str>,
        at: Option<Timestamp>,
    ) {
        let build = build.map(|b| b as u64);
        let m = self.machine_mut(machine);
        let os = m.slot("os");
        if let Some(build) = build {
            let as_text = os.get("build").is_some_and(Json::is_string);
            os.put("build", if as_text { Json::from(build.to_string()) } else { Json::from(build) });
        }
        if let Some(ubr) = ubr {
            os.put("ubr", ubr);
        }
        if let Some(version) = version {
            os.put("display_version", version);
        }
        if let Some(at) = at {
            os.put("install_date", stored(at));
        }
        let Some(key) = m.get_mut("registry").and_then(|r| r.get_mut(CURRENT_VERSION)) else { return };
        let values = [
            ("CurrentBuildNumber", build.map(|b| Json::from(b.to_string()))),
            ("CurrentBuild", build.map(|b| Json::from(b.to_string()))),
            ("UBR", ubr.map(Json::from)),
            ("DisplayVersion", version.map(Json::from)),
        ];
        for (name, value) in values {
            if let (Some(value), Some(entry)) = (value, key.get_mut(name)) {
                entry.put("value", value);
            }
        }
    }

    /// A stored registry value, whatever the case of key and name.
    pub(super) fn registry_value(&self, machine: &str, key: &str, name: &str) -> Option<&Json> {
        let keys = self.machine(machine).get("registry")?.as_object()?;
        let values = keys.iter().find(|(k, _)| k.eq_ignore_ascii_case(key))?.1.as_object()?;
        values.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?.1.get("value")
    }

    /// The cluster takes an adapter for its own that only one node has there.
    fn partition_network(&mut self) {
        let row = json!({"name": "Cluster Network 1", "state": "Partitioned", "role": "Cluster", "metric": 40000, "address": "169.254.0.0"});
        if let Some(Json::Array(networks)) = self.json_mut().get_mut("cluster").and_then(|c| c.get_mut("networks"))
            && !networks.iter().any(|n| n.text("address") == Some("169.254.0.0"))
        {
            networks.push(row);
        }
    }

    fn remove_registry_value(&mut self, machine: &str, key: &str, name: &str) {
        let keys = self.machine_mut(machine).get_mut("registry").and_then(Json::as_object_mut);
        for (k, values) in keys.into_iter().flatten() {
            if let (true, Json::Object(values)) = (k.eq_ignore_ascii_case(key), values) {
                values.retain(|n, _| !n.eq_ignore_ascii_case(name));
            }
        }
    }
}

/// An upgrade was seen to number the description of an adapter that the cluster leaves out by it; true where it did.
fn number_adapter(machine: &mut Json, excluded: Option<&str>) -> bool {
    let Some(Json::Array(adapters)) = machine.get_mut("adapters") else { return false };
    let out: Vec<&str> = excluded.unwrap_or_default().split(',').map(str::trim).collect();
    for adapter in adapters {
        let Some(name) = adapter.text("description").filter(|d| out.contains(d)).map(str::to_owned) else {
            continue;
        };
        adapter.put("description", format!("{name} #2"));
        return true;
    }
    false
}

/// An upgrade was seen to rename the adapter of a network intent.
fn rename_adapter(machine: &mut Json) {
    let Some(Json::Array(adapters)) = machine.get_mut("adapters") else { return };
    let intent = |a: &Json| {
        let name = a.text("name")?.strip_prefix("vManagement(")?.strip_suffix(')')?;
        Some(format!("vEthernet (ConvergedSwitch({name}))"))
    };
    if let Some((adapter, name)) = adapters.iter_mut().find_map(|a| intent(a).map(|n| (a, n))) {
        adapter.put("name", name);
    } else if let Some(first) = adapters.iter_mut().find(|a| a.is_object()) {
        let name = format!("{} 2", first.text("name").unwrap_or_default());
        first.put("name", name);
    }
}
