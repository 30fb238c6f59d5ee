//! Subscriptions as server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! ```text
//!  id: 12                       the position: after it `Last-Event-ID` resumes
//!  data: {"position":12,…}      an event
//!
//!  event: caught-up
//!  id: 15
//!  data: {"position":15}        everything up to here was looked at
//!
//!  : keep-alive                 when nothing else was sent for a while
//! ```
//!
//! While it is behind, it reads in batches beside the runtime. Once it has caught up, it waits on the runtime,
//! and costs no thread.

use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use recount_store::shown::event_json;
use recount_store::{Delivery, ReadError, SubscribeRequest, Subscription};

use super::{PIECE_BYTES, batch};
use crate::body::{Gone, Pipe};
use crate::front::Front;
use crate::problem::Problem;

/// Something is sent at least so often, so that whoever is between does not take the connection for dead.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is sent then.
pub(crate) const SIGN_OF_LIFE: &[u8] = b": keep-alive\n\n";

/// Answers with a subscription, which ends when the server stops or the reader goes away.
pub(super) fn answer(front: &Arc<Front>, request: SubscribeRequest) -> Result<Response, Problem> {
    front.ready()?;
    let subscription = front.store.subscribe(request);
    Ok(events(front, move |pipe| Box::pin(follow(pipe, subscription))))
}

/// Answers with what `follow` writes, until it ends, the server stops or the reader goes away.
pub(crate) fn events<F>(front: &Arc<Front>, follow: F) -> Response
where
    F: for<'a> FnOnce(&'a Pipe) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> + Send + 'static,
{
    let (pipe, body) = Pipe::new();
    let front = front.clone();
    tokio::spawn(async move {
        front.counts.subscriptions.add();
        tokio::select! {
            () = front.stopped() => {}
            () = pipe.closed() => {}
            () = follow(&pipe) => {}
        }
        front.counts.subscriptions.subtract();
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}

async fn follow(pipe: &Pipe, subscription: Subscription) {
    match deliver(pipe, subscription).await {
        Ok(Gone) | Err(ReadError::Closed) => {}
        Err(error) => {
            tracing::warn!(%error, "a subscription failed");
            pipe.fail(error).await;
        }
    }
}

async fn deliver(pipe: &Pipe, mut subscription: Subscription) -> Result<Gone, ReadError> {
    let mut caught_up = false;
    loop {
        let mut piece = Vec::new();
        if caught_up {
            match tokio::time::timeout(KEEP_ALIVE, subscription.next()).await {
                Ok(delivery) => caught_up = put(&mut piece, &delivery?),
                Err(_) => piece.extend_from_slice(SIGN_OF_LIFE),
            }
        } else {
            (piece, caught_up, subscription) = batch(move || read(subscription)).await?;
        }
        if pipe.write(piece).await.is_err() {
            return Ok(Gone);
        }
    }
}

/// Deliveries until it has caught up, or enough for a piece.
async fn read(mut subscription: Subscription) -> Result<(Vec<u8>, bool, Subscription), ReadError> {
    let mut piece = Vec::new();
    while piece.len() < PIECE_BYTES {
        if put(&mut piece, &subscription.next().await?) {
            return Ok((piece, true, subscription));
        }
    }
    Ok((piece, false, subscription))
}

/// Writes a delivery; true if it says that all was delivered.
fn put(piece: &mut Vec<u8>, delivery: &Delivery) -> bool {
    // Writing to memory does not fail.
    let _ = match delivery {
        Delivery::Event(event) => write!(piece, "id: {}\ndata: {}\n\n", event.position, event_json(event)),
        Delivery::CaughtUp(at) => {
            write!(piece, "event: caught-up\nid: {at}\ndata: {{\"position\":{at}}}\n\n")
        }
    };
    matches!(delivery, Delivery::CaughtUp(_))
}
