//! The catalogue of readiness checks: each is seen to pass and not to pass, none passes on a machine that says nothing, and what
//! may be waived is what the reference allows.

#[path = "catalogue/bench.rs"]
mod bench;
#[path = "catalogue/cases.rs"]
mod cases;
#[path = "catalogue/outside.rs"]
mod outside;
#[path = "catalogue/rows.rs"]
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use bench::{Bench, patched, runbook, world, worst};
use cases::{ADMIN_CENTER, COORDINATOR, Setup, cases};
use nodelift::core::command::before_keys;
use nodelift::core::event::{Outcome, Verdict, VerdictKey};
use nodelift::core::plan::{Check, FixBy, Moment};
use nodelift::runbook::Runbook;
use rows::{EXTRA, LEFT_OUT, NEVER_WAIVED, ROWS};
use serde_json::{Value as Json, json};

const RUNBOOKS: [&str; 2] = [COORDINATOR, ADMIN_CENTER];

fn readiness(runbook: &Runbook) -> impl Iterator<Item = &Check> {
    runbook.checks.iter().filter(|c| c.moment == Moment::Before)
}

async fn judged(runbook: &Runbook, setup: &Setup, check: &str) -> Vec<(VerdictKey, Verdict)> {
    let world = patched(world(setup.world), &setup.patch);
    let mut bench = Bench::new(runbook, world, &setup.settings, setup.target).await;
    let first = bench.judge(check).await;
    if !setup.confirmed {
        return first;
    }
    assert_eq!(worst(&first), Outcome::CouldNotTell, "{check} waits for a person");
    bench.confirm(check);
    bench.judge(check).await
}

