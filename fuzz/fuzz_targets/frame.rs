//! Frames as found on a disk: the header, what stands after it, prologues, and the verdict on damage. Once
//! as they come, and once with the checksums made right, so that what lies behind them is reached.

#![no_main]

use libfuzzer_sys::fuzz_target;
use recount_journal::classify::{Verdict, classify};
use recount_journal::frame::{self, FrameHeader, HEADER_BYTES, Place, encode_frame};
use recount_journal::segment::Prologue;

/// No file is as long as this.
const SEGMENT_BYTES_MAX: u64 = 1 << 40;

fuzz_target!(|data: &[u8]| {
    examine(data);
    if let Some(repaired) = repair(data) {
        examine(&repaired);
    }
});

fn examine(data: &[u8]) {
    let Some(header) = data.first_chunk::<HEADER_BYTES>() else { return };
    let place = match FrameHeader::decode(header) {
        Ok((header, _)) => Place {
            journal: header.journal,
            segment: header.segment,
            // Where a reader stands is no input; a header that claims more is misplaced.
            offset: header.offset % SEGMENT_BYTES_MAX,
            epoch: header.epoch,
            lsn: header.lsn,
            previous_crc: header.previous_crc,
        },
        Err(_) => Place {
            journal: [7; 16],
            segment: recount_types::Lsn(1),
            offset: 0,
            epoch: recount_types::Epoch(1),
            lsn: recount_types::Lsn(1),
            previous_crc: 0,
        },
    };
    classify(&place, data, Some(u64::MAX));
    let Verdict::Frame(header, crc) = classify(&place, data, None) else { return };
    let stored = &data[HEADER_BYTES..header.frame_bytes() as usize];
    let body = frame::decode_body(&header, crc, stored).expect("a valid frame has a valid body");
    if let Some(prologue) = Prologue::decode(&body) {
        assert_eq!(prologue.encode(), body);
    }
    if header.offset % 8 == 0 {
        let mut again = Vec::new();
        let mut written = header.as_ref().clone();
        let crc = encode_frame(&mut written, &body, &mut again);
        let read = frame::decode_body(&written, crc, &again[HEADER_BYTES..]);
        assert_eq!(read.expect("what was encoded decodes"), body);
    }
}

/// Puts magic, end marks, lengths and checksums in their places around whatever the rest is.
fn repair(data: &[u8]) -> Option<Vec<u8>> {
    let mut header: [u8; HEADER_BYTES] = *data.first_chunk()?;
    let body = &data[HEADER_BYTES..];
    let mut draft = FrameHeader::decode(&template()).expect("the template is valid").0;
    let mut template = Vec::new();
    encode_frame(&mut draft, body, &mut template);
    // The fields between the magic and the lengths are the fuzzer's; version, codec and flags are not.
    header[..12].copy_from_slice(&template[..12]);
    header[8] = data[8] % 8;
    header[104..124].copy_from_slice(&template[104..124]);
    let crc = crc32c::crc32c(&header[..HEADER_BYTES - 4]).to_le_bytes();
    header[HEADER_BYTES - 4..].copy_from_slice(&crc);
    template[..HEADER_BYTES].copy_from_slice(&header);
    let trailer = template.len() - frame::TRAILER_BYTES;
    template[trailer..trailer + 4].copy_from_slice(&crc);
    Some(template)
}

/// A valid header of an empty data frame.
fn template() -> [u8; HEADER_BYTES] {
    FrameHeader {
        kind: frame::FrameKind::Data,
        masked: false,
        count: 0,
        journal: [7; 16],
        epoch: recount_types::Epoch(1),
        segment: recount_types::Lsn(1),
        offset: 0,
        lsn: recount_types::Lsn(1),
        first_position: recount_types::Position(1),
        append_time: recount_types::Time(0),
        durable_before: recount_types::Lsn(0),
        salt: [3; 16],
        body_bytes: 0,
        body_crc: 0,
        previous_crc: 0,
    }
    .encode()
    .0
}
