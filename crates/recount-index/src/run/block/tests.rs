//! Tests of `block`.

use super::*;

const FRAME: Frame = Frame { from_position: 10, to_position: 1_000_000, block_offset: 5000 };

/// Three entries: one posting, several in the entry, a tree.
fn block() -> (Vec<u8>, Vec<(Vec<u8>, Entry)>) {
    let deltas = vec![0, 5];
    let root = Node { first: 100, last: 900_000, count: 5000, offset: 30, len: 4970 };
    let entries = vec![
        (
            b"aa".to_vec(),
            Entry { first_revision: None, first: 11, last: 11, count: 1, stored: Stored::Inline(vec![]) },
        ),
        (
            b"ab".to_vec(),
            Entry { first_revision: Some(7), first: 20, last: 27, count: 3, stored: Stored::Inline(deltas) },
        ),
        (
            b"abc".to_vec(),
            Entry {
                first_revision: Some(0),
                first: 100,
                last: 900_000,
                count: 5000,
                stored: Stored::Tree(1, root),
            },
        ),
    ];
    let mut bytes = Vec::new();
    let mut before: &[u8] = &[];
    for (term, entry) in &entries {
        let Entry { first, last, count, .. } = *entry;
        let list = Finished { first, last, count, stored: entry.stored.clone() };
        put_entry(&mut bytes, before, term, entry.first_revision, &list, FRAME.from_position);
        before = term;
    }
    (bytes, entries)
}

#[test]
fn entries_are_these_bytes() {
    let (bytes, _) = block();
    let aa = [0, 2, b'a', b'a', 1 << 2, 1];
    let ab = [1, 1, b'b', 3 << 2 | 1, 7, 10, 2, 0, 5];
    let abc = [2, 1, b'c', 0xa3, 0x9c, 1, 0, 90, 0xbc, 0xf6, 54, 1, 30, 0xea, 38];
    assert_eq!(bytes, [&aa[..], &ab, &abc].concat());
}

#[test]
fn entries_round_trip_and_reject() {
    let (bytes, entries) = block();
    let read = |bytes: &[u8], frame| {
        let mut scan = BlockScan::default();
        scan.enter(bytes.to_vec(), frame);
        assert_eq!(scan.offset(), frame.block_offset);
        let mut out = Vec::new();
        while let Some(entry) = scan.next()? {
            out.push((scan.term().to_vec(), entry));
        }
        Ok::<_, Flaw>(out)
    };
    assert_eq!(read(&bytes, FRAME).unwrap(), entries);
    for (term, entry) in &entries {
        assert_eq!(BlockReader::new(&bytes, FRAME).find(term).unwrap().as_ref(), Some(entry));
    }
    for absent in ["", "a", "aaa", "abb", "abcd", "b"] {
        assert_eq!(BlockReader::new(&bytes, FRAME).find(absent.as_bytes()).unwrap(), None, "{absent}");
    }
    for cut in 1..bytes.len() {
        match read(&bytes[..cut], FRAME) {
            Ok(read) => assert_eq!(read, entries[..read.len()], "cut at {cut}"),
            Err(flaw) => assert!(flaw.at <= cut),
        }
    }
    assert!(read(&bytes, Frame { to_position: 899_999, ..FRAME }).is_err());
    assert!(read(&bytes, Frame { block_offset: 4999, ..FRAME }).is_err());
    assert!(read(&bytes, Frame { from_position: u64::MAX - 1, ..FRAME }).is_err());
    assert!(read(&[bytes.as_slice(), &bytes].concat(), FRAME).is_err(), "terms descend");
    // A tree of no postings, a tree too high, two postings in no bytes.
    assert!(read(&[0, 1, b'a', 2, 1, 0, 1, 0, 9], FRAME).is_err());
    assert!(read(&[0, 1, b'a', 4 | 2, 1, 0, HEIGHT_MAX + 1, 0, 9], FRAME).is_err());
    assert!(read(&[0, 1, b'a', 4 | 2, 1, 0, HEIGHT_MAX, 0, 9], FRAME).is_ok());
    // No term at all, which only the first may be.
    assert!(read(&[0, 0, 4, 1], FRAME).is_ok());
    assert!(read(&[0, 0, 4, 1, 0, 0, 4, 1], FRAME).is_err());
    assert!(read(&[0, 1, b'a', 8, 1, 0], FRAME).is_err());
    assert!(read(&[0, 1, b'a', 0, 1, 0], FRAME).is_err());
}
