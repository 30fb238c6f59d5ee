//! Appends while an entity is rebuilt flat out, and while nothing is: one writer, every append timed. In the first half of
//! the quiet time, then beside the rebuilding, then in the other half.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use recount_env::block_on;
use recount_store::Store;
use recount_types::TopicName;
use recount_views::Views;

use crate::account;
use crate::answer::{self, percentile_us};
use crate::dice::Dice;
use crate::embedded::{TOPIC, open, request};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A database with the entity
    #[arg(long)]
    dir: PathBuf,
    /// Accounts, chosen uniformly
    #[arg(long)]
    streams: u64,
    /// Of quiet time, and of rebuilding, which goes on until it was done once at least
    #[arg(long)]
    seconds: u64,
}

/// What is rebuilt.
#[derive(Debug, Default)]
struct Rebuilt {
    stop: AtomicBool,
    whole: AtomicU64,
}

/// Appends one event at a time; prints the p99 beside rebuilding and without.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let store = open(&arguments.dir)?;
    let views = account::open(&store)?;
    account::catch_up(&views, &store)?;
    let mut writer =
        Writer { store: &store, topic: TopicName::parse(TOPIC)?, dice: Dice(11), streams: arguments.streams };
    let (half, whole) = (Duration::from_secs(arguments.seconds) / 2, Duration::from_secs(arguments.seconds));

    let mut quiet = writer.append(|began| began.elapsed() < half)?;
    let rebuilt = Rebuilt::default();
    let began = Instant::now();
    let (mut beside, events) = thread::scope(|scope| {
        let rebuilding = scope.spawn(|| {
            let events = rebuild(&views, &rebuilt);
            // Whoever appends must not wait for what failed.
            rebuilt.whole.fetch_add(1, Ordering::Relaxed);
            events
        });
        let goes_on = |began: Instant| began.elapsed() < whole || rebuilt.whole.load(Ordering::Relaxed) == 0;
        let beside = writer.append(goes_on);
        rebuilt.stop.store(true, Ordering::Relaxed);
        let events = rebuilding.join().map_err(|_| anyhow!("rebuilding panicked"))?;
        anyhow::Ok((beside?, events?))
    })?;
    let took = began.elapsed();
    account::catch_up(&views, &store)?;
    quiet.append(&mut writer.append(|began| began.elapsed() < half)?);
    views.close();
    block_on(store.close())?;
    answer::print(&BTreeMap::from([
        ("p99_quiet_us", percentile_us(&mut quiet, 0.99)),
        ("p99_beside_us", percentile_us(&mut beside, 0.99)),
        ("p50_quiet_us", percentile_us(&mut quiet, 0.5)),
        ("p50_beside_us", percentile_us(&mut beside, 0.5)),
        ("rebuilt_per_second", events as f64 / took.as_secs_f64()),
    ]))
}

/// Rebuilds the entity over and over, each time to the end; how many events were folded again.
fn rebuild(views: &Views, rebuilt: &Rebuilt) -> Result<u64> {
    let mut events = 0;
    while !rebuilt.stop.load(Ordering::Relaxed) {
        let before = account::version(views)?;
        let version = views.execute(account::REPLACE)?.version.context("a replaced entity has a version")?;
        while account::version(views)? != version {
            account::pause();
        }
        events += views.progress(account::NAME, version)?;
        views.execute(&format!("DROP ENTITY {} VERSION {before}", account::NAME))?;
        rebuilt.whole.fetch_add(1, Ordering::Relaxed);
    }
    Ok(events)
}

struct Writer<'a> {
    store: &'a Store,
    topic: TopicName,
    dice: Dice,
    streams: u64,
}

impl Writer<'_> {
    /// Appends singly while `goes_on`, which is told when it began; what each took.
    fn append(&mut self, goes_on: impl Fn(Instant) -> bool) -> Result<Vec<Duration>> {
        let start = Instant::now();
        let mut took = Vec::new();
        while goes_on(start) {
            let request = request(&self.topic, std::iter::once(self.dice.below(self.streams)));
            let began = Instant::now();
            block_on(self.store.append(request))?;
            took.push(began.elapsed());
        }
        Ok(took)
    }
}
