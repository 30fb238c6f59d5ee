//! Every way to read gives the same: events of their own or where they lie, forwards or backwards, found by the index or
//! in every group; over random logs with transactions, dropped topics, and groups that give positions to earlier ones.

use proptest::prelude::*;
use recount_env::block_on;
use recount_store::{
    Direction, EventView, EventWrite, From, ProduceRequest, QueryItem, ReadRequest, Scope, Store,
};
use recount_types::{Event, NewEvent, Partition, Position, Revision, StreamName, Tag, TopicName};

use crate::support::Bench;

/// What happens to a database.
#[derive(Debug, Clone)]
enum Step {
    Append(Vec<EventWrite>),
    Produce { transaction: Option<u64>, events: Vec<EventWrite> },
    End { producer: u64, committed: bool },
    Reopen,
    Drop,
}

fn event() -> impl Strategy<Value = EventWrite> {
    let choice = |of: &'static [&'static str]| proptest::sample::select(of);
    let topic = choice(&["a", "b", "c"]);
    let key = proptest::option::of(choice(&["1", "2", "3"]));
    let event_type = proptest::option::of(choice(&["made", "moved"]));
    let tags = proptest::collection::vec(choice(&["x:1", "x:2", "y:\"\u{e9}\""]), 0..3);
    let headers = proptest::collection::vec(choice(&["", "h"]), 0..3);
    let time = proptest::option::of(0i64..3);
    (topic, key, event_type, tags, headers, time, 0..99u8).prop_map(
        |(topic, key, event_type, tags, headers, time, number)| EventWrite {
            topic: topic.parse().unwrap(),
            key: key.map(Into::into),
            event: NewEvent {
                payload: number.to_string().into(),
                event_type: event_type.map(str::to_owned),
                time: time.map(|time| recount_types::Time(time * 777)),
                tags: tags.into_iter().map(|tag| Tag::parse(tag).unwrap()).collect(),
                headers: headers.into_iter().map(|text| (format!("n{text}"), text.into())).collect(),
                ..NewEvent::default()
            },
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let events = || proptest::collection::vec(event(), 1..6);
    prop_oneof![
        6 => events().prop_map(Step::Append),
        4 => (proptest::option::of(1..3u64), events()).prop_map(|(transaction, mut events)| {
            // A batch is of one topic, and all of it says when it happened, or none.
            let time = events[0].event.time;
            for event in &mut events {
                (event.topic, event.event.time) = ("b".parse().unwrap(), time);
            }
            Step::Produce { transaction, events }
        }),
        2 => (1..3u64, any::<bool>()).prop_map(|(producer, committed)| Step::End { producer, committed }),
        1 => Just(Step::Reopen),
        1 => Just(Step::Drop),
    ]
}

/// The database after some steps, and what is still to be seen of it.
fn after(steps: Vec<Step>) -> (Bench, Vec<Event>) {
    let mut bench = Bench::new();
    block_on(bench.store.execute("CREATE TOPIC c")).unwrap();
    let mut dropped = false;
    for step in steps {
        let store = &bench.store;
        match step {
            Step::Append(mut events) => {
                // What has to wait for a transaction is not what this is about.
                let away = |topic: &TopicName| topic.as_str() == "b" || (dropped && topic.as_str() == "c");
                for event in events.iter_mut().filter(|event| away(&event.topic)) {
                    event.topic = "a".parse().unwrap();
                }
                let request = recount_store::AppendRequest { events, ..Default::default() };
                block_on(store.append(request)).unwrap();
            }
            Step::Produce { transaction, events } => {
                let (topic, partition) = ("b".parse().unwrap(), Partition(0));
                block_on(store.produce(ProduceRequest { topic, partition, transaction, events })).unwrap();
            }
            Step::End { producer, committed } => {
                block_on(store.end_transaction(producer, committed)).unwrap()
            }
            Step::Reopen => bench = bench.reopen(),
            Step::Drop if !dropped => {
                block_on(store.execute("DROP TOPIC c")).unwrap();
                dropped = true;
            }
            Step::Drop => {}
        }
    }
    let seen = bench.events(ReadRequest::all(Scope::All { system: true }));
    (bench, seen)
}

fn read() -> impl Strategy<Value = ReadRequest> {
    let scope = prop_oneof![
        any::<bool>().prop_map(|system| Scope::All { system }),
        proptest::sample::select(&["a", "b"][..]).prop_map(|name| Scope::Topic(name.parse().unwrap())),
        proptest::sample::select(&["a/1", "b/2", "b/3"][..])
            .prop_map(|name| Scope::Stream(StreamName::parse(name).unwrap())),
    ];
    let from = prop_oneof![
        Just(From::Start),
        (0..40u64).prop_map(|at| From::Position(Position(at))),
        (0..40u64).prop_map(|at| From::After(Position(at))),
    ];
    let item = (proptest::option::of(Just("made")), proptest::option::of(Just("x:1"))).prop_map(
        |(event_type, tag)| QueryItem {
            types: event_type.into_iter().map(str::to_owned).collect(),
            tags: tag.into_iter().map(|tag| Tag::parse(tag).unwrap()).collect(),
        },
    );
    let filter = proptest::collection::vec(item, 0..3);
    let as_of = prop_oneof![Just(u64::MAX), 0..40u64].prop_map(Position);
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    (scope, from, direction, proptest::option::of(0..9usize), filter, as_of).prop_map(
        |(scope, from, direction, limit, filter, as_of)| ReadRequest {
            scope,
            from,
            direction,
            limit,
            filter,
            as_of,
        },
    )
}

/// What a read has to give, out of everything.
fn expected(request: &ReadRequest, seen: &[Event], as_of: Position) -> Vec<Event> {
    let ReadRequest { scope, from, direction, limit, filter, .. } = request;
    let mut revision = 0;
    let mut events: Vec<Event> = Vec::new();
    for event in seen.iter().filter(|event| event.position <= as_of) {
        let mut event = event.clone();
        let in_scope = match scope {
            Scope::All { system } => *system || !event.topic.is_system(),
            Scope::Topic(topic) => event.topic == *topic,
            Scope::Stream(stream) => event.stream().as_ref() == Some(stream),
        };
        if !in_scope {
            continue;
        }
        if matches!(scope, Scope::Stream(_)) {
            event.revision = Some(Revision(revision));
            revision += 1;
        }
        let from_there = match (from, direction) {
            (From::Position(at), Direction::Forward) => event.position >= *at,
            (From::Position(at), Direction::Backward) => event.position <= *at,
            (From::After(at), Direction::Forward) => event.position > *at,
            (From::After(at), Direction::Backward) => event.position < *at,
            _ => true,
        };
        let matches = recount_store::condition::any_matches(filter, event.event_type.as_deref(), &event.tags);
        if from_there && matches {
            events.push(event);
        }
    }
    if *direction == Direction::Backward {
        events.reverse();
    }
    events.truncate(limit.unwrap_or(usize::MAX));
    events
}

async fn owned(store: &Store, request: ReadRequest) -> Vec<Event> {
    let mut cursor = store.read(request).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = cursor.next().await.unwrap() {
        events.push(event);
    }
    events
}

async fn where_they_lie(store: &Store, request: ReadRequest) -> Vec<Event> {
    let mut cursor = store.read(request).await.unwrap();
    let mut events = Vec::new();
    while cursor.load().await.unwrap() {
        while let Some(view) = cursor.take().unwrap() {
            events.push(of(&view));
        }
    }
    assert!(!cursor.load().await.unwrap() && cursor.take().unwrap().is_none(), "the end is the end");
    events
}

/// An event made of what is to be seen of it.
fn of(view: &EventView<'_>) -> Event {
    let event = Event {
        position: view.position,
        topic: view.topic.clone(),
        key: view.key.map(|key| key.to_vec().into()),
        revision: view.revision,
        partition: view.partition,
        offset: view.offset,
        id: view.id.map(str::to_owned),
        event_type: view.event_type.map(str::to_owned),
        event_time: view.event_time,
        append_time: view.append_time,
        tags: view.tags().map(|tag| Tag::parse(&tag).unwrap()).collect(),
        content_type: view.content_type.map(str::to_owned),
        headers: view.headers().map(|(name, value)| (name.to_owned(), value.to_vec().into())).collect(),
        payload: view.payload.to_vec().into(),
    };
    assert_eq!(view.to_event(), event);
    event
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_way_to_read_gives_the_same(
        steps in proptest::collection::vec(step(), 1..16),
        reads in proptest::collection::vec(read(), 1..24),
    ) {
        let (bench, seen) = after(steps);
        for read in reads {
            let as_of = block_on(bench.store.read(read.clone())).unwrap().as_of();
            let expected = expected(&read, &seen, as_of);
            prop_assert_eq!(&block_on(owned(&bench.store, read.clone())), &expected, "{:?}", read);
            prop_assert_eq!(&block_on(where_they_lie(&bench.store, read.clone())), &expected, "{:?}", read);
        }
    }
}

/// The events of a stream in batches so large that they are read in pieces; the second time by what was learnt.
#[test]
fn streams_in_large_batches() {
    let append = |bench: &Bench, first: usize| {
        let events = (first..first + 700).map(|number| EventWrite {
            topic: "a".parse().unwrap(),
            key: Some((number % 7).to_string().into()),
            event: NewEvent {
                payload: format!("[{number},{:?}]", "x".repeat(number % 80)).into(),
                ..NewEvent::default()
            },
        });
        let request = recount_store::AppendRequest { events: events.collect(), ..Default::default() };
        block_on(bench.store.append(request)).unwrap();
    };
    let bench = Bench::new();
    (0..5).for_each(|group| append(&bench, group * 700));
    // What was just written is in memory.
    let bench = bench.reopen();
    let seen = bench.events(ReadRequest::all(Scope::All { system: true }));
    assert_eq!(seen.len(), 2 + 5 * 700);
    for direction in [Direction::Forward, Direction::Backward] {
        for key in [0, 3, 0, 6, 3] {
            let stream = Scope::Stream(StreamName::parse(&format!("a/{key}")).unwrap());
            let read = ReadRequest { direction, ..ReadRequest::all(stream) };
            let expected = expected(&read, &seen, Position::MAX);
            assert_eq!(expected.len(), 500);
            assert_eq!(block_on(where_they_lie(&bench.store, read.clone())), expected);
            assert_eq!(block_on(owned(&bench.store, read)), expected);
        }
    }
}

/// One record was read of a batch that had been verified before: a byte that changed since then in the file must be
/// noticed, whether the batch's checksum or that of a piece covers it.
#[test]
fn damage_is_noticed_in_what_was_verified_before() {
    for learnt in [false, true] {
        let bench = Bench::new();
        let events = (0..700).map(|number: u32| EventWrite {
            topic: "a".parse().unwrap(),
            key: Some(number.to_string().into()),
            event: NewEvent { payload: format!("\"{:0>40}\"", number).into(), ..NewEvent::default() },
        });
        let request = recount_store::AppendRequest { events: events.collect(), ..Default::default() };
        block_on(bench.store.append(request)).unwrap();
        let bench = bench.reopen();
        let read = || ReadRequest::all(Scope::Stream(StreamName::parse("a/432").unwrap()));
        let next = || block_on(async { bench.store.read(read()).await?.next().await });
        if learnt {
            assert_eq!(next().unwrap().unwrap().payload.len(), 42);
        }
        let directory = std::path::Path::new("/db/journal");
        let mut damaged = 0;
        for name in block_on(bench.env.files.list(directory)).unwrap() {
            let path = directory.join(&name);
            let Ok(file) = block_on(bench.env.files.open(&path, recount_env::OpenMode::ReadWrite)) else {
                continue;
            };
            let mut bytes = vec![0; block_on(file.len()).unwrap() as usize];
            block_on(file.read_at(0, &mut bytes)).unwrap();
            let text = format!("{:0>40}", 432);
            if let Some(at) = bytes.windows(40).position(|window| window == text.as_bytes()) {
                block_on(file.write_at(at as u64, b"1")).unwrap();
                damaged += 1;
            }
        }
        assert_eq!(damaged, 1);
        let error = next().unwrap_err().to_string();
        let part = if learnt { "a part fails its checksum" } else { "batch fails its checksum" };
        assert!(
            error.contains("/db/journal/") && error.contains("offset") && error.contains(part),
            "{error}"
        );
    }
}
