//! A3, power cuts: the database lies on a file system in an image, the image on XFS. A reflink copy of the
//! image is the disk at one instant, without what was only in memory. Whatever had been acknowledged before
//! the copy began must be in it.
//!
//! Models a lost page cache and a kept device cache; it neither tears nor reorders blocks, which the
//! simulator does.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::mount::{Mount, make_image};
use super::trial::{Load, Trial};
use crate::bench::Worker;
use crate::run;

/// More than is written before the last cut.
const LOAD: Load = Load { writers: 8, events: 100_000_000, segment_bytes: 1 << 20 };
const BETWEEN_CUTS: Duration = Duration::from_millis(50);

/// Cuts on ext4 and on XFS.
pub(crate) fn run(worker: &Worker, dir: &Path, cuts: u32) -> Result<()> {
    run::need("mkfs.xfs", "xfsprogs")?;
    run::need("mkfs.ext4", "e2fsprogs")?;
    for mkfs in [&["mkfs.ext4", "-q"][..], &["mkfs.xfs", "-q"]] {
        let [name, ..] = mkfs else { continue };
        cut(worker, &dir.join(name), mkfs, cuts).with_context(|| name.to_string())?;
    }
    Ok(())
}

fn cut(worker: &Worker, dir: &Path, mkfs: &[&str], cuts: u32) -> Result<()> {
    fs::create_dir_all(dir)?;
    let host_image = dir.join("host.img");
    make_image(&host_image, "8G", &["mkfs.xfs", "-q", "-m", "reflink=1"])?;
    let host = Mount::image(&host_image, "loop", &dir.join("host"))?;
    let disk = host.point().join("disk.img");
    make_image(&disk, "1G", mkfs)?;

    let mut acknowledged = Vec::new();
    {
        let inner = Mount::image(&disk, "loop", &dir.join("inner"))?;
        let mut trial = Trial::fresh(worker, dir)?;
        trial.database = inner.point().join("db");
        let mut workload = trial.start(&[], LOAD)?;
        for cut in 0..cuts {
            thread::sleep(BETWEEN_CUTS);
            ensure!(workload.try_wait()?.is_none(), "the workload ended: {:?}", trial.said("failed")?);
            let before = dir.join(format!("acknowledged-{cut}"));
            fs::copy(&trial.acknowledged, &before)?;
            let copy = host.point().join(format!("cut-{cut}.img"));
            run::output(Command::new("cp").arg("--reflink=always").arg(&disk).arg(&copy))?;
            acknowledged.push((before, copy));
        }
        workload.kill()?;
        workload.wait()?;
    }

    let mut kept = 0;
    for (cut, (before, copy)) in acknowledged.iter().enumerate() {
        let mounted = Mount::image(copy, "loop", &dir.join("after"))?;
        let trial = Trial::of(worker, mounted.point().join("db"), before.clone());
        if trial.acknowledgements()? > 0 || trial.database.exists() {
            kept += trial
                .check()
                .with_context(|| format!("power cut {cut}; see {}", copy.display()))?
                .acknowledged;
        }
    }
    let name = mkfs.first().unwrap_or(&"");
    println!("power cut {name:<9} {cuts} cuts, {kept} acknowledged events held, none lost");
    Ok(())
}
