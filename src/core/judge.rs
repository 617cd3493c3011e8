//! Verdicts from facts. Judging again costs no call.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::baseline::{Change, missing, unexplained_on};
use super::event::{Answer, Outcome, ProofItem, ReadKey, Verdict, VerdictKey};
use super::expr::{Compiled, NoValue, Scope};
use super::name::NodeName;
use super::plan::{Check, Expr, Place, Plan, Probe, Proof, Scope as CheckScope, Severity};
use super::sequence::ActionKind;
use super::state::State;

/// Rows of evidence kept for one verdict.
const DETAIL_ROWS: usize = 200;

/// Compiled expressions of a plan, by their text.
#[derive(Debug, Default)]
pub struct Judge(HashMap<String, Compiled>);

impl Judge {
    /// Compiles every expression of a plan. One that does not compile has no value, so its check could not tell;
    /// the loader refuses such a runbook long before.
    pub fn new(plan: &Plan) -> Self {
        let checks = plan.checks.iter().flat_map(|c| {
            [&c.applies, &c.warn, &c.fail, &c.observed, &c.detail].into_iter().flatten().chain([&c.pass])
        });
        let steps = plan.steps.iter().flat_map(|s| {
            s.proof
                .iter()
                .flat_map(|p| std::iter::once(&p.pass).chain(&p.observed))
                .chain(s.probe.iter().flat_map(of_probe))
        });
        let items =
            plan.steps.iter().chain(plan.left_out.iter().map(|l| &l.step)).filter_map(|s| s.items.as_ref());
        let items = items.flat_map(|i| [i.note.as_ref(), Some(&i.look), i.agreed.as_ref()].into_iter().flatten());
        let actions = plan.sequences.iter().flat_map(|s| &s.actions).flat_map(|a| match &a.kind {
            ActionKind::Gate { conditions, halts } => conditions
                .iter()
                .chain(halts)
                .flat_map(|c| std::iter::once(&c.pass).chain(&c.observed))
                .collect::<Vec<_>>(),
            ActionKind::Do { probe, .. } | ActionKind::Detached { probe, .. } => of_probe(probe).collect(),
            ActionKind::Restart { probe, .. } => probe.iter().flat_map(of_probe).collect(),
        });
        let gates = plan.gates.iter().flat_map(|g| &g.conditions);
        let gates = gates.flat_map(|c| std::iter::once(&c.pass).chain(&c.observed));
        let changes = plan
            .baseline
            .iter()
            .flat_map(|b| b.expected.iter().map(|e| &e.when).chain(b.known.iter().map(|k| &k.when)));
        let compiled = checks
            .chain(changes)
            .chain(steps)
            .chain(items)
            .chain(actions)
            .chain(gates)
            .filter_map(|e| Some((e.0.clone(), Compiled::new(&e.0).ok()?)))
            .collect();
        Self(compiled)
    }

    /// The verdict that follows from the facts in the state.
    pub fn verdict(&self, state: &State, key: &VerdictKey) -> Option<Verdict> {
        let check = state.plan.check(&key.check)?;
        let keys = state.reads_of(key);
        let facts_at = keys.iter().filter_map(|k| state.reads.get(k)?.at).min();
        let base =
            Verdict { outcome: Outcome::CouldNotTell, observed: None, detail: Vec::new(), why: None, facts_at };
        let scope = match self.scope(state, check, key.node.as_ref()) {
            Ok(mut scope) => {
                // Of a node that is not compared yet nothing is known: no value.
                if let Some(node) = key.node.as_ref().filter(|n| !missing(state).contains(n)) {
                    let changes: Vec<String> = unexplained_on(state, node).iter().map(Change::text).collect();
                    scope.set("unexplained", &json!(changes));
                }
                scope
            }
            Err(why) => {
                return Some(match confirmed(state, key) {
                    Some(said) if check.attest.is_some() => {
                        Verdict { outcome: Outcome::Pass, observed: Some(said), ..base }
                    }
                    _ => Verdict { why: Some(why), ..base },
                });
            }
        };
        let holds = |e: &Expr| self.holds(e, &scope);
        let outcome = (|| {
            if let Some(applies) = &check.applies
                && !holds(applies)?
            {
                return Ok(Outcome::NotApplicable);
            }
            // A person's word counts only where no script could tell.
            let told = check.fail.as_ref().is_some_and(|fail| holds(fail) == Ok(true));
            if let Some(question) = check.attest.as_ref().filter(|_| !told) {
                return match (holds(&check.pass), state.attested.contains_key(key)) {
                    (Ok(true), _) | (_, true) => Ok(Outcome::Pass),
                    // It might have been told: a person should know why not.
                    (Err(NoValue(why)), _) if check.fail.is_some() => Err(NoValue(format!("{why}. {question}"))),
                    _ => Err(NoValue(question.clone())),
                };
            }
            if !told && holds(&check.pass)? {
                return Ok(Outcome::Pass);
            }
            let mild = match &check.warn {
                Some(warn) => holds(warn)?,
                None => false,
            };
            Ok(if mild || check.severity != Severity::Blocker { Outcome::Warn } else { Outcome::Fail })
        })();
        Some(match outcome {
            Ok(outcome) => Verdict {
                outcome,
                observed: confirmed(state, key)
                    .filter(|_| outcome == Outcome::Pass)
                    .or_else(|| check.observed.as_ref().and_then(|e| self.text(e, &scope))),
                detail: check.detail.as_ref().map_or_else(Vec::new, |e| self.rows(e, &scope)),
                ..base
            },
            Err(NoValue(why)) => Verdict { why: Some(why), ..base },
        })
    }

