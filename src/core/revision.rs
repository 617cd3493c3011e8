//! A plan with other settings: which steps exist then, and who moves the nodes. While a run is paused its plan may be revised so; that
//! is an event, so that whoever folds the journal has the same plan (run-safety-model 3).

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::command::Refusal;
use super::plan::{LeftOut, Mode, Plan, Step, StepKind};
use super::run::{PauseReason, Phase};
use super::state::State;

/// A step that would move the nodes with other settings.
#[derive(Clone, Debug, PartialEq)]
pub struct OtherDriver<'a> {
    pub step: &'a Step,
    /// The settings that bring it.
    pub settings: &'a BTreeMap<String, Json>,
}

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

impl Plan {
    /// The steps that would move the nodes with other settings.
    pub fn other_drivers(&self) -> impl Iterator<Item = OtherDriver<'_>> {
        let moves = self.left_out.iter().map(|l| &l.step).filter(|s| s.kind.moves_nodes());
        moves.map(|step| OtherDriver { step, settings: &step.only })
    }

    /// The step that moves the nodes.
    pub fn driving_step(&self) -> Option<&Step> {
        self.steps.iter().find(|s| s.kind.moves_nodes())
    }

    /// What it differs in from an earlier one, line by line: settings, then steps.
    pub fn differs_from(&self, before: &Plan) -> Vec<String> {
        let shown = |v: Option<&Json>| match v {
            Some(Json::String(s)) if s.is_empty() => "empty".to_owned(),
            Some(Json::String(s)) => s.clone(),
            Some(other) => other.to_string(),
            None => "absent".to_owned(),
        };
        let changed = self.settings.iter().filter(|(name, value)| before.settings.get(*name) != Some(value));
        let mut out: Vec<String> = changed
            .map(|(name, value)| format!("{name}: {} → {}", shown(before.settings.get(name)), shown(Some(value))))
            .collect();
        out.extend(before.steps.iter().filter(|s| self.step(&s.id).is_none()).map(|s| format!("− {}", s.title)));
        out.extend(self.steps.iter().filter(|s| before.step(&s.id).is_none()).map(|s| format!("+ {}", s.title)));
        out
    }

    /// SHA-256 of its text, hex.
    pub fn sha256(&self) -> String {
        // It is made of maps with text for keys: it always has a text.
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        Sha256::digest(&text).iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// The plan of a run that is paused, with these settings.
///
/// # Errors
/// It cannot be revised now, or not so: the reason.
pub fn revised(state: &State, settings: &BTreeMap<String, Json>) -> Result<Plan, Refusal> {
    let no = |why: String| Err(Refusal(why));
    match &state.phase {
        Phase::Paused(PauseReason::LockLost) => return no("another engine drives this target".into()),
        Phase::Paused(_) => {}
        p if p.is_preparing() => return no("nothing has begun: give the setting when you start".into()),
        p if p.is_terminal() => return no("the run has ended".into()),
        p => return no(format!("the run is {}: only a paused one can be given another plan", p.word())),
    }
    let plan = &state.plan;
    match &state.driver {
        Some(seen) if seen.value.is_idle() => {}
        Some(seen) => return no(format!("{} says {}: it must end first", plan.driver.name, seen.value.state)),
        None => return no(format!("{} has not said whether it is at work", plan.driver.name)),
    }
    if let Some((run, sequence)) = state.open_sequence()
        && let Some(node) = run.in_work()
    {
        return no(format!("{node} is in the middle of it: {}", sequence.title));
    }
    if let Some(name) = settings.keys().find(|name| !plan.settings.contains_key(*name)) {
        return no(format!("this runbook has no setting {name}"));
    }
    let new = plan.with(settings);
    let moved = |s: &Step| {
        let known = state.run.as_ref().and_then(|r| r.steps.get(&s.id)?.ended.as_ref());
        known.is_some_and(|e| e.value.ok)
    };
    match (plan.driving_step(), new.driving_step()) {
        (Some(old), _) if moved(old) => no("every node is done".into()),
        (_, None) => no("with these settings nothing moves the nodes".into()),
        (Some(old), Some(step)) if old.id == step.id => no("the same driver goes on then: nothing changes".into()),
        (_, Some(step)) => {
            let empty = |name: &&String| match new.settings.get(*name) {
                Some(Json::String(text)) => text.trim().is_empty(),
                other => other.is_none_or(Json::is_null),
            };
            match step.needs.iter().find(empty) {
                Some(name) => no(format!("the setting {name} is empty")),
                None => Ok(new),
            }
        }
    }
}

impl Step {
    /// Whether it exists with these settings.
    pub fn exists_with(&self, settings: &BTreeMap<String, Json>) -> bool {
        self.only.iter().all(|(name, value)| match (settings.get(name), value) {
            (Some(now), Json::Array(any)) if !now.is_array() => any.contains(now),
            (now, value) => now == Some(value),
        })
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
