//! `nodelift status`, `ls` and `glance`: how runs stand, without a screen. By the journal, so that it costs an engine nothing.

use std::time::Duration;

use clap::Args;
use color_eyre::eyre::Result;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::runs::{Found, all, find};
use super::{Exit, headless, out};
use crate::config::settings::Settings;
use crate::core::advice::advice;
use crate::core::owed::owed;
use crate::core::run::Phase;
use crate::core::summary::{duration, eta, node_in_work, nodes_done, to_safe_point};

#[derive(Debug, Args)]
pub struct Status {
    /// The cluster, the beginning of a run's name, or its folder; left out: the run that is under way
    run: Option<String>,
    /// As one JSON object
    #[arg(long, conflicts_with = "follow")]
    json: bool,
    /// Print what happens from now on, a line each, until the run ends
    #[arg(short, long)]
    follow: bool,
}

#[derive(Debug, Args)]
pub struct Ls {
    /// Every run that did something, not only the newest of each cluster
    #[arg(short, long)]
    all: bool,
    /// As JSON, one object a run
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct Glance {
    /// The cluster, the beginning of a run's name, or its folder; left out: the run that is under way
    run: Option<String>,
}

impl Status {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let found = match find(settings, self.run.as_deref()) {
            Ok(found) => found,
            Err(why) => {
                eprintln!("nodelift: {why}");
                return Ok(Exit::Usage);
            }
        };
        let now = now(&found);
        if self.json {
            println!("{}", serde_json::to_string_pretty(&object(&found, now))?);
        } else {
            page(&found, now);
        }
        if self.follow && found.live {
            println!();
            headless::look(&found.folder)?;
            return Ok(find(settings, found.folder.to_str()).map_or(Exit::NeedsPerson, |f| exit(&f)));
        }
        Ok(exit(&found))
    }
}

impl Ls {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let runs = all(settings, self.all);
        if self.json {
            for found in &runs {
                println!("{}", object(found, now(found)));
            }
            return Ok(Exit::Succeeded);
        }
        if runs.is_empty() {
            println!("No run is known in {}.", settings.state.join("runs").display());
            return Ok(Exit::Succeeded);
        }
        let widest = |of: fn(&Found) -> &str| runs.iter().map(|f| of(f).chars().count()).max().unwrap_or(0);
        let clusters = widest(|f| &f.state.plan.cluster).max(7);
        println!("{:<clusters$}  {:<22} {:>6}  {:>9}  {:<8} RUN", "CLUSTER", "PHASE", "NODES", "LAST", "ENGINE");
        for found in &runs {
            let s = &found.state;
            let (done, of) = nodes_done(s);
            let last = s.at.map_or_else(String::new, |at| {
                format!("{} ago", duration(now(found).duration_since(at).as_secs()))
            });
            println!(
                "{:<clusters$}  {:<22} {:>6}  {last:>9}  {:<8} {}",
                s.plan.cluster,
                phase(&s.phase),
                format!("{done}/{of}"),
                engine(found),
                found.id().chars().take(18).collect::<String>(),
            );
        }
        Ok(Exit::Succeeded)
    }
}

impl Glance {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        // In a prompt nothing is worth more than silence where nothing is under way.
        let Ok(found) = find(settings, self.run.as_deref()) else { return Ok(Exit::Succeeded) };
        println!("{}", line(&found, now(&found)));
        Ok(exit(&found))
    }
}

/// The time of the run: a lab's engine has a faster clock than this machine.
fn now(found: &Found) -> Timestamp {
    let last = found.state.at.unwrap_or(Timestamp::UNIX_EPOCH);
    match found.state.engine.as_ref().map(|e| e.scale) {
        Some(1.0) | None => Timestamp::now().max(last),
        Some(_) => last,
    }
}

fn phase(phase: &Phase) -> String {
    match phase {
        Phase::Paused(reason) => format!("paused: {reason}"),
        phase => phase.word().to_owned(),
    }
}

fn engine(found: &Found) -> &'static str {
    match (found.live, found.state.needs_engine()) {
        (true, _) => "live",
        (false, true) => "dormant",
        (false, false) => "",
    }
}

/// One line for a prompt: `HCI-CL1 2/4 HCI-N3 installing 41m ~2h left`.
fn line(found: &Found, now: Timestamp) -> String {
    let s = &found.state;
    let (done, of) = nodes_done(s);
    let mut parts = vec![s.plan.cluster.clone()];
    if advice(s, now).urgent || (!found.live && s.needs_engine()) {
        parts.push("!".into());
    }
    match node_in_work(s).filter(|_| s.run.is_some() && !s.phase.is_terminal()) {
        Some((node, unit)) => {
            let since = unit.since.map_or_else(String::new, |at| duration(now.duration_since(at).as_secs()));
            parts.extend([format!("{done}/{of}"), node.to_string(), unit.state.word().to_owned(), since]);
        }
        None => parts.extend([format!("{done}/{of}"), phase(&s.phase)]),
    }
    if found.live
        && let Some((early, _)) = eta(s, now)
    {
        parts.push(format!("~{} left", duration(early.duration_since(now).as_secs())));
    }
    if !found.live && s.needs_engine() {
        parts.push("dormant".into());
    }
    parts.retain(|p| !p.is_empty());
    parts.join(" ")
}

