//! What a person can ask for, and why it may be refused. The screen greys a key with the reason that this gives.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::baseline::unexplained_on;
use super::connection::{Connection, Trouble};
use super::event::{Answer, Failure, FailureKind, Outcome, ProofItem, ReadKey, VerdictKey};
use super::gate_rules::{agreed_on, may_waive};
use super::items::{Choice, decidable};
use super::judge::is_stale;
use super::keeping::Keeping;
use super::name::NodeName;
use super::plan::{FixBy, Moment, Scope, Severity, StepKind};
use super::reopen::reopenable;
use super::revision::revised;
use super::run::{PauseReason, Phase};
use super::sequence::Wish;
use super::state::{CommitState, State};

/// A request to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Command {
    /// Connect again to every machine in trouble.
    Connect,
    /// Read and judge every readiness check.
    CheckAll,
    /// Read again what one verdict needs.
    Retry {
        key: VerdictKey,
    },
    /// The same for every verdict that is not good.
    RetryFailed,
    /// Read again whatever is judged about one machine.
    RetryNode {
        node: NodeName,
    },
    /// Confirm what no script can tell.
    Attest {
        key: VerdictKey,
        note: String,
    },
    /// Run the fix of one check on one node.
    Fix {
        key: VerdictKey,
    },
    /// Run every fix there is for what is not good.
    FixAll,
    /// Take a blocker upon oneself.
    Waive {
        key: VerdictKey,
        reason: String,
        hours: u32,
    },
    /// Take upon oneself what is not as it was on a node after its upgrade.
    AcceptChanges {
        node: NodeName,
        reason: String,
    },
    Start,
    /// Finish the node in work, start no other.
    Pause,
    Resume,
    /// Finish the node in work, then end the run.
    Stop,
    /// Give the paused run a plan with these settings: another driver for the nodes that are not done.
    Revise {
        settings: BTreeMap<String, Json>,
    },
    /// Read again what an irreversible step must prove.
    Prove {
        step: String,
    },
    /// Do an irreversible step.
    Commit {
        step: String,
        typed: String,
        reason: String,
    },
    /// Confirm what was done outside.
    Confirm {
        step: String,
        note: String,
    },
    /// Say what becomes of what a step found, by name; the run goes on.
    Decide {
        step: String,
        choices: BTreeMap<String, Choice>,
    },
    /// Leave the steps that wait for a person for later, or a clean-up that cannot be done; the run ends.
    Defer,
    /// Open a run that has ended again, for a step that was left for later.
    Reopen {
        step: String,
    },
    /// Clear a run that its driver left, by force.
    Recover {
        typed: String,
        reason: String,
    },
    /// Give the run up: nothing more is sent, and what was begun is left as it is.
    Abandon {
        typed: String,
        reason: String,
    },
}

/// Why nothing is done yet about a check of a node that returns.
const BACK: &str = "it is judged when the node is back on the new build";

/// Why a command is not carried out: what a person reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal(pub String);

fn refuse(why: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal(why.into()))
}

/// Least length of a reason, in characters (run-safety-model 3).
pub const REASON_LEAST: usize = 15;

/// Seconds for which a proof holds (run-safety-model 10).
pub const PROOF_FRESH_FOR: i64 = 60;

