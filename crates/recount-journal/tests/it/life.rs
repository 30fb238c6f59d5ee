//! Creation, closing, opening again, who may open, and readers.

use std::path::Path;

use recount_env::{block_on, memory::memory_env};
use recount_journal::directory::{Holder, Paths};
use recount_journal::{
    FrameHeader, FrameKind, FrameSpec, Location, OpenError, OpenMode, Recovery, SegmentName, Settings,
    TailDecision,
};
use recount_types::{Epoch, Lsn, Position, Time};

use crate::machine::*;

const SIZES: [usize; 6] = [10, 0, 700, 3000, 1, 64];

#[test]
fn what_is_written_is_read_back_also_in_memory() {
    let env = memory_env();
    block_on(async {
        let mut opened = open(&env, Settings::default()).await;
        opened.append_all(&SIZES).await;
        assert_eq!(dump(&opened.reader).await.unwrap(), groups(&SIZES));
        opened.close().await.unwrap();
        let opened = open(&env, Settings::default()).await;
        assert_eq!(dump(&opened.reader).await.unwrap(), groups(&SIZES));
    });
}

#[test]
fn after_a_clean_close_writing_goes_on_in_place() {
    let world = machine(1);
    let epochs = run(&world, async |env| {
        let mut epochs = Vec::new();
        for _ in 0..3 {
            let mut opened = open(&env, settings(64 << 10)).await;
            epochs.push(opened.append(100).await.unwrap().header.epoch);
            opened.close().await.unwrap();
        }
        epochs
    });
    assert_eq!(epochs, [Epoch(2), Epoch(3), Epoch(4)], "creating it was the first");
    let files = journal_files(&world);
    assert_eq!(files, ["00000000000000000001-0000000001.journal", "CLOSED", "MANIFEST-0000000004"]);
    assert_eq!(contents(&world, settings(64 << 10), TailDecision::Refuse), Ok(groups(&[100, 100, 100])));
    assert!(!journal_files(&world).contains(&"CLOSED".to_owned()), "it is open");
}

#[test]
fn after_a_kill_the_unproven_group_is_copied_and_the_old_segment_left_as_it_is() {
    let world = machine(2);
    run(&world, async |env| open(&env, settings(16 << 10)).await.append_all(&SIZES).await);
    let old = journal_path("00000000000000000001-0000000001.journal");
    let before = world.disk(|disk| disk.bytes(&old)).unwrap();
    let (reader_end, epoch) = run(&world, async |env| {
        let recovery = recover(&env, settings(16 << 10), TailDecision::Refuse).await.unwrap();
        let reader = recovery.reader();
        assert_eq!(dump(&reader).await.unwrap(), groups(&SIZES[..5]), "the last is not proven");
        assert_eq!((reader.synced_lsn(), recovery.last_lsn()), (Lsn(5), Lsn(6)));
        let mut recovered = recovery.start(&state(5)).await.unwrap();
        assert_eq!(recovered.notes, [""; 0]);
        assert_eq!(dump(&reader).await.unwrap(), groups(&SIZES));
        let end = reader.synced_end().unwrap();
        let group = FrameSpec {
            kind: FrameKind::Data,
            first_position: Position(70),
            count: 0,
            append_time: Time(0),
            body: b"seventh".to_vec(),
        };
        let frame = recovered.writer.write(group).await.unwrap();
        assert_eq!(frame.header.lsn, Lsn(7));
        (end, frame.header.epoch)
    });
    assert_eq!(reader_end.segment, SegmentName { first_lsn: Lsn(6), epoch: Epoch(3) });
    assert_eq!(epoch, Epoch(3));
    assert_eq!(world.disk(|disk| disk.bytes(&old)).unwrap(), before);
}

