//! Mistakes in files people write: where exactly, what is wrong, and what to do.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::de::DeserializeOwned;

/// A file that was read: its name for people, and its text.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: Arc<str>,
    pub text: Arc<str>,
}

impl Source {
    /// A text under the name that people know it by.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Line and column (both from 1, columns in characters) of a byte offset.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let before = &self.text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        (line, column)
    }

    /// Reads TOML into a type that denies unknown fields.
    ///
    /// # Errors
    /// The first mistake, with its place and, for a misspelt name, the one that was probably meant.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Diagnostic> {
        toml::from_str(&self.text).map_err(|e| self.explained(&e))
    }

    /// The same with every mistake: a line that is wrong is left out for the next look.
    ///
    /// # Errors
    /// Every mistake with its place, in the order of the file.
    pub fn parse_all<T: DeserializeOwned>(&self) -> Result<T, Diagnostics> {
        let mut wrong: Vec<Diagnostic> = Vec::new();
        let mut text = self.text.to_string();
        loop {
            let e = match toml::from_str(&text) {
                Ok(file) if wrong.is_empty() => return Ok(file),
                Ok(_) => break,
                Err(e) => e,
            };
            let said = self.explained(&e);
            // What is missing only because its line was left out is no mistake of its own.
            let missing = e.message().strip_prefix("missing field `").and_then(|m| m.split('`').next());
            if !missing.is_some_and(|name| wrong.iter().any(|w| w.is_about(name))) {
                wrong.push(said);
            }
            let known = ["unknown field", "unknown variant", "invalid type", "missing field"];
            let goes_on = known.iter().any(|k| e.message().starts_with(k));
            // What is missing at the top has no line of its own.
            let in_a_line = |span: &Range<usize>| !text[span.clone()].contains('\n');
            match e.span().filter(|s| goes_on && in_a_line(s)).and_then(|span| without(&text, span)) {
                Some(rest) => text = rest,
                None => break,
            }
        }
        wrong.sort_by_key(|d| d.span.start);
        Err(Diagnostics(wrong))
    }

    fn explained(&self, e: &toml::de::Error) -> Diagnostic {
        let span = e.span().unwrap_or(0..0);
        let (message, help) = explain(e.message().trim());
        let d = Diagnostic::new(self, span, message);
        match help {
            Some(help) => d.help(help),
            None => d,
        }
    }
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    source: Source,
    span: Range<usize>,
    message: String,
    help: Option<String>,
    warning: bool,
    rule: Option<&'static str>,
}

