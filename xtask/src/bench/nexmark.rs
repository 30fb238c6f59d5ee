//! `nexmark`: NEXMark's queries as views, beside Flink SQL, on one set of JSON lines in two files (Flink reads a file of a local disk with one
//! reader, and has two). Both read and parse them inside the timing.
//!
//! Recount: a new database and its server, topics and the view; then from the first request until the view answers at the last position. Each file
//! goes over a connection of its own (loopback HTTP) in appends, one after the other, each synced; the journal and its index are written on the way.
//! Flink: a job's own time, without planning, in a process that has run for a minute before.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Bench;
use super::client::Client;
use super::contract::{Bar, Claim, Figure, Report, Side};
use super::flink::{self, Flink};
use super::server::Recount;
use crate::nexmark::event::Events;
use crate::nexmark::feed::Feed;
use crate::nexmark::query::{QUERIES, Query, TOPICS};

const SEED: u64 = 1;
const PARTS: usize = 2;
/// Events of an append.
const APPEND: usize = 5_000;
const WARM: Duration = Duration::from_secs(60);

/// Makes the events once; every query is a side of each.
pub(crate) fn run(bench: &Bench, events: u64) -> Result<Report> {
    let recount = Recount::build()?;
    let folder = bench.dir.join("events");
    eprintln!("making {events} events …");
    let parts = write(&folder, events)?;
    let mut flink = Flink::start(&folder, &bench.dir)?;
    warm(&mut flink)?;
    let (flink, fresh) = (RefCell::new(flink), RefCell::new(bench.fresh()));
    let (recount, parts, flink, fresh) = (&recount, &parts, &flink, &fresh);
    let per_second = |name| vec![Figure { name, unit: "events/s" }];

    let mut sides = Vec::new();
    for query in QUERIES {
        sides.push(Side {
            figures: per_second(query.ours),
            states: format!(
                "{events} events, {APPEND} an append over HTTP, fsync each; journal, index and the view"
            ),
            run: Box::new(move || {
                let took = visible(recount, &fresh.borrow_mut().next()?, parts, query)?;
                Ok(vec![events as f64 / took.as_secs_f64()])
            }),
        });
        sides.push(Side {
            figures: per_second(query.theirs),
            states: flink::STATES.to_owned(),
            run: Box::new(move || Ok(vec![events as f64 / flink.borrow_mut().seconds(query.flink)?])),
        });
    }
    let claim = |query: &Query| Claim {
        what: query.ours,
        ours: query.ours,
        peer: query.theirs,
        bar: Bar::RatioAtLeast(2.0),
    };
    let claims: Vec<Claim> = QUERIES.iter().map(claim).collect();
    let mut report = Report::measure("nexmark", bench.machine()?, bench.rounds, sides, &claims)?;
    report.add_mean_of_ratios("geometric mean of the ratios", 5.0);
    Ok(report)
}

/// Writes the events, line after line into one part and the other.
fn write(folder: &Path, count: u64) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let paths: Vec<PathBuf> = (0..PARTS).map(|part| folder.join(format!("part-{part}.jsonl"))).collect();
    let mut files =
        paths.iter().map(|path| Ok(BufWriter::new(File::create(path)?))).collect::<Result<Vec<_>>>()?;
    let (mut events, mut line, mut left) = (Events::new(SEED), Vec::new(), count);
    while left > 0 {
        for file in files.iter_mut().take(left as usize) {
            line.clear();
            events.next(&mut line)?;
            file.write_all(&line)?;
            left -= 1;
        }
    }
    files.iter_mut().try_for_each(|file| file.flush())?;
    Ok(paths)
}

/// Runs all queries, and again until it has been long enough.
fn warm(flink: &mut Flink) -> Result<()> {
    let began = Instant::now();
    let mut runs = 0;
    while runs < QUERIES.len() || began.elapsed() < WARM {
        flink.seconds(QUERIES[runs % QUERIES.len()].flink)?;
        runs += 1;
    }
    eprintln!("Flink is warm after {runs} jobs in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// How long it takes from the first request until the view shows all events.
fn visible(recount: &Recount, database: &str, parts: &[PathBuf], query: &Query) -> Result<Duration> {
    let server = recount.serve_as_is(database)?;
    let mut client = Client::to(server.address)?;
    for statement in TOPICS.split_inclusive(";\n") {
        client.sql(statement)?;
    }
    client.sql(&query.view())?;
    let address = server.address;
    let began = Instant::now();
    let last = thread::scope(|scope| -> Result<u64> {
        let senders: Vec<_> = parts.iter().map(|part| scope.spawn(|| append(address, part))).collect();
        let ends = senders.into_iter().map(|sender| sender.join().ok().context("a sender panicked")?);
        Ok(ends.collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or(0))
    })?;
    client.until_there(last, &format!("SELECT 1 FROM {} LIMIT 1", query.name))?;
    Ok(began.elapsed())
}

/// Appends one of the files over a connection of its own; returns the last position.
fn append(address: SocketAddr, part: &Path) -> Result<u64> {
    let mut client = Client::to(address)?;
    let mut feed = Feed::of(BufReader::with_capacity(1 << 20, File::open(part)?));
    let (mut body, mut last) = (feed.body(APPEND)?, 0);
    while let Some((_, sent)) = body.take() {
        client.send("/append", "application/json", &sent)?;
        // While the server works.
        body = feed.body(APPEND)?;
        let appended: Appended = serde_json::from_slice(&client.receive()?)?;
        last = appended.position;
    }
    Ok(last)
}

/// What counts of the answer to an append.
#[derive(Deserialize)]
struct Appended {
    position: u64,
}
