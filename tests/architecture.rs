//! The arrows of docs/architecture.md: who may import whom. Read from the sources, so that a wrong import fails here with
//! its file and line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Module → modules of ours it may name. What is not listed may be named by nobody.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("config", &[]),
    ("theme", &["config"]),
    ("input", &["core", "config"]),
    ("runbook", &["core", "config"]),
    ("journal", &["core"]),
    ("logs", &["core"]),
    ("remote", &["core"]),
    ("doctor", &["core", "remote"]),
    ("report", &["core"]),
    ("link", &["core"]),
    ("ui", &["core", "theme", "input"]),
    ("term", &["input", "theme"]),
    ("engine", &["core", "journal", "logs", "link", "remote"]),
    (
        "cli",
        &[
            "core", "config", "theme", "input", "runbook", "journal", "logs", "remote", "doctor", "report",
            "link", "ui", "term", "engine",
        ],
    ),
];

/// Crate → where alone it may be named.
const ONLY_IN: &[(&str, &[&str])] =
    &[("crossterm", &["term"]), ("ssh2", &["remote/ssh"]), ("tree_sitter", &["runbook/lint"])];

/// What `core` must not know: clocks, files, sockets, threads, async, the terminal.
const NOT_IN_CORE: &[&str] = &[
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::process",
    "tokio",
    "ratatui",
    "tracing",
    "Timestamp::now",
    "getrandom",
    "rand::",
];

fn sources() -> Vec<(String, PathBuf)> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the sources are there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths
        .into_iter()
        .map(|p| (p.strip_prefix(&root).unwrap().display().to_string().replace('\\', "/"), p))
        .collect()
}

/// Lines of a file without comments, and without its unit tests.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(path).expect("readable");
    text.lines()
        .enumerate()
        .take_while(|(_, l)| !l.starts_with("#[cfg(test)]"))
        .map(|(i, l)| (i + 1, l.split("//").next().unwrap_or("").to_owned()))
        .collect()
}

#[test]
fn arrows_point_one_way() {
    let may: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, path) in sources() {
        let Some((module, _)) = name.split_once('/') else { continue };
        let Some(allowed) = may.get(module) else {
            wrong.push(format!("src/{name}: module `{module}` is not in the table"));
            continue;
        };
        for (number, line) in code(&path) {
            for (at, _) in line.match_indices("crate::") {
                let target: String =
                    line[at + 7..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if !target.is_empty() && target != module && !allowed.contains(&target.as_str()) {
                    wrong.push(format!("src/{name}:{number}: `{module}` may not import `{target}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_module_is_in_the_table() {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for module in lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')) {
        assert!(MAY_IMPORT.iter().any(|(m, _)| *m == module), "src/lib.rs: `{module}` is not in the table");
    }
}

#[test]
fn core_is_pure() {
    let mut wrong = Vec::new();
    for (name, path) in sources().into_iter().filter(|(n, _)| n.starts_with("core/")) {
        for (number, line) in code(&path) {
            for word in NOT_IN_CORE.iter().filter(|w| line.contains(*w)) {
                wrong.push(format!("src/{name}:{number}: `core` may not know `{word}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (name, path) in sources() {
        for (number, line) in code(&path) {
            for (krate, places) in ONLY_IN {
                let named = line.contains(&format!("{krate}::")) || line.contains(&format!("use {krate}"));
                if named && !places.iter().any(|p| name.starts_with(p)) {
                    wrong.push(format!("src/{name}:{number}: only {} may name `{krate}`", places.join(", ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
