//! `mutants`: changes the code in thousands of small ways and sees whether that crate's own tests notice.
//! Only the files on which everything rests; survivors are explained in docs/testing.md or killed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::run;

/// Package, and files below its `src`.
const FILES: &[(&str, &[&str])] = &[
    ("recount-journal", &["frame.rs", "mask.rs", "classify.rs", "segment.rs"]),
    ("recount-store", &["sequencer.rs", "sequencer/**", "condition.rs", "group.rs", "append/later.rs"]),
    ("recount-index", &["run/**", "filter.rs"]),
    (
        "recount-entity",
        &["fold.rs", "fold/**", "lookup.rs", "expr/time.rs", "expr/program.rs", "table.rs", "table/row.rs"],
    ),
    (
        "recount-flow",
        &[
            "circuit.rs",
            "delta.rs",
            "expr.rs",
            "moments.rs",
            "operator.rs",
            "layout.rs",
            "relation.rs",
            "relation/**",
            "state.rs",
            "codec.rs",
            "codec/**",
            "operators/**",
        ],
    ),
];

const KILLED_MIN: f64 = 0.95;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this package
    package: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Outcomes {
    total_mutants: u32,
    missed: u32,
    caught: u32,
    timeout: u32,
    unviable: u32,
}

/// Runs cargo-mutants on one package's files or on all.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !run::exists("cargo-mutants") {
        run::loud(&mut run::cargo(["install", "--locked", "cargo-mutants"]))?;
    }
    let chosen: Vec<_> = FILES
        .iter()
        .filter(|(name, _)| arguments.package.as_deref().is_none_or(|package| package == *name))
        .collect();
    ensure!(!chosen.is_empty(), "no files are listed for {:?}", arguments.package);
    let mut failures = 0;
    for (package, files) in chosen {
        if !mutate(package, files)? {
            failures += 1;
        }
    }
    if failures > 0 {
        bail!("in {failures} packages fewer than {KILLED_MIN} of the mutants were killed");
    }
    Ok(())
}

fn mutate(package: &str, files: &[&str]) -> Result<bool> {
    let output = run::root().join("target/mutants").join(package);
    fs::create_dir_all(&output)?;
    let mut command = run::cargo(["mutants", "--package", package, "--no-shuffle", "--jobs", "2"]);
    // Each job has a folder of its own.
    command.env_remove("CARGO_TARGET_DIR");
    // What random tests found of one mutant is not tried on the next; nor is it made smaller, which nobody reads.
    command.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1").env("PROPTEST_MAX_SHRINK_ITERS", "0");
    // A mutant is built again and again, and its tests run once: what is built fast is done first.
    command
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "1");
    for file in files {
        command.args(["--file", &format!("crates/{package}/src/{file}")]);
    }
    // Its exit code says that there are survivors, which is ours to judge.
    eprintln!("$ cargo mutants --package {package} ({})", files.join(", "));
    command.arg("--output").arg(&output).status().context("cannot start cargo-mutants")?;
    report(package, &output.join("mutants.out"))
}

fn report(package: &str, folder: &Path) -> Result<bool> {
    let json = fs::read_to_string(folder.join("outcomes.json")).context("cargo-mutants wrote no outcomes")?;
    let outcomes: Outcomes = serde_json::from_str(&json)?;
    let killed = outcomes.caught + outcomes.timeout;
    let viable = killed + outcomes.missed;
    ensure!(viable > 0, "{package}: none of {} mutants was viable", outcomes.total_mutants);
    let share = f64::from(killed) / f64::from(viable);
    println!(
        "{package}: {} mutants, {} did not compile, {killed} of {viable} killed ({:.1} %)",
        outcomes.total_mutants,
        outcomes.unviable,
        share * 100.0
    );
    for survivor in fs::read_to_string(folder.join("missed.txt"))?.lines() {
        println!("  survived: {survivor}");
    }
    Ok(share >= KILLED_MIN)
}
