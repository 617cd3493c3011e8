//! The program's own diagnostics: a rolling file in the state folder, without secrets, never on stderr under the screen.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, RwLock};

use secrecy::{ExposeSecret, SecretString};
use tracing_appender::rolling::{RollingFileAppender, Rotation};

/// Days of diagnostics kept.
const KEPT: usize = 7;

static SECRETS: RwLock<Vec<SecretString>> = RwLock::new(Vec::new());
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Text that is taken out of every line from now on.
pub fn hide(secret: &SecretString) {
    if secret.expose_secret().len() >= 4
        && let Ok(mut secrets) = SECRETS.write()
    {
        secrets.push(secret.clone());
    }
}

/// The folder with the files, once `init` has run.
pub fn folder() -> Option<&'static Path> {
    FOLDER.get().map(PathBuf::as_path)
}

/// Starts writing. A folder that cannot be written is no reason to refuse work: it is said once.
///
/// # Errors
/// The folder cannot be made or written.
pub fn init(state: &Path) -> io::Result<()> {
    let folder = state.join("diagnostics");
    std::fs::create_dir_all(&folder)?;
    let file = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("nodelift")
        .filename_suffix("log")
        .max_log_files(KEPT)
        .build(&folder)
        .map_err(io::Error::other)?;
    let filter = tracing_subscriber::EnvFilter::try_from_env("NODELIFT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("nodelift=info,warn"));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(Redacted(file)))
        .try_init();
    let _ = FOLDER.set(folder);
    started.map_err(io::Error::other)
}

struct Redacted<W>(W);

impl<W: Write> Write for Redacted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if let Ok(secrets) = SECRETS.read() {
            for s in secrets.iter() {
                if text.contains(s.expose_secret()) {
                    text = text.replace(s.expose_secret(), "••••••");
                }
            }
        }
        self.0.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_reach_the_file() {
        hide(&"correct-horse".into());
        let mut out = Redacted(Vec::new());
        out.write_all(b"login with correct-horse failed\n").unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), "login with •••••• failed\n");
    }
}