    /// Every condition of a step's proof.
    pub fn proof(&self, state: &State, step: &str) -> Vec<ProofItem> {
        let Some(step) = state.plan.step(step) else {
            return Vec::new();
        };
        step.proof
            .iter()
            .map(|p| {
                let scope = self.facts_scope(state, &p.facts, CheckScope::Cluster, None);
                let held = scope.as_ref().map_err(Clone::clone);
                let held = held.and_then(|s| self.holds(&p.pass, s).map_err(|NoValue(why)| why));
                // What was seen is told either way, where the runbook has words for it.
                let observed = || self.text(p.observed.as_ref()?, scope.as_ref().ok()?);
                ProofItem {
                    title: p.title.clone(),
                    holds: held == Ok(true),
                    why: held.err().or_else(observed),
                    gate: None,
                }
            })
            .collect()
    }

    /// Whether a step already happened, by its probe: on a machine where it is done on each of them. An error where that cannot
    /// be told.
    ///
    /// # Errors
    /// The facts are not there, or the expression has no value.
    pub fn probe(&self, state: &State, step: &str, on: Option<&NodeName>) -> Result<bool, String> {
        let probe = state.plan.step(step).and_then(|s| s.probe.as_ref()).ok_or("the step has no probe")?;
        self.of_probe(state, &probe.facts, &probe.done, on)
    }

    /// Whether the probe of a step says that it was tried and will not happen by itself.
    pub fn probe_failed(&self, state: &State, step: &str, on: Option<&NodeName>) -> bool {
        let probe = state.plan.step(step).and_then(|s| s.probe.as_ref());
        let failed = probe.and_then(|p| Some((&p.facts, p.failed.as_ref()?)));
        failed.is_some_and(|(facts, expr)| self.of_probe(state, facts, expr, on) == Ok(true))
    }

    fn of_probe(&self, state: &State, facts: &str, expr: &Expr, on: Option<&NodeName>) -> Result<bool, String> {
        let scope = if on.is_some() { CheckScope::EachNode } else { CheckScope::Cluster };
        let scope = self.facts_scope(state, &[facts.to_owned()], scope, on)?;
        self.holds(expr, &scope).map_err(|NoValue(why)| why)
    }

    /// What a step finds on a node: names, and the node's word for how each is.
    ///
    /// # Errors
    /// The facts are not there, or the expression does not give a list of `{ name, state }`.
    pub fn noted(
        &self,
        state: &State,
        facts: &str,
        expr: &Expr,
        node: &NodeName,
    ) -> Result<Vec<(String, String)>, String> {
        let scope = self.facts_scope(state, &[facts.to_owned()], CheckScope::EachNode, Some(node))?;
        let list = self.compiled(expr).and_then(|e| e.eval(&scope)).map_err(|NoValue(why)| why)?;
        let one =
            |row: &Json| Some((row.get("name")?.as_str()?.to_owned(), row.get("state")?.as_str()?.to_owned()));
        let all = list.as_array().and_then(|rows| rows.iter().map(one).collect::<Option<Vec<_>>>());
        all.ok_or_else(|| format!("`{}` is not a list of names and states", expr.0))
    }

    /// How one of them is on a node, and whether it is as it should be: none where it is not there, or cannot be told.
    pub fn look(
        &self,
        state: &State,
        facts: &str,
        expr: &Expr,
        node: &NodeName,
        item: &str,
    ) -> Option<(String, bool)> {
        let mut scope = self.facts_scope(state, &[facts.to_owned()], CheckScope::EachNode, Some(node)).ok()?;
        scope.set("item", &json!(item));
        let rows = self.compiled(expr).and_then(|e| e.eval(&scope)).ok()?;
        let row = rows.get(0)?;
        Some((row.get("state")?.as_str()?.to_owned(), row.get("done")?.as_bool()?))
    }

