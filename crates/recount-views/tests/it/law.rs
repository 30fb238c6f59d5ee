//! The law for folds: whatever is declared, appended, asked, reopened, replaced and skipped, the database answers what
//! a naive evaluator answers, at every position and as of every moment of either axis.

use std::panic::{AssertUnwindSafe, catch_unwind};

mod ast;
mod expression;
mod generate;
mod kept;
mod naive;
mod run;
mod shown;

use run::Counts;

/// One case, a panic in it told like a mismatch.
fn case(seed: u64) -> Result<Counts, String> {
    let done = catch_unwind(AssertUnwindSafe(|| run::run(seed)));
    done.unwrap_or_else(|_| Err(format!("seed {seed} panics\nagain: cargo xtask law --case {seed}")))
}

#[test]
fn law() {
    let mut counts = Counts::default();
    for seed in 0..300 {
        match case(seed) {
            Ok(more) => counts.add(&more),
            Err(error) => panic!("{error}"),
        }
    }
    println!("{counts:?}");
    assert!(!counts.has_zero(), "something never happens: {counts:?}");
}

/// As many as the environment says: RECOUNT_LAW_CASES from RECOUNT_LAW_FIRST, or RECOUNT_LAW_CASE alone.
#[test]
#[ignore = "cargo xtask law"]
fn law_many() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, cases) = match number("RECOUNT_LAW_CASE") {
        Some(one) => (one, 1),
        None => (number("RECOUNT_LAW_FIRST").unwrap_or(0), number("RECOUNT_LAW_CASES").unwrap_or(1000)),
    };
    let mut counts = Counts::default();
    let mut failed = Vec::new();
    for seed in first..first + cases {
        match case(seed) {
            Ok(more) => counts.add(&more),
            Err(error) => {
                println!("{error}\n");
                failed.push(seed);
            }
        }
        if failed.len() >= 10 {
            break;
        }
        if (seed + 1 - first).is_multiple_of(1000) {
            println!("{} cases, the last is {seed}", seed + 1 - first);
        }
    }
    println!("{counts:?}");
    assert!(failed.is_empty(), "these cases differ: {failed:?}");
}
