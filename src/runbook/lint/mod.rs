//! `nodelift runbook lint`: what loading cannot refuse and an author wants to know. Scripts are looked at without Windows:
//! what they call exists there, with those parameters; nothing that Windows PowerShell 5.1 or ConstrainedLanguage refuses;
//! every error is an error; nothing that does harm.

mod aliases;
mod allow;
mod arguments;
mod cmdlets;
mod commands;
mod constrained;
mod errors;
mod expressions;
mod finding;
mod forbidden;
mod grammar;
mod language;
mod mask;
mod rules;
mod script;
mod syntax;
mod tables;
mod values;
mod variables;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

pub use finding::Finding;
pub use rules::{ALL as RULES, Rule, Severity};
pub use script::{Role, Use};

use super::Library;
use super::files::Files;
use super::load::load;
use crate::config::diagnose::{Source, suggest};
use rules::{FILE_UNUSED, RUNBOOK};
use script::Script;

/// What a look at runbooks found.
#[derive(Debug, Default)]
pub struct Report {
    /// By file, and in the order of the file.
    pub findings: Vec<Finding>,
    /// Findings that a comment allows.
    pub allowed: usize,
    /// Files that were looked at.
    pub files: usize,
}

impl Report {
    /// Findings of that weight.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|f| f.rule.severity == severity).count()
    }
}

/// Everything that is wrong with one script.
pub fn script(source: &Source, used: &Use) -> Report {
    if let Some(finding) = syntax::size(source) {
        return Report { findings: vec![finding], allowed: 0, files: 1 };
    }
    let s = Script::new(source.clone(), used.clone());
    let mut findings = Vec::new();
    syntax::text(&s, &mut findings);
    language::signs(&s, &mut findings);
    let newer = findings.iter().any(|f| f.rule == rules::LANGUAGE_7);
    // What belongs to a newer language is no second mistake, and behind a mistake the parser guesses.
    let mut broken = Vec::new();
    if syntax::parses(&s, &mut broken) {
        language::calls(&s, &mut findings);
        commands::check(&s, &mut findings);
        arguments::check(&s, &mut findings);
        variables::check(&s, &mut findings);
        constrained::check(&s, &mut findings);
        errors::check(&s, &mut findings);
        forbidden::check(&s, &mut findings);
        values::check(&s, &mut findings);
    } else if !newer {
        findings.extend(broken);
    }
    let allowed = allow::apply(source, &mut findings);
    findings.sort_by_key(Finding::start);
    Report { findings, allowed, files: 1 }
}

impl Library {
    /// Looks at runbooks: at one, or at all. Of a folder that lies over the built-in files only its own files are looked at,
    /// unless the one that is named is built in.
    ///
    /// # Errors
    /// There is no runbook of that name.
    pub fn lint(&self, id: Option<&str>) -> Result<Report, String> {
        let files = &self.0;
        let all = files.runbooks();
        if let Some(id) = id.filter(|id| !all.iter().any(|a| a == id)) {
            let known: Vec<&str> = all.iter().map(String::as_str).collect();
            return Err(format!("there is no runbook `{id}`: {}", suggest(id, known)));
        }
        let ids: Vec<String> = id.map_or_else(|| all.clone(), |id| vec![id.to_owned()]);
        let named_built_in = id.is_some_and(|id| !files.is_own(&format!("{id}/runbook.toml")));
        let own_only = files.has_folder() && !named_built_in;
        let mut look =
            Look { files, own_only, report: Report::default(), sources: BTreeMap::new(), broken: BTreeSet::new() };
        look.runbooks(&ids);
        if own_only && id.is_none() {
            look.left_over(&all);
        }
        Ok(look.end())
    }
}

/// A look under way.
struct Look<'a> {
    files: &'a Files,
    own_only: bool,
    report: Report,
    /// Files that hold tables: their comments allow findings too.
    sources: BTreeMap<String, Source>,
    /// Runbooks that do not load: what their files are used for is not known.
    broken: BTreeSet<String>,
}

