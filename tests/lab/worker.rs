//! A worker as a test talks to it: requests in, answers out, over any process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodelift::remote::powershell::bootstrap::command_line;
use serde_json::{Value as Json, json};

use super::frames::{Line, Reader};

/// A command for `-EncodedCommand`.
pub fn encoded(script: &str) -> String {
    STANDARD.encode(script.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
}

/// Arguments of a PowerShell that becomes a worker, as the program starts it.
pub fn arguments() -> Vec<String> {
    command_line().split(' ').skip(1).map(str::to_owned).collect()
}

/// What a request gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub results: Vec<Json>,
    /// Log frames: level and text.
    pub said: Vec<(String, String)>,
    /// Lines outside of the protocol.
    pub text: Vec<String>,
    /// The last frame; null where the process ended without one.
    pub end: Json,
}

impl Answer {
    /// The one record of a script of ours, or the id of its error.
    ///
    /// # Errors
    /// It failed, or gave none, or several.
    pub fn record(mut self) -> Result<Json, String> {
        if self.end["ok"] != json!(true) {
            let id = self.end["id"].as_str().unwrap_or("the worker ended");
            return Err(format!("{id}: {}", self.end["m"].as_str().unwrap_or_default()));
        }
        match self.results.len() {
            1 => Ok(self.results.remove(0)),
            n => Err(format!("{n} records")),
        }
    }
}

/// A process that speaks the protocol; ended when dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Receiver<String>,
    serial: u64,
}

impl Worker {
    /// Starts it. `command` is PowerShell with `arguments()`, or an `ssh` that runs it.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(command: &mut Command) -> std::io::Result<Self> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn()?;
        let (to_lines, lines) = channel();
        let (to_errors, errors) = channel();
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout.expect("piped"));
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                if to_lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.expect("piped").read_to_end(&mut text);
            let _ = to_errors.send(String::from_utf8_lossy(&text).into_owned());
        });
        Ok(Self { child, stdin, lines, errors, serial: 0 })
    }

    /// Asks who it is.
    ///
    /// # Errors
    /// It says nothing of that within the time: what it said instead.
    pub fn hello(&mut self, patience: Duration) -> Result<Json, String> {
        let answer = self.request(None, &Json::Null, patience);
        match answer.results.first() {
            Some(hello) => Ok(hello.clone()),
            None => Err(format!("no hello: {:?} {}", answer.text, self.last_words())),
        }
    }

    /// Runs a script.
    pub fn run(&mut self, script: &str, args: &Json, patience: Duration) -> Answer {
        self.request(Some(script), args, patience)
    }

    /// What it wrote on stderr, once it has ended.
    pub fn last_words(&mut self) -> String {
        self.stdin = None;
        self.errors.recv_timeout(Duration::from_secs(2)).unwrap_or_default()
    }

    fn request(&mut self, script: Option<&str>, args: &Json, patience: Duration) -> Answer {
        self.serial += 1;
        let nonce = format!("{:016x}{:016x}", self.serial, std::process::id());
        let mut request = json!({"i": self.serial, "n": nonce});
        if let Some(script) = script {
            request["s"] = json!(script);
            request["a"] = args.clone();
            request["m"] = json!(1000);
        }
        let mut out = Answer::default();
        let line = super::frames::ascii(&request) + "\n";
        let stdin = self.stdin.as_mut();
        if stdin.is_none_or(|s| s.write_all(line.as_bytes()).and_then(|()| s.flush()).is_err()) {
            return out;
        }
        let (mut reader, until) = (Reader::default(), Instant::now() + patience);
        loop {
            let line = match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    out.text.push(format!("nothing within {patience:?}"));
                    return out;
                }
                Err(RecvTimeoutError::Disconnected) => return out,
            };
            match reader.read(&nonce, &line) {
                Line::Piece => {}
                Line::Text(text) => out.text.push(text),
                Line::Frame(frame) => match frame["t"].as_str() {
                    Some("hello") => out.results.push(frame),
                    Some("result") => out.results.push(frame["v"].clone()),
                    Some("log") => {
                        let part = |field: &str| frame[field].as_str().unwrap_or_default().to_owned();
                        out.said.push((part("l"), part("m")));
                    }
                    _ => {
                        out.end = frame;
                        return out;
                    }
                },
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
