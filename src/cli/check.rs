//! `nodelift check`: readiness without the screen. Reads only.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use color_eyre::eyre::{Result, WrapErr};

use super::documents::Documents;
use super::{Exit, hosts, out, readiness, secrets, session, site};
use crate::config::diagnose::{did_you_mean, suggest};
use crate::config::settings::Settings;
use crate::core::connection::Connection;
use crate::core::event::{EngineInfo, Event};
use crate::core::log::AWAITS;
use crate::core::name::NodeName;
use crate::core::plan::{Moment, Plan};
use crate::core::run::Phase;
use crate::core::state::State;
use crate::engine::Setup;
use crate::journal::Journal;
use crate::link::{FromEngine, PROTOCOL, Reader, ToEngine, Writer};
use crate::logs::Logs;
use crate::report::{Only, Report};

#[derive(Debug, Args)]
pub struct Check {
    /// The inventory of the cluster
    #[arg(short, long, value_name = "FILE", default_value = "inventory.toml")]
    inventory: PathBuf,
    /// Another runbook than the inventory's
    #[arg(long, value_name = "ID")]
    runbook: Option<String>,
    #[command(flatten)]
    given: site::Given,
    /// Look only at this node; may be given several times
    #[arg(long = "node", value_name = "NAME")]
    nodes: Vec<String>,
    /// Ask only this check; may be given several times
    #[arg(long = "check", value_name = "ID")]
    checks: Vec<String>,
    /// What ends with code 3
    #[arg(long, value_name = "WHAT", default_value = "blocker")]
    fail_on: FailOn,
    /// Show passed checks as well
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    documents: Documents,
}

/// The mildest thing that counts as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// What is in the way of the start
    Blocker,
    /// Whatever is not good and not waived
    Warning,
}

impl Check {
    /// Checks that inventory, as a person reads it.
    pub fn of(inventory: &str) -> Self {
        Self {
            inventory: PathBuf::from(inventory),
            runbook: None,
            given: site::Given::default(),
            nodes: Vec::new(),
            checks: Vec::new(),
            fail_on: FailOn::Blocker,
            all: false,
            documents: Documents::default(),
        }
    }

    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let (inventory, plan) =
            match site::read_inventory(&self.inventory, settings, self.runbook.as_deref(), &self.given) {
                Ok(pair) => pair,
                Err(exit) => return Ok(exit),
            };
        let wanted = self.documents.check().and_then(|()| self.narrow(&plan));
        let (plan, only) = match wanted {
            Ok(pair) => pair,
            Err(why) => {
                eprintln!("nodelift: {why}");
                return Ok(Exit::Usage);
            }
        };
        let secrets = match secrets::gather(&inventory, secrets::Need::Login) {
            Ok(s) => s,
            Err(exit) => return Ok(exit),
        };
        let mut hosts = hosts::all(&inventory, &secrets)?;
        hosts.retain(|name, _| plan.machines().any(|n| n == name));
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
                read_only: true,
                check_first: true,
                folder: None,
            })
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let progress = !self.documents.take_standard_output();
        let state =
            runtime.block_on(follow(stream, progress)).wrap_err("the engine left before the checks ended")?;
        engine.join()?;
        let report = Report::of(&state, only);
        let warnings = self.fail_on == FailOn::Warning;
        if progress {
            readiness::print(&report, self.all, warnings, Some(&self.inventory));
        }
        self.documents.write(&report, warnings)?;
        Ok(exit(&state, &report, warnings))
    }

    /// The plan with only what is asked for.
    fn narrow(&self, plan: &Arc<Plan>) -> Result<(Arc<Plan>, Only), String> {
        let nodes: Vec<NodeName> = self.nodes.iter().map(|n| NodeName::new(n)).collect();
        if let Some(node) = nodes.iter().find(|n| !plan.nodes.contains(n)) {
            if plan.coordinator.as_ref() == Some(node) {
                return Err(format!(
                    "--node {node}: that is the coordinator; name nodes of the cluster, or a --check"
                ));
            }
            let names: Vec<&str> = plan.nodes.iter().map(NodeName::as_str).collect();
            return Err(format!("--node {node}: there is no such node: {}", suggest(node.as_str(), names)));
        }
        let before = || plan.checks.iter().filter(|c| c.moment == Moment::Before).map(|c| c.id.as_str());
        if let Some(id) = self.checks.iter().find(|id| before().all(|known| known != **id)) {
            let meant = did_you_mean(id, before()).map_or_else(String::new, |w| format!(": did you mean `{w}`?"));
            return Err(format!("--check {id}: there is no such readiness check{meant}"));
        }
        let only = Only { nodes: nodes.iter().map(NodeName::to_string).collect(), checks: self.checks.clone() };
        if only.is_all() {
            return Ok((plan.clone(), only));
        }
        let narrow = plan.narrowed(&nodes, &self.checks);
        if let Some(id) = self.checks.iter().find(|id| narrow.check(id).is_none()) {
            return Err(format!("--check {id}: it is not asked of single nodes; leave --node out"));
        }
        Ok((Arc::new(narrow), only))
    }
}

