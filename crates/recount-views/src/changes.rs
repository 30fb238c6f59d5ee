//! Changes: the rows of an entity as they change from a position on, each change told once.
//!
//! A replica of the subscriber's own is brought to where the subscriber is, and goes on from there a stretch at a time. It
//! pulls: what the subscriber has not taken yet is at most one stretch, counted as memory of entities like the replica.
//!
//! ```text
//!  place      1.0:12       version 1, of which 0 events were skipped: every change up to position 12 was told
//!             1.0:12+3     and this one: every change before position 12, and the first three there
//! ```
//!
//! A change belongs to the position that caused it: an event of the key, or, if the entity is ordered by event time or
//! looks something up, a record that corrected the row. Several changes of one position come in the order of their keys. So
//! a place says exactly what comes next, whoever asks.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::str::FromStr;

use recount_entity::fold::{Effect, Events, Step};
use recount_entity::key::Key;
use recount_entity::table::{Frozen, Row, Slot, State, Stopped, Table};
use recount_env::block_on;
use recount_store::ReadError;
use recount_types::column::Value;
use recount_types::{EntityId, Position, Time};

use crate::budget::Share;
use crate::error::ViewError;
use crate::key_text;
use crate::replica::{Plan, Replica};
use crate::views::{EntityInfo, Views};

/// Positions in a stretch.
const STRETCH_POSITIONS: u64 = 1024;
/// Changes that are told at once.
const TOLD_TOGETHER: usize = 256;

/// From where on changes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// From behind this position.
    Position(Position),
    /// From behind what was told.
    Place(Place),
}

/// How far a subscriber has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The version of the entity.
    pub version: u32,
    /// How many events it passed over, by ALTER ENTITY … SKIP EVENT.
    pub skipped: usize,
    /// Every change before this position was told.
    pub position: Position,
    /// How many of this position's were told; `None` = all.
    pub told: Option<usize>,
}

/// A row that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What was told with it.
    pub place: Place,
    /// When what caused it was appended.
    pub append_time: Time,
    /// The greatest time of the row's events.
    pub event_time: Time,
    /// The key.
    pub key: Key,
    /// The state from now on; `None` = there is no row, or it stopped.
    pub state: Option<Vec<Value<'static>>>,
    /// Where the key stopped, and why.
    pub stopped: Option<Stopped>,
}

/// What a subscriber is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The next changes. None of them: it is still on its way, and goes on when it is asked again.
    Changes(Vec<Change>),
    /// Everything up to here was looked at.
    CaughtUp(Place),
    /// There are no more, because the rows are others now.
    Ended(Ended),
}

/// Why there are no more changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The entity, or the version, was dropped.
    Dropped,
    /// Another version answers.
    Replaced(u32),
    /// An event of before is passed over.
    Skipped,
}

/// The changes of an entity, from a place on.
pub struct Changes {
    views: Views,
    id: EntityId,
    info: EntityInfo,
    /// This version is wanted, whichever answers.
    pinned: bool,
    key: Option<Key>,
    replica: Replica,
    /// What was told.
    place: Place,
    /// The replica is to be brought here before the first change is looked for.
    begins: u64,
    /// So many changes at the first position were told before.
    told_before: usize,
    found: VecDeque<Change>,
    memory: Share,
    /// The last position told to be caught up with.
    caught_up: Option<Position>,
}

impl Views {
    /// The changes of an entity, or of one key, after a position or a place.
    pub fn changes(
        &self,
        name: &str,
        version: Option<u32>,
        key: Option<&str>,
        after: After,
    ) -> Result<Changes, ViewError> {
        let live = self.inner().find(name, version)?;
        let info = self.entity(name, Some(live.version))?;
        let key = key.map(|key| key_text::parse(key, &live.columns[..live.key_width]));
        let key = key.transpose().map_err(ViewError::BadRequest)?;
        let (pinned, version) = (version.is_some(), live.version);
        let (skipped, head) = (self.skipped(live.id), self.inner().store.head());
        let place = match after {
            After::Position(position) => Place { version, skipped, position, told: None },
            After::Place(place) => place,
        };
        if (place.version, place.skipped) != (version, skipped) {
            return Err(ViewError::FoldedAnew { entity: name.to_owned(), version, place: place.to_string() });
        }
        if place.position > head {
            let position = place.position;
            return Err(ViewError::BadRequest(format!(
                "position {position} does not exist yet: the newest is {head}"
            )));
        }
        let plan = live.plan().clone();
        let confines = self.inner().confines(&plan, key.as_ref(), crate::Moment::default());
        let (replica, memory) = (self.inner().replica(plan, confines), self.inner().budget.share());
        let at = place.position.0;
        Ok(Changes {
            views: self.clone(),
            id: live.id,
            info,
            pinned,
            key,
            replica,
            place,
            begins: if place.told.is_some() { at.saturating_sub(1) } else { at },
            told_before: place.told.unwrap_or(0),
            found: VecDeque::new(),
            memory,
            caught_up: None,
        })
    }