    /// Whether an expression over the settings holds.
    pub fn of_settings(&self, state: &State, expr: &Expr) -> bool {
        let scope = self.facts_scope(state, &[], CheckScope::Cluster, None);
        scope.is_ok_and(|s| self.holds(expr, &s) == Ok(true))
    }

    /// The conditions of a gate for a node, by what was just seen.
    pub fn conditions(
        &self,
        state: &State,
        conditions: &[Proof],
        node: &NodeName,
        seen: &BTreeMap<ReadKey, Answer>,
    ) -> Vec<ProofItem> {
        let judged = conditions.iter().map(|c| {
            let scope = self.seen_scope(state, &c.facts, node, seen);
            let held = scope
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|s| self.holds(&c.pass, s).map_err(|NoValue(why)| why));
            let holds = held == Ok(true);
            let observed = || self.text(c.observed.as_ref()?, scope.as_ref().ok()?);
            let why = if holds { None } else { held.err().or_else(observed) };
            ProofItem { title: c.title.clone(), holds, why, gate: c.gate.as_ref().map(|g| g.id.clone()) }
        });
        judged.collect()
    }

    /// What makes a gate fail for good, by what was just seen: none where that cannot be told.
    pub fn halts(
        &self,
        state: &State,
        halts: &[Proof],
        node: &NodeName,
        seen: &BTreeMap<ReadKey, Answer>,
    ) -> Option<String> {
        halts.iter().find_map(|h| {
            let scope = self.seen_scope(state, &h.facts, node, seen).ok()?;
            let holds = self.holds(&h.pass, &scope) == Ok(true);
            let said =
                || h.observed.as_ref().and_then(|e| self.text(e, &scope)).unwrap_or_else(|| h.title.clone());
            holds.then(said)
        })
    }

    /// Whether an expression over one fact group holds for a node, by what was just seen.
    ///
    /// # Errors
    /// The facts are not there, or the expression has no value.
    pub fn holds_for(
        &self,
        state: &State,
        group: &str,
        expr: &Expr,
        node: &NodeName,
        seen: &BTreeMap<ReadKey, Answer>,
    ) -> Result<bool, String> {
        let scope = self.seen_scope(state, &[group.to_owned()], node, seen)?;
        self.holds(expr, &scope).map_err(|NoValue(why)| why)
    }

    /// Whether an expression over a change holds; one without a value does not.
    pub(super) fn explains(&self, expr: &Expr, scope: &Scope) -> bool {
        self.holds(expr, scope) == Ok(true)
    }

    fn seen_scope(
        &self,
        state: &State,
        groups: &[String],
        node: &NodeName,
        seen: &BTreeMap<ReadKey, Answer>,
    ) -> Result<Scope, String> {
        let of = |key: &ReadKey| seen.get(key);
        self.scope_of(&state.plan, groups, CheckScope::EachNode, Some(node), &of)
    }

    fn holds(&self, expr: &Expr, scope: &Scope) -> Result<bool, NoValue> {
        self.compiled(expr)?.holds(scope)
    }

    fn text(&self, expr: &Expr, scope: &Scope) -> Option<String> {
        match self.compiled(expr).and_then(|e| e.eval(scope)) {
            Ok(Json::String(s)) => Some(s),
            Ok(Json::Null) => Some("absent".into()),
            Ok(other) => Some(other.to_string()),
            Err(_) => None,
        }
    }

    fn rows(&self, expr: &Expr, scope: &Scope) -> Vec<String> {
        let Ok(Json::Array(rows)) = self.compiled(expr).and_then(|e| e.eval(scope)) else {
            return Vec::new();
        };
        rows.into_iter()
            .take(DETAIL_ROWS)
            .map(|r| match r {
                Json::String(s) => s,
                other => other.to_string(),
            })
            .collect()
    }

    fn compiled(&self, expr: &Expr) -> Result<&Compiled, NoValue> {
        self.0.get(&expr.0).ok_or_else(|| NoValue(format!("`{}` does not compile", expr.0)))
    }

    fn scope(&self, state: &State, check: &Check, node: Option<&NodeName>) -> Result<Scope, String> {
        self.facts_scope(state, &check.facts, check.scope, node)
    }

    /// Every fact group as a variable of its name: a record, or where a cluster check uses a group that is read on each
    /// node a list of records with `node` added.
    fn facts_scope(
        &self,
        state: &State,
        groups: &[String],
        scope: CheckScope,
        node: Option<&NodeName>,
    ) -> Result<Scope, String> {
        let of = |key: &ReadKey| state.reads.get(key).and_then(|r| r.answer.as_ref());
        self.scope_of(&state.plan, groups, scope, node, &of)
    }

    fn scope_of<'a>(
        &self,
        plan: &Plan,
        groups: &[String],
        scope: CheckScope,
        node: Option<&NodeName>,
        of: &dyn Fn(&ReadKey) -> Option<&'a Answer>,
    ) -> Result<Scope, String> {
        let mut out = Scope::default();
        out.set("target", &target(plan));
        out.set("set", &json!(plan.settings));
        out.set("cluster_name", &json!(plan.cluster));
        out.set("node_names", &json!(plan.nodes));
        out.set("node_name", &json!(node));
        out.set("coordinator_name", &json!(plan.coordinator));
        for id in groups {
            let Some(group) = plan.fact_group(id) else {
                return Err(format!("there is no fact group `{id}`"));
            };
            let one = |node: Option<NodeName>| facts(of, id, node);
            let value = match (group.on, scope) {
                (Place::AnyNode, _) => one(None)?.clone(),
                (Place::Coordinator, _) | (Place::Everywhere, CheckScope::Coordinator) => {
                    let coordinator = plan.coordinator.clone().ok_or("the inventory names no coordinator")?;
                    one(Some(coordinator))?.clone()
                }
                (_, CheckScope::EachNode) => one(node.cloned())?.clone(),
                (place, _) => {
                    let all: Vec<&NodeName> = if place == Place::Everywhere {
                        plan.machines().collect()
                    } else {
                        plan.nodes.iter().collect()
                    };
                    let mut rows = Vec::with_capacity(all.len());
                    for n in all {
                        // Which of them it was matters where several are judged as one.
                        let mut row = one(Some(n.clone())).map_err(|why| format!("{n}: {why}"))?.clone();
                        if let Json::Object(o) = &mut row {
                            o.insert("node".into(), json!(n));
                        }
                        rows.push(row);
                    }
                    Json::Array(rows)
                }
            };
            out.set(id, &value);
        }
        Ok(out)
    }
}

