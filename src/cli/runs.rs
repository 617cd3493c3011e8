//! The runs that lie in the state folder, and the one a person means.

use std::path::{Path, PathBuf};

use crate::config::settings::Settings;
use crate::core::state::State;
use crate::journal::{self, ClusterFolder};
use crate::link::socket;

/// Folders of a cluster that are looked at: most of them only checked.
const LOOKED_AT: usize = 50;

/// A run, by its journal.
pub struct Found {
    pub folder: PathBuf,
    pub state: State,
    /// It has an engine.
    pub live: bool,
}

impl Found {
    /// Reads a run; `None`: its folder holds none that can be believed.
    pub fn read(folder: &Path) -> Option<Self> {
        let (plan, _) = journal::read_plan(folder).ok()?;
        let read = journal::read(&folder.join("journal")).ok()?;
        let mut state = State::new(plan);
        read.events.iter().for_each(|e| state.apply(e));
        Some(Self { folder: folder.to_owned(), state, live: socket::is_live(folder) })
    }

    /// Its name.
    pub fn id(&self) -> String {
        self.folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
    }

    /// It did more than check.
    fn did_something(&self) -> bool {
        self.live || self.state.run.is_some() || self.state.sequence.is_some()
    }
}

/// Every cluster's folder.
fn clusters(settings: &Settings) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(settings.state.join("runs")).into_iter().flatten().flatten();
    let mut out: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| p.is_dir()).collect();
    out.sort_unstable();
    out
}

/// Runs worth a line: of each cluster the newest that did something, or all of them; the newest first.
pub fn all(settings: &Settings, every: bool) -> Vec<Found> {
    let mut out = Vec::new();
    for cluster in clusters(settings) {
        let runs = ClusterFolder::runs_in(&cluster);
        let mut known = runs.iter().take(LOOKED_AT).filter_map(|p| Found::read(p)).filter(Found::did_something);
        if every {
            out.extend(known);
        } else {
            out.extend(known.next());
        }
    }
    out.sort_by_key(|f| std::cmp::Reverse(f.state.at));
    out
}

/// The run a person means: a cluster, the beginning of a run's name, or a folder; nothing: the one that is under way.
///
/// # Errors
/// There is none, or more than one: in words, with what there is.
pub fn find(settings: &Settings, named: Option<&str>) -> Result<Found, String> {
    let Some(name) = named else {
        let mut open = all(settings, false);
        open.retain(|f| f.live || f.state.needs_engine());
        return match open.len() {
            0 => Err(none(settings, "no run is under way")),
            1 => Ok(open.remove(0)),
            _ => Err(format!("more than one run is under way: name one of {}", names(&open))),
        };
    };
    let unreadable = || format!("{name}: its journal cannot be read");
    let path = Path::new(name);
    if path.join("plan.json").is_file() {
        return Found::read(path).ok_or_else(unreadable);
    }
    let named_so = |path: &Path, name: &str| {
        path.file_name().is_some_and(|n| n.to_string_lossy().eq_ignore_ascii_case(&name.replace(['/', '\\'], "_")))
    };
    let clusters = clusters(settings);
    if let Some(cluster) = clusters.iter().find(|c| named_so(c, name)) {
        let runs = ClusterFolder::runs_in(cluster);
        let readable = || runs.iter().take(LOOKED_AT).filter_map(|p| Found::read(p));
        // One that only checked is meant where there is no other.
        return readable().find(Found::did_something).or_else(|| readable().next()).ok_or_else(unreadable);
    }
    let mut meant: Vec<PathBuf> = clusters.iter().flat_map(|c| ClusterFolder::runs_in(c)).collect();
    meant.retain(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(name)));
    match meant.as_slice() {
        [one] => Found::read(one).ok_or_else(unreadable),
        [] => Err(none(settings, &format!("no cluster and no run is called {name}"))),
        more => Err(format!("{} runs begin with {name}: write more of it", more.len())),
    }
}

fn none(settings: &Settings, why: &str) -> String {
    let known = all(settings, false);
    if known.is_empty() {
        format!("{why}, and no run is known in {}", settings.state.join("runs").display())
    } else {
        format!("{why}; known are {}", names(&known))
    }
}

fn names(runs: &[Found]) -> String {
    let names: Vec<&str> = runs.iter().map(|f| f.state.plan.cluster.as_str()).collect();
    names.join(", ")
}
