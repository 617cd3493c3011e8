//! Self-updating: the clustered role of Cluster-Aware Updating, the runs that it makes, by request and by its schedule.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value as Json, json};

use super::offer::ROLLING;
use super::world::{EventKind, Fields, World, stored};

const SCHEDULED: EventKind = EventKind {
    log: "Microsoft-Windows-ClusterAwareUpdating-Management/Admin",
    id: 1015,
    level: 4,
    provider: "Microsoft-Windows-ClusterAwareUpdating-Management",
};

/// Days that a schedule is looked for ahead.
const AHEAD: i64 = 400;

/// Names of the days as the role has them: the number of the first is 1, of each next twice as much.
const DAYS: [(&str, Weekday); 7] = [
    ("Sunday", Weekday::Sunday),
    ("Monday", Weekday::Monday),
    ("Tuesday", Weekday::Tuesday),
    ("Wednesday", Weekday::Wednesday),
    ("Thursday", Weekday::Thursday),
    ("Friday", Weekday::Friday),
    ("Saturday", Weekday::Saturday),
];

impl World {
    fn cau_role(&self) -> &Json {
        self.top("cau").get("role").unwrap_or(&Json::Null)
    }

    /// The node that owns the role now.
    fn role_owner(&self) -> Option<String> {
        let group = self.cau_role().text("group")?;
        let owner = self.groups().into_iter().find(|g| g.text("name") == Some(group));
        owner.and_then(|g| g.text("owner").map(str::to_owned)).or_else(|| self.nodes().into_iter().next())
    }

    /// The role starts a run, orchestrated by its owner.
    pub fn update_now(&mut self, at: Timestamp) {
        let role = self.cau_role().clone();
        let Some(owner) = self.role_owner().filter(|_| role.is_object() && !self.run().is_object()) else {
            return;
        };
        let mut arguments = json!({});
        for (name, value) in role.list("arguments").into_iter().flat_map(Fields::members) {
            arguments.put(&name, value);
        }
        let mut options = json!({ "failback_mode": role.text("failback_mode").unwrap_or("Immediate") });
        for field in
            ["max_failed_nodes", "max_retries_per_node", "reboot_timeout_minutes", "node_order", "stop_after"]
        {
            if let Some(value) = role.get(field).filter(|v| !v.is_null()) {
                options.put(field, value.clone());
            }
        }
        let orchestrator = json!({
            "machine": owner, "user": "NT AUTHORITY\\SYSTEM", "mode": "role", "pid": null, "pid_start": null,
            "heartbeat": stored(at), "died": null, "dies_at": null,
        });
        let plugin = role.text("plugin").unwrap_or(ROLLING).to_owned();
        self.start_run(&plugin, &arguments, &options, orchestrator, at);
    }

    /// A run of the role is orchestrated wherever the role is; true when that is another node now.
    pub(super) fn role_moves(&mut self) -> bool {
        let driver = self.run().get("orchestrator").unwrap_or(&Json::Null);
        if driver.text("mode") != Some("role") || driver.truth("died") {
            return false;
        }
        let owner = self.role_owner().filter(|o| driver.text("machine") != Some(o));
        let Some(owner) = owner else { return false };
        self.run_mut().slot("orchestrator").put("machine", owner);
        true
    }

    /// When the role starts a run by itself.
    pub(super) fn schedule_time(&self) -> Option<Timestamp> {
        let role = self.cau_role();
        if role.text("status") != Some("Online") {
            return None;
        }
        let day = weekday(role.get("days_of_week")?)?;
        let weeks: Vec<f64> = role.list("weeks_of_month").iter().filter_map(|w| w.as_f64()).collect();
        let every = role.number("interval_weeks").filter(|w| *w >= 1.0).map(|w| w as i32 * 7);
        let start = role.time("start_date")?.to_zoned(TimeZone::UTC);
        let done = self.advanced().max(role.time("scheduled").unwrap_or(Timestamp::MIN));
        let falls = |at: &jiff::Zoned| {
            let week = f64::from((at.day() - 1) / 7 + 1);
            let since = at.date().since(start.date()).map_or(0, |s| s.get_days());
            at.weekday() == day && every.map_or(weeks.contains(&week), |e| since % e < 7)
        };
        let first = start.timestamp().max(done).to_zoned(TimeZone::UTC).date();
        (0..AHEAD)
            .filter_map(|n| {
                first.checked_add(n.days()).ok()?.to_datetime(start.time()).to_zoned(TimeZone::UTC).ok()
            })
            .find(|at| at.timestamp() > done && at.timestamp() >= start.timestamp() && falls(at))
            .map(|at| at.timestamp())
    }

