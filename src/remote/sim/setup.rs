//! Windows Setup of a medium, started on an imitated machine: what it refuses, how long it takes, what its next restart brings.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::fault::StageFault;
use super::world::{Fields, World, later, stored};

const GB: f64 = 1024.0 * 1024.0 * 1024.0;

/// Where Setup says how far it is, while an upgrade is under way (in-place-upgrade 4.5).
const VOLATILE: &str = "HKLM:\\SYSTEM\\Setup\\MoSetup\\Volatile";

/// A rollback, mostly because of a driver.
pub(super) const ROLLED_BACK: u64 = 0xC190_0101;

/// Codes after which the upgrade is prepared (in-place-upgrade 4.3).
const STAGED: [u64; 3] = [0, 3, 3010];

impl World {
    /// Setup begins, up to its first restart. Gives when it ends, where it does, and its code.
    pub(super) fn start_setup(&mut self, machine: &str, medium: &Json, at: Timestamp) -> (Option<Timestamp>, u64) {
        let refused = refusal(self.machine(machine)).map(|(code, _)| code);
        let fault = self.stage_fault("install", Some(machine));
        let fault = StageFault::of(fault.as_ref());
        let failed = fault.fail.as_ref().map(|text| number(text).unwrap_or(ROLLED_BACK));
        let code = refused.or(failed);
        let install = if refused.is_some() { 0.0 } else { self.timing(machine, "install") * fault.slow };
        let share = if code.is_some() { 0.6 } else { 1.0 };
        let seconds = self.timing(machine, "scan") + install * share;
        let until = (!fault.hang).then(|| later(at, seconds));
        let own = self.machine(machine).get("setup").and_then(|s| s.number("exit_code")).map(|c| c as u64);
        let code = code.or(own).unwrap_or(0);
        let setup = self.machine_mut(machine).slot("setup");
        setup.put("began", stored(at));
        setup.put("until", until.map_or_else(|| json!("never"), |u| json!(stored(u))));
        setup.put("ends_with", code);
        setup.put("medium", medium.clone());
        self.put_progress(machine, 0, None);
        (until, code)
    }

    /// When Setup on a machine ends.
    pub(super) fn setup_time(&self, machine: &str) -> Option<Timestamp> {
        self.machine(machine).get("setup")?.time("until")
    }

    /// Setup has come to its end before the restart.
    pub(super) fn setup_due(&mut self, machine: &str) {
        let setup = self.machine_mut(machine).slot("setup");
        setup.put("until", Json::Null);
        let code = setup.number("ends_with").unwrap_or(0.0) as u64;
        if STAGED.contains(&code) {
            let medium = setup.get("medium").cloned().unwrap_or(Json::Null);
            let field = |name: &str| medium.get(name).cloned().unwrap_or(Json::Null);
            let staged = json!({
                "build": field("build"), "ubr": field("ubr"), "display_version": field("display_version"),
            });
            setup.put("staged", staged);
        }
        self.put_progress(machine, 100, Some(code));
    }

    fn put_progress(&mut self, machine: &str, percent: u64, result: Option<u64>) {
        let key = self.machine_mut(machine).slot("registry").slot(VOLATILE);
        key.put("SetupProgress", json!({"type": "DWord", "value": percent}));
        if let Some(code) = result {
            key.put("BoxResult", json!({"type": "DWord", "value": code}));
        }
    }

    /// A restart ends Setup, wherever it was; one that was prepared is committed by it. Gives the seconds that the restart takes then.
    pub(super) fn commit_setup(&mut self, machine: &str) -> Option<f64> {
        let m = self.machine_mut(machine);
        if let Some(registry) = m.get_mut("registry").and_then(Json::as_object_mut) {
            registry.remove(VOLATILE);
        }
        let setup = m.get_mut("setup").filter(|s| s.is_object())?;
        setup.put("until", Json::Null);
        let staged = setup.get("staged").filter(|s| s.is_object()).cloned()?;
        setup.put("staged", Json::Null);
        setup.put("began", Json::Null);
        let (mut after, factor, _) = self.after_upgrade(machine, Some(&staged));
        after.put("hooks", self.machine(machine).get("ssh").is_some_and(|s| s.truth("hooks")));
        self.machine_mut(machine).put("after_boot", after);
        Some((self.timing(machine, "reboot") + self.timing(machine, "install")) * factor)
    }

    /// What the restart of an upgrade brings by the faults of this machine, the factor of its time, and its fault; `os` is none where
    /// the restart brings no other system.
    pub(super) fn after_upgrade(&mut self, machine: &str, os: Option<&Json>) -> (Json, f64, Json) {
        let mut after = json!({});
        if let Some(os) = os {
            after.put("os", os.clone());
            after.put("files", json!(["C:\\Windows\\Panther\\setupact.log"]));
        }
        let fault = self.stage_fault("reboot", Some(machine)).unwrap_or(Json::Null);
        let mut rolls_back = self.machine(machine).get("setup").is_some_and(|s| s.truth("rolls_back"));
        let mut factor = StageFault::of(Some(&fault)).slow;
        if fault.truth("never_returns") || fault.truth("hang") {
            factor = f64::INFINITY;
        }
        rolls_back |= fault.truth("old_build");
        if fault.truth("twice") {
            let again = self.timing(machine, "reboot") * factor;
            after.put("again", if again.is_finite() { Json::from(again) } else { Json::Null });
        }
        for effect in
            ["no_ssh", "no_repair", "reverts_registry", "refs_offline", "adapter_renamed", "adapter_numbered"]
        {
            if fault.truth(effect) {
                after.put(effect, true);
            }
        }
        if os.is_some() && rolls_back {
            after.put("os", Json::Null);
            after.put("files", json!(["C:\\$Windows.~BT\\Sources\\Rollback\\setupact.log"]));
        }
        (after, factor, fault)
    }
}

/// Why Windows Setup would refuse on this machine: its code, and what blocks.
pub(super) fn refusal(machine: &Json) -> Option<(u64, String)> {
    let pending = machine.get("reboot_pending").is_some_and(|p| p.truth("cbs") || p.truth("wu"));
    if pending {
        return Some((0xC190_0107, "a restart is pending".into()));
    }
    if machine.number("system_drive_free").is_some_and(|f| f < 10.0 * GB) {
        return Some((0xC190_020E, "not enough disk space".into()));
    }
    let setup = machine.get("setup")?;
    if let Some(block) = setup.list("blocks").first() {
        let name = block.as_str().or_else(|| block.text("name")).unwrap_or("something");
        return Some((0xC190_0208, format!("{name} blocks the upgrade")));
    }
    let code = setup.number("exit_code").map(|c| c as i64 as u64 & 0xFFFF_FFFF)?;
    (!STAGED.contains(&code)).then(|| (code, String::new()))
}

fn number(text: &str) -> Option<u64> {
    let digits = text.split_whitespace().find_map(|w| w.strip_prefix("0x"))?;
    u64::from_str_radix(digits.trim_end_matches(|c: char| !c.is_ascii_hexdigit()), 16).ok()
}
