//! One node in the run: wait for storage, drain, install, restart, come back, resume.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::fault::StageFault;
use super::offer::{DEFAULT_TARGET, ROLLING};
use super::setup::refusal;
use super::world::{Fields, World, later, stored};

/// Windows Setup's own code for a roll-back, as a signed number.
const ROLLED_BACK: i64 = -1047526143;

impl World {
    /// One transition of the node that is worked on, or the choice of the next one; true when something changed.
    pub(super) fn step_nodes(&mut self, dead: bool, at: Timestamp) -> bool {
        let current = self.run().text("current").map(str::to_owned);
        let Some(node) = current.filter(|n| self.run_node(n).is_some()) else {
            return !dead && self.next_node(at);
        };
        let row = self.run_node(&node).cloned().unwrap_or(Json::Null);
        match row.text("stage").unwrap_or_default() {
            "wait" if !dead => self.node_waits(&node, at),
            "drain" => self.node_drains(&node, &row, dead, at),
            "install" => self.node_installs(&node, &row, dead, at),
            "reboot" => self.node_restarts(&node, &row, dead, at),
            "back" if !dead => self.node_is_back(&node, &row, at),
            "resume" if !dead => self.node_resumes(&node, &row, at),
            _ => false,
        }
    }

    fn next_node(&mut self, at: Timestamp) -> bool {
        let open = self.open_nodes();
        let failed = self.run_names(|n| n.text("result") == Some("Failed")).len() as f64;
        let options = self.run().get("options").cloned().unwrap_or(Json::Null);
        if self.run().truth("cancel_pending") && !open.is_empty() {
            open.iter().for_each(|n| self.cancel_node(n, at));
            self.run_mut().put("phase", "finish");
            return true;
        }
        if failed > options.number("max_failed_nodes").unwrap_or(0.0) && !open.is_empty() {
            let message = "The number of failed nodes is larger than the maximum number of failed nodes that was \
                           configured for the Updating Run.";
            let run = self.run_mut();
            run.put("error", json!({"id": "MaxFailedNodesExceeded", "message": message}));
            run.put("phase", "finish");
            return true;
        }
        let ordered = options.list("node_order");
        let wanted = ordered.iter().filter_map(|o| open.iter().find(|n| o.as_str() == Some(n))).next();
        let Some(next) = wanted.or(open.first()).cloned() else {
            self.run_mut().put("phase", "finish");
            return true;
        };
        self.run_mut().put("current", next.as_str());
        self.stamp(&next, "AttemptDrainStart", at);
        self.begin_waiting(&next, at);
        true
    }

    fn begin_waiting(&mut self, node: &str, at: Timestamp) {
        let limit = stored(later(at, self.timing(node, "storage_wait")));
        let row = self.run_node_mut(node);
        row.put("stage", "wait");
        row.put("since", stored(at));
        self.run_mut().put("limit", limit);
        self.set_status(node, "Waiting", at);
    }

    fn node_waits(&mut self, node: &str, at: Timestamp) -> bool {
        if self.run().truth("cancel_pending") {
            self.cancel_node(node, at);
            return true;
        }
        let others: Vec<String> = self.nodes().into_iter().filter(|n| n != node).collect();
        let any_up = others.iter().any(|n| self.node_state(n) == "Up");
        let all_up = others.iter().all(|n| self.node_state(n) == "Up");
        if !(self.storage_is_healthy() && any_up && (all_up || !self.has_storage())) {
            if !self.run().truth("limit_hit") {
                return false;
            }
            let error = format!(
                "CauPreSuspendStorageUnhealthy: storage on the cluster did not become healthy before node \"{node}\" \
                 could be suspended."
            );
            self.stop_node(node, &error, at, false, false);
            return true;
        }
        self.run_mut().put("limit", Json::Null);
        self.stamp(node, "StorageRepairMonitorEnd", at);
        self.stamp(node, "DrainStart", at);
        let row = self.run_node_mut(node);
        row.put("suspended_at", stored(at));
        row.put("stage", "drain");
        self.set_status(node, "Suspending", at);
        let options = self.run().get("options").cloned().unwrap_or(Json::Null);
        let m = self.machine_mut(node);
        if options.truth("force_pause_no_drain") {
            m.put("state", "Paused");
            m.put("paused", true);
            m.put("drain", "NotInitiated");
            self.run_node_mut(node).put("no_drain", true);
        } else if !(m.text("drain") == Some("Completed") && m.text("state") == Some("Paused")) {
            self.start_drain(node, at, options.truth("force_pause_and_drain"), None);
        }
        true
    }

