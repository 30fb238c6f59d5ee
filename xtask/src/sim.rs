//! `sim`: seeded simulation of the store on a faulty machine, by the `recount-sim` program.

use anyhow::Result;

use crate::run;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Passed to recount-sim: `--seeds N`, `--seed S`; `--help` lists the rest
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds recount-sim for speed with assertions, and runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    simulate(arguments.rest.iter().map(String::as_str))
}

/// The run that is part of `test`: as many of 20,000 seeds as fit.
pub(crate) fn smoke(seconds: u64) -> Result<()> {
    simulate(["--seeds", "20000", "--seconds", &seconds.to_string()])
}

fn simulate<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut command =
        run::cargo(["run", "--quiet", "--locked", "--profile", "sim", "-p", "recount-sim", "--"]);
    run::loud(command.args(arguments))
}
