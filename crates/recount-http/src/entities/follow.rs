//! The changes of an entity's rows as server-sent events.
//!
//! ```text
//!  id: 1.0:12                   what was told: behind it `Last-Event-ID` resumes
//!  data: {"position":12,"appendTime":"…","eventTime":"…","key":"1","row":{…}}
//!
//!  event: caught-up
//!  id: 1.0:15
//!  data: {"position":15}        everything up to here was looked at
//!
//!  event: ended                 the rows became others: they are to be read again
//!  data: {"position":15,"reason":"version 2 answers now"}
//!
//!  event: behind                nothing was taken for long: resume
//!  data: {"reason":"…"}
//!
//!  : keep-alive                 when nothing else was sent for a while
//! ```
//!
//! A subscriber has a replica of its own, whose memory is that of entities. One who does not take what there is for
//! [`STALLED`] loses it, and is told so when he reads on: he resumes where he was.
//!
//! [`STALLED`]: crate::changes

use std::io::Write;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;
use recount_types::Position;
use recount_views::shown::change_json;
use recount_views::{After, Changes, Place, Told, ViewError};
use serde_json::json;

use super::VERSION;
use crate::changes::{self, Followed, Then};
use crate::front::Front;
use crate::parameters::{Parameters, header};
use crate::problem::Problem;
use crate::read::batch;

/// The names of the parameters.
const PARAMETERS: &[&str] = &["version", "from", "after"];

/// Answers with the changes of all rows, or of one key's, until the server stops or the reader goes away.
pub(super) async fn answer(
    front: &Arc<Front>,
    request: &Parts,
    entity: String,
    key: Option<String>,
) -> Result<Response, Problem> {
    front.ready()?;
    let (after, version) = asked(request)?;
    let views = front.views.clone();
    let begun = batch(async move || views.changes(&entity, version, key.as_deref(), after)).await;
    changes::answer(front, begun?).await
}

/// From where on, and of which version.
fn asked(request: &Parts) -> Result<(After, Option<u32>), Problem> {
    let mut parameters = Parameters::parse(request.uri.query())?;
    let version = parameters.take_as("version", VERSION, |text| text.parse().ok())?;
    let from = parameters.take_position("from")?;
    let after = parameters.take_position("after")?;
    for name in ["position", "system_as_of", "valid_as_of", "min_position", "steps"] {
        if parameters.take_bytes(name)?.is_some() {
            let what = format!("changes go on: {name} is for reads. Give from or after, a position");
            return Err(Problem::bad_request(what));
        }
    }
    parameters.finish(PARAMETERS)?;
    if from.is_some() && after.is_some() {
        return Err(Problem::bad_request("from and after both say where to begin: give one of them"));
    }
    if let Some(last) = header(&request.headers, "last-event-id")? {
        let place = last.parse::<Place>();
        let place =
            place.map_err(|error| Problem::bad_request(format!("Last-Event-ID is {last:?}: {error}")))?;
        return Ok((After::Place(place), version));
    }
    let before = from.map(|from| Position(from.0.saturating_sub(1)));
    Ok((After::Position(after.or(before).unwrap_or(Position::ZERO)), version))
}

impl Followed for Changes {
    fn put(&mut self, piece: &mut Vec<u8>) -> Result<Then, ViewError> {
        // Writing to memory does not fail.
        Ok(match self.tell()? {
            Told::Changes(some) => {
                for change in &some {
                    let data = change_json(change, self.info());
                    let _ = write!(piece, "id: {}\ndata: {data}\n\n", change.place);
                }
                Then::Look
            }
            Told::CaughtUp(place) => {
                let at = place.position;
                let _ = write!(piece, "event: caught-up\nid: {place}\ndata: {{\"position\":{at}}}\n\n");
                Then::Wait
            }
            Told::Ended(ended) => {
                let data = json!({ "position": self.place().position.0, "reason": ended.to_string() });
                let _ = write!(piece, "event: ended\ndata: {data}\n\n");
                Then::End
            }
        })
    }

    async fn moved(&self) -> Result<(), ViewError> {
        Changes::moved(self).await
    }
}