/// Every opening after a crash began a segment, also where nothing had been written since the last one.
#[test]
fn openings_that_write_nothing_do_not_pile_up_segments() {
    let world = machine(3);
    for _ in 0..4 {
        run(&world, async |env| drop(open(&env, settings(16 << 10)).await));
    }
    assert_eq!(journal_files(&world), ["00000000000000000001-0000000001.journal", "MANIFEST-0000000005"]);
    run(&world, async |env| open(&env, settings(16 << 10)).await.append_all(&[10, 20]).await);
    for _ in 0..4 {
        assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(groups(&[10, 20])));
        assert_eq!(journal_files(&world).len(), 3, "two segments and a manifest");
    }
}

/// Recovery replaces a segment of which nothing is proven. The index may know a group by its place there.
#[test]
fn a_location_in_a_replaced_segment_leads_to_the_copy() {
    let world = machine(4);
    run(&world, async |env| open(&env, settings(16 << 10)).await.append_all(&[10, 20]).await);
    let second = |header: &FrameHeader| header.lsn == Lsn(2) && header.kind.uses_lsn();
    let stale = run(&world, async move |env| {
        let opened = open(&env, settings(16 << 10)).await;
        let mut cursor = opened.reader.frames(opened.reader.first().unwrap());
        cursor.next_where(second).await.unwrap().unwrap().location
    });
    let found = run(&world, async move |env| {
        let opened = open(&env, settings(16 << 10)).await;
        assert!(!opened.reader.segments().contains(&stale.segment));
        let frame = opened.reader.frames(stale).next_where(second).await.unwrap();
        frame.map(|frame| Group::of(&frame))
    });
    assert_eq!(found, Some(Group::nth(2, 20)));
}

#[test]
fn a_second_process_is_told_who_holds_the_database() {
    let env = memory_env();
    block_on(async {
        let root = Path::new(ROOT);
        let held = open(&env, settings(16 << 10)).await;
        let error = recover(&env, settings(16 << 10), TailDecision::Refuse).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "/db is in use by process 1. Stop it, or pass its address instead of the directory"
        );
        drop(held);
        let holder = Holder { pid: 7, address: Some("http://127.0.0.1:7400".to_owned()) };
        let open_as = async |holder: &Holder| {
            let mode = OpenMode::Open;
            Recovery::open(&env, root, settings(16 << 10), mode, holder, TailDecision::Refuse).await
        };
        let held = open_as(&holder).await.unwrap();
        match open_as(&holder).await.unwrap_err() {
            OpenError::Locked { holder, address, .. } => {
                assert_eq!(holder, "process 7, which serves it at http://127.0.0.1:7400");
                assert_eq!(address.as_deref(), Some("http://127.0.0.1:7400"));
            }
            other => panic!("{other}"),
        }
        drop(held);
        open_as(&holder).await.unwrap();
    });
}

#[test]
fn only_a_database_is_opened_and_only_an_empty_directory_becomes_one() {
    let env = memory_env();
    block_on(async {
        let root = Path::new(ROOT);
        let open_in = async |mode| {
            let holder = Holder::default();
            Recovery::open(&env, root, settings(16 << 10), mode, &holder, TailDecision::Refuse).await
        };
        assert!(matches!(open_in(OpenMode::Open).await, Err(OpenError::NotADatabase(_))), "no directory");
        env.files.create_dir(root).await.unwrap();
        assert!(matches!(open_in(OpenMode::Open).await, Err(OpenError::NotADatabase(_))), "an empty one");
        let note = root.join("notes.txt");
        env.files.open(&note, recount_env::OpenMode::CreateNew).await.unwrap();
        assert!(matches!(open_in(OpenMode::OpenOrCreate).await, Err(OpenError::NotEmpty(_))));
        env.files.remove(&note).await.unwrap();
        open_in(OpenMode::OpenOrCreate).await.unwrap();
        open_in(OpenMode::Open).await.unwrap();
        env.files.remove(&root.join("FORMAT")).await.unwrap();
        assert!(open_in(OpenMode::OpenOrCreate).await.is_ok(), "nothing had been written into it");
        open(&env, settings(16 << 10)).await.append_all(&[1]).await;
        env.files.remove(&root.join("FORMAT")).await.unwrap();
        assert!(
            matches!(open_in(OpenMode::OpenOrCreate).await, Err(OpenError::NotEmpty(_))),
            "FORMAT was lost"
        );
    });
}

