//! Logins by password and by keyboard-interactive against a real OpenSSH server, and what it may say before a login. Where there is
//! no sshd every test says so and passes.
#![cfg(target_os = "linux")]

#[path = "support/said.rs"]
mod said;
mod support;

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use nodelift::core::connection::{Trouble, TroubleKind};
use nodelift::remote::ssh::{Credential, SshConfig};
use serde_json::json;
use support::bench::Bench;
use support::pam::{PASSWORD, environment};
use support::sshd::{Sshd, is_here, user};

const BY_PASSWORD: &str =
    "UsePAM yes\nPubkeyAuthentication no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no";
const BY_QUESTIONS: &str =
    "UsePAM yes\nPubkeyAuthentication no\nPasswordAuthentication no\nKbdInteractiveAuthentication yes";

/// A server that takes passwords; `None`, said, where that cannot be.
fn server(lines: &str, how: &str) -> Option<Sshd> {
    if !is_here() {
        return None;
    }
    Some(Sshd::in_environment(lines, environment(how)?))
}

fn with(server: &Sshd, password: &str) -> SshConfig {
    let mut config = server.config();
    config.target.credentials = vec![Credential::Password(password.into())];
    config
}

/// What a login with the wrong password, or one that cannot be enough, comes to.
async fn trouble(server: &Sshd, password: &str) -> Trouble {
    let trouble = Bench::new(with(server, password)).trouble().await;
    assert!(!format!("{} {}", trouble.message, trouble.remedy).contains(password), "{}", trouble.message);
    trouble
}

#[tokio::test]
async fn by_password() {
    let Some(server) = server(BY_PASSWORD, "") else { return };
    let bench = Bench::new(with(&server, PASSWORD));
    let hello = bench.ready().await;
    assert_eq!(hello.via, format!("ssh {}@127.0.0.1:{}, password", user(), server.port));
    assert!(hello.second_hop, "a password brings network credentials");
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
    assert!(server.sshd_log().contains("Accepted password for"));

    let refused = trouble(&server, "not this one").await;
    assert_eq!(refused.kind, TroubleKind::LoginRefused);
    assert!(refused.message.contains("tried: password"), "{}", refused.message);
    let failed = || server.sshd_log().matches("Failed password for").count();
    assert_eq!(failed(), 1);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(failed(), 1, "one guess: more could lock the account");

    // A key that is not taken there is no reason to give up.
    let mut config = with(&server, PASSWORD);
    let key = Credential::KeyFile { path: server.path("user"), passphrase: None, certificate: None };
    config.target.credentials.insert(0, key);
    assert!(Bench::new(config).ready().await.via.ends_with(", password"));
}

#[tokio::test]
async fn by_keyboard_interactive() {
    let Some(one) = server(BY_QUESTIONS, "") else { return };
    let hello = Bench::new(with(&one, PASSWORD)).ready().await;
    assert!(hello.via.ends_with(", password") && hello.second_hop, "{}", hello.via);
    assert!(one.sshd_log().contains("Accepted keyboard-interactive/pam for"));
    let refused = trouble(&one, "not this one").await;
    assert_eq!(refused.kind, TroubleKind::LoginRefused, "{}", refused.message);

    let Some(code_too) = server(BY_QUESTIONS, "twice") else { return };
    let refused = trouble(&code_too, PASSWORD).await;
    assert!(refused.kind.needs_person(), "{refused:?}");

    let Some(for_ever) = server(BY_QUESTIONS, "ever") else { return };
    let begun = Instant::now();
    let refused = trouble(&for_ever, PASSWORD).await;
    assert!(refused.kind.needs_person(), "{refused:?}");
    assert!(refused.message.contains("asks more questions than a password answers"), "{}", refused.message);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_banner_before_the_login_changes_nothing() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let banner = folder.path().join("banner");
    let text = "\x1b]0;owned\x07\x1b[2J Authenticated to everything\r\n".repeat(500);
    fs::write(&banner, text).expect("banner");
    let server = Sshd::with(&format!("Banner {}", banner.display()));
    let bench = Bench::new(server.config());
    let hello = bench.ready().await;
    assert!(!hello.via.contains("owned"), "{}", hello.via);
    assert_eq!(bench.run("echo 1").await.results, [json!(1)]);
}

#[tokio::test]
async fn endless_lines_before_the_version_are_given_up() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let flood = TcpListener::bind("127.0.0.1:0").expect("listener");
    let mut config = server.config();
    config.target.port = flood.local_addr().expect("address").port();
    (config.times.handshake, config.times.login) = (Duration::from_secs(1), Duration::from_secs(1));
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = flood.accept() {
            std::thread::spawn(
                move || while socket.write_all(&[b"x".repeat(200), b"\r\n".to_vec()].concat()).is_ok() {},
            );
        }
    });
    let begun = Instant::now();
    let trouble = Bench::new(config).trouble().await;
    println!("a flood of lines was given up after {:?}: {}", begun.elapsed(), trouble.message);
    assert!([TroubleKind::Unreachable, TroubleKind::Garbage].contains(&trouble.kind), "{trouble:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn no_common_algorithm() {
    if !is_here() {
        return;
    }
    let server = Sshd::with("KexAlgorithms sntrup761x25519-sha512@openssh.com");
    let trouble = Bench::new(server.config()).trouble().await;
    assert_eq!(trouble.kind, TroubleKind::NoCommonAlgorithm, "{}", trouble.message);
    assert!(trouble.remedy.contains("transport = \"openssh\""), "{}", trouble.remedy);
}
