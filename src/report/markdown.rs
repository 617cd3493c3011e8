//! Markdown that fits a ticket: what is in the way in full, the rest in a line.

use std::fmt::Write as _;

use super::escape::{code, markdown as text};
use super::{Check, Report, Standing, Verdict, phrase};

pub fn write(report: &Report) -> String {
    let mut out = format!("# {}: {}\n\n", text(report.cluster), phrase::stands(report));
    for (name, value) in phrase::about(report) {
        let _ = writeln!(out, "- **{name}**: {}", text(&value));
    }
    let counts: Vec<String> = phrase::counts(report).iter().map(|(n, word)| format!("{n} {word}")).collect();
    let _ = writeln!(out, "- **Checks**: {}", counts.join(", "));
    if report.stale > 0 {
        let _ = writeln!(out, "- **Stale**: {} of those that passed are read again before a start", report.stale);
    }
    let worst = report.worst_first();
    section(&mut out, report, "In the way", worst.iter().copied().filter(|c| c.blocks));
    let others = worst.iter().copied().filter(|c| !c.blocks && c.needs_a_look());
    section(&mut out, report, "To look at", others);
    people(&mut out, report, "Waivers", phrase::waiver);
    people(&mut out, report, "Confirmed by people", phrase::confirmed);
    machines(&mut out, report);
    rest(&mut out, "Passed", &worst, |s| matches!(s, Standing::Pass | Standing::Stale));
    rest(&mut out, "Not applicable", &worst, |s| s == Standing::NotApplicable);
    out
}

fn section<'c, 'a: 'c>(
    out: &mut String,
    report: &Report,
    title: &str,
    checks: impl Iterator<Item = &'c Check<'a>>,
) {
    let mut checks = checks.peekable();
    if checks.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "\n## {title}");
    for check in checks {
        let _ = writeln!(
            out,
            "\n### {}\n\n{}, {}, {}; {} of {} good\n\n| where | outcome | observed | evidence |\n|---|---|---|---|",
            text(check.title),
            code(check.id),
            text(check.area),
            phrase::severity(check.severity),
            check.good,
            check.of
        );
        for verdict in check.worst_first().into_iter().filter(|v| v.standing > Standing::Stale) {
            let mut saw = vec![text(verdict.saw())];
            saw.extend(verdict.detail.iter().map(|d| text(d)));
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                text(verdict.about),
                verdict.standing.word(),
                saw.join("<br>"),
                phrase::age(report, verdict)
            );
        }
        let _ = writeln!(out, "\n- **Expected**: {}", text(check.expected));
        let _ = writeln!(out, "- **Remedy**: {}", text(check.remedy));
        if let Some(fix) = check.fix.filter(|_| check.can_mend()) {
            let _ = writeln!(out, "- **nodelift can mend it**: it {}", text(fix));
        }
        if let Some(question) = check.attest {
            let _ = writeln!(out, "- **A person confirms**: {}", text(question));
        }
        if let Some(command) = check.command {
            let _ = writeln!(out, "- **Command**: {}", code(command));
        }
        let _ = writeln!(out, "- **Source**: {}", text(check.source));
        for fix in check.results.iter().flat_map(|v| v.fixes.iter()) {
            let _ = writeln!(out, "- **Fix run**: {}", text(&phrase::fix(fix)));
        }
    }
}

/// What people took upon themselves, and what they gave their word for.
fn people(out: &mut String, report: &Report, title: &str, said: impl Fn(&Verdict) -> Option<String>) {
    let all = report.checks.iter().flat_map(|c| c.results.iter().map(move |v| (c, v)));
    let lines: Vec<String> = all
        .filter_map(|(c, v)| Some(format!("- {} ({}): {}", text(c.title), text(v.about), text(&said(v)?))))
        .collect();
    if !lines.is_empty() {
        let _ = writeln!(out, "\n## {title}\n\n{}", lines.join("\n"));
    }
}

fn machines(out: &mut String, report: &Report) {
    out.push_str(
        "\n## Machines\n\n| machine | state | build | PowerShell | reached by |\n|---|---|---|---|---|\n",
    );
    for (name, m) in &report.machines {
        let role = if m.coordinator { " (coordinator)" } else { "" };
        let powershell = [m.powershell, m.language].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let state = match (m.connected, m.trouble) {
            (true, _) => m.cluster.unwrap_or("connected"),
            (false, Some(trouble)) => trouble,
            (false, None) => "not connected",
        };
        let _ = writeln!(
            out,
            "| {}{role} | {} | {} | {} | {} |",
            text(name),
            text(state),
            m.full_build().unwrap_or_default(),
            text(&powershell),
            text(m.via.unwrap_or_default())
        );
    }
}

fn rest(out: &mut String, title: &str, checks: &[&Check], which: impl Fn(Standing) -> bool) {
    let ids: Vec<String> = checks.iter().filter(|c| which(c.standing)).map(|c| code(c.id)).collect();
    if !ids.is_empty() {
        let _ = writeln!(out, "\n## {title}\n\n{}", ids.join(", "));
    }
}
