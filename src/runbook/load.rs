//! From files to a runbook: every mistake is collected, so that a person mends them in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::checked::{Known, check_expression};
use super::files::{Files, beside};
use super::schema::{
    CheckTable, DriverTable, FactsTable, IncludedFile, ItemsTable, LogTable, ProbeTable, ProofTable, RunbookFile,
    StepTable, StepsFile, Word,
};
use super::{LARGEST_SCRIPT, Runbook};
use crate::config::diagnose::{Diagnostic, Diagnostics, Source, suggest};
use crate::core::items::{Items, Stuck};
use crate::core::plan::{
    ARGUMENTS, Check, Class, Driver, Expr, FactGroup, LogFrom, LogSource, Moment, Place, Probe, Proof,
    RunbookInfo, SECRETS, Scope, Script, ScriptId, StageBudget, Step, StepKind, Target, Tier,
};
use crate::core::sequence::Sequence;

/// Seconds a script may take where its table does not say (powershell-over-ssh 15).
const TIMEOUT: u64 = 60;

/// Loads and checks a runbook.
pub fn load(files: &Files, path: &str) -> Result<Runbook, Diagnostics> {
    let mut loader = Loader {
        files,
        wrong: Vec::new(),
        scripts: BTreeMap::new(),
        answers: BTreeMap::new(),
        prelude: Arc::from(""),
        settings: BTreeSet::new(),
    };
    let runbook = loader.runbook(path);
    match runbook {
        Some(r) if loader.wrong.iter().all(Diagnostic::is_warning) => Ok(r),
        _ => Err(Diagnostics(loader.wrong)),
    }
}

pub(super) struct Loader<'a> {
    files: &'a Files,
    wrong: Vec<Diagnostic>,
    scripts: BTreeMap<ScriptId, Script>,
    answers: BTreeMap<ScriptId, Arc<str>>,
    prelude: Arc<str>,
    settings: BTreeSet<String>,
}

/// A file under way: its text for the places of mistakes, its path for what stands beside it.
#[derive(Clone)]
pub(super) struct At {
    source: Source,
    path: String,
}

