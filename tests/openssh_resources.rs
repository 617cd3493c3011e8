//! What hosts over the system's ssh cost, and that they give it back. One test to a process: it counts handles and children of
//! all of them.
#![cfg(target_os = "linux")]

#[path = "support/said.rs"]
mod said;
mod support;

use std::fs;
use std::time::{Duration, Instant};

use nodelift::core::connection::Connection;
use nodelift::remote::kept::Thread;
use nodelift::remote::openssh::{OpenSsh, OpenSshConfig};
use nodelift::remote::{Host, Request};
use serde_json::json;
use support::bench::Bench;
use support::sshd::{Sshd, descendants, is_here, user};
use support::{request, until, within};
use tokio::sync::mpsc;

/// Handles and kilobytes of this process, and its ssh processes, dead ones included.
fn held(server: &Sshd) -> (usize, usize, usize) {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let memory = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("memory");
    let kilobytes = memory.split_whitespace().next().and_then(|n| n.parse().ok()).expect("number");
    let not_ours = descendants(server.process());
    let is_ssh = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|n| n.trim() == "ssh");
    let children =
        descendants(std::process::id()).into_iter().filter(|p| !not_ours.contains(p) && is_ssh(p)).count();
    (fs::read_dir("/proc/self/fd").expect("handles").count(), kilobytes, children)
}

#[tokio::test]
async fn reconnects_leave_nothing() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    server.known_hosts();
    let folder = server.folder.path().display();
    let text = format!(
        "Host node\n HostName 127.0.0.1\n Port {}\n User {}\n IdentityFile {folder}/user\n IdentitiesOnly yes\n \
         UserKnownHostsFile {folder}/known_hosts\n",
        server.port,
        user()
    );
    fs::write(server.path("ssh_config"), text).expect("ssh_config");
    let mut config = OpenSshConfig::new("node", "node");
    config.files = vec![server.path("ssh_config")];
    config.times.backoff = vec![Duration::from_millis(1)];
    let reconnects = std::env::var("NODELIFT_RECONNECTS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let bench = Bench::of(OpenSsh::on(Thread::start().expect("thread")).expect("folder").host(config));
    let mut pid = bench.ready().await.pid;
    let (mut first, mut times) = (None, Vec::new());
    for i in 0..reconnects {
        let (said, lines) = mpsc::channel(1);
        let busy = (i % 2 == 0)
            .then(|| tokio::spawn(bench.host.run(Request { slow: i % 4 == 0, ..request("flood 3000000") }, said)));
        let begun = Instant::now();
        server.kill_sessions();
        let mut connection = bench.host.connection();
        let again = |c: &Connection| matches!(c, Connection::Ready(h) if h.pid != pid);
        let seen = within(connection.wait_for(again)).await.expect("host").clone();
        if let Connection::Ready(hello) = seen {
            pid = hello.pid;
        }
        times.push(begun.elapsed());
        drop(lines);
        if let Some(busy) = busy {
            within(busy).await.expect("task");
        }
        if i == 9 {
            first = Some(held(&server));
        }
    }
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
    until(|| held(&server).2 <= 3).await;
    let (before, after) = (first.expect("ten reconnects"), held(&server));
    times.sort();
    println!(
        "handles, kilobytes, ssh processes: after 10 reconnects {before:?}, after {reconnects} {after:?}; cut to ready, median \
         {:?}",
        times[times.len() / 2]
    );
    assert!(after.0 <= before.0 + 4, "{before:?} {after:?}");
    assert!(after.1 <= before.1 + 3_000 + 10 * reconnects, "{before:?} {after:?}");
    bench.close().await;
    until(|| held(&server).2 == 0).await;
}
