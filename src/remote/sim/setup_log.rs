//! What Windows Setup writes on an imitated machine while it installs: a line for each percent, a warning on the way.

use jiff::Timestamp;

use super::world::{Fields, World, later};

/// Where Setup writes before the first restart (in-place-upgrade 4.5).
pub const PATH: &str = r"C:\$WINDOWS.~BT\Sources\Panther\setupact.log";

/// Seconds at the site between two lines.
const EVERY: f64 = 24.0;

/// The file as it is now; none before Setup has begun.
pub fn setup_log(world: &World, machine: &str, now: Timestamp) -> Option<String> {
    let by_run = || world.run_node(machine)?.get("timing")?.time("InstallStart");
    let began = world.machine(machine).get("setup").and_then(|s| s.time("began")).or_else(by_run)?;
    let mut text = String::new();
    for percent in 0..=100 {
        let at = later(began, EVERY * f64::from(percent));
        if at > now {
            break;
        }
        let stamp = at.strftime("%Y-%m-%d %H:%M:%S");
        if percent == 7 {
            text +=
                &format!("{stamp}, Warning               SP     The time of the last backup is not known.\r\n");
        }
        text +=
            &format!("{stamp}, Info                  MOUPG  SetupManager::ReportProgress: Percent: {percent}\r\n");
    }
    Some(text)
}
