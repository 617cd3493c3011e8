//! What scripts answer about nodes, storage and a run under way: the shapes a runbook's scripts must give, whatever
//! product they read it from. Unknown fields are ignored; a missing field means the answer could not be read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::NodeName;

/// The cluster's view of its nodes: `{ nodes: [...] }` (azure-local-upgrade 4.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    pub nodes: Vec<ClusterNode>,
}

/// One node as the cluster sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterNode {
    pub name: NodeName,
    /// `Up`, `Down`, `Paused`, `Joining`, or what else Windows says.
    pub state: String,
    /// `NotInitiated`, `InProgress`, `Completed`, `Failed`.
    pub drain: String,
    /// `Normal`, or flags such as `DrainInProgress`.
    pub status: String,
    pub build: u64,
}

impl ClusterNode {
    /// Takes its part in the cluster with nothing pending.
    pub fn is_up(&self) -> bool {
        self.state == "Up" && self.status == "Normal"
    }
}

/// A host's own view of itself (azure-local-upgrade 4.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostView {
    pub computer: NodeName,
    #[serde(deserialize_with = "number")]
    pub build: u64,
    pub ubr: Option<u64>,
    pub display_version: Option<String>,
    pub caption: String,
    /// Time of the last start, by the node's own clock.
    pub boot_utc: Timestamp,
    /// The node's clock when it answered: its skew against ours.
    pub now_utc: Timestamp,
    /// Setup has not finished yet although the system answers.
    pub windeploy: bool,
}

/// PowerShell gives the build as text, JSON as number: both are read.
fn number<'de, D: serde::Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    match serde_json::Value::deserialize(d)? {
        serde_json::Value::Number(n) => n.as_u64().ok_or_else(|| serde::de::Error::custom("not a whole number")),
        serde_json::Value::String(s) => s.trim().parse().map_err(serde::de::Error::custom),
        other => Err(serde::de::Error::custom(format!("expected a number, got {other}"))),
    }
}

/// Gate G, storage between nodes (azure-local-upgrade 4.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageView {
    /// The next node may be drained.
    pub open: bool,
    /// Repair and regeneration jobs, as text: `Repair: Running 37%`.
    pub jobs: Vec<String>,
    /// Bytes that these jobs still have to copy.
    pub bytes_left: u64,
    /// Virtual disks that are not healthy, as text.
    pub virtual_disks: Vec<String>,
    /// Storage units that are not healthy, as text.
    pub units: Vec<String>,
    pub nodes_not_up: Vec<String>,
    /// Nodes that may be lost, all copies being there, before data is: the least of all virtual disks.
    #[serde(default)]
    pub redundancy: Option<u64>,
}

/// Roles of a cluster: `{ groups: [...] }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolesView {
    pub groups: Vec<RoleView>,
}

/// One role, and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleView {
    #[serde(default)]
    pub name: String,
    #[serde(default, rename = "type")]
    pub kind: String,
    /// `Offline` ones need not be moved.
    pub state: String,
    pub owner: String,
}

impl RolesView {
    /// Roles that are still on a node.
    pub fn on(&self, node: &NodeName) -> u32 {
        self.still_on(node).count() as u32
    }

    /// The same as text: `SQL-VM1 (VirtualMachine, Online)`.
    pub fn names_on(&self, node: &NodeName) -> Vec<String> {
        self.still_on(node).map(|r| format!("{} ({}, {})", r.name, r.kind, r.state)).collect()
    }

    fn still_on(&self, node: &NodeName) -> impl Iterator<Item = &RoleView> {
        self.groups.iter().filter(move |r| r.state != "Offline" && NodeName::new(&r.owner) == *node)
    }
}

impl StorageView {
    /// Whether two views differ in more than how far a copy has come.
    pub fn same_shape(&self, other: &Self) -> bool {
        self.open == other.open
            && self.jobs.is_empty() == other.jobs.is_empty()
            && self.virtual_disks == other.virtual_disks
            && self.units == other.units
            && self.nodes_not_up == other.nodes_not_up
    }

    /// Every copy is up to date: nothing is being repaired and every virtual disk is healthy. A node that is drained right
    /// now does not change that.
    pub fn in_sync(&self) -> bool {
        self.jobs.is_empty() && self.virtual_disks.is_empty()
    }

    /// A disk that lost its redundancy or is detached: everything stops (run-safety-model 9.1).
    pub fn in_danger(&self) -> bool {
        self.virtual_disks.iter().any(|d| d.contains("NoRedundancy") || d.contains("Detached"))
    }
}

/// A run that the driver drives: `{ state, run }` (azure-local-upgrade 3.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverView {
    /// `RunNotInProgress`, `RunInProgress`, `RunFailed`, or what else the driver says.
    pub state: String,
    pub run: Option<DriverRun>,
}

impl DriverView {
    /// Nothing is going on.
    pub fn is_idle(&self) -> bool {
        self.state == "RunNotInProgress"
    }

    /// A run is going on.
    pub fn is_running(&self) -> bool {
        self.state == "RunInProgress"
    }
}

/// The run that is going on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverRun {
    pub id: String,
    pub started_utc: Option<Timestamp>,
    /// The machine that orchestrates.
    pub orchestrator: String,
    pub cancel_pending: bool,
    pub working: Vec<DriverNode>,
    pub finished: Vec<DriverResult>,
}

/// A node that the driver has not finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverNode {
    pub node: NodeName,
    /// The driver's own word; an unknown one is shown as it is.
    pub status: String,
    pub time_utc: Option<Timestamp>,
}

