//! A small language for appends and reads, so that tests are data.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use recount_env::{Env, block_on, memory::memory_env};
use recount_store::{
    AppendError, AppendRequest, Appended, Condition, Direction, EventQuery, EventWrite, Expected,
    OpenOptions, QueryItem, ReadRequest, Scope, Store,
};
use recount_types::{Event, NewEvent, Position, Revision, StreamName, Tag, TopicName};

/// A store in memory with topics `a` (one partition) and `b` (three).
pub(crate) struct Bench {
    pub(crate) env: Env,
    pub(crate) store: Store,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let env = memory_env();
        let store = open(&env);
        for sql in ["CREATE TOPIC a", "CREATE TOPIC b PARTITIONS 3"] {
            block_on(store.execute(sql)).unwrap();
        }
        Bench { env, store }
    }

    /// Closes and opens again.
    pub(crate) fn reopen(self) -> Bench {
        self.reopen_with(OpenOptions::default())
    }

    /// Closes and opens again, otherwise.
    pub(crate) fn reopen_with(self, options: OpenOptions) -> Bench {
        block_on(self.store.close()).unwrap();
        drop(self.store);
        Bench { store: open_with(&self.env, options), env: self.env }
    }

    /// Appends by words, see [`write`] and [`condition`]; positions, or the error.
    pub(crate) fn append(&self, words: &str) -> String {
        shown(&block_on(self.store.append(request(words))))
    }

    /// Runs several appends, one a line, and shows each answer.
    pub(crate) fn script(&self, lines: &str) -> String {
        lines.trim().lines().map(|line| format!("{}\n", self.append(line.trim()))).collect()
    }

    /// Events of a read: `position stream type tags payload` a line.
    pub(crate) fn read(&self, request: ReadRequest) -> String {
        self.events(request).iter().map(|event| format!("{}\n", line(event))).collect()
    }

    pub(crate) fn events(&self, request: ReadRequest) -> Vec<Event> {
        block_on(async {
            let mut cursor = self.store.read(request).await.unwrap();
            let mut events = Vec::new();
            while let Some(event) = cursor.next().await.unwrap() {
                events.push(event);
            }
            events
        })
    }

    /// Positions of a read in both directions; they must agree.
    pub(crate) fn positions(&self, request: ReadRequest) -> Vec<u64> {
        let positions =
            |request| self.events(request).iter().map(|event| event.position.0).collect::<Vec<_>>();
        let forward = positions(request.clone());
        let mut backward = positions(ReadRequest { direction: Direction::Backward, ..request });
        backward.reverse();
        assert_eq!(forward, backward, "both directions");
        forward
    }
}

/// Polls futures in order until all have ended. They may have been polled before.
pub(crate) async fn all_at_once<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(ready) = Pin::new(future).poll(cx)
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

fn open(env: &Env) -> Store {
    open_with(env, OpenOptions::default())
}

fn open_with(env: &Env, options: OpenOptions) -> Store {
    block_on(Store::open(env.clone(), std::path::Path::new("/db"), options)).unwrap()
}

pub(crate) fn line(event: &Event) -> String {
    let stream = event.stream().map_or_else(|| format!("{}/-", event.topic), |stream| stream.to_string());
    let tags: Vec<&str> = event.tags.iter().map(Tag::as_str).collect();
    let revision = event.revision.map_or(String::new(), |revision| format!("@{revision}"));
    let payload = String::from_utf8_lossy(&event.payload);
    let words = [
        event.position.to_string(),
        format!("{stream}{revision}"),
        event.event_type.clone().unwrap_or_default(),
        tags.join(","),
        payload.into_owned(),
    ];
    words.iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(" ")
}

pub(crate) fn shown(answer: &Result<Appended, AppendError>) -> String {
    match answer {
        Ok(appended) => {
            let event = |event: &recount_store::AppendedEvent| match (&event.stream, event.revision) {
                (Some(stream), Some(revision)) => format!("{}={stream}@{revision}", event.position),
                _ => event.position.to_string(),
            };
            let events: Vec<String> = appended.events.iter().map(event).collect();
            format!("{}{}", events.join(" "), if appended.duplicate { " again" } else { "" })
        }
        Err(error) => error.to_string(),
    }
}

/// `a/1 a/2:type #tag:x !id ={"n":1}` = events with what follows them; `if a/1 3`, `unless a type #tag:x after 4`.
pub(crate) fn request(words: &str) -> AppendRequest {
    let mut request = AppendRequest::default();
    let mut words = words.split_whitespace().peekable();
    while let Some(word) = words.next() {
        match word {
            "if" => {
                let stream = StreamName::parse(words.next().unwrap()).unwrap();
                let expected = match words.next().unwrap() {
                    "none" => Expected::NoStream,
                    "some" => Expected::Exists,
                    "any" => Expected::Any,
                    revision => Expected::Exact(Revision(revision.parse().unwrap())),
                };
                request.conditions.push(Condition::Stream { stream, expected });
            }
            "unless" => {
                let mut query = EventQuery::default();
                let mut item = QueryItem::default();
                for word in words.by_ref() {
                    match word {
                        "after" => break,
                        "or" => query.items.push(std::mem::take(&mut item)),
                        _ if word.starts_with('#') => item.tags.push(Tag::parse(&word[1..]).unwrap()),
                        _ if word.starts_with("in:") => {
                            query.topics.push(TopicName::parse(&word[3..]).unwrap())
                        }
                        _ => item.types.push(word.to_owned()),
                    }
                }
                query.items.push(item);
                let after = Position(words.next().unwrap().parse().unwrap());
                request.conditions.push(Condition::NoMatch { query, after });
            }
            _ if word.starts_with('#') => last(&mut request).tags.push(Tag::parse(&word[1..]).unwrap()),
            _ if word.starts_with('!') => last(&mut request).id = Some(word[1..].to_owned()),
            _ if word.starts_with('=') => last(&mut request).payload = word[1..].to_owned().into(),
            _ => {
                let (stream, event_type) = word.split_once(':').map_or((word, None), |(s, t)| (s, Some(t)));
                let (topic, key) = stream.split_once('/').map_or((stream, None), |(t, k)| (t, Some(k)));
                let event = NewEvent {
                    payload: "{}".into(),
                    event_type: event_type.map(str::to_owned),
                    ..NewEvent::default()
                };
                let key = key.map(|key| key.to_owned().into());
                request.events.push(EventWrite { topic: TopicName::parse(topic).unwrap(), key, event });
            }
        }
    }
    request
}

fn last(request: &mut AppendRequest) -> &mut NewEvent {
    &mut request.events.last_mut().unwrap().event
}

pub(crate) fn all() -> ReadRequest {
    ReadRequest::all(Scope::All { system: false })
}

pub(crate) fn of_topic(topic: &str) -> ReadRequest {
    ReadRequest::all(Scope::Topic(TopicName::parse(topic).unwrap()))
}

pub(crate) fn of_stream(stream: &str) -> ReadRequest {
    ReadRequest::all(Scope::Stream(StreamName::parse(stream).unwrap()))
}
