//! `test`: everything that must hold, in one command. CI runs exactly this.

use std::time::Instant;

use anyhow::Result;

use crate::{check, interest, nexmark, run, sim};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds that the simulation may take
    #[arg(long, default_value_t = 300)]
    sim_seconds: u64,
}

/// Checks, tests, computes interest, keeps views, simulates; stops at the first failure.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    // C compiler: some dependencies carry a few lines of C beside their Rust.
    run::need("cc", "build-essential")?;
    check::run()?;
    run::loud(&mut run::cargo(["test", "--workspace", "--locked"]))?;
    interest::smoke()?;
    nexmark::smoke()?;
    sim::smoke(arguments.sim_seconds)?;
    eprintln!("everything holds ({} s)", start.elapsed().as_secs());
    Ok(())
}
