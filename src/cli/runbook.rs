//! `nodelift runbook list|show|lint`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use color_eyre::eyre::Result;

use super::Exit;
use crate::config::settings::Settings;
use crate::core::plan::{Check, Moment, Severity};
use crate::runbook::{Library, LoadError};

#[derive(Debug, Subcommand)]
pub enum Runbook {
    /// Every runbook there is, and where it comes from
    List,
    /// What a runbook checks and does
    Show {
        id: String,
        /// Print this script of it, as it is sent
        #[arg(long, value_name = "PATH")]
        script: Option<String>,
    },
    /// Check a runbook's files: structure, expressions, scripts
    Lint {
        /// One runbook; all where absent
        id: Option<String>,
        /// Folder with runbooks, instead of the one in the settings
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

impl Runbook {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let library = Library::new(settings.runbooks.clone());
        match self {
            Runbook::List => {
                let mut exit = Exit::Succeeded;
                for (id, place) in library.list() {
                    match library.load(&id) {
                        Ok(r) => println!("{id:<26} {:<34} {place}", r.info.short),
                        Err(_) => {
                            println!("{id:<26} {:<34} {place}", "has mistakes: nodelift runbook lint");
                            exit = Exit::Usage;
                        }
                    }
                }
                Ok(exit)
            }
            Runbook::Show { id, script } => match library.load(&id) {
                Ok(r) => match script {
                    Some(path) => match r.scripts.get(&path) {
                        Some(s) => {
                            print!("{}", s.text);
                            Ok(Exit::Succeeded)
                        }
                        None => {
                            let known = r.scripts.keys().map(String::as_str).collect::<Vec<_>>();
                            eprintln!("no script `{path}`: {}", crate::config::diagnose::suggest(&path, known));
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
            Runbook::Lint { id, folder } => {
                let library = folder.map_or(library, |f| Library::new(Some(f)));
                let ids = id.map_or_else(|| library.list().into_iter().map(|(id, _)| id).collect(), |id| vec![id]);
                let mut exit = Exit::Succeeded;
                for id in ids {
                    match library.load(&id) {
                        Ok(r) => println!(
                            "{id}: no mistake found: {} checks, {} steps, {} scripts",
                            r.checks.len(),
                            r.steps.len(),
                            r.scripts.len()
                        ),
                        Err(e) => exit = wrong(&e),
                    }
                }
                Ok(exit)
            }
        }
    }
}

fn wrong(e: &LoadError) -> Exit {
    eprintln!("{}", e.to_string().trim_end());
    Exit::Usage
}

fn show(r: &crate::runbook::Runbook) {
    println!("{}\n{}\n", r.info.title, r.info.source);
    println!("Targets");
    for (name, t) in &r.targets {
        let default = if *name == r.default_target { "  (taken by itself)" } else { "" };
        let end = t.end_of_support.as_ref().map_or(String::new(), |e| format!(", supported until {e}"));
        println!("  {name}  build {} from {} build {}{end}{default}", t.build, t.from_version, t.from_build);
    }
    for (moment, title) in [(Moment::Before, "Checks before"), (Moment::After, "Proof after the last node")] {
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
                let fix = if c.fix.is_some() { "  fix" } else { "" };
                println!("    {severity:<8} {:<30} {}{fix}", c.id, c.title);
            }
        }
    }
    println!("\nSteps");
    for (i, s) in r.steps.iter().enumerate() {
        let undo = if s.class == crate::core::plan::Class::Irreversible { "  cannot be undone" } else { "" };
        println!("  {}. {}{undo}", i + 1, s.title);
    }
}
