//! Whole upgrades over the simulator under a virtual clock: runbook, scripts' answers, physics and decider together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nodelift::core::command::Command;
use nodelift::core::decide::{Decider, Effect, Observation, Turn};
use nodelift::core::event::{Answer, Failure, FailureKind};
use nodelift::core::name::NodeName;
use nodelift::core::plan::Plan;
use nodelift::core::run::{PauseReason, Phase, RunVerdict, UnitState};
use nodelift::core::state::State;
use nodelift::remote::remoting::{RemotingConfig, RemotingHost, RemotingTimes};
use nodelift::remote::sim::{Answers, SimHost, Site, World};
use nodelift::remote::{Host, Reply, Request, detached};
use nodelift::runbook::{Library, Site as Place};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

const RUN: &str = "0199-simulated";

/// Everything that an engine would be, without a journal.
struct Pump {
    decider: Decider,
    plan: Arc<Plan>,
    site: Site,
    hosts: BTreeMap<NodeName, Arc<dyn Host>>,
    start: Timestamp,
    origin: Instant,
    inbox: mpsc::Receiver<Observation>,
    outbox: mpsc::Sender<Observation>,
    asked: usize,
}

/// Site seconds in one real second. The clock is virtual, so any would do.
const SCALE: f64 = 1.0;

impl Pump {
    fn new(world: Json, change: impl FnOnce(&mut Json)) -> Self {
        let runbook = Library::new(None).load("azure-local-powershell").unwrap_or_else(|e| panic!("{e}"));
        let mut answers = Answers::embedded().expect("embedded answers");
        for (path, answer) in &runbook.answers {
            answers.add(path, &runbook.scripts[path].text, answer).unwrap_or_else(|e| panic!("{e}"));
        }
        let mut world = world;
        change(&mut world);
        let world = World::new(world).expect("a world");
        let start: Timestamp = "2026-02-01T20:00:00Z".parse().expect("a time");
        let origin = Instant::now();
        let clock = move || start + SignedDuration::try_from(origin.elapsed().mul_f64(SCALE)).expect("short");
        let site = Site::new(world, answers, Arc::new(clock), SCALE);
        let (nodes, coordinator) = site.look(|w| {
            let outside = |k: &&String| w.machine(k)["role"] == "coordinator";
            (w.nodes(), w.machines().iter().find(outside).cloned())
        });
        let place = Place {
            cluster: site.look(|w| w.top("cluster")["name"].as_str().unwrap_or_default().to_owned()),
            nodes: nodes.iter().map(|n| NodeName::new(n)).collect(),
            coordinator: coordinator.map(|c| NodeName::new(&c)),
            settings: [("task_account".to_owned(), json!("CORP\\upgradeadmin"))].into(),
            ..Place::default()
        };
        let plan = Arc::new(runbook.plan(&place).expect("a plan"));
        let own = |n: &str| Arc::new(SimHost::new(&site, n).expect("there"));
        let host = |n: &NodeName| -> Arc<dyn Host> {
            match site.look(|w| w.machine(n.as_str())["no_ssh"] == json!(true)) {
                // From the start without an SSH server: by remoting.
                true => Arc::new(RemotingHost::new(remoting(n.as_str()), own("COORD01"))),
                false => own(n.as_str()),
            }
        };
        let hosts: BTreeMap<NodeName, Arc<dyn Host>> = plan.machines().map(|n| (n.clone(), host(n))).collect();
        let (outbox, inbox) = mpsc::channel(1024);
        let decider = Decider::new(State::new(plan.clone()), RUN);
        let pump = Self { decider, plan, site, hosts, start, origin, inbox, outbox, asked: 0 };
        for (node, host) in &pump.hosts {
            host.open();
            let (node, mut changes, out) = (node.clone(), host.connection(), pump.outbox.clone());
            tokio::spawn(async move {
                loop {
                    let connection = changes.borrow_and_update().clone();
                    let seen = Observation::Connection { node: node.clone(), connection };
                    if out.send(seen).await.is_err() || changes.changed().await.is_err() {
                        return;
                    }
                }
            });
        }
        pump
    }

