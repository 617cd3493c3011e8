//! The documents say what the program does: tables that would go stale are compared with the code.

use std::path::Path;
use std::process::Command;

use nodelift::cli::Exit;
use nodelift::core::expr::{ANSWER_FUNCTIONS, FUNCTIONS};
use nodelift::core::plan::ARGUMENTS;
use nodelift::input::DEFAULT;
use nodelift::runbook::lint::RULES;

const DOCUMENTS: [&str; 6] = [
    "README.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/operations.md",
    "docs/runbooks.md",
    "tests/lab/README.md",
];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The text between a heading and the next one.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("there is no {heading}"));
    let rest = &text[start + heading.len() + 2..];
    rest.split("\n## ").next().unwrap_or(rest)
}

/// First cells of a table, without their ticks.
fn cells(text: &str) -> Vec<&str> {
    text.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next()).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for document in DOCUMENTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        for link in read(document).split("](").skip(1).filter_map(|l| l.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let there = link.starts_with("https://") || folder.parent().is_some_and(|f| f.join(file).exists());
            assert!(there, "{document}: {link}");
        }
    }
}

#[test]
fn every_function_of_expressions_is_explained() {
    let text = read("docs/runbooks.md");
    for (name, what) in FUNCTIONS {
        let row = format!("| `{}`", what.split(": ").next().unwrap_or(what));
        assert!(text.contains(&row), "docs/runbooks.md lacks {row} ({name})");
    }
    for name in ANSWER_FUNCTIONS
        .iter()
        .map(|(name, _)| format!("`{name}("))
        .chain(ARGUMENTS.iter().map(|a| format!("`{a}`")))
    {
        assert!(text.contains(&name), "docs/runbooks.md lacks {name}");
    }
}

#[test]
fn every_rule_of_lint_is_explained() {
    let text = read("docs/runbooks.md");
    let rows: Vec<&str> = section(&text, "## What lint finds").lines().filter(|l| l.starts_with("| `")).collect();
    let wanted = RULES.iter().map(|r| format!("| `{}` | {} | {} |", r.id, r.severity, r.what.replace('|', "\\|")));
    assert_eq!(rows, wanted.collect::<Vec<_>>());
}

#[test]
fn every_exit_code_is_listed() {
    let text = read("README.md");
    let rows: Vec<&str> =
        section(&text, "## Exit codes").lines().filter(|l| l.starts_with("| ")).skip(1).collect();
    let wanted: Vec<String> = Exit::ALL
        .iter()
        .map(|(exit, says)| format!("| {} | {} |", *exit as u8, says.replace("with check", "with `check`")))
        .collect();
    assert_eq!(rows, wanted);
}

#[test]
fn every_key_of_the_table_is_a_key() {
    let text = read("README.md");
    let keys = cells(section(&text, "## Keys"));
    assert!(keys.len() > 10, "{keys:?}");
    for key in keys {
        assert!(DEFAULT.contains(&format!("\n\"{key}\"")), "README.md: there is no key {key}");
    }
}

#[test]
fn every_command_that_is_named_is_one() {
    for document in DOCUMENTS {
        for line in read(document).split("nodelift ").skip(1) {
            let words: Vec<&str> = line
                .split_whitespace()
                .take(2)
                .take_while(|w| w.chars().all(|c| c.is_ascii_lowercase()))
                .collect();
            let ends = |w: &&str| line.find(w).is_some_and(|i| !line[..i].contains(['`', '\n']));
            let command: Vec<&str> = words.into_iter().filter(ends).collect();
            let named = matches!(
                command.first(),
                Some(
                    &("demo"
                        | "init"
                        | "run"
                        | "check"
                        | "replay"
                        | "report"
                        | "trust"
                        | "runbook"
                        | "config"
                        | "completions")
                )
            );
            if !named {
                continue;
            }
            let nested = matches!(command[0], "runbook" | "config");
            let arguments = &command[..if nested { command.len() } else { 1 }];
            let said =
                Command::new(env!("CARGO_BIN_EXE_nodelift")).args(arguments).arg("--help").output().unwrap();
            assert!(said.status.success(), "{document}: nodelift {}", arguments.join(" "));
        }
    }
}
