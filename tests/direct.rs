//! Direct driving over the simulator under a virtual clock: node by node with Windows Setup, gates that hold, and nothing done twice
//! whatever happens to the engine or to a node.

#[path = "support/pump.rs"]
mod pump;

use std::collections::BTreeMap;

use nodelift::core::command::{Command, allowed};
use nodelift::core::cures::{cure, fault};
use nodelift::core::event::Event;
use nodelift::core::keeping::Keeping;
use nodelift::core::name::NodeName;
use nodelift::core::plan::{Fault, Mode, Stage};
use nodelift::core::run::{PauseReason, Phase, RunVerdict, UnitState};
use nodelift::core::state::State;
use pump::{Pump, world};
use serde_json::{Value as Json, json};

const MEDIA: &str = r"C:\ClusterUpgrade\2503";
const NODES: [&str; 4] = ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"];

fn direct() -> [(&'static str, Json); 2] {
    [("driving", json!("direct")), ("media_path", json!(MEDIA))]
}

fn pump(change: impl FnOnce(&mut Json)) -> Pump {
    Pump::of("azure-local-powershell", world("ready"), change, |place| {
        place.settings.extend(direct().map(|(k, v)| (k.to_owned(), v)));
        place.consoles.insert(n("HCI-N1"), "https://bmc-n1.corp.example".into());
    })
}

fn n(name: &str) -> NodeName {
    NodeName::new(name)
}

fn unit(s: &State, name: &str) -> UnitState {
    s.unit(&n(name)).map_or(UnitState::Pending, |u| u.state)
}

fn is_paused(s: &State) -> bool {
    matches!(s.phase, Phase::Paused(_))
}

/// How often each node started, by its own event log.
fn boots(p: &Pump, node: &str) -> usize {
    let started = |e: &&Json| e["id"] == json!(6005);
    p.site.look(|w| w.machine(node)["events"].as_array().map_or(0, |e| e.iter().filter(started).count()))
}

/// How often Setup was started on a node: every claim is one.
fn claims(p: &Pump, node: &str) -> usize {
    p.site.look(|w| {
        w.machine(node)["operations"].as_object().map_or(0, |o| o.keys().filter(|k| k.contains("/stage-")).count())
    })
}

fn state_of(p: &Pump, node: &str) -> Json {
    p.site.look(|w| w.machine(node)["state"].clone())
}

fn build(p: &Pump, node: &str) -> f64 {
    p.site.look(|w| w.machine(node)["os"]["build"].as_f64().unwrap_or(0.0))
}

async fn to_the_end(p: &mut Pump) {
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    p.commit("functional-level").await;
    p.commit("storage-pool").await;
    p.command(Command::Defer);
    p.until("the end", |s| s.phase.is_terminal()).await;
}

#[tokio::test(start_paused = true)]
async fn four_nodes_are_upgraded_by_setup_and_committed() {
    let mut p = pump(|_| {});
    assert_eq!(p.plan.driver.mode, Mode::Direct);
    assert!(p.plan.step("cau-run").is_none() && p.plan.step("in-place").is_some());
    p.start().await;
    p.until("a drain", |s| unit(s, "HCI-N1") == UnitState::Draining).await;
    assert!(NODES[1..].iter().all(|node| unit(p.state(), node) == UnitState::Pending), "{}", p.units());
    to_the_end(&mut p).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
    let stages = [
        Stage::Staging,
        Stage::Draining,
        Stage::Installing,
        Stage::Restarting,
        Stage::Returning,
        Stage::Verifying,
        Stage::Resuming,
        Stage::Resync,
    ];
    for node in NODES {
        assert_eq!((boots(&p, node), claims(&p, node), build(&p, node)), (1, 1, 25398.0), "{node}");
        let track: Vec<Stage> = p.state().unit(&n(node)).unwrap().track.iter().map(|t| t.stage).collect();
        assert_eq!(track, stages, "{node}");
    }
    // One node after the other: nothing was begun on a node before the one before it was proved.
    let mut done: Vec<&NodeName> = Vec::new();
    for e in &p.events {
        match &e.event {
            Event::UnitChanged { node, to: UnitState::Done, .. } => done.push(node),
            Event::ActionIntended { node, .. } => {
                let before = NODES.iter().position(|x| *x == node.as_str()).unwrap();
                assert_eq!(done.len(), before, "{node}");
            }
            _ => {}
        }
    }
    // No Updating Run was ever asked for.
    assert!(p.site.look(|w| w.run().is_null()));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_ends_anywhere_leaves_nothing_done_twice() {
    // Two nodes are there already, so that an upgrade is short.
    let two = ["HCI-N2", "HCI-N3"];
    let there = |w: &mut Json| {
        for node in ["HCI-N1", "HCI-N4"] {
            let os = &mut w["machines"][node]["os"];
            (os["build"], os["display_version"]) = (json!(25398), json!("23H2"));
            let key =
                &mut w["machines"][node]["registry"]["HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"];
            if key.is_object() {
                key["CurrentBuildNumber"] = json!({"type": "String", "value": "25398"});
            }
        }
    };
    let own = |e: &Event| {
        matches!(
            e,
            Event::StepIntended { .. }
                | Event::SequenceStarted { .. }
                | Event::GateSeen { .. }
                | Event::ActionIntended { .. }
                | Event::ActionAnswered { .. }
                | Event::OpSeen { .. }
                | Event::ActionEnded { .. }
                | Event::UnitChanged { .. }
        )
    };
    let started = |p: &Pump| p.events.iter().position(|e| matches!(e.event, Event::StartIntended { .. })).unwrap();
    let mut whole = pump(there);
    whole.start().await;
    whole.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    for node in ["HCI-N1", "HCI-N4"] {
        assert_eq!(unit(whole.state(), node), UnitState::AlreadyDone, "{}", whole.units());
    }
    let places = whole.events[started(&whole)..].iter().filter(|e| own(&e.event)).count();
    assert!(places > 60, "{places}");
    // One place, or "all" of them; every thirty-first where nothing is said.
    let wanted = std::env::var("NODELIFT_PLACES").unwrap_or_default();
    let chosen = |p: &usize| wanted == "all" || wanted == p.to_string() || (wanted.is_empty() && p % 31 == 1);
    for place in (1..=places).filter(chosen) {
        println!("the engine ends at place {place} of {places}");
        let mut p = pump(there);
        p.start().await;
        let from = started(&p);
        let mut seen = p.events[from..].iter().filter(|e| own(&e.event)).count();
        while seen < place {
            let (known, at) = (p.events.len(), p.state().seq);
            p.until("one more", |s| s.seq > at).await;
            seen += p.events[known..].iter().filter(|e| own(&e.event)).count();
        }
        let over = p.state().phase == Phase::AwaitingCommit;
        p.engine_restarts();
        if !over {
            p.until("a person", |s| is_paused(s) || s.phase == Phase::AwaitingCommit).await;
            assert_eq!(
                p.state().phase,
                Phase::Paused(PauseReason::Recovered),
                "place {place}: {}",
                p.state().phase_why
            );
            p.command(Command::Resume);
        }
        p.until(&format!("every node, after place {place}"), |s| s.phase == Phase::AwaitingCommit).await;
        for node in NODES {
            let wanted = usize::from(two.contains(&node));
            let found = (boots(&p, node), claims(&p, node), state_of(&p, node));
            assert_eq!(found, (wanted, wanted, json!("Up")), "{node}, after an end at place {place} of {places}");
        }
    }
}

/// The run pauses at the second node by itself; the words say why.
async fn stops_at_n2(faults: Json, reason: PauseReason, state: UnitState, said: &str) -> Pump {
    let mut p = pump(|w| w["faults"] = faults);
    p.start().await;
    p.until("a pause", is_paused).await;
    assert_eq!(p.state().phase, Phase::Paused(reason), "{}", p.state().phase_why);
    assert_eq!(unit(p.state(), "HCI-N2"), state, "{}", p.units());
    assert!(p.state().phase_why.contains(said), "{}", p.state().phase_why);
    assert_eq!(unit(p.state(), "HCI-N1"), UnitState::Done, "{}", p.units());
    // Nothing is begun on another node.
    for node in ["HCI-N3", "HCI-N4"] {
        assert_eq!((boots(&p, node), claims(&p, node), state_of(&p, node)), (0, 0, json!("Up")), "{node}");
    }
    p
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_fails_waits_and_is_tried_again_on_the_same_node() {
    let faults =
        json!([{"on": "drain", "machine": "HCI-N2", "times": 1, "do": {"fail": "a resource has locked status"}}]);
    let mut p =
        stops_at_n2(faults, PauseReason::NeedsDecision, UnitState::DrainFailed, "drain failed on HCI-N2").await;
    p.command(Command::Resume);
    to_the_end(&mut p).await;
    assert_eq!((boots(&p, "HCI-N2"), claims(&p, "HCI-N2")), (1, 1));
    assert!(p.state().run.as_ref().unwrap().first_error.as_ref().unwrap().value.contains("drain failed"));
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_hangs_asks_after_its_time_and_nothing_is_forced() {
    let faults = json!([{"on": "drain", "machine": "HCI-N2", "times": 1, "do": {"hang": true}}]);
    let p = stops_at_n2(faults, PauseReason::NeedsDecision, UnitState::Draining, "not done within").await;
    assert_eq!(state_of(&p, "HCI-N2"), json!("Paused"));
}

#[tokio::test(start_paused = true)]
async fn what_setup_says_is_told_in_words_and_tried_again_by_another_name() {
    let faults = json!([{"on": "install", "machine": "HCI-N2", "times": 1, "do": {"fail": "0xC1900208"}}]);
    let said = "ended with 0xC1900208 on HCI-N2: a program or a driver blocks the upgrade";
    let mut p = stops_at_n2(faults, PauseReason::Budget, UnitState::Failed, said).await;
    assert_eq!((boots(&p, "HCI-N2"), claims(&p, "HCI-N2")), (0, 1));
    p.command(Command::Resume);
    to_the_end(&mut p).await;
    assert_eq!((boots(&p, "HCI-N2"), claims(&p, "HCI-N2")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_setup_that_hangs_is_followed_and_never_started_beside_itself() {
    let faults = json!([{"on": "install", "machine": "HCI-N2", "times": 1, "do": {"hang": true}}]);
    let mut p = stops_at_n2(faults, PauseReason::NeedsDecision, UnitState::Executing, "not ended within").await;
    p.command(Command::Resume);
    p.until("it asks again", is_paused).await;
    assert_eq!((claims(&p, "HCI-N2"), boots(&p, "HCI-N2")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_node_on_the_old_build_halts_the_run_whatever_else_is_well() {
    let faults = json!([{"on": "reboot", "machine": "HCI-N2", "times": 1, "do": {"old_build": true}}]);
    let said = "started again on the old build 20349: Setup undid the upgrade";
    let mut p = stops_at_n2(faults, PauseReason::Budget, UnitState::RolledBack, said).await;
    // It is out of service until somebody decides; then Setup is run again from its beginning.
    assert_eq!(state_of(&p, "HCI-N2"), json!("Paused"));
    p.command(Command::Resume);
    to_the_end(&mut p).await;
    assert_eq!((boots(&p, "HCI-N2"), claims(&p, "HCI-N2")), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_never_returns_is_waited_for_and_no_other_is_begun() {
    let faults = json!([{"on": "reboot", "machine": "HCI-N2", "times": 1, "do": {"never_returns": true}}]);
    let mut p = stops_at_n2(faults, PauseReason::NeedsDecision, UnitState::Offline, "not done within").await;
    // Somebody goes there and switches it on; it comes back as it was prepared.
    p.site.change(|w, now| w.machine_mut("HCI-N2")["uptime_until"] = json!(now.to_string()));
    p.command(Command::Resume);
    to_the_end(&mut p).await;
    assert_eq!((boots(&p, "HCI-N2"), claims(&p, "HCI-N2")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_value_that_the_upgrade_takes_away_is_back_before_the_node_takes_part_again() {
    let mut p = pump(|w| {
        w["faults"] = json!([{"on": "reboot", "machine": null, "times": null, "do": {"reverts_registry": true}}]);
    });
    p.start().await;
    p.until("a resume", |s| unit(s, "HCI-N1") == UnitState::Resuming).await;
    let key = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem";
    let value = |p: &Pump| {
        p.site.look(|w| w.machine("HCI-N1")["registry"][key]["RefsEnableMetadataValidation"]["value"].clone())
    };
    assert_eq!((value(&p), state_of(&p, "HCI-N1")), (json!(0), json!("Paused")));
    to_the_end(&mut p).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
}

/// The SSH server's service on a node.
fn sshd(p: &Pump, node: &str) -> Json {
    p.site.look(|w| w.machine(node)["services"]["sshd"].clone())
}

#[tokio::test(start_paused = true)]
async fn an_ssh_server_that_the_upgrade_takes_away_is_brought_back_by_what_setup_was_given() {
    let mut p = pump(|w| {
        w["faults"] = json!([{"on": "reboot", "machine": null, "times": null, "do": {"no_ssh": true}}]);
    });
    p.start().await;
    p.until("a restart", |s| unit(s, "HCI-N1") == UnitState::CommitReboot).await;
    let before = p.site.look(|w| w.machine("HCI-N1")["ssh"]["before"].clone());
    assert_eq!((before["start"].clone(), before["rule"].is_null()), (json!("Automatic"), false), "{before}");
    to_the_end(&mut p).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
    for node in NODES {
        let put_right = p.site.look(|w| w.machine(node)["ssh"]["put_right"].clone());
        assert_eq!((boots(&p, node), put_right), (1, json!(true)), "{node}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ssh_server_that_stays_away_is_told_with_what_brings_it_back() {
    let gone = json!({"no_ssh": true, "no_repair": true});
    let mut p = pump(|w| {
        w["faults"] = json!([{"on": "reboot", "machine": "HCI-N1", "times": 1, "do": gone}]);
    });
    p.start().await;
    p.until("its return", |s| unit(s, "HCI-N1") == UnitState::Returning).await;
    let why = p.state().unit(&n("HCI-N1")).expect("a unit").why.clone();
    assert_eq!(why, "the cluster sees it again, SSH does not answer yet");
    assert_eq!(fault(p.state(), &n("HCI-N1")), Some(Fault::NoSsh));
    let cure = cure(p.state(), &n("HCI-N1")).expect("a cure");
    assert!(cure.commands.iter().any(|c| c.contains("-ComputerName HCI-N1") && c.contains("Start-Service sshd")));
    assert!(cure.say.iter().any(|l| l == "Its console: https://bmc-n1.corp.example"), "{cure:?}");
    // Nothing is given up, and no other node is begun; a person brings it back by hand, for this start only.
    p.wait(std::time::Duration::from_secs(1800)).await;
    assert_eq!((unit(p.state(), "HCI-N1"), boots(&p, "HCI-N2")), (UnitState::Returning, 0), "{}", p.units());
    p.site.change(|w, _| {
        let m = w.machine_mut("HCI-N1");
        (m["no_ssh"], m["reachable"]) = (json!(false), json!(true));
        m["services"]["sshd"]["start"] = json!("Manual");
    });
    p.until("its resume", |s| unit(s, "HCI-N1") == UnitState::Resuming).await;
    assert_eq!(sshd(&p, "HCI-N1")["start"], "Automatic", "it is found by the next restart as well");
    to_the_end(&mut p).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
}

#[tokio::test(start_paused = true)]
async fn a_pause_takes_effect_between_two_nodes_and_a_stop_puts_the_node_back() {
    let mut p = pump(|_| {});
    p.start().await;
    p.until("Setup", |s| unit(s, "HCI-N1") == UnitState::Executing).await;
    p.command(Command::Pause);
    p.until("a pause", is_paused).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::Operator));
    assert_eq!((unit(p.state(), "HCI-N1"), boots(&p, "HCI-N2")), (UnitState::Done, 0), "{}", p.units());
    p.command(Command::Resume);
    p.until("the second", |s| unit(s, "HCI-N2") == UnitState::Draining).await;
    p.command(Command::Stop);
    p.until("the end", |s| s.phase.is_terminal()).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::Stopped), "{}", p.state().phase_why);
    assert_eq!((unit(p.state(), "HCI-N2"), boots(&p, "HCI-N3")), (UnitState::Done, 0));
}

#[tokio::test(start_paused = true)]
async fn ending_a_run_half_way_puts_the_node_back_and_says_what_its_next_restart_does() {
    let faults = json!([{"on": "reboot", "machine": "HCI-N2", "times": 1, "do": {"old_build": true}}]);
    let said = "old build";
    let mut p = stops_at_n2(faults, PauseReason::Budget, UnitState::RolledBack, said).await;
    p.command(Command::Stop);
    p.until("the end", |s| s.phase.is_terminal()).await;
    assert_eq!(state_of(&p, "HCI-N2"), json!("Up"));
    let told = p.state().sequence.as_ref().and_then(|s| s.ended.as_ref()).map(|e| e.value.message.clone());
    assert!(told.as_ref().is_some_and(|t| t.contains("the next restart of this node installs it")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_given_up_sends_nothing_more_and_says_what_stays_behind() {
    let mut p = pump(|_| {});
    let give_up = |typed: &str| Command::Abandon { typed: typed.into(), reason: "the site is rebuilt".into() };
    let why = |p: &Pump, c: &Command| allowed(p.state(), c, p.now()).unwrap_err().0;
    assert_eq!(why(&p, &give_up("HCI-CL1")), "nothing has begun: there is nothing to give up");
    p.start().await;
    let begun =
        |s: &State| s.sequence.as_ref().and_then(|q| q.on(&n("HCI-N1"), "stage")).is_some_and(|a| a.op.is_some());
    p.until("Setup", begun).await;
    assert_eq!(why(&p, &give_up("HCI-CL2")), "type the cluster's name: HCI-CL1");
    p.command(give_up("HCI-CL1"));
    assert_eq!(p.state().phase, Phase::Abandoned);
    assert_eq!(p.state().phase_why, "given up with 4 of 4 nodes not done");
    let left = p.state().run.as_ref().expect("a run").left_behind.join("\n");
    for said in [
        "HCI-N1 is left as it is: installing",
        "HCI-N1 is out of service: Resume-ClusterNode -Name HCI-N1 -Failback Immediate",
        "the next restart of this node installs it",
        "4 of 4 nodes are not done",
    ] {
        assert!(left.contains(said), "{said}\n{left}");
    }
    let sent = p.sent.len();
    p.wait(std::time::Duration::from_secs(4 * 3600)).await;
    p.engine_restarts();
    p.wait(std::time::Duration::from_secs(600)).await;
    assert_eq!((p.sent.len(), boots(&p, "HCI-N1"), state_of(&p, "HCI-N1")), (sent, 0, json!("Paused")));
    assert_eq!(
        (p.state().phase.clone(), why(&p, &Command::Resume)),
        (Phase::Abandoned, "nothing to resume: the run is abandoned".into())
    );
}

#[tokio::test(start_paused = true)]
async fn the_driver_is_switched_half_way_by_a_revision_of_the_plan() {
    let faults =
        json!([{"on": "install", "machine": "HCI-N2", "times": 2, "do": {"fail": "Windows Setup failed"}}]);
    let mut p = Pump::new(world("ready"), |w| w["faults"] = faults);
    p.start().await;
    let to = |media: &str| Command::Revise {
        settings: BTreeMap::from([("driving".into(), json!("direct")), ("media_path".into(), json!(media))]),
    };
    let why = |p: &Pump, c: &Command| allowed(p.state(), c, p.now()).unwrap_err().0;
    p.until("a drain", |s| unit(s, "HCI-N1") == UnitState::Draining).await;
    assert!(why(&p, &to(MEDIA)).contains("only a paused one"), "{}", why(&p, &to(MEDIA)));
    p.until("a pause", is_paused).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::Budget), "{}", p.state().phase_why);
    assert_eq!(unit(p.state(), "HCI-N2"), UnitState::Failed, "{}", p.units());
    assert_eq!(why(&p, &to("")), "the setting media_path is empty");
    let sealed = p.plan.clone();
    p.command(to(MEDIA));
    assert_eq!((p.state().revision, p.state().plan.driver.mode), (2, Mode::Direct));
    assert_eq!(
        p.state().plan.differs_from(&sealed),
        [
            "driving: delegated → direct",
            "media_path: empty → C:\\ClusterUpgrade\\2503",
            "− Updating Run",
            "+ In-place upgrade, node by node"
        ]
    );
    // Whoever folds the journal has the same plan, by its hash.
    p.engine_restarts();
    assert_eq!(p.state().plan_sha256.as_deref(), Some(p.state().plan.sha256().as_str()));
    assert_eq!((p.state().revision, is_paused(p.state())), (2, true));
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.command(Command::Resume);
    to_the_end(&mut p).await;
    for node in NODES {
        let by_setup = usize::from(node != "HCI-N1");
        assert_eq!((boots(&p, node), claims(&p, node), build(&p, node)), (1, by_setup, 25398.0), "{node}");
    }
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_the_other_driver_left_drained_is_taken_over_and_put_back() {
    let faults =
        json!([{"on": "drain", "machine": "HCI-N2", "times": 2, "do": {"fail": "a resource has locked status"}}]);
    let mut p = Pump::new(world("ready"), |w| w["faults"] = faults);
    p.start().await;
    p.until("a pause", is_paused).await;
    assert_eq!(state_of(&p, "HCI-N2"), json!("Paused"), "{}", p.units());
    let settings = BTreeMap::from([("driving".into(), json!("direct")), ("media_path".into(), json!(MEDIA))]);
    p.command(Command::Revise { settings });
    p.command(Command::Resume);
    to_the_end(&mut p).await;
    assert_eq!((boots(&p, "HCI-N2"), claims(&p, "HCI-N2"), state_of(&p, "HCI-N2")), (1, 1, json!("Up")));
}

#[tokio::test(start_paused = true)]
async fn a_run_of_ours_goes_on_by_the_delegated_driver() {
    // Two nodes, each once refused by its Setup.
    let mut p = pump(|w| {
        w["faults"] = json!([{"on": "install", "machine": "HCI-N2", "times": 1, "do": {"fail": "0xC1900208"}}]);
    });
    p.start().await;
    let back = Command::Revise { settings: BTreeMap::from([("driving".into(), json!("delegated"))]) };
    let why = |p: &Pump| allowed(p.state(), &back, p.now()).unwrap_err().0;
    p.until("a pause", is_paused).await;
    assert_eq!((unit(p.state(), "HCI-N1"), unit(p.state(), "HCI-N2")), (UnitState::Done, UnitState::Failed));
    // In the middle of a node it is not handed over: it is drained.
    assert_eq!(why(&p), "HCI-N2 is in the middle of it: In-place upgrade");
    p.command(Command::Resume);
    p.command(Command::Pause);
    p.until("a pause between nodes", is_paused).await;
    assert_eq!(unit(p.state(), "HCI-N2"), UnitState::Done, "{}", p.units());
    p.command(back.clone());
    assert_eq!((p.state().revision, p.state().plan.driver.mode), (2, Mode::Delegated));
    assert!(p.state().open_sequence().is_none());
    p.command(Command::Resume);
    to_the_end(&mut p).await;
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
    for (node, by_setup) in NODES.into_iter().zip([1, 2, 0, 0]) {
        assert_eq!((boots(&p, node), claims(&p, node), build(&p, node)), (1, by_setup, 25398.0), "{node}");
    }
    assert_eq!(p.site.look(|w| w.top("cau")["history"].as_array().map(Vec::len)), Some(1));
}

#[tokio::test(start_paused = true)]
async fn without_media_there_is_no_direct_driving() {
    let mut p = Pump::with_settings(world("ready"), &[("driving", json!("direct"))], |_| {});
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.command(Command::CheckAll);
    p.until("checks", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
    assert_eq!(p.state().phase, Phase::Blocked);
    assert!(p.verdicts().contains("direct-media: fail, the setting media_path is empty"), "{}", p.verdicts());
}

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_no_action_is_begun_and_the_node_in_work_waits_where_it_is() {
    let mut p = pump(|_| {});
    p.start().await;
    let site = p.site.clone();
    p.until("a drain", |_| site.look(|w| w.machine("HCI-N1")["state"] != json!("Up"))).await;
    p.journal(Keeping::Full { free: 1 << 20 });
    p.until("the pause", is_paused).await;
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::JournalUnwritable), "{}", p.state().phase_why);
    assert!(p.state().phase_why.contains("make room there"), "{}", p.state().phase_why);
    assert_eq!(
        (claims(&p, "HCI-N1"), state_of(&p, "HCI-N1")),
        (0, json!("Paused")),
        "drained, and nothing after it"
    );
    let sent = p.sent.len();
    p.wait(std::time::Duration::from_secs(3600)).await;
    assert_eq!(p.sent.len(), sent);
    let refused = allowed(p.state(), &Command::Resume, p.now()).expect_err("still full");
    assert!(refused.0.contains("full"), "{}", refused.0);
    p.journal(Keeping::Fine);
    p.command(Command::Resume);
    to_the_end(&mut p).await;
    assert!(NODES.iter().all(|node| claims(&p, node) == 1));
}
