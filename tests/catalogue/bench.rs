//! Checks over the simulator: an imitated site, and as much of an engine as reads and judges it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nodelift::core::command::{Command, allowed};
use nodelift::core::connection::Connection;
use nodelift::core::decide::{Decider, Effect, Observation, Turn};
use nodelift::core::event::{Answer, Outcome, Verdict, VerdictKey};
use nodelift::core::name::NodeName;
use nodelift::core::plan::{Place as FactPlace, Plan};
use nodelift::core::state::State;
use nodelift::remote::sim::{Answers, SimHost, Site, World};
use nodelift::remote::{Host, Request};
use nodelift::runbook::{Library, Runbook, Site as Place};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A site and the decider that reads it.
pub struct Bench {
    pub decider: Decider,
    pub plan: Arc<Plan>,
    hosts: BTreeMap<NodeName, Arc<dyn Host>>,
    start: Timestamp,
    origin: Instant,
    inbox: mpsc::Receiver<Observation>,
    outbox: mpsc::Sender<Observation>,
}

pub fn runbook(id: &str) -> Runbook {
    Library::new(None).load(id).unwrap_or_else(|e| panic!("{id}:\n{e}"))
}

pub fn world(name: &str) -> Json {
    let path = format!("{}/tests/lab/worlds/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the world is there")).expect("JSON")
}

impl Bench {
    /// `settings` are those that differ from the runbook's; `target` is one of its targets. A runbook without checks of a
    /// coordinator gets none.
    pub async fn new(runbook: &Runbook, world: Json, settings: &Json, target: Option<&str>) -> Self {
        let mut answers = Answers::embedded().expect("embedded answers");
        for (path, answer) in &runbook.answers {
            answers.add(path, &runbook.scripts[path].text, answer).unwrap_or_else(|e| panic!("{e}"));
        }
        let world = World::new(world).expect("a world");
        let start: Timestamp = world.start();
        let origin = Instant::now();
        let clock = move || start + SignedDuration::try_from(origin.elapsed()).expect("short");
        let site = Site::new(world, answers, Arc::new(clock), 1.0);
        let with = runbook.facts.iter().any(|f| f.on == FactPlace::Coordinator);
        let (cluster, nodes, coordinator) = site.look(|w| {
            let outside = |k: &&String| w.machine(k)["role"] == "coordinator";
            (
                w.top("cluster")["name"].as_str().unwrap_or_default().to_owned(),
                w.nodes(),
                w.machines().iter().find(outside).cloned(),
            )
        });
        let place = Place {
            cluster,
            nodes: nodes.iter().map(|n| NodeName::new(n)).collect(),
            coordinator: coordinator.filter(|_| with).map(|c| NodeName::new(&c)),
            consoles: Default::default(),
            target: target.map(str::to_owned),
            settings: serde_json::from_value(settings.clone()).expect("settings"),
            terms: Default::default(),
        };
        let plan = Arc::new(runbook.plan(&place).expect("a plan"));
        let host = |n: &NodeName| -> Arc<dyn Host> { Arc::new(SimHost::new(&site, n.as_str()).expect("there")) };
        let hosts: BTreeMap<NodeName, Arc<dyn Host>> = plan.machines().map(|n| (n.clone(), host(n))).collect();
        let (outbox, inbox) = mpsc::channel(4096);
        let decider = Decider::new(State::new(plan.clone()), "0199-catalogue");
        let mut bench = Self { decider, plan, hosts, start, origin, inbox, outbox };
        for (node, host) in &bench.hosts {
            host.open();
            let (node, mut changes, out) = (node.clone(), host.connection(), bench.outbox.clone());
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
        let settled = |c: &Connection| c.is_ready() || matches!(c, Connection::Trouble(_));
        bench.until("connections", |s| s.plan.machines().all(|m| settled(s.connection(m)))).await;
        bench
    }

    pub fn state(&self) -> &State {
        self.decider.state()
    }

    pub fn now(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.origin.elapsed()).expect("short")
    }

    pub fn command(&mut self, command: &Command) {
        let now = self.now();
        let turn = self.decider.command("operator", command, now);
        let turn = turn.unwrap_or_else(|refusal| panic!("{command:?}: {}", refusal.0));
        self.carry_out(turn);
    }

