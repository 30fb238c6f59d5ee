//! `nexmark`: NEXMark's queries as views, beside Flink SQL, on one set of JSON lines. Both read them from a file of a local disk, and parse them, inside
//! the timing: Flink from two files (it reads a file with one reader, and has two), Recount from its journal, which has each line's event as it came.
//! So neither makes anything durable meanwhile: `docs/decisions/0012-nexmark-from-the-journal.md`.
//!
//! Recount: from the statement that declares the view until it answers, in a server that has the events. Flink: a job's own time, without planning,
//! in a process that has run for a minute before.
//!
//! Beside it, without a peer: the same with the view declared first, from the first append over HTTP until the view shows the last event. Each file goes
//! over a connection of its own in appends, one after the other, each synced; the journal and its index are written on the way.

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
const TABLES: &str = include_str!("../nexmark/flink/tables.sql");

/// Makes the events once, and a database of them; every query is a side of each.
pub(crate) fn run(bench: &Bench, events: u64) -> Result<Report> {
    let recount = Recount::build()?;
    let folder = bench.dir.join("events");
    eprintln!("making {events} events …");
    let parts = write(&folder, events)?;
    let server = recount.serve_as_is(&bench.dir.join("filled").display().to_string())?;
    let address = server.address;
    declare(&mut Client::to(address)?)?;
    append(address, &parts)?;
    let mut flink = Flink::start(TABLES, &folder, &bench.dir)?;
    flink.warm(&QUERIES.iter().map(|query| query.flink).collect::<Vec<_>>())?;
    let (flink, fresh) = (RefCell::new(flink), RefCell::new(bench.fresh()));
    let (recount, parts, flink, fresh) = (&recount, &parts, &flink, &fresh);
    let per_second = |name| vec![Figure { name, unit: "events/s" }];

    let mut sides = Vec::new();
    for query in QUERIES {
        sides.push(Side {
            figures: per_second(query.ours),
            states: format!("{events} events in the journal, as they came; until the view answers"),
            run: Box::new(move || {
                // The server closes what was idle for as long as the others took.
                let mut client = Client::to(address)?;
                let began = Instant::now();
                client.sql(&query.view())?;
                client.until_there(0, &query.answer())?;
                let took = began.elapsed();
                client.sql(&format!("DROP MATERIALIZED VIEW {}", query.name))?;
                Ok(vec![events as f64 / took.as_secs_f64()])
            }),
        });
        sides.push(Side {
            figures: per_second(query.theirs),
            states: flink::STATES.to_owned(),
            run: Box::new(move || Ok(vec![events as f64 / flink.borrow_mut().seconds(query.flink)?])),
        });
        sides.push(Side {
            figures: per_second(query.live),
            states: format!("{APPEND} an append over HTTP, fsync each; journal, index and the view"),
            run: Box::new(move || {
                let took = visible(recount, &fresh.borrow_mut().next()?, parts, query)?;
                Ok(vec![events as f64 / took.as_secs_f64()])
            }),
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

/// Declares the topics.
fn declare(client: &mut Client) -> Result<()> {
    TOPICS.split_inclusive(";\n").try_for_each(|statement| client.sql(statement).map(drop))
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

/// How long it takes from the first request until the view shows all events.
fn visible(recount: &Recount, database: &str, parts: &[PathBuf], query: &Query) -> Result<Duration> {
    let server = recount.serve_as_is(database)?;
    let mut client = Client::to(server.address)?;
    declare(&mut client)?;
    client.sql(&query.view())?;
    let began = Instant::now();
    let last = append(server.address, parts)?;
    client.until_there(last, &query.answer())?;
    Ok(began.elapsed())
}

/// Appends the files, each over a connection of its own; returns the last position.
fn append(address: SocketAddr, parts: &[PathBuf]) -> Result<u64> {
    thread::scope(|scope| {
        let senders: Vec<_> = parts.iter().map(|part| scope.spawn(|| append_part(address, part))).collect();
        let ends = senders.into_iter().map(|sender| sender.join().ok().context("a sender panicked")?);
        Ok(ends.collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or(0))
    })
}

/// Appends one of the files; returns the last position.
fn append_part(address: SocketAddr, part: &Path) -> Result<u64> {
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
