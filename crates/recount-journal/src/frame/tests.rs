//! Tests of `frame`.

use proptest::prelude::*;

use super::*;

fn header() -> FrameHeader {
    FrameHeader {
        kind: FrameKind::Data,
        masked: false,
        count: 3,
        journal: *b"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f",
        epoch: Epoch(2),
        segment: Lsn(817),
        offset: 4096,
        lsn: Lsn(819),
        first_position: Position(1000),
        append_time: Time(1_767_225_600_000_000),
        durable_before: Lsn(818),
        salt: *b"\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf",
        body_bytes: 0,
        body_crc: 0,
        previous_crc: 0x0102_0304,
    }
}

fn place_of(header: &FrameHeader) -> Place {
    Place {
        journal: header.journal,
        segment: header.segment,
        offset: header.offset,
        epoch: header.epoch,
        lsn: header.lsn,
        previous_crc: header.previous_crc,
    }
}

/// What a reader does with bytes that ought to be the frame at `place`.
fn read(place: &Place, bytes: &[u8]) -> Result<(FrameHeader, Vec<u8>), String> {
    let header_bytes = bytes.first_chunk().ok_or("cut within the header")?;
    let (header, crc) = FrameHeader::decode(header_bytes).map_err(|e| e.to_string())?;
    place.check(&header).map_err(|e| e.to_string())?;
    let stored = bytes.get(HEADER_BYTES..header.frame_bytes() as usize).ok_or("cut behind the header")?;
    let body = decode_body(&header, crc, stored).map_err(|e| e.to_string())?;
    Ok((header, body))
}

/// A header of these fields with another byte here and there, and a checksum that is right.
fn forged(changes: &[(usize, u8)]) -> Result<(FrameHeader, u32), HeaderError> {
    let (mut bytes, _) = header().encode();
    for &(at, byte) in changes {
        bytes[at] = byte;
    }
    let crc = crc32c::crc32c(&bytes[..124]);
    bytes[124..].copy_from_slice(&crc.to_le_bytes());
    FrameHeader::decode(&bytes)
}

/// Computed by another implementation of `docs/format.md`.
#[test]
fn golden_bytes_of_a_plain_frame() {
    let mut out = Vec::new();
    let mut header = header();
    let crc = encode_frame(&mut header, b"hello", &mut out);
    #[rustfmt::skip]
    let golden = [
        // magic, version 1, header length 128
        0x52, 0x43, 0x4e, 0x54, 0x01, 0x00, 0x80, 0x00,
        // kind data, codec 0, flags 0, count 3
        0x01, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,
        // journal
        0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
        // epoch 2, segment 817, file offset 4096, lsn 819
        0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x31, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x33, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        // first position 1000, append time 2026-01-01, durable before 818
        0xe8, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x20, 0x46, 0x48, 0x47, 0x06, 0x00,
        0x32, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        // salt
        0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
        // body length 5, body CRC, previous header's CRC, reserve
        0x05, 0x00, 0x00, 0x00, 0x4c, 0xbb, 0x71, 0x9a, 0x04, 0x03, 0x02, 0x01, 0x00, 0x00, 0x00, 0x00,
        // end mark, header CRC
        0x52, 0x43, 0x48, 0x31, 0x1e, 0x42, 0xe5, 0x6b,
        // body, padding, trailer
        0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x00, 0x00, 0x00,
        0x1e, 0x42, 0xe5, 0x6b, 0x52, 0x43, 0x45, 0x31,
    ];
    assert_eq!(out, golden);
    assert_eq!(crc, 0x6be5_421e);
    assert_eq!(read(&place_of(&header), &golden), Ok((header, b"hello".to_vec())));
}

