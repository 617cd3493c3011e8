//! Processes of imitated machines: found by what their environment says, ended by their ids.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};

/// What a process that belongs to a restart is called: it ends the others and must live on.
const RESTART: &str = "lab-restart";

/// A program of the search path, or of where servers lie.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|f| f.join(name)).find(|p| p.is_file())
}

/// Processes whose environment names this world, and this machine where one is given.
pub fn of_world(world: &Path, machine: Option<&str>) -> Vec<u32> {
    let world = format!("NODELIFT_LAB_WORLD={}", world.display());
    let machine = machine.map(|m| format!("NODELIFT_LAB_NODE={m}"));
    let belongs = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let has = |wanted: &str| environment.split(|b| *b == 0).any(|v| v == wanted.as_bytes());
        has(&world) && machine.as_deref().is_none_or(has)
    };
    let own = std::process::id();
    all().into_keys().filter(|pid| *pid != own).filter(belongs).collect()
}

/// A process and everything below it.
pub fn tree(root: u32) -> Vec<u32> {
    let parents = all();
    let mut found = vec![root];
    let mut i = 0;
    while i < found.len() {
        let above = found[i];
        found.extend(parents.iter().filter(|(_, parent)| **parent == above).map(|(pid, _)| *pid));
        i += 1;
    }
    found
}

/// Those that restart a machine, and what they started.
pub fn restarters(world: &Path, machine: &str) -> Vec<u32> {
    let restarts = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(RESTART)
    };
    of_world(world, Some(machine)).into_iter().filter(restarts).flat_map(tree).collect()
}

/// Ends a process at once. One that is gone already is no error.
pub fn end(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// When a process started, by the kernel's clock; none when it is gone.
pub fn started(pid: u32) -> Option<Timestamp> {
    let ticks: f64 = stat(pid)?.get(19)?.parse().ok()?;
    let kernel = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = kernel.lines().find_map(|l| l.strip_prefix("btime "))?.trim().parse().ok()?;
    // A tick is 10 ms wherever Linux runs.
    Timestamp::from_millisecond(((boot + ticks / 100.0) * 1000.0) as i64).ok()
}

/// Name and start of a process that is registered on a machine's disk: what `Get-Process` finds there.
pub fn registered(disk: &Path, pid: u32) -> Option<(String, Timestamp)> {
    let entry = fs::read_to_string(disk.join(".proc").join(pid.to_string())).ok()?;
    let (name, start) = entry.trim().split_once(' ')?;
    (stat(pid)?.get(19)? == start).then_some(())?;
    Some((name.to_owned(), started(pid)?))
}

/// Every process and its parent.
fn all() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?.get(1)?.parse().ok()?))).collect()
}

/// What follows the name in a process's line: state, parent, …; nothing for one that only waits to be collected.
fn stat(pid: u32) -> Option<Vec<String>> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<String> = line.rsplit_once(") ")?.1.split_whitespace().map(str::to_owned).collect();
    (fields.first()? != "Z").then_some(fields)
}
