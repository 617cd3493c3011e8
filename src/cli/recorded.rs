//! A run as its folder has it: plan and journal, for whoever looks at it afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::core::event::{Event, Stamped};
use crate::core::plan::Plan;
use crate::journal::{self, Ending};

/// What was read.
pub struct Recorded {
    pub folder: PathBuf,
    pub plan: Arc<Plan>,
    pub events: Vec<Stamped>,
    /// Hash of the last good record.
    pub head: Option<String>,
    /// What is wrong with the end of the journal; the events are good up to there.
    pub flaw: Option<String>,
}

/// Reads a run's folder, its `journal` folder, or a segment in it.
///
/// # Errors
/// It is none, or nothing in it can be believed; in words.
pub fn read(path: &Path) -> Result<Recorded, String> {
    let folder = [Some(path), path.parent(), path.parent().and_then(Path::parent)]
        .into_iter()
        .flatten()
        .find(|p| p.join("plan.json").is_file())
        .ok_or_else(|| {
            let such = newest_below(path, 2).map_or_else(String::new, |p| format!(", such as {}", p.display()));
            format!("there is no plan.json: name the folder of a run{such}")
        })?;
    let (plan, sha256) = journal::read_plan(folder).map_err(|e| format!("plan.json cannot be read: {e}"))?;
    let read = journal::read(&folder.join("journal")).map_err(|e| format!("the journal cannot be read: {e}"))?;
    let flaw = match &read.ending {
        Ending::Whole => None,
        Ending::Torn => Some("The last record is cut off".to_owned()),
        Ending::Corrupt { segment, line, why } => Some(format!("{}:{line}: {why}", segment.display())),
    };
    let sealed = read.events.iter().find_map(|e| match &e.event {
        Event::PlanSealed(s) => Some(s.plan_sha256.as_str()),
        _ => None,
    });
    if sealed.is_some_and(|s| s != sha256) {
        return Err("plan.json is not the plan that this run was sealed with".into());
    }
    if read.events.is_empty() {
        return Err("the journal is empty".into());
    }
    Ok(Recorded { folder: folder.to_owned(), plan, events: read.events, head: read.previous, flaw })
}

/// The newest run in a folder, so many levels down: their names are in the order of time.
fn newest_below(folder: &Path, levels: u32) -> Option<PathBuf> {
    if levels == 0 {
        return None;
    }
    let mut below: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).collect();
    below.sort_unstable_by(|a, b| b.cmp(a));
    below
        .iter()
        .filter(|p| p.is_dir())
        .find_map(|p| if p.join("plan.json").is_file() { Some(p.clone()) } else { newest_below(p, levels - 1) })
}
