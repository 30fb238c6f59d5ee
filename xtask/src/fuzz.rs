//! `fuzz`: feeds a decoder with what nobody would send. Needs a nightly compiler; installs cargo-fuzz.
//!
//! The decoders have no unsafe code, so almost all executions are made without a sanitizer, 20 times as fast. What those
//! found worth keeping is then run again, and a hundredth as much beside it, under AddressSanitizer, which also sees
//! how much is allocated at once.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run;

/// Nothing that a decoder is handed may make it ask for more at once.
const ALLOCATION_MIB_MAX: u32 = 256;
/// Nor hold more in all.
const RESIDENT_MIB_MAX: u32 = 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Target, a file in fuzz/fuzz_targets; all if none is named
    name: Option<String>,
    /// Executions of each target
    #[arg(long, default_value_t = 10_000_000)]
    runs: u64,
    /// Seconds that each target may take at most
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
}

/// Runs one target or all.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !run::exists("cargo-fuzz") {
        run::loud(&mut run::cargo(["install", "--locked", "cargo-fuzz"]))?;
    }
    let names = match &arguments.name {
        Some(name) => vec![name.clone()],
        None => targets()?,
    };
    for (sanitizer, runs) in [("none", arguments.runs), ("address", arguments.runs / 100)] {
        for name in &names {
            run::loud(&mut fuzz(name, sanitizer, runs, arguments.seconds)?)?;
        }
    }
    println!("{} fuzz targets passed, 0 failed", names.len());
    Ok(())
}

fn fuzz(name: &str, sanitizer: &str, runs: u64, seconds: u64) -> Result<Command> {
    // rustup's own cargo, since the one that runs us is bound to the pinned toolchain.
    let mut command = Command::new("cargo");
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").current_dir(run::root());
    // Each sanitizer builds everything anew: side by side, not one over the other.
    let target = run::target()?.join("fuzz").join(sanitizer);
    command.args(["+nightly", "fuzz", "run", "--sanitizer", sanitizer, "--target-dir"]).arg(target);
    command.args([name, "--", "-max_len=16384", "-print_final_stats=1"]);
    command.args([
        format!("-runs={runs}"),
        format!("-max_total_time={seconds}"),
        format!("-malloc_limit_mb={ALLOCATION_MIB_MAX}"),
        format!("-rss_limit_mb={RESIDENT_MIB_MAX}"),
    ]);
    Ok(command)
}

fn targets() -> Result<Vec<String>> {
    let folder = run::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}
