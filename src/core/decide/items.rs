//! Steps over things on the machines: noted, agreed to, done one by one, each looked at until it is as it should be. What does not
//! come to that is decided by a setting or by a person; nothing is sent on doubt.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::steps::{LOOK_EVERY, WRITES};
use super::{Decider, Effect, Turn, after, seconds};
use crate::core::command::plural;
use crate::core::event::{Answer, ENGINE, Event, FailureKind, ReadKey};
use crate::core::items::{Choice, Item, Items, Noted, names_in};
use crate::core::name::{NodeName, OpId};
use crate::core::plan::{Class, Step};
use crate::core::run::{PauseReason, Phase};

/// Where a step over things stands.
pub(super) enum Standing {
    Waits,
    /// A person is to say what becomes of these.
    Asks(String),
    /// These do not come to it.
    Stuck(String),
    Done(String),
}

impl Decider {
    /// A step of a run that is done by its things.
    pub(super) fn do_items(&mut self, turn: &mut Turn, step: &Step, items: &Items, now: Timestamp) {
        let since = (self.state.run.as_ref().map_or(0, |r| r.turn_seq), self.turn_at());
        match self.items(turn, step, items, since, now) {
            Standing::Waits => {}
            Standing::Done(message) => self.step_ended(turn, step, true, &message, now),
            Standing::Asks(why) | Standing::Stuck(why) => match self.state.phase {
                // A clean-up after the end: it is tried again.
                Phase::Finalising => self.step_ended(turn, step, false, &why, now),
                Phase::Stopping => self.stopped(turn, ENGINE, now),
                _ => self.phase(turn, ENGINE, Phase::Paused(PauseReason::NeedsDecision), &why, now),
            },
        }
    }

    /// An irreversible step that is done by its things, after its intent.
    pub(super) fn commit_items(
        &mut self,
        turn: &mut Turn,
        step: &Step,
        items: &Items,
        op: OpId,
        since: (u64, Timestamp),
        now: Timestamp,
    ) {
        let (ok, message) = match self.items(turn, step, items, since, now) {
            Standing::Waits => return,
            Standing::Done(message) => (true, message),
            Standing::Asks(why) | Standing::Stuck(why) => (false, why),
        };
        self.emit(turn, ENGINE, Event::CommitEnded { step: step.id.clone(), op, ok, message }, now);
    }

    /// Goes on with the things of a step, by what was read after the event of that number and time.
    pub(super) fn items(
        &mut self,
        turn: &mut Turn,
        step: &Step,
        items: &Items,
        since: (u64, Timestamp),
        now: Timestamp,
    ) -> Standing {
        if self.state.run.as_ref().and_then(|r| r.steps.get(&step.id)?.items.as_ref()).is_none() {
            match self.note(turn, step, items, since, now) {
                Ok(Some(noted)) => {
                    let step = step.id.clone();
                    self.emit(turn, ENGINE, Event::ItemsNoted { step, items: noted }, now);
                }
                Ok(None) => return Standing::Waits,
                Err(why) => return Standing::Stuck(why),
            }
        }
        let all = self.state.items(&step.id).to_vec();
        let open = all.iter().filter(|i| i.choice.is_none()).count();
        if open > 0 {
            let count = plural(open, &items.word);
            return Standing::Asks(format!("{count}: say which to {} and which to {}", items.take, items.leave));
        }
        let mut waits = false;
        for (at, item) in all.iter().enumerate() {
            let goes_on = self.item(turn, step, items, (at, item), since, now);
            waits |= goes_on;
            if goes_on && items.in_order {
                break;
            }
        }
        if waits {
            return Standing::Waits;
        }
        let all = self.state.items(&step.id);
        let stuck: Vec<&Item> = all.iter().filter(|i| i.stuck.is_some()).collect();
        if stuck.is_empty() {
            return Standing::Done(said(items, all));
        }
        let by_setting = items.stuck.as_ref().and_then(|s| s.decides(&self.state.plan));
        let gently = |i: &&&Item| i.choice == Some(Choice::Take);
        if let Some(choice) = by_setting
            && let choices =
                stuck.iter().filter(gently).map(|i| (i.noted.name.clone(), choice)).collect::<BTreeMap<_, _>>()
            && !choices.is_empty()
        {
            self.emit(turn, ENGINE, Event::ItemsDecided { step: step.id.clone(), choices }, now);
            return Standing::Waits;
        }
        let why = |i: &&Item| format!("{}: {}", i.noted.name, i.stuck.as_deref().unwrap_or_default());
        Standing::Stuck(stuck.iter().map(why).collect::<Vec<_>>().join("; "))
    }

