//! The world: one JSON object that says what is true at an imitated site. The same file as the lab's (`tests/lab/world.md`).
//! Unknown fields are kept; a field that is absent or of another type reads as absent, never as an error.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};

/// A site: cluster, machines, storage, virtual machines, update service, faults, and its clock.
#[derive(Clone, Debug, PartialEq)]
pub struct World(Json);

const NOTHING: Json = Json::Null;

impl World {
    /// Reads a world file.
    ///
    /// # Errors
    /// It is not JSON, or has no machines: in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let json: Json = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| e.to_string())?;
        Self::new(json)
    }

    /// Takes over a value.
    ///
    /// # Errors
    /// It has no machines.
    pub fn new(json: Json) -> Result<Self, String> {
        if json.get("machines").is_none_or(|m| !m.is_object()) {
            return Err("a world needs `machines`".into());
        }
        Ok(Self(json))
    }

    /// The value.
    pub fn json(&self) -> &Json {
        &self.0
    }

    /// The value, to be changed.
    pub fn json_mut(&mut self) -> &mut Json {
        &mut self.0
    }

    /// A top field; null where absent.
    pub fn top(&self, key: &str) -> &Json {
        self.0.get(key).unwrap_or(&NOTHING)
    }

    /// A top field to be changed; null where it was absent.
    pub fn top_mut(&mut self, key: &str) -> &mut Json {
        self.0.slot(key)
    }

    /// Key of a machine by short name, full name or address, whatever its case.
    pub fn find(&self, name: &str) -> Option<String> {
        let short = if name.split('.').all(|p| p.parse::<u8>().is_ok()) {
            name
        } else {
            name.split('.').next().unwrap_or(name)
        };
        let machines = self.top("machines").as_object()?;
        machines
            .iter()
            .find(|(key, m)| key.eq_ignore_ascii_case(short) || m.text("address") == Some(name))
            .map(|(key, _)| key.clone())
    }

    /// A machine by its key; null where there is none.
    pub fn machine(&self, key: &str) -> &Json {
        self.top("machines").get(key).unwrap_or(&NOTHING)
    }

    /// A machine to be changed.
    pub fn machine_mut(&mut self, key: &str) -> &mut Json {
        self.0.slot("machines").slot(key)
    }

    /// Keys of all machines, in order of the file.
    pub fn machines(&self) -> Vec<String> {
        self.top("machines").as_object().map_or_else(Vec::new, |m| m.keys().cloned().collect())
    }

    /// Members of the cluster, in order of the file.
    pub fn nodes(&self) -> Vec<String> {
        self.machines().into_iter().filter(|k| self.machine(k).text("role") == Some("node")).collect()
    }

    /// Whether a machine is a member of the cluster.
    pub fn is_node(&self, key: &str) -> bool {
        self.machine(key).text("role") == Some("node")
    }

    /// The run of Cluster-Aware Updating; null when there is none.
    pub fn run(&self) -> &Json {
        self.top("cau").get("run").unwrap_or(&NOTHING)
    }

    /// The run, to be changed.
    pub fn run_mut(&mut self) -> &mut Json {
        self.0.slot("cau").slot("run")
    }

    /// The host answers on the network.
    pub fn is_powered(&self, key: &str) -> bool {
        self.machine(key).get("powered") != Some(&Json::Bool(false))
    }

    /// Its SSH server answers.
    pub fn is_reachable(&self, key: &str) -> bool {
        let m = self.machine(key);
        m.is_object() && self.is_powered(key) && m.get("reachable") != Some(&Json::Bool(false))
    }

    /// Storage Spaces Direct is in use.
    pub fn has_storage(&self) -> bool {
        let cluster = self.top("cluster");
        cluster.is_object()
            && cluster.get("storage_spaces_direct") != Some(&Json::Bool(false))
            && self.top("storage").is_object()
    }

    /// Seconds of site time that a step takes on a machine: its own entry, the world's, or the default.
    pub fn timing(&self, machine: &str, step: &str) -> f64 {
        let own = self.machine(machine).get("timing").and_then(|t| t.number(step));
        own.or_else(|| self.top("timing").number(step)).unwrap_or_else(|| default_timing(step))
    }

    /// Every step that has a time, with its time on that machine.
    pub fn timings(&self, machine: &str) -> Json {
        let mut names: Vec<String> = TIMINGS.iter().map(|(n, _)| (*n).to_owned()).collect();
        for table in [self.top("timing"), self.machine(machine).get("timing").unwrap_or(&NOTHING)] {
            names.extend(table.as_object().into_iter().flat_map(|t| t.keys().cloned()));
        }
        names.sort();
        names.dedup();
        Json::Object(names.into_iter().map(|n| (n.clone(), json!(self.timing(machine, &n)))).collect())
    }

    /// A row in an event log of a machine.
    pub fn note(&mut self, machine: &str, kind: &EventKind, message: &str, at: Timestamp) {
        let events = self.machine_mut(machine).list_mut("events");
        let record = events.iter().filter_map(|e| e.number("record")).fold(0.0, f64::max) as u64 + 1;
        events.push(json!({
            "log": kind.log, "id": kind.id, "level": kind.level, "provider": kind.provider, "time": stored(at),
            "message": message, "record": record,
        }));
    }
}

