//! Machines without an SSH server: over the simulator under a virtual clock, and the real program on a site of real OpenSSH
//! servers where one machine has none.
#![cfg(unix)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/said.rs"]
mod said;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lab::{Lab, Options};
use nodelift::core::connection::{Connection, Hello, Trouble, TroubleKind};
use nodelift::core::event::FailureKind;
use nodelift::remote::probes;
use nodelift::remote::remoting::{RemotingConfig, RemotingHost, RemotingTimes};
use nodelift::remote::sim::{Answers, SimHost, Site, World};
use nodelift::remote::{Host, Request};
use portable_pty::CommandBuilder;
use pty::Terminal;
use secrecy::SecretString;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The machine without an SSH server.
const NODE: &str = "HCI-N2";

/// A site of the simulator where `NODE` has no SSH server.
fn site(change: impl FnOnce(&mut Json)) -> Site {
    let text = fs::read_to_string("tests/lab/worlds/ready.json").expect("the world");
    let mut world: Json = serde_json::from_str(&text).expect("JSON");
    without_ssh(&mut world);
    change(&mut world);
    let start: Timestamp = "2026-02-01T20:00:00Z".parse().expect("a time");
    let origin = Instant::now();
    let clock = move || start + SignedDuration::try_from(origin.elapsed()).expect("short");
    Site::new(World::new(world).expect("a world"), Answers::embedded().expect("answers"), Arc::new(clock), 1.0)
}

fn without_ssh(world: &mut Json) {
    let machine = &mut world["machines"][NODE];
    (machine["no_ssh"], machine["reachable"]) = (json!(true), json!(false));
}

fn host(site: &Site, password: Option<&str>) -> RemotingHost {
    let config = RemotingConfig {
        name: NODE.into(),
        computer: "hci-n2.corp.example".into(),
        through: "COORD01".into(),
        user: "CORP\\upgradeadmin".into(),
        password: password.map(|p| SecretString::from(p.to_owned())),
        times: RemotingTimes::default(),
    };
    RemotingHost::new(config, Arc::new(SimHost::new(site, "COORD01").expect("it is there")))
}

async fn until(host: &dyn Host, what: &str, is: impl Fn(&Connection) -> bool) -> Connection {
    let mut connection = host.connection();
    let found = tokio::time::timeout(Duration::from_secs(3600), connection.wait_for(|c| is(c))).await;
    match found {
        Ok(found) => found.expect("it lives").clone(),
        Err(_) => panic!("not {what}: {:?}", *host.connection().borrow()),
    }
}

async fn ready(host: &dyn Host) -> Hello {
    match until(host, "ready", Connection::is_ready).await {
        Connection::Ready(hello) => hello,
        other => panic!("{other:?}"),
    }
}

async fn trouble(host: &dyn Host) -> Trouble {
    match until(host, "in trouble", |c| matches!(c, Connection::Trouble(_))).await {
        Connection::Trouble(trouble) => trouble,
        other => panic!("{other:?}"),
    }
}

async fn ask(host: &dyn Host, request: Request) -> Result<Json, nodelift::core::event::Failure> {
    let (said, _) = mpsc::channel(1);
    host.run(request, said).await.record()
}

#[tokio::test(start_paused = true)]
async fn it_answers_as_a_machine_does_that_is_reached_directly() {
    let site = site(
        |w| w["machines"][NODE]["files"] = json!({"C:\\Windows\\notes.txt": {"text": "hello there"}, "C:\\long.log": {"text": "0123456789".repeat(20_000)}}),
    );
    let host = host(&site, None);
    host.open();
    let hello = ready(&host).await;
    assert_eq!((hello.host.as_str(), hello.language.as_str(), hello.second_hop), (NODE, "FullLanguage", false));
    assert_eq!(hello.via, "remoting through COORD01, with the credentials of the login there");
    let who = ask(&host, probes::identity("za\u{17c} 'x'")).await.expect("a record");
    assert_eq!((&who["computer"], &who["text"]), (&json!(NODE), &json!("za\u{17c} 'x'")));
    let piece = host.read_file("C:\\Windows\\notes.txt", 6, 3).await.expect("it is there");
    assert_eq!((piece.bytes.as_slice(), piece.size), (b"the".as_slice(), 11));
    // More than one answer holds.
    let long = host.read_file("C:\\long.log", 7, 150_000).await.expect("it is there");
    assert_eq!((long.bytes.len(), long.size, &long.bytes[..3]), (150_000, 200_000, b"789".as_slice()));
    assert_eq!(long.bytes[149_999], b'6');
    let missing = host.read_file("C:\\no.txt", 0, 3).await.expect_err("it is not there");
    assert_eq!(missing.kind, FailureKind::Threw);
    assert!(missing.id.is_some_and(|id| id.starts_with("PathNotFound")));
    host.close().await;
    assert_eq!(*host.connection().borrow(), Connection::Idle);
}

