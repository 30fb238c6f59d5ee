//! The cursor of a read: events in order, decoded one group at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use recount_index::{FrameKey, Term, TermKind};
use recount_journal::{FrameCursor, Location};
use recount_types::{Event, Position, Revision, TopicId};

use super::walk::{TermWalk, UnionWalk};
use super::{Direction, From, ReadRequest, Scope};
use crate::catalogue::{Catalogue, TopicState};
use crate::condition::{QueryItem, any_matches};
use crate::error::ReadError;
use crate::locate::{self, Frames, PlacedGroup};
use crate::record;
use crate::store::{Inner, lock};

/// Reads events one after another.
pub struct EventCursor {
    inner: Arc<Inner>,
    catalogue: Arc<Catalogue>,
    source: Source,
    topics: Topics,
    filter: Vec<QueryItem>,
    remaining: Option<usize>,
    as_of: Position,
    /// The group that the last event was in.
    group: Option<PlacedGroup>,
}

impl std::fmt::Debug for EventCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventCursor").field("as_of", &self.as_of).finish_non_exhaustive()
    }
}

/// Where positions come from.
enum Source {
    /// The index names every candidate.
    Hits(UnionWalk),
    /// The index names, for each topic, the first of its positions in every group; the others are in that group.
    Groups { walk: UnionWalk, ready: VecDeque<u64>, after: u64, until: u64 },
    /// Every group in order.
    Forward { cursor: FrameCursor, next: u64, until: u64 },
    /// Every group, from a stretch of them at a time.
    Backward { ready: Vec<(Location, u64, u64)>, position: u64, after: u64 },
}

/// Whose events are shown.
#[derive(Debug, Clone)]
pub(super) enum Topics {
    One(TopicId),
    Users,
    All,
}

impl EventCursor {
    /// The position as of which it reads: where a whole append ends.
    pub fn as_of(&self) -> Position {
        self.as_of
    }

    /// The next event, or `None` at the end. Does file I/O on the calling thread.
    pub async fn next(&mut self) -> Result<Option<Event>, ReadError> {
        if self.remaining == Some(0) {
            return Ok(None);
        }
        loop {
            let Some((position, revision)) = self.next_position().await? else { return Ok(None) };
            if let Some(event) = self.event(position, revision).await? {
                if let Some(remaining) = &mut self.remaining {
                    *remaining -= 1;
                }
                return Ok(Some(event));
            }
        }
    }

    /// Goes on up to `until`, which is a whole append's end: there may be more by now. Forward only.
    pub(crate) fn extend(&mut self, until: Position) {
        self.as_of = until;
        self.catalogue = self.inner.catalogue();
        match &mut self.source {
            Source::Hits(union) => union.walks.iter_mut().for_each(|walk| walk.extend(until.0)),
            Source::Groups { walk, until: end, .. } => {
                walk.walks.iter_mut().for_each(|walk| walk.extend(until.0));
                *end = until.0;
            }
            Source::Forward { until: end, .. } => *end = until.0,
            Source::Backward { .. } => unreachable!("subscriptions read forwards"),
        }
    }

    async fn next_position(&mut self) -> Result<Option<(u64, Option<Revision>)>, ReadError> {
        match &mut self.source {
            Source::Hits(walk) => {
                Ok(walk.next(&self.inner).await?.map(|hit| (hit.position, hit.rank.map(Revision))))
            }
            Source::Groups { .. } => Ok(self.next_of_groups().await?.map(|position| (position, None))),
            Source::Forward { .. } => Ok(self.next_forward().await?.map(|position| (position, None))),
            Source::Backward { .. } => Ok(self.next_backward().await?.map(|position| (position, None))),
        }
    }

