//! The advice line: one sentence, what stands between you and the next phase, and what to do. Never empty while something
//! waits for a person.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::command::{
    blockers, failed, fixable, keys_of, lost, moment, plural, recoverable, sequence_nodes, stale,
};
use super::connection::Connection;
use super::cures::fault;
use super::event::Outcome;
use super::name::NodeName;
use super::owed::owed;
use super::plan::{Fault, FixBy, Moment, Stage, StepKind};
use super::run::{PauseReason, Phase, UnitState};
use super::sequence::{Sequence, SequenceRun, Wish};
use super::state::{CommitState, State};
use super::summary::{Usual, counts, duration, node_in_work, overdue, to_safe_point, to_upgrade, usual};

/// What to press, in terms of what it does; the screen knows the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suggest {
    CheckAll,
    RetryFailed,
    FixAll,
    Details,
    Start,
    Resume,
    Commit(String),
    Defer,
    Recover,
}

/// One sentence, and what to press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    pub text: String,
    /// The suggestion and what it does, to be read after the key: "fixes both".
    pub press: Option<(Suggest, String)>,
    /// Something waits for a person, now.
    pub urgent: bool,
}

fn say(text: impl Into<String>) -> Advice {
    Advice { text: text.into(), press: None, urgent: false }
}

impl Advice {
    fn press(mut self, what: Suggest, does: impl Into<String>) -> Self {
        self.press = Some((what, does.into()));
        self
    }

    fn urgent(mut self) -> Self {
        self.urgent = true;
        self
    }
}

/// What a person should know first.
pub fn advice(state: &State, now: Timestamp) -> Advice {
    if let Some(why) = state.keeping.closed().filter(|_| !state.phase.is_terminal()) {
        return unkept(state, &why, now);
    }
    if let Some((node, text)) = state.persons_awaited().next() {
        return say(format!("{node} waits for a person: {text}.")).urgent();
    }
    if let Some(a) = trouble(state) {
        return a;
    }
    if let Some((run, sequence)) = state.open_sequence() {
        return in_sequence(run, sequence, now);
    }
    match &state.phase {
        Phase::Draft => {
            say("Nothing was checked yet.").press(Suggest::CheckAll, "checks every node, changes nothing")
        }
        Phase::Checking => checking(state, now),
        Phase::Blocked => blocked(state, now),
        Phase::Ready => ready(state, now),
        Phase::Acquiring => say("Making sure that no other run is going on."),
        Phase::Running | Phase::Recovering => running(state, now),
        Phase::Pausing | Phase::Stopping => ending(state, now),
        Phase::Paused(reason) => paused(state, reason, now),
        Phase::AwaitingCommit => commit(state),
        Phase::Finalising => closing(state),
        phase if phase.is_terminal() && !owed(state).is_empty() => left_open(state),
        Phase::Failed => say(format!("The run failed: {}.", state.phase_why)).urgent(),
        Phase::Stopped | Phase::Abandoned => say(format!("The run was {}.", state.phase_why)),
        Phase::Succeeded | Phase::SucceededWithIssues => say(format!("{}.", capital(&state.phase_why))),
    }
}

/// What happens cannot be written down: nothing new is begun, and what goes on is shown.
fn unkept(state: &State, why: &str, now: Timestamp) -> Advice {
    let (node, name) = (node_in_work(state), &state.plan.driver.name);
    let goes_on = match (&state.phase, node) {
        (Phase::Pausing | Phase::Stopping, Some((node, _))) => match to_safe_point(state, now) {
            Some(s) => format!(" {name} finishes {node} first; about {}.", duration(s as i64)),
            None => format!(" {name} finishes {node} first."),
        },
        (_, Some((node, unit))) if state.own_run().is_some() => {
            format!(" {name} goes on by itself: {node} {}.", unit.state.word())
        }
        _ => String::new(),
    };
    say(format!("{}.{goes_on} Nothing new is begun.", capital(why))).urgent()
}

/// The run ends; clean-ups come first, and are tried until they are done.
fn closing(state: &State) -> Advice {
    let owed = owed(state);
    let Some(first) = owed.first() else { return say("Closing the run.") };
    match owed.iter().find_map(|o| Some((o, o.why?))) {
        Some((o, why)) => {
            let text = format!(
                "Not done yet: {}: {why}. It is tried again every minute; the run ends after it.",
                o.what()
            );
            say(text).urgent()
        }
        None => say(format!("Before the run ends: {}.", first.what())),
    }
}

