//! Built-in runbooks load, and a folder of one's own is looked at: every rule of tables finds its bad example at its place.

use std::path::Path;

use nodelift::runbook::Library;
use nodelift::runbook::lint::Report;

#[test]
fn every_built_in_runbook_loads() {
    let library = Library::new(None);
    for (id, _) in library.list() {
        if let Err(e) = library.load(&id) {
            panic!("{id}:\n{e}");
        }
    }
    assert!(library.list().iter().any(|(id, _)| id == "azure-local-powershell"));
}

const RUNBOOK: &str = "azure-local-powershell";

const EXTRA: &str = r#"
[[facts]]
id = "time_service"
title = "Time service"
on = "each-node"
script = "time.ps1"

[[check]]
id = "time-service"
title = "Time service keeps its time"
area = "House rules"
scope = "each-node"
severity = "blocker"
waivable = true
facts = ["time_service"]
pass = "time_service.start == 'Automatic'"
expect = "it starts automatically"
remedy = "Set its start type."
source = "page 12"
"#;

const SCRIPT: &str = "@{ start = \"$((Get-Service -Name W32Time -ErrorAction Stop).StartType)\" }\n";

/// A look at a folder with the good files, and these in it or in their place.
fn look(files: &[(&str, &str)], id: Option<&str>) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let good = [(format!("{RUNBOOK}/extra.toml"), EXTRA), (format!("{RUNBOOK}/time.ps1"), SCRIPT)];
    let good = good.iter().map(|(path, text)| (path.as_str(), *text));
    for (path, text) in good.chain(files.iter().copied()) {
        let full = folder.path().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }
    Library::new(Some(folder.path().to_owned())).lint(id).unwrap()
}

