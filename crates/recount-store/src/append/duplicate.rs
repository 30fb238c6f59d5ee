//! Retries: an append whose events carry ids that are in the topic already.
//!
//! All of them with the same content: it is the same append, and its answer is given again. Anything else:
//! an id was used for something else, or only part of this append was made before, and it is refused.

use std::collections::HashSet;
use std::sync::Arc;

use recount_index::Bounds;
use recount_types::{Position, Revision, Time};

use super::{AppendRequest, Appended, AppendedEvent};
use crate::error::{AppendError, ReadError};
use crate::locate;
use crate::record;
use crate::sequencer::{PreparedEvent, PreparedStream};
use crate::store::{Inner, lock};

/// What is known of an append's ids.
pub(super) enum Known {
    /// The same append was made before.
    Same(Appended),
    /// They were used for something else.
    Other(AppendError),
}

/// Looks the ids of an append up; `None` if none of them was used.
pub(super) async fn find(
    inner: &Arc<Inner>,
    request: &AppendRequest,
    events: &[PreparedEvent],
    streams: &[PreparedStream],
) -> Result<Option<Known>, AppendError> {
    if events.iter().all(|event| event.id_term.is_none()) {
        return Ok(None);
    }
    let mut seen = HashSet::new();
    let mut positions = Vec::with_capacity(events.len());
    for (index, event) in events.iter().enumerate() {
        let Some(term) = &event.id_term else {
            positions.push(None);
            continue;
        };
        if !seen.insert(term) {
            let what = "its id occurs twice in this append".to_owned();
            return Err(AppendError::BadEvent { index, what });
        }
        positions.push(position_of(inner, term).await?);
    }
    if positions.iter().all(Option::is_none) {
        return Ok(None);
    }
    wait_until_visible(inner, positions.iter().flatten().max().copied()).await?;
    let mut answer = Vec::with_capacity(events.len());
    let mut append_time = Time(0);
    for (index, (event, position)) in events.iter().zip(&positions).enumerate() {
        let known = |index: usize, at: Position| {
            let write = &request.events[index];
            let id = write.event.id.clone().unwrap_or_default();
            Known::Other(AppendError::IdReused { topic: write.topic.clone(), id, at })
        };
        let Some(position) = *position else {
            // Some events of this append were appended before and this one was not.
            let first =
                positions.iter().enumerate().find_map(|(index, position)| Some((index, (*position)?)));
            let (index, at) = first.unwrap_or((index, Position::ZERO));
            return Ok(Some(known(index, at)));
        };
        let other = |at| known(index, at);
        let group = locate::group_of_position(&**inner, &inner.reader, position.0).await?;
        let Some(mut group) = group else { return Ok(Some(other(position))) };
        let placed = locate::placed(&**inner, &inner.reader, &mut group, position.0).await?;
        if placed.entry.topic != event.topic || !record::same(&placed.record, &event.record) {
            return Ok(Some(other(position)));
        }
        append_time = placed.append_time;
        let stream = event.stream.and_then(|at| streams.get(at));
        let revision = match stream {
            Some(stream) => revision_of(inner, &stream.term, position).await?,
            None => None,
        };
        answer.push(AppendedEvent { position, stream: stream.map(|s| s.name.clone()), revision });
    }
    Ok(Some(Known::Same(Appended { events: answer, append_time, duplicate: true })))
}

/// The position of the event with an id, sequenced ones included.
pub(crate) async fn position_of(inner: &Inner, id_term: &[u8]) -> Result<Option<Position>, ReadError> {
    let runs = {
        let sequencer = lock(&inner.sequencer);
        let first = sequencer
            .memtables()
            .find_map(|memtable| memtable.list(id_term).map(|list| list.first_position()));
        if let Some(first) = first {
            return Ok(Some(Position(first)));
        }
        sequencer.runs.clone()
    };
    let posting = runs.postings(id_term, Bounds::default()).next().await?;
    Ok(posting.map(|posting| Position(posting.position)))
}

/// The answer must not reveal what a crash may undo.
async fn wait_until_visible(inner: &Inner, position: Option<Position>) -> Result<(), AppendError> {
    loop {
        let seen = inner.visible.generation();
        if position.is_none_or(|position| position <= inner.head()) {
            return Ok(());
        }
        if let Some(error) = lock(&inner.sequencer).refusal_of_all() {
            return Err(error);
        }
        inner.visible.changed(seen).await;
    }
}

async fn revision_of(inner: &Inner, term: &[u8], position: Position) -> Result<Option<Revision>, ReadError> {
    let count = inner.count_up_to(term, position).await?;
    Ok(count.checked_sub(1).map(Revision))
}
