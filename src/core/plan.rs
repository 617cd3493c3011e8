//! The sealed plan of a run: what a runbook and an inventory become once everything is resolved. Pure data, kept beside
//! the journal, never changed after sealing (run-safety-model 3).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::baseline::Baseline;
use super::gate_rules::GateRule;
use super::log::LogFormat;
use super::name::NodeName;
use super::pace::Learned;
use super::run::UnitState;
use super::sequence::Sequence;
pub use super::step::{Class, LeftOut, Probe, Proof, Step, StepKind, Tier};
use super::terms::Terms;

/// Everything a run needs to know, resolved and frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub runbook: RunbookInfo,
    /// Name of the cluster, as it is typed to confirm irreversible steps.
    pub cluster: String,
    pub nodes: Vec<NodeName>,
    /// The machine outside the cluster that drives a delegated run.
    pub coordinator: Option<NodeName>,
    /// Where a person gets at a machine that nothing else reaches, as the inventory says it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consoles: BTreeMap<NodeName, String>,
    pub target: Target,
    /// Values that scripts and expressions may name, from the runbook and the inventory.
    pub settings: BTreeMap<String, Json>,
    pub facts: Vec<FactGroup>,
    pub checks: Vec<Check>,
    /// The steps that exist with these settings, in their order.
    pub steps: Vec<Step>,
    /// Those that other settings would bring.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    pub driver: Driver,
    pub logs: Vec<LogSource>,
    /// What must hold before a node is taken out of service, for sequences and for whoever watches.
    #[serde(default)]
    pub gates: Vec<GateRule>,
    #[serde(default)]
    pub sequences: Vec<Sequence>,
    /// What of each node is compared after its upgrade with what it was before.
    #[serde(default)]
    pub baseline: Option<Baseline>,
    pub scripts: BTreeMap<ScriptId, Script>,
    pub stages: BTreeMap<Stage, StageBudget>,
    /// What stages took in earlier runs of this cluster, when the plan was sealed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub learned: BTreeMap<Stage, Learned>,
    /// Change number, maintenance window: what was agreed on about this cluster.
    #[serde(default, skip_serializing_if = "Terms::is_empty")]
    pub terms: Terms,
}

impl Plan {
    /// The check of that id.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|c| c.id == id)
    }

    /// The step of that id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|s| s.id == id)
    }

    /// The sequence of that id.
    pub fn sequence(&self, id: &str) -> Option<&Sequence> {
        self.sequences.iter().find(|s| s.id == id)
    }

    /// The fact group of that id.
    pub fn fact_group(&self, id: &str) -> Option<&FactGroup> {
        self.facts.iter().find(|f| f.id == id)
    }

    /// Nodes, then the coordinator: every machine that is talked to.
    pub fn machines(&self) -> impl Iterator<Item = &NodeName> {
        self.nodes.iter().chain(self.coordinator.iter())
    }

    /// Seconds that a stage usually takes: in earlier runs of this cluster, else by the runbook; 0 where neither says.
    pub fn usual(&self, stage: Stage) -> u64 {
        self.learned.get(&stage).map_or_else(|| self.expected(stage), |l| l.usual)
    }

    /// A number among the settings; none where the runbook says nothing.
    pub fn number(&self, setting: &str) -> usize {
        self.settings.get(setting).and_then(Json::as_u64).unwrap_or(0) as usize
    }

    /// Nodes that may fail before the run pauses: the number that the driver gets too.
    pub fn max_failed(&self) -> usize {
        self.number("max_failed_nodes")
    }

    /// Expected seconds of a stage; 0 where the runbook gives none.
    pub fn expected(&self, stage: Stage) -> u64 {
        self.stages.get(&stage).map_or(0, |b| b.expected)
    }
}

/// Which runbook this is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunbookInfo {
    pub id: String,
    pub title: String,
    /// A few words for the header, such as "22H2 → 23H2 by PowerShell"; a runbook has `{from}` and `{to}` there.
    pub short: String,
    /// The document that it follows.
    pub source: String,
}

/// The OS a run ends on, and the one it starts from. The numbers stand in the runbook only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Display version, such as `23H2`.
    pub version: String,
    pub build: u64,
    pub from_version: String,
    pub from_build: u64,
    /// Least update revision of the old build, where a target asks for one.
    pub min_ubr: Option<u64>,
    /// Version of the installation media, such as `2503`.
    pub media: Option<String>,
    /// Last day of support, as text for people.
    pub end_of_support: Option<String>,
}

/// Path of a script in its runbook, such as `facts/registry.ps1`.
pub type ScriptId = String;

