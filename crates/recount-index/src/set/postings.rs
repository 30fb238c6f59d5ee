//! The postings of a term across all runs: the lists of the runs, one after the other.

use crate::bounds::{Bounds, Direction, Posting};
use crate::error::ReadError;
use crate::run::{Covers, RunPostings, TermEntry};
use crate::set::RunSet;

impl RunSet {
    /// The postings of `term` within bounds. Ranks count from 0 over the whole set, as revisions do.
    pub fn postings(&self, term: &[u8], bounds: Bounds) -> SetPostings {
        let next_run = match bounds.direction {
            Direction::Forward => self.runs.partition_point(|run| run.covers().to_position <= bounds.after),
            Direction::Backward => self.runs.partition_point(|run| run.covers().from_position < bounds.until),
        };
        let from_the_beginning = bounds.direction == Direction::Forward && next_run == 0;
        let rank = from_the_beginning.then_some(0);
        SetPostings { set: self.clone(), term: term.to_vec(), bounds, next_run, rank, current: None }
    }
}

/// A walk over the postings of a term in a set of runs. See [`RunSet::postings`].
#[derive(Debug)]
pub struct SetPostings {
    set: RunSet,
    term: Vec<u8>,
    bounds: Bounds,
    /// Forward: the run to look at next. Backward: one more than that.
    next_run: usize,
    /// Rank of the border between the runs looked at and the next one, if known.
    rank: Option<u64>,
    current: Option<Current>,
}

/// The list being walked, and the rank of its first posting.
#[derive(Debug)]
struct Current {
    postings: RunPostings,
    base: Option<u64>,
}

impl SetPostings {
    /// The next posting; `None` at the end. After an error, or when dropped half-way, the next call tries again.
    pub async fn next(&mut self) -> Result<Option<Posting>, ReadError> {
        loop {
            if let Some(Current { postings, base }) = &mut self.current {
                if let Some(Posting { position, rank }) = postings.next().await? {
                    let rank = base.zip(rank).map(|(base, rank)| base + rank);
                    return Ok(Some(Posting { position, rank }));
                }
                self.current = None;
            }
            let run = match self.bounds.direction {
                Direction::Forward => self.next_run,
                Direction::Backward => self.next_run.wrapping_sub(1),
            };
            if !self.wants(run) {
                return Ok(None);
            }
            let found = self.set.find(&self.set.runs[run], &self.term).await?;
            let base = match &found {
                Some(found) => self.base(found, run).await?,
                None => None,
            };
            self.next_run = match self.bounds.direction {
                Direction::Forward => run + 1,
                Direction::Backward => run,
            };
            if let Some(found) = found {
                self.enter(&found, base);
            }
        }
    }

    /// Whether a run may have postings within the bounds.
    fn wants(&self, run: usize) -> bool {
        self.set.runs.get(run).is_some_and(|run| {
            let Covers { from_position, to_position, .. } = run.covers();
            from_position < self.bounds.until && self.bounds.after < to_position
        })
    }

    /// The rank of the first posting of `found`, which is in `run`.
    async fn base(&self, found: &TermEntry, run: usize) -> Result<Option<u64>, ReadError> {
        let known = found.first_revision().or_else(|| match self.bounds.direction {
            _ if run == 0 => Some(0),
            Direction::Forward => self.rank,
            Direction::Backward => self.rank.and_then(|rank| rank.checked_sub(found.count())),
        });
        match known {
            None if self.bounds.ranked || self.bounds.from_rank.is_some() => {
                self.set.length_before(&self.term, run).await.map(Some)
            }
            known => Ok(known),
        }
    }

    /// Begins the list of `found`, unless the walk begins beyond it.
    fn enter(&mut self, found: &TermEntry, base: Option<u64>) {
        self.rank = match self.bounds.direction {
            Direction::Forward => base.map(|base| base + found.count()),
            Direction::Backward => base,
        };
        let mut bounds = self.bounds;
        if let (Some(from), Some(base)) = (bounds.from_rank, base) {
            match (bounds.direction, from.checked_sub(base)) {
                (Direction::Forward, Some(within)) if within >= found.count() => return,
                (_, Some(within)) => bounds.from_rank = Some(within),
                (Direction::Forward, None) => bounds.from_rank = None,
                (Direction::Backward, None) => return,
            }
        }
        self.current = Some(Current { postings: found.postings(bounds), base });
    }
}
