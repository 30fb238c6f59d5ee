//! Tests of `core`.

use proptest::prelude::*;

use super::*;
use crate::classify::{Verdict, classify};
use crate::frame::{HEADER_BYTES, decode_body};

const SEGMENT_BYTES: u64 = 64 << 10;

fn name(first_lsn: u64, epoch: u64) -> SegmentName {
    SegmentName { first_lsn: Lsn(first_lsn), epoch: Epoch(epoch) }
}

fn start() -> Place {
    Place { journal: [3; 16], segment: Lsn(1), offset: 0, epoch: Epoch(1), lsn: Lsn(1), previous_crc: 0 }
}

fn draft(kind: FrameKind, body: &[u8]) -> Draft<'_> {
    Draft { kind, first_position: Position(5), count: 2, append_time: Time(9), salt: [0x11; 16], body }
}

/// A new journal of one segment, and the file as creation leaves it.
fn new_core() -> (Core, Vec<u8>) {
    let (image, place) = new_segment(&start(), name(1, 1), SEGMENT_BYTES, None, b"", None, [1; 16]);
    let mut file = image.clone();
    file.resize(SEGMENT_BYTES as usize, 0);
    (Core::resume(Epoch(2), name(1, 1), SEGMENT_BYTES, place, image, false), file)
}

/// Does what the core asks for to `file`; returns what became durable.
fn write(core: &mut Core, file: &mut [u8], kind: FrameKind, body: &[u8]) -> (FrameHeader, Location) {
    let Output::Write { offset } = core.step(Input::Frame(draft(kind, body))) else {
        panic!("a frame is answered by a write")
    };
    let bytes = core.bytes().to_vec();
    assert!(offset.is_multiple_of(PAGE) && bytes.len().is_multiple_of(PAGE as usize), "whole pages");
    let written = &mut file[offset as usize..offset as usize + bytes.len()];
    let before_the_frame = (core.place().offset - offset) as usize;
    if core.place().offset > 0 && !core.is_unwritten() {
        assert_eq!(written[..before_the_frame], bytes[..before_the_frame], "what was written stays as it is");
    }
    assert!(written[before_the_frame..].iter().all(|&byte| byte == 0), "nothing is written twice");
    written.copy_from_slice(&bytes);
    let Output::Durable { header, location, .. } = core.step(Input::Synced) else {
        panic!("a sync is answered by durability")
    };
    (header, location)
}

