//! What follows from a world beside what stands in it: the variables that answers see. Each is made only where it is named.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::offer::{Offer, QUALITY, ROLLING};
use super::world::{Fields, World};

/// How the shell that runs a script came to be: decides whether it may speak with other machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Logon {
    /// A login over SSH.
    #[default]
    Session,
    /// A task that runs as the machine itself.
    Service,
    /// A task with stored credentials.
    Batch,
}

/// Where a script runs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Key of the machine.
    pub machine: &'a str,
    pub now: Timestamp,
    pub logon: Logon,
}

/// Names of the variables, with what they hold (docs/runbooks.md).
pub const VARIABLES: &[(&str, &str)] = &[
    ("world", "the whole world"),
    ("machine", "the entry of this machine"),
    ("name", "its name"),
    ("role", "its role: node, coordinator, standalone"),
    ("domain", "its domain; null in a workgroup"),
    ("cluster", "the cluster of the world"),
    ("now", "site time"),
    ("timing", "seconds of every step on this machine"),
    ("elevated", "the shell has the rights of an administrator"),
    ("hop", "the shell may speak with other machines"),
    ("batch", "the shell is a task with stored credentials"),
    ("member", "the cluster service of this machine answers"),
    ("registry", "key → value name → value, with what follows from the machine"),
    ("nodes", "cluster nodes: name, state, drain, status, build, level, weight, dynamic"),
    ("groups", "cluster groups: name, type, state, owner, core"),
    ("resources", "cluster resources: name, type, group, owner, state"),
    ("jobs", "storage jobs at this time"),
    ("virtual_disks", "virtual disks with the health that follows from nodes and jobs"),
    ("pools", "storage pools"),
    ("disks", "physical disks of the cluster, then those of this machine"),
    ("units", "storage scale units"),
    ("rules", "rules of Test-CauSetup that did not pass"),
    ("offers", "for every node: what the rolling upgrade plug-in offers from Windows Update"),
    (
        "further_offers",
        "a row an update that Windows Update offers a node beside the upgrade, or with the error of a node",
    ),
    ("events", "events of this machine, oldest first"),
    ("run", "the live Updating Run, or null"),
    ("report", "the last report, or null"),
];

