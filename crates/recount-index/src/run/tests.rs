//! Tests of `run`.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::Ordering;

use expect_test::expect;
use recount_env::block_on;

use super::*;
use crate::testing::{DATABASE, DIR, KEY, Tested, collect};
use crate::{Bounds, FrameKey, FrameRef, RunSet, Term, TermKind};
use recount_types::TopicId;

fn frame(n: u64) -> FrameRef {
    FrameRef {
        lsn: n,
        segment_first_lsn: n.next_multiple_of(4) - 3,
        segment_epoch: 1,
        offset: (n - 1) % 4 * 40_000,
        first_position: n * 3 - 2,
        append_time: 1_700_000_000_000_000 + n as i64,
    }
}

/// A small index with every kind of piece: two runs, one made of three by a merge.
fn small() -> Tested {
    let mut tested = Tested::new();
    let term = |kind, value: &str| Term::of(kind, TopicId(16), value.as_bytes());
    let (created, topic) = (term(TermKind::EventType, "created"), term(TermKind::Topic, ""));
    for run in 0..4u64 {
        for n in 0..9u64 {
            let stream = term(TermKind::Stream, &format!("k{}", n % 4));
            let terms = [stream.as_bytes(), created.as_bytes(), topic.as_bytes()];
            let known = if n == 0 { 3 } else { 2 };
            tested.add(1 + n % 2 * 300, &terms[..known], run != 2);
        }
        for _ in 0..300 {
            tested.add(1 << 21, &[b"\x03\0\0\0\x10dense:"], true);
        }
        for n in 1..=3 {
            tested.lsn += 1;
            tested.memtable.frame(FrameRef { first_position: tested.position, ..frame(run * 3 + n) });
        }
        tested.flush();
    }
    tested.merge(0..3);
    tested
}

