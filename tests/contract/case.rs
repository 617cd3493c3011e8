//! Cases of the contract: what they say, and how an answer is compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use nodelift::remote::detached::{DETACH, OBSERVE, OP};
use nodelift::remote::probes::{HOP, IDENTITY, PARSE, TASK};
use nodelift::runbook::Library;
use serde_json::{Value as Json, json};

/// Every script as it is sent, by its path.
pub fn scripts() -> BTreeMap<String, String> {
    let of_the_transport = [DETACH, OBSERVE, OP, IDENTITY, HOP, PARSE, TASK];
    let mut out: BTreeMap<String, String> =
        of_the_transport.map(|s| (s.name.replacen("config/", "", 1), s.text.to_owned())).into();
    let library = Library::new(None);
    for (id, _) in library.list() {
        let runbook = library.load(&id).unwrap_or_else(|e| panic!("{id}:\n{e}"));
        out.extend(runbook.scripts.iter().map(|(path, s)| (path.clone(), s.text.to_string())));
    }
    out
}

pub fn cases() -> Vec<(PathBuf, Json)> {
    let mut out = Vec::new();
    for folder in fs::read_dir("tests/contract").expect("the cases are there").flatten() {
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let text = fs::read_to_string(file.path()).expect("readable");
            let case = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.path().display()));
            out.push((file.path(), case));
        }
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

/// The world of a case, with its clock standing still.
pub fn world_of(case: &Json, language: &str) -> Json {
    let path = format!("tests/lab/worlds/{}.json", case["world"].as_str().expect("a world"));
    let mut world: Json =
        serde_json::from_str(&fs::read_to_string(&path).expect("the world is there")).expect("JSON");
    world["clock"] = json!({"start": "2025-06-14T08:00:00Z", "anchor": null, "rate": 0});
    for machine in world["machines"].as_object_mut().expect("machines").values_mut() {
        machine["language_mode"] = json!(language);
    }
    patch(&mut world, &case["patch"]);
    world
}

/// `[{at: pointer, value}]`, `[{at, remove: true}]`; `/-` at the end adds to a list.
pub fn patch(world: &mut Json, patches: &Json) {
    for p in patches.as_array().into_iter().flatten() {
        let at = p["at"].as_str().expect("a place");
        let (parent, last) = at.rsplit_once('/').expect("a pointer");
        let last = last.replace("~1", "/").replace("~0", "~");
        match world.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
            Json::Array(list) if last == "-" => list.push(p["value"].clone()),
            Json::Array(list) => list[last.parse::<usize>().expect("an index")] = p["value"].clone(),
            Json::Object(map) if p["remove"] == json!(true) => {
                map.remove(&last);
            }
            Json::Object(map) => {
                map.insert(last, p["value"].clone());
            }
            other => panic!("{parent} is {other}"),
        }
    }
}

/// `{"$script": path}` stands for the text of a script.
pub fn filled(args: &Json, scripts: &BTreeMap<String, String>) -> Json {
    match args {
        Json::Object(o) => match o.get("$script").and_then(Json::as_str) {
            Some(path) => json!(scripts[path]),
            None => Json::Object(o.iter().map(|(k, v)| (k.clone(), filled(v, scripts))).collect()),
        },
        Json::Array(a) => a.iter().map(|v| filled(v, scripts)).collect(),
        other => other.clone(),
    }
}

/// What a step gave: its record, or the id of its error.
pub type Outcome = Result<Json, String>;

/// How an outcome differs from what a step wants.
pub fn judge(step: &Json, outcome: &Outcome, language: &str) -> Option<String> {
    match (outcome, step.get("answer"), step["error"]["id"].as_str()) {
        (Ok(got), Some(wanted), _) => difference(wanted, got, language, ""),
        (Err(got), None, Some(wanted)) if beginning(got) == beginning(wanted) => None,
        (Err(got), None, Some(wanted)) => Some(format!("wanted error {}, got {got}", beginning(wanted))),
        (Err(got), ..) => Some(format!("failed: {got}")),
        (Ok(got), ..) => Some(format!("wanted an error, got {got}")),
    }
}

/// The first place where two answers differ. `<any>` is anything, `<begins: x>` a text that begins so, `<language>` the mode.
fn difference(wanted: &Json, got: &Json, language: &str, at: &str) -> Option<String> {
    let here = if at.is_empty() { "the answer" } else { at };
    match (wanted, got) {
        (Json::String(w), _) if w == "<any>" => None,
        (Json::String(w), Json::String(g)) if w == "<language>" && g == language => None,
        (Json::String(w), Json::String(g)) if w.starts_with("<begins: ") => {
            let start = w.trim_start_matches("<begins: ").trim_end_matches('>');
            (!g.starts_with(start)).then(|| format!("{here}: {g:?} does not begin with {start:?}"))
        }
        (Json::Object(w), Json::Object(g)) => {
            let names: BTreeSet<&String> = w.keys().chain(g.keys()).collect();
            names.into_iter().find_map(|n| match (w.get(n), g.get(n)) {
                (Some(w), Some(g)) => difference(w, g, language, &format!("{at}.{n}")),
                (Some(_), None) => Some(format!("{at}.{n} is missing")),
                _ => Some(format!("{at}.{n} is too much")),
            })
        }
        (Json::Array(w), Json::Array(g)) if w.len() == g.len() => {
            w.iter().zip(g).enumerate().find_map(|(i, (w, g))| difference(w, g, language, &format!("{at}[{i}]")))
        }
        (Json::Number(w), Json::Number(g)) if w.as_f64() == g.as_f64() => None,
        (w, g) if w == g => None,
        (w, g) => Some(format!("{here}: wanted {w}, got {g}")),
    }
}

/// An error's id up to its first comma: what comes after names the class, which differs between engines.
fn beginning(id: &str) -> &str {
    id.split(',').next().unwrap_or(id)
}
