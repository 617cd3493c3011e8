//! SSH hosts against real OpenSSH servers on loopback. Where there is no sshd every test says so and passes.
#![cfg(target_os = "linux")]

#[path = "support/said.rs"]
mod said;
mod support;

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use nodelift::core::connection::{Connection, TroubleKind};
use nodelift::core::event::FailureKind;
use nodelift::remote::ssh::known_hosts::{Verdict, append, replace};
use nodelift::remote::ssh::{Credential, Endpoint, SshConfig, SshRuntime};
use nodelift::remote::{Host, Request};
use serde_json::json;
use support::bench::{Bench, futures, kind};
use support::sshd::{Agent, Sshd, descendants, free_port, is_here, signal};
use support::{QUICK, request, until, within};
use tokio::sync::mpsc;

fn key_file(server: &Sshd, name: &str, passphrase: Option<&str>) -> Credential {
    Credential::KeyFile { path: server.path(name), passphrase: passphrase.map(Into::into), certificate: None }
}

fn with_credentials(server: &Sshd, credentials: Vec<Credential>) -> SshConfig {
    let mut config = server.config();
    config.target.credentials = credentials;
    config
}

#[tokio::test]
async fn a_machine_says_hello_and_answers() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let runtime = SshRuntime::start().expect("runtime");
    let bench = Bench::on(&runtime, server.config());
    assert_eq!(kind(&bench.run("echo 1").await), None, "a request waits for the connection");
    let hello = bench.ready().await;
    assert_eq!((hello.host.as_str(), hello.ps.as_str()), ("FAKE", "5.1.20348.2849"));
    assert_eq!(hello.language, "FullLanguage");
    assert!(hello.skew_ms.abs() < 1000 && !hello.second_hop);
    let at = server.endpoint();
    assert_eq!(hello.via, format!("ssh {}@127.0.0.1:{}, ed25519 key user", at.user, at.port));
    assert_eq!(bench.run("pid").await.results, [json!(hello.pid)], "one worker serves all requests");
    assert_eq!(bench.run("pid").await.results, [json!(hello.pid)]);
    let reply = bench.ask(Request { args: json!({ "x": "żółć" }), ..request("args") }).await;
    assert_eq!(reply.record(), Ok(json!({ "x": "żółć" })));
    assert_eq!(kind(&bench.run("throw Id no").await), Some(FailureKind::Threw));
    let host = bench.host.clone();
    bench.close().await;
    until(|| server.log().contains(&format!("end {}", hello.pid))).await;
    until(|| server.sessions().is_empty()).await;
    assert!(!server.log().contains("taskkill"), "an idle worker ends by itself");
    let (said, _lines) = mpsc::channel(1);
    let after = within(host.run(request("echo 1"), said)).await;
    assert_eq!(kind(&after), Some(FailureKind::NotSent));
    host.open();
    let mut connection = host.connection();
    within(connection.wait_for(Connection::is_ready)).await.expect("opened again");
}

#[tokio::test]
async fn slow_requests_have_a_worker_of_their_own() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let bench = Bench::new(server.config());
    let hello = bench.ready().await;
    let slow = Request { slow: true, ..request("touch slow\nsleep 600\npid") };
    let quick = async {
        within(server.appears("slow")).await;
        let start = Instant::now();
        let reply = bench.run("pid").await;
        assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
        reply
    };
    let (slow, quick) = tokio::join!(bench.ask(slow), quick);
    assert_eq!(quick.results, [json!(hello.pid)]);
    assert_ne!(slow.results, quick.results);
}

