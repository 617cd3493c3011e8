//! A stand-in for a machine's `powershell.exe`, `taskkill.exe` and SFTP server, for the tests of the transports.
//!
//! It runs no PowerShell: it speaks the worker protocol and takes each line of a script as a small command (`obey`). As
//! sshd's ForceCommand it finds the command line in SSH_ORIGINAL_COMMAND; its arguments serve otherwise. `$FAKE_DIR/mode` says
//! how it starts (`begin`), `$FAKE_DIR/script`, where it is there, is obeyed in place of every script; what it did is appended to
//! `$FAKE_DIR/log`.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

const PIECE: usize = 60_000;

pub fn main() {
    let line = std::env::var("SSH_ORIGINAL_COMMAND")
        .unwrap_or_else(|_| std::env::args().skip(1).collect::<Vec<_>>().join(" "));
    let folder = PathBuf::from(std::env::var_os("FAKE_DIR").unwrap_or_else(|| ".".into()));
    let machine = Machine { folder };
    let program = line.split(' ').next().unwrap_or_default().to_ascii_lowercase();
    match program.as_str() {
        "powershell.exe" => machine.powershell(&line),
        "taskkill.exe" => machine.taskkill(&line),
        _ if program.contains("sftp") => machine.sftp(),
        _ => {
            eprintln!(
                "'{program}' is not recognized as an internal or external command,\noperable program or batch file."
            );
            exit(1);
        }
    }
}

struct Machine {
    folder: PathBuf,
}

impl Machine {
    fn mode(&self) -> String {
        fs::read_to_string(self.folder.join("mode")).unwrap_or_default().trim().to_owned()
    }

    fn log(&self, text: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        if let Ok(mut file) = file {
            let _ = file.write_all(format!("{text}\n").as_bytes());
        }
    }

    fn taskkill(&self, line: &str) {
        let pid = line.split(' ').nth(2).unwrap_or_default();
        self.log(&format!("taskkill {pid}"));
        match self.mode().as_str() {
            "unkillable" => {
                eprintln!("ERROR: Access is denied.");
                exit(1);
            }
            _ if !Path::new("/proc").join(pid).exists() => {
                eprintln!("ERROR: The process \"{pid}\" not found.");
                exit(128);
            }
            _ => {}
        }
        let _ = Command::new("kill").args(["-9", pid]).status();
        println!("SUCCESS: The process with PID {pid} has been terminated.");
    }

    fn sftp(&self) {
        match self.mode().as_str() {
            "no-sftp" => exit(1),
            "mute-sftp" => {
                self.log(&format!("start {}", std::process::id()));
                std::thread::sleep(Duration::from_secs(600));
            }
            _ => {}
        }
        for server in
            ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server"]
        {
            #[cfg(unix)]
            if Path::new(server).exists() {
                use std::os::unix::process::CommandExt as _;
                self.log("sftp");
                let e = Command::new(server).exec();
                eprintln!("{e}");
            }
            let _ = server;
        }
        exit(1);
    }

    fn powershell(&self, line: &str) {
        let expected = "powershell.exe -NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -OutputFormat Text \
                        -EncodedCommand ";
        if !line.starts_with(expected) {
            eprintln!("unexpected command line");
            exit(2);
        }
        self.log(&format!("start {}", std::process::id()));
        self.begin();
        // Not locked: commands read it too.
        let mut line = String::new();
        while io::stdin().read_line(&mut line).is_ok_and(|n| n > 0) {
            let line = std::mem::take(&mut line);
            match serde_json::from_str::<Value>(&line) {
                Ok(request) => self.answer(&request),
                Err(_) => put("#~?~{\"t\":\"end\",\"ok\":false,\"id\":\"NotJson\"}\n".as_bytes()),
            }
        }
        self.log(&format!("end {}", std::process::id()));
    }

