//! `fold`: what one core folds. Events that are decoded already, 1 M keys, beside a hash map filled in a loop; the same
//! with interest at rates that are looked up; and a journal from the first event: checked, read as JSON, folded.

use anyhow::Result;

use super::Bench;
use super::contract::{Bar, Claim, Figure, Report, Side};
use crate::run;

const JOURNAL_EVENTS: &str = "1000000";

const CLAIMS: &[Claim] = &[
    Claim { what: "balance", ours: "balance", peer: "", bar: Bar::AtLeast(5e6) },
    Claim { what: "balance", ours: "balance", peer: "loop by hand", bar: Bar::RatioAtLeast(0.5) },
    Claim { what: "with interest", ours: "with interest", peer: "", bar: Bar::AtLeast(1.5e6) },
    Claim { what: "journal to state", ours: "journal to state", peer: "", bar: Bar::AtLeast(1.5e6) },
];

/// Fills once, measures every side in a process of its own.
pub(crate) fn run(bench: &Bench) -> Result<Report> {
    let filled = bench.dir.join("filled").display().to_string();
    eprintln!("filling {JOURNAL_EVENTS} events …");
    let words = ["fill", "--dir", &filled, "--events", JOURNAL_EVENTS, "--streams", "1000", "--entity"];
    run::output(&mut bench.worker.command(&words))?;

    let figure = |name| Figure { name, unit: "events/s" };
    let decoded =
        |what: &str| bench.worker.measure(&["fold", what, "--keys", "1000000", "--events", "5000000"]);
    let states = |what: &str| {
        format!(
            "{what}; 5 M decoded events in batches of 4,096 over 1 M keys, uniform; processor time of one thread"
        )
    };
    let sides = vec![
        Side {
            figures: vec![figure("loop by hand")],
            states: states("a growing hashbrown map with foldhash, i64 to i128"),
            run: Box::new(|| Ok(vec![decoded("hand")?.get("per_second")?])),
        },
        Side {
            figures: vec![figure("balance"), figure("balance, keys made before")],
            states: states("an entity with one decimal sum"),
            run: Box::new(|| {
                let answer = decoded("balance")?;
                Ok(vec![answer.get("per_second")?, answer.get("fold_per_second")?])
            }),
        },
        Side {
            figures: vec![figure("with interest")],
            states: states("an entity with a sum, a time and interest at the rate of a LOOKUP"),
            run: Box::new(|| Ok(vec![decoded("interest")?.get("per_second")?])),
        },
        Side {
            figures: vec![figure("journal to state"), figure("a processor second")],
            states: "1 M events of 1,000 accounts, 1,000 an append, files in the page cache, no snapshot; one thread at a time"
                .to_owned(),
            run: Box::new(|| {
                let words = ["fold-journal", "--dir", &filled, "--events", JOURNAL_EVENTS];
                let answer = bench.worker.measure(&words)?;
                Ok(vec![answer.get("per_second")?, answer.get("per_processor_second")?])
            }),
        },
    ];
    Report::measure("fold", bench.machine()?, bench.rounds, sides, CLAIMS)
}
