//! Reports of runs: what they say of a journal, that the first error is pinned, and that nothing a machine says can break out of them.

#[path = "fixtures/mod.rs"]
mod fixtures;

use std::collections::BTreeSet;

use fixtures::plan::hci_cl1;
use fixtures::scenes;
use fixtures::story::{Story, at};
use nodelift::core::baseline::{Change, Comparison, What};
use nodelift::core::event::{Answer, EngineInfo, Event, Stamped, VerdictKey, Waiver};
use nodelift::core::name::OpId;
use nodelift::core::narrate::narrate;
use nodelift::core::plan::Moment;
use nodelift::core::run::{Phase, RunVerdict, UnitState};
use nodelift::core::state::State;
use nodelift::journal::{Journal, RunFolder, Writer};
use nodelift::report::RunReport;
use serde_json::{Value as Json, json};

const BOOT: &str = "2025-06-02T07:11:24Z";
const NODES: [&str; 4] = ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"];

fn report(events: &[Stamped], state: &State) -> RunReport {
    RunReport::of(&state.plan, events).expect("a run was started").of_journal(Some("ab12"), None)
}

fn told(story: &Story) -> RunReport {
    report(&story.events, &story.state)
}

fn started() -> Story {
    let mut plan = hci_cl1();
    plan.baseline = Some(fixtures::plan::baseline());
    let mut s = Story::new(plan);
    for n in ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4", "COORD01"] {
        s.connect(n).host(n, 20349, BOOT);
    }
    NODES.iter().for_each(|n| {
        s.cluster(n, "Up", 20349);
    });
    s.storage(0, &[]).driver("RunNotInProgress", &[], &[]);
    let key = VerdictKey { check: "refs-metadata-validation".into(), node: Some("HCI-N3".into()) };
    let op = OpId::new("refs-metadata-validation", &"HCI-N3".into(), 1, "0197-aaaa-bbbbccccdddd");
    s.at("08:05:00")
        .tell_as("j.doe", Event::FixIntended { op: op.clone(), key: key.clone(), node: "HCI-N3".into() });
    let record = json!({"undo": ["Remove-ItemProperty -Name RefsEnableMetadataValidation"]});
    s.tell(Event::FixEnded { op, took_ms: 310, answer: Answer::Facts(record) });
    let waiver =
        Waiver { key, reason: "ticket 4711 says why".into(), by: "j.doe".into(), expires: at("20:06:00") };
    s.tell_as("j.doe", Event::Waived(waiver));
    s.phase(Phase::Ready, "every blocker passes").at("08:10:00").start();
    s.at("08:10:20").step("cau-run", "COORD01");
    s
}

/// One node from its drain to its end.
fn upgraded(s: &mut Story, node: &str, hour: u32) {
    let time = |minute: u32| format!("{hour:02}:{minute:02}:00");
    s.at(&time(0)).unit(node, UnitState::Draining, "its roles move to other nodes");
    s.at(&time(5)).unit(node, UnitState::Executing, "Windows Setup runs");
    s.at(&time(40)).unit(node, UnitState::Offline, "restarts; nothing answers there, as expected");
    s.at(&time(52)).host(node, 25398, &format!("2025-06-14T{hour:02}:50:00Z"));
    s.unit(node, UnitState::Verifying, "it answers again; the proof is read");
    s.at(&time(54)).unit(node, UnitState::Resyncing, "storage copies what it missed: normal after a restart");
    s.at(&time(58)).unit(node, UnitState::Done, "build 25398, Up, storage in sync");
}

fn change() -> Change {
    let what = What::Changed { field: "description".into(), before: "BMC".into(), after: "BMC #2".into() };
    Change { kind: "adapter".into(), name: "BMC".into(), what, known: Some("adapter-numbered".into()) }
}

fn compared(s: &mut Story, node: &str, changes: Vec<Change>) {
    let expected = [("drivers of Windows come and go with it".to_owned(), 31)].into();
    s.tell(Event::BaselineCompared { node: node.into(), comparison: Comparison { changes, more: 0, expected } });
}