/// Whether a command would be carried out now.
///
/// # Errors
/// The refusal, with its reason.
pub fn allowed(state: &State, command: &Command, now: Timestamp) -> Result<(), Refusal> {
    if let Some(why) = state.keeping.closed().filter(|_| must_be_kept(state, command)) {
        return refuse(why);
    }
    match command {
        Command::Connect => match state.in_trouble().next() {
            Some(_) => Ok(()),
            None => refuse("no machine is in trouble"),
        },
        Command::CheckAll => match &state.phase {
            Phase::Draft | Phase::Blocked | Phase::Ready => Ok(()),
            Phase::Checking => refuse("the checks are running"),
            p => refuse(format!("the run is {}", p.word())),
        },
        Command::Retry { key } => {
            let Some(check) = state.plan.check(&key.check) else {
                return refuse("there is no such check");
            };
            if state.is_open(key) {
                return refuse("it is being read");
            }
            match check.moment {
                Moment::Before if !state.phase.is_preparing() => refuse(under_way(state)),
                Moment::After if !verifying(state) => refuse("it is judged when the last node is done"),
                Moment::Returning if !upgrading(state) => refuse(BACK),
                _ => Ok(()),
            }
        }
        Command::RetryFailed => {
            if !state.phase.is_preparing() && !verifying(state) {
                return refuse(under_way(state));
            }
            if failed(state).is_empty() {
                return refuse(if state.checks.is_empty() {
                    "nothing was checked yet"
                } else {
                    "no check failed"
                });
            }
            Ok(())
        }
        Command::RetryNode { node } => {
            if !state.phase.is_preparing() && !verifying(state) {
                return refuse(under_way(state));
            }
            if !state.machines.contains_key(node) {
                return refuse(format!("{node} is not in the inventory"));
            }
            if about(state, node).iter().all(|k| state.is_open(k)) {
                return refuse("it is being read");
            }
            Ok(())
        }
        Command::Attest { key, note: _ } => {
            let Some(check) = state.plan.check(&key.check) else {
                return refuse("there is no such check");
            };
            if !state.phase.is_preparing() {
                return refuse(under_way(state));
            }
            if check.attest.is_none() {
                return refuse("it is read, not confirmed: r reads it again");
            }
            if state.attested.contains_key(key) {
                return refuse("it is confirmed");
            }
            match state.verdict_of(key).map(|v| v.value.outcome) {
                None => refuse("it was not looked at yet"),
                Some(Outcome::Pass | Outcome::NotApplicable) => refuse("there is nothing to confirm here"),
                Some(_) => Ok(()),
            }
        }
        Command::Fix { key } => {
            let Some(check) = state.plan.check(&key.check) else {
                return refuse("there is no such check");
            };
            match check.moment {
                Moment::Returning if !upgrading(state) => return refuse(BACK),
                Moment::Returning => {}
                _ if !state.phase.is_preparing() => return refuse(under_way(state)),
                _ => {}
            }
            let Some(fix) = &check.fix else {
                return refuse(format!("there is no automatic fix: {}", check.remedy));
            };
            if let (FixBy::Sequence(_), Some((_, s))) = (&fix.by, state.open_sequence()) {
                return refuse(format!("first: {}", s.title));
            }
            if state.checks.get(key).is_some_and(|c| c.fixing.is_some()) {
                return refuse("the fix is running");
            }
            let outcome = state.verdict_of(key).map(|v| v.value.outcome);
            if !outcome.is_some_and(is_bad) {
                return refuse("nothing to fix: the check has not failed here");
            }
            if fix.person.is_some() && outcome == Some(Outcome::CouldNotTell) {
                return refuse("nothing says that this is needed: the check could not tell");
            }
            match fix_node(state, key) {
                Some(node) if state.connection(&node).is_ready() => Ok(()),
                Some(node) => refuse(format!("{node} is not connected")),
                None => refuse("no machine for this fix"),
            }
        }
        Command::FixAll => {
            if !state.phase.is_preparing() {
                return refuse(under_way(state));
            }
            if let Some((_, s)) = state.open_sequence() {
                return refuse(format!("first: {}", s.title));
            }
            if fixable(state).is_empty() && sequence_nodes(state).is_none() {
                return refuse("nothing that failed has an automatic fix");
            }
            Ok(())
        }
        Command::Waive { key, reason, .. } if key.gate().is_some() => {
            may_waive(state, key.gate().unwrap_or_default(), now)?;
            reasoned(reason)
        }
        Command::Waive { key, reason, .. } => {
            let Some(check) = state.plan.check(&key.check) else {
                return refuse("there is no such check");
            };
            if !state.phase.is_preparing() {
                return refuse(under_way(state));
            }
            if !check.waivable {
                return refuse(format!("{} can never be waived", check.title));
            }
            if !state.blocks(key, now) {
                return refuse("it blocks nothing");
            }
            reasoned(reason)
        }
        Command::AcceptChanges { node, reason } => {
            if state.phase.is_terminal() {
                return refuse(under_way(state));
            }
            if unexplained_on(state, node).is_empty() {
                return refuse(format!("nothing on {node} waits for an explanation"));
            }
            reasoned(reason)
        }
        Command::Start | Command::Pause | Command::Resume | Command::Stop
            if state.phase.is_preparing() && state.open_sequence().is_some() =>
        {
            in_sequence(state, command)
        }
        Command::Start => match &state.phase {
            Phase::Ready if state.run.is_some() => refuse("the run has started"),
            Phase::Ready => {
                if let Some(n) = state.plan.nodes.iter().find(|n| state.machines[*n].host.is_none()) {
                    return refuse(format!("{n} has not said what it runs"));
                }
                agreed_on(state, now)
            }
            Phase::Blocked => refuse(format!("{} in the way", plural(blockers(state, now), "blocker"))),
            Phase::Checking => refuse("the checks are running"),
            Phase::Draft => refuse("nothing was checked yet"),
            p => refuse(format!("the run is {}", p.word())),
        },
        Command::Pause => match &state.phase {
            Phase::Running => Ok(()),
            Phase::Pausing => refuse("it is pausing already"),
            Phase::Paused(_) => refuse("it is paused"),
            p => refuse(format!("nothing to pause: the run is {}", p.word())),
        },
        Command::Resume => match &state.phase {
            Phase::Paused(PauseReason::LockLost) => refuse("another engine drives this target"),
            Phase::Paused(_) => match state.undecided() {
                Some((step, _)) => refuse(format!("decide first: {}", step.title)),
                // What was begun is finished; another attempt begins nodes.
                None if begins_nodes(state) => agreed_on(state, now),
                None => Ok(()),
            },
            p => refuse(format!("nothing to resume: the run is {}", p.word())),
        },
        Command::Stop => match &state.phase {
            Phase::Running | Phase::Paused(_) | Phase::Pausing => Ok(()),
            Phase::Stopping => refuse("it is stopping already"),
            p => refuse(format!("nothing to stop: the run is {}", p.word())),
        },
        Command::Revise { settings } => revised(state, settings).map(|_| ()),
        Command::Prove { step } => commit_open(state, step).and_then(|()| {
            if state.proofs.get(step).is_some_and(|p| p.asked_at.is_some()) {
                return refuse("the proof is being read");
            }
            Ok(())
        }),
        Command::Commit { step, typed, reason } => {
            commit_open(state, step)?;
            typed_out(state, typed, reason)?;
            // A proof that is old or absent is taken again before anything is done; a fresh one that fails says no.
            match fresh_proof(state, step, now).and_then(|items| items.iter().find(|i| !i.holds)) {
                Some(item) => refuse(format!("not proved: {}", item.title)),
                None => Ok(()),
            }
        }
        Command::Confirm { step, note: _ } => {
            let known = state.plan.step(step).filter(|s| s.kind == StepKind::Person);
            let Some(known) = known else { return refuse("there is nothing to confirm") };
            match (&state.phase, state.current_step()) {
                (Phase::AwaitingCommit, Some(id)) if id == known.id => Ok(()),
                (p, _) if p.is_terminal() => refuse("the run has ended"),
                _ => refuse("its turn has not come"),
            }
        }
        Command::Reopen { step } => reopenable(state, step),
        Command::Decide { step, choices } => decidable(state, step, choices),
        Command::Defer if state.phase == Phase::Finalising => {
            let failed = |s: &super::plan::Step| {
                state.run.as_ref().and_then(|r| r.steps.get(&s.id)?.ended.as_ref()).is_some_and(|e| !e.value.ok)
            };
            match state.cleanups().next() {
                Some(step) if failed(step) => Ok(()),
                Some(step) => refuse(format!("{} is being done", step.title)),
                None => refuse("nothing to leave for later"),
            }
        }
        Command::Defer if matches!(state.phase, Phase::Paused(_)) => match state.left_for_later() {
            Some(_) => Ok(()),
            None => refuse("nothing to leave for later"),
        },
        Command::Defer => match state.phase {
            Phase::AwaitingCommit => match open_commit_intent(state) {
                Some(step) => refuse(format!("{step} is being done")),
                None => Ok(()),
            },
            _ => refuse("nothing to leave for later"),
        },
        Command::Recover { typed, reason } => {
            recoverable(state, now)?;
            typed_out(state, typed, reason)
        }
        Command::Abandon { typed, reason } => {
            abandonable(state)?;
            typed_out(state, typed, reason)
        }
    }
}