#[tokio::test]
async fn keys_of_every_kind() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let runtime = SshRuntime::start().expect("runtime");
    for (name, options, via) in [
        ("locked", &["-t", "ed25519", "-N", "open sesame"][..], "ed25519 key locked"),
        ("ec", &["-t", "ecdsa", "-m", "PEM", "-N", "open sesame"], "ecdsa key ec"),
        ("rsa", &["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", ""], "rsa key rsa"),
    ] {
        server.keygen(name, options);
        server.authorize(name);
        let passphrase = options.contains(&"open sesame").then_some("open sesame");
        let bench = Bench::on(&runtime, with_credentials(&server, vec![key_file(&server, name, passphrase)]));
        assert!(bench.ready().await.via.ends_with(via), "{name}");
    }
    let wrong = Bench::on(&runtime, with_credentials(&server, vec![key_file(&server, "locked", Some("wrong"))]));
    let trouble = wrong.trouble().await;
    assert_eq!(trouble.kind, TroubleKind::CredentialUnusable);
    assert!(
        trouble.message.contains("passphrase is wrong") && !trouble.message.contains("Some"),
        "{}",
        trouble.message
    );
    let none = Bench::on(&runtime, with_credentials(&server, vec![key_file(&server, "locked", None)]));
    assert!(none.trouble().await.message.contains("no passphrase was given"));
    let missing = Bench::on(&runtime, with_credentials(&server, vec![key_file(&server, "nowhere", None)]));
    assert!(missing.trouble().await.message.contains("does not exist"));
    let second = vec![key_file(&server, "nowhere", None), key_file(&server, "user", None)];
    assert!(
        Bench::on(&runtime, with_credentials(&server, second)).ready().await.via.ends_with("ed25519 key user")
    );
}

#[tokio::test]
async fn keys_of_an_agent() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let agent = Agent::start(server.folder.path());
    let from_agent = |only: Option<&str>| {
        let only = only.map(|name| server.path(name));
        with_credentials(&server, vec![Credential::Agent { socket: Some(agent.socket.clone()), only }])
    };
    let empty = Bench::new(from_agent(None));
    let trouble = empty.trouble().await;
    assert_eq!(trouble.kind, TroubleKind::CredentialUnusable);
    assert!(trouble.message.contains("it holds no key"), "{}", trouble.message);
    for i in 0..2 {
        server.keygen(&format!("other{i}"), &["-t", "ed25519", "-N", ""]);
        agent.add(&server.path(&format!("other{i}")));
    }
    let refused = Bench::new(from_agent(None)).trouble().await;
    assert_eq!(refused.kind, TroubleKind::LoginRefused);
    assert!(refused.message.contains("other0 from agent, ed25519 key other1 from agent"), "{}", refused.message);
    agent.add(&server.path("user"));
    assert!(Bench::new(from_agent(None)).ready().await.via.ends_with("ed25519 key from agent"));
    for i in 2..7 {
        server.keygen(&format!("other{i}"), &["-t", "ed25519", "-N", ""]);
    }
    assert!(Bench::new(from_agent(Some("user.pub"))).ready().await.via.ends_with("ed25519 key from agent"));
    let config =
        with_credentials(&server, vec![Credential::Agent { socket: Some(server.path("no agent")), only: None }]);
    let trouble = Bench::new(config).trouble().await;
    assert_eq!(trouble.kind, TroubleKind::CredentialUnusable);
    // A dead socket that takes connections and never answers.
    let mute = server.path("mute");
    let _listener = std::os::unix::net::UnixListener::bind(&mute).expect("socket");
    let mut config = with_credentials(&server, vec![Credential::Agent { socket: Some(mute), only: None }]);
    (config.times.handshake, config.times.login) = (Duration::from_millis(300), Duration::from_millis(300));
    let trouble = Bench::new(config).trouble().await;
    assert!(trouble.message.contains("agent of this machine does not answer"), "{}", trouble.message);
}

