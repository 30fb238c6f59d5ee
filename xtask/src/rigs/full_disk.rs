//! ENOSPC on a small tmpfs: appends are refused when it is full, nothing is harmed, and they go on without
//! a restart when there is room again.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::mount::Mount;
use super::trial::{Load, Trial};
use crate::bench::Worker;

const LOAD: Load = Load { writers: 4, events: 40_000, segment_bytes: 1 << 20 };
const SIZE: &str = "size=24m";
const BALLAST_BYTES: usize = 12 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// Fills, makes room, checks.
pub(crate) fn run(worker: &Worker, dir: &Path) -> Result<()> {
    let mount = Mount::new(&["-t", "tmpfs", "-o", SIZE, "tmpfs"], &dir.join("small"))?;
    let ballast = mount.point().join("ballast");
    fs::write(&ballast, vec![0; BALLAST_BYTES])?;

    let mut trial = Trial::fresh(worker, dir)?;
    trial.database = mount.point().join("db");
    let mut workload = trial.start(&[], LOAD)?;
    let since = Instant::now();
    while trial.said("full ")?.is_none() {
        if let Some(status) = workload.try_wait()? {
            bail!("the workload ended before the disk was full: {status}");
        }
        ensure!(since.elapsed() < PATIENCE, "the disk did not fill in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
    let before = trial.acknowledgements()?;
    fs::remove_file(&ballast)?;
    while trial.acknowledgements()? <= before {
        if let Some(status) = workload.try_wait()? {
            bail!("the workload ended after the disk had been full: {status}, {:?}", trial.said("failed")?);
        }
        ensure!(since.elapsed() < PATIENCE, "room on the disk, but no append in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
    workload.kill()?;
    workload.wait()?;
    let checked = trial.check().context("after the disk had been full")?;
    println!("full disk: refused after {before} appends, went on when there was room; {checked:?}");
    Ok(())
}