/// Folds what the engine says until every check is judged.
async fn follow(stream: tokio::io::DuplexStream, progress: bool) -> Result<State> {
    let (read, write) = tokio::io::split(stream);
    let (mut from, mut to) = (Reader::new(read), Writer::new(write));
    to.send(&ToEngine::Hello { protocol: PROTOCOL, looks_only: true }).await?;
    let mut state: Option<State> = None;
    loop {
        match from.next::<FromEngine>().await? {
            FromEngine::Hello(hello) => state = Some(*hello.state),
            FromEngine::Event(event) => {
                let Some(state) = &mut state else { continue };
                state.apply(&event);
                if let Some(line) = aside(&event.event, progress) {
                    eprintln!("{line}");
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

/// What a person is told meanwhile, on the error output.
fn aside(event: &Event, progress: bool) -> Option<String> {
    match event {
        // Nothing goes on before somebody has done it: it is said wherever the document goes.
        Event::PersonAwaited { node, text, .. } => Some(out::wrap(&format!("{node}: {AWAITS}{text}"), 0)),
        Event::ConnectionChanged { node, connection } if progress => match connection {
            Connection::Ready(h) => Some(format!("{node}: {}, PowerShell {}", h.via, h.ps)),
            Connection::Trouble(t) => Some(out::wrap(&format!("{node}: {}. {}", t.message, t.remedy), 0)),
            _ => None,
        },
        _ => None,
    }
}

fn exit(state: &State, report: &Report, warnings: bool) -> Exit {
    let at_target =
        |n| state.machines.get(n).and_then(|m| m.build()).is_some_and(|b| b >= state.plan.target.build);
    let foreign = state.in_trouble().any(|(_, t)| t.kind.is_host_key());
    if !report.reached || foreign {
        Exit::Unreachable
    } else if report.only.is_none() && state.plan.nodes.iter().all(at_target) {
        Exit::NothingToDo
    } else if !report.ready || (warnings && report.has_warnings()) {
        Exit::Blocked
    } else {
        Exit::Succeeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{ReadKey, Waiting};

    #[test]
    fn what_waits_for_a_person_is_said_whatever_is_printed() {
        let node = NodeName::new("HCI-N1");
        let of = Waiting::Read(ReadKey { group: "azure_resource".into(), node: None });
        let text = "enter the code F7Q2LZ8KN at https://microsoft.com/devicelogin".to_owned();
        let event = Event::PersonAwaited { of, node: node.clone(), text };
        for progress in [true, false] {
            let line = aside(&event, progress).expect("it is said");
            let words: Vec<&str> = line.split_whitespace().collect();
            let said = "HCI-N1: waits for a person: enter the code F7Q2LZ8KN at https://microsoft.com/devicelogin";
            assert_eq!(words.join(" "), said);
        }
        let connecting = Event::ConnectionChanged { node, connection: Connection::Connecting };
        assert_eq!(aside(&connecting, true), None);
    }
}
