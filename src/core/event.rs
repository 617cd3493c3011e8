//! What happened. Past tense, immutable, numbered and time-stamped by the engine: the only thing that is persisted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::baseline::{Change, Comparison};
use super::connection::Connection;
use super::control::{Handover, Seat, ViewerId};
use super::hooks::{HookEnd, When};
use super::items::{Choice, Noted};
use super::keeping::Keeping;
use super::name::{NodeName, OpId};
use super::progress::{Measure, Quiet};
use super::run::{PauseReason, Phase, RunVerdict, UnitState};
use super::sequence::{Halt, Wish};
use super::view::{ClusterNode, DriverReport, DriverView, HostView, OpVerdict, StorageView};

/// An event with its number and circumstances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// The only order there is.
    pub seq: u64,
    /// When, by the engine's clock (UTC). For people; never compared between machines.
    pub at: Timestamp,
    /// Who caused it: `engine`, or the login of a person.
    pub actor: String,
    pub event: Event,
}

/// The actor of what the engine does by itself.
pub const ENGINE: &str = "engine";

/// Which facts: a group, and the machine they are about; no machine = the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReadKey {
    pub group: String,
    pub node: Option<NodeName>,
}

/// Which verdict: a check, and the node it is about; no node = the cluster or the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VerdictKey {
    pub check: String,
    pub node: Option<NodeName>,
}

/// What came back from a read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The record.
    Facts(Json),
    /// No record: every check that needs it could not tell.
    Failed(Failure),
}

/// Why a script gave no answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// The error id where PowerShell gave one: `ClusterAccessDenied,Microsoft…`. Matched by its beginning only.
    pub id: Option<String>,
    /// The error in words, cleaned.
    pub message: String,
    /// Line of the script and its text, where known.
    pub at: Option<String>,
}

/// How a script failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The script threw. Nothing of it is doubtful: it ended there.
    Threw,
    /// It did not end in time, and was stopped.
    TimedOut,
    /// The connection or the worker ended under it: it may have run on.
    Indeterminate,
    /// It was never sent.
    NotSent,
    /// It answered, but not in the shape that was asked for.
    Misshapen,
}

impl FailureKind {
    /// What went wrong, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            FailureKind::Threw => "the read failed",
            FailureKind::TimedOut => "no answer in time",
            FailureKind::Indeterminate => "the connection ended under it",
            FailureKind::NotSent => "not reached",
            FailureKind::Misshapen => "unreadable answer",
        }
    }
}

/// Whose script waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waiting {
    Read(ReadKey),
    Operation(OpId),
}

/// The outcome of a check, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    NotApplicable,
    Pass,
    Warn,
    /// Never counts as pass.
    CouldNotTell,
    Fail,
}

/// A judged check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub outcome: Outcome,
    /// What was seen, in a few words.
    pub observed: Option<String>,
    /// Rows of evidence.
    pub detail: Vec<String>,
    /// Why it could not be told.
    pub why: Option<String>,
    /// When the oldest fact it used was read.
    pub facts_at: Option<Timestamp>,
}

/// A blocker that a person took upon themselves (run-safety-model 9.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiver {
    pub key: VerdictKey,
    pub reason: String,
    pub by: String,
    pub expires: Timestamp,
}

/// What a person confirmed because no script can tell it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attested {
    pub key: VerdictKey,
    /// What they looked at, in their words; may be empty.
    pub note: String,
}

/// One condition of a proof, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProofItem {
    pub title: String,
    pub holds: bool,
    /// Why not, where it does not; what was seen; or who took it upon themselves.
    pub why: Option<String>,
    /// The gate and the part of it that it is: `node-ready.disk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
}

impl ProofItem {
    /// Whether the condition of that title holds.
    pub fn new(title: &str, holds: bool, why: Option<String>) -> Self {
        Self { title: title.to_owned(), holds, why, gate: None }
    }
}

