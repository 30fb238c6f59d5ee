//! The cursor of a read: events in order, decoded one group at a time.

use std::ops::Range;
use std::sync::Arc;

use recount_index::{FrameKey, Term, TermKind};
use recount_journal::{FrameCursor, Location};
use recount_types::{Event, Position, Revision, TopicId};

use super::walk::{TermWalk, UnionWalk};
use super::{Direction, From, ReadRequest, Scope};
use crate::catalogue::{Catalogue, TopicState};
use crate::condition::QueryItem;
use crate::error::ReadError;
use crate::locate::{self, Finder, Frames, PlacedGroup, Stretch};
use crate::record::{self, EventView};
use crate::store::{Inner, lock};

/// Reads events one after another: [`EventCursor::next`] makes each its own, [`EventCursor::load`] and
/// [`EventCursor::take`] show them where they lie.
pub struct EventCursor {
    inner: Arc<Inner>,
    catalogue: Arc<Catalogue>,
    source: Source,
    direction: Direction,
    topics: Topics,
    filter: Vec<QueryItem>,
    remaining: Option<usize>,
    as_of: Position,
    finder: Finder,
    /// The group that the last position was in.
    group: Option<PlacedGroup>,
    /// Positions of that group which come next, not looked at yet.
    window: Range<u64>,
    /// The revision of the first of them, where the index knows it.
    revision: Option<Revision>,
    /// Before those.
    ready: Option<Ready>,
}

