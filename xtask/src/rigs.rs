//! `rigs`: the real kernel instead of the simulated one. Each rig runs the workload of `benches/worker`
//! (it prints one line per acknowledgement), lets something happen to it, and then has the checker open
//! the database: every acknowledged event must be there once, at its position, in order, and the rest
//! must be a whole prefix of what was attempted.
//!
//! Root only: they trace, mount and drop caches. Recorded by hand in docs/testing.md, not part of `test`.

mod failing_disk;
mod full_disk;
mod kill;
mod mount;
mod order;
mod power_cut;
mod trace;
mod trial;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::bench::Worker;
use crate::run;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which rig; all if none is named
    rig: Option<Rig>,
    /// Where databases and images lie while a rig runs; kept if it fails
    #[arg(long, default_value = "/var/tmp/recount-rigs")]
    dir: PathBuf,
    /// Power cuts per file system
    #[arg(long, default_value_t = 200)]
    cuts: u32,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Rig {
    /// kill -9, EIO and ENOSPC at the n-th system call, for every n; the same while recovering
    Kill,
    /// Every answer follows a completed sync that began after its frame was written
    Order,
    /// ext4 and XFS on a disk that begins to fail
    FailingDisk,
    /// The disk as it is at one instant, without the page cache
    PowerCut,
    /// A small file system that fills up and gets room again
    FullDisk,
}

const ALL: &[Rig] = &[Rig::Kill, Rig::Order, Rig::FullDisk, Rig::PowerCut, Rig::FailingDisk];

/// Runs one rig or all of them.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !run::is_root() {
        bail!("the rigs trace, mount and drop caches: run them as root");
    }
    let worker = Worker::build()?;
    let chosen = arguments.rig.as_ref().map_or(ALL, std::slice::from_ref);
    for rig in chosen {
        let dir = arguments.dir.join(format!("{rig:?}").to_lowercase());
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        match rig {
            Rig::Kill => kill::run(&worker, &dir)?,
            Rig::Order => order::run(&worker, &dir)?,
            Rig::FailingDisk => failing_disk::run(&worker, &dir)?,
            Rig::PowerCut => power_cut::run(&worker, &dir, arguments.cuts)?,
            Rig::FullDisk => full_disk::run(&worker, &dir)?,
        }
        fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
    }
    println!("{} rigs passed, 0 failed", chosen.len());
    Ok(())
}
