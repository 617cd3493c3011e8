//! A run as lines on a terminal, and its report in the folder of the run.

use std::fs;
use std::path::{Path, PathBuf};

use super::{documents, out, recorded};
use crate::report::{Block, Document, RunReport};

/// Sections that are long: only where everything is wanted.
const LONG: [&str; 3] = ["What people said", "What was sent", "Timeline"];

/// Prints what a page says. `all`: the long sections too.
pub fn print(document: &Document, all: bool) {
    println!("{}", document.title);
    println!("{}", out::wrap(&document.lead, 0));
    for (name, value) in document.about.iter().skip(1) {
        println!("  {name:<14}{}", out::wrap(value, 16).trim_start());
    }
    for section in document.sections.iter().filter(|s| all || !LONG.contains(&s.title)) {
        println!("\n{}", section.title);
        for block in &section.blocks {
            match block {
                Block::Text(text) => println!("{}", out::wrap(text, 2)),
                Block::List(items) => items.iter().for_each(|i| println!("  - {}", out::wrap(i, 4).trim_start())),
                Block::Table { rows, .. } => rows.iter().for_each(|row| {
                    let cells: Vec<&str> = row.iter().map(|(c, _)| c.as_str()).filter(|c| !c.is_empty()).collect();
                    println!("{}", out::wrap(&cells.join("  "), 2));
                }),
            }
        }
    }
    if !all {
        println!("\nEverything, with the timeline: -a, --markdown FILE, --html FILE, --json FILE.");
    }
}

/// Writes the report of a run into its folder, as HTML, Markdown and JSON; gives the page that people open.
///
/// # Errors
/// The journal tells of no run, or a file cannot be written: in words.
pub fn write(run: &Path) -> Result<PathBuf, String> {
    let run = recorded::read(run)?;
    let report = RunReport::of(&run.plan, &run.events).ok_or("no run was started yet")?;
    let report = report.of_journal(run.head.as_deref(), run.flaw.as_deref());
    let folder = run.folder.join("report");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let json = report.json().map_err(|e| e.to_string())?;
    let page = folder.join("run.html");
    for (path, text) in [
        (folder.join("run.json"), json),
        (folder.join("run.md"), report.markdown()),
        (page.clone(), report.html()),
    ] {
        documents::replace(&path, text.as_bytes()).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(page)
}