#[tokio::test]
async fn refused_keys_ask_a_person_and_are_tried_again_when_opened() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    server.keygen("stranger", &["-t", "ed25519", "-N", ""]);
    let bench = Bench::new(with_credentials(
        &server,
        vec![key_file(&server, "stranger", None), Credential::Password("pw".into())],
    ));
    let trouble = bench.trouble().await;
    assert_eq!(trouble.kind, TroubleKind::LoginRefused);
    let wanted = [
        format!("127.0.0.1:{}", server.port),
        "tried: ed25519 key stranger".into(),
        "passwords are not taken".into(),
    ];
    assert!(wanted.iter().all(|w| trouble.message.contains(w)), "{}", trouble.message);
    assert!(trouble.remedy.contains("administrators_authorized_keys"));
    let failed = |server: &Sshd| server.sshd_log().matches("Connection closed by authenticating").count();
    until(|| failed(&server) == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(failed(&server), 1, "not tried again by itself");
    server.authorize("stranger");
    bench.host.open();
    bench.ready().await;
}

#[tokio::test]
async fn host_keys_are_strict() {
    if !is_here() {
        return;
    }
    let mut server = Sshd::start();
    let runtime = SshRuntime::start().expect("runtime");
    let config = server.config();
    let line = fs::read_to_string(server.path("known_hosts")).expect("known_hosts");
    let file = server.path("known_hosts");
    let known = |text: &str| fs::write(&file, text).expect("write");

    known("");
    let bench = Bench::on(&runtime, config.clone());
    let unknown = bench.trouble().await;
    assert_eq!(unknown.kind, TroubleKind::HostKeyUnknown);
    let scanned = within(runtime.scan(config.clone())).await.expect("scan");
    assert!(unknown.message.contains(&scanned.fingerprint), "{}", unknown.message);
    assert_eq!(scanned.verdict, Verdict::Unknown { authority: None });
    append(&server.path("known_hosts"), &scanned.line).expect("append");
    bench.host.open();
    bench.ready().await;
    assert!(matches!(within(runtime.scan(config.clone())).await.expect("scan").verdict, Verdict::Trusted(_)));

    known(&format!("@revoked * {}", line.split_once(' ').expect("key").1));
    assert_eq!(Bench::on(&runtime, config.clone()).trouble().await.kind, TroubleKind::HostKeyRevoked);

    known(&line);
    server.kill();
    server.new_host_key("ed25519");
    server.run();
    let changed = Bench::on(&runtime, config.clone()).trouble().await;
    assert_eq!(changed.kind, TroubleKind::HostKeyChanged);
    assert!(changed.message.contains("CHANGED") && changed.message.contains("line 1"), "{}", changed.message);
    assert!(changed.remedy.contains("nodelift trust -i FILE --node node "), "{}", changed.remedy);
    let lost = bench.trouble().await;
    assert!([TroubleKind::HostKeyChanged, TroubleKind::Lost].contains(&lost.kind), "{lost:?}");
    bench.troubled(TroubleKind::HostKeyChanged).await;

    // A person took the new key over: what was known besides stays.
    known(&format!("# mine\nelse.example,{line}"));
    let scanned = within(runtime.scan(config.clone())).await.expect("scan");
    assert!(matches!(&scanned.verdict, Verdict::Changed(k) if k.len() == 1 && k == &scanned.others));
    replace(&file, &scanned.name, &scanned.key).expect("replaced");
    bench.host.open();
    bench.ready().await;
    let now = fs::read_to_string(&file).expect("known_hosts");
    assert!(now.starts_with("# mine\nelse.example ") && now.lines().count() == 3, "{now}");

    // Known by an ecdsa key: it is asked for first, although the server would rather show its ed25519 key.
    server.kill();
    server.keygen("host2", &["-t", "ecdsa", "-N", ""]);
    server.extra = format!("HostKey {}", server.path("host2").display());
    server.run();
    let ecdsa = fs::read_to_string(server.path("host2.pub")).expect("key");
    known(&format!("[127.0.0.1]:{} {ecdsa}", server.port));
    Bench::on(&runtime, config.clone()).ready().await;
    server.kill();
    server.extra = String::new();
    server.run();
    let other = Bench::on(&runtime, config.clone()).trouble().await;
    assert_eq!(other.kind, TroubleKind::HostKeyChanged);
    assert!(other.message.contains("no longer offers"), "{}", other.message);
    let scanned = within(runtime.scan(config.clone())).await.expect("scan");
    assert!(matches!(&scanned.verdict, Verdict::OtherTypeKnown(k) if k == &scanned.others));
    replace(&file, &scanned.name, &scanned.key).expect("replaced");
    assert!(matches!(within(runtime.scan(config.clone())).await.expect("scan").verdict, Verdict::Trusted(_)));
}

