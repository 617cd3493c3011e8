//! The contract: `tests/contract/<script>/<case>.json` says what a script answers in a world. The simulator must answer so,
//! and so must the script itself under a PowerShell engine with the lab's modules, where one is installed.

#[path = "contract/case.rs"]
mod case;
#[cfg(unix)]
#[path = "contract/engine.rs"]
mod engine;
#[cfg(unix)]
#[path = "lab/mod.rs"]
mod lab;
#[path = "support/said.rs"]
mod said;

use std::collections::BTreeSet;
use std::path::Path;

use case::{cases, filled, judge, patch, scripts, world_of};
use jiff::{SignedDuration, Timestamp};
use nodelift::remote::sim::{Answers, Call, Logon, Place, World, close, open};
use nodelift::runbook::Library;
use serde_json::json;

/// What the simulator answers to every script, and to the changes that a case makes beside them.
fn answers() -> Answers {
    let mut answers = Answers::embedded().expect("the embedded answers can be read");
    let library = Library::new(None);
    for (id, _) in library.list() {
        let runbook = library.load(&id).unwrap_or_else(|e| panic!("{id}:\n{e}"));
        for (path, answer) in &runbook.answers {
            answers.add(path, &runbook.scripts[path].text, answer).unwrap_or_else(|e| panic!("{e}"));
        }
    }
    for act in ["drain", "resume", "start-node"] {
        let answer = format!("answer = 'true'\n[[do]]\nact = '{act}'\nargs = 'arg'");
        answers.add(act, act, &answer).unwrap_or_else(|e| panic!("{e}"));
    }
    answers
}

#[test]
fn the_simulator_keeps_the_contract() {
    let (scripts, answers) = (scripts(), answers());
    let mut wrong = Vec::new();
    let mut steps = 0;
    for (file, case) in cases() {
        for language in ["FullLanguage", "ConstrainedLanguage"] {
            let mut world = World::new(world_of(&case, language)).expect("a world");
            let mut now: Timestamp = world.start();
            for (i, step) in case["steps"].as_array().expect("steps").iter().enumerate() {
                if let Some(seconds) = step["advance"].as_i64() {
                    now += SignedDuration::from_secs(seconds);
                }
                world.json_mut()["clock"]["start"] = json!(now.to_string());
                world.advance(now);
                let Some(machine) = step["on"].as_str() else { continue };
                patch(world.json_mut(), &step["patch"]);
                let path = step["script"].as_str().or(step["act"].as_str()).unwrap_or_default();
                let Some(script) = scripts.get(path).map(String::as_str).or(step["act"].as_str()) else {
                    if !path.is_empty() {
                        wrong.push(format!("{}: step {}: there is no script {path}", file.display(), i + 1));
                    }
                    continue;
                };
                let args = filled(step.get("with").unwrap_or(&step["args"]), &scripts);
                let logon = if step["logon"] == "batch" { Logon::Batch } else { Logon::Session };
                let call = Call { place: Place { machine, now, logon }, name: path, script, args: &args };
                let opening = open(&mut world, &answers, &call);
                let outcome = close(&mut world, &answers, &call, &opening)
                    .result
                    .map_err(|t| if step["error"].is_null() { format!("{}: {}", t.id, t.message) } else { t.id });
                world.advance(now);
                if step.get("act").is_some() {
                    continue;
                }
                steps += 1;
                if let Some(why) = judge(step, &outcome, language) {
                    wrong.push(format!("{}: step {} on {machine}, {path}: {why}", file.display(), i + 1));
                }
            }
        }
    }
    println!("{steps} answers compared");
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_expression_of_an_answer_is_sound() {
    let wrong = answers().problems();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Scripts of the transport itself: they are tested with it.
const TRANSPORT: [&str; 2] = ["worker.ps1", "process.ps1"];

#[test]
fn every_script_has_a_case() {
    let covered: BTreeSet<String> = cases()
        .iter()
        .flat_map(|(_, case)| case["steps"].as_array().cloned().unwrap_or_default())
        .flat_map(|s| {
            let inner = [&s["args"]["script"]["$script"], &s["args"]["wrapper"]["$script"]];
            let names = [s["script"].as_str(), inner[0].as_str(), inner[1].as_str()];
            names.into_iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let remote = std::fs::read_dir(Path::new("config/remote")).expect("it is there").flatten();
    let remote = remote.map(|f| f.file_name().to_string_lossy().into_owned());
    let remote = remote.filter(|f| f.ends_with(".ps1") && !TRANSPORT.contains(&f.as_str()));
    let all = scripts().into_keys().chain(remote.map(|f| format!("remote/{f}")));
    let missing: BTreeSet<String> = all.filter(|s| !covered.contains(s)).collect();
    assert!(missing.is_empty(), "no case in tests/contract for:\n{}", Vec::from_iter(missing).join("\n"));
}

/// `NODELIFT_CONTRACT` = a part of a path: only those cases.
#[cfg(unix)]
#[test]
fn powershell_keeps_the_contract() {
    use lab::{Engine, processes};
    let given = std::env::var_os("NODELIFT_LAB_PWSH").is_some();
    if !given && processes::program("pwsh").is_none() {
        said::skipped("no pwsh");
        return;
    }
    let engine = Engine::find().unwrap_or_else(|e| panic!("{e}"));
    let wanted = std::env::var("NODELIFT_CONTRACT").unwrap_or_default();
    let mut cases = cases();
    cases.retain(|(file, _)| file.to_string_lossy().contains(&wanted));
    let (compared, wrong) = engine::run_all(&engine, &cases, &scripts());
    println!("{compared} answers of {} compared", engine.name());
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}