/// The run is over, and something is left for a person to do by hand.
fn left_open(state: &State) -> Advice {
    let what: Vec<String> = owed(state).iter().map(|o| o.what()).collect();
    say(format!("{}. To be done by hand: {}.", capital(&state.phase_why), what.join("; "))).urgent()
}

fn trouble(state: &State) -> Option<Advice> {
    let cut_off = state.cut_off();
    let (node, trouble) = cut_off.first()?;
    let goes_on = if trouble.kind.needs_person() { "" } else { "; it is tried again" };
    let more = match cut_off.len() - 1 {
        0 => String::new(),
        n => format!(" {} in trouble.", plural(n, "more machine")),
    };
    let text = format!("{node}: {}{goes_on}.{more}", trouble.kind.said());
    Some(say(text).press(Suggest::Details, "shows the way out").urgent())
}

fn checking(state: &State, now: Timestamp) -> Advice {
    let c = counts(state, now);
    let reading = state.reads.iter().filter(|(_, r)| r.is_open() && r.asked_at.is_some());
    let slowest = reading.min_by_key(|(_, r)| r.asked_at);
    let done = c.verdicts - c.open;
    match slowest {
        Some((key, r)) => {
            let title = state.plan.fact_group(&key.group).map_or(key.group.as_str(), |g| &g.title);
            let node = r.asked.as_ref().map_or_else(String::new, |n| format!(" on {n}"));
            let since = r.asked_at.map_or(0, |at| now.duration_since(at).as_secs());
            say(format!("{done} of {} judged; reading {title}{node}, {}.", c.verdicts, duration(since)))
        }
        None => {
            let connecting = state.plan.machines().find(|n| *state.connection(n) == Connection::Connecting);
            let waits = connecting.map_or_else(String::new, |n| {
                let since = state.machines[n].connection_since.map_or(0, |at| now.duration_since(at).as_secs());
                format!("; connecting to {n}, {}", duration(since))
            });
            say(format!("{done} of {} judged{waits}.", c.verdicts))
        }
    }
}

fn in_sequence(run: &SequenceRun, sequence: &Sequence, now: Timestamp) -> Advice {
    let Some((node, action)) = run.node().zip(sequence.actions.get(run.action)) else {
        return say(format!("{}: every node is done.", sequence.title));
    };
    let left = plural(run.nodes.len().saturating_sub(run.node), "node");
    if let Some(halt) = &run.paused {
        let text = format!("{}: paused at {node} ({}): {}.", sequence.title, action.title, halt.value.why);
        let does = match halt.value.reason {
            PauseReason::NeedsDecision => "looks, then tries it again".to_owned(),
            _ => format!("goes on with {left}"),
        };
        return say(text).press(Suggest::Resume, does).urgent();
    }
    let after = match run.asked {
        Some(Wish::Pause) => format!(" It pauses after {node}."),
        Some(Wish::Stop) => format!(" It ends after {node}."),
        None => String::new(),
    };
    let since = now.duration_since(run.since).as_secs();
    if let Some(person) = &action.person {
        return say(format!("{node}: {person} {} so far.", duration(since))).urgent();
    }
    let gate = run.on(node, &action.id).and_then(|a| a.gate.iter().find(|i| !i.holds));
    if let Some(item) = gate {
        let why = item.why.as_ref().map_or_else(String::new, |w| format!(" ({w})"));
        return say(format!("{node} waits until this holds: {}{why}.{after}", item.title));
    }
    let usual = duration(action.expected as i64);
    let took = duration(since);
    say(format!("{}: {node}, {}, {took} of ~{usual}.{after} Nothing to do.", sequence.title, action.title))
}

