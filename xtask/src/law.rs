//! `law`: random entities and events, whose answers must equal those of a naive evaluator, by the tests of
//! `recount-views`; or random queries over rows that come and go, kept up to date, which must equal what DataFusion makes of them,
//! by the tests of `recount-query`, and, if it is asked to judge, what DuckDB does. A case that differs prints its statements, both answers
//! and its replay line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::duckdb::Judge;
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
    /// Queries kept up to date, instead of entities
    #[arg(long)]
    views: bool,
    /// DuckDB judges what was kept at the end of each case
    #[arg(long, requires = "views")]
    duckdb: bool,
    /// Kill a database with views so often, at any moment, and compare them afterwards
    #[arg(long, requires = "views", conflicts_with_all = ["cases", "from", "case", "duckdb"])]
    kills: Option<u64>,
}

const JUDGE: &str = "xtask/src/law_judge.py";

/// The tests of recount-views, built for speed with assertions.
const ENTITIES: [&str; 12] = [
    "--quiet",
    "--profile",
    "sim",
    "-p",
    "recount-views",
    "--test",
    "it",
    "--",
    "--ignored",
    "--exact",
    "law::law_many",
    "--nocapture",
];
/// Those of recount-query, as they are built for all tests: DataFusion takes long.
const VIEWS: [&str; 8] =
    ["--quiet", "--workspace", "--lib", "--", "--ignored", "--exact", "flow::law::law_many", "--nocapture"];

/// The same, of a database that is killed.
const KILLS: [&str; 9] = [
    "--quiet",
    "--workspace",
    "--test",
    "it",
    "--",
    "--ignored",
    "--exact",
    "kills::kills_many",
    "--nocapture",
];

/// Builds the tests and runs the law.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(kills) = arguments.kills {
        let mut command = run::cargo(["test", "--locked"]);
        return run::loud(command.args(KILLS).env("RECOUNT_KILLS", kills.to_string()));
    }
    let mut command = run::cargo(["test", "--locked"]);
    command.args(if arguments.views { &VIEWS[..] } else { &ENTITIES });
    match arguments.case {
        Some(case) => command.env("RECOUNT_LAW_CASE", case.to_string()),
        None => command
            .env("RECOUNT_LAW_FIRST", arguments.from.to_string())
            .env("RECOUNT_LAW_CASES", arguments.cases.to_string()),
    };
    if !arguments.duckdb {
        return run::loud(&mut command);
    }
    let judge = Judge::installed(&run::target()?)?;
    let mut law = command.env("RECOUNT_LAW_JUDGED", "1").stdout(Stdio::piped()).spawn()?;
    let mut python = Command::new(judge.python());
    let mut judging = python.arg(run::root().join(JUDGE)).stdin(Stdio::piped()).spawn()?;
    let (said, asked) = (law.stdout.take(), judging.stdin.take());
    let (said, mut asked) = (said.context("no output")?, asked.context("no input")?);
    for line in BufReader::new(said).lines() {
        let line = line?;
        match line.strip_prefix("judged: ") {
            Some(case) => writeln!(asked, "{case}")?,
            None => println!("{line}"),
        }
    }
    drop(asked);
    let (law, judged) = (law.wait()?, judging.wait()?);
    ensure!(law.success() && judged.success(), "the law does not hold, or DuckDB judges otherwise");
    Ok(())
}
