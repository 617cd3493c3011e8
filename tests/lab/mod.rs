//! A whole site on loopback: one real OpenSSH server for each machine of a world, and whoever ends and starts them as the
//! machines go away and come back. Include it with `#[path = "lab/mod.rs"] mod lab;`.
// Each program that includes it uses a part.
#![allow(dead_code, unused_imports)]

pub mod frames;
pub mod processes;
pub mod server;
pub mod site;
pub mod supervisor;
pub mod worker;
pub mod world_file;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub use site::{Lab, Options};
pub use worker::{Answer, Worker};
pub use world_file::WorldFile;

/// Folder with what an imitated machine is made of: `bin`, `modules`, `worlds`.
pub fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab")
}

/// The stand-in beside this program, built anew where the program was started by Cargo: a run of one test does not build it.
fn stand_in() -> Result<PathBuf, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let find = || {
        let here = std::env::current_exe().map_err(|e| e.to_string())?;
        // A test is in `deps`, the example in `examples`, both in the folder of the profile.
        let profile = here.parent().and_then(Path::parent).ok_or("this program has no folder")?;
        let path = profile.join("examples").join(format!("lab{}", std::env::consts::EXE_SUFFIX));
        if let (Some(cargo), Some(target), true) = (std::env::var_os("CARGO"), profile.parent(), here != path) {
            let mut build = Command::new(cargo);
            build.args(["build", "--quiet", "--example", "lab"]).arg("--target-dir").arg(target);
            match profile.file_name().and_then(|n| n.to_str()) {
                Some("debug") | None => {}
                Some(name) => drop(build.args(["--profile", name])),
            }
            if cfg!(feature = "vendored") {
                build.args(["--features", "vendored"]);
            }
            let done = build.current_dir(env!("CARGO_MANIFEST_DIR")).output();
            let done = done.map_err(|e| format!("cargo: {e}"))?;
            if !done.status.success() {
                return Err(String::from_utf8_lossy(&done.stderr).into_owned());
            }
        }
        if path.exists() {
            Ok(path)
        } else {
            Err(format!("{} is missing: cargo build --example lab", path.display()))
        }
    };
    FOUND.get_or_init(find).clone()
}

/// Who answers scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A PowerShell engine with the lab's modules: the scripts themselves run.
    PowerShell(PathBuf),
    /// The example `lab`: it speaks the worker's protocol and answers by the simulator.
    StandIn(PathBuf),
}

impl Engine {
    /// `NODELIFT_LAB_PWSH`, else `pwsh`, else the stand-in beside this program.
    ///
    /// # Errors
    /// There is none: in words.
    pub fn find() -> Result<Self, String> {
        if let Some(path) = std::env::var_os("NODELIFT_LAB_PWSH") {
            let path = PathBuf::from(path);
            let own = path.file_stem().is_some_and(|n| n == "lab");
            return Ok(if own { Engine::StandIn(path) } else { Engine::PowerShell(path) });
        }
        if let Some(path) = processes::program("pwsh") {
            return Ok(Engine::PowerShell(path));
        }
        stand_in().map(Engine::StandIn)
    }

    pub fn path(&self) -> &Path {
        match self {
            Engine::PowerShell(path) | Engine::StandIn(path) => path,
        }
    }

    /// In words, for whoever reads what a test printed.
    pub fn name(&self) -> &'static str {
        match self {
            Engine::PowerShell(_) => "pwsh",
            Engine::StandIn(_) => "the stand-in",
        }
    }
}