fn blocked(state: &State, now: Timestamp) -> Advice {
    let n = blockers(state, now);
    let head = format!("{} before Start.", capital(&plural(n, "blocker")));
    let blocking = |k: &super::event::VerdictKey| state.blocks(k, now);
    let fix: Vec<_> = fixable(state).into_iter().filter(|(k, _)| blocking(k)).collect();
    let restarts = sequence_nodes(state);
    let restarted = |k: &&super::event::VerdictKey| {
        let by = state.plan.check(&k.check).and_then(|c| c.fix.as_ref()).map(|f| &f.by);
        let its = restarts.as_ref().zip(k.node.as_ref()).is_some_and(|((_, nodes), n)| nodes.contains(n));
        blocking(k) && its && matches!(by, Some(FixBy::Sequence(_)))
    };
    let bad = failed(state);
    let mut mended: BTreeSet<&str> = fix.iter().map(|(k, _)| k.check.as_str()).collect();
    mended.extend(bad.iter().filter(restarted).map(|k| k.check.as_str()));
    if !mended.is_empty() {
        let mut what: Vec<(String, Vec<&str>)> = Vec::new();
        for (k, node) in &fix {
            let Some(f) = state.plan.check(&k.check).and_then(|c| c.fix.as_ref()) else { continue };
            match what.iter_mut().find(|(changes, _)| *changes == f.changes) {
                Some((_, nodes)) if nodes.contains(&node.as_str()) => {}
                Some((_, nodes)) => nodes.push(node.as_str()),
                None => what.push((f.changes.clone(), vec![node.as_str()])),
            }
        }
        let mut what: Vec<String> = what.iter().map(|(c, nodes)| format!("{c} on {}", nodes.join(", "))).collect();
        if let Some((id, nodes)) = &restarts {
            let title = state.plan.sequence(id).map_or(&**id, |s| &s.title);
            let names: Vec<&str> = nodes.iter().map(|n| n.as_str()).collect();
            let then = if what.is_empty() { "" } else { "then " };
            what.push(format!("{then}{} of {}", title.to_lowercase(), names.join(", ")));
        }
        let which = match (mended.len(), n) {
            (f, n) if f == n && n == 1 => "fixes it".to_owned(),
            (f, n) if f == n && n == 2 => "fixes both".to_owned(),
            (f, n) if f == n => format!("fixes all {n}"),
            (f, _) => format!("fixes {f} of them"),
        };
        return say(head).press(Suggest::FixAll, format!("{which}: {}", what.join("; "))).urgent();
    }
    // What failed comes before what could not be told, as in the list.
    let mut blockers: Vec<_> = keys_of(state, Moment::Before).into_iter().filter(blocking).collect();
    blockers.sort_by_key(|k| state.verdict_of(k).map(|v| std::cmp::Reverse(v.value.outcome)));
    let first = blockers.into_iter().next();
    let Some(check) = first.as_ref().and_then(|k| state.plan.check(&k.check)) else { return say(head).urgent() };
    if let Some(question) = &check.attest {
        return say(format!("{head} {question}")).press(Suggest::Details, "opens it, to confirm it").urgent();
    }
    let verdict = first.as_ref().and_then(|k| state.verdict_of(k)).map(|v| &v.value);
    if let Some(v) = verdict.filter(|v| v.outcome == Outcome::CouldNotTell) {
        let node = first.as_ref().and_then(|k| k.node.as_ref()).map_or_else(String::new, |n| format!("{n}: "));
        let why = v.why.as_ref().map_or_else(String::new, |w| format!(": {node}{w}"));
        return say(format!("{head} {}: could not tell{why}.", check.title))
            .press(Suggest::RetryFailed, "reads again what failed")
            .urgent();
    }
    say(format!("{head} {}: {}", check.title, check.remedy))
        .press(Suggest::RetryFailed, "then checks again")
        .urgent()
}

fn ready(state: &State, now: Timestamp) -> Advice {
    let c = counts(state, now);
    let parts = [
        (c.warn > 0).then(|| format!("{} to look at", plural(c.warn, "warning"))),
        (c.unknown > 0).then(|| format!("{} could not tell", c.unknown)),
        (c.waived > 0).then(|| format!("{} waived", c.waived)),
    ];
    let but: Vec<String> = parts.into_iter().flatten().collect();
    let but = if but.is_empty() { String::new() } else { format!("; {}", but.join(", ")) };
    let first = if stale(state, now).is_empty() { "" } else { "proves the blockers again, then " };
    let version = &state.plan.target.version;
    let (left, done) = to_upgrade(state);
    let does = match (left.len(), done.len()) {
        (n, _) if state.plan.rehearses() => format!("{first}starts the rehearsal: {} restart", plural(n, "node")),
        (0, _) => format!("{first}goes on with the proof: every node is at {version} already"),
        (n, 0) => format!("{first}starts the upgrade of {} to {version}", plural(n, "node")),
        (n, d) => {
            format!("{first}starts the upgrade of the {} left to {version}; {d} are there", plural(n, "node"))
        }
    };
    say(format!("Every blocker passes{but}.")).press(Suggest::Start, does).urgent()
}

