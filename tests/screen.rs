//! The screen in a pseudo-terminal: what it switches on is switched off again, whatever ends it, and at rest it is silent.
#![cfg(unix)]

mod fixtures;
#[path = "support/pty.rs"]
mod pty;
#[path = "fixtures/terminal.rs"]
mod terminal;

use std::io::Read;
use std::time::{Duration, Instant};

use fixtures::{scene, scenes};
use portable_pty::CommandBuilder;
use pty::Terminal;

/// The child: this test binary again, showing a scene on its terminal.
#[test]
#[ignore = "run by the other tests, in a terminal of its own"]
fn child() {
    let Ok(name) = std::env::var("NODELIFT_TEST_SCENE") else { return };
    let (_, make) = scenes::all().into_iter().find(|(n, _)| *n == name).expect("there is such a scene");
    match terminal::show(make(), vec!["default"]) {
        Ok(bytes) => println!("left after {bytes} bytes"),
        Err(e) => println!("left with {e}"),
    }
    std::process::exit(0);
}

fn scene(name: &str) -> CommandBuilder {
    let mut command = CommandBuilder::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "child", "--ignored", "--nocapture", "--test-threads", "1"]);
    command.env("NODELIFT_TEST_SCENE", name);
    command
}

fn open(name: &str) -> Terminal {
    Terminal::open(scene(name), pty::size(80, 24))
}

#[track_caller]
fn given_back(t: &Terminal) {
    t.wait("the terminal back", |t| {
        let s = t.screen();
        !s.alternate_screen() && !s.bracketed_paste() && !s.hide_cursor()
    });
    let text = t.said();
    assert!(text.contains("\x1b[23;2t"), "the title of the window comes back");
}

#[test]
fn leaving_gives_the_terminal_back() {
    let mut t = open("running");
    t.shows("RUNNING");
    assert!(t.screen().alternate_screen() && t.screen().bracketed_paste());
    assert!(t.screen().hide_cursor());
    t.press("?");
    t.shows("Keys and signs");
    t.press("\x1b");
    t.shows("leave (runs on)");
    t.press("q");
    t.ends();
    given_back(&t);
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    let mut t = open("draft");
    t.shows("DRAFT");
    t.press("c");
    t.wait("the panic", |t| t.said().contains("a mistake, to see"));
    given_back(&t);
    let text = t.said();
    let left = text.rfind("\x1b[?1049l").expect("it was left");
    assert!(text.find("a mistake, to see").expect("it speaks") > left);
    t.ends();
}

#[test]
fn a_signal_ends_it_within_a_second_and_gives_the_terminal_back() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::HUP, rustix::process::Signal::INT] {
        let mut t = open("running");
        t.shows("RUNNING");
        t.signal(signal);
        let start = Instant::now();
        t.ends();
        let took = start.elapsed();
        assert!(took < Duration::from_secs(1), "{signal:?} took {took:?}");
        given_back(&t);
    }
}

#[test]
fn a_terminal_that_vanishes_ends_it() {
    let (master, mut child) = pty::spawn(scene("running"), pty::size(80, 24));
    let mut reader = master.try_clone_reader().expect("its output");
    let (mut said, mut buf) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&said).contains("RUNNING") {
        let n = reader.read(&mut buf).expect("its output");
        said.extend_from_slice(&buf[..n]);
    }
    drop(reader);
    drop(master);
    let start = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if start.elapsed() > Duration::from_secs(1) {
            let _ = child.kill();
            panic!("it goes on without a terminal");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn at_rest_not_a_byte_is_written_and_a_tick_is_a_few() {
    let mut t = open("blocked");
    t.shows("BLOCKED");
    std::thread::sleep(Duration::from_millis(300));
    let before = t.bytes().len();
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(t.bytes().len(), before, "at rest nothing moves");
    t.press("q");
    t.ends();

    let mut t = open("running");
    t.shows("RUNNING");
    std::thread::sleep(Duration::from_millis(300));
    let before = t.bytes().len();
    std::thread::sleep(Duration::from_millis(3_200));
    let each = (t.bytes().len() - before) / 3;
    assert!((20..400).contains(&each), "{each} bytes a second");
    t.press("q");
    t.ends();
}

#[test]
fn suspended_and_continued_it_draws_everything_again() {
    let mut t = open("running");
    t.shows("RUNNING");
    t.press("\x1a");
    t.wait("the shell's screen", |t| !t.screen().alternate_screen());
    given_back(&t);
    std::thread::sleep(Duration::from_millis(200));
    t.signal(rustix::process::Signal::CONT);
    t.wait("the screen again", |t| t.screen().alternate_screen());
    t.shows("RUNNING");
    t.shows("HCI-N2 restarting");
    t.press("q");
    t.ends();
    given_back(&t);
}

#[test]
fn another_size_is_drawn_whole() {
    let mut t = open("running");
    t.shows("RUNNING");
    t.resize(pty::size(120, 40));
    t.shows("Gates, observed");
    t.press("q");
    t.ends();
}

#[test]
fn a_copy_goes_to_the_terminal_one_sits_at() {
    let mut t = open("blocked");
    t.shows("BLOCKED");
    t.press("i");
    t.shows("Outcome");
    t.press("y");
    t.wait("the copy", |t| t.said().contains("\x1b]52;c;U2V0LUl0ZW1Qcm9wZXJ0e"));
    t.press("q");
    t.shows("r retry");
    t.press("q");
    t.ends();
}
