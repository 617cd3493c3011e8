//! `nodelift commit`: a step of an ended run that was left for later, weeks afterwards. It is proved afresh, confirmed, and written
//! into that run's journal.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use color_eyre::eyre::{Result, WrapErr, bail};
use tokio::io::DuplexStream;

use super::{Exit, hosts, recorded, secrets, session, site};
use crate::config::settings::Settings;
use crate::core::command::{Command, REASON_LEAST};
use crate::core::event::{EngineInfo, ProofItem};
use crate::core::log::Level;
use crate::core::narrate::narrate;
use crate::core::plan::{Step, StepKind};
use crate::core::reopen::reopenable;
use crate::core::run::{Phase, RunVerdict};
use crate::core::state::{CommitState, State};
use crate::engine::Setup;
use crate::journal::{self, ClusterFolder, Ending, Journal, RunFolder, Writer};
use crate::link::{FromEngine, PROTOCOL, Reader, ToEngine, Writer as Link};
use crate::logs::Logs;

/// How long no node may answer.
const CONNECT: Duration = Duration::from_secs(120);

/// Runs that are named where the one asked for is not found.
const SHOWN: usize = 5;

#[derive(Debug, Args)]
pub struct Commit {
    /// The run: its folder, its name or the end of it, or `last`
    run: String,
    /// The step, such as functional-level; without one, what was left for later is listed
    step: Option<String>,
    /// The inventory of the cluster
    #[arg(short, long, value_name = "FILE", default_value = "inventory.toml")]
    inventory: PathBuf,
    /// Where nobody is there to type: do it, for the plan of that hash
    #[arg(long, value_name = "PLAN_SHA256", requires = "reason")]
    plan: Option<String>,
    /// Why, in 15 characters or more; what was looked at, where the step is done outside
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Commit {
    pub fn run(self, settings: &Settings) -> Result<Exit> {
        let no = |why: &str, exit: Exit| {
            eprintln!("nodelift: {why}");
            Ok(exit)
        };
        let path = match find(settings, &self.run) {
            Ok(path) => path,
            Err(why) => return no(&why, Exit::Usage),
        };
        let run = match recorded::read(&path) {
            Ok(run) => run,
            Err(why) => return no(&format!("{}: {why}", path.display()), Exit::JournalUnusable),
        };
        let mut state = State::new(run.plan.clone());
        run.events.iter().for_each(|e| state.apply(e));
        let Some(id) = &self.step else {
            list(&state);
            return Ok(Exit::Succeeded);
        };
        if let Err(refusal) = reopenable(&state, id) {
            let exit = if state.phase.is_terminal() { Exit::Usage } else { Exit::NeedsPerson };
            return no(&refusal.0, exit);
        }
        let Some(step) = state.plan.step(id).cloned() else { return Ok(Exit::Usage) };
        match (&self.plan, &state.plan_sha256) {
            (Some(given), Some(own)) if !given.eq_ignore_ascii_case(own) => {
                return no(&format!("that is not the plan of this run: its hash is {own}"), Exit::Usage);
            }
            (None, _) if !std::io::stdin().is_terminal() => {
                let own = state.plan_sha256.as_deref().unwrap_or("its hash");
                let why = format!("nobody is there to type: agree with --plan {own} --reason TEXT");
                return no(&why, Exit::Usage);
            }
            _ => {}
        }
        let reason = self.reason.clone().unwrap_or_default();
        if self.plan.is_some() && step.kind == StepKind::Commit && reason.trim().chars().count() < REASON_LEAST {
            return no(&format!("the reason needs {REASON_LEAST} characters"), Exit::Usage);
        }
        let (inventory, _) = match site::read_inventory(&self.inventory, settings, None, &site::Given::default()) {
            Ok(pair) => pair,
            Err(exit) => return Ok(exit),
        };
        if inventory.cluster != state.plan.cluster {
            let why = format!(
                "that run is of {}, and {} of {}: name its inventory with -i",
                state.plan.cluster,
                self.inventory.display(),
                inventory.cluster
            );
            return no(&why, Exit::Usage);
        }
        // One engine a cluster on this machine, and one writer a journal.
        let above = run.folder.parent().unwrap_or(&run.folder).to_owned();
        let busy = |e: std::io::Error, path: &Path| match e.kind() {
            std::io::ErrorKind::WouldBlock => {
                no(&format!("{} is open in another nodelift here: end it first", state.plan.cluster), Exit::Locked)
            }
            _ => no(&format!("{}: {e}", path.display()), Exit::JournalUnusable),
        };
        let cluster = match ClusterFolder::open(&above) {
            Ok(folder) => folder,
            Err(e) => return busy(e, &above),
        };
        let folder = match RunFolder::open(&run.folder) {
            Ok(folder) => folder,
            Err(e) => return busy(e, &run.folder),
        };
        let read = journal::read(&folder.journal()).wrap_err("the journal cannot be read")?;
        if let Some(why) = &read.newer {
            return no(
                &format!("this journal is of a newer nodelift ({why}): use that one"),
                Exit::JournalUnusable,
            );
        }
        if let Ending::Corrupt { segment, line, why } = &read.ending {
            let why = format!("{}:{line}: {why}. Nothing is added to a damaged journal", segment.display());
            return no(&why, Exit::JournalUnusable);
        }
        read.mend().wrap_err("the end of the journal cannot be mended")?;
        let secrets = match secrets::gather(&inventory, secrets::Need::Login) {
            Ok(s) => s,
            Err(exit) => return Ok(exit),
        };
        let hosts = hosts::all(&inventory, &secrets)?;
        let (plan, plan_sha256) = journal::read_plan(&run.folder)?;
        let run_id = run.folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let (scale, imitated) = (inventory.scale, inventory.lab);
        let raw_limit = settings.raw_megabytes.saturating_mul(1 << 20);
        let (engine, stream) = session::start(move || {
            let instance = uuid::Uuid::now_v7().to_string();
            let epoch = read.epoch + 1;
            let writer = Writer { epoch, instance: instance.clone() };
            let journal = Journal::open(&folder.journal(), writer, read.next_segment, read.previous)
                .wrap_err("the journal cannot be opened")?;
            let logs = Logs::open(&folder.logs()).wrap_err("the logs cannot be opened")?;
            Ok(Setup {
                plan,
                plan_sha256,
                history: read.events,
                journal,
                logs,
                hosts,
                vault: secrets.vault(),
                clock: site::clock(&inventory),
                info: EngineInfo {
                    version: env!("CARGO_PKG_VERSION").into(),
                    host: session::host(),
                    user: session::actor(),
                    scale,
                    imitated,
                },
                run_id,
                instance,
                epoch,
                actor: session::actor(),
                read_only: false,
                check_first: false,
                folder: Some(folder.with_raw_limit(raw_limit)),
            })
        })?;
        let agreed = self.plan.is_some();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let followed = runtime.block_on(follow(stream, &step, agreed, reason));
        // Somebody who does not type is not waited for.
        runtime.shutdown_background();
        let state = engine.join()?;
        drop(cluster);
        Ok(told(&state, &step, followed?))
    }
}

/// The folder of the run that a person means.
fn find(settings: &Settings, text: &str) -> Result<PathBuf, String> {
    let given = PathBuf::from(text);
    if given.is_dir() {
        return Ok(given);
    }
    let below = |path: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect()
    };
    let root = settings.state.join("runs");
    let name = |p: &PathBuf| p.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut all: Vec<PathBuf> =
        below(&root).iter().flat_map(|c| below(c)).filter(|p| p.join("plan.json").is_file()).collect();
    all.sort_by_key(|p| std::cmp::Reverse(name(p)));
    let found: Vec<&PathBuf> = all.iter().filter(|p| text == "last" || name(p).ends_with(text)).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [newest, ..] if text == "last" => Ok((*newest).clone()),
        [] if all.is_empty() => Err(format!("there is no run in {}", root.display())),
        some => {
            let shown = if some.is_empty() { all.iter().collect::<Vec<_>>() } else { some.to_vec() };
            let cluster =
                |p: &Path| p.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
            let names: Vec<String> = (shown.iter().take(SHOWN))
                .map(|p| format!("  {}  {}", name(p), cluster(p).unwrap_or_default()))
                .collect();
            let what = if some.is_empty() { "there is no run" } else { "there are several runs" };
            Err(format!("{what} {text}. The newest:\n{}", names.join("\n")))
        }
    }
}

