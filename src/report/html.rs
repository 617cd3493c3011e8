//! One HTML file: nothing is loaded from elsewhere and nothing runs in it. What to look at comes first.

use std::fmt::Write as _;

use super::escape::{one_line, xml};
use super::{Check, Report, Standing, Verdict, phrase};
use crate::core::summary::duration;

pub(super) const STYLE: &str = include_str!("html.css");

pub fn write(report: &Report) -> String {
    let title = format!("{}: {}", report.cluster, phrase::stands(report));
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n",
        text(&title)
    );
    header(&mut out, report);
    let worst = report.worst_first();
    let (bad, rest): (Vec<&Check>, Vec<&Check>) = worst.into_iter().partition(|c| c.blocks || c.needs_a_look());
    let blocking = bad.iter().copied().filter(|c| c.blocks);
    section(&mut out, report, "In the way", blocking);
    section(&mut out, report, "To look at", bad.iter().copied().filter(|c| !c.blocks));
    section(&mut out, report, "Waived", rest.iter().copied().filter(|c| c.standing == Standing::Waived));
    machines(&mut out, report);
    well(&mut out, report, rest.iter().copied().filter(|c| c.standing != Standing::Waived));
    out.push_str("</body>\n</html>\n");
    out
}

fn header(out: &mut String, report: &Report) {
    let class = match (report.reached, report.ready) {
        (false, _) => "could-not-tell",
        (true, true) => "pass",
        (true, false) => "fail",
    };
    let _ = write!(
        out,
        "<header>\n<h1>Readiness of {}</h1>\n<p class=\"verdict {class}\">{}</p>\n<ul class=\"counts\">\n",
        text(report.cluster),
        text(&phrase::stands(report))
    );
    for (n, word) in phrase::counts(report) {
        let class = if n == 0 { "not-applicable".to_owned() } else { word.replace(' ', "-") };
        let _ = writeln!(out, "<li class=\"badge {class}\">{n} {word}</li>");
    }
    out.push_str("</ul>\n");
    if report.stale > 0 {
        let _ = writeln!(
            out,
            "<p class=\"soft\">{} of those that passed were read too long ago for a start: they are read again first.</p>",
            report.stale
        );
    }
    out.push_str("<dl>\n");
    for (name, value) in phrase::about(report) {
        field(out, name, &text(&value));
    }
    out.push_str("</dl>\n</header>\n");
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
    let _ = writeln!(out, "<h2>{title}</h2>");
    for check in checks {
        article(out, report, check);
    }
}

fn article(out: &mut String, report: &Report, check: &Check) {
    let _ = writeln!(
        out,
        "<article id=\"{id}\">\n<h3>{} {}</h3>\n<p class=\"soft\"><code>{id}</code>, {}, {}; {} of {} good</p>",
        badge(check.standing),
        text(check.title),
        text(check.area),
        phrase::severity(check.severity),
        check.good,
        check.of,
        id = text(check.id),
    );
    out.push_str("<table>\n<tr><th>where</th><th>outcome</th><th>observed</th><th>evidence</th></tr>\n");
    for verdict in check.worst_first() {
        row(out, report, verdict);
    }
    out.push_str("</table>\n<dl>\n");
    field(out, "Expected", &text(check.expected));
    field(out, "Remedy", &text(check.remedy));
    if let Some(fix) = check.fix.filter(|_| check.can_mend()) {
        field(out, "nodelift can", &format!("mend it: it {}", text(fix)));
    }
    if let Some(question) = check.attest {
        field(out, "A person confirms", &text(question));
    }
    if let Some(command) = check.command {
        field(out, "Command", &format!("<pre>{}</pre>", xml(command)));
    }
    field(out, "Source", &text(check.source));
    for verdict in &check.results {
        people(out, verdict);
    }
    out.push_str("</dl>\n");
    history(out, check);
    out.push_str("</article>\n");
}

fn row(out: &mut String, report: &Report, verdict: &Verdict) {
    let _ = write!(
        out,
        "<tr><td>{}</td><td>{}</td><td>{}",
        text(verdict.about),
        badge(verdict.standing),
        text(verdict.saw())
    );
    list(out, verdict.detail.iter().map(|d| text(d)));
    let _ = write!(out, "</td><td>{}", phrase::age(report, verdict));
    list(
        out,
        verdict.facts.iter().map(|f| {
            let asked = f.asked.map_or_else(String::new, |n| format!(" on {}", text(n)));
            let at =
                f.at.map_or_else(|| "not read".to_owned(), |at| format!("{}, {} ms", phrase::time(at), f.took_ms));
            let again = if f.attempts > 1 { format!(", attempt {}", f.attempts) } else { String::new() };
            let error = f.error.map_or_else(String::new, |e| format!(": {}", text(e)));
            format!("<code>{}</code>{asked}, {at}{again}{error}", text(f.group))
        }),
    );
    out.push_str("</td></tr>\n");
}

