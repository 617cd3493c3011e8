//! `nodelift` alone: the systems it knows, or what it is and three ways to begin, by one key each.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use color_eyre::eyre::Result;
use jiff::Timestamp;

use super::{Exit, demo};
use crate::config::settings::Settings;
use crate::core::run::Phase;
use crate::core::state::State;
use crate::core::summary::{duration, nodes_done};
use crate::journal;
use crate::term;

pub fn home(settings: &Settings) -> Result<Exit> {
    let runs = runs(&settings.state);
    print!("{}", page(&runs, Timestamp::now()));
    let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !interactive {
        return Ok(Exit::Succeeded);
    }
    std::io::stdout().flush()?;
    match term::one_key()? {
        Some('d') => demo::Demo::default().run(settings),
        Some('i') => {
            println!("\nnodelift init\n");
            super::init::Init::new("inventory.toml").run(settings)
        }
        Some('c') => {
            println!("\nnodelift check -i inventory.toml\n");
            if Path::new("inventory.toml").is_file() {
                super::check::Check::of("inventory.toml").run(settings)
            } else {
                println!(
                    "There is no inventory.toml here yet. Describe your cluster first: press i, or nodelift init."
                );
                Ok(Exit::Usage)
            }
        }
        Some(n @ '1'..='9') => {
            let index = n as usize - '1' as usize;
            match runs.get(index) {
                Some(run) => super::replay::Replay::of(&run.folder).run(settings),
                None => Ok(Exit::Succeeded),
            }
        }
        _ => {
            println!();
            Ok(Exit::Succeeded)
        }
    }
}

/// A run that lies in the state folder.
struct Known {
    folder: PathBuf,
    state: State,
}

/// The newest run of every cluster, newest first.
fn runs(state: &Path) -> Vec<Known> {
    let clusters = std::fs::read_dir(state.join("runs")).into_iter().flatten().flatten();
    let mut out: Vec<Known> = clusters
        .filter_map(|cluster| {
            let newest = std::fs::read_dir(cluster.path()).ok()?.flatten().map(|e| e.path()).max()?;
            let (plan, _) = journal::read_plan(&newest).ok()?;
            let mut state = State::new(plan);
            for event in journal::read(&newest.join("journal")).ok()?.events {
                state.apply(&event);
            }
            Some(Known { folder: newest, state })
        })
        .collect();
    out.sort_by_key(|k| std::cmp::Reverse(k.state.at));
    out.truncate(9);
    out
}

fn page(runs: &[Known], now: Timestamp) -> String {
    let mut out = String::from("\n  nodelift takes Windows clusters to the next OS version, node by node.\n");
    if runs.is_empty() {
        out.push_str(
            "\n  It checks over SSH whether the nodes are ready, fixes what it can, starts\n  \
             the upgrade, watches it for hours with live logs, proves every node, and\n  \
             leaves what cannot be undone to you. Nothing is changed before you say so.\n",
        );
    } else {
        out.push_str("\n  Systems it knows\n");
        for (i, k) in runs.iter().enumerate() {
            let s = &k.state;
            let build = s
                .machines
                .values()
                .filter_map(|m| m.build())
                .min()
                .map_or_else(String::new, |b| format!("build {b}"));
            let (done, of) = nodes_done(s);
            let progress = if s.run.is_some() { format!("{done} of {of} done") } else { String::new() };
            let age =
                s.at.map_or_else(String::new, |at| format!("{} ago", duration(now.duration_since(at).as_secs())));
            let go_on = match &s.phase {
                p if p.is_terminal() => "",
                Phase::Draft | Phase::Checking | Phase::Blocked | Phase::Ready => "",
                _ => "  goes on with: nodelift run",
            };
            out.push_str(&format!(
                "    {}  {:<16} {:<12} {:<22} {progress:<14} {age}{go_on}\n",
                i + 1,
                s.plan.cluster,
                build,
                s.phase.word()
            ));
        }
    }
    out.push_str("\n    d  see a whole upgrade in two minutes, on an imitated cluster\n");
    out.push_str("    i  describe my cluster: an inventory by asking\n");
    out.push_str("    c  check my cluster, change nothing\n");
    if !runs.is_empty() {
        out.push_str("    1  play the last run of a system again\n");
    }
    out.push_str("\n  nodelift --help says the rest. Any other key leaves.\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_page_says_what_it_is_in_ten_lines() {
        let page = page(&[], Timestamp::UNIX_EPOCH);
        assert!(page.trim().lines().filter(|l| !l.trim().is_empty()).count() <= 10, "{page}");
        assert!(page.lines().all(|l| l.chars().count() <= 80), "{page}");
    }
}