fn page(found: &Found, now: Timestamp) {
    let s = &found.state;
    let since = s
        .phase_since
        .map_or_else(String::new, |at| format!(", for {}", duration(now.duration_since(at).as_secs())));
    println!("{}  {}", s.plan.cluster, s.plan.runbook.title);
    println!("{}", out::wrap(&format!("{}{since}: {}", phase(&s.phase), s.phase_why), 2));
    if let Some(first) = s.run.as_ref().and_then(|r| r.first_error.as_ref()) {
        println!("{}", out::wrap(&format!("first error: {}", first.value), 2));
    }
    println!();
    for node in &s.plan.nodes {
        let build = s.machines.get(node).and_then(|m| m.build()).map_or_else(String::new, |b| b.to_string());
        let (word, since, why) = match s.unit(node) {
            Some(u) => (u.state.word(), u.since, u.why.as_str()),
            None => ("", None, ""),
        };
        let since = since.map_or_else(String::new, |at| duration(now.duration_since(at).as_secs()));
        println!("  {node:<16}{build:<8}{word:<14}{since:>7}  {why}");
    }
    println!();
    println!("{}", out::wrap(&advice(s, now).text, 2));
    if let Some(left) = to_safe_point(s, now) {
        println!("  Next safe point in about {}.", duration(left as i64));
    }
    for owed in owed(s) {
        println!("{}", out::wrap(&format!("Owed: {}", owed.what()), 2));
    }
    match s.seats.controller() {
        Some((_, seat)) if found.live => println!("  {} has control, from {}.", seat.who, seat.from),
        _ if found.live => println!("  Nobody looks. nodelift attach {}", s.plan.cluster),
        _ if s.needs_engine() => println!("  No engine drives it. nodelift recover {}", s.plan.cluster),
        _ => {}
    }
}

/// What somebody who takes over has to know: how it stands, what was waived, who agreed to what (run-safety-model 13).
pub fn brief(found: &Found) {
    let s = &found.state;
    page(found, now(found));
    for waiver in &s.waivers {
        let title = s.plan.check(&waiver.key.check).map_or(&*waiver.key.check, |c| &c.title);
        let until = waiver.expires.strftime("%F %H:%M UTC");
        println!(
            "{}",
            out::wrap(&format!("Waived by {} until {until}: {title}: {}", waiver.by, waiver.reason), 2)
        );
    }
}

/// The same for programs. Names of fields stay as they are.
fn object(found: &Found, now: Timestamp) -> Json {
    let s = &found.state;
    let (done, of) = nodes_done(s);
    let advice = advice(s, now);
    let nodes: Vec<Json> = s
        .plan
        .nodes
        .iter()
        .map(|node| {
            let unit = s.unit(node);
            json!({
                "name": node,
                "build": s.machines.get(node).and_then(|m| m.build()),
                "state": unit.map(|u| u.state.word()),
                "since": unit.and_then(|u| u.since),
                "why": unit.map(|u| &u.why),
                "boots": unit.map(|u| u.boots),
            })
        })
        .collect();
    json!({
        "run": found.id(),
        "folder": found.folder,
        "cluster": s.plan.cluster,
        "runbook": s.plan.runbook.id,
        "target": s.plan.target.version,
        "phase": phase(&s.phase),
        "why": s.phase_why,
        "since": s.phase_since,
        "at": s.at,
        "engine": engine(found),
        "done": done,
        "nodes_total": of,
        "nodes": nodes,
        "needs_person": advice.urgent,
        "advice": advice.text,
        "first_error": s.run.as_ref().and_then(|r| r.first_error.as_ref()).map(|e| &e.value),
        "verdict": s.verdict.map(|v| format!("{v:?}")),
        "safe_point_seconds": to_safe_point(s, now),
        "ends": eta(s, now).map(|(early, late)| json!({ "early": early, "late": late })),
        "owed": owed(s).iter().map(|o| o.what()).collect::<Vec<_>>(),
        "controller": s.seats.controller().filter(|_| found.live).map(|(_, seat)| &seat.who),
        "plan_sha256": s.plan_sha256,
    })
}

/// How the run stands, as an exit code (run-safety-model 13).
fn exit(found: &Found) -> Exit {
    use crate::core::run::RunVerdict;
    match (&found.state.verdict, &found.state.phase) {
        (Some(RunVerdict::Succeeded), _) => Exit::Succeeded,
        (Some(RunVerdict::SucceededWithIssues), _) => Exit::WithIssues,
        (Some(_), _) => Exit::Failed,
        (None, Phase::Blocked) => Exit::Blocked,
        (None, _) if found.state.needs_engine() && !found.live => Exit::NeedsPerson,
        (None, Phase::Paused(_) | Phase::AwaitingCommit) => Exit::NeedsPerson,
        (None, _) => Exit::Succeeded,
    }
}

/// How long an engine may take to answer.
pub const ANSWER: Duration = Duration::from_secs(20);