/// What people did about it.
fn people(out: &mut String, verdict: &Verdict) {
    if let Some(waiver) = phrase::waiver(verdict) {
        field(out, "Waiver", &text(&format!("{}: {waiver}", verdict.about)));
    }
    if let Some(confirmed) = phrase::confirmed(verdict) {
        field(out, "Confirmed", &text(&format!("{}: {confirmed}", verdict.about)));
    }
    for fix in &verdict.fixes {
        field(out, "Fix run", &text(&phrase::fix(fix)));
    }
}

fn history(out: &mut String, check: &Check) {
    if check.results.iter().all(|r| r.history.is_empty()) {
        return;
    }
    out.push_str("<table>\n<tr><th>earlier</th><th>where</th><th>outcome</th><th>observed</th></tr>\n");
    for verdict in &check.results {
        for before in &verdict.history {
            let _ = writeln!(
                out,
                "<tr class=\"soft\"><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                phrase::time(before.at),
                text(verdict.about),
                before.outcome.word(),
                text(before.observed.or(before.why).unwrap_or_default())
            );
        }
    }
    out.push_str("</table>\n");
}

fn machines(out: &mut String, report: &Report) {
    out.push_str(
        "<h2>Machines</h2>\n<table>\n<tr><th>machine</th><th>state</th><th>system</th><th>PowerShell</th>\
         <th>reached by</th></tr>\n",
    );
    for (name, m) in &report.machines {
        let role = if m.coordinator { "<br><span class=\"soft\">coordinator</span>" } else { "" };
        let state = match (m.connected, m.trouble) {
            (true, _) => m.cluster.map_or_else(|| "connected".to_owned(), text),
            (false, Some(trouble)) => {
                let remedy = m.way_out.map_or_else(String::new, |r| format!("<br>{}", text(r)));
                format!("<span class=\"fail\">{}</span>{remedy}", text(trouble))
            }
            (false, None) => "not connected".to_owned(),
        };
        let system = [m.os.map(text), m.display_version.map(text), m.full_build()];
        let system = system.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let powershell =
            [m.powershell, m.language].into_iter().flatten().map(text).collect::<Vec<_>>().join("<br>");
        let _ = writeln!(
            out,
            "<tr><td>{}{role}</td><td>{state}</td><td>{system}</td><td>{powershell}</td><td>{}{}</td></tr>",
            text(name),
            text(m.via.unwrap_or_default()),
            skew(m.skew_ms)
        );
    }
    out.push_str("</table>\n");
}

/// How far its clock is off, where that is worth a word.
fn skew(ms: Option<i64>) -> String {
    match ms {
        Some(ms) if ms.abs() >= 1000 => {
            let way = if ms > 0 { "ahead" } else { "behind" };
            format!("<br><span class=\"soft\">its clock is {} {way}</span>", duration(ms.abs() / 1000))
        }
        _ => String::new(),
    }
}

/// What passed or does not apply, a line a check.
fn well<'c, 'a: 'c>(out: &mut String, report: &Report, checks: impl Iterator<Item = &'c Check<'a>>) {
    out.push_str(
        "<h2>Well</h2>\n<table>\n<tr><th>outcome</th><th>check</th><th>observed</th><th>expected</th>\
         <th>evidence</th></tr>\n",
    );
    for check in checks {
        let _ = write!(
            out,
            "<tr id=\"{id}\"><td>{}</td><td>{}<br><span class=\"soft\"><code>{id}</code>, {}, {}</span></td><td>",
            badge(check.standing),
            text(check.title),
            text(check.area),
            phrase::severity(check.severity),
            id = text(check.id),
        );
        list(out, check.results.iter().map(|v| format!("{}: {}", text(v.about), text(v.saw()))));
        let _ = write!(out, "</td><td>{}</td><td>", text(check.expected));
        let oldest = check.results.iter().filter(|v| v.facts_at.is_some()).min_by_key(|v| v.facts_at);
        if let Some(verdict) = oldest {
            out.push_str(&phrase::age(report, verdict));
        }
        out.push_str("</td></tr>\n");
        // Waived where it once failed, mended, tried again: that stays with it.
        let mut told = String::new();
        check.results.iter().for_each(|v| people(&mut told, v));
        if !told.is_empty() || check.results.iter().any(|r| !r.history.is_empty()) {
            out.push_str("<tr><td></td><td colspan=\"4\">");
            if !told.is_empty() {
                let _ = write!(out, "<dl>\n{told}</dl>\n");
            }
            history(out, check);
            out.push_str("</td></tr>\n");
        }
    }
    out.push_str("</table>\n");
}

fn badge(standing: Standing) -> String {
    let word = standing.word();
    format!("<span class=\"badge {}\">{word}</span>", word.replace(' ', "-"))
}

fn list(out: &mut String, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_some() {
        out.push_str("<ul>");
        items.for_each(|i| {
            let _ = write!(out, "<li>{i}</li>");
        });
        out.push_str("</ul>");
    }
}

/// `value` is HTML.
fn field(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "<dt>{name}</dt><dd>{value}</dd>");
}

fn text(text: &str) -> String {
    xml(&one_line(text))
}
