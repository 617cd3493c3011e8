//! Sequences and fixes of a runbook: what changes something before the run.

use super::checked::Known;
use super::load::{At, Loader};
use super::schema::{ActionKindWord, ActionTable, FixTable, GateTable, HaltTable, SequenceTable, Word};
use crate::config::diagnose::suggest;
use crate::core::gate_rules::{GatePart, GateRule};
use crate::core::plan::{Class, Fix, FixBy, Place, Proof};
use crate::core::sequence::{Action, ActionKind, Sequence};

impl Loader<'_> {
    pub(super) fn sequence(&mut self, at: &At, known: &Known, t: &SequenceTable) -> Option<Sequence> {
        let ids: Vec<&str> = t.action.iter().map(|a| a.id.get_ref().as_str()).collect();
        if ids.is_empty() {
            self.say(at, &t.id, "the sequence has no action".into(), None);
        }
        let mut actions = Vec::new();
        for (i, a) in t.action.iter().enumerate() {
            if ids[..i].contains(&ids[i]) {
                self.say(at, &a.id, format!("there are two actions `{}`", ids[i]), None);
            }
            for word in a.undoes.iter().chain(&a.retry_from).filter(|w| !ids[..i].contains(&w.get_ref().as_str()))
            {
                let help = suggest(word.get_ref(), ids[..i].to_vec());
                self.say(
                    at,
                    word,
                    format!("no action before this one is called `{}`", word.get_ref()),
                    Some(help),
                );
            }
            if a.expected == 0 || a.budget == 0 {
                self.say(at, &a.id, "the action lacks a time: `expected` and `budget` in seconds".into(), None);
            }
            let Some(kind) = self.action_kind(at, known, a) else { continue };
            let text = |w: &Option<Word>| w.as_ref().map(|w| w.get_ref().clone());
            actions.push(Action {
                id: a.id.get_ref().clone(),
                title: a.title.clone(),
                kind,
                stage: a.stage,
                person: a.person.clone(),
                leaves: a.leaves.clone(),
                undoes: text(&a.undoes),
                retry_from: text(&a.retry_from),
                expected: a.expected,
                budget: a.budget,
            });
        }
        Some(Sequence { id: t.id.get_ref().clone(), title: t.title.clone(), warning: t.warning.clone(), actions })
    }

    fn action_kind(&mut self, at: &At, known: &Known, t: &ActionTable) -> Option<ActionKind> {
        let gate = *t.kind.get_ref() == ActionKindWord::Gate;
        if !(gate || t.halt.is_empty() && t.gates.is_empty())
            || *t.kind.get_ref() != ActionKindWord::Detached && !t.codes.is_empty()
        {
            let help = "`halt` and `gates` stand in a gate, `codes` in a detached action";
            self.say(at, &t.kind, "the action has what another kind has".into(), Some(help.into()));
        }
        for word in t.codes.keys() {
            let digits = word.get_ref().strip_prefix("0x").unwrap_or("");
            if u32::from_str_radix(digits, 16).is_err() {
                let help = "write it as Windows shows it: \"0xC1900208\"";
                let message = format!("`{}` is not a code", word.get_ref());
                self.say(at, word, message, Some(help.into()));
            }
        }
        match (t.kind.get_ref(), &t.script, &t.probe) {
            (ActionKindWord::Gate, None, None) if !(t.condition.is_empty() && t.gates.is_empty()) => {
                let conditions = self.conditions(at, known, t);
                let halts = t.halt.iter().map(|h| self.halt(at, known, h)).collect();
                Some(ActionKind::Gate { conditions, halts })
            }
            (ActionKindWord::Detached, Some(script), Some(probe))
                if t.condition.is_empty() && !t.success.is_empty() && t.on.is_none() =>
            {
                let script = self.script(at, script, &t.args, t.timeout)?;
                let probe = self.probe(at, known, probe);
                let codes = t.codes.iter().map(|(w, said)| (w.get_ref().clone(), said.clone())).collect();
                Some(ActionKind::Detached { script, probe, success: t.success.clone(), codes })
            }
            (ActionKindWord::Do, Some(script), Some(probe)) if t.condition.is_empty() => {
                let script = self.script(at, script, &t.args, t.timeout)?;
                let probe = self.probe(at, known, probe);
                Some(ActionKind::Do { script, on: t.on.unwrap_or(Place::EachNode), probe })
            }
            (ActionKindWord::Restart, Some(script), _) if t.condition.is_empty() => {
                let script = self.script(at, script, &t.args, t.timeout)?;
                let probe = t.probe.as_ref().map(|p| self.probe(at, known, p));
                Some(ActionKind::Restart { script, probe })
            }
            (kind, ..) => {
                let help = match kind {
                    ActionKindWord::Gate => "a gate has `gates` or `condition`s, and neither a script nor a probe",
                    ActionKindWord::Do => "it has a `script`, and a `probe` that tells whether it happened",
                    ActionKindWord::Detached => {
                        "it has a `script` that runs on the node, a `probe` that tells whether it happened, and the codes of \
                         `success`"
                    }
                    ActionKindWord::Restart => {
                        "a restart has a `script`; whether it happened is told by the start time"
                    }
                };
                self.say(at, &t.kind, "the action is not whole".into(), Some(help.into()));
                None
            }
        }
    }

    fn halt(&mut self, at: &At, known: &Known, t: &HaltTable) -> Proof {
        let facts = self.known_facts(at, known, &t.facts);
        let observed = t.observed.as_ref().map(|o| self.expression(at, &facts, o));
        Proof { title: t.title.clone(), pass: self.expression(at, &facts, &t.when), observed, facts, gate: None }
    }

    /// A gate that sequences name.
    pub(super) fn gate(&mut self, at: &At, known: &Known, t: &GateTable) -> GateRule {
        let id = t.id.get_ref();
        if known.gates.iter().any(|g| g.id == *id) {
            self.say(at, &t.id, format!("there are two gates `{id}`"), None);
        }
        let ids: Vec<&String> = t.condition.iter().map(|c| c.id.get_ref()).collect();
        let mut conditions = Vec::new();
        for (i, c) in t.condition.iter().enumerate() {
            if ids[..i].contains(&ids[i]) {
                self.say(at, &c.id, format!("there are two conditions `{}`", ids[i]), None);
            }
            let facts = self.known_facts(at, known, &c.facts);
            let observed = c.observed.as_ref().map(|o| self.expression(at, &facts, o));
            let part =
                GatePart { id: format!("{id}.{}", c.id.get_ref()), waivable: c.waivable, observe: c.observe };
            let pass = self.expression(at, &facts, &c.pass);
            conditions.push(Proof { title: c.title.clone(), pass, observed, facts, gate: Some(part) });
        }
        GateRule { id: id.clone(), title: t.title.clone(), conditions }
    }

    /// The conditions of a gate before a node is begun: of the gates that it names, and its own.
    fn conditions(&mut self, at: &At, known: &Known, t: &ActionTable) -> Vec<Proof> {
        let mut out = Vec::new();
        for word in &t.gates {
            match known.gates.iter().find(|g| g.id == *word.get_ref()) {
                Some(gate) => out.extend(gate.conditions.iter().cloned()),
                None => {
                    let help =
                        suggest(word.get_ref(), known.gates.iter().map(|g| g.id.as_str()).collect::<Vec<_>>());
                    self.say(at, word, format!("there is no gate `{}`", word.get_ref()), Some(help));
                }
            }
        }
        out.extend(t.condition.iter().map(|c| self.proof(at, known, c)));
        out
    }

    pub(super) fn fix(&mut self, at: &At, sequences: &[Sequence], t: &FixTable) -> Option<Fix> {
        for word in t.sequence.iter().chain(&t.then) {
            if !sequences.iter().any(|s| &s.id == word.get_ref()) {
                let help = suggest(word.get_ref(), sequences.iter().map(|s| s.id.as_str()).collect::<Vec<_>>());
                self.say(at, word, format!("there is no sequence `{}`", word.get_ref()), Some(help));
            }
        }
        let by = match (&t.script, &t.sequence) {
            (Some(script), None) => {
                match &t.class {
                    Some(class) if *class.get_ref() != Class::Write => {
                        let help = "a fix must be safe to repeat: class = \"write\"".to_owned();
                        self.say(at, class, "only a write may be a fix".into(), Some(help));
                    }
                    Some(_) => {}
                    None => {
                        self.say(at, script, "the fix lacks its `class`".into(), Some("class = \"write\"".into()))
                    }
                }
                FixBy::Script(self.script(at, script, &t.args, t.timeout)?)
            }
            (None, Some(sequence)) => FixBy::Sequence(sequence.get_ref().clone()),
            _ => {
                let message = "a fix is a `script` or a `sequence`".to_owned();
                self.say(at, &t.changes, message, Some("name one of them".into()));
                return None;
            }
        };
        let then = t.then.as_ref().map(|w| w.get_ref().clone());
        if let (Some(person), FixBy::Sequence(_)) = (&t.person, &by) {
            let help = "say it in the action that needs somebody";
            self.say(at, person, "a sequence has `person` in its actions".into(), Some(help.into()));
        }
        let person = t.person.as_ref().map(|w| w.get_ref().clone());
        let by_itself = t.by_itself.as_ref().is_some_and(|b| *b.get_ref());
        let changes = t.changes.get_ref().clone();
        Some(Fix { by, changes, then, person, warning: t.warning.clone(), by_itself })
    }
}