    fn begin(&self) {
        match self.mode().as_str() {
            "missing" => {
                eprintln!("'powershell.exe' is not recognized as an internal or external command,");
                exit(1);
            }
            "at-once" => exit(0),
            "silent" => std::thread::sleep(Duration::from_secs(600)),
            "garbage" => {
                put(b"\x1b[31mWelcome to the appliance\x1b[0m\r\nlogin: ");
                std::thread::sleep(Duration::from_secs(600));
            }
            "flood" => {
                while io::stdout().write_all(&[b'z'; 4000]).is_ok() {}
                exit(1);
            }
            // More than any banner, with what would change a terminal that shows it.
            "noise" => {
                for i in 0..80_000u32 {
                    let byte = (i.wrapping_mul(2_654_435_761) >> 24) as u8;
                    put(&[b"\x1b]0;OWNED\x07\x1b[5;6r\x1b[?1000h".as_slice(), &[byte, b'\n']].concat());
                }
                exit(1);
            }
            "banner" => put(b"Authorised use only\r\n"),
            "clixml" => {
                eprint!(
                    "#< CLIXML\r\n<Objs Version=\"1.1.0.1\"><S S=\"Error\">The term is blocked_x000D__x000A_</S></Objs>"
                );
                exit(1);
            }
            _ => {}
        }
    }

    fn answer(&self, request: &Value) {
        let mut worker = Answer {
            machine: self,
            nonce: request["n"].as_str().unwrap_or("?").to_owned(),
            id: request["i"].clone(),
            records: 0,
            started: Instant::now(),
        };
        match request["s"].as_str() {
            None => {
                let version = if self.mode() == "version" { 2 } else { 1 };
                let hello = json!({ "t": "hello", "v": version, "i": worker.id, "pid": std::process::id(),
                    "ps": "5.1.20348.2849", "lang": "FullLanguage", "host": "FAKE", "utc": Timestamp::now().to_string(), "culture": "en-US" });
                worker.frame(&hello);
                worker.end(json!({ "ok": true }));
            }
            Some(script) if script.contains("Get-Process -Id $arg.pid") => {
                if let Some(found) = process(request["a"]["pid"].as_u64().unwrap_or(0)) {
                    worker.result(found);
                }
                worker.end(json!({ "ok": true }));
            }
            Some(script) => {
                // What is asked of every machine alike may be answered otherwise by this one.
                let own = fs::read_to_string(self.folder.join("script"));
                for line in own.as_deref().unwrap_or(script).lines() {
                    if worker.obey(line.trim(), &request["a"]) {
                        return;
                    }
                }
                worker.end(json!({ "ok": true }));
            }
        }
    }
}

/// Name and start of a process, as `Get-Process` tells them.
fn process(pid: u64) -> Option<Value> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if fields.first() == Some(&"Z") {
        return None;
    }
    let ticks: f64 = fields.get(19)?.parse().ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = boot.lines().find_map(|l| l.strip_prefix("btime "))?.trim().parse().ok()?;
    let start = Timestamp::from_millisecond(((boot + ticks / 100.0) * 1000.0) as i64).ok()?;
    let own =
        fs::read_link(format!("/proc/{pid}/exe")).ok()?.ends_with(std::env::current_exe().ok()?.file_name()?);
    Some(json!({ "name": if own { "powershell" } else { "other" }, "start": start.to_string() }))
}

fn put(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        exit(1);
    }
}

struct Answer<'a> {
    machine: &'a Machine,
    nonce: String,
    id: Value,
    records: u64,
    started: Instant,
}

