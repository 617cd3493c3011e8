//! What stands in a runbook's files, as people write it. `load` checks it and makes a plan of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use toml::Spanned;

use crate::core::log::LogFormat;
use crate::core::plan::{Class, Cure, Fault, Mode, Moment, Place, Scope, Severity, Stage, StepKind, Tier};
use crate::core::run::UnitState;

/// A text that an error may have to point at.
pub type Word = Spanned<String>;

/// `runbook.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunbookFile {
    pub id: Word,
    pub title: String,
    /// A few words for the header.
    pub short: String,
    /// The document it follows.
    pub source: String,
    /// More files with facts and checks, relative to this one.
    #[serde(default)]
    pub include: Vec<Word>,
    /// Files with steps that come after those of this one, in their order.
    #[serde(default)]
    pub steps_after: Vec<Word>,
    /// Put in front of every script, relative to this file.
    pub prelude: Option<Word>,
    /// Name of the target that is taken when the inventory names none.
    pub default_target: Word,
    pub targets: BTreeMap<String, TargetTable>,
    /// Values that scripts and expressions may name; an inventory may give others.
    #[serde(default)]
    pub settings: BTreeMap<String, Json>,
    /// Settings of other runbooks that this one refuses, with what to do instead.
    #[serde(default)]
    pub refused: BTreeMap<String, Word>,
    pub driver: DriverTable,
    #[serde(default)]
    pub stages: BTreeMap<Stage, StageTable>,
    #[serde(default)]
    pub facts: Vec<FactsTable>,
    #[serde(default)]
    pub check: Vec<CheckTable>,
    #[serde(default)]
    pub step: Vec<StepTable>,
    #[serde(default)]
    pub gate: Vec<GateTable>,
    #[serde(default)]
    pub sequence: Vec<SequenceTable>,
    #[serde(default)]
    pub log: Vec<LogTable>,
    pub baseline: Option<BaselineTable>,
}

/// A file that a runbook includes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncludedFile {
    #[serde(default)]
    pub facts: Vec<FactsTable>,
    #[serde(default)]
    pub check: Vec<CheckTable>,
    #[serde(default)]
    pub gate: Vec<GateTable>,
    #[serde(default)]
    pub sequence: Vec<SequenceTable>,
    pub baseline: Option<BaselineTable>,
}

/// A file with steps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepsFile {
    #[serde(default)]
    pub step: Vec<StepTable>,
}

/// `[baseline]`: what is compared after a node's upgrade, and what is known of changes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineTable {
    /// The fact group; named once among the files of a runbook.
    pub facts: Option<Word>,
    #[serde(default)]
    pub expected: Vec<ExpectedTable>,
    #[serde(default)]
    pub known: Vec<KnownTable>,
}

/// `[[baseline.expected]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedTable {
    pub when: Word,
    pub why: String,
}

/// `[[baseline.known]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownTable {
    pub id: Word,
    pub when: Word,
    pub title: String,
    pub remedy: String,
    pub command: Option<String>,
    pub source: String,
}

/// `[targets.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetTable {
    pub build: u64,
    pub from_version: String,
    pub from_build: u64,
    pub min_ubr: Option<u64>,
    pub media: Option<String>,
    pub end_of_support: Option<String>,
}

/// `[driver]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverTable {
    pub mode: Mode,
    pub name: String,
    pub state: Word,
    pub report: Word,
    pub cluster: Word,
    pub host: Word,
    pub storage: Word,
    pub roles: Option<Word>,
    pub quorum: Option<Word>,
    pub stop: Word,
    #[serde(default)]
    pub stop_args: Vec<Word>,
    pub recover: Option<Word>,
    #[serde(default)]
    pub recover_args: Vec<Word>,
    pub words: BTreeMap<String, Stage>,
    /// What the document's tool says of a node, by where it stands.
    #[serde(default)]
    pub shown: BTreeMap<UnitState, String>,
    /// What a person can do about a node that does not go on by itself.
    #[serde(default)]
    pub cures: BTreeMap<Fault, Cure>,
    pub every: u64,
    pub idle_every: u64,
}

/// `[stages.NAME]`, seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageTable {
    pub expected: u64,
    pub limit: u64,
    /// Without any change for so long it is flagged; never where absent.
    #[serde(default)]
    pub stall: u64,
}

/// `[[facts]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactsTable {
    pub id: Word,
    pub title: String,
    pub on: Place,
    pub script: Word,
    #[serde(default)]
    pub args: Vec<Word>,
    /// Seconds; 60 where absent (powershell-over-ssh 15).
    pub timeout: Option<u64>,
    #[serde(default)]
    pub slow: bool,
}

/// `[[check]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckTable {
    pub id: Word,
    pub title: String,
    pub area: String,
    pub scope: Scope,
    pub severity: Severity,
    #[serde(default = "before")]
    pub moment: Moment,
    /// Required, no default: whoever adds a check decides.
    pub waivable: bool,
    #[serde(default)]
    pub facts: Vec<Word>,
    pub applies: Option<Word>,
    /// May be left out where a person confirms.
    pub pass: Option<Word>,
    /// What a person confirms where no script can tell: a question.
    pub attest: Option<Word>,
    /// Beside `attest`: where the facts do tell that it does not hold.
    pub fail: Option<Word>,
    pub warn: Option<Word>,
    pub observed: Option<Word>,
    pub detail: Option<Word>,
    pub expect: String,
    pub remedy: String,
    pub command: Option<String>,
    pub fix: Option<FixTable>,
    pub source: String,
}

fn before() -> Moment {
    Moment::Before
}

