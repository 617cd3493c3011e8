//! What a script can do to its worker, on a real PowerShell engine, in both language modes (powershell-over-ssh 14b).
#![cfg(unix)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "support/said.rs"]
mod said;

use std::process::Command;
use std::time::Duration;

use lab::{Answer, Engine, Worker, WorldFile, home, site, worker};
use nodelift::remote::sim::World;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// Longest wait for one answer: reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine whose PowerShell speaks one language.
struct Machine {
    engine: Engine,
    world: WorldFile,
    language: &'static str,
    _folder: TempDir,
}

impl Machine {
    /// One for each language; none where there is no engine, with the reason said.
    fn all() -> Vec<Machine> {
        let engine = match Engine::find() {
            Ok(engine @ Engine::PowerShell(_)) => engine,
            _ => {
                said::skipped("no pwsh");
                return Vec::new();
            }
        };
        ["FullLanguage", "ConstrainedLanguage"].map(|l| Machine::new(&engine, l)).into()
    }

    fn new(engine: &Engine, language: &'static str) -> Machine {
        let folder = tempfile::Builder::new().prefix("worker-").tempdir().expect("a folder");
        let text = std::fs::read_to_string(home().join("worlds/ready.json")).expect("a world");
        let mut world: Json = serde_json::from_str(&text).expect("JSON");
        world["machines"]["HCI-N1"]["language_mode"] = json!(language);
        let file = WorldFile::new(folder.path().join("world.json"));
        file.write(&World::new(world).expect("a world")).expect("written");
        Machine { engine: engine.clone(), world: file, language, _folder: folder }
    }

    fn worker(&self) -> Worker {
        let mut command = Command::new(home().join("bin/powershell.exe"));
        command
            .args(worker::arguments())
            .env("NODELIFT_LAB_WORLD", self.world.path())
            .env("NODELIFT_LAB_NODE", "HCI-N1")
            .env("NODELIFT_LAB_PWSH", self.engine.path())
            .env("PATH", site::search_path());
        let mut worker = Worker::start(&mut command).expect("it starts");
        let hello = worker.hello(PATIENCE).expect("a hello");
        assert_eq!(hello["lang"], self.language, "{hello}");
        worker
    }
}

fn run(worker: &mut Worker, script: &str) -> Answer {
    worker.run(script, &json!({}), PATIENCE)
}

#[test]
fn most_of_what_a_script_does_stays_its_own() {
    let good: &[(&str, Json)] = &[
        ("break", json!([])),
        ("continue", json!([])),
        ("return 5", json!([5])),
        ("# nothing but a comment", json!([])),
        ("@()", json!([])),
        ("$null", json!([null])),
        ("1,2", json!([1, 2])),
        (",@(1)", json!([[1]])),
        ("''", json!([""])),
        ("@{ a = 1; b = @($null, 'x') }", json!([{"a": 1, "b": [null, "x"]}])),
        ("\"\u{e4}\u{20ac}\u{1f600}\"", json!(["\u{e4}\u{20ac}\u{1f600}"])),
        (
            "'#~ffffffffffffffffffffffffffffffff~{\"t\":\"end\"}'",
            json!(["#~ffffffffffffffffffffffffffffffff~{\"t\":\"end\"}"]),
        ),
        ("Write-Progress -Activity x; 1", json!([1])),
        ("$arg = 7; $input = 8; $global:n = 'x'; $global:q = 'y'; $k = 99; 3", json!([3])),
    ];
    let bad: &[(&str, &str)] = &[
        ("throw 'area:Name'", "area:Name"),
        ("if (", "InvokeExpressionCommand"),
        ("", "ParameterArgumentValidationErrorEmptyStringNotAllowed"),
        ("Get-Item -LiteralPath 'C:\\no\\such\\thing'", "PathNotFound"),
        ("while ($true) { 1 }", "nl:TooMuchOutput"),
        ("Read-Host", "InvalidOperation"),
        ("function global:nlF { 1 }", "FunctionNotWritable"),
    ];
    for machine in Machine::all() {
        let mut worker = machine.worker();
        for (script, wanted) in good {
            let answer = run(&mut worker, script);
            assert_eq!(answer.end["ok"], true, "{}: {script}: {answer:?}", machine.language);
            assert_eq!(json!(answer.results), *wanted, "{}: {script}: {answer:?}", machine.language);
        }
        for (script, id) in bad {
            let answer = run(&mut worker, script);
            assert_eq!(answer.end["ok"], false, "{}: {script}: {answer:?}", machine.language);
            let found = answer.end["id"].as_str().is_some_and(|i| i.contains(id));
            assert!(found, "{}: {script}: {answer:?}", machine.language);
        }
    }
}

