//! The rows of a view and then their changes as server-sent events.
//!
//! ```text
//!  data: {"position":12,"weight":1,"row":{…}}     a row as it is at the position where this begins, without an id
//!
//!  event: caught-up
//!  id: 3:12                                       what was told: behind it `Last-Event-ID` resumes
//!  data: {"position":12}                          everything up to here was looked at
//!
//!  id: 3:12+1
//!  data: {"position":15,"weight":-1,"row":{…}}    a row that went, or came, with the append that ends at this position
//!
//!  event: ended                                   there is no more: begin again without an id
//!  data: {"position":15,"reason":"…"}
//! ```

use std::io::Write;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;
use recount_query::objects;
use recount_views::ViewError;
use recount_views::view::{ViewChanges, ViewPlace, ViewTold};
use serde_json::json;

use crate::changes::{self, Followed, Then};
use crate::front::Front;
use crate::parameters::{Parameters, header};
use crate::problem::Problem;
use crate::read::batch;

/// Answers with the rows and their changes, until the server stops or the reader goes away.
pub(super) async fn answer(front: &Arc<Front>, request: &Parts, view: String) -> Result<Response, Problem> {
    front.ready()?;
    let mut parameters = Parameters::parse(request.uri.query())?;
    for name in super::PARAMETERS {
        if parameters.take_bytes(name)?.is_some() {
            let what = format!(
                "changes go on: {name} is for reads. They begin with all rows, or behind Last-Event-ID"
            );
            return Err(Problem::bad_request(what));
        }
    }
    parameters.finish(&[])?;
    let place = header(&request.headers, "last-event-id")?.map(|last| {
        last.parse::<ViewPlace>()
            .map_err(|error| Problem::bad_request(format!("Last-Event-ID is {last:?}: {error}")))
    });
    let (place, views) = (place.transpose()?, front.views.clone());
    let begun = batch(async move || views.view_changes(&view, place)).await;
    changes::answer(front, begun?).await
}

impl Followed for ViewChanges {
    fn put(&mut self, piece: &mut Vec<u8>) -> Result<Then, ViewError> {
        let told = self.tell()?;
        let (columns, at) = (&self.info().columns, self.place().position);
        // Writing to memory does not fail.
        Ok(match told {
            ViewTold::Rows(arrays, count) => {
                for row in objects(columns, &arrays, count) {
                    let _ = write!(piece, "data: {{\"position\":{at},\"weight\":1,\"row\":{row}}}\n\n");
                }
                Then::Look
            }
            ViewTold::Changes(arrays, some) => {
                for (change, row) in some.iter().zip(objects(columns, &arrays, some.len())) {
                    let (position, weight) = (change.position, change.weight);
                    let data = format!("{{\"position\":{position},\"weight\":{weight},\"row\":{row}}}");
                    let _ = write!(piece, "id: {}\ndata: {data}\n\n", change.place);
                }
                Then::Look
            }
            ViewTold::CaughtUp(place) => {
                let at = place.position;
                let _ = write!(piece, "event: caught-up\nid: {place}\ndata: {{\"position\":{at}}}\n\n");
                Then::Wait
            }
            ViewTold::Ended(reason) => {
                let _ = write!(
                    piece,
                    "event: ended\ndata: {}\n\n",
                    json!({ "position": at.0, "reason": reason })
                );
                Then::End
            }
        })
    }

    async fn moved(&self) -> Result<(), ViewError> {
        ViewChanges::moved(self).await
    }
}
