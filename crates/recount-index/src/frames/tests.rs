//! Tests of `frames`.

use super::*;

fn frame(lsn: u64, segment: u64, offset: u64, first_position: u64, append_time: i64) -> FrameRef {
    FrameRef { lsn, segment_first_lsn: segment, segment_epoch: 3, offset, first_position, append_time }
}

#[test]
fn keeps_the_first_of_each_segment_and_one_per_32_kib() {
    let mut table = FrameTable::default();
    for n in 0..32 {
        table.add(frame(n + 1, 1, n * 4096, n * 2 + 1, n as i64 * 10 - 50));
    }
    table.add(frame(40, 33, 512, 65, 400));
    table.add(frame(41, 33, 4096, 65, 400));
    let lsns: Vec<u64> = table.kept().iter().map(|f| f.lsn).collect();
    assert_eq!(lsns, [1, 9, 17, 25, 40]);

    let lsn = |key| table.find(key).map(|f| f.lsn);
    assert_eq!(lsn(FrameKey::Position(0)), None);
    assert_eq!(lsn(FrameKey::Position(1)), Some(1));
    assert_eq!(lsn(FrameKey::Position(16)), Some(1));
    assert_eq!(lsn(FrameKey::Position(17)), Some(9));
    assert_eq!(lsn(FrameKey::Position(u64::MAX)), Some(40));
    assert_eq!(lsn(FrameKey::Time(-51)), None);
    assert_eq!(lsn(FrameKey::Time(-50)), Some(1));
    assert_eq!(lsn(FrameKey::Time(30)), Some(9));
    assert_eq!(lsn(FrameKey::Lsn(8)), Some(1));
    assert_eq!(lsn(FrameKey::Lsn(24)), Some(17));
}

#[test]
#[should_panic(expected = "in journal order")]
fn refuses_frames_out_of_order() {
    let mut table = FrameTable::default();
    table.add(frame(2, 1, 0, 1, 0));
    table.add(frame(1, 1, 1 << 20, 1, 0));
}

#[test]
fn frames_round_trip_and_reject() {
    let frames = [
        frame(1, 1, 4096, 1, -5),
        frame(9, 1, 70_000, 17, 1_700_000_000_000_000),
        FrameRef { segment_epoch: 1, ..frame(u64::MAX, 5, 0, u64::MAX, i64::MAX) },
    ];
    let mut bytes = Vec::new();
    let mut before = FrameRef::default();
    for frame in &frames {
        put_frame(&mut bytes, &before, frame);
        before = *frame;
    }
    assert_eq!(read_frames(&mut Reader::new(&bytes)).unwrap(), frames);
    for cut in 1..bytes.len() {
        if let Ok(read) = read_frames(&mut Reader::new(&bytes[..cut])) {
            assert_eq!(read, frames[..read.len()], "cut at {cut}");
        }
    }
    let mut twice = bytes.clone();
    put_frame(&mut twice, &frames[2], &frames[0]);
    assert!(read_frames(&mut Reader::new(&twice)).is_err(), "descending");

    let root = FrameRoot { firsts: frames.to_vec(), pages: vec![(0, 10), (10, 20), (1 << 40, 30)] };
    let bytes = root.encode();
    let read = FrameRoot::decode(&bytes).unwrap();
    assert_eq!((read.firsts, read.pages), (root.firsts, root.pages));
    assert!(FrameRoot::decode(&bytes[..bytes.len() - 1]).is_err());
}
