//! What a disk can do to a journal: the rules of run-safety-model 7.4, over a store that fails where it is told to; and a run that is
//! verified, and moves to another machine.

#[path = "fixtures/mod.rs"]
mod fixtures;
#[path = "support/shaky.rs"]
mod shaky;

use std::io;

use std::path::{Path, PathBuf};

use fixtures::plan::hci_cl1;
use fixtures::story::Story;
use nodelift::core::digest::FORM;
use nodelift::core::event::{Event, Sealed, Stamped};
use nodelift::core::run::Phase;
use nodelift::core::state::State;
use nodelift::journal::{Bad, Durable, Ending, Journal, RunFolder, Writer, read};

use shaky::{Fault, Shaky};

/// Odd numbers are synced at once, even ones later.
fn event(seq: u64) -> Stamped {
    let event = match seq % 2 {
        1 => Event::PhaseChanged { to: Phase::Checking, why: format!("record {seq}") },
        _ => Event::StorageSampled { bytes_left: seq, jobs: Vec::new() },
    };
    Stamped { seq, at: "2025-06-14T08:00:00Z".parse().unwrap(), actor: "engine".into(), event }
}

/// Appends so many records one after the other.
fn written(floor: &Shaky, n: u64) -> Durable {
    let journal = floor.journal();
    (1..=n).for_each(|seq| journal.append(vec![event(seq)]));
    let durable = journal.durable();
    drop(journal);
    durable.borrow().clone()
}

#[test]
fn a_failed_write_or_sync_anywhere_goes_on_in_another_file_and_loses_nothing() {
    // 1 is the first file that is made: an engine does not start without.
    for at in 2..20 {
        for half in [0, 1, 40, 10_000] {
            let floor = Shaky::with(&[Fault { at, kind: io::ErrorKind::Other, half }]);
            let durable = written(&floor, 8);
            assert_eq!((durable.seq, &durable.failed), (8, &None), "operation {at}, {half} bytes");
            let r = floor.read();
            assert_eq!(r.ending, Ending::Whole, "operation {at}, {half} bytes");
            assert_eq!(r.events, (1..=8).map(event).collect::<Vec<_>>(), "operation {at}, {half} bytes");
        }
    }
}

#[test]
fn a_second_failure_is_final_and_what_was_acknowledged_is_there() {
    for at in 2..16 {
        let broken = [at, at + 1].map(|at| Fault { at, kind: io::ErrorKind::Other, half: 20 });
        let floor = Shaky::with(&broken);
        let durable = written(&floor, 8);
        let r = floor.read();
        assert!(!matches!(r.ending, Ending::Corrupt { .. }), "operation {at}: {:?}", r.ending);
        assert!(durable.failed.is_some() || durable.seq == 8, "operation {at}");
        let last = r.events.last().map_or(0, |e| e.seq);
        assert!(last >= durable.seq, "operation {at}: {last} of {} acknowledged", durable.seq);
        assert_eq!(r.events, (1..=last).map(event).collect::<Vec<_>>(), "operation {at}");
    }
}

#[test]
fn nothing_is_written_after_a_final_failure() {
    let floor = Shaky::with(&[4, 5].map(|at| Fault { at, kind: io::ErrorKind::Other, half: 0 }));
    let durable = written(&floor, 8);
    let operations = floor.floor().operations;
    assert!(durable.failed.is_some());
    assert_eq!(operations, 5, "not one more was tried");
}

#[test]
fn on_a_full_disk_what_was_put_aside_holds_the_last_words() {
    let floor = Shaky::sound();
    let journal = floor.journal();
    journal.append(vec![event(1)]);
    floor.floor().full = true;
    floor.floor().free = Some(0);
    journal.append(vec![event(3)]);
    let seen = journal.durable().borrow().clone();
    assert_eq!((seen.seq, seen.failed, seen.squeezed), (3, None, true));
    assert_eq!(floor.read().events, [event(1), event(3)]);
    // Still full: nothing can be put aside again.
    journal.look();
    assert!(journal.durable().borrow().squeezed);
    floor.floor().full = false;
    floor.floor().free = Some(1 << 30);
    journal.look();
    let seen = journal.durable().borrow().clone();
    assert_eq!((seen.squeezed, seen.free), (false, Some(1 << 30)));
    journal.append(vec![event(5)]);
    drop(journal);
    assert_eq!(floor.read().events.len(), 3);
}

#[test]
fn a_full_disk_without_anything_aside_is_final() {
    let floor = Shaky::sound();
    let journal = floor.journal();
    floor.floor().full = true;
    // More than was put aside.
    for seq in 0..1000 {
        journal.append(vec![event(2 * seq + 1)]);
    }
    let seen = journal.durable().borrow().clone();
    assert!(seen.squeezed && seen.failed.is_some(), "{seen:?}");
    assert!(floor.read().events.last().unwrap().seq >= seen.seq);
}

#[test]
fn a_repeated_record_that_differs_is_corruption() {
    let floor = Shaky::with(&[Fault { at: 6, kind: io::ErrorKind::Other, half: 10_000 }]);
    written(&floor, 6);
    let r = floor.read();
    // The sync after the third record failed: the second and the third are written again.
    assert_eq!((r.repeated, r.segments), (2, 2));
    // Another second record in its place, with a good checksum.
    let folder = tempfile::tempdir().unwrap();
    let segment = folder.path().join("000001.jsonl");
    let text = floor.floor().files[0].clone();
    let kept: Vec<u8> = text.split_inclusive(|b| *b == b'\n').take(1).flatten().copied().collect();
    std::fs::write(&segment, kept).unwrap();
    let previous = read(folder.path()).unwrap().previous;
    let forger = Writer { epoch: 1, instance: "b".into() };
    Journal::open(folder.path(), forger, 2, previous).unwrap().append(vec![event(2)]);
    std::fs::write(&segment, text).unwrap();
    assert!(matches!(read(folder.path()).unwrap().ending, Ending::Corrupt { why: Bad::Chain, .. }));
}

