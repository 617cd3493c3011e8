//! Bytes from outside: everything that fuzzing has kept, and as many changes of it again as a test may take.

#[path = "fuzz/promises.rs"]
mod promises;

use std::fs;

/// Changed inputs for each one that is kept.
const CHANGES: usize = 40;

/// The inputs of a target, as they are and changed by a generator that always does the same.
fn holds(target: &str, promise: fn(&[u8])) {
    let mut inputs: Vec<Vec<u8>> = fs::read_dir(format!("tests/fuzz/corpus/{target}"))
        .expect("the inputs are there")
        .flatten()
        .map(|f| fs::read(f.path()).expect("readable"))
        .collect();
    assert!(!inputs.is_empty());
    inputs.sort();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below.max(1) as u64) as usize
    };
    for (i, input) in inputs.iter().enumerate() {
        promise(input);
        for _ in 0..CHANGES {
            let mut changed = input.clone();
            for _ in 0..=next(4) {
                let at = next(changed.len());
                match next(4) {
                    0 if !changed.is_empty() => changed[at] ^= 1 << next(8),
                    1 if !changed.is_empty() => drop(changed.drain(at..(at + next(16)).min(changed.len()))),
                    2 => changed.insert(at, b"\x1b\n#~{N}-+<>_|@*!,\0\xe2\xff"[next(20)]),
                    _ => {
                        let other = &inputs[(i + next(inputs.len())) % inputs.len()];
                        let from = next(other.len());
                        let piece = other[from..(from + next(64)).min(other.len())].to_vec();
                        drop(changed.splice(at..at, piece));
                    }
                }
            }
            promise(&changed);
        }
    }
    println!("{} inputs of {target}", inputs.len() * (CHANGES + 1));
}

#[test]
fn frames() {
    holds("frames", promises::frames);
}

#[test]
fn clixml() {
    holds("clixml", promises::clixml);
}

#[test]
fn known_hosts() {
    holds("known_hosts", promises::known_hosts);
}

#[test]
fn sanitise() {
    holds("sanitise", promises::sanitise);
}
