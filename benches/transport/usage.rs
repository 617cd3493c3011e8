//! What a process uses, as Linux tells it.

use std::fs;
use std::time::Duration;

/// Processor time of this process: all threads, user and system.
pub fn processor() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    // Ticks of a hundredth of a second, since Linux 2.6.
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// The most memory that was resident so far, in MiB.
pub fn peak_mib() -> f64 {
    status("VmHWM:") as f64 / 1024.0
}

pub fn threads() -> u64 {
    status("Threads:")
}

/// Processes that this one has started and that still live.
pub fn children() -> usize {
    descendants(std::process::id()).len()
}

pub fn handles() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// All processes below one.
pub fn descendants(of: u32) -> Vec<u32> {
    let mut found = vec![of];
    let mut next = 0;
    while next < found.len() {
        let tasks = fs::read_dir(format!("/proc/{}/task", found[next])).into_iter().flatten().flatten();
        for task in tasks {
            let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(list.split_whitespace().filter_map(|p| p.parse::<u32>().ok()));
        }
        next += 1;
    }
    found.split_off(1)
}

/// Load of the machine over the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0)
}
