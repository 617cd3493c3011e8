//! The run of Cluster-Aware Updating: a state machine that time moves. Who orchestrates it only watches.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::fault::StageFault;
use super::offer::{ROLLING, says_yes};
use super::world::{EventKind, Fields, World, guid, later, seconds_between, stored};

const NODE_ENDED: EventKind = EventKind {
    log: "Microsoft-Windows-ClusterAwareUpdating/Admin",
    id: 1014,
    level: 4,
    provider: "Microsoft-Windows-ClusterAwareUpdating",
};

impl World {
    /// A run starts. Options: parameters of Invoke-CauRun, in lower case with underscores. Gives its id.
    pub fn start_run(
        &mut self,
        plugin: &str,
        arguments: &Json,
        options: &Json,
        orchestrator: Json,
        at: Timestamp,
    ) -> String {
        let names = self.nodes();
        let cluster = self.top("cluster").text("name").unwrap_or_default().to_owned();
        let cau = self.top_mut("cau");
        let n = cau.list("history").len();
        let time = stored(at);
        let id = guid(&format!("run|{cluster}|{time}|{n}"));
        let arguments: serde_json::Map<String, Json> = arguments
            .members()
            .into_iter()
            .map(|(k, v)| (k, Json::from(v.as_str().map_or_else(|| v.to_string(), str::to_owned))))
            .collect();
        let mut options = if options.is_object() { options.clone() } else { json!({}) };
        if options.number("max_failed_nodes").is_none() {
            options.put("max_failed_nodes", names.len() / 3);
        }
        if options.number("max_retries_per_node").is_none() {
            options.put("max_retries_per_node", 3);
        }
        let stop_at = options.number("stop_after").filter(|s| *s > 0.0).map(|s| stored(later(at, s)));
        let rows: Vec<Json> = names
            .iter()
            .map(|n| {
                json!({
                    "name": n, "status": "Waiting", "time": time, "stage": null, "attempt": 1, "result": null,
                    "error": null, "updates": [], "timing": {},
                })
            })
            .collect();
        cau.put(
            "run",
            json!({
                "id": id, "state": "RunInProgress", "started": time, "plugin": plugin, "arguments": arguments,
                "options": options, "orchestrator": orchestrator, "cancel_pending": false, "phase": "scan",
                "until": null, "limit": null, "step_done": false, "limit_hit": false, "stop_at": stop_at,
                "current": null, "last_activity": time, "error": null, "canceled": 0, "nodes": rows,
            }),
        );
        let fault = self.stage_fault("orchestrator", None);
        if let Some(after) = fault.as_ref().and_then(|f| f.number("dies_after")) {
            let state = fault.as_ref().and_then(|f| f.get("state")).cloned().unwrap_or(Json::Null);
            let run = self.run_mut();
            run.slot("orchestrator").put("dies_at", stored(later(at, after)));
            run.put("dies_as", state);
        }
        id
    }

    /// Times at which the run has something to do.
    pub(super) fn run_times(&self) -> Vec<Timestamp> {
        let run = self.run();
        if !run.is_object() {
            return Vec::new();
        }
        let driver = run.get("orchestrator").unwrap_or(&Json::Null);
        let stop = run.time("stop_at").filter(|_| !run.truth("cancel_pending"));
        let driver_time = match driver.truth("died") {
            true if run.text("state") == Some("RunFailed") => None,
            true => self.orphan_time(),
            false => driver.time("dies_at"),
        };
        [run.time("until"), stop, run.time("limit"), driver_time].into_iter().flatten().collect()
    }

    /// When the lock of a run without a living orchestrator goes away.
    fn orphan_time(&self) -> Option<Timestamp> {
        let run = self.run();
        let died = run.get("orchestrator")?.time("died")?;
        let last = run.time("last_activity").map_or(died, |t| t.max(died));
        Some(later(last, self.timing("", "orphan")))
    }