/// A kind of Windows event.
#[derive(Clone, Copy, Debug)]
pub struct EventKind {
    pub log: &'static str,
    pub id: u32,
    /// 1 critical, 2 error, 3 warning, 4 information.
    pub level: u8,
    pub provider: &'static str,
}

const TIMINGS: &[(&str, f64)] = &[
    ("scan", 60.0),
    ("stage", 1500.0),
    ("drain", 300.0),
    ("install", 2400.0),
    ("reboot", 600.0),
    ("resume", 60.0),
    ("resync", 900.0),
    ("install_quality", 600.0),
    ("finish", 30.0),
    ("storage_wait", 43200.0),
    ("orphan", 3600.0),
    ("reboot_timeout", 3600.0),
    ("validation", 120.0),
    ("setup_test", 90.0),
];

fn default_timing(step: &str) -> f64 {
    TIMINGS.iter().find(|(n, _)| *n == step).map_or(0.0, |(_, s)| *s)
}

/// A time as a world stores it: UTC, whole milliseconds.
pub fn stored(at: Timestamp) -> String {
    let whole = at.as_millisecond();
    format!("{:.3}", Timestamp::from_millisecond(whole).unwrap_or(at))
}

/// A time some seconds later, to a tenth of a microsecond.
pub fn later(at: Timestamp, seconds: f64) -> Timestamp {
    let ticks = (seconds * 1e7).round();
    if !ticks.is_finite() {
        return Timestamp::MAX;
    }
    at.checked_add(SignedDuration::from_nanos((ticks as i64).saturating_mul(100))).unwrap_or(Timestamp::MAX)
}

/// Seconds from one time to another.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// Reading and changing fields of a value that may be anything.
pub trait Fields {
    /// A text that is not empty.
    fn text(&self, key: &str) -> Option<&str>;
    /// A number, also one that stands there as text.
    fn number(&self, key: &str) -> Option<f64>;
    /// Neither absent nor null, false, 0, empty text or empty list.
    fn truth(&self, key: &str) -> bool;
    /// A time.
    fn time(&self, key: &str) -> Option<Timestamp>;
    /// Members of a list that are not null.
    fn list(&self, key: &str) -> Vec<&Json>;
    /// The field, made null where it is absent. A value that is no object becomes one.
    fn slot(&mut self, key: &str) -> &mut Json;
    /// Sets a field.
    fn put(&mut self, key: &str, value: impl Into<Json>);
    /// The field as a list, made empty where it is none.
    fn list_mut(&mut self, key: &str) -> &mut Vec<Json>;
    /// Members of an object.
    fn members(&self) -> Map<String, Json>;
}

