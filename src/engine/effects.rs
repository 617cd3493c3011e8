//! Effects are carried out: each in a task of its own, its answer comes back as an observation.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::mpsc;

use super::clock::Clock;
use super::follow::Follower;
use super::hooks;
use super::vault::Vault;
use crate::core::decide::{Effect, Followed, Observation};
use crate::core::event::{Answer, Failure, FailureKind, Waiting};
use crate::core::log::{AWAITS, Level, LogFormat, LogLine};
use crate::core::name::NodeName;
use crate::core::plan::{Plan, SECRET_MARK};
use crate::core::progress::percent_in;
use crate::core::view::{LogView, OpView};
use crate::remote::{Host, Reply, Request, Said, detached};

/// Largest answer that goes into the journal, in bytes: a record holds 64 KiB in all.
const LARGEST_ANSWER: usize = 48 * 1024;

/// Lines that may wait between a script and the engine.
const SAID_QUEUE: usize = 256;

/// How often one script may ask a person for something: an event each. More are log lines.
const MOST_ASKED: usize = 5;

/// Everything that carrying out an effect needs. Cheap to clone.
#[derive(Clone)]
pub struct Executor(Arc<Inner>);

struct Inner {
    /// Another one after every revision.
    plan: Mutex<Arc<Plan>>,
    hosts: BTreeMap<NodeName, Arc<dyn Host>>,
    vault: Vault,
    clock: Clock,
    run_id: String,
    epoch: u64,
    observations: mpsc::Sender<Observation>,
    lines: mpsc::Sender<LogLine>,
    /// Where followed files are kept as they came.
    raw: Option<PathBuf>,
    followers: Mutex<BTreeMap<(NodeName, String), Follower>>,
}

impl Executor {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        plan: Arc<Plan>,
        hosts: BTreeMap<NodeName, Arc<dyn Host>>,
        vault: Vault,
        clock: Clock,
        run_id: String,
        epoch: u64,
        observations: mpsc::Sender<Observation>,
        lines: mpsc::Sender<LogLine>,
        raw: Option<PathBuf>,
    ) -> Self {
        let (plan, followers) = (Mutex::new(plan), Mutex::default());
        Self(Arc::new(Inner { plan, hosts, vault, clock, run_id, epoch, observations, lines, raw, followers }))
    }

    /// Starts every connection and reports each as it changes.
    pub fn open(&self) {
        for (node, host) in &self.0.hosts {
            host.open();
            let (node, mut changes) = (node.clone(), host.connection());
            let inner = self.0.clone();
            tokio::spawn(async move {
                loop {
                    let connection = changes.borrow_and_update().clone();
                    let observation = Observation::Connection { node: node.clone(), connection };
                    if inner.observations.send(observation).await.is_err() || changes.changed().await.is_err() {
                        return;
                    }
                }
            });
        }
    }

    /// Ends every connection.
    pub async fn close(&self) {
        let closing: Vec<_> = self.0.hosts.values().map(|h| tokio::spawn(h.close())).collect();
        for c in closing {
            let _ = c.await;
        }
    }

    /// From now on by this plan.
    pub fn revise(&self, plan: Arc<Plan>) {
        *self.0.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    /// Takes every secret out of a line.
    pub fn redact(&self, line: &mut LogLine) {
        line.text = self.0.vault.redact(&line.text);
    }

    /// Carries out one effect.
    pub fn carry_out(&self, effect: Effect) {
        let inner = self.0.clone();
        tokio::spawn(async move {
            if let Some(observation) = inner.run(effect).await {
                // The engine is gone only when nobody needs the answer any more.
                let _ = inner.observations.send(observation).await;
            }
        });
    }
}

