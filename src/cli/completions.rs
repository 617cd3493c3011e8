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
        clap_complete::generate(self.shell, &mut Cli::command(), "nodelift", &mut std::io::stdout());
        Ok(Exit::Succeeded)
    }
}