/// Going on hands the nodes to the driver again.
fn begins_nodes(state: &State) -> bool {
    let delegates =
        state.current_step().and_then(|s| state.plan.step(s)).is_some_and(|s| s.kind == StepKind::Delegate);
    let left = state.run.iter().flat_map(|r| r.units.values()).any(|u| !u.state.is_good());
    delegates && left && state.driver.as_ref().is_none_or(|d| d.value.is_idle())
}

/// It begins something on a machine, or holds only when it is written down. Where nothing can be written that is everything but a look;
/// on a full disk the safe direction stays open (run-safety-model 7.4).
fn must_be_kept(state: &State, command: &Command) -> bool {
    use Command::*;
    let looks =
        matches!(command, Connect | CheckAll | Retry { .. } | RetryFailed | RetryNode { .. } | Prove { .. });
    let safe = matches!(command, Pause | Stop | Defer | Attest { .. } | Confirm { .. });
    !(looks || safe && matches!(state.keeping, Keeping::Full { .. }))
}

/// What is taken upon oneself has a reason that says something.
fn reasoned(reason: &str) -> Result<(), Refusal> {
    if reason.trim().chars().count() < REASON_LEAST {
        return refuse(format!("the reason needs {REASON_LEAST} characters"));
    }
    Ok(())
}

