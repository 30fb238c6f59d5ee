//! What clients do: appends of every kind, transactions, reads, subscriptions, statements, clock readings.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use recount_env::sim::World;
use recount_store::{
    AppendError, AppendRequest, Appended, AppendedEvent, Condition, Delivery, EventQuery, EventWrite,
    Expected, From, ProduceRequest, QueryItem, ReadRequest, Scope, Store, SubscribeRequest,
};
use recount_types::{Kind, NewEvent, Partition, Position, Revision, StreamName, Tag, Time, TopicName};

use crate::check;
use crate::model::{Fate, Model, Op, Outcome, payload};

/// The model, shared by the clients.
pub type SharedModel = Arc<Mutex<Model>>;

/// Topics and their numbers of partitions.
pub const TOPICS: [(&str, u32); 2] = [("a", 1), ("b", 3)];
const KEYS: u64 = 5;

pub(crate) fn lock(model: &SharedModel) -> MutexGuard<'_, Model> {
    model.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// One client: `operations` of random kinds, one after another.
pub async fn client(world: World, store: Store, model: SharedModel, number: u64, operations: u64) {
    let mut producer: Option<u64> = None;
    for _ in 0..operations {
        lock(&model).operations += 1;
        match world.random(20) {
            0..=9 => append(&world, &store, &model).await,
            10..=12 => produce(&world, &store, &model, number, &mut producer).await,
            13 => end_transaction(&world, &store, &model, &mut producer).await,
            14 => retry(&world, &store, &model).await,
            15..=17 => read(&world, &store, &model).await,
            18 => as_of(&world, &store, &model).await,
            _ => statement(&world, &store, &model).await,
        }
        if lock(&model).failure.is_some() {
            return;
        }
    }
    if let Some(producer) = producer.take() {
        end(&store, &model, producer, world.random(2) == 0).await;
    }
}

/// Creates the topics; false if a fault prevents it.
pub async fn create_topics(store: &Store, model: &SharedModel) -> bool {
    for (name, partitions) in TOPICS {
        if store.topic(name).is_none() {
            let sql = if partitions == 1 {
                format!("CREATE TOPIC {name}")
            } else {
                format!("CREATE TOPIC {name} PARTITIONS {partitions}")
            };
            match store.execute(&sql).await {
                Ok(_) => {}
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => {
                    refused(model, error.kind(), &error.to_string());
                    return false;
                }
            }
        }
        lock(model).topics.insert(name.to_owned());
    }
    true
}

fn random_stream(world: &World) -> StreamName {
    let (topic, _) = TOPICS[world.random(2) as usize];
    StreamName { topic: name(topic), key: Bytes::from(world.random(KEYS).to_string()) }
}

fn name(topic: &str) -> TopicName {
    TopicName::parse(topic).expect("a topic's name")
}

fn random_tag(world: &World) -> Tag {
    Tag::parse(&format!("t:{}", world.random(6))).expect("a tag")
}

fn event(world: &World, op: u64, index: usize) -> NewEvent {
    let padding = match world.random(40) {
        0 => 3000,
        1..=4 => 700,
        _ => world.random(60) as usize,
    };
    let tags = if world.random(3) == 0 { vec![random_tag(world)] } else { Vec::new() };
    let event_type = (world.random(2) == 0).then(|| format!("type{}", world.random(3)));
    let time = (world.random(4) == 0).then(|| Time(1_702_000_000_000_000 + world.random(1000) as i64));
    NewEvent { payload: payload(op, index, padding).into(), event_type, tags, time, ..NewEvent::default() }
}

/// A refusal that only a fault explains ends nothing; anything else is noted by the caller.
fn refused(model: &SharedModel, kind: Kind, what: &str) {
    if matches!(kind, Kind::Invalid | Kind::NotFound | Kind::Denied) {
        lock(model).fail(format!("refused for no reason: {what}"));
    }
}