impl World {
    /// A variable of that name; nothing where there is none.
    pub(super) fn variable(&self, name: &str, place: Place) -> Option<Cow<'_, Json>> {
        let m = self.machine(place.machine);
        let stored = match name {
            "world" => Some(self.json()),
            "machine" => Some(m),
            "role" => Some(m.get("role").unwrap_or(&Json::Null)),
            "domain" => Some(m.get("domain").unwrap_or(self.top("domain"))),
            "cluster" => Some(self.top("cluster")),
            "run" => Some(self.run()),
            _ => None,
        };
        if let Some(stored) = stored {
            return Some(Cow::Borrowed(stored));
        }
        Some(Cow::Owned(match name {
            "name" => json!(place.machine),
            "now" => json!(format!("{:.7}", place.now)),
            "timing" => self.timings(place.machine),
            "elevated" => json!(place.logon != Logon::Session || m.get("elevated") != Some(&Json::Bool(false))),
            "hop" => json!(place.logon == Logon::Batch || m.get("second_hop") == Some(&Json::Bool(true))),
            "batch" => json!(place.logon == Logon::Batch),
            "member" => json!(self.is_member(place.machine)),
            "registry" => self.registry(place.machine),
            "nodes" => self.nodes().iter().map(|n| self.node_row(n)).collect(),
            "groups" => self.groups().into_iter().map(group_row).collect(),
            "resources" => self.resources().into(),
            "jobs" => self.storage_rows(place, |w| w.jobs_at(place.now)),
            "virtual_disks" => self.storage_rows(place, World::virtual_disks),
            "pools" => self.storage_rows(place, World::pools),
            "disks" => self.disks(place.machine).into(),
            "units" => self.storage_rows(place, World::units),
            "rules" => self.rules().into(),
            "offers" => self.offers(),
            "further_offers" => self.further_offers(),
            "events" => self.events(place.machine).into(),
            "report" => self.last_report(),
            _ => return None,
        }))
    }

    /// The cluster service of this machine answers.
    fn is_member(&self, machine: &str) -> bool {
        self.is_node(machine) && self.top("cluster").is_object() && self.node_state(machine) != "Down"
    }

    /// Storage of the cluster is seen from its members only; elsewhere there is nothing, and no error.
    fn storage_rows(&self, place: Place, rows: impl Fn(&World) -> Vec<Json>) -> Json {
        let seen = self.is_member(place.machine) && self.top("storage").is_object();
        Json::Array(if seen { rows(self) } else { Vec::new() })
    }

    fn node_row(&self, name: &str) -> Json {
        let m = self.machine(name);
        let state = self.node_state(name);
        let drain = if state == "Down" { "NotInitiated" } else { m.text("drain").unwrap_or("NotInitiated") };
        let mut status = Vec::new();
        if m.truth("isolated") {
            status.push("Isolated");
        }
        if m.truth("quarantined") {
            status.push("Quarantined");
        }
        match drain {
            "InProgress" => status.push("DrainInProgress"),
            "Completed" => status.push("DrainCompleted"),
            "Failed" => status.push("DrainFailed"),
            _ => {}
        }
        let status = if status.is_empty() { "Normal".to_owned() } else { status.join(", ") };
        let build = m.get("os").and_then(|o| o.number("build")).unwrap_or(0.0) as u64;
        json!({
            "name": name, "state": state, "drain": drain, "status": status, "build": build,
            "level": if build >= 25398 { 12 } else { 11 }, "weight": 1, "dynamic": u8::from(state != "Down"),
        })
    }

    /// Resources follow from groups, volumes and the quorum.
    fn resources(&self) -> Vec<Json> {
        let cluster = self.top("cluster");
        let row = |name: &str, kind: &str, group: Option<&str>, owner: Option<&str>, state: &str| json!({"name": name, "type": kind, "group": group, "owner": owner, "state": state});
        let mut out = Vec::new();
        let core = self.groups().into_iter().find(|g| g.text("type") == Some("Cluster"));
        let owner = core.and_then(|c| c.text("owner"));
        if let Some(group) = core.and_then(|c| c.text("name")) {
            out.push(row("Cluster IP Address", "IP Address", Some(group), owner, "Online"));
            out.push(row("Cluster Name", "Network Name", Some(group), owner, "Online"));
            if let Some(quorum) = cluster.get("quorum").filter(|q| q.text("resource").is_some()) {
                let kind = match quorum.text("type") {
                    Some("NodeAndFileShareMajority") => "File Share Witness",
                    Some("NodeAndCloudMajority") => "Cloud Witness",
                    _ => "Physical Disk",
                };
                let state = quorum.text("state").unwrap_or("Online");
                out.push(row(quorum.text("resource").unwrap_or_default(), kind, Some(group), owner, state));
            }
        }
        if self.top("storage").truth("pool") {
            out.push(row("Cluster Pool 1", "Storage Pool", Some("Cluster Pool Group"), owner, "Online"));
        }
        for v in cluster.list("csvs") {
            let state = v.text("state").unwrap_or("Unknown");
            let name = v.text("name").unwrap_or_default();
            out.push(row(name, "Physical Disk", Some("Cluster Shared Volume"), v.text("owner"), state));
        }
        let role = self.top("cau").get("role").and_then(|r| r.text("group"));
        for g in self.groups() {
            let kind = g.text("type").unwrap_or_default();
            if matches!(kind, "Cluster" | "AvailableStorage") {
                continue;
            }
            let name = g.text("name").unwrap_or_default();
            let state = match g.text("state") {
                Some("PartialOnline") => "Online",
                Some("Pending") => "OnlinePending",
                other => other.unwrap_or("Unknown"),
            };
            let owner = g.text("owner");
            if kind == "VirtualMachine" {
                let config = format!("Virtual Machine Configuration {name}");
                out.push(row(&format!("Virtual Machine {name}"), "Virtual Machine", Some(name), owner, state));
                out.push(row(&config, "Virtual Machine Configuration", Some(name), owner, "Online"));
            } else if role == Some(name) {
                let resource = format!("{name}Resource");
                out.push(row(&resource, "ClusterAwareUpdatingResource", Some(name), owner, state));
            } else {
                out.push(row(name, "Generic Service", Some(name), owner, state));
            }
        }
        for r in cluster.list("resources") {
            let state = r.text("state").unwrap_or("Unknown");
            let name = r.text("name").unwrap_or_default();
            out.push(row(name, r.text("type").unwrap_or_default(), r.text("group"), r.text("owner"), state));
        }
        out
    }

    fn virtual_disks(&self) -> Vec<Json> {
        let disks = self.top("storage").list("virtual_disks");
        disks
            .into_iter()
            .map(|d| {
                let (health, operational) = self.disk_state(d);
                let detached = if operational == "Detached" { "Majority Disks Unhealthy" } else { "None" };
                json!({
                    "name": d.get("name"), "health": health, "operational": [operational], "detached": detached,
                })
            })
            .collect()
    }

    fn pools(&self) -> Vec<Json> {
        let Some(p) = self.top("storage").get("pool").filter(|p| p.is_object()) else {
            return Vec::new();
        };
        let down = self.nodes().iter().any(|n| self.node_state(n) == "Down");
        let shown = |field: &str, well: &str, ill: &str| match p.text(field) {
            Some(stored) if stored != well => stored.to_owned(),
            _ if down => ill.to_owned(),
            _ => well.to_owned(),
        };
        vec![json!({
            "name": p.get("name"), "health": shown("health", "Healthy", "Warning"),
            "operational": [shown("operational", "OK", "Degraded")], "read_only": p.truth("read_only"),
            "version": p.text("version").unwrap_or_default(), "size": p.get("size"), "allocated": p.get("allocated"),
        })]
    }

    fn disks(&self, machine: &str) -> Vec<Json> {
        let mut out = Vec::new();
        if self.is_member(machine) {
            for d in self.top("storage").list("physical_disks") {
                let node = d.text("node").unwrap_or_default();
                let serial = d.text("serial").unwrap_or_default();
                let (mut health, mut operational) =
                    (d.text("health").unwrap_or("Healthy"), vec![d.text("operational").unwrap_or("OK")]);
                if self.node_state(node) == "Down" {
                    (health, operational) = ("Warning", vec!["Lost Communication"]);
                } else if self.in_maintenance(node) || self.in_maintenance(serial) {
                    (health, operational) = ("Warning", vec!["In Maintenance Mode", "OK"]);
                }
                out.push(json!({
                    "name": d.get("name"), "serial": serial, "health": health, "operational": operational,
                    "usage": d.get("usage"),
                }));
            }
        }
        for d in self.machine(machine).list("disks") {
            out.push(json!({
                "name": d.get("name"), "serial": d.get("serial"), "health": "Healthy", "operational": ["OK"],
                "usage": "Auto-Select",
            }));
        }
        out
    }

    fn units(&self) -> Vec<Json> {
        self.nodes()
            .iter()
            .map(|n| {
                let (health, operational) = if self.node_state(n) == "Down" {
                    ("Warning", vec!["Lost Communication"])
                } else if self.in_maintenance(n) {
                    ("Warning", vec!["In Maintenance Mode", "OK"])
                } else {
                    ("Healthy", vec!["OK"])
                };
                json!({"name": n, "health": health, "operational": operational})
            })
            .collect()
    }

    fn in_maintenance(&self, what: &str) -> bool {
        let resting = self.top("storage").list("fault_domains_in_maintenance");
        !what.is_empty() && resting.iter().any(|r| r.as_str().is_some_and(|r| r.eq_ignore_ascii_case(what)))
    }

    /// Rules of Test-CauSetup that did not pass; some follow from the machines, whatever is stored.
    fn rules(&self) -> Vec<Json> {
        let nodes = self.nodes();
        let mut out = Vec::new();
        for r in self.top("cau").list("setup_rules") {
            let id = r.number("id").unwrap_or(0.0) as u64;
            let mut state = r.text("state").unwrap_or("Succeeded").to_owned();
            let mut severity = r.text("severity").unwrap_or("Info").to_owned();
            let mut machines: Vec<Json> = r.list("failed_machines").into_iter().cloned().collect();
            let named = |names: Vec<&String>| names.into_iter().map(|n| json!(n)).collect::<Vec<_>>();
            if matches!(id, 11 | 12) && state == "Succeeded" && !self.top("cau").truth("role") {
                (state, severity) = ("Failed".into(), "Warning".into());
            }
            if id == 9 {
                let off = nodes.iter().filter(|n| {
                    let rules = self.machine(n).get("firewall_rules");
                    let rule = rules.and_then(|f| f.get("Wininit-Shutdown-In-Rule-TCP-RPC"));
                    rule.is_some_and(|r| r.get("enabled") == Some(&Json::Bool(false)))
                });
                let off = named(off.collect());
                if !off.is_empty() {
                    (state, severity, machines) = ("Failed".into(), "Error".into(), off);
                } else if state == "Failed" {
                    (state, severity, machines) = ("Succeeded".into(), "Info".into(), Vec::new());
                }
            }
            if id == 1 {
                let down = named(nodes.iter().filter(|n| self.node_state(n) == "Down").collect());
                if !down.is_empty() {
                    (state, severity, machines) = ("Failed".into(), "Error".into(), down);
                }
            }
            if state != "Succeeded" && state != "Started" {
                out.push(json!({
                    "id": id, "title": r.get("title"), "state": state, "severity": severity, "machines": machines,
                }));
            }
        }
        out
    }

    /// A row an update that Windows Update offers a node beside the upgrade; one with the error where a node cannot be asked.
    fn further_offers(&self) -> Json {
        let mut rows = Vec::new();
        for node in self.nodes() {
            let offer = match self.node_state(&node) {
                "Down" => Offer {
                    error: Some("(CimException) The WinRM client cannot complete the operation.".into()),
                    ..Offer::default()
                },
                _ => self.offer(&node, QUALITY, &json!({})),
            };
            let row = |id, title, error| json!({"node": node, "id": id, "title": title, "error": error});
            rows.extend(offer.updates.iter().map(|u| row(u.get("id").cloned(), u.get("title").cloned(), None)));
            rows.extend(offer.error.map(|e| row(None, None, Some(e))));
        }
        rows.into()
    }

    fn offers(&self) -> Json {
        let arguments = json!({"WuConnected": "true"});
        self.nodes()
            .iter()
            .map(|n| {
                if self.node_state(n) == "Down" {
                    let error = "(CimException) The WinRM client cannot complete the operation within the time specified. \
                                 Check if the machine name is valid and is reachable over the network and firewall \
                                 exception for Windows Remote Management service is enabled.";
                    return json!({"node": n, "updates": [], "error": error});
                }
                let offer = self.offer(n, ROLLING, &arguments);
                let updates: Vec<Json> = offer
                    .updates
                    .iter()
                    .map(|u| json!({"id": u.get("id"), "title": u.get("title")}))
                    .collect();
                json!({"node": n, "updates": updates, "error": offer.error})
            })
            .collect()
    }

    fn events(&self, machine: &str) -> Vec<Json> {
        let mut events: Vec<Json> = self.machine(machine).list("events").into_iter().cloned().collect();
        events.sort_by_key(|e| (e.time("time"), e.number("record").unwrap_or(0.0) as u64));
        events
    }

    fn last_report(&self) -> Json {
        let history = self.top("cau").list("history");
        history.into_iter().max_by_key(|r| r.time("started")).cloned().unwrap_or(Json::Null)
    }

    /// Keys and values of a machine's registry: what follows from its facts, overlaid with what is stored.
    fn registry(&self, machine: &str) -> Json {
        let m = self.machine(machine);
        let os = m.get("os").unwrap_or(&Json::Null);
        let as_text = |v: Option<&Json>| match v {
            Some(Json::String(s)) => json!(s),
            Some(Json::Null) | None => Json::Null,
            Some(other) => json!(other.to_string()),
        };
        let mut keys: Map<String, Json> = Map::new();
        let mut current = json!({
            "CurrentBuild": as_text(os.get("build")), "CurrentBuildNumber": as_text(os.get("build")),
            "UBR": os.number("ubr").unwrap_or(0.0) as u64, "ProductName": os.get("caption"),
            "EditionID": os.text("edition").unwrap_or("ServerDatacenter"),
        });
        if let Some(version) = os.text("display_version") {
            current.put("DisplayVersion", version);
        }
        keys.insert("HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion".into(), current);
        let session = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager";
        let pending = m.get("reboot_pending").unwrap_or(&Json::Null);
        let renames = if pending.truth("rename") {
            json!({"PendingFileRenameOperations": ["\\??\\C:\\Windows\\Temp\\lab.tmp", ""]})
        } else {
            json!({})
        };
        keys.insert(session.into(), renames);
        if let Some(id) = m.get("boot").and_then(|b| b.get("id")).and_then(super::world::as_number) {
            let prefetch = format!("{session}\\Memory Management\\PrefetchParameters");
            keys.insert(prefetch, json!({"BootId": id as i64}));
        }
        let windows = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion";
        for (field, key) in [
            ("cbs", "Component Based Servicing\\RebootPending"),
            ("wu", "WindowsUpdate\\Auto Update\\RebootRequired"),
        ] {
            if pending.truth(field) {
                keys.insert(format!("{windows}\\{key}"), json!({}));
            }
        }
        if let Some(Json::Bool(on)) = m.get("secure_boot") {
            let state = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\SecureBoot\\State";
            keys.insert(state.into(), json!({"UEFISecureBootEnabled": u8::from(*on)}));
        }
        for (key, values) in m.get("registry").map(Fields::members).unwrap_or_default() {
            let slot = keys.entry(key).or_insert_with(|| json!({}));
            for (name, entry) in values.members() {
                slot.put(&name, entry.get("value").cloned().unwrap_or(Json::Null));
            }
        }
        Json::Object(keys)
    }
}

fn group_row(group: &Json) -> Json {
    let kind = group.text("type").unwrap_or("Unknown");
    let core = matches!(kind, "Cluster" | "AvailableStorage");
    json!({
        "name": group.get("name"), "type": kind, "state": group.get("state"), "owner": group.get("owner"), "core": core,
    })
}
