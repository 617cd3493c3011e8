//! Every rule of an upgrade. One call takes one input and gives the events that follow and what is asked of the outside.
//!
//! Rules are level-triggered: they look at the state, not at what just happened, so that a restarted engine goes on by
//! the same rules as one that never stopped.

mod baseline;
mod commands;
mod detached;
mod direct;
mod drive;
mod fixes;
mod gates;
mod handover;
mod hooks;
mod items;
mod keeping;
mod limits;
mod polls;
mod reads;
mod recovery;
mod returning;
mod run;
mod sequence;
mod stalls;
mod steps;
mod units;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::command::{Command, Refusal, allowed};
use super::connection::Connection;
use super::event::{Answer, ENGINE, Event, Failure, ReadKey, Stamped, Waiting};
use super::hooks::HookEnd;
use super::judge::Judge;
use super::log::LogFormat;
use super::name::{NodeName, OpId};
use super::plan::ScriptId;
use super::state::State;
use super::view::OpView;

/// A request to the outside. Everything that changes something is preceded by its intent on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Connect to a machine, now.
    Connect { node: NodeName },
    /// Run a reading script. `attempt` 0 is a poll.
    Read { key: ReadKey, attempt: u32, node: NodeName, script: ScriptId, slow: bool },
    /// Run a changing script and wait for its end; `more` are arguments that the plan does not know. `slow`: as for a read.
    Run { op: OpId, node: NodeName, script: ScriptId, more: BTreeMap<String, Json>, slow: bool },
    /// Start a script as a detached operation; `more` as for a run. `system`: as the machine itself, whatever account the plan names.
    Detach { op: OpId, node: NodeName, script: ScriptId, more: BTreeMap<String, Json>, system: bool },
    /// Look what became of a detached operation.
    Observe { op: OpId, node: NodeName },
    /// Run a hook on this machine; so many real seconds at most.
    Hook { op: OpId, command: Vec<String>, environment: BTreeMap<String, String>, timeout: u64 },
    /// Read new lines of a log by a script.
    Tail { source: String, node: NodeName, script: ScriptId, after: Json },
    /// Read what is new in a file. Whoever carries it out keeps the offset.
    Follow { source: String, node: NodeName, file: Followed },
}

/// A file on a machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed {
    File {
        path: String,
        format: LogFormat,
        /// What stands before a number that says how far Setup has come.
        percent: Option<String>,
    },
    /// What a detached operation says.
    Operation(OpId),
}

impl Effect {
    /// It may change something on a machine.
    pub fn changes(&self) -> bool {
        matches!(self, Effect::Run { .. } | Effect::Detach { .. })
    }
}

/// What the outside says.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    Connection {
        node: NodeName,
        connection: Connection,
    },
    Read {
        key: ReadKey,
        attempt: u32,
        node: NodeName,
        took_ms: u64,
        answer: Answer,
    },
    /// A script that runs waits for a person.
    PersonAwaited {
        of: Waiting,
        node: NodeName,
        text: String,
    },
    Ran {
        op: OpId,
        took_ms: u64,
        answer: Answer,
    },
    Detached {
        op: OpId,
        took_ms: u64,
        answer: Answer,
    },
    Observed {
        op: OpId,
        answer: Result<OpView, Failure>,
    },
    /// A hook has ended.
    Hooked {
        op: OpId,
        end: HookEnd,
    },
    /// A followed file has new lines; the last of them that says so says how far Setup has come, in hundredths.
    Grew {
        node: NodeName,
        percent: Option<u8>,
    },
    /// `next` is where the following read goes on; absent where this one failed, and for a file.
    Tailed {
        source: String,
        node: NodeName,
        next: Option<Json>,
    },
}

/// What one input led to.
#[derive(Debug, Default)]
pub struct Turn {
    pub events: Vec<Stamped>,
    /// To be carried out once every event above is as durable as its class asks for.
    pub effects: Vec<Effect>,
    /// Evidence that is as it was, seen again: not events.
    pub pulses: Vec<Pulse>,
}

