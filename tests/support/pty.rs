//! A program in a pseudo-terminal, as a person sees it: keys in, a screen out.
// Each program that includes it uses a part.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use vt100::Parser;

/// Longest wait for anything: reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Terminal {
    pub master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Mutex<Shown>>,
}

/// What came out so far, and the screen that it makes.
struct Shown {
    bytes: Vec<u8>,
    parser: Parser,
}

pub type Opened = (Box<dyn MasterPty + Send>, Box<dyn Child + Send + Sync>);

pub fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// Starts a program in a terminal that nobody reads yet. What the surroundings of the tests say of terminals is taken away.
pub fn spawn(mut command: CommandBuilder, size: PtySize) -> Opened {
    let pair = native_pty_system().openpty(size).expect("a terminal");
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    for name in ["NO_COLOR", "COLORTERM", "TMUX", "STY", "LC_ALL", "WT_SESSION", "TERM_PROGRAM"] {
        command.env_remove(name);
    }
    let child = pair.slave.spawn_command(command).expect("the child");
    (pair.master, child)
}

impl Terminal {
    pub fn open(command: CommandBuilder, size: PtySize) -> Self {
        let (master, child) = spawn(command, size);
        let mut reader = master.try_clone_reader().expect("its output");
        let keys = master.take_writer().expect("its input");
        let parser = Parser::new(size.rows, size.cols, 0);
        let shown = Arc::new(Mutex::new(Shown { bytes: Vec::new(), parser }));
        let into = shown.clone();
        std::thread::spawn(move || {
            let mut buf = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buf) {
                let mut shown = into.lock().unwrap();
                shown.bytes.extend_from_slice(&buf[..n]);
                shown.parser.process(&buf[..n]);
            }
        });
        Self { master, keys, child, shown }
    }

    pub fn resize(&self, size: PtySize) {
        self.shown.lock().unwrap().parser.screen_mut().set_size(size.rows, size.cols);
        self.master.resize(size).expect("a size");
    }

    /// Everything that was written to the terminal.
    pub fn bytes(&self) -> Vec<u8> {
        self.shown.lock().unwrap().bytes.clone()
    }

    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub fn screen(&self) -> vt100::Screen {
        self.shown.lock().unwrap().parser.screen().clone()
    }

    /// The screen's text, a line a row.
    pub fn text(&self) -> String {
        self.screen().contents()
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("keys");
        self.keys.flush().expect("keys");
    }

    #[track_caller]
    pub fn wait(&self, what: &str, until: impl Fn(&Self) -> bool) {
        self.wait_for(PATIENCE, what, until);
    }

    #[track_caller]
    pub fn wait_for(&self, patience: Duration, what: &str, until: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !until(self) {
            assert!(start.elapsed() < patience, "waited in vain: {what}\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    pub fn shows(&self, text: &str) {
        self.wait(text, |t| t.text().contains(text));
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn ends(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.process_id().and_then(|p| i32::try_from(p).ok()).expect("a process");
        let pid = rustix::process::Pid::from_raw(pid).expect("a process");
        rustix::process::kill_process(pid, signal).expect("it is ours");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves it running.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
