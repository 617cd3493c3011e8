//! The fault table of a world: whose turn it is, and the faults of the stages of a run.

use serde_json::Value as Json;

use super::world::{Fields, World};

impl World {
    /// The first fault of a stage whose turn it is on that machine: what it does. Counts the hit.
    pub(super) fn stage_fault(&mut self, on: &str, machine: Option<&str>) -> Option<Json> {
        self.first_fault(|f| {
            f.text("on") == Some(on)
                && match (f.text("machine"), machine) {
                    (Some(wanted), Some(here)) => wanted.eq_ignore_ascii_case(here),
                    _ => true,
                }
        })
    }

    /// The first fault that fits and whose turn it is; every one that fits is counted up to there.
    pub(super) fn first_fault(&mut self, fits: impl Fn(&Json) -> bool) -> Option<Json> {
        let faults = self.top_mut("faults").as_array_mut()?;
        faults
            .iter_mut()
            .filter(|f| f.get("do").is_some_and(|d| !d.is_null()))
            .find_map(|f| (fits(f) && take_turn(f)).then(|| f["do"].clone()))
    }

    /// Every fault that fits and whose turn it is.
    pub(super) fn every_fault(&mut self, fits: impl Fn(&Json) -> bool) -> Vec<Json> {
        let faults = self.top_mut("faults").as_array_mut();
        faults
            .into_iter()
            .flatten()
            .filter(|f| f.get("do").is_some_and(|d| !d.is_null()))
            .filter_map(|f| (fits(f) && take_turn(f)).then(|| f["do"].clone()))
            .collect()
    }
}

/// Counts a hit; true after `skip` hits, for `times` of them (null = for ever, absent = once).
fn take_turn(fault: &mut Json) -> bool {
    let hits = fault.number("hits").unwrap_or(0.0);
    let skip = fault.number("skip").unwrap_or(0.0);
    let times = match fault.get("times") {
        None => Some(1.0),
        Some(_) => fault.number("times"),
    };
    fault.put("hits", (hits + 1.0) as u64);
    hits >= skip && times.is_none_or(|n| hits < skip + n)
}

/// How a fault of a stage changes it.
#[derive(Clone, Debug, Default)]
pub(super) struct StageFault {
    pub slow: f64,
    pub hang: bool,
    pub fail: Option<String>,
}

impl StageFault {
    pub(super) fn of(fault: Option<&Json>) -> Self {
        let Some(f) = fault else {
            return Self { slow: 1.0, ..Self::default() };
        };
        Self {
            slow: f.number("slow").filter(|s| *s > 0.0).unwrap_or(1.0),
            hang: f.truth("hang"),
            fail: f.get("fail").map(|t| t.as_str().unwrap_or_default().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn turns_are_counted() {
        let mut w = World::new(json!({"machines": {}, "faults": [
            {"on": "drain", "machine": "N1", "skip": 1, "times": 2, "do": {"slow": 2}},
            {"on": "drain", "times": null, "do": {"hang": true}},
        ]}))
        .unwrap();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let f = w.stage_fault("drain", Some("n1"));
            seen.push(StageFault::of(f.as_ref()).slow);
        }
        assert_eq!(seen, [1.0, 2.0, 2.0, 1.0]);
        assert!(w.stage_fault("drain", Some("N2")).is_some_and(|f| f.truth("hang")));
        assert!(w.stage_fault("stage", None).is_none());
        assert_eq!(StageFault::of(None).slow, 1.0);
    }
}
