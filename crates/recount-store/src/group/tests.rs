//! Tests of `group`.

use recount_types::batch::BatchBuilder;

use super::*;

fn batch(values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(7);
    for value in values {
        builder.push(5, Some(b"k"), Some(value.as_bytes()), std::iter::empty());
    }
    builder.finish()
}

fn entry(batch: &[u8], count: u32, base_position: Option<Position>) -> Entry {
    Entry {
        topic: TopicId(16),
        partition: Partition(2),
        base_offset: Offset(300),
        base_position,
        count,
        bytes: batch.len() as u32,
        schema: 1,
        transactional: base_position.is_none(),
        control: false,
        crc: crc32c::crc32c(batch),
    }
}

fn example() -> (Directory, Vec<Vec<u8>>) {
    let batches = vec![batch(&["a", "b"]), batch(&["c"])];
    let directory = Directory {
        appends: vec![
            vec![Run { lsn_distance: 0, entry: 0, count: 1 }],
            vec![Run { lsn_distance: 0, entry: 0, count: 1 }, Run { lsn_distance: 200, entry: 3, count: 2 }],
        ],
        marks: vec![Mark { producer_id: 9, producer_epoch: 1, committed: true }],
        entries: vec![entry(&batches[0], 2, Some(Position(4))), entry(&batches[1], 1, None)],
    };
    (directory, batches)
}

#[test]
fn golden_bytes() {
    let (directory, batches) = example();
    let body = encode(&directory, &batches);
    let crc = |batch: &[u8]| crc32c::crc32c(batch).to_le_bytes();
    let mut golden = vec![
        2,
        1,
        0,
        0,
        1,
        2,
        0,
        0,
        1,
        200,
        1,
        3,
        2, // appends
        1,
        9,
        1,
        1, // marks
        2,
        16,
        2,
        172,
        2,
        4,
        2,
        batches[0].len() as u8,
        1,
        0, // entry 0
    ];
    golden.extend(crc(&batches[0]));
    golden.extend([16, 2, 172, 2, 0, 1, batches[1].len() as u8, 1, 1]);
    golden.extend(crc(&batches[1]));
    assert_eq!(body[..4], (golden.len() as u32).to_le_bytes());
    assert_eq!(body[4..8], crc32c::crc32c(&golden).to_le_bytes());
    assert_eq!(body[8..8 + golden.len()], golden);
    assert_eq!(body[8 + golden.len()..], batches.concat());
}

#[test]
fn a_body_is_read_back_and_every_cut_or_flip_is_noticed() {
    let (directory, batches) = example();
    let body = encode(&directory, &batches);
    let group = GroupBody::decode(&body).unwrap();
    assert_eq!(group.directory, directory);
    let records: Vec<_> = group.records(0).unwrap().map(|record| record.unwrap()).collect();
    assert_eq!(records.iter().map(|(offset, _)| offset.0).collect::<Vec<_>>(), [300, 301]);
    assert_eq!(records[1].1.value, Some(&b"b"[..]));
    let all = |body: &[u8]| -> Result<usize, GroupError> {
        let group = GroupBody::decode(body)?;
        let mut count = 0;
        for entry in 0..group.directory.entries.len() {
            for record in group.records(entry)? {
                record?;
                count += 1;
            }
        }
        Ok(count)
    };
    assert_eq!(all(&body), Ok(3));
    for at in 0..body.len() {
        assert!(all(&body[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut damaged = body.clone();
            damaged[at] ^= 1 << bit;
            assert!(all(&damaged).is_err(), "bit {bit} of byte {at}");
        }
    }
    assert!(all(&[&body[..], &[0]].concat()).is_err(), "a byte too many");
    assert!(group.records(2).is_err());
}

/// A right checksum does not make a directory right.
#[test]
fn forged_directories_are_refused() {
    let refused = |directory: &[u8]| {
        let mut body = (directory.len() as u32).to_le_bytes().to_vec();
        body.extend(crc32c::crc32c(directory).to_le_bytes());
        body.extend_from_slice(directory);
        GroupBody::decode(&body).is_err()
    };
    assert!(!refused(&[0, 0, 0]));
    for directory in [
        &[0, 0][..],
        &[0, 0, 0, 0],
        &[255, 255, 255, 255, 15, 0, 0],    // more appends than bytes
        &[1, 255, 255, 255, 255, 15, 0, 0], // more runs than bytes
        &[0, 1, 9, 255, 255, 4, 1, 0],      // an epoch beyond 16 bits
        &[0, 1, 9, 0, 2, 0],                // an unknown outcome
        &[0, 0, 1, 16, 0, 0, 0, 1, 0, 1, 4, 0, 0, 0, 0], // an unknown flag
        &[0, 0, 1, 255, 255, 255, 255, 31, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0], // a topic beyond 32 bits
    ] {
        assert!(refused(directory), "{directory:?}");
    }
}

#[test]
fn what_a_group_holds_decides_its_kind() {
    let (full, _) = example();
    let kind = |appends: &[AppendRuns], marks: &[Mark], entries: &[Entry]| {
        Directory { appends: appends.to_vec(), marks: marks.to_vec(), entries: entries.to_vec() }.kind()
    };
    assert_eq!(full.kind(), FrameKind::Commit);
    assert_eq!(full.position_count(), 4);
    assert_eq!(kind(&full.appends[..1], &[], &full.entries[..1]), FrameKind::Data);
    assert_eq!(kind(&full.appends[..1], &[], &full.entries), FrameKind::Pending);
    assert_eq!(kind(&[], &full.marks, &[]), FrameKind::Commit);
    let aborted = Mark { committed: false, ..full.marks[0] };
    assert_eq!(kind(&[], &[aborted], &full.entries), FrameKind::Abort);
    assert_eq!(kind(&full.appends, &[aborted], &[]), FrameKind::Commit);
}
