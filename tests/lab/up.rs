//! `tests/lab/up`: a lab that stays until it is interrupted.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jiff::Timestamp;

use crate::lab::{Lab, Options};

/// Starts an imitated site behind real SSH servers on loopback, until it is interrupted.
#[derive(Parser)]
#[command(name = "up")]
struct Arguments {
    /// A world of tests/lab/worlds, or the path of a world file.
    #[arg(default_value = "ready")]
    world: String,
    /// Seconds at the site in a real one.
    #[arg(long, default_value_t = 60.0)]
    rate: f64,
    /// Port of the first machine; the others follow.
    #[arg(long, default_value_t = 2201)]
    port: u16,
    /// Where the lab's files lie, kept afterwards. A folder that goes with the lab where absent.
    #[arg(long)]
    folder: Option<PathBuf>,
}

pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(|e| e.to_string()).and_then(|r| r.block_on(stay(arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn stay(arguments: Arguments) -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(|e| e.to_string())?;
    Lab::is_possible()?;
    let began = Timestamp::now();
    let lab = Lab::start(
        &arguments.world,
        Options {
            rate: arguments.rate,
            port: Some(arguments.port),
            folder: arguments.folder,
            tell: Box::new(move |line| {
                let seconds = Timestamp::now().duration_since(began).as_secs();
                println!("{seconds:>6} s  {line}");
            }),
            ..Options::default()
        },
    )?;
    println!(
        "{} answers for {} machines, {} times as fast as life",
        lab.engine().name(),
        lab.machines().len(),
        arguments.rate
    );
    println!("inventory  {}", lab.inventory().display());
    println!("world      {}", lab.world().path().display());
    println!("by hand    ssh -F {}/ssh_config {} hostname", lab.folder().display(), lab.machines()[0].0);
    tokio::select! {
        done = tokio::signal::ctrl_c() => done.map_err(|e| e.to_string())?,
        _ = terminated.recv() => {}
        _ = hung_up.recv() => {}
    }
    println!("the lab ends");
    Ok(())
}
