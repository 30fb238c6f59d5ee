//! Rows that come and go, held against a map of them, while copies are read.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array, StringArray};
use arrow_schema::DataType;
use proptest::prelude::*;

use super::*;

fn relation() -> Relation {
    Relation::new(RowLayout::new(&[DataType::Int64], &[]).unwrap())
}

fn delta(changes: &[(i64, i64)]) -> Delta {
    let (values, weights): (Vec<i64>, Vec<i64>) = changes.iter().copied().unzip();
    let stamps = vec![1; weights.len()];
    Delta { columns: vec![Arc::new(Int64Array::from(values))], weights, stamps }
}

fn rows(frozen: Frozen) -> Vec<i64> {
    let mut batches = frozen.batches();
    let mut rows = Vec::new();
    while let Some((columns, count)) = batches.next_rows().unwrap() {
        assert_eq!(columns[0].len(), count);
        assert!(count <= BATCH_ROWS, "{count}");
        rows.extend(columns[0].as_primitive::<Int64Type>().values());
    }
    rows
}

#[test]
fn rows_are_the_sum_of_changes() {
    let mut relation = relation();
    assert_eq!((relation.rows(), rows(relation.freeze())), (0, vec![]));
    relation.add(&delta(&[(7, 2), (8, 1), (7, -1), (9, -1)]));
    assert!(relation.is_negative());
    relation.add(&delta(&[(9, 1), (7, 1), (6, 1), (6, -1)]));
    assert!(!relation.is_negative());
    assert_eq!((relation.rows(), rows(relation.freeze())), (3, vec![7, 7, 8]));
    relation.add(&delta(&[(7, -2), (8, -1)]));
    assert_eq!(relation.rows(), 0);
    relation.add(&delta(&[(7, 1)]));
    relation.clear();
    assert_eq!((relation.rows(), relation.bytes(), rows(relation.freeze())), (0, 0, vec![]));
}

/// What was saved is the same rows; what no row is saved as is damaged.
#[test]
fn rows_come_back_from_what_was_saved() {
    let mut relation = relation();
    relation.add(&delta(&[(7, 200), (-8, 1), (9, 1), (9, -1)]));
    let mut saved = Saved::default();
    saved.begin(b"r");
    relation.freeze().save(&mut saved);
    let mut loaded = self::relation();
    for (key, value) in saved.sorted() {
        loaded.load(&key[1..], value).unwrap();
    }
    assert_eq!(loaded.rows(), 201);
    assert_eq!(rows(loaded.freeze()), rows(relation.freeze()));
    let damaged = |count: i64, more: &[u8]| {
        let mut value = Vec::new();
        put_number(&mut value, count);
        self::relation().load(b"row", &[&*value, more].concat())
    };
    assert_eq!(damaged(300, b""), Ok(()));
    for (count, more) in [(0, &b""[..]), (-1, b""), (1, b"more")] {
        assert_eq!(damaged(count, more), Err(Damaged), "{count}");
    }
    assert_eq!(self::relation().load(b"row", b""), Err(Damaged));
}

/// One row may be there a million times: it is not given all at once.
#[test]
fn copies_of_a_row_are_given_some_at_a_time() {
    let mut relation = relation();
    relation.add(&delta(&[(1, 10_000), (2, 1), (3, 5_000), (4, -1), (5, 4096)]));
    let expected = [vec![1; 10_000], vec![2], vec![3; 5_000], vec![5; 4096]].concat();
    assert_eq!(rows(relation.freeze()), expected);
    let mut batches = relation.freeze().batches();
    assert_eq!(batches.next_rows().unwrap().map(|(_, count)| count), Some(BATCH_ROWS));
    // Those that were given are not counted.
    assert_eq!((batches.count(), batches.count()), (expected.len() - BATCH_ROWS, 0));
    assert!(batches.next_rows().unwrap().is_none());
}

/// What is shared is copied when it changes: whoever reads sees nothing of it, and what a copy takes does not count again.
#[test]
fn what_is_frozen_does_not_change() {
    let mut relation = relation();
    let mut frozen = vec![(0, relation.freeze())];
    for number in 0..20i64 {
        let more: Vec<(i64, i64)> = (0..1000).map(|row| ((number + row * 7919) % 20_000, 1)).collect();
        relation.add(&delta(&more));
        frozen.push((relation.rows(), relation.freeze()));
        assert_eq!(
            relation.bytes() as i64,
            relation.tree.counted() as i64 - Tree::default().counted() as i64
        );
    }
    let before = rows(relation.freeze());
    relation.add(&delta(&[(before[0], -1)]));
    assert_eq!(rows(relation.freeze()), before[1..]);
    for (count, frozen) in frozen {
        assert_eq!(rows(frozen).len() as u64, count);
    }
}

