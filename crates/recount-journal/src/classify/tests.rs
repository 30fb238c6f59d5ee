//! Tests of `classify`.

use recount_types::{Epoch, Lsn, Position, Time};

use super::*;
use crate::frame::{FrameKind, TRAILER_BYTES, encode_frame};

const SECTOR_BYTES: usize = SECTOR as usize;
const SEGMENT_BYTES: usize = 10 * SECTOR_BYTES;

fn place(offset: u64) -> Place {
    Place { journal: [7; 16], segment: Lsn(40), offset, epoch: Epoch(2), lsn: Lsn(41), previous_crc: 0xabcd }
}

/// The frame that belongs at a place, and the place after it.
fn frame_at(place: &Place, kind: FrameKind, body: &[u8]) -> (Vec<u8>, Place) {
    let mut header = FrameHeader {
        kind,
        masked: false,
        count: 1,
        journal: place.journal,
        epoch: place.epoch,
        segment: place.segment,
        offset: place.offset,
        lsn: place.lsn,
        first_position: Position(100),
        append_time: Time(5),
        durable_before: Lsn(place.lsn.0 - 1),
        salt: [0x5a; 16],
        body_bytes: 0,
        body_crc: 0,
        previous_crc: place.previous_crc,
    };
    let mut frame = Vec::new();
    let crc = encode_frame(&mut header, body, &mut frame);
    (frame, place.after(&header, crc))
}

/// A segment as it was before a write: something before the place, zeros after it.
fn before(place: &Place) -> Vec<u8> {
    let mut segment = vec![0; SEGMENT_BYTES];
    segment[..place.offset as usize].fill(0xee);
    segment
}

