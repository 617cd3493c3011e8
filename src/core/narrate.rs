//! Events as log lines: what a person reads along with what the nodes say themselves.

use super::baseline::Change;
use super::command::plural;
use super::connection::Connection;
use super::control::Handover;
use super::event::{Answer, Event, Outcome, ProofItem, Stamped, Waiting};
use super::hooks::When;
use super::items::{Choice, Noted};
use super::keeping::Keeping;
use super::log::{AWAITS, Level, LogLine};
use super::name::NodeName;
use super::plan::Mode;
use super::progress::Quiet;
use super::run::UnitState;
use super::sequence::Wish;
use super::state::State;
use super::view::{DriverView, OpVerdict};

/// Makes a line of what an event says.
type Line<'a> = &'a dyn Fn(Option<&NodeName>, &str, Level, String) -> LogLine;

/// Lines for an event. `before` is the state it met.
pub fn narrate(before: &State, stamped: &Stamped) -> Vec<LogLine> {
    let line = |node: Option<&NodeName>, source: &str, level: Level, text: String| LogLine {
        at: stamped.at,
        node: node.cloned(),
        source: source.to_owned(),
        level,
        text,
    };
    let one = |node: Option<&NodeName>, source: &str, level, text| vec![line(node, source, level, text)];
    let who = |text: &str| match stamped.actor.as_str() {
        super::event::ENGINE => text.to_owned(),
        actor => format!("{text}, by {actor}"),
    };
    let plan = &before.plan;
    match &stamped.event {
        Event::EngineStarted(e) => {
            one(None, "run", Level::Info, format!("nodelift {} on {} as {}", e.version, e.host, e.user))
        }
        Event::StateHashed { .. } => Vec::new(),
        Event::ViewerCame { seat, .. } => {
            let text = format!("{} looks, from {}, as {}", seat.who, seat.from, seat.role.word());
            one(None, "run", Level::Info, text)
        }
        Event::ViewerGone { viewer } => match before.seats.seats.get(viewer) {
            // Whoever leaves after the end has seen it.
            Some(seat) if !before.phase.is_terminal() => {
                one(None, "run", Level::Info, format!("{} has left, from {}", seat.who, seat.from))
            }
            _ => Vec::new(),
        },
        Event::ControlOffered { open } => {
            let text = if *open { "control is offered to whoever takes it" } else { "control is kept" };
            one(None, "run", Level::Info, who(text))
        }
        Event::ControlMoved { to, how } => {
            let (from, to) = (before.seats.controller(), before.seats.seats.get(to));
            let to = to.map_or("somebody", |s| s.who.as_str());
            let text = match (how, from) {
                (Handover::Taken, Some((_, from))) => format!("{to} took control over from {}", from.who),
                (Handover::Accepted, Some((_, from))) => format!("{to} has control, offered by {}", from.who),
                _ => format!("{to} has control"),
            };
            let level = if *how == Handover::Taken { Level::Warning } else { Level::Info };
            one(None, "run", level, text)
        }
        Event::JournalSeen(keeping) => match keeping.closed() {
            Some(why) => one(None, "run", Level::Error, why),
            None if *keeping == Keeping::Fine => one(None, "run", Level::Info, keeping.words()),
            None => one(None, "run", Level::Warning, keeping.words()),
        },
        Event::PlanSealed(s) => one(None, "run", Level::Info, {
            let what = if s.rehearsal { "plan of a rehearsal" } else { "plan" };
            format!("{what} sealed: {}, {} nodes, {}", s.runbook, s.nodes.len(), short(&s.plan_sha256))
        }),
        Event::PlanRevised { revision, plan_sha256, settings } => {
            let text = format!(
                "plan {revision}: {}, {}",
                plan.with(settings).differs_from(plan).join("; "),
                short(plan_sha256)
            );
            one(None, "run", Level::Warning, who(&text))
        }
        Event::ConnectionChanged { node, connection } => match connection {
            Connection::Ready(h) => one(
                Some(node),
                "ssh",
                Level::Info,
                format!("connected: {}, PowerShell {}, {}", h.via, h.ps, h.language),
            ),
            Connection::Trouble(t) => {
                one(Some(node), "ssh", Level::Warning, format!("{}. {}", t.message, t.remedy))
            }
            Connection::Connecting => one(Some(node), "ssh", Level::Debug, "connecting".into()),
            Connection::Idle => Vec::new(),
        },
        Event::FactsRead { key, asked, took_ms, answer, .. } => {
            let title = plan.fact_group(&key.group).map_or(key.group.as_str(), |g| &g.title);
            match answer {
                Answer::Facts(_) => {
                    one(Some(asked), "read", Level::Debug, format!("{title}: {:.1} s", *took_ms as f64 / 1000.0))
                }
                Answer::Failed(f) => one(Some(asked), "read", Level::Warning, format!("{title}: {}", f.message)),
            }
        }
        Event::CheckJudged { key, verdict } => {
            let title = plan.check(&key.check).map_or(key.check.as_str(), |c| &c.title);
            let level = match verdict.outcome {
                Outcome::Fail => Level::Error,
                Outcome::Warn | Outcome::CouldNotTell => Level::Warning,
                _ => Level::Info,
            };
            let saw =
                verdict.observed.as_ref().or(verdict.why.as_ref()).map_or_else(String::new, |t| format!("  {t}"));
            one(key.node.as_ref(), "check", level, format!("{title} → {}{saw}", verdict.outcome.word()))
        }
        Event::ReadsWanted { why, .. } => one(None, "run", Level::Debug, who(&format!("reading {why}"))),
        Event::ChecksEnded { blocking, warnings, passed } => one(
            None,
            "run",
            Level::Info,
            format!(
                "checks ended: {blocking} blocking, {}, {passed} passed",
                plural(*warnings as usize, "warning")
            ),
        ),
        Event::Waived(w) => one(w.key.node.as_ref(), "run", Level::Warning, {
            let title = super::gate_rules::title(before, &w.key);
            format!("{title} waived by {} until {}: {}", w.by, w.expires.strftime("%F %H:%M UTC"), w.reason)
        }),
        Event::Attested(a) => {
            let title = plan.check(&a.key.check).map_or(&*a.key.check, |c| &c.title);
            let note = if a.note.is_empty() { String::new() } else { format!(": {}", a.note) };
            one(a.key.node.as_ref(), "check", Level::Info, who(&format!("{title}: confirmed{note}")))
        }
        Event::SequenceStarted { sequence, nodes, .. } => {
            let title = plan.sequence(sequence).map_or(&**sequence, |s| &s.title);
            let names: Vec<&str> = nodes.iter().map(|n| n.as_str()).collect();
            one(None, "rolling", Level::Info, who(&format!("{title}: {}", names.join(", "))))
        }
        Event::PersonAwaited { of, node, text } => {
            let source = match of {
                Waiting::Read(key) => key.group.as_str(),
                Waiting::Operation(op) => op.as_str(),
            };
            one(Some(node), source, Level::Warning, format!("{AWAITS}{text}"))
        }
        Event::ActionIntended { node, action, attempt, .. } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            one(Some(node), "rolling", Level::Info, format!("{}{again}", action_title(before, action)))
        }
        Event::ActionAnswered { op, answer, .. } => {
            let node = before.sequence.as_ref().and_then(|s| s.of_operation(op)).map(|(node, _)| node);
            match answer {
                // What it led to is looked at, and told then.
                Answer::Facts(_) => Vec::new(),
                Answer::Failed(f) => {
                    one(node, "rolling", Level::Warning, format!("{}: {}", f.kind.words(), f.message))
                }
            }
        }
        Event::GateJudged { node, items, twice } => {
            let closed = closed(items);
            let (level, said) = match closed.as_slice() {
                [] if *twice => (Level::Info, "open: every condition held twice".to_owned()),
                [] => (Level::Info, "every condition holds; looked at once more in half a minute".to_owned()),
                closed => (Level::Warning, format!("closed: {}", closed.join("; "))),
            };
            one(Some(node), "gate", level, format!("Gates before it, observed: {said}"))
        }
        Event::GateSeen { node, action, items } => {
            let title = action_title(before, action);
            let closed = closed(items);
            let (level, said) = match closed.as_slice() {
                [] => (Level::Info, "every condition holds; looked at once more in half a minute".to_owned()),
                closed => (Level::Warning, format!("waits until this holds: {}", closed.join("; "))),
            };
            one(Some(node), "gate", level, format!("{title}: {said}"))
        }
        Event::ActionEnded { node, action, message } => {
            one(Some(node), "rolling", Level::Info, format!("{}: {message}", action_title(before, action)))
        }
        Event::SequencePaused(halt) => {
            let node = before.sequence.as_ref().and_then(|s| s.node());
            one(node, "rolling", Level::Warning, format!("paused, {}: {}", halt.reason, halt.why))
        }
        Event::SequenceAsked { wish } => {
            let said = match wish {
                Wish::Pause => "to pause after the node in work",
                Wish::Stop => "to end after the node in work",
            };
            one(None, "rolling", Level::Info, who(said))
        }
        Event::SequenceResumed => one(None, "rolling", Level::Info, who("goes on")),
        Event::SequenceEnded { ok, message } => {
            one(None, "sequence", if *ok { Level::Info } else { Level::Warning }, message.clone())
        }
        Event::FixIntended { key, node, .. } => {
            let changes = plan.check(&key.check).and_then(|c| c.fix.as_ref()).map_or("a fix", |f| &f.changes);
            one(Some(node), "fix", Level::Info, who(&format!("fix of {}: {changes}", key.check)))
        }
        Event::FixEnded { op, answer, .. } => {
            let node = before.fixes.get(op).map(|f| &f.node);
            match answer {
                Answer::Facts(json) => one(node, "fix", Level::Info, format!("done: {json}")),
                Answer::Failed(f) => one(node, "fix", Level::Error, format!("failed: {}", f.message)),
            }
        }
        Event::HookIntended { node, when, command, .. } => {
            let seen = match (before.plan.driver.mode, when) {
                (Mode::Delegated, When::BeforeDrain) => ", as it is seen draining",
                (Mode::Delegated, When::AfterResume) => ", as it is seen back",
                _ => "",
            };
            one(Some(node), "hook", Level::Info, format!("{when}{seen}: {}", command.join(" ")))
        }
        Event::HookEnded { op, end } => {
            let hook = before.hooks.iter().find(|h| &h.op == op);
            let when = hook.map_or_else(String::new, |h| format!("{}: ", h.when));
            let level = if end.ok { Level::Info } else { Level::Warning };
            one(hook.map(|h| &h.node), "hook", level, format!("{when}{}", end.message))
        }
        Event::PhaseChanged { to, why } => one(None, "run", Level::Info, who(&format!("{}: {why}", to.word()))),
        Event::StartAsked => {
            one(None, "run", Level::Info, who("start asked for: the blockers are proved again first"))
        }
        Event::StartIntended { .. } => one(None, "run", Level::Info, who("start")),
        Event::StepIntended { step, op, attempt, node } => {
            let title = plan.step(step).map_or(step.as_str(), |s| &s.title);
            one(Some(node), "step", Level::Info, format!("{title}, attempt {attempt} ({op})"))
        }
        Event::StepStarted { step, .. } => one(None, "step", Level::Info, format!("{step} started")),
        Event::OpSeen { op, verdict } => {
            let text = match verdict {
                OpVerdict::NotStarted => "has not started".to_owned(),
                OpVerdict::Running => "runs".to_owned(),
                OpVerdict::Ended { code, why, .. } => format!("ended with code {code}: {why}"),
                OpVerdict::Died => "died without an end".to_owned(),
                OpVerdict::InterruptedByReboot => "was cut short by a restart".to_owned(),
                OpVerdict::Unknown => "cannot be told".to_owned(),
            };
            one(None, "step", Level::Debug, format!("{op} {text}"))
        }
        Event::StepAnswered { op, answer, .. } => match answer {
            Answer::Facts(json) => one(None, "step", Level::Debug, format!("{op} answered {json}")),
            Answer::Failed(f) => {
                one(None, "step", Level::Warning, format!("{op}: {}: {}", f.kind.words(), f.message))
            }
        },
        Event::StepDone { step, node, message } => {
            let title = plan.step(step).map_or(step.as_str(), |s| &s.title);
            one(Some(node), "step", Level::Info, format!("{title}: {message}"))
        }
        Event::ItemsNoted { step, items } => {
            let names = |i: &Noted| format!("{} on {} ({})", i.name, i.node, i.state);
            let all: Vec<String> = items.iter().map(names).collect();
            let title = plan.step(step).map_or(step.as_str(), |s| &s.title);
            let all = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
            one(None, "step", Level::Info, format!("{title}: noted {all}"))
        }
        Event::ItemsDecided { step, choices } => {
            let items = plan.step(step).and_then(|s| s.items.as_ref());
            let word = |c: &Choice| match (c, items) {
                (Choice::Take, Some(i)) => i.take.clone(),
                (Choice::Force, Some(i)) => i.force.clone().unwrap_or_default(),
                (Choice::Leave, Some(i)) => i.leave.clone(),
                (c, None) => format!("{c:?}").to_lowercase(),
            };
            let all: Vec<String> = choices.iter().map(|(name, c)| format!("{name}: {}", word(c))).collect();
            one(None, "step", Level::Info, who(&format!("decided: {}", all.join(", "))))
        }
        Event::ItemIntended { step, item, node, attempt, force, .. } => {
            let title = plan.step(step).map_or(step.as_str(), |s| &s.title);
            let force = if *force { ", by force" } else { "" };
            one(Some(node), "step", Level::Debug, format!("{title}: {item}{force}, attempt {attempt}"))
        }
        Event::ItemDone { step, item, node, message } => {
            let title = plan.step(step).map_or(step.as_str(), |s| &s.title);
            one(Some(node), "step", Level::Info, format!("{title}: {item} is {message}"))
        }
        Event::ItemStuck { step, item, why } => {
            let title = plan.step(step).map_or(step.as_str(), |s| &s.title);
            one(None, "step", Level::Warning, format!("{title}: {item}: {why}"))
        }
        Event::StepConfirmed { step, note } => {
            let title = plan.step(step).map_or(step.as_str(), |s| &s.title);
            let note = if note.is_empty() { String::new() } else { format!(": {note}") };
            one(None, "step", Level::Info, who(&format!("{title} confirmed{note}")))
        }
        Event::RunReopened { step } => {
            let title = plan.step(step).map_or(step.as_str(), |s| &s.title);
            one(None, "run", Level::Info, who(&format!("opened again: {title}")))
        }
        Event::RunEnding { message, .. } => one(None, "run", Level::Info, format!("{message}; clean-ups first")),
        Event::StepEnded { step, ok, message } => {
            let level = if *ok { Level::Info } else { Level::Error };
            one(None, "step", level, format!("{step} {}: {message}", if *ok { "done" } else { "failed" }))
        }
        Event::ClusterSeen { node } => {
            let drain =
                if node.drain == "NotInitiated" { String::new() } else { format!(", drain {}", node.drain) };
            one(
                Some(&node.name),
                "cluster",
                Level::Info,
                format!("{} {}{drain}, build {}", node.state, node.status, node.build),
            )
        }
        Event::HostSeen { node, host } => {
            let version = host.display_version.as_deref().unwrap_or("");
            one(
                Some(node),
                "host",
                Level::Info,
                format!("{} {version} build {}, started {}", host.caption, host.build, host.boot_utc),
            )
        }
        Event::StorageSeen { view } if view.open => one(None, "storage", Level::Info, "in sync".into()),
        Event::StorageSeen { view } => {
            let level = if view.in_danger() { Level::Error } else { Level::Info };
            let rows: Vec<&str> = view
                .jobs
                .iter()
                .chain(&view.virtual_disks)
                .chain(&view.units)
                .chain(&view.nodes_not_up)
                .map(String::as_str)
                .collect();
            one(None, "storage", level, rows.join(", "))
        }
        Event::DriverSeen { view } => driver(before, view, &line),
        Event::ReportSeen { report } => match &report.status {
            Some(status) => one(
                None,
                "cau",
                Level::Info,
                format!(
                    "report: {status}{}",
                    report.error_id.as_ref().map_or_else(String::new, |e| format!(", {e}"))
                ),
            ),
            None => Vec::new(),
        },
        Event::UnitChanged { node, to, why } => {
            let level = match to {
                UnitState::Failed | UnitState::RolledBack | UnitState::DrainFailed => Level::Error,
                UnitState::Unknown => Level::Warning,
                _ => Level::Info,
            };
            one(Some(node), "run", level, format!("{}: {why}", to.word()))
        }
        Event::RolesLeft { node, roles } if roles.is_empty() => {
            one(Some(node), "run", Level::Info, "no role is left on it".into())
        }
        Event::RolesLeft { node, roles } => {
            one(Some(node), "run", Level::Warning, format!("still on it: {}", roles.join(", ")))
        }
        Event::UnitStalled { node, quiet } if quiet.is_empty() => {
            one(Some(node), "run", Level::Info, "something moves again".into())
        }
        Event::UnitStalled { node, quiet } => {
            let since = |q: &Quiet| format!("{} since {}", q.source, q.since.strftime("%H:%M:%S"));
            let all: Vec<String> = quiet.iter().map(since).collect();
            one(Some(node), "run", Level::Warning, format!("nothing changes: {}", all.join(", ")))
        }
        Event::BaselineCompared { node, comparison } => {
            let changes: Vec<String> = comparison.changes.iter().map(Change::text).collect();
            let (level, said) = match changes.as_slice() {
                [] => (Level::Info, "as it was before, but for what was expected".to_owned()),
                changes => (Level::Warning, format!("not explained: {}", changes.join("; "))),
            };
            one(Some(node), "baseline", level, said)
        }
        Event::ChangesAccepted { node, changes, reason } => {
            let said = format!("{} accepted: {reason}", plural(changes.len(), "change"));
            one(Some(node), "baseline", Level::Warning, who(&said))
        }
        Event::RunDoomed { why } => {
            one(None, "run", Level::Error, format!("the run ends at the next safe point: {why}"))
        }
        Event::GateViolated { node, gates } => {
            let closed: Vec<String> = gates
                .iter()
                .map(|i| format!("{} ({})", i.title.to_lowercase(), i.why.as_deref().unwrap_or("closed")))
                .collect();
            let text = format!("{} began it while a gate was closed: {}", plan.driver.name, closed.join(", "));
            one(Some(node), "gate", Level::Error, text)
        }
        Event::PauseRequested { .. } => one(None, "run", Level::Info, who("pause asked for")),
        Event::StopIntended { .. } => one(None, "run", Level::Warning, who("stop asked for")),
        Event::DriverStopAnswered { answer: Answer::Failed(f), .. } => {
            one(None, "run", Level::Error, f.message.clone())
        }
        Event::RecoveryIntended { node, reason, .. } => one(
            Some(node),
            "run",
            Level::Warning,
            who(&format!("the run that {} left is cleared by force: {reason}", plan.driver.name)),
        ),
        Event::RecoveryEnded { ok, message, .. } => {
            let (level, how) = if *ok { (Level::Info, "cleared") } else { (Level::Error, "not cleared") };
            one(None, "run", level, format!("{how}: {message}"))
        }
        Event::DriverStopAnswered { .. } => {
            one(None, "run", Level::Debug, format!("{} was asked to stop", plan.driver.name))
        }
        Event::Resumed { .. } => one(None, "run", Level::Info, who("resumed")),
        Event::ProofTaken { step, items } => {
            let held = items.iter().filter(|i| i.holds).count();
            one(None, "proof", Level::Info, format!("{step}: {held} of {} hold", items.len()))
        }
        Event::CommitAsked { step, .. } => {
            one(None, "commit", Level::Info, who(&format!("{step} confirmed: proving it again first")))
        }
        Event::CommitIntended { step, reason, .. } => {
            one(None, "commit", Level::Warning, who(&format!("{step}: {reason}")))
        }
        Event::CommitEnded { step, ok, message, .. } => {
            let level = if *ok { Level::Info } else { Level::Error };
            one(None, "commit", level, format!("{step} {}: {message}", if *ok { "done" } else { "failed" }))
        }
        Event::CommitDeferred { step } => one(None, "commit", Level::Info, who(&format!("{step} left for later"))),
        Event::RunAbandoned { reason, left_behind, .. } => {
            let left =
                if left_behind.is_empty() { "nothing stays behind".to_owned() } else { left_behind.join("; ") };
            one(None, "run", Level::Warning, who(&format!("given up: {reason}; {left}")))
        }
        Event::RunEnded { verdict, message } => {
            one(None, "run", Level::Info, format!("{}: {message}", verdict.phase().word()))
        }
        Event::FactsAsked { .. }
        | Event::StorageSampled { .. }
        | Event::UnitProgressed { .. }
        | Event::ProofAsked { .. } => Vec::new(),
    }
}

