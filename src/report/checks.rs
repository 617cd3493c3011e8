//! The checks of a report: every verdict with its evidence, and what people did about it.

use jiff::Timestamp;
use serde::Serialize;

use crate::core::command::is_bad;
use crate::core::event::{Answer, Outcome, ReadKey, VerdictKey};
use crate::core::judge::is_stale;
use crate::core::plan::{self, Scope, Severity};
use crate::core::state::{FixState, State};

/// How something stands, mildest first: the outcome, with what people and time made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    NotApplicable,
    Pass,
    /// Passed, but read too long ago for a start: it is read again first.
    Stale,
    /// Not good, and a person took it upon themselves.
    Waived,
    Warn,
    /// Never read.
    NotJudged,
    CouldNotTell,
    Fail,
}

impl Standing {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Standing::NotApplicable => "not applicable",
            Standing::Pass => "pass",
            Standing::Stale => "stale",
            Standing::Waived => "waived",
            Standing::Warn => "warn",
            Standing::NotJudged => "not judged",
            Standing::CouldNotTell => "could not tell",
            Standing::Fail => "fail",
        }
    }

    fn of(outcome: Option<Outcome>, waived: bool, stale: bool) -> Self {
        match outcome {
            None => Standing::NotJudged,
            Some(o) if waived && is_bad(o) => Standing::Waived,
            Some(Outcome::NotApplicable) => Standing::NotApplicable,
            Some(Outcome::Pass) if stale => Standing::Stale,
            Some(Outcome::Pass) => Standing::Pass,
            Some(Outcome::Warn) => Standing::Warn,
            Some(Outcome::CouldNotTell) => Standing::CouldNotTell,
            Some(Outcome::Fail) => Standing::Fail,
        }
    }
}

/// One check over all it is about.
#[derive(Clone, Debug, Serialize)]
pub struct Check<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub area: &'a str,
    pub severity: Severity,
    /// The worst of its results.
    pub outcome: Option<Outcome>,
    pub standing: Standing,
    /// It is in the way of the start.
    pub blocks: bool,
    /// Everything that is not good about it is waived.
    pub waived: bool,
    pub waivable: bool,
    /// Results that are good, of how many.
    pub good: usize,
    pub of: usize,
    pub expected: &'a str,
    pub remedy: &'a str,
    /// A command that a person could copy.
    pub command: Option<&'a str>,
    /// What nodelift's own fix changes.
    pub fix: Option<&'a str>,
    /// What a person is asked to confirm where no script can tell.
    pub attest: Option<&'a str>,
    pub source: &'a str,
    pub results: Vec<Verdict<'a>>,
}

/// One check on one node, or for the cluster.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict<'a> {
    /// None: the cluster or the coordinator.
    pub node: Option<&'a str>,
    /// Whom it is about, for people.
    pub about: &'a str,
    pub outcome: Option<Outcome>,
    pub standing: Standing,
    pub blocks: bool,
    pub observed: Option<&'a str>,
    /// Why it could not be told.
    pub why: Option<&'a str>,
    /// Rows of evidence.
    pub detail: &'a [String],
    /// When the oldest fact was read.
    pub facts_at: Option<Timestamp>,
    pub judged_at: Option<Timestamp>,
    /// The facts are older than a start allows.
    pub stale: bool,
    pub waiver: Option<Waived<'a>>,
    /// A person's word where no script can tell.
    pub attested: Option<Confirmed<'a>>,
    /// The reads it was judged from.
    pub facts: Vec<Fact<'a>>,
    /// Fixes that nodelift ran, oldest first.
    pub fixes: Vec<FixDone<'a>>,
    /// Earlier verdicts, oldest first.
    pub history: Vec<Before<'a>>,
}

/// What a person took upon themselves.
#[derive(Clone, Debug, Serialize)]
pub struct Waived<'a> {
    pub by: &'a str,
    pub reason: &'a str,
    pub until: Timestamp,
    /// It had not run out.
    pub holds: bool,
}

/// What a person confirmed.
#[derive(Clone, Debug, Serialize)]
pub struct Confirmed<'a> {
    pub by: &'a str,
    pub at: Timestamp,
    /// What they looked at, in their words; may be empty.
    pub note: &'a str,
}

/// One read of one fact group.
#[derive(Clone, Debug, Serialize)]
pub struct Fact<'a> {
    pub group: &'a str,
    /// The machine that answered.
    pub asked: Option<&'a str>,
    pub at: Option<Timestamp>,
    pub took_ms: u64,
    /// How often it was read.
    pub attempts: u32,
    pub error: Option<&'a str>,
}

/// One fix that was run.
#[derive(Clone, Debug, Serialize)]
pub struct FixDone<'a> {
    pub at: Timestamp,
    pub by: &'a str,
    pub on: &'a str,
    /// It did what it was for; `None` while that is not known.
    pub ok: Option<bool>,
    pub error: Option<&'a str>,
}

/// An earlier verdict.
#[derive(Clone, Debug, Serialize)]
pub struct Before<'a> {
    pub at: Timestamp,
    pub outcome: Outcome,
    pub observed: Option<&'a str>,
    pub why: Option<&'a str>,
}

