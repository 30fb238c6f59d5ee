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

/// What `MemoryRecords` of kafka-clients 4.3.1 writes, and `withEndTransactionMarker` for the control batches.
#[test]
fn golden_bytes_of_apache_kafka() {
    let some = |text: &str| Some(text.as_bytes().to_vec());
    let header = |name: &str, value| (name.as_bytes().to_vec(), value);
    let one = build(7, &[(5, some("k"), some("v"), vec![header("h", some("x"))])]);
    assert_eq!(
        hex(&one),
        "00000000000000070000003effffffff02c0bfda3e0000000000000000000000000005\
         0000000000000005ffffffffffffffffffffffffffff0000000118000000026b02760202680278"
    );
    let payload = r#"{"accountId": 1, "amount": -20.0, "timestamp": 1702468800}"#;
    let records = [
        (1_702_468_800_000, None, some(payload), vec![header("ce_id", some("a")), header("n", None)]),
        (1_702_468_799_000, some(""), None, vec![]),
        (1_702_468_900_000, some("key"), some(""), vec![]),
    ];
    assert_eq!(
        hex(&build(1_234_567_890_123, &records)),
        "0000011f71fb04cb00000092ffffffff0265f9ee670000000000020000018c630c4e00\
         0000018c630dd4a0ffffffffffffffffffffffffffff00000003960100000001747b22\
         6163636f756e744964223a20312c2022616d6f756e74223a202d32302e302c20227469\
         6d657374616d70223a20313730323436383830307d040a63655f69640261026e010e00\
         cf0f020001001600c09a0c04066b65790000"
    );
    let mut transactional = BatchBuilder::new(3).producer(9001, 4, 77).transactional(9001, 4);
    transactional.push(10, Some(b"k"), Some(b"v"), std::iter::empty());
    transactional.push(11, Some(b"k"), Some(b"w"), std::iter::empty());
    assert_eq!(
        hex(&transactional.finish()),
        "000000000000000300000043ffffffff0254b9cb08001000000001000000000000000a\
         000000000000000b000000000000232900040000004d0000000210000000026b027600\
         10000202026b027700"
    );
    for (committed, crc, kind) in [(true, "89111e11", "01"), (false, "7d2fc859", "00")] {
        let golden = format!(
            "000000000000000300000042ffffffff02{crc}0030000000000000000000000000000000\
             000000000000000000000023290004ffffffff000000012000000008000000{kind}0c000000\
             00000000"
        );
        assert_eq!(hex(&BatchBuilder::control(3, 9001, 4, committed).finish()), golden);
    }
}

#[test]
fn the_greatest_of_times_before_1970() {
    let batch = build(0, &[(-9, None, None, vec![]), (-3, None, None, vec![]), (-7, None, None, vec![])]);
    let header = verify(&batch).unwrap();
    assert_eq!((header.base_timestamp, header.max_timestamp), (-9, -3));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
        let batch = forge(records, count);
        assert_eq!(verify(&batch).map(|_| ()), expected, "{records:?}");
        let mut index = RecordIndex::new(&batch).unwrap();
        let found = (0..count).try_for_each(|number| {
            index.get(&batch, number)?.headers().try_for_each(|header| header.map(drop))
        });
        assert_eq!(found, expected, "{records:?}");
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

    /// A record is the same however it is reached, also in a part of its batch.
    #[test]
    fn records_by_number(owned in prop::collection::vec(any::<Owned>(), 1..9), order in prop::collection::vec(0u32..9, 1..12), cut in 0u32..9) {
        let batch = build(7, &owned);
        let mut index = RecordIndex::new(&batch).unwrap();
        let first = cut % owned.len() as u32;
        let start = RecordIndex::new(&batch).unwrap().start(&batch, first).unwrap() as usize;
        let mut part = RecordIndex::of_part(*index.header(), first);
        for number in order {
            let expected = records(&batch).unwrap().nth(number as usize).map(|record| record.unwrap());
            let shown = |record: Record<'_>| format!("{record:?}");
            let expected = expected.map(shown);
            prop_assert_eq!(index.get(&batch, number).ok().map(shown), expected.clone());
            let in_part = part.get(&batch[start..], number).ok().map(shown);
            prop_assert_eq!(in_part, expected.filter(|_| number >= first));
        }
    }

    #[test]
    fn random_bytes_do_no_harm(bytes: Vec<u8>, records in prop::collection::vec(any::<u8>(), 0..64), count in 1u32..5) {
        let _ = verify(&bytes);
        let _ = verify(&forge(&records, count));
    }
}
