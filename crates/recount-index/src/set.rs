//! The set of runs: ordered, without gaps from position 0, an immutable snapshot that is cheap to clone.
//! Look-ups concatenate what the runs hold: their ranges of positions are disjoint and ascend.
//!
//! Whoever owns the index keeps the current set and replaces it: [`RunSet::with`] after a flush,
//! [`RunSet::replaced`] after a merge. Sets held by readers stay valid; the files of replaced runs stay
//! readable while a set holds them open.

mod open;
mod postings;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::directory::{Directory, Pace};
use crate::error::{ReadError, WriteError};
use crate::frames::{FrameKey, FrameRef};
use crate::memtable::Memtable;
use crate::run::{Covers, Run, TermEntry};

pub use open::{DropReason, Dropped, Opened};
pub use postings::SetPostings;

/// Runs whose filters are asked before any other part of them: more than a set has, unless merges are far behind.
const FILTERS_AT_ONCE: usize = 64;

/// The runs of an index at one moment.
#[derive(Clone)]
pub struct RunSet {
    pub(crate) directory: Arc<Directory>,
    runs: Arc<[Arc<Run>]>,
}

/// What the cache of an index has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadCounts {
    /// Term blocks, chunks and skip pages read.
    pub blocks: u64,
    /// Roots, groups, frame pages and pages of filters read into memory.
    pub pages: u64,
    /// Bytes in the cache now, whole filters included.
    pub cached_bytes: usize,
}

impl RunSet {
    /// The runs, oldest first.
    pub fn runs(&self) -> &[Arc<Run>] {
        &self.runs
    }