async fn append(world: &World, store: &Store, model: &SharedModel) {
    let count = match world.random(10) {
        0 => 1 + world.random(20) as usize,
        1..=3 => 2,
        _ => 1,
    };
    let first = random_stream(world);
    let streams: Vec<Option<StreamName>> = (0..count)
        .map(|_| match world.random(6) {
            0 => None,
            1..=2 => Some(random_stream(world)),
            _ => Some(first.clone()),
        })
        .collect();
    let mut conditions = Vec::new();
    if world.random(2) == 0 {
        let stream = streams[0].clone().unwrap_or_else(|| random_stream(world));
        let Ok(length) = store.stream_length(&stream).await else { return };
        let expected = match world.random(8) {
            0 => Expected::NoStream,
            1 => Expected::Exists,
            2 => Expected::Exact(Revision(length)),
            _ if length > 0 => Expected::Exact(Revision(length - 1)),
            _ => Expected::NoStream,
        };
        conditions.push(Condition::Stream { stream, expected });
    }
    if world.random(5) == 0 {
        let head = store.head().0;
        let query = EventQuery {
            topics: if world.random(2) == 0 { vec![name("a")] } else { Vec::new() },
            items: vec![QueryItem {
                types: if world.random(2) == 0 { vec!["type1".to_owned()] } else { Vec::new() },
                tags: vec![random_tag(world)],
            }],
        };
        let after = Position(head.saturating_sub(world.random(20)));
        conditions.push(Condition::NoMatch { query, after });
    }
    let op = lock(model).begin(Op {
        count,
        streams: streams.clone(),
        conditions: conditions.clone(),
        transaction: None,
        batch: false,
        fate: Fate::Unknown,
    });
    let with_ids = world.random(6) == 0;
    let request = request(world, op, &streams, conditions, with_ids);
    let answer = store.append(request).await;
    note(store, model, op, answer).await;
}

fn request(
    world: &World,
    op: u64,
    streams: &[Option<StreamName>],
    conditions: Vec<Condition>,
    with_ids: bool,
) -> AppendRequest {
    let write = |(index, stream): (usize, &Option<StreamName>)| {
        let mut event = event(world, op, index);
        event.id = with_ids.then(|| format!("{op}-{index}"));
        EventWrite {
            topic: stream.as_ref().map_or_else(|| name("a"), |stream| stream.topic.clone()),
            key: stream.as_ref().map(|stream| stream.key.clone()),
            event,
        }
    };
    let events = streams.iter().enumerate().map(write).collect();
    let deadline = Some(std::time::Duration::from_millis(1 + world.random(50)));
    AppendRequest { events, conditions, deadline }
}

async fn note(store: &Store, model: &SharedModel, op: u64, answer: Result<Appended, AppendError>) {
    match answer {
        Ok(appended) => {
            let positions: Vec<Position> = appended.events.iter().map(|event| event.position).collect();
            let mut model = lock(model);
            if appended.duplicate {
                return model.fail(format!("operation {op} was taken for a duplicate"));
            }
            if positions.windows(2).any(|pair| pair[1].0 != pair[0].0 + 1) {
                model.fail(format!("operation {op} got {positions:?}"));
            }
            if store.head() < appended.position() {
                model.fail(format!("operation {op} was acknowledged before it was visible"));
            }
            model.head = model.head.max(appended.position().0);
            model.end(op, Fate::Done(positions));
            let unknown =
                appended.events.iter().any(|event| event.stream.is_some() && event.revision.is_none());
            if unknown && !model.reads_fail {
                model.fail(format!("operation {op} was not told a revision"));
            }
            let told = appended.events.iter().filter_map(|event| Some((event.position.0, event.revision?)));
            model.revisions.extend(told);
        }
        Err(AppendError::Closed { .. }) => {}
        Err(error) => {
            lock(model).end(op, Fate::Refused);
            match &error {
                AppendError::WrongRevision { stream, actual, .. } => {
                    lock(model).told_length(stream, *actual);
                    let told = actual.map_or(0, |revision| revision.0 + 1);
                    match store.stream_length(stream).await {
                        Ok(length) if length < told => {
                            lock(model).fail(format!(
                                "a refusal told of {told} events of {stream}, {length} are visible"
                            ));
                        }
                        _ => {}
                    }
                }
                AppendError::Matched { at, .. } => {
                    let mut model = lock(model);
                    if store.head() < *at {
                        model.fail(format!("a refusal told of position {at}, which is not visible"));
                    }
                    model.head = model.head.max(at.0);
                }
                error => refused(model, error.kind(), &error.to_string()),
            }
        }
    }
}

