//! Azure, where a setting asks for it: somebody signs in by a device code, once, and the registration is repaired where both
//! conditions hold. A whole engine over the simulator.

use std::sync::Arc;

use jiff::Timestamp;
use nodelift::cli::imitated;
use nodelift::core::advice::advice;
use nodelift::core::command::{Command, allowed, fixable};
use nodelift::core::connection::{Connection, Hello};
use nodelift::core::decide::{Decider, Effect, Observation};
use nodelift::core::event::{Answer, EngineInfo, Event, Outcome, ReadKey, Stamped, Verdict, VerdictKey, Waiting};
use nodelift::core::log::{Level, LogLine, Which};
use nodelift::core::name::{NodeName, OpId};
use nodelift::core::run::Phase;
use nodelift::core::state::State;
use nodelift::engine::{self, Clock, Peer, Setup, Vault};
use nodelift::journal::Journal;
use nodelift::link::{self, FromEngine, PROTOCOL, Reader, ToEngine, Writer};
use nodelift::logs::Logs;
use nodelift::remote::sim::World;
use nodelift::runbook::{Library, Site};
use serde_json::{Value as Json, json};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};

const TENANT: &str = "14f696cc-f0bf-5899-a660-eb1e9cad077b";
const SUBSCRIPTION: &str = "581759f7-5e30-5284-ae06-ec558dff6fcf";
const ASKED: &str = "enter the code LAB4DEVICE at https://microsoft.com/devicelogin";

/// An engine, and what it says.
struct Bench {
    from: Reader<ReadHalf<DuplexStream>>,
    to: Writer<WriteHalf<DuplexStream>>,
    state: State,
    events: Vec<Stamped>,
    lines: Vec<LogLine>,
}

impl Bench {
    /// Begins with the checks, in the ready world with what differs there.
    async fn new(change: impl FnOnce(&mut Json), settings: Json) -> Self {
        let runbook = Library::new(None).load("azure-local-powershell").unwrap_or_else(|e| panic!("{e}"));
        let mut world: Json = serde_json::from_str(include_str!("lab/worlds/ready.json")).unwrap();
        change(&mut world);
        let world = World::new(world).unwrap();
        let place = Site {
            cluster: "HCI-CL1".into(),
            nodes: world.nodes().iter().map(|n| NodeName::new(n)).collect(),
            coordinator: Some(NodeName::new("COORD01")),
            settings: serde_json::from_value(settings).unwrap(),
            ..Site::default()
        };
        let plan = Arc::new(runbook.plan(&place).unwrap());
        let clock = Clock::new("2025-06-14T08:00:00Z".parse().unwrap(), 1.0);
        let setup = Setup {
            plan_sha256: "sealed".into(),
            hosts: imitated::hosts(&runbook, world, clock).unwrap(),
            plan: plan.clone(),
            history: Vec::new(),
            journal: Journal::in_memory(),
            logs: Logs::in_memory(),
            vault: Vault::default(),
            clock,
            info: EngineInfo {
                version: "0".into(),
                host: "box".into(),
                user: "j.doe".into(),
                scale: 1.0,
                imitated: true,
            },
            run_id: "azure".into(),
            instance: "a".into(),
            epoch: 1,
            read_only: false,
            check_first: true,
            folder: None,
        };
        let (ours, theirs) = link::pair();
        let (to, viewers) = tokio::sync::mpsc::channel(8);
        engine::attach(1, theirs, Peer::own("j.doe"), to);
        tokio::spawn(engine::run(setup, viewers));
        let (read, write) = tokio::io::split(ours);
        let state = State::new(plan);
        let mut to = Writer::new(write);
        to.send(&ToEngine::Hello { protocol: PROTOCOL, looks_only: false }).await.unwrap();
        Self { from: Reader::new(read), to, state, events: Vec::new(), lines: Vec::new() }
    }

    async fn send(&mut self, command: Command) {
        self.to.send(&ToEngine::Command { id: 1, command }).await.unwrap();
    }

    async fn until(&mut self, mut holds: impl FnMut(&State) -> bool) {
        while !holds(&self.state) {
            match self.from.next::<FromEngine>().await.unwrap() {
                FromEngine::Hello(h) => self.state = *h.state,
                FromEngine::Event(e) => {
                    self.state.apply(&e);
                    self.events.push(*e);
                }
                FromEngine::LogLength { which: Which::All, lines } => {
                    let from = self.lines.len() as u64;
                    let count = lines - from;
                    self.to.send(&ToEngine::LogLines { which: Which::All, from, count }).await.unwrap();
                }
                FromEngine::LogLines { which: Which::All, from, lines } if from == self.lines.len() as u64 => {
                    self.lines.extend(lines);
                }
                FromEngine::Answer { refused: Some(r), .. } => panic!("{}", r.0),
                _ => {}
            }
        }
    }

