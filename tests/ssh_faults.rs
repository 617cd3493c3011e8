//! SSH hosts against servers and networks that misbehave: the right state, the right words, and nothing that is left of it.
//!
//! What a real server cannot be made to do, a port that says what the test wants does (`support/line.rs`). The tests run one after the
//! other: each counts the handles and threads of the process. `NODELIFT_FLOOD=2147483648 cargo test --test ssh_faults` has a machine
//! answer with two gibibytes.
#![cfg(target_os = "linux")]

#[path = "support/said.rs"]
mod said;
mod support;

use std::fs;
use std::future::Future;
use std::io::Read as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nodelift::core::connection::{Connection, Trouble, TroubleKind};
use nodelift::core::event::FailureKind;
use nodelift::remote::ssh::{SshConfig, SshHost, SshRuntime};
use nodelift::remote::{Host, Reply, Request, Said};
use serde_json::json;
use support::line::{Damage, Door, Line, talker};
use support::sshd::{Sshd, is_here};
use support::{PATIENCE, request, within};
use tokio::sync::mpsc;

/// Handles of the process, and threads that connections live on.
fn held() -> (usize, usize) {
    let handles = fs::read_dir("/proc/self/fd").expect("handles").count();
    let tasks = fs::read_dir("/proc/self/task").expect("threads").flatten();
    let names = tasks.filter_map(|t| fs::read_to_string(t.path().join("comm")).ok());
    (handles, names.filter(|n| n.trim() == "ssh" || n.trim() == "ssh login").count())
}

