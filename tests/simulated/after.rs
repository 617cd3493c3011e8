//! What follows the nodes: tests that fail are left for later, and what was left for later is done weeks afterwards.

use nodelift::core::command::{Command, allowed};
use nodelift::core::headless::{Agreed, Headless, Next};
use nodelift::core::run::{Phase, RunVerdict};
use nodelift::core::state::State;
use nodelift::report::RunReport;
use serde_json::json;

use crate::pump::{Pump, world};

#[tokio::test(start_paused = true)]
async fn what_fails_after_the_upgrade_is_left_for_later_and_done_when_its_run_has_long_ended() {
    let mut p = Pump::new(world("ready"), |w| {
        w["cluster"]["validation"] =
            json!([{"category": "Network", "test": "Validate Network Communication", "status": "Failed"}]);
    });
    p.start().await;
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    let reopen = |step: &str| Command::Reopen { step: step.into() };
    let refused = |p: &Pump, step: &str| allowed(p.state(), &reopen(step), p.site.now()).expect_err("refused").0;
    assert_eq!(
        refused(&p, "functional-level"),
        "the run has not ended, it is awaiting commit: nodelift run goes on with it"
    );
    p.command(Command::Defer);
    p.until("the test", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert!(p.state().phase_why.contains("Test-Cluster found failures"), "{}", p.state().phase_why);
    let mut alone = Headless::new(Agreed { start: true, ..Agreed::default() });
    assert_eq!(alone.next(p.state(), p.site.now()), Next::Ask(Command::Defer));
    p.command(Command::Defer);
    let ended = |s: &State| s.phase.is_terminal();
    p.until("the end", ended).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::SucceededWithIssues));
    assert!(
        p.state().phase_why.ends_with("of these failed: Validation of the cluster"),
        "{}",
        p.state().phase_why
    );

    assert_eq!(refused(&p, "cau-run"), "cau-run was not left for later");
    let left = "functional-level, storage-pool, vm-version, test-cluster, vendor-drivers";
    assert_eq!(refused(&p, "level"), format!("there is no step level; left for later: {left}"));
    p.site.change(|w, _| w.json_mut()["cluster"]["validation"] = json!([]));
    p.command(reopen("test-cluster"));
    p.until("the test, well", ended).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}", p.state().phase_why);

    // A step that needs another one is not proved, and stays.
    p.command(reopen("storage-pool"));
    p.until("it is open", |s| s.phase == Phase::AwaitingCommit).await;
    p.command(Command::Prove { step: "storage-pool".into() });
    p.until("its proof", |s| s.proofs.get("storage-pool").is_some_and(|x| x.taken.is_some())).await;
    let reason = "the change was approved".to_owned();
    let commit = Command::Commit { step: "storage-pool".into(), typed: p.plan.cluster.clone(), reason };
    let why = allowed(p.state(), &commit, p.site.now()).expect_err("refused").0;
    assert_eq!(why, "not proved: The functional level is raised");
    p.command(Command::Defer);
    p.until("the end of it", ended).await;

    p.command(reopen("functional-level"));
    p.until("it is open", |s| s.phase == Phase::AwaitingCommit).await;
    p.commit("functional-level").await;
    p.until("the end of that", ended).await;
    assert_eq!(p.site.look(|w| w.top("cluster")["functional_level"].clone()), json!(12));
    assert!(refused(&p, "functional-level").starts_with("functional-level is done: "));
    assert_eq!(
        p.state().deferred().map(|s| s.id.as_str()).collect::<Vec<_>>(),
        ["storage-pool", "vm-version", "vendor-drivers"]
    );
    let report = RunReport::of(&p.plan, &p.events).expect("a report");
    let text = report.markdown();
    assert!(text.contains("opened again: Raise the cluster functional level"), "{text}");
    assert!(!text.contains("Raise the cluster functional level: left for later"), "{text}");
}