    /// What of the run has come due.
    pub(super) fn run_due(&mut self, at: Timestamp) {
        if !self.run().is_object() {
            return;
        }
        let orphan = self.orphan_time();
        let run = self.run_mut();
        let failed = run.text("state") == Some("RunFailed");
        let dies_as = run.text("dies_as").map(str::to_owned);
        let driver = run.slot("orchestrator");
        let died = driver.truth("died");
        if !died && driver.time("dies_at").is_some_and(|t| t <= at) {
            let when = driver["dies_at"].clone();
            driver.put("died", when);
            driver.put("dies_at", Json::Null);
            if let Some(state) = dies_as {
                run.put("state", state);
            }
            return;
        }
        if died && !failed && orphan.is_some_and(|t| t <= at) {
            self.top_mut("cau").put("run", Json::Null);
            return;
        }
        for (field, flag) in [("stop_at", "cancel_pending"), ("until", "step_done"), ("limit", "limit_hit")] {
            if run.time(field).is_some_and(|t| t <= at) {
                run.put(field, Json::Null);
                run.put(flag, true);
            }
        }
    }

    /// The row of a node in the run.
    pub(super) fn run_node(&self, name: &str) -> Option<&Json> {
        self.run().get("nodes")?.as_array()?.iter().find(|n| n.text("name") == Some(name))
    }

    /// The row of a node, to be changed; a row of nobody where it is not there.
    pub(super) fn run_node_mut(&mut self, name: &str) -> &mut Json {
        let rows = self.run_mut().list_mut("nodes");
        let at = match rows.iter().position(|n| n.text("name") == Some(name)) {
            Some(at) => at,
            None => {
                rows.push(json!({ "name": name }));
                rows.len() - 1
            }
        };
        &mut rows[at]
    }

    /// Names of nodes in the run that have no result yet.
    pub(super) fn open_nodes(&self) -> Vec<String> {
        self.run_names(|n| !n.truth("result"))
    }

    pub(super) fn run_names(&self, which: impl Fn(&Json) -> bool) -> Vec<String> {
        let rows = self.run().list("nodes");
        rows.into_iter().filter(|n| which(n)).filter_map(|n| n.text("name").map(str::to_owned)).collect()
    }

    /// What the run says of a node now.
    pub(super) fn set_status(&mut self, node: &str, status: &str, at: Timestamp) {
        let time = stored(at);
        let row = self.run_node_mut(node);
        row.put("status", status);
        row.put("time", time.as_str());
        self.run_mut().put("last_activity", time);
    }

    /// Notes when a step of a node began or ended.
    pub(super) fn stamp(&mut self, node: &str, step: &str, at: Timestamp) {
        self.run_node_mut(node).slot("timing").put(step, stored(at));
    }

    pub(super) fn clear_step(&mut self) {
        let run = self.run_mut();
        run.put("until", Json::Null);
        run.put("limit", Json::Null);
        run.put("step_done", false);
        run.put("limit_hit", false);
    }

    /// The result of a node is final.
    pub(super) fn complete_node(&mut self, node: &str, result: &str, error: &str, at: Timestamp) {
        let row = self.run_node_mut(node);
        row.put("result", result);
        if !error.is_empty() {
            row.put("error", error);
        }
        row.put("stage", "end");
        if let Some(suspended) = row.time("suspended_at") {
            row.put("suspended_seconds", seconds_between(suspended, at));
        }
        self.set_status(node, result, at);
        self.stamp(node, "InstallEnd", at);
        if self.run().text("current") == Some(node) {
            self.run_mut().put("current", Json::Null);
        }
        self.clear_step();
        let level = if result == "Succeeded" { 4 } else { 2 };
        let message = format!("Node {node} ended the Updating Run with status {result}. {error}");
        self.note(node, &EventKind { level, ..NODE_ENDED }, &message, at);
    }

    /// A node is left out because the run was cancelled.
    pub(super) fn cancel_node(&mut self, node: &str, at: Timestamp) {
        self.complete_node(node, "Canceled", "", at);
        let run = self.run_mut();
        let canceled = run.number("canceled").unwrap_or(0.0) as u64 + 1;
        run.put("canceled", canceled);
    }

    /// One transition of the run, if one follows from the state of things; true when something changed.
    pub(super) fn step_run(&mut self, at: Timestamp) -> bool {
        let run = self.run();
        if !run.is_object() || run.text("state") == Some("RunFailed") {
            return false;
        }
        let dead = run.get("orchestrator").is_some_and(|o| o.truth("died"));
        match run.text("phase").unwrap_or_default() {
            "scan" if !dead => self.step_scan(at),
            "stage" if !dead => self.step_stage(at),
            "nodes" => self.step_nodes(dead, at),
            "finish" if !dead => self.step_finish(at),
            _ => false,
        }
    }

