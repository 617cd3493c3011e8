//! A lab on loopback (`tests/lab/README.md`). Called with options of PowerShell it is the stand-in that answers in its place.

#[cfg(unix)]
#[path = "mod.rs"]
mod lab;
#[cfg(unix)]
mod standin;
#[cfg(unix)]
mod up;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first() {
        Some(first) if first.starts_with('-') && !first.starts_with("--") && first != "-h" => {
            standin::run(&arguments)
        }
        _ => up::run(),
    }
}

#[cfg(not(unix))]
fn main() {
    eprintln!("the lab needs a Unix system");
}
