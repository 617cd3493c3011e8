//! The truth: what follows from a plan and the events so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::baseline::Configuration;
use super::brief::Interruption;
use super::connection::Connection;
use super::control::Seats;
use super::event::{Answer, EngineInfo, Outcome, ProofItem, ReadKey, Verdict, VerdictKey, Waiver};
use super::gate_rules::Judged;
use super::hooks::HookRun;
use super::keeping::Keeping;
use super::name::{NodeName, OpId};
use super::pairs;
use super::plan::{Plan, Scope, Severity, Stage, Step};
use super::progress::Progress;
use super::recovery::Recovery;
use super::run::{PauseReason, Phase, RunVerdict, UnitState};
use super::sequence::{Sequence, SequenceRun};
pub use super::step::{Part, StepEnd, StepState};
use super::view::{ClusterNode, DriverReport, DriverView, HostView, StorageView};

/// A value with the time it was first seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen<T> {
    pub at: Timestamp,
    pub value: T,
}

/// The fold of all events over a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub plan: Arc<Plan>,
    /// Number of the last event.
    pub seq: u64,
    /// Time of the last event.
    pub at: Option<Timestamp>,
    pub engine: Option<EngineInfo>,
    /// Who looks at it now.
    pub seats: Seats,
    /// How the journal of this engine stands.
    pub keeping: Keeping,
    /// The first hash in the journal that this program does not come to, by its number, and the version that wrote it.
    pub diverged: Option<u64>,
    pub written_by: Option<String>,
    /// The last time that an engine ended while something was under way.
    pub interrupted: Option<Interruption>,
    pub plan_sha256: Option<String>,
    /// Of the plan: 1 as it was sealed, one more with every revision.
    pub revision: u32,
    pub phase: Phase,
    pub phase_since: Option<Timestamp>,
    /// Why the phase is what it is, one sentence.
    pub phase_why: String,
    pub machines: BTreeMap<NodeName, Machine>,
    #[serde(with = "pairs")]
    pub reads: BTreeMap<ReadKey, Reading>,
    #[serde(with = "pairs")]
    pub checks: BTreeMap<VerdictKey, CheckState>,
    pub waivers: Vec<Waiver>,
    /// What people confirmed because no script can tell it.
    #[serde(with = "pairs")]
    pub attested: BTreeMap<VerdictKey, Attestation>,
    pub fixes: BTreeMap<OpId, FixState>,
    /// The gates before the next node, as they were judged last.
    pub gates: Option<Judged>,
    /// Every hook that was begun, in order.
    pub hooks: Vec<HookRun>,
    /// The sequence that was started last.
    pub sequence: Option<SequenceRun>,
    pub storage: Option<Seen<StorageView>>,
    pub driver: Option<Seen<DriverView>>,
    pub report: Option<Seen<DriverReport>>,
    /// Who asked for the start while the blockers are proved again for it.
    pub start_asked: Option<String>,
    pub run: Option<Run>,
    pub proofs: BTreeMap<String, ProofState>,
    /// An irreversible step that was confirmed and is proved again for it.
    pub commit_asked: Option<CommitAsked>,
    pub verdict: Option<RunVerdict>,
}

/// One machine: how it is reached and what is known of it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Machine {
    pub connection: Connection,
    pub connection_since: Option<Timestamp>,
    /// As the cluster sees it.
    pub cluster: Option<Seen<ClusterNode>>,
    /// As it sees itself.
    pub host: Option<Seen<HostView>>,
}

/// One fact group on one machine.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Attempt that is asked for; more than `done` while it is under way.
    pub wanted: u32,
    pub done: u32,
    /// When the running attempt was sent.
    pub asked_at: Option<Timestamp>,
    /// The machine that answered, or is asked.
    pub asked: Option<NodeName>,
    pub answer: Option<Answer>,
    pub at: Option<Timestamp>,
    /// Number of the event with the answer.
    pub seq: u64,
    pub took_ms: u64,
    /// What a person has to do before its script goes on.
    pub person: Option<String>,
}

impl Reading {
    /// Being read, or about to be.
    pub fn is_open(&self) -> bool {
        self.wanted > self.done
    }
}