#[tokio::test]
async fn unreachable_machines_are_tried_again() {
    if !is_here() {
        return;
    }
    let mut server = Sshd::start();
    let config = server.config();
    server.kill();
    let bench = Bench::new(config);
    let trouble = bench.trouble().await;
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.message.contains("refused") && trouble.message.contains(&server.port.to_string()));
    let mut changes = bench.host.connection();
    changes.borrow_and_update();
    let flaps = tokio::time::timeout(Duration::from_millis(600), changes.changed()).await;
    assert!(flaps.is_err(), "the trouble stays while it tries again");
    server.run();
    bench.ready().await;
    let mut nowhere = server.config();
    nowhere.target.host = "no-such-host.invalid".into();
    assert_eq!(Bench::new(nowhere).trouble().await.kind, TroubleKind::NoAddress);
}

#[tokio::test]
async fn a_black_hole_is_given_up() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let hole = TcpListener::bind("127.0.0.1:0").expect("listener");
    let mut config = server.config();
    config.target.port = hole.local_addr().expect("address").port();
    config.times.handshake = Duration::from_millis(400);
    let bench = Bench::new(config.clone());
    let trouble = bench.trouble().await;
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.message.contains("did not complete an SSH handshake"), "{}", trouble.message);
    let start = Instant::now();
    bench.close().await;
    assert!(start.elapsed() < Duration::from_secs(2), "closing does not wait for it");

    let chatter = TcpListener::bind("127.0.0.1:0").expect("listener");
    config.target.port = chatter.local_addr().expect("address").port();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = chatter.accept() {
            let _ = std::io::Write::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let trouble = Bench::new(config).trouble().await;
    assert!([TroubleKind::Unreachable, TroubleKind::Garbage].contains(&trouble.kind), "{trouble:?}");
}

#[tokio::test]
async fn no_powershell_and_garbage_are_outcomes_of_their_own() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let runtime = SshRuntime::start().expect("runtime");
    let mut config = server.config();
    for (mode, expected, says) in [
        ("missing", TroubleKind::NoPowerShell, "there is no powershell.exe on 127.0.0.1"),
        ("clixml", TroubleKind::NoPowerShell, "The term is blocked"),
        ("at-once", TroubleKind::NoPowerShell, "ended with code 0"),
        ("silent", TroubleKind::NoPowerShell, "did not answer within 2 s; it said nothing"),
        ("garbage", TroubleKind::Garbage, "it said: Welcome to the appliance login:"),
        ("flood", TroubleKind::Garbage, "zzzz"),
    ] {
        server.set_mode(mode);
        let ends_by_itself = !["silent", "garbage"].contains(&mode);
        config.limits.hello = Duration::from_millis(if ends_by_itself { 10_000 } else { 1_500 });
        let bench = Bench::on(&runtime, config.clone());
        let trouble = bench.trouble().await;
        assert_eq!(trouble.kind, expected, "{mode}: {}", trouble.message);
        assert!(trouble.message.contains(says), "{mode}: {}", trouble.message);
        server.set_mode("");
        if ends_by_itself {
            bench.host.open();
            bench.ready().await;
        }
        bench.close().await;
    }
}