    fn node_drains(&mut self, node: &str, row: &Json, dead: bool, at: Timestamp) -> bool {
        let m = self.machine(node);
        if m.text("drain") == Some("InProgress") || dead {
            return false;
        }
        if m.text("drain") == Some("Failed") {
            let error = m.text("drain_error").unwrap_or_default().to_owned();
            self.stop_node(node, &error, at, true, true);
            return true;
        }
        self.stamp(node, "DrainEnd", at);
        if self.run().truth("cancel_pending") {
            self.resume_node(node, &self.failback());
            self.cancel_node(node, at);
            return true;
        }
        let rolling = self.run().text("plugin") == Some(ROLLING);
        let mock = row.truth("mock");
        let mut seconds = self.timing(node, if rolling { "install" } else { "install_quality" });
        if mock {
            seconds = seconds.min(60.0);
        }
        let fault = self.stage_fault("install", Some(node));
        let fault = StageFault::of(fault.as_ref());
        seconds *= fault.slow;
        let mut error = fault.fail;
        if error.is_some() {
            seconds /= 2.0;
        }
        if rolling && !mock && error.as_deref().unwrap_or_default().is_empty() {
            error = refusal(self.machine(node)).map(|(code, why)| {
                let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                format!("Windows Setup returned 0x{code:08X}{why}.")
            });
            if error.is_some() {
                seconds = seconds.min(120.0);
            }
        }
        let row = self.run_node_mut(node);
        row.put("install_error", error.map_or(Json::Null, Json::from));
        row.put("stage", "install");
        self.stamp(node, "InstallStart", at);
        let until = if fault.hang { Json::Null } else { stored(later(at, seconds)).into() };
        self.run_mut().put("until", until);
        self.set_status(node, "Installing", at);
        true
    }

    fn node_installs(&mut self, node: &str, row: &Json, dead: bool, at: Timestamp) -> bool {
        if !self.run().truth("step_done") {
            return false;
        }
        self.run_mut().put("step_done", false);
        if let Some(error) = row.text("install_error") {
            if dead {
                return false;
            }
            self.stop_node(node, error, at, true, false);
            return true;
        }
        let rolling = self.run().text("plugin") == Some(ROLLING);
        let restart = row.list("updates").iter().any(|u| u.get("reboot") != Some(&Json::Bool(false)));
        if !rolling && !restart {
            self.run_node_mut(node).put("stage", "back");
            self.complete_quality(node);
            return true;
        }
        self.restart_for_update(node, row, at);
        true
    }

    fn node_restarts(&mut self, node: &str, row: &Json, dead: bool, at: Timestamp) -> bool {
        let late = self.run().truth("limit_hit");
        if (!self.is_powered(node) && !late) || dead {
            return false;
        }
        let fails = row.text("reboot_fail");
        if late || fails.is_some() {
            let error = fails.map_or_else(
                || {
                    let limit = clock_face(row.number("reboot_limit").unwrap_or(0.0));
                    format!("Failed to restart \"{node}\": The timeout limit ({limit}) was reached.")
                },
                str::to_owned,
            );
            self.stop_node(node, &error, at, false, true);
            return true;
        }
        self.run_node_mut(node).put("stage", "back");
        self.run_mut().put("limit", Json::Null);
        self.stamp(node, "RebootEnd", at);
        if self.run().text("plugin") != Some(ROLLING) {
            self.complete_quality(node);
        }
        true
    }

    fn node_is_back(&mut self, node: &str, row: &Json, at: Timestamp) -> bool {
        if self.run().text("plugin") == Some(ROLLING) && !row.truth("mock") {
            let target =
                row.list("updates").first().and_then(|u| u.number("target_build")).unwrap_or(DEFAULT_TARGET);
            let build = self.machine(node).get("os").and_then(|o| o.number("build")).unwrap_or(0.0);
            if build < target {
                self.run_node_mut(node).put("setup_exit", ROLLED_BACK);
                let error = format!(
                    "Windows Setup failed on node \"{node}\" with exit code 0xC1900101 and was rolled back."
                );
                self.stop_node(node, &error, at, false, false);
                return true;
            }
        }
        let fault = self.stage_fault("resume", Some(node));
        let fault = StageFault::of(fault.as_ref());
        let seconds = self.timing(node, "resume") * fault.slow;
        let row = self.run_node_mut(node);
        row.put("resume_error", fault.fail.map_or(Json::Null, Json::from));
        row.put("stage", "resume");
        let until = if fault.hang { Json::Null } else { stored(later(at, seconds)).into() };
        self.run_mut().put("until", until);
        self.set_status(node, "Resuming", at);
        true
    }

