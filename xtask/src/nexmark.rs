//! `nexmark`: NEXMark's queries as views, declared before the first event and kept up to date by a server while appends of all sizes come in;
//! each view must have the rows that its query has when it is asked ad hoc, at moments on the way and at the end.

pub(crate) mod event;
pub(crate) mod feed;
pub(crate) mod query;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::bench::client::Client;
use crate::bench::server::Recount;
use crate::dice::Dice;
use crate::run;
use event::Events;
use feed::Feed;
use query::{QUERIES, TOPICS};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many events
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// Of everything that is random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the database lies while this runs; kept if it fails
    #[arg(long, default_value = "/var/tmp/recount-nexmark")]
    dir: PathBuf,
}

/// How often views are compared on the way.
const MOMENTS: usize = 3;
/// Events of an append at most, most often and once in a while.
const TOGETHER: usize = 60;
const TOGETHER_MAX: usize = 2000;

/// Appends and compares.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = run::tested_program()?;
    if arguments.dir.exists() {
        fs::remove_dir_all(&arguments.dir)?;
    }
    fs::create_dir_all(&arguments.dir)?;
    let database = arguments.dir.join("db");
    let server = Recount::of(program.clone()).serve_as_is(&database.display().to_string())?;
    let mut client = Client::to(server.address)?;
    for statement in
        TOPICS.split_inclusive(";\n").map(str::to_owned).chain(QUERIES.iter().map(|query| query.view()))
    {
        client.sql(&statement)?;
    }

    let (mut events, mut lines) = (Events::new(arguments.seed), Vec::new());
    for _ in 0..arguments.events {
        events.next(&mut lines)?;
    }
    let (mut feed, mut dice) = (Feed::of(lines.as_slice()), Dice::new(arguments.seed));
    let url = format!("http://{}", server.address);
    let (mut done, mut appends, mut rows) = (0, 0, 0);
    for moment in 1..=MOMENTS + 1 {
        while done < arguments.events * moment / (MOMENTS + 1) {
            let most = if dice.percent(95) { TOGETHER } else { TOGETHER_MAX };
            let Some((count, body)) = feed.body(1 + dice.below(most))? else { break };
            client.post("/append", "application/json", &body)?;
            (done, appends) = (done + count, appends + 1);
        }
        for query in QUERIES {
            let kept = answer(&program, &url, &format!("SELECT * FROM {}", query.name))?;
            let computed = answer(&program, &url, query.recount)?;
            let differs = kept.iter().zip(&computed).find(|(kept, computed)| kept != computed);
            ensure!(
                kept == computed,
                "{} after {done} events in {appends} appends, with seed {}, in {}: the view has {} rows, the query {}; the first that differ: {differs:?}",
                query.name,
                arguments.seed,
                arguments.dir.display(),
                kept.len(),
                computed.len()
            );
            rows += kept.len();
        }
    }
    drop(server);
    fs::remove_dir_all(&arguments.dir)?;
    println!("nexmark: {} views, {done} events in {appends} appends, {rows} rows equal", QUERIES.len());
    Ok(())
}

/// A small run, of seconds.
pub(crate) fn smoke() -> Result<()> {
    let dir = run::target()?.join("nexmark");
    run(&Arguments { events: 20_000, seed: 1, dir })
}

/// Rows, a line each, sorted.
fn answer(program: &Path, url: &str, sql: &str) -> Result<Vec<String>> {
    let answer = run::output(Command::new(program).args(["sql", url, "--format", "jsonl", "-c", sql]))?;
    let mut rows: Vec<String> = answer.lines().map(str::to_owned).collect();
    rows.sort_unstable();
    Ok(rows)
}
