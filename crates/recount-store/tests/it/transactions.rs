//! Producers' batches and transactions: offsets at once, positions when their turn comes.

use std::future::Future;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use expect_test::expect;
use recount_env::block_on;
use recount_store::{AppendError, AppendRequest, ProduceRequest};
use recount_types::{Partition, Time, TopicName};

use crate::support::{Bench, all, all_at_once, request, shown};

fn produce(bench: &Bench, transaction: Option<u64>, words: &str) {
    let events = request(words).events;
    let topic = events[0].topic.clone();
    let request = ProduceRequest { topic, partition: Partition(0), transaction, events };
    block_on(bench.store.produce(request)).unwrap();
}

#[test]
fn records_of_a_transaction_are_seen_once_it_is_committed() {
    for reopened in [false, true] {
        let mut bench = Bench::new();
        produce(&bench, Some(1), "a/1 a/2");
        produce(&bench, None, "a/3");
        produce(&bench, None, "b/1");
        produce(&bench, Some(1), "a/1");
        expect!["3 b/1 {}\n"].assert_eq(&bench.read(all()));
        if reopened {
            bench = bench.reopen();
        }
        block_on(bench.store.end_transaction(1, true)).unwrap();
        expect![[r#"
            3 b/1 {}
            4 a/1 {}
            5 a/2 {}
            6 a/3 {}
            7 a/1 {}
        "#]]
        .assert_eq(&bench.read(all()));
        let offsets: Vec<i64> =
            bench.events(crate::support::of_topic("a")).iter().map(|event| event.offset.0).collect();
        assert_eq!(offsets, [0, 1, 2, 3]);
        assert_eq!(bench.positions(crate::support::of_stream("a/1")), [4, 7]);
        expect!["8=a/1@2"].assert_eq(&bench.append("a/1 if a/1 1"));
    }
}

#[test]
fn an_abort_leaves_no_trace_in_positions() {
    let bench = Bench::new();
    produce(&bench, Some(1), "a/1 a/2");
    produce(&bench, None, "a/3");
    block_on(bench.store.end_transaction(1, false)).unwrap();
    expect!["3 a/3 {}\n"].assert_eq(&bench.read(all()));
    let bench = bench.reopen();
    expect!["3 a/3 {}\n"].assert_eq(&bench.read(all()));
    expect!["4=a/1@0"].assert_eq(&bench.append("a/1"));
}

#[test]
fn an_append_waits_for_the_transaction_before_it() {
    let bench = Bench::new();
    produce(&bench, Some(7), "a/1");
    let late = AppendRequest { deadline: Some(Duration::from_millis(1)), ..request("a/2") };
    expect!["the append waited for an open transaction of producer 7 on a partition 0 until its deadline. Nothing of it was stored; retry, or end the transaction"]
        .assert_eq(&shown(&block_on(bench.store.append(late))));
    expect!["3=b/1@0"].assert_eq(&bench.append("b/1"));
    let waiting = {
        let store = bench.store.clone();
        thread::spawn(move || shown(&block_on(store.append(request("a/2")))))
    };
    block_on(bench.store.end_transaction(7, true)).unwrap();
    expect!["5=a/2@0"].assert_eq(&waiting.join().unwrap());
}

/// Each waits until its own deadline, whoever came first.
#[test]
fn who_came_later_may_give_up_earlier() {
    let bench = Bench::new();
    produce(&bench, Some(7), "a/1");
    let until = |ms| AppendRequest { deadline: Some(Duration::from_millis(ms)), ..request("a/2") };
    let mut patient = Box::pin(bench.store.append(until(3_600_000)));
    assert!(patient.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    for ms in [20, 1] {
        let given_up = block_on(bench.store.append(until(ms)));
        assert!(matches!(given_up, Err(AppendError::TransactionOpen { producer: 7, .. })), "{given_up:?}");
    }
    block_on(bench.store.end_transaction(7, true)).unwrap();
    block_on(patient).unwrap();
}

/// However long a transaction is open, what waits for it is bounded, in number and in bytes.
#[test]
fn appends_that_wait_are_bounded() {
    let six = "a/2 a/2 a/2 a/2 a/2 a/2";
    for (words, event_bytes, most, free) in [("a/2", 10, 10_000, "7=b/1@0"), (six, 1_000_000, 11, "27=b/1@0")]
    {
        let bench = Bench::new();
        let append = |words: &str, event_bytes: usize| {
            let deadline = Some(Duration::from_secs(3600));
            let mut request = AppendRequest { deadline, ..request(words) };
            for write in &mut request.events {
                write.event.payload = format!("\"{}\"", "x".repeat(event_bytes)).into();
            }
            Box::pin(bench.store.append(request))
        };
        // The segments grow until there is room for the large ones: nothing waits for a roll below.
        for _ in 0..4 {
            block_on(append(&words.replace("a/", "b/"), event_bytes)).unwrap();
        }
        produce(&bench, Some(1), "a/1");
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting = Vec::new();
        for n in 0..most {
            waiting.push(append(words, event_bytes));
            assert!(waiting[n].as_mut().poll(&mut cx).is_pending(), "number {n} waits");
        }
        let one_more = block_on(append(words, event_bytes));
        assert!(matches!(one_more, Err(AppendError::Busy)), "{one_more:?}");
        if event_bytes > 10 {
            waiting.push(append("a/3", 10));
            assert!(waiting[most].as_mut().poll(&mut cx).is_pending(), "a small one has room");
        }
        assert_eq!(bench.append("b/1"), free);
        block_on(bench.store.end_transaction(1, true)).unwrap();
        // Together: one of them writes the group of all.
        block_on(all_at_once(waiting)).into_iter().for_each(|answer| drop(answer.unwrap()));
    }
}

/// Some with a time and some without once lost the times.
#[test]
fn a_batch_whose_events_have_times_only_in_part_is_refused() {
    let bench = Bench::new();
    let before = bench.store.head();
    let mut events = request("a/1 a/2").events;
    events[1].event.time = Some(Time(1_702_468_800_000_000));
    let topic = events[0].topic.clone();
    let request = ProduceRequest { topic, partition: Partition(0), transaction: None, events };
    let refused = block_on(bench.store.produce(request.clone())).unwrap_err();
    expect!["some events of the batch say when they happened and some do not: in one batch all must, or none. Nothing of this append was stored"]
        .assert_eq(&refused.to_string());
    let mut large = request;
    large.events[0].event.time = large.events[1].event.time;
    for write in &mut large.events {
        write.event.payload = format!("\"{}\"", "x".repeat(600_000)).into();
    }
    let refused = block_on(bench.store.produce(large)).unwrap_err();
    expect!["the batch has 1200086 bytes of records, the limit is 1048515: split it. Nothing of this append was stored"]
        .assert_eq(&refused.to_string());
    assert_eq!(bench.store.head(), before);
}

#[test]
fn a_batch_for_a_partition_that_is_not_there() {
    let bench = Bench::new();
    let events = request("b/1").events;
    let topic = TopicName::parse("b").unwrap();
    let request = ProduceRequest { topic, partition: Partition(3), transaction: None, events };
    let refused = block_on(bench.store.produce(request)).unwrap_err();
    expect!["topic b has 3 partitions, there is no partition 3. Nothing of this append was stored"]
        .assert_eq(&refused.to_string());
}
