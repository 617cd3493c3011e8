//! Workers and lanes over pipes of this machine: what a script can do to its PowerShell, and what the caller sees of it.
#![cfg(target_os = "linux")]

#[path = "support/said.rs"]
mod said;
mod support;

use std::sync::Arc;
use std::time::Duration;

use nodelift::core::event::FailureKind;
use nodelift::remote::powershell::lane::{self, Job, Means};
use nodelift::remote::powershell::orphan::Ledger;
use nodelift::remote::powershell::process::Limits;
use nodelift::remote::powershell::worker::{Greeting, StartFailure, Worker};
use nodelift::remote::{Level, Reply, Request, Said};
use serde_json::json;
use support::local::Local;
use support::{QUICK, request, within};
use tokio::sync::{mpsc, oneshot, watch};

fn limits() -> Limits {
    Limits {
        hello: Duration::from_secs(10),
        close_grace: Duration::from_millis(200),
        kill_grace: Duration::from_secs(5),
        ..Limits::default()
    }
}

/// A quick lane on a fresh machine.
struct Bench {
    machine: Arc<Local>,
    jobs: mpsc::Sender<Job>,
    ledger: Ledger,
    closing: watch::Sender<bool>,
    greeted: watch::Receiver<Greeting>,
    ended: tokio::task::JoinHandle<Result<(), StartFailure>>,
}

impl Bench {
    async fn new(limits: Limits) -> Bench {
        let machine = Arc::new(Local::new());
        let (first, greeting) = within(Worker::start(&*machine, &limits)).await.expect("a worker");
        let (closing, is_closing) = watch::channel(false);
        let ledger = Ledger::default();
        let means = Means { launch: machine.clone(), limits, ledger: ledger.clone(), closing: is_closing };
        let (jobs, queue) = mpsc::channel(lane::QUEUE);
        let (greetings, greeted) = watch::channel(greeting);
        let ended = tokio::spawn(lane::quick(means, queue, first, greetings));
        Bench { machine, jobs, ledger, closing, greeted, ended }
    }

    fn send(&self, request: Request) -> (oneshot::Receiver<Reply>, mpsc::Receiver<Said>) {
        let (reply, answer) = oneshot::channel();
        let (said, lines) = mpsc::channel(1000);
        self.jobs.try_send(Job { request, said, reply }).expect("a place in the queue");
        (answer, lines)
    }

    async fn run(&self, script: &str) -> Reply {
        self.run_for(script, QUICK).await.0
    }

    async fn run_for(&self, script: &str, timeout: Duration) -> (Reply, Vec<Said>) {
        let (answer, mut lines) = self.send(Request { timeout, ..request(script) });
        let reply = within(answer).await.expect("a reply");
        let mut said = Vec::new();
        while let Ok(line) = lines.try_recv() {
            said.push(line);
        }
        (reply, said)
    }

    async fn pid(&self) -> u64 {
        self.run("pid").await.results[0].as_u64().expect("pid")
    }
}

fn kind(reply: &Reply) -> Option<FailureKind> {
    reply.end.as_ref().err().map(|f| f.kind)
}

fn message(reply: &Reply) -> String {
    reply.end.as_ref().err().map(|f| f.message.clone()).unwrap_or_default()
}

#[tokio::test]
async fn answers_come_in_order_and_unchanged() {
    let bench = Bench::new(limits()).await;
    let (answer, _lines) = bench
        .send(Request {
            args: json!({ "a'b": "żółć 漢字 😀 \u{202e}\n" }), ..request("args\necho [1,\"x\"]")
        });
    let reply = within(answer).await.expect("reply");
    assert_eq!(reply.results, [json!({ "a'b": "żółć 漢字 😀 \u{202e}\n" }), json!([1, "x"])]);
    assert_eq!(reply.end, Ok(()));
    let many: Vec<_> = (0..50).map(|i| bench.send(request(&format!("echo {i}")))).collect();
    for (i, (answer, _lines)) in many.into_iter().enumerate() {
        assert_eq!(within(answer).await.expect("reply").results, [json!(i)]);
    }
    assert_eq!(bench.run("many 3000").await.results.len(), 3000);
    let big = bench.run("big 5000000").await;
    let text = big.results[0].as_str().expect("text");
    assert!(text.len() == 5_000_000 && text.bytes().enumerate().all(|(i, b)| b == b'!' + (i % 251 % 90) as u8));
    let script = format!("# {}\necho 1", "x".repeat(900_000));
    assert_eq!(bench.run(&script).await.results, [json!(1)]);
}

