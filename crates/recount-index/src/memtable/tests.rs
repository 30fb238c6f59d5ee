//! Tests of `memtable`.

use proptest::prelude::*;

use super::*;
use crate::bounds::{Bounds, Posting};
use crate::testing::{KEY, Model, any_bounds};

fn check(memtable: &Memtable, model: &Model, term: &[u8], bounds: &Bounds) {
    let positions = model.positions(term);
    let Some(list) = memtable.list(term) else {
        assert!(positions.is_empty());
        return;
    };
    assert_eq!(list.count(), positions.len() as u64);
    assert_eq!((list.first_position(), list.last_position()), (positions[0], *positions.last().unwrap()));
    let found: Vec<_> =
        list.postings(*bounds).map(|Posting { position, rank }| (rank.unwrap(), position)).collect();
    assert_eq!(found, model.postings(term, bounds), "{bounds:?}");
    let after = memtable.count_after(term, bounds.after);
    assert_eq!(after, model.count(term, bounds.after, u64::MAX), "{bounds:?}");
}

proptest! {
    #[test]
    fn answers_as_the_model_does(
        gaps in prop::collection::vec((prop_oneof![Just(1), 1..200u64, 1..1u64 << 40], 0..3u8), 1..3000),
        bounds in prop::collection::vec(any_bounds(300_000, 3000), 30),
    ) {
        let (mut memtable, mut model, mut position) = (Memtable::new(&KEY), Model::default(), 0);
        for (gap, term) in gaps {
            position += gap;
            memtable.add(&[term], position, None);
            model.0.entry(vec![term]).or_default().push(position);
        }
        for term in 0..3 {
            for bounds in bounds.iter().chain(&[Bounds::default(), Bounds::default().backward()]) {
                check(&memtable, &model, &[term], bounds);
            }
        }
        let sorted: Vec<_> = memtable.sorted().map(|(term, list)| (term.to_vec(), list.count())).collect();
        let expected: Vec<_> = model.0.iter().map(|(term, list)| (term.clone(), list.len() as u64)).collect();
        prop_assert_eq!(sorted, expected);
    }
}

#[test]
fn what_is_older_is_known_from_the_first_add_that_knows_it() {
    let mut memtable = Memtable::new(&KEY);
    assert!(memtable.is_empty());
    memtable.add(b"a", 3, Some(7));
    memtable.add(b"a", 4, None);
    memtable.add(b"b", 4, None);
    assert_eq!(memtable.list(b"b").unwrap().first_revision(), None);
    memtable.add(b"b", 5, Some(7));
    memtable.add(b"b", 6, Some(8));
    assert_eq!(memtable.list(b"a").unwrap().first_revision(), Some(7));
    assert_eq!(memtable.list(b"b").unwrap().first_revision(), Some(6));
    assert!(memtable.list(b"c").is_none());
    assert_eq!(memtable.count_after(b"c", 0), 0);
    assert_eq!((memtable.terms(), memtable.postings()), (2, 5));
}

#[test]
#[should_panic(expected = "positions of a term ascend")]
fn refuses_a_position_twice() {
    let mut memtable = Memtable::new(&KEY);
    memtable.add(b"a", 3, None);
    memtable.add(b"a", 3, None);
}

#[test]
fn counts_its_memory() {
    assert_eq!(size_of::<Entry>(), 64);
    let mut memtable = Memtable::new(&KEY);
    let empty = memtable.bytes();
    for position in 1..=100_000u64 {
        memtable.add(&position.to_be_bytes(), position, None);
        memtable.add(b"all", position, None);
    }
    let recounted: usize = memtable
        .shards
        .iter()
        .map(|shard| {
            shard.heap_bytes() + shard.entries.iter().map(|e| e.postings.heap_bytes()).sum::<usize>()
        })
        .sum();
    assert_eq!(memtable.bytes() - empty, recounted);
    assert!(recounted < 100_000 * 150, "{} bytes a term", recounted / 100_000);
}

#[test]
fn sorts_terms_that_share_their_first_bytes() {
    let mut memtable = Memtable::new(&KEY);
    let terms = [
        "a",
        "aaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaab",
        "aaaaaaaaaaaaaaaaaaa",
        "b",
        "aaaaaaaaaaaaaaaa\0",
    ];
    for (n, term) in terms.iter().enumerate() {
        memtable.add(term.as_bytes(), n as u64 + 1, None);
    }
    let mut sorted = terms.map(str::as_bytes);
    sorted.sort_unstable();
    assert_eq!(memtable.sorted().map(|(term, _)| term).collect::<Vec<_>>(), sorted);
}

#[test]
fn what_is_older_can_be_learnt_later() {
    let mut memtable = Memtable::new(&KEY);
    memtable.set_base(b"a", 3);
    assert!(memtable.list(b"a").is_none(), "a term without postings stays out");
    memtable.add(b"a", 10, None);
    memtable.add(b"a", 11, None);
    memtable.add(b"b", 12, Some(7));
    memtable.set_base(b"a", 3);
    memtable.set_base(b"b", 7);
    let first_revision = |term: &[u8]| memtable.list(term).and_then(|list| list.first_revision());
    assert_eq!((first_revision(b"a"), first_revision(b"b")), (Some(3), Some(7)));
}