/// What can be done in this run.
fn list(state: &State) {
    let left: Vec<&Step> = state.deferred().collect();
    if left.is_empty() {
        println!("{}: nothing was left for later ({}).", state.plan.cluster, state.phase_why);
        return;
    }
    println!("{}: left for later:", state.plan.cluster);
    left.iter().for_each(|s| println!("  {:<18} {}", s.id, s.title));
    if let Some(hash) = &state.plan_sha256 {
        println!("plan {hash}");
    }
}

/// How the following ended, beside what the state says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Itself,
    /// A condition does not hold.
    NotProved,
    Unreachable,
    /// The person did not agree.
    Declined,
}

/// Opens the run again and takes the step to its end. Whatever happens the run ends again.
async fn follow(stream: DuplexStream, step: &Step, agreed: bool, reason: String) -> Result<End> {
    let (read, write) = tokio::io::split(stream);
    let (mut from, mut to) = (Reader::new(read), Link::new(write));
    to.send(&ToEngine::Hello { protocol: PROTOCOL }).await?;
    let (tell, mut heard) = tokio::sync::mpsc::channel(256);
    tokio::spawn(async move {
        while let Ok(message) = from.next::<FromEngine>().await {
            if tell.send(message).await.is_err() {
                return;
            }
        }
    });
    let (mut state, mut present, mut awaited, mut id) = (None::<State>, false, None, 0);
    let (mut opened, mut shown, mut sent, mut left) = (false, None, false, false);
    let (began, mut end) = (Instant::now(), End::Itself);
    let mut answer: Option<tokio::task::JoinHandle<Option<(String, String)>>> = None;
    loop {
        let message = tokio::select! {
            message = heard.recv() => match message {
                Some(message) => Some(message),
                None if left => return Ok(end),
                None => bail!("the engine left"),
            },
            () = tokio::time::sleep(Duration::from_millis(300)) => None,
        };
        match message {
            Some(FromEngine::Hello(hello)) => state = Some(State::new((*hello.plan).into())),
            Some(FromEngine::Event(event)) => {
                let Some(state) = &mut state else { continue };
                if present {
                    let lines = narrate(state, &event);
                    lines.iter().filter(|l| l.level >= Level::Info && l.source != "checks").for_each(print);
                }
                state.apply(&event);
            }
            Some(FromEngine::CaughtUp) => present = true,
            Some(FromEngine::Answer { id: answered, refused }) if awaited == Some(answered) => {
                awaited = None;
                if let Some(refusal) = refused {
                    eprintln!("nodelift: refused: {}", refusal.0);
                    // A run that was not opened need not be ended.
                    if !opened || sent {
                        left = true;
                        to.send(&ToEngine::Quit).await?;
                    }
                }
            }
            Some(FromEngine::Bye { why }) => match left {
                true => return Ok(end),
                false => bail!(why),
            },
            _ => {}
        }
        let Some(seen) = state.as_ref().filter(|_| present && awaited.is_none() && !left) else { continue };
        let commit = seen.run.as_ref().and_then(|r| r.commits.get(&step.id));
        let command = match &seen.phase {
            p if p.is_terminal() && !opened => {
                opened = true;
                Command::Reopen { step: step.id.clone() }
            }
            p if p.is_terminal() => {
                left = true;
                to.send(&ToEngine::Quit).await?;
                continue;
            }
            Phase::AwaitingCommit if end != End::Itself || matches!(commit, Some(CommitState::Failed { .. })) => {
                Command::Defer
            }
            Phase::AwaitingCommit
                if matches!(commit, Some(CommitState::Intended { .. })) || seen.commit_asked.is_some() =>
            {
                continue;
            }
            Phase::AwaitingCommit if step.kind.waits() && seen.current_step() == Some(step.id.as_str()) => {
                let ready = seen.plan.nodes.iter().any(|n| seen.connection(n).is_ready());
                if !ready && step.kind == StepKind::Commit {
                    if began.elapsed() < CONNECT && !all_in_trouble(seen) {
                        continue;
                    }
                    end = End::Unreachable;
                    continue;
                }
                let proof = seen.proofs.get(&step.id);
                let taken = proof.and_then(|p| p.taken.as_ref());
                match (step.kind, taken) {
                    (StepKind::Commit, None) if proof.is_some_and(|p| p.asked_at.is_some()) => continue,
                    (StepKind::Commit, None) => Command::Prove { step: step.id.clone() },
                    (_, taken) => {
                        if let Some(taken) = taken.filter(|t| shown != Some(t.at)) {
                            shown = Some(taken.at);
                            println!("{}: {}", seen.plan.cluster, step.title);
                            step.warning.iter().for_each(|w| println!("  {w}"));
                            taken.value.iter().for_each(proved);
                            if taken.value.iter().any(|i| !i.holds) {
                                end = End::NotProved;
                                continue;
                            }
                        }
                        let said = match (&mut answer, agreed) {
                            (_, true) => Some((seen.plan.cluster.clone(), reason.clone())),
                            (None, false) => {
                                let (step, cluster, reason) =
                                    (step.clone(), seen.plan.cluster.clone(), reason.clone());
                                answer = Some(tokio::task::spawn_blocking(move || ask(&step, &cluster, &reason)));
                                continue;
                            }
                            (Some(asked), false) if asked.is_finished() => asked.await.unwrap_or_default(),
                            (Some(_), false) => continue,
                        };
                        let Some((typed, reason)) = said else {
                            end = End::Declined;
                            continue;
                        };
                        sent = true;
                        match step.kind {
                            StepKind::Person => Command::Confirm { step: step.id.clone(), note: reason },
                            _ => Command::Commit { step: step.id.clone(), typed, reason },
                        }
                    }
                }
            }
            // A script that did not do it is left for later once more.
            Phase::Paused(_) if seen.left_for_later().is_some() => Command::Defer,
            Phase::Finalising if seen.cleanups().any(|s| failed(seen, s)) => Command::Defer,
            _ => continue,
        };
        id += 1;
        awaited = Some(id);
        to.send(&ToEngine::Command { id, command }).await?;
    }
}

