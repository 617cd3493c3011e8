//! What answers where there is no PowerShell: speaks the worker's protocol and gives the simulator's answers over the lab's
//! shared world file. Called by `bin/powershell.exe` in the place of an engine, on one machine.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use nodelift::remote::detached::{DETACH, log_path};
use nodelift::remote::sim::{Answers, Call, Ended, Logon, NO_ANSWER, Opening, Place, Thrown, World, close, open};
use nodelift::runbook::Library;
use serde_json::{Value as Json, json};

use crate::lab::{WorldFile, frames, home, processes};

/// Codes that a process of the lab ends with.
const FAILED: u8 = 1;

/// Does what PowerShell was asked to do, as far as it is known here.
pub fn run(arguments: &[String]) -> ExitCode {
    let Some(machine) = Machine::here() else {
        eprintln!("NODELIFT_LAB_WORLD and NODELIFT_LAB_NODE say where this is");
        return ExitCode::from(FAILED);
    };
    let value = |names: &[&str]| {
        let at = arguments.iter().position(|a| names.iter().any(|n| a.eq_ignore_ascii_case(n)))?;
        arguments.get(at + 1)
    };
    if let Some(command) = value(&["-Command", "-c"]) {
        return machine.command(command);
    }
    let script = value(&["-EncodedCommand", "-enc", "-ec", "-e"]).and_then(|text| decoded(text));
    let plain = value(&["-OutputFormat", "-of", "-o"]).is_some_and(|f| f.eq_ignore_ascii_case("Text"));
    match script {
        Some(s) if ["function nlR", "function nlW", "t='hello'"].iter().all(|w| s.contains(w)) => {
            machine.worker();
            ExitCode::SUCCESS
        }
        Some(s) if s.contains("Select-Object -Skip 2") => machine.single(),
        _ => {
            let text = "The stand-in for PowerShell does not know this command.";
            if plain {
                eprintln!("{text}");
            } else {
                eprint!("#< CLIXML\r\n{}", clixml(text));
            }
            ExitCode::from(FAILED)
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let units: Vec<u16> = bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
    String::from_utf16(&units).ok()
}

fn clixml(text: &str) -> String {
    format!(
        "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\"><S S=\"Error\">{text}_x000D__x000A_</S></Objs>"
    )
}

/// The machine that this process is on.
struct Machine {
    name: String,
    world: WorldFile,
    disk: PathBuf,
    logon: Logon,
}

impl Machine {
    fn here() -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let world = PathBuf::from(variable("NODELIFT_LAB_WORLD")?);
        let name = variable("NODELIFT_LAB_NODE")?.to_uppercase();
        let disks = variable("NODELIFT_LAB_DISK").map(PathBuf::from);
        let disks = disks.unwrap_or_else(|| world.parent().unwrap_or(&world).join("disk"));
        let logon = match variable("NODELIFT_LAB_LOGON").as_deref() {
            Some("batch" | "password" | "credssp") => Logon::Batch,
            Some("service") => Logon::Service,
            _ => Logon::Session,
        };
        Some(Self { disk: disks.join(&name), world: WorldFile::new(world), name, logon })
    }

    /// A worker: one request a line, until its input ends.
    fn worker(&self) {
        for line in io::stdin().lock().split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line);
            match serde_json::from_str::<Json>(line.trim_end()) {
                Ok(request) if request.is_object() => {
                    let nonce = request["n"].as_str().unwrap_or_default().to_owned();
                    Exchange { machine: self, nonce, id: request["i"].clone(), k: 0, began: Instant::now() }
                        .answer(&request);
                }
                _ => put(&frames::written(
                    "?",
                    &json!({"t": "end", "i": null, "ok": false, "k": 0, "ms": 0, "m": "Invalid JSON primitive.",
                        "id": "System.ArgumentException,Microsoft.PowerShell.Commands.ConvertFromJsonCommand"}),
                )),
            }
        }
    }

    /// One script for one process: nonce, arguments and script on its input.
    fn single(&self) -> ExitCode {
        let mut text = String::new();
        let _ = io::stdin().read_to_string(&mut text);
        let mut parts = text.splitn(3, '\n');
        let mut next = || parts.next().unwrap_or_default().trim_end_matches('\r').to_owned();
        let (nonce, args, script) = (next(), next(), next());
        let request =
            json!({"i": 0, "n": nonce, "s": script.trim_end(), "a": serde_json::from_str::<Json>(&args).ok()});
        let mut exchange = Exchange { machine: self, nonce, id: json!(0), k: 0, began: Instant::now() };
        ExitCode::from(if exchange.answer(&request) { 0 } else { FAILED })
    }

    /// Commands of the lab's own tools.
    fn command(&self, text: &str) -> ExitCode {
        let done = match text.rsplit_once(' ') {
            Some((what, kind)) if what.ends_with("Complete-LabShutdown") => self.complete_shutdown(kind == "s"),
            _ => Err("The stand-in for PowerShell does not know this command.".to_owned()),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{why}");
                ExitCode::from(FAILED)
            }
        }
    }

    /// The far side of a restart: the machine goes down, comes back, and starts its start-up tasks.
    fn complete_shutdown(&self, off: bool) -> Result<(), String> {
        self.world.change(|w, now| {
            w.machine_mut(&self.name)["shutdown"] = Json::Null;
            if off {
                let m = w.machine_mut(&self.name);
                (m["powered"], m["reachable"], m["state"]) = (json!(false), json!(false), json!("Down"));
            } else {
                w.start_restart(&self.name, now, None);
            }
            ((), true)
        })?;
        let until = Instant::now() + Duration::from_secs(1800);
        let away = |w: &World| !off && !w.is_powered(&self.name);
        while self.world.look(|w, _| away(w))? && Instant::now() < until {
            sleep(Duration::from_millis(50));
        }
        if !off {
            // What has become of it is written, so that the tools see it.
            self.world.change(|_, _| ((), true))?;
            let startup = Command::new(home().join("bin/lab-task")).arg("startup").status();
            startup.map_err(|e| format!("lab-task: {e}"))?;
        }
        Ok(())
    }

    /// Runs a script over the world. Whatever must be silent or die does so here.
    fn perform(&self, script: &str, args: &Json) -> Result<Ended, String> {
        let answers = answers().as_ref()?;
        let name = answers.name(script).unwrap_or_default().to_owned();
        let place = |now: Timestamp| Place { machine: &self.name, now, logon: self.logon };
        let call = |now: Timestamp| Call { place: place(now), name: &name, script, args };
        let (opening, rate): (Opening, f64) = self.world.change(|w, now| {
            let before = w.top("faults").clone();
            let opening = open(w, answers, &call(now));
            let counted = *w.top("faults") != before;
            ((opening, w.rate()), counted)
        })?;
        opening.garbage.iter().for_each(|text| put(text));
        sleep(Duration::try_from_secs_f64(opening.delay.max(0.0)).unwrap_or_default());
        if opening.hang {
            loop {
                sleep(Duration::from_secs(3600));
            }
        }
        if let Some(code) = opening.exit {
            std::process::exit(code as i32);
        }
        if rate > 0.0 {
            sleep(Duration::try_from_secs_f64(opening.takes / rate).unwrap_or_default());
        }
        let changes = answers.changes(script);
        let ended = self.world.change(|w, now| {
            if !w.is_powered(&self.name) {
                // It went down under the script.
                std::process::exit(i32::from(FAILED));
            }
            (close(w, answers, &call(now), &opening), changes)
        })?;
        if script == DETACH.text {
            self.write_log(args);
        }
        Ok(ended)
    }

    /// Lays what an operation says on the disk, where the file transfer finds it.
    fn write_log(&self, args: &Json) {
        let part = |field: &str| args[field].as_str().unwrap_or_default();
        let (run, op) = (part("run"), part("op"));
        let lines =
            self.world.look(|w, _| w.machine(&self.name)["operations"][format!("{run}/{op}")]["log"].clone());
        let lines = lines.unwrap_or_default();
        let text: String =
            lines.as_array().into_iter().flatten().filter_map(Json::as_str).map(|l| format!("{l}\r\n")).collect();
        let path = self.disk.join(log_path(run, op).replacen("C:", "C", 1).replace('\\', "/"));
        if let Some(folder) = path.parent().filter(|_| !text.is_empty()) {
            let written = std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&path, [b"\xef\xbb\xbf", text.as_bytes()].concat()));
            if let Err(e) = written {
                eprintln!("{}: {e}", path.display());
            }
        }
    }
}

