//! What people read of a run, and in which order: the same for every format.

use super::nodes::Node;
use super::timeline::Entry;
use super::{RunReport, Sent};
use crate::core::command::plural;
use crate::core::log::Level;
use crate::core::plan::{Mode, Stage};
use crate::core::run::RunVerdict;
use crate::core::summary::duration;
use crate::report::phrase::time;

/// A page of text: every word of it is plain, whoever writes it escapes it.
#[derive(Clone, Debug)]
pub struct Document {
    pub title: String,
    /// How it stands: a class of the style sheet, and words.
    pub stands: (&'static str, String),
    /// One sentence more.
    pub lead: String,
    pub about: Vec<(&'static str, String)>,
    pub sections: Vec<Section>,
}

/// A heading and what stands under it.
#[derive(Clone, Debug)]
pub struct Section {
    pub title: &'static str,
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug)]
pub enum Block {
    Text(String),
    List(Vec<String>),
    Table {
        head: Vec<String>,
        /// Cells with a class of the style sheet where it says something.
        rows: Vec<Vec<(String, &'static str)>>,
    },
}

/// The page of a run.
pub fn of(r: &RunReport) -> Document {
    let class = match (r.over, r.verdict) {
        (false, _) => "could-not-tell",
        (true, Some(RunVerdict::Succeeded)) => "pass",
        (true, Some(RunVerdict::SucceededWithIssues)) => "warn",
        _ => "fail",
    };
    let mut sections = Vec::new();
    let mut add = |title, blocks: Vec<Block>| sections.push(Section { title, blocks });
    if let Some(first) = &r.first_error {
        let later = r.errors.len().saturating_sub(1);
        let mut blocks = vec![Block::Text(told(first))];
        if later > 0 {
            blocks.push(Block::Text(format!("{} came later: they may come of this one.", plural(later, "error"))));
        }
        add("First error", blocks);
    }
    if !r.left.is_empty() {
        add("Left to do", vec![Block::List(r.left.iter().map(|l| joined(&l.what, &l.why)).collect())]);
    }
    add("Nodes", nodes(r));
    if let Some(table) = durations(r) {
        add("Durations", table);
    }
    changes(r, &mut add);
    if !r.gates_passed.is_empty() {
        let row = |p: &super::gates::Passed| {
            format!("{}: {} was begun although {} was closed: {}", time(p.at), p.node, p.title, p.why)
        };
        add("Closed gates that were passed", vec![Block::List(r.gates_passed.iter().map(row).collect())]);
    }
    if !r.waivers.is_empty() {
        let row = |w: &super::gates::Waived| {
            let node = w.node.as_ref().map_or_else(String::new, |n| format!("{n}: "));
            format!("{node}{}: waived by {} until {}: {}", w.what, w.by, time(w.expires), w.reason)
        };
        add("Waivers", vec![Block::List(r.waivers.iter().map(row).collect())]);
    }
    if !r.people.is_empty() {
        add("What people said", vec![people(r)]);
    }
    if !r.commands.is_empty() {
        add("What was sent", vec![commands(&r.commands)]);
    }
    add("Timeline", vec![timeline(r)]);
    Document {
        title: format!("{}: {}", r.cluster, r.stands()),
        stands: (class, r.stands()),
        lead: r.message.clone(),
        about: about(r),
        sections,
    }
}

fn about(r: &RunReport) -> Vec<(&'static str, String)> {
    let mode = match r.mode {
        Mode::Delegated => format!("{} moved the nodes; gates observed", r.driver),
        Mode::Direct => "nodelift moved the nodes itself; gates held".to_owned(),
    };
    let engines = r.engines.iter().map(|e| format!("{} on {} as {}", e.version, e.host, e.user));
    let mut who: Vec<String> = engines.collect();
    who.dedup();
    let again = match r.engines.len() {
        0 | 1 => String::new(),
        n => format!("; started {n} times"),
    };
    let took =
        r.started_at.zip(r.ended_at.or(r.last_at)).map(|(from, to)| duration(to.duration_since(from).as_secs()));
    let open = "the journal ends without the end of the run: it goes on, or its engine is gone";
    let rows = [
        ("Cluster", Some(r.cluster.clone())),
        ("Runbook", Some(format!("{} ({})", r.runbook_title, r.runbook))),
        ("Document", Some(r.source.clone())),
        ("Change", r.change.clone()),
        ("Window", r.window.clone()),
        ("Target", Some(format!("{}, build {}", r.target, r.target_build))),
        ("Driver", Some(mode)),
        (
            "Started",
            r.started_at.map(|at| format!("{}, by {}", time(at), r.started_by.as_deref().unwrap_or("nobody"))),
        ),
        ("Ended", r.ended_at.map(time)),
        ("Last word", (!r.over).then_some(r.last_at).flatten().map(|at| format!("{}; {open}", time(at)))),
        ("Took", took),
        ("nodelift", (!who.is_empty()).then(|| who.join("; ") + &again)),
        ("Plan SHA-256", r.plan_sha256.clone()),
        ("Last event", Some(r.event.to_string())),
        ("Journal head", r.journal.clone()),
        ("Journal", r.flaw.as_ref().map(|f| format!("{f}. The report ends there"))),
        ("Note", r.imitated.then(|| "the machines are imitated".to_owned())),
    ];
    rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn nodes(r: &RunReport) -> Vec<Block> {
    let head = ["node", "state", "why", "build", "starts seen", "took"].map(str::to_owned).to_vec();
    let row = |n: &Node| {
        let class = if n.good { "pass" } else { "fail" };
        let build = match (n.build_before, n.build) {
            (Some(a), Some(b)) if a != b => format!("{a} → {b}"),
            (a, b) => b.or(a).map_or_else(String::new, |b| b.to_string()),
        };
        let took = n.from.zip(n.to).map(|(a, b)| duration(b.duration_since(a).as_secs()));
        vec![
            (n.name.clone(), ""),
            (n.state.to_owned(), class),
            (n.why.clone(), ""),
            (build, ""),
            (n.boots.to_string(), ""),
            (took.unwrap_or_default(), ""),
        ]
    };
    vec![Block::Table { head, rows: r.nodes.iter().map(row).collect() }]
}

/// A row a stage, a column a node, beside what is usual.
fn durations(r: &RunReport) -> Option<Vec<Block>> {
    let has = |s: &Stage| r.nodes.iter().any(|n| n.stages.iter().any(|x| x.stage == *s));
    let stages: Vec<Stage> = Stage::TRACK.into_iter().filter(has).collect();
    if stages.is_empty() {
        return None;
    }
    let mut head = vec!["stage".to_owned(), "usual".to_owned()];
    head.extend(r.nodes.iter().map(|n| n.name.clone()));
    let row = |stage: &Stage| {
        let all: Vec<_> = r.nodes.iter().map(|n| n.stages.iter().find(|s| s.stage == *stage)).collect();
        let usual = all.iter().flatten().map(|s| s.usual).find(|u| *u > 0);
        let mut row =
            vec![(stage.word().to_owned(), ""), (usual.map_or_else(String::new, |u| duration(u as i64)), "")];
        row.extend(all.into_iter().map(|s| match s {
            None => (String::new(), ""),
            Some(s) if s.limit > 0 && s.seconds > s.limit => {
                (format!("{}, too long", duration(s.seconds as i64)), "warn")
            }
            Some(s) => (duration(s.seconds as i64), ""),
        }));
        row
    };
    Some(vec![Block::Table { head, rows: stages.iter().map(row).collect() }])
}

fn changes(r: &RunReport, add: &mut impl FnMut(&'static str, Vec<Block>)) {
    let mut rows = Vec::new();
    for n in &r.nodes {
        for f in &n.unexplained {
            let known = f.known.as_ref().map_or_else(String::new, |k| format!("; {k}"));
            let remedy = f.remedy.as_ref().map_or_else(String::new, |r| format!(". {r}"));
            rows.push(format!("{}: {}: not explained{known}{remedy}", n.name, f.text));
        }
        for a in &n.accepted {
            let what = a.changes.join("; ");
            rows.push(format!("{}: {what}: accepted by {} at {}: {}", n.name, a.by, time(a.at), a.reason));
        }
        if n.unexplained.is_empty() && n.accepted.is_empty() && n.compared {
            let expected: u32 = n.expected_changes.values().sum();
            let all = plural(expected as usize, "expected change");
            rows.push(format!("{}: as it was before; {all}", n.name));
        }
    }
    if !rows.is_empty() {
        add("Compared with before", vec![Block::List(rows)]);
    }
}

fn people(r: &RunReport) -> Block {
    let head = ["when", "who", "what", "typed", "reason", "shown"].map(str::to_owned).to_vec();
    let row = |s: &super::people::Said| {
        vec![
            (time(s.at), ""),
            (s.by.clone(), ""),
            (s.what.clone(), ""),
            (s.typed.clone().unwrap_or_default(), ""),
            (s.reason.clone().unwrap_or_default(), ""),
            (s.shown.join(" · "), ""),
        ]
    };
    Block::Table { head, rows: r.people.iter().map(row).collect() }
}

fn commands(all: &[Sent]) -> Block {
    let head = ["when", "where", "what", "what came of it"].map(str::to_owned).to_vec();
    let row = |s: &Sent| {
        let results: Vec<String> =
            s.results.iter().map(|x| format!("{} {}", x.at.strftime("%H:%M:%S"), x.text)).collect();
        let came = if results.is_empty() {
            ("nobody knows".to_owned(), "could-not-tell")
        } else {
            (results.join(" · "), "")
        };
        let by = s.by.as_ref().map_or_else(String::new, |b| format!(" (asked by {b})"));
        vec![(time(s.at), ""), (s.node.clone().unwrap_or_default(), ""), (format!("{}{by}", s.what), ""), came]
    };
    Block::Table { head, rows: all.iter().map(row).collect() }
}

fn timeline(r: &RunReport) -> Block {
    let head = ["when", "where", "source", "what"].map(str::to_owned).to_vec();
    let first = r.first_error.as_ref();
    let row = |e: &Entry| {
        let class = match e.level {
            Level::Error => "fail",
            Level::Warning => "warn",
            _ => "",
        };
        let pinned = first.is_some_and(|f| f.at == e.at && f.text == e.text);
        let text = if pinned { format!("FIRST ERROR: {}", e.text) } else { e.text.clone() };
        vec![(time(e.at), ""), (e.node.clone().unwrap_or_default(), ""), (e.source.clone(), ""), (text, class)]
    };
    Block::Table { head, rows: r.timeline.iter().map(row).collect() }
}

/// An entry as one line.
fn told(e: &Entry) -> String {
    let node = e.node.as_ref().map_or_else(String::new, |n| format!("{n}: "));
    format!("{}, {node}{}", time(e.at), e.text)
}

fn joined(what: &str, why: &str) -> String {
    if why.is_empty() { what.to_owned() } else { format!("{what}: {why}") }
}