/// One script, as it is sent: prelude and body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Script {
    pub text: Arc<str>,
    /// SHA-256 of the text, hex.
    pub sha256: String,
    /// Names of the arguments it gets, each found in the plan (see `Plan::argument`).
    pub args: Vec<String>,
    /// Seconds of real time after which it is stopped and its answer is *could not tell*.
    pub timeout: u64,
}

/// Where something is read or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On every node of the cluster.
    EachNode,
    /// On one healthy node, for the whole cluster.
    AnyNode,
    /// On the machine that drives a delegated run.
    Coordinator,
    /// On every node and the coordinator.
    Everywhere,
}

/// What one script reads in one call; many checks judge it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactGroup {
    pub id: String,
    pub title: String,
    pub on: Place,
    pub script: ScriptId,
    /// Takes minutes: gets a channel of its own, so that quick reads do not wait behind it.
    pub slow: bool,
}

/// How much a failed check matters (azure-local-upgrade 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The run does not start.
    Blocker,
    /// The run starts after it was seen.
    Warning,
    /// Good practice.
    Recommended,
}

/// When a check is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Readiness, before the run.
    Before,
    /// On each node, as soon as it answers on the target build, while the driver goes on.
    Returning,
    /// Proof, when the last node is done.
    After,
}

/// Whom a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// One verdict for each node.
    EachNode,
    /// One verdict for the coordinator.
    Coordinator,
    /// One verdict for the cluster; groups read on each node are lists.
    Cluster,
}

/// A CEL expression, kept as text; `judge` compiles it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expr(pub String);

/// One readiness or proof check: facts in, verdict out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub id: String,
    pub title: String,
    /// Heading it stands under.
    pub area: String,
    pub scope: Scope,
    pub severity: Severity,
    pub moment: Moment,
    pub waivable: bool,
    /// Fact groups it judges.
    pub facts: Vec<String>,
    /// False = not applicable.
    pub applies: Option<Expr>,
    pub pass: Expr,
    /// True, where `pass` is false, makes a blocker a warning.
    pub warn: Option<Expr>,
    /// What was seen, in a few words.
    pub observed: Option<Expr>,
    /// Rows of evidence: a list of texts.
    pub detail: Option<Expr>,
    pub expect: String,
    pub remedy: String,
    /// A command that a person could copy.
    pub command: Option<String>,
    pub fix: Option<Fix>,
    /// What a person confirms where no script can tell, as a question. Until then the check could not tell, unless `pass` holds.
    #[serde(default)]
    pub attest: Option<String>,
    /// Beside `attest`: true where the facts do tell, and it does not hold. It fails then, whatever a person said.
    #[serde(default)]
    pub fail: Option<Expr>,
    pub source: String,
}

/// A change that makes a check pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    pub by: FixBy,
    /// What it changes, for the confirmation: "sets two registry values".
    pub changes: String,
    /// The sequence that has to follow on the node before the change counts: a restart.
    pub then: Option<String>,
    /// What somebody has to do while it runs. Such a fix is never one of many: it is asked for by itself.
    #[serde(default)]
    pub person: Option<String>,
    /// What a person should know before they agree.
    #[serde(default)]
    pub warning: Vec<String>,
    /// Done without a question, where the check fails on a node that returned.
    #[serde(default)]
    pub by_itself: bool,
}

/// What mends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixBy {
    /// A script, on the machine that the verdict is about.
    Script(ScriptId),
    /// A sequence, over every node that needs it.
    Sequence(String),
}

impl Fix {
    /// Its script, where it is one.
    pub fn script(&self) -> Option<&ScriptId> {
        match &self.by {
            FixBy::Script(script) => Some(script),
            FixBy::Sequence(_) => None,
        }
    }

    /// The sequence that it is, or that has to follow.
    pub fn sequence(&self) -> Option<&str> {
        match &self.by {
            FixBy::Sequence(id) => Some(id),
            FixBy::Script(_) => self.then.as_deref(),
        }
    }
}

/// Who moves the nodes (run-safety-model 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The product's own orchestrator does; our gates observe.
    Delegated,
    /// We do; our gates hold.
    Direct,
}

