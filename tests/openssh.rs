//! Hosts over the system's ssh against real OpenSSH servers on loopback. Where there is no sshd every test says so and passes.
#![cfg(target_os = "linux")]

#[path = "support/said.rs"]
mod said;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use nodelift::core::connection::{Connection, TroubleKind};
use nodelift::core::event::FailureKind;
use nodelift::remote::kept::Thread;
use nodelift::remote::openssh::{Hop, OpenSsh, OpenSshConfig};
use nodelift::remote::ssh::known_hosts::{Verdict, replace};
use nodelift::remote::{Host, Request};
use serde_json::json;
use support::bench::{Bench, futures, kind};
use support::sshd::{Agent, Sshd, descendants, free_port, is_here, signal, user};
use support::{request, until, within};
use tokio::sync::mpsc;

fn openssh() -> OpenSsh {
    OpenSsh::on(Thread::start().expect("thread")).expect("folder")
}

/// What a person's ssh_config says of a server.
fn entry(server: &Sshd, name: &str, more: &str) -> String {
    let folder = server.folder.path().display();
    server.known_hosts();
    format!(
        "Host {name}\n HostName 127.0.0.1\n Port {}\n User {}\n IdentityFile {folder}/user\n IdentitiesOnly yes\n \
         UserKnownHostsFile {folder}/known_hosts\n GlobalKnownHostsFile none\n {more}\n",
        server.port,
        user()
    )
}

/// Everything in order, with short times and that ssh_config.
fn with(server: &Sshd, ssh_config: &str) -> OpenSshConfig {
    let path = server.path("ssh_config");
    fs::write(&path, ssh_config).expect("ssh_config");
    let mut config = OpenSshConfig::new("node", "node");
    config.files = vec![path];
    config.times.backoff = vec![Duration::from_millis(100)];
    config.limits.hello = Duration::from_secs(10);
    config
}

fn config(server: &Sshd) -> OpenSshConfig {
    with(server, &entry(server, "node", ""))
}

fn start(config: OpenSshConfig) -> Bench {
    Bench::of(openssh().host(config))
}

/// Our ssh processes for one server, by its folder or control socket; other tests have theirs.
fn clients(of: &OpenSshConfig) -> Vec<u32> {
    let children = descendants(std::process::id());
    let is_ours = |pid: &u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.starts_with("ssh\0") && line.contains(&format!("\0{}", of.host))
    };
    children.into_iter().filter(is_ours).collect()
}

/// With a name in ssh_config that no other test uses.
fn named(server: &Sshd, name: &str) -> OpenSshConfig {
    OpenSshConfig { host: name.into(), ..with(server, &entry(server, name, "")) }
}

#[tokio::test]
async fn a_machine_says_hello_and_answers() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let config = OpenSshConfig { note: Some("a reason".into()), ..named(&server, "hello-node") };
    let begun = Instant::now();
    let bench = start(config.clone());
    assert_eq!(kind(&bench.run("echo 1").await), None, "a request waits for the connection");
    println!("connect, login, hello, first answer: {:?}", begun.elapsed());
    let hello = bench.ready().await;
    assert_eq!((hello.host.as_str(), hello.ps.as_str()), ("FAKE", "5.1.20348.2849"));
    assert!(!hello.second_hop, "a key brings no network credentials");
    assert_eq!(hello.via, format!("openssh {}@127.0.0.1:{}, publickey (a reason)", user(), server.port));
    let begun = Instant::now();
    for _ in 0..200 {
        assert_eq!(bench.run("pid").await.results, [json!(hello.pid)], "one worker serves all requests");
    }
    println!("warm request, mean of 200: {:?}", begun.elapsed() / 200);
    let reply = bench.ask(Request { args: json!({ "x": "żółć" }), ..request("args") }).await;
    assert_eq!(reply.record(), Ok(json!({ "x": "żółć" })));
    assert_eq!(kind(&bench.run("throw Id no").await), Some(FailureKind::Threw));
    assert_eq!(clients(&config).len(), 2, "the connection, and the worker through it");
    assert_eq!(server.sessions().len(), 1, "one login");
    let host = bench.host.clone();
    bench.close().await;
    until(|| server.log().contains(&format!("end {}", hello.pid))).await;
    until(|| server.sessions().is_empty() && clients(&config).is_empty()).await;
    assert!(!server.log().contains("taskkill"), "an idle worker ends by itself");
    host.open();
    let mut connection = host.connection();
    within(connection.wait_for(Connection::is_ready)).await.expect("opened again");
}

