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

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::request::Parts;
use axum::response::Response;
use recount_store::ReadError;
use recount_types::Position;
use recount_views::shown::change_json;
use recount_views::{After, Changes, Place, Told, ViewError};
use serde_json::json;

use super::VERSION;
use crate::append::number;
use crate::body::Pipe;
use crate::front::Front;
use crate::parameters::{Parameters, header};
use crate::problem::Problem;
use crate::read::follow::{KEEP_ALIVE, SIGN_OF_LIFE, events};
use crate::read::{PIECE_BYTES, batch};

/// The names of the parameters.
const PARAMETERS: &[&str] = &["version", "from", "after"];
/// A subscriber takes something within this time.
const STALLED: Duration = Duration::from_secs(60);

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
    // The first piece comes before the head, so that most errors are answers.
    let (first, changes) = piece(begun?).await?;
    Ok(events(front, move |pipe| Box::pin(follow(pipe, first, changes, || tokio::time::sleep(STALLED)))))
}

/// From where on, and of which version.
fn asked(request: &Parts) -> Result<(After, Option<u32>), Problem> {
    let mut parameters = Parameters::parse(request.uri.query())?;
    let position = "a position: digits, at most 9223372036854775807";
    let version = parameters.take_as("version", VERSION, |text| text.parse().ok())?;
    let from = parameters.take_as("from", position, number)?;
    let after = parameters.take_as("after", position, number)?;
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
    let after = after.or(from.map(|from| from.saturating_sub(1))).unwrap_or(0);
    Ok((After::Position(Position(after)), version))
}

/// What is sent at once, and what comes then.
struct Piece {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// There may be more.
    Look,
    /// There is more when more was appended.
    Wait,
    /// There is no more.
    End,
}

/// Sends pieces. A write that `stalled` is faster than is the last.
async fn follow<S: Future>(pipe: &Pipe, first: Piece, changes: Changes, stalled: impl Fn() -> S) {
    match deliver(pipe, first, changes, stalled).await {
        Ok(()) | Err(ViewError::Read(ReadError::Closed)) => {}
        Err(error) => {
            tracing::warn!(%error, "a subscription to changes failed");
            pipe.fail(error).await;
        }
    }
}

async fn deliver<S: Future>(
    pipe: &Pipe,
    first: Piece,
    mut changes: Changes,
    stalled: impl Fn() -> S,
) -> Result<(), ViewError> {
    let mut next = first;
    loop {
        let Piece { bytes, then } = next;
        let written = tokio::select! {
            biased;
            written = pipe.write(bytes) => Some(written),
            _ = stalled() => None,
        };
        match written {
            Some(Ok(())) if then != Then::End => {}
            Some(_) => return Ok(()),
            None => {
                // Its memory is for others, as long as nobody reads.
                drop(changes);
                let _ = pipe.write(behind()).await;
                return Ok(());
            }
        }
        if then == Then::Wait {
            match tokio::time::timeout(KEEP_ALIVE, changes.moved()).await {
                Ok(moved) => moved?,
                Err(_) => {
                    next = Piece { bytes: SIGN_OF_LIFE.to_vec(), then };
                    continue;
                }
            }
        }
        (next, changes) = piece(changes).await?;
    }
}

/// What there is until it has caught up, or enough to be sent. Can be dropped between the parts of it.
async fn piece(mut changes: Changes) -> Result<(Piece, Changes), ViewError> {
    let began = Instant::now();
    let mut bytes = Vec::new();
    loop {
        let told;
        (told, changes) = batch(async move || {
            let told = changes.tell()?;
            Ok::<_, ViewError>((told, changes))
        })
        .await?;
        let then = put(&mut bytes, &told, &changes);
        if then != Then::Look || bytes.len() >= PIECE_BYTES {
            return Ok((Piece { bytes, then }, changes));
        }
        if began.elapsed() >= KEEP_ALIVE {
            bytes.extend_from_slice(SIGN_OF_LIFE);
            return Ok((Piece { bytes, then }, changes));
        }
    }
}

/// Writes what is told.
fn put(piece: &mut Vec<u8>, told: &Told, changes: &Changes) -> Then {
    // Writing to memory does not fail.
    match told {
        Told::Changes(some) => {
            for change in some {
                let _ =
                    write!(piece, "id: {}\ndata: {}\n\n", change.place, change_json(change, changes.info()));
            }
            Then::Look
        }
        Told::CaughtUp(place) => {
            let at = place.position;
            let _ = write!(piece, "event: caught-up\nid: {place}\ndata: {{\"position\":{at}}}\n\n");
            Then::Wait
        }
        Told::Ended(ended) => {
            let data = json!({ "position": changes.place().position.0, "reason": ended.to_string() });
            let _ = write!(piece, "event: ended\ndata: {data}\n\n");
            Then::End
        }
    }
}

fn behind() -> Vec<u8> {
    let reason = format!("nothing was read for {} s: resume with Last-Event-ID", STALLED.as_secs());
    format!("event: behind\ndata: {}\n\n", json!({ "reason": reason })).into_bytes()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::path::Path;
    use std::pin::Pin;

    use axum::body::HttpBody;
    use recount_env::{block_on, memory::memory_env};
    use recount_store::{OpenOptions, Store};
    use recount_views::{Settings, Views};

    use super::*;

    /// Who reads nothing holds a replica in memory, for ever if nobody ends it. When he reads on, he is told after what was
    /// sent before.
    #[tokio::test]
    async fn one_who_reads_nothing_loses_his_replica_and_is_told() {
        let env = memory_env();
        let store = block_on(Store::open(env.clone(), Path::new("db"), OpenOptions::default())).unwrap();
        let views = Views::open(store.clone(), env, Settings::default());
        views.execute("CREATE TOPIC t (k INT NOT NULL) KEY (k)").unwrap();
        views.execute("CREATE ENTITY e FROM t STATE (s INT) WHEN ANY THEN SET s = k").unwrap();
        let changes = views.changes("e", None, None, After::Position(Position(0))).unwrap();
        let (first, changes) = piece(changes).await.unwrap();
        assert_eq!(first.then, Then::Wait);
        let (pipe, mut body) = Pipe::new();
        for sent in ["1", "2"] {
            pipe.write(sent).await.unwrap();
        }
        let mut text = Vec::new();
        let read = async {
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                text.push(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap());
            }
        };
        let followed = async move { follow(&pipe, first, changes, || std::future::ready(())).await };
        tokio::join!(biased; followed, read);
        let said =
            "event: behind\ndata: {\"reason\":\"nothing was read for 60 s: resume with Last-Event-ID\"}\n\n";
        assert_eq!(text, ["1", "2", said]);
    }
}
