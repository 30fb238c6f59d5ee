//! `law`: random entities and events, whose answers must equal those of a naive evaluator, by the tests of
//! `recount-views`. A case that differs prints its statements, its events, both answers and its replay line.

use anyhow::Result;

use crate::run;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many cases
    #[arg(long, default_value_t = 20_000)]
    cases: u64,
    /// The first one
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This case alone
    #[arg(long, conflicts_with_all = ["cases", "from"])]
    case: Option<u64>,
}

/// Builds the tests of recount-views for speed with assertions, and runs the law.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let words =
        ["test", "--quiet", "--locked", "--profile", "sim", "-p", "recount-views", "--test", "it", "--"];
    let mut command = run::cargo(words);
    command.args(["--ignored", "--exact", "law::law_many", "--nocapture"]);
    match arguments.case {
        Some(case) => command.env("RECOUNT_LAW_CASE", case.to_string()),
        None => command
            .env("RECOUNT_LAW_FIRST", arguments.from.to_string())
            .env("RECOUNT_LAW_CASES", arguments.cases.to_string()),
    };
    run::loud(&mut command)
}