    /// Starts what every node does at once, scanning or staging; the slowest counts.
    fn begin_all(&mut self, names: &[String], step: &str, status: &str, at: Timestamp) {
        let media = self.run().get("arguments").is_some_and(|a| a.text("WuConnected") == Some("false"));
        let mut longest = 0.0_f64;
        let mut hung = self.run().truth("hung");
        for node in names {
            let mut seconds = self.timing(node, step);
            let short = media || self.run_node(node).is_some_and(|n| n.truth("mock"));
            if step == "stage" && short {
                seconds = seconds.min(60.0);
            }
            let fault = self.stage_fault(step, Some(node));
            let fault = StageFault::of(fault.as_ref());
            seconds *= fault.slow;
            hung |= fault.hang;
            if let Some(error) = fault.fail {
                self.run_node_mut(node).put("error", error);
            }
            longest = longest.max(seconds);
            self.stamp(node, if step == "scan" { "ScanStart" } else { "StageStart" }, at);
            self.set_status(node, status, at);
        }
        let run = self.run_mut();
        run.put("hung", hung);
        run.put("until", if hung { Json::Null } else { stored(later(at, longest)).into() });
    }

    /// Whether a step for all nodes must begin, goes on, or is done.
    fn all_done(&mut self) -> Option<bool> {
        let run = self.run_mut();
        if !run.truth("until") && !run.truth("step_done") && !run.truth("hung") {
            return None;
        }
        if run.truth("hung") && run.truth("cancel_pending") {
            run.put("hung", false);
            run.put("step_done", true);
        }
        let done = run.truth("step_done");
        if done {
            run.put("step_done", false);
        }
        Some(done)
    }

    fn step_scan(&mut self, at: Timestamp) -> bool {
        let names = self.run_names(|_| true);
        match self.all_done() {
            None => {
                self.begin_all(&names, "scan", "Scanning", at);
                return true;
            }
            Some(false) => return false,
            Some(true) => {}
        }
        let plugin = self.run().text("plugin").unwrap_or_default().to_owned();
        let arguments = self.run().get("arguments").cloned().unwrap_or(Json::Null);
        for node in &names {
            self.stamp(node, "ScanEnd", at);
            if self.run().truth("cancel_pending") {
                self.cancel_node(node, at);
                continue;
            }
            let error = self.run_node(node).and_then(|n| n.text("error")).map(str::to_owned);
            if let Some(error) = error {
                self.complete_node(node, "Failed", &error, at);
                continue;
            }
            if self.node_state(node) == "Down" {
                self.complete_node(node, "Failed", &format!("Node {node} is not reachable."), at);
                continue;
            }
            let offer = self.offer(node, &plugin, &arguments);
            if let Some(error) = offer.error {
                self.complete_node(node, "Failed", &error, at);
                continue;
            }
            let nothing = offer.updates.is_empty();
            let row = self.run_node_mut(node);
            row.put("updates", offer.updates);
            row.put("mock", offer.mock);
            if nothing {
                row.put("nothing", true);
                self.complete_node(node, "Succeeded", "", at);
            } else {
                self.set_status(node, "Waiting", at);
            }
        }
        let next = if self.open_nodes().is_empty() { "finish" } else { "stage" };
        self.run_mut().put("phase", next);
        true
    }

    fn step_stage(&mut self, at: Timestamp) -> bool {
        let names = self.open_nodes();
        match self.all_done() {
            None => {
                self.begin_all(&names, "stage", "Staging", at);
                return true;
            }
            Some(false) => return false,
            Some(true) => {}
        }
        for node in &names {
            self.stamp(node, "StageEnd", at);
            let error = self.run_node(node).and_then(|n| n.text("error")).map(str::to_owned);
            self.run_node_mut(node).put("staged", error.is_none());
            match error {
                Some(error) => self.complete_node(node, "Failed", &error, at),
                None => self.set_status(node, "Waiting", at),
            }
        }
        self.run_mut().put("phase", "nodes");
        true
    }