/// Computed by another implementation of `docs/format.md`.
#[test]
fn golden_bytes_of_a_masked_frame() {
    let mut out = Vec::new();
    let mut header = FrameHeader { kind: FrameKind::Abort, count: 0, append_time: Time(-1), ..header() };
    let crc = encode_frame(&mut header, &[0; 900], &mut out);
    assert!(header.masked);
    assert_eq!(out[8..16], [4, 0, 1, 0, 0, 0, 0, 0], "kind, codec, flags, count");
    assert_eq!(out[72..80], [0xff; 8], "a time before 1970");
    #[rustfmt::skip]
    let masked_zeros = [
        0x27, 0xc1, 0x56, 0x3b, 0x9a, 0xab, 0xd0, 0xff, 0x52, 0x18, 0xfc, 0x9d, 0x52, 0xd6, 0xaa, 0x7d,
        0xb7, 0x54, 0xe1, 0x55, 0x5a, 0x36, 0x62, 0xd6, 0x80, 0xe9, 0x79, 0x80, 0x73, 0x0d, 0xd2, 0x2a,
    ];
    assert_eq!(out[128..160], masked_zeros);
    #[rustfmt::skip]
    let end = [
        0x0e, 0x1c, 0xf1, 0x79, 0x00, 0x00, 0x00, 0x00, 0x4c, 0x57, 0xd5, 0x3a, 0x52, 0x43, 0x45, 0x31,
    ];
    assert_eq!(out[1024..], end);
    assert_eq!((crc, crc32c::crc32c(&out)), (0x3ad5_574c, 0x7e1b_c643));
    assert_eq!(read(&place_of(&header), &out), Ok((header, vec![0; 900])));
}

#[test]
fn kinds_keep_their_numbers() {
    let kinds = [
        (1, FrameKind::Data, "data", true),
        (2, FrameKind::Pending, "pending", true),
        (3, FrameKind::Commit, "commit", true),
        (4, FrameKind::Abort, "abort", true),
        (5, FrameKind::Prologue, "prologue", false),
        (6, FrameKind::Seal, "seal", false),
    ];
    for (number, kind, name, uses_lsn) in kinds {
        let (read, _) = forged(&[(8, number)]).unwrap();
        assert_eq!((read.kind, read.kind.name(), read.kind.uses_lsn()), (kind, name, uses_lsn));
        // The epoch before it was an older one.
        let after = Place { epoch: Epoch(1), ..place_of(&read) }.after(&read, 7);
        assert_eq!(after.lsn, Lsn(819 + u64::from(uses_lsn)));
        assert_eq!((after.offset, after.epoch, after.previous_crc), (4096 + 136, Epoch(2), 7));
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    for body in [&b""[..], b"hello", &[0; 600]] {
        let mut frame = Vec::new();
        let mut header = header();
        encode_frame(&mut header, body, &mut frame);
        let place = place_of(&header);
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut bytes = frame.clone();
                bytes[at] ^= 1 << bit;
                assert!(read(&place, &bytes).is_err(), "bit {bit} of byte {at}");
            }
            assert!(read(&place, &frame[..at]).is_err(), "cut at {at}");
        }
        assert!(read(&place, &frame).is_ok());
    }
}

#[test]
fn what_this_version_cannot_have_written_is_refused_by_name() {
    let unknown = |what, value| Err(HeaderError::Unknown { what, value });
    assert_eq!(forged(&[(4, 2)]), unknown("version", 2));
    assert_eq!(forged(&[(4, 0)]), unknown("version", 0));
    assert_eq!(forged(&[(6, 129)]), unknown("header length", 129));
    assert_eq!(forged(&[(8, 0)]), unknown("frame kind", 0));
    assert_eq!(forged(&[(8, 7)]), unknown("frame kind", 7));
    assert_eq!(forged(&[(9, 1)]), unknown("body codec", 1));
    assert_eq!(forged(&[(10, 3)]), unknown("flags", 3));
    assert_eq!(forged(&[(11, 128)]), unknown("flags", 0x8000));
    assert_eq!(forged(&[(119, 1)]), unknown("reserved bytes", 1 << 24));
    assert_eq!(forged(&[(0, b'r')]), Err(HeaderError::NotAFrame));
    assert_eq!(forged(&[(123, b'2')]), Err(HeaderError::NotAFrame));
    let (mut bytes, _) = header().encode();
    bytes[127] ^= 1;
    assert_eq!(FrameHeader::decode(&bytes), Err(HeaderError::Checksum));
}

