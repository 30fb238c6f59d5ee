//! What the demo measured, told together at the end: sizes on disk, rates, times.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use indicatif::HumanBytes;

use crate::cli::failure::Failure;

/// Lines to be told at the end.
#[derive(Debug, Default)]
pub(super) struct Measured {
    lines: Vec<(&'static str, String)>,
}

impl Measured {
    /// Keeps a line.
    pub(super) fn keep(&mut self, what: &'static str, value: String) {
        self.lines.push((what, value));
    }

    /// Tells all of them.
    pub(super) fn tell(&self, out: &mut impl Write) -> Result<(), Failure> {
        let width = self.lines.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
        for (what, value) in &self.lines {
            writeln!(out, "  {what:<width$}  {value}")?;
        }
        Ok(())
    }
}

/// What a database takes on disk, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Segments are filled with zeros ahead of their use: counted is what they hold.
    journal: u64,
    index: u64,
    snapshots: u64,
}

impl Sizes {
    /// Those of the database in a directory.
    pub(super) fn of(directory: &Path) -> Result<Sizes, Failure> {
        let env = recount_env::real::env();
        let seen = recount_env::block_on(recount_journal::inspect::overview(&env, directory));
        let seen = seen.map_err(recount::OpenStoreError::from)?;
        let mut journal = 0;
        let walked = recount_journal::inspect::walk(&env, directory, &seen, |found| {
            if let recount_journal::inspect::Found::Frame(frame) = found {
                journal += frame.header.frame_bytes();
            }
            true
        });
        recount_env::block_on(walked).map_err(recount::OpenStoreError::from)?;
        let (index, snapshots) = (files(&directory.join("index"))?, files(&directory.join("snapshots"))?);
        Ok(Sizes { journal, index, snapshots })
    }

    /// What is needed to answer anything: without the snapshots, which only save time.
    pub(super) fn events(&self) -> u64 {
        self.journal + self.index
    }
}

impl std::fmt::Display for Sizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [journal, index, snapshots] = [self.journal, self.index, self.snapshots].map(HumanBytes);
        write!(f, "journal {journal}, index {index}, snapshots {snapshots}")
    }
}

/// The bytes of the files in a folder, which need not be there. Files come and go meanwhile.
fn files(folder: &Path) -> Result<u64, Failure> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        bytes += entry?.metadata().map_or(0, |metadata| metadata.len());
    }
    Ok(bytes)
}

/// How many in a second.
pub(super) fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// For people.
pub(super) fn millis(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}
