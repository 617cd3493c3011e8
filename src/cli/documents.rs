//! `--json`, `--junit`, `--markdown`, `--html`: reports that go to files, whole or not at all, or one to standard output.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use color_eyre::eyre::{Result, WrapErr};

use crate::report::{Report, RunReport};

/// In the place of a file: standard output.
const STANDARD_OUTPUT: &str = "-";

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Reports")]
pub struct Documents {
    /// Write the report as JSON; - or nothing: to standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = STANDARD_OUTPUT)]
    json: Option<PathBuf>,
    /// As JUnit XML, for a build server
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// As Markdown, for a ticket
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// As one HTML file, to read or to print
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Documents {
    /// Each document that is wanted, by its flag.
    fn wanted(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [("--json", &self.json), ("--junit", &self.junit), ("--markdown", &self.markdown), ("--html", &self.html)]
            .into_iter()
            .filter_map(|(flag, path)| Some((flag, path.as_deref()?)))
    }

    /// One of them goes to standard output, which then holds nothing else.
    pub fn take_standard_output(&self) -> bool {
        self.wanted().any(|(_, path)| is_standard_output(path))
    }

    /// Whether each could be written now: told before work of minutes is done for nothing.
    ///
    /// # Errors
    /// What cannot be written, and why.
    pub fn check(&self) -> Result<(), String> {
        let mut seen: Vec<(&str, &Path)> = Vec::new();
        for (flag, path) in self.wanted() {
            if let Some((other, _)) = seen.iter().find(|(_, p)| *p == path) {
                let place =
                    if is_standard_output(path) { "standard output".into() } else { path.display().to_string() };
                return Err(format!("{other} and {flag} both go to {place}: give each a file of its own"));
            }
            if !is_standard_output(path) {
                prepare(path).map_err(|e| format!("{}: {flag} cannot be written there: {e}", path.display()))?;
            }
            seen.push((flag, path));
        }
        Ok(())
    }

    /// Writes each. `warnings`: what only warns counts as a failure.
    ///
    /// # Errors
    /// A file cannot be written any more.
    pub fn write(&self, report: &Report, warnings: bool) -> Result<()> {
        self.write_each(|flag| {
            Ok(match flag {
                "--json" => report.json()?,
                "--junit" => report.junit(warnings),
                "--markdown" => report.markdown(),
                _ => report.html(),
            })
        })
    }

    /// Writes each of a run. JUnit is about checks: there it is readiness.
    ///
    /// # Errors
    /// A file cannot be written any more.
    pub fn write_run(&self, run: &RunReport, readiness: &Report) -> Result<()> {
        self.write_each(|flag| {
            Ok(match flag {
                "--json" => run.json()?,
                "--junit" => readiness.junit(false),
                "--markdown" => run.markdown(),
                _ => run.html(),
            })
        })
    }

    fn write_each(&self, text: impl Fn(&str) -> Result<String>) -> Result<()> {
        for (flag, path) in self.wanted() {
            let text = text(flag)?;
            if is_standard_output(path) {
                print!("{text}");
            } else {
                replace(path, text.as_bytes()).wrap_err_with(|| format!("cannot write {}", path.display()))?;
            }
        }
        Ok(())
    }
}

fn is_standard_output(path: &Path) -> bool {
    path == Path::new(STANDARD_OUTPUT)
}

/// An empty file beside `path`, that goes away unless it takes its place; refused where that would not work.
fn prepare(path: &Path) -> io::Result<(PathBuf, tempfile::NamedTempFile)> {
    // Where a link leads to: the link stays.
    let path = match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(io::Error::other("it is a folder")),
        Ok(there) if !there.is_file() => {
            return Err(io::Error::other("it is no ordinary file; - means standard output"));
        }
        Ok(_) => {
            OpenOptions::new().append(true).open(path)?;
            fs::canonicalize(path)?
        }
        Err(_) => path.to_owned(),
    };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".nodelift-").suffix(".tmp");
    // As any file that a program makes, not as a secret.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let beside = builder.tempfile_in(folder).map_err(|e| io::Error::new(e.kind(), reason(&e)))?;
    if let Ok(there) = fs::metadata(&path) {
        beside.as_file().set_permissions(there.permissions())?;
    }
    Ok((path, beside))
}

/// Without the name of the temporary file, which says nothing to a person.
fn reason(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        io::ErrorKind::NotADirectory => "what it is in is no folder".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not write in that folder".to_owned(),
        _ => e.to_string(),
    }
}

/// The whole new text, or what was there before.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let (path, mut beside) = prepare(path)?;
    beside.write_all(text)?;
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(json: Option<&Path>, html: Option<&Path>) -> Documents {
        Documents { json: json.map(Path::to_owned), html: html.map(Path::to_owned), ..Documents::default() }
    }

    #[test]
    fn what_cannot_be_written_is_told_before() {
        let folder = tempfile::tempdir().unwrap();
        let good = folder.path().join("report.json");
        assert_eq!(to(Some(&good), None).check(), Ok(()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left of the look");
        for (path, why) in [
            (folder.path().to_owned(), "it is a folder"),
            (folder.path().join("nowhere/report.json"), "there is no such folder"),
            #[cfg(unix)]
            (PathBuf::from("/dev/null"), "no ordinary file"),
        ] {
            let said = to(Some(&path), None).check().unwrap_err();
            assert!(said.contains(why) && said.contains("--json"), "{said}");
        }
        let twice = to(Some(&good), Some(&good)).check().unwrap_err();
        assert!(twice.starts_with("--json and --html both go to "), "{twice}");
        let both = to(Some(Path::new("-")), Some(Path::new("-"))).check().unwrap_err();
        assert!(both.contains("standard output"), "{both}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_rights_and_its_link() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
