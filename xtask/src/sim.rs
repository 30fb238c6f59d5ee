//! `sim`: seeded simulation of the store on a faulty machine, by the `recount-sim` program.

use anyhow::Result;

use crate::run;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `--seeds N [--from S] [--seconds T] [--complete yes]`, `--seed S`, or `--planted` alone
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds recount-sim for speed with assertions, and runs it. `--planted` alone: plants each known protocol bug in
/// turn, in a build of its own, and fails if one is not caught within 2,000 seeds.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.rest == ["--planted"] {
        return planted();
    }
    simulate(arguments.rest.iter().map(String::as_str))
}

/// The names in `recount_env::planted::ALL`.
const PLANTED: [&str; 7] = [
    "ack-before-sync",
    "write-before-sync",
    "retried-sync",
    "no-directory-sync",
    "mid-log-cut",
    "position-before-commit",
    "unsynced-refusal",
];

fn planted() -> Result<()> {
    for bug in PLANTED {
        println!("planted: {bug}");
        let words = ["run", "--quiet", "--locked", "--profile", "sim", "-p", "recount-sim", "--"];
        let mut command = run::cargo(words);
        command.env("RUSTFLAGS", "--cfg planted").env("CARGO_TARGET_DIR", run::target()?.join("planted"));
        run::loud(command.args(["--seeds", "2000", "--planted", bug]))?;
    }
    Ok(())
}

/// The run that is part of `test`: as many of 16,000 seeds as fit.
pub(crate) fn smoke(seconds: u64) -> Result<()> {
    simulate(["--seeds", "16000", "--seconds", &seconds.to_string()])
}

fn simulate<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut command =
        run::cargo(["run", "--quiet", "--locked", "--profile", "sim", "-p", "recount-sim", "--"]);
    run::loud(command.args(arguments))
}
