//! `append`: durable appends a second, beside the raw loop, a bare echo server and Postgres.

use anyhow::Result;

use super::Bench;
use super::contract::{Report, Side};
use super::postgres::{self, Postgres};

/// Bytes that one append of one event adds to the journal: what the raw loop writes each time.
const BYTES_A_WRITE: &str = "400";

/// Measures.
pub(crate) fn run(bench: &Bench) -> Result<Report> {
    let postgres = Postgres::start(&bench.dir)?;
    let dir = bench.dir.join("raw").display().to_string();
    let seconds = bench.seconds.to_string();
    let pg = |name, clients, batch| Side {
        name,
        states: format!("{}, {clients} clients, {batch} events a request", postgres::STATES),
        run: Box::new({
            let postgres = &postgres;
            move || postgres.append(clients, batch, bench.seconds)
        }),
    };
    let sides = vec![
        Side {
            name: "raw loop",
            states: format!("1 thread, whole 4 KiB pages for {BYTES_A_WRITE} new bytes, fdatasync each"),
            run: Box::new(|| {
                let words = ["raw", "--dir", &dir, "--seconds", &seconds, "--bytes", BYTES_A_WRITE];
                Ok(bench.worker.measure(&words)?.per_second)
            }),
        },
        Side {
            name: "echo + sync",
            states: "the raw loop behind a bare TCP server on loopback, 1 client in another process"
                .to_owned(),
            run: Box::new(|| {
                let server =
                    bench.worker.beside(&["echo-server", "--dir", &dir, "--bytes", BYTES_A_WRITE])?;
                let words = ["echo-client", "--address", &server.address, "--seconds", &seconds];
                Ok(bench.worker.measure(&words)?.per_second)
            }),
        },
        pg("postgres 1", 1, 1),
        pg("postgres 64", 64, 1),
        pg("postgres 64 x 16", 64, 16),
    ];
    let machine = bench.machine()?;
    Report::measure("append", "events/s", machine, bench.rounds, sides, &[])
}
