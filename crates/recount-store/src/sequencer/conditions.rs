//! Conditions, rechecked under the lock against what came after the runs they were evaluated on.

use recount_index::{Bounds, Memtable};
use recount_types::{Position, Revision};

use super::{Prepared, Sequencer};
use crate::condition::Expected;
use crate::error::AppendError;

/// A condition by types and tags, as terms of the index. One alternative in one topic.
#[derive(Debug, Clone)]
pub(crate) struct PreparedQuery {
    /// It must have one of these, unless empty.
    pub(crate) types: Vec<Vec<u8>>,
    /// It must have all of these.
    pub(crate) tags: Vec<Vec<u8>>,
    /// What the request named: everything up to here was seen.
    pub(crate) after: Position,
}

/// How many postings a query condition may look at.
pub(crate) const SCAN_MAX: usize = 100_000;

impl Sequencer {
    /// Checks every condition; returns how many events each stream has, those in the runs only where they are known.
    pub(super) fn check(&self, prepared: &Prepared) -> Result<Vec<u64>, AppendError> {
        let totals: Vec<u64> = prepared
            .streams
            .iter()
            .map(|stream| stream.base.unwrap_or_default() + self.count_after(&stream.term, prepared.covered))
            .collect();
        for &(stream, expected) in &prepared.expected {
            debug_assert!(
                prepared.streams[stream].base.is_some(),
                "conditions are on streams of known length"
            );
            let actual = totals[stream].checked_sub(1).map(Revision);
            if !holds(expected, actual) {
                let stream = prepared.streams[stream].name.clone();
                return Err(AppendError::WrongRevision { stream, expected, actual });
            }
        }
        for query in &prepared.queries {
            let from = query.after.max(prepared.covered);
            for memtable in self.memtables() {
                if let Some(at) = terms_match_after(memtable, query, from)? {
                    return Err(AppendError::Matched { after: query.after, at });
                }
            }
        }
        Ok(totals)
    }
}

/// Whether a stream whose last event has revision `actual` is as expected.
fn holds(expected: Expected, actual: Option<Revision>) -> bool {
    match expected {
        Expected::Any => true,
        Expected::NoStream => actual.is_none(),
        Expected::Exists => actual.is_some(),
        Expected::Exact(revision) => actual == Some(revision),
    }
}

/// The first position after `from` in a memtable at which a query's terms meet.
fn terms_match_after(
    memtable: &Memtable,
    query: &PreparedQuery,
    from: Position,
) -> Result<Option<Position>, AppendError> {
    let positions = |term: &Vec<u8>| -> Result<Vec<u64>, AppendError> {
        let Some(list) = memtable.list(term) else { return Ok(Vec::new()) };
        if list.count_after(from.0) > SCAN_MAX as u64 {
            return Err(AppendError::ScanLimit { limit: SCAN_MAX, after: query.after });
        }
        Ok(list.postings(Bounds::between(from.0, u64::MAX)).map(|posting| posting.position).collect())
    };
    let mut tags: Vec<&Vec<u8>> = query.tags.iter().collect();
    tags.sort_by_key(|tag| memtable.count_after(tag, from.0));
    let mut meeting: Option<Vec<u64>> = None;
    for tag in tags {
        let found = match meeting {
            // The rarest alone is bounded; the others are looked up at its positions.
            Some(found) => keep_common(memtable, found, std::slice::from_ref(tag)),
            None => positions(tag)?,
        };
        if found.is_empty() {
            return Ok(None);
        }
        meeting = Some(found);
    }
    let found = match (meeting, query.types.is_empty()) {
        (Some(found), true) => found,
        (Some(found), false) => keep_common(memtable, found, &query.types),
        (None, _) => {
            let mut found = Vec::new();
            for event_type in &query.types {
                found.extend(positions(event_type)?);
            }
            found.sort_unstable();
            found
        }
    };
    Ok(found.first().map(|&position| Position(position)))
}

/// The positions at which one of `terms` has a posting.
fn keep_common(memtable: &Memtable, positions: Vec<u64>, terms: &[Vec<u8>]) -> Vec<u64> {
    let has = |position: u64| {
        terms.iter().any(|term| {
            let list = memtable.list(term);
            list.is_some_and(|list| list.postings(Bounds::between(position - 1, position)).next().is_some())
        })
    };
    positions.into_iter().filter(|&position| has(position)).collect()
}