    async fn next_of_groups(&mut self) -> Result<Option<u64>, ReadError> {
        loop {
            let Source::Groups { walk, ready, after, until } = &mut self.source else { return Ok(None) };
            if let Some(position) = ready.pop_front() {
                return Ok(Some(position));
            }
            let Some(hit) = walk.next(&self.inner).await? else { return Ok(None) };
            let (after, until, backward) = (*after, *until, walk.direction == Direction::Backward);
            self.load_group(hit.position).await?;
            let Some(group) = &self.group else { return Ok(None) };
            let (first, end) = group.positions();
            let range = first.max(after + 1)..end.min(until.saturating_add(1));
            let topics = self.topics.clone();
            let wanted = |&position: &u64| match (&topics, group.local_entry(position)) {
                (Topics::One(topic), Some(entry)) => entry.topic == *topic,
                _ => true,
            };
            let mut positions: VecDeque<u64> = range.filter(wanted).collect();
            if backward {
                positions.make_contiguous().reverse();
            }
            if let Source::Groups { ready, .. } = &mut self.source {
                *ready = positions;
            }
        }
    }

    async fn next_forward(&mut self) -> Result<Option<u64>, ReadError> {
        loop {
            let Source::Forward { cursor, next, until } = &mut self.source else { return Ok(None) };
            if *next > *until {
                return Ok(None);
            }
            let here = self.group.as_ref().is_some_and(|group| {
                let (first, end) = group.positions();
                (first..end).contains(next)
            });
            if here {
                *next += 1;
                return Ok(Some(*next - 1));
            }
            let wanted = *next;
            let holds = |header: &recount_journal::FrameHeader| {
                header.kind.uses_lsn() && header.first_position.0 + u64::from(header.count) > wanted
            };
            let Some(frame) = cursor.next_where(holds).await? else { return Ok(None) };
            self.group = Some(PlacedGroup::new(&self.inner.reader, frame)?);
        }
    }

    async fn next_backward(&mut self) -> Result<Option<u64>, ReadError> {
        loop {
            let Source::Backward { ready, position, after } = &mut self.source else { return Ok(None) };
            if *position <= *after {
                return Ok(None);
            }
            let wanted = *position;
            let here = self.group.as_ref().is_some_and(|group| {
                let (first, end) = group.positions();
                (first..end).contains(&wanted)
            });
            if here {
                *position -= 1;
                return Ok(Some(wanted));
            }
            while ready.last().is_some_and(|&(_, first, _)| first > wanted) {
                ready.pop();
            }
            match ready.last() {
                Some(&(location, _, end)) if wanted < end => {
                    let mut cursor = self.inner.reader.frames(location);
                    let Some(frame) = cursor.next().await? else { return Ok(None) };
                    self.group = Some(PlacedGroup::new(&self.inner.reader, frame)?);
                }
                _ => {
                    let stretch = stretch_before(&self.inner, wanted).await?;
                    if stretch.last().is_none_or(|&(_, first, end)| !(first..end).contains(&wanted)) {
                        return Ok(None);
                    }
                    if let Source::Backward { ready, .. } = &mut self.source {
                        *ready = stretch;
                    }
                }
            }
        }
    }

    async fn load_group(&mut self, position: u64) -> Result<(), ReadError> {
        let loaded = self.group.as_ref().is_some_and(|group| {
            let (first, end) = group.positions();
            (first..end).contains(&position)
        });
        if !loaded {
            self.group = locate::group_of_position(&*self.inner, &self.inner.reader, position).await?;
        }
        Ok(())
    }

    /// The event at a position, if it is to be shown.
    async fn event(&mut self, position: u64, revision: Option<Revision>) -> Result<Option<Event>, ReadError> {
        self.load_group(position).await?;
        let Some(group) = &mut self.group else {
            return Err(ReadError::Corrupt {
                what: format!(
                    "the index names position {position}, which the journal does not have: delete the folder index and open again"
                ),
            });
        };
        if let Some(entry) = group.local_entry(position)
            && self.topics.topic(&self.catalogue, entry.topic).is_none()
        {
            return Ok(None);
        }
        let placed = locate::placed(&*self.inner, &self.inner.reader, group, position).await?;
        let Some(topic) = self.topics.topic(&self.catalogue, placed.entry.topic) else { return Ok(None) };
        let event = record::decode(placed, topic, revision)?;
        let shown = any_matches(&self.filter, event.event_type.as_deref(), &event.tags);
        Ok(shown.then_some(event))
    }
}

