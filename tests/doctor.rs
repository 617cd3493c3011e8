//! `nodelift doctor`, the real program, on machines behind real OpenSSH servers: everything well, and each way it can go wrong.
#![cfg(unix)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/said.rs"]
mod said;
mod support;

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lab::{Engine, Lab, Options};
use portable_pty::CommandBuilder;
use pty::{Terminal, size};
use serde_json::{Value as Json, json};
use support::sshd::{Sshd, free_port, is_here, user};
use tempfile::TempDir;

/// Every step of a machine that is reached directly.
const STEPS: [&str; 16] = [
    "name",
    "connect",
    "handshake",
    "host-key",
    "login",
    "shell",
    "powershell",
    "language",
    "elevation",
    "text",
    "second-hop",
    "files",
    "task",
    "clock",
    "scripts",
    "round-trip",
];

fn lab(change: impl FnOnce(&mut Json) + 'static) -> Option<Lab> {
    if let Err(why) = Lab::is_possible() {
        said::skipped(&why);
        return None;
    }
    let options = Options { change: Box::new(change), ..Options::default() };
    let lab = Lab::start("ready", options).unwrap_or_else(|e| panic!("{e}"));
    said::say(&format!("{} answers", lab.engine().name()));
    Some(lab)
}

fn doctor(inventory: &Path, arguments: &[&str]) -> Output {
    let state = inventory.with_file_name("state");
    Command::new(env!("CARGO_BIN_EXE_nodelift"))
        .args(["doctor", "-i"])
        .arg(inventory)
        .args(arguments)
        .env("NODELIFT_STATE", state)
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null())
        .output()
        .expect("it starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The exit code and the document.
fn examined(inventory: &Path, arguments: &[&str]) -> (i32, Report) {
    let output = doctor(inventory, &[arguments, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{errors}");
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output)));
    (output.status.code().expect("it ends by itself"), Report(document))
}

struct Report(Json);

