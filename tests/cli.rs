//! The command line as a person or a script meets it: the real binary, with a home of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with nothing in it, that is home, state and the place where one stands.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodelift"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .env_clear()
            .envs(["PATH", "SYSTEMROOT"].iter().filter_map(|n| Some((n, std::env::var_os(n)?))))
            .env("HOME", self.path())
            .env("APPDATA", self.path())
            .env("NODELIFT_STATE", self.path().join("state"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &str) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }
}

/// What it said, and how it ended.
#[derive(Debug)]
struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
    }

    #[track_caller]
    fn fails(&self, code: i32, words: &str) {
        assert!(self.code == Some(code) && self.err.contains(words), "wanted {code} and {words}\n{self:#?}");
    }
}

const INVENTORY: &str = "[cluster]\nname = \"HCI-CL1\"\n[[node]]\nname = \"HCI-N1\"\nhost = \"127.0.0.1\"\nport = 1\n\
                         [ssh]\nuser = \"x\"\nagent = true\n";

#[test]
fn help_is_narrow_and_names_the_exit_codes() {
    let home = Home::new();
    let said = home.run("--help");
    assert_eq!(said.code, Some(0));
    assert!(
        said.out.contains("\nExit codes:\n   0  done") && said.out.contains("\n  10  with check"),
        "{}",
        said.out
    );
    for arguments in ["", "runbook list", "runbook show azure-local-powershell", "runbook show azure-local-wac"] {
        let said = home.run(arguments);
        assert_eq!(said.code, Some(0));
        let wide: Vec<&str> = said.out.lines().filter(|l| l.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{arguments}: {wide:#?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    for arguments in ["runbook show azure-local-powershell", "completions bash", "config print --default"] {
        let mut child = home.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One end of a pipe that nobody reads any more.
        drop(child.stdout.take());
        let said = Said::of(child.wait_with_output().unwrap());
        assert!(said.code == Some(0) && said.err.is_empty(), "{arguments}: {said:#?}");
    }
    home.file("inventory.toml", INVENTORY);
    let mut child = home.command("check").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(8), "{line}");
}

#[test]
fn nothing_is_judged_where_nothing_was_reached() {
    let home = Home::new();
    home.file("inventory.toml", INVENTORY);
    let said = home.run("check");
    assert_eq!(said.code, Some(8), "{said:#?}");
    assert_eq!(said.out.trim(), "HCI-CL1: no node can be reached, nothing was judged");
    assert!(said.err.starts_with("HCI-N1: "), "{said:#?}");
}

#[test]
fn mistakes_are_named_with_what_was_meant() {
    let home = Home::new();
    let show = "runbook show azure-local-powershell --script";
    for (arguments, code, words) in [
        ("chek", 2, "'check'"),
        ("check", 2, "inventory.toml: there is no such file"),
        ("check -i nope.toml", 2, "`nodelift config print --inventory` shows one"),
        ("check -i .", 2, ".: it is a folder"),
        ("--theme ligth config check", 2, "theme `ligth`: there is no such file; did you mean `light`?"),
        ("--config nope.toml config check", 2, "nope.toml: there is no such file"),
        ("runbook lint --folder nope", 2, "nope: there is no such folder"),
        ("runbook show azure-local-powershel", 2, "did you mean `azure-local-powershell`?"),
        (&format!("{show} facts/registri.ps1"), 2, "did you mean `facts/registry.ps1`?"),
        (
            &format!("{show} cau-run.ps1"),
            2,
            "may be azure-local/facts/cau-run.ps1 or azure-local/steps/cau-run.ps1",
        ),
        ("replay nope", 2, "nope: there is no such folder"),
        ("replay .", 9, "name the folder of a run"),
        ("demo", 2, "needs a terminal"),
    ] {
        home.run(arguments).fails(code, words);
    }
    home.file("keys.toml", "[global]\n");
    home.file("inventory.toml", &format!("runbook = \"azure-local-powershel\"\n{INVENTORY}"));
    home.run("check").fails(2, "inventory.toml: there is no runbook `azure-local-powershel`: did you mean");
    home.file("config.toml", "runbooks = \"/nowhere/at/all\"\n");
    home.run("--config config.toml config check").fails(2, "runbooks: /nowhere/at/all: there is no such folder");
    assert!(home.run(&format!("{show} facts/registry.ps1")).out.contains("RefsEnableMetadataValidation"));
}

#[test]
fn every_file_that_can_be_printed_is_one_that_can_be_read() {
    let home = Home::new();
    home.file("inventory.toml", &home.run("config print --inventory").out);
    let said = home.run("config check -i inventory.toml");
    assert!(said.code == Some(0) && said.out.contains("HCI-CL1, 4 nodes, coordinator COORD01"), "{said:#?}");
    home.file("config.toml", &home.run("config print --default").out);
    assert_eq!(home.run("--config config.toml config check").code, Some(0));
    assert!(home.run("config print --keys").out.contains("\"q\""));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(home.run(&format!("completions {shell}")).out.contains("nodelift"), "{shell}");
    }
}

#[test]
fn a_pipe_gets_no_colour() {
    let home = Home::new();
    for arguments in ["--help", "chek", "check", "runbook list", "--theme x demo"] {
        let said = home.run(arguments);
        assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'), "{arguments}: {said:#?}");
    }
}