    async fn checked(&mut self) {
        self.until(|s| matches!(s.phase, Phase::Blocked | Phase::Ready)).await;
    }

    fn outcome(&self, check: &str) -> Outcome {
        self.state.verdict_of(&key(check)).unwrap().value.outcome
    }

    fn advice(&self) -> nodelift::core::advice::Advice {
        advice(&self.state, self.state.at.unwrap())
    }

    /// Who was asked for something, so far.
    fn asked(&self) -> Vec<Waiting> {
        let of = |e: &Stamped| match &e.event {
            Event::PersonAwaited { of, .. } => Some(of.clone()),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }
}

fn key(check: &str) -> VerdictKey {
    VerdictKey { check: check.into(), node: None }
}

fn by_code() -> Json {
    json!({"azure_sign_in": "device-code", "azure_tenant": TENANT, "azure_subscription": SUBSCRIPTION})
}

fn neither(world: &mut Json) {
    world["azure"]["device_login"] = json!(60);
    world["azure"]["identity_type"] = Json::Null;
    world["cluster"]["groups"][2]["name"] = json!("Something else");
}

#[tokio::test(start_paused = true)]
async fn the_code_is_shown_while_its_script_waits_and_the_repair_asks_by_itself() {
    let mut b = Bench::new(neither, by_code()).await;
    b.until(|s| s.persons_awaited().next().is_some()).await;
    // At once, not when the script has ended; before everything else.
    let advice = b.advice();
    assert_eq!(advice.text, format!("HCI-N1 waits for a person: {ASKED}."));
    assert!(advice.urgent && b.state.phase == Phase::Checking);
    b.checked().await;
    assert_eq!(b.state.persons_awaited().count(), 0, "its answer ends the waiting");
    assert!(!b.advice().text.contains("LAB4DEVICE"), "{}", b.advice().text);
    assert_eq!((b.outcome("azure-identity"), b.outcome("repair-registration")), (Outcome::Warn, Outcome::Fail));
    // Nobody signs in for it by pressing the key for all.
    assert!(fixable(&b.state).iter().all(|(k, _)| k.check != "repair-registration"));

    b.send(Command::Retry { key: key("azure-identity") }).await;
    b.until(|s| s.is_open(&key("azure-identity"))).await;
    b.checked().await;
    b.until(|s| !s.is_open(&key("azure-identity"))).await;
    assert_eq!(b.asked().len(), 1, "signed in once");

    b.send(Command::Fix { key: key("repair-registration") }).await;
    b.until(|s| s.persons_awaited().next().is_some()).await;
    assert_eq!(b.advice().text, format!("HCI-N1 waits for a person: {ASKED}."));
    assert!(matches!(b.asked()[..], [Waiting::Read(_), Waiting::Operation(_)]));
    b.until(|s| s.fixes.values().all(|f| f.answer.is_some()) && !s.is_open(&key("repair-registration"))).await;
    assert_eq!(b.state.persons_awaited().count(), 0);
    b.until(|s| s.verdict_of(&key("repair-registration")).unwrap().value.outcome == Outcome::Pass).await;
    let fix = b.state.fixes.values().next().unwrap();
    let Some(Answer::Facts(answer)) = &fix.answer else { panic!("{:?}", fix.answer) };
    assert_eq!((&answer["before"]["group"], &answer["after"]["group"]), (&Json::Null, &json!("Online")));

    // In the log, loud enough.
    let loud: Vec<_> = b.lines.iter().filter(|l| l.text.contains("LAB4DEVICE")).collect();
    assert_eq!(loud.len(), 2, "{loud:#?}");
    assert!(loud.iter().all(|l| l.level == Level::Warning && l.text == format!("waits for a person: {ASKED}")));
}

#[tokio::test(start_paused = true)]
async fn nobody_signs_in_where_the_setting_does_not_say_so() {
    let mut b = Bench::new(neither, json!({})).await;
    b.checked().await;
    assert!(b.asked().is_empty());
    assert_eq!(b.outcome("azure-identity"), Outcome::CouldNotTell);
    assert_eq!(b.outcome("repair-registration"), Outcome::CouldNotTell);
    // A repair nobody showed to be needed is not begun; a person's word is the way out.
    let fix = Command::Fix { key: key("repair-registration") };
    let refusal = allowed(&b.state, &fix, b.state.at.unwrap()).unwrap_err();
    assert_eq!(refusal.0, "nothing says that this is needed: the check could not tell");
    b.send(Command::Attest { key: key("repair-registration"), note: "seen in the portal".into() }).await;
    b.until(|s| s.verdict_of(&key("repair-registration")).unwrap().value.outcome == Outcome::Pass).await;
}

#[tokio::test(start_paused = true)]
async fn what_kept_azure_from_being_asked_is_told() {
    let why = async |change: fn(&mut Json), settings: Json| {
        let mut b = Bench::new(change, settings).await;
        b.checked().await;
        // The group is there: nothing needs a repair, whoever signs in.
        assert_eq!(b.outcome("repair-registration"), Outcome::Pass);
        let verdict = &b.state.verdict_of(&key("azure-identity")).unwrap().value;
        assert_eq!(verdict.outcome, Outcome::CouldNotTell);
        verdict.why.clone().unwrap()
    };
    let begins = |why: String, words: &str| assert!(why.starts_with(words), "{why}");
    begins(why(|_| {}, by_code()).await, "Azure was not asked: DeviceCodeCredential authentication failed");
    let mut settings = by_code();
    settings["azure_tenant"] = json!("");
    let empty = "Azure was not asked: azure_tenant or azure_subscription is empty: put their ids under [settings]";
    begins(why(|_| {}, settings).await, empty);
    let modules = |w: &mut Json| w["azure"]["modules"] = json!(false);
    begins(why(modules, by_code()).await, "Azure was not asked: this node needs Az.Accounts and Az.Resources");
}

/// Rules alone, with one node that answers.
fn rules(now: Timestamp) -> (Decider, NodeName) {
    let runbook = Library::new(None).load("azure-local-powershell").unwrap();
    let nodes = ["HCI-N1", "HCI-N2"].map(NodeName::new);
    let coordinator = Some(NodeName::new("X"));
    let place = Site { cluster: "C".into(), nodes: nodes.to_vec(), coordinator, ..Site::default() };
    let mut decider = Decider::new(State::new(Arc::new(runbook.plan(&place).unwrap())), "0199");
    let hello = Hello {
        host: "HCI-N1".into(),
        ps: "5.1".into(),
        language: "FullLanguage".into(),
        pid: 1,
        skew_ms: 0,
        via: "ssh".into(),
        second_hop: false,
    };
    let connection = Connection::Ready(hello);
    decider.observe(Observation::Connection { node: nodes[0].clone(), connection }, now);
    (decider, nodes[0].clone())
}

#[test]
fn a_fix_that_waits_for_a_person_leaves_the_quick_lane_free() {
    let now = "2025-06-14T08:00:00Z".parse().unwrap();
    let (mut decider, _) = rules(now);
    for (check, slow) in [("repair-registration", true), ("kernel-soft-reboot", false)] {
        let verdict =
            Verdict { outcome: Outcome::Fail, observed: None, detail: Vec::new(), why: None, facts_at: Some(now) };
        decider.record(Event::CheckJudged { key: key(check), verdict }, now);
        let turn = decider.command("j.doe", &Command::Fix { key: key(check) }, now).unwrap();
        let lane = turn.effects.iter().find_map(|e| match e {
            Effect::Run { slow, .. } => Some(*slow),
            _ => None,
        });
        assert_eq!(lane, Some(slow), "{check}");
    }
}

#[test]
fn what_a_script_asks_is_cleaned_bounded_and_told_once() {
    let now = "2025-06-14T08:00:00Z".parse().unwrap();
    let (mut decider, node) = rules(now);
    decider.command("j.doe", &Command::CheckAll, now).unwrap();
    let of = Waiting::Read(ReadKey { group: "azure_resource".into(), node: None });
    let mut says = |text: &str| {
        let seen = Observation::PersonAwaited { of: of.clone(), node: node.clone(), text: text.into() };
        let told = decider.observe(seen, now).events.into_iter().filter_map(|e| match e.event {
            Event::PersonAwaited { text, .. } => Some(text),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(says("open\u{1b}[2J \u{202e}it"), ["open [2J  it"]);
    assert!(says("open\u{1b}[2J \u{202e}it").is_empty(), "nothing new");
    assert!(says(" \n ").is_empty());
    assert_eq!(says(&"x".repeat(5000))[0].len(), 300);
    // Nobody waits where nothing is under way.
    let done = Observation::PersonAwaited {
        of: Waiting::Operation(OpId::new("fix", &node, 1, "0199")),
        node: node.clone(),
        text: "open it".into(),
    };
    assert!(decider.observe(done, now).events.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_persons_word_does_not_outweigh_what_azure_says() {
    let mut b = Bench::new(neither, by_code()).await;
    b.checked().await;
    b.send(Command::Attest { key: key("repair-registration"), note: "surely".into() }).await;
    b.send(Command::Retry { key: key("repair-registration") }).await;
    b.until(|s| s.attested.contains_key(&key("repair-registration"))).await;
    b.until(|s| s.is_open(&key("repair-registration"))).await;
    b.until(|s| !s.is_open(&key("repair-registration")) && s.phase == Phase::Blocked).await;
    assert_eq!(b.outcome("repair-registration"), Outcome::Fail);
}
