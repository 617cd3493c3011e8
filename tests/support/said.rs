//! Words about a test that passed are not shown by the test runner: these are.

#![allow(dead_code)]

use std::io::Write as _;

/// Says something of the running test, past what keeps the output of tests that pass.
pub fn say(what: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // In one piece: other tests speak at the same time.
    let _ = std::io::stderr().write_all(format!("{test}: {what}\n").as_bytes());
}

/// Says why the running test does nothing here.
pub fn skipped(why: &str) {
    say(&format!("skipped: {why}"));
}