impl Report {
    fn machine(&self, name: &str) -> &Json {
        let all = self.0["machines"].as_array().expect("a list");
        all.iter().find(|m| m["name"] == name).unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    fn step(&self, machine: &str, step: &str) -> &Json {
        let steps = self.machine(machine)["steps"].as_array().expect("a list");
        steps.iter().find(|s| s["step"] == step).unwrap_or_else(|| panic!("{machine} has no {step}"))
    }

    /// Steps of a machine that have that outcome.
    fn with(&self, machine: &str, outcome: &str) -> Vec<&str> {
        let steps = self.machine(machine)["steps"].as_array().expect("a list");
        steps.iter().filter(|s| s["outcome"] == outcome).filter_map(|s| s["step"].as_str()).collect()
    }

    /// It failed there: with these words, this place, and this in what to do. What comes after it was not reached.
    fn stops(&self, machine: &str, step: &str, said: &str, at: &str, remedy: &str) {
        let found = self.step(machine, step);
        let part = |field: &str| found[field].as_str().unwrap_or_default();
        assert_eq!(found["outcome"], "failed", "{machine}: {found}");
        for (field, wanted) in [("said", said), ("at", at), ("remedy", remedy)] {
            assert!(part(field).contains(wanted), "{machine}, {field} lacks `{wanted}`: {found}");
        }
        assert!(found["took_ms"].is_u64(), "{found}");
        let after = STEPS.iter().position(|s| *s == step).expect("a step") + 1;
        assert_eq!(self.with(machine, "not-reached"), STEPS[after..], "{machine}");
        assert_eq!(self.step(machine, "round-trip")["took_ms"], Json::Null);
    }

    fn tally(&self) -> [u64; 4] {
        ["well", "with_caveats", "with_problems", "out_of_reach"].map(|f| self.0[f].as_u64().expect("a number"))
    }
}

/// An inventory of machines on loopback that is no lab.
fn inventory(folder: &Path, known_hosts: &str, ssh: &str, nodes: &[(&str, String)]) -> PathBuf {
    fs::write(folder.join("known"), known_hosts).expect("written");
    let mut out = format!(
        "[cluster]\nname = 'HCI-CL1'\n[ssh]\nuser = '{}'\nagent = false\nknown_hosts = ['known']\n{ssh}\n",
        user()
    );
    for (name, way) in nodes {
        out += &format!("[[node]]\nname = '{name}'\n{way}\n");
    }
    let path = folder.join("site.toml");
    fs::write(&path, out).expect("written");
    path
}

#[test]
fn everything_is_well() {
    let Some(lab) = lab(|_| ()) else { return };
    let (code, report) = examined(&lab.inventory(), &[]);
    assert_eq!(code, 0, "{}", report.0);
    assert_eq!(report.tally(), [5, 0, 0, 0]);
    let document = report.0.as_object().expect("an object");
    let names: Vec<&str> = document.keys().map(String::as_str).collect();
    let shape = [
        "format",
        "cluster",
        "inventory",
        "at",
        "took_ms",
        "well",
        "with_caveats",
        "with_problems",
        "out_of_reach",
        "machines",
    ];
    assert_eq!(names, shape);
    assert_eq!((&document["format"], &document["cluster"]), (&json!(1), &json!("HCI-CL1")));
    let machines: Vec<&Json> =
        document["machines"].as_array().expect("a list").iter().map(|m| &m["name"]).collect();
    assert_eq!(machines, ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4", "COORD01"]);
    for (name, port) in lab.machines() {
        let machine = report.machine(name);
        assert_eq!(machine["address"], format!("127.0.0.1:{port}"));
        assert_eq!(machine["role"], if name == "COORD01" { "coordinator" } else { "node" });
        let steps: Vec<&Json> = machine["steps"].as_array().expect("a list").iter().map(|s| &s["step"]).collect();
        assert_eq!(steps, STEPS);
        let fields: Vec<&String> = machine["steps"][0].as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["step", "outcome", "took_ms", "at", "said", "remedy"]);
        assert!(report.with(name, "failed").is_empty() && report.with(name, "not-reached").is_empty());
        let key = report.step(name, "host-key")["said"].as_str().expect("words");
        assert!(key.starts_with("SHA256:") && key.contains("ed25519, known from "), "{key}");
        assert!(report.step(name, "handshake")["said"].as_str().is_some_and(|s| s.contains("curve25519")));
        assert!(report.step(name, "shell")["said"].as_str().is_some_and(|s| s.ends_with("cmd.exe")));
        assert!(report.step(name, "scripts")["said"].as_str().is_some_and(|s| s.ends_with("parsed, none run")));
    }
    // What it does not do it says.
    assert_eq!(report.with("HCI-N1", "not-tried"), ["second-hop", "task"]);
    assert_eq!(report.with("COORD01", "not-tried"), ["task"]);
    assert!(report.step("COORD01", "task")["said"].as_str().is_some_and(|s| s.contains("--task")));
    assert_eq!(report.step("COORD01", "second-hop")["said"], "reaches HCI-N1, build 20349");
}

#[test]
fn a_person_reads_one_block_for_each_machine() {
    let Some(lab) = lab(|w| w["machines"]["HCI-N2"]["elevated"] = json!(false)) else { return };
    let output = doctor(&lab.inventory(), &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(output.stderr.is_empty(), "no progress where nobody looks");
    let said = text(&output);
    assert!(!said.contains('\x1b'), "no colour in a pipe");
    assert!(said.lines().all(|l| l.chars().count() <= 80), "{said}");
    let heads: Vec<&str> = said.lines().filter(|l| l.contains(" at 127.0.0.1:")).collect();
    assert_eq!(heads.len(), 5, "{said}");
    assert!(
        heads[0].starts_with("✔ HCI-N1  node at ") && heads[4].starts_with("✔ COORD01  coordinator at "),
        "{said}"
    );
    assert!(heads[1].starts_with("✖ HCI-N2") && heads[1].contains(": elevation failed, "), "{said}");
    assert!(said.contains("corp\\upgradeadmin is an administrator, but without"), "{said}");
    assert!(said.ends_with("HCI-CL1: 5 machines: 4 well, 1 with problems\n"), "{said}");

    let one = text(&doctor(&lab.inventory(), &["hci-n1.corp.example", "--ascii"]));
    assert!(one.is_ascii() && one.starts_with("+ HCI-N1"), "{one}");
    assert!(one.ends_with("HCI-CL1: 1 machine: 1 well\n"), "{one}");

    let wrong = doctor(&lab.inventory(), &["HCI-N22"]);
    assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(2), 0));
    let why = String::from_utf8_lossy(&wrong.stderr);
    assert!(
        why.contains("Did you mean HCI-N2?") && why.contains("HCI-N1, HCI-N2, HCI-N3, HCI-N4, COORD01"),
        "{why}"
    );
}

