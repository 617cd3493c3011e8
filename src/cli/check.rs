//! `nodelift check`: readiness without the screen. Reads only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use color_eyre::eyre::{Result, WrapErr};
use jiff::Timestamp;
use serde::Serialize;

use super::{Exit, hosts, out, secrets, session, site};
use crate::config::settings::Settings;
use crate::core::command::{blockers, is_bad, plural};
use crate::core::event::{EngineInfo, Outcome};
use crate::core::plan::{Moment, Severity};
use crate::core::run::Phase;
use crate::core::state::State;
use crate::core::summary::check_row;
use crate::engine::Setup;
use crate::journal::Journal;
use crate::link::{FromEngine, PROTOCOL, Reader, ToEngine, Writer};
use crate::logs::Logs;

#[derive(Debug, Args)]
pub struct Check {
    /// The inventory of the cluster
    #[arg(short, long, value_name = "FILE", default_value = "inventory.toml")]
    inventory: PathBuf,
    /// Another runbook than the inventory's
    #[arg(long, value_name = "ID")]
    runbook: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show passed checks as well
    #[arg(short, long)]
    all: bool,
}

impl Check {
    /// Checks that inventory, as a person reads it.
    pub fn of(inventory: &str) -> Self {
        Self { inventory: PathBuf::from(inventory), runbook: None, json: false, all: false }
    }

    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let (inventory, plan) = match site::read_inventory(&self.inventory, settings, self.runbook.as_deref()) {
            Ok(pair) => pair,
            Err(exit) => return Ok(exit),
        };
        let secrets = match secrets::gather(&inventory, secrets::Need::Login) {
            Ok(s) => s,
            Err(exit) => return Ok(exit),
        };
        let hosts = hosts::all(&inventory, &secrets)?;
        let scale = inventory.scale;
        let (engine, stream) = session::start(move || {
            Ok(Setup {
                plan_sha256: crate::journal::sha256(&serde_json::to_vec(&*plan)?),
                plan,
                history: Vec::new(),
                journal: Journal::in_memory(),
                logs: Logs::in_memory(),
                hosts,
                vault: secrets.vault(),
                clock: site::clock(&inventory),
                info: EngineInfo {
                    version: env!("CARGO_PKG_VERSION").into(),
                    host: session::host(),
                    user: session::actor(),
                    scale,
                    imitated: inventory.lab,
                },
                run_id: "check".into(),
                instance: "check".into(),
                epoch: 0,
                actor: session::actor(),
                read_only: true,
                check_first: true,
                folder: None,
            })
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let state =
            runtime.block_on(follow(stream, !self.json)).wrap_err("the engine left before the checks ended")?;
        engine.join()?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report(&state))?);
        } else {
            print(&state, self.all, &self.inventory);
        }
        Ok(exit(&state))
    }
}

/// Folds what the engine says until every check is judged.
async fn follow(stream: tokio::io::DuplexStream, progress: bool) -> Result<State> {
    let (read, write) = tokio::io::split(stream);
    let (mut from, mut to) = (Reader::new(read), Writer::new(write));
    to.send(&ToEngine::Hello { protocol: PROTOCOL }).await?;
    let mut state: Option<State> = None;
    loop {
        match from.next::<FromEngine>().await? {
            FromEngine::Hello(hello) => state = Some(State::new((*hello.plan).into())),
            FromEngine::Event(event) => {
                let Some(state) = &mut state else { continue };
                state.apply(&event);
                if progress && let crate::core::event::Event::ConnectionChanged { node, connection } = &event.event
                {
                    use crate::core::connection::Connection;
                    match connection {
                        Connection::Ready(h) => eprintln!("{node}: {}, PowerShell {}", h.via, h.ps),
                        Connection::Trouble(t) => {
                            eprintln!("{}", out::wrap(&format!("{node}: {}. {}", t.message, t.remedy), 0));
                        }
                        _ => {}
                    }
                }
                if matches!(state.phase, Phase::Blocked | Phase::Ready) {
                    to.send(&ToEngine::Quit).await?;
                    return Ok(state.clone());
                }
            }
            FromEngine::Bye { why } => color_eyre::eyre::bail!(why),
            _ => {}
        }
    }
}

fn exit(state: &State) -> Exit {
    let now = state.at.unwrap_or(Timestamp::UNIX_EPOCH);
    let at_target =
        |n| state.machines.get(n).and_then(|m| m.build()).is_some_and(|b| b >= state.plan.target.build);
    if is_out_of_reach(state) {
        Exit::Unreachable
    } else if state.plan.nodes.iter().all(at_target) {
        Exit::NothingToDo
    } else if blockers(state, now) > 0 {
        Exit::Blocked
    } else {
        Exit::Succeeded
    }
}

/// Not one node of the cluster answered.
fn is_out_of_reach(state: &State) -> bool {
    state.plan.nodes.iter().all(|n| !state.connection(n).is_ready())
}

