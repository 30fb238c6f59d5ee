//! The store as its fronts see it.

use recount_env::{block_on, real};
use recount_store::*;
use recount_types::{NewEvent, Position, StreamName, TopicName};

#[test]
fn smoke() {
    let dir = std::env::temp_dir().join(format!("recount-smoke-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    block_on(async {
        let store = Store::open(real::env(), &dir, OpenOptions::default()).await.unwrap();
        store.execute("CREATE TOPIC t").await.unwrap();
        for i in 0..10 {
            let event = NewEvent { payload: format!("{{\"n\":{i}}}").into(), ..Default::default() };
            let write = EventWrite { topic: TopicName::parse("t").unwrap(), key: Some("k".into()), event };
            let appended =
                store.append(AppendRequest { events: vec![write], ..Default::default() }).await.unwrap();
            assert_eq!(appended.position(), Position(i + 2));
            assert_eq!(appended.events[0].revision.unwrap().0, i);
        }
        store.close().await.unwrap();
        let store = Store::open(real::env(), &dir, OpenOptions::default()).await.unwrap();
        assert_eq!(store.head(), Position(11));
        let stream = StreamName::parse("t/k").unwrap();
        assert_eq!(store.stream_length(&stream).await.unwrap(), 10);
        for scope in [
            Scope::Stream(stream),
            Scope::Topic(TopicName::parse("t").unwrap()),
            Scope::All { system: false },
        ] {
            for direction in [Direction::Forward, Direction::Backward] {
                let mut cursor =
                    store.read(ReadRequest { direction, ..ReadRequest::all(scope.clone()) }).await.unwrap();
                let mut seen = Vec::new();
                while let Some(event) = cursor.next().await.unwrap() {
                    seen.push(event.position.0);
                }
                let mut expected: Vec<u64> = (2..=11).collect();
                if direction == Direction::Backward {
                    expected.reverse();
                }
                assert_eq!(seen, expected, "{scope:?} {direction:?}");
            }
        }
        store.close().await.unwrap();
    });
    std::fs::remove_dir_all(&dir).unwrap();
}
