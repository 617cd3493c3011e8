//! The page of a run as Markdown and as one HTML file. Nothing is loaded from elsewhere and nothing runs in it.

use std::fmt::Write as _;

use super::document::{Block, Document};
use crate::report::escape::{markdown as md, one_line, xml};
use crate::report::html::STYLE;

/// Markdown that fits a ticket.
pub fn markdown(document: &Document) -> String {
    let mut out = format!("# {}\n\n", md(&document.title));
    if !document.lead.is_empty() {
        let _ = writeln!(out, "{}\n", md(&document.lead));
    }
    for (name, value) in &document.about {
        let _ = writeln!(out, "- **{name}**: {}", md(value));
    }
    for section in &document.sections {
        let _ = writeln!(out, "\n## {}", section.title);
        for block in &section.blocks {
            out.push('\n');
            match block {
                Block::Text(text) => {
                    let _ = writeln!(out, "{}", md(text));
                }
                Block::List(items) => items.iter().for_each(|i| {
                    let _ = writeln!(out, "- {}", md(i));
                }),
                Block::Table { head, rows } => {
                    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
                    out.push_str(&line(head.iter().map(|h| md(h)).collect()));
                    let _ = writeln!(out, "|{}", "---|".repeat(head.len()));
                    rows.iter().for_each(|r| out.push_str(&line(r.iter().map(|(cell, _)| md(cell)).collect())));
                }
            }
        }
    }
    out
}

/// One HTML file that needs no other.
pub fn html(document: &Document) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{}</h1>\n",
        text(&document.title),
        text(&document.title)
    );
    let (class, words) = &document.stands;
    let _ = writeln!(out, "<p class=\"verdict {class}\">{}</p>", text(words));
    if !document.lead.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", text(&document.lead));
    }
    out.push_str("<dl>\n");
    for (name, value) in &document.about {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", text(value));
    }
    out.push_str("</dl>\n</header>\n");
    for section in &document.sections {
        let _ = writeln!(out, "<h2>{}</h2>", section.title);
        section.blocks.iter().for_each(|b| block(&mut out, b));
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn block(out: &mut String, block: &Block) {
    match block {
        Block::Text(words) => {
            let _ = writeln!(out, "<p>{}</p>", text(words));
        }
        Block::List(items) => {
            out.push_str("<ul>\n");
            items.iter().for_each(|i| {
                let _ = writeln!(out, "<li>{}</li>", text(i));
            });
            out.push_str("</ul>\n");
        }
        Block::Table { head, rows } => {
            out.push_str("<table>\n<tr>");
            head.iter().for_each(|h| {
                let _ = write!(out, "<th>{}</th>", text(h));
            });
            out.push_str("</tr>\n");
            for row in rows {
                out.push_str("<tr>");
                for (cell, class) in row {
                    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
                    let _ = write!(out, "<td{class}>{}</td>", text(cell));
                }
                out.push_str("</tr>\n");
            }
            out.push_str("</table>\n");
        }
    }
}

fn text(text: &str) -> String {
    xml(&one_line(text))
}
