//! `replay`: the p99 of single appends while an entity is rebuilt flat out beside them, and the p99 of the same appends
//! while nothing is rebuilt, in one process.

use anyhow::Result;

use super::Bench;
use super::contract::{Bar, Claim, Figure, Report, Side};
use crate::run;

const CLAIMS: &[Claim] = &[Claim {
    what: "p99 beside rebuilding",
    ours: "p99 beside rebuilding",
    peer: "p99 of quiet times",
    bar: Bar::RatioAtMost(2.0),
}];

/// Fills once; appends more in every round.
pub(crate) fn run(bench: &Bench, events: u64) -> Result<Report> {
    let filled = bench.dir.join("filled").display().to_string();
    eprintln!("filling {events} events …");
    let words =
        ["fill", "--dir", &filled, "--events", &events.to_string(), "--streams", "1000000", "--entity"];
    run::output(&mut bench.worker.command(&words))?;

    let seconds = bench.seconds.to_string();
    let figure = |name| Figure { name, unit: "µs" };
    let sides = vec![Side {
        figures: vec![
            figure("p99 beside rebuilding"),
            figure("p99 of quiet times"),
            figure("p50 beside rebuilding"),
            figure("p50 of quiet times"),
            Figure { name: "rebuilt", unit: "events/s" },
        ],
        states: format!(
            "embedded, 1 writer, 1 event an append, fdatasync each; an entity over {events} events and 1 M keys is up to date, \
             or replaced again and again (snapshots are written)"
        ),
        run: Box::new(|| {
            let words = ["replay", "--dir", &filled, "--streams", "1000000", "--seconds", &seconds];
            let answer = bench.worker.measure(&words)?;
            let names =
                ["p99_beside_us", "p99_quiet_us", "p50_beside_us", "p50_quiet_us", "rebuilt_per_second"];
            names.map(|name| answer.get(name)).into_iter().collect()
        }),
    }];
    Report::measure("replay", bench.machine()?, bench.rounds, sides, CLAIMS)
}