/// What cannot be undone is confirmed by the cluster's name, with a reason (run-safety-model 10, T3).
fn typed_out(state: &State, typed: &str, reason: &str) -> Result<(), Refusal> {
    if typed != state.plan.cluster {
        return refuse(format!("type the cluster's name: {}", state.plan.cluster));
    }
    reasoned(reason)
}

/// The proof of a step, where it is younger than a minute and no new one is on its way.
pub fn fresh_proof<'a>(state: &'a State, step: &str, now: Timestamp) -> Option<&'a [ProofItem]> {
    let proof = state.proofs.get(step).filter(|p| p.asked_at.is_none())?.taken.as_ref()?;
    (now.duration_since(proof.at).as_secs() <= PROOF_FRESH_FOR).then_some(proof.value.as_slice())
}

/// Whether a run may be given up now, but for what is typed.
///
/// # Errors
/// The refusal, with its reason.
pub fn abandonable(state: &State) -> Result<(), Refusal> {
    match &state.phase {
        p if p.is_terminal() => refuse("the run has ended"),
        _ if state.run.is_none() => refuse("nothing has begun: there is nothing to give up"),
        _ if state.recovering().is_some() => refuse("its lock is being cleared"),
        _ => match open_commit_intent(state) {
            Some(step) => refuse(format!("{step} is being done")),
            None => Ok(()),
        },
    }
}

/// Whether a run that was left may be cleared by force now, but for what is typed.
///
/// # Errors
/// The refusal, with its reason: there is none, or the first condition that does not hold.
pub fn recoverable(state: &State, now: Timestamp) -> Result<(), Refusal> {
    if state.plan.driver.recover.is_none() {
        return refuse("this runbook has no script for it");
    }
    if state.recovering().is_some() {
        return refuse("it is being cleared");
    }
    let conditions = state.recovery_conditions(now);
    if conditions.is_empty() {
        return refuse(format!("no run of ours was left by {}", state.plan.driver.name));
    }
    match conditions.iter().find(|c| !c.holds) {
        Some(c) => {
            refuse(format!("not proved: {} ({})", c.title.to_lowercase(), c.why.as_deref().unwrap_or("not read")))
        }
        None => Ok(()),
    }
}

fn commit_open(state: &State, step: &str) -> Result<(), Refusal> {
    if state.phase != Phase::AwaitingCommit {
        return refuse(match &state.phase {
            p if p.is_terminal() => "the run has ended".to_owned(),
            _ => "every node must be done and proved first".to_owned(),
        });
    }
    let Some(first) = state.current_step() else {
        return refuse("no step is open");
    };
    if first != step {
        let title = state.plan.step(first).map_or(first, |s| &s.title);
        return refuse(format!("first: {title}"));
    }
    if state.commit_asked.is_some() {
        return refuse("it is being proved");
    }
    match state.run.as_ref().and_then(|r| r.commits.get(step)) {
        Some(CommitState::Intended { .. }) => refuse("it is being done"),
        _ => Ok(()),
    }
}

fn open_commit_intent(state: &State) -> Option<&str> {
    let run = state.run.as_ref()?;
    run.commits
        .iter()
        .find(|(_, c)| matches!(c, CommitState::Intended { .. }))
        .and_then(|(id, _)| state.plan.step(id))
        .map(|s| s.title.as_str())
}

/// Neither pass nor not applicable.
pub fn is_bad(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Fail | Outcome::Warn | Outcome::CouldNotTell)
}

/// Whether the run judges the checks that come after it.
pub fn verifying(state: &State) -> bool {
    state.current_step().and_then(|s| state.plan.step(s)).is_some_and(|s| s.kind == StepKind::Verify)
}

