//! The command that starts a worker.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What the worker runs. It answers one request line after another with frames (`frames`); why it is written so stands in
/// powershell-over-ssh 14b. ASCII, and short enough for the command line of `cmd.exe` (7.1, 7.2).
const SCRIPT: &str = include_str!("../../../config/remote/worker.ps1");

/// Longest script that still fits (powershell-over-ssh 15).
pub const MAX_SCRIPT: usize = 2_900;
/// Longest command line of `cmd.exe`, its own wrapper included (7.1).
pub const MAX_COMMAND: usize = 8_191;

/// The worker's script, whatever line ends the source was checked out with.
pub fn script() -> String {
    SCRIPT.replace("\r\n", "\n")
}

/// The command line: only characters that mean the same to `cmd.exe`, PowerShell and `sh` (7.2).
pub fn command_line() -> String {
    let utf16: Vec<u8> = script().encode_utf16().flat_map(u16::to_le_bytes).collect();
    format!(
        "powershell.exe -NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -OutputFormat Text -EncodedCommand {}",
        STANDARD.encode(utf16)
    )
}

/// The command that ends a process and all it started.
pub fn kill_command(pid: u32) -> String {
    format!("taskkill.exe /PID {pid} /T /F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_ascii_and_short() {
        let script = script();
        assert!(script.is_ascii());
        assert!(script.len() < MAX_SCRIPT, "{} characters", script.len());
        assert!(script.starts_with("$ProgressPreference"), "must be the very first statement (7.3)");
    }

    #[test]
    fn the_script_is_powershell() {
        let mut parser = tree_sitter::Parser::new();
        parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("grammar");
        let tree = parser.parse(script(), None).expect("tree");
        assert!(!tree.root_node().has_error(), "{}", tree.root_node().to_sexp());
    }

    #[test]
    fn the_command_line_fits_and_means_the_same_to_every_shell() {
        let line = command_line();
        assert!(line.len() < MAX_COMMAND - 200, "{} characters", line.len());
        assert!(line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=. -".contains(&b)));
        let encoded = line.rsplit(' ').next().expect("last word");
        let bytes = STANDARD.decode(encoded).expect("base64");
        let units: Vec<u16> = bytes.chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        assert_eq!(String::from_utf16(&units).expect("utf-16"), script());
    }
}
