//! Lengths of streams that are looked up while the group with their events is written.
//!
//! An append needs the length of a stream that no memtable knows for its answer only, unless it has a condition on it.
//! So it is sequenced first, its events get revisions that count from where the runs end, and the look-up passes in
//! the time that the sync takes anyway. See `docs/decisions/0007-lengths-while-syncing.md`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use recount_index::RunSet;
use recount_types::{Position, Revision};

use super::Appended;
use crate::error::{AppendError, ReadError};
use crate::sequencer::{PreparedEvent, PreparedStream};
use crate::slot::Answer;
use crate::store::{Inner, lock};

/// The streams of an append whose lengths in the runs are not known yet.
pub(super) struct Later {
    runs: RunSet,
    /// Which, and their terms.
    streams: Vec<(usize, Vec<u8>)>,
    /// The stream of each event; empty if there is only one, which all events have or none.
    of_events: Vec<Option<usize>>,
}

impl Later {
    pub(super) fn new(runs: RunSet, streams: &[PreparedStream], events: &[PreparedEvent]) -> Later {
        let unknown = streams.iter().enumerate().filter(|(_, stream)| stream.base.is_none());
        let unknown: Vec<_> = unknown.map(|(at, stream)| (at, stream.term.clone())).collect();
        let several = streams.len() > 1 && !unknown.is_empty();
        let of_events = events.iter().filter(|_| several).map(|event| event.stream).collect();
        Later { runs, streams: unknown, of_events }
    }

    /// Waits for the answer to the append, looks the lengths up meanwhile, and completes the answer with them.
    pub(super) async fn complete(self, inner: &Inner, answer: impl Future<Output = Answer>) -> Answer {
        if self.streams.is_empty() {
            return answer.await;
        }
        match beside(answer, self.look_up(inner)).await {
            (Answer::Done(Ok(appended)), Some(lengths)) => Answer::Done(match lengths {
                Ok(lengths) => Ok(self.raised(appended, &lengths)),
                Err(error) => Err(AppendError::RevisionUnknown {
                    position: appended.position(),
                    what: error.to_string(),
                }),
            }),
            (answer, _) => answer,
        }
    }

    /// How many events of each stream the runs have. A memtable that has the append notes it.
    async fn look_up(&self, inner: &Inner) -> Result<Vec<u64>, ReadError> {
        let mut lengths = Vec::with_capacity(self.streams.len());
        for (_, term) in &self.streams {
            lengths.push(self.runs.stream_length(term).await?);
        }
        let covered = Position(self.runs.covered_to_position());
        let mut sequencer = lock(&inner.sequencer);
        for ((_, term), length) in self.streams.iter().zip(&lengths) {
            sequencer.learn_length(term, covered, *length);
        }
        Ok(lengths)
    }

    /// Adds what the runs have to revisions that count from there.
    fn raised(&self, mut appended: Appended, lengths: &[u64]) -> Appended {
        for (index, event) in appended.events.iter_mut().enumerate() {
            let stream = self.of_events.get(index).copied().unwrap_or(Some(0));
            // The streams ascend.
            let at = stream.and_then(|stream| self.streams.binary_search_by_key(&stream, |(at, _)| *at).ok());
            if let (Some(at), Some(Revision(revision))) = (at, &mut event.revision) {
                *revision += lengths[at];
            }
        }
        appended
    }
}

/// Polls both; the answer first, since its append may have to lead. The look-up begins when tasks that were ready have
/// gone first, once, so that their appends are in the group too. Ends without it if the append was not made.
async fn beside<T>(
    answer: impl Future<Output = Answer>,
    look_up: impl Future<Output = T>,
) -> (Answer, Option<T>) {
    let (mut answer, mut look_up) = (pin!(answer), pin!(look_up));
    let (mut answered, mut found, mut yielded) = (None, None, false);
    poll_fn(|cx| {
        if answered.is_none()
            && let Poll::Ready(answer) = answer.as_mut().poll(cx)
        {
            answered = Some(answer);
        }
        if !matches!(answered, None | Some(Answer::Done(Ok(_)))) {
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut yielded, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if found.is_none()
            && let Poll::Ready(result) = look_up.as_mut().poll(cx)
        {
            found = Some(result);
        }
        if answered.is_some() && found.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (answered.unwrap_or(Answer::Again), found)
}
