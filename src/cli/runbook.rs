//! `nodelift runbook list|show|lint`.

use std::collections::BTreeMap;

use clap::Subcommand;
use color_eyre::eyre::Result;

use super::lint::Lint;
use super::{Exit, out};
use crate::config::diagnose::did_you_mean;
use crate::config::settings::Settings;
use crate::core::plan::{Check, Moment, Script, Severity};
use crate::runbook::{Library, LoadError};

#[derive(Debug, Subcommand)]
pub enum Runbook {
    /// Every runbook there is, and where it comes from
    List,
    /// What a runbook checks and does
    Show {
        /// Which one: nodelift runbook list
        id: String,
        /// Print this script of it, as it is sent
        #[arg(long, value_name = "PATH")]
        script: Option<String>,
    },
    /// Check runbooks and their scripts: structure, expressions, PowerShell
    Lint(Lint),
}

impl Runbook {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let library = Library::new(settings.runbooks.clone());
        match self {
            Runbook::List => {
                let mut exit = Exit::Succeeded;
                for (id, place) in library.list() {
                    let place = if place.starts_with("built-in:") { "built-in" } else { &place };
                    match library.load(&id) {
                        Ok(r) => println!("{id:<24} {:<27} {place}", r.info.short),
                        Err(_) => {
                            println!("{id:<24} {:<27} {place}", "has mistakes: runbook lint");
                            exit = Exit::Usage;
                        }
                    }
                }
                Ok(exit)
            }
            Runbook::Show { id, script } => match library.load(&id) {
                Ok(r) => match script {
                    Some(path) => match script_of(&r, &path) {
                        Ok(s) => {
                            print!("{}", s.text);
                            Ok(Exit::Succeeded)
                        }
                        Err(why) => {
                            eprintln!("{why}");
                            Ok(Exit::Usage)
                        }
                    },
                    None => {
                        show(&r);
                        Ok(Exit::Succeeded)
                    }
                },
                Err(e) => Ok(wrong(&e)),
            },
            Runbook::Lint(c) => c.run(settings),
        }
    }
}

/// Whether the folder that the settings name is there: without it a user's runbooks would be left out in silence.
pub fn check(settings: &Settings) -> Result<(), String> {
    match settings.runbooks.as_deref().filter(|f| !f.is_dir()) {
        Some(folder) => Err(format!("runbooks: {}: there is no such folder", folder.display())),
        None => Ok(()),
    }
}

/// A script by its path, or by the end of it.
fn script_of<'a>(r: &'a crate::runbook::Runbook, path: &str) -> Result<&'a Script, String> {
    let ends = format!("/{path}");
    let mut found = r.scripts.iter().filter(|(p, _)| *p == path || p.ends_with(&ends));
    match (found.next(), found.next()) {
        (Some((_, script)), None) => Ok(script),
        (Some((a, _)), Some((b, _))) => Err(format!("`{path}` may be {a} or {b}")),
        (None, _) => {
            let known: Vec<&str> = r.scripts.keys().map(String::as_str).collect();
            let ends = known.iter().filter_map(|p| p.split_once('/')).map(|(_, end)| end).collect::<Vec<_>>();
            Err(match did_you_mean(path, known.iter().copied().chain(ends)) {
                Some(meant) => format!("there is no script `{path}`: did you mean `{meant}`?"),
                None => format!("there is no script `{path}`. There are:\n  {}", known.join("\n  ")),
            })
        }
    }
}

fn wrong(e: &LoadError) -> Exit {
    eprintln!("{}", e.to_string().trim_end());
    Exit::Usage
}

/// When checks are asked, with a heading each.
const MOMENTS: [(Moment, &str); 3] = [
    (Moment::Before, "Checks before"),
    (Moment::Returning, "When a node is back on the new build"),
    (Moment::After, "Proof after the last node"),
];

fn show(r: &crate::runbook::Runbook) {
    println!("{}\n{}\n", r.info.title, out::wrap(&r.info.source, 0));
    println!("Targets");
    for (name, t) in &r.targets {
        let default = if *name == r.default_target { ", default" } else { "" };
        let end = t.end_of_support.as_ref().map_or(String::new(), |e| format!(", supported until {e}"));
        println!("  {name}  build {} from {} build {}{end}{default}", t.build, t.from_version, t.from_build);
    }
    for (moment, title) in MOMENTS {
        println!("\n{title}");
        let mut areas: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
        for c in r.checks.iter().filter(|c| c.moment == moment) {
            areas.entry(&c.area).or_default().push(c);
        }
        for (area, checks) in areas {
            println!("  {area}");
            for c in checks {
                let severity = match c.severity {
                    Severity::Blocker => "blocker",
                    Severity::Warning => "warning",
                    Severity::Recommended => "advice",
                };
                let fix = match (&c.fix, &c.attest) {
                    (Some(_), _) => '*',
                    (None, Some(_)) => '?',
                    _ => ' ',
                };
                println!("{fix} {severity:<8}{:<29}{}", c.id, c.title);
            }
        }
    }
    println!("\n* nodelift can mend it, when you ask for it");
    println!("? a person confirms what no script can tell");
    println!("\nSteps");
    for (i, s) in r.steps.iter().enumerate() {
        let undo = if s.class == crate::core::plan::Class::Irreversible { "  cannot be undone" } else { "" };
        println!("  {}. {}{undo}", i + 1, s.title);
    }
}
