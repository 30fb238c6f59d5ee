//! The law of views, on generated cases: after every append the sum of the changes that a circuit gave is what DataFusion makes of all
//! rows that are there, however appends are cut into epochs.
//!
//! A case is a seed: tables whose rows come and go, a query over them, appends, and how these are cut. Run one with
//! `cargo xtask law --views --case SEED`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

mod chance;
mod coverage;
mod database;
mod judge;
mod query;
mod reference;
mod run;
mod table;

use coverage::Coverage;

/// Cases in a usual test run.
const FEW: u64 = 150;
/// In databases, which are slower.
const FEW_DATABASES: u64 = 40;

/// Cases on circuits alone.
fn cases(first: u64, count: u64) {
    let mut coverage = Coverage::default();
    each("", first, count, |seed| run::case(seed, &mut coverage));
    println!("{coverage}");
}

/// The same in databases.
fn databases(first: u64, count: u64) {
    each(" in a database", first, count, database::case);
    println!("{} restarts from snapshots", database::RESUMED.load(std::sync::atomic::Ordering::Relaxed));
}

/// Runs cases; the first one that differs ends it.
fn each(where_: &str, first: u64, count: u64, mut case: impl FnMut(u64) -> Result<(), run::Ended>) {
    let mut refused: BTreeMap<String, u64> = BTreeMap::new();
    for seed in first..first + count {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case(seed)));
        match ended.unwrap_or_else(|_| Err(run::Ended::Differs("it panics".to_owned()))) {
            Ok(()) => {}
            Err(run::Ended::Refused(what)) => *refused.entry(what).or_default() += 1,
            Err(run::Ended::Differs(how)) => {
                panic!("case {seed}{where_} (cargo xtask law --views --case {seed}): {how}")
            }
        }
    }
    for (what, count) in &refused {
        println!("{count}{where_} refused: {what}");
    }
    let refused: u64 = refused.values().sum();
    assert!(count == 1 || refused * 10 <= count, "{refused} of {count} cases were refused");
}

#[test]
fn law_few() {
    cases(0, FEW);
}

#[test]
fn law_in_databases_few() {
    databases(0, FEW_DATABASES);
}

#[test]
#[ignore = "takes long: cargo xtask law --views"]
fn law_many() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("RECOUNT_LAW_CASE") {
        Some(case) => {
            databases(case, 1);
            cases(case, 1);
        }
        None => {
            let (first, count) =
                (number("RECOUNT_LAW_FIRST").unwrap_or(0), number("RECOUNT_LAW_CASES").unwrap_or(1000));
            // One in ten, too, in a database.
            databases(first, count.div_ceil(10));
            cases(first, count);
        }
    }
}
