//! Rolling restarts over the simulator under a virtual clock: one node at a time, gates that hold, and nothing done twice whatever
//! happens to the engine.

#[path = "support/pump.rs"]
mod pump;

use nodelift::core::command::{Command, allowed};
use nodelift::core::event::{Event, Outcome, VerdictKey};
use nodelift::core::name::NodeName;
use nodelift::core::run::{PauseReason, Phase};
use nodelift::core::state::State;
use pump::{Pump, world};
use serde_json::{Value as Json, json};

const FILE_SYSTEM: &str = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem";

/// The values of step 0 are missing on these nodes.
fn unset(world: &mut Json, nodes: &[&str]) {
    for node in nodes {
        world["machines"][*node]["registry"][FILE_SYSTEM]["RefsEnableMetadataValidation"] = Json::Null;
        let keys = world["machines"][*node]["registry"][FILE_SYSTEM].as_object_mut().expect("a key");
        keys.remove("RefsEnableMetadataValidation");
    }
}

async fn checked(p: &mut Pump) {
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.command(Command::CheckAll);
    p.until("checks", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
}

fn at_rest(s: &State) -> bool {
    s.open_sequence().is_none() && matches!(s.phase, Phase::Ready | Phase::Blocked)
}

fn halted(s: &State) -> bool {
    s.open_sequence().is_none_or(|(r, _)| r.paused.is_some())
}

/// How often each node started, by its own event log.
fn boots(p: &Pump, node: &str) -> usize {
    let started = |e: &&Json| e["id"] == json!(6005);
    p.site.look(|w| w.machine(node)["events"].as_array().map_or(0, |e| e.iter().filter(started).count()))
}

fn key(check: &str, node: &str) -> VerdictKey {
    VerdictKey { check: check.into(), node: Some(NodeName::new(node)) }
}

fn outcome(p: &Pump, check: &str, node: &str) -> Option<Outcome> {
    p.state().verdict_of(&key(check, node)).map(|v| v.value.outcome)
}

const NODES: [&str; 4] = ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"];

#[tokio::test(start_paused = true)]
async fn fix_all_sets_the_values_and_restarts_the_nodes_one_by_one() {
    let mut p = Pump::new(world("ready"), |w| unset(w, &NODES));
    checked(&mut p).await;
    assert_eq!(p.state().phase, Phase::Blocked);
    p.command(Command::FixAll);
    assert!(allowed(p.state(), &Command::Start, p.now()).unwrap_err().0.contains("Rolling restart"));
    p.until("the end", at_rest).await;
    assert_eq!(p.state().phase, Phase::Ready, "{}", p.verdicts());
    for node in NODES {
        assert_eq!(boots(&p, node), 1, "{node}");
        assert_eq!(outcome(&p, "refs-metadata-validation", node), Some(Outcome::Pass));
        assert_eq!(outcome(&p, "restarted-after-registry", node), Some(Outcome::Pass));
    }
    // The journal tells it in order: a gate that held, then the drain; the next node only after the last one is in sync again.
    let mut told: Vec<(String, String)> = Vec::new();
    for e in &p.events {
        match &e.event {
            Event::GateSeen { node, action, items } if items.iter().all(|i| i.holds) => {
                told.push((node.to_string(), format!("gate {action}")));
            }
            Event::ActionIntended { node, action, .. } => told.push((node.to_string(), action.clone())),
            Event::ActionEnded { node, action, .. } => told.push((node.to_string(), format!("{action} done"))),
            _ => {}
        }
    }
    let each = [
        "gate before",
        "before done",
        "drain",
        "drain done",
        "gate hold",
        "hold done",
        "restart",
        "restart done",
        "gate back",
        "back done",
        "resume",
        "resume done",
        "gate resync",
        "resync done",
    ];
    let wanted: Vec<(String, String)> =
        NODES.iter().flat_map(|n| each.iter().map(|a| (n.to_string(), a.to_string()))).collect();
    assert_eq!(told, wanted);
    // Half a minute lies between the two looks at a gate.
    for node in NODES {
        let gate = p.events.iter().find_map(|e| match &e.event {
            Event::GateSeen { node: n, action, items } if n.as_str() == node && action == "before" => {
                items.iter().all(|i| i.holds).then_some(e.at)
            }
            _ => None,
        });
        let drain = p.events.iter().find_map(|e| match &e.event {
            Event::ActionIntended { node: n, action, .. } if n.as_str() == node && action == "drain" => Some(e.at),
            _ => None,
        });
        assert!(drain.expect("a drain").duration_since(gate.expect("a gate")).as_secs() >= 30, "{node}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_ends_anywhere_leaves_nothing_done_twice() {
    // Where anything was written on the way, the engine ends once; the same world each time.
    let two = ["HCI-N2", "HCI-N3"];
    let mut whole = Pump::new(world("ready"), |w| unset(w, &two));
    checked(&mut whole).await;
    let before = whole.events.len();
    whole.command(Command::FixAll);
    whole.until("the end", at_rest).await;
    let own = |e: &Event| {
        matches!(
            e,
            Event::FixIntended { .. }
                | Event::FixEnded { .. }
                | Event::SequenceStarted { .. }
                | Event::GateSeen { .. }
                | Event::ActionIntended { .. }
                | Event::ActionAnswered { .. }
                | Event::ActionEnded { .. }
        )
    };
    let places = whole.events[before..].iter().filter(|e| own(&e.event)).count();
    assert!(places > 25, "{places}");
    // One place, or "all" of them; every fifth where nothing is said.
    let wanted = std::env::var("NODELIFT_PLACES").unwrap_or_default();
    let chosen = |p: &usize| wanted == "all" || wanted == p.to_string() || (wanted.is_empty() && p % 5 == 1);
    for place in (1..=places).filter(chosen) {
        println!("the engine ends at place {place} of {places}");
        let mut p = Pump::new(world("ready"), |w| unset(w, &two));
        checked(&mut p).await;
        let before = p.events.len();
        p.command(Command::FixAll);
        let mut seen = p.events[before..].iter().filter(|e| own(&e.event)).count();
        while seen < place {
            let known = p.events.len();
            let at = p.state().seq;
            p.until("one more", |s| s.seq > at).await;
            seen += p.events[known..].iter().filter(|e| own(&e.event)).count();
        }
        p.engine_restarts();
        p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready()) || !at_rest(s)).await;
        if p.state().open_sequence().is_some() {
            let (run, _) = p.state().open_sequence().expect("open");
            assert_eq!(
                run.paused.as_ref().map(|h| &h.value.reason),
                Some(&PauseReason::Recovered),
                "place {place}"
            );
            p.command(Command::Resume);
        }
        p.until("the end", |s| s.open_sequence().is_none()).await;
        p.until("the checks", at_rest).await;
        for node in NODES {
            let wanted = usize::from(two.contains(&node));
            assert_eq!(boots(&p, node), wanted, "{node}, after an end at place {place} of {places}");
            assert_eq!(p.site.look(|w| w.machine(node)["state"].clone()), json!("Up"), "{node}, place {place}");
        }
        if p.state().phase == Phase::Blocked {
            p.command(Command::CheckAll);
            p.until("checks again", at_rest).await;
        }
        assert_eq!(p.state().phase, Phase::Ready, "place {place}: {}", p.verdicts());
    }
}

/// A sequence that waits for a person: the drain of its only node failed.
async fn drain_fails_once() -> Pump {
    let mut p = Pump::new(world("ready"), |w| {
        unset(w, &["HCI-N2"]);
        w["faults"] = json!([{"on": "drain", "machine": "HCI-N2", "times": 1, "do": {"fail": "a resource has locked status"}}]);
    });
    checked(&mut p).await;
    p.command(Command::FixAll);
    p.until("a halt", halted).await;
    p
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_fails_waits_for_a_person_and_is_taken_back() {
    let mut p = drain_fails_once().await;
    let (run, _) = p.state().open_sequence().expect("it is open");
    let halt = &run.paused.as_ref().expect("paused").value;
    assert_eq!(halt.reason, PauseReason::NeedsDecision);
    assert!(halt.why.contains("drain failed"), "{}", halt.why);
    p.command(Command::Stop);
    p.until("the end", at_rest).await;
    let ended = p.state().sequence.as_ref().and_then(|s| s.ended.as_ref()).expect("ended");
    assert!(!ended.value.ok && ended.value.message.contains("1 node"), "{}", ended.value.message);
    let (state, boots) = (p.site.look(|w| w.machine("HCI-N2")["state"].clone()), boots(&p, "HCI-N2"));
    assert_eq!((state, boots), (json!("Up"), 0));
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_fails_may_be_tried_again() {
    let mut p = drain_fails_once().await;
    // Somebody puts the node back; then the drain is tried once more.
    p.site.change(|w, _| w.resume_node("HCI-N2", "Immediate"));
    p.command(Command::Resume);
    p.until("the end", at_rest).await;
    assert_eq!((p.state().phase.clone(), boots(&p, "HCI-N2")), (Phase::Ready, 1), "{}", p.verdicts());
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_lost_in_the_restart_keeps_the_node_out_until_it_is_back() {
    let mut p = Pump::new(world("ready"), |w| {
        unset(w, &["HCI-N2", "HCI-N4"]);
        w["machines"]["HCI-N2"]["after_boot"] = json!({"reverts_registry": true});
    });
    checked(&mut p).await;
    p.command(Command::FixAll);
    let closed = |s: &State| {
        let (run, _) = s.open_sequence().expect("open");
        let gate = run.on(&NodeName::new("HCI-N2"), "back").map(|a| &a.gate);
        gate.is_some_and(|g| g.iter().any(|i| !i.holds && i.title.contains("registry")))
    };
    p.until("the gate", closed).await;
    // The check is judged anew by itself, so that its fix can be asked for.
    p.until("it is read", |s| {
        s.verdict_of(&key("refs-metadata-validation", "HCI-N2")).is_some_and(|v| v.value.outcome == Outcome::Fail)
            && !s.is_open(&key("refs-metadata-validation", "HCI-N2"))
    })
    .await;
    p.command(Command::Fix { key: key("refs-metadata-validation", "HCI-N2") });
    p.until("the end", at_rest).await;
    assert_eq!((boots(&p, "HCI-N2"), boots(&p, "HCI-N4")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn secure_boot_is_switched_on_by_a_person_one_node_at_a_time() {
    let mut p = Pump::new(world("ready"), |w| {
        w["machines"]["HCI-N2"]["secure_boot"] = json!(false);
        w["machines"]["HCI-N2"]["stays_off"] = json!(true);
    });
    checked(&mut p).await;
    // It needs a person, so it is never part of fixing everything.
    assert!(allowed(p.state(), &Command::FixAll, p.now()).is_err());
    p.command(Command::Fix { key: key("secure-boot", "HCI-N2") });
    p.until("a halt", halted).await;
    let (run, _) = p.state().open_sequence().expect("open");
    assert!(run.paused.as_ref().is_some_and(|h| h.value.why.contains("Secure Boot")), "{:?}", run.paused);
    assert_eq!(boots(&p, "HCI-N2"), 1);
    p.site.change(|w, _| w.machine_mut("HCI-N2")["stays_off"] = json!(false));
    p.command(Command::Resume);
    p.until("the end", at_rest).await;
    assert_eq!((boots(&p, "HCI-N2"), outcome(&p, "secure-boot", "HCI-N2")), (2, Some(Outcome::Pass)));
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_somebody_else_planned_is_neither_added_to_nor_taken_away() {
    let mut p = Pump::new(world("ready"), |w| unset(w, &["HCI-N2"]));
    checked(&mut p).await;
    p.command(Command::FixAll);
    p.until("the drain", |s| {
        let (run, _) = s.open_sequence().expect("open");
        run.on(&NodeName::new("HCI-N2"), "drain").is_some_and(|a| a.intended_at.is_some())
    })
    .await;
    p.site.change(|w, now| w.schedule_restart("HCI-N2", now, 3600.0, "by another", false));
    p.until("a halt", halted).await;
    let (run, _) = p.state().open_sequence().expect("open");
    assert!(run.paused.as_ref().is_some_and(|h| h.value.why.contains("1190")), "{:?}", run.paused);
    // Their restart is as good as ours: it is looked at, nothing is sent.
    p.until("their restart", |s| {
        s.machines[&NodeName::new("HCI-N2")]
            .host
            .as_ref()
            .is_some_and(|h| h.at > s.sequence.as_ref().unwrap().paused.as_ref().unwrap().at)
    })
    .await;
    p.command(Command::Resume);
    p.until("the end", at_rest).await;
    assert_eq!((p.state().phase.clone(), boots(&p, "HCI-N2")), (Phase::Ready, 1), "{}", p.verdicts());
}

#[tokio::test(start_paused = true)]
async fn a_pause_takes_effect_between_two_nodes() {
    let mut p = Pump::new(world("ready"), |w| unset(w, &["HCI-N1", "HCI-N4"]));
    checked(&mut p).await;
    p.command(Command::FixAll);
    p.until("the restart", |s| {
        let (run, _) = s.open_sequence().expect("open");
        run.on(&NodeName::new("HCI-N1"), "restart").is_some_and(|a| a.intended_at.is_some())
    })
    .await;
    p.command(Command::Pause);
    p.until("a halt", halted).await;
    assert_eq!((boots(&p, "HCI-N1"), boots(&p, "HCI-N4")), (1, 0));
    assert_eq!(p.site.look(|w| w.machine("HCI-N1")["state"].clone()), json!("Up"));
    p.command(Command::Resume);
    p.until("the end", at_rest).await;
    assert_eq!((boots(&p, "HCI-N1"), boots(&p, "HCI-N4")), (1, 1));
}
