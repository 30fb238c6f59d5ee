//! A1: at the n-th call of each kind, for every n of a small run, the process is killed, or the call fails.
//! Then the same to the recovery of a database that was killed half-way: recovery may be killed at any call,
//! again and again.
//!
//! strace counts calls per thread. So every kind is tried twice: counting in the first thread only, which
//! leads the group commits, and counting in all threads, among them the one that prepares segments.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::trial::{Load, Trial};
use crate::bench::Worker;
use crate::run;

const LOAD: Load = Load { writers: 1, events: 60, segment_bytes: 16384 };

/// Calls at which a process can leave something half done.
const KILLED_AT: &[&str] = &[
    "pwrite64",
    "fdatasync",
    "fsync",
    "ftruncate",
    "openat",
    "mkdirat",
    "mkdir",
    "rename",
    "renameat",
    "unlink",
    "unlinkat",
];

/// Calls that fail, and how.
const FAILING: &[(&str, &str)] = &[
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("fdatasync", "EIO"),
    ("fdatasync", "ENOSPC"),
    ("fsync", "EIO"),
    ("ftruncate", "ENOSPC"),
    ("openat", "EMFILE"),
];

/// More calls of one kind than a small run makes mean that the loop does not end.
const CALLS_MAX: u32 = 5000;

/// Every kind, every n.
pub(crate) fn run(worker: &Worker, dir: &Path) -> Result<()> {
    run::need("strace", "strace")?;
    let mut total = 0;
    for threads in [Threads::First, Threads::All] {
        for call in KILLED_AT {
            let trials = each_n(worker, dir, call, "signal=KILL", threads)?;
            total += report("kill", call, threads.name(), trials);
        }
        for (call, error) in FAILING {
            let trials = each_n(worker, dir, call, &format!("error={error}"), threads)?;
            total += report(error, call, threads.name(), trials);
        }
    }
    for call in KILLED_AT {
        total += report("kill", call, "recovery", each_n_of_recovery(worker, dir, call)?);
    }
    ensure!(total > 0, "nothing was hit");
    println!("{total} trials, all acknowledged events recovered in each");
    Ok(())
}

/// Says how often a kind of call was hit; nothing of a kind that is not made.
fn report(fault: &str, call: &str, during: &str, trials: u32) -> u32 {
    if trials > 0 {
        println!("{fault:<7} at {call:<10} {during:<12} {trials:>4} trials");
    }
    trials
}

#[derive(Debug, Clone, Copy)]
enum Threads {
    First,
    All,
}

impl Threads {
    fn name(self) -> &'static str {
        match self {
            Self::First => "first thread",
            Self::All => "all threads",
        }
    }
}

/// Runs the workload with the n-th `call` hit by `fault`, n = 1, 2, … until no call is left to hit.
fn each_n(worker: &Worker, dir: &Path, call: &str, fault: &str, threads: Threads) -> Result<u32> {
    for n in 1..CALLS_MAX {
        let folder = dir.join("workload");
        let trial = Trial::fresh(worker, &folder)?;
        let log = folder.join("strace");
        let strace = Strace::new(&log, call, fault, n, threads);
        trial.append(&strace.words(), LOAD)?;
        if !strace.has_struck()? {
            let acknowledged = trial.acknowledgements()? as u64;
            ensure!(acknowledged == LOAD.events, "undisturbed, yet only {acknowledged} acknowledgements");
            return Ok(n - 1);
        }
        let context = || format!("{fault} at {call} number {n}, {threads:?}; see {}", folder.display());
        trial.check().with_context(context)?;
        // Opening was an unclean start, and closed cleanly: the next one must say the same.
        trial.check().with_context(context)?;
    }
    bail!("{call} was hit {CALLS_MAX} times and the run still had more");
}

/// The same to the checker, which opens a database that was killed in the middle of its work.
fn each_n_of_recovery(worker: &Worker, dir: &Path, call: &str) -> Result<u32> {
    let folder = dir.join("killed");
    let killed = Trial::fresh(worker, &folder)?;
    let log = folder.join("strace");
    killed.append(&Strace::new(&log, "fdatasync", "signal=KILL", 40, Threads::First).words(), LOAD)?;
    ensure!(killed.acknowledgements()? > 0, "the workload was killed before its first acknowledgement");
    for n in 1..CALLS_MAX {
        let again = dir.join("recovery");
        if again.exists() {
            fs::remove_dir_all(&again)?;
        }
        run::output(Command::new("cp").arg("-r").arg(&folder).arg(&again))?;
        let trial = Trial::of(worker, again.join("db"), again.join("acknowledged"));
        let log = again.join("strace");
        let strace = Strace::new(&log, call, "signal=KILL", n, Threads::All);
        let status = run::status(&mut trial.checker(&strace.words()))?;
        if status.success() {
            return Ok(n - 1);
        }
        trial
            .check()
            .with_context(|| format!("recovery killed at {call} number {n}; see {}", again.display()))?;
    }
    bail!("{call} was hit {CALLS_MAX} times and the recovery still had more");
}

/// An strace that strikes once.
struct Strace {
    log: String,
    trace: String,
    inject: String,
    follow: bool,
}

impl Strace {
    fn new(log: &Path, call: &str, fault: &str, n: u32, threads: Threads) -> Self {
        Self {
            log: log.display().to_string(),
            trace: format!("trace={call}"),
            inject: format!("inject={call}:{fault}:when={n}"),
            follow: matches!(threads, Threads::All),
        }
    }

    fn words(&self) -> Vec<&str> {
        let mut words = vec!["strace", "-qq", "-o", &self.log, "-e", &self.trace, "-e", &self.inject];
        if self.follow {
            words.push("-f");
        }
        words
    }

    fn has_struck(&self) -> Result<bool> {
        let log = fs::read_to_string(&self.log)?;
        Ok(log.contains("INJECTED") || log.contains("SIGKILL"))
    }
}
