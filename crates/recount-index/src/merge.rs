//! Merging: few runs, so that a look-up asks few filters, at little writing.
//!
//! [`plan_merge`] decides, [`merge_runs`] does it: a k-way merge by term in one pass. Postings are copied
//! packed, piece by piece; memory is the new filter, and one block, one chunk and one group of fences a run.

use std::ops::Range;
use std::sync::Arc;

use crate::directory::{Pace, RunWriter};
use crate::error::WriteError;
use crate::run::{Covers, List, Run, RunBuilder, TermScan};
use crate::set::RunSet;

/// Most runs in a set, once merges have caught up.
pub const RUNS_MAX: usize = 8;

/// Which adjacent runs should be merged now, if any. To be asked after every flush and every merge.
pub fn plan_merge(set: &RunSet) -> Option<Range<usize>> {
    let bytes: Vec<u64> = set.runs().iter().map(|run| run.file_bytes()).collect();
    plan(&bytes)
}

/// Once there are [`RUNS_MAX`]: the newest two, and older ones as long as each is no larger than all newer ones
/// together. Rewriting a run then at least doubles what it is part of, so a posting is written again
/// about log2(runs) / 2 times: 3.8 times in 400 equal flushes.
fn plan(bytes: &[u64]) -> Option<Range<usize>> {
    if bytes.len() < RUNS_MAX {
        return None;
    }
    let mut begin = bytes.len() - 2;
    let mut newer: u64 = bytes[begin..].iter().sum();
    while begin > 0 && bytes[begin - 1] <= newer {
        begin -= 1;
        newer += bytes[begin];
    }
    Some(begin..bytes.len())
}

/// Merges adjacent runs of `set` into one file, gives it its name and removes theirs. The set itself does not
/// change: make the next one with [`RunSet::replaced`].
pub async fn merge_runs(set: &RunSet, range: Range<usize>, pace: Pace<'_>) -> Result<Arc<Run>, WriteError> {
    let runs = &set.runs()[range];
    let (Some(oldest), Some(newest)) = (runs.first(), runs.last()) else { panic!("a merge is of some runs") };
    let covers = Covers {
        from_position: oldest.covers().from_position,
        to_position: newest.covers().to_position,
        from_lsn: oldest.covers().from_lsn,
        to_lsn: newest.covers().to_lsn,
    };
    let terms_max = runs.iter().map(|run| run.terms()).sum();
    let mut builder = set.directory.builder(covers, terms_max);
    let mut writer = set.directory.create(&covers, pace).await?;
    merge_terms(runs, &mut builder, &mut writer).await?;
    for run in runs {
        let mut page = 0;
        while let Some(frames) = run.frames_of_page(page).await? {
            frames.iter().for_each(|frame| builder.frame(frame));
            writer.drain(&mut builder).await?;
            page += 1;
        }
    }
    writer.finish(builder).await?;
    let merged = set.directory.install(writer).await?;
    // Newest first, so that a crash in between leaves no gap should the merged run be lost.
    set.directory.remove(runs.iter().rev().map(|run| run.name()).collect()).await?;
    Ok(merged)
}

async fn merge_terms(
    runs: &[Arc<Run>],
    builder: &mut RunBuilder,
    writer: &mut RunWriter<'_>,
) -> Result<(), WriteError> {
    let mut scans = Vec::with_capacity(runs.len());
    for run in runs {
        scans.push(TermScan::new(run).await?);
    }
    let mut term = Vec::new();
    let mut least = Vec::with_capacity(runs.len());
    loop {
        find_least(&scans, &mut least);
        let Some(&first) = least.first() else { return Ok(()) };
        term.clear();
        term.extend_from_slice(scans[first].term().unwrap_or_default());
        let mut revision = Revision::default();
        for &scan in &least {
            let scan = &mut scans[scan];
            let Some(mut list) = scan.take().await? else { continue };
            if !revision.follow(&list) {
                return Err(scan
                    .damage("revisions of a term do not continue those of the run before")
                    .into());
            }
            loop {
                builder.push(&list.piece());
                writer.drain(builder).await?;
                if !list.step().await? {
                    break;
                }
            }
        }
        builder.end_term(&term, revision.first);
        writer.drain(builder).await?;
    }
}

/// The scans that stand at the smallest term, oldest first.
fn find_least(scans: &[TermScan], least: &mut Vec<usize>) {
    let mut smallest: &[u8] = &[];
    least.clear();
    for (n, scan) in scans.iter().enumerate() {
        let Some(term) = scan.term() else { continue };
        if least.is_empty() || term < smallest {
            smallest = term;
            least.clear();
            least.push(n);
        } else if term == smallest {
            least.push(n);
        }
    }
}

/// The first revision of a list joined from several, each of which may know its own.
#[derive(Default)]
struct Revision {
    first: Option<u64>,
    count: u64,
}

impl Revision {
    /// False if the list cannot follow.
    fn follow(&mut self, list: &List) -> bool {
        if let Some(revision) = list.first_revision {
            let Some(first) = revision.checked_sub(self.count) else { return false };
            if self.first.is_some_and(|known| known != first) {
                return false;
            }
            self.first = Some(first);
        }
        self.count += list.count;
        true
    }
}

#[cfg(test)]
mod tests;
