//! Tests of `set`.

use std::path::Path;

use proptest::prelude::*;
use recount_env::block_on;

use super::*;
use crate::testing::{DATABASE, DIR, KEY, Tested, any_bounds, collect};
use crate::{Bounds, unpaced};

#[derive(Debug, Clone)]
enum Op {
    /// Events, each with a gap to the one before and some of the terms; with or without a known base.
    Events(Vec<(u64, Vec<u8>, bool)>),
    /// Many events of one term with one gap: enough for a tree.
    Burst(u8, u16, u64),
    Flush,
    Merge(prop::sample::Index, prop::sample::Index),
    MergeAsPlanned,
    Reopen,
}

fn any_op() -> impl Strategy<Value = Op> {
    let event = (prop_oneof![1..4u64, 1..100_000u64], prop::collection::vec(0..40u8, 0..4), any::<bool>());
    prop_oneof![
        6 => prop::collection::vec(event, 1..40).prop_map(Op::Events),
        1 => (0..40u8, 100..3000u16, 1..1u64 << 30).prop_map(|(term, n, gap)| Op::Burst(term, n, gap)),
        4 => Just(Op::Flush),
        2 => (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(a, b)| Op::Merge(a, b)),
        1 => Just(Op::MergeAsPlanned),
        1 => Just(Op::Reopen),
    ]
}

/// A few terms that are prefixes of one another, of very different lengths.
fn term(n: u8) -> Vec<u8> {
    let len = match n % 5 {
        4 => 900,
        short => usize::from(short) * 3,
    };
    let mut term = vec![n % 3 + 1, 0, 0, 0, n % 2];
    term.resize(5 + len, b'a');
    if n >= 10 {
        term.push(n);
    }
    term
}

fn run(ops: &[Op]) -> Tested {
    let mut tested = Tested::new();
    for op in ops {
        match op {
            Op::Events(events) => {
                for (gap, terms, with_base) in events {
                    let mut terms: Vec<Vec<u8>> = terms.iter().map(|&n| term(n)).collect();
                    terms.sort();
                    terms.dedup();
                    let terms: Vec<&[u8]> = terms.iter().map(Vec::as_slice).collect();
                    tested.add(*gap, &terms, *with_base);
                }
            }
            Op::Burst(n, count, gap) => (0..*count).for_each(|_| tested.add(*gap, &[&term(*n)], true)),
            Op::Flush => tested.flush(),
            Op::Merge(a, b) if tested.set.runs().len() >= 2 => {
                let runs = tested.set.runs().len();
                let (a, b) = (a.index(runs), b.index(runs));
                if a != b {
                    tested.merge(a.min(b)..a.max(b) + 1);
                }
            }
            Op::Merge(..) => {}
            Op::MergeAsPlanned => tested.merge_as_planned(),
            Op::Reopen => tested.reopen(),
        }
    }
    tested
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn answers_as_the_model_does(
        ops in prop::collection::vec(any_op(), 1..25),
        bounds in prop::collection::vec((any_bounds(1 << 20, 100), 0..40u8), 30),
        wide in prop::collection::vec((any_bounds(1 << 40, 3000), 0..40u8), 10),
    ) {
        let tested = run(&ops);
        for n in 0..40 {
            tested.check_term(&term(n), &Bounds::default());
            tested.check_term(&term(n), &Bounds::default().backward());
        }
        for (bounds, n) in bounds.iter().chain(&wide) {
            tested.check_term(&term(*n), bounds);
        }
        prop_assert!(block_on(tested.set.stream_length(b"\x09absent")).unwrap() == 0);
    }
}

