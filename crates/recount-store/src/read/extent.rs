//! What lies before a read: how many events it goes through, and which parts of the index lead to them.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use recount_types::{Partition, Position, TopicId};

use super::cursor::{Candidates, Sought, group_start, groups_of, sought};
use super::{From, ReadRequest};
use crate::error::ReadError;
use crate::sequencer::Sequencer;
use crate::store::{Inner, lock};

/// Of more runs only their number is shown.
const RUNS_SHOWN: usize = 8;

/// How much a read goes through. See [`crate::Store::extent`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent {
    /// Events that come into question.
    pub events: u64,
    /// Whether there are just so many, and not fewer: the index does not tell all that a request asks.
    pub exact: bool,
    /// The runs of the index that name them, oldest first: the positions that each covers.
    pub runs: Vec<RangeInclusive<u64>>,
    /// Whether some are named by the part of the index that is in memory only.
    pub in_memory: bool,
}

/// What `request` goes through up to `until`.
pub(crate) async fn extent(
    inner: &Arc<Inner>,
    request: &ReadRequest,
    until: Position,
) -> Result<Extent, ReadError> {
    let sought = sought(inner, request).await?;
    let Sought { after, until: end, candidates, .. } = sought;
    let until = until.0.min(end);
    let mut extent = Extent::default();
    if after >= until {
        return Ok(Extent { exact: true, ..extent });
    }
    match candidates {
        Candidates::Stream(term) => {
            extent.events = extent.add(inner, &term, after, until).await?;
            extent.exact = request.filter.is_empty() && !matches!(request.from, From::Revision(_));
        }
        Candidates::Terms(terms) => {
            for term in terms {
                extent.events += extent.add(inner, &term, after, until).await?;
            }
            // An event has one type, but any number of tags.
            extent.exact = match request.filter.as_slice() {
                [item] => item.tags.is_empty() || (item.types.is_empty() && item.tags.len() == 1),
                _ => false,
            };
        }
        Candidates::Topic(topic) => {
            let start = group_start(inner, after).await?;
            extent.add(inner, &groups_of(topic), start, until).await?;
            extent.events = events_of(&lock(&inner.sequencer), topic).min(until - after);
        }
        Candidates::All => extent.events = until - after,
    }
    Ok(extent)
}

impl Extent {
    /// Adds the parts of the index that have postings of a term; how many there are.
    async fn add(&mut self, inner: &Inner, term: &[u8], after: u64, until: u64) -> Result<u64, ReadError> {
        loop {
            let runs = lock(&inner.sequencer).runs.clone();
            let found = runs.counts_between(term, after, until).await?;
            let covered = runs.covered_to_position();
            let sequencer = lock(&inner.sequencer);
            if sequencer.runs.covered_to_position() != covered {
                continue;
            }
            let newer = in_memory(&sequencer, term, after, until);
            self.in_memory |= newer > 0;
            for (run, _) in &found {
                let covers = run.covers().from_position + 1..=run.covers().to_position;
                if let Err(place) = self.runs.binary_search_by_key(covers.start(), |run| *run.start()) {
                    self.runs.insert(place, covers);
                }
            }
            return Ok(found.iter().map(|(_, count)| count).sum::<u64>() + newer);
        }
    }
}

/// Such as `at most 7 events in runs 1-305, 306-410 and memory`.
impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.events, self.exact) {
            (0, _) => return f.write_str("no events"),
            (1, true) => f.write_str("1 event")?,
            (1, false) => f.write_str("at most 1 event")?,
            (count, true) => write!(f, "{count} events")?,
            (count, false) => write!(f, "at most {count} events")?,
        }
        let shown = self.runs.iter().take(RUNS_SHOWN);
        let mut parts: Vec<String> = shown.map(|run| format!("{}-{}", run.start(), run.end())).collect();
        match (parts.len(), self.runs.len().saturating_sub(RUNS_SHOWN)) {
            (0, _) => {}
            (1, _) => parts[0].insert_str(0, "run "),
            (_, more) => {
                parts[0].insert_str(0, "runs ");
                parts.extend((more > 0).then(|| format!("{more} more")));
            }
        }
        parts.extend(self.in_memory.then(|| "memory".to_owned()));
        match parts.as_slice() {
            [] => Ok(()),
            [one] => write!(f, " in {one}"),
            [first @ .., last] => write!(f, " in {} and {last}", first.join(", ")),
        }
    }
}

/// How many events a topic has at most: offsets count what transactions took back, too.
/// The events of a topic, those that are not visible yet too.
pub(crate) fn events_of(sequencer: &Sequencer, topic: TopicId) -> u64 {
    let partitions = sequencer.next_offsets.range((topic, Partition(0))..=(topic, Partition(u32::MAX)));
    partitions.map(|(_, offset)| offset.0.max(0) as u64).sum()
}

fn in_memory(sequencer: &Sequencer, term: &[u8], after: u64, until: u64) -> u64 {
    let behind = |position| sequencer.count_after(term, Position(position));
    behind(after) - behind(until)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn in_words() {
        let run = |number: u64| number * 100 + 1..=(number + 1) * 100;
        let extent = |events, exact, runs: u64, in_memory| Extent {
            events,
            exact,
            runs: (0..runs).map(run).collect(),
            in_memory,
        };
        let shown: Vec<String> = [
            extent(0, false, 0, false),
            extent(1, true, 0, true),
            extent(1, false, 1, false),
            extent(7, true, 1, true),
            extent(7, false, 2, false),
            extent(7, true, 2, true),
            extent(7, true, 8, false),
            extent(7, true, 11, true),
            extent(7, false, 0, false),
        ]
        .iter()
        .map(|extent| format!("{extent}\n"))
        .collect();
        expect![[r#"
            no events
            1 event in memory
            at most 1 event in run 1-100
            7 events in run 1-100 and memory
            at most 7 events in runs 1-100 and 101-200
            7 events in runs 1-100, 101-200 and memory
            7 events in runs 1-100, 101-200, 201-300, 301-400, 401-500, 501-600, 601-700 and 701-800
            7 events in runs 1-100, 101-200, 201-300, 301-400, 401-500, 501-600, 601-700, 701-800, 3 more and memory
            at most 7 events
        "#]].assert_eq(&shown.concat());
    }
}