/// Evidence was seen again, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    pub key: ReadKey,
    pub node: NodeName,
    pub at: Timestamp,
    /// False where the read failed: the evidence grows old.
    pub ok: bool,
}

/// What is known beside the state and not worth keeping: what is under way, and how fresh polls are.
#[derive(Debug, Default)]
struct Live {
    /// Since when this engine looks at the nodes: an engine that has just started has not looked in vain.
    looks_since: Option<Timestamp>,
    /// Reads for checks that were sent.
    reading: BTreeSet<ReadKey>,
    polls: BTreeMap<ReadKey, Poll>,
    /// What the gates and probes of a sequence are judged by: when it was asked, and the answer.
    evidence: BTreeMap<ReadKey, (Timestamp, Answer)>,
    /// The same for gates that are observed; and the oldest of what they were judged by last.
    observed: BTreeMap<ReadKey, (Timestamp, Answer)>,
    gates_judged: Option<Timestamp>,
    /// Operations whose answer is awaited.
    ops: BTreeSet<OpId>,
    observing: BTreeSet<OpId>,
    /// When an operation was last looked at, and last sent again.
    observed_at: BTreeMap<OpId, Timestamp>,
    sent_at: BTreeMap<OpId, Timestamp>,
    tails: BTreeMap<(String, NodeName), Tail>,
    /// When this engine began to look.
    began: Option<Timestamp>,
    /// When a followed file of a machine last had new lines.
    grown: BTreeMap<NodeName, Timestamp>,
    /// Bytes that a repair has left, and when that last changed.
    copied: Option<(u64, Timestamp)>,
}

#[derive(Debug, Default)]
struct Poll {
    sent_at: Option<Timestamp>,
    /// Last time it was sent, answered or not.
    last: Option<Timestamp>,
    /// Last time it gave an answer.
    fresh: Option<Timestamp>,
    /// When the last poll that gave an answer was sent: what happened later is not in it.
    asked: Option<Timestamp>,
    /// Machine that failed last: asked last the next time.
    avoid: Option<NodeName>,
    failures: u32,
}

#[derive(Debug, Default)]
struct Tail {
    in_flight: bool,
    last: Option<Timestamp>,
    after: Json,
}

/// The decider: state, compiled rules, and what is under way.
#[derive(Debug)]
pub struct Decider {
    state: State,
    judge: Judge,
    live: Live,
    /// Short text that makes operation ids of different runs differ.
    run_id: String,
}

impl Decider {
    /// Goes on from a state: empty, or folded from a journal.
    pub fn new(state: State, run_id: &str) -> Self {
        let judge = Judge::new(&state.plan);
        Self { state, judge, live: Live::default(), run_id: run_id.to_owned() }
    }

    /// The truth so far.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes in an event that happened outside the rules: an engine start, a sealed plan.
    pub fn record(&mut self, event: Event, now: Timestamp) -> Turn {
        self.record_by(ENGINE, event, now)
    }

    /// The same, caused by a person.
    pub fn record_by(&mut self, actor: &str, event: Event, now: Timestamp) -> Turn {
        let mut turn = Turn::default();
        self.emit(&mut turn, actor, event, now);
        self.settle(&mut turn, now);
        turn
    }

    /// A person asks for something.
    ///
    /// # Errors
    /// It is refused; nothing changed.
    pub fn command(&mut self, actor: &str, command: &Command, now: Timestamp) -> Result<Turn, Refusal> {
        allowed(&self.state, command, now)?;
        let mut turn = Turn::default();
        self.carry_out(&mut turn, actor, command, now)?;
        self.settle(&mut turn, now);
        Ok(turn)
    }

    /// The outside says something.
    pub fn observe(&mut self, observation: Observation, now: Timestamp) -> Turn {
        let mut turn = Turn::default();
        self.take_in(&mut turn, observation, now);
        self.settle(&mut turn, now);
        turn
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Timestamp) -> Turn {
        let mut turn = Turn::default();
        self.settle(&mut turn, now);
        turn
    }