    fn skipped(&self, id: EntityId) -> usize {
        self.inner().store.catalogue().entity_by_id(id).map_or(0, |entity| entity.skipped.len())
    }
}

impl Changes {
    /// The entity and its columns.
    pub fn info(&self) -> &EntityInfo {
        &self.info
    }

    /// What was told.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Looks on for some time, on a thread that may block. After an error there is nothing more.
    pub fn tell(&mut self) -> Result<Told, ViewError> {
        if let Some(ended) = self.ended() {
            return Ok(Told::Ended(ended));
        }
        if self.found.is_empty() {
            let head = self.views.inner().store.head().0;
            if self.replica.position < self.begins {
                self.come_nearer()?;
                return Ok(Told::Changes(Vec::new()));
            }
            if self.replica.position >= head {
                return Ok(self.at_head());
            }
            block_on(self.look(head.min(self.replica.position + STRETCH_POSITIONS)))?;
        }
        let together = self.found.len().min(TOLD_TOGETHER);
        let told: Vec<Change> = self.found.drain(..together).collect();
        if self.found.is_empty() {
            self.memory.set(0)?;
        }
        if let Some(last) = told.last() {
            self.place = last.place;
        }
        Ok(Told::Changes(told))
    }

    /// Waits until there may be something new. Does not block, and may be dropped.
    pub async fn moved(&self) -> Result<(), ViewError> {
        let store = &self.views.inner().store;
        let visible = store.visible();
        loop {
            let seen = visible.generation();
            if store.head().0 > self.replica.position {
                return Ok(());
            }
            if store.is_closed() {
                return Err(ReadError::Closed.into());
            }
            visible.changed(seen).await;
        }
    }

    /// Goes on towards the place behind which changes are looked for: from a snapshot, if there is one.
    fn come_nearer(&mut self) -> Result<(), ViewError> {
        let inner = self.views.inner();
        let live = inner.find(self.info.name.as_str(), Some(self.place.version))?;
        // Confined to a stream, it has one key's rows alone.
        let key = self.key.as_ref().filter(|_| self.replica.confines().stream.is_some());
        let from = (&*inner.snapshots, inner.settings.snapshot_events);
        block_on(self.replica.come_nearer((live.id, live.version), self.begins, key, from))
    }

    fn at_head(&mut self) -> Told {
        let position = Position(self.replica.position);
        if self.caught_up == Some(position) {
            return Told::Changes(Vec::new());
        }
        self.caught_up = Some(position);
        self.place = Place { position, told: None, ..self.place };
        Told::CaughtUp(self.place)
    }

    /// Why the rows are no longer what they were, if they are not.
    fn ended(&mut self) -> Option<Ended> {
        let catalogue = self.views.inner().store.catalogue();
        let entity = catalogue.entity_by_id(self.id).filter(|entity| !entity.dropped);
        let Some(entity) = entity.filter(|entity| entity.versions.contains_key(&self.place.version)) else {
            return Some(Ended::Dropped);
        };
        if !self.pinned && entity.current != self.place.version {
            return Some(Ended::Replaced(entity.current));
        }
        if entity.skipped.len() != self.place.skipped {
            return Some(Ended::Skipped);
        }
        // A topic was altered: the same rows, of events that are read in another way from now on.
        let live = self.views.inner().find(self.info.name.as_str(), Some(self.place.version)).ok()?;
        let plan: &Plan = live.plan();
        if plan != self.replica.plan() {
            self.begins = self.begins.max(self.replica.position);
            self.replica = self.replica.anew(plan.clone(), self.replica.confines().clone());
        }
        None
    }

    /// Finds the changes up to a position.
    async fn look(&mut self, until: u64) -> Result<(), ViewError> {
        let place = Place { told: None, ..self.place };
        let mut found = Found::new(self.replica.freeze().await?, place, self.key.as_ref(), &mut self.memory);
        if self.replica.plan().bound.fold.is_retroactive() {
            for (position, append_time) in self.replica.recorded(until).await? {
                let mut touched: HashSet<Slot> = HashSet::new();
                let mut watch = |step: Step<'_>, _: &Events| {
                    touched.insert(step.slot);
                };
                self.replica.advance(position.0, &mut watch).await?;
                let table = self.replica.table();
                let mut touched: Vec<Slot> = touched.into_iter().collect();
                touched
                    .sort_unstable_by(|a, b| table.row(*a).key.as_bytes().cmp(table.row(*b).key.as_bytes()));
                for slot in touched {
                    found.note(slot, table, position, append_time);
                }
            }
        }
        let mut watch = |step: Step<'_>, events: &Events| {
            if matches!(step.effect, Effect::Set | Effect::Deleted | Effect::Stopped) {
                let position = Position(events.positions[step.event]);
                found.note(step.slot, step.table, position, Time(events.appended[step.event]));
            }
        };
        self.replica.advance(until, &mut watch).await?;
        self.found = found.end()?;
        let first = self.begins + 1;
        let told = std::mem::take(&mut self.told_before);
        let at_first = self.found.iter().take_while(|change| change.place.position.0 == first).count();
        self.found.drain(..told.min(at_first));
        Ok(())
    }
}