impl Inner {
    fn plan(&self) -> Arc<Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn run(&self, effect: Effect) -> Option<Observation> {
        Some(match effect {
            Effect::Connect { node } => {
                // What comes of it is told as the connection changes.
                self.hosts.get(&node)?.open();
                return None;
            }
            Effect::Read { key, attempt, node, script, slow } => {
                let of = Some(Waiting::Read(key.clone()));
                let (took_ms, answer) = self.ask(&node, self.request(&script, &node, slow), &key.group, of).await;
                Observation::Read { key, attempt, node, took_ms, answer }
            }
            Effect::Run { op, node, script, more, slow } => {
                let mut request = self.request(&script, &node, slow);
                if let Some(request) = &mut request {
                    complete(&mut request.args, &more);
                }
                let of = Some(Waiting::Operation(op.clone()));
                let (took_ms, answer) = self.ask(&node, request, op.as_str(), of).await;
                Observation::Ran { op, took_ms, answer }
            }
            Effect::Detach { op, node, script, more, system } => {
                let request = self.detach(&op, &node, &script, &more, system);
                let (took_ms, answer) = self.ask(&node, request, op.as_str(), None).await;
                Observation::Detached { op, took_ms, answer }
            }
            Effect::Hook { op, command, environment, timeout } => {
                let mut end = hooks::run(&command, &environment, timeout).await;
                end.message = self.vault.redact(&end.message);
                Observation::Hooked { op, end }
            }
            Effect::Observe { op, node } => {
                let request = Some(detached::observe(&self.run_id, op.as_str()));
                let (_, answer) = self.ask(&node, request, op.as_str(), None).await;
                let answer = shape::<OpView>(answer);
                Observation::Observed { op, answer }
            }
            Effect::Tail { source, node, script, after } => {
                let mut request = self.request(&script, &node, false);
                if let Some(Json::Object(args)) = request.as_mut().map(|r| &mut r.args) {
                    args.insert("after".into(), after);
                }
                let (_, answer) = self.ask(&node, request, &source, None).await;
                let next = match shape::<LogView>(answer) {
                    Ok(view) => {
                        for row in view.lines {
                            let level = Level::of_windows(row.level);
                            self.line(&node, &source, level, row.text).await;
                        }
                        Some(view.next)
                    }
                    Err(_) => None,
                };
                Observation::Tailed { source, node, next }
            }
            Effect::Follow { source, node, file } => {
                if let Some(percent) = self.follow(&source, &node, file).await {
                    let grew = Observation::Grew { node: node.clone(), percent };
                    let _ = self.observations.send(grew).await;
                }
                Observation::Tailed { source, node, next: None }
            }
        })
    }

    /// Adds what is new in a file to the machine's log; where there is something, with how far its lines say that Setup has come. One that
    /// is not there has nothing to say yet.
    async fn follow(&self, source: &str, node: &NodeName, file: Followed) -> Option<Option<u8>> {
        let host = self.hosts.get(node)?;
        let mark = match &file {
            Followed::File { percent, .. } => percent.clone(),
            Followed::Operation(_) => None,
        };
        let (path, format, name) = match file {
            Followed::File { path, format, .. } => (path, format, source.to_owned()),
            Followed::Operation(op) => {
                (detached::log_path(&self.run_id, op.as_str()), LogFormat::Text, op.as_str().to_owned())
            }
        };
        // Each file is looked at by one at a time: it is taken out meanwhile.
        let key = (node.clone(), path.clone());
        let known = self.followers.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let (mut grew, mut percent) = (false, None);
        let mut follower = known.unwrap_or_else(|| Follower::open(self.raw.as_ref(), node, &name));
        match follower.look(host.as_ref(), &path, &self.vault).await {
            Ok(lines) => {
                grew = !lines.is_empty();
                for text in lines {
                    percent = mark.as_ref().and_then(|m| percent_in(&text, m)).or(percent);
                    let (level, text) = format.read(&text);
                    self.line(node, source, level, text.to_owned()).await;
                }
            }
            Err(e) => tracing::debug!(%node, path, "not followed: {}", e.message),
        }
        self.followers.lock().unwrap_or_else(PoisonError::into_inner).insert(key, follower);
        grew.then_some(percent)
    }

    fn request(&self, script: &str, node: &NodeName, slow: bool) -> Option<Request> {
        let plan = self.plan();
        let s = plan.scripts.get(script)?;
        let mut args = plan.arguments(script, node);
        self.vault.fill(&mut args);
        let timeout = Duration::from_secs(s.timeout);
        Some(Request { name: script.to_owned(), script: s.text.clone(), args, timeout, slow })
    }

