//! The program before a lab: in a terminal, by keys, or without a screen; and the runs that it leaves behind. Include it with
//! `#[path = "lab/trial.rs"] mod trial;`: terminal and words come with it.
// Each program that includes it uses a part.
#![allow(dead_code)]

#[path = "mod.rs"]
pub mod lab;
#[path = "../support/pty.rs"]
pub mod pty;
#[path = "../support/said.rs"]
pub mod said;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nodelift::core::event::{Event, Stamped};
use nodelift::core::plan::Plan;
use nodelift::journal;
use portable_pty::CommandBuilder;
use serde_json::{Value as Json, json};

use lab::{Engine, Lab, Options, processes};
use pty::Terminal;

/// Machines of the cluster in every world that is tried here.
pub const NODES: [&str; 4] = ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"];

/// The folder with the installation media on every node.
pub const MEDIA: &str = r"C:\ClusterUpgrade\2503";

/// A lab, and the program with a home of its own in the lab's folder.
pub struct Trial {
    pub lab: Lab,
    rate: f64,
}

impl Trial {
    /// Starts a lab whose clock runs that much faster than ours; a PowerShell process takes its time to start, so with one it is a
    /// fifth of that. None, and the words are said, where no lab is possible.
    pub fn start(world: &str, rate: f64, change: impl FnOnce(&mut Json) + 'static) -> Option<Self> {
        if let Err(why) = Lab::is_possible() {
            said::skipped(&why);
            return None;
        }
        let rate = if matches!(Engine::find(), Ok(Engine::StandIn(_))) { rate } else { rate / 5.0 };
        let options = Options { rate, change: Box::new(change), ..Options::default() };
        let lab = Lab::start(world, options).unwrap_or_else(|e| panic!("{e}"));
        said::say(&format!("{} answers", lab.engine().name()));
        Some(Self { lab, rate })
    }

    /// Real time that so many minutes at the site take at most.
    pub fn minutes(&self, site: f64) -> Duration {
        Duration::from_secs_f64(site * 60.0 / self.rate) + Duration::from_secs(120)
    }

    /// The program at 120×40 in a terminal.
    pub fn nodelift(&self, arguments: &[&str]) -> Terminal {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_nodelift"));
        command.args(arguments);
        command.cwd(self.lab.folder());
        for (name, value) in self.home() {
            command.env(name, value);
        }
        Terminal::open(command, pty::size(120, 40))
    }

    /// `nodelift run` before the lab's inventory, in a terminal.
    pub fn run(&self, more: &[&str]) -> Terminal {
        let inventory = self.lab.inventory().display().to_string();
        self.nodelift(&[&["run", "-i", &inventory], more].concat())
    }

    /// The same without a screen, to its end: its exit code, and what it said.
    pub fn headless(&self, more: &[&str]) -> (Option<i32>, String) {
        let inventory = self.lab.inventory().display().to_string();
        self.ran(&[&["run", "--headless", "-i", &inventory], more].concat())
    }

    /// The program without a terminal, to its end: its exit code, and what it said.
    pub fn ran(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodelift"));
        command.args(arguments);
        command.current_dir(self.lab.folder()).envs(self.home()).stdin(Stdio::null());
        let out = command.output().expect("it runs");
        let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        (out.status.code(), text)
    }

    /// Ends the engine, as a power cut would.
    pub fn kill_engine(&self) {
        let engines = self.engines();
        assert_eq!(engines.len(), 1, "{engines:?}");
        engines.into_iter().for_each(processes::end);
    }