#[test]
fn a_terminal_gets_colour_and_progress_and_may_do_without_colour() {
    let folder = TempDir::new().expect("a folder");
    let way = format!("host = '127.0.0.1'\nport = {}", free_port());
    fs::write(folder.path().join("none"), "no key").expect("written");
    let path = inventory(folder.path(), "", "key = 'none'", &[("HCI-N1", way)]);
    let run = |surroundings: &str| {
        let mut command = CommandBuilder::new("env");
        command.args([surroundings, env!("CARGO_BIN_EXE_nodelift"), "doctor", "-i", &path.display().to_string()]);
        command.env("NODELIFT_STATE", folder.path().join("state"));
        let mut terminal = Terminal::open(command, size(80, 40));
        terminal.shows("1 out of reach");
        assert_eq!(terminal.ends().exit_code(), 8);
        terminal
    };
    let terminal = run("NO_COLOR=");
    let said = terminal.said();
    assert!(said.contains("\x1b[31m✖") && said.contains("0 of 1 done; HCI-N1: "), "{said:?}");
    assert!(!terminal.text().contains("0 of 1 done"), "progress goes when it is over: {}", terminal.text());
    let said = run("NO_COLOR=1").said();
    assert!(said.contains("✖ HCI-N1") && !said.contains("\x1b[3"), "{said:?}");
}

#[test]
fn what_is_wrong_inside_is_told_apart() {
    let change = |w: &mut Json| {
        let m = &mut w["machines"];
        m["HCI-N1"]["language_mode"] = json!("ConstrainedLanguage");
        m["HCI-N2"]["clock_skew"] = json!(-150);
        m["HCI-N3"]["clock_skew"] = json!(4000);
        m["COORD01"]["second_hop"] = json!(false);
        w["faults"] = json!([
            {"on": "Invoke-Expression", "machine": "HCI-N2", "times": null,
                "do": {"error": "Missing closing bracket.", "id": "MissingEndParenthesisAfterStatement"}},
            {"on": "whoami.exe", "machine": "HCI-N4", "times": null, "do": {"exit": 5}},
        ]);
    };
    let Some(lab) = lab(change) else { return };
    let (code, report) = examined(&lab.inventory(), &[]);
    assert_eq!(code, 3, "{}", report.0);
    let step = |machine, step, outcome: &str, words: &str| {
        let found = report.step(machine, step);
        assert_eq!(found["outcome"], outcome, "{machine}: {found}");
        assert!(found["said"].as_str().is_some_and(|s| s.contains(words)), "{machine}: {found}");
        assert!(found["remedy"].is_string(), "{machine}: {found}");
    };
    step("HCI-N1", "language", "caveat", "application control is enforced");
    // The run has an account of its own.
    step("COORD01", "second-hop", "caveat", "may not speak with HCI-N1");
    if matches!(lab.engine(), Engine::PowerShell(_)) {
        said::skipped("a real PowerShell has a real clock, parses for itself, and outlives its programs");
        return;
    }
    assert_eq!(report.tally(), [0, 2, 3, 0], "{}", report.0);
    step("HCI-N2", "clock", "caveat", "2 min 30 s behind");
    step("HCI-N2", "scripts", "failed", "azure-local/");
    step("HCI-N3", "clock", "failed", "1 h 6 min ahead of the clock here: Kerberos takes 5 min");
    // Its PowerShell ended: what needs it is not reached, the rest is.
    step("HCI-N4", "elevation", "failed", "PowerShell ended");
    assert_eq!(report.with("HCI-N4", "not-reached"), ["text", "scripts", "round-trip"]);
    assert_eq!(report.step("HCI-N4", "scripts")["said"], "not reached: elevation failed");
    assert_eq!(report.step("HCI-N4", "files")["outcome"], "passed");
}

