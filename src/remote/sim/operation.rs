//! Detached operations: what a task, its claim and its files would say, kept in the world under the machine.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::world::{Fields, World, stored};

/// How a detached script works out, known when it is started.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Course {
    /// It ends at a time, well or with an error (id, message).
    Ends { at: Timestamp, error: Option<(String, String)> },
    /// It ends at a time, where it does, with the code of a program.
    Exits { at: Option<Timestamp>, code: u64 },
    /// It stays with that run of Cluster-Aware Updating until the run ends.
    Follows(String),
}

/// Which operation: names its folder.
pub(super) fn key(run: &str, op: &str) -> String {
    format!("{run}/{op}")
}

const ERROR: &str =
    "ClusterUpdateException,Microsoft.ClusterAwareUpdating.Commands.InvokeCauRunCommand,Invoke-CauRun";

impl World {
    /// An operation as stored; null where there is none.
    pub(super) fn operation(&self, machine: &str, key: &str) -> &Json {
        self.machine(machine).get("operations").and_then(|o| o.get(key)).unwrap_or(&Json::Null)
    }

    /// The highest epoch that was seen for a run on a machine.
    pub(super) fn fence(&self, machine: &str, run: &str) -> u64 {
        self.machine(machine).get("fence").and_then(|f| f.number(run)).unwrap_or(0.0) as u64
    }

    /// A wrapper starts and claims the operation.
    pub(super) fn claim(&mut self, machine: &str, run: &str, op: &str, epoch: u64, user: &str, at: Timestamp) {
        let top = self.fence(machine, run).max(epoch);
        let m = self.machine_mut(machine);
        m.slot("fence").put(run, top);
        let boot = m.get("boot").and_then(|b| b.get("id")).cloned().unwrap_or(Json::Null);
        let operations = m.slot("operations");
        let pid = 4100 + 8 * operations.members().len();
        let started = json!({"pid": pid, "start": stored(at), "boot": boot, "epoch": epoch});
        operations.put(
            &key(run, op),
            json!({
                "claim": true, "run": if epoch < top { Json::Null } else { started }, "exit": null, "ends": null,
                "follows": null, "error": null, "log": [], "user": if user.is_empty() { "SYSTEM" } else { user },
            }),
        );
        if epoch < top {
            let message = format!("a later engine, epoch {top}, owns this run");
            self.end_operation(machine, &key(run, op), 77, "fenced", Some(&message));
        }
    }

    /// How a claimed operation goes on, and what it says.
    pub(super) fn set_course(&mut self, machine: &str, key: &str, course: Course, said: Vec<String>) {
        let operation = self.machine_mut(machine).slot("operations").slot(key);
        operation.list_mut("log").extend(said.into_iter().map(Json::from));
        match course {
            Course::Follows(run) => operation.put("follows", run),
            Course::Exits { at, code } => {
                operation.put("ends", at.map_or(Json::Null, |a| Json::from(stored(a))));
                operation.put("code", code);
            }
            Course::Ends { at, error } => {
                operation.put("ends", stored(at));
                operation.put("error", error.map_or(Json::Null, |(id, message)| json!([id, message])));
            }
        }
    }

    fn end_operation(&mut self, machine: &str, key: &str, code: u64, why: &str, message: Option<&str>) {
        let operation = self.machine_mut(machine).slot("operations").slot(key);
        operation.put("exit", json!({"code": code, "why": why, "message": message}));
        operation.put("ends", Json::Null);
    }

    /// Keys of the operations of a machine that are at work.
    fn working(&self, machine: &str) -> Vec<String> {
        let m = self.machine(machine);
        if !self.is_powered(machine) {
            return Vec::new();
        }
        let boot = m.get("boot").and_then(|b| b.get("id"));
        let operations = m.get("operations").and_then(Json::as_object);
        let at_work =
            |o: &Json| o.truth("claim") && !o.truth("exit") && !o.truth("killed") && o["run"].get("boot") == boot;
        operations.into_iter().flatten().filter(|(_, o)| at_work(o)).map(|(k, _)| k.clone()).collect()
    }

    /// Times at which operations of a machine end.
    pub(super) fn operation_times(&self, machine: &str) -> Vec<Timestamp> {
        self.working(machine).iter().filter_map(|k| self.operation(machine, k).time("ends")).collect()
    }

    /// Operations whose time has come.
    pub(super) fn operations_due(&mut self, machine: &str, at: Timestamp) {
        for key in self.working(machine) {
            let operation = self.operation(machine, &key);
            if operation.time("ends").is_none_or(|t| t > at) {
                continue;
            }
            let code = operation.number("code").unwrap_or(0.0) as u64;
            match operation.get("error").cloned().unwrap_or(Json::Null) {
                Json::Array(e) => {
                    let part = |i: usize| e.get(i).and_then(Json::as_str).unwrap_or_default().to_owned();
                    self.end_operation(machine, &key, 1, &part(0), Some(&part(1)));
                }
                _ => self.end_operation(machine, &key, code, "ended", None),
            }
        }
    }

    /// Operations that followed a run which is over; true when one ended.
    pub(super) fn settle_operations(&mut self, _at: Timestamp) -> bool {
        for machine in self.machines() {
            for key in self.working(&machine) {
                let Some(run) = self.operation(&machine, &key).text("follows").map(str::to_owned) else {
                    continue;
                };
                if let Some((code, why, message)) = self.end_of_run(&run) {
                    self.end_operation(&machine, &key, code, &why, message.as_deref());
                    return true;
                }
            }
        }
        false
    }

    /// How the script that stays with a run ends; nothing while the run goes on.
    fn end_of_run(&self, id: &str) -> Option<(u64, String, Option<String>)> {
        let cluster = self.top("cluster").text("name").unwrap_or_default();
        let failed = |message: String| Some((1, ERROR.to_owned(), Some(message)));
        let run = self.run();
        if run.text("id") == Some(id) {
            let lost = run.get("orchestrator").is_some_and(|o| o.truth("died"));
            if !lost && run.text("state") != Some("RunFailed") {
                return None;
            }
            return failed(format!(
                "The Updating Run on cluster \"{cluster}\" ended unexpectedly: (Win32Exception) The RPC server is \
                 unavailable"
            ));
        }
        let history = self.top("cau").list("history");
        let Some(report) = history.into_iter().find(|r| r.text("run_id") == Some(id)) else {
            return failed(format!("The Updating Run on cluster \"{cluster}\" was ended by another computer."));
        };
        if let Some(error) = report.get("error").filter(|e| e.is_object()) {
            let id = error.text("id").unwrap_or("Error");
            let why = format!("{id},Microsoft.ClusterAwareUpdating.Commands.InvokeCauRunCommand,Invoke-CauRun");
            return Some((1, why, error.text("message").map(str::to_owned)));
        }
        match report.text("status").unwrap_or("none") {
            "Succeeded" => Some((0, "ended".into(), None)),
            status => Some((1, format!("cau:{status}"), Some(format!("cau:{status}")))),
        }
    }
}
