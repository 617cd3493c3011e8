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
            let newest = std::fs::read_dir(cluster.path())
                .ok()?
                .flatten()
                .map(|e| e.path())
                .filter(|p| p.is_dir())
                .max()?;
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
            let builds = s.plan.nodes.iter().filter_map(|n| s.machines.get(n)?.build());
            let build = builds.min().map_or_else(String::new, |b| format!("build {b}"));
            let (done, of) = nodes_done(s);
            let progress = if s.run.is_some() { format!("{done} of {of} done") } else { String::new() };
            let age =
                s.at.map_or_else(String::new, |at| format!("{} ago", duration(now.duration_since(at).as_secs())));
            let go_on = match &s.phase {
                p if p.is_terminal() => "",
                Phase::Draft | Phase::Checking | Phase::Blocked | Phase::Ready => "",
                _ => "\n       it has not ended: nodelift run goes on with it",
            };
            out.push_str(&format!(
                "    {}  {:<15} {:<11} {:<21} {progress:<13} {age}{go_on}\n",
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
    use crate::core::state::Seen;

    #[test]
    fn a_known_system_is_one_narrow_line_with_the_build_of_its_nodes() {
        let site = crate::runbook::Site {
            cluster: "HCI-CL1".into(),
            nodes: vec!["HCI-N1".into()],
            coordinator: Some("COORD01".into()),
            ..Default::default()
        };
        let runbook = crate::runbook::Library::new(None).load(super::super::site::DEFAULT_RUNBOOK).unwrap();
        let mut state = State::new(std::sync::Arc::new(runbook.plan(&site).unwrap()));
        for (name, build) in [("HCI-N1", 25398), ("COORD01", 20348)] {
            let host = serde_json::json!({
                "computer": name, "build": build, "ubr": 1, "display_version": null, "caption": "x",
                "boot_utc": "2025-06-08T06:02:11Z", "now_utc": "2025-06-14T08:00:00Z", "windeploy": false,
            });
            let seen = Seen { at: Timestamp::UNIX_EPOCH, value: serde_json::from_value(host).unwrap() };
            state.machines.get_mut(&crate::core::name::NodeName::new(name)).unwrap().host = Some(seen);
        }
        state.phase = Phase::AwaitingCommit;
        state.at = Some(Timestamp::UNIX_EPOCH);
        let page = page(&[Known { folder: PathBuf::new(), state }], Timestamp::UNIX_EPOCH);
        assert!(page.contains("1  HCI-CL1         build 25398 awaiting commit"), "{page}");
        assert!(page.contains("it has not ended"), "{page}");
        assert!(page.lines().all(|l| l.chars().count() <= 80), "{page}");
    }

    #[test]
    fn the_first_page_says_what_it_is_in_ten_lines() {
        let page = page(&[], Timestamp::UNIX_EPOCH);
        assert!(page.trim().lines().filter(|l| !l.trim().is_empty()).count() <= 10, "{page}");
        assert!(page.lines().all(|l| l.chars().count() <= 80), "{page}");
    }
}