/// What the plan was sealed as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sealed {
    pub plan_sha256: String,
    pub runbook: String,
    pub cluster: String,
    pub nodes: Vec<NodeName>,
    /// Nothing is upgraded by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
}

/// Which engine writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineInfo {
    pub version: String,
    /// Machine and login it runs under.
    pub host: String,
    pub user: String,
    /// How many seconds of the engine's clock pass in one real second. 1 but in the lab and the demo.
    pub scale: f64,
    /// Machines are imitated: the screen says so.
    pub imitated: bool,
}

/// Everything that can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", content = "d")]
pub enum Event {
    #[serde(rename = "engine.start")]
    EngineStarted(EngineInfo),
    /// The journal stands otherwise than before: space runs out, or comes back, or nothing can be written any more.
    #[serde(rename = "journal.seen")]
    JournalSeen(Keeping),
    /// What the engine made of the records so far.
    #[serde(rename = "state.hash")]
    StateHashed { form: u32, sha256: String },
    #[serde(rename = "plan.sealed")]
    PlanSealed(Sealed),
    /// A paused run goes on by another plan: the sealed one with these settings as well.
    #[serde(rename = "plan.revised")]
    PlanRevised { revision: u32, plan_sha256: String, settings: BTreeMap<String, Json> },
    /// Somebody who may change the run looks at it. Who only looks is not written down.
    #[serde(rename = "viewer.came")]
    ViewerCame { viewer: ViewerId, seat: Seat },
    #[serde(rename = "viewer.gone")]
    ViewerGone { viewer: ViewerId },
    /// The controller offers control to whoever takes it, or does not any more.
    #[serde(rename = "control.offer")]
    ControlOffered { open: bool },
    #[serde(rename = "control.moved")]
    ControlMoved { to: ViewerId, how: Handover },
    #[serde(rename = "node.connection")]
    ConnectionChanged { node: NodeName, connection: Connection },

    #[serde(rename = "facts.asked")]
    FactsAsked { key: ReadKey, attempt: u32, asked: NodeName },
    #[serde(rename = "facts.read")]
    FactsRead { key: ReadKey, attempt: u32, asked: NodeName, took_ms: u64, answer: Answer },
    /// A script that runs says what a person has to do before it goes on: one line, cleaned and short.
    #[serde(rename = "person.awaited")]
    PersonAwaited { of: Waiting, node: NodeName, text: String },
    #[serde(rename = "check.result")]
    CheckJudged { key: VerdictKey, verdict: Verdict },
    #[serde(rename = "check.retry")]
    ReadsWanted { keys: Vec<ReadKey>, why: String },
    #[serde(rename = "check.summary")]
    ChecksEnded { blocking: u32, warnings: u32, passed: u32 },
    #[serde(rename = "waiver.add")]
    Waived(Waiver),
    #[serde(rename = "attest.add")]
    Attested(Attested),

    #[serde(rename = "fix.intent")]
    FixIntended { op: OpId, key: VerdictKey, node: NodeName },
    #[serde(rename = "fix.done")]
    FixEnded { op: OpId, took_ms: u64, answer: Answer },