    fn detach(
        &self,
        op: &crate::core::name::OpId,
        node: &NodeName,
        script: &str,
        more: &BTreeMap<String, Json>,
        system: bool,
    ) -> Option<Request> {
        let plan = self.plan();
        let s = plan.scripts.get(script)?;
        // The arguments lie in a file on the node: a secret never goes among them.
        let mut args = plan.arguments(script, node);
        if let Json::Object(o) = &mut args {
            o.retain(|_, v| v.get(SECRET_MARK).is_none());
        }
        complete(&mut args, more);
        let account = plan.settings.get("task_account").and_then(Json::as_str);
        let user = account.filter(|_| !system).unwrap_or_default();
        let mut password = serde_json::json!({ "password": { SECRET_MARK: "task_password" } });
        if !user.is_empty() {
            self.vault.fill(&mut password);
        }
        let password = password["password"].as_str();
        Some(detached::start(&self.run_id, op.as_str(), self.epoch, &s.text, args, user, password))
    }

    /// `of` is whose script it is, where it may wait for a person.
    async fn ask(
        &self,
        node: &NodeName,
        request: Option<Request>,
        source: &str,
        of: Option<Waiting>,
    ) -> (u64, Answer) {
        let not_sent = |message: String| {
            (0, Answer::Failed(Failure { kind: FailureKind::NotSent, id: None, message, at: None }))
        };
        let Some(request) = request else { return not_sent("the plan has no such script".into()) };
        let Some(host) = self.hosts.get(node) else { return not_sent(format!("{node} is not in the inventory")) };
        let (to, mut said) = mpsc::channel::<Said>(SAID_QUEUE);
        let listen = async {
            let mut asked = 0;
            while let Some(s) = said.recv().await {
                match s.text.strip_prefix(AWAITS).zip(of.as_ref()).filter(|_| asked < MOST_ASKED) {
                    Some((text, of)) => {
                        asked += 1;
                        let (of, node, text) = (of.clone(), node.clone(), self.vault.redact(text));
                        let _ = self.observations.send(Observation::PersonAwaited { of, node, text }).await;
                    }
                    None => self.line(node, source, s.level, s.text).await,
                }
            }
        };
        let (reply, ()) = tokio::join!(host.run(request, to), listen);
        (reply.took.as_millis() as u64, self.answer(reply))
    }

    fn answer(&self, reply: Reply) -> Answer {
        match reply.record() {
            Ok(json) => {
                let size = json.to_string().len();
                if size > LARGEST_ANSWER {
                    return Answer::Failed(Failure {
                        kind: FailureKind::Misshapen,
                        id: None,
                        message: format!("the answer has {size} bytes, more than {LARGEST_ANSWER}"),
                        at: None,
                    });
                }
                Answer::Facts(self.vault.redact_json(json))
            }
            Err(mut f) => {
                f.message = self.vault.redact(&f.message);
                f.at = f.at.map(|t| self.vault.redact(&t));
                Answer::Failed(f)
            }
        }
    }

    async fn line(&self, node: &NodeName, source: &str, level: Level, text: String) {
        let line =
            LogLine { at: self.clock.now(), node: Some(node.clone()), source: source.to_owned(), level, text };
        let _ = self.lines.send(line).await;
    }
}

/// Arguments that the plan does not know, where the script asks for them.
fn complete(args: &mut Json, more: &BTreeMap<String, Json>) {
    let Json::Object(args) = args else { return };
    for (name, value) in args.iter_mut() {
        if let Some(known) = more.get(name) {
            *value = known.clone();
        }
    }
}

fn shape<T: serde::de::DeserializeOwned>(answer: Answer) -> Result<T, Failure> {
    match answer {
        Answer::Facts(json) => serde_json::from_value(json).map_err(|e| Failure {
            kind: FailureKind::Misshapen,
            id: None,
            message: format!("the answer is not of the expected shape: {e}"),
            at: None,
        }),
        Answer::Failed(f) => Err(f),
    }
}
