//! One run of the workload in a folder, and the check after it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::bench::Worker;
use crate::run;

/// A folder with a database and the acknowledgements that its workload printed.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    worker: &'a Worker,
    pub(crate) database: PathBuf,
    pub(crate) acknowledged: PathBuf,
}

/// What to append.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) writers: u32,
    /// Per writer.
    pub(crate) events: u64,
    pub(crate) segment_bytes: u64,
}

/// What the checker found, after it held everything acknowledged against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Checked {
    /// Events in the database.
    pub(crate) events: u64,
    /// Of them acknowledged.
    pub(crate) acknowledged: u64,
    /// A hash of all events in order.
    pub(crate) digest: u64,
}

impl<'a> Trial<'a> {
    /// An empty database in `folder`/db, acknowledgements in `folder`/acknowledged.
    pub(crate) fn fresh(worker: &'a Worker, folder: &Path) -> Result<Self> {
        let trial = Self::of(worker, folder.join("db"), folder.join("acknowledged"));
        match fs::remove_dir_all(&trial.database) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                bail!("{}: {error}", folder.display())
            }
            _ => {}
        }
        fs::create_dir_all(folder)?;
        File::create(&trial.acknowledged)?;
        Ok(trial)
    }

    /// A database and acknowledgements that exist.
    pub(crate) fn of(worker: &'a Worker, database: PathBuf, acknowledged: PathBuf) -> Self {
        Self { worker, database, acknowledged }
    }

    /// The workload, behind the words of a tracer if there are any, its stdout in the acknowledgements.
    pub(crate) fn workload(&self, tracer: &[&str], load: Load) -> Result<Command> {
        let numbers = [load.writers.to_string(), load.events.to_string(), load.segment_bytes.to_string()];
        let [writers, events, segment_bytes] = &numbers;
        let words =
            ["rig-append", "--writers", writers, "--events", events, "--segment-bytes", segment_bytes];
        let mut command = self.worker.traced(tracer, &words);
        command.arg("--dir").arg(&self.database);
        command.stdout(File::options().append(true).open(&self.acknowledged)?).stderr(Stdio::null());
        Ok(command)
    }

    /// Starts the workload.
    pub(crate) fn start(&self, tracer: &[&str], load: Load) -> Result<Child> {
        self.workload(tracer, load)?.spawn().context("cannot start the workload")
    }

    /// Runs the workload to whatever end it finds.
    pub(crate) fn append(&self, tracer: &[&str], load: Load) -> Result<ExitStatus> {
        self.workload(tracer, load)?.status().context("cannot start the workload")
    }

    /// The checker, behind the words of a tracer if there are any.
    pub(crate) fn checker(&self, tracer: &[&str]) -> Command {
        let mut command = self.worker.traced(tracer, &["rig-check"]);
        command.arg("--dir").arg(&self.database).arg("--acknowledged").arg(&self.acknowledged);
        command
    }

    /// Opens the database and holds every acknowledgement against it.
    pub(crate) fn check(&self) -> Result<Checked> {
        let output = run::output(&mut self.checker(&[]))?;
        serde_json::from_str(&output).with_context(|| format!("the checker answered {output:?}"))
    }

    /// How many appends have been acknowledged so far.
    pub(crate) fn acknowledgements(&self) -> Result<usize> {
        let text = fs::read_to_string(&self.acknowledged)?;
        Ok(text.lines().filter(|line| line.starts_with("ack ")).count())
    }

    /// The words with which the workload said why it stopped, or nothing.
    pub(crate) fn said(&self, word: &str) -> Result<Option<String>> {
        let text = fs::read_to_string(&self.acknowledged)?;
        Ok(text.lines().rfind(|line| line.starts_with(word)).map(str::to_owned))
    }
}
