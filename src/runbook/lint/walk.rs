//! Which files a runbook is made of, and what each script is used for.

use std::collections::BTreeMap;

use super::script::{Role, Script};
use crate::config::diagnose::Source;
use crate::runbook::files::{Files, beside};
use crate::runbook::schema::{
    CheckTable, DriverTable, FactsTable, IncludedFile, LogTable, RunbookFile, StepTable, Word,
};

/// One file of a runbook. What cannot be read has no part: loading says why.
pub struct Part {
    pub path: String,
    pub source: Source,
    pub facts: Vec<FactsTable>,
    pub checks: Vec<CheckTable>,
    pub steps: Vec<StepTable>,
    pub logs: Vec<LogTable>,
    pub driver: Option<DriverTable>,
    pub prelude: Option<Word>,
}

/// What a script is used for, and the functions in front of it.
#[derive(Default)]
pub struct Use {
    pub roles: Vec<Role>,
    pub given: Vec<String>,
}

/// The files of a runbook: its own, what it includes, what is added to it.
pub fn parts(files: &Files, id: &str) -> Vec<Part> {
    let mut out = Vec::new();
    let path = format!("{id}/runbook.toml");
    let mut more = Vec::new();
    if let Some(source) = open(files, &path)
        && let Ok(file) = source.parse::<RunbookFile>()
    {
        more.extend(file.include.iter().filter_map(|word| beside(&path, word.get_ref())));
        out.push(Part {
            path,
            source,
            facts: file.facts,
            checks: file.check,
            steps: file.step,
            logs: file.log,
            driver: Some(file.driver),
            prelude: file.prelude,
        });
    }
    more.push(format!("{id}/extra.toml"));
    for path in more {
        if let Some(source) = open(files, &path)
            && let Ok(file) = source.parse::<IncludedFile>()
        {
            let (facts, checks) = (file.facts, file.check);
            let none = (Vec::new(), Vec::new(), None, None);
            let (steps, logs, driver, prelude) = none;
            out.push(Part { path, source, facts, checks, steps, logs, driver, prelude });
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
    let mut given: Vec<String> = Vec::new();
    let mut found: Vec<(String, Role)> = Vec::new();
    for part in parts {
        let mut add = |word: &Word, role| found.extend(beside(&part.path, word.get_ref()).map(|p| (p, role)));
        if let Some(word) = &part.prelude {
            add(word, Role::Prelude);
        }
        part.facts.iter().for_each(|f| add(&f.script, Role::Read));
        part.checks.iter().filter_map(|c| c.fix.as_ref()).for_each(|f| add(&f.script, Role::Fix));
        part.steps
            .iter()
            .filter_map(|s| Some((s.script.as_ref()?, s.class)))
            .for_each(|(w, c)| add(w, Role::Step(c)));
        part.logs.iter().filter_map(|l| l.script.as_ref()).for_each(|w| add(w, Role::Read));
        part.driver.iter().for_each(|d| add(&d.stop, Role::Stop));
    }
    for (path, _) in found.iter().filter(|(_, role)| *role == Role::Prelude) {
        if let Some(source) = open(files, path) {
            let prelude = Script::new(source, Vec::new(), Vec::new());
            given.extend_from_slice(prelude.functions());
        }
    }
    for (path, role) in found {
        let entry = uses.entry(path).or_default();
        if !entry.roles.contains(&role) {
            entry.roles.push(role);
        }
        for name in &given {
            if !entry.given.contains(name) {
                entry.given.push(name.clone());
            }
        }
    }
}