    /// The last position covered; 0 = nothing.
    pub fn covered_to_position(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.covers().to_position)
    }

    /// The last lsn covered; 0 = nothing.
    pub fn covered_to_lsn(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.covers().to_lsn)
    }

    /// Writes a memtable as the run behind this set. It must hold exactly what lies behind the set, up to and
    /// including the position and the lsn given. Nothing but [`RunSet::with`] makes it part of a set.
    pub async fn write_run(
        &self,
        memtable: &Memtable,
        to_position: u64,
        to_lsn: u64,
        pace: Pace<'_>,
    ) -> Result<Arc<Run>, WriteError> {
        let covers = Covers {
            from_position: self.covered_to_position(),
            to_position,
            from_lsn: self.covered_to_lsn(),
            to_lsn,
        };
        let mut builder = self.directory.builder(covers, memtable.terms() as u64);
        let mut writer = self.directory.create(&covers, pace).await?;
        for (term, list) in memtable.sorted() {
            for piece in list.pieces() {
                builder.push(&piece);
                writer.drain(&mut builder).await?;
            }
            builder.end_term(term, list.first_revision());
            writer.drain(&mut builder).await?;
        }
        for frame in memtable.frames() {
            builder.frame(frame);
            writer.drain(&mut builder).await?;
        }
        writer.finish(builder).await?;
        self.directory.install(writer).await
    }

    /// This set and `run`, which begins where it ends.
    pub fn with(&self, run: Arc<Run>) -> RunSet {
        let (ends, begins) = ((self.covered_to_position(), self.covered_to_lsn()), run.covers());
        assert_eq!(ends, (begins.from_position, begins.from_lsn), "{run:?} does not continue the set");
        let runs = self.runs.iter().cloned().chain([run]).collect();
        RunSet { directory: self.directory.clone(), runs }
    }

    /// This set with `merged` in the place of the runs it was made from.
    pub fn replaced(&self, merged: Arc<Run>) -> RunSet {
        let covers = merged.covers();
        let begin = self.runs.iter().position(|run| run.covers().from_position == covers.from_position);
        let end = self.runs.iter().position(|run| run.covers().to_position == covers.to_position);
        let (Some(begin), Some(end)) = (begin, end) else { panic!("{merged:?} does not fit the set") };
        let (before, after) = (&self.runs[..begin], &self.runs[end + 1..]);
        let runs = before.iter().cloned().chain([merged]).chain(after.iter().cloned()).collect();
        RunSet { directory: self.directory.clone(), runs }
    }

    /// Removes the run that holds `position + 1` and everything newer, files too: the answer to damage. The
    /// store indexes again from where the set then ends.
    pub async fn drop_from(&self, position: u64) -> Result<RunSet, WriteError> {
        let keep = self.runs.partition_point(|run| run.covers().to_position <= position);
        let (kept, dropped) = self.runs.split_at(keep);
        // Newest first, so that a crash leaves no gap.
        self.directory.remove(dropped.iter().rev().map(|run| run.name()).collect()).await?;
        Ok(RunSet { directory: self.directory.clone(), runs: kept.into() })
    }

    /// How many events a stream has: one look into the newest run that has it, and into older ones only where
    /// no first revision is stored.
    pub async fn stream_length(&self, term: &[u8]) -> Result<u64, ReadError> {
        self.length_before(term, self.runs.len()).await
    }

    /// How many postings of `term` are at positions in (`after`, `until`].
    pub async fn count_between(&self, term: &[u8], after: u64, until: u64) -> Result<u64, ReadError> {
        Ok(self.counts_between(term, after, until).await?.iter().map(|(_, count)| count).sum())
    }

    /// How many of them each run has that has any, oldest first.
    pub async fn counts_between(
        &self,
        term: &[u8],
        after: u64,
        until: u64,
    ) -> Result<Vec<(Arc<Run>, u64)>, ReadError> {
        let mut counts = Vec::new();
        for run in self.runs.iter() {
            let Covers { from_position, to_position, .. } = run.covers();
            if after >= until || to_position <= after || from_position >= until {
                continue;
            }
            let Some(found) = self.find(run, term).await? else { continue };
            let count = found.count_up_to(until).await? - found.count_up_to(after).await?;
            if count > 0 {
                counts.push((run.clone(), count));
            }
        }
        Ok(counts)
    }

    /// The greatest frame kept that does not exceed `key`.
    pub async fn frame_at(&self, key: FrameKey) -> Result<Option<FrameRef>, ReadError> {
        for run in self.runs.iter().rev() {
            if let Some(frame) = run.frame_at(key).await? {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// Looks a term up in one run of this set.
    pub async fn find(&self, run: &Arc<Run>, term: &[u8]) -> Result<Option<TermEntry>, ReadError> {
        run.find(term, self.directory.hasher.hash(term)).await
    }

    /// What was read so far, by all sets of this index.
    pub fn read_counts(&self) -> ReadCounts {
        let cache = &self.directory.cache;
        ReadCounts {
            blocks: cache.block_reads.load(Ordering::Relaxed),
            pages: cache.page_reads.load(Ordering::Relaxed),
            cached_bytes: cache.bytes(),
        }
    }

    /// How many postings the first `runs` runs have.
    async fn length_before(&self, term: &[u8], runs: usize) -> Result<u64, ReadError> {
        let hash = self.directory.hasher.hash(term);
        let runs = &self.runs[..runs];
        // All filters first, without a branch in between: the processor fetches their lines side by side.
        let filters = runs.iter().take(FILTERS_AT_ONCE).enumerate();
        let lacking = filters.fold(0, |lacking, (n, run)| lacking | u64::from(run.surely_lacks(hash)) << n);
        let mut length = 0;
        for (n, run) in runs.iter().enumerate().rev() {
            if n < FILTERS_AT_ONCE && lacking >> n & 1 == 1 {
                continue;
            }
            let Some((count, first_revision)) = run.counts(term, hash).await? else { continue };
            length += count;
            if let Some(revision) = first_revision {
                return Ok(length + revision);
            }
        }
        Ok(length)
    }
}

impl fmt::Debug for RunSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.runs.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