/// What the driver says of each node, where it says something else than before.
fn driver(before: &State, view: &DriverView, line: Line<'_>) -> Vec<LogLine> {
    let old = before.driver.as_ref().map(|d| &d.value);
    let mut out = Vec::new();
    if old.is_none_or(|o| o.state != view.state) {
        let by = view.run.as_ref().map_or_else(String::new, |r| format!(", driven by {}", r.orchestrator));
        out.push(line(None, "cau", Level::Info, format!("{}{by}", view.state)));
    }
    let Some(run) = &view.run else { return out };
    let old = old.and_then(|o| o.run.as_ref());
    for w in &run.working {
        let same = old.is_some_and(|o| o.working.iter().any(|x| x.node == w.node && x.status == w.status));
        if !same {
            out.push(line(Some(&w.node), "cau", Level::Info, w.status.clone()));
        }
    }
    for f in &run.finished {
        if !old.is_some_and(|o| o.finished.iter().any(|x| x.node == f.node)) {
            let level = if f.status == "Succeeded" { Level::Info } else { Level::Error };
            let error = f.error.as_ref().map_or_else(String::new, |e| format!(": {e}"));
            out.push(line(Some(&f.node), "cau", level, format!("{}{error}", f.status)));
        }
    }
    out
}

fn short(sha: &str) -> &str {
    sha.get(..12).unwrap_or(sha)
}

/// What the runbook calls an action of the sequence that is going on.
fn action_title<'a>(state: &'a State, action: &'a str) -> &'a str {
    let sequence = state.sequence.as_ref().and_then(|s| state.plan.sequence(&s.id));
    sequence.and_then(|s| s.actions.iter().find(|a| a.id == action)).map_or(action, |a| &a.title)
}

/// What does not hold, with why.
fn closed(items: &[ProofItem]) -> Vec<String> {
    let said =
        |i: &ProofItem| i.why.as_ref().map_or_else(|| i.title.clone(), |why| format!("{} ({why})", i.title));
    items.iter().filter(|i| !i.holds).map(said).collect()
}
