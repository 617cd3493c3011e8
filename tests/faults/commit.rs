//! The step without a way back.

use nodelift::core::advice::advice;
use nodelift::core::command::Command;
use nodelift::core::run::Phase;
use nodelift::core::state::CommitState;
use serde_json::json;

use crate::started;

#[tokio::test(start_paused = true)]
async fn a_functional_level_that_is_refused_is_told_and_can_be_tried_again() {
    let why = "The cluster functional level cannot be updated: not all nodes run the same version";
    let refuses = json!({"on": "Update-ClusterFunctionalLevel", "machine": null, "times": 1, "do": {"throw": why,
        "id": "ClusterUpdateFunctionalLevelFailed,Microsoft.FailoverClusters.PowerShell.UpdateClusterFunctionalLevelCommand"}});
    let mut p = started(&[refuses]).await;
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    let step = "functional-level";
    p.command(Command::Prove { step: step.into() });
    p.until("proof", |s| s.proofs.get(step).is_some_and(|p| p.taken.is_some())).await;
    let typed = p.plan.cluster.clone();
    p.command(Command::Commit { step: step.into(), typed, reason: "the change was approved".into() });
    let failed = |s: &nodelift::core::state::State| {
        s.run.as_ref().is_some_and(|r| matches!(r.commits.get(step), Some(CommitState::Failed { .. })))
    };
    p.until("the refusal", failed).await;
    assert_eq!(p.state().phase, Phase::AwaitingCommit);
    assert_eq!(p.site.look(|w| w.top("cluster")["functional_level"].clone()), json!(11));
    let said = advice(p.state(), p.now());
    assert!(said.urgent && said.text.contains("failed: ") && said.text.contains(why), "{said:?}");
    assert!(said.press.as_ref().is_some_and(|(_, does)| does == "tries again, after a fresh proof"), "{said:?}");
    // Nothing is sent again by itself: a person does, after another proof.
    let sent = p.sent.len();
    p.wait(std::time::Duration::from_secs(1800)).await;
    assert_eq!(p.sent.len(), sent);
    p.commit(step).await;
    assert_eq!(p.site.look(|w| w.top("cluster")["functional_level"].clone()), json!(12));
}
