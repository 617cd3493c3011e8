//! Which files a runbook is made of, and what each script is used for.

use std::collections::BTreeMap;

use super::script::{Role, Script, Use};
use super::variables;
use crate::config::diagnose::Source;
use crate::core::plan::Class;
use crate::runbook::files::{Files, beside};
use crate::runbook::schema::{
    ActionKindWord, BaselineTable, CheckTable, DriverTable, FactsTable, GateTable, IncludedFile, LogTable,
    RunbookFile, SequenceTable, StepTable, StepsFile, Word,
};

/// One file of a runbook. What cannot be read has no part: loading says why.
pub struct Part {
    pub path: String,
    pub source: Source,
    pub facts: Vec<FactsTable>,
    pub checks: Vec<CheckTable>,
    pub steps: Vec<StepTable>,
    pub gates: Vec<GateTable>,
    pub sequences: Vec<SequenceTable>,
    pub logs: Vec<LogTable>,
    pub driver: Option<DriverTable>,
    pub baseline: Option<BaselineTable>,
    pub prelude: Option<Word>,
}

/// The files of a runbook: its own, what it includes, what is added to it.
pub fn parts(files: &Files, id: &str) -> Vec<Part> {
    let mut out = Vec::new();
    let path = format!("{id}/runbook.toml");
    let (mut more, mut after) = (Vec::new(), Vec::new());
    if let Some(source) = open(files, &path)
        && let Ok(file) = source.parse::<RunbookFile>()
    {
        more.extend(file.include.iter().filter_map(|word| beside(&path, word.get_ref())));
        after.extend(file.steps_after.iter().filter_map(|word| beside(&path, word.get_ref())));
        out.push(Part {
            path,
            source,
            facts: file.facts,
            checks: file.check,
            steps: file.step,
            gates: file.gate,
            sequences: file.sequence,
            logs: file.log,
            driver: Some(file.driver),
            baseline: file.baseline,
            prelude: file.prelude,
        });
    }
    more.push(format!("{id}/extra.toml"));
    for path in more {
        if let Some(source) = open(files, &path)
            && let Ok(file) = source.parse::<IncludedFile>()
        {
            out.push(Part {
                path,
                source,
                facts: file.facts,
                checks: file.check,
                steps: Vec::new(),
                gates: file.gate,
                sequences: file.sequence,
                logs: Vec::new(),
                driver: None,
                baseline: file.baseline,
                prelude: None,
            });
        }
    }
    for path in after {
        if let Some(source) = open(files, &path)
            && let Ok(file) = source.parse::<StepsFile>()
        {
            out.push(Part {
                path,
                source,
                facts: Vec::new(),
                checks: Vec::new(),
                steps: file.step,
                gates: Vec::new(),
                sequences: Vec::new(),
                logs: Vec::new(),
                driver: None,
                baseline: None,
                prelude: None,
            });
        }
    }
    out
}

/// The text of a file under the name that people know it by.
pub fn open(files: &Files, path: &str) -> Option<Source> {
    files.read(path).ok().map(|text| Source::new(files.name(path), text))
}

/// Adds the scripts of a runbook to those that are known.
pub fn scripts(files: &Files, parts: &[Part], uses: &mut BTreeMap<String, Use>) {
    let mut found: Vec<(String, Role, Vec<String>)> = Vec::new();
    for part in parts {
        let mut add = |word: &Word, role, args: &[Word]| {
            let args = args.iter().map(|a| a.get_ref().clone()).collect();
            found.extend(beside(&part.path, word.get_ref()).map(|p| (p, role, args)));
        };
        part.prelude.iter().for_each(|w| add(w, Role::Prelude, &[]));
        part.facts.iter().for_each(|f| add(&f.script, Role::Read, &f.args));
        for fix in part.checks.iter().filter_map(|c| c.fix.as_ref()) {
            fix.script.iter().for_each(|w| add(w, Role::Fix, &fix.args));
        }
        for action in part.sequences.iter().flat_map(|s| &s.action) {
            // A restart is sent once; what else is done has a probe and may be repeated.
            let once = matches!(action.kind.get_ref(), ActionKindWord::Restart | ActionKindWord::Detached);
            let class = if once { Class::Once } else { Class::Write };
            action.script.iter().for_each(|w| add(w, Role::Step(class), &action.args));
        }
        for step in &part.steps {
            step.script.iter().for_each(|w| add(w, Role::Step(step.class), &step.args));
        }
        for log in &part.logs {
            log.script.iter().for_each(|w| add(w, Role::Read, &[]));
        }
        if let Some(d) = &part.driver {
            add(&d.stop, Role::Stop, &d.stop_args);
            d.recover.iter().for_each(|w| add(w, Role::Step(Class::Once), &d.recover_args));
        }
    }
    let (mut given, mut variables): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (path, ..) in found.iter().filter(|(_, role, _)| *role == Role::Prelude) {
        if let Some(source) = open(files, path) {
            let prelude = Script::new(source, Use::default());
            given.extend_from_slice(prelude.functions());
            variables.extend(variables::set(&prelude));
        }
    }
    let logs: Vec<String> = parts
        .iter()
        .flat_map(|p| p.logs.iter().filter_map(|l| beside(&p.path, l.script.as_ref()?.get_ref())))
        .collect();
    for (path, role, mut args) in found {
        if logs.contains(&path) {
            args.push(AFTER.to_owned());
        }
        let used = uses.entry(path).or_default();
        merge(&mut used.roles, [role]);
        merge(&mut used.given, given.iter().cloned());
        merge(&mut used.variables, variables.iter().cloned());
        if role != Role::Prelude {
            merge(used.arguments.get_or_insert_default(), args);
        }
    }
}

/// What the script of a log gets: the `next` of its last answer.
const AFTER: &str = "after";

fn merge<T: PartialEq>(list: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
    for one in more {
        if !list.contains(&one) {
            list.push(one);
        }
    }
}