impl Topics {
    /// The topic, if its events are shown.
    fn topic<'a>(&self, catalogue: &'a Catalogue, id: TopicId) -> Option<&'a Arc<TopicState>> {
        let topic = catalogue.by_id(id)?;
        let shown = match self {
            Topics::One(one) => id == *one,
            Topics::Users => !topic.name.is_system(),
            Topics::All => true,
        };
        (shown && !topic.dropped).then_some(topic)
    }
}

/// Begins a read.
pub(crate) async fn begin(inner: &Arc<Inner>, request: ReadRequest) -> Result<EventCursor, ReadError> {
    let head = inner.head();
    let catalogue = inner.catalogue();
    let as_of = round_down(inner, request.as_of.min(head), head).await?;
    let (topics, stream_term) = scope(&catalogue, &request.scope)?;
    if stream_term.is_none() && matches!(request.from, From::Revision(_)) {
        return Err(ReadError::BadRequest {
            what: "only a read of one stream can begin at a revision".to_owned(),
        });
    }
    let backward = request.direction == Direction::Backward;
    let (mut after, mut until) = (0, as_of.0);
    match (request.from, backward) {
        (From::Start | From::Revision(_), _) => {}
        (From::Position(position), false) => after = position.0.saturating_sub(1),
        (From::After(position), false) => after = position.0,
        (From::Position(position), true) => until = until.min(position.0),
        (From::After(position), true) => until = until.min(position.0.saturating_sub(1)),
        (From::Time(time), false) => {
            after = last_before(inner, recount_types::Time(time.0.saturating_sub(1))).await?.0
        }
        (From::Time(time), true) => until = until.min(last_before(inner, time).await?.0),
    }
    let walk = |term: Vec<u8>| TermWalk::new(term, after, until, request.direction);
    let filtered = !request.filter.is_empty()
        && request.filter.iter().all(|item| !item.types.is_empty() || !item.tags.is_empty());
    let source = if let Some(term) = stream_term {
        let from_rank = match request.from {
            From::Revision(revision) => Some(revision.0),
            _ => None,
        };
        let walks = vec![walk(term).ranked(from_rank)];
        Source::Hits(UnionWalk { walks, direction: request.direction })
    } else if filtered {
        let ids: Vec<TopicId> = match &topics {
            Topics::One(id) => vec![*id],
            shown => catalogue
                .topics()
                .map(|topic| topic.id)
                .filter(|&id| shown.topic(&catalogue, id).is_some())
                .collect(),
        };
        let mut terms = Vec::new();
        for topic in ids {
            for item in &request.filter {
                terms.extend(item_terms(inner, topic, item));
            }
        }
        terms.sort_unstable();
        terms.dedup();
        Source::Hits(UnionWalk { walks: terms.into_iter().map(walk).collect(), direction: request.direction })
    } else if let Topics::One(topic) = topics {
        // The first of a topic's positions in a group may lie before `after`, others behind it.
        let group_start = match locate::group_of_position(&**inner, &inner.reader, after).await? {
            Some(group) if after > 0 => group.positions().0 - 1,
            _ => 0,
        };
        let term = Term::of(TermKind::Topic, topic, &[]).as_bytes().to_vec();
        let walks = vec![TermWalk::new(term, group_start, until, request.direction)];
        let walk = UnionWalk { walks, direction: request.direction };
        Source::Groups { walk, ready: VecDeque::new(), after, until }
    } else if backward {
        Source::Backward { ready: Vec::new(), position: until, after }
    } else {
        let near = inner.frame_at(FrameKey::Position(after + 1)).await?;
        let location = locate::location(&inner.reader, near)?;
        Source::Forward { cursor: inner.reader.frames(location), next: after + 1, until }
    };
    Ok(EventCursor {
        inner: inner.clone(),
        catalogue,
        source,
        topics,
        filter: request.filter,
        remaining: request.limit,
        as_of,
        group: None,
    })
}

