//! Readiness as lines on a terminal.

use std::path::Path;

use super::out;
use crate::core::command::plural;
use crate::report::{Check, Report, Standing};

/// Prints what is not good, or all, and how it stands. `warnings`: they count like blockers. `inventory`: what a run would be opened with.
pub fn print(report: &Report, all: bool, warnings: bool, inventory: Option<&Path>) {
    if !report.reached {
        println!("\n{}: no node can be reached, nothing was judged", report.cluster);
        return;
    }
    let mut area = "";
    let mut mended = 0;
    for check in &report.checks {
        if !all && check.standing <= Standing::Stale {
            continue;
        }
        if area != check.area {
            area = check.area;
            println!("\n{area}");
        }
        print_check(check);
        mended += usize::from(check.fix.is_some() && check.can_mend());
    }
    if let Some(inventory) = inventory.filter(|_| mended > 0) {
        println!("\nnodelift can mend {}: nodelift run -i {}", plural(mended, "check"), inventory.display());
    }
    let stands = match (report.blockers, &report.only) {
        (0, None) if warnings && report.has_warnings() => "no blocker, but warnings: --fail-on warning".to_owned(),
        (0, None) => "ready".to_owned(),
        (0, Some(_)) => "nothing in the way".to_owned(),
        (n, _) => plural(n, "blocker"),
    };
    let waived = if report.waived > 0 { format!(", {} waived", report.waived) } else { String::new() };
    println!(
        "\n{}: {stands}\n{} pass, {} warn, {} fail, {} could not tell, {} not applicable{waived}",
        report.cluster, report.pass, report.warn, report.fail, report.could_not_tell, report.not_applicable
    );
    if let Some(only) = &report.only {
        let asked = only.nodes.iter().chain(&only.checks).map(String::as_str).collect::<Vec<_>>().join(", ");
        println!("{}", out::wrap(&format!("Only {asked} was looked at: that says nothing of the rest."), 0));
    }
}

fn print_check(check: &Check) {
    let word = if check.standing == Standing::NotApplicable { "n/a" } else { check.standing.word() };
    println!("  {word:<14} {:<52} {:>2} of {}", check.title, check.good, check.of);
    let bad = check.worst_first().into_iter().filter(|v| v.standing > Standing::Stale);
    for verdict in bad {
        let place = verdict.node.map_or_else(String::new, |n| format!("{n}: "));
        println!("{}", out::wrap(&format!("{place}{}", verdict.saw()), 17));
        for row in verdict.detail {
            println!("{}", out::wrap(row, 19));
        }
    }
    if check.standing > Standing::Stale {
        println!("{}", out::wrap(&format!("expected: {}", check.expected), 17));
        println!("{}", out::wrap(check.remedy, 17));
        if let Some(changes) = check.fix.filter(|_| check.can_mend()) {
            println!("{}", out::wrap(&format!("nodelift run: f there {changes}"), 17));
        }
    }
}