/// A valid checksum says nothing of who computed it. Numbers near their ends were added to without a look:
/// an lsn of 2⁶⁴ − 1 overflowed in the reader, an lsn of 0 underflowed in recovery.
#[test]
fn numbers_that_would_overflow_are_refused() {
    let set = |at: usize, value: u64| {
        let bytes = value.to_le_bytes();
        forged(&std::array::from_fn::<_, 8, _>(|i| (at + i, bytes[i]))).map(|_| ())
    };
    let refused = |what, value| Err(HeaderError::OutOfRange { what, value });
    for (at, what) in [(32, "epoch"), (40, "segment"), (56, "lsn")] {
        assert_eq!(set(at, 0), refused(what, 0));
        for value in [1 << 63, u64::MAX] {
            assert_eq!(set(at, value), refused(what, value));
        }
        assert_eq!(set(at, NUMBER_MAX), Ok(()));
    }
    assert_eq!(set(48, 1 << 63), refused("file offset", 1 << 63));
    assert_eq!(set(64, NUMBER_MAX - 3), Ok(()));
    assert_eq!(set(64, NUMBER_MAX - 2), refused("first position", NUMBER_MAX - 2), "it gives three");
    assert_eq!(set(80, 819), refused("durable-before lsn", 819));
    assert_eq!(set(80, 0), Ok(()));
    let length = |value: u32| {
        let bytes = value.to_le_bytes();
        forged(&std::array::from_fn::<_, 4, _>(|i| (104 + i, bytes[i]))).map(|_| ())
    };
    assert_eq!(length(BODY_BYTES_MAX as u32), Ok(()));
    for value in [BODY_BYTES_MAX as u32 + 1, u32::MAX - 7, u32::MAX] {
        assert_eq!(length(value), refused("body length", value.into()));
    }
}

#[test]
fn a_frame_belongs_to_one_place() {
    let header = header();
    let place = place_of(&header);
    let error = |place: Place| place.check(&header).unwrap_err().to_string();
    assert_eq!(place.check(&header), Ok(()));
    assert_eq!(Place { epoch: Epoch(1), ..place }.check(&header), Ok(()), "the epoch may have moved on");
    let elsewhere = [
        (Place { journal: [0; 16], ..place }, "journal id"),
        (Place { segment: Lsn(816), ..place }, "segment is 817, here it must be 816"),
        (Place { offset: 4104, ..place }, "file offset is 4096, here it must be 4104"),
        (Place { epoch: Epoch(3), ..place }, "epoch is 2, here it must be 3"),
        (Place { lsn: Lsn(820), ..place }, "lsn is 819, here it must be 820"),
        (Place { previous_crc: 1, ..place }, "checksum of the header before is 16909060, here it must be 1"),
    ];
    for (place, what) in elsewhere {
        assert!(error(place).contains(what), "{}", error(place));
    }
}

proptest! {
    #[test]
    fn frames_round_trip(
        kind in 1u8..=6,
        numbers in prop::array::uniform5(1u64..NUMBER_MAX / 2),
        count: u32,
        time: i64,
        salt: [u8; 16],
        previous_crc: u32,
        zeros in 0usize..1500,
        body in prop::collection::vec(any::<u8>(), 0..1500),
    ) {
        let body = [vec![0; zeros], body].concat();
        let mut header = FrameHeader {
            kind: FrameKind::from_u8(kind).unwrap(),
            count,
            epoch: Epoch(numbers[0]),
            segment: Lsn(numbers[1]),
            offset: numbers[2] - numbers[2] % 8,
            lsn: Lsn(numbers[3]),
            first_position: Position(numbers[4]),
            append_time: Time(time),
            durable_before: Lsn(numbers[3] - 1),
            salt,
            previous_crc,
            ..header()
        };
        let mut out = vec![9; 5];
        let crc = encode_frame(&mut header, &body, &mut out);
        let frame = &out[5..];
        prop_assert_eq!(&out[..5], &[9; 5]);
        prop_assert_eq!(frame.len() as u64, header.frame_bytes());
        prop_assert_eq!(frame.len() % 8, 0);
        let header_bytes = frame.first_chunk().unwrap();
        prop_assert_eq!(FrameHeader::decode(header_bytes), Ok((header, crc)));
        prop_assert_eq!(read(&place_of(&header), frame), Ok((header, body)));
    }
}
