//! `nodelift completions SHELL`.

use clap::{Args, CommandFactory};
use color_eyre::eyre::Result;

use super::{Cli, Exit};

#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub fn run(self) -> Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "nodelift", &mut script);
        print!("{}", String::from_utf8_lossy(&script));
        Ok(Exit::Succeeded)
    }
}
