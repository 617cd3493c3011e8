//! A plan with other settings: which steps exist then, and who moves the nodes.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::plan::{LeftOut, Mode, Plan, Step, StepKind};

impl Plan {
    /// The plan with these settings instead of its own, and with the steps that exist then. A setting that the plan does not know
    /// changes nothing.
    pub fn with(&self, settings: &BTreeMap<String, Json>) -> Plan {
        let mut plan = self.clone();
        for (name, value) in settings {
            if let Some(known) = plan.settings.get_mut(name) {
                *known = value.clone();
            }
        }
        let mut all = std::mem::take(&mut plan.steps);
        for out in std::mem::take(&mut plan.left_out) {
            all.insert(out.at.min(all.len()), out.step);
        }
        for (at, step) in all.into_iter().enumerate() {
            if step.exists_with(&plan.settings) {
                plan.steps.push(step);
            } else {
                plan.left_out.push(LeftOut { at, step });
            }
        }
        let moves = plan.steps.iter().find(|s| s.kind.moves_nodes()).map(|s| s.kind);
        plan.driver.mode = match moves {
            Some(StepKind::Sequence) => Mode::Direct,
            Some(_) => Mode::Delegated,
            None => plan.driver.mode,
        };
        plan
    }
}

impl Step {
    /// Whether it exists with these settings.
    pub fn exists_with(&self, settings: &BTreeMap<String, Json>) -> bool {
        self.only.iter().all(|(name, value)| settings.get(name) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn step(id: &str, only: &[(&str, Json)]) -> Step {
        let text = json!({
            "id": id, "title": id, "kind": "verify", "class": "read", "on": "any-node", "script": null, "detached": false,
            "probe": null, "expected": 1, "budget": 1, "safe_point": "x", "tier": "t0", "warning": [], "proof": [],
            "only": only.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect::<BTreeMap<_, _>>(),
        });
        serde_json::from_value(text).expect("a step")
    }

    fn ids(plan: &Plan) -> String {
        plan.steps.iter().map(|s| s.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn steps_come_and_go_with_their_settings_and_keep_their_order() {
        let text = json!({
            "runbook": {"id": "x", "title": "x", "short": "x", "source": "x"}, "cluster": "c", "nodes": ["n"], "coordinator": null,
            "target": {"version": "1", "build": 2, "from_version": "0", "from_build": 1, "min_ubr": null, "media": null,
                       "end_of_support": null},
            "settings": {"how": "a", "more": false}, "facts": [], "checks": [], "steps": [],
            "driver": {"mode": "delegated", "name": "x", "state": "x", "report": "x", "cluster": "x", "host": "x", "storage": "x",
                       "stop": "x", "words": {}, "every": 1, "idle_every": 1},
            "logs": [], "scripts": {}, "stages": {},
        });
        let mut plan: Plan = serde_json::from_value(text).expect("a plan");
        plan.steps = vec![
            step("first", &[("more", json!(true))]),
            step("by-a", &[("how", json!("a"))]),
            step("by-b", &[("how", json!("b"))]),
            step("both", &[("how", json!("b")), ("more", json!(true))]),
            step("last", &[]),
        ];
        let set = |pairs: &[(&str, Json)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let a = plan.with(&set(&[]));
        assert_eq!(ids(&a), "by-a last");
        let b = a.with(&set(&[("how", json!("b")), ("nobody knows it", json!(1))]));
        assert_eq!((ids(&b), b.settings.len()), ("by-b last".into(), 2));
        let all = b.with(&set(&[("more", json!(true))]));
        assert_eq!(ids(&all), "first by-b both last");
        assert_eq!(all.with(&set(&[("how", json!("a")), ("more", json!(false))])), a);
    }
}