fn print(state: &State, all: bool, inventory: &Path) {
    let now = state.at.unwrap_or(Timestamp::UNIX_EPOCH);
    if is_out_of_reach(state) {
        println!("\n{}: no node can be reached, nothing was judged", state.plan.cluster);
        return;
    }
    let mut area = "";
    let mut mended = 0;
    for check in state.plan.checks.iter().filter(|c| c.moment == Moment::Before) {
        let row = check_row(state, check, now);
        let outcome = row.outcome.unwrap_or(Outcome::CouldNotTell);
        if !all && !is_bad(outcome) {
            continue;
        }
        if area != check.area {
            area = &check.area;
            println!("\n{area}");
        }
        println!("  {:<14} {:<52} {:>2} of {}", outcome.word(), check.title, row.good, row.of);
        for key in &row.bad {
            let Some(v) = state.verdict_of(key) else { continue };
            let place = key.node.as_ref().map_or_else(String::new, |n| format!("{n}: "));
            let saw = v.value.observed.as_deref().or(v.value.why.as_deref()).unwrap_or("");
            println!("{}", out::wrap(&format!("{place}{saw}"), 17));
            for row in &v.value.detail {
                println!("{}", out::wrap(row, 19));
            }
        }
        if is_bad(outcome) {
            println!("{}", out::wrap(&format!("expected: {}", check.expect), 17));
            println!("{}", out::wrap(&check.remedy, 17));
            if let Some(fix) = &check.fix {
                mended += 1;
                println!("{}", out::wrap(&format!("nodelift {}: key f", fix.changes), 17));
            }
        }
    }
    let r = report(state);
    if mended > 0 {
        println!("\nnodelift can mend {}: nodelift run -i {}", plural(mended, "check"), inventory.display());
    }
    let stands = match r.blockers {
        0 => "ready".to_owned(),
        n => plural(n, "blocker"),
    };
    println!(
        "\n{}: {stands}\n{} pass, {} warn, {} fail, {} could not tell, {} not applicable",
        r.cluster, r.pass, r.warn, r.fail, r.could_not_tell, r.not_applicable
    );
}

/// What `--json` prints. Ids are stable; fields are only ever added.
#[derive(Serialize)]
struct Report<'a> {
    cluster: &'a str,
    runbook: &'a str,
    target: &'a str,
    at: Option<Timestamp>,
    ready: bool,
    blockers: usize,
    pass: usize,
    warn: usize,
    fail: usize,
    could_not_tell: usize,
    not_applicable: usize,
    machines: BTreeMap<&'a str, Machine<'a>>,
    checks: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Machine<'a> {
    connected: bool,
    trouble: Option<&'a str>,
    build: Option<u64>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    title: &'a str,
    area: &'a str,
    severity: Severity,
    outcome: Option<Outcome>,
    expected: &'a str,
    remedy: &'a str,
    source: &'a str,
    results: Vec<Verdict<'a>>,
}

#[derive(Serialize)]
struct Verdict<'a> {
    node: Option<&'a str>,
    outcome: Outcome,
    observed: Option<&'a str>,
    why: Option<&'a str>,
    detail: &'a [String],
    facts_at: Option<Timestamp>,
}

fn report(state: &State) -> Report<'_> {
    let now = state.at.unwrap_or(Timestamp::UNIX_EPOCH);
    let c = crate::core::summary::counts(state, now);
    let blockers = blockers(state, now);
    let checks = state
        .plan
        .checks
        .iter()
        .filter(|c| c.moment == Moment::Before)
        .map(|check| Row {
            id: &check.id,
            title: &check.title,
            area: &check.area,
            severity: check.severity,
            outcome: check_row(state, check, now).outcome,
            expected: &check.expect,
            remedy: &check.remedy,
            source: &check.source,
            results: state
                .checks
                .range(crate::core::event::VerdictKey { check: check.id.clone(), node: None }..)
                .take_while(|(k, _)| k.check == check.id)
                .filter_map(|(k, v)| {
                    let v = v.current.as_ref()?;
                    Some(Verdict {
                        node: k.node.as_ref().map(|n| n.as_str()),
                        outcome: v.value.outcome,
                        observed: v.value.observed.as_deref(),
                        why: v.value.why.as_deref(),
                        detail: &v.value.detail,
                        facts_at: v.value.facts_at,
                    })
                })
                .collect(),
        })
        .collect();
    Report {
        cluster: &state.plan.cluster,
        runbook: &state.plan.runbook.id,
        target: &state.plan.target.version,
        at: state.at,
        ready: blockers == 0,
        blockers,
        pass: c.pass,
        warn: c.warn,
        fail: c.fail,
        could_not_tell: c.unknown,
        not_applicable: c.not_applicable,
        machines: state
            .machines
            .iter()
            .map(|(n, m)| {
                let trouble = match &m.connection {
                    crate::core::connection::Connection::Trouble(t) => Some(t.message.as_str()),
                    _ => None,
                };
                (n.as_str(), Machine { connected: m.connection.is_ready(), trouble, build: m.build() })
            })
            .collect(),
        checks,
    }
}