/// One check on one node, with what it said before.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct CheckState {
    pub current: Option<Seen<Verdict>>,
    /// Number of the event with the current verdict.
    pub seq: u64,
    /// Earlier verdicts, oldest first, at most `HISTORY`.
    pub history: Vec<Seen<Verdict>>,
    /// A fix of it is under way.
    pub fixing: Option<OpId>,
    /// How the last fix ended, where it failed.
    pub fix_error: Option<String>,
}

/// Verdicts kept for each check and node.
pub const HISTORY: usize = 20;

/// A person's word for what no script can tell. It holds for the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attestation {
    pub by: String,
    pub at: Timestamp,
    /// Number of the event.
    pub seq: u64,
    pub note: String,
}

/// One fix of one check on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FixState {
    pub key: VerdictKey,
    pub node: NodeName,
    pub intended_at: Timestamp,
    pub by: String,
    pub answer: Option<Answer>,
    /// What a person has to do before its script goes on.
    pub person: Option<String>,
}

/// The run itself, from the start intent on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub started_at: Timestamp,
    pub started_by: String,
    /// What every node was before the run touched it.
    pub baseline: BTreeMap<NodeName, HostView>,
    /// How every node was set up before, and what its upgrade changed of that (`core::baseline`).
    pub configurations: BTreeMap<NodeName, Configuration>,
    pub steps: BTreeMap<String, StepState>,
    pub units: BTreeMap<NodeName, Unit>,
    /// The first error: later ones attach to it, never replace it.
    pub first_error: Option<Seen<String>>,
    /// The request that the driver stop, while it is on its way.
    pub stopping: Option<OpId>,
    /// The last time a run that its driver left was cleared by force.
    pub recovery: Option<Recovery>,
    /// Why it pauses at the next safe point, while it does.
    pub pausing: Option<PauseReason>,
    /// What ends it as failed at the next safe point.
    pub doomed: Option<Seen<String>>,
    /// Nodes that the driver began although a gate was closed.
    pub violations: Vec<Violation>,
    pub commits: BTreeMap<String, CommitState>,
    /// When the turn of the step under way came, and the number of that event: what was read before says nothing about it.
    pub turn_at: Timestamp,
    pub turn_seq: u64,
    /// It ends so once the clean-ups are done.
    pub ending: Option<Ending>,
    pub ended_at: Option<Timestamp>,
    /// What stayed behind when it was given up.
    pub left_behind: Vec<String>,
    pub message: String,
}

/// The driver went on although gates were closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    pub at: Timestamp,
    pub node: NodeName,
    pub gates: Vec<ProofItem>,
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    pub verdict: RunVerdict,
    pub message: String,
}

/// One node of the run.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Unit {
    pub state: UnitState,
    pub since: Option<Timestamp>,
    /// Why it is in that state, one sentence.
    pub why: String,
    /// Every stage it went through, with its times: the track on the screen.
    pub track: Vec<Passage>,
    /// Starts of the system seen since the baseline.
    pub boots: u32,
    pub progress: Progress,
    /// Roles that were still on it when its drain had failed, as text.
    pub roles_left: Vec<String>,
}

impl Unit {
    /// Its drain has failed, or it failed while it was drained.
    pub fn drain_failed(&self) -> bool {
        let drained_last = self.track.last().is_some_and(|p| p.stage == Stage::Draining);
        self.state == UnitState::DrainFailed || (self.state == UnitState::Failed && drained_last)
    }
}

/// Time spent in one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    pub stage: Stage,
    pub from: Timestamp,
    pub to: Option<Timestamp>,
}

/// An irreversible step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CommitState {
    /// `seq` is the number of the intent: what was read after it tells whether it happened.
    Intended {
        op: OpId,
        seq: u64,
        at: Timestamp,
        by: String,
        reason: String,
    },
    Done {
        at: Timestamp,
        message: String,
    },
    Failed {
        at: Timestamp,
        message: String,
    },
    Deferred {
        at: Timestamp,
    },
}

/// A confirmation that waits for a fresh proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitAsked {
    pub step: String,
    pub typed: String,
    pub reason: String,
    pub by: String,
}

/// The last proof taken for a step.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct ProofState {
    /// Asked for and not yet there, since.
    pub asked_at: Option<Timestamp>,
    pub taken: Option<Seen<Vec<ProofItem>>>,
}

