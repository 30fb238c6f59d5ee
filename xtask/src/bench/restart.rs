//! `restart`: 10 million events and an entity over all of them, killed with the active segment at least 90 % full, caches
//! dropped; how long until the first point read, the first append and the first row of the entity are answered.

use std::cell::RefCell;
use std::process::Command;

use anyhow::{Result, ensure};

use super::Bench;
use super::contract::{Bar, Claim, Figure, Report, Side};
use crate::run;

const CLAIMS: &[Claim] = &[
    Claim { what: "kill -9 to first point read", ours: "first read", peer: "", bar: Bar::AtMost(1.0) },
    Claim { what: "kill -9 to first append", ours: "first append", peer: "", bar: Bar::AtMost(1.0) },
    Claim { what: "kill -9 to first row of an entity", ours: "first row", peer: "", bar: Bar::AtMost(1.0) },
];

/// Fills and kills once, starts copies.
pub(crate) fn run(bench: &Bench, events: u64) -> Result<Report> {
    let killed = bench.dir.join("killed").display().to_string();
    eprintln!("filling {events} events, then kill -9 …");
    let words = ["fill", "--dir", &killed, "--events", &events.to_string(), "--streams", "1000000"];
    let status = run::status(bench.worker.command(&words).args(["--entity", "--die-full"]))?;
    ensure!(!status.success(), "the filler was to be killed");

    let fresh = RefCell::new(bench.fresh());
    let figure = |name| Figure { name, unit: "s" };
    let sides = vec![Side {
        figures: vec![figure("open"), figure("first read"), figure("first append"), figure("first row")],
        states: format!(
            "embedded, {events} events over 1 M streams, an entity over them, its snapshots as they were taken, killed at ≥ 90 % of the active segment, caches dropped"
        ),
        run: Box::new(|| {
            let dir = fresh.borrow_mut().next()?;
            run::output(Command::new("cp").args(["-r", &killed, &dir]))?;
            run::drop_caches()?;
            let answer = bench.worker.measure(&["restart", "--dir", &dir, "--account", "12345"])?;
            let names = ["open_s", "first_read_s", "first_append_s", "first_row_s"];
            names.map(|name| answer.get(name)).into_iter().collect()
        }),
    }];
    Report::measure("restart", bench.machine()?, bench.rounds, sides, CLAIMS)
}
