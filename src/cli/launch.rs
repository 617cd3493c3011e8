//! Starts an engine in a process of its own, and waits until it listens.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, WrapErr, bail};

use super::Exit;
use super::begin::Order;
use super::engine::{Birth, Charge, zero};
use super::secrets::Secrets;
use crate::config::settings::Settings;
use crate::journal::ClusterFolder;
use crate::link::socket;

/// Largest log of what engines say on their error output, in bytes: then it is begun anew.
const LONGEST_LOG: u64 = 1 << 20;
/// How long an engine that was left may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// Runs that are looked at for one that has an engine.
const LOOKED_AT: usize = 50;

/// Starts an engine. Gives the folder of its run.
///
/// # Errors
/// It could not be started. Where it says so itself, that is printed, and the code is what is left to return.
pub fn launch(
    order: Order,
    secrets: &Secrets,
    settings: &Settings,
    cluster: &Path,
) -> Result<Result<PathBuf, Exit>> {
    let program = std::env::current_exe().wrap_err("this program cannot be found")?;
    let mut command = Command::new(program);
    command.arg("--state").arg(&settings.state);
    if let Some(file) = &settings.file {
        command.arg("--config").arg(file);
    }
    command.arg("engine").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log(cluster)?);
    let mut child = spawn(&mut command).wrap_err("the engine cannot be started")?;
    let text = serde_json::to_vec(&Charge { order, secrets: secrets.hand_over() })?;
    let handed = child.stdin.take().map(|mut to| to.write_all(&text));
    zero(text);
    let mut ready = None;
    for line in BufReader::new(child.stdout.take().ok_or_else(no_pipe)?).lines() {
        let line = line.wrap_err("the engine was lost")?;
        match serde_json::from_str(&line) {
            Ok(Birth::Said(text)) => eprintln!("{text}"),
            Ok(Birth::Ready(folder)) => {
                ready = Some(folder);
                break;
            }
            Ok(Birth::Ended(code)) => {
                let exit = Exit::ALL.into_iter().map(|(e, _)| e).find(|e| *e as u8 == code);
                return Ok(Err(exit.unwrap_or(Exit::Internal)));
            }
            Err(_) => {}
        }
    }
    match ready {
        Some(folder) => Ok(Ok(folder)),
        None => {
            handed.transpose().wrap_err("the engine took no order")?;
            bail!("the engine ended before it was ready: {}", cluster.join("engine.log").display());
        }
    }
}

#[cfg(not(windows))]
fn spawn(command: &mut Command) -> std::io::Result<std::process::Child> {
    command.spawn()
}

/// Without a console, and outside of the login's job where that lets it go: an SSH session ends everything in its job.
#[cfg(windows)]
fn spawn(command: &mut Command) -> std::io::Result<std::process::Child> {
    use std::os::windows::process::CommandExt;
    const DETACHED_PROCESS: u32 = 0x8;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    const CREATE_BREAKAWAY_FROM_JOB: u32 = 0x0100_0000;
    let alone = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
    command
        .creation_flags(alone | CREATE_BREAKAWAY_FROM_JOB)
        .spawn()
        .or_else(|_| command.creation_flags(alone).spawn())
}

fn no_pipe() -> color_eyre::Report {
    color_eyre::eyre::eyre!("the engine has no output")
}

/// Where an engine's error output goes.
fn log(cluster: &Path) -> Result<File> {
    let path = cluster.join("engine.log");
    crate::journal::private().create(cluster).wrap_err_with(|| cluster.display().to_string())?;
    let long = std::fs::metadata(&path).is_ok_and(|m| m.len() > LONGEST_LOG);
    let mut options = OpenOptions::new();
    options.create(true).append(!long).write(true).truncate(long);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path).wrap_err_with(|| path.display().to_string())
}

/// The run of a cluster that has an engine now.
pub fn live(cluster: &Path) -> Option<PathBuf> {
    ClusterFolder::runs_in(cluster).into_iter().take(LOOKED_AT).find(|run| socket::is_live(run))
}

/// Waits until an engine that nobody needs any more has ended.
pub fn gone(run: &Path) {
    let since = Instant::now();
    while socket::is_live(run) && since.elapsed() < ENDS_WITHIN {
        std::thread::sleep(Duration::from_millis(20));
    }
}