fn put(segment: &mut [u8], at: u64, bytes: &[u8]) {
    segment[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
}

fn verdict(place: &Place, segment: &[u8], proven_end: Option<u64>) -> Verdict {
    classify(place, &segment[place.offset as usize..], proven_end)
}

/// Bodies that are hard to tell from zeros, and one that is not.
fn bodies(length: usize) -> [Vec<u8>; 4] {
    let every = |bytes: &[usize]| {
        let mut body = vec![0u8; length];
        body.iter_mut()
            .enumerate()
            .filter(|(at, _)| bytes.contains(&(at % SECTOR_BYTES)))
            .for_each(|b| *b.1 = 1);
        body
    };
    [vec![0; length], every(&[100]), every(&[100, 400]), (0..length).map(|at| (at * 7 + 1) as u8).collect()]
}

/// Body lengths: frames that cross 0 to 5 sector boundaries, with every amount of padding.
const LENGTHS: [usize; 13] = [0, 1, 5, 300, 376, 509, 893, 1000, 1397, 1400, 1911, 2000, 2400];
/// Places at which a header ends before, at and behind a sector boundary.
const SOME_OFFSETS: [usize; 7] = [0, 8, 376, 384, 392, 448, 504];

fn sectors_of(at: u64, length: usize) -> std::ops::Range<usize> {
    at as usize / SECTOR_BYTES..(at as usize + length).div_ceil(SECTOR_BYTES)
}

/// What the disk has when only the sectors in `survivors` (a bit each) of a write reached it.
fn torn(old: &[u8], new: &[u8], sectors: std::ops::Range<usize>, survivors: u32) -> Vec<u8> {
    let mut disk = old.to_vec();
    for (bit, sector) in sectors.enumerate() {
        let bytes = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
        if survivors & 1 << bit != 0 {
            disk[bytes.clone()].copy_from_slice(&new[bytes]);
        }
    }
    disk
}

/// Calls `check` with every subset of sectors that a write of one frame can leave.
fn for_each_torn_write(check: impl Fn(&Place, &Place, &[u8], u32, u32)) {
    for alignment in (0..SECTOR_BYTES).step_by(8) {
        for length in LENGTHS {
            for body in bodies(length) {
                let place = place((SECTOR_BYTES + alignment) as u64);
                let old = before(&place);
                let (frame, next) = frame_at(&place, FrameKind::Data, &body);
                let mut new = old.clone();
                put(&mut new, place.offset, &frame);
                let sectors = sectors_of(place.offset, frame.len());
                let all = (1 << sectors.len()) - 1;
                for survivors in 0..=all {
                    check(&place, &next, &torn(&old, &new, sectors.clone(), survivors), survivors, all);
                }
            }
        }
    }
}

#[test]
fn every_subset_of_sectors_of_the_last_write_is_told_for_what_it_is() {
    for_each_torn_write(|place, next, disk, survivors, all| {
        let found = verdict(place, disk, None);
        match found {
            Verdict::Frame(..) => assert_eq!(survivors, all),
            Verdict::End => assert_eq!(survivors, 0),
            Verdict::Torn(_) => assert!(survivors != 0 && survivors != all),
            Verdict::Uncertain(_) | Verdict::Corrupt(_) => {
                panic!("{found:?} at {} with {survivors:b} of {all:b}", place.offset)
            }
        }
        if survivors == all {
            assert_eq!(verdict(next, disk, None), Verdict::End);
        }
    });
}

#[test]
fn the_same_before_a_later_frame_is_corrupt() {
    for_each_torn_write(|place, next, disk, survivors, all| {
        let mut disk = disk.to_vec();
        let (later, _) = frame_at(next, FrameKind::Seal, b"");
        put(&mut disk, next.offset, &later);
        match verdict(place, &disk, None) {
            Verdict::Frame(..) => assert_eq!(survivors, all),
            Verdict::Corrupt(what) => {
                assert_ne!(survivors, all);
                assert!(what.contains(&format!("; a later frame at offset {}", next.offset)), "{what}");
                assert!(
                    what.contains("a frame is missing") || what.contains("was not written whole"),
                    "{what}"
                );
            }
            other => panic!("{other:?} at {} with {survivors:b} of {all:b}", place.offset),
        }
    });
}

#[test]
fn the_same_before_the_end_of_a_clean_close_is_corrupt() {
    for_each_torn_write(|place, next, disk, survivors, all| {
        match verdict(place, disk, Some(next.offset)) {
            Verdict::Frame(..) => assert_eq!(survivors, all),
            Verdict::Corrupt(what) => assert!(what.contains("closed with frames up to"), "{what}"),
            other => panic!("{other:?} at {} with {survivors:b} of {all:b}", place.offset),
        }
        if survivors != all {
            assert_eq!(verdict(place, disk, Some(place.offset)), Verdict::End, "nothing was promised here");
        }
    });
}

#[test]
fn any_flipped_bit_of_a_whole_last_frame_is_uncertain() {
    let small = (0..SECTOR_BYTES).step_by(8).map(|alignment| (alignment, 40));
    let large = SOME_OFFSETS.into_iter().flat_map(|at| LENGTHS.into_iter().map(move |length| (at, length)));
    for (alignment, length) in small.chain(large) {
        for body in bodies(length) {
            let place = place((SECTOR_BYTES + alignment) as u64);
            let mut disk = before(&place);
            let (frame, next) = frame_at(&place, FrameKind::Data, &body);
            put(&mut disk, place.offset, &frame);
            for at in place.offset as usize..next.offset as usize {
                for bit in [0, 3, 7] {
                    disk[at] ^= 1 << bit;
                    let found = verdict(&place, &disk, None);
                    assert!(matches!(found, Verdict::Uncertain(_)), "bit {bit} of {at}: {found:?}");
                    disk[at] ^= 1 << bit;
                }
                // A byte that became zero.
                let byte = std::mem::take(&mut disk[at]);
                let found = verdict(&place, &disk, None);
                let expected = if byte == 0 {
                    matches!(found, Verdict::Frame(..))
                } else {
                    matches!(found, Verdict::Uncertain(_))
                };
                assert!(expected, "byte {at} became zero: {found:?}");
                disk[at] = byte;
            }
        }
    }
}

/// The prologue of a segment and its first group are one write. A power cut that kept the group's header and
/// lost the prologue was taken for damage before a later frame, and the journal refused to open.
#[test]
fn the_first_write_of_a_segment_holds_two_frames_and_may_be_torn_anywhere() {
    for prologue_length in [0, 35, 300, 376, 509, 1000] {
        for length in [0, 300, 893, 1400] {
            let first = Place { lsn: Lsn(40), ..place(0) };
            let (prologue, second) = frame_at(&first, FrameKind::Prologue, &vec![0; prologue_length]);
            let (group, third) = frame_at(&second, FrameKind::Data, &vec![1; length]);
            let old = before(&first);
            let mut new = old.clone();
            put(&mut new, 0, &[prologue, group].concat());
            let sectors = sectors_of(0, third.offset as usize);
            let all = (1u32 << sectors.len()) - 1;
            let prologue_sectors = (1u32 << sectors_of(0, second.offset as usize).len()) - 1;
            for survivors in 0..=all {
                let disk = torn(&old, &new, sectors.clone(), survivors);
                match verdict(&first, &disk, None) {
                    Verdict::Frame(..) => {
                        assert_eq!(survivors & prologue_sectors, prologue_sectors);
                        match verdict(&second, &disk, None) {
                            Verdict::Frame(..) => assert_eq!(survivors, all),
                            Verdict::End | Verdict::Torn(_) => assert_ne!(survivors, all),
                            other => panic!("{other:?} behind the prologue with {survivors:b}"),
                        }
                    }
                    Verdict::End => assert_eq!(survivors, 0),
                    Verdict::Torn(_) => assert_ne!(survivors & prologue_sectors, prologue_sectors),
                    other => panic!("{other:?} with {survivors:b} of {all:b}"),
                }
                let mut later = disk;
                put(&mut later, third.offset, &frame_at(&third, FrameKind::Seal, b"").0);
                match verdict(&first, &later, None) {
                    Verdict::Frame(..) => assert_eq!(survivors & prologue_sectors, prologue_sectors),
                    Verdict::Corrupt(_) => assert_ne!(survivors & prologue_sectors, prologue_sectors),
                    other => panic!("{other:?} with {survivors:b} of {all:b} before a later frame"),
                }
            }
            let mut flipped = new.clone();
            flipped[20] ^= 1;
            assert!(matches!(verdict(&first, &flipped, None), Verdict::Uncertain(_)), "one write, damaged");
            put(&mut flipped, third.offset, &frame_at(&third, FrameKind::Seal, b"").0);
            assert!(matches!(verdict(&first, &flipped, None), Verdict::Corrupt(_)), "a write came after it");
        }
    }
}

/// Of the frames behind a lost prologue the first may be of the same write. A second of the same lsn (a seal, then a group)
/// was written after a sync, and so was the first if anything valid but stale lies between.
#[test]
fn a_second_frame_behind_a_lost_prologue_proves_it() {
    let first = Place { lsn: Lsn(40), ..place(0) };
    let (_, second) = frame_at(&first, FrameKind::Prologue, b"lost");
    let (seal, third) = frame_at(&second, FrameKind::Seal, b"");
    let (group, _) = frame_at(&third, FrameKind::Data, b"proof");
    let stale = frame_at(&Place { segment: Lsn(39), ..second }, FrameKind::Data, b"").0;
    for before_seal in [b"".as_slice(), &stale] {
        let mut disk = before(&first);
        put(&mut disk, 8, before_seal);
        let seal_at = Place { offset: second.offset.max(8 + before_seal.len() as u64), ..second };
        let (seal, third) = match before_seal {
            [] => (seal.clone(), third),
            _ => frame_at(&seal_at, FrameKind::Seal, b""),
        };
        put(&mut disk, seal_at.offset, &seal);
        assert!(
            !matches!(verdict(&first, &disk, None), Verdict::Corrupt(_)),
            "one frame may be of the same write"
        );
        let group = if before_seal.is_empty() {
            group.clone()
        } else {
            frame_at(&third, FrameKind::Data, b"proof").0
        };
        put(&mut disk, third.offset, &group);
        match verdict(&first, &disk, None) {
            Verdict::Corrupt(what) => {
                assert!(
                    what.ends_with(&format!("a later frame at offset {} is valid", third.offset)),
                    "{what}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_valid_frame_of_another_place_is_uncertain() {
    let here = place(1024);
    for elsewhere in [
        Place { journal: [8; 16], ..here },
        Place { segment: Lsn(39), ..here },
        Place { offset: 1032, ..here },
        Place { epoch: Epoch(1), ..here },
        Place { lsn: Lsn(42), ..here },
        Place { lsn: Lsn(40), ..here },
        Place { previous_crc: 0, ..here },
    ] {
        let mut disk = before(&here);
        let (frame, _) = frame_at(&elsewhere, FrameKind::Data, b"stale");
        put(&mut disk, here.offset, &frame);
        let found = verdict(&here, &disk, None);
        assert!(
            matches!(&found, Verdict::Uncertain(what) if what.contains("another place")),
            "{elsewhere:?}: {found:?}"
        );
    }
}

/// Copies of frames behind the damage prove something only if they lie where they say.
#[test]
fn a_stray_copy_proves_nothing() {
    let here = place(1024);
    let (_, next) = frame_at(&here, FrameKind::Data, b"missing");
    let mut disk = before(&here);
    let (stray, _) = frame_at(&next, FrameKind::Data, b"stray");
    put(&mut disk, next.offset + 64, &stray);
    assert!(matches!(verdict(&here, &disk, None), Verdict::Torn(_)));
    for stale in [Place { epoch: Epoch(1), ..next }, Place { lsn: Lsn(40), ..next }] {
        let mut disk = before(&here);
        put(&mut disk, next.offset, &frame_at(&stale, FrameKind::Data, b"stale").0);
        assert!(matches!(verdict(&here, &disk, None), Verdict::Torn(_)));
    }
}

#[test]
fn a_flipped_bit_behind_the_last_frame_loses_nothing() {
    for alignment in (0..SECTOR_BYTES).step_by(8) {
        let place = place((SECTOR_BYTES + alignment) as u64);
        let mut disk = before(&place);
        let (frame, next) = frame_at(&place, FrameKind::Data, b"last");
        put(&mut disk, place.offset, &frame);
        for at in next.offset as usize..SEGMENT_BYTES {
            disk[at] ^= 4;
            assert!(matches!(verdict(&place, &disk, None), Verdict::Frame(..)));
            let behind = at - next.offset as usize;
            let boundary = SECTOR_BYTES - next.offset as usize % SECTOR_BYTES;
            let header_is_split = boundary < HEADER_BYTES;
            let found = verdict(&next, &disk, None);
            if behind < HEADER_BYTES && !header_is_split {
                assert!(matches!(found, Verdict::Uncertain(_)), "{behind} bytes behind: {found:?}");
            } else {
                assert!(matches!(found, Verdict::Torn(_)), "{behind} bytes behind: {found:?}");
            }
            assert_eq!(verdict(&next, &disk, Some(next.offset)), Verdict::End, "a clean close said so");
            disk[at] ^= 4;
        }
    }
}

/// A frame of a newer version was written whole: it is no torn write, and `--accept-tail-loss` must not drop it.
#[test]
fn a_frame_of_a_newer_version_is_refused_and_never_cut() {
    let here = place(1024);
    let (mut frame, _) = frame_at(&here, FrameKind::Data, b"new");
    frame[8] = 9;
    let crc = crc32c::crc32c(&frame[..124]);
    frame[124..128].copy_from_slice(&crc.to_le_bytes());
    let mut disk = before(&here);
    put(&mut disk, here.offset, &frame);
    let found = verdict(&here, &disk, None);
    assert!(matches!(&found, Verdict::Corrupt(what) if what.contains("unknown frame kind 9")), "{found:?}");
}

#[test]
fn the_end_of_a_segment() {
    let (_, end) = frame_at(&place(1024), FrameKind::Data, b"x");
    for room in 0..HEADER_BYTES {
        let zeros = vec![0; room];
        assert_eq!(classify(&end, &zeros, None), Verdict::End);
        if room > 0 {
            let mut rest = zeros;
            rest[room - 1] = 1;
            assert!(matches!(classify(&end, &rest, None), Verdict::Uncertain(_)));
        }
    }
    let (frame, _) = frame_at(&end, FrameKind::Data, &[1; 100]);
    for cut in HEADER_BYTES..frame.len() {
        let found = classify(&end, &frame[..cut], None);
        assert!(
            matches!(&found, Verdict::Uncertain(what) if what.contains("beyond the end")),
            "{cut}: {found:?}"
        );
    }
    assert_eq!(TRAILER_BYTES, 8);
}