/// Makes an append with ids twice: the second answer must be the first one's.
async fn retry(world: &World, store: &Store, model: &SharedModel) {
    let streams = vec![Some(random_stream(world)), Some(random_stream(world))];
    let op = lock(model).begin(Op {
        count: 2,
        streams: streams.clone(),
        conditions: Vec::new(),
        transaction: None,
        batch: false,
        fate: Fate::Unknown,
    });
    let request = request(world, op, &streams, Vec::new(), true);
    let first = store.append(request.clone()).await;
    let answered = first.as_ref().ok().cloned();
    note(store, model, op, first).await;
    let Some(first) = answered else { return };
    match store.append(request).await {
        Ok(second) if second.duplicate && agree(&first, &second) => {}
        Ok(second) => {
            lock(model).fail(format!("a retry of operation {op} was answered with {second:?}, not {first:?}"))
        }
        Err(AppendError::IdReused { .. }) => {
            lock(model).fail(format!("a retry of operation {op} was refused"))
        }
        Err(_) => {}
    }
}

/// The same events; a revision may have been untold the first time.
fn agree(first: &Appended, second: &Appended) -> bool {
    let told = first.events.iter().zip(&second.events).map(|(first, second)| AppendedEvent {
        revision: first.revision.or(second.revision),
        ..first.clone()
    });
    told.eq(second.events.iter().cloned())
}

async fn produce(world: &World, store: &Store, model: &SharedModel, number: u64, producer: &mut Option<u64>) {
    let transaction = if world.random(3) > 0 {
        let mut model = lock(model);
        let fresh = model.next_id() * 100 + number;
        let id = *producer.get_or_insert(fresh);
        model.transactions.entry(id).or_insert(Outcome::Open);
        Some(id)
    } else {
        None
    };
    let (topic, partitions) = TOPICS[world.random(2) as usize];
    let partition = Partition(world.random(partitions.into()) as u32);
    let count = 1 + world.random(3) as usize;
    let key = Bytes::from(world.random(KEYS).to_string());
    let stream = StreamName { topic: name(topic), key };
    let op = lock(model).begin(Op {
        count,
        streams: vec![Some(stream.clone()); count],
        conditions: Vec::new(),
        transaction,
        batch: true,
        fate: Fate::Unknown,
    });
    let write = |index| EventWrite {
        topic: stream.topic.clone(),
        key: Some(stream.key.clone()),
        event: event(world, op, index),
    };
    let mut events: Vec<EventWrite> = (0..count).map(write).collect();
    // All records of a batch say when they happened, or none does.
    let timed = events.iter().any(|write| write.event.time.is_some());
    for write in &mut events {
        write.event.time = timed.then(|| write.event.time.unwrap_or(Time(1_702_000_000_000_000)));
    }
    let request = ProduceRequest { topic: name(topic), partition, transaction, events };
    match store.produce(request).await {
        Ok(()) => lock(model).end(op, Fate::Done(Vec::new())),
        Err(AppendError::Closed { .. }) => {}
        Err(error) => {
            lock(model).end(op, Fate::Refused);
            refused(model, error.kind(), &error.to_string());
        }
    }
}

async fn end_transaction(world: &World, store: &Store, model: &SharedModel, producer: &mut Option<u64>) {
    if let Some(producer) = producer.take() {
        end(store, model, producer, world.random(3) > 0).await;
    }
}

/// Ends a transaction and notes the outcome.
pub async fn end(store: &Store, model: &SharedModel, producer: u64, commit: bool) {
    let (maybe, surely) = if commit {
        (Outcome::MaybeCommitted, Outcome::Committed)
    } else {
        (Outcome::MaybeAborted, Outcome::Aborted)
    };
    lock(model).transactions.insert(producer, maybe);
    match store.end_transaction(producer, commit).await {
        Ok(()) => {
            lock(model).transactions.insert(producer, surely);
        }
        Err(AppendError::Closed { .. }) => {}
        Err(_) => {
            lock(model).transactions.insert(producer, Outcome::Open);
        }
    }
}

