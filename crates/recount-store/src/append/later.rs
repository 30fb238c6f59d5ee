//! Lengths of streams that are looked up while the group with their events is written.
//!
//! An append needs the length of a stream that no memtable knows for its answer only, unless it has a condition on it.
//! So it is sequenced first, its events get revisions that count from where the runs end, and the look-up passes in
//! the time that the sync takes anyway. See `docs/decisions/0007-lengths-while-syncing.md`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use recount_env::turn::yield_turn;
use recount_index::RunSet;
use recount_types::{Position, Revision};

use super::Appended;
use crate::error::{ReadError, chain};
use crate::sequencer::{PreparedEvent, PreparedStream};
use crate::slot::{Answer, Slot};
use crate::store::{Inner, lock};

/// Streams of an append whose lengths in the runs are looked up meanwhile, at most. With more of them all are looked up
/// before it is sequenced.
pub(super) const LATER_MAX: usize = 16;

/// The streams of an append whose lengths in the runs are not known yet.
pub(super) struct Later {
    /// The set that the append was checked against; given back after the look-up.
    runs: Option<RunSet>,
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
        Later { runs: Some(runs).filter(|_| !unknown.is_empty()), streams: unknown, of_events }
    }

    /// Waits for the answer to the append, looks the lengths up meanwhile, and completes the answer with them.
    pub(super) async fn complete(
        mut self,
        inner: &Inner,
        slot: &Slot,
        answer: impl Future<Output = Answer>,
    ) -> Answer {
        let Some(runs) = self.runs.take() else { return answer.await };
        match beside(slot, answer, self.look_up(inner, runs)).await {
            (Answer::Done(Ok(appended)), Some(lengths)) => Answer::Done(Ok(self.raised(appended, lengths))),
            (answer, _) => answer,
        }
    }

    /// How many events of each stream the runs have. A memtable that has the append notes it.
    async fn look_up(&self, inner: &Inner, runs: RunSet) -> Result<Vec<u64>, ReadError> {
        let mut lengths = Vec::with_capacity(self.streams.len());
        for (_, term) in &self.streams {
            lengths.push(runs.stream_length(term).await?);
        }
        let covered = Position(runs.covered_to_position());
        let mut sequencer = lock(&inner.sequencer);
        for ((_, term), length) in self.streams.iter().zip(&lengths) {
            sequencer.learn_length(term, covered, *length);
        }
        Ok(lengths)
    }

    /// Adds what the runs have to revisions that count from there. Where that cannot be read the append is stored all
    /// the same: its answer has no revisions then.
    fn raised(&self, mut appended: Appended, lengths: Result<Vec<u64>, ReadError>) -> Appended {
        if let Err(error) = &lengths {
            tracing::error!(error = %chain(error), position = %appended.position(), "stored, but its revision cannot be read");
        }
        for (index, event) in appended.events.iter_mut().enumerate() {
            let stream = self.of_events.get(index).copied().unwrap_or(Some(0));
            // The streams ascend.
            let at = stream.and_then(|stream| self.streams.binary_search_by_key(&stream, |(at, _)| *at).ok());
            let Some(at) = at else { continue };
            let length = lengths.as_ref().ok().map(|lengths| lengths[at]);
            event.revision =
                event.revision.zip(length).map(|(from_runs, length)| Revision(from_runs.0 + length));
        }
        appended
    }
}

/// Polls both; the answer first, since its append may have to lead, and the look-up never while it leads. The look-up
/// begins when tasks that were ready have gone first, once, so that their appends are in the group too, unless it is
/// written by then. Ends without it if the append was not made.
async fn beside<T>(
    slot: &Slot,
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
        if answered.is_none() && !std::mem::replace(&mut yielded, true) {
            yield_turn(cx);
            return Poll::Pending;
        }
        if found.is_none() && slot.be_busy() {
            match look_up.as_mut().poll(cx) {
                Poll::Ready(result) => {
                    found = Some(result);
                    slot.be_free();
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        if answered.is_some() && found.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (answered.unwrap_or(Answer::Again), found)
}