/// Events that are to be shown, whose records lie together.
struct Ready {
    positions: Range<u64>,
    stretch: Stretch,
    topic: Arc<TopicState>,
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
    Groups { walk: UnionWalk, after: u64, until: u64 },
    /// Every group in order.
    Forward { cursor: FrameCursor, next: u64, until: u64 },
    /// Every group, from a stretch of them at a time.
    Backward { frames: Vec<(Location, u64, u64)>, position: u64, after: u64 },
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
        loop {
            if let Some(event) = self.take()? {
                return Ok(Some(event.to_event()));
            }
            if !self.load().await? {
                return Ok(None);
            }
        }
    }

    /// Reads on until there are events to take; false at the end. Does file I/O on the calling thread.
    pub async fn load(&mut self) -> Result<bool, ReadError> {
        if self.remaining == Some(0) {
            return Ok(false);
        }
        while self.ready.is_none() {
            if !self.window.is_empty() {
                self.next_stretch().await?;
            } else if !self.next_window().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The next of the events that were read, or `None` when [`EventCursor::load`] is to be asked for more.
    pub fn take(&mut self) -> Result<Option<EventView<'_>>, ReadError> {
        if self.remaining == Some(0) {
            return Ok(None);
        }
        while let Some(position) = self.take_position() {
            if self.filter.is_empty() || self.matches(position)? {
                if let Some(remaining) = &mut self.remaining {
                    *remaining -= 1;
                }
                return self.view(position).map(Some);
            }
        }
        self.ready = None;
        Ok(None)
    }

    fn take_position(&mut self) -> Option<u64> {
        let positions = &mut self.ready.as_mut()?.positions;
        match self.direction {
            Direction::Forward => positions.next(),
            Direction::Backward => positions.next_back(),
        }
    }

    fn matches(&mut self, position: u64) -> Result<bool, ReadError> {
        let filter = std::mem::take(&mut self.filter);
        let matches = self.view(position).map(|event| event.matches(&filter));
        self.filter = filter;
        matches
    }

    fn view(&mut self, position: u64) -> Result<EventView<'_>, ReadError> {
        let (Some(group), Some(Ready { stretch, topic, .. })) = (&mut self.group, &self.ready) else {
            unreachable!("positions are taken out of what is ready")
        };
        record::view(&group.record(stretch, position)?, topic, self.revision)
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

    /// Makes those events ready that lie together at the beginning of the window, if they are to be shown.
    async fn next_stretch(&mut self) -> Result<(), ReadError> {
        let Some(group) = &mut self.group else { unreachable!("a window is part of a group") };
        let position = match self.direction {
            Direction::Forward => self.window.start,
            Direction::Backward => self.window.end - 1,
        };
        let local = group.local_entry(position);
        if local.is_none_or(|entry| self.topics.topic(&self.catalogue, entry.topic).is_some()) {
            locate::reach(&*self.inner, &self.inner.reader, group, position).await?;
        }
        let stretch = group.stretch(position)?;
        let positions =
            stretch.positions.start.max(self.window.start)..stretch.positions.end.min(self.window.end);
        match self.direction {
            Direction::Forward => self.window.start = positions.end,
            Direction::Backward => self.window.end = positions.start,
        }
        if let Some(topic) = self.topics.topic(&self.catalogue, stretch.entry.topic) {
            self.finder.load(&self.inner.pieces, group, &stretch, &positions).await?;
            self.ready = Some(Ready { positions, topic: topic.clone(), stretch });
        }
        Ok(())
    }

    /// Goes to the next positions that come into question, and reads their group; false at the end.
    async fn next_window(&mut self) -> Result<bool, ReadError> {
        match &mut self.source {
            Source::Hits(walk) => {
                let Some(hit) = walk.next(&self.inner).await? else { return Ok(false) };
                self.load_group(hit.position).await?;
                self.window = hit.position..hit.position + 1;
                self.revision = hit.rank.map(Revision);
                Ok(true)
            }
            Source::Groups { walk, after, until } => {
                let (after, until) = (*after, *until);
                let Some(hit) = walk.next(&self.inner).await? else { return Ok(false) };
                let (first, end) = self.load_group(hit.position).await?;
                self.window = first.max(after + 1)..end.min(until.saturating_add(1));
                Ok(true)
            }
            Source::Forward { .. } => self.next_forward().await,
            Source::Backward { .. } => self.next_backward().await,
        }
    }

    async fn next_forward(&mut self) -> Result<bool, ReadError> {
        let Source::Forward { cursor, next, until } = &mut self.source else { return Ok(false) };
        if *next > *until {
            return Ok(false);
        }
        let wanted = *next;
        if !self.group.as_ref().is_some_and(|group| group.gives(wanted)) {
            let holds = |header: &recount_journal::FrameHeader| {
                header.kind.uses_lsn() && header.first_position.0 + u64::from(header.count) > wanted
            };
            if let Some(before) = self.group.take() {
                before.give_back(cursor);
            }
            let Some(frame) = cursor.next_where(holds).await? else { return Ok(false) };
            self.group = Some(PlacedGroup::new(&self.inner.reader, frame)?);
        }
        let (_, end) = self.group.as_ref().map_or((wanted, wanted), PlacedGroup::positions);
        self.window = wanted..end.min(until.saturating_add(1));
        *next = self.window.end;
        Ok(true)
    }

    async fn next_backward(&mut self) -> Result<bool, ReadError> {
        loop {
            let Source::Backward { frames, position, after } = &mut self.source else { return Ok(false) };
            if *position <= *after {
                return Ok(false);
            }
            let wanted = *position;
            if let Some(group) = self.group.as_ref().filter(|group| group.gives(wanted)) {
                self.window = group.positions().0.max(*after + 1)..wanted + 1;
                *position = self.window.start - 1;
                return Ok(true);
            }
            while frames.last().is_some_and(|&(_, first, _)| first > wanted) {
                frames.pop();
            }
            match frames.last() {
                Some(&(location, _, end)) if wanted < end => {
                    let mut cursor = self.inner.reader.frames(location);
                    let Some(frame) = cursor.next().await? else { return Ok(false) };
                    self.group = Some(PlacedGroup::new(&self.inner.reader, frame)?);
                }
                _ => {
                    let stretch = stretch_before(&self.inner, wanted).await?;
                    if stretch.last().is_none_or(|&(_, first, end)| !(first..end).contains(&wanted)) {
                        return Ok(false);
                    }
                    if let Source::Backward { frames, .. } = &mut self.source {
                        *frames = stretch;
                    }
                }
            }
        }
    }

    /// Reads the group of a position that the index names; the positions that it gives.
    async fn load_group(&mut self, position: u64) -> Result<(u64, u64), ReadError> {
        if !self.group.as_ref().is_some_and(|group| group.gives(position)) {
            let before = self.group.take();
            self.group = self.finder.group(&*self.inner, &self.inner.reader, position, before).await?;
        }
        let group = self.group.as_ref().ok_or_else(|| ReadError::Corrupt {
            what: format!(
                "the index names position {position}, which the journal does not have: delete the folder index and open again"
            ),
        })?;
        Ok(group.positions())
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
    let Sought { catalogue, topics, as_of, after, until, candidates } = sought(inner, &request).await?;
    let direction = request.direction;
    let walk = |term: Vec<u8>| TermWalk::new(term, after, until, direction);
    let source = match candidates {
        Candidates::Stream(term) => {
            let from_rank = match request.from {
                From::Revision(revision) => Some(revision.0),
                _ => None,
            };
            Source::Hits(UnionWalk { walks: vec![walk(term).ranked(from_rank)], direction })
        }
        Candidates::Terms(terms) => {
            Source::Hits(UnionWalk { walks: terms.into_iter().map(walk).collect(), direction })
        }
        Candidates::Topic(topic) => {
            let group_start = group_start(inner, after).await?;
            let walks = vec![TermWalk::new(groups_of(topic), group_start, until, direction)];
            Source::Groups { walk: UnionWalk { walks, direction }, after, until }
        }
        Candidates::All if direction == Direction::Backward => {
            Source::Backward { frames: Vec::new(), position: until, after }
        }
        Candidates::All => {
            let near = inner.frame_at(FrameKey::Position(after + 1)).await?;
            let location = locate::location(&inner.reader, near)?;
            Source::Forward { cursor: inner.reader.frames(location), next: after + 1, until }
        }
    };
    Ok(EventCursor {
        inner: inner.clone(),
        catalogue,
        source,
        direction,
        topics,
        filter: request.filter,
        remaining: request.limit,
        as_of,
        finder: Finder::default(),
        group: None,
        window: 0..0,
        revision: None,
        ready: None,
    })
}

/// Before the group of a position: the first of a topic's positions in a group may lie before it, others behind it.
pub(super) async fn group_start(inner: &Inner, after: u64) -> Result<u64, ReadError> {
    Ok(match locate::group_of_position(inner, &inner.reader, after).await? {
        Some(group) if after > 0 => group.positions().0 - 1,
        _ => 0,
    })
}

/// Which positions a request asks for, and what of the index leads to them.
pub(super) struct Sought {
    catalogue: Arc<Catalogue>,
    topics: Topics,
    as_of: Position,
    /// Positions in (`after`, `until`].
    pub(super) after: u64,
    pub(super) until: u64,
    pub(super) candidates: Candidates,
}

/// Where events that come into question are named.
pub(super) enum Candidates {
    /// By this term, a stream's, each of them and no other.
    Stream(Vec<u8>),
    /// By these, each of them.
    Terms(Vec<Vec<u8>>),
    /// By the groups that have one of this topic.
    Topic(TopicId),
    /// By none: every event does.
    All,
}

/// The term of the groups that have an event of a topic.
pub(super) fn groups_of(topic: TopicId) -> Vec<u8> {
    Term::of(TermKind::Topic, topic, &[]).as_bytes().to_vec()
}

/// What a request asks for.
pub(super) async fn sought(inner: &Arc<Inner>, request: &ReadRequest) -> Result<Sought, ReadError> {
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
    let filtered = !request.filter.is_empty()
        && request.filter.iter().all(|item| !item.types.is_empty() || !item.tags.is_empty());
    let candidates = if let Some(term) = stream_term {
        Candidates::Stream(term)
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
        Candidates::Terms(terms)
    } else if let Topics::One(topic) = topics {
        Candidates::Topic(topic)
    } else {
        Candidates::All
    };
    Ok(Sought { catalogue, topics, as_of, after, until, candidates })
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