fn failed(state: &State, step: &Step) -> bool {
    let known = state.run.as_ref().and_then(|r| r.steps.get(&step.id)?.ended.as_ref());
    known.is_some_and(|e| !e.value.ok)
}

/// No node can be reached without somebody who does something about it.
fn all_in_trouble(state: &State) -> bool {
    state.plan.nodes.iter().all(|n| state.connection(n).needs_person())
}

fn proved(item: &ProofItem) {
    let sign = if item.holds { "holds" } else { "FAILS" };
    let why = item.why.as_ref().map_or_else(String::new, |w| format!(": {w}"));
    println!("  {sign}  {}{why}", item.title);
}

fn print(line: &crate::core::log::LogLine) {
    let node = line.node.as_ref().map_or("", |n| n.as_str());
    println!("{:.0}  {node:<12} {:<8} {}", line.at, line.source, line.text);
}

/// What a person types: the cluster's name and a reason. Nothing = it stays for later.
fn ask(step: &Step, cluster: &str, reason: &str) -> Option<(String, String)> {
    let one = |question: &str| -> Option<String> {
        print!("{question}: ");
        std::io::stdout().flush().ok()?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    };
    if step.kind == StepKind::Person {
        println!("{}", step.ask.as_deref().unwrap_or(&step.title));
        let typed = one("Yes? Type y; anything else leaves it for later")?;
        let note = || if reason.is_empty() { one("Note").unwrap_or_default() } else { reason.to_owned() };
        return (typed == "y").then(|| (typed, note()));
    }
    let typed = one(&format!("Type {cluster} to do it; anything else leaves it for later"))?;
    if typed != cluster {
        return None;
    }
    let mut reason = reason.to_owned();
    while reason.chars().count() < REASON_LEAST {
        reason = one(&format!("Reason, {REASON_LEAST} characters or more"))?;
        if reason.is_empty() {
            return None;
        }
    }
    Some((typed, reason))
}

/// What is left to say, and the exit code.
fn told(state: &State, step: &Step, end: End) -> Exit {
    let done = state.deferred().all(|s| s.id != step.id) && state.phase.is_terminal();
    match end {
        End::Itself if done => {
            println!("{}: {}.", state.plan.cluster, state.phase_why);
            match state.verdict {
                Some(RunVerdict::SucceededWithIssues) => Exit::WithIssues,
                _ => Exit::Succeeded,
            }
        }
        End::Itself => {
            println!("{} was not done, and stays for later.", step.title);
            Exit::Failed
        }
        End::NotProved => {
            println!("{} was not sent: a condition does not hold. It stays for later.", step.title);
            Exit::Blocked
        }
        End::Declined => {
            println!("Nothing was done: {} stays for later.", step.title);
            Exit::NeedsPerson
        }
        End::Unreachable => {
            for (node, trouble) in state.in_trouble() {
                println!("{node}: {}. {}", trouble.message, trouble.remedy);
            }
            println!("No node of {} can be reached: {} stays for later.", state.plan.cluster, step.title);
            Exit::Unreachable
        }
    }
}