    fn step_finish(&mut self, at: Timestamp) -> bool {
        let run = self.run();
        if !run.truth("until") && !run.truth("step_done") {
            let seconds = self.timing("", "finish");
            self.run_mut().put("until", stored(later(at, seconds)));
            return true;
        }
        if !run.truth("step_done") {
            return false;
        }
        self.complete_run(at);
        true
    }

    /// The report of the run; the run is over.
    fn complete_run(&mut self, at: Timestamp) {
        let run = self.run().clone();
        let rolling = run.text("plugin") == Some(ROLLING);
        let rows = run.list("nodes");
        let count = |result: &str| rows.iter().filter(|n| n.text("result") == Some(result)).count();
        let (ok, bad) = (count("Succeeded"), count("Failed"));
        let canceled = run.number("canceled").unwrap_or(0.0) as u64;
        let mut level = if rolling { Json::from("Skipped") } else { Json::Null };
        if rolling && says_yes(run.get("arguments").unwrap_or(&Json::Null), "UpdateClusterFunctionalLevel") {
            let builds: Vec<Option<f64>> =
                self.nodes().iter().map(|n| self.machine(n).get("os").and_then(|o| o.number("build"))).collect();
            let same = builds.windows(2).all(|b| b[0] == b[1]);
            if bad == 0 && canceled == 0 && same && builds.first().is_some_and(|b| *b >= Some(25398.0)) {
                self.raise_level();
                level = "Succeeded".into();
            }
        }
        let status = if canceled > 0 {
            "Canceled"
        } else if bad > 0 || run.truth("error") {
            if ok > 0 { "PartiallyFailed" } else { "Failed" }
        } else {
            "Succeeded"
        };
        let nodes: Vec<Json> = rows.iter().filter(|n| n.truth("result")).map(|n| report_row(n, rolling)).collect();
        let report = json!({
            "run_id": run.get("id"), "cluster": self.top("cluster").get("name"), "plugin": run.get("plugin"),
            "arguments": run.get("arguments"), "orchestrator": run["orchestrator"].get("machine"),
            "user": run["orchestrator"].get("user"), "status": status, "started": run.get("started"),
            "finished": stored(at), "functional_level": level, "error": run.get("error"), "canceled": canceled,
            "nodes": nodes,
        });
        let cau = self.top_mut("cau");
        cau.list_mut("history").push(report);
        cau.put("run", Json::Null);
    }

    /// Raises the functional level: there is no way back.
    pub fn raise_level(&mut self) {
        let cluster = self.top_mut("cluster");
        let level = cluster.number("target_functional_level").unwrap_or(12.0) as u64;
        let version = cluster.number("target_upgrade_version").unwrap_or(32772.0) as u64;
        cluster.put("functional_level", level);
        cluster.put("upgrade_version", version);
    }
}

fn report_row(node: &Json, rolling: bool) -> Json {
    let updates = node.list("updates");
    let result = node.text("result").unwrap_or_default();
    let first = updates.first().map_or(Json::Null, |u| (*u).clone());
    let upgrade = if rolling && !updates.is_empty() && result == "Succeeded" {
        json!({"code": "Succeeded", "setup_exit": 0, "update": first})
    } else if node.truth("setup_exit") {
        json!({"code": "Failed", "setup_exit": node.get("setup_exit"), "update": first})
    } else {
        Json::Null
    };
    let installs: Vec<Json> = updates
        .iter()
        .filter(|_| !rolling)
        .map(|u| {
            let error = if result == "Failed" { -2145124329_i64 } else { 0 };
            json!({"id": u.get("id"), "title": u.get("title"), "code": result, "error": error})
        })
        .collect();
    json!({
        "name": node.get("name"), "status": result, "error": node.get("error"), "attempts": node.get("attempt"),
        "transient": node.truth("transient"), "upgrade": upgrade, "installs": installs,
        "suspended_at": node.get("suspended_at"), "suspended_seconds": node.get("suspended_seconds"),
        "timing": node.get("timing"), "rebooted": node.get("timing").is_some_and(|t| t.truth("RebootStart")),
    })
}
