//! What a disk can do to a journal: the rules of run-safety-model 7.4, over a store that fails where it is told to.

#[path = "support/shaky.rs"]
mod shaky;

use std::io;

use nodelift::core::event::{Event, Stamped};
use nodelift::core::run::Phase;
use nodelift::journal::{Bad, Durable, Ending, Journal, Writer, read};

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
