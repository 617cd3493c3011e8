//! The invariants of run-safety-model 14 over the simulator, with random plans of faults, operators and engines that end.
//!
//! `NODELIFT_RUNS=10000` runs that many; a failing plan is made small and printed.

mod invariants;
mod plan;
#[path = "../support/pump.rs"]
mod pump;
mod run;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Runs in a check of every change.
const RUNS: u32 = 300;

fn runs() -> u32 {
    std::env::var("NODELIFT_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(RUNS)
}

/// Half of the runs each, so that both cores have something to do.
fn check(property: impl Fn(plan::Plan)) {
    let config = Config { cases: runs().div_ceil(2), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let found = runner.run(&plan::any(), |plan| {
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| property(plan)));
        held.map_err(|p| {
            let said = p.downcast_ref::<String>().cloned();
            TestCaseError::fail(
                said.or_else(|| p.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default(),
            )
        })
    });
    if let Err(e) = found {
        panic!("{e}");
    }
}

#[test]
fn whatever_goes_wrong_nothing_is_done_twice_and_nothing_counts_as_done_without_proof() {
    check(|plan| run::to_the_end(&plan));
}

#[test]
fn an_engine_that_is_gone_for_ever_touches_nothing_more() {
    check(|plan| run::gone_for_ever(&plan));
}
