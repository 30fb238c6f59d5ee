//! Tests of `pending`.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// Runs a script and shows which batches get positions together, in order.
/// `T1 0` = a batch of transaction 1 in partition 0; `P 0` = a plain batch there; `commit 1`, `abort 1`.
fn check(script: &str, expected: Expect) {
    let mut pending = Pending::default();
    let mut out = String::new();
    for (lsn, line) in script.split(';').map(str::trim).enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].trim_start_matches('T').parse::<u64>().unwrap();
        match words[0] {
            "commit" | "abort" => {
                for component in pending.end(number(1), words[0] == "commit") {
                    let lsns: Vec<String> = component.iter().map(|batch| batch.lsn.to_string()).collect();
                    out += &format!("{line}: {}\n", lsns.join(" "));
                }
            }
            "P" => {
                let node = pending.begin_plain();
                pending.add(node, batch(lsn as u64, number(1)));
            }
            _ => pending.add_transactional(number(0), batch(lsn as u64, number(1))),
        }
    }
    let waits: Vec<String> =
        (0..3).filter(|&p| pending.waits((TopicId(1), Partition(p)))).map(|p| p.to_string()).collect();
    out += &format!("waits: {}\n", waits.join(" "));
    expected.assert_eq(&out);
}

fn batch(lsn: u64, partition: u64) -> Waiting {
    let partition = (TopicId(1), Partition(partition as u32));
    Waiting { lsn: Lsn(lsn), entry: 0, partition, count: 1, terms: Vec::new() }
}

#[test]
fn a_plain_batch_waits_for_the_transaction_before_it() {
    check(
        "T1 0; P 0; commit 1",
        expect![[r#"
        commit 1: 0
        commit 1: 1
        waits: 
    "#]],
    );
    check(
        "T1 0; P 0; abort 1",
        expect![[r#"
        abort 1: 1
        waits: 
    "#]],
    );
}

#[test]
fn a_plain_batch_between_two_of_a_transaction_is_one_append_with_it() {
    check(
        "T1 0; P 0; T1 0; commit 1",
        expect![[r#"
        commit 1: 0 1 2
        waits: 
    "#]],
    );
}

#[test]
fn transactions_that_cross_are_one_append_once_both_are_decided() {
    check(
        "T1 0; T2 1; T2 0; T1 1; commit 1; commit 2",
        expect![[r#"
        commit 2: 0 1 2 3
        waits: 
    "#]],
    );
    check(
        "T1 0; T2 1; T2 0; T1 1; commit 1; abort 2",
        expect![[r#"
        abort 2: 0 3
        waits: 
    "#]],
    );
}

#[test]
fn what_is_decided_waits_for_what_precedes_it_in_any_partition() {
    check(
        "T1 0; T2 0; T2 1; P 1; commit 2; commit 1",
        expect![[r#"
            commit 1: 0
            commit 1: 1 2
            commit 1: 3
            waits: 
        "#]],
    );
}

#[test]
fn an_open_transaction_holds_only_the_partitions_it_touches() {
    check(
        "T1 0; T2 1; P 1; commit 2",
        expect![[r#"
        commit 2: 1
        commit 2: 2
        waits: 0
    "#]],
    );
}

#[test]
fn the_blocker_is_named() {
    let mut pending = Pending::default();
    pending.add_transactional(7, batch(1, 0));
    assert_eq!(pending.blocker((TopicId(1), Partition(0))), Some(7));
    assert_eq!(pending.blocker((TopicId(1), Partition(1))), None);
    assert_eq!(pending.oldest_lsn(), Some(Lsn(1)));
    assert!(pending.has_lsn(Lsn(1)) && !pending.has_lsn(Lsn(2)));
    assert_eq!(pending.partitions_of(7).len(), 1);
    assert_eq!(pending.partitions_of(8).len(), 0);
}

#[derive(Debug, Clone)]
enum Step {
    Batch { producer: Option<u64>, partition: u64 },
    End { producer: u64, committed: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop::option::weighted(0.7, 0u64..4), 0u64..3)
            .prop_map(|(producer, partition)| Step::Batch { producer, partition }),
        1 => (0u64..4, any::<bool>()).prop_map(|(producer, committed)| Step::End { producer, committed }),
    ]
}

proptest! {
    /// Whatever happens: positions follow offsets in every partition, a node is never split, nothing is placed
    /// twice, an aborted batch never, and nothing waits once nothing is open.
    #[test]
    fn positions_follow_offsets_and_nothing_is_split_or_forgotten(steps in prop::collection::vec(step(), 1..60)) {
        let mut pending = Pending::default();
        let mut placed: Vec<Vec<u64>> = Vec::new();
        let mut node_of: BTreeMap<u64, (Option<u64>, usize)> = BTreeMap::new();
        let mut partition_of: BTreeMap<u64, u64> = BTreeMap::new();
        let mut incarnation: BTreeMap<u64, usize> = BTreeMap::new();
        let mut aborted: Vec<(Option<u64>, usize)> = Vec::new();
        let ends = (0..4).map(|producer| Step::End { producer, committed: true });
        for (lsn, step) in steps.into_iter().chain(ends).enumerate() {
            let lsn = lsn as u64;
            match step {
                Step::Batch { producer: Some(producer), partition } => {
                    node_of.insert(lsn, (Some(producer), incarnation.get(&producer).copied().unwrap_or(0)));
                    partition_of.insert(lsn, partition);
                    pending.add_transactional(producer, batch(lsn, partition));
                }
                Step::Batch { producer: None, partition } => {
                    node_of.insert(lsn, (None, lsn as usize));
                    partition_of.insert(lsn, partition);
                    if pending.waits((TopicId(1), Partition(partition as u32))) {
                        let node = pending.begin_plain();
                        pending.add(node, batch(lsn, partition));
                    } else {
                        placed.push(vec![lsn]);
                    }
                }
                Step::End { producer, committed } => {
                    let number = incarnation.entry(producer).or_default();
                    if !committed {
                        aborted.push((Some(producer), *number));
                    }
                    *number += 1;
                    let ready = pending.end(producer, committed);
                    placed.extend(ready.iter().map(|c| c.iter().map(|batch| batch.lsn.0).collect::<Vec<_>>()));
                }
            }
        }
        let order: Vec<u64> = placed.iter().flatten().copied().collect();
        for partition in 0..3 {
            let here: Vec<u64> = order.iter().copied().filter(|lsn| partition_of[lsn] == partition).collect();
            prop_assert!(here.is_sorted(), "partition {partition}: {here:?}");
        }
        let unique: BTreeSet<u64> = order.iter().copied().collect();
        prop_assert_eq!(unique.len(), order.len());
        let expected: BTreeSet<u64> = node_of.iter().filter(|(_, node)| !aborted.contains(node)).map(|(&lsn, _)| lsn).collect();
        prop_assert_eq!(unique, expected);
        for node in node_of.values() {
            let holders = placed.iter().filter(|append| append.iter().any(|lsn| node_of[lsn] == *node)).count();
            prop_assert!(holders <= 1, "{node:?} is split");
        }
        prop_assert_eq!(pending.batch_count(), 0);
    }
}