impl Answer<'_> {
    fn frame(&self, frame: &Value) {
        let text = frame.to_string();
        let mut ascii = String::with_capacity(text.len());
        for c in text.chars() {
            if c.is_ascii() {
                ascii.push(c);
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    ascii.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        let nonce = &self.nonce;
        let mut rest = ascii.as_str();
        let mut out = String::with_capacity(ascii.len() + 64);
        while rest.len() > PIECE {
            out.push_str(&format!("#~{nonce}~+{}\r\n", &rest[..PIECE]));
            rest = &rest[PIECE..];
        }
        let sign = if out.is_empty() { "" } else { "-" };
        out.push_str(&format!("#~{nonce}~{sign}{rest}\r\n"));
        put(out.as_bytes());
    }

    fn result(&mut self, value: Value) {
        self.records += 1;
        self.frame(&json!({ "t": "result", "i": self.id, "k": self.records, "v": value }));
    }

    fn end(&self, mut fields: Value) {
        let ms = self.started.elapsed().as_millis() as u64;
        fields["t"] = json!("end");
        fields["i"] = self.id.clone();
        if fields.get("k").is_none() {
            fields["k"] = json!(self.records);
        }
        fields["ms"] = json!(ms);
        self.frame(&fields);
    }

    /// One command; true when the request has had its end, or will have none.
    fn obey(&mut self, line: &str, args: &Value) -> bool {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = || rest.split(' ').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
        match word {
            "" | "#" => {}
            "echo" => self.result(serde_json::from_str(rest).unwrap_or(Value::Null)),
            "args" => self.result(args.clone()),
            "pid" => self.result(json!(std::process::id())),
            "env" => self.result(json!(std::env::var(rest).ok())),
            "log" => {
                let (level, text) = rest.split_once(' ').unwrap_or((rest, ""));
                self.records += 1;
                self.frame(&json!({ "t": "log", "i": self.id, "k": self.records, "l": level, "m": text }));
            }
            "raw" => put(format!("{rest}\r\n").as_bytes()),
            "unfinished" => put(rest.as_bytes()),
            "error" => eprintln!("{rest}"),
            // CLIXML on stderr that opens so many bytes of elements and closes none.
            "bomb" => {
                let piece = "<Obj S=\"Error\" RefId=\"0\"><MS>".repeat(1000);
                eprint!("#< CLIXML\r\n<Objs Version=\"1.1.0.1\">");
                (0..number() / piece.len()).for_each(|_| eprint!("{piece}"));
            }
            "sleep" => std::thread::sleep(Duration::from_millis(number() as u64)),
            "touch" => {
                let _ = fs::write(self.machine.folder.join(rest), std::process::id().to_string());
            }
            // A result of so many bytes that repeat with a period of 251.
            "big" => {
                let text: String = (0..number()).map(|i| char::from(b'!' + (i % 251 % 90) as u8)).collect();
                self.result(json!(text));
            }
            "many" => (0..number()).for_each(|i| self.result(json!({ "i": i, "text": "row" }))),
            "flood" => {
                let text = [&[b'f'; 998][..], b"\r\n"].concat();
                (0..number() / text.len()).for_each(|_| put(&text));
            }
            // Bytes of all values, the same ones each time.
            "noise" => {
                let mut x = 7u32;
                let bytes = (0..number()).map(|_| {
                    x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (x >> 24) as u8
                });
                put(&bytes.collect::<Vec<u8>>());
                put(b"\r\n");
            }
            // One line that does not end.
            "endless" => loop {
                put(&[b'e'; 8000]);
            },
            "half" => put(format!("#~{}~{{\"t\":\"res", self.nonce).as_bytes()),
            // A result in so many brackets.
            "deep" => {
                let (open, shut) = ("[".repeat(number()), "]".repeat(number()));
                self.records += 1;
                let (nonce, id, k) = (&self.nonce, &self.id, self.records);
                let text = format!("{{\"t\":\"result\",\"i\":{id},\"k\":{k},\"v\":{open}{shut}}}");
                put(format!("#~{nonce}~{text}\r\n").as_bytes());
            }
            "forge" => {
                for nonce in ["ffffffffffffffffffffffffffffffff", "?", ""] {
                    put(format!("#~{nonce}~{{\"t\":\"end\",\"ok\":true,\"k\":0}}\r\n").as_bytes());
                }
            }
            "throw" => {
                let (id, message) = rest.split_once(' ').unwrap_or((rest, ""));
                self.end(json!({ "ok": false, "id": id, "m": message, "cat": "OperationStopped", "line": 3, "col": 1, "src": line }));
                return true;
            }
            "exit" => {
                self.end(json!({ "ok": false, "gone": true }));
                // Until its input closes (powershell-over-ssh 14b.1).
                for _ in io::stdin().lock().lines() {}
                exit(i32::try_from(number()).unwrap_or(1));
            }
            "die" => exit(i32::try_from(number()).unwrap_or(1)),
            "die-mid-frame" => {
                put(format!("#~{}~{{\"t\":\"res", self.nonce).as_bytes());
                exit(1);
            }
            "hang" => loop {
                std::thread::sleep(Duration::from_secs(600));
            },
            // As a native program that reads the worker's input.
            "swallow" => {
                for _ in io::stdin().lock().lines() {}
                exit(0);
            }
            "twice" => {
                self.end(json!({ "ok": true }));
                self.end(json!({ "ok": true }));
                return true;
            }
            "miscount" => {
                self.end(json!({ "ok": true, "k": self.records + 1 }));
                return true;
            }
            "nonsense" => put(format!("#~{}~{{nonsense\r\n", self.nonce).as_bytes()),
            other => self.result(json!({ "unknown": other })),
        }
        false
    }
}