    #[serde(rename = "sequence.start")]
    SequenceStarted {
        sequence: String,
        nodes: Vec<NodeName>,
        /// The step of the run that it is, where it moves the nodes of one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
    /// Something is about to be done to a node; `boot` is its last start, where it will be restarted.
    #[serde(rename = "action.intent")]
    ActionIntended { node: NodeName, action: String, op: OpId, attempt: u32, boot: Option<Timestamp> },
    #[serde(rename = "action.answer")]
    ActionAnswered { op: OpId, took_ms: u64, answer: Answer },
    #[serde(rename = "gate.seen")]
    GateSeen { node: NodeName, action: String, items: Vec<ProofItem> },
    /// The gates before a node that another driver will begin, as they are seen; `twice`: they were open a look before, too.
    #[serde(rename = "gate.judged")]
    GateJudged {
        node: NodeName,
        items: Vec<ProofItem>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        twice: bool,
    },
    #[serde(rename = "action.end")]
    ActionEnded { node: NodeName, action: String, message: String },
    #[serde(rename = "sequence.pause")]
    SequencePaused(Halt),
    #[serde(rename = "sequence.wish")]
    SequenceAsked { wish: Wish },
    #[serde(rename = "sequence.resume")]
    SequenceResumed,
    #[serde(rename = "sequence.end")]
    SequenceEnded { ok: bool, message: String },

    /// A hook is about to be run on this machine; `cause` is the number of what it belongs to.
    #[serde(rename = "hook.intent")]
    HookIntended { node: NodeName, when: When, cause: u64, op: OpId, command: Vec<String> },
    #[serde(rename = "hook.end")]
    HookEnded { op: OpId, end: HookEnd },

    #[serde(rename = "phase")]
    PhaseChanged { to: Phase, why: String },
    /// A start was asked for, but the blockers were checked too long ago: they are proved again first.
    #[serde(rename = "run.start.asked")]
    StartAsked,
    #[serde(rename = "run.start.intent")]
    StartIntended { baseline: BTreeMap<NodeName, HostView> },
    #[serde(rename = "step.intent")]
    StepIntended { step: String, op: OpId, attempt: u32, node: NodeName },
    #[serde(rename = "step.started")]
    StepStarted { step: String, op: OpId },
    #[serde(rename = "op.seen")]
    OpSeen { op: OpId, verdict: OpVerdict },
    /// The script of a step answered on a machine.
    #[serde(rename = "step.answer")]
    StepAnswered { op: OpId, took_ms: u64, answer: Answer },
    /// The probe of a step says that it is done on a machine.
    #[serde(rename = "step.done")]
    StepDone { step: String, node: NodeName, message: String },
    /// What a step found on the machines when its turn came.
    #[serde(rename = "items.noted")]
    ItemsNoted { step: String, items: Vec<Noted> },
    /// What becomes of some of it, by a person or by a setting.
    #[serde(rename = "items.decided")]
    ItemsDecided { step: String, choices: BTreeMap<String, Choice> },
    /// A script about one of it is about to be sent.
    #[serde(rename = "item.intent")]
    ItemIntended { step: String, item: String, op: OpId, attempt: u32, node: NodeName, force: bool },
    /// One of it was seen to be as it should.
    #[serde(rename = "item.done")]
    ItemDone { step: String, item: String, node: NodeName, message: String },
    /// One of it does not come to that.
    #[serde(rename = "item.stuck")]
    ItemStuck { step: String, item: String, why: String },
    /// A person confirms what they did outside.
    #[serde(rename = "step.confirm")]
    StepConfirmed { step: String, note: String },
    #[serde(rename = "step.ended")]
    StepEnded { step: String, ok: bool, message: String },

    #[serde(rename = "node.cluster")]
    ClusterSeen { node: ClusterNode },
    #[serde(rename = "node.host")]
    HostSeen { node: NodeName, host: HostView },
    #[serde(rename = "storage.seen")]
    StorageSeen { view: StorageView },
    #[serde(rename = "storage.sample")]
    StorageSampled { bytes_left: u64, jobs: Vec<String> },
    #[serde(rename = "driver.seen")]
    DriverSeen { view: DriverView },
    #[serde(rename = "driver.report")]
    ReportSeen { report: DriverReport },
    #[serde(rename = "unit.state")]
    UnitChanged { node: NodeName, to: UnitState, why: String },
    #[serde(rename = "unit.progress")]
    UnitProgressed { node: NodeName, measure: Measure },
    /// Roles that are still on a node whose drain failed, as text.
    #[serde(rename = "unit.roles")]
    RolesLeft { node: NodeName, roles: Vec<String> },
    /// Nothing has changed on a node in work for too long, with what went quiet; or, with nothing, something has again.
    #[serde(rename = "unit.stall")]
    UnitStalled { node: NodeName, quiet: Vec<Quiet> },

    /// A node that is back was compared with what it was before the run, or could not be.
    #[serde(rename = "baseline.compared")]
    BaselineCompared { node: NodeName, comparison: Comparison },
    /// A person takes upon themselves what is not as it was.
    #[serde(rename = "baseline.accept")]
    ChangesAccepted { node: NodeName, changes: Vec<Change>, reason: String },

    #[serde(rename = "pause.request")]
    PauseRequested { op: OpId, reason: PauseReason },
    /// Something that ends a run by itself was seen: it ends as failed at the next safe point.
    #[serde(rename = "run.doomed")]
    RunDoomed { why: String },
    /// The driver has begun a node although these gates were closed.
    #[serde(rename = "gate.violated")]
    GateViolated { node: NodeName, gates: Vec<ProofItem> },
    #[serde(rename = "stop.intent")]
    StopIntended { op: OpId },
    #[serde(rename = "driver.stop")]
    DriverStopAnswered { op: OpId, answer: Answer },
    /// A run that its driver left is about to be cleared by force; what was proved for that.
    #[serde(rename = "recovery.intent")]
    RecoveryIntended { op: OpId, node: NodeName, typed: String, reason: String, proof: Vec<ProofItem> },
    #[serde(rename = "recovery.end")]
    RecoveryEnded { op: OpId, ok: bool, message: String },
    #[serde(rename = "resume")]
    Resumed { step: Option<String> },

    #[serde(rename = "proof.asked")]
    ProofAsked { step: String },
    #[serde(rename = "proof.taken")]
    ProofTaken { step: String, items: Vec<ProofItem> },
    /// An irreversible step was confirmed, but its proof is too old: it is proved again first.
    #[serde(rename = "commit.asked")]
    CommitAsked { step: String, typed: String, reason: String },
    #[serde(rename = "commit.intent")]
    CommitIntended { step: String, op: OpId, node: NodeName, typed: String, reason: String, proof: Vec<ProofItem> },
    #[serde(rename = "commit.done")]
    CommitEnded { step: String, op: OpId, ok: bool, message: String },
    #[serde(rename = "commit.deferred")]
    CommitDeferred { step: String },
    /// A run that has ended is opened again for a step that was left for later.
    #[serde(rename = "run.reopened")]
    RunReopened { step: String },
    /// The run is over but for its clean-ups.
    #[serde(rename = "run.ending")]
    RunEnding { verdict: RunVerdict, message: String },
    /// A person gives the run up; what stays behind, as it was shown to them.
    #[serde(rename = "run.abandoned")]
    RunAbandoned { typed: String, reason: String, left_behind: Vec<String> },
    #[serde(rename = "run.end")]
    RunEnded { verdict: RunVerdict, message: String },
}

/// When a record must be on disk (run-safety-model 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Written within a second, never synced.
    BestEffort,
    /// Synced within 250 ms.
    Batch,
    /// Synced before anything that follows from it.
    Sync,
}