fn told(verdicts: &[(VerdictKey, Verdict)]) -> String {
    let node = |k: &VerdictKey| k.node.as_ref().map_or_else(String::new, ToString::to_string);
    verdicts
        .iter()
        .map(|(k, v)| format!("  {} {}: {:?} {:?}\n", node(k), v.outcome.word(), v.observed, v.why))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_check_is_seen_to_pass_and_not_to_pass() {
    let mut wrong = String::new();
    for id in RUNBOOKS {
        let runbook = runbook(id);
        let (mut seen, mut shown) = (BTreeSet::new(), BTreeSet::new());
        for case in cases().iter().filter(|c| c.runbook.is_empty() || c.runbook == id) {
            seen.insert(case.check);
            let Some(check) = runbook.checks.iter().find(|c| c.id == case.check) else {
                wrong += &format!("{id} has no check {}\n", case.check);
                continue;
            };
            let good = judged(&runbook, &case.good, case.check).await;
            // An upgraded node has nothing to say to some of them.
            let fine = |v: &Verdict| matches!(v.outcome, Outcome::Pass | Outcome::NotApplicable);
            if !good.iter().all(|(_, v)| fine(v)) || !good.iter().any(|(_, v)| v.outcome == Outcome::Pass) {
                wrong += &format!("{id} {}: wanted pass\n{}", case.check, told(&good));
            }
            let bad = judged(&runbook, &case.bad, case.check).await;
            if worst(&bad) != case.outcome {
                wrong += &format!("{id} {}: wanted {}\n{}", case.check, case.outcome.word(), told(&bad));
            }
            for (key, verdict) in good.iter().chain(&bad).filter(|(_, v)| v.outcome != Outcome::CouldNotTell) {
                if check.observed.is_some()
                    && verdict.outcome != Outcome::NotApplicable
                    && verdict.observed.is_none()
                {
                    wrong += &format!("{id} {}: {key:?} does not say what was seen\n", case.check);
                }
            }
            if good.iter().chain(&bad).any(|(_, v)| !v.detail.is_empty()) {
                shown.insert(case.check);
            }
        }
        // A failed run that is over says no more than its state.
        let silent = |c: &&Check| c.detail.is_some() && !shown.contains(c.id.as_str()) && c.id != "cau-idle";
        for check in readiness(&runbook).filter(silent) {
            wrong += &format!("{id} {}: no rows of evidence anywhere\n", check.id);
        }
        for check in readiness(&runbook).filter(|c| !seen.contains(c.id.as_str())) {
            wrong += &format!("{id}: the check {} has no cases in tests/catalogue/cases.rs\n", check.id);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[tokio::test(start_paused = true)]
async fn every_fix_makes_its_check_pass() {
    let mut wrong = String::new();
    for id in RUNBOOKS {
        let runbook = runbook(id);
        let mut mended = BTreeSet::new();
        // Sequences have tests of their own (tests/rolling.rs).
        let scripted = |c: &Check| c.fix.as_ref().is_some_and(|f| matches!(f.by, FixBy::Script(_)));
        let fixable = |c: &&cases::Case| runbook.checks.iter().any(|k| k.id == c.check && scripted(k));
        for case in cases().iter().filter(|c| c.runbook.is_empty() || c.runbook == id).filter(fixable) {
            let world = patched(world(case.bad.world), &case.bad.patch);
            let mut bench = Bench::new(&runbook, world, &case.bad.settings, case.bad.target).await;
            bench.judge(case.check).await;
            bench.fix(case.check).await;
            // A drain that ends, a repair: the site needs its time.
            bench.wait(3600).await;
            if bench.judge(case.check).await.iter().all(|(_, v)| v.outcome == Outcome::Pass) {
                mended.insert(case.check);
            }
        }
        for check in readiness(&runbook).filter(|c| scripted(c) && !mended.contains(c.id.as_str())) {
            wrong += &format!("{id}: the fix of {} makes it pass in none of its cases\n", check.id);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Every cmdlet and program that scripts call: what a fault of a world can stand on.
fn cmdlets(runbook: &Runbook) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    let texts = runbook.scripts.values().flat_map(|s| s.text.split(word).map(str::to_owned).collect::<Vec<_>>());
    let shaped = |w: &String| {
        let parts = w.split_once('-');
        w.ends_with(".exe")
            || parts.is_some_and(|(v, n)| v.len() > 2 && n.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    texts.filter(shaped).collect()
}

/// The ready world in which whatever is called on one machine ends like that.
fn everything(runbook: &Runbook, machine: &str, does: &Json) -> Json {
    let mut world = world("ready");
    let fault = |on: &String| json!({"on": on, "machine": machine, "times": null, "do": does});
    world["faults"] = cmdlets(runbook).iter().map(fault).collect();
    world
}

/// Facts of these are read for the evidence, or matter in other worlds only; settings say whether the others apply.
const UNNEEDED: [(&str, &str); 6] = [
    ("cloud-management-group", "HCI-N2"),
    ("cau-schedule", "HCI-N2"),
    ("run-account", "COORD01"),
    ("cluster-validation-rows", "COORD01"),
    ("os-version", "COORD01"),
    ("patch-level", "COORD01"),
];

/// These ask whether the coordinator may reach others: a refusal is their answer, not the lack of one.
const PROBES: [&str; 2] = ["coordinator-reach", "cluster-name"];

/// `records`: the machine does answer, though nothing that makes sense.
async fn never_passes(what: &str, world: impl Fn(&Runbook, &str) -> Json, probes: &[&str], records: bool) {
    let mut wrong = String::new();
    for id in RUNBOOKS {
        let runbook = runbook(id);
        for machine in ["HCI-N2", "COORD01"] {
            if machine == "COORD01" && id == ADMIN_CENTER {
                continue;
            }
            let mut bench =
                Bench::new(&runbook, world(&runbook, machine), &json!({"validation_days": 14}), None).await;
            bench.check_all().await;
            let mut needing = 0;
            for key in before_keys(bench.state()) {
                let reads = bench.state().reads_of(&key);
                if !reads.iter().any(|r| r.node.as_ref().is_some_and(|n| n.as_str() == machine)) {
                    continue;
                }
                needing += 1;
                let verdict = &bench.state().verdict_of(&key).expect("judged").value;
                let outcome = verdict.outcome;
                let probe = probes.contains(&key.check.as_str()) && outcome == Outcome::Fail;
                let unneeded = UNNEEDED.contains(&(key.check.as_str(), machine)) && records;
                let by_setting = outcome == Outcome::NotApplicable && records;
                if outcome != Outcome::CouldNotTell && !probe && !unneeded && !by_setting {
                    wrong += &format!(
                        "{id}, {machine} {what}, {}:\n{}",
                        key.check,
                        told(&[(key.clone(), verdict.clone())])
                    );
                }
            }
            assert!(needing >= 6, "{id}: {needing} verdicts need {machine}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[tokio::test(start_paused = true)]
async fn nothing_passes_on_a_machine_that_cannot_be_reached() {
    let away = |_: &Runbook, machine: &str| {
        let mut world = world("ready");
        world["machines"][machine]["reachable"] = json!(false);
        world["machines"][machine]["no_ssh"] = json!(true);
        world
    };
    never_passes("cannot be reached", away, &[], false).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_passes_where_access_is_denied() {
    let does = json!({"throw": "Access is denied.", "id": "System.UnauthorizedAccessException,X"});
    never_passes("denies access", |r, m| everything(r, m, &does), &PROBES, false).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_passes_on_garbage() {
    for record in [json!("%PDF-1.7"), json!({"rules": 7, "nodes": "x", "state": null})] {
        let does = json!({"return": record});
        never_passes("answers garbage", |r, m| everything(r, m, &does), &[], true).await;
    }
}

#[test]
fn every_row_of_the_catalogue_is_covered_or_named_as_left_out() {
    let mut wrong = Vec::new();
    let row_of: BTreeMap<&str, u8> = ROWS.iter().flat_map(|(row, ids)| ids.iter().map(|id| (*id, *row))).collect();
    for id in RUNBOOKS {
        let runbook = runbook(id);
        let has = |check: &str| readiness(&runbook).any(|c| c.id == check);
        for row in 1..=57 {
            let covered = ROWS.iter().any(|(r, ids)| *r == row && ids.iter().any(|c| has(c)));
            let left_out = LEFT_OUT.iter().any(|(r, b, why)| *r == row && *b == id && why.len() > 20);
            if covered == left_out {
                wrong.push(format!("{id}: row {row}: covered {covered}, left out {left_out}"));
            }
        }
        for check in readiness(&runbook) {
            let row = row_of.get(check.id.as_str());
            if row.is_none() && !EXTRA.contains(&check.id.as_str()) {
                wrong.push(format!("{id}: {} has no row in tests/catalogue/rows.rs", check.id));
            }
            let never = row.is_some_and(|r| NEVER_WAIVED.contains(r));
            if check.waivable == never {
                wrong.push(format!("{id}: {} (row {row:?}): waivable is {}", check.id, check.waivable));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