impl Loader<'_> {
    fn runbook(&mut self, path: &str) -> Option<Runbook> {
        let at = self.open(path, None)?;
        let file: RunbookFile = self.parse(&at)?;
        let folder = path.split('/').next().unwrap_or(path);
        if file.id.get_ref() != folder {
            self.say(&at, &file.id, format!("the id must be the name of its folder, `{folder}`"), None);
        }
        if !file.step.iter().any(|s| s.kind.moves_nodes()) {
            let help = "add a step that moves the nodes: `kind = \"delegate\"`".to_owned();
            self.say(&at, &file.id, "no step starts the upgrade".into(), Some(help));
        }
        self.settings = file.settings.keys().cloned().collect();
        for key in self.settings.clone() {
            if ARGUMENTS.contains(&key.as_str()) || SECRETS.contains(&key.as_str()) {
                let message = format!("a setting may not be called `{key}`: scripts get that anyway");
                self.say(&at, &file.id, message, None);
            }
        }
        for (key, why) in file.refused.iter().filter(|(key, _)| file.settings.contains_key(*key)) {
            self.say(&at, why, format!("`{key}` is a setting of this runbook: it cannot refuse it"), None);
        }
        if let Some(prelude) = &file.prelude
            && let Some(text) = self.beside(&at, prelude).and_then(|p| self.script_text(&at, prelude, &p))
        {
            self.prelude = text;
        }

        let mut parts: Vec<(At, IncludedFile)> = Vec::new();
        for include in &file.include {
            let Some(path) = self.beside(&at, include) else { continue };
            let Some(inner) = self.open(&path, Some((&at, include))) else { continue };
            if let Some(f) = self.parse::<IncludedFile>(&inner) {
                parts.push((inner, f));
            }
        }
        let own = IncludedFile {
            facts: file.facts,
            check: file.check,
            gate: file.gate,
            sequence: file.sequence,
            baseline: file.baseline,
        };
        parts.push((at.clone(), own));
        // What a user adds to a runbook without touching it.
        let extra = format!("{folder}/extra.toml");
        if self.files.read(&extra).is_ok()
            && let Some(inner) = self.open(&extra, None)
            && let Some(f) = self.parse::<IncludedFile>(&inner)
        {
            parts.push((inner, f));
        }

        let mut facts: Vec<FactGroup> = Vec::new();
        for (at, part) in &parts {
            for t in &part.facts {
                if facts.iter().any(|f| &f.id == t.id.get_ref()) {
                    self.say(at, &t.id, format!("there are two fact groups `{}`", t.id.get_ref()), None);
                }
                facts.extend(self.facts(at, t));
            }
        }
        let mut known = Known { facts: facts.clone(), gates: Vec::new() };
        for (at, part) in &parts {
            for t in &part.gate {
                let gate = self.gate(at, &known, t);
                known.gates.push(gate);
            }
        }
        let mut sequences: Vec<Sequence> = Vec::new();
        for (at, part) in &parts {
            for t in &part.sequence {
                if sequences.iter().any(|s| &s.id == t.id.get_ref()) {
                    self.say(at, &t.id, format!("there are two sequences `{}`", t.id.get_ref()), None);
                }
                sequences.extend(self.sequence(at, &known, t));
            }
        }
        let mut checks: Vec<Check> = Vec::new();
        for (at, part) in &parts {
            for t in &part.check {
                if checks.iter().any(|c| &c.id == t.id.get_ref()) {
                    self.say(at, &t.id, format!("there are two checks `{}`", t.id.get_ref()), None);
                }
                checks.extend(self.check(at, &known, &sequences, t));
            }
        }
        // Under one heading each, wherever their files stand.
        let areas: Vec<String> = checks.iter().map(|c| c.area.clone()).collect();
        checks.sort_by_key(|c| areas.iter().position(|a| *a == c.area));
        let tables: Vec<_> = parts.iter().filter_map(|(at, p)| Some((at.clone(), p.baseline.as_ref()?))).collect();
        let baseline = self.baseline(&known, &tables);
        let mut after = Vec::new();
        for path in &file.steps_after {
            let Some(path_of) = self.beside(&at, path) else { continue };
            let Some(inner) = self.open(&path_of, Some((&at, path))) else { continue };
            if let Some(f) = self.parse::<StepsFile>(&inner) {
                after.extend(f.step.into_iter().map(|t| (inner.clone(), t)));
            }
        }
        let mut steps: Vec<Step> = Vec::new();
        for (at, t) in file.step.iter().map(|t| (&at, t)).chain(after.iter().map(|(at, t)| (at, t))) {
            if steps.iter().any(|s| &s.id == t.id.get_ref()) {
                self.say(at, &t.id, format!("there are two steps `{}`", t.id.get_ref()), None);
            }
            for word in t.review.iter().filter(|w| !checks.iter().any(|c| &c.id == w.get_ref())) {
                let help = suggest(word.get_ref(), checks.iter().map(|c| c.id.as_str()));
                self.say(at, word, format!("there is no check `{}`", word.get_ref()), Some(help));
            }
            let Some(step) = self.step(at, &known, &sequences, t) else { continue };
            if let Some(word) = t.undoes.as_ref().filter(|w| !steps.iter().any(|s| &s.id == w.get_ref())) {
                let names = steps.iter().map(|s| s.id.as_str());
                let help = suggest(word.get_ref(), names);
                self.say(at, word, format!("no step before it is `{}`", word.get_ref()), Some(help));
            }
            steps.push(step);
        }
        let driver = self.driver(&at, &known, &file.driver)?;
        let logs = file.log.iter().filter_map(|t| self.log(&at, t)).collect();
        if !file.targets.contains_key(file.default_target.get_ref()) {
            let names: Vec<&str> = file.targets.keys().map(String::as_str).collect();
            let help = suggest(file.default_target.get_ref(), names);
            self.say(&at, &file.default_target, "there is no such target".into(), Some(help));
        }
        Some(Runbook {
            info: RunbookInfo {
                id: file.id.get_ref().clone(),
                title: file.title,
                short: file.short,
                source: file.source,
            },
            targets: file
                .targets
                .into_iter()
                .map(|(version, t)| {
                    let target = Target {
                        version: version.clone(),
                        build: t.build,
                        from_version: t.from_version,
                        from_build: t.from_build,
                        min_ubr: t.min_ubr,
                        media: t.media,
                        end_of_support: t.end_of_support,
                    };
                    (version, target)
                })
                .collect(),
            default_target: file.default_target.into_inner(),
            settings: file.settings,
            refused: file.refused.into_iter().map(|(key, why)| (key, why.into_inner())).collect(),
            facts,
            checks,
            steps,
            driver,
            logs,
            gates: known.gates,
            sequences,
            baseline,
            scripts: std::mem::take(&mut self.scripts),
            stages: file
                .stages
                .into_iter()
                .map(|(s, t)| (s, StageBudget { expected: t.expected, limit: t.limit, stall: t.stall }))
                .collect(),
            answers: std::mem::take(&mut self.answers),
        })
    }

    fn open(&mut self, path: &str, from: Option<(&At, &Word)>) -> Option<At> {
        match self.files.read(path) {
            Ok(text) => Some(At { source: Source::new(self.files.name(path), text), path: path.to_owned() }),
            Err(why) => {
                let message = format!("{}: {why}", self.files.name(path));
                match from {
                    Some((at, word)) => self.say(at, word, message, None),
                    None => {
                        let nowhere = Source::new(self.files.name(path), "");
                        self.wrong.push(Diagnostic::new(&nowhere, 0..0, why));
                    }
                }
                None
            }
        }
    }

    fn parse<T: serde::de::DeserializeOwned>(&mut self, at: &At) -> Option<T> {
        at.source.parse().map_err(|d| self.wrong.push(d)).ok()
    }

    pub(super) fn say<T>(&mut self, at: &At, word: &Spanned<T>, message: String, help: Option<String>) {
        self.say_at(at, word.span(), message, help);
    }

    fn say_at(&mut self, at: &At, span: Range<usize>, message: String, help: Option<String>) {
        let d = Diagnostic::new(&at.source, span, message);
        self.wrong.push(match help {
            Some(h) => d.help(h),
            None => d,
        });
    }

    fn beside(&mut self, at: &At, word: &Word) -> Option<String> {
        let path = beside(&at.path, word.get_ref());
        if path.is_none() {
            self.say(at, word, "this path leaves the folder of the runbooks".into(), None);
        }
        path
    }

    fn script_text(&mut self, at: &At, word: &Word, path: &str) -> Option<Arc<str>> {
        let text = match self.files.read(path) {
            Ok(text) => text,
            Err(why) => {
                self.say(at, word, format!("{}: {why}", self.files.name(path)), None);
                return None;
            }
        };
        let source = Source::new(self.files.name(path), text.clone());
        if let Some(i) = text.bytes().position(|b| !b.is_ascii() || (b < b' ' && !b"\t\r\n".contains(&b))) {
            let help = "scripts are ASCII: the console's code page must not matter";
            self.wrong
                .push(Diagnostic::new(&source, i..i + 1, "this character may not stand in a script").help(help));
            return None;
        }
        if text.len() > LARGEST_SCRIPT {
            self.wrong.push(Diagnostic::new(
                &source,
                0..1,
                format!("the script is larger than {LARGEST_SCRIPT} bytes"),
            ));
            return None;
        }
        Some(text)
    }

    /// Registers a script: prelude and body, and what the simulator answers to it.
    pub(super) fn script(
        &mut self,
        at: &At,
        word: &Word,
        args: &[Word],
        timeout: Option<u64>,
    ) -> Option<ScriptId> {
        let path = self.beside(at, word)?;
        let body = self.script_text(at, word, &path)?;
        for arg in args {
            let known: Vec<String> = ARGUMENTS
                .iter()
                .chain(SECRETS)
                .map(|s| (*s).to_owned())
                .chain(self.settings.iter().cloned())
                .collect();
            if !known.contains(arg.get_ref()) {
                let names: Vec<&str> = known.iter().map(String::as_str).collect();
                let help = suggest(arg.get_ref(), names);
                self.say(at, arg, format!("there is no argument or setting `{}`", arg.get_ref()), Some(help));
            }
        }
        let args: Vec<String> = args.iter().map(|a| a.get_ref().clone()).collect();
        if let Some(known) = self.scripts.get(&path)
            && known.args != args
        {
            self.say(at, word, "this script is used elsewhere with other arguments".into(), None);
        }
        let text: Arc<str> = format!("{}{body}", self.prelude).into();
        let sha256 = Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        if let Ok(answer) = self.files.read(&format!("{}.sim.toml", path.trim_end_matches(".ps1"))) {
            self.answers.insert(path.clone(), answer);
        }
        let timeout = timeout.unwrap_or(TIMEOUT);
        self.scripts.insert(path.clone(), Script { text, sha256, args, timeout });
        Some(path)
    }

    fn facts(&mut self, at: &At, t: &FactsTable) -> Option<FactGroup> {
        let script = self.script(at, &t.script, &t.args, t.timeout)?;
        Some(FactGroup { id: t.id.get_ref().clone(), title: t.title.clone(), on: t.on, script, slow: t.slow })
    }

    pub(super) fn known_facts(&mut self, at: &At, known: &Known, words: &[Word]) -> Vec<String> {
        for word in words {
            if known.group(word.get_ref()).is_none() {
                let names: Vec<&str> = known.facts.iter().map(|f| f.id.as_str()).collect();
                let help = suggest(word.get_ref(), names);
                self.say(at, word, format!("there is no fact group `{}`", word.get_ref()), Some(help));
            }
        }
        words.iter().map(|w| w.get_ref().clone()).collect()
    }

    pub(super) fn expression(&mut self, at: &At, facts: &[String], word: &Word) -> Expr {
        if let Err((offset, message, help)) = check_expression(word.get_ref(), facts) {
            // Inside the quotes; a multi-line string begins after three of them.
            let span = word.span();
            let raw = at.source.text.get(span.clone()).unwrap_or("");
            let quote = if raw.starts_with("'''") || raw.starts_with("\"\"\"") { 3 } else { 1 };
            let newline = usize::from(quote == 3 && raw[3..].starts_with('\n'));
            let place = (span.start + quote + newline + offset).min(span.end.saturating_sub(quote));
            self.say_at(at, place..place + 1, message, help);
        }
        Expr(word.get_ref().clone())
    }

    fn check(&mut self, at: &At, known: &Known, sequences: &[Sequence], t: &CheckTable) -> Option<Check> {
        let facts = self.known_facts(at, known, &t.facts);
        if facts.is_empty() && t.attest.is_none() {
            let help = "add `facts = [\"…\"]`, or `attest = \"…?\"` where a person has to confirm it".to_owned();
            self.say(at, &t.id, "a check needs facts to judge".into(), Some(help));
        }
        if t.pass.is_none() && t.attest.is_none() {
            self.say(at, &t.id, "the check lacks `pass`: what must hold".into(), None);
        }
        if let Some(question) = t.attest.as_ref().filter(|q| !q.get_ref().trim_end().ends_with('?')) {
            self.say(at, question, "what a person confirms is a question: it ends with `?`".into(), None);
        }
        if let Some(fail) = t.fail.as_ref().filter(|_| t.attest.is_none()) {
            self.say(at, fail, "`fail` stands beside `attest` only: `pass` says enough".into(), None);
        }
        if t.moment == Moment::Returning && t.scope != Scope::EachNode {
            let help = "scope = \"each-node\": it is judged on each node as it returns".to_owned();
            self.say(at, &t.id, "what is looked at on a node that returns is about that node".into(), Some(help));
        }
        let fix = t.fix.as_ref();
        if let Some(by_itself) = fix.and_then(|f| f.by_itself.as_ref()).filter(|_| t.moment != Moment::Returning) {
            let help = "moment = \"returning\"; before the run a person decides".to_owned();
            self.say(at, by_itself, "only what a returning node lost is mended by itself".into(), Some(help));
        }
        if let Some(f) = fix.filter(|f| t.moment == Moment::Returning && f.script.is_none()) {
            self.say(
                at,
                &f.changes,
                "a node that returns is mended by a script: the driver moves it".into(),
                None,
            );
        }
        for word in &t.facts {
            let place = known.group(word.get_ref()).map(|g| g.on);
            if t.scope == Scope::Coordinator && place == Some(Place::EachNode) {
                let message = format!("`{}` is read on the nodes, not on the coordinator", word.get_ref());
                self.say(at, word, message, None);
            }
        }
        let mut expr = |e: &Word| self.expression(at, &facts, e);
        let pass = t.pass.as_ref().map_or_else(|| Expr("false".into()), &mut expr);
        let applies = t.applies.as_ref().map(&mut expr);
        let warn = t.warn.as_ref().map(&mut expr);
        let fail = t.fail.as_ref().map(&mut expr);
        let observed = t.observed.as_ref().map(&mut expr);
        let detail = t.detail.as_ref().map(&mut expr);
        let fix = t.fix.as_ref().and_then(|f| self.fix(at, sequences, f));
        Some(Check {
            id: t.id.get_ref().clone(),
            title: t.title.clone(),
            area: t.area.clone(),
            scope: t.scope,
            severity: t.severity,
            moment: t.moment,
            waivable: t.waivable,
            facts,
            applies,
            pass,
            warn,
            observed,
            detail,
            expect: t.expect.clone(),
            remedy: t.remedy.clone(),
            command: t.command.clone(),
            fix,
            attest: t.attest.as_ref().map(|q| q.get_ref().clone()),
            fail,
            source: t.source.clone(),
        })
    }

    fn step(&mut self, at: &At, known: &Known, sequences: &[Sequence], t: &StepTable) -> Option<Step> {
        let mut lacks = |what: &str| self.say(at, &t.id, format!("the step lacks {what}"), None);
        if t.budget == 0 || t.expected == 0 {
            lacks("a time: `expected` and `budget` in seconds");
        }
        if t.safe_point.trim().is_empty() {
            lacks("its `safe_point`: where it can be left without harm");
        }
        let changes = matches!(t.class, Class::Once | Class::Irreversible | Class::Write);
        if changes && !t.kind.moves_nodes() && t.probe.is_none() && t.items.is_none() {
            lacks("a `probe`: how to tell whether it already happened");
        }
        match t.kind {
            StepKind::Delegate if t.script.is_none() || t.class != Class::Once => {
                lacks("`script` and `class = \"once\"`: it hands the nodes over");
            }
            StepKind::Drive if t.script.is_none() || t.class != Class::Once || t.probe.is_none() => {
                lacks("`script`, `class = \"once\"` and a `probe`: it makes the driver run once more");
            }
            StepKind::Sequence if t.sequence.is_none() || t.script.is_some() || t.class != Class::Once => {
                lacks("`sequence` and `class = \"once\"`, without a script: it moves the nodes by a sequence");
            }
            StepKind::Commit if t.script.is_none() || t.class != Class::Irreversible || t.tier != Tier::T3 => {
                lacks("`script`, `class = \"irreversible\"` and `tier = \"t3\"`: it cannot be undone");
            }
            StepKind::Do if t.script.is_none() || !matches!(t.class, Class::Write | Class::Once) || t.detached => {
                lacks("`script` and `class = \"write\"` or \"once\"; it is not detached");
            }
            StepKind::Person if t.ask.is_none() || t.script.is_some() || t.class != Class::Read => {
                lacks("`ask`, the question, and `class = \"read\"`; it has no script");
            }
            StepKind::Commit if t.proof.is_empty() => lacks("its `proof`: what must hold right before it"),
            StepKind::Verify if t.class != Class::Read => lacks("`class = \"read\"`: it only looks"),
            _ => {}
        }
        if let Some(word) = t.sequence.as_ref().filter(|w| !sequences.iter().any(|s| s.id == *w.get_ref())) {
            let help = suggest(word.get_ref(), sequences.iter().map(|s| s.id.as_str()).collect::<Vec<_>>());
            self.say(at, word, format!("there is no sequence `{}`", word.get_ref()), Some(help));
        }
        if t.later && (t.kind != StepKind::Do || t.always) {
            self.say(
                at,
                &t.id,
                "only a step of kind `do` that is no clean-up can be left for `later`".into(),
                None,
            );
        }
        if t.always && t.kind != StepKind::Do {
            self.say(at, &t.id, "only a step of kind `do` can be `always` done".into(), None);
        }
        let only = self.only(at, t);
        let script = match &t.script {
            Some(w) => Some(self.script(at, w, &t.args, t.timeout)?),
            None => None,
        };
        let probe = t.probe.as_ref().map(|p| self.probe(at, known, p));
        let proof = t.proof.iter().map(|p| self.proof(at, known, p)).collect();
        Some(Step {
            id: t.id.get_ref().clone(),
            title: t.title.clone(),
            kind: t.kind,
            only,
            sequence: t.sequence.as_ref().map(|w| w.get_ref().clone()),
            needs: t.needs.iter().map(|w| w.get_ref().clone()).collect(),
            class: t.class,
            on: t.on,
            script,
            detached: t.detached,
            probe,
            expected: t.expected,
            budget: t.budget,
            safe_point: t.safe_point.clone(),
            tier: t.tier,
            warning: t.warning.clone(),
            proof,
            review: t.review.iter().map(|w| w.get_ref().clone()).collect(),
            always: t.always,
            undoes: t.undoes.as_ref().map(|w| w.get_ref().clone()),
            ask: t.ask.clone(),
            later: t.later,
            items: t.items.as_ref().map(|i| self.items(at, known, t, i)),
        })
    }

    /// What a step finds on the machines.
    fn items(&mut self, at: &At, known: &Known, step: &StepTable, t: &ItemsTable) -> Items {
        let mut facts = self.known_facts(at, known, std::slice::from_ref(&t.facts));
        if known.group(t.facts.get_ref()).is_some_and(|g| g.on != Place::EachNode) {
            self.say(at, &t.facts, "what a step finds is read on each node".into(), None);
        }
        if t.note.is_none() && step.undoes.is_none() {
            let help = "give `note`, or `undoes`: then it is about what that step has done".to_owned();
            self.say(at, &t.word, "nothing says what the step is about".into(), Some(help));
        }
        self.settings_named(at, t.keep.iter().chain(t.stuck.iter().map(|s| &s.setting)));
        let note = t.note.as_ref().map(|e| self.expression(at, &facts, e));
        let agreed = t.agreed.as_ref().map(|e| self.expression(at, &[], e));
        facts.push("item".to_owned());
        Items {
            word: t.word.get_ref().clone(),
            facts: t.facts.get_ref().clone(),
            note,
            look: self.expression(at, &facts, &t.look),
            in_order: t.in_order,
            keep: t.keep.as_ref().map(|w| w.get_ref().clone()),
            agreed,
            stuck: t.stuck.as_ref().map(|s| Stuck {
                setting: s.setting.get_ref().clone(),
                force: s.force.clone(),
                leave: s.leave.clone(),
            }),
            take: t.take.clone(),
            force: t.force.clone(),
            leave: t.leave.clone(),
        }
    }

    /// The settings that a step exists with: each is one of the runbook's, as are those that it needs.
    fn only(&mut self, at: &At, t: &StepTable) -> BTreeMap<String, Json> {
        self.settings_named(at, t.only.keys().chain(&t.needs));
        t.only.iter().map(|(w, value)| (w.get_ref().clone(), value.clone())).collect()
    }

    /// Settings that are named exist.
    fn settings_named<'a>(&mut self, at: &At, named: impl Iterator<Item = &'a Word>) {
        for word in named.filter(|w| !self.settings.contains(w.get_ref())).collect::<Vec<_>>() {
            let help = suggest(word.get_ref(), self.settings.iter().map(String::as_str).collect::<Vec<_>>());
            self.wrong.push(
                Diagnostic::new(&at.source, word.span(), format!("there is no setting `{}`", word.get_ref()))
                    .help(help),
            );
        }
    }

    pub(super) fn probe(&mut self, at: &At, known: &Known, t: &ProbeTable) -> Probe {
        let facts = self.known_facts(at, known, std::slice::from_ref(&t.facts));
        let failed = t.failed.as_ref().map(|f| self.expression(at, &facts, f));
        Probe { done: self.expression(at, &facts, &t.done), failed, facts: t.facts.get_ref().clone() }
    }

    pub(super) fn proof(&mut self, at: &At, known: &Known, t: &ProofTable) -> Proof {
        let facts = self.known_facts(at, known, &t.facts);
        let observed = t.observed.as_ref().map(|o| self.expression(at, &facts, o));
        Proof { title: t.title.clone(), pass: self.expression(at, &facts, &t.pass), observed, facts, gate: None }
    }

    fn driver(&mut self, at: &At, known: &Known, t: &DriverTable) -> Option<Driver> {
        let everywhere = [Place::EachNode, Place::Everywhere];
        for (word, places) in [
            (&t.state, &[Place::AnyNode][..]),
            (&t.report, &[Place::AnyNode]),
            (&t.cluster, &[Place::AnyNode]),
            (&t.storage, &[Place::AnyNode]),
            (&t.host, &everywhere),
        ]
        .into_iter()
        .chain([&t.roles, &t.quorum].into_iter().flatten().map(|w| (w, &[Place::AnyNode][..])))
        {
            self.known_facts(at, known, std::slice::from_ref(word));
            if known.group(word.get_ref()).is_some_and(|g| !places.contains(&g.on)) {
                self.say(at, word, format!("`{}` is read in the wrong place for this", word.get_ref()), None);
            }
        }
        let stop = self.script(at, &t.stop, &t.stop_args, None)?;
        let recover = match &t.recover {
            Some(word) => Some(self.script(at, word, &t.recover_args, None)?),
            None => None,
        };
        Some(Driver {
            mode: t.mode,
            name: t.name.clone(),
            state: t.state.get_ref().clone(),
            report: t.report.get_ref().clone(),
            cluster: t.cluster.get_ref().clone(),
            host: t.host.get_ref().clone(),
            storage: t.storage.get_ref().clone(),
            roles: t.roles.as_ref().map(|w| w.get_ref().clone()),
            quorum: t.quorum.as_ref().map(|w| w.get_ref().clone()),
            stop,
            recover,
            words: t.words.clone(),
            shown: t.shown.clone(),
            cures: t.cures.clone(),
            every: t.every.max(1),
            idle_every: t.idle_every.max(1),
        })
    }

    fn log(&mut self, at: &At, t: &LogTable) -> Option<LogSource> {
        let from = match (&t.script, &t.file) {
            (Some(script), None) => LogFrom::Script(self.script(at, script, &[], t.timeout)?),
            (None, Some(path)) => {
                LogFrom::File { path: path.get_ref().clone(), format: t.format, percent: t.percent.clone() }
            }
            _ => {
                let message = "a log comes from a `script` or from a `file`".to_owned();
                self.say(at, &t.id, message, Some("name one of them".into()));
                return None;
            }
        };
        let id = t.id.get_ref().clone();
        Some(LogSource { id, title: t.title.clone(), on: t.on, from, every: t.every.max(1) })
    }
}
