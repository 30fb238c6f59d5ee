//! `append`: durable appends a second, beside the raw loop, a bare echo server and Postgres.

use std::cell::RefCell;

use anyhow::Result;

use super::Bench;
use super::contract::{Bar, Claim, Figure, Report, Side};
use super::postgres::{self, Postgres};
use super::server::Recount;

const UNIT: &str = "events/s";
/// Accounts; few enough that both sides' indexes stay warm.
const STREAMS: &str = "1000";

const CLAIMS: &[Claim] = &[
    at_least("1 writer, embedded", "embedded 1", "raw loop", 0.85),
    at_least("64 writers, embedded", "embedded 64", "embedded 1", 10.0),
    at_least("1 client over loopback", "loopback 1", "raw loop", 0.5),
    at_least("64 clients over loopback, 1 event", "loopback 64", "postgres 64", 2.5),
    at_least("64 clients over loopback, 16 events", "loopback 64 x 16", "postgres 64 x 16", 5.0),
];

const fn at_least(what: &'static str, ours: &'static str, peer: &'static str, bar: f64) -> Claim {
    Claim { what, ours, peer, bar: Bar::RatioAtLeast(bar) }
}

/// Measures.
pub(crate) fn run(bench: &Bench) -> Result<Report> {
    let recount = Recount::build()?;
    let bytes = bytes_a_write(bench)?;
    let postgres = Postgres::start(&bench.dir)?;
    let fresh = RefCell::new(bench.fresh());
    let seconds = bench.seconds.to_string();
    let raw = bench.dir.join("raw").display().to_string();

    let embedded = |name, writers: &'static str, batch: &'static str| Side {
        figures: vec![Figure { name, unit: UNIT }],
        states: format!("embedded, {writers} writers, {batch} events an append, fdatasync each group"),
        run: Box::new(|| {
            let dir = fresh.borrow_mut().next()?;
            let words = ["embedded", "--dir", &dir, "--writers", writers, "--batch", batch];
            let answer = bench
                .worker
                .measure(&[&words[..], &["--streams", STREAMS, "--seconds", &seconds]].concat())?;
            Ok(vec![answer.get("per_second")?])
        }),
    };
    let loopback = |name, clients: &'static str, batch: &'static str, streams_each: &'static str| Side {
        figures: vec![Figure { name, unit: UNIT }],
        states: format!(
            "recount serve, HTTP/1.1 keep-alive, {clients} clients in one other process, {batch} events a request"
        ),
        run: Box::new(|| {
            let server = recount.serve(&fresh.borrow_mut().next()?)?;
            let address = server.address.to_string();
            let words = ["http", "--address", &address, "--topic", "transactions", "--connections", clients];
            let more = ["--batch", batch, "--streams", streams_each, "--seconds", &seconds];
            Ok(vec![bench.worker.measure(&[&words[..], &more].concat())?.get("per_second")?])
        }),
    };
    let pg = |name, clients, batch| Side {
        figures: vec![Figure { name, unit: UNIT }],
        states: format!("{}, {clients} clients, {batch} events a request", postgres::STATES),
        run: Box::new({
            let postgres = &postgres;
            move || Ok(vec![postgres.append(clients, batch, bench.seconds)?])
        }),
    };
    let sides = vec![
        Side {
            figures: vec![Figure { name: "raw loop", unit: UNIT }],
            states: format!(
                "1 thread, {bytes} new bytes in whole 4 KiB pages of a zero-filled file, fdatasync each"
            ),
            run: Box::new(|| {
                let words = ["raw", "--dir", &raw, "--seconds", &seconds, "--bytes", &bytes];
                Ok(vec![bench.worker.measure(&words)?.get("per_second")?])
            }),
        },
        embedded("embedded 1", "1", "1"),
        Side {
            figures: vec![Figure { name: "echo + sync", unit: UNIT }],
            states: "the raw loop behind a bare TCP server on loopback, 1 client in another process"
                .to_owned(),
            run: Box::new(|| {
                let server = bench.worker.beside(&["echo-server", "--dir", &raw, "--bytes", &bytes])?;
                let words = ["echo-client", "--address", &server.address, "--seconds", &seconds];
                Ok(vec![bench.worker.measure(&words)?.get("per_second")?])
            }),
        },
        loopback("loopback 1", "1", "1", "1000"),
        embedded("embedded 64", "64", "1"),
        embedded("embedded 64 x 16", "64", "16"),
        pg("postgres 1", 1, 1),
        loopback("loopback 64", "64", "1", "16"),
        pg("postgres 64", 64, 1),
        loopback("loopback 64 x 16", "64", "16", "16"),
        pg("postgres 64 x 16", 64, 16),
    ];
    Report::measure("append", bench.machine()?, bench.rounds, sides, CLAIMS)
}

/// What one append of one event adds to the journal, so that the raw loop writes the same.
fn bytes_a_write(bench: &Bench) -> Result<String> {
    let dir = bench.fresh().next()?;
    let words =
        ["embedded", "--dir", &dir, "--writers", "1", "--batch", "1", "--streams", STREAMS, "--seconds", "1"];
    Ok(format!("{:.0}", bench.worker.measure(&words)?.get("bytes_a_group")?))
}