#[test]
fn a_run_is_these_bytes() {
    let mut tested = Tested::new();
    let stream = |key: &str| Term::of(TermKind::Stream, TopicId(16), key.as_bytes());
    for (n, key) in ["ann", "bob", "ann", "ann", "carl"].iter().enumerate() {
        tested.add(1, &[stream(key).as_bytes()], n != 1);
    }
    tested.add(300, &[stream("ann").as_bytes()], true);
    tested.lsn = 2;
    (1..=2).for_each(|n| tested.memtable.frame(frame(n)));
    tested.flush();
    let name = tested.set.runs()[0].name();
    assert_eq!(name, "00000000000000000000-00000000000000000305.run");
    let bytes = tested.bytes(name);
    let mut dump = String::new();
    let footer = bytes.len() - FOOTER_BYTES;
    let pieces = [
        ("block", 0),
        ("group", 38),
        ("frame page", 48),
        ("root", 73),
        ("frame root", 83),
        ("filter", 102),
        ("footer", footer),
    ];
    for (n, (piece, begin)) in pieces.iter().enumerate() {
        let end = pieces.get(n + 1).map_or(bytes.len(), |next| next.1);
        writeln!(dump, "{piece} at {begin}").unwrap();
        for line in bytes[*begin..end].chunks(16) {
            let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(dump, "  {}", hex.join(" ")).unwrap();
        }
    }
    expect![[r#"
        block at 0
          00 08 01 00 00 00 10 61 6e 6e 11 00 01 04 01 00
          ac 02 05 03 62 6f 62 04 02 05 04 63 61 72 6c 05
          00 05 25 bc 14 ae
        group at 38
          01 00 01 01 00 26 a5 5e ec a5
        frame page at 48
          01 01 01 00 01 81 80 f9 c0 c1 c4 82 03 01 00 00
          c0 b8 02 03 01 cc 86 c4 4a
        root at 73
          01 00 01 01 26 0a 65 57 52 35
        frame root at 83
          01 01 01 00 01 81 80 f9 c0 c1 c4 82 03 30 19 a0
          f9 6a 51
        filter at 102
          01 00 00 08 00 00 00 00 00 00 01 00 00 00 09 00
          00 00 00 80 00 00 10 00 10 01 08 00 08 00 00 00
          00 00 00 00 00 00 00 00 00 80 00 00 00 08 00 00
          00 01 00 80 20 00 00 00 00 20 40 20 00 00 00 04
          d8 5b c4 ce
        footer at 170
          52 63 49 64 78 52 75 6e 02 00 00 00 a0 00 00 00
          64 61 74 61 62 61 73 65 2d 75 75 69 64 2d 31 36
          47 ff 9b c2 71 3c 96 9c 00 00 00 00 00 00 00 00
          31 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00
          02 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00
          06 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00
          49 00 00 00 00 00 00 00 0a 00 00 00 00 00 00 00
          53 00 00 00 00 00 00 00 13 00 00 00 00 00 00 00
          66 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00
          4a 01 00 00 00 00 00 00 00 00 00 00 57 7f 6e 19
    "#]]
    .assert_eq(&dump);
}

/// Everything the index can be asked; an error is an answer.
fn answers(set: &RunSet, terms: &[Vec<u8>]) -> Vec<Result<String, String>> {
    fn keep<T: std::fmt::Debug>(answer: Result<T, ReadError>) -> Result<String, String> {
        match answer {
            Ok(answer) => Ok(format!("{answer:?}")),
            Err(ReadError::Damage(damage)) => Err(damage.to_string()),
            Err(error) => panic!("not a damage: {error}"),
        }
    }
    let mut out = Vec::new();
    for term in terms {
        out.push(keep(block_on(set.stream_length(term))));
        out.push(keep(block_on(set.count_between(term, 100, 1 << 22))));
        out.push(keep(block_on(collect(set, term, Bounds::default()))));
        out.push(keep(block_on(collect(set, term, Bounds::default().backward().from_rank(5)))));
    }
    for n in 0..14 {
        out.push(keep(block_on(set.frame_at(FrameKey::Lsn(n)))));
    }
    out
}

fn check_damaged(tested: &Tested, name: &str, bytes: &[u8], whole: &[Result<String, String>]) {
    let terms: Vec<Vec<u8>> = tested.flushed.0.keys().cloned().collect();
    let before = tested.bytes(name);
    // A set opened before the damage keeps its footer; one opened afterwards drops what it cannot open.
    let opened = block_on(RunSet::open(&tested.env, Path::new(DIR), DATABASE, &KEY)).unwrap();
    assert_eq!(opened.set.runs().len(), 2);
    tested.set_bytes(name, bytes);
    let found = answers(&opened.set, &terms);
    for (found, whole) in found.iter().zip(whole) {
        assert!(found.is_err() || found == whole, "{found:?} instead of {whole:?}");
    }
    tested.set_bytes(name, &before);
}

#[test]
fn every_flipped_byte_and_every_truncation_is_damage_or_harmless() {
    let tested = small();
    let terms: Vec<Vec<u8>> = tested.flushed.0.keys().cloned().collect();
    let whole = answers(&tested.set, &terms);
    assert!(whole.iter().all(Result::is_ok));
    for run in tested.set.runs() {
        let bytes = tested.bytes(run.name());
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            check_damaged(&tested, run.name(), &flipped, &whole);
            if at % 7 == 0 {
                check_damaged(&tested, run.name(), &bytes[..at], &whole);
            }
        }
    }
}

/// Filters are read whole, or by the page when memory for whole ones is used up.
#[test]
fn a_filter_of_several_pages_answers_the_same_whole_and_by_the_page() {
    let mut tested = Tested::new();
    let term = |n: u32| format!("\x01\0\0\0\x10{n}").into_bytes();
    (0..20_000).for_each(|n| tested.add(1, &[&term(n)], true));
    tested.flush();
    let name = tested.set.runs()[0].name().to_owned();
    let section = tested.set.runs()[0].footer.filter;
    assert_eq!((section.lines, section.pages()), (480, 8));

    for whole in [true, false] {
        let reopen = |tested: &mut Tested| {
            tested.reopen();
            let cache = tested.set.directory.cache.clone();
            let others = (!whole).then(|| cache.reserve(crate::CACHE_BYTES_MAX / 4 * 3).unwrap());
            (cache, others)
        };
        let (cache, others) = reopen(&mut tested);
        let before = cache.bytes();
        for n in 0..20_000 {
            assert_eq!(block_on(tested.set.stream_length(&term(n))).unwrap(), 1, "{n}");
        }
        let run = tested.set.runs()[0].clone();
        let absent = (20_000..30_000).map(|n| tested.set.directory.hasher.hash(&term(n)));
        let lacking = absent.clone().filter(|&hash| run.surely_lacks(hash)).count();
        let refused = absent.filter(|&hash| !block_on(run.may_hold(hash)).unwrap()).count();
        assert!(refused > 9_900, "{refused}");
        assert_eq!(lacking, if whole { refused } else { 0 });

        // A look-up that meets a damaged page says so. What was read before the damage may answer from memory.
        let bytes = tested.bytes(&name);
        for page in 0..section.pages() {
            let _others = reopen(&mut tested);
            let mut damaged = bytes.clone();
            damaged[section.page(page).offset as usize + 70] ^= 1;
            tested.set_bytes(&name, &damaged);
            let damages =
                (0..2000).filter(|&n| block_on(tested.set.stream_length(&term(n))).is_err()).count();
            let all = if whole { 2000..=2000 } else { 100..=400 };
            assert!(all.contains(&damages), "{damages} with page {page} damaged");
            tested.set_bytes(&name, &bytes);
        }

        tested.reopen();
        drop((run, others));
        assert!(cache.bytes() <= before, "memory of closed runs is given back");
    }
}

#[test]
fn a_whole_filter_is_paid_for_and_its_pages_are_counted() {
    let mut tested = Tested::new();
    (0..20_000u32).for_each(|n| tested.add(1, &[format!("\x01\0\0\0\x10{n}").as_bytes()], true));
    tested.flush();
    tested.reopen();
    let (run, cache) = (tested.set.runs()[0].clone(), tested.set.directory.cache.clone());
    let section = run.footer.filter;
    // 63 lines of 64 bytes and a seal are what a page has room for.
    assert_eq!((section.lines, section.page(0).len, section.page(1).offset % 4096), (480, 63 * 64 + 4, 0));
    let before = (cache.bytes(), cache.page_reads.load(Ordering::Relaxed));
    block_on(run.load_filter()).unwrap();
    let after = (cache.bytes(), cache.page_reads.load(Ordering::Relaxed));
    assert_eq!(after, (before.0 + 480 * 64, before.1 + 8));
    // Once is enough.
    block_on(run.load_filter()).unwrap();
    assert_eq!((cache.bytes(), cache.page_reads.load(Ordering::Relaxed)), after);
}

#[test]
fn a_file_that_became_shorter_is_damage() {
    let tested = small();
    let run = &tested.set.runs()[1];
    let bytes = tested.bytes(run.name());
    let frame_root = run.footer.frame_root;
    tested.set_bytes(run.name(), &bytes[..(frame_root.offset + frame_root.len - 1) as usize]);
    let error = block_on(tested.set.frame_at(FrameKey::Lsn(99))).unwrap_err();
    assert!(error.to_string().contains("the file ends early"), "{error}");
}

#[test]
fn a_damaged_footer_is_dropped_when_opening() {
    let tested = small();
    let name = tested.set.runs()[1].name();
    let bytes = tested.bytes(name);
    let footer = bytes.len() - FOOTER_BYTES;
    let damaged = (footer..bytes.len()).map(|at| {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        flipped
    });
    let cut = (0..bytes.len()).map(|at| bytes[..at].to_vec());
    let longer = [[bytes.as_slice(), b"x"].concat(), [bytes.as_slice(), &bytes].concat()];
    for damaged in damaged.chain(cut).chain(longer) {
        tested.set_bytes(name, &damaged);
        let opened = block_on(RunSet::open(&tested.env, Path::new(DIR), DATABASE, &KEY)).unwrap();
        assert_eq!(opened.set.runs().len(), 1);
        assert_eq!(opened.dropped.len(), 1);
    }
}

#[test]
fn a_walk_goes_on_where_an_error_stopped_it() {
    let mut tested = Tested::new();
    for _ in 0..3 {
        for n in 0..10_000 {
            tested.add(n % 500 + 1, &[b"\x01a"], true);
        }
        tested.flush();
    }
    let name = tested.set.runs()[1].name();
    let bytes = tested.bytes(name);
    for bounds in [Bounds::default(), Bounds::default().backward(), Bounds::default().from_rank(10)] {
        let mut postings = tested.set.postings(b"\x01a", bounds);
        let mut found = Vec::new();
        let mut errors = 0;
        loop {
            // Whatever has to be read cannot be at first.
            tested.set_bytes(name, &[]);
            let mut next = block_on(postings.next());
            if next.is_err() {
                errors += 1;
                tested.set_bytes(name, &bytes);
                next = block_on(postings.next());
            }
            match next.unwrap() {
                Some(posting) => found.push(posting),
                None => break,
            }
        }
        tested.set_bytes(name, &bytes);
        assert!(errors > 2, "{errors}");
        let ranked: Vec<_> = found.iter().map(|posting| (posting.rank.unwrap(), posting.position)).collect();
        assert_eq!(ranked, tested.flushed.postings(b"\x01a", &bounds));
    }
}

#[test]
fn frames_are_found_in_runs_and_after_merges() {
    let mut tested = Tested::new();
    let mut frames = Vec::new();
    for _ in 0..5 {
        for _ in 0..700 {
            tested.lsn += 1;
            let frame = FrameRef { first_position: tested.position + 1, ..frame(tested.lsn) };
            tested.memtable.frame(frame);
            frames.push(frame);
            tested.add(3, &[b"\x01a"], true);
        }
        tested.flush();
    }
    let check = |set: &RunSet| {
        for key in [0, 1, 2, 699, 701, 1234, 3499, 3500, 99_999] {
            let keys = [
                FrameKey::Lsn(key),
                FrameKey::Position(key % 100_000 * 3),
                FrameKey::Time(1_700_000_000_000_000 + (key % 10_000) as i64),
            ];
            for key in keys {
                let expected = frames.iter().rfind(|frame| key.admits(frame)).copied();
                assert_eq!(block_on(set.frame_at(key)).unwrap(), expected, "{key:?}");
            }
        }
    };
    check(&tested.set);
    tested.merge(1..4);
    check(&tested.set);
    tested.merge(0..3);
    tested.reopen();
    check(&tested.set);
}

#[test]
fn a_long_list_is_joined_from_runs() {
    let mut tested = Tested::new();
    for run in 0..3u64 {
        for n in 0..120_000 {
            tested.add(
                n % 300 + 1,
                if n % 1000 == run { &[b"\x01long", b"\x02x"] } else { &[b"\x01long"] },
                run != 1,
            );
        }
        tested.flush();
    }
    tested.merge(0..3);
    for bounds in [Bounds::default(), Bounds::default().backward()] {
        tested.check_term(b"\x01long", &bounds);
        tested.check_term(b"\x02x", &bounds);
        tested.check_term(b"\x01long", &bounds.from_rank(200_000));
        tested.check_term(b"\x01long", &Bounds { after: 1_000_000, until: 40_000_000, ..bounds });
    }
    assert_eq!(tested.set.runs()[0].terms(), 2);
    assert_eq!(tested.set.runs()[0].postings(), 360_360);
}

/// Positions far from each other need six bytes each, so that these fill more than one page of chunks.
#[test]
fn a_walk_crosses_pages_of_chunks() {
    let mut tested = Tested::new();
    (0..400_000u64).for_each(|n| tested.add((1 << 35) + n % 7, &[b"\x01far"], true));
    tested.flush();
    for bounds in [Bounds::default(), Bounds::default().backward()] {
        tested.check_term(b"\x01far", &bounds);
        tested.check_term(b"\x01far", &bounds.from_rank(150_000));
    }
    let positions = tested.flushed.positions(b"\x01far").to_vec();
    let (first, last) = (positions[0], positions[positions.len() - 1]);
    let run = tested.set.runs()[0].clone();
    let found = block_on(tested.set.find(&run, b"\x01far")).unwrap().unwrap();
    for position in [0, first - 1, first, first + 1, positions[200_000], last - 1, last, last + 1, u64::MAX] {
        let expected = positions.partition_point(|&other| other <= position) as u64;
        assert_eq!(block_on(found.count_up_to(position)).unwrap(), expected, "{position}");
    }
    (0..100_000u64).for_each(|n| tested.add((1 << 35) + n % 5, &[b"\x01far"], true));
    tested.flush();
    tested.merge(0..2);
    tested.check_term(b"\x01far", &Bounds::default().from_rank(300_000));
}

/// Run bytes beside the bar of 4 bytes a posting, the key bytes, and 6 bytes a term.
fn check_size(what: &str, tested: &Tested) {
    let run = &tested.set.runs()[0];
    let keys: usize = tested.flushed.0.keys().map(Vec::len).sum();
    let bar = run.postings() * 4 + keys as u64 + run.terms() * 6;
    println!(
        "{what}: {} bytes, {} terms of {} key bytes, {} postings; bar {bar}",
        run.file_bytes(),
        run.terms(),
        keys,
        run.postings()
    );
    assert!(run.file_bytes() <= bar, "{what}");
}

#[test]
fn runs_are_small() {
    let mut tested = Tested::new();
    for n in 0..200_000u64 {
        tested.add(
            1,
            &[format!("\x01\0\0\0\x10{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).as_bytes()],
            true,
        );
    }
    tested.flush();
    check_size("one event a stream", &tested);

    let mut tested = Tested::new();
    for n in 0..200_000u64 {
        let key = format!("\x01\0\0\0\x10account-{:06}", n.wrapping_mul(7919) % 20_000);
        tested.add(1 + n % 50, &[key.as_bytes(), b"\x02\0\0\0\x10moved", b"\x03\0\0\0\x10bank:x"], n % 3 > 0);
    }
    tested.flush();
    check_size("ten events a stream, a type and a tag", &tested);
}

#[test]
fn blocks_stand_in_groups() {
    let mut tested = Tested::new();
    for n in 0..4000u64 {
        let term = format!("\u{1}{:016x}{n:032}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        tested.add(1, &[term.as_bytes()], true);
    }
    tested.flush();
    let groups = block_on(tested.set.runs()[0].root()).unwrap().len();
    // 4,000 entries of some 50 bytes are some 450 blocks, which are two groups of up to 256.
    assert_eq!(groups, 2);
}