    fn node_resumes(&mut self, node: &str, row: &Json, at: Timestamp) -> bool {
        if !self.run().truth("step_done") {
            return false;
        }
        self.run_mut().put("step_done", false);
        if let Some(error) = row.text("resume_error") {
            self.stop_node(node, error, at, false, true);
            return true;
        }
        self.resume_node(node, &self.failback());
        self.run_node_mut(node).put("error", Json::Null);
        self.complete_node(node, "Succeeded", "", at);
        true
    }

    fn failback(&self) -> String {
        let options = self.run().get("options");
        options.and_then(|o| o.text("failback_mode")).unwrap_or("NoFailback").to_owned()
    }

    /// A step of a node failed: once more, or the end of it.
    fn stop_node(&mut self, node: &str, error: &str, at: Timestamp, retry: bool, leave_paused: bool) {
        self.run_node_mut(node).put("error", error);
        self.clear_step();
        let attempt = self.run_node(node).and_then(|n| n.number("attempt")).unwrap_or(1.0);
        let options = self.run().get("options");
        let most = options.and_then(|o| o.number("max_retries_per_node")).unwrap_or(0.0);
        let paused = self.node_state(node) == "Paused";
        if retry && !self.run().truth("cancel_pending") && attempt <= most {
            let row = self.run_node_mut(node);
            row.put("attempt", attempt as u64 + 1);
            row.put("transient", true);
            if paused {
                self.resume_node(node, "NoFailback");
            }
            self.begin_waiting(node, at);
            return;
        }
        if !leave_paused && paused {
            self.resume_node(node, &self.failback());
        }
        self.complete_node(node, "Failed", error, at);
    }

    /// The update restarts the node.
    fn restart_for_update(&mut self, node: &str, row: &Json, at: Timestamp) {
        let rolling = self.run().text("plugin") == Some(ROLLING) && !row.truth("mock");
        let os = rolling.then(|| {
            let update = row.list("updates").first().map_or(Json::Null, |u| (*u).clone());
            let build = update.number("target_build").unwrap_or(DEFAULT_TARGET) as u64;
            let version = update.text("display_version").unwrap_or("23H2");
            json!({"build": build, "ubr": update.get("target_ubr"), "display_version": version})
        });
        let (after, factor, fault) = self.after_upgrade(node, os.as_ref());
        let seconds = self.timing(node, "reboot") * factor;
        self.machine_mut(node).put("after_boot", after);
        let minutes = self.run().get("options").and_then(|o| o.number("reboot_timeout_minutes"));
        let limit = minutes.filter(|m| *m > 0.0).map_or_else(|| self.timing(node, "reboot_timeout"), |m| m * 60.0);
        let row = self.run_node_mut(node);
        row.put("reboot_fail", fault.get("fail").cloned().unwrap_or(Json::Null));
        row.put("reboot_limit", limit);
        row.put("stage", "reboot");
        self.stamp(node, "RebootStart", at);
        self.set_status(node, "Restarting", at);
        self.start_restart(node, at, Some(seconds));
        self.run_mut().put("limit", stored(later(at, limit)));
    }

    /// Quality updates are on the node now.
    fn complete_quality(&mut self, node: &str) {
        let updates: Vec<Json> =
            self.run_node(node).map(|n| n.list("updates").into_iter().cloned().collect()).unwrap_or_default();
        for update in updates {
            let m = self.machine_mut(node);
            match update.get("kb").filter(|k| !k.is_null()) {
                Some(kb) => m.list_mut("hotfixes").push(kb.clone()),
                None => {
                    let id = update.get("id").cloned().unwrap_or(Json::Null);
                    m.list_mut("installed_updates").push(id);
                }
            }
            if let Some(ubr) = update.number("ubr") {
                let build = self.machine(node).get("os").and_then(|o| o.number("build"));
                self.set_build(node, build, Some(ubr as u64), None, None);
            }
        }
    }
}

/// Seconds as `hh:mm:ss`; days are not shown, as .NET does.
fn clock_face(seconds: f64) -> String {
    let s = seconds as u64;
    format!("{:02}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60)
}