#[tokio::test]
async fn a_hanging_script_is_killed_and_the_next_request_works() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let mut config = server.config();
    config.limits.close_grace = Duration::from_millis(200);
    let bench = Bench::new(config);
    let pid = bench.ready().await.pid;
    let reply = bench.run_for("echo 1\nhang", Duration::from_millis(400)).await;
    assert_eq!((kind(&reply), reply.results.len()), (Some(FailureKind::TimedOut), 1), "{reply:?}");
    assert!(server.log().contains(&format!("taskkill {pid}")));
    assert_eq!(bench.run("echo 2").await.results, [json!(2)]);
    let left = bench.run("exit 3").await;
    assert!(left.end.expect_err("exit").message.contains("exit code 3"));
    let died = bench.run("error last words\ndie 9").await;
    let failure = died.end.expect_err("died");
    assert_eq!(failure.kind, FailureKind::Indeterminate);
    assert!(failure.message.contains("code 9") && failure.message.contains("last words"), "{}", failure.message);
    assert_eq!(kind(&bench.run("die-mid-frame").await), Some(FailureKind::Indeterminate));
    assert_eq!(bench.run("echo 3").await.results, [json!(3)]);
    assert!(bench.host.connection().borrow().is_ready(), "none of it is trouble of the machine");
}

#[tokio::test]
async fn a_cut_connection_is_made_again_and_its_script_ended() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let bench = Bench::new(server.config());
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
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
    let before = server.log().matches("taskkill").count();
    server.kill_sessions();
    bench.troubled(TroubleKind::Lost).await;
    bench.ready().await;
    assert_eq!(server.log().matches("taskkill").count(), before, "an idle worker ends by itself");
}

#[tokio::test]
async fn a_machine_that_goes_away_and_comes_back() {
    if !is_here() {
        return;
    }
    let mut server = Sshd::start();
    let mut config = server.config();
    config.limits.hello = Duration::from_secs(1);
    let bench = Bench::new(config);
    bench.ready().await;
    server.kill();
    let lost = bench.troubled(TroubleKind::Lost).await;
    assert!(lost.message.contains(&format!("127.0.0.1:{}", server.port)), "{}", lost.message);
    assert_eq!(kind(&bench.run("echo 1").await), Some(FailureKind::NotSent));
    bench.troubled(TroubleKind::Unreachable).await;
    // While it starts, logins work and PowerShell does not (powershell-over-ssh 7.4).
    server.set_mode("at-once");
    server.run();
    let early = bench.troubled(TroubleKind::Lost).await;
    assert!(early.message.contains("before its first answer"), "{}", early.message);
    server.set_mode("");
    bench.ready().await;
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
}

#[tokio::test]
async fn a_frozen_peer_is_noticed() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let mut config = server.config();
    (config.times.keepalive, config.times.dead) = (Duration::from_secs(2), Duration::from_secs(4));
    let bench = Bench::new(config);
    bench.ready().await;
    let reply = bench.run("sleep 4500\necho 1").await;
    assert_eq!(reply.results, [json!(1)], "silence alone is no death: keepalives are answered");
    let sessions = server.sessions();
    sessions.iter().for_each(|pid| signal("STOP", *pid));
    let start = Instant::now();
    let lost = bench.troubled(TroubleKind::Lost).await;
    assert!(lost.message.contains("nothing was heard"), "{}", lost.message);
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    bench.ready().await;
    sessions.iter().for_each(|pid| signal("KILL", *pid));
}

#[tokio::test]
async fn large_answers_on_several_channels_arrive_unchanged() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let runtime = SshRuntime::start().expect("runtime");
    let config = server.config();
    let hosts = [Bench::on(&runtime, config.clone()), Bench::on(&runtime, config)];
    let expected: String = (0..1_000_000).map(|i| char::from(b'!' + (i % 251 % 90) as u8)).collect();
    let requests = hosts.iter().flat_map(|host| {
        (0..6).map(|i| host.ask(Request { slow: i % 2 == 0, ..request("big 1000000\nmany 100\nbig 1000000") }))
    });
    for reply in futures(requests.collect()).await {
        assert_eq!((reply.results.len(), &reply.end), (102, &Ok(())));
        assert!(reply.results[0].as_str() == Some(&expected) && reply.results[101].as_str() == Some(&expected));
    }
    let script = format!("# {}\nargs", "x".repeat(800_000));
    let reply = hosts[0].ask(Request { args: json!(expected), ..request(&script) }).await;
    assert_eq!(reply.results, [json!(expected)], "and large requests too");
}

