//! Trouble as a person meets it: the program on a terminal, before a site of real OpenSSH servers where one machine is not as it
//! should be. Each ends in words on the screen, the other machines go on, and what was repaired comes back without a new start.
#![cfg(unix)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/said.rs"]
mod said;
mod support;

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use lab::{Lab, Options};
use portable_pty::CommandBuilder;
use pty::Terminal;
use support::sshd::{self, Sshd};
use tempfile::TempDir;

/// What would change a terminal, as machines say it here.
const ESCAPES: [&str; 3] = ["\x1b]0;OWNED", "\x1b[5;6r", "\x1b[?1000h"];

/// Seconds a machine may stay silent, where a test waits for that.
const SILENCE: u64 = 6;

/// A site in order, one for all tests that run at the time, and what one test changes of it. The machine in trouble is HCI-N2.
struct Site {
    lab: Arc<Lab>,
    folder: TempDir,
    inventory: String,
}

impl Site {
    fn new() -> Option<Site> {
        static SHARED: Mutex<Weak<Lab>> = Mutex::new(Weak::new());
        if !sshd::is_here() {
            return None;
        }
        if let Err(why) = Lab::is_possible() {
            said::skipped(&why);
            return None;
        }
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let lab = shared.upgrade().unwrap_or_else(|| {
            Arc::new(
                Lab::start("ready", Options { rate: 180.0, ..Options::default() })
                    .unwrap_or_else(|e| panic!("{e}")),
            )
        });
        *shared = Arc::downgrade(&lab);
        let folder = tempfile::tempdir().expect("folder");
        let known = folder.path().join("known_hosts");
        fs::copy(lab.folder().join("known_hosts"), &known).expect("known hosts");
        let inventory = fs::read_to_string(lab.inventory()).expect("an inventory").replace(
            &format!("known_hosts = [\"{}/known_hosts\"]", lab.folder().display()),
            &format!("known_hosts = [\"{}\"]", known.display()),
        );
        assert!(inventory.contains(&known.display().to_string()), "{inventory}");
        Some(Site { lab, folder, inventory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn port(&self, node: &str) -> u16 {
        self.lab.port(node).expect("it is there")
    }

    /// What the lab wrote beside a machine's server.
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.lab.folder().join(name)).expect(name)
    }

    /// Leads to another port in place of a machine's own, where that key is known.
    fn lead(&mut self, node: &str, port: u16, key: &str) {
        let own = format!("port = {}\n", self.port(node));
        assert!(self.inventory.contains(&own), "{}", self.inventory);
        self.inventory = self.inventory.replace(&own, &format!("port = {port}\n"));
        self.know(port, key);
    }

    fn know(&self, port: u16, key: &str) {
        let known = fs::read_to_string(self.path("known_hosts")).expect("known hosts");
        let name = format!("[127.0.0.1]:{port} ");
        let others: String = known.lines().filter(|l| !l.starts_with(&name)).map(|l| format!("{l}\n")).collect();
        fs::write(self.path("known_hosts"), format!("{others}{name}{}\n", key.trim())).expect("known hosts");
    }

    /// A server whose programs are the stand-in that says what it is told to say.
    fn lead_to_stand_in(&mut self, node: &str) -> Sshd {
        let server = Sshd::start();
        fs::write(server.path("authorized"), self.read("key.pub")).expect("authorized keys");
        let key = fs::read_to_string(server.path("host.pub")).expect("host key");
        self.lead(node, server.port, &key);
        server
    }

    fn command(&self, word: &str) -> CommandBuilder {
        let path = self.path("inventory.toml");
        fs::write(&path, &self.inventory).expect("inventory");
        command(self.folder.path(), word, &path)
    }

    fn open(&self) -> Terminal {
        Terminal::open(self.command("run"), pty::size(80, 24))
    }
}

/// The program, with every folder of its own in one that goes with the test.
fn command(folder: &Path, word: &str, inventory: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_nodelift"));
    command.args([word, "-i"]);
    command.arg(inventory);
    for name in ["NODELIFT_STATE", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "NODELIFT_RUNBOOKS"] {
        command.env(name, folder.join(name));
    }
    // A folder that is named must be there.
    fs::create_dir_all(folder.join("NODELIFT_RUNBOOKS")).expect("folder");
    command
}

/// The text without frames, words apart by one space: where a line breaks is no matter.
fn flat(text: &str) -> String {
    let plain = text.replace(['│', '┃', '╭', '╮', '╰', '╯', '─'], " ");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line of a machine in Nodes.
fn row(t: &Terminal, node: &str) -> String {
    let text = t.text();
    let line = text.lines().find(|l| l.chars().take(9).collect::<String>().ends_with(node));
    line.map_or_else(String::new, |l| l.chars().take(31).collect())
}

#[track_caller]
fn row_shows(t: &Terminal, node: &str, words: &str) {
    t.wait(&format!("{node} {words}"), |t| row(t, node).contains(words));
}

/// Waits for all of these, wherever lines break.
#[track_caller]
fn says(t: &Terminal, parts: &[&str]) {
    for part in parts {
        t.wait(part, |t| flat(&t.text()).contains(part));
    }
}

/// Everything that can be read was read, but for one machine that is cut off: how that looks.
#[track_caller]
fn is_cut_off(t: &Terminal, node: &str, words: &str, said: &str) {
    row_shows(t, node, words);
    t.shows("BLOCKED");
    t.shows("1 needs you");
    for other in ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"].into_iter().filter(|n| *n != node) {
        let row = row(t, other);
        assert!(row.contains("Up") && row.contains('●'), "{other} goes on\n{}", t.text());
    }
    // Its checks are not skipped: they could not tell, and why.
    // Beside a long age the words are cut.
    let shown = format!("{node}: not reached: {words}");
    says(t, &["could not tell", &shown[..shown.len().min("HCI-N1: not reached: ".len() + 6)]]);
    let advice = format!("✖ {node}: {said}");
    assert!(flat(&t.text()).contains(&format!("{advice}. ! shows the way out.")), "{advice}\n{}", t.text());
}

/// Opens what waits for a person and looks at what it says.
#[track_caller]
fn detail_says(t: &mut Terminal, parts: &[&str]) {
    t.press("!");
    t.shows("Way out");
    says(t, parts);
    says(t, &["C connects again", "C connect"]);
    close(t);
}

/// Closes what is open. The next key is pressed only then: right after an escape it would be another one.
#[track_caller]
fn close(t: &mut Terminal) {
    t.shows("esc back");
    t.press("\x1b");
    t.shows("leave");
}

/// The machine works, and what could not be read there has been.
#[track_caller]
fn is_back(t: &Terminal, node: &str) {
    row_shows(t, node, "●");
    t.shows("READY");
    assert!(!t.text().contains("needs you"), "{}", t.text());
}

/// Leaves, and sees the terminal given back with these words on it.
#[track_caller]
fn leaves(mut t: Terminal, code: u32, last_words: &[&str]) {
    t.press("q");
    let start = Instant::now();
    assert_eq!(t.ends().exit_code(), code, "{}", t.text());
    assert!(start.elapsed() < Duration::from_secs(10), "leaving took {:?}", start.elapsed());
    t.wait("the terminal back", |t| {
        let s = t.screen();
        !s.alternate_screen() && !s.bracketed_paste() && !s.hide_cursor()
    });
    says(&t, last_words);
    let said = t.said();
    for mark in ["panicked", "This is a mistake in nodelift"].iter().chain(&ESCAPES) {
        assert!(!said.contains(mark), "{mark:?}");
    }
}

/// A port that takes every connection; what is behind it speaks only once it is open.
struct Door(Arc<AtomicBool>);

impl Door {
    fn new(port: u16, behind: u16, open: bool) -> Door {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let is_open = Arc::new(AtomicBool::new(open));
        let door = Door(is_open.clone());
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for from in listener.incoming().map_while(Result::ok) {
                let Some(to) = is_open
                    .load(Ordering::SeqCst)
                    .then(|| TcpStream::connect(("127.0.0.1", behind)).ok())
                    .flatten()
                else {
                    silent.push(from);
                    continue;
                };
                for (mut a, mut b) in [(from.try_clone(), to.try_clone()), (Ok(to), Ok(from))]
                    .into_iter()
                    .filter_map(|(a, b)| Some((a.ok()?, b.ok()?)))
                {
                    std::thread::spawn(move || {
                        let _ = io::copy(&mut a, &mut b);
                        let _ = b.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        door
    }

    fn open(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn free_port() -> u16 {
    lab::server::free_ports(1)[0]
}

fn fingerprint(key: &Path) -> String {
    let out = std::process::Command::new("ssh-keygen").arg("-lf").arg(key).output().expect("ssh-keygen");
    String::from_utf8_lossy(&out.stdout).split(' ').nth(1).expect("a fingerprint").to_owned()
}

#[test]
fn a_bad_inventory_is_told_whole_before_a_screen_opens() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("site.toml");
    let text =
        "runbok = \"azure-local-powershell\"\n\n[[node]]\nname = \"HCI-N1\"\nport = \"22\"\n\n[ssh]\nuser = 5\n";
    fs::write(&path, text).expect("inventory");
    let mut t = Terminal::open(command(folder.path(), "run", &path), pty::size(80, 40));
    assert_eq!(t.ends().exit_code(), 2, "{}", t.text());
    t.shows("write a text in quotes");
    let said = t.text().replace('\n', "");
    let at = path.display();
    for part in [
        format!("{at}:1:1: there is no field `runbok` here"),
        "did you mean `runbook`?".into(),
        format!("{at}:1:1: `cluster` is missing here"),
        "add `cluster = …`, or a section `[cluster]`".into(),
        format!("{at}:5:8: a number belongs here, this is a text"),
        "write a number, without quotes".into(),
        format!("{at}:8:8: a text belongs here, this is a number"),
    ] {
        assert!(said.contains(&part), "{part}\n{}", t.text());
    }
    assert!(!t.said().contains("\x1b[?1049h"), "no screen was opened");

    let absent = folder.path().join("none.toml");
    let mut t = Terminal::open(command(folder.path(), "run", &absent), pty::size(80, 24));
    assert_eq!(t.ends().exit_code(), 2);
    t.shows("there is no such file");
    t.shows("nodelift init");
}

#[test]
fn a_machine_that_nothing_listens_on_is_told_and_comes_back_by_itself() {
    let Some(mut site) = Site::new() else { return };
    let port = free_port();
    site.lead("HCI-N2", port, &site.read("HCI-N2.host.pub"));
    let mut t = site.open();
    is_cut_off(&t, "HCI-N2", "unreachable", "nothing answers there; it is tried again");
    let at = format!("nothing listens on 127.0.0.1:{port}");
    detail_says(&mut t, &[&at, "Get-Service sshd", "nodelift goes on trying by itself"]);
    let _door = Door::new(port, site.port("HCI-N2"), true);
    is_back(&t, "HCI-N2");
    leaves(t, 0, &[]);
}

#[test]
fn a_machine_that_never_speaks_is_told_in_time() {
    let Some(mut site) = Site::new() else { return };
    let port = free_port();
    let door = Door::new(port, site.port("HCI-N2"), false);
    site.lead("HCI-N2", port, &site.read("HCI-N2.host.pub"));
    let silent = site.lead_to_stand_in("HCI-N3");
    silent.set_mode("silent");
    site.inventory.push_str(&format!("connect_timeout = {SILENCE}\n"));
    let start = Instant::now();
    let mut t = site.open();
    row_shows(&t, "HCI-N2", "connecting");
    row_shows(&t, "HCI-N2", "unreachable");
    row_shows(&t, "HCI-N3", "no PowerShell");
    let took = start.elapsed().as_secs();
    assert!((SILENCE..2 * SILENCE + 2).contains(&took), "{took} s");
    t.shows("BLOCKED");
    t.shows("2 need you");
    says(&t, &["✖ HCI-N3: PowerShell does not start there. 1 more machine in trouble. ! shows the way out."]);
    t.press("!");
    let within = format!("within {SILENCE} s");
    says(
        &t,
        &[
            &format!("PowerShell on 127.0.0.1:{}", silent.port),
            &format!("did not answer {within}"),
            "said nothing",
        ],
    );
    close(&mut t);
    t.press("1gji");
    let at = format!("127.0.0.1:{port} takes connections but did not complete an SSH handshake {within}");
    says(&t, &[&at, "Check what listens on that port", "C connects again"]);
    door.open();
    t.press("C");
    close(&mut t);
    row_shows(&t, "HCI-N2", "●");
    t.wait("what was missed", |t| !t.text().contains("HCI-N2: not reached"));
    t.shows("BLOCKED");
    leaves(t, 3, &["HCI-CL1: blocked, "]);
}

#[test]
fn a_refused_key_is_told_and_connects_again_when_asked() {
    let Some(mut site) = Site::new() else { return };
    lab::server::keygen(&site.path("other")).expect("a key");
    let port = format!("port = {}\n", site.port("HCI-N2"));
    let key = format!("{port}key = \"{}\"\n", site.path("other").display());
    site.inventory = site.inventory.replace(&port, &key);
    let mut t = site.open();
    is_cut_off(&t, "HCI-N2", "login refused", "it refused the login");
    let at = format!("127.0.0.1:{} refused the login of {}", site.port("HCI-N2"), sshd::user());
    detail_says(&mut t, &[&at, "tried: ed25519 key other; it takes: publickey", "administrators_authorized_keys"]);
    let authorized = site.lab.folder().join("authorized");
    let keys =
        fs::read_to_string(&authorized).expect("keys") + &fs::read_to_string(site.path("other.pub")).expect("key");
    fs::write(authorized, keys).expect("authorized keys");
    t.press("C");
    is_back(&t, "HCI-N2");
    leaves(t, 0, &[]);
}

#[test]
fn a_changed_host_key_shows_both_and_nothing_is_sent() {
    let Some(mut site) = Site::new() else { return };
    let server = site.lead_to_stand_in("HCI-N2");
    let true_key = fs::read_to_string(server.path("host.pub")).expect("host key");
    site.know(server.port, &site.read("HCI-N1.host.pub"));
    let mut t = site.open();
    is_cut_off(&t, "HCI-N2", "KEY CHANGED", "its HOST KEY HAS CHANGED");
    let old = fingerprint(&site.lab.folder().join("HCI-N1.host.pub"));
    let new = fingerprint(&server.path("host.pub"));
    let at = format!("the host key of 127.0.0.1:{} has CHANGED", server.port);
    detail_says(
        &mut t,
        &[
            &at,
            &format!("it shows ed25519 {new}"),
            &format!("known is ed25519 {old}"),
            "nodelift trust -i FILE --node HCI-N2",
        ],
    );
    leaves(t, 3, &["has CHANGED", "nodelift trust", "HCI-CL1: blocked, "]);
    let log = server.sshd_log();
    assert!(
        !log.contains("Accepted") && !log.contains("Failed") && !log.contains("publickey"),
        "no login was tried: {log}"
    );
    assert_eq!(server.log(), "", "nothing was started there");

    // While it is looked at, the file is put right.
    site.know(server.port, &site.read("HCI-N1.host.pub"));
    let mut t = site.open();
    row_shows(&t, "HCI-N2", "KEY CHANGED");
    site.know(server.port, &true_key);
    t.press("!");
    t.shows("Way out");
    t.press("C");
    close(&mut t);
    row_shows(&t, "HCI-N2", "Up, unreadable");
    t.shows("BLOCKED");
    leaves(t, 3, &["HCI-CL1: blocked, "]);
}

/// `nodelift trust` for one machine, on a terminal of its own.
fn trust(site: &Site, node: &str) -> Terminal {
    let mut command = site.command("trust");
    command.args(["--node", node]);
    Terminal::open(command, pty::size(120, 40))
}

#[test]
fn a_changed_host_key_is_taken_over_by_a_decision_for_that_machine_alone() {
    let Some(site) = Site::new() else { return };
    let port = site.port("HCI-N2");
    let others = |text: &str| {
        let own = format!("[127.0.0.1]:{port}");
        text.lines().filter(|l| !l.contains(&own)).map(|l| format!("{l}\n")).collect::<String>()
    };
    // Known by another key, in one line with a machine that keeps it.
    site.know(port, &site.read("HCI-N1.host.pub"));
    let known = fs::read_to_string(site.path("known_hosts")).expect("known hosts");
    let known = known.replace(&format!("[127.0.0.1]:{port} "), &format!("other.example,[127.0.0.1]:{port} "));
    fs::write(site.path("known_hosts"), &known).expect("known hosts");
    let old = fingerprint(&site.lab.folder().join("HCI-N1.host.pub"));
    let new = fingerprint(&site.lab.folder().join("HCI-N2.host.pub"));
    let mut t = site.open();
    is_cut_off(&t, "HCI-N2", "KEY CHANGED", "its HOST KEY HAS CHANGED");
    detail_says(&mut t, &["nodelift trust -i FILE --node HCI-N2"]);

    // Whatever is not the name leaves it; a short reason too.
    for typed in ["\r", "yes\r", "HCI-N1\r", "HCI-N2\rshort\r\r"] {
        let mut left = trust(&site, "HCI-N2");
        left.shows("type the machine's name");
        says(&left, &["CHANGED HCI-N2", "known ed25519", &old, "shown ed25519", &new, "ssh-keygen -lf C:"]);
        left.press(typed);
        assert_eq!(left.ends().exit_code(), 8, "{}", left.text());
        left.shows("Left as it is");
        assert_eq!(fs::read_to_string(site.path("known_hosts")).expect("known hosts"), known, "{typed:?}");
    }

    let mut taken = trust(&site, "hci-n2");
    taken.shows("type the machine's name");
    assert!(!taken.text().contains("HCI-N1 "), "only that machine was asked\n{}", taken.text());
    taken.press("HCI-N2\r");
    taken.shows("Why is it another key?");
    taken.press("too short\r");
    taken.shows("15 characters");
    taken.press("reinstalled after a broken disk\r");
    assert_eq!(taken.ends().exit_code(), 0, "{}", taken.text());
    taken.shows("HCI-N2 is trusted by its new key");

    let now = fs::read_to_string(site.path("known_hosts")).expect("known hosts");
    assert!(now.contains(&format!(
        "[127.0.0.1]:{port} {}",
        site.read("HCI-N2.host.pub").trim().rsplit_once(' ').unwrap().0
    )));
    let theirs = format!("other.example {}", site.read("HCI-N1.host.pub").trim());
    assert_eq!(others(&now), others(&known) + &theirs + "\n", "the rest is as it was");
    assert_eq!(fs::read_to_string(site.path("known_hosts.old")).expect("a copy"), known);
    let folder = site.path("NODELIFT_STATE").join("diagnostics");
    let logs = fs::read_dir(folder).expect("diagnostics").flatten();
    let log: String = logs.map(|e| fs::read_to_string(e.path()).expect("a log")).collect();
    let line =
        log.lines().find(|l| l.contains("a changed host key is accepted")).expect("the decision is written down");
    for part in [&old, &new, "reinstalled after a broken disk", "HCI-N2", "by="] {
        assert!(line.contains(part), "{part}: {line}");
    }

    t.press("C");
    is_back(&t, "HCI-N2");
    leaves(t, 0, &[]);
}

#[test]
fn a_revoked_or_foreign_key_cannot_be_taken_over() {
    let Some(site) = Site::new() else { return };
    let key = site.read("HCI-N2.host.pub");
    let known = fs::read_to_string(site.path("known_hosts")).expect("known hosts");
    fs::write(site.path("known_hosts"), format!("{known}@revoked * {key}")).expect("known hosts");
    let mut revoked = trust(&site, "HCI-N2");
    assert_eq!(revoked.ends().exit_code(), 8);
    says(&revoked, &["REVOKED HCI-N2", "No new key to review."]);

    // In a file that cannot be written: a folder where its copy would be put stands in for that, also for root.
    site.know(site.port("HCI-N2"), &site.read("HCI-N1.host.pub"));
    let text = fs::read_to_string(site.path("known_hosts"))
        .expect("known hosts")
        .replace(&format!("@revoked * {key}"), "");
    fs::write(site.path("known_hosts"), &text).expect("known hosts");
    fs::create_dir(site.path("known_hosts.old")).expect("folder");
    let mut kept = trust(&site, "HCI-N2");
    kept.shows("type the machine's name");
    kept.press("HCI-N2\rreinstalled after a broken disk\r");
    assert_eq!(kept.ends().exit_code(), 8, "{}", kept.text());
    kept.shows("Nothing was changed there");
    assert_eq!(fs::read_to_string(site.path("known_hosts")).expect("known hosts"), text);
    assert_eq!(
        fs::read_dir(site.folder.path())
            .expect("folder")
            .flatten()
            .filter(|e| { e.file_name().to_string_lossy().starts_with(".known_hosts-") })
            .count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn an_unknown_host_key_is_trusted_once_and_then_works() {
    let Some(site) = Site::new() else { return };
    let known = fs::read_to_string(site.path("known_hosts")).expect("known hosts");
    let own = format!("[127.0.0.1]:{} ", site.port("HCI-N2"));
    let others: String = known.lines().filter(|l| !l.starts_with(&own)).map(|l| format!("{l}\n")).collect();
    fs::write(site.path("known_hosts"), others).expect("known hosts");
    let mut t = site.open();
    is_cut_off(&t, "HCI-N2", "key unknown", "its host key is not known yet");
    let print = fingerprint(&site.lab.folder().join("HCI-N2.host.pub"));
    let at = format!("the host key of 127.0.0.1:{} is not known yet", site.port("HCI-N2"));
    detail_says(&mut t, &[&at, &format!("it shows ed25519 {print}"), "nodelift trust -i FILE"]);

    let mut trust = Terminal::open(site.command("trust"), pty::size(120, 40));
    trust.shows("Type yes:");
    says(&trust, &["new HCI-N2", &print]);
    trust.press("yes\r");
    assert_eq!(trust.ends().exit_code(), 0, "{}", trust.text());

    // What is read again connects first.
    t.press("R");
    is_back(&t, "HCI-N2");
    leaves(t, 0, &[]);
}

#[test]
fn a_machine_without_powershell_is_told() {
    let Some(mut site) = Site::new() else { return };
    let server = site.lead_to_stand_in("HCI-N2");
    server.set_mode("missing");
    let mut t = site.open();
    is_cut_off(&t, "HCI-N2", "no PowerShell", "PowerShell does not start there");
    let at = format!("there is no powershell.exe on 127.0.0.1:{}", server.port);
    detail_says(&mut t, &[&at, "'powershell.exe' is not recognized as an internal or external command", "PATH"]);
    server.set_mode("");
    t.press("C");
    row_shows(&t, "HCI-N2", "Up, unreadable");
    t.shows("BLOCKED");
    leaves(t, 3, &["HCI-CL1: blocked, "]);
}

#[test]
fn noise_in_place_of_powershell_never_reaches_the_terminal() {
    let Some(mut site) = Site::new() else { return };
    let server = site.lead_to_stand_in("HCI-N2");
    server.set_mode("noise");
    let mut t = site.open();
    is_cut_off(&t, "HCI-N2", "garbage", "what answers there makes no sense");
    let at = format!("what 127.0.0.1:{} starts is not PowerShell", server.port);
    detail_says(&mut t, &[&at, "ForceCommand and DefaultShell"]);
    leaves(t, 3, &["HCI-CL1: blocked, "]);
}

#[test]
fn a_machine_whose_answers_are_garbage_is_told_and_never_believed() {
    let Some(mut site) = Site::new() else { return };
    let server = site.lead_to_stand_in("HCI-N2");
    // Only what a test lets hang has little time.
    let facts = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/runbooks/azure-local/facts.toml");
    let facts = fs::read_to_string(facts).expect("facts");
    let own = site.path("NODELIFT_RUNBOOKS").join("azure-local");
    fs::create_dir_all(&own).expect("folder");
    let short = facts.replace("script = \"facts/os.ps1\"\n", "script = \"facts/os.ps1\"\ntimeout = 2\n");
    assert_ne!(short, facts);
    fs::write(own.join("facts.toml"), short).expect("facts");

    let answers = |script: &str| fs::write(server.path("script"), script).expect("script");
    let escapes = ESCAPES.join("\x07");
    answers(&format!("noise 3000\nraw {escapes}\nerror {escapes}\nlog Information {escapes}\n"));
    let mut t = site.open();
    row_shows(&t, "HCI-N2", "Up, unreadable");
    t.shows("BLOCKED");
    says(&t, &["could not tell", "unreadable answer: the script"]);
    for other in ["HCI-N1", "HCI-N3", "HCI-N4"] {
        assert!(row(&t, other).contains('●') && row(&t, other).contains("Up"), "{}", t.text());
    }
    t.press("1gji");
    says(&t, &["Trouble connected, but it says nothing usable: unreadable answer", "Way out", "R reads again"]);
    close(&mut t);

    // Frames of somebody else, with an end and a result in them, count for nothing; the true record does.
    answers("forge\necho {\"text\":\"\\u001b]0;OWNED\\u0007\\u001b[5;6r\"}\n");
    t.press("R");
    says(&t, &["is not in the answer"]);
    t.shows("BLOCKED");

    answers("deep 100000\n");
    t.press("R");
    says(&t, &["unreadable answer: 0 of 1"]);
    t.shows("BLOCKED");

    // Half a frame and then silence; a line without an end: each has its time, then nothing could be told. The version is what a
    // machine says of itself.
    t.press("2/every node runs the old\r");
    t.shows("Every node runs the old version");
    for script in ["half\nhang\n", "endless\n"] {
        answers(script);
        asks_until(&mut t, "Up, no answer");
        says(&t, &["no answer in time"]);
        answers("nonsense\n");
        asks_until(&mut t, "Up, unreadable");
    }
    t.press("2\x1b");
    t.shows("BLOCKED");
    leaves(t, 3, &["HCI-CL1: blocked, "]);
}

/// Reads the selected check again until HCI-N2 is told so: while something is being read, or waits behind a silence, nothing is asked.
#[track_caller]
fn asks_until(t: &mut Terminal, told: &str) {
    for _ in 0..10 {
        if row(t, "HCI-N2").contains(told) {
            break;
        }
        t.press("2gr");
        let until = Instant::now() + Duration::from_secs(2);
        while !row(t, "HCI-N2").contains(told) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    row_shows(t, "HCI-N2", told);
}
