//! The command line: one small file a subcommand.

#[macro_use]
mod out;

mod check;
mod commit;
mod completions;
mod config;
mod demo;
mod diagnostics;
mod doctor;
mod documents;
mod earlier;
mod exit;
mod headless;
mod home;
mod hosts;
pub mod imitated;
mod init;
mod lint;
mod prepare;
mod readiness;
mod recorded;
mod replay;
mod report;
mod run;
mod runbook;
mod screen;
mod secrets;
mod session;
mod site;
mod takeover;
mod told;
mod trust;
mod ways;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use color_eyre::eyre::Result;

use crate::config::settings::{Flags, Settings};

pub use exit::Exit;

/// Take Windows clusters and servers to the next OS version, node by node.
#[derive(Debug, Parser)]
#[command(name = "nodelift", version, about, max_term_width = 100, after_long_help = exit::table())]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
struct Global {
    /// Settings file, instead of the one in your configuration folder
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Colours: default, light, high-contrast, colour-blind, mono, or a theme file
    #[arg(long, global = true, value_name = "NAME")]
    theme: Option<String>,
    /// Draw with ASCII signs only
    #[arg(long, global = true)]
    ascii: bool,
    /// Where runs and diagnostics are kept
    #[arg(long, global = true, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See a whole upgrade in two minutes, on an imitated cluster
    Demo(demo::Demo),
    /// Describe your cluster: writes an inventory by asking, discovers the nodes from one of them
    Init(init::Init),
    /// Open the screen on your cluster: check, fix, upgrade, prove
    Run(run::Run),
    /// Do a step of an ended run that was left for later: proved afresh, confirmed, written into that run
    Commit(commit::Commit),
    /// Check readiness without the screen; changes nothing
    Check(check::Check),
    /// Walk the whole way to every machine, step by step: what works, and what to do
    Doctor(doctor::Doctor),
    /// Print the script that gives nodes an SSH server, or run it there
    Prepare(prepare::Prepare),
    /// Play a finished run in the same screen
    Replay(replay::Replay),
    /// The readiness of a run, from its journal, as a file for people or programs
    Report(report::Report),
    /// Review host keys that are not known yet, once, in one table; decide about a changed one
    Trust(trust::Trust),
    /// List, show or check runbooks
    #[command(subcommand)]
    Runbook(runbook::Runbook),
    /// Print the settings in force, or check them and an inventory
    #[command(subcommand)]
    Config(config::Config),
    /// Completions for your shell, on standard output
    Completions(completions::Completions),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let mut hooks = color_eyre::config::HookBuilder::default();
    if !std::io::stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) {
        hooks = hooks.theme(color_eyre::config::Theme::new());
    }
    if let Err(e) = hooks
        .display_env_section(false)
        .panic_section("This is a mistake in nodelift, not in your cluster. Nothing more was sent to any node by this process.")
        .install()
    {
        eprintln!("nodelift: {e}");
    }
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(report) => {
            tracing::error!("{report:?}");
            eprintln!("nodelift: {report:#}");
            if let Some(folder) = diagnostics::folder() {
                eprintln!("Diagnostics: {}", folder.display());
            }
            Exit::Internal.into()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit> {
    let flags = Flags {
        config: cli.global.config,
        theme: cli.global.theme,
        ascii: cli.global.ascii,
        state: cli.global.state,
    };
    let env = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let settings = match Settings::resolve(&flags, env) {
        Ok(s) => s,
        Err(d) => {
            eprint!("{d}");
            return Ok(Exit::Usage);
        }
    };
    if let Err(why) = screen::check(&settings).and_then(|()| runbook::check(&settings)) {
        eprintln!("nodelift: {}", why.trim_end());
        return Ok(Exit::Usage);
    }
    if let Err(e) = diagnostics::init(&settings.state) {
        eprintln!("nodelift: no diagnostics are kept in {}: {e}", settings.state.display());
    }
    match cli.command {
        None => home::home(&settings),
        Some(Command::Demo(c)) => c.run(&settings),
        Some(Command::Init(c)) => c.run(&settings),
        Some(Command::Run(c)) => c.run(&settings),
        Some(Command::Commit(c)) => c.run(&settings),
        Some(Command::Check(c)) => c.run(&settings),
        Some(Command::Doctor(c)) => c.run(&settings),
        Some(Command::Prepare(c)) => c.run(&settings),
        Some(Command::Replay(c)) => c.run(&settings),
        Some(Command::Report(c)) => c.run(&settings),
        Some(Command::Trust(c)) => c.run(&settings),
        Some(Command::Runbook(c)) => c.run(&settings),
        Some(Command::Config(c)) => c.run(&settings),
        Some(Command::Completions(c)) => c.run(),
    }
}