/// The frames of a file, as recovery would find them.
fn walk(mut place: Place, file: &[u8]) -> Vec<(FrameHeader, Vec<u8>)> {
    let mut frames = Vec::new();
    loop {
        let rest = &file[place.offset as usize..];
        match classify(&place, rest, None) {
            Verdict::Frame(header, crc) => {
                let stored = &rest[HEADER_BYTES..header.frame_bytes() as usize];
                frames.push((*header, decode_body(&header, crc, stored).unwrap()));
                place = place.after(&header, crc);
            }
            Verdict::End => return frames,
            other => panic!("{other:?} at {}", place.offset),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_page_by_page_reads_back(
        groups in prop::collection::vec((0usize..6000, any::<bool>(), any::<bool>()), 1..24),
    ) {
        let (mut core, mut file) = new_core();
        let mut written = Vec::new();
        for (length, zeros, seal) in groups {
            let kind = if seal { FrameKind::Seal } else { FrameKind::Data };
            let body: Vec<u8> = (0..length).map(|at| if zeros { 0 } else { at as u8 }).collect();
            if body.len() > core.body_room_after(None) {
                break;
            }
            let lsn = core.place().lsn;
            let (header, location) = write(&mut core, &mut file, kind, &body);
            prop_assert_eq!((header.kind, header.lsn, header.epoch), (kind, lsn, Epoch(2)));
            prop_assert_eq!(header.durable_before, Lsn(lsn.0 - 1));
            prop_assert_eq!((location.segment, location.offset), (name(1, 1), header.offset));
            prop_assert_eq!(core.is_sealed(), seal);
            prop_assert_eq!(core.buffer.len() as u64, core.place().offset % PAGE);
            written.push((header, body));
        }
        let found = walk(start(), &file);
        prop_assert_eq!(found[0].0.kind, FrameKind::Prologue);
        prop_assert_eq!(&found[1..], &written[..]);
    }
}

#[test]
fn a_roll_takes_the_prologue_along_with_the_first_group() {
    let (mut core, mut file) = new_core();
    write(&mut core, &mut file, FrameKind::Data, b"first");
    let end = core.place().offset;
    let state = vec![7; 5000];
    core.step(Input::Roll {
        name: name(2, 2),
        segment_bytes: 2 * SEGMENT_BYTES,
        state: &state,
        salt: [2; 16],
    });
    assert!(core.is_unwritten() && !core.is_sealed());
    let mut next = vec![0; 2 * SEGMENT_BYTES as usize];
    let (_, location) = write(&mut core, &mut next, FrameKind::Data, b"second");
    assert!(!core.is_unwritten());
    assert_eq!(location.segment, name(2, 2));

    let last = walk(start(), &file).pop().unwrap().0;
    let start =
        Place { segment: Lsn(2), lsn: Lsn(2), epoch: Epoch(2), previous_crc: last.encode().1, ..start() };
    let found = walk(start, &next);
    let prologue = Prologue::decode(&found[0].1).unwrap();
    assert_eq!(prologue.predecessor, Some(Predecessor { segment: name(1, 1), end }));
    assert_eq!((prologue.segment_bytes, prologue.state), (2 * SEGMENT_BYTES, state));
    assert_eq!((found[1].0.lsn, &found[1].1[..]), (Lsn(2), &b"second"[..]));
}

/// The first group of a journal that was opened again may not fit its segment. The next segment then began with the
/// same lsn under the same epoch: the same name.
#[test]
#[should_panic(expected = "a name of its own")]
fn two_segments_never_have_one_name() {
    let (mut core, _) = new_core();
    core.epoch = Epoch(1);
    core.step(Input::Roll { name: name(1, 1), segment_bytes: SEGMENT_BYTES, state: b"", salt: [2; 16] });
}

#[test]
fn a_roll_may_bring_the_next_epoch() {
    let (mut core, _) = new_core();
    core.step(Input::Roll { name: name(1, 3), segment_bytes: SEGMENT_BYTES, state: b"", salt: [2; 16] });
    let mut next = vec![0; SEGMENT_BYTES as usize];
    assert_eq!(write(&mut core, &mut next, FrameKind::Data, b"x").0.epoch, Epoch(3));
}

#[test]
fn room_is_kept_for_two_seals() {
    for length in [0, 1, 100, 30_000] {
        let (mut core, mut file) = new_core();
        write(&mut core, &mut file, FrameKind::Data, &vec![1; length]);
        let room = core.body_room_after(None);
        let after_another = core.body_room_after(Some(1000));
        write(&mut core, &mut file, FrameKind::Data, &[1; 1000]);
        assert_eq!(after_another, core.body_room_after(None));
        assert_eq!(room - after_another, frame::frame_bytes(1000) as usize);
        write(&mut core, &mut file, FrameKind::Data, &vec![1; after_another]);
        for _ in 0..2 {
            write(&mut core, &mut file, FrameKind::Seal, &[1; crate::writer::SEAL_BYTES_MAX]);
        }
        assert_eq!(core.body_room_after(None), 0);
        assert_eq!(walk(start(), &file).len(), 6);
    }
}

#[test]
fn a_failure_is_told_and_stays() {
    let (mut core, _) = new_core();
    assert_eq!(core.failure(), None);
    core.step(Input::Frame(draft(FrameKind::Data, b"x")));
    assert!(core.is_in_flight());
    core.step(Input::Failed("no".to_owned()));
    assert!(!core.is_in_flight());
    assert_eq!(core.failure(), Some("no"));
}

#[test]
fn the_unproven_frame_keeps_its_lsn_in_the_new_segment() {
    let (mut core, mut file) = new_core();
    write(&mut core, &mut file, FrameKind::Data, b"proven");
    let proven = *core.place();
    let predecessor = Predecessor { segment: name(1, 1), end: proven.offset };
    let unproven = Some(draft(FrameKind::Pending, b"unproven"));
    let (image, place) =
        new_segment(&proven, name(2, 3), SEGMENT_BYTES, Some(predecessor), b"s", unproven, [1; 16]);
    assert_eq!((place.lsn, place.offset), (Lsn(3), image.len() as u64));
    let start = Place { segment: Lsn(2), offset: 0, epoch: Epoch(3), ..proven };
    let mut file = image;
    file.resize(SEGMENT_BYTES as usize, 0);
    let found = walk(start, &file);
    assert_eq!(Prologue::decode(&found[0].1).unwrap().predecessor, Some(predecessor));
    let copy = &found[1];
    assert_eq!((copy.0.kind, copy.0.lsn, copy.0.epoch), (FrameKind::Pending, Lsn(2), Epoch(3)));
    assert_eq!((copy.0.first_position, copy.0.count, copy.0.append_time), (Position(5), 2, Time(9)));
    assert_eq!(copy.1, b"unproven");
}
