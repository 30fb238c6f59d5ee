//! Tests of `tree`.

use super::*;
use crate::run::footer::Covers;
use crate::run::seal::Seal;

fn output() -> Output {
    Output::new(Seal::new(&[0; 16], &Covers { from_position: 0, to_position: 1, from_lsn: 0, to_lsn: 0 }))
}

/// The deltas of `count` positions, `gap` apart.
fn deltas(gap: u64, count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    (1..count).for_each(|_| put_delta(&mut out, 0, gap));
    out
}

fn push(tree: &mut TreeWriter, out: &mut Output, first: u64, bytes: usize) -> u64 {
    let deltas = deltas(1, bytes + 1);
    let last = first + bytes as u64;
    tree.push(&Packed { first, last, count: bytes as u64 + 1, deltas: &deltas }, out);
    last
}

#[test]
fn short_lists_stay_in_the_entry() {
    let (mut tree, mut out) = (TreeWriter::default(), output());
    push(&mut tree, &mut out, 5, INLINE_BYTES_MAX);
    let list = tree.finish(&mut out);
    assert_eq!(list.stored, Stored::Inline(deltas(1, INLINE_BYTES_MAX + 1)));
    assert_eq!((list.first, list.last, list.count), (5, 517, 513));
    assert_eq!(out.offset(), 0);
    push(&mut tree, &mut out, 9, INLINE_BYTES_MAX + 1);
    let list = tree.finish(&mut out);
    assert!(matches!(
        list.stored,
        Stored::Tree(0, Node { first: 9, last: 522, count: 514, offset: 0, len: 517 })
    ));
}

#[test]
fn chunks_stay_between_one_and_two_targets_however_pieces_come() {
    for piece in [1, 100, 3000, 4095, 4096, 5000, 8192] {
        let (mut tree, mut out) = (TreeWriter::default(), output());
        let mut last = 0;
        let mut pushed = 0;
        while pushed < 200_000 {
            last = push(&mut tree, &mut out, last + 1, piece);
            pushed += piece + 1;
        }
        let list = tree.finish(&mut out);
        let Stored::Tree(1, root) = list.stored else { panic!("{piece}: {list:?}") };
        assert_eq!(list.count, pushed as u64);
        let bytes = &out.pending()[root.offset as usize..root.offset as usize + root.len - 4];
        let nodes = read_page(bytes, &root).unwrap();
        assert!(nodes.iter().all(|node| node.len <= CHUNK_BYTES_MAX + 4), "{piece}: {nodes:?}");
        let mean = nodes.iter().map(|node| node.len).sum::<usize>() / nodes.len();
        assert!(mean >= CHUNK_BYTES * 3 / 4, "{piece}: chunks of {mean} bytes");
    }
}

#[test]
fn a_long_piece_is_not_joined_to_a_chunk_that_it_would_make_too_long() {
    let (mut tree, mut out) = (TreeWriter::default(), output());
    let mut last = 0;
    for piece in [3000, CHUNK_BYTES_MAX, 4000, 4000, 200, CHUNK_BYTES_MAX - 1] {
        last = push(&mut tree, &mut out, last + 1, piece);
    }
    let Stored::Tree(1, root) = tree.finish(&mut out).stored else { panic!("five chunks under a page") };
    let page = &out.pending()[root.offset as usize..root.offset as usize + root.len - 4];
    let lens: Vec<usize> = read_page(page, &root).unwrap().iter().map(|node| node.len - 4).collect();
    assert_eq!(lens, [3000, CHUNK_BYTES_MAX, 8001, 200, CHUNK_BYTES_MAX - 1]);
}

#[test]
fn pages_reject_what_their_parent_does_not_state() {
    let mut page = PageWriter::default();
    page.push(&Node { first: 1, last: 10, count: 4, offset: 0, len: 20 });
    page.push(&Node { first: 11, last: 11, count: 1, offset: 25, len: 5 });
    page.push(&Node { first: 13, last: 300, count: 100, offset: 30, len: 200 });
    let bytes = page.bytes.clone();
    let parent = page.seal(&mut output());
    let parent = Node { offset: 230, ..parent };
    let nodes = read_page(&bytes, &parent).unwrap();
    assert_eq!((nodes.len(), nodes[1].offset, nodes[2].last), (3, 25, 300));

    for wrong in [
        Node { first: 2, ..parent },
        Node { last: 299, ..parent },
        Node { count: 104, ..parent },
        Node { offset: 229, ..parent },
    ] {
        assert!(read_page(&bytes, &wrong).is_err(), "{wrong:?}");
    }
    for cut in 0..bytes.len() {
        assert!(read_page(&bytes[..cut], &parent).is_err(), "cut at {cut}");
    }
    assert!(
        read_page(&[1, 0, 1, 0, 5, 0, 0, 1, 5, 5], &Node { first: 1, last: 1, count: 2, ..parent }).is_err()
    );
    assert!(read_page(&[1, 0, 0, 0, 5], &Node { first: 1, last: 1, count: 0, ..parent }).is_err());
}

#[test]
fn choose_finds_the_node_of_a_target() {
    let node = |first, last, count| Node { first, last, count, offset: 0, len: 0 };
    let nodes = [node(1, 10, 4), node(20, 30, 2), node(31, 31, 1)];
    let chosen = |target| choose(&nodes, 100, target);
    assert_eq!(chosen(Target::After(0)), (0, 100));
    assert_eq!(chosen(Target::After(9)), (0, 100));
    assert_eq!(chosen(Target::After(10)), (1, 104));
    assert_eq!(chosen(Target::After(30)), (2, 106));
    assert_eq!(chosen(Target::After(99)), (2, 106));
    assert_eq!(chosen(Target::UpTo(19)), (0, 100));
    assert_eq!(chosen(Target::UpTo(20)), (1, 104));
    assert_eq!(chosen(Target::UpTo(31)), (2, 106));
    assert_eq!(chosen(Target::Rank(0)), (0, 100));
    assert_eq!(chosen(Target::Rank(103)), (0, 100));
    assert_eq!(chosen(Target::Rank(104)), (1, 104));
    assert_eq!(chosen(Target::Rank(106)), (2, 106));
    assert_eq!(chosen(Target::Rank(u64::MAX)), (2, 106));
}
