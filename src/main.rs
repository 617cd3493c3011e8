use std::process::ExitCode;

fn main() -> ExitCode {
    nodelift::cli::main()
}