#[tokio::test]
async fn without_multiplexing_each_worker_logs_in() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let config = OpenSshConfig { multiplex: false, ..named(&server, "single-node") };
    let bench = start(config.clone());
    let hello = bench.ready().await;
    assert!(hello.via.ends_with("publickey, a login for each worker"), "{}", hello.via);
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
    assert_eq!(server.sshd_log().matches("Accepted publickey").count(), 2);
    let path = server.path("known_hosts");
    let chunk = within(bench.host.read_file(path.to_str().expect("path"), 0, 11)).await.expect("file");
    assert_eq!(chunk.bytes, b"[127.0.0.1]");
    let reply = bench.run_for("hang", Duration::from_millis(400)).await;
    // This sshd tells of a killed program by a signal, which ssh turns into its own 255: it could as well be a lost connection.
    assert_eq!(kind(&reply), Some(FailureKind::Indeterminate), "{reply:?}");
    assert!(server.log().contains(&format!("taskkill {}", hello.pid)));
    assert_eq!(bench.run("echo 2").await.results, [json!(2)]);
    server.kill_sessions();
    bench.troubled(TroubleKind::Lost).await;
    bench.ready().await;
    bench.close().await;
    until(|| clients(&config).is_empty() && server.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_cut_connection_is_made_again_and_its_script_ended() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let bench = start(config(&server));
    let pid = bench.ready().await.pid;
    let script = async {
        within(server.appears("running")).await;
        server.kill_sessions();
    };
    let (reply, ()) = tokio::join!(bench.run("touch running\nhang"), script);
    assert_eq!(kind(&reply), Some(FailureKind::Indeterminate), "{reply:?}");
    assert!(reply.end.expect_err("lost").message.contains("connection was lost"));
    let mut connection = bench.host.connection();
    within(connection.wait_for(|c| matches!(c, Connection::Ready(h) if h.pid != pid))).await.expect("again");
    assert!(server.log().contains(&format!("taskkill {pid}")), "what ran on was ended before anything else");
    let frame = bench.run("die-mid-frame").await;
    assert_eq!(kind(&frame), Some(FailureKind::Indeterminate));
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
}

#[tokio::test]
async fn a_machine_that_goes_away_and_comes_back() {
    if !is_here() {
        return;
    }
    let mut server = Sshd::start();
    let bench = start(config(&server));
    bench.ready().await;
    server.kill();
    let lost = bench.troubled(TroubleKind::Lost).await;
    assert!(lost.message.contains("closed by remote host") || lost.message.contains("reset"), "{}", lost.message);
    let gone = bench.troubled(TroubleKind::Unreachable).await;
    assert!(
        gone.message.contains(&format!("127.0.0.1:{}: nothing listens there", server.port)),
        "{}",
        gone.message
    );
    server.run();
    bench.ready().await;
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
}

#[tokio::test]
async fn a_frozen_peer_is_noticed() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let mut config = config(&server);
    (config.times.keepalive, config.times.dead) = (Duration::from_secs(2), Duration::from_secs(4));
    let bench = start(config);
    bench.ready().await;
    assert_eq!(bench.run("sleep 4500\necho 1").await.results, [json!(1)], "silence alone is no death");
    let sessions = server.sessions();
    sessions.iter().for_each(|pid| signal("STOP", *pid));
    let begun = Instant::now();
    let lost = bench.troubled(TroubleKind::Lost).await;
    assert!(lost.message.contains("not responding"), "{}", lost.message);
    println!("a frozen peer was noticed after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    bench.ready().await;
    sessions.iter().for_each(|pid| signal("KILL", *pid));
}

