//! `nodelift runbook lint`: findings for people and for programs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use color_eyre::eyre::Result;
use serde_json::json;

use super::Exit;
use crate::config::settings::Settings;
use crate::runbook::Library;
use crate::runbook::lint::{Finding, Report, Severity};

#[derive(Debug, Args)]
pub struct Lint {
    /// One runbook; all where absent
    id: Option<String>,
    /// Folder with runbooks, instead of the one in the settings
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// One JSON document on standard output, for programs
    #[arg(long)]
    json: bool,
    /// Warnings end with 2 too
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    Warnings,
}

impl Lint {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        if let Some(folder) = self.folder.as_deref().filter(|f| !f.is_dir()) {
            eprintln!("nodelift: {}: there is no such folder", folder.display());
            return Ok(Exit::Usage);
        }
        let library = Library::new(self.folder.or_else(|| settings.runbooks.clone()));
        let report = match library.lint(self.id.as_deref()) {
            Ok(report) => report,
            Err(why) => {
                eprintln!("nodelift: {why}");
                return Ok(Exit::Usage);
            }
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&document(&report))?);
        } else {
            show(&report);
        }
        let denied = self.deny == Some(Deny::Warnings) && report.count(Severity::Warning) > 0;
        Ok(if denied || report.count(Severity::Error) > 0 { Exit::Usage } else { Exit::Succeeded })
    }
}

/// What `--json` prints. Ids of rules are stable; fields are only ever added.
fn document(report: &Report) -> serde_json::Value {
    json!({
        "format": 1,
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "allowed": report.allowed,
        "files": report.files,
        "findings": report.findings.iter().map(Finding::row).collect::<Vec<_>>(),
    })
}

/// Findings by file, and how many there are.
fn show(report: &Report) {
    for finding in &report.findings {
        println!("{finding}");
    }
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning")];
    let found: Vec<String> = counts
        .iter()
        .map(|(s, word)| (report.count(*s), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, w)| plural(n, w))
        .collect();
    let found = if found.is_empty() { "no mistake found".to_owned() } else { found.join(", ") };
    let allowed = match report.allowed {
        0 => String::new(),
        n => format!(", {n} allowed by a comment"),
    };
    println!("{found} in {}{allowed}", plural(report.files, "file"));
}

fn plural(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}
