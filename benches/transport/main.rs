//! What the SSH transport costs over many hosts, against real OpenSSH servers on loopback: benches/README.md.
//!
//! `cargo bench --bench transport [-- --hosts 200 --rounds 5]`

mod farm;
mod usage;
mod workloads;

/// Answers in the place of PowerShell where there is none.
#[path = "../../tests/support/fake_powershell.rs"]
mod fake_powershell;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use farm::{Farm, Site};
use serde_json::{Value, json};

/// Workload, figure, what it is, the most it should be.
const FIGURES: &[(&str, &str, &str, Option<f64>)] = &[
    ("plain", "cold_s", "cold: connect, log in, `echo ok`; s until the last host", None),
    ("plain", "cold_cpu_ms_per_host", "  processor time of the client, ms a host", Some(3.0)),
    ("plain", "cold_peak_mib", "  peak memory, MiB", Some(30.0)),
    ("plain", "threads", "  threads right after it", None),
    ("plain", "handles", "  handles (fd) right after it", None),
    ("plain", "children", "  child processes", Some(0.0)),
    ("plain", "warm_s", "warm: a second `echo ok` over the same connections, s", None),
    ("plain", "large_s", "50 x 1 MB over the same connections, compared byte for byte, s", Some(1.3)),
    ("plain", "peak_mib", "  peak memory to the end, MiB", Some(30.0)),
    ("dead", "cold_s", "cold, with one more host that never says a word, s", None),
    ("dead-many", "cold_s", "cold, with 32 more such hosts, s", None),
    ("worker", "cold_s", "worker, cold: to the hello of PowerShell on every host, s", None),
    ("worker", "cold_cpu_ms_per_host", "  processor time of the client, ms a host", Some(3.0)),
    ("worker", "warm_s", "worker, warm: one script on every host, s", Some(0.3)),
    ("worker", "peak_mib", "  peak memory, MiB", Some(30.0)),
    ("worker", "threads", "  threads at the end", None),
    ("worker", "children", "  child processes", Some(0.0)),
    ("checks", "powershell_start_s", "one PowerShell start, s", None),
    ("checks", "checks_s", "16 nodes x 40 checks, from nothing, s", None),
    ("checks", "powershell_starts", "  in PowerShell starts", Some(2.0)),
    ("sweep", "scripts", "scripts of the catalogue that are read on each node", None),
    ("sweep", "sweep_s", "16 nodes x these scripts at their size, from nothing, s", None),
    ("sweep", "powershell_starts", "  in PowerShell starts", Some(2.0)),
    ("sweep", "retry_ms", "one of them again, ms", None),
];

struct Arguments {
    hosts: usize,
    rounds: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["powershell.exe", ..] => {
            fake_powershell::main();
            Ok(())
        }
        _ if !farm::is_possible() => {
            println!("skipped: it needs Linux and sshd");
            Ok(())
        }
        ["serve", hosts] => serve(hosts),
        ["measure", what, folder] => measure(what, Path::new(folder)),
        options => parse(options).and_then(|a| bench(&a)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn parse(options: &[&str]) -> Result<Arguments, String> {
    let mut arguments = Arguments { hosts: 200, rounds: 5 };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut number = || {
            let value = options.next().and_then(|v| v.parse().ok());
            value.filter(|n| *n > 0).ok_or(format!("a number belongs after {option}"))
        };
        match *option {
            // What cargo gives to every benchmark.
            "--bench" => {}
            "--hosts" => arguments.hosts = number()?,
            "--rounds" => arguments.rounds = number()?,
            other => return Err(format!("unknown: {other}; there are --hosts N and --rounds N")),
        }
    }
    Ok(arguments)
}

/// Servers for another program: prints their folder, which holds `site.json`; ends with its input.
fn serve(hosts: &str) -> Result<(), String> {
    let hosts = hosts.parse().map_err(|_| "a number of hosts belongs after serve".to_owned())?;
    Farm::start(hosts).map_err(|e| e.to_string())?.wait();
    Ok(())
}

fn measure(what: &str, folder: &Path) -> Result<(), String> {
    let site = Site::read(folder).map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let figures = runtime.map_err(|e| e.to_string())?.block_on(workloads::measure(what, &site))?;
    println!("{}", Value::Object(figures));
    Ok(())
}

fn bench(arguments: &Arguments) -> Result<(), String> {
    let farm = Farm::start(arguments.hosts).map_err(|e| e.to_string())?;
    let mut measured: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    let load = usage::load();
    for _ in 0..arguments.rounds {
        for what in ["plain", "worker", "checks", "sweep", "dead", "dead-many"] {
            let said = own(what, farm.folder.path()).map_err(|e| format!("{what}: {e}"))?;
            for (workload, figure, ..) in FIGURES.iter().filter(|f| f.0 == what) {
                measured.entry((workload, figure)).or_default().extend(said[figure].as_f64());
            }
        }
    }
    print(arguments, &farm.site, load, &measured);
    Ok(())
}

/// Measures in a process of its own.
fn own(what: &str, folder: &Path) -> io::Result<Value> {
    let program: PathBuf = std::env::current_exe()?;
    let output = Command::new(program).args(["measure", what]).arg(folder).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn print(arguments: &Arguments, site: &Site, load: f64, measured: &BTreeMap<(&str, &str), Vec<f64>>) {
    println!(
        "{} hosts: addresses on loopback, served by {} sshd; PowerShell: {}; {} rounds; load before {load}, after {}",
        site.hosts.len(),
        site.servers,
        site.engine,
        arguments.rounds,
        usage::load()
    );
    println!("{:<66} {:>9} {:>9} {:>9}", "", "median", "min", "goal");
    let mut rows = Vec::new();
    for (workload, figure, words, most) in FIGURES {
        let Some(mut all) = measured.get(&(*workload, *figure)).cloned().filter(|a| !a.is_empty()) else {
            continue;
        };
        all.sort_by(f64::total_cmp);
        let (median, min) = (all[all.len() / 2], all[0]);
        let goal = most.map_or(String::new(), |m| format!("<= {m}"));
        println!("{words:<66} {median:>9.3} {min:>9.3} {goal:>9}");
        rows.push(json!({ "workload": workload, "figure": figure, "median": median, "min": min, "goal": most, "all": all }));
    }
    println!("{}", json!({ "hosts": site.hosts.len(), "engine": site.engine, "load": load, "figures": rows }));
}
