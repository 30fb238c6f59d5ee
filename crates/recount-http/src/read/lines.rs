//! Events as lines of JSON, read as fast as they are taken.

use std::sync::Arc;

use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use recount_store::shown::event_json;
use recount_store::{EventCursor, ReadError};

use super::{Asked, LIMIT_DEFAULT, PIECE_BYTES, batch};
use crate::body::Pipe;
use crate::front::Front;
use crate::problem::Problem;

const AS_OF: HeaderName = HeaderName::from_static("recount-as-of");

/// Answers with lines. A read that fails half-way breaks the connection.
pub(super) async fn answer(front: &Arc<Front>, asked: Asked) -> Result<Response, Problem> {
    let store = front.store.clone();
    let first = batch(move || async move {
        let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
        let cursor = store.read(asked.read(&store, limit).await?).await?;
        piece(cursor).await
    });
    let (lines, cursor) = first.await?;
    let as_of = cursor.as_of().to_string();
    let (pipe, body) = Pipe::new();
    tokio::spawn(write(pipe, lines, cursor));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson".to_owned()), (AS_OF, as_of)], body).into_response())
}

async fn write(pipe: Pipe, mut lines: Vec<u8>, mut cursor: EventCursor) {
    while !lines.is_empty() {
        if pipe.write(lines).await.is_err() {
            return;
        }
        (lines, cursor) = match batch(move || piece(cursor)).await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(%error, "a read failed half-way");
                return pipe.fail(error).await;
            }
        };
    }
}

/// The next lines; none at the end.
async fn piece(mut cursor: EventCursor) -> Result<(Vec<u8>, EventCursor), ReadError> {
    let mut lines = Vec::new();
    while lines.len() < PIECE_BYTES {
        let Some(event) = cursor.next().await? else { break };
        lines.extend_from_slice(event_json(&event).as_bytes());
        lines.push(b'\n');
    }
    Ok((lines, cursor))
}