#[tokio::test]
async fn what_a_script_says_is_cleaned_and_told() {
    let bench = Bench::new(limits()).await;
    let script = "log Warning low on \u{1b}[31mspace\u{1b}[0m\nraw plain\nlog Error bad\u{1b}]0;t\u{7}\nlog Verbose v\nlog Information i\n\
                  unfinished half\necho 1\nforge\nnonsense";
    let (reply, said) = bench.run_for(&script.replace('\u{1b}', "ESC").replace('\u{7}', "BEL"), QUICK).await;
    assert_eq!(reply.end, Ok(()));
    let lines: Vec<(Level, &str)> = said.iter().map(|s| (s.level, s.text.as_str())).collect();
    assert_eq!(lines[1], (Level::Info, "plain"));
    assert_eq!(lines[3].0, Level::Debug);
    assert_eq!(lines[5], (Level::Info, "half"), "what stands before a frame is text");
    assert!(lines[6].1.starts_with("#~ffff"), "a forged frame is text");
    assert!(lines.iter().any(|(_, t)| t.contains("{nonsense")));
    assert_eq!(reply.results, [json!(1)]);
}

#[tokio::test]
async fn failures_are_told_apart() {
    let bench = Bench::new(limits()).await;
    let threw = bench.run("throw ClusterAccessDenied,X You may not").await;
    assert_eq!(kind(&threw), Some(FailureKind::Threw));
    let failure = threw.end.expect_err("threw");
    assert_eq!(failure.id.as_deref(), Some("ClusterAccessDenied,X"));
    assert_eq!(failure.message, "You may not");
    assert!(failure.at.expect("place").starts_with("line 3: throw"));
    assert_eq!(kind(&bench.run("miscount").await), Some(FailureKind::Misshapen));
    assert_eq!(kind(&bench.run("  ").await), Some(FailureKind::NotSent));
    assert_eq!(kind(&bench.run("echo \u{17c}").await), Some(FailureKind::NotSent), "scripts are ASCII");
    assert_eq!(kind(&bench.run(&"#".repeat(2_000_000)).await), Some(FailureKind::NotSent));
    assert_eq!(bench.run("echo 1").await.results, [json!(1)], "and the worker lives");
}

#[tokio::test]
async fn a_script_that_ends_its_worker_costs_only_that_worker() {
    let bench = Bench::new(limits()).await;
    let first = bench.pid().await;
    let left = bench.run("echo 7\nexit 3").await;
    assert_eq!((kind(&left), left.results.as_slice()), (Some(FailureKind::Threw), &[json!(7)][..]));
    assert!(message(&left).contains("exit code 3"), "{}", message(&left));
    let second = bench.pid().await;
    assert_ne!(first, second);
    assert_eq!(u64::from(bench.greeted.borrow().hello.pid), second, "and the new one is told");
    let died = bench.run("error last words\ndie 9").await;
    assert_eq!(kind(&died), Some(FailureKind::Indeterminate));
    assert!(message(&died).contains("code 9") && message(&died).contains("last words"), "{}", message(&died));
    assert_eq!(kind(&bench.run("die-mid-frame").await), Some(FailureKind::Indeterminate));
    let swallowed = bench.run_for("swallow", Duration::from_millis(300)).await.0;
    assert_eq!(kind(&swallowed), Some(FailureKind::TimedOut), "closing its input is enough");
    assert!(!bench.machine.log().contains("taskkill"));
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
    assert_eq!(bench.ledger.open(), []);
}