#[test]
fn leftovers_are_removed_and_strangers_left_alone() {
    let world = machine(5);
    run(&world, async |env| {
        let mut opened = open(&env, settings(16 << 10)).await;
        opened.append_all(&SIZES).await;
        opened.close().await.unwrap();
    });
    let leftovers = [
        "00000000000000000004-0000000002.journal",
        "MANIFEST-0000000001",
        "MANIFEST-0000000009.tmp",
        "CLOSED.tmp",
        "next.tmp",
    ];
    let strangers = ["notes.txt", "x.journal"];
    for name in leftovers.iter().chain(&strangers) {
        world.disk(|disk| disk.tamper(&journal_path(name), b"anything".to_vec()));
    }
    assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(groups(&SIZES)));
    let files = journal_files(&world);
    assert!(leftovers.iter().all(|name| !files.contains(&name.to_string())), "{files:?}");
    assert!(strangers.iter().all(|name| files.contains(&name.to_string())), "{files:?}");
}

/// A seal written when idle kept the state of then; a close right after it wrote none, and what the store wanted to
/// keep across a clean close was lost.
#[test]
fn a_close_seals_again_if_the_state_has_changed() {
    let world = machine(6);
    let seals = run(&world, async |env| {
        let mut opened = open(&env, settings(16 << 10)).await;
        opened.append_all(&[10]).await;
        opened.writer.seal(Position(10), b"idle".to_vec()).await.unwrap();
        opened.writer.seal(Position(10), b"idle".to_vec()).await.unwrap();
        opened.writer.close(Position(10), b"later".to_vec()).await.unwrap();
        let opened = open(&env, settings(16 << 10)).await;
        assert_eq!(opened.seal_state.as_deref(), Some(&b"later"[..]));
        assert!(opened.writer.is_sealed());
        opened.writer.close(Position(10), b"later".to_vec()).await.unwrap();
        let opened = open(&env, settings(16 << 10)).await;
        let mut cursor = opened.reader.frames(opened.reader.first().unwrap());
        let mut seals = Vec::new();
        while let Some(frame) = cursor.next().await.unwrap() {
            if frame.header.kind == FrameKind::Seal {
                seals.push(frame.body.clone());
            }
        }
        seals
    });
    assert_eq!(seals, [b"idle".to_vec(), b"later".to_vec()]);
}

/// Each clean close may add a seal to a segment that has no room for groups any more. The opening that leaves it must
/// not leave the marker of the close behind.
#[test]
fn a_segment_full_of_seals_is_left() {
    let world = machine(7);
    run(&world, async |env| {
        let mut opened = open(&env, settings(16 << 10)).await;
        opened.append_all(&[13_000]).await;
        opened.close().await.unwrap();
    });
    let mut left = 0;
    for n in 0..12u8 {
        let closed = world.disk(|disk| disk.clone());
        for _ in 0..2 {
            assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(groups(&[13_000])));
        }
        world.disk(|disk| *disk = closed);
        let segments = run(&world, async move |env| {
            let opened = open(&env, settings(16 << 10)).await;
            assert!(n == 0 || opened.seal_state == Some(vec![n - 1; 512]), "after {n} closes");
            let segments = opened.reader.segments().len();
            opened.writer.close(Position(20), vec![n; 512]).await.unwrap();
            segments
        });
        left = left.max(segments - 1);
    }
    assert_eq!(left, 1);
}

/// A reader read ahead into the part of the segment that was still zeros. When more groups came it took what it had
/// kept for their bytes, and reported corruption.
#[test]
fn a_reader_at_the_head_sees_what_comes() {
    let world = machine(8);
    run(&world, async |env| {
        let no_tail = Settings { tail_bytes_max: 0, ..settings(16 << 10) };
        let mut opened = open(&env, no_tail).await;
        let mut cursor = opened.reader.frames(opened.reader.first().unwrap());
        assert_eq!(cursor.next().await.unwrap().unwrap().header.kind, FrameKind::Prologue);
        for lsn in 1..60 {
            assert!(cursor.next().await.unwrap().is_none());
            opened.append_all(&[700]).await;
            let frame = cursor.next_where(|header| header.kind.uses_lsn()).await.unwrap().unwrap();
            assert_eq!(Group::of(&frame), Group::nth(lsn, 700));
        }
    });
}

