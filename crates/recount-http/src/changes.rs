//! Changes of the rows of an entity or a view as server-sent events, sent as they are told.
//!
//! One who does not take what there is for [`STALLED`] loses his place in memory, and is told so when he reads on: he resumes where he was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::Response;
use recount_store::ReadError;
use recount_views::ViewError;
use serde_json::json;

use crate::body::Pipe;
use crate::front::Front;
use crate::problem::Problem;
use crate::read::follow::{KEEP_ALIVE, SIGN_OF_LIFE, events};
use crate::read::{PIECE_BYTES, batch};

/// A subscriber takes something within this time.
const STALLED: Duration = Duration::from_secs(60);

/// Somebody's place in changes.
pub(crate) trait Followed: Send + 'static {
    /// Writes what comes next, on a thread that may block.
    fn put(&mut self, piece: &mut Vec<u8>) -> Result<Then, ViewError>;

    /// Waits until there may be something new.
    fn moved(&self) -> impl Future<Output = Result<(), ViewError>> + Send;
}

/// Answers with the changes until the server stops or the reader goes away.
pub(crate) async fn answer<F: Followed>(front: &Arc<Front>, begun: F) -> Result<Response, Problem> {
    // The first piece comes before the head, so that most errors are answers.
    let (first, changes) = piece(begun).await?;
    Ok(events(front, move |pipe| Box::pin(follow(pipe, first, changes, || tokio::time::sleep(STALLED)))))
}

/// What is sent at once, and what comes then.
struct Piece {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// There may be more.
    Look,
    /// There is more when more was appended.
    Wait,
    /// There is no more.
    End,
}

/// Sends pieces. A write that `stalled` is faster than is the last.
async fn follow<F: Followed, S: Future>(pipe: &Pipe, first: Piece, changes: F, stalled: impl Fn() -> S) {
    match deliver(pipe, first, changes, stalled).await {
        Ok(()) | Err(ViewError::Read(ReadError::Closed)) => {}
        Err(error) => {
            tracing::warn!(%error, "a subscription to changes failed");
            pipe.fail(error).await;
        }
    }
}

async fn deliver<F: Followed, S: Future>(
    pipe: &Pipe,
    first: Piece,
    mut changes: F,
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
async fn piece<F: Followed>(mut changes: F) -> Result<(Piece, F), ViewError> {
    let began = Instant::now();
    let mut bytes = Vec::new();
    loop {
        let then;
        (then, bytes, changes) = batch(async move || {
            let then = changes.put(&mut bytes)?;
            Ok::<_, ViewError>((then, bytes, changes))
        })
        .await?;
        if then != Then::Look || bytes.len() >= PIECE_BYTES {
            return Ok((Piece { bytes, then }, changes));
        }
        if began.elapsed() >= KEEP_ALIVE {
            bytes.extend_from_slice(SIGN_OF_LIFE);
            return Ok((Piece { bytes, then }, changes));
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
    use recount_types::Position;
    use recount_views::{After, Settings, Views};

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