#[tokio::test]
async fn troubles_have_their_kinds() {
    if !is_here() {
        return;
    }
    let mut server = Sshd::start();
    server.keygen("stranger", &["-t", "ed25519", "-N", ""]);
    let folder = server.folder.path().display().to_string();
    let normal = entry(&server, "node", "");

    let refused = start(with(&server, &normal.replace("/user", "/stranger")));
    let trouble = refused.trouble().await;
    assert_eq!(trouble.kind, TroubleKind::LoginRefused);
    assert!(trouble.message.contains("Permission denied (publickey)"), "{}", trouble.message);
    assert!(trouble.remedy.contains("administrators_authorized_keys") && trouble.remedy.contains("ssh-add"));
    server.authorize("stranger");
    refused.host.open();
    refused.ready().await;

    let missing = start(with(&server, &normal.replace("/user", "/nowhere"))).trouble().await;
    assert_eq!(missing.kind, TroubleKind::CredentialUnusable, "{}", missing.message);

    let unknown = start(with(&server, &normal.replace("/known_hosts", "/no_hosts"))).trouble().await;
    assert_eq!(unknown.kind, TroubleKind::HostKeyUnknown);
    assert!(unknown.remedy.contains("nodelift trust"));

    let key = fs::read_to_string(server.path("stranger.pub")).expect("key");
    fs::write(server.path("other_hosts"), format!("[127.0.0.1]:{} {key}", server.port)).expect("file");
    let changed = start(with(&server, &normal.replace("/known_hosts", "/other_hosts"))).trouble().await;
    assert_eq!(changed.kind, TroubleKind::HostKeyChanged);
    assert!(changed.message.contains("CHANGED: it shows SHA256:"), "{}", changed.message);
    assert!(changed.message.contains(&folder), "{}", changed.message);
    assert!(changed.remedy.contains("nodelift trust -i FILE --node "), "{}", changed.remedy);

    let host = fs::read_to_string(server.path("host.pub")).expect("key");
    fs::write(server.path("revoked_hosts"), format!("@revoked * {host}")).expect("file");
    let revoked = start(with(&server, &normal.replace("/known_hosts", "/revoked_hosts"))).trouble().await;
    assert_eq!(revoked.kind, TroubleKind::HostKeyRevoked);

    let cipher = start(with(&server, &format!("Ciphers 3des-cbc\n{normal}"))).trouble().await;
    assert_eq!(cipher.kind, TroubleKind::NoCommonAlgorithm, "{}", cipher.message);
    let bad = start(with(&server, &format!("{normal} Nonsense yes\n"))).trouble().await;
    assert!(bad.message.contains("Bad configuration option: nonsense"), "{}", bad.message);
    let absent = OpenSshConfig { program: "/nowhere/ssh".into(), ..with(&server, &normal) };
    assert!(start(absent).trouble().await.message.contains("there is no program /nowhere/ssh"));
    let option = OpenSshConfig { host: "-oProxyCommand=x".into(), ..with(&server, &normal) };
    assert!(start(option).trouble().await.message.contains("cannot be given to ssh"));
    let name = start(with(&server, &normal.replace("127.0.0.1", "no-such-host.invalid"))).trouble().await;
    assert_eq!(name.kind, TroubleKind::NoAddress);

    let normal = with(&server, &normal);
    for (mode, expected, says) in [
        ("missing", TroubleKind::NoPowerShell, "'powershell.exe' is not recognized"),
        ("garbage", TroubleKind::Garbage, "it said: Welcome to the appliance login:"),
    ] {
        server.set_mode(mode);
        let mut config = normal.clone();
        config.limits.hello = Duration::from_millis(2_000);
        let trouble = start(config).trouble().await;
        assert_eq!(trouble.kind, expected, "{mode}: {}", trouble.message);
        assert!(trouble.message.contains(says), "{mode}: {}", trouble.message);
    }
    server.kill();
    let gone = start(normal).trouble().await;
    assert_eq!(gone.kind, TroubleKind::Unreachable);
}