#[tokio::test]
async fn a_script_that_hangs_is_killed() {
    let bench = Bench::new(limits()).await;
    let pid = bench.pid().await;
    let (reply, _) = bench.run_for("echo 1\nhang", Duration::from_millis(300)).await;
    assert_eq!((kind(&reply), reply.results.len()), (Some(FailureKind::TimedOut), 1));
    assert!(message(&reply).contains("was stopped"), "{}", message(&reply));
    assert!(bench.machine.log().contains(&format!("taskkill {pid}")));
    assert_eq!(bench.run("echo 2").await.results, [json!(2)]);
    assert_eq!(bench.ledger.open(), []);
}

#[tokio::test]
async fn behind_two_that_hang_nothing_waits_for_its_own_time_out() {
    let bench = Bench::new(limits()).await;
    let hanging = || Request { timeout: Duration::from_millis(300), ..request("hang") };
    let answers: Vec<_> = (0..20).map(|_| bench.send(hanging())).collect();
    let mut messages = Vec::new();
    for (answer, _lines) in answers {
        let reply = within(answer).await.expect("a reply");
        assert_eq!(kind(&reply), Some(FailureKind::TimedOut));
        messages.push(message(&reply));
    }
    assert!(messages[..2].iter().all(|m| m.contains("was stopped")), "{messages:?}");
    assert!(messages[2..].iter().all(|m| m.starts_with("not sent: 2 scripts in a row")), "{messages:?}");
    assert_eq!(bench.machine.log().matches("taskkill").count(), 2);
    assert_eq!(bench.run("echo 2").await.results, [json!(2)], "what comes later is tried again");
}

#[tokio::test]
async fn a_script_that_cannot_be_killed_may_run_on() {
    let bench = Bench::new(Limits { kill_grace: Duration::from_millis(300), ..limits() }).await;
    bench.machine.set_mode("unkillable");
    let (reply, _) = bench.run_for("hang", Duration::from_millis(300)).await;
    assert_eq!(kind(&reply), Some(FailureKind::Indeterminate));
    assert!(message(&reply).contains("may run on"), "{}", message(&reply));
    assert_eq!(bench.ledger.open().len(), 1, "it is looked for later");
    assert_eq!(bench.run("echo 2").await.results, [json!(2)], "another worker goes on");
}

#[tokio::test]
async fn nobody_waiting_stops_the_script() {
    let bench = Bench::new(limits()).await;
    let pid = bench.pid().await;
    let (answer, _lines) = bench.send(request("touch running\nhang"));
    within(bench.machine.appears("running")).await;
    drop(answer);
    assert_eq!(bench.run("echo 2").await.results, [json!(2)]);
    assert!(bench.machine.log().contains(&format!("taskkill {pid}")));
    let (waiting, _lines) = bench.send(request("sleep 200"));
    let (given_up, _lines) = bench.send(request("touch never"));
    drop(given_up);
    within(waiting).await.expect("reply");
    bench.run("echo 3").await;
    assert!(!bench.machine.path("never").exists(), "what nobody waits for is not even sent");
}

#[tokio::test]
async fn closing_ends_what_runs() {
    let bench = Bench::new(limits()).await;
    let (running, _lines) = bench.send(request("touch running\nhang"));
    let (waiting, _lines) = bench.send(request("echo 1"));
    within(bench.machine.appears("running")).await;
    bench.closing.send_replace(true);
    drop(bench.jobs);
    assert_eq!(kind(&within(running).await.expect("reply")), Some(FailureKind::Indeterminate));
    assert_eq!(kind(&within(waiting).await.expect("reply")), Some(FailureKind::NotSent));
    assert_eq!(within(bench.ended).await.expect("lane"), Ok(()));
    assert!(bench.machine.log().contains("taskkill"));
}

#[tokio::test]
async fn a_worker_that_answers_twice_is_replaced() {
    let bench = Bench::new(limits()).await;
    let first = bench.pid().await;
    assert_eq!(bench.run("twice").await.end, Ok(()));
    // The second answer may come while the next request is served already.
    let pids = [bench.pid().await, bench.pid().await];
    assert_ne!(pids[1], first);
}