impl Fields for Json {
    fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str().filter(|s| !s.is_empty())
    }

    fn number(&self, key: &str) -> Option<f64> {
        as_number(self.get(key)?)
    }

    fn truth(&self, key: &str) -> bool {
        self.get(key).is_some_and(is_true)
    }

    fn time(&self, key: &str) -> Option<Timestamp> {
        self.text(key)?.parse().ok()
    }

    fn list(&self, key: &str) -> Vec<&Json> {
        match self.get(key) {
            Some(Json::Array(a)) => a.iter().filter(|v| !v.is_null()).collect(),
            Some(Json::Null) | None => Vec::new(),
            Some(one) => vec![one],
        }
    }

    fn slot(&mut self, key: &str) -> &mut Json {
        if !self.is_object() {
            *self = json!({});
        }
        &mut self[key]
    }

    fn put(&mut self, key: &str, value: impl Into<Json>) {
        *self.slot(key) = value.into();
    }

    fn list_mut(&mut self, key: &str) -> &mut Vec<Json> {
        let slot = self.slot(key);
        if !slot.is_array() {
            *slot = Json::Array(Vec::new());
        }
        slot.as_array_mut().expect("it was made a list")
    }

    fn members(&self) -> Map<String, Json> {
        self.as_object().cloned().unwrap_or_default()
    }
}

/// A number, also one that stands there as text.
pub fn as_number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(n) => n.as_f64(),
        Json::String(s) => s.trim().parse().ok(),
        Json::Bool(b) => Some(f64::from(u8::from(*b))),
        _ => None,
    }
}

/// What PowerShell takes for true.
pub fn is_true(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(b) => *b,
        Json::Number(n) => n.as_f64() != Some(0.0),
        Json::String(s) => !s.is_empty(),
        Json::Array(a) => !a.is_empty(),
        Json::Object(_) => true,
    }
}

/// The same text always gives the same identifier, as the lab makes them.
pub fn guid(text: &str) -> String {
    let b = md5::compute(text.as_bytes()).0;
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let back = |bytes: &[u8]| bytes.iter().rev().map(|b| format!("{b:02x}")).collect::<String>();
    format!("{}-{}-{}-{}-{}", back(&b[0..4]), back(&b[4..6]), back(&b[6..8]), hex(&b[8..10]), hex(&b[10..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_those_of_the_lab() {
        assert_eq!(guid("run|HCI-CL1|2025-06-14T08:00:00.000Z|0"), "4433cc68-8d02-457d-24dc-f69d497f69c5");
    }

    #[test]
    fn times_are_cut_not_rounded() {
        let t: Timestamp = "2025-06-14T08:00:00.9999999Z".parse().unwrap();
        assert_eq!(stored(t), "2025-06-14T08:00:00.999Z");
        assert_eq!(stored(later(t, 0.0000001)), "2025-06-14T08:00:01.000Z");
        assert_eq!(later(t, f64::INFINITY), Timestamp::MAX);
    }

    #[test]
    fn anything_may_stand_in_a_field() {
        let w = World::new(
            json!({"machines": {"A": {"role": "node", "timing": 7, "os": {"build": "20349"}}, "B": 5}}),
        );
        let mut w = w.unwrap();
        assert_eq!(w.machine("A").get("os").unwrap().number("build"), Some(20349.0));
        assert_eq!((w.timing("A", "drain"), w.timing("C", "nothing")), (300.0, 0.0));
        let kind = EventKind { log: "System", id: 1, level: 4, provider: "x" };
        w.note("B", &kind, "y", Timestamp::UNIX_EPOCH);
        assert_eq!(w.machine("B").list("events").len(), 1);
        assert_eq!((w.find("a.corp.example").as_deref(), w.find("10.0.0.1")), (Some("A"), None));
        assert!(World::parse("[]").is_err());
    }
}