fn of_probe(probe: &Probe) -> impl Iterator<Item = &Expr> {
    std::iter::once(&probe.done).chain(&probe.failed)
}

/// What a person confirmed, as it is shown.
fn confirmed(state: &State, key: &VerdictKey) -> Option<String> {
    let a = state.attested.get(key)?;
    let note = if a.note.is_empty() { String::new() } else { format!(": {}", a.note) };
    Some(format!("confirmed by {}{note}", a.by))
}

/// The target as expressions see it.
pub fn target(plan: &Plan) -> Json {
    let t = &plan.target;
    json!({
        "version": t.version, "build": t.build, "from_version": t.from_version, "from_build": t.from_build,
        "min_ubr": t.min_ubr, "media": t.media,
    })
}

fn facts<'a>(
    of: &dyn Fn(&ReadKey) -> Option<&'a Answer>,
    group: &str,
    node: Option<NodeName>,
) -> Result<&'a Json, String> {
    match of(&ReadKey { group: group.to_owned(), node }) {
        Some(Answer::Facts(json)) => Ok(json),
        Some(Answer::Failed(f)) => Err(format!("{}: {}", f.kind.words(), f.message)),
        None => Err(format!("{group} was not read")),
    }
}

impl Outcome {
    /// The worst of several, as a list shows it.
    pub fn worst(outcomes: impl Iterator<Item = Outcome>) -> Option<Outcome> {
        outcomes.max()
    }

    /// One word for the screen.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::NotApplicable => "n/a",
            Outcome::Warn => "warn",
            Outcome::CouldNotTell => "could not tell",
            Outcome::Fail => "fail",
        }
    }
}

/// The time after which a blocker must be proved again before the start, in seconds (run-safety-model 3). In a lab, where a real
/// second is many, a person has a minute to look.
pub fn blocker_fresh_for(state: &State) -> i64 {
    state.lab_seconds(600, 60.0)
}

/// Whether the facts behind a verdict are older than a start allows. What a person confirmed holds for the run.
pub fn is_stale(state: &State, verdict: &Verdict, now: Timestamp) -> bool {
    let old = |at: Timestamp| now.duration_since(at).as_secs() > blocker_fresh_for(state);
    verdict.facts_at.map_or(verdict.outcome != Outcome::Pass, old)
}
