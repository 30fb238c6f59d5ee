//! `roll`: the p99 of appends that meet a segment roll, or an index flush or merge, beside the p99 of the
//! other appends of the same run.

use std::cell::RefCell;

use anyhow::{Result, ensure};

use super::Bench;
use super::contract::{Bar, Claim, Figure, Report, Side};

const ROLLS: f64 = 20.0;
const SEGMENT_BYTES: &str = "33554432";

const CLAIMS: &[Claim] = &[
    Claim {
        what: "p99 at a roll",
        ours: "p99 at rolls",
        peer: "p99 of the rest",
        bar: Bar::RatioAtMost(1.5),
    },
    Claim {
        what: "p99 at a flush or merge",
        ours: "p99 at flushes and merges",
        peer: "p99 of the rest",
        bar: Bar::RatioAtMost(1.5),
    },
];

/// Measures.
pub(crate) fn run(bench: &Bench) -> Result<Report> {
    let fresh = RefCell::new(bench.fresh());
    let figure = |name| Figure { name, unit: "µs" };
    let sides = vec![Side {
        figures: vec![figure("p99 at rolls"), figure("p99 at flushes and merges"), figure("p99 of the rest")],
        states: "embedded, 1 writer, 100 events an append over 1 M streams, fdatasync each, segments of 32 MiB, 20 rolls"
            .to_owned(),
        run: Box::new(|| {
            let dir = fresh.borrow_mut().next()?;
            let words = ["roll", "--dir", &dir, "--segment-bytes", SEGMENT_BYTES, "--rolls", "20", "--batch", "100"];
            let answer = bench.worker.measure(&words)?;
            let rolls = answer.get("rolls")?;
            ensure!(rolls >= ROLLS, "only {rolls} rolls");
            ["p99_at_rolls_us", "p99_at_index_us", "p99_rest_us"].map(|name| answer.get(name)).into_iter().collect()
        }),
    }];
    Report::measure("roll", bench.machine()?, bench.rounds, sides, CLAIMS)
}
