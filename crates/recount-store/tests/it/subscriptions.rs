//! Subscriptions: catching up and following are one; nothing is lost, repeated or out of order.

use std::thread;

use recount_env::block_on;
use recount_store::{Delivery, QueryItem, ReadError, Scope, SubscribeRequest};
use recount_types::{Position, TopicName};

use crate::support::{Bench, request};

fn subscribe(after: u64) -> SubscribeRequest {
    SubscribeRequest { scope: Scope::All { system: false }, after: Position(after), filter: Vec::new() }
}

#[test]
fn catches_up_then_follows() {
    let bench = Bench::new();
    bench.script("a/1\na/2");
    let mut subscription = bench.store.subscribe(subscribe(3));
    let mut next = || block_on(subscription.next()).unwrap();
    assert!(matches!(next(), Delivery::Event(event) if event.position.0 == 4));
    assert_eq!(next(), Delivery::CaughtUp(Position(4)));
    bench.append("a/1 b/1");
    assert!(matches!(next(), Delivery::Event(event) if event.position.0 == 5));
    assert!(matches!(next(), Delivery::Event(event) if event.position.0 == 6));
    assert_eq!(next(), Delivery::CaughtUp(Position(6)));
}

#[test]
fn tells_how_far_it_came_although_nothing_matched() {
    let bench = Bench::new();
    let topic = TopicName::parse("b").unwrap();
    let mut by_topic = bench.store.subscribe(SubscribeRequest { scope: Scope::Topic(topic), ..subscribe(0) });
    let filter = vec![QueryItem { types: vec!["rare".to_owned()], tags: Vec::new() }];
    let mut by_type = bench.store.subscribe(SubscribeRequest { filter, ..subscribe(0) });
    for position in [2, 3] {
        assert_eq!(block_on(by_topic.next()).unwrap(), Delivery::CaughtUp(Position(position)));
        assert_eq!(block_on(by_type.next()).unwrap(), Delivery::CaughtUp(Position(position)));
        bench.append("a/1");
    }
    bench.append("b/1:rare");
    assert!(matches!(block_on(by_topic.next()).unwrap(), Delivery::Event(event) if event.position.0 == 5));
    assert!(matches!(block_on(by_type.next()).unwrap(), Delivery::Event(event) if event.position.0 == 5));
}

#[test]
fn many_writers_and_a_follower_agree() {
    let bench = Bench::new();
    let follower = {
        let mut subscription = bench.store.subscribe(subscribe(2));
        thread::spawn(move || {
            let mut expected = 3;
            while expected < 403 {
                if let Delivery::Event(event) = block_on(subscription.next()).unwrap() {
                    assert_eq!(event.position.0, expected);
                    expected += 1;
                }
            }
        })
    };
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = bench.store.clone();
            thread::spawn(move || {
                for _ in 0..100 {
                    block_on(store.append(request(&format!("a/{writer}")))).unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    follower.join().unwrap();
}

#[test]
fn ends_when_the_database_is_closed() {
    let bench = Bench::new();
    let mut subscription = bench.store.subscribe(subscribe(2));
    assert_eq!(block_on(subscription.next()).unwrap(), Delivery::CaughtUp(Position(2)));
    let waiting = thread::spawn(move || block_on(subscription.next()));
    block_on(bench.store.close()).unwrap();
    assert_eq!(waiting.join().unwrap(), Err(ReadError::Closed));
}