#[test]
fn a_list_of_half_a_million_is_walked_from_anywhere_in_a_few_reads() {
    let mut tested = Tested::new();
    for n in 0..500_000u64 {
        tested.add(n % 300 + 1, &[b"\x01long"], true);
    }
    tested.flush();
    let positions = tested.flushed.positions(b"\x01long").to_vec();
    let reads = |bounds: Bounds, take: usize| {
        let before = tested.set.read_counts().blocks;
        let mut postings = tested.set.postings(b"\x01long", bounds);
        let taken: Vec<u64> =
            (0..take).map(|_| block_on(postings.next()).unwrap().unwrap().position).collect();
        (taken, tested.set.read_counts().blocks - before)
    };
    // One term block, two skip pages, one chunk or two.
    let (last, blocks) = reads(Bounds::default().backward(), 10);
    assert_eq!(last, positions.iter().rev().take(10).copied().collect::<Vec<_>>());
    assert!(blocks <= 5, "{blocks}");
    let (from_rank, blocks) = reads(Bounds::default().from_rank(333_333), 10);
    assert_eq!(from_rank, positions[333_333..333_343]);
    assert!(blocks <= 5, "{blocks}");
    let (from_position, blocks) = reads(Bounds::between(positions[222_222], u64::MAX), 10);
    assert_eq!(from_position, positions[222_223..222_233]);
    assert!(blocks <= 5, "{blocks}");

    for bounds in [Bounds::default(), Bounds::default().backward()] {
        tested.check_term(b"\x01long", &bounds);
        tested.check_term(b"\x01long", &bounds.from_rank(250_000));
        tested.check_term(
            b"\x01long",
            &Bounds { after: positions[77_777], until: positions[400_000], ..bounds },
        );
    }
}

#[test]
fn a_cold_key_costs_about_one_block_read_with_eight_runs() {
    let mut tested = Tested::new();
    let key = |n: u64| format!("\x01key-{n:08}").into_bytes();
    for run in 0..8 {
        for n in 0..5000 {
            tested.add(1, &[&key(n * 8 + run)], true);
        }
        tested.flush();
    }
    let before = tested.set.read_counts().blocks;
    for n in 0..10_000 {
        assert_eq!(block_on(tested.set.stream_length(&key(n))).unwrap(), 1);
    }
    let reads = tested.set.read_counts().blocks - before;
    assert!(reads <= 11_000, "{reads} block reads for 10000 keys");

    let before = tested.set.read_counts().blocks;
    for n in 0..10_000 {
        assert_eq!(block_on(tested.set.stream_length(&key(100_000 + n))).unwrap(), 0);
    }
    let reads = tested.set.read_counts().blocks - before;
    assert!(reads <= 800, "{reads} block reads for 10000 absent keys in 8 runs");
}