/// Rule, name of the file, line and column of a finding.
type Place = (&'static str, String, (usize, usize));

fn places(report: &Report) -> Vec<Place> {
    let name = |f: &str| Path::new(f).file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
    report.findings.iter().map(|f| (f.rule.id, name(f.file()), f.start())).collect()
}

#[track_caller]
fn finds(extra: &str, rule: &'static str, place: (usize, usize)) {
    let found = places(&look(&[(&format!("{RUNBOOK}/extra.toml"), extra)], None));
    assert_eq!(found, [(rule, "extra.toml".to_owned(), place)], "{extra}");
}

#[test]
fn a_good_folder_has_no_finding_and_only_its_files_are_looked_at() {
    let report = look(&[], None);
    assert_eq!((places(&report), report.files), (vec![], 2));
    // The one that is named is built in: its own files too.
    assert!(look(&[], Some(RUNBOOK)).files > 40);
}

#[test]
fn every_rule_of_tables_finds_its_bad_example() {
    finds(&EXTRA.replace("'Automatic'\"", "\""), "runbook", (16, 31));
    finds(&EXTRA.replace("time.ps1\"", "time.ps1\"\nslow = true"), "timeout-missing", (3, 6));
    finds(&EXTRA.replace("\"page 12\"", "\" \""), "words-missing", (9, 6));
    finds(&EXTRA.replace("Set its start type.", ""), "words-missing", (9, 6));
    finds(&EXTRA.replace("'Automatic'\"", "'Automatic' || true\""), "expression-constant", (16, 8));
    finds(&EXTRA.replace("[\"time_service\"]", "[\"time_service\", \"os\"]"), "facts-unused", (15, 26));
    let alone = "\n[[facts]]\nid = \"alone\"\ntitle = \"x\"\non = \"each-node\"\nscript = \"time.ps1\"\n";
    finds(&format!("{EXTRA}{alone}"), "facts-unused", (22, 6));
}

#[test]
fn what_loading_refuses_is_a_finding() {
    let wrong = EXTRA.replace("pass =", "pas =");
    let report = look(&[(&format!("{RUNBOOK}/extra.toml"), &wrong)], None);
    // Nothing is said of its script: what it is used for is not known.
    assert_eq!(report.findings.len(), 1);
    let first = &report.findings[0];
    assert_eq!(first.rule.id, "runbook");
    assert_eq!((first.start(), first.message()), ((16, 1), "there is no field `pas` here"));
    assert!(first.to_string().contains("extra.toml:16:1: error[runbook]: "), "{first}");
    let fix = "fix = { script = \"time.ps1\", class = \"once\", changes = \"sets it\" }\n";
    finds(&format!("{EXTRA}{fix}"), "runbook", (20, 38));
    // Without a question, what does not pass fails anyway; a sequence says in its actions who is needed.
    finds(&format!("{EXTRA}fail = \"time_service.start == 'Manual'\"\n"), "runbook", (20, 8));
    let fix = "fix = { sequence = \"rolling-restart\", changes = \"restarts\", person = \"wait\" }\n";
    finds(&format!("{EXTRA}{fix}"), "runbook", (20, 70));
}

#[test]
fn a_step_and_a_fix_have_their_words_and_times() {
    let fix = "fix = { script = \"fix.ps1\", class = \"write\", changes = \"\" }\n";
    let with_fix = [
        (&*format!("{RUNBOOK}/extra.toml"), &*format!("{EXTRA}{fix}")),
        (&format!("{RUNBOOK}/fix.ps1"), "Set-Service -Name x -StartupType Manual -ErrorAction Stop"),
    ];
    assert_eq!(places(&look(&with_fix, None)), [("words-missing", "extra.toml".to_owned(), (20, 56))]);
    let steps = include_str!("../config/runbooks/azure-local-powershell/runbook.toml");
    let line = 1 + steps.lines().position(|l| l == "id = \"stop-vms\"").unwrap();
    let runbook = steps.replacen("timeout = 600\n", "", 1);
    let found = places(&look(&[(&format!("{RUNBOOK}/runbook.toml"), &runbook)], None));
    assert_eq!(found, [("timeout-missing", "runbook.toml".to_owned(), (line, 6))]);
}

#[test]
fn a_finding_in_a_table_is_allowed_at_its_place() {
    let line = "# lint: allow words-missing it is our own idea\nid = \"time-service\"";
    let allowed = EXTRA.replace("\"page 12\"", "\"\"").replace("id = \"time-service\"", line);
    let report = look(&[(&format!("{RUNBOOK}/extra.toml"), &allowed)], None);
    assert_eq!((places(&report), report.allowed), (vec![], 1));
}

#[test]
fn lines_may_end_as_on_windows() {
    let (extra, script) = (EXTRA.replace('\n', "\r\n"), SCRIPT.replace('\n', "\r\n"));
    let files = [(&*format!("{RUNBOOK}/extra.toml"), &*extra), (&format!("{RUNBOOK}/time.ps1"), &script)];
    assert_eq!(places(&look(&files, None)), []);
}

#[test]
fn files_that_nobody_uses_are_said() {
    let report = look(
        &[
            ("azure-local-powershel/extra.toml", EXTRA),
            (&format!("{RUNBOOK}/later.ps1"), "gci -ErrorAction Stop\nRegValue a b"),
            (&format!("{RUNBOOK}/gone.sim.toml"), "answer = '1'"),
            (&format!("{RUNBOOK}/time.sim.toml"), "answer = '1'"),
        ],
        None,
    );
    let place = |rule, file: &str| (rule, file.to_owned(), (1, 1));
    assert_eq!(
        places(&report),
        [
            place("file-unused", "extra.toml"),
            place("file-unused", "gone.sim.toml"),
            place("cmdlet-alias", "later.ps1"),
            place("file-unused", "later.ps1"),
        ]
    );
    assert!(report.findings[0].to_string().contains("did you mean `azure-local-powershell`?"));
}

#[test]
fn a_script_knows_what_it_is_used_for() {
    let changes = "Set-Service -Name x -StartupType Manual -ErrorAction Stop\n@{ start = RegValue a b }\n";
    let found = places(&look(&[(&format!("{RUNBOOK}/time.ps1"), changes)], None));
    assert_eq!(found, [("read-changes", "time.ps1".to_owned(), (1, 1))]);
    // A file in the place of a built-in one: it stays the step it was.
    let level = "$null = Update-ClusterFunctionalLevel -Force -ErrorAction Stop\n";
    assert_eq!(places(&look(&[("azure-local/steps/functional-level.ps1", level)], None)), []);
    let wrong = places(&look(&[("azure-local/fixes/soft-reboot.ps1", level)], None));
    assert_eq!(wrong, [("irreversible", "soft-reboot.ps1".to_owned(), (1, 9))]);
}
