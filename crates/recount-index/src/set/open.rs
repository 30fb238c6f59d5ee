//! Opening the index directory: which files make up the set, which are removed, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use recount_env::Env;

use crate::directory::Directory;
use crate::error::{IndexDamage, ReadError, WriteError};
use crate::run::NotARun;
use crate::set::RunSet;

/// An index as found.
#[derive(Debug)]
pub struct Opened {
    /// The runs that are whole and follow one another from position 0. Where it ends the store goes on.
    pub set: RunSet,
    /// Files that were removed.
    pub dropped: Vec<Dropped>,
}

/// A file that is no part of the index any more.
#[derive(Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its name.
    pub file: String,
    /// Why it was removed.
    pub why: DropReason,
}

/// Why a file was removed. All but the first two mean that the store has to index some of the journal again.
#[derive(Debug, PartialEq, Eq)]
pub enum DropReason {
    /// It was being written when the process ended.
    Unfinished,
    /// Another run covers its positions: a merge ended before it had cleaned up.
    Covered,
    /// It belongs to another database.
    OtherDatabase,
    /// Its footer is not what was written.
    Damaged(IndexDamage),
    /// It does not begin where the runs before it end.
    BehindGap,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DropReason::Unfinished => f.write_str("it was not finished"),
            DropReason::Covered => f.write_str("another run covers it"),
            DropReason::OtherDatabase => f.write_str("it belongs to another database"),
            DropReason::Damaged(damage) => damage.fmt(f),
            DropReason::BehindGap => f.write_str("runs before it are missing"),
        }
    }
}

impl RunSet {
    /// Opens the index in `dir`, creating the directory if it is missing. Reads the footers of the runs in use.
    /// `database` and `hash_key` are the database's own; runs made with others are not used.
    pub async fn open(
        env: &Env,
        dir: &Path,
        database: [u8; 16],
        hash_key: &[u8; 16],
    ) -> Result<Opened, WriteError> {
        let (directory, names) = Directory::open(env, dir, database, hash_key).await?;
        let mut dropped = Vec::new();
        // By first position; of the same first position the widest last.
        let mut candidates: BTreeMap<(u64, u64), String> = BTreeMap::new();
        for name in names {
            if name.ends_with(".run.tmp") {
                dropped.push(Dropped { file: name, why: DropReason::Unfinished });
            } else if let Some(range) = parse_name(&name) {
                candidates.insert(range, name);
            }
        }

        let mut runs = Vec::new();
        let (mut position, mut lsn) = (0, 0);
        loop {
            let widest = candidates.range((position, 0)..=(position, u64::MAX)).next_back();
            let Some((&range, _)) = widest else { break };
            let Some(file) = candidates.remove(&range) else { break };
            let why = match directory.open_run(&file).await {
                Ok(run) if run.covers().from_lsn == lsn => {
                    (position, lsn) = (run.covers().to_position, run.covers().to_lsn);
                    runs.push(Arc::new(run));
                    continue;
                }
                Ok(_) => DropReason::BehindGap,
                Err(NotARun::OtherDatabase) => DropReason::OtherDatabase,
                Err(NotARun::Unreadable(ReadError::Damage(damage))) => DropReason::Damaged(damage),
                Err(NotARun::Unreadable(error)) => return Err(error.into()),
            };
            dropped.push(Dropped { file, why });
        }
        // Newest first, so that a crash in between leaves no gap.
        for ((_, to), file) in candidates.into_iter().rev() {
            let why = if to <= position { DropReason::Covered } else { DropReason::BehindGap };
            dropped.push(Dropped { file, why });
        }
        directory.remove(dropped.iter().map(|dropped| dropped.file.as_str()).collect()).await?;
        for Dropped { file, why } in &dropped {
            tracing::info!(%file, %why, "index file removed");
        }
        let set = RunSet { directory: Arc::new(directory), runs: runs.into() };
        Ok(Opened { set, dropped })
    }
}

/// `{from:020}-{to:020}.run`
fn parse_name(name: &str) -> Option<(u64, u64)> {
    let (from, to) = name.strip_suffix(".run")?.split_once('-')?;
    let number = |text: &str| {
        let digits = text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    Some((number(from)?, number(to)?))
}