async fn read(world: &World, store: &Store, model: &SharedModel) {
    let head = store.head();
    let from = Position(1 + world.random(head.0 + 1));
    let request = ReadRequest { from: From::Position(from), ..ReadRequest::all(Scope::All { system: true }) };
    let mut cursor = match store.read(request).await {
        Ok(cursor) => cursor,
        Err(error) => return refused(model, error.kind(), &error.to_string()),
    };
    if cursor.as_of() < head {
        return lock(model).fail(format!("a read at head {head} is as of {}", cursor.as_of()));
    }
    let mut expected = from.0;
    loop {
        match cursor.next().await {
            Ok(Some(event)) => {
                let mut model = lock(model);
                if event.position.0 != expected {
                    return model.fail(format!(
                        "a read gave position {} after {}",
                        event.position,
                        expected - 1
                    ));
                }
                expected += 1;
                model.observe(&event);
            }
            Ok(None) => break,
            Err(error) => return refused(model, error.kind(), &error.to_string()),
        }
    }
    if expected <= cursor.as_of().0 && from <= cursor.as_of() {
        lock(model).fail(format!("a read as of {} ended at {}", cursor.as_of(), expected - 1));
    }
}

/// Reads as of a position: whole appends only.
async fn as_of(world: &World, store: &Store, model: &SharedModel) {
    let as_of = Position(world.random(store.head().0 + 1));
    let request = ReadRequest { as_of, ..ReadRequest::all(Scope::All { system: true }) };
    let events = match check::read_all(store, request).await {
        Ok(events) => events,
        Err(error) => return refused(model, error.kind(), &error.to_string()),
    };
    let last = events.last().map_or(0, |event| event.position.0);
    let mut model = lock(model);
    if last > as_of.0 {
        return model.fail(format!("a read as of {as_of} gave position {last}"));
    }
    let mut counts = std::collections::BTreeMap::<u64, usize>::new();
    for event in &events {
        model.observe(event);
        if let Some((op, _)) = crate::model::Seen::of(event).op {
            *counts.entry(op).or_default() += 1;
        }
    }
    for (op, count) in counts {
        if model.ops.get(&op).is_some_and(|known| known.count != count) {
            return model.fail(format!("a read as of {as_of} gave {count} events of operation {op}"));
        }
    }
}

/// Creates and drops a topic of no further use, or reads the clock, or lets it jump.
async fn statement(world: &World, store: &Store, model: &SharedModel) {
    match world.random(4) {
        0 => {
            let topic = format!("x{}", world.random(3));
            let sql = if store.topic(&topic).is_some() {
                format!("DROP TOPIC {topic}")
            } else {
                format!("CREATE TOPIC {topic}")
            };
            let _ = store.execute(&sql).await;
        }
        1 => world.jump_wall(world.random(200_000_000) as i64 - 100_000_000),
        _ => {
            let last = store.stats().last_append_time;
            let time = Time(last.0 - world.random(1_000_000) as i64);
            let Ok(position) = store.position_at(time).await else { return };
            let request = ReadRequest { as_of: position, ..ReadRequest::all(Scope::All { system: true }) };
            let Ok(events) = check::read_all(store, request).await else { return };
            if let Some(event) = events.iter().find(|event| event.append_time > time) {
                let what = format!(
                    "position {} was appended at {}, after {time}",
                    event.position, event.append_time
                );
                lock(model).fail(what);
            }
        }
    }
}

/// Follows everything from the beginning: no gap, no repeat, in order.
pub async fn subscriber(store: Store, model: SharedModel, after: Arc<Mutex<u64>>) {
    let position = *after.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let request = SubscribeRequest {
        scope: Scope::All { system: true },
        after: Position(position),
        filter: Vec::new(),
    };
    let mut subscription = store.subscribe(request);
    let mut reached = position;
    loop {
        match subscription.next().await {
            Ok(Delivery::Event(event)) => {
                let mut model = lock(&model);
                if event.position.0 != reached + 1 {
                    return model
                        .fail(format!("a subscription gave position {} after {reached}", event.position));
                }
                reached = event.position.0;
                model.observe(&event);
                *after.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = reached;
            }
            Ok(Delivery::CaughtUp(position)) => {
                if position.0 != reached {
                    return lock(&model)
                        .fail(format!("a subscription caught up with {position} at {reached}"));
                }
            }
            Err(_) => return,
        }
    }
}
