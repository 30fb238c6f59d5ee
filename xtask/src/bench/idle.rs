//! `idle`: anonymous memory of a server on 10 million events that nobody uses, before and after one query.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Bench;
use super::contract::{Bar, Claim, Figure, Report, Side};
use super::server::Recount;
use crate::run;

const SETTLE: Duration = Duration::from_secs(60);

const CLAIMS: &[Claim] = &[
    Claim { what: "60 s after start", ours: "idle", peer: "", bar: Bar::AtMost(64.0) },
    Claim { what: "after one query", ours: "after one query", peer: "", bar: Bar::AtMost(64.0) },
];

/// Fills once; starts, waits and asks in every round.
pub(crate) fn run(bench: &Bench, events: u64) -> Result<Report> {
    let recount = Recount::build()?;
    let filled = bench.dir.join("filled").display().to_string();
    eprintln!("filling {events} events …");
    let words = ["fill", "--dir", &filled, "--events", &events.to_string(), "--streams", "1000000"];
    run::output(&mut bench.worker.command(&words))?;
    let figure = |name| Figure { name, unit: "MiB" };
    let sides = vec![Side {
        figures: vec![figure("idle"), figure("after one query")],
        states: format!("recount serve, RssAnon, {events} events over 1 M streams, nothing asked for 60 s"),
        run: Box::new(|| {
            let server = recount.serve(&filled)?;
            thread::sleep(SETTLE);
            let idle = server.anonymous_mib()?;
            let answer = recount.read(&server, "transactions/12345")?;
            ensure!(answer.lines().count() > 0, "the query found nothing");
            Ok(vec![idle, server.anonymous_mib()?])
        }),
    }];
    Report::measure("idle", bench.machine()?, bench.rounds, sides, CLAIMS)
}
