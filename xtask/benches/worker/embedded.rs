//! Appends through the embedded library: one writer on the calling thread, or many tasks on as many threads
//! as there are processors.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use bytes::Bytes;
use recount_env::block_on;
use recount_store::{AppendRequest, EventWrite, OpenOptions, Store};
use recount_types::{NewEvent, TopicName};

use crate::answer::Timings;
use crate::dice::Dice;

pub(crate) const TOPIC: &str = "transactions";
pub(crate) const CREATE: &str = "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL, \
                                 timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS) KEY (accountId) TIMESTAMP BY timestamp";
/// The amount of every transaction, in cents.
pub(crate) const CENTS: i128 = -2000;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    writers: u32,
    /// Events in an append, all to one account
    #[arg(long)]
    batch: u32,
    /// Accounts, chosen uniformly
    #[arg(long)]
    streams: u64,
    #[arg(long)]
    seconds: u64,
    /// No more than so many appends by each writer
    #[arg(long, default_value_t = usize::MAX)]
    appends: usize,
    /// Appends by each writer before the measuring begins
    #[arg(long, default_value_t = 0)]
    warm_up: usize,
}

/// Appends for the given time; prints events a second, and bytes of a commit group.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let store = open(&arguments.dir)?;
    if arguments.warm_up > 0 {
        append(&store, &Arguments { appends: arguments.warm_up, dir: PathBuf::new(), ..*arguments }, 0)?;
    }
    let before = store.stats();
    let reads_before = bytes_read()?;
    let timings = append(&store, arguments, u64::from(arguments.writers))?;
    let appends = timings.len() as f64;
    let blocks_read = (bytes_read()? - reads_before) as f64 / 4096.0;
    let after = store.stats();
    block_on(store.close())?;
    let groups = (after.groups - before.groups).max(1) as f64;
    let bytes_a_group = (after.group_bytes - before.group_bytes) as f64 / groups;
    timings.print(
        arguments.batch,
        &[
            ("bytes_a_group", bytes_a_group),
            ("appends_a_group", appends / groups),
            ("block_reads", blocks_read / appends),
        ],
    )
}

/// Runs all writers; `seed` keeps two runs from choosing the same accounts.
fn append(store: &Store, arguments: &Arguments, seed: u64) -> Result<Timings> {
    if arguments.writers == 1 {
        return block_on(write(store, arguments, seed));
    }
    tokio::runtime::Runtime::new()?.block_on(write_beside(store, arguments, seed))
}

async fn write_beside(store: &Store, arguments: &Arguments, seed: u64) -> Result<Timings> {
    let arguments = Arc::new(Arguments { dir: PathBuf::new(), ..*arguments });
    let tasks: Vec<_> = (0..arguments.writers)
        .map(|writer| {
            let (store, arguments) = (store.clone(), arguments.clone());
            tokio::spawn(async move { write(&store, &arguments, seed + u64::from(writer)).await })
        })
        .collect();
    let mut all: Option<Timings> = None;
    for task in tasks {
        let timings = task.await??;
        match &mut all {
            Some(all) => all.merge(timings),
            None => all = Some(timings),
        }
    }
    all.context("no writer")
}

async fn write(store: &Store, arguments: &Arguments, seed: u64) -> Result<Timings> {
    let mut dice = Dice(seed);
    let topic = TopicName::parse(TOPIC)?;
    let mut timings = Timings::begin(arguments.seconds);
    while timings.goes_on() && timings.len() < arguments.appends {
        let account = dice.below(arguments.streams);
        let request = request(&topic, (0..arguments.batch).map(|_| account));
        let began = Instant::now();
        store.append(request).await?;
        timings.note(began);
    }
    Ok(timings)
}

/// An append of one event to each of these accounts.
pub(crate) fn request(topic: &TopicName, accounts: impl Iterator<Item = u64>) -> AppendRequest {
    let event = |account| EventWrite {
        topic: topic.clone(),
        key: None,
        event: NewEvent { payload: payload(account), ..NewEvent::default() },
    };
    AppendRequest { events: accounts.map(event).collect(), ..AppendRequest::default() }
}

fn payload(account: u64) -> Bytes {
    format!("{{\"accountId\": {account}, \"amount\": -20.0, \"timestamp\": 1702468800}}").into()
}

/// Opens a database, and makes its topic if it is new.
pub(crate) fn open(dir: &Path) -> Result<Store> {
    let store = block_on(Store::open(recount_env::real::env(), dir, OpenOptions::default()))
        .with_context(|| format!("cannot open {}", dir.display()))?;
    if store.topic(TOPIC).is_none() {
        block_on(store.execute(CREATE))?;
    }
    Ok(store)
}

/// Bytes that this process has caused to be read from a disk.
fn bytes_read() -> Result<u64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("read_bytes: "));
    Ok(line.context("/proc/self/io has no read_bytes")?.parse()?)
}