#[test]
fn opening_removes_leftovers_and_stops_at_a_gap() {
    let mut tested = Tested::new();
    for n in 0..5 {
        tested.lsn += 10;
        tested.add(5, &[b"\x01a"], n > 0);
        tested.flush();
    }
    let name = |run: usize| tested.set.runs()[run].name().to_owned();
    let names: Vec<String> = (0..5).map(name).collect();
    let copy: Vec<Vec<u8>> = names.iter().map(|name| tested.bytes(name)).collect();
    let put = |files: &[usize]| {
        for name in block_on(tested.env.files.list(Path::new(DIR))).unwrap() {
            block_on(tested.env.files.remove(&Path::new(DIR).join(name))).unwrap();
        }
        files.iter().for_each(|&n| tested.set_bytes(&names[n], &copy[n]));
    };
    let open = |database, key| {
        let opened = block_on(RunSet::open(&tested.env, Path::new(DIR), database, key)).unwrap();
        let dropped = opened.dropped.iter().map(|dropped| (dropped.file.clone(), dropped.why.to_string()));
        let left = block_on(tested.env.files.list(Path::new(DIR))).unwrap();
        (opened.set.covered_to_position(), opened.set.covered_to_lsn(), dropped.collect::<Vec<_>>(), left)
    };
    let behind_gap = |n: usize| (names[n].clone(), "runs before it are missing".to_owned());

    put(&[0, 1, 2, 3, 4]);
    assert_eq!(open(DATABASE, &KEY), (25, 50, vec![], names.clone()));
    put(&[0, 1, 3, 4]);
    assert_eq!(open(DATABASE, &KEY), (10, 20, vec![behind_gap(4), behind_gap(3)], names[..2].to_vec()));
    put(&[1]);
    assert_eq!(open(DATABASE, &KEY), (0, 0, vec![behind_gap(1)], vec![]));

    put(&[0, 1, 2]);
    let mut damaged = copy[1].clone();
    let end = damaged.len() - 50;
    damaged[end] ^= 1;
    tested.set_bytes(&names[1], &damaged);
    let (position, _, dropped, left) = open(DATABASE, &KEY);
    assert_eq!((position, left), (5, names[..1].to_vec()));
    assert!(dropped[0].1.contains("the footer fails its checksum"), "{dropped:?}");
    assert_eq!(dropped[1], behind_gap(2));

    put(&[0, 1]);
    tested.set_bytes("00000000000000000010-00000000000000000015.run.tmp", b"x");
    tested.set_bytes("notes.txt", b"x");
    let (position, _, dropped, left) = open(DATABASE, &KEY);
    assert_eq!((position, dropped.len(), left.len()), (10, 1, 3), "{dropped:?} {left:?}");

    put(&[0]);
    assert_eq!(open([1; 16], &KEY).2, [(names[0].clone(), "it belongs to another database".to_owned())]);
    put(&[0]);
    assert!(open(DATABASE, &[1; 16]).2[0].1.contains("another key"));
    put(&[0, 1]);
    tested.set_bytes(&names[0], &copy[1]);
    assert!(open(DATABASE, &KEY).2[0].1.contains("other positions than its name says"));
}

#[test]
fn opening_stops_where_lsns_do_not_continue() {
    let runs = [(5, 10), (10, 20)].map(|(first_lsn, second_lsn)| {
        let mut tested = Tested::new();
        for lsn in [first_lsn, second_lsn] {
            tested.lsn = lsn;
            tested.add(5, &[b"\x01a"], true);
            tested.flush();
        }
        tested
    });
    let name = runs[0].set.runs()[1].name();
    runs[0].set_bytes(name, &runs[1].bytes(name));
    let opened = block_on(RunSet::open(&runs[0].env, Path::new(DIR), DATABASE, &KEY)).unwrap();
    assert_eq!((opened.set.covered_to_position(), opened.set.covered_to_lsn()), (5, 5));
    assert_eq!(opened.dropped[0].why, DropReason::BehindGap);
}

#[test]
fn a_run_is_written_over_a_failed_attempt() {
    let mut tested = Tested::new();
    tested.set_bytes("00000000000000000000-00000000000000000005.run.tmp", &[1; 100_000]);
    tested.add(5, &[b"\x01a"], true);
    tested.flush();
    tested.reopen();
    tested.check_term(b"\x01a", &Bounds::default());
}

#[test]
fn a_merge_refuses_revisions_that_do_not_continue() {
    let mut tested = Tested::new();
    for base in [0, 5] {
        tested.position += 1;
        tested.memtable.add(b"\x01a", tested.position, Some(base));
        tested.flush();
    }
    let merged = block_on(crate::merge_runs(&tested.set, 0..2, &unpaced));
    assert!(matches!(merged, Err(WriteError::Read(ReadError::Damage(_)))), "{merged:?}");
}

#[test]
fn a_walk_from_a_rank_reads_no_chunk_before_it() {
    let mut tested = Tested::new();
    for _ in 0..4 {
        (0..5000).for_each(|_| tested.add(1 << 30, &[b"\x01a"], true));
        tested.flush();
    }
    let before = tested.set.read_counts().blocks;
    let mut postings = tested.set.postings(b"\x01a", Bounds::default().from_rank(15_000));
    assert_eq!(block_on(postings.next()).unwrap().unwrap().rank, Some(15_000));
    // A term block in each run, a skip page and a chunk in the last.
    assert_eq!(tested.set.read_counts().blocks - before, 6);
}