/// What the handles are.
fn names() -> String {
    let handles = fs::read_dir("/proc/self/fd").expect("handles").flatten();
    let links = handles.filter_map(|h| fs::read_link(h.path()).ok());
    links.map(|l| l.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn resident_mib() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("memory");
    line.split_whitespace().next().and_then(|n| n.parse::<usize>().ok()).expect("number") / 1024
}

/// Runs one test at a time; after it everything must have been given back.
fn alone(test: impl Future<Output = ()>) {
    static ONE: Mutex<()> = Mutex::new(());
    if !is_here() {
        return;
    }
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // The first runtime of a process leaves what belongs to all of them.
    drop(SshRuntime::start().expect("runtime"));
    let before = held();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(test);
    drop(runtime);
    let start = Instant::now();
    while held() > before {
        assert!(
            start.elapsed() < PATIENCE,
            "handles and threads before {before:?}, after {:?}: {}",
            held(),
            names()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn open(runtime: &SshRuntime, config: SshConfig) -> Arc<SshHost> {
    let host = Arc::new(runtime.host(config));
    host.open();
    host
}

async fn ready(host: &SshHost) {
    let mut connection = host.connection();
    let seen = within(connection.wait_for(|c| c.is_ready() || c.needs_person())).await.expect("host").clone();
    assert!(seen.is_ready(), "{seen:?}");
}

/// Waits for a trouble, whose words must be fit for a person.
async fn trouble(host: &SshHost) -> Trouble {
    let mut connection = host.connection();
    let seen = within(connection.wait_for(|c| matches!(c, Connection::Trouble(_)))).await.expect("host").clone();
    let Connection::Trouble(trouble) = seen else { panic!("{seen:?}") };
    assert!(!trouble.message.is_empty() && !trouble.remedy.is_empty());
    assert!(!format!("{}{}", trouble.message, trouble.remedy).chars().any(char::is_control), "{trouble:?}");
    trouble
}

async fn ask(host: &SshHost, request: Request) -> Reply {
    let (said, mut lines) = mpsc::channel(100);
    tokio::spawn(async move { while lines.recv().await.is_some() {} });
    within(host.run(request, said)).await
}

/// It answers, at once or after it was connected again.
async fn works(host: &SshHost) {
    within(async {
        while ask(host, request("echo 1")).await.results != [json!(1)] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// A server in order, but behind another port.
fn behind(server: &Sshd, port: u16) -> SshConfig {
    let mut config = server.config();
    config.target.port = port;
    // Its key is known under this port as well.
    let key = fs::read_to_string(server.path("host.pub")).expect("host key");
    let known = server.path(&format!("known-{port}"));
    fs::write(&known, format!("[127.0.0.1]:{port} {key}")).expect("known hosts");
    config.known_hosts = vec![known];
    config
}

/// A server's banner, and what it offers: everything usual, but for its cipher.
fn offer(cipher: &str) -> Vec<u8> {
    let lists = [
        "curve25519-sha256",
        "ssh-ed25519",
        cipher,
        cipher,
        "hmac-sha2-256",
        "hmac-sha2-256",
        "none",
        "none",
        "",
        "",
    ];
    let mut message = vec![20];
    message.extend([7; 16]);
    for list in lists {
        message.extend((list.len() as u32).to_be_bytes());
        message.extend(list.as_bytes());
    }
    message.extend([0; 5]);
    // Filled up to whole blocks of eight, with at least four bytes.
    let fill = 4 + (8 - (5 + message.len() + 4) % 8) % 8;
    let length = (1 + message.len() + fill) as u32;
    [b"SSH-2.0-X\r\n", &length.to_be_bytes()[..], &[fill as u8], &message, &vec![0; fill]].concat()
}

#[test]
fn algorithms_that_nobody_shares_are_named() {
    alone(async {
        let runtime = SshRuntime::start().expect("runtime");
        let named = async |config: SshConfig| {
            let trouble = trouble(&open(&runtime, config.clone())).await;
            assert_eq!(trouble.kind, TroubleKind::NoCommonAlgorithm, "{}", trouble.message);
            let at = format!("127.0.0.1:{} and nodelift agree on no key exchange, cipher", config.target.port);
            assert!(trouble.message.starts_with(&at), "{}", trouble.message);
            assert!(trouble.remedy.contains("curve25519-sha256"), "{}", trouble.remedy);
        };
        for extra in
            ["KexAlgorithms sntrup761x25519-sha512@openssh.com", "Ciphers aes128-ctr\nMACs umac-64@openssh.com"]
        {
            let server = Sshd::with(extra);
            named(server.config()).await;
        }
        // Every cipher of OpenSSH is known: only somebody else has another one.
        let server = Sshd::start();
        let other = talker(offer("cipher-of-tomorrow@example.com").leak(), b"");
        named(behind(&server, other.port)).await;
    });
}

#[test]
fn whoever_answers_in_place_of_a_server_is_given_up() {
    const LINE: &[u8] = b"Welcome to the appliance, please hold the line\r\n";
    const HTML: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    use TroubleKind::{NoCommonAlgorithm, Unreachable};
    alone(async {
        let server = Sshd::start();
        let runtime = SshRuntime::start().expect("runtime");
        let cases: [(&str, Door, TroubleKind, &str); 8] = [
            ("text without end", talker(LINE, LINE), Unreachable, "did not complete an SSH handshake"),
            (
                "one line without end",
                talker(b"x", &[b'x'; 4000]),
                Unreachable,
                "did not complete an SSH handshake",
            ),
            ("another protocol", talker(HTML, b""), Unreachable, "did not complete an SSH handshake"),
            ("silence after the banner", talker(b"SSH-2.0-X\r\n", b""), Unreachable, "did not complete"),
            (
                "noise after the banner",
                talker(b"SSH-2.0-X\r\n", &[0xa5; 999]),
                NoCommonAlgorithm,
                "or the handshake broke off",
            ),
            (
                "a packet of 4 GiB",
                talker(b"SSH-2.0-X\r\n\xff\xff\xff\xff\x04", &[0; 999]),
                NoCommonAlgorithm,
                "or the handshake broke off",
            ),
            (
                "an empty packet",
                talker(b"SSH-2.0-X\r\n\0\0\0\0\0", &[0; 999]),
                NoCommonAlgorithm,
                "or the handshake broke off",
            ),
            ("an end at once", Door::new(drop), Unreachable, "dropped the connection before the SSH handshake"),
        ];
        for (what, door, kind, words) in cases {
            let mut config = behind(&server, door.port);
            config.times.handshake = Duration::from_secs(1);
            let start = Instant::now();
            let host = open(&runtime, config);
            let trouble = trouble(&host).await;
            assert!(start.elapsed() < Duration::from_secs(6), "{what}: {:?}", start.elapsed());
            assert_eq!(trouble.kind, kind, "{what}: {}", trouble.message);
            assert!(trouble.message.contains(words), "{what}: {}", trouble.message);
            assert!(trouble.message.contains(&format!("127.0.0.1:{}", door.port)), "{what}: {}", trouble.message);
            within(host.close()).await;
        }
    });
}

#[test]
fn machines_that_say_nothing_keep_nobody_waiting() {
    alone(async {
        let server = Sshd::start();
        let runtime = SshRuntime::start().expect("runtime");
        let silent: Vec<_> = (0..40).map(|_| talker(b"", b"")).collect();
        let mut hosts = Vec::new();
        for door in &silent {
            let mut config = behind(&server, door.port);
            config.times.handshake = Duration::from_secs(10);
            hosts.push(open(&runtime, config));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        let host = open(&runtime, server.config());
        ready(&host).await;
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        works(&host).await;
        assert!(hosts.iter().all(|h| *h.connection().borrow() == Connection::Connecting), "they still wait");
    });
}

#[test]
fn a_server_that_limits_logins_gets_no_more_than_it_takes() {
    alone(async {
        let server = Sshd::with("MaxStartups 10:30:100");
        let runtime = SshRuntime::start().expect("runtime");
        let config = server.config();
        let hosts: Vec<_> = (0..48).map(|_| open(&runtime, config.clone())).collect();
        for host in &hosts {
            ready(host).await;
        }
        assert!(!server.sshd_log().contains("MaxStartups"), "no login was dropped: {}", server.sshd_log());
        drop(hosts);
        // Somebody else has taken the places: logins are dropped at random, and tried again.
        let others: Vec<_> = (0..14).map(|_| TcpStream::connect(("127.0.0.1", server.port))).collect();
        let hosts: Vec<_> = (0..24).map(|_| open(&runtime, config.clone())).collect();
        for host in &hosts {
            ready(host).await;
            works(host).await;
        }
        assert!(server.sshd_log().contains("MaxStartups"), "some were dropped: {}", server.sshd_log());
        drop(others);
    });
}

/// A connection that the server keeps for itself: no place is left.
fn first_in(port: u16) -> TcpStream {
    let start = Instant::now();
    loop {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("connection");
        let mut said = [0; 4];
        if socket.read_exact(&mut said).is_ok() && &said == b"SSH-" {
            return socket;
        }
        assert!(start.elapsed() < PATIENCE, "somebody else has it");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_server_without_a_place_is_named_as_one() {
    alone(async {
        let server = Sshd::with("MaxStartups 1:100:1");
        let runtime = SshRuntime::start().expect("runtime");
        let other = first_in(server.port);
        let host = open(&runtime, server.config());
        let trouble = trouble(&host).await;
        assert_eq!(trouble.kind, TroubleKind::Unreachable);
        assert!(trouble.message.contains("dropped the connection before"), "{}", trouble.message);
        assert!(trouble.remedy.contains("MaxStartups"), "{}", trouble.remedy);
        drop(other);
        ready(&host).await;
    });
}

#[test]
fn a_slow_network_is_only_slow() {
    alone(async {
        let server = Sshd::start();
        let runtime = SshRuntime::start().expect("runtime");
        let line = Line::slow(server.port, 64 << 10, Duration::from_millis(20));
        let mut config = behind(&server, line.port());
        (config.times.keepalive, config.times.dead) = (Duration::from_secs(2), Duration::from_secs(4));
        let host = open(&runtime, config);
        ready(&host).await;
        let start = Instant::now();
        let expected: String = (0..100_000).map(|i| char::from(b'!' + (i % 251 % 90) as u8)).collect();
        let large = Request { timeout: PATIENCE, ..request("big 100000") };
        assert_eq!(ask(&host, large).await.results, [json!(expected)]);
        assert!(start.elapsed() > Duration::from_secs(1), "it was slow: {:?}", start.elapsed());
        let large = Request { timeout: PATIENCE, args: json!("x".repeat(100_000)), ..request("args") };
        assert_eq!(ask(&host, large).await.results, [json!("x".repeat(100_000))]);
        assert!(host.connection().borrow().is_ready(), "longer than its keepalive, and never lost");
    });
}

#[test]
fn damage_on_the_way_is_noticed_and_mended() {
    alone(async {
        let server = Sshd::start();
        let runtime = SshRuntime::start().expect("runtime");
        let line = Line::to(server.port);
        let mut config = behind(&server, line.port());
        (config.times.keepalive, config.times.dead) = (Duration::from_secs(2), Duration::from_secs(4));
        for how in [Damage::Noise, Damage::Twice, Damage::Lost] {
            let host = open(&runtime, config.clone());
            ready(&host).await;
            line.damage(how);
            let reply = ask(&host, request("big 100000\necho 2\nsleep 200\necho 3")).await;
            let failure = reply.end.expect_err("damaged");
            assert_eq!(failure.kind, FailureKind::Indeterminate, "{how:?}: {failure:?}");
            assert!(failure.message.contains("damaged on the way"), "{how:?}: {}", failure.message);
            let mut connection = host.connection();
            within(connection.wait_for(Connection::is_ready)).await.expect("connected again");
            works(&host).await;
            within(host.close()).await;
        }
    });
}

#[test]
fn a_session_that_ends_inside_a_frame_tells_nothing_wrong() {
    alone(async {
        let server = Sshd::start();
        let runtime = SshRuntime::start().expect("runtime");
        let host = open(&runtime, server.config());
        ready(&host).await;
        let cut = async {
            server.appears("half").await;
            server.kill_sessions();
        };
        let (reply, ()) = tokio::join!(ask(&host, request("echo 1\nhalf\ntouch half\nhang")), cut);
        assert!(reply.results.is_empty(), "half an answer is none");
        let failure = reply.end.expect_err("cut");
        assert_eq!(failure.kind, FailureKind::Indeterminate);
        assert!(failure.message.contains("connection was lost"), "{}", failure.message);
        works(&host).await;
    });
}

#[test]
fn clixml_without_end_costs_no_memory_and_no_answer() {
    alone(async {
        let server = Sshd::start();
        let runtime = SshRuntime::start().expect("runtime");
        let host = open(&runtime, server.config());
        ready(&host).await;
        let before = resident_mib();
        let bomb = Request { timeout: 3 * PATIENCE, ..request("bomb 30000000\necho 1") };
        let (said, mut lines) = mpsc::channel::<Said>(100);
        let count = tokio::spawn(async move {
            let mut count = 0;
            while let Some(line) = lines.recv().await {
                count += line.text.len();
            }
            count
        });
        let reply = tokio::time::timeout(3 * PATIENCE, host.run(bomb, said)).await.expect("it ends");
        assert_eq!((reply.results, reply.end), (vec![json!(1)], Ok(())));
        let said = count.await.expect("lines");
        let grown = resident_mib().saturating_sub(before);
        println!("30 MB of elements: {said} bytes of text, {grown} MiB");
        assert!(grown < 20, "{grown} MiB");
        works(&host).await;
    });
}

#[test]
fn an_answer_of_any_size_needs_the_same_memory() {
    alone(async {
        let size: usize = std::env::var("NODELIFT_FLOOD").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000_000);
        let server = Sshd::start();
        let runtime = SshRuntime::start().expect("runtime");
        let host = open(&runtime, server.config());
        ready(&host).await;
        let (before, start) = (resident_mib(), Instant::now());
        let patience = PATIENCE.mul_f64(1.0 + size as f64 / 1e7);
        let flood = Request { timeout: patience, slow: true, ..request(&format!("flood {size}\necho 1")) };
        let (said, mut lines) = mpsc::channel(100);
        let flood = tokio::spawn(host.run(flood, said));
        let (mut count, mut most) = (0usize, before);
        while let Some(line) = tokio::time::timeout(PATIENCE, lines.recv()).await.expect("it goes on") {
            count += line.text.len() + 2;
            if count % 10_000_000 < 1000 {
                most = most.max(resident_mib());
            }
        }
        let reply = within(flood).await.expect("task");
        assert_eq!((reply.results, reply.end), (vec![json!(1)], Ok(())));
        assert_eq!(count, size / 1000 * 1000, "every byte came");
        let grown = most - before;
        println!("{size} bytes in {:?}: at most {grown} MiB more", start.elapsed());
        assert!(grown < 12, "{grown} MiB");
        works(&host).await;
    });
}