/// The terms of which every match of an item has one: its tag that the memtables know least, or else its types.
fn item_terms(inner: &Inner, topic: TopicId, item: &QueryItem) -> Vec<Vec<u8>> {
    let sequencer = lock(&inner.sequencer);
    let tags = item
        .tags
        .iter()
        .map(|tag| Term::of(TermKind::Tag, topic, tag.as_str().as_bytes()).as_bytes().to_vec());
    let rarest = tags.min_by_key(|term| sequencer.count_after(term, Position::ZERO));
    match rarest {
        Some(term) => vec![term],
        None => item
            .types
            .iter()
            .map(|event_type| Term::of(TermKind::EventType, topic, event_type.as_bytes()).as_bytes().to_vec())
            .collect(),
    }
}

fn scope(catalogue: &Catalogue, scope: &Scope) -> Result<(Topics, Option<Vec<u8>>), ReadError> {
    let live = |name: &recount_types::TopicName| {
        catalogue.by_name(name).ok_or_else(|| ReadError::UnknownTopic { topic: name.to_string() })
    };
    Ok(match scope {
        Scope::Stream(stream) => {
            let topic = live(&stream.topic)?;
            let term = Term::of(TermKind::Stream, topic.id, &stream.key).as_bytes().to_vec();
            (Topics::One(topic.id), Some(term))
        }
        Scope::Topic(name) => (Topics::One(live(name)?.id), None),
        Scope::All { system: false } => (Topics::Users, None),
        Scope::All { system: true } => (Topics::All, None),
    })
}

/// The end of the last append that lies whole in positions up to `position`.
pub(crate) async fn round_down(
    inner: &Arc<Inner>,
    position: Position,
    head: Position,
) -> Result<Position, ReadError> {
    if position >= head || position == Position::ZERO {
        return Ok(position.min(head));
    }
    let group = locate::group_of_position(&**inner, &inner.reader, position.0).await?;
    let Some(group) = group else { return Ok(Position::ZERO) };
    let before_group = group.positions().0 - 1;
    Ok(Position(group.append_end_at_or_before(position.0).unwrap_or(before_group)))
}

/// The position of the last event appended at or before `time`.
pub(crate) async fn last_before(
    inner: &Arc<Inner>,
    time: recount_types::Time,
) -> Result<Position, ReadError> {
    let Some(near) = inner.frame_at(FrameKey::Time(time.0)).await? else { return Ok(Position::ZERO) };
    let mut cursor = inner.reader.frames(locate::location_of(&near));
    let mut last = Position(near.first_position.saturating_sub(1));
    let gives = |header: &recount_journal::FrameHeader| header.kind.uses_lsn() && header.count > 0;
    while let Some(frame) = cursor.next_where(gives).await? {
        if frame.header.append_time > time {
            break;
        }
        let group = PlacedGroup::new(&inner.reader, frame)?;
        if let Some(end) = group.append_end_at_time(time) {
            last = Position(end);
        }
    }
    Ok(last.min(inner.head()))
}

/// Groups that end with the one of `position`, oldest first: where each lies and the positions it gives.
async fn stretch_before(inner: &Arc<Inner>, position: u64) -> Result<Vec<(Location, u64, u64)>, ReadError> {
    let near = inner.frame_at(FrameKey::Position(position)).await?;
    let mut cursor = inner.reader.frames(locate::location(&inner.reader, near)?);
    let mut stretch = Vec::new();
    let gives = |header: &recount_journal::FrameHeader| header.kind.uses_lsn() && header.count > 0;
    while let Some(frame) = cursor.next_where(gives).await? {
        let first = frame.header.first_position.0;
        if first > position {
            break;
        }
        stretch.push((frame.location, first, first + u64::from(frame.header.count)));
    }
    Ok(stretch)
}