#[test]
fn an_interrupted_merge_leaves_a_whole_index() {
    let mut tested = Tested::new();
    for _ in 0..4 {
        tested.add(5, &[b"\x01a", b"\x02b"], true);
        tested.flush();
    }
    let old: Vec<(String, Vec<u8>)> =
        tested.set.runs()[1..3].iter().map(|run| (run.name().to_owned(), tested.bytes(run.name()))).collect();
    let before = tested.set.clone();
    tested.merge(1..3);
    assert_eq!(tested.set.runs().len(), 3);
    // The old set reads removed files.
    assert_eq!(block_on(collect(&before, b"\x01a", Bounds::default())).unwrap().len(), 4);

    // As if the process had ended before the old runs were removed.
    old.iter().for_each(|(name, bytes)| tested.set_bytes(name, bytes));
    let open = || block_on(RunSet::open(&tested.env, Path::new(DIR), DATABASE, &KEY)).unwrap();
    let opened = open();
    assert_eq!(opened.set.runs().len(), 3);
    assert!(opened.dropped.iter().all(|dropped| dropped.why == DropReason::Covered));
    assert_eq!(opened.dropped.len(), 2);
    tested.set = opened.set;
    tested.check_term(b"\x01a", &Bounds::default());

    // A merged run that is damaged does not cover what it was made from.
    old.iter().for_each(|(name, bytes)| tested.set_bytes(name, bytes));
    let merged = tested.set.runs()[1].name();
    let bytes = tested.bytes(merged);
    tested.set_bytes(merged, &bytes[1..]);
    let opened = open();
    assert_eq!(opened.set.runs().len(), 4);
    tested.set = opened.set;
    tested.check_term(b"\x01a", &Bounds::default());
}

#[test]
fn dropping_from_a_position_keeps_what_is_before() {
    let mut tested = Tested::new();
    for _ in 0..3 {
        tested.add(5, &[b"\x01a"], true);
        tested.flush();
    }
    let set = block_on(tested.set.drop_from(7)).unwrap();
    assert_eq!(set.covered_to_position(), 5);
    let opened = block_on(RunSet::open(&tested.env, Path::new(DIR), DATABASE, &KEY)).unwrap();
    assert_eq!((opened.set.covered_to_position(), opened.dropped.len()), (5, 0));
}

#[test]
#[should_panic(expected = "does not continue the set")]
fn a_set_has_no_gaps() {
    let mut tested = Tested::new();
    tested.add(5, &[b"\x01a"], true);
    let run = block_on(tested.set.write_run(&tested.memtable, 5, 0, &unpaced)).unwrap();
    let _ = tested.set.with(run.clone()).with(run);
}

#[test]
fn ranks_are_given_only_where_they_are_known() {
    let mut tested = Tested::new();
    for _ in 0..3 {
        tested.add(5, &[b"\x01a"], false);
        tested.flush();
    }
    let ranks = |bounds: Bounds| -> Vec<Option<u64>> {
        let found = block_on(collect(&tested.set, b"\x01a", bounds)).unwrap();
        found.iter().map(|posting| posting.rank).collect()
    };
    assert_eq!(ranks(Bounds::default()), [Some(0), Some(1), Some(2)]);
    assert_eq!(ranks(Bounds::between(5, u64::MAX)), [None, None]);
    assert_eq!(ranks(Bounds { ranked: true, ..Bounds::between(5, u64::MAX) }), [Some(1), Some(2)]);
    assert_eq!(ranks(Bounds::default().backward()), [None, None, Some(0)]);
    assert_eq!(ranks(Bounds { ranked: true, ..Bounds::default().backward() }), [Some(2), Some(1), Some(0)]);
}
