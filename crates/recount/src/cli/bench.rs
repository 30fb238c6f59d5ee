//! `bench`: durable appends on this machine, one event each.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use recount::{Database, EventWrite, NewEvent, TopicName};

use super::failure::Failure;
use super::target::with_directory;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the database; created if it is empty or absent
    #[arg(value_name = "DB")]
    directory: String,
    /// Writers at the same time
    #[arg(long, default_value_t = 1)]
    writers: u64,
    /// How long
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// Appends for a while and prints rate and latencies.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_directory(&arguments.directory, true, |database| measure(database, arguments))
}

fn measure(database: &Database, arguments: &Arguments) -> Result<(), Failure> {
    let topic = TopicName::parse("bench").map_err(|error| Failure::usage(error.to_string()))?;
    if database.store().topic("bench").is_none() {
        database.execute("CREATE TOPIC bench")?;
    }
    let until = Instant::now() + Duration::from_secs_f64(arguments.seconds);
    let next = AtomicU64::new(0);
    let began = Instant::now();
    let results: Vec<Result<Vec<u64>, Failure>> = thread::scope(|scope| {
        let writer = || write(database, &topic, &next, until);
        let writers: Vec<_> = (0..arguments.writers.max(1)).map(|_| scope.spawn(writer)).collect();
        let join = |writer: thread::ScopedJoinHandle<'_, _>| {
            writer.join().unwrap_or_else(|_| Err(Failure::new("a writer panicked")))
        };
        writers.into_iter().map(join).collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut micros = Vec::new();
    for result in results {
        micros.extend(result?);
    }
    micros.sort_unstable();
    let at = |share: f64| micros.get(((micros.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(0);
    writeln!(
        io::stdout(),
        "{} appends in {seconds:.1} s: {:.0}/s, each fsynced; p50 {} µs, p99 {} µs, max {} µs",
        micros.len(),
        micros.len() as f64 / seconds,
        at(0.5),
        at(0.99),
        at(1.0)
    )?;
    Ok(())
}

fn write(
    database: &Database,
    topic: &TopicName,
    next: &AtomicU64,
    until: Instant,
) -> Result<Vec<u64>, Failure> {
    let mut micros = Vec::new();
    while Instant::now() < until {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let payload =
            format!("{{\"accountId\": {}, \"amount\": -20.0, \"timestamp\": 1702468800}}", n % 1000);
        let event = NewEvent { payload: payload.into(), ..NewEvent::default() };
        let write = EventWrite { topic: topic.clone(), key: Some((n % 1000).to_string().into()), event };
        let began = Instant::now();
        database.append(vec![write])?;
        micros.push(began.elapsed().as_micros() as u64);
    }
    Ok(micros)
}