fn succeeded() -> Story {
    let mut s = started();
    for (i, node) in NODES.iter().enumerate() {
        upgraded(&mut s, node, 9 + i as u32);
        compared(&mut s, node, if i == 0 { vec![change()] } else { Vec::new() });
    }
    let accept = Event::ChangesAccepted {
        node: "HCI-N1".into(),
        changes: vec![change()],
        reason: "the adapter is the management controller's".into(),
    };
    s.at("13:01:00").tell_as("j.doe", accept);
    s.step_ended("cau-run", true, "4 of 4 nodes done");
    s.at("13:10:00").tell_as("j.doe", Event::CommitDeferred { step: "functional-level".into() });
    let message = "4 of 4 nodes at 23H2, proved; 1 irreversible step left for later".into();
    s.tell(Event::RunEnded { verdict: RunVerdict::SucceededWithIssues, message });
    s
}

fn failed() -> Story {
    let mut s = started();
    upgraded(&mut s, "HCI-N1", 9);
    compared(&mut s, "HCI-N1", vec![change()]);
    s.at("10:00:00").unit("HCI-N2", UnitState::Draining, "its roles move to other nodes");
    s.at("10:20:00").unit("HCI-N2", UnitState::Failed, "a resource has locked status");
    s.at("10:21:00").step_ended("cau-run", false, "Cluster-Aware Updating ended with PartiallyFailed");
    s.at("10:22:00")
        .tell(Event::RunEnded { verdict: RunVerdict::Failed, message: "2 of 4 nodes not done".into() });
    s
}

fn stopped() -> Story {
    let mut s = started();
    upgraded(&mut s, "HCI-N1", 9);
    let op = OpId::new("driver-stop", &"HCI-N3".into(), 7, "0197-aaaa-bbbbccccdddd");
    s.at("10:05:00").tell_as("j.doe", Event::StopIntended { op: op.clone() });
    s.tell(Event::DriverStopAnswered { op, answer: Answer::Facts(Json::Null) });
    let message = "stopped with 3 of 4 nodes not done".into();
    s.at("10:30:00").tell(Event::RunEnded { verdict: RunVerdict::Stopped, message });
    s
}

#[test]
fn a_run_that_succeeded_is_told() {
    let r = told(&succeeded());
    insta::assert_snapshot!("run_succeeded", r.markdown());
    assert!(r.over && r.first_error.is_none() && r.errors.is_empty());
    let left: Vec<&str> = r.left.iter().map(|l| l.what.as_str()).collect();
    assert!(left.contains(&"Raise the cluster functional level"), "{left:?}");
    assert!(r.nodes.iter().all(|n| n.good && n.boots == 1 && n.compared));
    assert!(r.commands[0].results[0].text.contains("to undo: Remove-ItemProperty"), "{:?}", r.commands[0]);
    assert!(r.people.iter().any(|p| p.reason.as_deref() == Some("ticket 4711 says why")), "{:?}", r.people);
    let accepted = r.people.iter().find(|p| !p.shown.is_empty()).expect("somebody accepted a change");
    assert_eq!((accepted.by.as_str(), accepted.shown.len()), ("j.doe", 1));
    // The next node was begun although nobody had explained the change.
    let passed: Vec<_> = r.gates_passed.iter().map(|p| (p.gate.as_str(), p.node.as_str())).collect();
    assert_eq!(passed, [("baseline", "HCI-N2"), ("baseline", "HCI-N3"), ("baseline", "HCI-N4")]);
}

#[test]
fn the_first_error_of_a_run_that_failed_is_pinned() {
    let r = told(&failed());
    insta::assert_snapshot!("run_failed", r.markdown());
    let first = r.first_error.as_ref().expect("an error");
    assert_eq!((first.at, first.node.as_deref()), (at("10:20:00"), Some("HCI-N2")));
    assert!(first.text.contains("locked status") && r.errors.len() == 2, "{:?}", r.errors);
    let text = r.markdown();
    assert!(text.find("## First error") < text.find("## Nodes"), "it comes first");
    assert!(text.contains("FIRST ERROR: failed: a resource has locked status"), "and stands in the timeline");
    let left: Vec<&str> = r.left.iter().map(|l| l.what.as_str()).collect();
    for what in
        ["HCI-N2 is not done", "HCI-N4 is not done", "HCI-N1: adapter BMC: description was \"BMC\", is \"BMC #2\""]
    {
        assert!(left.contains(&what), "{what}\n{left:#?}");
    }
}

#[test]
fn a_run_that_was_stopped_says_by_whom_and_what_came_of_it() {
    let r = told(&stopped());
    insta::assert_snapshot!("run_stopped", r.markdown());
    assert!(r.people.iter().any(|p| p.by == "j.doe" && p.what == "stop asked for"), "{:?}", r.people);
    let stop = r.commands.iter().find(|c| c.operation.starts_with("driver-stop")).expect("it was sent");
    assert_eq!((stop.by.as_deref(), stop.results.len()), (Some("j.doe"), 1));
}

