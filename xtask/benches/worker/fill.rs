//! Fills a database with events, and optionally dies by SIGKILL when the active segment is nearly full, as
//! the worst case of a restart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, bail, ensure};
use recount_env::block_on;
use recount_store::Store;
use recount_types::TopicName;

use crate::account;
use crate::dice::Dice;
use crate::embedded::{TOPIC, open, request};

/// Events in an append.
const BATCH: u64 = 1000;
/// Share of the active segment that is in use when the process dies.
const FULL: f64 = 0.9;
/// How many events go to other accounts for each of the hot one, and that one.
const HOT_EVERY: u64 = 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    events: u64,
    /// The first so many events go to as many accounts, in no order; the others to accounts chosen uniformly
    #[arg(long)]
    streams: u64,
    /// With an entity over all events, which is kept up to date meanwhile
    #[arg(long)]
    entity: bool,
    /// Then so many events of one more account, every tenth of those that are appended
    #[arg(long, default_value_t = 0)]
    hot: u64,
    /// Go on until the active segment is 90 % full, then kill -9
    #[arg(long)]
    die_full: bool,
}

/// So far from each other are the accounts of the first events; a prime.
const NEWCOMER_STEP: u64 = 7_919;

/// The account of one of the first events, each of which goes to another one.
pub(crate) fn newcomer(number: u64, streams: u64) -> Option<u64> {
    (number < streams).then(|| number * NEWCOMER_STEP % streams)
}

/// Fills, then closes or dies.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let store = open(&arguments.dir)?;
    let views = if arguments.entity { Some(account::open(&store)?) } else { None };
    let topic = TopicName::parse(TOPIC)?;
    ensure!(
        !arguments.streams.is_multiple_of(NEWCOMER_STEP),
        "{NEWCOMER_STEP} divides the number of streams"
    );
    let mut dice = Dice(7);
    let mut append = |first: u64, count: u64| {
        let account =
            |number| newcomer(number, arguments.streams).unwrap_or_else(|| dice.below(arguments.streams));
        block_on(store.append(request(&topic, (first..first + count).map(account)))).map(drop)
    };
    let mut appended = 0;
    while appended < arguments.events {
        let count = BATCH.min(arguments.events - appended);
        append(appended, count)?;
        appended += count;
    }
    let mut dice = Dice(8);
    let streams = arguments.streams;
    for first in (0..arguments.hot * HOT_EVERY).step_by(BATCH as usize) {
        let mut account =
            |number: u64| if number.is_multiple_of(HOT_EVERY) { streams } else { dice.below(streams) };
        block_on(store.append(request(&topic, (first..first + BATCH).map(&mut account))))?;
    }
    if let Some(views) = &views {
        account::catch_up(views, &store)?;
    }
    if arguments.die_full {
        let mut active = Active::watch(&store);
        while active.share(&store, &arguments.dir)? < FULL {
            append(arguments.streams, 100)?;
        }
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
        bail!("survived SIGKILL, process {}", process::id());
    }
    if let Some(views) = views {
        views.close();
    }
    Ok(block_on(store.close())?)
}

/// How full the active segment is, as far as it was filled since a roll that we saw.
struct Active {
    rolls: u64,
    bytes_at_roll: Option<u64>,
}

impl Active {
    fn watch(store: &Store) -> Self {
        Self { rolls: store.stats().rolls, bytes_at_roll: None }
    }

    fn share(&mut self, store: &Store, dir: &Path) -> Result<f64> {
        let stats = store.stats();
        if stats.rolls != self.rolls {
            self.rolls = stats.rolls;
            self.bytes_at_roll = Some(stats.group_bytes);
        }
        let Some(bytes_at_roll) = self.bytes_at_roll else { return Ok(0.0) };
        let used = stats.group_bytes - bytes_at_roll;
        Ok(used as f64 / largest_segment_bytes(dir)? as f64)
    }
}

fn largest_segment_bytes(dir: &Path) -> Result<u64> {
    let mut largest = 0;
    for entry in fs::read_dir(dir.join("journal"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".journal") {
            largest = largest.max(entry.metadata()?.len());
        }
    }
    (largest > 0).then_some(largest).context("no segments")
}