/// A node that the driver has finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverResult {
    pub node: NodeName,
    pub status: String,
    pub error: Option<String>,
}

/// The last report of the driver: `{ present, ... }` (azure-local-upgrade 3.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverReport {
    pub present: bool,
    #[serde(default)]
    pub run_id: Option<String>,
    /// `Succeeded`, `PartiallyFailed`, `Failed`, `Canceled`.
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub started_utc: Option<Timestamp>,
    #[serde(default)]
    pub error_id: Option<String>,
    #[serde(default)]
    pub nodes: Vec<ReportNode>,
    /// The reports before it that did not succeed either, without one between that did; the oldest first.
    #[serde(default)]
    pub earlier: Vec<EarlierReport>,
}

/// A report before the last one: how that run ended, and what it says of the first node that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlierReport {
    pub status: String,
    pub started_utc: Timestamp,
    #[serde(default)]
    pub error_id: Option<String>,
    #[serde(default)]
    pub node: Option<NodeName>,
    #[serde(default)]
    pub error: Option<String>,
}

impl DriverReport {
    /// What the first of the runs before it that failed says, in a sentence; only of runs that began after a time. A run that was
    /// canceled says nothing about why (azure-local-upgrade 3.5, tsg: Previous CAU run status was canceled).
    pub fn first_failing(&self, since: Timestamp) -> Option<String> {
        let ours = |e: &&EarlierReport| e.started_utc.duration_since(since).as_secs() > -60;
        let first = self.earlier.iter().filter(ours).find(|e| e.error.is_some() || e.error_id.is_some())?;
        let node = first.node.as_ref().map_or_else(String::new, |n| format!("{n}: "));
        let what = first.error.as_ref().or(first.error_id.as_ref())?;
        let began = first.started_utc.strftime("%H:%M");
        Some(format!("{node}{what} (report of the run of {began} UTC, {})", first.status))
    }
}

/// One node in a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportNode {
    pub node: NodeName,
    pub status: String,
    pub error: Option<String>,
}

/// What lies in the folder of a detached operation (run-safety-model 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpView {
    pub claim: bool,
    /// The process that claimed it is alive, with the same start time; `None` where no process was recorded.
    pub alive: Option<bool>,
    /// The machine has not started again since.
    pub same_boot: Option<bool>,
    pub exit: Option<OpExit>,
    /// State of the scheduled task, for people.
    pub task: Option<String>,
}

/// How a detached operation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpExit {
    /// Unsigned 32 bits.
    pub code: u64,
    /// `ended`, or the error id.
    pub why: String,
    /// The error in words, where there is one.
    #[serde(default)]
    pub message: Option<String>,
}

/// What the files say about a detached operation (the observation table of run-safety-model 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum OpVerdict {
    NotStarted,
    Running,
    Ended { code: u64, why: String, message: Option<String> },
    Died,
    InterruptedByReboot,
    Unknown,
}

impl OpView {
    /// Reads the table.
    pub fn verdict(&self) -> OpVerdict {
        match (self.claim, &self.exit, self.alive, self.same_boot) {
            (_, Some(e), _, _) => {
                OpVerdict::Ended { code: e.code, why: e.why.clone(), message: e.message.clone() }
            }
            (false, None, _, _) => OpVerdict::NotStarted,
            (true, None, _, Some(false)) => OpVerdict::InterruptedByReboot,
            (true, None, Some(true), Some(true)) => OpVerdict::Running,
            (true, None, Some(false), Some(true)) => OpVerdict::Died,
            _ => OpVerdict::Unknown,
        }
    }
}

/// New lines of a log source: `{ lines, next }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogView {
    pub lines: Vec<LogRow>,
    /// Where the next read goes on.
    pub next: serde_json::Value,
}

/// One line of a log source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// When it was written, by the node's clock.
    pub at: Option<Timestamp>,
    /// Windows event level: 1 critical, 2 error, 3 warning, 4 information, 5 verbose.
    pub level: u8,
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_observation_table() {
        let view = |claim, exit: Option<u64>, alive, same_boot| OpView {
            claim,
            alive,
            same_boot,
            exit: exit.map(|code| OpExit { code, why: "ended".into(), message: None }),
            task: None,
        };
        assert_eq!(view(false, None, None, None).verdict(), OpVerdict::NotStarted);
        assert_eq!(view(true, None, Some(true), Some(true)).verdict(), OpVerdict::Running);
        assert!(matches!(
            view(true, Some(0), Some(false), Some(true)).verdict(),
            OpVerdict::Ended { code: 0, .. }
        ));
        assert_eq!(view(true, None, Some(false), Some(true)).verdict(), OpVerdict::Died);
        assert_eq!(view(true, None, Some(false), Some(false)).verdict(), OpVerdict::InterruptedByReboot);
        assert_eq!(view(true, None, None, None).verdict(), OpVerdict::Unknown);
    }

    #[test]
    fn a_build_may_come_as_text() {
        let v: HostView = serde_json::from_value(serde_json::json!({
            "computer": "hci-n1", "build": "20349", "ubr": 3692, "display_version": "22H2", "caption": "x",
            "boot_utc": "2025-06-08T06:02:11.0000000Z", "now_utc": "2025-06-14T08:00:00.0000000Z", "windeploy": false
        }))
        .unwrap();
        assert_eq!(v.build, 20349);
        assert_eq!(v.computer, NodeName::new("HCI-N1"));
    }
}
