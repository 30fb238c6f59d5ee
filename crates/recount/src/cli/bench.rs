//! `bench`: durable appends on this machine, one event each.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use recount::{EventWrite, NewEvent, TopicName};
use recount_types::Kind;

use super::failure::Failure;
use super::remote::REQUESTS_MAX;
use super::target::Target;
use super::topic;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory or URL; a directory that is empty or absent becomes a database
    #[arg(value_name = "DB")]
    database: String,
    /// Writers at the same time, at most 1,024; through a server each has a connection
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=REQUESTS_MAX as u64))]
    writers: u64,
    /// How long
    #[arg(long, default_value = "5", value_parser = duration)]
    seconds: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|&duration| duration <= DURATION_MAX);
    duration.ok_or_else(|| format!("write a number from 0 to {}", DURATION_MAX.as_secs()))
}

const DURATION_MAX: Duration = Duration::from_secs(86_400);

const TOPIC: &str = "bench";

/// Appends for a while and prints rate and latencies.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    Target::with(&arguments.database, true, |target| measure(target, arguments))
}

fn measure(target: &Target, arguments: &Arguments) -> Result<(), Failure> {
    match topic::executed(target, &format!("CREATE TOPIC {TOPIC}")) {
        // It is there already.
        Err(Failure::Of { kind: Kind::Conflict, .. }) | Ok(_) => {}
        Err(failure) => return Err(failure),
    }
    let until = Instant::now() + arguments.seconds;
    let next = AtomicU64::new(0);
    let began = Instant::now();
    let results: Vec<Result<Vec<u64>, Failure>> = thread::scope(|scope| {
        let writer = || write(target, &next, until);
        let writers: Vec<_> = (0..arguments.writers).map(|_| scope.spawn(writer)).collect();
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

fn write(target: &Target, next: &AtomicU64, until: Instant) -> Result<Vec<u64>, Failure> {
    let mut micros = Vec::new();
    loop {
        let account = next.fetch_add(1, Ordering::Relaxed) % 1000;
        let payload = format!("{{\"accountId\": {account}, \"amount\": -20.0, \"timestamp\": 1702468800}}");
        let began = Instant::now();
        append(target, account.to_string(), payload)?;
        micros.push(began.elapsed().as_micros() as u64);
        if Instant::now() >= until {
            return Ok(micros);
        }
    }
}

fn append(target: &Target, key: String, payload: String) -> Result<(), Failure> {
    match target {
        Target::Local(database) => {
            let topic = TopicName::parse(TOPIC).map_err(|error| Failure::usage(error.to_string()))?;
            let event = NewEvent { payload: payload.into(), ..NewEvent::default() };
            database.append(vec![EventWrite { topic, key: Some(key.into()), event }])?;
        }
        Target::Remote(remote) => {
            let path = format!("/topics/{TOPIC}/events");
            remote.post(&path, &[("key", key)], &[], "application/json", payload.as_bytes())?;
        }
    }
    Ok(())
}
