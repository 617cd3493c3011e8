//! One run of two nodes under a virtual clock.

use std::time::Duration;

use jiff::SignedDuration;
use nodelift::core::command::{Command, allowed};
use nodelift::core::run::Phase;
use nodelift::core::state::State;
use serde_json::{Value as Json, json};

use crate::invariants;
use crate::plan::{Act, Plan};
use crate::pump::{Pump, world};

/// Site hours after which a run that still waits for something is looked at as it is.
const HOURS: i64 = 5;

/// How often a person says go on before they end a run.
const PATIENCE: usize = 3;

fn virtually<F: Future<Output = ()>>(work: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(work);
}

/// Two nodes whose stages are short.
fn site(plan: &Plan) -> Pump {
    let mut pump = Pump::new(world("ready"), |w| {
        for gone in ["HCI-N3", "HCI-N4"] {
            take_away(w, gone);
        }
        w["timing"] = json!({
            "scan": 20, "stage": 120, "drain": 60, "install": 240, "reboot": 180, "resume": 30, "resync": 120, "finish": 20,
            "storage_wait": 1800, "orphan": 1800, "reboot_timeout": 1800, "setup_test": 10, "validation": 10,
        });
        w["faults"] = plan.faults.iter().map(crate::plan::Fault::json).collect();
    });
    pump.looks_seldom(60);
    pump
}

/// A node that the site does not have.
fn take_away(world: &mut Json, node: &str) {
    let names = |v: &Json| v.as_str().is_some_and(|s| s.eq_ignore_ascii_case(node));
    match world {
        Json::Object(all) => {
            all.retain(|k, _| !k.eq_ignore_ascii_case(node));
            all.values_mut().for_each(|v| take_away(v, node));
            if all.get("owner").is_some_and(names) {
                all.insert("owner".into(), json!("HCI-N1"));
            }
        }
        Json::Array(all) => {
            let about = |v: &Json| {
                ["name", "node", "machine", "computer", "host"].iter().any(|k| v.get(*k).is_some_and(names))
            };
            all.retain(|v| !names(v) && !about(v));
            all.iter_mut().for_each(|v| take_away(v, node));
        }
        _ => {}
    }
}

fn rests(s: &State) -> bool {
    matches!(s.phase, Phase::AwaitingCommit | Phase::Paused(_)) || s.phase.is_terminal()
}

/// A run with everything that happens to it, until nothing more does.
pub fn to_the_end(plan: &Plan) {
    virtually(async {
        let mut p = site(plan);
        p.start().await;
        let end = p.now() + SignedDuration::from_hours(HOURS);
        for (after, act) in &plan.acts {
            until(&mut p, Some(*after), end).await;
            carry_out(&mut p, *act);
        }
        for _ in 0..=PATIENCE {
            until(&mut p, None, end).await;
            if !matches!(p.state().phase, Phase::Paused(_)) {
                break;
            }
            carry_out(&mut p, Act::Resume);
        }
        until(&mut p, None, end).await;
        if matches!(p.state().phase, Phase::Paused(_)) {
            carry_out(&mut p, Act::Stop);
            until(&mut p, None, end).await;
        }
        if p.state().phase == Phase::Abandoned {
            p.wait(Duration::from_secs(3600)).await;
        }
        invariants::hold(&p);
    });
}

/// A run whose engine ends and never comes back.
pub fn gone_for_ever(plan: &Plan) {
    virtually(async {
        let mut p = site(plan);
        p.start().await;
        let end = p.now() + SignedDuration::from_hours(HOURS);
        let after = plan.acts.first().map_or(30, |(after, _)| *after);
        until(&mut p, Some(after), end).await;
        invariants::hold(&p);
        let before = invariants::touched(&p);
        p.engine_is_gone();
        tokio::time::sleep(Duration::from_secs(HOURS as u64 * 3600)).await;
        invariants::nothing_more(&p, &before);
    });
}

/// Until so many more events, or until nothing goes on by itself; never longer than the time given.
async fn until(p: &mut Pump, events: Option<u64>, end: jiff::Timestamp) {
    let goal = events.map(|n| p.state().seq + n);
    let site = p.site.clone();
    p.until("rest", |s| {
        invariants::one_node_at_a_time(&site);
        rests(s) || goal.is_some_and(|g| s.seq >= g) || site.now() >= end
    })
    .await;
}

fn carry_out(p: &mut Pump, act: Act) {
    let command = match act {
        Act::Crash => return p.engine_restarts(),
        Act::Pause => Command::Pause,
        Act::Resume => Command::Resume,
        Act::Stop => Command::Stop,
        Act::Abandon => {
            Command::Abandon { typed: p.plan.cluster.clone(), reason: "nobody is left to watch it".into() }
        }
    };
    if allowed(p.state(), &command, p.now()).is_ok() {
        p.command(command);
    }
}
