//! The program's own settings: built-in file < user's file < environment < command line, resolved once.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::diagnose::{Diagnostic, Source, suggest, why_unread};

/// The commented default file: it is the documentation.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

/// Settings in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub theme: String,
    pub glyphs: Glyphs,
    pub runbooks: Option<PathBuf>,
    pub state: PathBuf,
    /// Bytes a second to the terminal; 0 = no limit.
    pub bytes_per_second: u64,
    /// Megabytes that are kept of what the PowerShell of one machine prints in a run; 0 = none.
    pub raw_megabytes: u64,
    /// The settings file, where another one than the user's was named.
    pub file: Option<PathBuf>,
}

/// Which signs are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Glyphs {
    Auto,
    Unicode,
    Ascii,
}

impl Glyphs {
    /// The word in a file.
    pub fn word(self) -> &'static str {
        match self {
            Glyphs::Auto => "auto",
            Glyphs::Unicode => "unicode",
            Glyphs::Ascii => "ascii",
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    theme: Option<String>,
    glyphs: Option<Glyphs>,
    runbooks: Option<String>,
    state: Option<String>,
    bytes_per_second: Option<u64>,
    raw_megabytes: Option<u64>,
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub theme: Option<String>,
    pub ascii: bool,
    pub state: Option<PathBuf>,
}

/// Where the user's file lies.
pub fn user_file() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "nodelift")?.config_dir().join("config.toml"))
}

fn default_state() -> PathBuf {
    directories::ProjectDirs::from("", "", "nodelift").map_or_else(
        || PathBuf::from(".nodelift"),
        |d| d.state_dir().unwrap_or_else(|| d.data_local_dir()).to_owned(),
    )
}

impl Settings {
    /// Resolves every layer. `env` looks up environment variables.
    ///
    /// # Errors
    /// A mistake in the user's file or in a variable, with its place.
    pub fn resolve(flags: &Flags, env: impl Fn(&str) -> Option<String>) -> Result<Self, Diagnostic> {
        let built_in: File = Source::new("built-in:default.toml", DEFAULT).parse()?;
        let path = flags.config.clone().or_else(|| env("NODELIFT_CONFIG").map(PathBuf::from));
        let file = path.clone();
        let user = match path {
            Some(p) => read(&p)?,
            None => match user_file().filter(|p| p.is_file()) {
                Some(p) => read(&p)?,
                None => File::default(),
            },
        };
        let glyphs = match env("NODELIFT_GLYPHS") {
            Some(text) => Some(glyphs_of("NODELIFT_GLYPHS", &text)?),
            None => None,
        };
        let tilde = |text: &str| match (text.strip_prefix("~/"), directories::BaseDirs::new()) {
            (Some(rest), Some(base)) => base.home_dir().join(rest),
            _ => PathBuf::from(text),
        };
        let pick = |flag: Option<String>, name: &str, user: Option<String>, built: Option<String>| {
            flag.or_else(|| env(name)).or(user).or(built)
        };
        let state = flags.state.clone().or_else(|| env("NODELIFT_STATE").map(PathBuf::from));
        Ok(Self {
            theme: pick(flags.theme.clone(), "NODELIFT_THEME", user.theme, built_in.theme).unwrap_or_default(),
            glyphs: if flags.ascii {
                Glyphs::Ascii
            } else {
                glyphs.or(user.glyphs).or(built_in.glyphs).unwrap_or(Glyphs::Auto)
            },
            runbooks: pick(None, "NODELIFT_RUNBOOKS", user.runbooks, built_in.runbooks).map(|p| tilde(&p)),
            state: state.unwrap_or_else(|| user.state.as_deref().map_or_else(default_state, tilde)),
            bytes_per_second: user.bytes_per_second.or(built_in.bytes_per_second).unwrap_or(0),
            raw_megabytes: user.raw_megabytes.or(built_in.raw_megabytes).unwrap_or(0),
            file,
        })
    }