#[test]
fn a_task_is_tried_where_detached_operations_run_and_only_when_asked() {
    let Some(lab) = lab(|w| w["machines"]["COORD01"]["elevated"] = json!(false)) else { return };
    let before = fs::read_to_string(lab.world().path()).expect("readable");
    let (_, report) = examined(&lab.inventory(), &["COORD01"]);
    assert_eq!(report.step("COORD01", "task")["outcome"], "not-tried");
    if matches!(lab.engine(), Engine::StandIn(_)) {
        assert_eq!(fs::read_to_string(lab.world().path()).expect("readable"), before, "nothing is changed");
    }

    let (code, report) = examined(&lab.inventory(), &["COORD01", "--task"]);
    let task = report.step("COORD01", "task");
    assert_eq!((code, &task["outcome"]), (3, &json!("failed")), "{task}");
    assert!(task["said"].as_str().is_some_and(|s| s.contains("0x80070005")), "{task}");
    assert!(task["remedy"].as_str().is_some_and(|s| s.contains("elevation")), "{task}");
    assert!(task["at"].as_str().is_some_and(|s| s.starts_with("\\nodelift-doctor-")), "{task}");

    lab.world().edit(|w| w["machines"]["COORD01"]["elevated"] = json!(true)).expect("written");
    let output = doctor(&lab.inventory(), &["--task", "--json"]);
    assert!(!text(&output).contains("\"lab\""), "the password is nowhere");
    let report = Report(serde_json::from_slice(&output.stdout).expect("JSON"));
    let task = report.step("COORD01", "task");
    assert_eq!(task["said"], "registered, run and removed as CORP\\upgradeadmin", "{task}");
    assert_eq!(report.step("HCI-N1", "task")["said"], "not needed here: detached operations run on COORD01");
}

#[test]
fn every_way_to_a_machine_can_fail() {
    let Some(lab) = lab(|_| ()) else { return };
    let folder = TempDir::new().expect("a folder");
    let other = folder.path().join("other");
    let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&other).status();
    assert!(status.expect("ssh-keygen").success());
    // Takes connections, and hangs up.
    let appliance = TcpListener::bind("127.0.0.1:0").expect("a port");
    let appliance_port = appliance.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in appliance.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let closed = free_port();
    let port = |name| lab.port(name).expect("a port");
    let known = fs::read_to_string(lab.folder().join("known_hosts")).expect("readable");
    let key = |name| {
        let start = format!("[127.0.0.1]:{} ", port(name));
        known.lines().find_map(|l| l.strip_prefix(&start)).expect("a key").to_owned()
    };
    let known = format!(
        "[127.0.0.1]:{} {}\n@revoked [127.0.0.1]:{} {}\n[127.0.0.1]:{} {}\n",
        port("HCI-N1"),
        key("COORD01"),
        port("HCI-N3"),
        key("HCI-N3"),
        port("HCI-N4"),
        key("HCI-N4"),
    );
    let at = |port: u16| format!("host = '127.0.0.1'\nport = {port}");
    let nodes = [
        ("HCI-N1", at(port("HCI-N1"))),
        ("HCI-N2", at(port("HCI-N2"))),
        ("HCI-N3", at(port("HCI-N3"))),
        ("HCI-N4", format!("{}\nkey = '{}'", at(port("HCI-N4")), other.display())),
        ("REFUSED", at(closed)),
        ("WEB", at(appliance_port)),
        ("NOWHERE", "host = 'nowhere.invalid'".to_owned()),
    ];
    let ssh = format!("key = '{}'", lab.folder().join("key").display());
    let path = inventory(folder.path(), &known, &ssh, &nodes);
    let (code, report) = examined(&path, &[]);
    assert_eq!((code, report.tally()), (8, [0, 0, 0, 7]), "{}", report.0);
    let place = |name| format!("127.0.0.1:{}", port(name));
    let trust = format!("nodelift trust -i {}", path.display());
    let decide = format!("{trust} --node HCI-N1");
    report.stops("HCI-N1", "host-key", "has CHANGED: it shows ed25519 SHA256:", &place("HCI-N1"), &decide);
    report.stops("HCI-N2", "host-key", "is not known yet", &place("HCI-N2"), &trust);
    report.stops("HCI-N3", "host-key", "revoked", &place("HCI-N3"), "Do not log in");
    report.stops(
        "HCI-N4",
        "login",
        "tried: ed25519 key other",
        &place("HCI-N4"),
        "administrators_authorized_keys",
    );
    report.stops("REFUSED", "connect", "nothing listens on", &format!("127.0.0.1:{closed}"), "Get-Service sshd");
    report.stops("WEB", "handshake", "127.0.0.1", &format!("127.0.0.1:{appliance_port}"), ".");
    report.stops("NOWHERE", "name", "has no address", "nowhere.invalid:22", "DNS");
    let all = serde_json::to_string(&report.0).expect("JSON");
    assert!(!all.contains("by itself"), "nobody tries again here: {all}");

    // A name that nobody knows may take seconds: once is enough.
    let said = text(&doctor(&path, &["refused"]));
    assert!(said.contains("✖ REFUSED  node at 127.0.0.1:") && said.contains(": stopped at connect, "), "{said}");
    assert!(
        said.contains("– 14 steps            not reached: connect failed: handshake, host key, login"),
        "{said}"
    );
    assert!(said.ends_with("HCI-CL1: 1 machine: 1 out of reach\n"), "{said}");
}