    /// What the step is about: those that were done by the step that it takes back, or those that the machines name.
    fn note(
        &mut self,
        turn: &mut Turn,
        step: &Step,
        items: &Items,
        (since, begun): (u64, Timestamp),
        now: Timestamp,
    ) -> Result<Option<Vec<Noted>>, String> {
        let Some(expr) = &items.note else {
            let undone = step.undoes.as_deref().unwrap_or_default();
            let all = self.state.items(undone).iter().filter(|i| i.is_touched());
            return Ok(Some(all.map(|i| Noted { choice: Some(Choice::Take), ..i.noted.clone() }).collect()));
        };
        let keys = self.keys_of_group(&items.facts);
        let fresh = |k: &&ReadKey| self.state.reads.get(*k).is_some_and(|r| !r.is_open() && r.seq > since);
        let read = keys.iter().filter(fresh).count();
        let late = seconds(begun, now) > step.budget as i64;
        if read < keys.len() {
            if late {
                return Err(format!("not every machine said which {}s there are", items.word));
            }
            self.look_again(turn, &keys, since, now);
            return Ok(None);
        }
        let keep = names_in(items.keep.as_ref().and_then(|k| self.state.plan.settings.get(k)));
        let agreed = items.agreed.as_ref().is_none_or(|e| self.judge.of_settings(&self.state, e));
        let mut noted = Vec::new();
        for node in keys.iter().filter_map(|k| k.node.as_ref()) {
            match self.judge.noted(&self.state, &items.facts, expr, node) {
                Ok(found) => noted.extend(found.into_iter().map(|(name, state)| {
                    let kept = keep.iter().any(|k| k.eq_ignore_ascii_case(&name));
                    let choice = if kept { Some(Choice::Leave) } else { agreed.then_some(Choice::Take) };
                    Noted { name, node: node.clone(), state, choice }
                })),
                Err(why) if late => return Err(format!("{node}: {why}")),
                Err(_) => {
                    self.look_after(turn, &keys, now);
                    return Ok(None);
                }
            }
        }
        Ok(Some(noted))
    }

    /// One of them; true while something goes on about it.
    fn item(
        &mut self,
        turn: &mut Turn,
        step: &Step,
        items: &Items,
        (at, item): (usize, &Item),
        (since, turn_at): (u64, Timestamp),
        now: Timestamp,
    ) -> bool {
        if item.is_settled() || item.stuck.is_some() {
            return false;
        }
        let part = &item.part;
        if part.op.as_ref().is_some_and(|op| self.live.ops.contains(op)) {
            return true;
        }
        let name = &item.noted.name;
        let since = part.seq.max(since);
        let keys = self.keys_of_group(&items.facts);
        let read = |k: &&ReadKey| self.state.reads.get(*k).is_some_and(|r| !r.is_open() && r.seq > since);
        let fresh: Vec<ReadKey> = keys.iter().filter(read).cloned().collect();
        let nodes = || fresh.iter().filter_map(|k| k.node.as_ref());
        let found = nodes()
            .find_map(|n| Some((n.clone(), self.judge.look(&self.state, &items.facts, &items.look, n, name)?)));
        let begun = part.intended_at.unwrap_or(turn_at);
        let late = seconds(begun, now) > step.budget as i64;
        let Some((node, (state, done))) = found else {
            if late {
                let why = format!("no machine that answers has it any more; it was on {}", item.noted.node);
                return self.stuck(turn, step, name, why, now);
            }
            match fresh.len() == keys.len() {
                true => self.look_after(turn, &keys, now),
                false => self.look_again(turn, &keys, since, now),
            }
            return true;
        };
        if done {
            let said = if part.attempt == 0 { format!("{state} already") } else { state };
            let (step, item) = (step.id.clone(), name.clone());
            self.emit(turn, ENGINE, Event::ItemDone { step, item, node, message: said }, now);
            return false;
        }
        let again = fresh
            .iter()
            .filter_map(|k| self.state.reads.get(k)?.at)
            .min()
            .is_some_and(|l| after(l, LOOK_EVERY) <= now);
        let writes = step.class == Class::Write && !part.attempt.is_multiple_of(WRITES);
        match &part.answer {
            None if part.op.is_none() => self.send_item(turn, step, (at, item), node, now),
            Some(Answer::Failed(f)) if f.kind == FailureKind::NotSent && again && !late => {
                self.send_item(turn, step, (at, item), node, now);
            }
            Some(Answer::Failed(f)) if f.kind != FailureKind::NotSent && writes && again && !late => {
                self.send_item(turn, step, (at, item), node, now);
            }
            Some(Answer::Failed(f)) if f.kind == FailureKind::Threw && !writes => {
                return self.stuck(turn, step, name, f.message.clone(), now);
            }
            answer if late => {
                let why = match answer {
                    Some(Answer::Failed(f)) => f.message.clone(),
                    _ => format!("still {state} on {node}"),
                };
                return self.stuck(turn, step, name, why, now);
            }
            _ => self.look_after(turn, &keys, now),
        }
        true
    }

