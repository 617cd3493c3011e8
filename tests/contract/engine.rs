//! Cases under a PowerShell engine with the lab's modules: each in a fresh world and folder, the scripts through workers as
//! the program starts them.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use nodelift::remote::sim::World;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::case::{Outcome, filled, judge, patch, world_of};
use super::lab::{Engine, Worker, WorldFile, home, processes, site, worker};

/// How long one script may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long the effect of a process that was started may take.
const EFFECT: Duration = Duration::from_secs(40);

/// Runs every case in both languages, as many at a time as there are cores. Gives how many answers were compared, and what
/// differs.
pub fn run_all(
    engine: &Engine,
    cases: &[(PathBuf, Json)],
    scripts: &BTreeMap<String, String>,
) -> (usize, Vec<String>) {
    let languages = ["FullLanguage", "ConstrainedLanguage"];
    let todo: VecDeque<_> = cases.iter().flat_map(|(file, case)| languages.map(|l| (file, case, l))).collect();
    let (todo, done) = (Mutex::new(todo), Mutex::new((0, Vec::new())));
    let path = site::search_path();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, |n| n.get()) {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().expect("no thread panics here").pop_front();
                    let Some((file, case, language)) = next else { return };
                    let mut site = Site::new(engine, case, language, &path);
                    let (compared, wrong) = site.play(case, scripts);
                    let mut done = done.lock().expect("no thread panics here");
                    done.0 += compared;
                    done.1.extend(wrong.into_iter().map(|w| format!("{} in {language}: {w}", file.display())));
                }
            });
        }
    });
    done.into_inner().expect("no thread panics here")
}

/// The machines of one case.
struct Site<'a> {
    engine: &'a Engine,
    language: &'a str,
    /// The search path of their processes.
    path: &'a str,
    world: WorldFile,
    /// By machine and logon.
    workers: BTreeMap<(String, String), Worker>,
    _folder: TempDir,
}

impl<'a> Site<'a> {
    fn new(engine: &'a Engine, case: &Json, language: &'a str, path: &'a str) -> Self {
        let folder = tempfile::Builder::new().prefix("contract-").tempdir().expect("a folder");
        let world = WorldFile::new(folder.path().join("world.json"));
        world.write(&World::new(world_of(case, language)).expect("a world")).expect("written");
        Self { engine, language, path, world, workers: BTreeMap::new(), _folder: folder }
    }

    /// Plays every step. Gives how many answers were compared, and what differs.
    fn play(&mut self, case: &Json, scripts: &BTreeMap<String, String>) -> (usize, Vec<String>) {
        let (mut compared, mut wrong) = (0, Vec::new());
        // Something was started that works by itself: what is read after it may still change.
        let mut may_change = false;
        for (i, step) in case["steps"].as_array().expect("steps").iter().enumerate() {
            if let Some(seconds) = step["advance"].as_i64() {
                self.world.pass(seconds).expect("written");
            }
            if let Some(seconds) = step["sleep"].as_f64().filter(|_| !self.is_stand_in()) {
                thread::sleep(Duration::from_secs_f64(seconds));
                may_change = true;
            }
            let Some(machine) = step["on"].as_str() else { continue };
            if self.is_stand_in() && !step["patch"].is_null() {
                // Under PowerShell the change is made by what comes before.
                self.world.change(|w, _| (patch(w.json_mut(), &step["patch"]), true)).expect("written");
            }
            let Some((script, args)) = self.request(step, scripts) else { continue };
            let logon = step["logon"].as_str().unwrap_or_default();
            let path = step["script"].as_str().unwrap_or("a change");
            let only_reads = path.contains("/facts/") || path.contains("/observe");
            let until = Instant::now() + EFFECT;
            let difference = loop {
                let outcome = self.run(machine, logon, &script, &args);
                let Some(path) = step["script"].as_str() else {
                    break outcome.err().map(|e| format!("a change failed: {e}"));
                };
                let difference = judge(step, &outcome, self.language).map(|why| format!("{path}: {why}"));
                if difference.is_none() || !may_change || !only_reads || Instant::now() > until {
                    break difference;
                }
                thread::sleep(Duration::from_millis(250));
            };
            compared += usize::from(step["script"].is_string());
            wrong.extend(difference.map(|why| format!("step {} on {machine}, {why}", i + 1)));
        }
        (compared, wrong)
    }

    /// Text and arguments of a step. A change beside the scripts is PowerShell, or a verb for the stand-in.
    fn request(&self, step: &Json, scripts: &BTreeMap<String, String>) -> Option<(String, Json)> {
        if let Some(path) = step["script"].as_str() {
            return Some((scripts[path].clone(), filled(&step["args"], scripts)));
        }
        if self.is_stand_in() {
            let args = step.get("with").unwrap_or(&step["args"]);
            return Some((step["act"].as_str()?.to_owned(), args.clone()));
        }
        Some((step["powershell"].as_str()?.to_owned(), step["args"].clone()))
    }

    fn run(&mut self, machine: &str, logon: &str, script: &str, args: &Json) -> Outcome {
        let key = (machine.to_owned(), logon.to_owned());
        if !self.workers.contains_key(&key) {
            let worker = self.start(machine, logon)?;
            self.workers.insert(key.clone(), worker);
        }
        let worker = self.workers.get_mut(&key).ok_or("no worker")?;
        let args = if args.is_null() { json!({}) } else { args.clone() };
        let answer = worker.run(script, &args, PATIENCE);
        let text = answer.text.join(" ");
        if answer.end.is_null() {
            // The next step gets a new one.
            self.workers.remove(&key);
        }
        answer.record().map_err(|e| if text.is_empty() { e } else { format!("{e} ({text})") })
    }

    fn start(&self, machine: &str, logon: &str) -> Result<Worker, String> {
        let mut command = Command::new(home().join("bin/powershell.exe"));
        command
            .args(worker::arguments())
            .env("NODELIFT_LAB_WORLD", self.world.path())
            .env("NODELIFT_LAB_NODE", machine)
            .env("NODELIFT_LAB_PWSH", self.engine.path())
            .env("PATH", self.path)
            .env("HOME", self.world.path().parent().unwrap_or(Path::new("/")))
            .env_remove("NODELIFT_LAB_DISK")
            .env_remove("NODELIFT_LAB_USER");
        match logon {
            "" => command.env_remove("NODELIFT_LAB_LOGON"),
            logon => command.env("NODELIFT_LAB_LOGON", logon),
        };
        let mut worker = Worker::start(&mut command).map_err(|e| e.to_string())?;
        let hello = worker.hello(PATIENCE)?;
        if hello["lang"].as_str() != Some(self.language) {
            return Err(format!("{machine} speaks {}, not {}", hello["lang"], self.language));
        }
        Ok(worker)
    }

    fn is_stand_in(&self) -> bool {
        matches!(self.engine, Engine::StandIn(_))
    }
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        self.workers.clear();
        // Tasks of detached operations live on.
        for _ in 0..2 {
            processes::of_world(self.world.path(), None).into_iter().for_each(processes::end);
        }
    }
}
