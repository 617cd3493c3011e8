//! The screen in a pseudo-terminal: what it switches on is switched off again, whatever ends it, and at rest it is silent.
#![cfg(unix)]

mod fixtures;
#[path = "fixtures/terminal.rs"]
mod terminal;

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fixtures::{scene, scenes};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

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

struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    said: Arc<Mutex<Vec<u8>>>,
}

type Opened = (Box<dyn MasterPty + Send>, Box<dyn Child + Send + Sync>);

impl Terminal {
    fn spawn(scene: &str) -> Opened {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "child", "--ignored", "--nocapture", "--test-threads", "1"]);
        command.env("NODELIFT_TEST_SCENE", scene);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for name in ["NO_COLOR", "TMUX", "STY", "LC_ALL", "WT_SESSION", "TERM_PROGRAM"] {
            command.env_remove(name);
        }
        let child = pair.slave.spawn_command(command).expect("the child");
        (pair.master, child)
    }

    fn open(scene: &str) -> Self {
        let (master, child) = Self::spawn(scene);
        let mut reader = master.try_clone_reader().expect("its output");
        let keys = master.take_writer().expect("its input");
        let said = Arc::new(Mutex::new(Vec::new()));
        let into = said.clone();
        std::thread::spawn(move || {
            let mut buf = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buf) {
                into.lock().unwrap().extend_from_slice(&buf[..n]);
            }
        });
        Self { master, keys, child, said }
    }

    fn bytes(&self) -> Vec<u8> {
        self.said.lock().unwrap().clone()
    }

    fn screen(&self) -> vt100::Parser {
        let size = self.master.get_size().expect("a size");
        let mut parser = vt100::Parser::new(size.rows, size.cols, 0);
        parser.process(&self.bytes());
        parser
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("keys");
        self.keys.flush().expect("keys");
    }

    #[track_caller]
    fn wait(&self, what: &str, until: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !until(self) {
            if start.elapsed() > Duration::from_secs(20) {
                panic!("waited in vain: {what}\n{}", self.screen().screen().contents());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        self.wait(text, |t| t.screen().screen().contents().contains(text));
    }

    #[track_caller]
    fn ends(&mut self) -> Duration {
        let start = Instant::now();
        while self.child.try_wait().expect("a child").is_none() {
            assert!(start.elapsed() < Duration::from_secs(20), "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        start.elapsed()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.process_id().and_then(|p| i32::try_from(p).ok()).expect("a process");
        let pid = rustix::process::Pid::from_raw(pid).expect("a process");
        rustix::process::kill_process(pid, signal).expect("it is ours");
    }
}

#[track_caller]
fn given_back(t: &Terminal) {
    t.wait("the terminal back", |t| {
        let p = t.screen();
        let s = p.screen();
        !s.alternate_screen() && !s.bracketed_paste() && !s.hide_cursor()
    });
    let text = String::from_utf8_lossy(&t.bytes()).into_owned();
    assert!(text.contains("\x1b[23;2t"), "the title of the window comes back");
}

#[test]
fn leaving_gives_the_terminal_back() {
    let mut t = Terminal::open("running");
    t.shows("RUNNING");
    assert!(t.screen().screen().alternate_screen() && t.screen().screen().bracketed_paste());
    assert!(t.screen().screen().hide_cursor());
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
    let mut t = Terminal::open("draft");
    t.shows("DRAFT");
    t.press("c");
    t.wait("the panic", |t| String::from_utf8_lossy(&t.bytes()).contains("a mistake, to see"));
    given_back(&t);
    let text = String::from_utf8_lossy(&t.bytes()).into_owned();
    let left = text.rfind("\x1b[?1049l").expect("it was left");
    assert!(text.find("a mistake, to see").expect("it speaks") > left);
    t.ends();
}

#[test]
fn a_signal_ends_it_within_a_second_and_gives_the_terminal_back() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::HUP, rustix::process::Signal::INT] {
        let mut t = Terminal::open("running");
        t.shows("RUNNING");
        t.signal(signal);
        let took = t.ends();
        assert!(took < Duration::from_secs(1), "{signal:?} took {took:?}");
        given_back(&t);
    }
}

#[test]
fn a_terminal_that_vanishes_ends_it() {
    let (master, mut child) = Terminal::spawn("running");
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
    let mut t = Terminal::open("blocked");
    t.shows("BLOCKED");
    std::thread::sleep(Duration::from_millis(300));
    let before = t.bytes().len();
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(t.bytes().len(), before, "at rest nothing moves");
    t.press("q");
    t.ends();

    let mut t = Terminal::open("running");
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
    let mut t = Terminal::open("running");
    t.shows("RUNNING");
    t.press("\x1a");
    t.wait("the shell's screen", |t| !t.screen().screen().alternate_screen());
    given_back(&t);
    std::thread::sleep(Duration::from_millis(200));
    t.signal(rustix::process::Signal::CONT);
    t.wait("the screen again", |t| t.screen().screen().alternate_screen());
    t.shows("RUNNING");
    t.shows("HCI-N2 restarting");
    t.press("q");
    t.ends();
    given_back(&t);
}

#[test]
fn another_size_is_drawn_whole() {
    let mut t = Terminal::open("running");
    t.shows("RUNNING");
    t.master.resize(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 }).expect("a size");
    t.shows("Gates, observed");
    t.press("q");
    t.ends();
}

#[test]
fn a_copy_goes_to_the_terminal_one_sits_at() {
    let mut t = Terminal::open("blocked");
    t.shows("BLOCKED");
    t.press("i");
    t.shows("Outcome");
    t.press("y");
    t.wait("the copy", |t| String::from_utf8_lossy(&t.bytes()).contains("\x1b]52;c;U2V0LUl0ZW1Qcm9wZXJ0e"));
    t.press("q");
    t.shows("r retry");
    t.press("q");
    t.ends();
}
