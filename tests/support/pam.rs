//! Passwords for a test's sshd: `pam.c`, built once and put before libpam.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What every user's password is there.
pub const PASSWORD: &str = "pass wörd §1";

/// The environment for a server that asks like that; `None`, said, where there is no C compiler.
pub fn environment(how: &str) -> Option<Vec<(String, String)>> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let library = LIBRARY.get_or_init(build).as_ref();
    if library.is_none() {
        crate::said::skipped("no C compiler");
    }
    let library = library?.display().to_string();
    let pairs = [("LD_PRELOAD", library.as_str()), ("TEST_PASSWORD", PASSWORD), ("TEST_PAM", how)];
    Some(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

fn build() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/pam.c");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (library, draft) = (folder.join("test_pam.so"), folder.join(format!("test_pam.{}", std::process::id())));
    let status =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&draft).arg(source).status().ok()?;
    assert!(status.success(), "pam.c does not compile");
    std::fs::rename(draft, &library).expect("library");
    Some(library)
}
