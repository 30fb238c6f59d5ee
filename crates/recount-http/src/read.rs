//! `GET /topics/{topic}/events`, `/streams/{topic}/{key}` and `/events`: events as a page of JSON, as lines of
//! JSON, or, by `Accept: text/event-stream`, as a subscription. Here is what the parameters mean.
//!
//! Reads block while they wait for a disk, so they run in batches on threads that may: [`batch`].

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use recount_env::block_on;
use recount_store::{Direction, From, QueryItem, ReadError, ReadRequest, Scope, Store, SubscribeRequest};
use recount_types::{Position, Revision, Tag, Time};

use crate::append::number;
use crate::front::Front;
use crate::parameters::{Parameters, TWICE_AS_OF, header};
use crate::path;
use crate::problem::Problem;

pub(crate) mod follow;
mod lines;
mod page;

/// The names of the parameters.
pub(crate) const PARAMETERS: &[&str] = &[
    "from",
    "after",
    "revision",
    "time",
    "direction",
    "limit",
    "type",
    "tag",
    "position",
    "system_as_of",
    "system",
];
/// Events in an answer unless it is said.
pub(crate) const LIMIT_DEFAULT: usize = 1000;
/// Most events in an answer.
pub(crate) const LIMIT_MAX: usize = 10_000;
/// What is wrong with a read that has a `Last-Event-ID`.
const NOT_RESUMED: &str = "Last-Event-ID resumes a subscription: ask for one with Accept: text/event-stream, or give after=POSITION";
/// Bytes of JSON that are gathered before they are sent.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// The shapes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Page,
    Lines,
    Subscription,
}

/// `GET /topics/{topic}/events`.
pub(crate) async fn topic(front: &Arc<Front>, request: &Parts) -> Result<Response, Problem> {
    let scope = Scope::Topic(path::topic(request.uri.path())?);
    answer(front, request, scope).await
}

/// `GET /streams/{topic}/{key}`.
pub(crate) async fn stream(front: &Arc<Front>, request: &Parts) -> Result<Response, Problem> {
    let scope = Scope::Stream(path::stream(request.uri.path())?);
    answer(front, request, scope).await
}

/// `GET /events`.
pub(crate) async fn everything(front: &Arc<Front>, request: &Parts) -> Result<Response, Problem> {
    answer(front, request, Scope::All { system: false }).await
}

async fn answer(front: &Arc<Front>, request: &Parts, scope: Scope) -> Result<Response, Problem> {
    let asked = Asked::parse(scope, Parameters::parse(request.uri.query())?)?;
    let last = header(&request.headers, "last-event-id")?;
    match shape(&request.headers) {
        Shape::Page | Shape::Lines if last.is_some() => Err(Problem::bad_request(NOT_RESUMED)),
        Shape::Page => page::answer(front, &request.uri, asked).await,
        Shape::Lines => lines::answer(front, asked).await,
        Shape::Subscription => {
            let subscription = asked.subscription(last, front.store.head())?;
            follow::answer(front, subscription)
        }
    }
}

/// A read would ignore it, and answer from the beginning.
pub(crate) fn refuse_to_resume(request: &Parts) -> Result<(), Problem> {
    match header(&request.headers, "last-event-id")? {
        Some(_) => Err(Problem::bad_request(NOT_RESUMED)),
        None => Ok(()),
    }
}

/// Whether a request asks for a subscription.
pub(crate) fn is_subscription(headers: &HeaderMap) -> bool {
    accepts(headers, "text/event-stream")
}

fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|one| one.split(';').next().unwrap_or_default().trim() == media_type)
}

fn shape(headers: &HeaderMap) -> Shape {
    if is_subscription(headers) {
        Shape::Subscription
    } else if accepts(headers, "application/x-ndjson") || accepts(headers, "application/jsonl") {
        Shape::Lines
    } else {
        Shape::Page
    }
}

/// What a request asks for.
#[derive(Debug, Clone)]
struct Asked {
    scope: Scope,
    from: From,
    direction: Option<Direction>,
    limit: Option<usize>,
    filter: Vec<QueryItem>,
    as_of: AsOf,
}

/// As of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AsOf {
    Now,
    Position(Position),
    Time(Time),
}

