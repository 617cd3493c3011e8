//! A changed host key: a decision for one machine alone, typed by a person who looked at its console.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::path::Path;

use color_eyre::eyre::Result;

use super::{diagnostics, out, session};
use crate::core::command::REASON_LEAST;
use crate::core::text::hides;
use crate::remote::ssh::Scanned;
use crate::remote::ssh::known_hosts::{replace, replaceable};

/// Times that a reason is asked for before the machine is left as it is.
const REASON_TRIES: usize = 3;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Taken,
    Left,
    /// It cannot be done here, whatever a person types.
    Impossible,
}

/// Shows both keys of a machine, and takes the new one only when a person types its name and a reason.
///
/// # Errors
/// The terminal is gone.
pub fn offer(machine: &str, at: &str, scanned: &Scanned, input: &mut impl BufRead) -> Result<Outcome> {
    println!("\n{machine} ({at}) shows another host key than the one it is known by:\n");
    for old in &scanned.others {
        println!("  known  {:<8} {}", old.key.short_kind(), old.key.fingerprint());
        println!("         {}", old.place);
    }
    println!("  shown  {:<8} {}\n", scanned.key.short_kind(), scanned.fingerprint);
    let files: BTreeSet<&Path> = scanned.others.iter().map(|k| &*k.place.file).collect();
    if let Some(why) = why_not(&files) {
        println!("{}", out::wrap(&format!("The new key cannot be taken: {why}."), 0));
        let file = files.iter().find(|f| replaceable(f).is_err()).or(files.first());
        if let Some(file) = file {
            println!("Whoever may change it, after looking at the machine's console:");
            println!("  ssh-keygen -R \"{}\" -f \"{}\"", scanned.name, file.display());
        }
        return Ok(Outcome::Impossible);
    }
    let kind = scanned.key.short_kind();
    println!("{}", out::wrap(SOMEBODY, 0));
    println!("  ssh-keygen -lf C:\\ProgramData\\ssh\\ssh_host_{kind}_key.pub");
    println!("It must say {}\n", scanned.fingerprint);
    let Some(reason) = decide(machine, input)? else {
        println!("Left as it is: {machine} is not trusted.");
        return Ok(Outcome::Left);
    };
    take(machine, at, scanned, &files, &reason)
}

const SOMEBODY: &str = "Somebody may be in between. Only a machine that was installed anew, or whose keys were replaced on \
                        purpose, shows another key; an upgrade in place keeps it. Compare at the machine's own console, not \
                        over the network:";

fn why_not(files: &BTreeSet<&Path>) -> Option<String> {
    // Without a record there is no decision.
    if diagnostics::folder().is_none() || !tracing::enabled!(tracing::Level::WARN) {
        return Some("nodelift cannot write its log file, where this decision must stand".to_owned());
    }
    files.iter().find_map(|f| replaceable(f).err())
}

/// The reason, where the person typed the name and gave one.
fn decide(machine: &str, input: &mut impl BufRead) -> Result<Option<String>> {
    print!("To take the new key, type the machine's name (Enter leaves it as it is): ");
    if ask(input)?.is_none_or(|typed| typed != machine) {
        return Ok(None);
    }
    for _ in 0..REASON_TRIES {
        print!("Why is it another key? ");
        match ask(input)? {
            None => return Ok(None),
            Some(reason) if reason.chars().count() >= REASON_LEAST => return Ok(Some(reason)),
            Some(_) => println!("The reason needs {REASON_LEAST} characters or more."),
        }
    }
    Ok(None)
}

/// One line without what acts or hides; `None`: nothing was typed.
fn ask(input: &mut impl BufRead) -> io::Result<Option<String>> {
    io::stdout().flush()?;
    let mut line = String::new();
    input.read_line(&mut line)?;
    let clean: String = line.chars().filter(|c| !c.is_control() && !hides(*c)).collect();
    let clean = clean.trim();
    Ok((!clean.is_empty()).then(|| clean.to_owned()))
}

fn take(machine: &str, at: &str, scanned: &Scanned, files: &BTreeSet<&Path>, reason: &str) -> Result<Outcome> {
    let old: Vec<String> =
        scanned.others.iter().map(|k| format!("{} {} ({})", k.key.kind, k.key.fingerprint(), k.place)).collect();
    let (old, new) = (old.join("; "), format!("{} {}", scanned.key.kind, scanned.fingerprint));
    let by = format!("{}@{}", session::actor(), session::host());
    tracing::warn!(machine, at, name = scanned.name, old, new, by, reason, "a changed host key is accepted");
    for file in files {
        match replace(file, &scanned.name, &scanned.key) {
            Ok(copy) => {
                println!("Written to {}; as it was: {}", file.display(), copy.display());
                tracing::warn!(machine, file = %file.display(), "its old key was replaced");
            }
            Err(why) => {
                tracing::warn!(machine, why, "its old key was not replaced");
                println!("{}", out::wrap(&format!("Nothing was changed there: {why}."), 0));
                return Ok(Outcome::Impossible);
            }
        }
    }
    println!("{machine} is trusted by its new key. On the screen, C connects again.");
    Ok(Outcome::Taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(typed: &str) -> Option<String> {
        decide("HCI-N2", &mut typed.as_bytes()).expect("it is text")
    }

    #[test]
    fn only_the_name_and_a_reason_decide() {
        let reason = "reinstalled, ticket 4711";
        assert_eq!(said(&format!("HCI-N2\n{reason}\n")).as_deref(), Some(reason));
        assert_eq!(said(&format!("  HCI-N2 \r\n\u{1b}{reason}\u{202e}\r\n")).as_deref(), Some(reason));
        assert_eq!(said(&format!("HCI-N2\nshort\n{reason}\n")).as_deref(), Some(reason), "asked again");
        for typed in
            ["", "\n", "yes\n", "y\n", "HCI-N1\n", "hci-n2\n", "HCI-N2\n", "HCI-N2\n\n", "HCI-N2\nfourteen chars"]
        {
            assert_eq!(said(&format!("{typed}\n\n{reason}\n")), None, "{typed:?}");
        }
        assert_eq!(said(&format!("HCI-N2\na\nb\nc\n{reason}\n")), None);
    }
}
