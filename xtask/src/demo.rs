//! `demo`: the bank, built for speed.

use anyhow::Result;

use crate::run;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Passed to `recount demo bank`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Runs `recount demo bank`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = run::cargo(["run", "--release", "--locked", "--", "demo", "bank"]);
    run::loud(command.args(&arguments.rest))
}