#[tokio::test]
async fn keys_are_changed_under_way() {
    if !is_here() {
        return;
    }
    let server = Sshd::with("RekeyLimit 1M\nLogLevel DEBUG");
    let bench = Bench::new(server.config());
    bench.ready().await;
    let large = "x".repeat(1_000_000);
    let echo = |slow| Request { slow, args: json!(large), ..request("args\nbig 3000000\nargs") };
    for reply in futures((0..6).map(|i| bench.ask(echo(i % 2 == 0))).collect()).await {
        assert_eq!((&reply.end, reply.results.len()), (&Ok(()), 3));
        for part in [0, 2] {
            let text = reply.results[part].as_str().unwrap_or_default();
            let odd = text.bytes().position(|b| b != b'x');
            assert_eq!((text.len(), odd), (large.len(), None), "part {part}");
        }
    }
    let changes = server.sshd_log().matches("SSH2_MSG_NEWKEYS received").count();
    assert!(changes > 10, "{changes}");
}

#[tokio::test]
async fn half_a_packet_in_a_dead_network_is_no_hang() {
    if !is_here() {
        return;
    }
    let (jump, server) = (Sshd::start(), Sshd::start());
    let mut config = server.config();
    config.hops = vec![jump.endpoint()];
    config.known_hosts.push(jump.known_hosts());
    (config.times.keepalive, config.times.dead) = (Duration::from_secs(2), Duration::from_secs(4));
    let bench = Bench::new(config);
    bench.ready().await;
    let stopped = jump.sessions();
    stopped.iter().for_each(|pid| signal("STOP", *pid));
    let large = || Request { args: json!("x".repeat(1_800_000)), ..request("args") };
    let replies = futures((0..2).map(|i| bench.ask(Request { slow: i == 0, ..large() })).collect()).await;
    let kinds: Vec<_> = replies.iter().map(kind).collect();
    assert!(kinds.contains(&Some(FailureKind::Indeterminate)), "{kinds:?}");
    bench.ready().await;
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
    stopped.iter().for_each(|pid| signal("KILL", *pid));
}

#[tokio::test]
async fn nothing_waits_for_what_has_arrived() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let bench = Bench::new(server.config());
    bench.ready().await;
    let path = server.path("log");
    let name = path.to_str().expect("path");
    let requests = async |slow| {
        let mut longest = Duration::ZERO;
        for i in 0..400 {
            let start = Instant::now();
            let reply = bench.ask(Request { slow, ..request(&format!("raw x\nerror y\necho {i}")) }).await;
            assert_eq!(reply.results, [json!(i)]);
            longest = longest.max(start.elapsed());
        }
        longest
    };
    let files = async {
        let mut longest = Duration::ZERO;
        for _ in 0..400 {
            let start = Instant::now();
            within(bench.host.read_file(name, 0, 64)).await.expect("file");
            longest = longest.max(start.elapsed());
        }
        longest
    };
    let (quick, slow, files) = tokio::join!(requests(false), requests(true), files);
    println!("longest of 400: quick {quick:?}, slow {slow:?} (with its start), file {files:?}");
    // A lost wake-up would show as a keepalive's 15 s.
    assert!([quick, slow, files].iter().all(|longest| *longest < Duration::from_secs(10)));
}

