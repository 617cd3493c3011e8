//! What must be open before the next node is touched (run-safety-model 9.1). Where a driver moves the nodes we cannot hold
//! it back: the gates are observed then, and shown red when it goes on regardless. Unreadable is closed.

use std::borrow::Cow;

use jiff::Timestamp;

use super::event::VerdictKey;
use super::gate_rules::GateRule;
use super::plan::Mode;
use super::run::UnitState;
use super::state::State;
use super::terms;
use super::view::DriverRun;

/// One gate, evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    pub id: Cow<'static, str>,
    /// What it watches, in a few words.
    pub title: Cow<'static, str>,
    pub open: bool,
    /// False = not read yet: closed, but nobody knows.
    pub known: bool,
    /// What it saw, one sentence.
    pub why: String,
    /// When that was first seen.
    pub since: Option<Timestamp>,
}

/// Whether the gates hold the nodes, or only watch.
pub fn enforced(state: &State) -> bool {
    state.plan.driver.mode == Mode::Direct
}

/// Every gate as it stands.
pub fn evaluate(state: &State, now: Timestamp) -> Vec<Gate> {
    let mut all = vec![foreign(state), quorum(state), storage(state), previous(state)];
    all.extend(super::baseline::gate(state));
    all.extend(budget(state));
    all.extend(window(state, now));
    state.plan.gates.iter().for_each(|rule| judged(state, rule, &mut all));
    all.extend(regardless(state));
    all
}

/// A gate of the runbook, as its facts were judged last for the next node: beside what the run itself tells of it.
fn judged(state: &State, rule: &GateRule, all: &mut Vec<Gate>) {
    let Some(judged) = state.gates.as_ref() else { return };
    let items: Vec<_> = judged.of(&rule.id).collect();
    let closed: Vec<_> = items.iter().filter(|(i, _)| !i.holds).collect();
    let said = closed.iter().map(|(i, _)| i.why.clone().unwrap_or_else(|| i.title.clone())).collect::<Vec<_>>();
    let begun = state.unit(&judged.node).is_some_and(|u| !u.track.is_empty() && u.state.in_work());
    if let Some(known) = all.iter_mut().find(|g| g.id == rule.id) {
        // Once the node is begun, that it is away is no news.
        if known.open && !closed.is_empty() && !begun {
            (known.open, known.why) = (false, said.join("; "));
        }
        return;
    }
    if items.is_empty() {
        return;
    }
    let open = closed.is_empty() && (judged.twice || begun);
    let waived = items.iter().filter_map(|(i, _)| i.why.clone().filter(|_| i.holds));
    let why = match closed.as_slice() {
        [] if !open => "open, looked at once more in half a minute".to_owned(),
        [] => waived.chain([format!("as it should be for {}", judged.node)]).next().unwrap_or_default(),
        _ => said.join("; "),
    };
    let since = items.iter().map(|(_, at)| *at).max();
    all.push(Gate { id: rule.id.clone().into(), title: rule.title.clone().into(), open, known: true, why, since });
}

/// The failure budget, while a run goes on.
fn budget(state: &State) -> Option<Gate> {
    let run = state.run.as_ref().filter(|_| !state.phase.is_terminal())?;
    let bad = |u: &&super::state::Unit| matches!(u.state, UnitState::Failed | UnitState::RolledBack);
    let (failed, may) = (run.units.values().filter(bad).count(), state.plan.max_failed());
    let why = format!("{failed} failed, {may} may");
    (failed > 0).then(|| Gate {
        id: "budget".into(),
        title: "Budget".into(),
        open: failed <= may,
        known: true,
        why,
        since: None,
    })
}

/// The maintenance window, where there is one.
pub fn window(state: &State, now: Timestamp) -> Option<Gate> {
    let standing = terms::window(state, now)?;
    let waiver = state.waiver(&VerdictKey::of_gate(terms::WINDOW), now).filter(|_| !standing.open);
    let why = match waiver {
        Some(w) => format!("waived by {}: {}", w.by, standing.why),
        None => standing.why,
    };
    let open = standing.open || waiver.is_some();
    Some(Gate { id: terms::WINDOW.into(), title: "Window".into(), open, known: true, why, since: None })
}

/// Id of what stays on the screen once the driver went on although a gate was closed.
pub const REGARDLESS: &str = "regardless";

fn regardless(state: &State) -> Option<Gate> {
    let v = state.run.as_ref()?.violations.last()?;
    let said = |i: &super::event::ProofItem| {
        format!("{} ({})", i.title.to_lowercase(), i.why.as_deref().unwrap_or("closed"))
    };
    let gates: Vec<String> = v.gates.iter().map(said).collect();
    let why = format!("{} was begun while a gate was closed: {}", v.node, gates.join(", "));
    Some(Gate { id: REGARDLESS.into(), title: "Went on".into(), open: false, known: true, why, since: Some(v.at) })
}