impl<'a> Check<'a> {
    pub(super) fn of(state: &'a State, check: &'a plan::Check, now: Timestamp) -> Self {
        let results: Vec<Verdict<'a>> =
            state.verdict_keys(&check.id).iter().map(|key| Verdict::of(state, check, key, now)).collect();
        let outcome = Outcome::worst(results.iter().filter_map(|r| r.outcome));
        let mut bad = results.iter().filter(|r| r.outcome.is_none_or(is_bad)).peekable();
        let waived = bad.peek().is_some() && bad.all(|r| r.standing == Standing::Waived);
        let good =
            results.iter().filter(|r| matches!(r.outcome, Some(Outcome::Pass | Outcome::NotApplicable))).count();
        Check {
            id: &check.id,
            title: &check.title,
            area: &check.area,
            severity: check.severity,
            outcome,
            standing: results.iter().map(|r| r.standing).max().unwrap_or(Standing::NotJudged),
            blocks: results.iter().any(|r| r.blocks),
            waived,
            waivable: check.waivable,
            good,
            of: results.len(),
            expected: &check.expect,
            remedy: &check.remedy,
            command: check.command.as_deref(),
            fix: check.fix.as_ref().map(|f| f.changes.as_str()),
            attest: check.attest.as_deref(),
            source: &check.source,
            results,
        }
    }

    /// What a person must look at: in the way, or not good and not waived.
    pub fn needs_a_look(&self) -> bool {
        self.standing > Standing::Waived
    }

    /// Whether a fix could do anything: something was seen to be wrong, not only not read.
    pub fn can_mend(&self) -> bool {
        self.results.iter().any(|r| matches!(r.outcome, Some(Outcome::Fail | Outcome::Warn)))
    }

    /// The results, what to look at first before the rest.
    pub fn worst_first(&self) -> Vec<&Verdict<'a>> {
        let mut all: Vec<&Verdict<'a>> = self.results.iter().collect();
        all.sort_by_key(|r| (!r.blocks, std::cmp::Reverse(r.standing)));
        all
    }
}

impl<'a> Verdict<'a> {
    fn of(state: &'a State, check: &'a plan::Check, key: &VerdictKey, now: Timestamp) -> Self {
        let plan = &state.plan;
        // What outlives the borrow of `key` comes from the plan.
        let node = key.node.as_ref().and_then(|n| plan.nodes.iter().find(|p| *p == n)).map(|n| n.as_str());
        let about = match check.scope {
            Scope::EachNode => node.unwrap_or_default(),
            Scope::Coordinator => plan.coordinator.as_ref().map_or("coordinator", |c| c.as_str()),
            Scope::Cluster => "cluster",
        };
        let seen = state.verdict_of(key);
        let value = seen.map(|v| &v.value);
        let outcome = value.map(|v| v.outcome);
        let waiver = state.waivers.iter().find(|w| &w.key == key);
        let stale = check.severity == Severity::Blocker && value.is_some_and(|v| is_stale(state, v, now));
        let fixes = state.fixes.values().filter(|f| &f.key == key).map(fix_done).collect();
        let history = state.checks.get(key).map_or(&[][..], |c| &c.history);
        Verdict {
            node,
            about,
            outcome,
            standing: Standing::of(outcome, state.waiver(key, now).is_some(), stale),
            blocks: state.blocks(key, now),
            observed: value.and_then(|v| v.observed.as_deref()),
            why: value.and_then(|v| v.why.as_deref()),
            detail: value.map_or(&[], |v| &v.detail),
            facts_at: value.and_then(|v| v.facts_at),
            judged_at: seen.map(|v| v.at),
            stale,
            waiver: waiver.map(|w| Waived {
                by: &w.by,
                reason: &w.reason,
                until: w.expires,
                holds: w.expires > now,
            }),
            attested: state.attested.get(key).map(|a| Confirmed { by: &a.by, at: a.at, note: &a.note }),
            facts: state.reads_of(key).iter().filter_map(|read| fact(state, read)).collect(),
            fixes,
            history: history
                .iter()
                .map(|v| Before {
                    at: v.at,
                    outcome: v.value.outcome,
                    observed: v.value.observed.as_deref(),
                    why: v.value.why.as_deref(),
                })
                .collect(),
        }
    }

    /// What was seen, or why nothing was.
    pub fn saw(&self) -> &'a str {
        self.observed.or(self.why).unwrap_or_default()
    }
}

fn fact<'a>(state: &'a State, key: &ReadKey) -> Option<Fact<'a>> {
    let (key, read) = state.reads.get_key_value(key)?;
    Some(Fact {
        group: &key.group,
        asked: read.asked.as_ref().map(|n| n.as_str()),
        at: read.at,
        took_ms: read.took_ms,
        attempts: read.done,
        error: match &read.answer {
            Some(Answer::Failed(f)) => Some(&f.message),
            _ => None,
        },
    })
}

fn fix_done(fix: &FixState) -> FixDone<'_> {
    FixDone {
        at: fix.intended_at,
        by: &fix.by,
        on: fix.node.as_str(),
        ok: fix.answer.as_ref().map(|a| matches!(a, Answer::Facts(_))),
        error: match &fix.answer {
            Some(Answer::Failed(f)) => Some(&f.message),
            _ => None,
        },
    }
}