#[tokio::test]
async fn a_slow_listener_holds_back_one_script_and_nothing_else() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let mut config = server.config();
    (config.times.keepalive, config.times.dead) = (Duration::from_secs(2), Duration::from_secs(4));
    let bench = Bench::new(config);
    bench.ready().await;
    let (said, mut lines) = mpsc::channel(1);
    let flood = bench.host.run(Request { slow: true, ..request("flood 20000000\necho 1") }, said);
    let flood = tokio::spawn(flood);
    within(lines.recv()).await.expect("a line");
    for _ in 0..50 {
        assert_eq!(bench.run("echo 2").await.results, [json!(2)]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!flood.is_finished() && bench.host.connection().borrow().is_ready());
    let mut count = 1;
    while within(lines.recv()).await.is_some() {
        count += 1;
    }
    assert_eq!((count, flood.await.expect("task").results), (20_000, vec![json!(1)]), "nothing is lost");
}

#[tokio::test]
async fn through_a_jump_host() {
    if !is_here() {
        return;
    }
    let (mut jump, inner_jump, server) = (Sshd::start(), Sshd::start(), Sshd::start());
    let mut config = server.config();
    config.hops = vec![jump.endpoint(), inner_jump.endpoint()];
    config.known_hosts.extend([jump.known_hosts(), inner_jump.known_hosts()]);
    let bench = Bench::new(config.clone());
    let hello = bench.ready().await;
    assert!(hello.via.ends_with("ed25519 key user, through 127.0.0.1, through 127.0.0.1"), "{}", hello.via);
    let reply = bench.run("big 3000000").await;
    assert_eq!(reply.results[0].as_str().map(str::len), Some(3_000_000));
    jump.kill();
    bench.troubled(TroubleKind::JumpFailed).await;
    jump.run();
    bench.ready().await;
    bench.close().await;
    until(|| [&jump, &inner_jump, &server].iter().all(|s| s.sessions().is_empty())).await;

    let mut lost = config.clone();
    lost.target.port = free_port();
    let trouble = Bench::new(lost).trouble().await;
    assert_eq!(trouble.kind, TroubleKind::JumpFailed);
    assert!(trouble.message.contains("cannot reach 127.0.0.1:"), "{}", trouble.message);
    let mut unknown = config.clone();
    unknown.known_hosts.remove(1);
    let trouble = Bench::new(unknown).trouble().await;
    assert_eq!(trouble.kind, TroubleKind::HostKeyUnknown, "what needs a person keeps its kind");
    assert!(trouble.message.starts_with("jump host 127.0.0.1: "), "{}", trouble.message);
}

#[tokio::test]
async fn files_are_read_by_offset() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let bench = Bench::new(server.config());
    bench.ready().await;
    let path = server.path("out.log");
    let content: Vec<u8> = (0..700_000u32).flat_map(|i| (i as u16).to_le_bytes()).collect();
    fs::write(&path, &content).expect("file");
    let name = path.to_str().expect("path");
    let read = async |offset, max| within(bench.host.read_file(name, offset, max)).await;
    let chunk = read(1000, 300_000).await.expect("chunk");
    assert!(chunk.bytes == content[1000..301_000] && chunk.size == content.len() as u64);
    let rest = read(1_399_000, 1 << 20).await.expect("chunk");
    assert_eq!(rest.bytes, content[1_399_000..]);
    assert_eq!(read(content.len() as u64 + 5, 10).await.expect("past the end").bytes, b"");
    fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut f| std::io::Write::write_all(&mut f, b"more"))
        .expect("append");
    assert_eq!(read(content.len() as u64, 100).await.expect("appended").bytes, b"more");
    let missing = within(bench.host.read_file("/no/such/file", 0, 10)).await.expect_err("missing");
    assert_eq!((missing.kind, missing.id.as_deref()), (FailureKind::Threw, Some("sftp:NoSuchFile")));
    assert!(missing.message.contains("/no/such/file"));
    let many: Vec<_> = (0..30).map(|i| bench.host.read_file(name, i * 10, 10)).collect();
    for (i, chunk) in futures(many).await.into_iter().enumerate() {
        assert_eq!(chunk.expect("chunk").bytes, content[i * 10..i * 10 + 10]);
    }
    assert_eq!(server.log().matches("sftp").count(), 1, "one session for all of them");
    let sftp: Vec<u32> =
        descendants(std::process::id()).into_iter().filter(|p| command(*p).contains("sftp-server")).collect();
    sftp.iter().filter(|p| parent_is_ours(**p, &server)).for_each(|p| signal("KILL", *p));
    let after = async {
        loop {
            if read(0, 4).await.is_ok_and(|c| c.bytes == content[..4]) {
                return;
            }
        }
    };
    within(after).await;
    assert!(
        bench.host.connection().borrow().is_ready(),
        "an SFTP server that ends is not the end of the connection"
    );
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
}