#[tokio::test]
async fn a_black_hole_is_given_up() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let hole = std::net::TcpListener::bind("127.0.0.1:0").expect("listener");
    let port = hole.local_addr().expect("address").port();
    let text = entry(&server, "hole-node", "").replace(&format!("Port {}", server.port), &format!("Port {port}"));
    let mut config = OpenSshConfig { host: "hole-node".into(), ..with(&server, &text) };
    config.times.connect = Duration::from_secs(1);
    let bench = start(config.clone());
    let trouble = bench.trouble().await;
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.message.contains("did not answer in time"), "{}", trouble.message);
    let begun = Instant::now();
    bench.close().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "closing does not wait for it");
    until(|| clients(&config).is_empty()).await;
}

#[tokio::test]
async fn through_jump_hosts_and_a_proxy_command() {
    if !is_here() {
        return;
    }
    let (mut jump, inner, server) = (Sshd::start(), Sshd::start(), Sshd::start());
    let ways = [entry(&jump, "jump", ""), entry(&inner, "inner", "")].concat();
    let chain = [ways.clone(), entry(&server, "node", "ProxyJump jump,inner")].concat();
    let bench = start(with(&server, &chain));
    let hello = bench.ready().await;
    assert!(hello.via.ends_with("publickey, through jump,inner"), "{}", hello.via);
    assert_eq!(bench.run("big 3000000").await.results[0].as_str().map(str::len), Some(3_000_000));
    assert_eq!(
        [&jump, &inner, &server].map(|s| s.sshd_log().matches("Accepted publickey for").count()),
        [1, 1, 1]
    );
    jump.kill();
    bench.troubled(TroubleKind::JumpFailed).await;
    jump.run();
    bench.ready().await;
    bench.close().await;
    until(|| [&jump, &inner, &server].iter().all(|s| s.sessions().is_empty())).await;

    // Named in the inventory instead.
    let mut given = with(&server, &[ways.clone(), entry(&server, "node", "")].concat());
    given.hops = vec![Hop { host: "jump".into(), port: Some(jump.port), user: Some(user()) }];
    assert!(start(given).ready().await.via.ends_with("through jump"));

    let command = format!("ProxyCommand ssh -F {} -W %h:%p jump", server.path("ssh_config").display());
    let proxied = start(with(&server, &[ways.clone(), entry(&server, "node", &command)].concat()));
    assert!(proxied.ready().await.via.contains("publickey, through ProxyCommand ssh -F"));
    assert_eq!(proxied.run("echo 1").await.results, [json!(1)]);
    drop(proxied);

    let closed =
        entry(&server, "node", "ProxyJump jump").replace(&server.port.to_string(), &free_port().to_string());
    let trouble = start(with(&server, &[ways.clone(), closed].concat())).trouble().await;
    assert_eq!(trouble.kind, TroubleKind::JumpFailed);
    assert!(trouble.message.contains("the jump host cannot reach 127.0.0.1:"), "{}", trouble.message);
    let stranger = [ways.replace("/known_hosts", "/no_hosts"), entry(&server, "node", "ProxyJump jump")].concat();
    let trouble = start(with(&server, &stranger)).trouble().await;
    assert_eq!(trouble.kind, TroubleKind::HostKeyUnknown, "strict on the way too: {}", trouble.message);
    assert!(trouble.message.contains("through jump"), "{}", trouble.message);
}

