//! What was found, where, and what to do.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::rules::{Rule, Severity};
use crate::config::diagnose::{Diagnostic, Source};

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: &'static Rule,
    diagnostic: Diagnostic,
}

/// A finding as a program reads it: names are stable, fields are only ever added.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    rule: &'a str,
    severity: Severity,
    file: &'a str,
    /// From 1; columns count characters.
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    message: &'a str,
    help: Option<&'a str>,
}

impl Finding {
    /// A finding of a rule at a span of a file (bytes).
    pub fn new(rule: &'static Rule, source: &Source, span: Range<usize>, message: impl Into<String>) -> Self {
        Self::from(rule, Diagnostic::new(source, span, message))
    }

    /// A mistake that loading found.
    pub fn from(rule: &'static Rule, diagnostic: Diagnostic) -> Self {
        let diagnostic = diagnostic.rule(rule.id);
        let diagnostic = if rule.severity == Severity::Warning { diagnostic.warning() } else { diagnostic };
        Self { rule, diagnostic }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.diagnostic = self.diagnostic.help(help);
        self
    }

    /// The name of its file, as a person knows it.
    pub fn file(&self) -> &str {
        self.diagnostic.file()
    }

    /// Its first line, from 1.
    pub fn line(&self) -> usize {
        self.diagnostic.start().0
    }

    /// Line and column, from 1: the order of findings in a file.
    pub fn start(&self) -> (usize, usize) {
        self.diagnostic.start()
    }

    /// It is about that file.
    pub fn is_in(&self, source: &Source) -> bool {
        self.file() == &*source.name
    }

    /// What is wrong, without place and help.
    pub fn message(&self) -> &str {
        self.diagnostic.message()
    }

    /// For a program.
    pub fn row(&self) -> Row<'_> {
        let ((line, column), (end_line, end_column)) = (self.diagnostic.start(), self.diagnostic.end());
        Row {
            rule: self.rule.id,
            severity: self.rule.severity,
            file: self.file(),
            line,
            column,
            end_line,
            end_column,
            message: self.message(),
            help: self.diagnostic.what_to_do(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic.fmt(f)
    }
}