#[test]
fn a_machine_without_powershell_or_files_says_so() {
    if !is_here() {
        return;
    }
    let servers = [("MISSING", Sshd::start()), ("ATONCE", Sshd::start()), ("NOFILES", Sshd::start())];
    for ((_, server), mode) in servers.iter().zip(["missing", "at-once", "no-sftp"]) {
        server.set_mode(mode);
    }
    let folder = TempDir::new().expect("a folder");
    let mut known = String::new();
    let mut nodes = Vec::new();
    for (name, server) in &servers {
        known += &fs::read_to_string(server.known_hosts()).expect("readable");
        let key = server.path("user");
        nodes.push((*name, format!("host = '127.0.0.1'\nport = {}\nkey = '{}'", server.port, key.display())));
    }
    let path = inventory(folder.path(), &known, "", &nodes);
    let (code, report) = examined(&path, &[]);
    assert_eq!((code, report.tally()), (3, [0, 0, 3, 0]), "{}", report.0);
    for (name, remedy) in [("MISSING", "PATH"), ("ATONCE", "DefaultShell")] {
        let found = report.step(name, "powershell");
        assert_eq!(found["outcome"], "failed", "{found}");
        assert!(found["remedy"].as_str().is_some_and(|r| r.contains(remedy)), "{found}");
        // Files need no PowerShell.
        assert_eq!(report.with(name, "passed").last(), Some(&"files"));
        assert_eq!(report.with(name, "caveat"), ["shell"]);
        assert_eq!(report.with(name, "not-reached").len(), 8);
    }
    let said = report.step("MISSING", "powershell")["said"].as_str().expect("words");
    assert!(said.contains("there is no powershell.exe") && said.ends_with("external command"), "{said}");
    let files = report.step("NOFILES", "files");
    assert_eq!(files["outcome"], "failed", "{files}");
    assert!(files["remedy"].as_str().is_some_and(|r| r.contains("Subsystem sftp")), "{files}");
    // What it answers is not what the script was to answer.
    assert_eq!(report.step("NOFILES", "elevation")["outcome"], "failed");
    assert_eq!(report.step("NOFILES", "round-trip")["outcome"], "passed");
}

#[test]
fn the_way_leads_through_jump_hosts() {
    if !is_here() {
        return;
    }
    let (mut jump, server) = (Sshd::start(), Sshd::start());
    let folder = TempDir::new().expect("a folder");
    let known = [jump.known_hosts(), server.known_hosts()].map(|f| fs::read_to_string(f).expect("readable"));
    // One key for both.
    let public = fs::read_to_string(server.path("user.pub")).expect("readable");
    fs::write(jump.path("authorized"), public).expect("written");
    let ssh = format!("key = '{}'\njump = ['127.0.0.1:{}']", server.path("user").display(), jump.port);
    let way = |port: u16| format!("host = '127.0.0.1'\nport = {port}");
    let (closed, hop) = (free_port(), format!("127.0.0.1:{}", jump.port));
    let nodes = [("BEHIND", way(server.port)), ("CLOSED", way(closed))];
    let path = inventory(folder.path(), &known.concat(), &ssh, &nodes);
    let (code, report) = examined(&path, &[]);
    assert_eq!(code, 8, "{}", report.0);
    let step = |machine, step| report.step(machine, step);
    assert_eq!(step("BEHIND", "jump")["outcome"], "passed");
    assert_eq!(step("BEHIND", "jump")["at"], hop);
    assert_eq!(step("BEHIND", "name")["said"], format!("looked up by jump host {hop}"));
    assert_eq!(step("BEHIND", "connect")["said"], "through the jump host");
    assert_eq!(step("BEHIND", "powershell")["outcome"], "passed");
    report.stops("CLOSED", "connect", "cannot reach", &format!("127.0.0.1:{closed}"), "AllowTcpForwarding");

    jump.kill();
    let (code, report) = examined(&path, &["BEHIND"]);
    assert_eq!(code, 8);
    let found = report.step("BEHIND", "jump");
    assert_eq!((&found["outcome"], &found["at"]), (&json!("failed"), &json!(hop)), "{found}");
    assert_eq!(report.with("BEHIND", "not-reached"), STEPS);
}