/// Rows that come in their order fill their pages, and all of them are given back once they are gone.
#[test]
fn pages_are_full_and_not_left_behind() {
    let mut relation = relation();
    let counted = |relation: &Relation| relation.tree.counted() - Tree::default().counted();
    let all: Vec<(i64, i64)> = (0..300_000).map(|row| (row, 1)).collect();
    relation.add(&delta(&all));
    assert!(relation.bytes() < 300_000 * (9 + 32 + 2), "{}", relation.bytes());
    // Rows go at one end as they come at the other.
    for from in (0..300_000i64).step_by(10_000) {
        let moved: Vec<(i64, i64)> =
            (from..from + 10_000).flat_map(|row| [(row, -1), (row + 300_000, 1)]).collect();
        relation.add(&delta(&moved));
    }
    assert_eq!(relation.bytes(), counted(&relation));
    assert!(relation.bytes() < 300_000 * (9 + 32 + 2), "{}", relation.bytes());
    let gone: Vec<(i64, i64)> = (300_000..600_000).rev().map(|row| (row, -1)).collect();
    relation.add(&delta(&gone));
    assert_eq!(relation.rows(), 0);
    assert_eq!(relation.bytes(), counted(&relation));
    assert!(relation.bytes() < 64 << 10, "{}", relation.bytes());
    assert_eq!(rows(relation.freeze()), Vec::<i64>::new());
}

/// A row that takes the place of another in a page that a copy shares has the page copied, and a copy takes no more memory than its rows: that
/// was not counted, and what a relation was said to take was too much ever after.
#[test]
fn the_memory_of_a_page_that_is_copied_for_a_row() {
    let mut relation = relation();
    relation.add(&delta(&(0..9).map(|row| (row * 2, 1)).collect::<Vec<_>>()));
    let copy = relation.freeze();
    relation.add(&delta(&[(6, -1), (7, 1)]));
    assert_eq!(relation.bytes(), relation.tree.counted() - Tree::default().counted());
    assert_eq!(rows(relation.freeze()), [0, 2, 4, 7, 8, 10, 12, 14, 16]);
    assert_eq!(rows(copy), [0, 2, 4, 6, 8, 10, 12, 14, 16]);
}

/// A batch has at most so many bytes of rows, unless one row alone has more.
#[test]
fn long_rows_are_given_few_at_a_time() {
    let relation = || Relation::new(RowLayout::new(&[DataType::Utf8], &[]).unwrap());
    let of_lengths = |lengths: &[usize]| {
        let texts: Vec<String> = lengths
            .iter()
            .zip(b'a'..)
            .map(|(length, of)| char::from(of).to_string().repeat(*length))
            .collect();
        let (columns, count): (Vec<ArrayRef>, _) = (vec![Arc::new(StringArray::from(texts))], lengths.len());
        let mut relation = relation();
        let rows = relation.add(&Delta { columns, weights: vec![1; count], stamps: vec![1; count] });
        let mut batches = relation.freeze().batches();
        let mut counts = Vec::new();
        while let Some((_, count)) = batches.next_rows().unwrap() {
            counts.push(count);
        }
        (counts, rows.row(0).len() - lengths[0])
    };
    let (_, beside) = of_lengths(&[1]);
    let half = BATCH_BYTES / 2 - beside;
    assert_eq!(of_lengths(&[half, half, half]).0, [2, 1]);
    assert_eq!(of_lengths(&[half, half + 1, 1, 1]).0, [1, 3]);
    assert_eq!(of_lengths(&[BATCH_BYTES, BATCH_BYTES, 1]).0, [1, 1, 1]);
}

/// Texts with a key behind them: rows of one key are found together, whatever begins as they do.
#[test]
fn rows_of_one_key() {
    let layout = RowLayout::new(&[DataType::Int64, DataType::Utf8], &[1]).unwrap();
    assert_eq!(layout.key(), [1]);
    let mut relation = Relation::new(layout);
    let keys = ["", "a", "ab", "b"];
    for (key, count) in keys.iter().zip([1, 10_000, 3, 700]) {
        let columns: Vec<ArrayRef> = vec![
            Arc::new((0..count).collect::<Int64Array>()),
            Arc::new((0..count).map(|_| Some(*key)).collect::<StringArray>()),
        ];
        let (weights, stamps) = (vec![1; count as usize], vec![1; count as usize]);
        relation.add(&Delta { columns, weights, stamps });
    }
    for (key, count) in [("", 1), ("a", 10_000), ("ab", 3), ("b", 700), ("aa", 0), ("c", 0)] {
        let mut batches = relation.freeze().batches_of(&[Arc::new(StringArray::from(vec![key]))]);
        let mut found: Vec<i64> = Vec::new();
        while let Some((columns, _)) = batches.next_rows().unwrap() {
            assert!(columns[1].as_string::<i32>().iter().all(|of_row| of_row == Some(key)));
            found.extend(columns[0].as_primitive::<Int64Type>().values());
        }
        assert_eq!(found, (0..count).collect::<Vec<i64>>(), "{key:?}");
        let mut batches = relation.freeze().batches_of(&[Arc::new(StringArray::from(vec![key]))]);
        assert_eq!((batches.count(), batches.count()), (count as usize, 0), "{key:?}");
    }
}

