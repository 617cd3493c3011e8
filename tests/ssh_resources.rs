//! What SSH hosts cost, and that they give it back. One test to a process: it counts the handles of all of them.
//!
//! `NODELIFT_RECONNECTS=200 cargo test --test ssh_resources -- --nocapture` prints the measurements.
#![cfg(target_os = "linux")]

#[path = "support/said.rs"]
mod said;
mod support;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nodelift::core::connection::Connection;
use nodelift::remote::ssh::{SshHost, SshRuntime};
use nodelift::remote::{Host, Request};
use serde_json::json;
use support::sshd::{Sshd, is_here};
use support::{request, within};
use tokio::sync::mpsc;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    handles: usize,
    threads: usize,
    kilobytes: usize,
}

fn held() -> Held {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let field = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name)).expect("field");
        line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("number")
    };
    let handles = fs::read_dir("/proc/self/fd").expect("handles").count();
    Held { handles, threads: field("Threads:"), kilobytes: field("VmRSS:") }
}

/// Processor time of this process.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("stat");
    let fields = stat.rsplit_once(')').expect("stat").1.split_whitespace();
    Duration::from_millis(fields.skip(11).take(2).map(|f| f.parse::<u64>().expect("ticks")).sum::<u64>() * 10)
}

async fn run(host: &SshHost, script: &str) -> nodelift::remote::Reply {
    let (said, _lines) = mpsc::channel(100);
    within(host.run(request(script), said)).await
}

async fn ready(host: &SshHost, not: u32) -> u32 {
    let mut connection = host.connection();
    let is = |c: &Connection| matches!(c, Connection::Ready(h) if h.pid != not);
    match &*within(connection.wait_for(is)).await.expect("host") {
        Connection::Ready(hello) => hello.pid,
        _ => 0,
    }
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

#[tokio::test]
async fn reconnects_leave_nothing() {
    if !is_here() {
        return;
    }
    let reconnects = std::env::var("NODELIFT_RECONNECTS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let measure = reconnects >= 200;
    let server = Sshd::start();
    let runtime = SshRuntime::start().expect("runtime");
    let mut config = server.config();
    config.times.backoff = vec![Duration::from_millis(1)];
    let host = Arc::new(runtime.host(config.clone()));
    let start = Instant::now();
    host.open();
    let mut pid = ready(&host, 0).await;
    println!("first hello after {:?}", start.elapsed());

    let (mut first, mut times) = (None, Vec::new());
    for i in 0..reconnects {
        // Idle, in the middle of an answer, in the middle of a file: each way of being cut.
        let (said, _lines) = mpsc::channel(1);
        let busy = match i % 3 {
            0 => None,
            1 => Some(tokio::spawn(host.run(Request { slow: i % 2 == 0, ..request("flood 3000000") }, said))),
            _ => {
                within(host.read_file("/proc/self/status", 0, 100)).await.expect("file");
                None
            }
        };
        let start = Instant::now();
        server.kill_sessions();
        pid = ready(&host, pid).await;
        times.push(start.elapsed());
        if let Some(busy) = busy {
            drop(_lines);
            within(busy).await.expect("task");
        }
        if i == 9 {
            // After the first ones allocators and thread pools have what they keep.
            first = Some(held());
        }
    }
    assert_eq!(run(&host, "echo 1").await.results, [json!(1)]);
    let (before, after) = (first.expect("ten reconnects"), held());
    println!(
        "after 10 reconnects {before:?}, after {reconnects} {after:?}; cut to ready, median {:?}",
        median(times)
    );
    assert!(after.handles <= before.handles + 3, "{before:?} {after:?}");
    assert!(after.threads <= before.threads + 2, "{before:?} {after:?}");
    assert!(after.kilobytes <= before.kilobytes + 3_000 + 10 * reconnects, "{before:?} {after:?}");

    if measure {
        let mut connects = Vec::new();
        for _ in 0..20 {
            within(host.close()).await;
            let start = Instant::now();
            host.open();
            ready(&host, 0).await;
            connects.push(start.elapsed());
        }
        println!("connect, login and hello, median of 20: {:?}", median(connects));
        let (mut requests, cpu_before) = (Vec::new(), cpu());
        for _ in 0..2000 {
            let start = Instant::now();
            assert_eq!(run(&host, "echo 1").await.end, Ok(()));
            requests.push(start.elapsed());
        }
        let each = (cpu() - cpu_before) / 2000;
        println!("warm request, median of 2000: {:?}; processor {each:?} each", median(requests));
        let hosts: Vec<_> = (0..20).map(|_| Arc::new(runtime.host(config.clone()))).collect();
        let before = held();
        hosts.iter().for_each(|h| h.open());
        for h in &hosts {
            ready(h, 0).await;
        }
        let after = held();
        let (handles, kilobytes) =
            (after.handles - before.handles, after.kilobytes.saturating_sub(before.kilobytes));
        println!("20 hosts: {} handles and {} KiB each; {:?}", handles / 20, kilobytes / 20, after);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let cpu_before = cpu();
        tokio::time::sleep(Duration::from_secs(60)).await;
        println!("21 idle hosts for 60 s: processor {:?}", cpu() - cpu_before);
        let start = Instant::now();
        let cpu_before = cpu();
        let reply = run(&host, "big 30000000").await;
        assert_eq!(reply.results[0].as_str().map(str::len), Some(30_000_000));
        println!("30 MB answer: {:?}, processor {:?}", start.elapsed(), cpu() - cpu_before);
    }
    within(host.close()).await;
}
