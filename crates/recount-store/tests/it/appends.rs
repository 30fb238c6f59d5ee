//! Appends: positions, revisions, conditions, ids, limits.

use std::pin::Pin;

use expect_test::expect;
use recount_env::block_on;
use recount_store::{AppendError, AppendRequest, Appended};
use recount_types::Kind;

use crate::support::{Bench, all_at_once, request};

#[test]
fn positions_run_on_and_revisions_by_stream() {
    let bench = Bench::new();
    expect![[r#"
        3=a/1@0
        4=a/1@1 5=a/2@0 6=b/1@0
        7
        8=a/@0
    "#]]
    .assert_eq(&bench.script("a/1\na/1 a/2 b/1\na\na/"));
    let bench = bench.reopen();
    expect!["9=a/1@2 10=a/1@3"].assert_eq(&bench.append("a/1 a/1"));
}

#[test]
fn expected_revisions() {
    let bench = Bench::new();
    expect![[r#"
        3=a/1@0
        conflict: a/1 is at revision 0, you expected no stream. Read a/1 and decide again
        4=a/1@1
        conflict: a/1 is at revision 1, you expected 0. Read from 1 and decide again
        conflict: a/2 has no events, you expected an existing stream. Read a/2 and decide again
        5=a/2@0
        6=b/1@0
        conflict: a/1 is at revision 1, you expected no stream. Read a/1 and decide again
    "#]]
    .assert_eq(&bench.script(
        "a/1 if a/1 none
        a/1 if a/1 none
        a/1 if a/1 0
        a/1 if a/1 0
        a/2 if a/2 some
        a/2 if a/2 any
        b/1 if a/1 some if a/2 0 if b/1 none
        b/1 if b/1 0 if a/1 none",
    ));
    // The same after a restart, where the counts come from replay.
    let bench = bench.reopen();
    expect!["conflict: a/1 is at revision 1, you expected 0. Read from 1 and decide again"]
        .assert_eq(&bench.append("a/1 if a/1 0"));
    // Nothing lies behind what was expected: there is no use in reading there.
    expect!["conflict: a/1 is at revision 1, you expected 7. Read a/1 and decide again"]
        .assert_eq(&bench.append("a/1 if a/1 7"));
}

#[test]
fn nothing_matches_after_a_position() {
    let bench = Bench::new();
    expect![[r##"
        3=a/1@0
        4=b/1@0
        conflict: an event that matches the condition was appended at position 3, after 2. Read from 3 and decide again
        5=a/9@0
        conflict: an event that matches the condition was appended at position 4, after 0. Read from 1 and decide again
        6=a/9@1
        7=a/9@2
        conflict: an event that matches the condition was appended at position 4, after 0. Read from 1 and decide again
        8=a/9@3
        9=a/9@4
        conflict: an event that matches the condition was appended at position 3, after 0. Read from 1 and decide again
    "##]]
    .assert_eq(&bench.script(
        "a/1:opened #owner:ann #city:ulm
        b/1:closed #owner:ann
        a/9 unless #owner:ann after 2
        a/9 unless #owner:ann after 4
        a/9 unless closed #owner:ann after 0
        a/9 unless in:a closed #owner:ann after 0
        a/9 unless opened #owner:bob after 0
        a/9 unless #owner:bob or closed after 0
        a/9 unless #city:ulm after 3
        a/9 unless #owner:bob or in:b opened after 0
        a/9 unless #city:ulm #owner:ann after 0",
    ));
}

#[test]
fn a_condition_on_everything_is_refused() {
    let bench = Bench::new();
    expect!["a condition must name at least one type or tag in each of its items. Nothing of this append was stored"]
        .assert_eq(&bench.append("a/1 unless in:a after 0"));
}

#[test]
fn the_same_ids_are_the_same_append() {
    let bench = Bench::new();
    expect![[r#"
        3=a/1@0 4=a/2@0
        3=a/1@0 4=a/2@0 again
        3=a/1@0 4=a/2@0 again
        conflict: the id "x" was used in topic a at position 3, for other content or in another append. Use a new id
        conflict: the id "x" was used in topic a at position 3, for other content or in another append. Use a new id
        5=b/1@0
        event 1: its id occurs twice in this append. Nothing of this append was stored
    "#]]
    .assert_eq(&bench.script(
        "a/1 !x a/2 !y
        a/1 !x a/2 !y
        a/1 !x a/2 !y if a/1 none
        a/1 !x ={\"n\":2}
        a/1 !x a/2 !z
        b/1 !x
        a/1 !w a/2 !w",
    ));
    let bench = bench.reopen();
    expect!["3=a/1@0 4=a/2@0 again"].assert_eq(&bench.append("a/1 !x a/2 !y"));
}

#[test]
fn what_is_refused_says_why_and_leaves_nothing() {
    let bench = Bench::new();
    let before = bench.store.head();
    expect![[r#"
        there is no topic c. Create it first: CREATE TOPIC c
        topic _catalog belongs to the system; only Recount itself writes to it
        topic _imports belongs to the system; only Recount itself writes to it
        there is no topic c. Create it first: CREATE TOPIC c
        there is no topic c. Create it first: CREATE TOPIC c
    "#]]
    .assert_eq(&bench.script("c/1\n_catalog/a\n_imports/a\na/1 if c/1 none\na/1 unless in:c opened after 0"));
    let none = block_on(bench.store.append(AppendRequest::default())).unwrap_err();
    assert_eq!(none.kind(), Kind::Invalid);
    let mut many = request("a/1");
    many.events = vec![many.events[0].clone(); 10_001];
    let many = block_on(bench.store.append(many)).unwrap_err();
    expect!["the append has 10001 events, the limit is 10000: split it. Nothing of this append was stored"]
        .assert_eq(&many.to_string());
    let mut large = request("a/1");
    large.events[0].event.payload = format!("\"{}\"", "x".repeat(1 << 20)).into();
    let too_large = block_on(bench.store.append(large.clone())).unwrap_err();
    expect![[r#"event 0: the event has 1048619 bytes with its key and headers, the limit is 1048515: keep what is so large elsewhere, and its address here. Nothing of this append was stored"#]]
        .assert_eq(&too_large.to_string());
    large.events[0].event.payload = format!("\"{}\"", "x".repeat(1_000_000)).into();
    large.events = vec![large.events[0].clone(); 8];
    let large = block_on(bench.store.append(large)).unwrap_err();
    assert!(
        matches!(&large, AppendError::BadRequest { what } if what.contains("the limit is 7340032")),
        "{large}"
    );
    let mut long_key = request("a/1");
    long_key.events[0].key = Some(vec![b'k'; 65_537].into());
    let long_key = block_on(bench.store.append(long_key)).unwrap_err();
    expect!["event 0: the key has 65537 bytes, the limit is 65536. Nothing of this append was stored"]
        .assert_eq(&long_key.to_string());
    assert_eq!(bench.store.head(), before);
}

#[test]
fn the_largest_append_and_the_longest_key_are_taken() {
    let bench = Bench::new();
    let mut most = request("a/1");
    most.events = vec![most.events[0].clone(); 10_000];
    let appended = block_on(bench.store.append(most)).unwrap();
    assert_eq!(appended.events.len(), 10_000);
    // A batch is at most 1 MiB (GROUND rule 7); one event once made one of 7.
    let mut large = request("a/1");
    large.events[0].key = Some(vec![b'k'; 65_536].into());
    let payload_bytes = (1 << 20) - 61 - 40 - 65_536;
    large.events[0].event.payload = format!("\"{}\"", "x".repeat(payload_bytes - 2)).into();
    large.events = vec![large.events[0].clone(); 7];
    block_on(bench.store.append(large.clone())).unwrap();
    large.events.truncate(1);
    large.events[0].event.payload = format!("\"{}\"", "x".repeat(payload_bytes - 1)).into();
    block_on(bench.store.append(large)).unwrap_err();
    let bench = bench.reopen();
    assert_eq!(bench.store.head().0, 2 + 10_000 + 7);
}

/// An append that nobody waits for any more may have been leading the others: another must take over.
#[test]
fn appends_that_are_dropped_stop_nobody() {
    let bench = Bench::new();
    for round in 0..50 {
        let dropped = bench.store.append(request("a/dropped"));
        drop(dropped);
        let mut polled = Box::pin(bench.store.append(request("a/polled")));
        let waker = std::task::Waker::noop();
        let _ = polled.as_mut().poll(&mut std::task::Context::from_waker(waker));
        drop(polled);
        let answer = bench.append("a/kept");
        assert!(answer.ends_with(&format!("a/kept@{round}")), "{answer}");
    }
}

/// An append that leads and has not begun its group: it lets others go first. A caller that was alone so far does that for
/// one group in sixteen.
fn that_lets_others_go_first<'a>(bench: &'a Bench, words: &str) -> (Appending<'a>, u64) {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for before in 0..16 {
        let mut append: Appending<'_> = Box::pin(bench.store.append(request(words)));
        if append.as_mut().poll(&mut cx).is_pending() {
            return (append, before);
        }
    }
    panic!("it never lets others go first");
}

type Appending<'a> = Pin<Box<dyn Future<Output = Result<Appended, AppendError>> + 'a>>;

/// A single client once waited for a second thread at each append, which took the append over to see nobody there.
#[test]
fn who_is_alone_waits_for_nobody_but_finds_out_when_others_come() {
    let bench = Bench::new();
    // The two statements of the bench were alone, too.
    let (append, before) = that_lets_others_go_first(&bench, "a/1");
    assert_eq!(before, 14);
    block_on(append).unwrap();
    let (first, before) = that_lets_others_go_first(&bench, "a/1");
    assert_eq!(before, 15);
    let both: Vec<Appending<'_>> = vec![Box::pin(bench.store.append(request("a/2"))), first];
    block_on(all_at_once(both)).into_iter().for_each(|answer| drop(answer.unwrap()));
    // Two shared a group: there may be others again.
    assert_eq!(that_lets_others_go_first(&bench, "a/1").1, 0);
}

/// The first append's caller has the lead, and something else to do: `select!` in a loop keeps futures like that. The
/// second append waited for it for ever.
#[test]
fn an_append_that_nobody_polls_stops_nobody() {
    let bench = Bench::new();
    let mut appends = 0;
    for _ in 0..3 {
        let (kept, before) = that_lets_others_go_first(&bench, "a/1");
        let answer = bench.append("b/1");
        assert!(answer.contains("=b/1@"), "{answer}");
        appends += before + 1;
        assert_eq!(block_on(kept).unwrap().events[0].revision.unwrap().0, appends - 1);
    }
}

#[test]
fn closing_waits_for_no_caller() {
    let bench = Bench::new();
    let (kept, before) = that_lets_others_go_first(&bench, "a/1");
    block_on(bench.store.close()).unwrap();
    assert_eq!(block_on(kept).unwrap().position().0, 3 + before, "it was accepted before");
}

#[test]
fn nothing_is_accepted_after_closing() {
    let bench = Bench::new();
    block_on(bench.store.close()).unwrap();
    block_on(bench.store.close()).unwrap();
    expect!["the database is closed. Whether this append was stored is unknown: restart, then read it back"]
        .assert_eq(&bench.append("a/1"));
}