fn foreign(state: &State) -> Gate {
    let name = &state.plan.driver.name;
    let (open, why) = match &state.driver {
        None => (false, format!("{name} has not answered yet")),
        Some(s) if s.value.is_idle() => (true, "no run is going on".to_owned()),
        Some(s) => match (state.own_run(), &s.value.run) {
            (Some(r), _) => (true, format!("our run, driven by {}", r.orchestrator)),
            (None, Some(r)) => (false, foreign_words(r)),
            (None, None) => (false, format!("{name} says {}", s.value.state)),
        },
    };
    let known = state.driver.is_some();
    Gate {
        id: "foreign".into(),
        title: "No other run".into(),
        open,
        known,
        why,
        since: state.driver.as_ref().map(|d| d.at),
    }
}

/// Another's run and how far it is: only observed, never touched.
pub fn foreign_words(run: &DriverRun) -> String {
    let of = run.working.len() + run.finished.len();
    let at_work = run.working.iter().find(|w| w.status != "Waiting").or(run.working.first());
    let now = at_work.map_or_else(String::new, |w| format!(", {} {}", w.node, w.status));
    format!("another run, driven by {}: {} of {of} nodes ended{now}", run.orchestrator, run.finished.len())
}

fn quorum(state: &State) -> Gate {
    let nodes = &state.plan.nodes;
    let seen: Vec<_> = nodes.iter().filter_map(|n| Some((n, state.machines.get(n)?.cluster.as_ref()?))).collect();
    let away: Vec<String> =
        seen.iter().filter(|(_, c)| !c.value.is_up()).map(|(n, c)| format!("{n} {}", c.value.state)).collect();
    let unread = nodes.len() - seen.len();
    let in_work = nodes.iter().filter(|n| state.in_work(n)).count();
    let open = unread == 0 && away.len() <= in_work;
    let why = if unread > 0 {
        format!("{unread} of {} nodes not seen yet", nodes.len())
    } else if away.is_empty() {
        format!("{} of {} Up", nodes.len(), nodes.len())
    } else {
        format!("{} of {} Up; {}", nodes.len() - away.len(), nodes.len(), away.join(", "))
    };
    Gate {
        id: "quorum".into(),
        title: "Nodes".into(),
        open,
        known: unread == 0,
        why,
        since: seen.iter().map(|(_, c)| c.at).max(),
    }
}

fn storage(state: &State) -> Gate {
    let (open, why) = match &state.storage {
        None => (false, "storage has not been read yet".to_owned()),
        Some(s) if s.value.in_danger() => (false, format!("in danger: {}", s.value.virtual_disks.join(", "))),
        Some(s) if !s.value.jobs.is_empty() => (
            false,
            format!("{} left to copy; do not remove drives or restart machines", bytes(s.value.bytes_left)),
        ),
        Some(s) if s.value.in_sync() && s.value.units.is_empty() => (true, "in sync".to_owned()),
        Some(s) => {
            let mut rows: Vec<&str> = s.value.virtual_disks.iter().map(String::as_str).collect();
            rows.extend(s.value.units.iter().map(String::as_str));
            (false, rows.join(", "))
        }
    };
    let known = state.storage.is_some();
    Gate {
        id: "storage".into(),
        title: "Storage".into(),
        open,
        known,
        why,
        since: state.storage.as_ref().map(|s| s.at),
    }
}

fn previous(state: &State) -> Gate {
    let busy: Vec<&str> = state
        .plan
        .nodes
        .iter()
        .filter(|n| state.unit(n).is_some_and(|u| u.state.in_work() || u.state.is_bad()))
        .map(|n| n.as_str())
        .collect();
    let why = if busy.is_empty() {
        "done, with proof".to_owned()
    } else {
        format!("{} is not proved yet", busy.join(", "))
    };
    Gate {
        id: "previous-node".into(),
        title: "Previous node".into(),
        open: busy.is_empty(),
        known: true,
        why,
        since: None,
    }
}

/// `645 GiB`, `12 MiB`, `0 B`: whole units, for people.
pub fn bytes(n: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    UNITS.iter().find(|(_, size)| n >= *size).map_or_else(
        || format!("{n} B"),
        |(unit, size)| {
            let whole = n as f64 / *size as f64;
            if whole < 10.0 { format!("{whole:.1} {unit}") } else { format!("{whole:.0} {unit}") }
        },
    )
}
