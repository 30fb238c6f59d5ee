//! The versions of rows, from what came and went.

use std::collections::{BTreeMap, VecDeque};
use std::mem::take;

use recount_flow::operator::FlowError;

use super::feed::time;
use crate::moment::Span;

/// About the memory of a version beside its row.
pub(super) const VERSION_BYTES: usize = 64;

/// Rows that are there, and versions that ended.
pub(super) struct Versions {
    span: Span,
    /// Since when each is there, the oldest first, and how often.
    there: BTreeMap<Box<[u8]>, VecDeque<(u64, i64)>>,
    ended: Vec<Version>,
    bytes: usize,
}

/// A version of a row, and how many of it there were.
pub(super) struct Version {
    pub(super) row: Box<[u8]>,
    pub(super) from: u64,
    /// `None` = it goes on.
    pub(super) to: Option<u64>,
    pub(super) count: i64,
}

/// What came and went with one stamp, added up.
pub(super) type Changes = BTreeMap<Box<[u8]>, i64>;

impl Versions {
    /// Those that there are at some time of a span.
    pub(super) fn new(span: Span) -> Versions {
        Versions { span, there: BTreeMap::new(), ended: Vec::new(), bytes: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the changes of a stamp, later than those before. Of equal rows the oldest goes first.
    pub(super) fn step(&mut self, changes: Changes, stamp: u64) -> Result<(), FlowError> {
        for (row, weight) in changes {
            if weight > 0 {
                self.bytes += row.len() + VERSION_BYTES;
                self.there.entry(row).or_default().push_back((stamp, weight));
            } else if weight < 0 {
                self.end_some(row, -weight, stamp)?;
            }
        }
        Ok(())
    }

    fn end_some(&mut self, row: Box<[u8]>, mut count: i64, to: u64) -> Result<(), FlowError> {
        let there = self.there.get_mut(&row).ok_or(FlowError::Negative)?;
        while count > 0 {
            let (from, of_version) = there.front_mut().ok_or(FlowError::Negative)?;
            let (from, ending) = (*from, count.min(*of_version));
            *of_version -= ending;
            count -= ending;
            if *of_version == 0 {
                there.pop_front();
                self.bytes -= row.len() + VERSION_BYTES;
            }
            if overlaps(self.span, from, Some(to)) {
                self.bytes += row.len() + VERSION_BYTES;
                self.ended.push(Version { row: row.clone(), from, to: Some(to), count: ending });
            }
        }
        if there.is_empty() {
            self.there.remove(&row);
        }
        Ok(())
    }

    /// How many ended since they were taken.
    pub(super) fn ended(&self) -> usize {
        self.ended.len()
    }

    /// Those that ended.
    pub(super) fn take_ended(&mut self) -> Vec<Version> {
        let ended = take(&mut self.ended);
        self.bytes -= ended.iter().map(|version| version.row.len() + VERSION_BYTES).sum::<usize>();
        ended
    }

    /// Those that go on.
    pub(super) fn going_on(self) -> impl Iterator<Item = Version> {
        let span = self.span;
        let of_row = |(row, there): (Box<[u8]>, VecDeque<(u64, i64)>)| {
            there.into_iter().map(move |(from, count)| Version { row: row.clone(), from, to: None, count })
        };
        self.there.into_iter().flat_map(of_row).filter(move |version| overlaps(span, version.from, None))
    }
}

/// Whether something was there at some time of a span.
fn overlaps(span: Span, from: u64, to: Option<u64>) -> bool {
    let is_before = |stamp: u64, limit: i64| time(stamp).is_none_or(|time| time < limit);
    span.before.is_none_or(|before| is_before(from, before.0))
        && span.from.is_none_or(|start| to.is_none_or(|to| !is_before(to, start.0.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use recount_types::Time;

    use super::super::feed::{ALWAYS, stamp};
    use super::*;

    fn changes(of: &[(u8, i64)]) -> Changes {
        of.iter().map(|(row, weight)| (vec![*row].into(), *weight)).collect()
    }

    fn shown(version: Version) -> String {
        let at = |stamp| time(stamp).map_or("always".to_owned(), |time| time.to_string());
        let Version { row, from, to, count } = version;
        format!("{}*{count} {} to {}", row[0], at(from), to.map_or("now".to_owned(), at))
    }

    fn versions(span: Span) -> String {
        let mut versions = Versions::new(span);
        let mut step = |of: &[(u8, i64)], stamp| versions.step(changes(of), stamp).unwrap();
        step(&[(9, 1)], ALWAYS);
        step(&[(1, 2), (2, 0)], stamp(10));
        step(&[(1, 1), (9, -1)], stamp(20));
        // The two of before, and one of those that came with it.
        step(&[(1, 3)], stamp(30));
        step(&[(1, -4)], stamp(40));
        assert_eq!(versions.ended(), versions.ended.len());
        let ended: Vec<String> = versions.take_ended().into_iter().map(shown).collect();
        assert_eq!(versions.bytes(), 1 + VERSION_BYTES);
        let all = ended.into_iter().chain(versions.going_on().map(shown));
        all.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn rows_come_and_go() {
        assert_eq!(
            versions(Span::default()),
            "9*1 always to 20, 1*2 10 to 40, 1*1 20 to 40, 1*1 30 to 40, 1*2 30 to now"
        );
        let span = |from, before| Span { from: Some(Time(from)), before: Some(Time(before)) };
        // What ends when a span begins is not in it, nor what begins when it ends.
        assert_eq!(versions(span(20, 30)), "1*2 10 to 40, 1*1 20 to 40");
        assert_eq!(versions(span(19, 20)), "9*1 always to 20, 1*2 10 to 40");
        assert_eq!(versions(span(40, 50)), "1*2 30 to now");
        assert_eq!(versions(span(0, 5)), "9*1 always to 20");
    }

    #[test]
    fn what_is_not_there_cannot_go() {
        let mut versions = Versions::new(Span::default());
        assert_eq!(versions.step(changes(&[(1, -1)]), 1), Err(FlowError::Negative));
        versions.step(changes(&[(1, 1)]), 1).unwrap();
        assert_eq!(versions.step(changes(&[(1, -2)]), 2), Err(FlowError::Negative));
    }
}
