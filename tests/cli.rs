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
fn a_runbook_without_a_mock_setup_cannot_be_rehearsed() {
    let home = Home::new();
    home.file("inventory.toml", INVENTORY);
    home.run("run --rehearse --runbook azure-local-wac")
        .fails(2, "the runbook azure-local-wac cannot be rehearsed");
}

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
fn reports_of_a_check_go_where_they_are_told_to() {
    let home = Home::new();
    home.file("inventory.toml", INVENTORY);
    let said = home.run("check --json a.json --junit b.xml --markdown c.md --html d.html");
    assert_eq!(said.code, Some(8), "{said:#?}");
    assert!(said.out.contains("nothing was judged") && said.err.starts_with("HCI-N1: "), "{said:#?}");
    let file =
        |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let json: serde_json::Value = serde_json::from_str(&file("a.json")).unwrap();
    assert_eq!((&json["reached"], &json["ready"]), (&false.into(), &false.into()));
    assert_eq!(json["machines"]["HCI-N1"]["trouble_kind"], "unreachable");
    assert!(json["plan_sha256"].as_str().is_some_and(|s| s.len() == 64), "{json:#}");
    let junit = file("b.xml");
    assert!(junit.contains("<error type=\"could not tell\"") && !junit.contains("<failure"), "{junit}");
    assert!(file("c.md").starts_with("# HCI-CL1: no node can be reached"));
    assert!(file("d.html").contains("no node can be reached, nothing was judged"));
}

#[test]
fn standard_output_holds_a_report_and_nothing_else() {
    let home = Home::new();
    home.file("inventory.toml", INVENTORY);
    let said = home.run("check --node hci-n1 --check secure-boot --check free-space --html d.html --json");
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:#?}"));
    assert_eq!((said.code, said.err.as_str()), (Some(8), ""));
    let ids: Vec<&str> = json["checks"].as_array().unwrap().iter().filter_map(|c| c["id"].as_str()).collect();
    assert_eq!(ids, ["free-space", "secure-boot"]);
    assert_eq!(json["only"]["nodes"], serde_json::json!(["HCI-N1"]));
    assert!(home.path().join("d.html").exists());
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_asked() {
    let home = Home::new();
    home.file("inventory.toml", INVENTORY);
    home.file("there", "");
    for (arguments, words) in [
        (
            "--html nowhere/report.html",
            "nowhere/report.html: --html cannot be written there: there is no such folder",
        ),
        ("--junit there/report.xml", "--junit cannot be written there: what it is in is no folder"),
        ("--json .", ".: --json cannot be written there: it is a folder"),
        ("--json --markdown -", "--json and --markdown both go to standard output"),
        ("--json a --html a", "--json and --html both go to a"),
        ("--node HCI-N7", "--node HCI-N7: there is no such node: did you mean `HCI-N1`?"),
        ("--check os-versio", "there is no such readiness check: did you mean `os-version`?"),
        (
            "--node HCI-N1 --check cluster-quorum",
            "--check cluster-quorum: it is not asked of single nodes; leave --node out",
        ),
    ] {
        let said = home.run(&format!("check {arguments}"));
        said.fails(2, words);
        assert!(!said.err.contains("HCI-N1: nothing listens") && said.out.is_empty(), "{arguments}: {said:#?}");
    }
    assert!(!home.path().join("a").exists());
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
        ("report nope", 2, "nope: there is no such folder"),
        ("report .", 9, "name the folder of a run"),
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
fn lint_says_what_is_wrong_to_people_and_to_programs() {
    let home = Home::new();
    let folder = home.path().join("mine/azure-local-powershell");
    std::fs::create_dir_all(&folder).unwrap();
    let facts = "[[facts]]\nid = \"x\"\ntitle = \"X\"\non = \"each-node\"\nscript = \"x.ps1\"\n";
    let check = "[[check]]\nid = \"x\"\ntitle = \"X\"\narea = \"X\"\nscope = \"each-node\"\nseverity = \"warning\"\n\
                 waivable = true\nfacts = [\"x\"]\npass = \"x.a\"\nexpect = \"a\"\nremedy = \"b\"\nsource = \"c\"\n";
    std::fs::write(folder.join("extra.toml"), format!("{facts}{check}")).unwrap();
    std::fs::write(folder.join("x.ps1"), "gci -ErrorAction Stop\n").unwrap();
    let said = home.run("runbook lint --folder mine");
    let first = "mine/azure-local-powershell/x.ps1:1:1: warning[cmdlet-alias]: `gci` is an alias\n";
    assert!(said.out.starts_with(first) && said.out.ends_with("\n1 warning in 2 files\n"), "{said:#?}");
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(home.run("runbook lint --folder mine --deny warnings").code, Some(2));

    std::fs::write(folder.join("x.ps1"), "if ($PID) { exit 3 }\n").unwrap();
    let said = home.run("runbook lint --folder mine --json");
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &document["format"], &document["errors"]), (Some(2), &1.into(), &1.into()));
    let finding = serde_json::json!({
        "rule": "exit", "severity": "error", "file": "mine/azure-local-powershell/x.ps1",
        "line": 1, "column": 13, "end_line": 1, "end_column": 19,
        "message": "`exit` ends the worker, for every script that waits behind this one",
        "help": "write return, or throw 'area:Reason'",
    });
    assert_eq!(document["findings"], serde_json::json!([finding]));

    std::fs::write(folder.join("x.ps1"), "# lint: allow exit it is meant\nexit 3\n").unwrap();
    let said = home.run("runbook lint --folder mine");
    assert!(
        said.code == Some(0) && said.out == "no mistake found in 2 files, 1 allowed by a comment\n",
        "{said:#?}"
    );
    // The built-in ones, and one that is named over a folder.
    for arguments in ["runbook lint", "runbook lint azure-local-powershell"] {
        let said = home.run(arguments);
        assert!(said.code == Some(0) && said.out.starts_with("no mistake found in "), "{said:#?}");
    }
    home.run("runbook lint nope").fails(2, "there is no runbook `nope`");
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