#[tokio::test]
async fn large_answers_on_several_channels_arrive_unchanged() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let openssh = openssh();
    let config = config(&server);
    let hosts = [Bench::of(openssh.host(config.clone())), Bench::of(openssh.host(config))];
    let expected: String = (0..10_000_000).map(|i| char::from(b'!' + (i % 251 % 90) as u8)).collect();
    hosts[0].ready().await;
    let begun = Instant::now();
    let reply = hosts[0].run("big 10000000").await;
    assert!(reply.results[0].as_str() == Some(&expected), "10 MB, byte for byte");
    println!("10 MB answer: {:?}", begun.elapsed());
    let expected = &expected[..1_000_000];
    let requests = hosts.iter().flat_map(|host| {
        (0..6).map(|i| host.ask(Request { slow: i % 2 == 0, ..request("big 1000000\nmany 100\nbig 1000000") }))
    });
    for reply in futures(requests.collect()).await {
        assert_eq!((reply.results.len(), &reply.end), (102, &Ok(())));
        assert!(reply.results[0].as_str() == Some(expected) && reply.results[101].as_str() == Some(expected));
    }
    let script = format!("# {}\nargs", "x".repeat(800_000));
    let reply = hosts[0].ask(Request { args: json!(expected), ..request(&script) }).await;
    assert_eq!(reply.results, [json!(expected)], "and large requests too");
}

#[tokio::test]
async fn what_is_given_up_is_ended_on_the_machine() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let mut config = named(&server, "cancel-node");
    config.limits.close_grace = Duration::from_millis(200);
    let bench = start(config.clone());
    let pid = bench.ready().await.pid;
    let reply = bench.run_for("echo 1\nhang", Duration::from_millis(400)).await;
    assert_eq!((kind(&reply), reply.results.len()), (Some(FailureKind::TimedOut), 1), "{reply:?}");
    assert!(server.log().contains(&format!("taskkill {pid}")));
    let (said, _lines) = mpsc::channel(10);
    let running = tokio::spawn(bench.host.run(request("touch running\nhang"), said));
    within(server.appears("running")).await;
    let second: u32 = fs::read_to_string(server.path("running")).expect("pid").parse().expect("number");
    running.abort();
    until(|| server.log().contains(&format!("taskkill {second}"))).await;
    assert_eq!(bench.run("echo 2").await.results, [json!(2)]);
    let left = bench.run("exit 3").await;
    assert!(left.end.expect_err("exit").message.contains("exit code 3"));
    let died = bench.run("error last words\ndie 9").await.end.expect_err("died");
    assert!(died.message.contains("code 9") && died.message.contains("last words"), "{}", died.message);
    let (said, _lines) = mpsc::channel(10);
    let running = tokio::spawn(bench.host.run(request("touch again\nhang"), said));
    within(server.appears("again")).await;
    bench.close().await;
    assert_eq!(kind(&running.await.expect("task")), Some(FailureKind::Indeterminate));
    until(|| server.sessions().is_empty() && clients(&config).is_empty()).await;
}

#[tokio::test]
async fn dropping_everything_leaves_nothing() {
    if !is_here() {
        return;
    }
    let (jump, server) = (Sshd::start(), Sshd::start());
    // What it leaves in the background holds ssh's error output.
    let command = format!(
        "ProxyCommand sleep 7 </dev/null >/dev/null & exec ssh -F {} -W %h:%p jump",
        server.path("ssh_config").display()
    );
    let text = [entry(&jump, "jump", ""), entry(&server, "drop-node", &command)].concat();
    let config = OpenSshConfig { host: "drop-node".into(), ..with(&server, &text) };
    let bench = start(config.clone());
    bench.ready().await;
    let begun = Instant::now();
    server.kill_sessions();
    bench.troubled(TroubleKind::Lost).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let pid = bench.ready().await.pid;
    let all: Vec<u32> = clients(&config).into_iter().flat_map(|c| [vec![c], descendants(c)].concat()).collect();
    assert!(all.len() >= 3, "the connection, its ProxyCommand, a worker: {all:?}");
    let socket = fs::read_to_string(format!("/proc/{}/cmdline", clients(&config)[0])).expect("arguments");
    let socket = PathBuf::from(socket.split('\0').find(|a| a.contains("/nodelift-")).expect("a path of ours"));
    let folder = socket.parent().expect("folder").to_owned();
    assert_eq!(fs::metadata(&folder).expect("folder").permissions().mode() & 0o777, 0o700);
    drop(bench);
    until(|| server.log().contains(&format!("end {pid}"))).await;
    let lives = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "));
    until(|| !all.iter().any(lives)).await;
    until(|| server.sessions().is_empty() && jump.sessions().is_empty() && !folder.exists()).await;
}

