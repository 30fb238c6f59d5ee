//! A walk over the positions of one term of the index, in either direction.
//!
//! It asks the index for a few hundred positions at a time and keeps no snapshot: postings never change, they
//! only move from memory to runs.

use std::collections::VecDeque;

use recount_index::{Bounds, Direction as IndexDirection, RunSet};

use super::Direction;
use crate::error::ReadError;
use crate::sequencer::Sequencer;
use crate::store::{Inner, lock};

/// Positions asked for at a time.
const CHUNK: usize = 512;

/// A position with the rank of its event in the term's list, where that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) position: u64,
    pub(super) rank: Option<u64>,
}

/// The positions of one term in (`after`, `until`].
#[derive(Debug)]
pub(super) struct TermWalk {
    term: Vec<u8>,
    after: u64,
    until: u64,
    direction: Direction,
    ranked: bool,
    /// Only before the first position: the rank to begin at.
    from_rank: Option<u64>,
    ready: VecDeque<Hit>,
    ended: bool,
}

impl TermWalk {
    pub(super) fn new(term: Vec<u8>, after: u64, until: u64, direction: Direction) -> TermWalk {
        let (ranked, from_rank, ended) = (false, None, false);
        TermWalk { term, after, until, direction, ranked, from_rank, ready: VecDeque::new(), ended }
    }

    /// The same with ranks, beginning at one.
    pub(super) fn ranked(self, from_rank: Option<u64>) -> TermWalk {
        TermWalk { ranked: true, from_rank, ..self }
    }

    /// Goes on up to `until`, forwards: there may be more by now.
    pub(super) fn extend(&mut self, until: u64) {
        self.until = until;
        self.ended = false;
    }

    /// The next position, without taking it.
    pub(super) async fn peek(&mut self, inner: &Inner) -> Result<Option<Hit>, ReadError> {
        if self.ready.is_empty() && !self.ended {
            self.fill(inner).await?;
        }
        Ok(self.ready.front().copied())
    }

    /// Takes what [`TermWalk::peek`] showed.
    pub(super) fn take(&mut self) {
        self.ready.pop_front();
    }

    async fn fill(&mut self, inner: &Inner) -> Result<(), ReadError> {
        let (runs, mut in_memory) = self.snapshot(inner).await?;
        let mut found: Vec<Hit> = Vec::with_capacity(CHUNK);
        if self.direction == Direction::Backward {
            found.append(&mut in_memory);
        }
        if found.len() < CHUNK && self.after < runs.covered_to_position() {
            let mut bounds = self.bounds(self.from_rank);
            bounds.until = bounds.until.min(runs.covered_to_position());
            let mut postings = runs.postings(&self.term, bounds);
            while found.len() < CHUNK {
                let Some(posting) = postings.next().await? else { break };
                found.push(Hit { position: posting.position, rank: posting.rank });
            }
        }
        if self.direction == Direction::Forward {
            found.append(&mut in_memory);
        }
        found.truncate(CHUNK);
        self.ended = found.len() < CHUNK;
        self.from_rank = None;
        if let Some(last) = found.last() {
            match self.direction {
                Direction::Forward => self.after = last.position,
                Direction::Backward => self.until = last.position - 1,
            }
        }
        self.ready = found.into();
        Ok(())
    }

    /// The runs, and what of this term is newer than they are, both of one moment.
    async fn snapshot(&self, inner: &Inner) -> Result<(RunSet, Vec<Hit>), ReadError> {
        loop {
            let runs = lock(&inner.sequencer).runs.clone();
            let older = if self.ranked { runs.stream_length(&self.term).await? } else { 0 };
            let sequencer = lock(&inner.sequencer);
            if sequencer.runs.covered_to_position() == runs.covered_to_position() {
                return Ok((runs, self.in_memory(&sequencer, older)));
            }
        }
    }

    fn in_memory(&self, sequencer: &Sequencer, mut older: u64) -> Vec<Hit> {
        let mut lists = Vec::new();
        for memtable in sequencer.memtables() {
            if let Some(list) = memtable.list(&self.term) {
                lists.push((older, list));
                older += list.count();
            }
        }
        if self.direction == Direction::Backward {
            lists.reverse();
        }
        let mut hits = Vec::new();
        for (older, list) in lists {
            let from_rank = match (self.from_rank, self.direction) {
                (None, _) => None,
                (Some(from), Direction::Backward) if from < older => continue,
                (Some(from), _) => Some(from.saturating_sub(older)),
            };
            let postings = list.postings(self.bounds(from_rank)).take(CHUNK - hits.len());
            hits.extend(postings.map(|posting| Hit {
                position: posting.position,
                rank: posting.rank.filter(|_| self.ranked).map(|rank| older + rank),
            }));
        }
        hits
    }

    fn bounds(&self, from_rank: Option<u64>) -> Bounds {
        let direction = match self.direction {
            Direction::Forward => IndexDirection::Forward,
            Direction::Backward => IndexDirection::Backward,
        };
        Bounds { after: self.after, until: self.until, direction, from_rank, ranked: self.ranked }
    }
}

/// Several walks as one: the union of their positions, each once.
#[derive(Debug)]
pub(super) struct UnionWalk {
    pub(super) walks: Vec<TermWalk>,
    pub(super) direction: Direction,
}

impl UnionWalk {
    /// The next position of any of them.
    pub(super) async fn next(&mut self, inner: &Inner) -> Result<Option<Hit>, ReadError> {
        let mut best: Option<Hit> = None;
        for walk in &mut self.walks {
            let Some(hit) = walk.peek(inner).await? else { continue };
            let better = best.is_none_or(|best| match self.direction {
                Direction::Forward => hit.position < best.position,
                Direction::Backward => hit.position > best.position,
            });
            if better {
                best = Some(hit);
            }
        }
        if let Some(best) = best {
            for walk in &mut self.walks {
                if walk.peek(inner).await?.is_some_and(|hit| hit.position == best.position) {
                    walk.take();
                }
            }
        }
        Ok(best)
    }
}