impl State {
    /// Nothing has happened yet.
    pub fn new(plan: Arc<Plan>) -> Self {
        let machines = plan.machines().map(|m| (m.clone(), Machine::default())).collect();
        Self {
            plan,
            seq: 0,
            at: None,
            engine: None,
            seats: Seats::default(),
            keeping: Keeping::Fine,
            diverged: None,
            written_by: None,
            interrupted: None,
            plan_sha256: None,
            revision: 1,
            phase: Phase::Draft,
            phase_since: None,
            phase_why: String::new(),
            machines,
            reads: BTreeMap::new(),
            checks: BTreeMap::new(),
            waivers: Vec::new(),
            attested: BTreeMap::new(),
            fixes: BTreeMap::new(),
            gates: None,
            hooks: Vec::new(),
            sequence: None,
            storage: None,
            driver: None,
            report: None,
            start_asked: None,
            run: None,
            proofs: BTreeMap::new(),
            commit_asked: None,
            verdict: None,
        }
    }

    /// Connection to a machine.
    pub fn connection(&self, node: &NodeName) -> &Connection {
        const IDLE: Connection = Connection::Idle;
        self.machines.get(node).map_or(&IDLE, |m| &m.connection)
    }

    /// Unit of a node, once a run has started.
    pub fn unit(&self, node: &NodeName) -> Option<&Unit> {
        self.run.as_ref()?.units.get(node)
    }

    /// The sequence that has not ended, with what the runbook says of it.
    pub fn open_sequence(&self) -> Option<(&SequenceRun, &Sequence)> {
        let run = self.sequence.as_ref().filter(|s| s.is_open())?;
        Some((run, self.plan.sequence(&run.id)?))
    }

    /// The same where it is one before the run: it has the room of a run on the screen.
    pub fn sequence_before_run(&self) -> Option<(&SequenceRun, &Sequence)> {
        self.open_sequence().filter(|(run, _)| run.step.is_none())
    }

    /// Scripts that wait for a person: the machine, and what there is to do.
    pub fn persons_awaited(&self) -> impl Iterator<Item = (&NodeName, &str)> {
        let reads = self.reads.values().filter(|r| r.is_open());
        let fixes = self.fixes.values().filter(|f| f.answer.is_none());
        let reads = reads.filter_map(|r| Some((r.asked.as_ref()?, r.person.as_deref()?)));
        reads.chain(fixes.filter_map(|f| Some((&f.node, f.person.as_deref()?))))
    }

    /// Something goes on, or waits for a person, that an engine has to stay for.
    pub fn needs_engine(&self) -> bool {
        let run = self.run.is_some() && !self.phase.is_terminal();
        run || self.open_sequence().is_some() || self.fixes.values().any(|f| f.answer.is_none())
    }

    /// Whether something is being done to a node, by the run or by a sequence.
    pub fn in_work(&self, node: &NodeName) -> bool {
        self.unit(node).is_some_and(|u| u.state.in_work())
            || self.open_sequence().and_then(|(s, _)| s.in_work()) == Some(node)
    }

    /// A limit in seconds that real time counts against too: the way to a machine, a person who looks. In a lab, where the clock runs
    /// faster, so many real seconds are added.
    pub fn lab_seconds(&self, limit: i64, real: f64) -> i64 {
        let scale = self.engine.as_ref().map_or(1.0, |e| e.scale);
        limit + ((scale - 1.0).max(0.0) * real) as i64
    }

    /// Every verdict a check can have, in the order of the plan.
    pub fn verdict_keys(&self, check: &str) -> Vec<VerdictKey> {
        let Some(c) = self.plan.check(check) else {
            return Vec::new();
        };
        match c.scope {
            Scope::EachNode => {
                self.plan.nodes.iter().map(|n| VerdictKey { check: check.into(), node: Some(n.clone()) }).collect()
            }
            Scope::Coordinator | Scope::Cluster => vec![VerdictKey { check: check.into(), node: None }],
        }
    }

