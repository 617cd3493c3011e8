//! Storage between nodes: repair jobs, and the health that follows from nodes that are away.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::fault::StageFault;
use super::world::{Fields, World, later, seconds_between, stored};

const TIB: u64 = 1 << 40;

impl World {
    /// Jobs as stored.
    pub(super) fn jobs(&self) -> Vec<&Json> {
        self.top("storage").list("jobs")
    }

    /// A node was away: repair jobs bring its copies up to date.
    pub(super) fn start_resync(&mut self, node: &str, at: Timestamp) {
        if !self.has_storage() {
            return;
        }
        let fault = self.stage_fault("resync", Some(node));
        let fault = StageFault::of(fault.as_ref());
        let seconds = self.timing(node, "resync") * fault.slow;
        if seconds <= 0.0 {
            return;
        }
        let state = match (fault.hang, fault.fail.is_some()) {
            (_, true) => "Exception",
            (true, _) => "Suspended",
            _ => "Running",
        };
        let ends = if state == "Running" { Json::from(stored(later(at, seconds))) } else { Json::Null };
        let disks: Vec<Json> = self.top("storage").list("virtual_disks").into_iter().cloned().collect();
        let jobs = self.top_mut("storage").list_mut("jobs");
        for disk in disks {
            let total = (disk.number("size").unwrap_or(0.0) / 16.0).round_ties_even() as u64;
            jobs.push(json!({
                "name": "Repair", "state": state, "virtual_disk": disk.get("name"), "node": node,
                "started": stored(at), "ends": ends, "total": total, "background": true,
            }));
        }
    }

    /// Jobs with their progress at a time: `name, state, percent, done, total, background, virtual_disk, seconds`.
    pub(super) fn jobs_at(&self, at: Timestamp) -> Vec<Json> {
        self.jobs().into_iter().map(|j| progress(j, at)).collect()
    }

    /// Health and operational status of a virtual disk.
    pub(super) fn disk_state(&self, disk: &Json) -> (String, String) {
        let health = disk.text("health").unwrap_or("Healthy");
        let operational = disk.text("operational").unwrap_or("OK");
        if health != "Healthy" || !self.has_storage() {
            return (health.to_owned(), operational.to_owned());
        }
        let resting = self.top("storage").list("fault_domains_in_maintenance");
        let rests = |n: &str| resting.iter().any(|r| r.as_str().is_some_and(|r| r.eq_ignore_ascii_case(n)));
        let away = self.nodes().iter().filter(|n| self.node_state(n) == "Down" || rests(n)).count() as f64;
        let copies = disk.number("copies").unwrap_or(3.0);
        let name = disk.text("name");
        let repairs: Vec<&Json> = self
            .jobs()
            .into_iter()
            .filter(|j| is_repair(j))
            .filter(|j| !matches!(j.text("state"), Some("Completed" | "Terminated" | "Killed")))
            .filter(|j| j.text("virtual_disk").is_none_or(|d| Some(d) == name))
            .collect();
        let (health, operational) = if away >= copies {
            ("Unhealthy", "Detached")
        } else if away == copies - 1.0 && away > 0.0 {
            ("Warning", if copies > 2.0 { "NoRedundancy" } else { "Incomplete" })
        } else if away > 0.0 {
            ("Warning", "Incomplete")
        } else if repairs.iter().any(|j| j.text("state") == Some("Running")) {
            ("Warning", "InService")
        } else if !repairs.is_empty() {
            ("Warning", "Degraded")
        } else {
            (health, operational)
        };
        (health.to_owned(), operational.to_owned())
    }

    /// The gate before a node may be suspended: no repair going on, every virtual disk healthy.
    pub(super) fn storage_is_healthy(&self) -> bool {
        if !self.has_storage() {
            return true;
        }
        let open = |j: &&Json| {
            matches!(j.text("state"), Some("New" | "Starting" | "Running" | "Suspended" | "QueryPending"))
        };
        if self.jobs().iter().any(|j| is_repair(j) && open(j)) {
            return false;
        }
        self.top("storage").list("virtual_disks").into_iter().all(|d| self.disk_state(d).0 == "Healthy")
    }
}

fn is_repair(job: &Json) -> bool {
    matches!(job.text("name"), Some("Repair" | "Regeneration"))
}

fn progress(job: &Json, at: Timestamp) -> Json {
    let total = job.number("total").map_or(TIB, |t| t as u64);
    let started = job.time("started");
    let ends = job.time("ends");
    let completed = job.text("state") == Some("Completed");
    let mut seconds = match started {
        Some(s) => seconds_between(s, at),
        None => job.number("elapsed").unwrap_or(0.0),
    };
    let all = started.zip(ends).map(|(s, e)| seconds_between(s, e));
    let percent = if completed {
        seconds = all.unwrap_or(seconds);
        100
    } else if let Some(p) = job.number("percent") {
        p as u64
    } else {
        match all {
            Some(all) if all > 0.0 => (100.0 * seconds / all).clamp(0.0, 100.0).floor() as u64,
            _ => 0,
        }
    };
    let done = match job.number("processed") {
        Some(p) => p as u64,
        None => (total as f64 * percent as f64 / 100.0).round_ties_even() as u64,
    };
    json!({
        "name": job.get("name"), "state": job.get("state"), "percent": percent, "done": done, "total": total,
        "background": job.get("background") != Some(&Json::Bool(false)),
        "virtual_disk": job.get("virtual_disk"), "seconds": seconds.max(0.0),
    })
}