#[tokio::test(start_paused = true)]
async fn what_remoting_needs_is_said_at_connect() {
    let no_hop = |w: &mut Json| w["machines"]["COORD01"]["second_hop"] = json!(false);
    let place = site(no_hop);
    let without = host(&place, None);
    without.open();
    let t = trouble(&without).await;
    assert_eq!(t.kind, TroubleKind::CredentialUnusable);
    assert!(t.message.contains("COORD01 may not open a remoting session on HCI-N2"), "{}", t.message);
    assert!(t.remedy.contains("password_command") && t.remedy.contains("nodelift prepare"), "{}", t.remedy);
    let failure = ask(&without, probes::identity("x")).await.expect_err("nobody is there");
    assert_eq!(failure.kind, FailureKind::NotSent);

    let with = host(&place, Some("not-a-real-one"));
    with.open();
    assert_eq!(ready(&with).await.via, "remoting as CORP\\upgradeadmin through COORD01");
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_told_apart_from_the_machine_on_the_way_being_away() {
    let site = site(|_| ());
    let host = host(&site, None);
    host.open();
    ready(&host).await;
    site.change(|w, now| w.start_restart(NODE, now, None));
    let t = trouble(&host).await;
    assert_eq!(t.kind, TroubleKind::Lost, "{}", t.message);
    assert!(t.message.starts_with("COORD01 is there, but remoting does not reach HCI-N2"), "{}", t.message);
    ready(&host).await;
    assert_eq!(ask(&host, probes::identity("x")).await.expect("a record")["computer"], json!(NODE));

    site.change(|w, now| w.start_restart("COORD01", now, None));
    let t = trouble(&host).await;
    assert_eq!(t.kind, TroubleKind::JumpFailed);
    assert!(
        t.message.contains("HCI-N2 is reached through COORD01, which is not connected itself"),
        "{}",
        t.message
    );
    ready(&host).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_breaks_leaves_doubt_and_is_made_anew() {
    let site = site(|_| ());
    let host = host(&site, None);
    host.open();
    ready(&host).await;
    let fault = |on: &str, do_: Json| json!({"on": on, "times": 1, "do": do_});
    let lay = |fault: Json| site.change(|w, _| w.json_mut()["faults"] = json!([fault]));
    lay(fault("Invoke-Command", json!({"throw": "gone", "id": "-2144108453,PSSessionStateBroken"})));
    let failure = ask(&host, probes::identity("x")).await.expect_err("it broke");
    assert_eq!(failure.kind, FailureKind::Indeterminate, "{}", failure.message);
    assert!(failure.id.is_some_and(|id| id.starts_with("-2144108453")));
    lay(json!({"on": "whoami.exe", "machine": NODE, "times": 1, "do": {"throw": "no", "id": "Test,Who"}}));
    let failure = ask(&host, probes::identity("x")).await.expect_err("it threw");
    assert_eq!((failure.kind, failure.id.as_deref()), (FailureKind::Threw, Some("Test,Who")));
    ready(&host).await;
    ask(&host, probes::identity("x")).await.expect("it goes on");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_off_is_looked_for_until_it_is_there() {
    let site = site(|w| w["machines"][NODE]["services"]["WinRM"]["status"] = json!("Stopped"));
    let host = host(&site, None);
    host.open();
    let t = trouble(&host).await;
    assert_eq!(t.kind, TroubleKind::Unreachable);
    assert!(t.remedy.contains("Enable-PSRemoting"), "{}", t.remedy);
    site.change(|w, _| w.machine_mut(NODE)["services"]["WinRM"]["status"] = json!("Running"));
    ready(&host).await;
}

fn lab(change: impl FnOnce(&mut Json) + 'static) -> Option<Lab> {
    if let Err(why) = Lab::is_possible() {
        said::skipped(&why);
        return None;
    }
    let change = |w: &mut Json| {
        without_ssh(w);
        change(w);
    };
    let lab = Lab::start("ready", Options { change: Box::new(change), ..Options::default() });
    let lab = lab.unwrap_or_else(|e| panic!("{e}"));
    said::say(&format!("{} answers", lab.engine().name()));
    Some(lab)
}

/// The lab's inventory, with `NODE` reached by remoting and more under [ssh].
fn inventory(lab: &Lab, ssh: &str) -> PathBuf {
    let own = fs::read_to_string(lab.inventory()).expect("an inventory");
    let entry = format!("[[node]]\nname = \"{NODE}\"\n");
    assert!(own.contains(&entry), "{own}");
    let text = own.replace(&entry, &format!("{entry}transport = \"remoting\"\n"));
    let path = lab.folder().join("remoting.toml");
    fs::write(&path, format!("{text}{ssh}")).expect("written");
    path
}

fn nodelift(lab: &Lab, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nodelift"))
        .args(arguments)
        .env("NODELIFT_STATE", lab.folder().join("state"))
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null())
        .output()
        .expect("it starts")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("plain")
}

#[test]
fn readiness_is_checked_there_too() {
    let Some(lab) = lab(|_| ()) else { return };
    let file = inventory(&lab, "");
    assert!(!lab.listens(NODE), "it has no server");
    let output = nodelift(&lab, &["check", "-i", path(&file), "--json"]);
    let report: Json =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", errors(&output)));
    let machine = &report["machines"][NODE];
    assert_eq!((&machine["connected"], &machine["build"]), (&json!(true), &json!(20349)), "{machine}");
    let rows = report["checks"].as_array().expect("a list").iter();
    let own: Vec<&Json> =
        rows.flat_map(|c| c["results"].as_array().expect("a list")).filter(|r| r["node"] == NODE).collect();
    assert!(own.len() > 10, "{} checks judged it", own.len());
    // What a person has to confirm is no question of the way there.
    let asked = |r: &Json| r["why"].as_str().is_some_and(|w| w.ends_with('?'));
    let unknown: Vec<&&Json> = own.iter().filter(|r| r["outcome"] == "could-not-tell" && !asked(r)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");

    let output = nodelift(&lab, &["config", "check", "-i", path(&file)]);
    assert!(out(&output).contains("HCI-N2: by remoting through COORD01"), "{}{}", out(&output), errors(&output));
}

/// The steps of one machine, by name.
fn examined(lab: &Lab, file: &Path) -> (i32, Json) {
    let output = nodelift(lab, &["doctor", "-i", path(file), NODE, "--json"]);
    let report: Json =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", errors(&output)));
    let steps = report["machines"][0]["steps"].as_array().expect("a list");
    let by_name = steps.iter().map(|s| (s["step"].as_str().expect("a name").to_owned(), s.clone()));
    (output.status.code().expect("it ends"), Json::Object(by_name.collect()))
}

#[test]
fn the_doctor_walks_that_way() {
    let Some(lab) = lab(|_| ()) else { return };
    let (code, steps) = examined(&lab, &inventory(&lab, ""));
    assert_eq!(code, 0, "{steps:#}");
    let said = |step: &str| steps[step]["said"].as_str().unwrap_or_default();
    assert!(said("jump").starts_with("COORD01: ssh "), "{}", said("jump"));
    assert_eq!(said("login"), "remoting through COORD01, with the credentials of the login there");
    for step in [
        "jump",
        "connect",
        "login",
        "powershell",
        "language",
        "elevation",
        "text",
        "clock",
        "scripts",
        "round-trip",
    ] {
        assert_eq!(steps[step]["outcome"], "passed", "{step}: {}", steps[step]);
    }
    for step in ["name", "handshake", "host-key", "shell"] {
        assert_eq!(steps[step]["outcome"], "not-tried", "{step}");
        assert!(said(step).starts_with("does not apply: "), "{}", said(step));
    }
}

#[test]
fn the_doctor_says_what_is_missing() {
    let Some(lab) = lab(|w| w["machines"]["COORD01"]["second_hop"] = json!(false)) else { return };
    let (code, steps) = examined(&lab, &inventory(&lab, ""));
    assert_eq!(code, 8, "{steps:#}");
    assert_eq!((&steps["connect"]["outcome"], &steps["login"]["outcome"]), (&json!("passed"), &json!("failed")));
    let remedy = steps["login"]["remedy"].as_str().unwrap_or_default();
    assert!(remedy.contains("password_command"), "{remedy}");
    // With a password it works, and the password is nowhere to be seen.
    let file = inventory(&lab, "password_command = [\"echo\", \"Pa55-not-real\"]\n");
    let output = nodelift(&lab, &["doctor", "-i", path(&file), NODE]);
    let text = out(&output) + &errors(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("through COORD01") && !text.contains("Pa55-not-real"), "{text}");

    lab.world().change(|w, _| (w.machine_mut(NODE)["powered"] = json!(false), true)).expect("written");
    let (_, steps) = examined(&lab, &file);
    assert_eq!(steps["connect"]["outcome"], "failed", "{}", steps["connect"]);
    assert!(
        steps["connect"]["said"].as_str().is_some_and(|s| s.starts_with("COORD01 is there, but")),
        "{steps:#}"
    );
}

#[test]
fn the_script_is_printed_and_nothing_is_run() {
    let Some(lab) = lab(|_| ()) else { return };
    let file = inventory(&lab, "");
    let output = nodelift(&lab, &["prepare", "-i", path(&file)]);
    let (text, key) = (out(&output), fs::read_to_string(lab.folder().join("key.pub")).expect("a key"));
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(text.starts_with("# For HCI-N2: ") && text.is_ascii(), "{text}");
    assert!(text.contains(&format!("$arg = @{{ public_key = '{}' }}", key.trim())), "{text}");
    for part in ["OpenSSH.Server~~~~0.0.1.0", "Set-Service -Name sshd -StartupType Automatic", "icacls.exe"] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("PRIVATE KEY"));
    assert!(errors(&output).contains("Nothing was run."));
    assert!(!lab.listens(NODE));
    let wrong = nodelift(&lab, &["prepare", "-i", path(&file), "HCI-N22"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(errors(&wrong).contains("Did you mean HCI-N2?"), "{}", errors(&wrong));
    let nobody = nodelift(&lab, &["prepare", "-i", path(&file), "--run"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(errors(&nobody).contains("no terminal to ask on"), "{}", errors(&nobody));
}

fn prepare(lab: &Lab, file: &Path, nodes: &[&str]) -> Terminal {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_nodelift"));
    command.args(["prepare", "--run", "-i", path(file)]);
    command.args(nodes);
    command.env("NODELIFT_STATE", lab.folder().join("state"));
    command.env_remove("SSH_AUTH_SOCK");
    Terminal::open(command, pty::size(100, 40))
}

#[test]
fn a_node_gets_its_server_when_a_person_says_yes() {
    let Some(lab) = lab(|w| w["machines"]["HCI-N3"]["powered"] = json!(false)) else { return };
    let file = inventory(&lab, "");
    let mut terminal = prepare(&lab, &file, &[]);
    terminal.shows("Type yes: ");
    terminal.press("no\n");
    terminal.shows("Nothing was run.");
    assert_eq!(terminal.ends().exit_code(), 4);

    let mut terminal = prepare(&lab, &file, &[NODE, "HCI-N3"]);
    terminal.shows("HCI-N3 cannot be prepared: COORD01 is there, but");
    terminal.shows("Run it on 1 node? Type yes: ");
    terminal.press("yes\n");
    terminal.shows("1 of 2 nodes prepared");
    let said = terminal.said();
    assert!(said.contains("HCI-N2: added the public key; sshd is Running, Automatic"), "{said}");
    assert!(said.contains("nodelift trust -i "), "{said}");
    assert_eq!(terminal.ends().exit_code(), 8);
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while !lab.listens(NODE) {
        assert!(std::time::Instant::now() < until, "its server does not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}