impl Event {
    /// The class of this event.
    pub fn durability(&self) -> Durability {
        use Event::*;
        match self {
            FactsAsked { .. } | StorageSampled { .. } | UnitProgressed { .. } | ProofAsked { .. } => {
                Durability::BestEffort
            }
            ViewerCame { .. }
            | ViewerGone { .. }
            | ControlOffered { .. }
            | ConnectionChanged { .. }
            | FactsRead { .. }
            | PersonAwaited { .. }
            | StateHashed { .. }
            | CheckJudged { .. }
            | ReadsWanted { .. }
            | ChecksEnded { .. }
            | ClusterSeen { .. }
            | HostSeen { .. }
            | StorageSeen { .. }
            | DriverSeen { .. }
            | ReportSeen { .. }
            | UnitChanged { .. }
            | UnitStalled { .. }
            | RolesLeft { .. }
            | OpSeen { .. }
            | GateSeen { .. }
            | GateJudged { .. }
            | StartAsked
            | CommitAsked { .. }
            | BaselineCompared { .. }
            | ProofTaken { .. } => Durability::Batch,
            EngineStarted(_)
            | JournalSeen(_)
            | PlanSealed(_)
            | PlanRevised { .. }
            | ControlMoved { .. }
            | Waived(_)
            | Attested(_)
            | ChangesAccepted { .. }
            | FixIntended { .. }
            | FixEnded { .. }
            | SequenceStarted { .. }
            | ActionIntended { .. }
            | ActionAnswered { .. }
            | ActionEnded { .. }
            | SequencePaused(_)
            | SequenceAsked { .. }
            | SequenceResumed
            | SequenceEnded { .. }
            | HookIntended { .. }
            | HookEnded { .. }
            | PhaseChanged { .. }
            | StartIntended { .. }
            | StepIntended { .. }
            | StepStarted { .. }
            | StepAnswered { .. }
            | StepDone { .. }
            | StepConfirmed { .. }
            | RunReopened { .. }
            | ItemsNoted { .. }
            | ItemsDecided { .. }
            | ItemIntended { .. }
            | ItemDone { .. }
            | ItemStuck { .. }
            | StepEnded { .. }
            | PauseRequested { .. }
            | RunDoomed { .. }
            | GateViolated { .. }
            | StopIntended { .. }
            | DriverStopAnswered { .. }
            | RecoveryIntended { .. }
            | RecoveryEnded { .. }
            | Resumed { .. }
            | CommitIntended { .. }
            | CommitEnded { .. }
            | CommitDeferred { .. }
            | RunEnding { .. }
            | RunAbandoned { .. }
            | RunEnded { .. } => Durability::Sync,
        }
    }