#[test]
fn bodies_are_read_only_where_they_are_wanted() {
    let world = machine(9);
    run(&world, async |env| {
        let mut opened = open(&env, settings(16 << 10)).await;
        opened.append_all(&[3000; 20]).await;
        let mut cursor = opened.reader.frames(opened.reader.first().unwrap());
        for lsn in [3, 4, 11, 20] {
            let wanted =
                |header: &recount_journal::FrameHeader| header.kind.uses_lsn() && header.lsn.0 >= lsn;
            let frame = cursor.next_where(wanted).await.unwrap().unwrap();
            assert_eq!(Group::of(&frame), Group::nth(lsn, 3000));
        }
        assert!(cursor.next().await.unwrap().is_none());
        let nowhere = Location { segment: opened.reader.segments()[0], offset: 8 };
        let error = opened.reader.frames(nowhere).next().await.unwrap_err().to_string();
        assert!(error.contains("offset 8: no frame begins here"), "{error}");
    });
}

/// A write whose future was dropped half-way left the writer in a state in which the next write panicked.
#[test]
fn an_abandoned_write_closes_the_journal() {
    let world = machine(10);
    run(&world, async |env| {
        let mut opened = open(&env, settings(16 << 10)).await;
        opened.append_all(&[10]).await;
        {
            let mut abandoned = Box::pin(opened.append(20));
            let poll =
                std::future::poll_fn(|cx| std::task::Poll::Ready(abandoned.as_mut().poll(cx).is_pending()));
            assert!(poll.await, "a write takes time");
        }
        let error = opened.append(20).await.unwrap_err().to_string();
        assert!(error.contains("a write was abandoned"), "{error}");
        assert!(opened.writer.failure().is_some());
        assert!(opened.close().await.is_err());
    });
    assert!(!journal_files(&world).contains(&"CLOSED".to_owned()));
    let found = contents(&world, settings(16 << 10), TailDecision::Refuse).unwrap();
    assert!(found == groups(&[10]) || found == groups(&[10, 20]));
}

#[test]
fn format_says_what_a_directory_is() {
    let world = machine(11);
    run(&world, async |env| drop(open(&env, settings(16 << 10)).await));
    let path = Paths::new(Path::new(ROOT)).root.join("FORMAT");
    let text = world.disk(|disk| disk.bytes(&path)).map(String::from_utf8).unwrap().unwrap();
    assert!(text.starts_with("recount format 1\ndatabase "), "{text}");
    for (from, to, expected) in [
        ("format 1", "format 2", "format version 2: written by a newer version of Recount"),
        (
            "\nincompatible 0",
            "\nincompatible 4",
            "incompatible features 4, read-only-compatible features 0: written by a newer",
        ),
        (
            "read-only-compatible 0",
            "read-only-compatible 1",
            "incompatible features 0, read-only-compatible features 1: written by a newer",
        ),
    ] {
        let lines = text.rsplit_once("crc32c").unwrap().0.replacen(from, to, 1);
        let newer = format!("{lines}crc32c {:08x}\n", crc32c::crc32c(lines.as_bytes()));
        world.disk(|disk| disk.tamper(&path, newer.into_bytes()));
        let error = contents(&world, settings(16 << 10), TailDecision::Refuse).unwrap_err();
        assert!(error.contains(expected) && error.contains("/db/FORMAT"), "{error}");
    }
    let lines = text.rsplit_once("crc32c").unwrap().0.replacen("\ncompatible 0", "\ncompatible 9", 1);
    let extended = format!("{lines}crc32c {:08x}\n", crc32c::crc32c(lines.as_bytes()));
    world.disk(|disk| disk.tamper(&path, extended.into_bytes()));
    assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(vec![]));
}