#[tokio::test]
async fn files_are_read_by_offset() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let bench = start(config(&server));
    bench.ready().await;
    let path = server.path("out.log");
    let content: Vec<u8> = (0..700_000u32).flat_map(|i| (i as u16).to_le_bytes()).collect();
    fs::write(&path, &content).expect("file");
    let name = path.to_str().expect("path");
    let read = async |offset, max| within(bench.host.read_file(name, offset, max)).await;
    let chunk = read(1000, 300_000).await.expect("chunk");
    assert!(chunk.bytes == content[1000..301_000] && chunk.size == content.len() as u64);
    assert_eq!(read(1_399_000, 1 << 20).await.expect("chunk").bytes, content[1_399_000..]);
    assert_eq!(read(content.len() as u64 + 5, 10).await.expect("past the end").bytes, b"");
    let missing = within(bench.host.read_file("/no/such/file", 0, 10)).await.expect_err("missing");
    assert_eq!((missing.kind, missing.id.as_deref()), (FailureKind::Threw, Some("sftp:NoSuchFile")));
    let many: Vec<_> = (0..30).map(|i| bench.host.read_file(name, i * 10, 10)).collect();
    for (i, chunk) in futures(many).await.into_iter().enumerate() {
        assert_eq!(chunk.expect("chunk").bytes, content[i * 10..i * 10 + 10]);
    }
    assert_eq!(server.log().matches("sftp").count(), 1, "one session for all of them");
    let is_sftp =
        |p: &u32| fs::read_to_string(format!("/proc/{p}/cmdline")).is_ok_and(|c| c.contains("sftp-server"));
    let servers = server.sessions().into_iter().flat_map(descendants).filter(is_sftp);
    servers.for_each(|p| signal("KILL", p));
    until(|| true).await;
    let after = async { while !read(0, 4).await.is_ok_and(|c| c.bytes == content[..4]) {} };
    within(after).await;
    assert!(bench.host.connection().borrow().is_ready(), "its end is not the end of the connection");

    server.set_mode("no-sftp");
    let bench = start(config(&server));
    bench.ready().await;
    let failure = within(bench.host.read_file("C:\\x", 0, 10)).await.expect_err("no files");
    assert_eq!(failure.kind, FailureKind::NotSent, "{}", failure.message);
    server.set_mode("mute-sftp");
    let mut config = config(&server);
    config.times.channel = Duration::from_millis(500);
    let bench = start(config);
    bench.ready().await;
    let failure = within(bench.host.read_file("C:\\x", 0, 10)).await.expect_err("no files");
    assert!(failure.message.contains("does not answer"), "{}", failure.message);
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
}

