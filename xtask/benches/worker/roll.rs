//! What a roll, a flush or a merge costs the appends that meet it: one writer, every append timed, and the
//! store's counters read on both sides of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use recount_env::block_on;
use recount_store::{OpenOptions, Store};
use recount_types::TopicName;

use crate::answer::{self, percentile_us};
use crate::dice::Dice;
use crate::embedded::{CREATE, TOPIC, request};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    dir: PathBuf,
    /// Segments do not grow beyond this
    #[arg(long)]
    segment_bytes: u64,
    /// Goes on until so many rolls have happened
    #[arg(long)]
    rolls: u64,
    /// Events in an append
    #[arg(long)]
    batch: u64,
}

/// An append is counted with an event that is noticed within so long after it, since flushes and merges
/// are counted when they end and disturb before.
const SHADOW: Duration = Duration::from_millis(100);

/// Appends until enough rolls have happened; prints the p99 of appends that met something, and of the rest.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut options = OpenOptions::default();
    options.journal.segment_bytes_max = arguments.segment_bytes;
    options.journal.segment_bytes_min = arguments.segment_bytes;
    let store =
        block_on(Store::open(recount_env::real::env(), &arguments.dir, options)).context("cannot open")?;
    block_on(store.execute(CREATE))?;
    let topic = TopicName::parse(TOPIC)?;
    let mut dice = Dice(1);

    let begin = Instant::now();
    let mut appends = Vec::new();
    let mut rolls: Vec<Instant> = Vec::new();
    let mut index: Vec<Instant> = Vec::new();
    let mut before = counts(&store);
    while before.0 < arguments.rolls {
        let request = request(&topic, (0..arguments.batch).map(|_| dice.below(1_000_000)));
        let began = Instant::now();
        block_on(store.append(request))?;
        let ended = Instant::now();
        let after = counts(&store);
        if after.0 != before.0 {
            rolls.push(ended);
        }
        if after.1 != before.1 {
            index.push(ended);
        }
        before = after;
        appends.push((began, ended));
    }
    let elapsed = begin.elapsed();
    block_on(store.close())?;

    let mut met_roll = Vec::new();
    let mut met_index = Vec::new();
    let mut rest = Vec::new();
    for (began, ended) in &appends {
        let took = *ended - *began;
        if meets(&rolls, *began, *ended, Duration::ZERO) {
            met_roll.push(took);
        } else if meets(&index, *began, *ended, SHADOW) {
            met_index.push(took);
        } else {
            rest.push(took);
        }
    }
    answer::print(&BTreeMap::from([
        ("rolls", rolls.len() as f64),
        ("flushes_and_merges", index.len() as f64),
        ("p99_at_rolls_us", percentile_us(&mut met_roll, 0.99)),
        ("p99_at_index_us", percentile_us(&mut met_index, 0.99)),
        ("p99_rest_us", percentile_us(&mut rest, 0.99)),
        ("per_second", appends.len() as f64 * arguments.batch as f64 / elapsed.as_secs_f64()),
    ]))
}

fn counts(store: &Store) -> (u64, u64) {
    let stats = store.stats();
    (stats.rolls, stats.flushes + stats.merges)
}

/// Whether something was noticed while the append ran, or within `shadow` after it. `noticed` is sorted.
fn meets(noticed: &[Instant], began: Instant, ended: Instant, shadow: Duration) -> bool {
    let first = noticed.partition_point(|at| *at < began);
    noticed.get(first).is_some_and(|at| *at <= ended + shadow)
}