/// The changes of a stretch.
struct Found<'a> {
    before: Frozen,
    /// Of a row that changed already, the number of its last change.
    last: HashMap<Slot, usize>,
    changes: VecDeque<Change>,
    place: Place,
    key: Option<&'a Key>,
    memory: &'a mut Share,
    bytes: usize,
    failed: Option<ViewError>,
}

impl<'a> Found<'a> {
    fn new(before: Frozen, place: Place, key: Option<&'a Key>, memory: &'a mut Share) -> Found<'a> {
        let (last, changes) = (HashMap::new(), VecDeque::new());
        Found { before, last, changes, place, key, memory, bytes: 0, failed: None }
    }

    /// Notes what a row is from a position on, if it is another one than before.
    fn note(&mut self, slot: Slot, table: &Table, position: Position, append_time: Time) {
        let row = table.row(slot);
        if self.failed.is_some() || self.key.is_some_and(|key| row.key != *key) {
            return;
        }
        let now = shown(&row, table.state(slot));
        let changed = match self.last.get(&slot).map(|&last| &self.changes[last]) {
            Some(change) => (&change.state, &change.stopped) != (&now.0, &now.1),
            None => now != self.before.at(slot).map_or((None, None), |(row, state)| shown(&row, state)),
        };
        if !changed {
            return;
        }
        self.last.insert(slot, self.changes.len());
        let told = match self.changes.back().map(|last| last.place) {
            Some(Place { position: last, told: Some(told), .. }) if last == position => told + 1,
            _ => 1,
        };
        let change = Change {
            place: Place { position, told: Some(told), ..self.place },
            append_time,
            event_time: Time(row.event_time),
            key: row.key.to_key(),
            state: now.0,
            stopped: now.1,
        };
        self.bytes += change.bytes();
        self.changes.push_back(change);
        if self.changes.len().is_multiple_of(TOLD_TOGETHER) {
            self.failed = self.memory.set(self.bytes).err();
        }
    }

    fn end(mut self) -> Result<VecDeque<Change>, ViewError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.memory.set(self.bytes)?;
        // With the last change at a position, all of them are told.
        for at in 0..self.changes.len() {
            let position = self.changes[at].place.position;
            if self.changes.get(at + 1).is_none_or(|next| next.place.position != position) {
                self.changes[at].place.told = None;
            }
        }
        Ok(self.changes)
    }
}

/// A row as it is told: its state unless it has none or stopped, and where it stopped.
fn shown(row: &Row<'_>, state: State<'_>) -> (Option<Vec<Value<'static>>>, Option<Stopped>) {
    let state = (row.present && row.stopped.is_none()).then(|| state.to_vec());
    (state, row.stopped.cloned())
}

impl Change {
    /// About the memory that it takes, with where it is found.
    fn bytes(&self) -> usize {
        let texts = self.state.iter().flatten().map(|value| match value {
            Value::Text(text) => text.len(),
            _ => 0,
        });
        let cells = self.state.as_ref().map_or(0, Vec::len) * size_of::<Value<'static>>();
        size_of::<Change>()
            + self.key.as_bytes().len()
            + cells
            + texts.sum::<usize>()
            + 4 * size_of::<usize>()
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("entity", &self.info.name)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}:{}", self.version, self.skipped, self.position)?;
        match self.told {
            Some(told) => write!(f, "+{told}"),
            None => Ok(()),
        }
    }
}

/// A text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a place such as 1.0:12, which changes have for an id")]
pub struct BadPlace;

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Place, BadPlace> {
        fn number<T: FromStr>(text: &str) -> Result<T, BadPlace> {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse().map_err(|_| BadPlace) } else { Err(BadPlace) }
        }
        let (definition, at) = text.split_once(':').ok_or(BadPlace)?;
        let (version, skipped) = definition.split_once('.').ok_or(BadPlace)?;
        let (position, told) = match at.split_once('+') {
            Some((position, told)) => (position, Some(number(told)?)),
            None => (at, None),
        };
        let position = Position(number(position)?);
        if position > Position::MAX || (told.is_some() && position == Position::ZERO) {
            return Err(BadPlace);
        }
        Ok(Place { version: number(version)?, skipped: number(skipped)?, position, told })
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Dropped => f.write_str("it was dropped"),
            Ended::Replaced(version) => write!(f, "version {version} answers now"),
            Ended::Skipped => f.write_str("an event is passed over, and the rows were folded anew"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for text in ["1.0:0", "1.0:12", "4294967295.7:9223372036854775807+3"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "12",
            "1:12",
            "1.0:",
            "1.0:x",
            "1.0:+1",
            "1.0:12+",
            "1.0:0+1",
            "-1.0:1",
            "1.0:99999999999999999999",
            "1.0:1+2+3",
        ] {
            assert_eq!(text.parse::<Place>(), Err(BadPlace), "{text}");
        }
    }
}
