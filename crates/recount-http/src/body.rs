//! Bodies: those of requests, collected within limits of size and time, and those of answers that are written
//! piece by piece through a bounded pipe, so that a slow reader slows down the reading, not the memory.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use hyper::body::Frame;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use crate::problem::Problem;

/// Largest body of a request, bytes.
pub(crate) const BODY_BYTES_MAX: usize = 8 << 20;
/// Larger bodies are taken only so many at a time.
const SMALL_BODY_BYTES_MAX: usize = 64 << 10;
/// Most bodies larger than that at a time; the others wait, unread.
pub(crate) const LARGE_BODIES_MAX: usize = 16;
/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Pieces of an answer that wait for a slow reader.
const PIECES_MAX: usize = 2;

/// The body of a request.
#[derive(Debug)]
pub(crate) struct Collected<'a> {
    pub(crate) bytes: Bytes,
    /// Held as long as the bytes are, if they are many.
    _room: Option<SemaphorePermit<'a>>,
}

/// The whole body of a request.
pub(crate) async fn collect<'a>(
    large_bodies: &'a Semaphore,
    headers: &HeaderMap,
    body: Body,
) -> Result<Collected<'a>, Problem> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
        return Err(Problem::too_large(BODY_BYTES_MAX));
    }
    match tokio::time::timeout(BODY_TIME_MAX, collect_pieces(large_bodies, announced.unwrap_or(0), body))
        .await
    {
        Ok(collected) => collected,
        Err(_) => Err(Problem::too_slow(BODY_TIME_MAX.as_secs())),
    }
}

async fn collect_pieces(
    large_bodies: &Semaphore,
    announced: usize,
    mut body: Body,
) -> Result<Collected<'_>, Problem> {
    // Most bodies are one piece, which is passed on without a copy.
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut room = None;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| Problem::bad_request(format!("the body ended early: {error}")))?;
        let Ok(piece) = frame.into_data() else { continue };
        if first.is_empty() {
            first = piece;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&piece);
        }
        let bytes = first.len().max(all.len());
        if bytes > BODY_BYTES_MAX {
            return Err(Problem::too_large(BODY_BYTES_MAX));
        }
        if bytes > SMALL_BODY_BYTES_MAX && room.is_none() {
            room = large_bodies.acquire().await.ok();
            // It is not copied again and again as it grows.
            all.reserve(announced.saturating_sub(all.len()));
        }
    }
    Ok(Collected { bytes: if all.is_empty() { first } else { all.freeze() }, _room: room })
}

/// The end of a pipe into which an answer is written.
#[derive(Debug)]
pub(crate) struct Pipe(mpsc::Sender<io::Result<Bytes>>);

/// The reader of an answer has gone away.
#[derive(Debug)]
pub(crate) struct Gone;

impl Pipe {
    /// A pipe, and the body that it fills.
    pub(crate) fn new() -> (Pipe, Body) {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        (Pipe(sender), Body::new(Piped(receiver)))
    }

    /// Writes a piece; waits while the reader is behind.
    pub(crate) async fn write(&self, piece: impl Into<Bytes>) -> Result<(), Gone> {
        self.0.send(Ok(piece.into())).await.map_err(|_| Gone)
    }

    /// Breaks the connection, so that the reader does not take what it has for everything.
    pub(crate) async fn fail(&self, error: impl std::fmt::Display) {
        let _ = self.0.send(Err(io::Error::other(error.to_string()))).await;
    }

    /// Waits until the reader has gone away.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

struct Piped(mpsc::Receiver<io::Result<Bytes>>);

impl HttpBody for Piped {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