fn running(state: &State, now: Timestamp) -> Advice {
    if moment(state) == Moment::After {
        return checking(state, now);
    }
    let Some(run) = &state.run else { return say("") };
    if let Some((node, unit)) = run.units.iter().find(|(_, u)| u.state.is_bad()) {
        return say(format!("{node}: {} ({}).", unit.why, unit.state.word()))
            .press(Suggest::Details, "shows what is known")
            .urgent();
    }
    if let Some(a) = returned(state) {
        return a;
    }
    let name = &state.plan.driver.name;
    if let Some(node) = state.orphaned(now) {
        let text =
            format!("{node} went away under the run: nobody drives it. {name} lets go of it after about an hour.");
        return match recoverable(state, now) {
            Ok(()) => say(text).press(Suggest::Recover, "clears it now").urgent(),
            Err(_) => say(text).press(Suggest::Details, "shows what is known").urgent(),
        };
    }
    if let Some((node, since)) = without_ssh(state, now) {
        return say(format!(
            "{node} is back in the cluster, its SSH server does not answer: {}. It has not failed; nothing is sent there.",
            duration(since)
        ))
        .press(Suggest::Details, "shows how to bring it back")
        .urgent();
    }
    let Some((node, unit)) = node_in_work(state) else {
        let staging = run.units.values().filter(|u| u.state == UnitState::Staging).count();
        if staging > 0 {
            return say(format!(
                "{} download the update; nothing is disturbed yet.",
                capital(&plural(staging, "node"))
            ));
        }
        if let Some((node, unit)) = run.units.iter().find(|(_, u)| u.state == UnitState::Gate) {
            return say(format!("{node} {}. Do not remove drives or restart machines.", unit.why));
        }
        return say(format!("{name} prepares the run. Nothing to do."));
    };
    let stage = unit.state.stage();
    let since = unit.track.last().map_or(0, |p| now.duration_since(p.from).as_secs());
    let usually = usual(state, stage);
    if let Some(stalled) = &unit.progress.stalled {
        let last = stalled.value.first().map_or(stalled.at, |q| q.since);
        let sources: Vec<&str> = stalled.value.iter().map(|q| q.source.as_str()).collect();
        let text = format!(
            "{node} {}: nothing has changed for {} ({}). Nothing was stopped.",
            unit.state.word(),
            duration(now.duration_since(last).as_secs()),
            sources.join(", ")
        );
        return say(text).press(Suggest::Details, "shows what is known").urgent();
    }
    if overdue(state, unit, now) {
        let text = format!(
            "{node} {}: {} already, usually {}. It needs a decision; nothing was stopped.",
            stage.word(),
            duration(since),
            about(&usually)
        );
        return say(text).press(Suggest::Details, "shows what is known").urgent();
    }
    if stage == Stage::Resync {
        let left = state.storage.as_ref().map_or(0, |s| s.value.bytes_left);
        return say(format!(
            "Storage is not in sync yet: normal after a restart, {} left. Do not remove drives or restart machines.",
            super::gates::bytes(left)
        ));
    }
    say(format!("{node} {}: {} of {} usual. Nothing to do.", unit.state.word(), duration(since), about(&usually)))
}

/// What a node that is back has lost, and nobody is mending.
fn returned(state: &State) -> Option<Advice> {
    let key = lost(state).into_iter().next()?;
    let (check, node) = (state.plan.check(&key.check)?, key.node.as_ref()?);
    let verdict = &state.verdict_of(&key)?.value;
    let saw = verdict.observed.as_ref().or(verdict.why.as_ref()).map_or_else(String::new, |s| format!(": {s}"));
    let does = match &check.fix {
        Some(fix) => format!("opens it; its fix {}", fix.changes),
        None => "opens it".to_owned(),
    };
    Some(say(format!("{node}, {}{saw}.", check.title.to_lowercase())).press(Suggest::Details, does).urgent())
}

/// A node that the cluster sees again, and SSH not, for longer than coming back usually takes; seconds since.
fn without_ssh(state: &State, now: Timestamp) -> Option<(&NodeName, i64)> {
    let usual = state.plan.stages.get(&Stage::Returning).map_or(0, |b| b.expected) as i64;
    let since = |n: &NodeName| {
        let from = state.unit(n)?.track.last().filter(|p| p.stage == Stage::Returning)?.from;
        Some(now.duration_since(from).as_secs())
    };
    let kept = state.plan.nodes.iter().filter(|n| fault(state, n) == Some(Fault::NoSsh));
    kept.filter_map(|n| Some((n, since(n)?))).find(|(_, s)| *s > usual)
}