    pub async fn until(&mut self, what: &str, mut holds: impl FnMut(&State) -> bool) {
        let limit = self.now() + SignedDuration::from_hours(12);
        while !holds(self.decider.state()) {
            let now = self.now();
            assert!(now < limit, "{what}: {:?}", self.state().phase);
            let due = self.decider.next_due(now).map(|at| {
                let wait = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
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

    fn carry_out(&mut self, turn: Turn) {
        for effect in turn.effects {
            match effect {
                Effect::Connect { node } => self.hosts[&node].open(),
                Effect::Follow { source, node, .. } | Effect::Tail { source, node, .. } => {
                    // Nobody reads logs here.
                    let _ = self.outbox.try_send(Observation::Tailed { source, node, next: None });
                }
                Effect::Read { key, attempt, node, script, .. } => {
                    let ask = self.ask(&node, &script);
                    let out = self.outbox.clone();
                    tokio::spawn(async move {
                        let (took_ms, answer) = ask.await;
                        let _ = out.send(Observation::Read { key, attempt, node, took_ms, answer }).await;
                    });
                }
                Effect::Run { op, node, script, .. } => {
                    let ask = self.ask(&node, &script);
                    let out = self.outbox.clone();
                    tokio::spawn(async move {
                        let (took_ms, answer) = ask.await;
                        let _ = out.send(Observation::Ran { op, took_ms, answer }).await;
                    });
                }
                other => panic!("no run is started here: {other:?}"),
            }
        }
    }

    fn ask(&self, node: &NodeName, script: &str) -> impl Future<Output = (u64, Answer)> + use<> {
        let s = &self.plan.scripts[script];
        let request = Request {
            name: script.to_owned(),
            script: s.text.clone(),
            args: self.plan.arguments(script, node),
            timeout: Duration::from_secs(s.timeout),
            slow: false,
        };
        let host = self.hosts[node].clone();
        async move {
            let (said, mut lines) = mpsc::channel(64);
            let listen = async { while lines.recv().await.is_some() {} };
            let (reply, ()) = tokio::join!(host.run(request, said), listen);
            let took_ms = reply.took.as_millis() as u64;
            (took_ms, reply.record().map_or_else(Answer::Failed, Answer::Facts))
        }
    }

    /// Reads what a check needs, and gives its verdicts.
    pub async fn judge(&mut self, check: &str) -> Vec<(VerdictKey, Verdict)> {
        let keys = self.state().verdict_keys(check);
        assert!(!keys.is_empty(), "there is no check {check}");
        if self.plan.check(check).is_some_and(|c| c.facts.is_empty()) {
            self.check_all().await;
        }
        for key in &keys {
            if self.state().reads_of(key).is_empty() {
                continue;
            }
            // What nodes share may be on its way for another one.
            self.until(check, |s| !s.is_open(key)).await;
            self.command(&Command::Retry { key: key.clone() });
        }
        let judged = |s: &State| keys.iter().all(|k| !s.is_open(k) && s.verdict_of(k).is_some());
        self.until(check, judged).await;
        keys.iter().map(|k| (k.clone(), self.state().verdict_of(k).expect("judged").value.clone())).collect()
    }

    /// Runs the fix of a check wherever it is not good, and waits for its end.
    pub async fn fix(&mut self, check: &str) {
        for key in self.state().verdict_keys(check) {
            let fix = Command::Fix { key: key.clone() };
            if allowed(self.state(), &fix, self.now()).is_ok() {
                self.command(&fix);
                let fixing = |s: &State| s.checks.get(&key).is_some_and(|c| c.fixing.is_some());
                self.until("the fix", |s| !fixing(s) && !s.is_open(&key)).await;
            }
        }
    }

    /// Lets the site go on for so many seconds.
    pub async fn wait(&mut self, seconds: i64) {
        let end = self.now() + SignedDuration::from_secs(seconds);
        tokio::time::sleep(Duration::from_secs(seconds.unsigned_abs())).await;
        assert!(self.now() >= end);
    }

    /// Reads and judges everything.
    pub async fn check_all(&mut self) {
        self.command(&Command::CheckAll);
        let keys: Vec<VerdictKey> = nodelift::core::command::before_keys(self.state());
        self.until("all checks", |s| keys.iter().all(|k| !s.is_open(k) && s.verdict_of(k).is_some())).await;
    }

    /// Confirms every verdict of a check that waits for a person.
    pub fn confirm(&mut self, check: &str) {
        for key in self.state().verdict_keys(check) {
            let attest = Command::Attest { key, note: "seen".into() };
            if allowed(self.state(), &attest, self.now()).is_ok() {
                self.command(&attest);
            }
        }
    }
}

/// The worst outcome of several verdicts.
pub fn worst(verdicts: &[(VerdictKey, Verdict)]) -> Outcome {
    Outcome::worst(verdicts.iter().map(|(_, v)| v.outcome)).expect("a verdict")
}

/// `[{at, value}]` and `[{at, remove}]`, as in a case of the contract.
pub fn patched(mut world: Json, patches: &Json) -> Json {
    for p in patches.as_array().into_iter().flatten() {
        let at = p["at"].as_str().expect("a place");
        let (parent, last) = at.rsplit_once('/').expect("a pointer");
        match world.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
            Json::Array(list) if last == "-" => list.push(p["value"].clone()),
            Json::Array(list) => list[last.parse::<usize>().expect("an index")] = p["value"].clone(),
            Json::Object(map) if p["remove"] == json!(true) => {
                map.remove(last);
            }
            Json::Object(map) => {
                map.insert(last.to_owned(), p["value"].clone());
            }
            other => panic!("{parent} is {other}"),
        }
    }
    world
}
