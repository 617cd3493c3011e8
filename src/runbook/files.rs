//! Where a runbook's files come from: embedded in the program, or a folder of the user's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};

use crate::config::diagnose::why_unread;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/config/runbooks");

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// The built-in tree of files, and over it a folder of the user's where there is one: what lies in both is read from the
/// folder. Paths have `/` in them.
#[derive(Clone, Debug)]
pub struct Files {
    folder: Option<PathBuf>,
}

impl Files {
    /// The built-in files, and over them that folder.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The text of a file.
    ///
    /// # Errors
    /// It is not there, too large, or not UTF-8: in words.
    pub fn read(&self, path: &str) -> Result<Arc<str>, String> {
        match self.own(path) {
            Some(full) => {
                let size = std::fs::metadata(&full).map_err(|e| why_unread(&e))?.len();
                if size > LARGEST {
                    return Err(format!("it has {size} bytes, more than {LARGEST}"));
                }
                std::fs::read_to_string(&full).map(Arc::from).map_err(|e| why_unread(&e))
            }
            None => BUILT_IN
                .get_file(path)
                .ok_or_else(|| "there is no such file".to_owned())?
                .contents_utf8()
                .map(Arc::from)
                .ok_or_else(|| "it is not UTF-8".to_owned()),
        }
    }

    /// The file in the user's folder, where it is there.
    fn own(&self, path: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|f| f.join(path)).filter(|p| p.is_file())
    }

    /// There is a folder of the user's.
    pub fn has_folder(&self) -> bool {
        self.folder.is_some()
    }

    /// The file is read from the user's folder.
    pub fn is_own(&self, path: &str) -> bool {
        self.own(path).is_some()
    }

    /// Paths of all files in the user's folder, in order.
    pub fn own_files(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut todo: Vec<String> = self.folder.iter().map(|_| String::new()).collect();
        while let (Some(path), Some(folder)) = (todo.pop(), &self.folder) {
            for entry in std::fs::read_dir(folder.join(&path)).into_iter().flatten().flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let inner = if path.is_empty() { name } else { format!("{path}/{name}") };
                // Links are not followed: one may lead back.
                match entry.file_type() {
                    Ok(t) if t.is_dir() => todo.push(inner),
                    Ok(_) => out.push(inner),
                    Err(_) => {}
                }
            }
        }
        out.sort();
        out
    }

    /// Names of the folders at the top that hold a `runbook.toml`.
    pub fn runbooks(&self) -> Vec<String> {
        let built_in = BUILT_IN.dirs().filter(|d| BUILT_IN.get_file(d.path().join("runbook.toml")).is_some());
        let mut names: Vec<String> =
            built_in.filter_map(|d| Some(d.path().file_name()?.to_str()?.to_owned())).collect();
        let own = self.folder.iter().filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten();
        names.extend(
            own.filter(|e| e.path().join("runbook.toml").is_file())
                .filter_map(|e| e.file_name().into_string().ok()),
        );
        names.sort();
        names.dedup();
        names
    }

    /// The path as a person knows it.
    pub fn name(&self, path: &str) -> String {
        self.own(path).map_or_else(|| format!("built-in:{path}"), |p| p.display().to_string())
    }
}

/// `a/b/../c` beside a file, without leaving the tree.
pub fn beside(file: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = Path::new(file).parent()?.to_str()?.split('/').filter(|p| !p.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            p => parts.push(p),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_tree() {
        assert_eq!(beside("a/runbook.toml", "facts/x.ps1").as_deref(), Some("a/facts/x.ps1"));
        assert_eq!(beside("a/runbook.toml", "../b/x.ps1").as_deref(), Some("b/x.ps1"));
        assert_eq!(beside("a/runbook.toml", "../../etc/passwd"), None);
    }
}