fn about(usual: &Usual) -> String {
    match usual {
        Usual::Sibling(node, s) => format!("{} ({node})", duration(*s as i64)),
        Usual::Earlier(l) => format!("{} ({})", duration(l.usual as i64), l.source()),
        Usual::Plan(s) => format!("~{}", duration(*s as i64)),
    }
}

fn ending(state: &State, now: Timestamp) -> Advice {
    let name = &state.plan.driver.name;
    match (node_in_work(state), to_safe_point(state, now)) {
        (Some((node, _)), Some(s)) => say(format!("{name} finishes {node} first; about {}.", duration(s as i64))),
        _ => say(format!("{name} ends its run; no node is in work.")),
    }
}

fn paused(state: &State, reason: &PauseReason, now: Timestamp) -> Advice {
    let left = state.run.as_ref().map_or(0, |r| r.units.values().filter(|u| !u.state.is_good()).count());
    let next = match left {
        0 => "goes on".to_owned(),
        n => format!("goes on with {}", plural(n, "node")),
    };
    if let Some((step, items)) = state.undecided() {
        let tried = state.items(&step.id).iter().any(|i| i.stuck.is_some());
        let text = match tried {
            true => format!("Did not {}: {}.", items.take, state.phase_why),
            false => format!("{}.", capital(&state.phase_why)),
        };
        return say(text).press(Suggest::Commit(step.id.clone()), "asks what becomes of each").urgent();
    }
    if state.left_for_later().is_some() {
        let text = format!("{}. It may be left for later, or tried again.", capital(&state.phase_why));
        return say(text).press(Suggest::Defer, "leaves it for later and goes on").urgent();
    }
    let failed_after = moment(state) == Moment::After && !failed(state).is_empty();
    let a = match reason {
        // It is so no more: otherwise that would be said.
        PauseReason::JournalUnwritable => say("Paused: what happens can be written down again."),
        _ => say(format!("Paused, {reason}: {}.", state.phase_why)),
    };
    let a = if recoverable(state, now).is_ok() {
        a.press(Suggest::Recover, "clears the run that was left")
    } else if failed_after {
        a.press(Suggest::RetryFailed, "reads again what failed")
    } else {
        a.press(Suggest::Resume, next)
    };
    a.urgent()
}

/// What is not as it was until the run ends: ` Until the end: Virtual machines are started again: SQL-VM1.`
fn meanwhile(state: &State) -> String {
    let owed: Vec<_> = owed(state).into_iter().filter(|o| !o.things.is_empty()).collect();
    let words = |o: &super::owed::Owed| {
        let word = o.step.items.as_ref().map_or("", |i| i.word.as_str());
        format!("{} off until the run ends", plural(o.things.len(), word))
    };
    owed.first().map_or_else(String::new, |o| format!(" {}.", capital(&words(o))))
}

fn commit(state: &State) -> Advice {
    let step = state.current_step().and_then(|s| state.plan.step(s)).filter(|s| s.kind.waits());
    let Some(step) = step else { return say("") };
    if step.kind == StepKind::Person {
        return say(format!("{}: {}", step.title, step.ask.as_deref().unwrap_or("done outside, and confirmed")))
            .press(Suggest::Commit(step.id.clone()), "confirms it; leaving it for later is fine")
            .urgent();
    }
    let commit = state.run.as_ref().and_then(|r| r.commits.get(&step.id));
    if state.commit_asked.is_some() {
        return say(format!("{}: proving it once more.", step.title));
    }
    match commit {
        Some(CommitState::Intended { .. }) => say(format!("{}: under way.", step.title)),
        Some(CommitState::Failed { message, .. }) => say(format!("{} failed: {message}", step.title))
            .press(Suggest::Commit(step.id.clone()), "tries again, after a fresh proof")
            .urgent(),
        _ => say(format!(
            "Every node is done and proved. Next: {}. It cannot be undone.{}",
            step.title,
            meanwhile(state)
        ))
        .press(Suggest::Commit(step.id.clone()), "opens it; leaving it for later is fine")
        .urgent(),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}
