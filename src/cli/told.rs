//! A run as lines on a terminal.

use super::out;
use crate::report::{Block, Document};

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
