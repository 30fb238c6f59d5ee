//! `check`: what can be said about the sources without running them.

use std::process::Command;

use anyhow::Result;

use crate::{run, tidy};

/// Runs every static check; stops at the first that fails, cheapest first.
pub(crate) fn run() -> Result<()> {
    run::loud(&mut run::cargo(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    run::loud(&mut run::cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    deny()
}

/// `tidy` enforces deny.toml by itself; cargo-deny reads the same file and additionally knows advisories.
fn deny() -> Result<()> {
    if !run::exists("cargo-deny") {
        eprintln!(
            "note: cargo-deny is not installed; tidy has checked deny.toml's licences, duplicates and sources"
        );
        return Ok(());
    }
    let mut command = Command::new("cargo-deny");
    command.current_dir(run::root()).args(["--offline", "check", "bans", "licenses", "sources"]);
    run::loud(&mut command)
}