#[test]
fn a_run_whose_engine_is_gone_says_so_and_what_nobody_knows() {
    let mut s = started();
    s.at("09:00:00").unit("HCI-N1", UnitState::Draining, "its roles move to other nodes");
    let r = told(&s);
    assert!(!r.over && r.ended_at.is_none() && r.stands() == "running, not over");
    let text = r.markdown();
    assert!(text.contains("goes on, or its engine is gone"), "{text}");
    assert!(r.left.iter().any(|l| l.what == "HCI-N1 is not done"), "{:?}", r.left);
    let info = EngineInfo {
        version: "0.1.0".into(),
        host: "mgmt01".into(),
        user: "a.roe".into(),
        scale: 1.0,
        imitated: false,
    };
    s.at("09:30:00").tell(Event::EngineStarted(info));
    s.phase(Phase::Recovering, "the engine was restarted");
    let r = told(&s);
    assert_eq!(r.engines.len(), 2);
    insta::assert_snapshot!("run_crashed", r.markdown());
}

#[test]
fn where_no_run_was_started_there_is_none_to_tell() {
    let s = Story::new(hci_cl1());
    assert!(RunReport::of(&s.state.plan, &s.events).is_none());
}

#[test]
fn json_has_a_shape_that_stays() {
    let value: Json = serde_json::from_str(&told(&failed()).json().unwrap()).unwrap();
    insta::assert_snapshot!("run_json", serde_json::to_string_pretty(&value).unwrap());
    for field in
        ["format", "cluster", "verdict", "over", "first_error", "nodes", "left", "people", "commands", "timeline"]
    {
        assert!(value.get(field).is_some(), "{field}");
    }
}

#[test]
fn html_is_one_file_that_loads_and_runs_nothing() {
    let text = told(&failed()).html();
    for loaded in ["<script", "<link", "<img", "@import", "url(", "http-equiv=\"refresh\"", " onclick"] {
        assert!(!text.contains(loaded), "{loaded}");
    }
    assert!(text.contains("@media print"));
    parsed(&text);
}

fn parsed(html: &str) -> BTreeSet<String> {
    let body = html.split_once("<body>").map(|(_, b)| format!("<body>{b}")).unwrap();
    let body = body.trim_end_matches("</html>\n").to_owned();
    let page = roxmltree::Document::parse(&body).unwrap_or_else(|e| panic!("{e}\n{body}"));
    page.descendants().map(|n| n.tag_name().name().to_owned()).collect()
}

#[test]
fn whatever_can_happen_has_a_sentence_in_the_timeline() {
    // What is asked for and what is only another sample are told by what comes of them.
    const SILENT: [&str; 5] = ["facts.asked", "storage.sample", "proof.asked", "node.connection", "action.answer"];
    let (mut kinds, mut mute) = (BTreeSet::new(), BTreeSet::new());
    let mut readiness = scenes::connected(hci_cl1());
    readiness.want_all(Moment::Before).read_all(Moment::Before, |_| true);
    for story in [readiness, succeeded(), failed(), stopped()] {
        let mut state = State::new(story.state.plan.clone());
        for event in &story.events {
            let kind = serde_json::to_value(&event.event).unwrap()["k"].as_str().unwrap().to_owned();
            if narrate(&state, event).is_empty() && !SILENT.contains(&kind.as_str()) {
                mute.insert(kind.clone());
            }
            kinds.insert(kind);
            state.apply(event);
        }
    }
    assert!(mute.is_empty(), "{mute:?}");
    assert!(kinds.len() > 18, "{kinds:?}");
}

/// Everything that a machine or a person says is this.
const HOSTILE: &str = "<script>alert(1)</script>\"'&]]>-->|a|\n# head\r\n\u{1b}[31m\u{9b}2J\u{0}\u{8}\u{202e}`x`*b*[l](javascript:x)\
                       <img src=x onerror=alert(1)>\u{ffff}@all";

