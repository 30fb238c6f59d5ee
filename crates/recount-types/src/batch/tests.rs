//! Tests of `batch`.

use proptest::prelude::*;

use super::*;

type Owned = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn build(base_offset: i64, owned: &[Owned]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(base_offset);
    for (time, key, value, headers) in owned {
        let headers = headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref()));
        builder.push(*time, key.as_deref(), value.as_deref(), headers);
    }
    assert_eq!(builder.count() as usize, owned.len());
    let bytes = builder.len_bytes();
    let batch = builder.finish();
    assert_eq!(batch.len(), bytes);
    batch
}

/// What `org.apache.kafka.common.record.MemoryRecords` writes for one record k → v with header h → x at time 5.
#[test]
fn golden_bytes() {
    let header = (b"h".to_vec(), Some(b"x".to_vec()));
    let batch = build(7, &[(5, Some(b"k".to_vec()), Some(b"v".to_vec()), vec![header])]);
    let golden = [
        0, 0, 0, 0, 0, 0, 0, 7, // base offset
        0, 0, 0, 62, // length
        255, 255, 255, 255, // leader epoch
        2,   // magic
        0, 0, 0, 0, // CRC, checked below
        0, 0, // attributes
        0, 0, 0, 0, // last offset delta
        0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 5, // timestamps
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, // producer
        0, 0, 0, 1, // count
        24, 0, 0, 0, 2, b'k', 2, b'v', 2, 2, b'h', 2, b'x',
    ];
    let mut without_crc = batch.clone();
    without_crc[CRC_AT..CRC_FROM].fill(0);
    assert_eq!(without_crc[..61], golden[..61]);
    assert_eq!(without_crc[61..], golden[61..]);
    assert_eq!(batch[CRC_AT..CRC_FROM], crc32c::crc32c(&golden[CRC_FROM..]).to_be_bytes());
}

#[test]
fn attributes_say_what_a_batch_is() {
    let control = BatchHeader::parse(&BatchBuilder::control(3, 9, 1, true).finish()).unwrap();
    assert!(control.is_control() && control.is_transactional());
    assert_eq!((control.producer_id, control.producer_epoch, control.base_offset), (9, 1, 3));
    let mut builder = BatchBuilder::new(0);
    builder.push(1, None, None, std::iter::empty());
    builder.push(2, None, None, std::iter::empty());
    let batch = builder.log_append_time(77).finish();
    assert!(verify(&batch).unwrap().is_log_append_time());
    let times: Vec<i64> = records(&batch).unwrap().map(|record| record.unwrap().timestamp_ms).collect();
    assert_eq!(times, [77, 77]);
}

#[test]
fn every_flipped_bit_under_the_crc_and_every_cut_is_noticed() {
    let batch = build(1, &[(5, None, Some(b"value".to_vec()), vec![]), (6, Some(vec![]), None, vec![])]);
    verify(&batch).unwrap();
    for at in 8..batch.len() {
        let is_leader_epoch = (12..16).contains(&at);
        for bit in 0..8 {
            let mut damaged = batch.clone();
            damaged[at] ^= 1 << bit;
            assert_eq!(verify(&damaged).is_err(), !is_leader_epoch, "bit {bit} of byte {at}");
        }
    }
    for cut in 0..batch.len() {
        assert!(matches!(verify(&batch[..cut]), Err(BatchError::Length { .. })), "cut at {cut}");
    }
}

#[test]
fn compressed_records_are_named() {
    let mut batch = build(1, &[(5, None, None, vec![])]);
    batch[22] |= 4;
    assert_eq!(records(&batch).unwrap_err(), BatchError::Compressed(Codec::Zstd));
}

/// A stranger may compute a right CRC over wrong records.
fn forge(records: &[u8], count: u32) -> Vec<u8> {
    let mut batch = build(0, &[(0, None, None, vec![])]);
    batch.truncate(HEADER_BYTES);
    batch.extend_from_slice(records);
    let length = (batch.len() - LENGTH_END) as u32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[23..27].copy_from_slice(&count.wrapping_sub(1).to_be_bytes());
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
    batch
}

#[test]
fn forged_records_are_refused() {
    let record = |what| Err(BatchError::Record { index: 0, what });
    for (records, count, expected) in [
        (&[12, 0, 0, 0, 1, 1, 0][..], 1, Ok(())),
        (
            &[12, 0, 0, 0, 1, 1, 0],
            2,
            Err(BatchError::Record { index: 1, what: "a number is cut or too long" }),
        ),
        (&[12, 0, 0, 0, 1, 1, 0, 9], 1, Err(BatchError::Count { stated: 1 })),
        (&[14, 0, 0, 0, 1, 1, 0], 1, record("it is longer than the batch")),
        (&[1, 0, 0, 0, 1, 1, 0], 1, record("it is longer than the batch")),
        (&[0], 1, record("it is empty")),
        (&[12, 0, 0, 2, 1, 1, 0], 1, record("its offset is out of sequence")),
        (&[12, 0, 0, 0, 8, 1, 0], 1, record("its key is cut")),
        (&[12, 0, 0, 0, 1, 8, 0], 1, record("its value is cut")),
        (&[12, 0, 0, 0, 1, 1, 2], 1, record("it has more headers than bytes for them")),
        (&[12, 0, 0, 0, 1, 1, 1], 1, record("its header count is negative")),
        (&[16, 0, 0, 0, 1, 1, 2, 1, 1], 1, record("a header is cut, or has no name")),
        (&[14, 0, 0, 0, 1, 1, 0, 0], 1, record("it has bytes after its headers")),
    ] {
        assert_eq!(verify(&forge(records, count)).map(|_| ()), expected, "{records:?}");
    }
    assert_eq!(verify(&forge(&[], 0)).map(|_| ()), Err(BatchError::Count { stated: 0 }));
}

proptest! {
    #[test]
    fn round_trips(base in 0i64.., owned in prop::collection::vec(any::<Owned>(), 1..9)) {
        let batch = build(base, &owned);
        let header = verify(&batch).unwrap();
        prop_assert_eq!((header.base_offset, header.record_count() as usize), (base, owned.len()));
        let again: Vec<Owned> = records(&batch).unwrap().map(|record| {
            let record = record.unwrap();
            let headers = record.headers().map(|h| h.map(|(n, v)| (n.to_vec(), v.map(<[u8]>::to_vec))).unwrap());
            (record.timestamp_ms, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec), headers.collect())
        }).collect();
        prop_assert_eq!(again, owned);
    }

    #[test]
    fn random_bytes_do_no_harm(bytes: Vec<u8>, records in prop::collection::vec(any::<u8>(), 0..64), count in 1u32..5) {
        let _ = verify(&bytes);
        let _ = verify(&forge(&records, count));
    }
}