    fn now(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.origin.elapsed().mul_f64(SCALE)).expect("short")
    }

    fn state(&self) -> &State {
        self.decider.state()
    }

    fn command(&mut self, command: Command) {
        let now = self.now();
        let turn = self.decider.command("operator", &command, now);
        let turn = turn.unwrap_or_else(|refusal| panic!("{command:?}: {}", refusal.0));
        self.carry_out(turn);
    }

    /// Lets the world go on until something holds; panics after a week.
    async fn until(&mut self, what: &str, mut holds: impl FnMut(&State) -> bool) {
        let limit = self.now() + SignedDuration::from_hours(24 * 7);
        while !holds(self.decider.state()) {
            let now = self.now();
            assert!(now < limit, "{what}: {:?}, {}\n{}", self.state().phase, self.state().phase_why, self.units());
            let due = self.decider.next_due(now).map(|at| {
                let wait = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO).div_f64(SCALE);
                Instant::now() + wait.max(Duration::from_millis(1))
            });
            let timer = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let turn = tokio::select! {
                biased;
                Some(seen) = self.inbox.recv() => { let now = self.now(); self.decider.observe(seen, now) }
                () = timer => { let now = self.now(); self.decider.tick(now) }
            };
            self.carry_out(turn);
        }
    }

    fn units(&self) -> String {
        let run = self.state().run.iter().flat_map(|r| &r.units);
        run.map(|(n, u)| format!("{n}: {:?}, {}\n", u.state, u.why)).collect()
    }

    fn carry_out(&mut self, turn: Turn) {
        for effect in turn.effects {
            if let Effect::Connect { node } = &effect {
                self.hosts[node].open();
                continue;
            }
            if let Effect::Follow { source, node, .. } = effect {
                // Nobody reads logs here.
                let _ = self.outbox.try_send(Observation::Tailed { source, node, next: None });
                continue;
            }
            self.asked += 1;
            let (node, request) = self.request(&effect);
            let (host, out) = (self.hosts[&node].clone(), self.outbox.clone());
            tokio::spawn(async move {
                let (said, mut lines) = mpsc::channel(64);
                let listen = async { while lines.recv().await.is_some() {} };
                let (reply, ()) = tokio::join!(host.run(request, said), listen);
                let _ = out.send(observation(effect, reply)).await;
            });
        }
    }

    fn request(&self, effect: &Effect) -> (NodeName, Request) {
        let script = |path: &str, node: &NodeName| {
            let s = &self.plan.scripts[path];
            Request {
                name: path.to_owned(),
                script: s.text.clone(),
                args: self.plan.arguments(path, node),
                timeout: Duration::from_secs(s.timeout),
                slow: false,
            }
        };
        match effect {
            Effect::Connect { .. } | Effect::Follow { .. } => unreachable!("it runs no script"),
            Effect::Read { node, script: s, .. } | Effect::Run { node, script: s, .. } => {
                (node.clone(), script(s, node))
            }
            Effect::Tail { node, script: s, after, .. } => {
                let mut request = script(s, node);
                request.args["after"] = after.clone();
                (node.clone(), request)
            }
            Effect::Observe { op, node } => (node.clone(), detached::observe(RUN, op.as_str())),
            Effect::Detach { op, node, script: s } => {
                let inner = script(s, node);
                let user = self.plan.settings["task_account"].as_str().unwrap_or_default();
                (node.clone(), detached::start(RUN, op.as_str(), 1, &inner.script, inner.args, user, Some("x")))
            }
        }
    }

    /// Checks, fixes what can be fixed, and starts.
    async fn start(&mut self) {
        self.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
        self.command(Command::CheckAll);
        self.until("checks", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
        if self.state().phase == Phase::Blocked {
            self.command(Command::FixAll);
            self.until("fixes", |s| s.phase == Phase::Checking).await;
            self.until("checks again", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
        }
        // Test-CauSetup looks at the firewall too, and was read before the fix.
        if self.state().phase == Phase::Blocked {
            self.command(Command::RetryFailed);
            self.until("checks once more", |s| s.phase == Phase::Checking).await;
            self.until("their end", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
        }
        assert_eq!(self.state().phase, Phase::Ready, "{}", self.verdicts());
        self.command(Command::Start);
    }

    /// Every verdict that is not good.
    fn verdicts(&self) -> String {
        let bad = self.state().checks.iter().filter_map(|(k, c)| Some((k, &c.current.as_ref()?.value)));
        bad.filter(|(_, v)| v.outcome.word() != "pass" && v.outcome.word() != "n/a")
            .map(|(k, v)| {
                let node = k.node.as_ref().map_or_else(String::new, |n| format!(" on {n}"));
                let why = v.why.clone().or(v.observed.clone()).unwrap_or_default();
                format!("{}{node}: {}, {why}\n", k.check, v.outcome.word())
            })
            .collect()
    }

    async fn commit(&mut self, step: &str) {
        self.command(Command::Prove { step: step.into() });
        self.until("proof", |s| s.proofs.get(step).is_some_and(|p| p.taken.is_some())).await;
        let typed = self.plan.cluster.clone();
        self.command(Command::Commit { step: step.into(), typed, reason: "the change was approved".into() });
        let is = |s: &State| s.current_step() != Some(step) || s.phase.is_terminal();
        self.until(step, is).await;
    }
}

fn remoting(node: &str) -> RemotingConfig {
    RemotingConfig {
        name: node.into(),
        computer: node.into(),
        through: "COORD01".into(),
        user: "CORP\\upgradeadmin".into(),
        password: None,
        times: RemotingTimes::default(),
    }
}

fn observation(effect: Effect, reply: Reply) -> Observation {
    let took_ms = reply.took.as_millis() as u64;
    let answer = match reply.record() {
        Ok(json) => Answer::Facts(json),
        Err(failure) => Answer::Failed(failure),
    };
    match effect {
        Effect::Connect { .. } | Effect::Follow { .. } => unreachable!("it is answered by nothing"),
        Effect::Read { key, attempt, node, .. } => Observation::Read { key, attempt, node, took_ms, answer },
        Effect::Run { op, .. } => Observation::Ran { op, took_ms, answer },
        Effect::Detach { op, .. } => Observation::Detached { op, took_ms, answer },
        Effect::Observe { op, .. } => {
            let misshapen =
                |message: String| Failure { kind: FailureKind::Misshapen, id: None, message, at: None };
            let answer = match answer {
                Answer::Facts(json) => serde_json::from_value(json).map_err(|e| misshapen(e.to_string())),
                Answer::Failed(f) => Err(f),
            };
            Observation::Observed { op, answer }
        }
        Effect::Tail { source, node, .. } => {
            let next = match answer {
                Answer::Facts(mut json) => json.get_mut("next").map(Json::take),
                Answer::Failed(_) => None,
            };
            Observation::Tailed { source, node, next }
        }
    }
}

fn world(name: &str) -> Json {
    let path = format!("{}/tests/lab/worlds/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the world is there")).expect("JSON")
}

fn demo() -> Json {
    serde_json::from_str(include_str!("../config/demo.json")).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn a_ready_cluster_is_upgraded_and_committed() {
    let real = std::time::Instant::now();
    let mut p = Pump::new(world("ready"), |_| {});
    p.start().await;
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert!(p.state().run.as_ref().unwrap().units.values().all(|u| u.state == UnitState::Done), "{}", p.units());
    p.commit("functional-level").await;
    p.commit("storage-pool").await;
    p.until("the end", |s| s.phase.is_terminal()).await;
    println!(
        "{} of site time, {} requests, {} ms",
        p.site.now().duration_since(p.start).as_secs() / 60,
        p.asked,
        real.elapsed().as_millis()
    );
    assert_eq!(p.state().verdict, Some(RunVerdict::Succeeded), "{}\n{}", p.state().phase_why, p.verdicts());
    assert_eq!(p.site.look(|w| w.top("cluster")["functional_level"].clone()), json!(12));
    assert_eq!(p.site.look(|w| w.top("storage")["pool"]["version"].clone()), json!("Windows Server 2025"));
}

#[tokio::test(start_paused = true)]
async fn the_demonstration_is_blocked_fixed_and_done_in_minutes() {
    let mut p = Pump::new(demo(), |_| {});
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.command(Command::CheckAll);
    p.until("checks", |s| matches!(s.phase, Phase::Ready | Phase::Blocked)).await;
    let first = p.verdicts();
    assert_eq!(p.state().phase, Phase::Blocked, "{first}");
    for wanted in [
        "refs-metadata-validation on HCI-N3: fail",
        "firewall-remote-shutdown on HCI-N4: fail",
        "secure-boot on HCI-N2: warn",
    ] {
        assert!(first.contains(wanted), "{wanted}\n{first}");
    }
    // What only a person can tell stays open, and blocks nothing.
    let open: Vec<&str> = first.lines().filter(|l| l.contains("could not tell")).collect();
    assert!(!open.is_empty() && open.iter().all(|l| l.ends_with('?')), "{first}");
    p.start().await;
    let mut resync = false;
    let seen = |s: &State, seen: &mut bool| *seen |= s.storage.as_ref().is_some_and(|v| !v.value.jobs.is_empty());
    p.until("every node", |s| {
        seen(s, &mut resync);
        s.phase == Phase::AwaitingCommit
    })
    .await;
    assert!(resync, "a storage repair is to be seen");
    p.commit("functional-level").await;
    p.commit("storage-pool").await;
    p.until("the end", |s| s.phase.is_terminal()).await;
    let minutes = p.site.now().duration_since(p.start).as_secs() as f64 / 60.0 / 120.0;
    println!("{minutes:.1} min at 120 times the speed");
    assert!((1.5..3.0).contains(&minutes), "{minutes:.1} minutes at 120 times the speed");
}

fn fault(on: &str, machine: Option<&str>, what: Json) -> Json {
    json!({"on": on, "machine": machine, "times": 1, "do": what})
}

/// Runs until nothing goes on by itself any more, and gives where every node then stands.
async fn run_into(faults: &[Json]) -> (Pump, BTreeMap<String, UnitState>) {
    let mut p = Pump::new(world("ready"), |w| w["faults"] = json!(faults));
    p.start().await;
    let rests = |s: &State| matches!(s.phase, Phase::AwaitingCommit | Phase::Paused(_)) || s.phase.is_terminal();
    p.until("rest", rests).await;
    let run = p.state().run.as_ref().expect("a run");
    let units = run.units.iter().map(|(n, u)| (n.to_string(), u.state)).collect();
    (p, units)
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_fails_pauses_the_run() {
    let locked = "The requested operation cannot be completed because a resource has locked status";
    let always = json!({"on": "drain", "machine": "HCI-N1", "times": null, "do": {"fail": locked}});
    let (p, units) = run_into(&[always]).await;
    assert!(matches!(p.state().phase, Phase::Paused(_)), "{:?}", p.state().phase);
    assert_eq!(units["HCI-N1"], UnitState::Failed);
    assert!(p.units().contains("locked status"), "{}", p.units());
    assert!(units.iter().all(|(n, u)| n == "HCI-N1" || !u.is_final()), "{}", p.units());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_rolled_back_is_told_from_a_success() {
    let (p, units) = run_into(&[fault("reboot", Some("HCI-N1"), json!({"old_build": true}))]).await;
    assert_eq!(units["HCI-N1"], UnitState::RolledBack, "{}", p.units());
    assert!(matches!(p.state().phase, Phase::Paused(_)));
}

#[tokio::test(start_paused = true)]
async fn two_restarts_and_slow_steps_end_well() {
    let (p, units) = run_into(&[
        fault("reboot", Some("HCI-N1"), json!({"twice": true})),
        fault("install", Some("HCI-N2"), json!({"slow": 3})),
        json!({"on": "Get-CauRun", "skip": 40, "times": 5, "do": {
            "throw": "Unable to receive cluster object notifications: (Win32Exception) The cluster node is shutting down",
            "id": "ClusterUpdateException,Microsoft.ClusterAwareUpdating.Commands.GetCauRunCommand"}}),
    ])
    .await;
    assert!(units.values().all(|u| *u == UnitState::Done), "{}", p.units());
    assert_eq!(p.state().phase, Phase::AwaitingCommit);
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_ssh_stays_away_is_not_failed() {
    let mut p = Pump::new(world("ready"), |w| {
        w["faults"] = json!([fault("reboot", Some("HCI-N1"), json!({"no_ssh": true}))]);
    });
    p.start().await;
    let n1 = NodeName::new("HCI-N1");
    let others_done = |s: &State| {
        let done = |u: &nodelift::core::state::Unit| u.state == UnitState::Done;
        s.run.as_ref().is_some_and(|r| r.units.iter().all(|(n, u)| *n == n1 || done(u)))
    };
    p.until("the others", others_done).await;
    let unit = p.state().unit(&n1).expect("a unit").clone();
    assert!(!unit.state.is_final(), "{:?}: {}", unit.state, unit.why);
    // Somebody mends its SSH server.
    p.site.change(|w, _| {
        w.machine_mut("HCI-N1")["no_ssh"] = json!(false);
        w.machine_mut("HCI-N1")["reachable"] = json!(true);
    });
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
}

#[tokio::test(start_paused = true)]
async fn nodes_without_an_ssh_server_are_upgraded_like_the_others() {
    let mut p = Pump::new(world("ready"), |w| {
        for node in ["HCI-N2", "HCI-N3"] {
            let machine = &mut w["machines"][node];
            (machine["no_ssh"], machine["reachable"]) = (json!(true), json!(false));
        }
    });
    p.start().await;
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    let run = p.state().run.as_ref().expect("a run");
    assert!(run.units.values().all(|u| u.state == UnitState::Done), "{}", p.units());
}

#[tokio::test(start_paused = true)]
async fn as_system_without_network_credentials_nothing_starts() {
    let mut p = Pump::new(world("ready"), |_| {});
    let mut plan = (*p.plan).clone();
    plan.settings.insert("task_account".into(), json!(""));
    p.plan = Arc::new(plan);
    p.start().await;
    p.site.change(|w, _| w.machine_mut("COORD01")["second_hop"] = json!(false));
    p.until("a pause", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert!(p.state().phase_why.contains("Access is denied"), "{}", p.state().phase_why);
}

#[tokio::test(start_paused = true)]
async fn a_pause_takes_effect_after_the_node_in_work_and_resume_goes_on() {
    let mut p = Pump::new(world("ready"), |_| {});
    p.start().await;
    let installing = |s: &State| s.unit(&NodeName::new("HCI-N1")).is_some_and(|u| u.state == UnitState::Executing);
    p.until("the first install", installing).await;
    p.command(Command::Pause);
    p.until("the pause", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert_eq!(p.state().unit(&NodeName::new("HCI-N1")).map(|u| u.state), Some(UnitState::Done), "{}", p.units());
    p.command(Command::Resume);
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_restarts_leaves_an_orphan() {
    let mut p = Pump::new(world("ready"), |_| {});
    p.start().await;
    let staging = |s: &State| s.unit(&NodeName::new("HCI-N1")).is_some_and(|u| u.state == UnitState::Staging);
    p.until("staging", staging).await;
    p.site.change(|w, now| w.start_restart("COORD01", now, Some(300.0)));
    // Nobody reports any more: the lock goes away after an hour, and there is no report.
    p.until("the pause", |s| matches!(s.phase, Phase::Paused(_))).await;
    assert!(p.site.look(|w| w.run().is_null()));
    assert_eq!(p.state().phase, Phase::Paused(PauseReason::NeedsDecision));
    assert_eq!(
        p.state().phase_why,
        "Cluster-Aware Updating has lost its coordinator: its task on COORD01 ended without a word"
    );
    // It is started once more, and nothing is done twice.
    p.command(Command::Resume);
    p.until("every node", |s| s.phase == Phase::AwaitingCommit).await;
    assert_eq!(p.state().run.as_ref().map(|r| r.steps["cau-run"].attempt), Some(2));
}

#[tokio::test(start_paused = true)]
async fn other_clusters_are_upgraded_as_well() {
    for name in ["two-node", "needs-work"] {
        let mut p = Pump::new(world(name), |w| {
            // What no fix can mend: a pending restart, and a repair that must end first.
            for m in w["machines"].as_object_mut().expect("machines").values_mut() {
                m["reboot_pending"] = json!({"cbs": false, "wu": false, "rename": false});
                let keys = m["registry"].as_object_mut().expect("keys");
                keys.retain(|k, _| !k.ends_with("RebootPending") && !k.ends_with("RebootRequired"));
            }
            w["storage"]["jobs"] = json!([]);
        });
        p.start().await;
        p.until(name, |s| s.phase == Phase::AwaitingCommit).await;
    }
}