fn command(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

fn parent_is_ours(pid: u32, server: &Sshd) -> bool {
    server.sessions().iter().any(|s| descendants(*s).contains(&pid))
}

#[tokio::test]
async fn machines_without_files_say_so() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    server.set_mode("no-sftp");
    let bench = Bench::new(server.config());
    bench.ready().await;
    for _ in 0..2 {
        let failure = within(bench.host.read_file("C:\\x", 0, 10)).await.expect_err("no files");
        assert_eq!(failure.kind, FailureKind::NotSent, "{}", failure.message);
    }
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
    server.set_mode("mute-sftp");
    let mut config = server.config();
    config.times.channel = Duration::from_millis(500);
    let bench = Bench::new(config);
    bench.ready().await;
    let failure = within(bench.host.read_file("C:\\x", 0, 10)).await.expect_err("no files");
    assert!(failure.message.contains("does not answer"), "{}", failure.message);
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
}

#[tokio::test]
async fn closing_ends_a_running_script() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let bench = Bench::new(server.config());
    let pid = bench.ready().await.pid;
    let (said, _lines) = mpsc::channel(10);
    let running = tokio::spawn(bench.host.run(request("touch running\nhang"), said));
    within(server.appears("running")).await;
    bench.close().await;
    assert_eq!(kind(&running.await.expect("task")), Some(FailureKind::Indeterminate));
    assert!(server.log().contains(&format!("taskkill {pid}")));
    until(|| server.sessions().is_empty()).await;
}

#[tokio::test]
async fn dropping_everything_leaves_nothing() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let bench = Bench::new(server.config());
    let pid = bench.ready().await.pid;
    drop(bench);
    until(|| server.log().contains(&format!("end {pid}"))).await;
    until(|| server.sessions().is_empty()).await;
}

#[tokio::test]
async fn old_connections_are_replaced_without_a_word() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let mut config = server.config();
    config.times.recycle = Duration::from_millis(500);
    let bench = Bench::new(config);
    let pid = bench.ready().await.pid;
    let mut connection = bench.host.connection();
    let mut seen = Vec::new();
    let other = async {
        loop {
            within(connection.changed()).await.expect("host");
            let now = connection.borrow_and_update().clone();
            let done = matches!(&now, Connection::Ready(h) if h.pid != pid);
            seen.push(now);
            if done {
                return;
            }
        }
    };
    other.await;
    assert!(seen.iter().all(Connection::is_ready), "{seen:?}");
    for _ in 0..50 {
        assert_eq!(bench.run("echo 1").await.end, Ok(()), "requests wait for the new one");
    }
}

#[tokio::test]
async fn many_machines_at_once() {
    if !is_here() {
        return;
    }
    let server = Sshd::with("MaxStartups 10:100:10");
    let runtime = SshRuntime::start().expect("runtime");
    let config = server.config();
    let hosts: Vec<_> = (0..24).map(|_| Bench::on(&runtime, config.clone())).collect();
    for host in &hosts {
        host.ready().await;
        assert_eq!(host.run("echo 1").await.results, [json!(1)]);
    }
    assert!(!server.sshd_log().contains("MaxStartups"), "no login was dropped");
}

#[test]
fn endpoints_print_no_secrets() {
    let endpoint = Endpoint::new("h", "u", vec![Credential::Password("s3cret".into())]);
    assert!(!format!("{endpoint:?}").contains("s3cret"));
    let _ = QUICK;
}
