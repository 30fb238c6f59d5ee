//! Subscriptions: a read that goes on when more is appended. It pulls, so nothing is buffered for a slow
//! subscriber, and there is no hand-over from catching up to following: both are the same read.

use std::sync::Arc;

use recount_types::{Event, Position};

use crate::condition::QueryItem;
use crate::error::ReadError;
use crate::read::{self, Direction, EventCursor, From, ReadRequest, Scope};
use crate::store::Inner;

/// What to follow.
#[derive(Debug, Clone)]
pub struct SubscribeRequest {
    /// Whose events.
    pub scope: Scope,
    /// Only events after this position.
    pub after: Position,
    /// Only events that match one of these; empty = all.
    pub filter: Vec<QueryItem>,
}

/// What a subscription delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The next event, in the order of positions.
    Event(Box<Event>),
    /// Everything up to here was looked at: given whenever it has caught up with the head, also if the head
    /// moved and nothing matched.
    CaughtUp(Position),
}

/// A read that goes on.
pub struct Subscription {
    inner: Arc<Inner>,
    request: SubscribeRequest,
    cursor: Option<EventCursor>,
    /// The last position told to be caught up with.
    told: Option<Position>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("request", &self.request).finish_non_exhaustive()
    }
}

impl Subscription {
    pub(crate) fn new(inner: Arc<Inner>, request: SubscribeRequest) -> Subscription {
        Subscription { inner, request, cursor: None, told: None }
    }

    /// Waits for the next delivery. May be dropped while it waits; nothing is lost or repeated.
    pub async fn next(&mut self) -> Result<Delivery, ReadError> {
        loop {
            let seen = self.inner.visible.generation();
            let cursor = match &mut self.cursor {
                Some(cursor) => cursor,
                None => self.cursor.insert(begin(&self.inner, &self.request).await?),
            };
            if let Some(event) = cursor.next().await? {
                return Ok(Delivery::Event(Box::new(event)));
            }
            let reached = cursor.as_of();
            let head = self.inner.head();
            if head > reached {
                cursor.extend(head);
                continue;
            }
            if self.told != Some(reached) {
                self.told = Some(reached);
                return Ok(Delivery::CaughtUp(reached));
            }
            if self.inner.is_closed() {
                return Err(ReadError::Closed);
            }
            self.inner.visible.changed(seen).await;
        }
    }
}

async fn begin(inner: &Arc<Inner>, request: &SubscribeRequest) -> Result<EventCursor, ReadError> {
    let read = ReadRequest {
        scope: request.scope.clone(),
        from: From::After(request.after),
        direction: Direction::Forward,
        limit: None,
        filter: request.filter.clone(),
        as_of: Position::MAX,
    };
    read::begin(inner, read).await
}
