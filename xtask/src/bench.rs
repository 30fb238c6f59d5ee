//! `bench NAME`: measures, prints and writes by one contract ([`contract`]), whatever is measured.
//!
//! This side only builds, starts programs in turn and judges; the measured work is done by
//! `benches/worker`, by the server, and by the peers, each in a process of its own.

mod append;
mod asof;
pub(crate) mod client;
mod contract;
mod flink;
mod fold;
mod idle;
mod machine;
mod nexmark;
mod plot;
mod postgres;
mod replay;
mod restart;
mod roll;
pub(crate) mod server;
mod streams;
mod view;
mod worker;

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::run;
use contract::Report;
use machine::Machine;
pub(crate) use worker::Worker;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    name: Name,
    /// Fail if a bar is missed
    #[arg(long)]
    check: bool,
    /// Where the same goes as JSON [default: target/bench/NAME.json]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often every side runs
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of one sample
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Events in the database of `restart`, `idle`, `replay`, `asof`, `view` and `nexmark`
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// Where the data lies, on the disk to measure; removed afterwards
    #[arg(long, default_value = "/var/tmp/recount-bench")]
    dir: PathBuf,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Name {
    /// Durable appends: raw loop, Postgres, 1 and 64 writers, embedded and over loopback
    Append,
    /// Appends to 10 million streams, beside 10
    Streams,
    /// From kill -9 to the first answers, a row of an entity among them
    Restart,
    /// Appends that meet a segment roll, an index flush or a merge, beside the rest
    Roll,
    /// Memory of a server that nobody uses
    Idle,
    /// Folding on one core: decoded events beside a loop written by hand, and events in a journal
    Fold,
    /// Appends while an entity is rebuilt flat out, beside appends while nothing is
    Replay,
    /// Rows of an entity as of positions all over the log
    Asof,
    /// NEXMark's queries as views, beside Flink SQL (Java 17, PyPI)
    Nexmark,
    /// Views: until they are there, beside the same query asked ad hoc and Flink SQL (Java 17, PyPI); until they show an append; memory of a key
    View,
}

/// What every bench is given.
struct Bench {
    worker: Worker,
    dir: PathBuf,
    rounds: usize,
    seconds: u64,
}

impl Bench {
    fn machine(&self) -> Result<Machine> {
        Machine::this(&self.dir)
    }

    /// Directories for databases, one at a time.
    fn fresh(&self) -> Fresh<'_> {
        Fresh { bench: self, last: None }
    }
}

/// Gives directories that do not exist yet; each is removed when the next is asked for.
struct Fresh<'a> {
    bench: &'a Bench,
    last: Option<PathBuf>,
}

impl Fresh<'_> {
    fn next(&mut self) -> Result<String> {
        if let Some(last) = self.last.take().filter(|last| last.exists()) {
            fs::remove_dir_all(last)?;
        }
        let path = self.bench.dir.join("database");
        self.last = Some(path.clone());
        Ok(path.display().to_string())
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.next() {
            eprintln!("warning: {error:#}");
        }
    }
}

/// Builds for release, measures, reports.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.dir.exists() {
        bail!("{} exists; another bench runs, or remove what one left behind", arguments.dir.display());
    }
    let worker = Worker::build()?;
    fs::create_dir_all(&arguments.dir)?;
    let bench =
        Bench { worker, dir: arguments.dir.clone(), rounds: arguments.rounds, seconds: arguments.seconds };
    let report = measure(arguments.name, &bench, arguments.events);
    fs::remove_dir_all(&arguments.dir)?;
    let report = report?;

    report.print();
    let name = format!("{:?}", arguments.name).to_lowercase();
    let default = run::root().join("target/bench").join(name + ".json");
    report.write(arguments.json.as_ref().unwrap_or(&default))?;
    if arguments.check && !report.holds() {
        bail!("a bar is missed");
    }
    Ok(())
}

fn measure(name: Name, bench: &Bench, events: u64) -> Result<Report> {
    match name {
        Name::Append => append::run(bench),
        Name::Streams => streams::run(bench),
        Name::Restart => restart::run(bench, events),
        Name::Roll => roll::run(bench),
        Name::Idle => idle::run(bench, events),
        Name::Fold => fold::run(bench),
        Name::Replay => replay::run(bench, events),
        Name::Asof => asof::run(bench, events),
        Name::Nexmark => nexmark::run(bench, events),
        Name::View => view::run(bench, events),
    }
}