    /// When `tick` has something to do, if nothing else happens.
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        // A script that takes longer than the time between two looks is not waited for without a pause.
        let in_steps = self.next_in_steps().map(|at| at.max(after(now, 1)));
        [self.next_poll(now), self.next_patience(), self.next_in_sequence(now), in_steps]
            .into_iter()
            .flatten()
            .min()
    }

    /// Applies every rule until none has anything to say.
    fn settle(&mut self, turn: &mut Turn, now: Timestamp) {
        // Each rule changes the state so that it does not fire again; the bound turns a mistake into a slow turn, not a hang.
        for _ in 0..64 {
            let before = turn.events.len();
            self.settle_reads(turn, now);
            self.settle_checks(turn, now);
            self.settle_fixes(turn, now);
            self.settle_sequence(turn, now);
            self.settle_returning(turn, now);
            self.settle_units(turn, now);
            self.settle_stalls(turn, now);
            self.settle_keeping(turn, now);
            self.observe_gates(turn, now);
            self.settle_hooks(turn, now);
            self.settle_limits(turn, now);
            self.settle_recovery(turn, now);
            self.settle_run(turn, now);
            if turn.events.len() == before {
                break;
            }
        }
        self.send_polls(turn, now);
    }

    fn emit(&mut self, turn: &mut Turn, actor: &str, event: Event, now: Timestamp) {
        let stamped = Stamped { seq: self.state.seq + 1, at: now, actor: actor.to_owned(), event };
        self.state.apply(&stamped);
        if matches!(stamped.event, Event::PlanRevised { .. }) {
            self.judge = Judge::new(&self.state.plan);
        }
        turn.events.push(stamped);
    }

    fn op(&self, what: &str, node: &NodeName, attempt: u32) -> OpId {
        OpId::new(what, node, attempt, &self.run_id)
    }

    fn take_in(&mut self, turn: &mut Turn, observation: Observation, now: Timestamp) {
        match observation {
            Observation::Connection { node, connection } => {
                if self.state.connection(&node) != &connection {
                    let back = connection.is_ready();
                    self.emit(turn, ENGINE, Event::ConnectionChanged { node: node.clone(), connection }, now);
                    if back {
                        // The first thing to know of a machine that is back is what it is now.
                        self.poll_now(&self.host_key(&node));
                    }
                }
            }
            Observation::Read { key, attempt: 0, node, answer, .. } => self.polled(turn, key, node, answer, now),
            Observation::Read { key, attempt, node, took_ms, answer } => {
                self.live.reading.remove(&key);
                if let Answer::Facts(json) = &answer {
                    self.note_view(turn, &key, json, now);
                }
                self.emit(turn, ENGINE, Event::FactsRead { key, attempt, asked: node, took_ms, answer }, now);
            }
            Observation::PersonAwaited { of, node, text } => self.person_awaited(turn, of, node, &text, now),
            Observation::Ran { op, took_ms, answer } => self.op_ran(turn, op, took_ms, answer, now),
            Observation::Detached { op, took_ms, answer } => self.op_detached(turn, op, took_ms, answer, now),
            Observation::Observed { op, answer } => self.op_observed(turn, op, answer, now),
            Observation::Hooked { op, end } => self.hooked(turn, op, end, now),
            Observation::Grew { node, percent } => self.log_grew(turn, node, percent, now),
            Observation::Tailed { source, node, next } => {
                if let Some(tail) = self.live.tails.get_mut(&(source, node)) {
                    tail.in_flight = false;
                    if let Some(next) = next {
                        tail.after = next;
                    }
                }
            }
        }
    }
}

/// Whole seconds from one time to another.
fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}

fn after(time: Timestamp, seconds: u64) -> Timestamp {
    time.checked_add(jiff::SignedDuration::from_secs(seconds as i64)).unwrap_or(Timestamp::MAX)
}
