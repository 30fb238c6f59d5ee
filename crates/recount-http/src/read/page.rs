//! A page of events as one JSON document, with where the next page is.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use recount_store::shown::event_json;
use recount_store::{ReadError, Store};
use recount_types::Position;

use super::{Asked, LIMIT_DEFAULT, batch};
use crate::front::Front;
use crate::problem::Problem;

/// A page ends after so many bytes, even if its limit has not been reached.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// Answers with a page.
pub(super) async fn answer(front: &Arc<Front>, uri: &Uri, asked: Asked) -> Result<Response, Problem> {
    let store = front.store.clone();
    let page = batch(move || async move { read(&store, &asked).await }).await?;
    let mut json = page.events;
    let _ = write!(json, "],\"asOf\":{},\"next\":", page.as_of);
    match page.ends_at {
        Some(last) => {
            let next = next_page(uri, last, page.as_of);
            let _ = write!(json, "{}}}", serde_json::Value::String(next));
        }
        None => json.push_str("null}"),
    }
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from(json)).into_response())
}

struct Page {
    /// `{"events":[…`
    events: String,
    as_of: Position,
    /// The position of its last event, if there are more.
    ends_at: Option<Position>,
}

async fn read(store: &Store, asked: &Asked) -> Result<Page, ReadError> {
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    // One more than asked for tells whether there are more.
    let mut cursor = store.read(asked.read(store, limit + 1).await?).await?;
    let mut page = Page { events: String::from("{\"events\":["), as_of: cursor.as_of(), ends_at: None };
    let mut last = None;
    let mut count = 0;
    while let Some(event) = cursor.next().await? {
        if count == limit || page.events.len() >= PAGE_BYTES_MAX {
            page.ends_at = last;
            break;
        }
        if count > 0 {
            page.events.push(',');
        }
        page.events.push_str(&event_json(&event));
        last = Some(event.position);
        count += 1;
    }
    Ok(page)
}

/// The same request, beginning after `last`, as of the same position.
fn next_page(uri: &Uri, last: Position, as_of: Position) -> String {
    const REPLACED: &[&str] = &["from", "after", "revision", "time", "position", "system_as_of"];
    let mut next = format!("{}?after={last}&position={as_of}", uri.path());
    let query = uri.query().unwrap_or_default();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let name = part.split('=').next().unwrap_or_default();
        if !REPLACED.contains(&name) {
            let _ = write!(next, "&{part}");
        }
    }
    next
}
