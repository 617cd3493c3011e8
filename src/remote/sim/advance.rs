//! Time: everything that takes time, as events between the time the world was last evolved to and now. Evolving twice is
//! the same as evolving once.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::world::{Fields, World, later, stored};

/// A completed storage job stays listed for this many seconds.
const COMPLETED_STAYS: f64 = 300.0;

/// Steps after which a world that never comes to rest is left as it is.
const MOST_STEPS: usize = 20_000;

impl World {
    /// Evolves the world to a time. A time that has passed changes nothing.
    pub fn advance(&mut self, now: Timestamp) {
        let mut at = self.advanced();
        if now < at {
            return;
        }
        let mut steps = 0;
        while steps < MOST_STEPS {
            while steps < MOST_STEPS && self.settle(at) {
                steps += 1;
            }
            match self.next_time() {
                Some(next) if next <= now => {
                    at = at.max(next);
                    self.due(at);
                }
                _ => break,
            }
            steps += 1;
        }
        let clock = self.top_mut("clock");
        clock.put("advanced", stored(now));
    }

    /// The earliest event that is waiting.
    pub fn next_time(&self) -> Option<Timestamp> {
        let mut times: Vec<Timestamp> = self.run_times();
        times.extend(self.schedule_time());
        for key in self.machines() {
            let m = self.machine(&key);
            times.extend([m.time("uptime_until"), m.time("drain_until")].into_iter().flatten());
            times.extend(self.operation_times(&key).into_iter().chain(self.planned_restart(&key)));
            times.extend(self.setup_time(&key));
        }
        for job in self.jobs() {
            let Some(ends) = job.time("ends") else { continue };
            match job.text("state") {
                Some("Completed") => times.push(later(ends, COMPLETED_STAYS)),
                Some("Running") => times.push(ends),
                _ => {}
            }
        }
        times.extend(self.vms().iter().filter_map(|v| v.time("until")));
        times.extend(self.groups().iter().filter_map(|g| g.time("until")));
        times.into_iter().min()
    }

    /// Everything whose time has come.
    fn due(&mut self, at: Timestamp) {
        let come = |m: &Json, field: &str| m.time(field).is_some_and(|t| t <= at);
        for key in self.machines() {
            if come(self.machine(&key), "uptime_until") {
                self.complete_restart(&key, at);
            }
            if self.planned_restart(&key).is_some_and(|t| t <= at) {
                self.restart_due(&key, at);
            }
            if come(self.machine(&key), "drain_until") {
                self.complete_drain(&key, at);
            }
            if self.setup_time(&key).is_some_and(|t| t <= at) {
                self.setup_due(&key);
            }
            self.operations_due(&key, at);
        }
        if let Some(Json::Array(jobs)) = self.top_mut("storage").get_mut("jobs") {
            for job in jobs.iter_mut() {
                if job.text("state") == Some("Running") && come(job, "ends") {
                    job.put("state", "Completed");
                }
            }
            jobs.retain(|j| {
                let old = j.time("ends").is_some_and(|e| later(e, COMPLETED_STAYS) <= at);
                let gone = old && j.text("state") == Some("Completed");
                !j.is_null() && !gone
            });
        }
        let mut changed = Vec::new();
        self.each_vm(|v| {
            if come(v, "until") {
                if let Some(state) = v.text("next_state").map(str::to_owned) {
                    v.put("state", state);
                }
                v.put("until", Json::Null);
                v.put("next_state", Json::Null);
                changed.push(v.clone());
            }
        });
        changed.iter().for_each(|v| self.update_vm_group(v));
        self.each_group(|g| {
            if come(g, "until") {
                for (from, to) in [("next_state", "state"), ("next_owner", "owner")] {
                    if let Some(value) = g.text(from).map(str::to_owned) {
                        g.put(to, value);
                    }
                    g.put(from, Json::Null);
                }
                g.put("until", Json::Null);
            }
        });
        self.run_due(at);
        self.schedule_due(at);
    }

    /// What follows at once from the present state; true when something changed.
    fn settle(&mut self, at: Timestamp) -> bool {
        for key in self.machines() {
            let goes = self.machine(&key).time("uptime_until").is_some_and(|t| t > at);
            if goes && self.is_powered(&key) {
                self.power_off(&key, at);
                return true;
            }
        }
        self.role_moves() || self.step_run(at) || self.settle_operations(at)
    }
}