/// Whether a run goes on.
fn upgrading(state: &State) -> bool {
    state.run.is_some() && !state.phase.is_terminal()
}

/// Checks of nodes that are back which are not good and which nobody is mending: a person decides, worst first.
pub fn lost(state: &State) -> Vec<VerdictKey> {
    if !upgrading(state) {
        return Vec::new();
    }
    let bad = |k: &VerdictKey| {
        let current = state.checks.get(k).filter(|c| c.fixing.is_none()).and_then(|c| c.current.as_ref());
        current.map(|v| v.value.outcome).filter(|o| is_bad(*o))
    };
    let mut out: Vec<_> =
        keys_of(state, Moment::Returning).into_iter().filter_map(|k| Some((bad(&k)?, k))).collect();
    out.sort_by_key(|(outcome, _)| std::cmp::Reverse(*outcome));
    out.into_iter().map(|(_, k)| k).collect()
}

/// The checks that are judged now.
pub fn moment(state: &State) -> Moment {
    let current = state.current_step().and_then(|id| state.plan.steps.iter().position(|s| s.id == id));
    let driven = state.plan.steps.iter().position(|s| s.kind.moves_nodes());
    let driven_already = state.run.is_some() && (current.is_none() || current > driven);
    if driven_already { Moment::After } else { Moment::Before }
}

/// Every verdict of a moment, in the order of the plan.
pub fn keys_of(state: &State, moment: Moment) -> Vec<VerdictKey> {
    state.plan.checks.iter().filter(|c| c.moment == moment).flat_map(|c| state.verdict_keys(&c.id)).collect()
}

/// Every readiness verdict.
pub fn before_keys(state: &State) -> Vec<VerdictKey> {
    keys_of(state, Moment::Before)
}

/// Blockers whose facts are too old for a start: they are proved again before it.
pub fn stale(state: &State, now: Timestamp) -> Vec<VerdictKey> {
    before_keys(state)
        .into_iter()
        .filter(|k| state.plan.check(&k.check).is_some_and(|c| c.severity == Severity::Blocker))
        .filter(|k| state.verdict_of(k).is_none_or(|v| is_stale(state, &v.value, now)))
        .collect()
}

/// How many checks stand in the way of the start; each counts once, however many nodes it fails on.
pub fn blockers(state: &State, now: Timestamp) -> usize {
    let checks = state.plan.checks.iter().filter(|c| c.moment == Moment::Before);
    checks.filter(|c| state.verdict_keys(&c.id).iter().any(|k| state.blocks(k, now))).count()
}

/// Verdicts of the current moment that are not good.
pub fn failed(state: &State) -> Vec<VerdictKey> {
    keys_of(state, moment(state))
        .into_iter()
        .filter(|k| state.verdict_of(k).is_some_and(|v| is_bad(v.value.outcome)))
        .collect()
}

/// Verdicts of the current moment about one machine: its own, and for the coordinator those about it.
pub fn about(state: &State, node: &NodeName) -> Vec<VerdictKey> {
    let coordinator = state.plan.coordinator.as_ref() == Some(node);
    keys_of(state, moment(state))
        .into_iter()
        .filter(|k| match &k.node {
            Some(n) => n == node,
            None => coordinator && state.plan.check(&k.check).is_some_and(|c| c.scope == Scope::Coordinator),
        })
        .collect()
}

fn in_sequence(state: &State, command: &Command) -> Result<(), Refusal> {
    let Some((run, sequence)) = state.open_sequence() else { return Ok(()) };
    match (command, &run.paused, run.asked) {
        (Command::Start, ..) => refuse(format!("first: {}", sequence.title)),
        (Command::Pause, Some(_), _) => refuse("it is paused"),
        (Command::Pause, None, Some(Wish::Pause)) => refuse("it pauses after the node in work already"),
        (Command::Pause, None, Some(Wish::Stop)) => refuse("it ends after the node in work"),
        (Command::Resume, None, _) => refuse(format!("{} is going on", sequence.title)),
        (Command::Stop, None, Some(Wish::Stop)) => refuse("it is ending already"),
        _ => Ok(()),
    }
}

