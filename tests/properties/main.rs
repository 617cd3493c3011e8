//! The invariants of run-safety-model 14 over the simulator, with random plans of faults, operators and engines that end.
//!
//! `NODELIFT_RUNS=10000` runs that many; a failing plan is made small and printed. Every record of every way of upgrading:
//! `cargo test --release --test properties -- --ignored --nocapture`.

mod crash;
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

#[test]
fn an_engine_that_ends_somewhere_leaves_nothing_done_twice() {
    // Another place in every check of a change: over time all of them.
    let offset = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_secs() as usize);
    for way in crash::Way::ALL {
        let tally = crash::ended_anywhere(way, SAMPLE, offset % SAMPLE, false);
        println!("{way:?}: {tally:?} (offset {})", offset % SAMPLE);
        assert!(tally.same > tally.paused, "{way:?}: {tally:?}");
    }
}

/// Records between two at which an engine ends in a check of every change.
const SAMPLE: usize = 200;

#[test]
#[ignore = "an hour or more: every record of every way of upgrading"]
fn an_engine_that_ends_at_any_record_leaves_nothing_done_twice() {
    let ways =
        crash::Way::ALL.map(|way| std::thread::spawn(move || (way, crash::ended_anywhere(way, 1, 0, true))));
    for way in ways {
        let (way, tally) = way.join().expect("nothing was done twice");
        println!("{way:?}: {tally:?}");
        assert!(tally.same > tally.paused, "{way:?}: {tally:?}");
    }
}
