//! Going on in a next segment: planned, waited for, forced by a large group, overtaken.

use std::sync::atomic::Ordering;

use recount_env::{block_on, memory::memory_env};
use recount_journal::{FrameKind, Location, Settings, TailDecision};
use recount_types::{Epoch, Lsn, Position};

use crate::machine::*;

/// Sizes of groups that fill 16 KiB segments in different ways.
fn scripts() -> Vec<Vec<usize>> {
    vec![
        vec![100; 300],
        vec![2000; 60],
        vec![13_000; 8],
        (0..150).map(|n| n * 37 % 5000).collect(),
        // Plans made for small groups, then overtaken by large ones.
        (0..160).map(|n| if n % 40 < 36 { 60 } else { 6000 }).collect(),
        // Larger than a segment.
        (0..40).map(|n| if n % 10 == 9 { 50_000 } else { 900 }).collect(),
    ]
}

#[test]
fn whatever_the_sizes_all_is_there_from_every_location() {
    for (seed, sizes) in scripts().into_iter().enumerate() {
        let world = machine(seed as u64);
        let expected = groups(&sizes);
        let (waits, rolls) = run(&world, async move |env| {
            let mut opened = open(&env, settings(16 << 10)).await;
            let mut locations: Vec<Location> = Vec::new();
            for &bytes in &sizes {
                locations.push(opened.append(bytes).await.unwrap().location);
            }
            assert_eq!(dump(&opened.reader).await.unwrap(), groups(&sizes));
            for (at, &location) in locations.iter().enumerate().step_by(7) {
                let mut cursor = opened.reader.frames(location);
                for lsn in at + 1..=sizes.len() {
                    let frame = cursor.next_where(|header| header.kind.uses_lsn()).await.unwrap().unwrap();
                    assert_eq!((frame.header.lsn.0, frame.location), (lsn as u64, locations[lsn - 1]));
                }
                assert!(cursor.next().await.unwrap().is_none());
            }
            let counts = opened.writer.counts();
            (counts.roll_waits.load(Ordering::Relaxed), counts.rolls.load(Ordering::Relaxed))
        });
        assert!(rolls >= 2, "{rolls} rolls of script {seed}");
        assert!(waits <= rolls);
        assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(expected));
    }
}

/// Small groups: the next segment is there when it is needed.
#[test]
fn planned_rolls_wait_for_nothing() {
    let world = machine(19);
    let (waits, rolls) = run(&world, async move |env| {
        let mut opened = open(&env, settings(64 << 10)).await;
        opened.append_all(&[100; 2000]).await;
        let counts = opened.writer.counts();
        (counts.roll_waits.load(Ordering::Relaxed), counts.rolls.load(Ordering::Relaxed))
    });
    assert!(rolls >= 7 && waits == 0, "{waits} of {rolls} rolls waited");
    assert_eq!(contents(&world, settings(64 << 10), TailDecision::Refuse), Ok(groups(&[100; 2000])));
}

/// The task that makes segments runs on a thread of its own here.
#[test]
fn rolls_with_a_real_thread() {
    let env = memory_env();
    for sizes in scripts() {
        block_on(async {
            let mut opened = open(&env, settings(16 << 10)).await;
            opened.append_all(&sizes).await;
            opened.close().await.unwrap();
        });
    }
    let found = block_on(async { dump(&open(&env, settings(16 << 10)).await.reader).await.unwrap() });
    let expected: Vec<usize> = scripts().concat();
    assert_eq!(found, groups(&expected));
}