    /// Who goes on with a run must know what it means: an older program does not (run-safety-model 7.4).
    pub fn is_critical(&self) -> bool {
        self.durability() == Durability::Sync && !matches!(self, Event::EngineStarted(_) | Event::JournalSeen(_))
    }

    /// The unit the event is about, for the journal's index.
    pub fn unit(&self) -> Option<&NodeName> {
        use Event::*;
        match self {
            ConnectionChanged { node, .. } | HostSeen { node, .. } | UnitChanged { node, .. } => Some(node),
            PersonAwaited { node, .. } | BaselineCompared { node, .. } | ChangesAccepted { node, .. } => {
                Some(node)
            }
            UnitProgressed { node, .. } | UnitStalled { node, .. } | RolesLeft { node, .. } => Some(node),
            FixIntended { node, .. } | StepIntended { node, .. } | CommitIntended { node, .. } => Some(node),
            HookIntended { node, .. } | RecoveryIntended { node, .. } | GateViolated { node, .. } => Some(node),
            StepDone { node, .. } => Some(node),
            ActionIntended { node, .. }
            | GateSeen { node, .. }
            | GateJudged { node, .. }
            | ActionEnded { node, .. } => Some(node),
            FactsAsked { key, .. } | FactsRead { key, .. } => key.node.as_ref(),
            CheckJudged { key, .. } => key.node.as_ref(),
            ClusterSeen { node } => Some(&node.name),
            _ => None,
        }
    }

    /// The operation the event is about.
    pub fn op(&self) -> Option<&OpId> {
        use Event::*;
        match self {
            FixIntended { op, .. }
            | HookIntended { op, .. }
            | HookEnded { op, .. }
            | FixEnded { op, .. }
            | ActionIntended { op, .. }
            | ActionAnswered { op, .. }
            | StepIntended { op, .. }
            | StepStarted { op, .. }
            | StepAnswered { op, .. }
            | ItemIntended { op, .. }
            | OpSeen { op, .. }
            | PauseRequested { op, .. }
            | StopIntended { op }
            | DriverStopAnswered { op, .. }
            | RecoveryIntended { op, .. }
            | RecoveryEnded { op, .. }
            | CommitIntended { op, .. }
            | CommitEnded { op, .. } => Some(op),
            _ => None,
        }
    }
}