impl Look<'_> {
    fn is_wanted(&self, path: &str) -> bool {
        !self.own_only || self.files.is_own(path)
    }

    fn runbooks(&mut self, ids: &[String]) {
        let mut uses: BTreeMap<String, Use> = BTreeMap::new();
        let mut unused = tables::Unused::new();
        for id in ids {
            if let Err(wrong) = load(self.files, &format!("{id}/runbook.toml")) {
                self.broken.insert(id.clone());
                // Characters and size of scripts have rules of their own.
                let wrong = wrong.0.into_iter().filter(|d| !d.file().ends_with(".ps1"));
                self.report.findings.extend(wrong.map(|d| Finding::from(RUNBOOK, d)));
            }
            let parts = walk::parts(self.files, id);
            walk::scripts(self.files, &parts, &mut uses);
            tables::unused(&parts, &mut unused);
            for part in parts {
                if self.is_wanted(&part.path) && !self.sources.contains_key(&part.path) {
                    tables::check(&part, &mut self.report.findings);
                    self.sources.insert(part.path, part.source);
                }
            }
        }
        for ((path, _), finding) in unused {
            if self.is_wanted(&path) {
                self.report.findings.extend(finding);
            }
        }
        for (path, used) in uses {
            self.script(&path, &used);
        }
    }

    fn script(&mut self, path: &str, used: &Use) {
        if !self.is_wanted(path) {
            return;
        }
        if let Some(source) = walk::open(self.files, path) {
            let found = script(&source, used);
            self.report.findings.extend(found.findings);
            self.report.allowed += found.allowed;
            self.report.files += 1;
            self.sources.remove(path);
        }
    }

    /// Files in the folder that no runbook uses.
    fn left_over(&mut self, ids: &[String]) {
        let mut known: BTreeSet<String> = BTreeSet::new();
        // Functions of every prelude: one of them will stand in front of a script once it is used.
        let mut given: Vec<String> = Vec::new();
        for id in ids {
            let parts = walk::parts(self.files, id);
            let mut uses = BTreeMap::new();
            walk::scripts(self.files, &parts, &mut uses);
            given.extend(uses.values().flat_map(|used| used.given.iter().cloned()));
            known.extend(uses.into_keys());
            known.extend([format!("{id}/runbook.toml"), format!("{id}/extra.toml")]);
            known.extend(parts.into_iter().map(|p| p.path));
        }
        for path in self.files.own_files() {
            if known.contains(&path) || !(path.ends_with(".ps1") || path.ends_with(".toml")) {
                continue;
            }
            let answers = path.strip_suffix(".sim.toml").map(|p| format!("{p}.ps1"));
            // The script beside it is used, or is said to be unused itself.
            if answers.as_ref().is_some_and(|script| self.files.read(script).is_ok()) {
                continue;
            }
            let Some(source) = walk::open(self.files, &path) else { continue };
            let folder = path.split('/').next().unwrap_or_default();
            let help = match answers {
                Some(script) => format!("it answers for {script}, and that is not there"),
                None if path.ends_with("/extra.toml") => {
                    format!("there is no runbook `{folder}`: {}", suggest(folder, ids.iter().map(String::as_str)))
                }
                None if path.ends_with(".ps1") => {
                    "a fact group, a fix or a step names it as its `script`".to_owned()
                }
                None => "a runbook names it in `include`".to_owned(),
            };
            // Of a runbook that does not load nobody can tell.
            if !self.broken.contains(folder) {
                let finding = Finding::new(FILE_UNUSED, &source, 0..0, "no runbook uses this file");
                self.report.findings.push(finding.help(help));
            }
            if path.ends_with(".ps1") {
                self.script(&path, &Use { given: given.clone(), ..Use::of(Role::Unused) });
            } else {
                self.sources.insert(path, source);
            }
        }
    }

    fn end(mut self) -> Report {
        for source in self.sources.values() {
            self.report.allowed += allow::apply(source, &mut self.report.findings);
            self.report.files += 1;
        }
        let key = |f: &Finding| (f.file().to_owned(), f.start(), f.rule.id);
        self.report.findings.sort_by_key(key);
        self.report.findings.dedup_by(|a, b| key(a) == key(b) && a.message() == b.message());
        self.report
    }
}