#[tokio::test]
async fn a_first_look_goes_the_same_way() {
    if !is_here() {
        return;
    }
    let (jump, server) = (Sshd::start(), Sshd::start());
    let ways = entry(&jump, "jump", "");
    let openssh = openssh();
    let proxied = [ways, entry(&server, "node", "ProxyJump jump")].concat();
    let known = with(&server, &proxied);
    let scanned = within(openssh.scan(known.clone())).await.expect("scan");
    assert!(matches!(scanned.verdict, Verdict::Trusted(_)), "{:?}", scanned.verdict);
    assert!(scanned.line.starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 ", server.port)), "{}", scanned.line);
    fs::write(server.path("known_hosts"), "").expect("file");
    let scanned = within(openssh.scan(known.clone())).await.expect("scan");
    assert_eq!(scanned.verdict, Verdict::Unknown { authority: None });
    // Known by another key: taken over, it works.
    let other = fs::read_to_string(jump.path("host.pub")).expect("key");
    fs::write(server.path("known_hosts"), format!("{} {other}", scanned.name)).expect("file");
    let changed = within(openssh.scan(known.clone())).await.expect("scan");
    assert!(matches!(&changed.verdict, Verdict::Changed(k) if k == &changed.others && k.len() == 1));
    replace(&server.path("known_hosts"), &changed.name, &changed.key).expect("replaced");
    Bench::of(openssh.host(known)).ready().await;
    let settings = within(openssh.effective(with(&server, &proxied))).await.expect("settings");
    assert_eq!((settings.port(), settings.proxy_jump()), (Some(server.port), vec!["jump".to_owned()]));
}

#[tokio::test]
async fn many_machines_at_once() {
    if !is_here() {
        return;
    }
    let server = Sshd::with("MaxStartups 10:100:10");
    let openssh = openssh();
    let config = config(&server);
    let begun = Instant::now();
    let hosts: Vec<_> = (0..16).map(|_| Bench::of(openssh.host(config.clone()))).collect();
    for host in &hosts {
        host.ready().await;
        assert_eq!(host.run("echo 1").await.results, [json!(1)]);
    }
    println!("16 machines ready after {:?}", begun.elapsed());
    assert!(!server.sshd_log().contains("MaxStartups"), "no login was dropped");
}

/// What the program prints, standard output and errors.
fn nodelift(server: &Sshd, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodelift"));
    command.args(arguments).arg("-i").arg(server.path("inventory.toml")).env("HOME", server.folder.path());
    command.env("XDG_STATE_HOME", server.folder.path()).env_remove("SSH_AUTH_SOCK").env("COLUMNS", "200");
    let out = command.output().expect("nodelift");
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[tokio::test]
async fn an_inventory_says_why_a_transport_was_chosen() {
    if !is_here() {
        return;
    }
    let (jump, server) = (Sshd::start(), Sshd::start());
    let folder = server.folder.path().display().to_string();
    let proxy = format!("ProxyCommand ssh -F {folder}/ssh_config -W %h:%p jump");
    let text = [
        entry(&jump, "jump", ""),
        entry(&server, "plain", ""),
        entry(&server, "behind", "ProxyJump jump"),
        entry(&server, "proxied", &proxy),
        entry(&server, "kerberos", "GSSAPIAuthentication yes\n GSSAPIDelegateCredentials yes"),
    ]
    .concat();
    fs::write(server.path("ssh_config"), text).expect("ssh_config");
    let inventory = |transport: &str, nodes: &[&str]| {
        let nodes: String = nodes.iter().map(|n| format!("[[node]]\nname = '{n}'\n")).collect();
        let ssh = format!("[ssh]\ntransport = '{transport}'\nssh_config = 'ssh_config'\n");
        fs::write(server.path("inventory.toml"), format!("[cluster]\nname = 'C'\n{nodes}{ssh}")).expect("file");
    };
    inventory("auto", &["plain", "behind", "proxied", "kerberos"]);
    let said = nodelift(&server, &["config", "check"]);
    let (user, port) = (user(), server.port);
    let taken = format!("from ssh_config: host 127.0.0.1, port {port}, user {user}, key {folder}/user");
    for line in [
        format!(
            "PLAIN: by ssh (auto: ssh_config asks for nothing that needs openssh; {taken}, known_hosts files)"
        ),
        format!("{taken}, jump host 127.0.0.1:{}, known_hosts files)", jump.port),
        "PROXIED: by openssh (auto: ssh_config sets ProxyCommand)".to_owned(),
        "KERBEROS: by openssh (auto: ssh_config sets GSSAPIDelegateCredentials)".to_owned(),
    ] {
        assert!(said.contains(&line), "{line}\n{said}");
    }
    let said = nodelift(&server, &["trust"]);
    assert_eq!(said.lines().filter(|l| l.starts_with("known ")).count(), 4, "{said}");

    inventory("ssh", &["proxied"]);
    let said = nodelift(&server, &["config", "check"]);
    assert!(said.contains("PROXIED: by ssh (ssh_config sets ProxyCommand, which is not used"), "{said}");
    inventory("openssh", &["proxied"]);
    let said = nodelift(&server, &["check"]);
    let via = format!("openssh {user}@127.0.0.1:{port}, publickey, through ProxyCommand");
    assert!(said.contains(&via), "{said}");
    let said = nodelift(&server, &["doctor"]);
    assert!(said.contains("by the system's ssh") && said.contains("publickey, through"), "{said}");
    inventory("auto", &["behind"]);
    let said = nodelift(&server, &["check"]);
    let via = format!("ssh {user}@127.0.0.1:{port}, ed25519 key user, through 127.0.0.1 (auto: ");
    assert!(said.contains(&via), "{said}");
    until(|| server.sessions().is_empty() && jump.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_killed_nodelift_leaves_no_connection() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    fs::write(server.path("ssh_config"), entry(&server, "plain", "")).expect("ssh_config");
    let text = "[cluster]\nname = 'C'\n[[node]]\nname = 'plain'\n[ssh]\ntransport = 'openssh'\nssh_config = 'ssh_config'\n";
    fs::write(server.path("inventory.toml"), text).expect("inventory");
    server.set_mode("silent");
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodelift"));
    command.arg("check").arg("-i").arg(server.path("inventory.toml")).env("XDG_STATE_HOME", server.folder.path());
    command.env("HOME", server.folder.path()).stdout(std::process::Stdio::null());
    let mut child = command.stderr(std::process::Stdio::null()).spawn().expect("nodelift");
    until(|| server.log().contains("start ")).await;
    let ours = descendants(child.id());
    assert!(ours.len() >= 2, "the connection and a worker: {ours:?}");
    child.kill().expect("kill");
    child.wait().expect("end");
    let lives = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "));
    until(|| !ours.iter().any(lives) && server.sessions().is_empty()).await;
}

#[tokio::test]
async fn certificates_an_agent_and_match() {
    if !is_here() {
        return;
    }
    let mut server = Sshd::start();
    for name in ["authority", "certified", "agents"] {
        server.keygen(name, &["-t", "ed25519", "-N", ""]);
    }
    let path = |name: &str| server.path(name).display().to_string();
    let (extra, certificate) =
        (format!("TrustedUserCAKeys {}", path("authority.pub")), path("certified-cert.pub"));
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-s", &path("authority"), "-I", "test", "-n", &user(), &path("certified.pub")]);
    assert!(sign.status().expect("ssh-keygen").success());
    server.kill();
    server.extra = extra;
    server.run();
    let certified =
        entry(&server, "node", &format!("CertificateFile {certificate}")).replace("/user", "/certified");
    let config = with(&server, &certified);
    let settings = within(openssh().effective(config.clone())).await.expect("settings");
    let needs = settings.needs_openssh(true, server.folder.path());
    assert_eq!(needs.as_deref(), Some("ssh_config sets CertificateFile"));
    assert!(start(config).ready().await.via.contains("publickey"));
    assert!(server.sshd_log().contains("ED25519-CERT"), "{}", server.sshd_log());

    let agent = Agent::start(server.folder.path());
    agent.add(&server.path("agents"));
    server.authorize("agents");
    let by_agent = entry(&server, "node", &format!("IdentityAgent {}", agent.socket.display()));
    let by_agent = by_agent.replace("/user", "/agents.pub");
    // Its port is known to a Match alone.
    let line = format!(" Port {}\n", server.port);
    let by_agent = format!("Match host node exec true\n{line}{}", by_agent.replace(&line, ""));
    assert!(start(with(&server, &by_agent)).ready().await.via.contains("publickey"));
    let without = OpenSshConfig { agent: Some(false), ..with(&server, &by_agent) };
    let trouble = start(without).trouble().await;
    assert!(trouble.kind.needs_person(), "{}", trouble.message);
}