#[test]
fn nothing_leaks_into_the_next_request() {
    for machine in Machine::all() {
        let mut worker = machine.worker();
        let first = "Set-StrictMode -Version Latest; $ErrorActionPreference = 'Ignore'; Set-Location -LiteralPath 'C:\\'; \
                     $zz = 1; function Get-Zz { 1 }; (Get-Location).Path.Length -gt 0";
        assert_eq!(run(&mut worker, first).results, [json!(true)]);
        let next = "@{ preference = \"$ErrorActionPreference\"; zz = $zz; strict = $undefinedEverywhere; \
                    command = @(Get-Command Get-Zz -ErrorAction SilentlyContinue).Count }";
        let answer = run(&mut worker, next);
        let wanted = json!({"preference": "Stop", "zz": null, "strict": null, "command": 0});
        assert_eq!(answer.results, [wanted], "{}: {answer:?}", machine.language);
    }
}

#[test]
fn streams_come_in_band_and_in_order() {
    for machine in Machine::all() {
        let mut worker = machine.worker();
        let script = "Write-Host 'a'; Write-Warning 'b'; Write-Verbose 'c' -Verbose; Write-Information 'd'; \
                      Write-Error 'e' -ErrorAction Continue; 1";
        let answer = run(&mut worker, script);
        let said: Vec<(&str, &str)> = answer.said.iter().map(|(l, m)| (l.as_str(), m.as_str())).collect();
        let wanted =
            [("Information", "a"), ("Warning", "b"), ("Verbose", "c"), ("Information", "d"), ("Error", "e")];
        assert_eq!(said, wanted, "{}: {answer:?}", machine.language);
        assert_eq!((answer.results, &answer.end["ok"]), (vec![json!(1)], &json!(true)));
        // What goes round the streams is raw text, and no answer.
        let answer = run(&mut worker, "'raw' | Out-Host");
        assert!(answer.results.is_empty() && answer.text.iter().any(|t| t.contains("raw")), "{answer:?}");
    }
}

#[test]
fn large_answers_come_whole() {
    for machine in Machine::all() {
        let mut worker = machine.worker();
        // Just below, at and above the size of a piece, and many pieces.
        for size in [59_990, 60_000, 60_010, 180_000, 2_000_000] {
            let answer = run(&mut worker, &format!("'x' * {size}"));
            let length = answer.results.first().and_then(Json::as_str).map(str::len);
            assert_eq!(length, Some(size), "{}: {:?}", machine.language, answer.end);
        }
        let deep = "$h = @{}; $c = $h; 1..30 | ForEach-Object { $c.n = @{}; $c = $c.n }; $h";
        let answer = run(&mut worker, deep);
        assert_eq!((answer.results.len(), &answer.end["ok"]), (1, &json!(true)), "{answer:?}");
        assert_eq!(run(&mut worker, "1").results, [json!(1)], "it lives");
    }
}

#[test]
fn a_program_with_empty_input_leaves_the_requests_alone() {
    for machine in Machine::all() {
        let mut worker = machine.worker();
        let answer = run(&mut worker, "$null | & cmd.exe /c 'echo hi' | ForEach-Object { \"$_\".Trim() }");
        assert_eq!(answer.results, [json!("hi")], "{}: {answer:?}", machine.language);
        assert_eq!(run(&mut worker, "2").results, [json!(2)], "it lives");
    }
}

#[test]
fn what_ends_a_worker_is_told_and_is_never_a_success() {
    for machine in Machine::all() {
        for script in ["exit 3", "break foo"] {
            let mut worker = machine.worker();
            let answer = run(&mut worker, script);
            assert_eq!(answer.end["gone"], true, "{}: {script}: {answer:?}", machine.language);
            assert!(answer.record().is_err(), "{script}");
        }
        let mut worker = machine.worker();
        let answer = run(&mut worker, "Stop-Process -Id $PID -Force; Start-Sleep -Seconds 20; 1");
        assert_eq!((answer.end, answer.results.len()), (Json::Null, 0), "{}", machine.language);
    }
}