    fn stuck(&mut self, turn: &mut Turn, step: &Step, item: &str, why: String, now: Timestamp) -> bool {
        let (step, item) = (step.id.clone(), item.to_owned());
        self.emit(turn, ENGINE, Event::ItemStuck { step, item, why }, now);
        false
    }

    fn send_item(
        &mut self,
        turn: &mut Turn,
        step: &Step,
        (at, item): (usize, &Item),
        node: NodeName,
        now: Timestamp,
    ) {
        let Some(script) = step.script.clone().filter(|_| self.state.connection(&node).is_ready()) else { return };
        // What takes back is done on a full disk too: what was put aside is for that.
        if step.undoes.is_none() && self.cannot_be_kept(turn, now) {
            return;
        }
        let attempt = item.part.attempt + 1;
        let force = item.choice == Some(Choice::Force);
        let op = self.op(&format!("{}-{}", step.id, at + 1), &node, attempt);
        let (id, name) = (step.id.clone(), item.noted.name.clone());
        let intent = Event::ItemIntended {
            step: id,
            item: name.clone(),
            op: op.clone(),
            attempt,
            node: node.clone(),
            force,
        };
        self.emit(turn, ENGINE, intent, now);
        self.live.ops.insert(op.clone());
        let more = BTreeMap::from([("item".to_owned(), json!(name)), ("force".to_owned(), json!(force))]);
        turn.effects.push(Effect::Run { op, node, script, more, slow: true });
    }

    /// Reads again what was not read after the event of that number.
    fn look_again(&mut self, turn: &mut Turn, keys: &[ReadKey], since: u64, now: Timestamp) {
        let old = |k: &&ReadKey| self.state.reads.get(*k).is_none_or(|r| !r.is_open() && r.seq <= since);
        let answers = |k: &&ReadKey| k.node.as_ref().is_some_and(|n| self.state.connection(n).is_ready());
        let wanted: Vec<ReadKey> = keys.iter().filter(old).filter(answers).cloned().collect();
        self.want_reads(turn, ENGINE, wanted, "did the step happen", now);
    }

    /// Reads again what was read some seconds ago.
    fn look_after(&mut self, turn: &mut Turn, keys: &[ReadKey], now: Timestamp) {
        let old = |k: &&ReadKey| {
            let read = self.state.reads.get(*k);
            read.is_none_or(|r| !r.is_open() && r.at.is_none_or(|at| after(at, LOOK_EVERY) <= now))
        };
        let answers = |k: &&ReadKey| k.node.as_ref().is_some_and(|n| self.state.connection(n).is_ready());
        let wanted: Vec<ReadKey> = keys.iter().filter(old).filter(answers).cloned().collect();
        self.want_reads(turn, ENGINE, wanted, "did the step happen", now);
    }

    /// An answer to a script about one of them.
    pub(super) fn item_answered(&self, op: &OpId) -> bool {
        let steps = self.state.run.iter().flat_map(|r| r.steps.values());
        steps.flat_map(|s| s.items.iter().flatten()).any(|i| i.part.op.as_ref() == Some(op))
    }
}

/// What was done to them, in a few words.
fn said(items: &Items, all: &[Item]) -> String {
    if all.is_empty() {
        return format!("there is no {} that it is about", items.word);
    }
    let left = all.iter().filter(|i| i.choice == Some(Choice::Leave)).count();
    let forced = all.iter().filter(|i| i.choice == Some(Choice::Force)).map(|i| i.noted.name.as_str());
    let forced: Vec<&str> = forced.collect();
    let mut out = plural(all.len() - left, &items.word);
    if !forced.is_empty() {
        let word = items.force.as_deref().unwrap_or("forced");
        out.push_str(&format!(", {} of them by the choice to {word}: {}", forced.len(), forced.join(", ")));
    }
    if left > 0 {
        let names: Vec<&str> =
            all.iter().filter(|i| i.choice == Some(Choice::Leave)).map(|i| i.noted.name.as_str()).collect();
        out.push_str(&format!("; left to {}: {}", items.leave, names.join(", ")));
    }
    out
}