#[tokio::test]
async fn workers_are_replaced_after_so_many_requests() {
    let bench = Bench::new(Limits { max_requests: 10, ..limits() }).await;
    let mut pids = Vec::new();
    for _ in 0..30 {
        pids.push(bench.pid().await);
    }
    pids.dedup();
    assert!((3..=5).contains(&pids.len()), "{pids:?}");
}

#[tokio::test]
async fn a_flood_is_told_to_the_last_line() {
    let bench = Bench::new(limits()).await;
    let (reply, answer) = oneshot::channel();
    let (said, mut lines) = mpsc::channel(10);
    let job = Job { request: request("flood 20000000\necho 1"), said, reply };
    bench.jobs.try_send(job).expect("place");
    let mut count = 0;
    while let Some(line) = within(lines.recv()).await {
        assert_eq!(line.text.len(), 998);
        count += 1;
    }
    assert_eq!(count, 20_000);
    assert_eq!(within(answer).await.expect("reply").results, [json!(1)]);
}

#[tokio::test]
async fn too_much_is_refused() {
    let bench = Bench::new(Limits { max_reply: 1 << 20, ..limits() }).await;
    let reply = bench.run("big 2000000\nhang").await;
    assert_eq!(kind(&reply), Some(FailureKind::Misshapen), "{}", message(&reply));
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
}

#[tokio::test]
async fn slow_lanes_come_and_go() {
    let machine = Arc::new(Local::new());
    let limits = Limits { slow_idle: Duration::from_millis(300), ..limits() };
    let (_closing, is_closing) = watch::channel(false);
    let means = Means { launch: machine.clone(), limits, ledger: Ledger::default(), closing: is_closing };
    let (jobs, queue) = mpsc::channel(4);
    let lane = tokio::spawn(lane::slow(means, queue));
    let run = async |script: &str| {
        let (reply, answer) = oneshot::channel();
        let (said, _lines) = mpsc::channel(10);
        jobs.send(Job { request: request(script), said, reply }).await.expect("lane");
        within(answer).await.expect("reply")
    };
    assert_eq!(machine.log(), "", "nothing runs before the first request");
    assert_eq!(run("echo 1").await.results, [json!(1)]);
    within(machine.logs("end ")).await;
    machine.set_mode("missing");
    let reply = run("echo 2").await;
    assert_eq!(kind(&reply), Some(FailureKind::NotSent));
    machine.set_mode("");
    assert_eq!(run("echo 3").await.results, [json!(3)], "one failure is not the end of the lane");
    drop(jobs);
    within(lane).await.expect("lane");
}

#[tokio::test]
async fn every_way_of_not_starting_has_a_name() {
    let machine = Local::new();
    let short = Limits { hello: Duration::from_millis(700), ..limits() };
    let start = async |mode: &str, limits: &Limits| {
        machine.set_mode(mode);
        within(Worker::start(&machine, limits)).await.map(|_| ()).expect_err(mode)
    };
    match start("missing", &limits()).await {
        StartFailure::Silent { ended: Some(1), seen, .. } => assert!(seen.contains("not recognized"), "{seen}"),
        other => panic!("{other:?}"),
    }
    match start("clixml", &limits()).await {
        StartFailure::Silent { ended: Some(1), seen, .. } => assert_eq!(seen, "The term is blocked"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(start("at-once", &limits()).await, StartFailure::Silent { ended: Some(0), .. }));
    assert!(matches!(start("silent", &short).await, StartFailure::Silent { ended: None, .. }));
    assert!(matches!(start("version", &limits()).await, StartFailure::Garbage(_)));
    match start("garbage", &short).await {
        StartFailure::Garbage(seen) => assert_eq!(seen, "Welcome to the appliance login:"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(start("flood", &limits()).await, StartFailure::Garbage(_)));
    machine.set_mode("banner");
    let (_worker, greeting) = within(Worker::start(&machine, &limits())).await.expect("a banner is no harm");
    assert_eq!((greeting.hello.host.as_deref(), greeting.hello.lang.as_str()), (Some("FAKE"), "FullLanguage"));
    assert!(greeting.skew_ms.abs() < 1000, "{}", greeting.skew_ms);
}
