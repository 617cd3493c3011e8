//! What was agreed on about the cluster: a change number, a maintenance window.

use nodelift::core::command::Command;
use nodelift::core::event::VerdictKey;
use nodelift::core::gates::evaluate;
use nodelift::core::run::{PauseReason, Phase, UnitState};
use nodelift::core::terms::{Terms, WINDOW};
use nodelift::core::window::{Span, Window};
use nodelift::report::RunReport;
use serde_json::json;

use crate::pump::{Pump, world};
use crate::{node, once, refused, unit};

/// Every day, in hours of UTC; the simulated day begins at eight in the evening.
fn every_day(from: u32, to: u32) -> Terms {
    let day = |d: u32| Span::Weekly { from: d * 1440 + from * 60, to: (d * 1440 + to * 60) % 10_080 };
    let spans = (0..7).map(day).collect();
    let window = Window { spans, zone: "UTC0".into(), zone_name: "UTC".into() };
    Terms { window: Some(window), ..Terms::default() }
}

async fn ready(terms: Terms, settings: &[(&str, serde_json::Value)]) -> Pump {
    ready_with(terms, settings, &[]).await
}

async fn ready_with(terms: Terms, settings: &[(&str, serde_json::Value)], faults: &[serde_json::Value]) -> Pump {
    let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), v.clone()));
    let mut p = Pump::of(
        "azure-local-powershell",
        world("ready"),
        |w| w["faults"] = json!(faults),
        |place| {
            place.terms = terms;
            place.settings.extend(settings);
        },
    );
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.command(Command::CheckAll);
    p.until("checks", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
    p
}

fn waive() -> Command {
    Command::Waive {
        key: VerdictKey::of_gate(WINDOW),
        reason: "agreed with the owners by phone".into(),
        hours: 24,
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_change_number_nothing_starts_where_one_is_asked_for() {
    let p = ready(Terms { change_required: true, ..Terms::default() }, &[]).await;
    assert_eq!(
        refused(&p, &Command::Start),
        "a change number is asked for here: write `change` into the inventory, or give --change"
    );
}

#[tokio::test(start_paused = true)]
async fn outside_the_window_nothing_starts_until_somebody_takes_it_upon_themselves() {
    let mut p = ready(Terms { change: Some("CHG0012345".into()), ..every_day(22, 30) }, &[]).await;
    let why = refused(&p, &Command::Start);
    assert_eq!(why, "outside the maintenance window: it opens Sun 2026-02-01 22:00 UTC");
    assert!(
        refused(&p, &Command::Waive { key: VerdictKey::of_gate("quorum"), reason: "x".repeat(20), hours: 1 })
            .contains("can never be waived")
    );
    p.command(waive());
    p.command(Command::Start);
    p.until("a drain", |s| s.unit(&node("HCI-N1")).is_some_and(|u| u.state == UnitState::Draining)).await;
    let gate = evaluate(p.state(), p.now()).into_iter().find(|g| g.id == WINDOW).expect("a gate");
    assert!(gate.open, "{gate:?}");
    let report = RunReport::of(&p.plan, &p.events).expect("a report");
    let text = report.markdown();
    for said in [
        "CHG0012345",
        "every day 22:00 to 06:00, UTC",
        "Maintenance window: waived by operator until 2026-02-02 ",
        "agreed with the owners by phone",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_grows_too_short_ends_the_attempt_after_the_node_in_work() {
    // Its storage takes two hours: the window grows too short for the second node meanwhile.
    let slow = once("resync", "HCI-N1", json!({"slow": 8}));
    let mut p = ready_with(every_day(19, 26), &[], &[slow]).await;
    p.command(Command::Start);
    p.until("the pause", |s| s.phase == Phase::Pausing).await;
    assert!(p.state().phase_why.contains("left of it, a node may take"), "{}", p.state().phase_why);
    p.until("the safe point", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::Window), "{}", p.state().phase_why);
    let left = ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"].iter().filter(|n| !unit(&p, n).0.is_good()).count();
    assert!((1..4).contains(&left), "some are done, some wait: {}", p.units());
    assert!(p.now() < "2026-02-02T02:00:00Z".parse().unwrap(), "within the window");
    assert!(refused(&p, &Command::Resume).starts_with("outside the maintenance window: "));
}

#[tokio::test(start_paused = true)]
async fn a_node_waits_at_its_gate_until_the_window_opens() {
    let direct = [("driving", json!("direct")), ("media_path", json!(r"C:\ClusterUpgrade\2503"))];
    let mut p = ready(every_day(22, 30), &direct).await;
    let reason = "only for the first node".to_owned();
    p.command(Command::Waive { key: VerdictKey::of_gate(WINDOW), reason, hours: 1 });
    p.command(Command::Start);
    p.until("the second gate", |s| s.unit(&node("HCI-N2")).is_some_and(|u| u.why.contains("Window"))).await;
    let why = unit(&p, "HCI-N2").1;
    assert_eq!(why, "waits until: Window: it opens Sun 2026-02-01 22:00 UTC");
    p.until("the second drain", |s| s.unit(&node("HCI-N2")).is_some_and(|u| u.state == UnitState::Draining)).await;
    assert!(p.now() >= "2026-02-01T22:00:00Z".parse().unwrap(), "{}", p.now());
}