impl Diagnostic {
    /// A mistake at a span of a file (bytes).
    pub fn new(source: &Source, span: Range<usize>, message: impl Into<String>) -> Self {
        let end = span.end.min(source.text.len());
        let start = span.start.min(end);
        Self {
            source: source.clone(),
            span: start..end,
            message: message.into(),
            help: None,
            warning: false,
            rule: None,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Makes it a warning: it is said, and does not stop anything.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.warning = true;
        self
    }

    /// Names the rule that found it: its id stands in front of the message.
    #[must_use]
    pub fn rule(mut self, id: &'static str) -> Self {
        self.rule = Some(id);
        self
    }

    /// It does not stop anything.
    pub fn is_warning(&self) -> bool {
        self.warning
    }

    /// It is about the value of that field, or about a name that was meant to be it.
    fn is_about(&self, field: &str) -> bool {
        let line = self.source.text[..self.span.start].rsplit('\n').next().unwrap_or_default();
        line.split('=').next().is_some_and(|key| key.trim() == field)
            || self.help.as_ref().is_some_and(|h| h.contains(&format!("`{field}`")))
    }

    /// What is wrong, without its place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do, where that is known.
    pub fn what_to_do(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file, as people know it.
    pub fn file(&self) -> &str {
        &self.source.name
    }

    /// Line and column of its first character, from 1.
    pub fn start(&self) -> (usize, usize) {
        self.source.position(self.span.start)
    }

    /// Line and column behind its last character, from 1.
    pub fn end(&self) -> (usize, usize) {
        self.source.position(self.span.end)
    }

    /// `file:line:column`, or the file alone where it could not be read.
    pub fn place(&self) -> String {
        if self.source.text.is_empty() && self.span.is_empty() {
            return self.source.name.to_string();
        }
        let (line, column) = self.source.position(self.span.start);
        format!("{}:{line}:{column}", self.source.name)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule {
            Some(id) if self.warning => writeln!(f, "{}: warning[{id}]: {}", self.place(), self.message)?,
            Some(id) => writeln!(f, "{}: error[{id}]: {}", self.place(), self.message)?,
            None => writeln!(f, "{}: {}", self.place(), self.message)?,
        }
        if !self.source.text.is_empty() {
            let label = self.help.as_deref().unwrap_or("");
            let snippet = Snippet::source(&*self.source.text)
                .path(&*self.source.name)
                .annotation(AnnotationKind::Primary.span(self.span.clone()).label(label));
            let level = if self.warning { Level::WARNING } else { Level::ERROR };
            let report = &[level.primary_title(self.message.as_str()).element(snippet)];
            let drawn = Renderer::plain().render(report);
            // Its first two lines repeat what stands above.
            for line in drawn.lines().skip(2) {
                writeln!(f, "{line}")?;
            }
        } else if let Some(help) = &self.help {
            writeln!(f, "  {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// Several mistakes of one kind of file, found together.
#[derive(Debug)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{d}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl From<Diagnostic> for Diagnostics {
    fn from(d: Diagnostic) -> Self {
        Self(vec![d])
    }
}

/// The name that was probably meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(&word.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

/// A help line for a misspelt word: the probable one, or all there are.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match did_you_mean(word, known.clone()) {
        Some(k) => format!("did you mean `{k}`?"),
        None => {
            let all: Vec<&str> = known.into_iter().collect();
            if all.is_empty() { "there is none".into() } else { format!("there is: {}", all.join(", ")) }
        }
    }
}

/// A text without the lines of a mistake, or the whole table where its heading is one; every other place stays where it was.
fn without(text: &str, span: Range<usize>) -> Option<String> {
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |n| n + 1);
    let end = if text[start..].trim_start().starts_with('[') {
        text[span.end..].find("\n[").map(|n| span.end + n)
    } else {
        text[span.end..].find('\n').map(|n| span.end + n)
    };
    let end = end.unwrap_or(text.len());
    let blank: String = text[start..end].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
    (!text[start..end].trim().is_empty()).then(|| format!("{}{blank}{}", &text[..start], &text[end..]))
}

/// A kind of value as people call it.
fn kind(serde: &str) -> &str {
    match serde.split([' ', '`']).next().unwrap_or_default() {
        "string" => "a text",
        "integer" | "floating" | "i64" | "u64" | "u32" | "u16" | "f64" | "usize" => "a number",
        "boolean" | "bool" => "true or false",
        "sequence" => "a list",
        "map" => "a table",
        "a" => match serde {
            "a string" => "a text",
            "a boolean" => "true or false",
            "a sequence" => "a list",
            "a map" => "a table",
            other => other,
        },
        _ => serde,
    }
}

/// Why a file could not be read, in a few words.
pub fn why_unread(e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::IsADirectory => "it is a folder".into(),
        std::io::ErrorKind::PermissionDenied => "it may not be read".into(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8".into(),
        _ => e.to_string(),
    }
}

/// Turns serde's words into a sentence and a help line.
fn explain(message: &str) -> (String, Option<String>) {
    let quoted = |s: &str| -> Vec<String> { s.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    for (kind, said) in [("unknown field", "there is no field"), ("unknown variant", "there is no choice")] {
        if let Some(rest) = message.strip_prefix(kind) {
            let names = quoted(rest);
            if let Some((word, known)) = names.split_first() {
                return (
                    format!("{said} `{word}` here"),
                    Some(suggest(word, known.iter().map(String::as_str).collect::<Vec<_>>())),
                );
            }
        }
    }
    if let Some((found, expected)) =
        message.lines().next().and_then(|m| m.strip_prefix("invalid type: ")?.split_once(", expected "))
    {
        let (found, expected) = (kind(found), kind(expected));
        let how = match (found, expected) {
            ("a text", "a number" | "true or false") => ", without quotes",
            (_, "a text") => " in quotes",
            (_, "a list") => " in brackets: [\"…\"]",
            _ => "",
        };
        return (format!("{expected} belongs here, this is {found}"), Some(format!("write {expected}{how}")));
    }
    if message.starts_with("missing field") {
        let name = quoted(message).into_iter().next().unwrap_or_default();
        return (format!("`{name}` is missing here"), Some(format!("add `{name} = …`, or a section `[{name}]`")));
    }
    let first = message.lines().next().unwrap_or(message).to_owned();
    (first, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[allow(dead_code)]
        cluster: String,
    }

    fn said(text: &str) -> String {
        Source::new("site.toml", text).parse::<Example>().unwrap_err().to_string()
    }

    #[test]
    fn a_misspelt_field_points_and_suggests() {
        let s = said("clutser = 'HCI-CL1'\n");
        assert!(s.starts_with("site.toml:1:1: there is no field `clutser` here\n"), "{s}");
        assert!(s.contains("^^^^^^^ did you mean `cluster`?"), "{s}");
    }

    #[test]
    fn a_missing_field_is_named() {
        let s = said("");
        assert!(s.contains("`cluster` is missing here"), "{s}");
    }

    #[test]
    fn broken_toml_points() {
        let s = said("cluster = \"HCI\n");
        assert!(s.starts_with("site.toml:1:1"), "{s}");
    }

    #[test]
    fn every_mistake_is_told_and_none_that_only_follows() {
        #[derive(Deserialize, Debug)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct Site {
            name: String,
            port: Option<u16>,
            #[serde(default)]
            node: Vec<Example>,
        }
        let text = "prot = 22\nport = 'x'\n[[node]]\nclutser = 'a'\n[[nodes]]\na = 1\n[[node]]\ncluster = 5\n";
        let wrong = Source::new("site.toml", text).parse_all::<Site>().unwrap_err().0;
        let said: Vec<String> = wrong.iter().map(|d| format!("{} {}", d.place(), d.message())).collect();
        assert_eq!(
            said,
            [
                "site.toml:1:1 there is no field `prot` here",
                "site.toml:1:1 `name` is missing here",
                "site.toml:2:8 a number belongs here, this is a text",
                "site.toml:4:1 there is no field `clutser` here",
                "site.toml:5:3 there is no field `nodes` here",
                "site.toml:8:11 a text belongs here, this is a number",
            ]
        );
    }

    #[test]
    fn columns_count_characters() {
        let source = Source::new("x", "aä = 'ö' ✖\nzz");
        assert_eq!(source.position("aä = 'ö' ".len()), (1, 10));
        assert_eq!(source.position(source.text.len()), (2, 3));
    }
}