    /// The facts a verdict is judged from.
    pub fn reads_of(&self, key: &VerdictKey) -> Vec<ReadKey> {
        use super::plan::Place;
        let Some(check) = self.plan.check(&key.check) else {
            return Vec::new();
        };
        let mut keys = Vec::new();
        for id in &check.facts {
            let Some(group) = self.plan.fact_group(id) else {
                continue;
            };
            let on = |node: Option<NodeName>| ReadKey { group: id.clone(), node };
            match (group.on, check.scope) {
                (Place::AnyNode, _) => keys.push(on(None)),
                (Place::Coordinator, _) => keys.push(on(self.plan.coordinator.clone())),
                (Place::Everywhere, Scope::Coordinator) => keys.push(on(self.plan.coordinator.clone())),
                (Place::EachNode | Place::Everywhere, Scope::EachNode) => keys.push(on(key.node.clone())),
                (Place::EachNode, _) => keys.extend(self.plan.nodes.iter().map(|n| on(Some(n.clone())))),
                (Place::Everywhere, Scope::Cluster) => {
                    keys.extend(self.plan.machines().map(|n| on(Some(n.clone()))));
                }
            }
        }
        keys
    }

    /// The waiver that holds for a verdict at that time.
    pub fn waiver(&self, key: &VerdictKey, now: Timestamp) -> Option<&Waiver> {
        self.waivers.iter().find(|w| &w.key == key && w.expires > now)
    }

    /// The last verdict.
    pub fn verdict_of(&self, key: &VerdictKey) -> Option<&Seen<Verdict>> {
        self.checks.get(key)?.current.as_ref()
    }

    /// Whether the verdict is about to change: facts are being read or a fix is under way.
    pub fn is_open(&self, key: &VerdictKey) -> bool {
        self.checks.get(key).is_some_and(|c| c.fixing.is_some())
            || self.reads_of(key).iter().any(|r| self.reads.get(r).is_some_and(Reading::is_open))
    }

    /// Whether a verdict stands in the way of the start.
    pub fn blocks(&self, key: &VerdictKey, now: Timestamp) -> bool {
        let Some(check) = self.plan.check(&key.check) else {
            return false;
        };
        check.severity == Severity::Blocker
            && self.waiver(key, now).is_none()
            && self
                .verdict_of(key)
                .is_none_or(|v| matches!(v.value.outcome, Outcome::Fail | Outcome::CouldNotTell))
    }

    /// Clean-ups that are still to be done before the run may end.
    pub fn cleanups(&self) -> impl Iterator<Item = &Step> {
        let run = self.run.as_ref();
        let ended = move |id: &str| run?.steps.get(id)?.ended.as_ref().filter(|e| e.value.ok);
        let left_open = move |id: &str| run.is_some_and(|r| r.commits.contains_key(id));
        let begun = move |id: &String| run.and_then(|r| r.steps.get(id)).is_some_and(|s| s.attempt > 0);
        let needed = move |s: &&Step| run.is_some() && s.always && s.undoes.as_ref().is_none_or(begun);
        self.plan.steps.iter().filter(needed).filter(move |s| ended(&s.id).is_none() && !left_open(&s.id))
    }

    /// Clean-ups that a person left open: to be done by hand.
    pub fn left_open(&self) -> impl Iterator<Item = &Step> {
        let run = self.run.as_ref();
        let deferred = move |s: &&Step| {
            let state = run.and_then(|r| r.commits.get(&s.id));
            s.always && matches!(state, Some(CommitState::Deferred { .. }))
        };
        self.plan.steps.iter().filter(deferred)
    }

    /// The step under way that failed, where it may be left for later.
    pub fn left_for_later(&self) -> Option<&Step> {
        let step = self.plan.step(self.current_step()?).filter(|s| s.later)?;
        let ended = self.run.as_ref()?.steps.get(&step.id)?.ended.as_ref()?;
        (!ended.value.ok).then_some(step)
    }

    /// The step the run is at: the first that has not ended well.
    pub fn current_step(&self) -> Option<&str> {
        let run = self.run.as_ref()?;
        if run.ending.is_some() {
            return self.cleanups().next().map(|s| s.id.as_str());
        }
        self.plan
            .steps
            .iter()
            .find(|s| {
                !run.steps.get(&s.id).and_then(|x| x.ended.as_ref()).is_some_and(|e| e.value.ok)
                    && !matches!(
                        run.commits.get(&s.id),
                        Some(CommitState::Done { .. } | CommitState::Deferred { .. })
                    )
            })
            .map(|s| s.id.as_str())
    }
}
