//! `streams`: appends to 10 million streams, beside appends to 10; and what an append to a stream that no
//! memory holds costs in reads.

use std::cell::RefCell;
use std::process::Command;

use anyhow::Result;

use super::Bench;
use super::contract::{Bar, Claim, Figure, Report, Side};
use crate::run;

const MANY: &str = "10000000";

/// By each writer: few enough that hardly any finds what another has read. As many go before, which load the
/// runs' filters and fences into their cache.
const COLD_APPENDS: &str = "50";

const CLAIMS: &[Claim] = &[
    Claim {
        what: "10 M streams, warm",
        ours: "10 M streams",
        peer: "10 streams",
        bar: Bar::RatioAtLeast(0.7),
    },
    Claim {
        what: "10 M streams, caches dropped",
        ours: "10 M streams, cold",
        peer: "",
        bar: Bar::AtMost(1.1),
    },
];

/// Fills once, measures on copies.
pub(crate) fn run(bench: &Bench) -> Result<Report> {
    let filled = bench.dir.join("filled").display().to_string();
    eprintln!("filling 10 M streams …");
    run::output(&mut bench.worker.command(&["fill", "--dir", &filled, "--events", MANY, "--streams", MANY]))?;

    let fresh = RefCell::new(bench.fresh());
    let seconds = bench.seconds.to_string();
    let append = |dir: &str, streams: &str| {
        let words = ["embedded", "--dir", dir, "--writers", "64", "--batch", "1", "--streams", streams];
        bench.worker.measure(&[&words[..], &["--seconds", &seconds]].concat())
    };
    let copy = || {
        let dir = fresh.borrow_mut().next()?;
        run::output(Command::new("cp").args(["-r", &filled, &dir]))?;
        anyhow::Ok(dir)
    };
    let states =
        |streams: &str| format!("embedded, 64 writers, 1 event an append, fdatasync each group, {streams}");
    let sides = vec![
        Side {
            figures: vec![Figure { name: "10 streams", unit: "events/s" }],
            states: states("10 streams"),
            run: Box::new(|| Ok(vec![append(&fresh.borrow_mut().next()?, "10")?.get("per_second")?])),
        },
        Side {
            figures: vec![Figure { name: "10 M streams", unit: "events/s" }],
            states: states("uniform over 10 M streams of one event each, files in the page cache"),
            run: Box::new(|| Ok(vec![append(&copy()?, MANY)?.get("per_second")?])),
        },
        Side {
            figures: vec![Figure { name: "10 M streams, cold", unit: "4 KiB blocks read an append" }],
            states: states(
                "uniform over 10 M streams, page cache dropped before opening, appends 3,201 to 6,400 after it",
            ),
            run: Box::new(|| {
                let dir = copy()?;
                run::drop_caches()?;
                let words = ["embedded", "--dir", &dir, "--writers", "64", "--batch", "1", "--streams", MANY];
                let few = ["--seconds", &seconds, "--warm-up", COLD_APPENDS, "--appends", COLD_APPENDS];
                Ok(vec![bench.worker.measure(&[&words[..], &few].concat())?.get("block_reads")?])
            }),
        },
    ];
    Report::measure("streams", bench.machine()?, bench.rounds, sides, CLAIMS)
}
