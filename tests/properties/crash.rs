//! I7: an engine that ends after any record, before or after what follows from it is sent, leads to the same in the end as one that
//! never ended, or to a pause; nothing is done twice (run-safety-model 7.4, 8, 14).
//!
//! Cutting the file inside a record is cutting it before that record: `tests/journal.rs`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use nodelift::core::command::{Command, allowed};
use nodelift::core::event::{Event, Sealed};
use nodelift::core::plan::StepKind;
use nodelift::core::run::{Phase, RunVerdict};
use nodelift::core::state::{CommitState, State};
use serde_json::{Value as Json, json};

use crate::invariants;
use crate::pump::{Ends, Pump, world};
use crate::run::{short, take_away, virtually};

/// Site hours that a run may take.
const HOURS: i64 = 24;

/// How often a person asks for the same.
const PATIENCE: u32 = 4;

/// The ways of upgrading that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Delegated,
    Direct,
    Rehearsal,
    /// As Windows Admin Center does it, with CredSSP on for the run.
    SelfUpdating,
}

impl Way {
    pub const ALL: [Way; 4] = [Way::Delegated, Way::Direct, Way::Rehearsal, Way::SelfUpdating];

    fn pump(self) -> Pump {
        let runbook = if self == Way::SelfUpdating { "azure-local-wac" } else { "azure-local-powershell" };
        let change = |w: &mut Json| {
            ["HCI-N3", "HCI-N4"].iter().for_each(|gone| take_away(w, gone));
            w["timing"] = short();
        };
        let mut pump = Pump::of(runbook, world("ready"), change, |site| match self {
            Way::Delegated => {}
            Way::Direct => {
                site.settings.insert("driving".into(), json!("direct"));
                site.settings.insert("media_path".into(), json!(r"C:\ClusterUpgrade\2503"));
            }
            Way::Rehearsal => drop(site.settings.insert("rehearsal".into(), json!(true))),
            Way::SelfUpdating => {
                site.coordinator = None;
                site.settings.insert("credssp".into(), json!(true));
            }
        });
        // Gates that hold want evidence that is younger than a minute.
        pump.looks_seldom(if self == Way::Direct { 20 } else { 60 });
        pump
    }
}

/// A whole run with everything that a person does in it; `ends` is where an engine ends.
async fn taken_along(way: Way, ends: Option<Ends>) -> Pump {
    let mut p = way.pump();
    p.ends = ends;
    p.until("connections", |s| s.plan.machines().all(|m| s.connection(m).is_ready())).await;
    p.record(Event::PlanSealed(Sealed {
        plan_sha256: p.plan.sha256(),
        runbook: p.plan.runbook.id.clone(),
        cluster: p.plan.cluster.clone(),
        nodes: p.plan.nodes.clone(),
        rehearsal: way == Way::Rehearsal,
    }));
    let end = p.now() + SignedDuration::from_hours(HOURS);
    let mut asked = BTreeMap::new();
    while !p.state().phase.is_terminal() && p.now() < end {
        let site = p.site.clone();
        p.until("a person's turn", |s| {
            invariants::one_node_at_a_time(&site);
            s.phase.is_terminal() || waits(s) || site.now() >= end
        })
        .await;
        let wanted = wishes(p.state());
        let now = p.now();
        let command = wanted.into_iter().find(|c| {
            let patient = asked.get(&name(c)).is_none_or(|n| *n < PATIENCE);
            patient && allowed(p.state(), c, now).is_ok()
        });
        let Some(command) = command else { break };
        *asked.entry(name(&command)).or_insert(0) += 1;
        p.command(command);
    }
    p
}

fn name(command: &Command) -> String {
    match command {
        Command::Attest { key, .. } => format!("attest {} {:?}", key.check, key.node),
        Command::Commit { step, .. } | Command::Confirm { step, .. } => format!("commit {step}"),
        other => format!("{other:?}"),
    }
}

/// Nothing goes on without a person.
fn waits(s: &State) -> bool {
    let busy = s.reads.values().any(|r| r.is_open()) || s.fixes.values().any(|f| f.answer.is_none());
    match &s.phase {
        Phase::Draft | Phase::Ready => true,
        Phase::Blocked => match s.open_sequence() {
            Some((run, _)) => run.paused.is_some(),
            None => !busy,
        },
        Phase::Paused(_) => true,
        Phase::AwaitingCommit => {
            let doing =
                s.run.iter().flat_map(|r| r.commits.values()).any(|c| matches!(c, CommitState::Intended { .. }));
            !doing && s.commit_asked.is_none() && s.current_step().is_some()
        }
        Phase::Finalising => false,
        _ => false,
    }
}