#[test]
fn hostile_text_stays_text() {
    let mut s = started();
    s.unit("HCI-N1", UnitState::Draining, HOSTILE).unit("HCI-N1", UnitState::Failed, HOSTILE);
    let what = What::Changed { field: HOSTILE.into(), before: HOSTILE.into(), after: HOSTILE.into() };
    let change = Change { kind: HOSTILE.into(), name: HOSTILE.into(), what, known: None };
    compared(&mut s, "HCI-N1", vec![change.clone()]);
    s.tell_as(
        HOSTILE,
        Event::ChangesAccepted { node: "HCI-N1".into(), changes: vec![change], reason: HOSTILE.into() },
    );
    s.step_ended("cau-run", false, HOSTILE)
        .phase(Phase::Paused(nodelift::core::run::PauseReason::Budget), HOSTILE);
    let r = report(&s.events, &s.state);
    let (json, markdown, html) = (r.json().unwrap(), r.markdown(), r.html());
    for (format, text) in [("json", &json), ("markdown", &markdown), ("html", &html)] {
        let acts = |c: char| (c.is_control() && c != '\n') || nodelift::core::text::hides(c) || c == '\u{ffff}';
        assert!(!text.contains(acts), "{format}: {text}");
    }
    let value: Json = serde_json::from_str(&json).unwrap();
    assert_eq!(value["message"], HOSTILE, "JSON loses nothing");
    let known = ["", "body", "dd", "dl", "dt", "h1", "h2", "header", "li", "p", "table", "td", "th", "tr", "ul"];
    let tags = parsed(&html);
    assert!(tags.iter().all(|t| known.contains(&t.as_str())), "{tags:?}");
    assert!(
        !markdown.contains("<script") && !markdown.contains("<img") && !markdown.contains("@all"),
        "{markdown}"
    );
    assert!(markdown.lines().all(|l| !l.starts_with("# head")), "{markdown}");
    for line in markdown.lines().filter(|l| l.starts_with("| 2025")) {
        let bars = line.replace("\\\\", "").replace("\\|", "").matches('|').count();
        assert!([5, 7].contains(&bars), "{line}");
    }
}

/// A run's folder as an engine leaves it.
fn recorded(story: &Story) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::open(folder.path()).unwrap();
    run.seal(&story.state.plan).unwrap();
    let writer = Writer { epoch: 1, instance: "a".into() };
    Journal::open(&run.journal(), writer, 1, None).unwrap().append(story.events.clone());
    folder
}

fn nodelift(arguments: &[&std::ffi::OsStr]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_nodelift"));
    let home = tempfile::tempdir().unwrap();
    command.args(arguments).env("HOME", home.path()).env("NODELIFT_STATE", home.path());
    command.stdin(std::process::Stdio::null()).output().unwrap()
}

#[test]
fn the_same_journal_gives_the_same_bytes() {
    let (run, out) = (recorded(&failed()), tempfile::tempdir().unwrap());
    let write = |name: &str| {
        let folder = out.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let files = ["json", "md", "html"].map(|f| folder.join(format!("run.{f}")));
        let said = nodelift(&[
            "report".as_ref(),
            run.path().as_os_str(),
            "--json".as_ref(),
            files[0].as_ref(),
            "--markdown".as_ref(),
            files[1].as_ref(),
            "--html".as_ref(),
            files[2].as_ref(),
        ]);
        assert_eq!(said.status.code(), Some(0), "{said:?}");
        (files.map(|f| std::fs::read_to_string(f).unwrap()), String::from_utf8(said.stdout).unwrap())
    };
    let (first, second) = (write("a"), write("b"));
    assert_eq!(first, second);
    let ([json, markdown, html], terminal) = first;
    assert!(json.contains("\"first_error\"") && html.contains("First error"));
    for text in [&markdown, &terminal] {
        assert!(text.contains("First error") && text.contains("locked status"), "{text}");
    }
    assert!(
        markdown.contains("Timeline") && !terminal.contains("Timeline\n"),
        "a terminal is for the short of it"
    );
    let readiness =
        nodelift(&["report".as_ref(), run.path().as_os_str(), "--readiness".as_ref(), "--json".as_ref()]);
    let readiness: Json = serde_json::from_slice(&readiness.stdout).unwrap();
    assert!(readiness["checks"].is_array(), "{readiness}");
    // Cut off in the middle of a record, as a crash leaves it: the rest is told, and what is missing.
    let segment = std::fs::read_dir(run.path().join("journal")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() - 20]).unwrap();
    let torn = nodelift(&["report".as_ref(), run.path().as_os_str()]);
    let text = String::from_utf8(torn.stdout).unwrap();
    assert!(text.contains("The last record is cut off") && text.contains("not over"), "{text}");
}