    /// The schedule has come due: the role starts a run, unless one is going on.
    pub(super) fn schedule_due(&mut self, at: Timestamp) {
        if self.schedule_time().is_none_or(|t| t > at) {
            return;
        }
        self.top_mut("cau").slot("role").put("scheduled", stored(at));
        if let Some(owner) = self.role_owner() {
            let said = if self.run().is_object() { "is skipped: a run is in progress" } else { "starts" };
            self.note(&owner, &SCHEDULED, &format!("The scheduled Updating Run {said}."), at);
        }
        self.update_now(at);
    }
}

/// A day by its name, or by its number among flags.
fn weekday(value: &Json) -> Option<Weekday> {
    let by_name = |name: &str| DAYS.iter().find(|(n, _)| *n == name).map(|(_, d)| *d);
    match value {
        Json::String(name) => by_name(name),
        flags => DAYS.get(flags.as_u64()?.checked_ilog2()? as usize).map(|(_, d)| *d),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::new(json!({
            "clock": {"start": "2025-06-10T08:00:00Z"},
            "machines": {"N1": {"role": "node"}, "N2": {"role": "node"}},
            "cluster": {"name": "C", "groups": [{"name": "CAU", "owner": "N2"}]},
            "cau": {"role": {"group": "CAU", "status": "Online", "start_date": "2025-06-01T03:00:00Z", "days_of_week": 4,
                "weeks_of_month": [3], "plugin": "Microsoft.WindowsUpdatePlugin"}, "run": null, "history": []},
        }))
        .expect("a world")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn the_third_tuesday_at_three() {
        let mut w = world();
        assert_eq!(w.schedule_time(), Some(at("2025-06-17T03:00:00Z")));
        w.advance(at("2025-06-17T02:59:00Z"));
        assert!(!w.run().is_object());
        w.advance(at("2025-06-17T03:00:10Z"));
        assert_eq!(w.run()["plugin"], "Microsoft.WindowsUpdatePlugin");
        assert_eq!(w.run()["orchestrator"]["machine"], "N2");
        assert_eq!(w.schedule_time(), Some(at("2025-07-15T03:00:00Z")));
    }

    #[test]
    fn not_before_its_start_nor_disabled_nor_without_a_day() {
        let mut w = world();
        w.top_mut("cau").slot("role").put("start_date", "2025-06-20T03:00:00Z");
        assert_eq!(w.schedule_time(), Some(at("2025-07-15T03:00:00Z")));
        w.top_mut("cau").slot("role").put("weeks_of_month", Json::Null);
        w.top_mut("cau").slot("role").put("interval_weeks", 2);
        assert_eq!(w.schedule_time(), Some(at("2025-06-24T03:00:00Z")));
        w.top_mut("cau").slot("role").put("status", "Offline");
        assert_eq!(w.schedule_time(), None);
        w.top_mut("cau").slot("role").put("status", "Online");
        w.top_mut("cau").slot("role").put("days_of_week", Json::Null);
        assert_eq!(w.schedule_time(), None);
    }

    #[test]
    fn the_orchestrator_is_where_the_role_is() {
        let mut w = world();
        w.update_now(at("2025-06-10T08:00:00Z"));
        w.each_group(|g| g.put("owner", "N1"));
        w.advance(at("2025-06-10T08:00:01Z"));
        assert_eq!(w.run()["orchestrator"]["machine"], "N1");
    }
}
