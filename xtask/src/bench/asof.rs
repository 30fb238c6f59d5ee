//! `asof`: rows of an entity as of positions all over the log: one key's, one key's with many events, all of them; drawn
//! over position and over distance to the snapshot below.
//!
//! The bar for one key is 10 ms, and 1 ms more for each 1,000 of its events since the snapshot below.
//!
//! The bar for all rows is one scan and one interval. *One scan* is what all rows take at a snapshot's own position: it is
//! read, nothing is folded. *One interval* is what they take right before the first snapshot: one interval of events is folded,
//! nothing is read.

use std::cell::RefCell;

use anyhow::{Result, ensure};

use super::Bench;
use super::contract::{Bar, Claim, Figure, Report, Side};
use super::plot::Plot;
use crate::run;

/// Accounts that are chosen uniformly, after the first so many events in their order.
const STREAMS: &str = "1000000";
const EVENTS_MIN: u64 = 1_000_000;
/// Events of one more account at the end, every tenth of those appended.
const HOT: &str = "20000";
/// Positions at which one key, and all rows, are asked for.
const KEYS: &str = "1000";
const WHOLES: &str = "10";

const CLAIMS: &[Claim] = &[
    Claim { what: "one key, p99, ms", ours: "one key, p99", peer: "", bar: Bar::AtMost(10.0) },
    Claim {
        what: "one key of many events, beyond 1 ms for 1,000, ms",
        ours: "one key, beyond 1 ms for 1,000",
        peer: "",
        bar: Bar::AtMost(10.0),
    },
    Claim {
        what: "all rows, slowest",
        ours: "all rows, slowest",
        peer: "one scan + one interval",
        bar: Bar::RatioAtMost(1.0),
    },
];

/// Fills once; asks in every round. The plots are of the last one.
pub(crate) fn run(bench: &Bench, events: u64) -> Result<Report> {
    ensure!(events >= EVENTS_MIN, "at least {EVENTS_MIN} events, one of each account");
    let filled = bench.dir.join("filled").display().to_string();
    eprintln!("filling {events} events …");
    let words = ["fill", "--dir", &filled, "--events", &events.to_string(), "--streams", STREAMS];
    run::output(bench.worker.command(&words).args(["--entity", "--hot", HOT]))?;

    let plots = RefCell::new(Vec::new());
    let figure = |name, unit| Figure { name, unit };
    let sides = vec![Side {
        figures: vec![
            figure("one key, p50", "ms"),
            figure("one key, p99", "ms"),
            figure("one key, slowest", "ms"),
            figure("one key, p99 when first asked", "ms"),
            figure("one key, each 1,000 events", "ms"),
            figure("one key, beyond 1 ms for 1,000", "ms"),
            figure("all rows, slowest", "s"),
            figure("one scan", "s"),
            figure("one interval", "s"),
            figure("one scan + one interval", "s"),
        ],
        states: format!(
            "embedded, AS OF POSITION over {events} events of 1 M keys and 200,000 more of which one key has 20,000; \
             snapshots as they were taken, files in the page cache, each key asked again at once, \
             the fastest of three times all rows"
        ),
        run: Box::new(|| {
            let words = ["asof", "--dir", &filled, "--streams", STREAMS, "--keys", KEYS, "--wholes", WHOLES];
            let answer = bench.worker.measure(&words)?;
            let plot = |title, x, y, points, bar| {
                anyhow::Ok(Plot { title, x, y, points: answer.points(points)?, bar })
            };
            let whole_bar = answer.get("scan_and_interval_s")?;
            *plots.borrow_mut() = vec![
                plot("one key as of a position", "position, millions", "ms", "keys", (10.0, 0.0))?,
                plot(
                    "a key with many events",
                    "its events since the snapshot, thousands",
                    "ms",
                    "hot",
                    (10.0, 1.0),
                )?,
                plot("all rows", "positions since the snapshot, millions", "s", "wholes", (whole_bar, 0.0))?,
            ];
            let names = [
                "key_p50_ms",
                "key_p99_ms",
                "key_worst_ms",
                "key_first_p99_ms",
                "hot_ms",
                "hot_beyond_ms",
                "whole_worst_s",
                "scan_s",
                "interval_s",
                "scan_and_interval_s",
            ];
            names.map(|name| answer.get(name)).into_iter().collect()
        }),
    }];
    let mut report = Report::measure("asof", bench.machine()?, bench.rounds, sides, CLAIMS)?;
    report.plots = plots.into_inner();
    Ok(report)
}