/// What a person wants then, the first that is allowed.
fn wishes(s: &State) -> Vec<Command> {
    let asks = |c: &str| s.plan.check(c).is_some_and(|c| c.attest.is_some());
    match &s.phase {
        Phase::Draft => vec![Command::CheckAll],
        Phase::Blocked if s.open_sequence().is_some() => vec![Command::Resume],
        Phase::Blocked => {
            let open = s.checks.keys().filter(|k| asks(&k.check) && !s.attested.contains_key(k));
            let attest = open.map(|k| Command::Attest { key: k.clone(), note: "looked at it".into() });
            [Command::FixAll, Command::RetryFailed].into_iter().chain(attest).chain([Command::CheckAll]).collect()
        }
        Phase::Ready => vec![Command::Start],
        Phase::Paused(_) => vec![Command::Resume],
        Phase::AwaitingCommit => {
            let Some(step) = s.current_step().and_then(|id| s.plan.step(id)) else { return Vec::new() };
            let (typed, reason) = (s.plan.cluster.clone(), "the change was approved".to_owned());
            match step.kind {
                StepKind::Person => vec![Command::Confirm { step: step.id.clone(), note: "done".into() }],
                _ => vec![Command::Commit { step: step.id.clone(), typed, reason }],
            }
        }
        _ => Vec::new(),
    }
}

/// What was done to the site, once everything is over.
#[derive(Clone, Debug, PartialEq)]
struct Done {
    /// Per node: build, starts, operations that were begun there, state, CredSSP.
    nodes: BTreeMap<String, (Json, usize, usize, Json, bool)>,
    level: Json,
    pool: Json,
    /// Runs of the driver.
    runs: usize,
}

fn done(p: &Pump) -> Done {
    let runs = invariants::runs_of_the_driver(p);
    p.site.look(|w| {
        let nodes = w.nodes().into_iter().map(|n| {
            let m = w.machine(&n);
            let starts = m["events"].as_array().map_or(0, |e| e.iter().filter(|e| e["id"] == json!(6005)).count());
            let staged =
                m["operations"].as_object().map_or(0, |o| o.keys().filter(|k| k.contains("/stage-")).count());
            (n, (m["os"]["build"].clone(), starts, staged, m["state"].clone(), credssp(m)))
        });
        let (level, pool) =
            (w.top("cluster")["functional_level"].clone(), w.top("cluster")["pool_version"].clone());
        Done { nodes: nodes.collect(), level, pool, runs }
    })
}

fn credssp(machine: &Json) -> bool {
    let c = &machine["credssp"];
    c["server"] == json!(true) || c["client"].as_array().is_some_and(|c| !c.is_empty())
}

impl Done {
    /// Nothing of it happened more often than in the other.
    fn is_within(&self, whole: &Done) -> bool {
        let nodes =
            self.nodes.iter().all(|(n, mine)| whole.nodes.get(n).is_some_and(|w| mine.1 <= w.1 && mine.2 <= w.2));
        nodes && self.runs <= whole.runs
    }
}

/// How often runs that were disturbed came to the same end, and how often to a pause.
#[derive(Debug, Default)]
pub struct Tally {
    pub same: usize,
    pub paused: usize,
}

/// Every n-th record of a run, and every intent where `intents`, each once before and once after what follows from it is sent.
pub fn ended_anywhere(way: Way, every: usize, offset: usize, intents: bool) -> Tally {
    let mut undisturbed = None;
    virtually(async {
        let p = taken_along(way, None).await;
        assert!(
            matches!(p.state().verdict, Some(RunVerdict::Succeeded | RunVerdict::SucceededWithIssues)),
            "{way:?}: {:?}, {}\n{}{}{}",
            p.state().phase,
            p.state().phase_why,
            p.units(),
            p.verdicts(),
            p.sequence()
        );
        undisturbed = Some((done(&p), p.events.clone()));
    });
    let (whole, events) = undisturbed.expect("it ended");
    let mut tally = Tally::default();
    for (i, event) in events.iter().enumerate() {
        let sampled = (i + offset).is_multiple_of(every)
            || intents && event.event.op().is_some() && event.event.is_critical();
        for sent in [false, true].into_iter().filter(|_| sampled) {
            let ends = Ends { after: event.seq, sent };
            virtually(async {
                let p = taken_along(way, Some(ends)).await;
                let at = format!("{way:?}: {ends:?} ({:?})", event.event);
                let now = done(&p);
                assert!(now.is_within(&whole), "{at}: done twice\n{now:?}\n{whole:?}");
                if p.state().phase.is_terminal() {
                    assert_eq!(now, whole, "{at}: {:?}, {}", p.state().phase, p.state().phase_why);
                    tally.same += 1;
                } else {
                    assert!(waits(p.state()), "{at}: it hangs: {:?}, {}", p.state().phase, p.state().phase_why);
                    tally.paused += 1;
                }
                assert!(!p.state().phase.is_terminal() || now.nodes.values().all(|n| !n.4), "{at}: CredSSP is on");
                invariants::hold_but_the_level(&p);
            });
        }
    }
    tally
}