/// How a delegated run is watched. The scripts answer in the shapes of `view`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Driver {
    pub mode: Mode,
    /// Who drives, for people: "Cluster-Aware Updating".
    pub name: String,
    /// Fact group with the state of the run (`view::DriverView`), read on any node.
    pub state: String,
    /// Fact group with the last report (`view::DriverReport`).
    pub report: String,
    /// Fact group with the cluster's view of its nodes (`view::ClusterView`).
    pub cluster: String,
    /// Fact group with the host's own view (`view::HostView`), read on each node.
    pub host: String,
    /// Fact group with the storage gate (`view::StorageView`).
    pub storage: String,
    /// Fact group with the roles and where they are (`view::RolesView`), read while a node is drained.
    #[serde(default)]
    pub roles: Option<String>,
    /// Fact group with votes and witness (`survival::QuorumView`).
    #[serde(default)]
    pub quorum: Option<String>,
    /// Script that asks the run to end after the node in work.
    pub stop: ScriptId,
    /// Script that clears a run that was left, run where the run was started.
    #[serde(default)]
    pub recover: Option<ScriptId>,
    /// The driver's words for what a node is doing → stage.
    pub words: BTreeMap<String, Stage>,
    /// What the tool of the document says of a node, by where it stands: for those who know that tool.
    #[serde(default)]
    pub shown: BTreeMap<UnitState, String>,
    /// What a person can do about a node that does not go on by itself.
    #[serde(default)]
    pub cures: BTreeMap<Fault, Cure>,
    /// Reads of the state, in seconds: while a run is on, and else.
    pub every: u64,
    pub idle_every: u64,
}

/// What keeps a node from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Its roles could not be moved away.
    DrainFailed,
    /// The cluster sees it again, its SSH server does not answer.
    NoSsh,
}

/// Words and commands for a person; `{node}` is the node's name, `{console}` where its console is: a line with that is left out where
/// the inventory does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cure {
    pub say: Vec<String>,
    #[serde(default)]
    pub commands: Vec<String>,
}

/// The stages of a node, in order, as the track on the screen shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Waiting,
    Scanning,
    Staging,
    Draining,
    Installing,
    Restarting,
    Returning,
    Verifying,
    Resuming,
    Resync,
    Done,
}

impl Stage {
    /// The stages of a node in work, in order.
    pub const TRACK: [Stage; 8] = [
        Stage::Staging,
        Stage::Draining,
        Stage::Installing,
        Stage::Restarting,
        Stage::Returning,
        Stage::Verifying,
        Stage::Resuming,
        Stage::Resync,
    ];

    /// One word for the screen.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Waiting => "waiting",
            Stage::Scanning => "scanning",
            Stage::Staging => "staging",
            Stage::Draining => "draining",
            Stage::Installing => "installing",
            Stage::Restarting => "restarting",
            Stage::Returning => "returning",
            Stage::Verifying => "verifying",
            Stage::Resuming => "resuming",
            Stage::Resync => "resync",
            Stage::Done => "done",
        }
    }
}

/// How long a stage may take, in seconds (run-safety-model 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageBudget {
    pub expected: u64,
    /// After this much a person should look. Nothing is killed.
    pub limit: u64,
    /// Without a change in any source of progress for so long, it is flagged as stalled; 0 = never.
    #[serde(default)]
    pub stall: u64,
}

/// A log on a node that is shown live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogSource {
    pub id: String,
    pub title: String,
    pub on: Place,
    pub from: LogFrom,
    /// Seconds between reads while a run is on.
    pub every: u64,
}

/// Where the lines of a log come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFrom {
    /// It answers `{ lines: [{ at, level, text }], next }`; gets `after`, the `next` of the last answer.
    Script(ScriptId),
    /// A file on the machine, followed by its offset.
    File {
        path: String,
        format: LogFormat,
        /// What stands before a number that says how far Setup has come, in hundredths.
        #[serde(default)]
        percent: Option<String>,
    },
}

/// Arguments that a script may ask for beside the settings of its runbook.
pub const ARGUMENTS: &[&str] = &[
    "cluster",
    "node",
    "nodes",
    "coordinator",
    "target_build",
    "target_version",
    "target_node",
    "operation",
    "boot_utc",
    "item",
    "force",
];

/// Arguments that are secrets: the engine puts them in at the last moment, nothing else ever sees them.
pub const SECRETS: &[&str] = &["task_password"];

/// Key of the marker that stands for a secret in arguments until they are sent.
pub const SECRET_MARK: &str = "$secret";

impl Plan {
    /// The arguments of a script for a machine, secrets as marks: `{"task_password": {"$secret": "task_password"}}`.
    pub fn arguments(&self, script: &str, node: &NodeName) -> Json {
        let names = self.scripts.get(script).map_or(&[][..], |s| &s.args[..]);
        let value = |name: &str| match name {
            "cluster" => Json::from(self.cluster.as_str()),
            "node" => Json::from(node.as_str()),
            "nodes" => self.nodes.iter().map(|n| Json::from(n.as_str())).collect(),
            "coordinator" => self.coordinator.as_ref().map_or(Json::Null, |c| Json::from(c.as_str())),
            "target_build" => Json::from(self.target.build),
            "target_version" => Json::from(self.target.version.as_str()),
            name if SECRETS.contains(&name) => serde_json::json!({ SECRET_MARK: name }),
            name => self.settings.get(name).cloned().unwrap_or(Json::Null),
        };
        Json::Object(names.iter().map(|n| (n.clone(), value(n))).collect())
    }
}