    /// Engines of the lab's runs.
    pub fn engines(&self) -> Vec<u32> {
        let is_engine = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|b| *b == 0).rfind(|a| !a.is_empty()) == Some(b"engine")
        };
        processes::of_world(self.lab.world().path(), None).into_iter().filter(is_engine).collect()
    }

    /// Where the program finds the lab's state, and nothing else.
    pub fn home(&self) -> [(&'static str, PathBuf); 4] {
        let folder = self.lab.folder();
        [
            // By this what is left of it is ended with the lab.
            ("NODELIFT_LAB_WORLD", self.lab.world().path().to_owned()),
            ("HOME", folder.to_owned()),
            ("XDG_CONFIG_HOME", folder.join("config")),
            ("NODELIFT_STATE", folder.join("state")),
        ]
    }

    /// Writes the lab's inventory anew.
    pub fn inventory(&self, change: impl FnOnce(String) -> String) {
        let own = fs::read_to_string(self.lab.inventory()).expect("an inventory");
        fs::write(self.lab.inventory(), change(own)).expect("written");
    }

    /// Folders of the runs so far, oldest first.
    pub fn runs(&self) -> BTreeSet<PathBuf> {
        let all = fs::read_dir(self.lab.folder().join("state/runs/HCI-CL1")).expect("runs").flatten();
        all.map(|r| r.path()).filter(|p| p.is_dir()).collect()
    }

    /// The only run.
    pub fn the_run(&self) -> PathBuf {
        let mut runs = self.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.pop_first().expect("one")
    }

    /// The world as it is now.
    pub fn world(&self) -> Json {
        self.lab.world().look(|w, _| w.json().clone()).expect("a world")
    }

    /// Every node runs this build.
    #[track_caller]
    pub fn all_run(&self, build: u64) {
        let world = self.world();
        let builds = NODES.map(|n| world["machines"][n]["os"]["build"].as_u64());
        assert_eq!(builds, [Some(build); 4]);
    }
}

/// What the journal of a run says.
pub fn events(run: &Path) -> Vec<Stamped> {
    journal::read(&run.join("journal")).expect("a journal").events
}

/// How many of its events are such.
pub fn count(events: &[Stamped], is: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|e| is(&e.event)).count()
}

/// The plan of a run.
pub fn plan(run: &Path) -> Arc<Plan> {
    journal::read_plan(run).expect("a plan").0
}

/// The next version is offered and lies on the nodes; what every machine does takes minutes, not hours.
pub fn to_24h2(world: &mut Json) {
    world["update_service"]["feature_update"] = json!({
        "id": "8c0d9a11-02b7-4c7e-9a0e-6d3f5b2a7e10", "title": "Feature update to Azure Stack HCI, version 24H2",
        "target_build": 26100, "target_ubr": 4061, "display_version": "24H2",
    });
    for medium in world["media"].as_array_mut().expect("media") {
        (medium["build"], medium["ubr"]) = (json!(26100), json!(4061));
    }
    quick(world);
}

/// What every machine does takes minutes, not hours.
pub fn quick(world: &mut Json) {
    let times = [("stage", 300), ("drain", 60), ("install", 600), ("reboot", 300), ("resync", 120)];
    for (name, seconds) in times {
        world["timing"][name] = json!(seconds);
    }
}

/// An inventory that asks for it.
pub fn asks_for_24h2(own: String) -> String {
    own.replace("target = \"23H2\"", "target = \"24H2\"")
}

/// The account of the updating role is an administrator of every node.
pub fn role_may_install(world: &mut Json) {
    for node in NODES {
        world["machines"][node]["administrators"] = json!(["CORP\\upgradeadmin", "CORP\\CAUHCI-CL1x8$"]);
    }
}

/// An inventory for the route by Windows Admin Center: no coordinator, and credentials to hand on.
pub fn by_the_cluster_itself(own: String) -> String {
    let (before, rest) = own.split_once("\n[coordinator]").expect("a coordinator");
    let nodes = rest.find("\n[[node]]").expect("nodes");
    let text = format!("{before}{}", &rest[nodes..]).replace("azure-local-powershell", "azure-local-wac");
    let given = "\n[credentials]\naccount = 'CORP\\upgradeadmin'\npassword_command = [\"echo\", \"lab\"]\n\n[settings]\ncredssp = true\n";
    text + given
}

/// Opens the step that waits, types the cluster's name and a reason, and goes to the button.
pub fn commit(t: &mut Terminal, patience: Duration) {
    t.press("m");
    t.shows("cannot be undone ─");
    t.wait_for(patience, "a proof", |t| t.text().contains("Proved"));
    t.press("HCI-CL1\tchange 4711 approved\t\t\r");
}