/// Answers of every script of the program, read when the first one is asked for.
fn answers() -> &'static Result<Answers, String> {
    static ALL: OnceLock<Result<Answers, String>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut answers = Answers::embedded()?;
        let library = Library::new(None);
        for (id, _) in library.list() {
            let runbook = library.load(&id).map_err(|e| e.to_string())?;
            for (path, answer) in &runbook.answers {
                answers.add(path, &runbook.scripts[path].text, answer)?;
            }
        }
        // Changes that a test makes beside the scripts.
        for act in ["drain", "resume", "start-node"] {
            answers.add(act, act, &format!("answer = 'true'\n[[do]]\nact = '{act}'\nargs = 'arg'"))?;
        }
        Ok(answers)
    })
}

/// One request and its frames.
struct Exchange<'a> {
    machine: &'a Machine,
    nonce: String,
    id: Json,
    /// Objects put out.
    k: u64,
    began: Instant,
}

impl Exchange<'_> {
    /// True when it went well.
    fn answer(&mut self, request: &Json) -> bool {
        let Some(script) = request["s"].as_str() else {
            self.hello();
            return self.end(None);
        };
        if script.contains("Get-Process -Id $arg.pid") && script.contains("ProcessName") {
            self.process(request["a"]["pid"].as_u64());
            return self.end(None);
        }
        let ended = self.machine.perform(script, &request["a"]).unwrap_or_else(|why| Ended {
            said: Vec::new(),
            result: Err(Thrown { id: NO_ANSWER.into(), message: why }),
            stays: None,
        });
        for text in &ended.said {
            self.k += 1;
            self.frame(json!({"t": "log", "i": self.id, "k": self.k, "l": "Information", "m": text, "id": ""}));
        }
        match ended.result {
            Ok(record) => {
                self.result(record);
                self.end(None)
            }
            Err(thrown) => self.end(Some(thrown)),
        }
    }

    fn hello(&self) {
        let known = self.machine.world.look(|w, _| {
            let m = w.machine(&self.machine.name);
            let os = |field: &str| m["os"][field].to_string().trim_matches('"').to_owned();
            (
                format!("5.1.{}.{}", os("build"), os("ubr")),
                m["language_mode"].as_str().unwrap_or("FullLanguage").to_owned(),
                m["clock_skew"].as_f64().unwrap_or_default(),
            )
        });
        let (ps, lang, skew) = known.unwrap_or_default();
        let skew = SignedDuration::try_from_secs_f64(skew).unwrap_or_default();
        self.frame(json!({
            "t": "hello", "v": 1, "i": self.id, "pid": std::process::id(), "ps": ps, "lang": lang,
            "host": self.machine.name, "utc": (Timestamp::now() + skew).to_string(), "culture": "en-US",
        }));
    }

    fn process(&mut self, pid: Option<u64>) {
        let pid = pid.and_then(|p| u32::try_from(p).ok());
        if let Some((name, start)) = pid.and_then(|p| processes::registered(&self.machine.disk, p)) {
            self.result(json!({"name": name, "start": start.to_string()}));
        }
    }

    fn result(&mut self, value: Json) {
        self.k += 1;
        self.frame(json!({"t": "result", "i": self.id, "k": self.k, "v": value}));
    }

    fn end(&self, thrown: Option<Thrown>) -> bool {
        let ok = thrown.is_none();
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut end = json!({"t": "end", "i": self.id, "ok": ok, "k": self.k, "ms": ms});
        if let Some(thrown) = thrown {
            let more = json!({"id": thrown.id, "m": thrown.message, "cat": "NotSpecified", "line": 1, "col": 1, "src": ""});
            if let (Json::Object(end), Json::Object(more)) = (&mut end, more) {
                end.extend(more);
            }
        }
        self.frame(end);
        ok
    }

    fn frame(&self, frame: Json) {
        put(&frames::written(&self.nonce, &frame));
    }
}

/// Writes to the output at once; nobody listens any more = the end.
fn put(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(i32::from(FAILED));
    }
}