/// What an automatic fix could mend now, without anybody doing anything meanwhile: each with the machine it runs on.
pub fn fixable(state: &State) -> Vec<(VerdictKey, NodeName)> {
    failed(state)
        .into_iter()
        .filter(|k| {
            let check = state.plan.check(&k.check).filter(|c| c.moment == Moment::Before);
            check.and_then(|c| c.fix.as_ref()).is_some_and(|f| f.script().is_some() && f.person.is_none())
        })
        .filter(|k| state.checks.get(k).is_some_and(|c| c.fixing.is_none()))
        .filter(|k| state.verdict_of(k).is_some_and(|v| v.value.outcome != Outcome::CouldNotTell))
        .filter_map(|k| {
            let node = fix_node(state, &k)?;
            state.connection(&node).is_ready().then_some((k, node))
        })
        .collect()
}

/// The sequence that mends what failed, or has to follow the fixes, with its nodes in their order. One that needs a person on every
/// node is started by itself only.
pub fn sequence_nodes(state: &State) -> Option<(String, Vec<NodeName>)> {
    let alone = |id: &str| state.plan.sequence(id).is_some_and(|s| s.actions.iter().all(|a| a.person.is_none()));
    let bad = failed(state);
    let needs =
        bad.iter().filter(|k| state.verdict_of(k).is_some_and(|v| v.value.outcome != Outcome::CouldNotTell));
    let found: Vec<(&str, &NodeName)> = needs
        .filter_map(|k| {
            let check = state.plan.check(&k.check).filter(|c| c.moment == Moment::Before)?;
            let id = check.fix.as_ref()?.sequence().filter(|id| alone(id))?;
            Some((id, k.node.as_ref()?))
        })
        .collect();
    let (first, _) = found.first()?;
    let nodes = state.plan.nodes.iter().filter(|n| found.contains(&(first, n)));
    Some(((*first).to_owned(), nodes.cloned().collect()))
}

/// The machine a fix runs on: the node of the verdict, the coordinator, or for the cluster any node that answers.
pub fn fix_node(state: &State, key: &VerdictKey) -> Option<NodeName> {
    if let Some(node) = &key.node {
        return Some(node.clone());
    }
    match state.plan.check(&key.check)?.scope {
        Scope::Coordinator => state.plan.coordinator.clone(),
        _ => state.any_node(&[]),
    }
}

fn under_way(state: &State) -> String {
    if state.phase.is_terminal() {
        "the run has ended".into()
    } else {
        format!("the run is {}", state.phase.word())
    }
}

/// `1 blocker`, `2 blockers`.
pub fn plural(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

impl State {
    /// Machines whose connection does not work, with the reason.
    pub fn in_trouble(&self) -> impl Iterator<Item = (&NodeName, &Trouble)> {
        self.plan.machines().filter_map(|n| match self.connection(n) {
            Connection::Trouble(t) => Some((n, t)),
            _ => None,
        })
    }

    /// Those of them that a person should look at: first where waiting cannot help, then, before the run, the others too. Once
    /// nodes restart it is no news that one of them does not answer.
    pub fn cut_off(&self) -> Vec<(&NodeName, &Trouble)> {
        let preparing = self.phase.is_preparing();
        // A node that is being restarted is away as it should be.
        let meant = |n: &NodeName| preparing && self.in_work(n);
        let mut all: Vec<_> =
            self.in_trouble().filter(|(n, t)| t.kind.needs_person() || preparing && !meant(n)).collect();
        all.sort_by_key(|(_, t)| !t.kind.needs_person());
        all
    }

    /// Why a machine that is connected says nothing that can be used: the last answer about itself.
    pub fn unreadable(&self, node: &NodeName) -> Option<&Failure> {
        let key = ReadKey { group: self.plan.driver.host.clone(), node: Some(node.clone()) };
        let machine = self.machines.get(node).filter(|m| m.connection.is_ready())?;
        let read = self.reads.get(&key)?;
        match &read.answer {
            Some(Answer::Failed(f)) if f.kind != FailureKind::NotSent => {
                machine.host.as_ref().is_none_or(|h| Some(h.at) < read.at).then_some(f)
            }
            _ => None,
        }
    }

    /// A node that answers and takes part in the cluster: where cluster-wide reads go. Those to avoid come last.
    pub fn any_node(&self, avoid: &[NodeName]) -> Option<NodeName> {
        let rank = |n: &NodeName| {
            let m = &self.machines[n];
            let up = m.cluster.as_ref().is_none_or(|c| c.value.is_up());
            let busy = self.in_work(n);
            (avoid.contains(n), self.unreadable(n).is_some(), busy, !up)
        };
        self.plan.nodes.iter().filter(|n| self.connection(n).is_ready()).min_by_key(|n| rank(n)).cloned()
    }
}