/// After a crash the new segment holds no lsn yet. A first group that did not fit it made the next segment begin with
/// the same lsn under the same epoch: under the same name, replacing the file.
#[test]
fn the_first_group_after_an_opening_may_be_larger_than_the_segment() {
    let world = machine(20);
    let sizes = [10, 20, 40_000, 30];
    run(&world, async move |env| {
        let mut opened = open(&env, settings(16 << 10)).await;
        opened.append_all(&sizes[..2]).await;
        opened.writer.seal(Position(0), state(2)).await.unwrap();
        drop(opened);
        let mut opened = open(&env, settings(16 << 10)).await;
        let large = opened.append(sizes[2]).await.unwrap();
        assert_eq!(large.location.segment.first_lsn, Lsn(3));
        let small = opened.append(sizes[3]).await.unwrap();
        let names = opened.reader.segments();
        let epochs: Vec<Epoch> = names.iter().map(|name| name.epoch).collect();
        assert_eq!(epochs, [Epoch(1), Epoch(3), Epoch(4)], "{names:?}");
        assert_eq!(small.header.epoch, Epoch(4));
        assert_eq!(dump(&opened.reader).await.unwrap(), groups(&sizes));
    });
    assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(groups(&sizes)));
    run(&world, async move |env| {
        let mut opened = open(&env, settings(16 << 10)).await;
        assert!(opened.append(50).await.unwrap().header.epoch > Epoch(4));
    });
}

/// A new journal whose first group is larger than its first segment.
#[test]
fn the_first_group_of_all_may_be_larger_than_the_segment() {
    let world = machine(21);
    run(&world, async |env| open(&env, settings(16 << 10)).await.append_all(&[100_000, 5]).await);
    assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(groups(&[100_000, 5])));
}

/// A roll for a group that then did not come. Closing wrote a marker for a segment whose prologue had never been
/// written; a second roll left such a segment in the middle.
#[test]
fn a_roll_that_no_group_followed() {
    for rolls in 1..4 {
        for close in [false, true] {
            for bytes in [10, 30_000] {
                let world = machine(22 + rolls);
                let expected = groups(&[10, bytes]);
                run(&world, async move |env| {
                    let mut opened = open(&env, settings(16 << 10)).await;
                    opened.append_all(&[10]).await;
                    for n in 0..rolls {
                        opened.writer.roll(&state(1), 20 << (2 * n)).await.unwrap();
                        assert!(!opened.writer.is_sealed());
                        assert_eq!(dump(&opened.reader).await.unwrap(), groups(&[10]));
                    }
                    if close {
                        opened.close().await.unwrap();
                        opened = open(&env, settings(16 << 10)).await;
                    }
                    opened.append_all(&[bytes]).await;
                    assert_eq!(dump(&opened.reader).await.unwrap(), groups(&[10, bytes]));
                });
                assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(expected));
            }
        }
    }
}

#[test]
fn segments_double_up_to_their_largest() {
    let world = machine(26);
    let growing = Settings { segment_bytes_min: 16 << 10, segment_bytes_max: 64 << 10, tail_bytes_max: 0 };
    run(&world, async move |env| open(&env, growing).await.append_all(&[1500; 150]).await);
    let sizes: Vec<usize> = world.disk(|disk| {
        let segments =
            disk.paths().into_iter().filter(|path| path.extension().is_some_and(|e| e == "journal"));
        segments.filter_map(|path| disk.bytes(&path)).map(|bytes| bytes.len()).collect()
    });
    assert_eq!(sizes[..4], [16 << 10, 32 << 10, 64 << 10, 64 << 10]);
}

#[test]
fn a_prologue_carries_the_state_of_its_beginning() {
    let world = machine(27);
    run(&world, async move |env| {
        let mut opened = open(&env, settings(16 << 10)).await;
        opened.append_all(&[1500; 40]).await;
        let mut cursor = opened.reader.frames(opened.reader.first().unwrap());
        let (mut last_lsn, mut segments) = (0, 0);
        while let Some(frame) = cursor.next().await.unwrap() {
            if frame.header.kind == FrameKind::Prologue {
                let prologue = recount_journal::segment::Prologue::decode(&frame.body).unwrap();
                let expected = if segments == 0 { vec![] } else { state(last_lsn) };
                assert_eq!(prologue.state, expected);
                assert_eq!(prologue.predecessor.is_some(), segments > 0);
                segments += 1;
            } else {
                last_lsn = frame.header.lsn.0;
            }
        }
        assert!(segments > 4);
    });
}
