//! A2: a real file system on a disk that begins to fail every write while the database is under load. No
//! acknowledgement may follow the failure; when the disk is healthy again and the caches are dropped,
//! everything acknowledged is there, and what was served once stays.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::mount::{Background, LoopDevice, Mount, make_file_system};
use super::trial::{Load, Trial};
use crate::bench::Worker;
use crate::run;

const LOAD: Load = Load { writers: 4, events: 100_000_000, segment_bytes: 1 << 20 };
const ROUNDS: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(60);

/// Rounds of failure on ext4 and on XFS.
pub(crate) fn run(worker: &Worker, dir: &Path) -> Result<()> {
    for (program, package) in [
        ("nbdkit", "nbdkit"),
        ("nbdfuse", "libnbd-bin"),
        ("fusermount3", "fuse3"),
        ("mkfs.xfs", "xfsprogs"),
        ("mkfs.ext4", "e2fsprogs"),
    ] {
        run::need(program, package)?;
    }
    for mkfs in [&["mkfs.ext4", "-q"][..], &["mkfs.xfs", "-q"]] {
        let [name, ..] = mkfs else { continue };
        for round in 0..ROUNDS {
            let folder = dir.join(format!("{name}-{round}"));
            let summary =
                fail(worker, &folder, mkfs, round).with_context(|| format!("{name}, round {round}"))?;
            println!("failing disk {name:<9} round {round}: {summary}");
        }
    }
    Ok(())
}

fn fail(worker: &Worker, dir: &Path, mkfs: &[&str], round: u32) -> Result<String> {
    fs::create_dir_all(dir)?;
    let switch = dir.join("inject");
    let disk = Disk::new(dir, &switch)?;
    make_file_system(&disk.device.path, mkfs)?;

    let mut trial = Trial::fresh(worker, dir)?;
    let mount = Mount::image(&disk.device.path, "defaults", &dir.join("mounted"))?;
    trial.database = mount.point().join("db");
    let mut workload = trial.start(&[], LOAD)?;
    wait_until(|| Ok(trial.acknowledgements()? > 500), "acknowledgements")?;
    thread::sleep(Duration::from_millis(u64::from(round) * 37));
    File::create(&switch)?;
    wait_until(|| Ok(workload.try_wait()?.is_some()), "the end of the workload")?;
    trial.said("failed")?.context("the workload ended without saying why")?;
    fs::remove_file(&switch)?;

    // The file system may have turned read-only; a new mount replays its journal.
    drop(mount);
    run::drop_caches()?;
    let mount = Mount::image(&disk.device.path, "defaults", &dir.join("mounted"))?;
    let first = trial.check()?;
    run::drop_caches()?;
    let second = trial.check().context("a second time, caches dropped")?;
    ensure!(first == second, "served {first:?}, then {second:?}");
    drop(mount);
    Ok(format!(
        "closed itself; {} acknowledged, {} recovered, the same twice",
        first.acknowledged, first.events
    ))
}

/// A block device in memory whose writes fail while a file exists. Taken down in the order of its fields.
struct Disk {
    device: LoopDevice,
    _fuse: FuseMount,
    _server: Background,
}

impl Disk {
    fn new(dir: &Path, switch: &Path) -> Result<Self> {
        let socket = dir.join("nbd.sock");
        let file = dir.join("disk");
        File::create(&file)?;
        let server = Background::start(
            Command::new("nbdkit")
                .args(["-f", "-U"])
                .arg(&socket)
                .args(["--filter=error", "memory", "400M"])
                .args([
                    "error-pwrite=EIO",
                    "error-pwrite-rate=100%",
                    &format!("error-file={}", switch.display()),
                ]),
        )?;
        wait_until(|| Ok(socket.exists()), "nbdkit")?;
        let fuse = FuseMount::new(&file, &socket)?;
        wait_until(|| Ok(fs::metadata(&file)?.len() > 0), "nbdfuse")?;
        Ok(Self { device: LoopDevice::over(&file)?, _fuse: fuse, _server: server })
    }
}

/// The NBD disk shown as one file.
struct FuseMount {
    file: std::path::PathBuf,
    _program: Background,
}

impl FuseMount {
    fn new(file: &Path, socket: &Path) -> Result<Self> {
        let program = Background::start(Command::new("nbdfuse").arg(file).arg("--unix").arg(socket))?;
        Ok(Self { file: file.to_path_buf(), _program: program })
    }
}

impl Drop for FuseMount {
    fn drop(&mut self) {
        if let Err(error) = run::output(Command::new("fusermount3").arg("-u").arg(&self.file)) {
            eprintln!("warning: {error:#}");
        }
    }
}

fn wait_until(mut holds: impl FnMut() -> Result<bool>, what: &str) -> Result<()> {
    let since = Instant::now();
    while !holds()? {
        ensure!(since.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
