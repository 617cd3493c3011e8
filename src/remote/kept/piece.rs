//! Pieces of files over SFTP: what every transport says of them.

use crate::core::event::{Failure, FailureKind};
use crate::remote::sanitise::clean_short;

/// Largest piece, in bytes.
pub const MAX_PIECE: usize = 4 << 20;

/// `C:\x\y` → `/C:/x/y`; other paths keep their form but for the slashes (powershell-over-ssh 3.5).
pub fn sftp_path(path: &str) -> String {
    let slashes = path.replace('\\', "/");
    let bytes = slashes.as_bytes();
    let drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    if drive { format!("/{slashes}") } else { slashes }
}

/// A piece that cannot be had.
pub fn failure(path: &str, kind: FailureKind, id: Option<&str>, why: &str) -> Failure {
    let message = clean_short(&format!("{path} cannot be read: {why}"), 500);
    Failure { kind, id: id.map(str::to_owned), message, at: None }
}

/// The machine serves no files at all.
pub fn none(path: &str, why: &str) -> Failure {
    let why = format!("the machine offers no files over SFTP ({why})");
    failure(path, FailureKind::NotSent, Some("sftp:Refused"), &why)
}

/// What an SFTP server's status says of a file.
pub fn refused(path: &str, status: u32, said: &str) -> Failure {
    let (id, why) = match status {
        2 | 10 => ("sftp:NoSuchFile", "there is no such file"),
        3 => ("sftp:PermissionDenied", "access is denied"),
        _ => ("sftp:Failure", said),
    };
    failure(path, FailureKind::Threw, Some(id), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_windows() {
        for (path, sftp) in [
            (r"C:\ProgramData\nodelift\out.log", "/C:/ProgramData/nodelift/out.log"),
            ("c:/x", "/c:/x"),
            ("/tmp/x", "/tmp/x"),
            (r"\\server\share\x", "//server/share/x"),
            ("x", "x"),
        ] {
            assert_eq!(sftp_path(path), sftp);
        }
    }
}