/// A run that was left under way, as an engine leaves it, below a folder for state. `form` is the one of its hash.
fn left(state: &Path, form: u32, sha256: Option<&str>) -> PathBuf {
    let mut story = Story::new(hci_cl1());
    let plan = story.state.plan.clone();
    let (nodes, runbook) = (plan.nodes.clone(), plan.runbook.id.clone());
    let (cluster, plan_sha256) = (plan.cluster.clone(), plan.sha256());
    story.tell(Event::PlanSealed(Sealed { plan_sha256, runbook, cluster, nodes, rehearsal: false }));
    story.start().step("cau-run", "COORD01");
    let sha256 = sha256.map_or_else(|| story.state.digest(), str::to_owned);
    story.tell(Event::StateHashed { form, sha256 });
    let path = state.join("runs").join(&plan.cluster).join("0197-aaaa");
    let run = RunFolder::open(&path).unwrap();
    run.seal(&plan).unwrap();
    let writer = Writer { epoch: 1, instance: "a".into() };
    Journal::open(&run.journal(), writer, 1, None).unwrap().append(story.events);
    path
}

/// What `nodelift journal` says, and its exit code.
fn journal(state: &Path, arguments: &[&Path]) -> (String, Option<i32>) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_nodelift"));
    command.arg("journal").args(arguments).env("HOME", state).env("NODELIFT_STATE", state);
    let said = command.stdin(std::process::Stdio::null()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    (text, said.status.code())
}

fn says(state: &Path, arguments: &[&Path], code: i32, words: &str) {
    let (text, ended) = journal(state, arguments);
    assert!(ended == Some(code) && text.contains(words), "wanted {code} and {words}, got {ended:?}:\n{text}");
}

#[test]
fn a_journal_is_verified_and_what_is_wrong_is_named() {
    let state = tempfile::tempdir().unwrap();
    let (verify, run) = (Path::new("verify"), left(state.path(), FORM, None));
    says(state.path(), &[verify, &run], 0, "understood: 1 hashes, the same here");
    says(state.path(), &[verify, state.path()], 9, "name the folder of a run");
    let segment = run.join("journal/000001.jsonl");
    let whole = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &whole[..whole.len() - 7]).unwrap();
    says(state.path(), &[verify, &run], 0, "cut off, as a crash leaves it");
    let text = String::from_utf8(whole.clone()).unwrap();
    std::fs::write(&segment, text.replacen("looking for another run", "looking for another ruin", 1)).unwrap();
    says(state.path(), &[verify, &run], 9, "000001.jsonl:4: the checksum does not match");
    std::fs::write(&segment, whole).unwrap();
    let plan = std::fs::read_to_string(run.join("plan.json")).unwrap();
    std::fs::write(run.join("plan.json"), plan.replacen("\"COORD01\"", "\"COORD02\"", 1)).unwrap();
    says(state.path(), &[verify, &run], 9, "not the plan that this run was sealed with");
}

#[test]
fn a_journal_that_means_something_else_is_only_looked_at() {
    let state = tempfile::tempdir().unwrap();
    let verify = Path::new("verify");
    let other = left(&state.path().join("a"), FORM, Some("0123"));
    says(state.path(), &[verify, &other], 9, "means something else to this nodelift");
    let newer = left(&state.path().join("b"), FORM + 1, Some("0123"));
    says(state.path(), &[verify, &newer], 0, "understood");
    let mut folded = State::new(hci_cl1().into());
    read(&other.join("journal")).unwrap().events.iter().for_each(|e| folded.apply(e));
    assert!(folded.only_looks() && folded.closed().is_some_and(|why| why.contains("nodelift 0.1.0")));
}

#[test]
fn a_run_moves_to_another_machine_once_and_whole() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (export, import) = (Path::new("export"), Path::new("import"));
    let run = left(here.path(), FORM, None);
    let copy = here.path().join("copy");
    let engine = RunFolder::open(&run).unwrap();
    says(here.path(), &[export, &run, &copy], 7, "leave that nodelift first");
    drop(engine);
    says(here.path(), &[export, &run, &copy], 0, "go on in one of the two places only");
    assert!(!copy.join("lock").exists() && copy.join("manifest.json").exists());
    says(here.path(), &[import, &copy], 2, "this run is here already");
    let segment = copy.join("journal/000001.jsonl");
    let whole = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &whole[1..]).unwrap();
    says(there.path(), &[import, &copy], 9, "is not what was exported: copy it again");
    std::fs::write(&segment, whole).unwrap();
    says(there.path(), &[import, &copy], 0, "it looks first, and waits for you");
    let moved = there.path().join("runs/HCI-CL1/0197-aaaa");
    says(there.path(), &[Path::new("verify"), &moved], 0, "whole");
    assert_eq!(read(&moved.join("journal")).unwrap().events, read(&run.join("journal")).unwrap().events);
    says(there.path(), &[import, &copy], 2, "this run is here already");
    // A manifest that names something outside is nobody's run.
    let manifest = std::fs::read_to_string(copy.join("manifest.json")).unwrap();
    std::fs::write(copy.join("manifest.json"), manifest.replacen("plan.json", "../plan.json", 1)).unwrap();
    says(tempfile::tempdir().unwrap().path(), &[import, &copy], 9, "outside of a run");
}