    /// The settings in force, as a file would say them.
    pub fn print(&self) -> String {
        let quoted = |p: &Path| toml::Value::String(p.display().to_string()).to_string();
        let runbooks = match &self.runbooks {
            Some(p) => format!("runbooks = {}\n", quoted(p)),
            None => String::new(),
        };
        format!(
            "theme = {}\nglyphs = \"{}\"\n{runbooks}state = {}\nbytes_per_second = {}\nraw_megabytes = {}\n",
            toml::Value::String(self.theme.clone()),
            self.glyphs.word(),
            quoted(&self.state),
            self.bytes_per_second,
            self.raw_megabytes
        )
    }
}

fn read(path: &Path) -> Result<File, Diagnostic> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Source::new(name, text).parse(),
        Err(e) => Err(Diagnostic::new(&Source::new(name, ""), 0..0, why_unread(&e))),
    }
}

fn glyphs_of(name: &str, text: &str) -> Result<Glyphs, Diagnostic> {
    let all = [Glyphs::Auto, Glyphs::Unicode, Glyphs::Ascii];
    all.into_iter().find(|g| g.word() == text).ok_or_else(|| {
        let source = Source::new(format!("environment variable {name}"), text);
        Diagnostic::new(&source, 0..text.len(), format!("there is no choice `{text}` here"))
            .help(suggest(text, all.map(Glyphs::word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: Option<&str>, env: &[(&str, &str)], mut flags: Flags) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text.unwrap_or("")).unwrap();
        flags.config = Some(path);
        let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Settings::resolve(&flags, env).map_err(|e| e.to_string())
    }

    #[test]
    fn later_layers_win() {
        let s = resolve(None, &[], Flags::default()).unwrap();
        assert_eq!((s.theme.as_str(), s.bytes_per_second, s.raw_megabytes), ("default", 32_000, 64));
        let s = resolve(Some("theme = 'light'"), &[], Flags::default()).unwrap();
        assert_eq!(s.theme, "light");
        let s = resolve(Some("theme = 'light'"), &[("NODELIFT_THEME", "mono")], Flags::default()).unwrap();
        assert_eq!(s.theme, "mono");
        let flags = Flags { theme: Some("high-contrast".into()), ascii: true, ..Flags::default() };
        let s =
            resolve(Some("theme = 'light'\nglyphs = 'unicode'"), &[("NODELIFT_THEME", "mono")], flags).unwrap();
        assert_eq!((s.theme.as_str(), s.glyphs), ("high-contrast", Glyphs::Ascii));
    }

    #[test]
    fn every_commented_line_of_the_default_file_is_true() {
        let uncommented: String = DEFAULT
            .lines()
            .map(|l| match l.strip_prefix("# ") {
                Some(rest)
                    if rest.split_once(" = ").is_some_and(|(k, _)| k.chars().all(|c| c.is_ascii_lowercase())) =>
                {
                    rest
                }
                _ => l,
            })
            .collect::<Vec<_>>()
            .join("\n");
        assert!(uncommented.contains("\nrunbooks = "), "{uncommented}");
        let s = resolve(Some(&uncommented), &[], Flags::default()).unwrap();
        assert!(s.state.ends_with("nodelift"));
        // What is printed can be read again.
        let again = resolve(Some(&s.print()), &[], Flags::default()).unwrap();
        assert_eq!(Settings { file: s.file.clone(), ..again }, s);
    }

    #[test]
    fn mistakes_point() {
        let e = resolve(Some("thme = 'light'"), &[], Flags::default()).unwrap_err();
        assert!(e.contains("config.toml:1:1: there is no field `thme` here"), "{e}");
        assert!(e.contains("did you mean `theme`?"), "{e}");
        let e = resolve(None, &[("NODELIFT_GLYPHS", "unicod")], Flags::default()).unwrap_err();
        assert!(e.contains("NODELIFT_GLYPHS") && e.contains("did you mean `unicode`?"), "{e}");
    }
}