proptest! {
    /// Rows of all sizes come and go in any order, while copies are about: as in a map.
    #[test]
    fn a_relation_is_a_map(
        steps in prop::collection::vec((prop::collection::vec((0i64..400, -3i64..4), 1..300), any::<bool>()), 1..12),
        large in prop::sample::select(vec![1usize, 40, 3000, 20_000]),
    ) {
        let text = |value: i64| format!("{value:05}{}", "x".repeat(large * (value % 3) as usize / 2));
        let mut relation = Relation::new(RowLayout::new(&[DataType::Utf8], &[]).unwrap());
        let (mut map, mut copies) = (BTreeMap::<i64, i64>::new(), Vec::new());
        for (changes, copy) in steps {
            let changes: Vec<(i64, i64)> = changes.into_iter().filter(|(_, weight)| *weight != 0).collect();
            for (value, weight) in &changes {
                *map.entry(*value).or_default() += weight;
            }
            map.retain(|_, count| *count != 0);
            let texts: StringArray = changes.iter().map(|(value, _)| Some(text(*value))).collect();
            let (weights, stamps) = (changes.iter().map(|change| change.1).collect(), vec![1; changes.len()]);
            relation.add(&Delta { columns: vec![Arc::new(texts)], weights, stamps });
            prop_assert_eq!(relation.rows() as i64, map.values().sum::<i64>().max(0));
            prop_assert_eq!(relation.is_negative(), map.values().any(|count| *count < 0));
            if copy {
                let expected: Vec<String> =
                    map.iter().flat_map(|(value, count)| (0..*count).map(|_| text(*value))).collect();
                copies.push((relation.freeze(), expected));
            }
            prop_assert_eq!(relation.bytes(), relation.tree.counted() - Tree::default().counted());
        }
        let expected = map.iter().flat_map(|(value, count)| (0..*count).map(|_| text(*value))).collect();
        copies.push((relation.freeze(), expected));
        for (copy, expected) in copies {
            let (mut batches, mut found) = (copy.batches(), Vec::new());
            while let Some((columns, _)) = batches.next_rows().unwrap() {
                found.extend(columns[0].as_string::<i32>().iter().map(|text| text.unwrap().to_owned()));
            }
            prop_assert_eq!(&found, &expected);
        }
    }

    /// One row goes and another comes, which may take its place: as in a map, whatever is between them, or there already, or not.
    #[test]
    fn a_row_takes_the_place_of_another(
        there in prop::collection::vec((0i64..1500, 1i64..3), 0..1500),
        pairs in prop::collection::vec((3i64..1500, -3i64..4, any::<bool>()), 1..600),
    ) {
        let mut relation = relation();
        let mut map = BTreeMap::<i64, i64>::new();
        // Of two lengths: a row may take the place of one that is as long only.
        let text = |value: i64| format!("{value:05}{}", "x".repeat(usize::from(value % 7 == 0)));
        let mut texts = Relation::new(RowLayout::new(&[DataType::Utf8], &[]).unwrap());
        let moved = pairs.iter().flat_map(|&(old, by, is_pair)| {
            let going = (old, -1);
            if is_pair { vec![going, (old + by, 1)] } else { vec![(old + by, 1), going] }
        });
        let changes: Vec<(i64, i64)> = there.iter().copied().chain(moved).collect();
        let copy = relation.freeze();
        for changes in changes.chunks(400) {
            relation.add(&delta(changes));
            let of: StringArray = changes.iter().map(|(value, _)| Some(text(*value))).collect();
            let (weights, stamps) = (changes.iter().map(|change| change.1).collect(), vec![1; changes.len()]);
            texts.add(&Delta { columns: vec![Arc::new(of)], weights, stamps });
            changes.iter().for_each(|(value, weight)| *map.entry(*value).or_default() += weight);
            map.retain(|_, count| *count != 0);
            let rows = map.values().sum::<i64>().max(0);
            for (relation, of) in [(&relation, "numbers"), (&texts, "texts")] {
                prop_assert_eq!(relation.rows() as i64, rows, "{}", of);
                prop_assert_eq!(relation.is_negative(), map.values().any(|count| *count < 0), "{}", of);
                prop_assert_eq!(relation.bytes(), relation.tree.counted() - Tree::default().counted(), "{}", of);
            }
            let expected: Vec<i64> = map.iter().flat_map(|(value, count)| (0..*count).map(|_| *value)).collect();
            prop_assert_eq!(super::tests::rows(relation.freeze()), &expected[..]);
            let (mut batches, mut found) = (texts.freeze().batches(), Vec::new());
            while let Some((columns, _)) = batches.next_rows().unwrap() {
                found.extend(columns[0].as_string::<i32>().iter().map(|text| text.unwrap().to_owned()));
            }
            prop_assert_eq!(found, expected.iter().map(|value| text(*value)).collect::<Vec<_>>());
        }
        prop_assert_eq!(super::tests::rows(copy), Vec::<i64>::new());
    }
}