/// `fix = { … }` of a check.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixTable {
    /// One of the two.
    pub script: Option<Word>,
    pub sequence: Option<Word>,
    #[serde(default)]
    pub args: Vec<Word>,
    pub class: Option<Spanned<Class>>,
    pub changes: Spanned<String>,
    /// The sequence that has to follow on the node: a restart.
    pub then: Option<Word>,
    /// What somebody has to do while it runs.
    pub person: Option<Word>,
    /// What a person should know before they agree.
    #[serde(default)]
    pub warning: Vec<String>,
    /// Done without a question: only for a node that returns.
    pub by_itself: Option<Spanned<bool>>,
    pub timeout: Option<u64>,
}

/// `[[sequence]]`: what is done to one node after the other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceTable {
    pub id: Word,
    pub title: String,
    #[serde(default)]
    pub warning: Vec<String>,
    pub action: Vec<ActionTable>,
}

/// `[[sequence.action]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionTable {
    pub id: Word,
    pub title: String,
    pub kind: Spanned<ActionKindWord>,
    pub script: Option<Word>,
    #[serde(default)]
    pub args: Vec<Word>,
    pub on: Option<Place>,
    pub probe: Option<ProbeTable>,
    /// Of a gate: those of `[[gate]]` that it consists of, before its own conditions.
    #[serde(default)]
    pub gates: Vec<Word>,
    #[serde(default)]
    pub condition: Vec<ProofTable>,
    /// Of a gate: what makes it fail for good.
    #[serde(default)]
    pub halt: Vec<HaltTable>,
    /// Of a detached action: the codes it ends well with, and what others mean.
    #[serde(default)]
    pub success: Vec<u64>,
    #[serde(default)]
    pub codes: BTreeMap<Word, String>,
    pub stage: Option<Stage>,
    pub person: Option<String>,
    pub leaves: Option<String>,
    pub undoes: Option<Word>,
    pub retry_from: Option<Word>,
    pub expected: u64,
    pub budget: u64,
    pub timeout: Option<u64>,
}

/// `[[gate]]`: what must hold before a node is taken out of service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateTable {
    pub id: Word,
    pub title: String,
    pub condition: Vec<ConditionTable>,
}

/// `[[gate.condition]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionTable {
    pub id: Word,
    /// A person may take it upon themselves.
    #[serde(default)]
    pub waivable: bool,
    /// It is observed where another driver moves the nodes.
    #[serde(default = "yes")]
    pub observe: bool,
    pub title: String,
    pub facts: Vec<Word>,
    pub pass: Word,
    pub observed: Option<Word>,
}

fn yes() -> bool {
    true
}

/// `kind` of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKindWord {
    Gate,
    Do,
    Detached,
    Restart,
}

/// `[[sequence.action.halt]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaltTable {
    pub title: String,
    pub facts: Vec<Word>,
    pub when: Word,
    pub observed: Option<Word>,
}

/// `[[step]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTable {
    pub id: Word,
    pub title: String,
    pub kind: StepKind,
    /// It exists only while these settings have these values.
    #[serde(default)]
    pub only: BTreeMap<Word, Json>,
    /// What a step of kind `sequence` does to each node.
    pub sequence: Option<Word>,
    /// Settings that must not be empty for it.
    #[serde(default)]
    pub needs: Vec<Word>,
    pub class: Class,
    pub on: Place,
    pub script: Option<Word>,
    #[serde(default)]
    pub args: Vec<Word>,
    #[serde(default)]
    pub detached: bool,
    pub probe: Option<ProbeTable>,
    pub expected: u64,
    pub budget: u64,
    pub safe_point: String,
    pub tier: Tier,
    #[serde(default)]
    pub warning: Vec<String>,
    #[serde(default)]
    pub proof: Vec<ProofTable>,
    #[serde(default)]
    pub review: Vec<Word>,
    pub timeout: Option<u64>,
    #[serde(default)]
    pub always: bool,
    pub undoes: Option<Word>,
    pub ask: Option<String>,
    /// Of a `do` step: where it fails it may be left for later.
    #[serde(default)]
    pub later: bool,
    pub items: Option<ItemsTable>,
}

/// `[step.items]`: what a step finds on the machines, and does one by one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemsTable {
    /// What one of them is called.
    pub word: Word,
    pub facts: Word,
    /// Those of one machine: a list of `{ name, state }`.
    pub note: Option<Word>,
    /// The one called `item`: a list of at most one `{ state, done }`.
    pub look: Word,
    #[serde(default)]
    pub in_order: bool,
    /// Setting with the names of those that are left as they are.
    pub keep: Option<Word>,
    /// Over settings: holds where nobody has to be asked first.
    pub agreed: Option<Word>,
    pub stuck: Option<StuckTable>,
    pub take: String,
    pub force: Option<String>,
    pub leave: String,
}

/// `stuck = { … }`: a setting, and its values that decide.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StuckTable {
    pub setting: Word,
    pub force: Option<String>,
    pub leave: Option<String>,
}

/// `probe = { … }` of a step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeTable {
    pub facts: Word,
    pub done: Word,
    pub failed: Option<Word>,
}

/// `[[step.proof]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofTable {
    pub title: String,
    pub facts: Vec<Word>,
    pub pass: Word,
    pub observed: Option<Word>,
}

/// `[[log]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogTable {
    pub id: Word,
    pub title: String,
    pub on: Place,
    pub script: Option<Word>,
    pub file: Option<Word>,
    #[serde(default)]
    pub format: LogFormat,
    /// What stands before a number of hundredths in its lines; only with a file.
    pub percent: Option<String>,
    pub every: u64,
    pub timeout: Option<u64>,
}