impl Asked {
    fn parse(mut scope: Scope, mut parameters: Parameters) -> Result<Asked, Problem> {
        parameters.refuse_bare_as_of(", which events have no answer to")?;
        let starts: Vec<From> = [
            parameters.take_position("from")?.map(From::Position),
            parameters.take_position("after")?.map(From::After),
            parameters
                .take_as("revision", "a revision", number)?
                .map(|revision| From::Revision(Revision(revision))),
            parameters.take_time("time")?.map(From::Time),
        ]
        .into_iter()
        .flatten()
        .collect();
        let as_of: Vec<AsOf> = [
            parameters.take_position("position")?.map(AsOf::Position),
            parameters.take_time("system_as_of")?.map(AsOf::Time),
        ]
        .into_iter()
        .flatten()
        .collect();
        let direction = parameters.take_as("direction", "forward or backward", |text| match text {
            "forward" => Some(Direction::Forward),
            "backward" => Some(Direction::Backward),
            _ => None,
        })?;
        let limits = format!("a number from 1 to {LIMIT_MAX}");
        let limit = parameters.take_as("limit", &limits, |text| {
            number(text).map(|limit| limit as usize).filter(|limit| (1..=LIMIT_MAX).contains(limit))
        })?;
        let system = parameters.take_as("system", "true or false", |text| text.parse::<bool>().ok())?;
        match (&mut scope, system) {
            (Scope::All { system }, Some(asked)) => *system = asked,
            (_, None) => {}
            (_, Some(_)) => {
                return Err(Problem::bad_request("system is for reads of everything, GET /events"));
            }
        }
        let types = parameters.take_list("type")?;
        let tags: Result<Vec<Tag>, _> =
            parameters.take_list("tag")?.iter().map(|tag| Tag::parse(tag)).collect();
        let tags = tags.map_err(|error| Problem::bad_request(error.to_string()))?;
        parameters.finish(PARAMETERS)?;
        let filter =
            if types.is_empty() && tags.is_empty() { Vec::new() } else { vec![QueryItem { types, tags }] };
        if starts.len() > 1 {
            return Err(Problem::bad_request(
                "from, after, revision and time each say where to begin: give one of them",
            ));
        }
        if as_of.len() > 1 {
            return Err(Problem::bad_request(TWICE_AS_OF));
        }
        let from = starts.first().copied().unwrap_or(From::Start);
        let as_of = as_of.first().copied().unwrap_or(AsOf::Now);
        Ok(Asked { scope, from, direction, limit, filter, as_of })
    }

    /// As a read of at most `limit` events. Looking up a time may wait for a disk.
    async fn read(&self, store: &Store, limit: usize) -> Result<ReadRequest, ReadError> {
        Ok(ReadRequest {
            scope: self.scope.clone(),
            from: self.from,
            direction: self.direction.unwrap_or(Direction::Forward),
            limit: Some(limit),
            filter: self.filter.clone(),
            as_of: match self.as_of {
                AsOf::Now => Position::MAX,
                AsOf::Position(position) => position,
                AsOf::Time(time) => store.position_at(time).await?,
            },
        })
    }

    /// As a subscription; `last` is the id of the last event that the subscriber has.
    fn subscription(self, last: Option<&str>, head: Position) -> Result<SubscribeRequest, Problem> {
        if self.direction == Some(Direction::Backward) || self.limit.is_some() || self.as_of != AsOf::Now {
            let what =
                "a subscription goes on: direction=backward, limit, position and system_as_of are for reads";
            return Err(Problem::bad_request(what));
        }
        let after = match (last, self.from) {
            (Some(last), _) => {
                let wrong =
                    || Problem::bad_request(format!("Last-Event-ID is {last:?}, it must be a position"));
                Position(number(last).ok_or_else(wrong)?)
            }
            (None, From::Start) => Position::ZERO,
            (None, From::After(position)) => position,
            (None, From::Position(position)) => Position(position.0.saturating_sub(1)),
            (None, From::Revision(_) | From::Time(_)) => {
                return Err(Problem::bad_request("a subscription begins at a position: give from or after"));
            }
        };
        if last.is_some() && after > head {
            let what = format!(
                "Last-Event-ID is {after}, the newest position is {head}: that id is of another database"
            );
            return Err(Problem::bad_request(what));
        }
        Ok(SubscribeRequest { scope: self.scope, after, filter: self.filter })
    }
}

/// Runs a piece of a read on a thread that may wait for a disk.
pub(crate) async fn batch<T, F>(piece: impl FnOnce() -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    match tokio::task::spawn_blocking(move || block_on(piece())).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going away, and every connection with it.
            Err(_) => std::future::pending().await,
        },
    }
}
